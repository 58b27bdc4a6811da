//! The ways in which Vault is logged into; each fetches what it shows anew.

use std::sync::Arc;

use async_trait::async_trait;
use lockgate_crypto::Secret;
use lockgate_model::Failure;
use serde_json::{Value, json};

use super::{Answer, Method, Vault};
use crate::error::Problem;
use crate::network::wipe;

/// Gives a token.
#[async_trait]
pub(crate) trait Login: Send + Sync {
    async fn login(&self, vault: &Vault) -> Result<LoggedIn, Problem>;

    /// Where its tokens come from.
    fn path(&self) -> String;

    /// Whether it would give another token when this one has ended.
    fn can_be_repeated(&self) -> bool {
        true
    }
}

/// A token and how long it lasts.
pub(crate) struct LoggedIn {
    pub(super) token: Secret<String>,
    /// Seconds; 0 for a token without an end.
    pub(super) lease_duration_s: u64,
    pub(super) renewable: bool,
    /// Whether it was made for us.
    pub(super) ours: bool,
}

/// Where something that is shown comes from. Asked on a thread where waiting is allowed.
pub(crate) type Shown = Arc<dyn Fn() -> Result<Secret<String>, Failure> + Send + Sync>;

/// With what an application's role is shown by.
pub(crate) struct AppRole {
    pub(crate) mount: String,
    pub(crate) role_id: String,
    pub(crate) secret_id: Shown,
    pub(crate) wrapped: bool,
    /// A wrapping token unwraps once, so what it held is kept for the next login.
    pub(crate) unwrapped: tokio::sync::Mutex<Option<Secret<String>>>,
}

/// With a token of an identity provider, or a pod's.
pub(crate) struct Jwt {
    pub(crate) mount: String,
    pub(crate) role: String,
    pub(crate) token: Shown,
}

/// With the certificate of the connection.
pub(crate) struct Certificate {
    pub(crate) mount: String,
    pub(crate) role: Option<String>,
}

/// With a token that somebody else made.
pub(crate) struct Token {
    pub(crate) token: Shown,
    /// Where it is kept.
    pub(crate) kept: String,
    /// Whether another one can appear there while the program runs, as an agent writes it into a file.
    pub(crate) is_replaced: bool,
}

async fn shown(from: &Shown) -> Result<Secret<String>, Problem> {
    let from = Arc::clone(from);
    let asked = tokio::task::spawn_blocking(move || from()).await;
    asked.map_err(|_| Problem::Answer("what is shown could not be fetched".to_owned()))?.map_err(Problem::Other)
}

fn login_path(mount: &str) -> String {
    format!("auth/{mount}/login")
}

async fn log_in(vault: &Vault, mount: &str, mut body: Value) -> Result<LoggedIn, Problem> {
    let answer = vault.send(Method::Write, &login_path(mount), Some(&body), None).await;
    wipe(&mut body);
    match answer {
        Ok(answer) => token_of(&answer),
        // Vault has no one word for a login that it does not accept.
        Err(Problem::Answer(_) | Problem::Missing) => Err(Problem::Denied),
        Err(problem) => Err(problem),
    }
}

fn token_of(answer: &Answer) -> Result<LoggedIn, Problem> {
    let token = answer.text("client_token").ok_or_else(|| Problem::Answer("it holds no token".to_owned()))?;
    Ok(LoggedIn { token, lease_duration_s: answer.lease_duration_s, renewable: answer.renewable, ours: true })
}

#[async_trait]
impl Login for AppRole {
    async fn login(&self, vault: &Vault) -> Result<LoggedIn, Problem> {
        let mut kept = self.unwrapped.lock().await;
        if kept.is_none() {
            let secret = shown(&self.secret_id).await?;
            *kept = Some(match self.wrapped {
                false => secret,
                true => {
                    let answer =
                        vault.send(Method::Write, "sys/wrapping/unwrap", Some(&json!({})), Some(&secret)).await?;
                    answer.text("secret_id").ok_or_else(|| Problem::Answer("it unwraps to no secret id".to_owned()))?
                }
            });
        }
        let secret_id = kept.as_ref().map_or("", |secret| secret.expose());
        let done = log_in(vault, &self.mount, json!({ "role_id": self.role_id, "secret_id": secret_id })).await;
        if !self.wrapped {
            *kept = None;
        }
        done
    }

    fn path(&self) -> String {
        login_path(&self.mount)
    }
}

#[async_trait]
impl Login for Jwt {
    async fn login(&self, vault: &Vault) -> Result<LoggedIn, Problem> {
        let token = shown(&self.token).await?;
        log_in(vault, &self.mount, json!({ "role": self.role, "jwt": token.expose().trim() })).await
    }

    fn path(&self) -> String {
        login_path(&self.mount)
    }
}

#[async_trait]
impl Login for Certificate {
    async fn login(&self, vault: &Vault) -> Result<LoggedIn, Problem> {
        let body = self.role.as_ref().map_or_else(|| json!({}), |role| json!({ "name": role }));
        log_in(vault, &self.mount, body).await
    }

    fn path(&self) -> String {
        login_path(&self.mount)
    }
}

#[async_trait]
impl Login for Token {
    async fn login(&self, vault: &Vault) -> Result<LoggedIn, Problem> {
        let token = shown(&self.token).await?;
        let token = Secret::new(token.expose().trim().to_owned());
        let about = vault.send(Method::Read, "auth/token/lookup-self", None, Some(&token)).await?;
        let lease_duration_s = about.data.get("ttl").and_then(Value::as_u64).unwrap_or_default();
        // What replaces it renews it as well; where nothing does, that is for us to do.
        let renewable = about.data.get("renewable").and_then(Value::as_bool).unwrap_or_default() && !self.is_replaced;
        Ok(LoggedIn { token, lease_duration_s, renewable, ours: false })
    }

    fn path(&self) -> String {
        self.kept.clone()
    }

    fn can_be_repeated(&self) -> bool {
        self.is_replaced
    }
}
