//! A key of Vault's transit engine. It must be a derived one: only then does Vault use the context.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_crypto::{KeyMaterial, WrappedKey, WrappingService};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Described, EncryptionContext, Generated, KeyService, material};
use crate::error::{Problem, TrustError};
use crate::network::Network;
use crate::vault::{Answer, Method, Vault};

/// One key of the engine.
pub(crate) struct VaultTransit {
    network: Arc<Network>,
    vault: Arc<Vault>,
    mount: String,
    key: String,
}

impl VaultTransit {
    pub(crate) fn new(network: Arc<Network>, vault: Arc<Vault>, mount: String, key: String) -> Self {
        Self { network, vault, mount, key }
    }

    fn call(&self, method: Method, what: &str, key: &str, body: Option<&Value>) -> Result<Answer, Problem> {
        let path = format!("{}/{what}/{key}", self.mount);
        self.network.wait(self.vault.call(method, &path, body)).map_err(|error| match error {
            TrustError::Service { problem, .. } => problem,
            other => Problem::Other(other.into()),
        })
    }
}

fn missing(what: &str) -> Problem {
    Problem::Answer(format!("it holds no {what}"))
}

fn text_of(answer: &Answer, field: &str) -> Result<Zeroizing<String>, Problem> {
    let text = answer.text(field).ok_or_else(|| missing(field))?;
    Ok(Zeroizing::new(text.expose().clone()))
}

fn material_of(answer: &Answer) -> Result<KeyMaterial, Problem> {
    let text = text_of(answer, "plaintext")?;
    let bytes = STANDARD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| missing("key in base64"))?;
    material(&bytes)
}

fn wrapped_of(answer: &Answer) -> Result<(WrappedKey, Option<u32>), Problem> {
    let text = text_of(answer, "ciphertext")?;
    let version = text.strip_prefix("vault:v").and_then(|rest| rest.split(':').next()?.parse().ok());
    let wrapped = WrappedKey::by_service(WrappingService::VaultTransit, text.as_bytes());
    Ok((wrapped.map_err(|error| Problem::Answer(error.to_string()))?, version))
}

fn ciphertext_of(wrapped: &WrappedKey) -> Result<&str, Problem> {
    let bytes = wrapped.given_by(WrappingService::VaultTransit).ok_or(Problem::NotAuthentic)?;
    str::from_utf8(bytes).map_err(|_| Problem::NotAuthentic)
}

impl KeyService for VaultTransit {
    fn name(&self) -> String {
        format!("Vault transit, key {}/{}", self.mount, self.key)
    }

    fn generate(&self, context: &EncryptionContext) -> Result<Generated, Problem> {
        let body = json!({ "context": STANDARD.encode(context.canonical()), "bits": 256 });
        let answer = self.call(Method::Write, "datakey/plaintext", &self.key, Some(&body))?;
        let (wrapped, version) = wrapped_of(&answer)?;
        Ok(Generated { material: material_of(&answer)?, wrapped, version })
    }

    fn unwrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<KeyMaterial, Problem> {
        let context = STANDARD.encode(context.canonical());
        let body = json!({ "context": context, "ciphertext": ciphertext_of(wrapped)? });
        material_of(&self.call(Method::Write, "decrypt", under, Some(&body))?)
    }

    fn rewrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<WrappedKey, Problem> {
        if under != self.key {
            let help = "a key of transit is rewrapped under newer versions of itself only: keep its name";
            return Err(Problem::Answer(help.to_owned()));
        }
        let context = STANDARD.encode(context.canonical());
        let body = json!({ "context": context, "ciphertext": ciphertext_of(wrapped)? });
        wrapped_of(&self.call(Method::Write, "rewrap", &self.key, Some(&body))?).map(|(wrapped, _)| wrapped)
    }

    fn rotate(&self) -> Result<(), Problem> {
        let path = format!("{}/rotate", self.key);
        self.call(Method::Write, "keys", &path, Some(&json!({}))).map(drop)
    }

    fn describe(&self) -> Result<Described, Problem> {
        let answer = self.call(Method::Read, "keys", &self.key, None)?;
        let is_derived = answer.data.get("derived").and_then(Value::as_bool).unwrap_or_default();
        if !is_derived {
            let why = "the key is not derived, so Vault would ignore what keys are for: make one with `derived=true`";
            return Err(Problem::Answer(why.to_owned()));
        }
        let version = answer.data.get("latest_version").and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
        let algorithm = answer.data.get("type").and_then(Value::as_str).unwrap_or("unknown").to_ascii_uppercase();
        Ok(Described { key: self.key.clone(), version, algorithm })
    }
}
