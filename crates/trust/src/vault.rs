//! Vault, by its HTTP API: a token that is kept alive, secrets that are read when they are needed, leases that are renewed
//! while a job runs and revoked when it ends.
//!
//! ```text
//! login (AppRole, JWT, certificate, token) ─► token ─► renewed at two thirds of its time, or logged in anew
//!                                               │
//!                read a secret, a login, a key ─┤  403: log in once more;  429, 5xx, sealed: try again, up to a deadline
//!                                               └─► lease ─► renewed at two thirds ─► revoked at the end
//! ```
//! The API's client libraries for Rust give neither the leases of what they read nor texts that are wiped, so the few calls
//! that are needed are made here. Answers hold secrets: nothing of them gets into an error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_crypto::Secret;
use lockgate_project::VaultSettings;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::error::{Problem, TrustError};
use crate::network::{Network, answer, retried, unanswered, wipe};

use lease::Leases;

pub use lease::LeaseStatus;
pub(crate) use login::{AppRole, Certificate, Jwt, Login, Shown, Token};

mod lease;
mod login;

/// The longest lease that is believed, in seconds: ten years.
const LEASE_DURATION_S_MAX: u64 = 10 * 365 * 24 * 3_600;

/// A Vault server that is or will be logged into.
pub(crate) struct Vault {
    settings: VaultSettings,
    http: reqwest::Client,
    login: Box<dyn Login>,
    session: tokio::sync::Mutex<Option<Session>>,
    leases: Leases,
    patience: Duration,
}

struct Session {
    token: Arc<Secret<String>>,
    renew_from: Option<Instant>,
    ends: Option<Instant>,
    renewable: bool,
    /// Whether we logged in, and so revoke it.
    ours: bool,
}

/// An answer of Vault's.
pub(crate) struct Answer {
    pub(crate) data: Value,
    lease_id: String,
    lease_duration_s: u64,
    renewable: bool,
}

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.data);
    }
}

impl Answer {
    /// A field of a secret, whichever version of the key/value engine keeps it: the second puts its fields one level lower.
    pub(crate) fn field(&self, name: &str) -> Option<Secret<String>> {
        let nested = self.data.get("data").and_then(|data| data.get(name)).and_then(Value::as_str);
        nested.map(|text| Secret::new(text.to_owned())).or_else(|| self.text(name))
    }

