//! What can be wrong with keys, and what to do about it.

use std::path::PathBuf;

use lockgate_model::{Failure, FailureKind};

/// Why a key cannot be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no key store, and the project has used one.
    #[error("LG303: the key store {0} is gone")]
    Gone(PathBuf),
    /// A file can't be read or written.
    #[error("{path} cannot be {verb}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the owner may read the keys.
    #[error("{path} can be read by others than its owner (mode {mode:03o})")]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not what the format says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, without content.
        reason: String,
    },
    /// The key store is under a passphrase and none is given, or the other way round.
    #[error("{0}")]
    Passphrase(String),
    /// A secret's reference leads nowhere.
    #[error("the secret {reference} cannot be had: {reason}")]
    Secret {
        /// As it is written in the project.
        reference: String,
        /// Why.
        reason: String,
    },
    /// A rule forbids the key's algorithm.
    #[error("LG301: key {key} uses {algorithm}, which the rules forbid: {reason}")]
    Forbidden {
        /// The key.
        key: String,
        /// Its algorithm.
        algorithm: String,
        /// The rule.
        reason: String,
    },
    /// The key's state forbids it.
    #[error("LG302: key {key} cannot be used: {reason}")]
    NotUsable {
        /// The key.
        key: String,
        /// Its state.
        reason: String,
    },
    /// There is no such key.
    #[error("there is no key `{0}`")]
    Unknown(String),
    /// The salts of subjects can't be read or written.
    #[error("the subjects' salts {path} cannot be used: {reason}")]
    Salts {
        /// The file.
        path: PathBuf,
        /// Why, without content.
        reason: String,
    },
    /// The cryptographic module refused.
    #[error("{0}")]
    Crypto(String),
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let (kind, help) = match &error {
            TrustError::Gone(_) => (
                FailureKind::Unreachable,
                "restore it from a backup: without it nothing that was sealed can be opened, and nothing is sealed with \
                 new keys behind your back"
                    .to_owned(),
            ),
            TrustError::File { .. } => (FailureKind::Unreachable, "check that it exists and who may access it".into()),
            TrustError::ReadableByOthers { path, .. } => {
                (FailureKind::Refused, format!("run `chmod 600 {}`, and consider its keys as known to others", path.display()))
            }
            TrustError::Salts { .. } => {
                (FailureKind::Unreachable, "check the file's folder and its space, or restore it from a backup".into())
            }
            TrustError::Damaged { .. } => (FailureKind::Tampered, "restore it from a backup".into()),
            TrustError::Passphrase(_) => (FailureKind::Refused, "check `passphrase:` under `keys:` in lockgate.yaml".into()),
            TrustError::Secret { .. } => (FailureKind::Unreachable, "set it, or correct the reference in lockgate.yaml".into()),
            TrustError::Forbidden { .. } => (FailureKind::Refused, "replace the key: `lockgate keys rotate`".into()),
            TrustError::NotUsable { .. } => (FailureKind::Refused, "`lockgate keys list` shows the states of all keys".into()),
            TrustError::Unknown(_) => (FailureKind::Invalid, "`lockgate keys list` shows the keys".into()),
            TrustError::Crypto(_) => (FailureKind::Failed, "nothing was written".into()),
        };
        Self::new(kind, error.to_string()).with_help(help)
    }
}
