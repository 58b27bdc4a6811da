//! OAuth 2.0 client credentials (RFC 6749, section 4.4): one token for all who wait, fetched anew shortly before it ends.
//!
//! ```text
//! client_secret_basic (RFC 6749, 2.3.1) ┐
//! private_key_jwt (RFC 7523)            ├─► POST token endpoint {grant_type, scope, audience, resource} ─► access token
//! certificate (RFC 8705)                ┘
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lockgate_crypto::{Random, Secret, SystemRandom};
use lockgate_model::Failure;
use lockgate_project::{AssertionAlgorithm, OAuthClient};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Problem, TrustError};
use crate::network::{answer, retried, unanswered, wipe};

use cache::{Given, TokenCache};

pub use jwt::{BearerToken, Claims, FetchKeys, JWKS_KEYS_MAX, JwtRefusal, JwtValidator, TOKEN_BYTES_MAX};

mod cache;
mod jwt;

/// How long an assertion is good for, in seconds.
const ASSERTION_TTL_S: u64 = 60;

/// How a client proves who it is, with what is fetched for each proof.
pub(crate) enum Proof {
    Secret(Fetched),
    PrivateKey { key: Fetched, key_id: Option<String>, algorithm: AssertionAlgorithm },
    Certificate,
}

/// Something that is fetched each time it is shown.
pub(crate) type Fetched = Box<dyn Fn() -> Result<Secret<String>, Failure> + Send + Sync>;

/// A client of one authorization server.
pub struct TokenClient {
    settings: OAuthClient,
    http: reqwest::Client,
    proof: Arc<Proof>,
    tokens: TokenCache,
    patience: Duration,
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: u64,
    exp: u64,
}

impl TokenClient {
    pub(crate) fn new(settings: OAuthClient, http: reqwest::Client, proof: Proof, patience: Duration) -> Self {
        Self { settings, http, proof: Arc::new(proof), tokens: TokenCache::new(Box::new(Instant::now)), patience }
    }

    /// An access token with some time left.
    pub async fn token(&self) -> Result<Arc<Secret<String>>, TrustError> {
        let fetched = self.tokens.get(|| retried(self.patience, || self.fetch())).await;
        fetched.map_err(|problem| TrustError::Service {
            service: format!("the authorization server at {}", self.settings.token_url),
            problem,
        })
    }

    async fn fetch(&self) -> Result<Given, Problem> {
        let mut form: Vec<(&str, Zeroizing<String>)> =
            vec![("grant_type", Zeroizing::new("client_credentials".into()))];
        let mut add = |name, value: &str| form.push((name, Zeroizing::new(value.to_owned())));
        if !self.settings.scopes.is_empty() {
            add("scope", &self.settings.scopes.join(" "));
        }
        for (name, value) in [("audience", &self.settings.audience), ("resource", &self.settings.resource)] {
            if let Some(value) = value {
                add(name, value);
            }
        }
        let mut request = self.http.post(&self.settings.token_url);
        match self.prove().await? {
            Shown::Basic(header) => {
                let mut header = reqwest::header::HeaderValue::from_str(&header)
                    .map_err(|_| Problem::Answer("the client's secret holds what no header may".to_owned()))?;
                header.set_sensitive(true);
                request = request.header("Authorization", header);
            }
            Shown::Assertion(assertion) => {
                add("client_id", &self.settings.client_id);
                add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                add("client_assertion", &assertion);
            }
            Shown::Certificate => add("client_id", &self.settings.client_id),
        }
        let body = encoded(&form);
        let request = request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .body(body.as_str().to_owned());
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        let (status, mut content) = answer(response).await?;
        let taken = self.taken(status, &content);
        wipe(&mut content);
        taken
    }

    fn taken(&self, status: u16, content: &Value) -> Result<Given, Problem> {
        match status {
            200 => {}
            // What the server says of a refusal is one of a few words (RFC 6749, section 5.2).
            400..=403 => {
                return match content.get("error").and_then(Value::as_str) {
                    Some("invalid_scope" | "invalid_target") => Err(Problem::Missing),
                    Some("invalid_client" | "unauthorized_client" | "invalid_grant" | "access_denied") => {
                        Err(Problem::Denied)
                    }
                    _ => Err(Problem::Answer(format!("it refused the request with status {status}"))),
                };
            }
            429 => return Err(Problem::Throttled),
            500..=599 => return Err(Problem::Unreachable(format!("it failed with status {status}"))),
            _ => return Err(Problem::Answer(format!("it answered with status {status}"))),
        }
        let is_bearer =
            content.get("token_type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        let token = content.get("access_token").and_then(Value::as_str).filter(|token| is_bearer && !token.is_empty());
        let token = token.ok_or_else(|| Problem::Answer("it holds no bearer token".to_owned()))?;
        let lifetime = content.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
        Ok(Given { token: Secret::new(token.to_owned()), lifetime })
    }

    async fn prove(&self) -> Result<Shown, Problem> {
        let (proof, settings) = (Arc::clone(&self.proof), self.settings.clone());
        let proven = tokio::task::spawn_blocking(move || prove(&proof, &settings)).await;
        proven.map_err(|_| Problem::Answer("the proof could not be made".to_owned()))?
    }
}

enum Shown {
    Basic(Zeroizing<String>),
    Assertion(Zeroizing<String>),
    Certificate,
}

fn prove(proof: &Proof, settings: &OAuthClient) -> Result<Shown, Problem> {
    match proof {
        Proof::Certificate => Ok(Shown::Certificate),
        Proof::Secret(secret) => {
            let secret = secret().map_err(Problem::Other)?;
            // Both are encoded as in a form before they are joined (RFC 6749, section 2.3.1).
            let joined =
                Zeroizing::new(format!("{}:{}", form_encoded(&settings.client_id), form_encoded(secret.expose())));
            Ok(Shown::Basic(Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())))))
        }
        Proof::PrivateKey { key, key_id, algorithm } => {
            let key = key().map_err(Problem::Other)?;
            let wrong = |_| Problem::Answer("the client's private key cannot sign so".to_owned());
            let pem = key.expose().as_bytes();
            let (algorithm, key) = match algorithm {
                AssertionAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(pem).map_err(wrong)?),
                AssertionAlgorithm::Es384 => (Algorithm::ES384, EncodingKey::from_ec_pem(pem).map_err(wrong)?),
                AssertionAlgorithm::Ps256 => (Algorithm::PS256, EncodingKey::from_rsa_pem(pem).map_err(wrong)?),
                AssertionAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem).map_err(wrong)?),
            };
            let mut id = [0; 16];
            SystemRandom.fill(&mut id).map_err(|error| Problem::Answer(error.to_string()))?;
            let now = jsonwebtoken::get_current_timestamp();
            let assertion = Assertion {
                iss: &settings.client_id,
                sub: &settings.client_id,
                aud: &settings.token_url,
                jti: URL_SAFE_NO_PAD.encode(id),
                iat: now,
                exp: now + ASSERTION_TTL_S,
            };
            let mut header = Header::new(algorithm);
            header.kid = key_id.clone();
            jsonwebtoken::encode(&header, &assertion, &key)
                .map(|text| Shown::Assertion(Zeroizing::new(text)))
                .map_err(wrong)
        }
    }
}

fn encoded(form: &[(&str, Zeroizing<String>)]) -> Zeroizing<String> {
    let pairs: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", form_encoded(value))).collect();
    Zeroizing::new(pairs.join("&"))
}

/// `application/x-www-form-urlencoded`, in which a space is `%20`.
fn form_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