    /// A text of the data.
    pub(crate) fn text(&self, field: &str) -> Option<Secret<String>> {
        match self.data.get(field)? {
            Value::String(text) => Some(Secret::new(text.clone())),
            Value::Number(number) => Some(Secret::new(number.to_string())),
            Value::Bool(value) => Some(Secret::new(value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Read,
    Write,
}

impl Vault {
    pub(crate) fn new(
        settings: VaultSettings,
        http: reqwest::Client,
        login: Box<dyn Login>,
        patience: Duration,
    ) -> Self {
        let session = tokio::sync::Mutex::new(None);
        Self { settings, http, login, session, leases: Leases::default(), patience }
    }

    /// What is leased now: what was read, and the token that it was read with where that has an end.
    pub(crate) async fn leases(&self) -> Vec<LeaseStatus> {
        let mut leases = self.leases.status();
        let session = self.session.lock().await;
        let ends = session.as_ref().and_then(|session| Some((session, session.ends?)));
        leases.extend(ends.map(|(session, ends)| LeaseStatus {
            path: self.login.path(),
            remaining: ends.saturating_duration_since(Instant::now()),
            renewable: session.renewable || self.login.can_be_repeated(),
        }));
        leases
    }

    /// How long a lease lasts from now on; nothing if it is not held any more.
    pub(crate) fn lease_left(&self, id: &str) -> Duration {
        self.leases.left(id)
    }

    /// Reads or writes a path, logging in where needed.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, TrustError> {
        let done = retried(self.patience, || self.call_once(method, path, body)).await;
        done.map_err(|problem| self.failed(path, problem))
    }

    async fn call_once(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Problem> {
        let token = self.token().await?;
        match self.send(method, path, body, Some(&token)).await {
            // A token that was revoked or has ended: once more with another.
            Err(Problem::Denied) => {
                self.forget(&token).await;
                let token = self.token().await?;
                self.send(method, path, body, Some(&token)).await
            }
            done => done,
        }
    }

    /// One request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret<String>>,
    ) -> Result<Answer, Problem> {
        let url = format!("{}/v1/{path}", self.settings.address);
        let mut request = match method {
            Method::Read => self.http.get(url),
            Method::Write => self.http.post(url),
        };
        if let Some(token) = token {
            let mut header = reqwest::header::HeaderValue::from_str(token.expose())
                .map_err(|_| Problem::Answer("the token holds what no header may".to_owned()))?;
            header.set_sensitive(true);
            request = request.header("X-Vault-Token", header);
        }
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.header("X-Vault-Request", "true").send().await.map_err(|error| unanswered(&error))?;
        let (status, mut content) = answer(response).await?;
        match status {
            200..=299 => Ok(taken(&mut content)),
            _ => Err(refused(status, &content)),
        }
    }

    async fn token(&self) -> Result<Arc<Secret<String>>, Problem> {
        let mut session = self.session.lock().await;
        let now = Instant::now();
        if let Some(present) = session.as_mut() {
            let is_due = present.renew_from.is_some_and(|from| now >= from);
            if !is_due {
                return Ok(Arc::clone(&present.token));
            }
            if present.renewable {
                let renewed =
                    self.send(Method::Write, "auth/token/renew-self", Some(&json!({})), Some(&present.token)).await;
                if let Ok(renewed) = renewed {
                    let (duration_s, renewable) = (renewed.lease_duration_s, renewed.renewable);
                    // Near its last end a token is renewed for less and less.
                    if duration_s > 2 {
                        present.keep_for(duration_s, renewable, now);
                        return Ok(Arc::clone(&present.token));
                    }
                }
            }
        }
        let login = self.login.login(self).await?;
        let fresh = Session::of(login, now);
        let token = Arc::clone(&fresh.token);
        *session = Some(fresh);
        Ok(token)
    }

    /// When the token has to be renewed: now where there is none, `None` for one without an end.
    async fn token_due(&self) -> Option<Instant> {
        self.session.lock().await.as_ref().map_or_else(|| Some(Instant::now()), |session| session.renew_from)
    }

    async fn forget(&self, token: &Arc<Secret<String>>) {
        let mut session = self.session.lock().await;
        if session.as_ref().is_some_and(|present| Arc::ptr_eq(&present.token, token)) {
            *session = None;
        }
    }

    /// A login of a database role, with its lease where it has one.
    pub(crate) async fn database_login(
        self: &Arc<Self>,
        mount: &str,
        role: &str,
        is_static: bool,
        network: &Network,
    ) -> Result<(String, Secret<String>), TrustError> {
        let kind = if is_static { "static-creds" } else { "creds" };
        let path = format!("{mount}/{kind}/{role}");
        let answer = self.call(Method::Read, &path, None).await?;
        let incomplete = || self.failed(&path, Problem::Answer("it holds no user name and password".to_owned()));
        let user = answer.text("username").ok_or_else(incomplete)?.expose().clone();
        let password = answer.text("password").ok_or_else(incomplete)?;
        self.lease_of(&path, &answer, network.handle());
        Ok((user, password))
    }

    /// Keeps the lease of what was read alive until [`end`](Self::end), if it has one, and gives its id.
    pub(crate) fn lease_of(self: &Arc<Self>, path: &str, answer: &Answer, runtime: &Handle) -> Option<String> {
        if answer.lease_id.is_empty() {
            return None;
        }
        lease::keep(self, path, answer, runtime);
        Some(answer.lease_id.clone())
    }

    /// Revokes what was leased, and the token where we logged in. What cannot be revoked ends by itself.
    pub(crate) async fn end(&self) {
        let leased = self.leases.take();
        let session = self.session.lock().await.take();
        let Some(session) = session else { return };
        for id in leased {
            let body = json!({ "lease_id": id, "sync": true });
            let _ = self.send(Method::Write, "sys/leases/revoke", Some(&body), Some(&session.token)).await;
        }
        if session.ours {
            let _ = self.send(Method::Write, "auth/token/revoke-self", Some(&json!({})), Some(&session.token)).await;
        }
    }

    pub(crate) fn failed(&self, path: &str, problem: Problem) -> TrustError {
        TrustError::Service { service: format!("Vault at {}, path `{path}`", self.settings.address), problem }
    }
}

impl Session {
    fn of(login: login::LoggedIn, now: Instant) -> Self {
        let mut session =
            Self { token: Arc::new(login.token), renew_from: None, ends: None, renewable: false, ours: login.ours };
        session.keep_for(login.lease_duration_s, login.renewable, now);
        session
    }

    /// Vault gives 0 for a token without an end.
    fn keep_for(&mut self, duration_s: u64, renewable: bool, now: Instant) {
        let duration = Duration::from_secs(duration_s);
        self.ends = (duration_s > 0).then(|| now + duration);
        self.renew_from = (duration_s > 0).then(|| now + duration * 2 / 3);
        self.renewable = renewable;
    }
}

/// What an answer holds; a login's token stands under `auth`.
fn taken(content: &mut Value) -> Answer {
    let auth = content.get_mut("auth").map(Value::take).filter(|auth| !auth.is_null());
    let of = |field: &str, auth: &Option<Value>| auth.as_ref().and_then(|auth| auth.get(field)).cloned();
    let number =
        |field: &str| of(field, &auth).or_else(|| content.get(field).cloned()).and_then(|value| value.as_u64());
    let lease_duration_s = number("lease_duration").unwrap_or_default().min(LEASE_DURATION_S_MAX);
    let renewable = of("renewable", &auth)
        .or_else(|| content.get("renewable").cloned())
        .and_then(|v| v.as_bool())
        .unwrap_or_default();
    let lease_id = content.get("lease_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = match auth {
        Some(auth) => auth,
        None => content.get_mut("data").map(Value::take).unwrap_or_default(),
    };
    wipe(content);
    Answer { data, lease_id, lease_duration_s, renewable }
}

/// What a refusal means. Vault's own words can repeat what was sent, so only known ones are shown.
fn refused(status: u16, content: &Value) -> Problem {
    let said: Vec<&str> =
        content.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let says = |word: &str| said.iter().any(|text| text.contains(word));
    match status {
        403 => Problem::Denied,
        404 => Problem::Missing,
        429 => Problem::Throttled,
        // A standby names the active node (307), or says what kind of standby it is. It is not followed: a redirection could
        // lead a secret elsewhere.
        307 | 472 | 473 => Problem::Standby,
        503 if says("sealed") => Problem::Sealed,
        500..=599 if says("max TTL") || says("lease") => Problem::Answer("the lease cannot be had".to_owned()),
        500..=599 => Problem::Unreachable(format!("it failed with status {status}")),
        _ if says("version is too old") || says("disallowed by policy (too old)") => Problem::Disabled,
        _ if says("message authentication failed") || says("invalid ciphertext") => Problem::NotAuthentic,
        _ if says("encryption key not found") || says("unknown role") => Problem::Missing,
        _ if says("invalid role") || says("invalid secret id") || says("wrapping token") => Problem::Denied,
        _ => Problem::Answer(format!("it refused the request with status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lease_is_believed_to_last_longer_than_ten_years() {
        for (said, believed) in [
            (0, 0),
            (LEASE_DURATION_S_MAX, LEASE_DURATION_S_MAX),
            (LEASE_DURATION_S_MAX + 1, LEASE_DURATION_S_MAX),
            (u64::MAX, LEASE_DURATION_S_MAX),
        ] {
            let lease = json!({ "lease_id": "a", "lease_duration": said, "data": {} });
            assert_eq!(taken(&mut lease.clone()).lease_duration_s, believed);
            let login = json!({ "auth": { "client_token": "t", "lease_duration": said } });
            assert_eq!(taken(&mut login.clone()).lease_duration_s, believed);
        }
    }
}
