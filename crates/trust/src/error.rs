//! What can be wrong with keys, and what to do about it.

use std::path::PathBuf;

use lockgate_ledger::LedgerError;
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
        /// The file or the object.
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
    /// Certificates or connections cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The ledger's place does not do what is asked of it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A service did not do what was asked.
    #[error("{service}: {problem}")]
    Service {
        /// Which one, and what of it.
        service: String,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a service, or with what was asked of it. No text of it holds what a service answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nobody answers, or it fails.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// Its certificate is not trusted, or ours is not.
    #[error("the connection is not trusted: {0}")]
    Tls(String),
    /// Too many calls.
    #[error("it takes no more calls now")]
    Throttled,
    /// Vault is sealed.
    #[error("it is sealed")]
    Sealed,
    /// Vault's node is not the active one, and passes nothing on.
    #[error("it is a standby, and does not pass requests on to the active node")]
    Standby,
    /// Who we are may not do this, or the login is not accepted.
    #[error("access is denied")]
    Denied,
    /// A key, a path or a role that is not there.
    #[error("there is no such thing")]
    Missing,
    /// A key that is disabled, or a version of it that may not be used any more.
    #[error("the key is disabled")]
    Disabled,
    /// A key that is about to be deleted.
    #[error("the key is scheduled for deletion")]
    PendingDeletion,
    /// What was wrapped is not what it should be, or is for another place.
    #[error("what was wrapped does not open here: it was altered, or wrapped under another key or for another place")]
    NotAuthentic,
    /// It was tried often enough.
    #[error("it failed {0} times in a row and is left alone for {1} s")]
    LeftAlone(u32, u64),
    /// It answered something else.
    #[error("its answer cannot be used: {0}")]
    Answer(String),
    /// What had to be fetched before.
    #[error("{0}")]
    Other(Failure),
}

impl Problem {
    /// Whether it may pass by itself.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Throttled | Self::Sealed | Self::Standby)
    }

    fn kind_and_help(&self) -> (FailureKind, &'static str) {
        match self {
            Self::Unreachable(_) => {
                (FailureKind::Unreachable, "check its address, that it runs, and the network between")
            }
            Self::Tls(_) => (
                FailureKind::Refused,
                "check `tls:`: its `ca` must have issued the service's certificate, and ours must be one the service knows; and that \
                 the server offers TLS 1.3, or 1.2 with ECDHE and AES-GCM, and the curve P-256 or P-384",
            ),
            Self::Throttled => {
                (FailureKind::Unreachable, "run again later, or raise the limit of calls at the service")
            }
            Self::Sealed => (FailureKind::Unreachable, "unseal it: `bao operator unseal`, or let its seal open it"),
            Self::Standby => (
                FailureKind::Unreachable,
                "name the address of the active node, or of a load balancer that passes requests to it, in `vault: { address: … }`",
            ),
            Self::Denied => (
                FailureKind::Denied,
                "grant it: docs/operations.md lists the policies; a login that was accepted before may have ended or been revoked",
            ),
            Self::Missing => (FailureKind::Invalid, "correct the name in lockgate.yaml, or make it there"),
            Self::Disabled => (
                FailureKind::Refused,
                "enable the key, or its version, at the service; what it wrapped opens again then",
            ),
            Self::PendingDeletion => (
                FailureKind::Refused,
                "cancel the deletion while there is time: after it nothing that the key wrapped can be opened",
            ),
            Self::NotAuthentic => {
                (FailureKind::Tampered, "restore the key table from a backup, or name the key that wrapped it")
            }
            Self::LeftAlone(_, _) => (FailureKind::Unreachable, "run again later"),
            Self::Answer(_) => (FailureKind::Failed, "check that the address is that of the service, and its log"),
            Self::Other(failure) => (failure.kind, "mend that first"),
        }
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        if let TrustError::Ledger(error) = error {
            return error.into();
        }
        let (kind, help) = match &error {
            // Handed on above.
            TrustError::Ledger(_) => (FailureKind::Bug, "please report it".into()),
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
            TrustError::Tls(_) => (FailureKind::Invalid, "check `tls:` in lockgate.yaml and the files that it names".into()),
            TrustError::Service { problem, .. } => {
                let (kind, help) = problem.kind_and_help();
                (kind, help.to_owned())
            }
        };
        Self::new(kind, error.to_string()).with_help(help)
    }
}
