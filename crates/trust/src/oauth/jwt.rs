//! An access token is believed only if its issuer signed it with an algorithm that we allow, for us, for now, and for the
//! certificate of this connection where it is bound to one (RFC 7519, RFC 8725, RFC 9068, RFC 8705).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The most keys of one issuer.
pub const JWKS_KEYS_MAX: usize = 100;
/// How often an unknown key id may make us fetch the issuer's keys.
const REFRESH_PAUSE: Duration = Duration::from_secs(10);

/// A token as it came, never shown.
pub struct BearerToken<'a> {
    /// Its text.
    pub text: &'a str,
    /// The SHA-256 of the certificate that the connection showed, if it showed one.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// What a believed token says.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    /// Who it is about.
    pub sub: String,
    /// Its issuer.
    pub iss: String,
    /// When it ends, in seconds since 1970.
    pub exp: u64,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a token is not believed. No text of it repeats the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtRefusal {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of base64url with JSON in them.
    #[error("it is no signed token")]
    NotAToken,
    /// An algorithm that is not on our list, `none` among them, or not that of the key.
    #[error("the token is signed in a way that is not allowed")]
    Algorithm,
    /// No key of the issuer has its key id.
    #[error("the issuer has no key of the token's key id")]
    UnknownKey,
    /// The signature is not the issuer's.
    #[error("the token's signature is wrong")]
    Signature,
    /// From somebody else.
    #[error("the token is from another issuer")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim that must be there is not.
    #[error("the token lacks a claim, or has one of the wrong kind")]
    Claims,
    /// Bound to a certificate that the connection did not show.
    #[error("the token is bound to another certificate")]
    Binding,
    /// The issuer's keys cannot be had.
    #[error("the issuer's keys cannot be had")]
    Keys,
}

/// Fetches the issuer's keys.
pub type FetchKeys = Box<dyn Fn() -> Option<JwkSet> + Send + Sync>;

/// Who may issue tokens for us, and how they are checked.
pub struct JwtValidator {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    leeway_s: u64,
    fetch: FetchKeys,
    keys: Mutex<(BTreeMap<String, Jwk>, Option<Instant>)>,
}

impl JwtValidator {
    /// Believes tokens of one issuer for one audience, signed with ES256, ES384, PS256 or RS256, with some seconds of leeway
    /// for clocks. `fetch` gives the issuer's keys; it is asked first when a token comes, and again for a key id that is
    /// not among them, at most every ten seconds.
    pub fn new(issuer: &str, audience: &str, leeway_s: u64, fetch: FetchKeys) -> Self {
        let algorithms = vec![Algorithm::ES256, Algorithm::ES384, Algorithm::PS256, Algorithm::RS256];
        let keys = Mutex::new((BTreeMap::new(), None));
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), algorithms, leeway_s, fetch, keys }
    }

    /// What a token says, if it is to be believed. May wait for the issuer's keys.
    pub fn validate(&self, token: &BearerToken<'_>) -> Result<Claims, JwtRefusal> {
        if token.text.len() > TOKEN_BYTES_MAX {
            return Err(JwtRefusal::TooLong);
        }
        let header = token.text.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let header: Value = header.and_then(|json| serde_json::from_slice(&json).ok()).ok_or(JwtRefusal::NotAToken)?;
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(JwtRefusal::NotAToken)?;
        let algorithm: Algorithm = algorithm.parse().map_err(|_| JwtRefusal::Algorithm)?;
        if !self.algorithms.contains(&algorithm) || header.get("crit").is_some() {
            return Err(JwtRefusal::Algorithm);
        }
        let id = header.get("kid").and_then(Value::as_str).ok_or(JwtRefusal::UnknownKey)?;
        let key = self.key(id)?;
        if !fits(&key, algorithm) {
            return Err(JwtRefusal::Algorithm);
        }
        let key = DecodingKey::from_jwk(&key).map_err(|_| JwtRefusal::Keys)?;
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = self.leeway_s;
        validation.validate_nbf = true;
        let claims =
            jsonwebtoken::decode::<Claims>(token.text, &key, &validation).map_err(|error| refusal(&error))?.claims;
        bound(&claims, token.certificate_sha256)?;
        Ok(claims)
    }

    fn key(&self, id: &str) -> Result<Jwk, JwtRefusal> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.0.get(id) {
            return Ok(key.clone());
        }
        if keys.1.is_some_and(|asked| asked.elapsed() < REFRESH_PAUSE) {
            return Err(JwtRefusal::UnknownKey);
        }
        keys.1 = Some(Instant::now());
        let found = (self.fetch)().filter(|set| set.keys.len() <= JWKS_KEYS_MAX).ok_or(JwtRefusal::Keys)?;
        let named = |key: Jwk| Some((key.common.key_id.clone()?, key));
        keys.0 = found.keys.into_iter().filter_map(named).collect();
        keys.0.get(id).cloned().ok_or(JwtRefusal::UnknownKey)
    }
}

/// Whether a key is one for an algorithm: a public key never serves as the secret of a code.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_for_signing = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let declared = key.common.key_algorithm.map(|declared| declared.to_string());
    let is_declared = declared.is_none_or(|declared| declared == format!("{algorithm:?}"));
    let is_of_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(_), Algorithm::ES256 | Algorithm::ES384)
        | (AlgorithmParameters::RSA(_), Algorithm::PS256 | Algorithm::RS256) => true,
        (_, _) => false,
    };
    is_for_signing && is_declared && is_of_kind
}

/// A token that names a certificate is for the connection that showed it.
fn bound(claims: &Claims, shown: Option<[u8; 32]>) -> Result<(), JwtRefusal> {
    let Some(confirmation) = claims.other.get("cnf") else { return Ok(()) };
    // Another kind of binding is one that we cannot check.
    let wanted = confirmation.get("x5t#S256").and_then(Value::as_str).ok_or(JwtRefusal::Binding)?;
    let shown = shown.ok_or(JwtRefusal::Binding)?;
    if URL_SAFE_NO_PAD.encode(shown) == wanted { Ok(()) } else { Err(JwtRefusal::Binding) }
}

fn refusal(error: &jsonwebtoken::errors::Error) -> JwtRefusal {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => JwtRefusal::Signature,
        ErrorKind::InvalidIssuer => JwtRefusal::Issuer,
        ErrorKind::InvalidAudience => JwtRefusal::Audience,
        ErrorKind::ExpiredSignature => JwtRefusal::Expired,
        ErrorKind::ImmatureSignature => JwtRefusal::NotYet,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
            JwtRefusal::Algorithm
        }
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => JwtRefusal::Claims,
        _ => JwtRefusal::NotAToken,
    }
}
