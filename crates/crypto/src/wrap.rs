//! A wrapped key opens only under the key, the id and the context that it was wrapped for.
//!
//! ```text
//! KekMaterial.wrap(key, id, {project, dataset, column}) ─► 1 | 1 | nonce(12) | ciphertext(32) | tag(16)
//! refused: the same bytes under another column, dataset, project, domain or key id
//! ```
//! The format is `docs/formats/key-hierarchy.md`.

use std::fmt;
use std::str::FromStr;

use lockgate_model::{ColumnName, DatasetName, DomainName, ProjectName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aead::{AES_256_GCM_ID, AeadError, AeadKey, NONCE_BYTES, TAG_BYTES};
use crate::canonical::append_field;
use crate::random::draw;
use crate::text::{from_base64, to_base64};
use crate::{KeyId, KeyMaterial, Random, RandomError};

/// The version of the format, its first byte.
const VERSION: u8 = 1;
/// The version of what a service wrapped.
const SERVICE_VERSION: u8 = 2;
const AWS_KMS_ID: u8 = 1;
const VAULT_TRANSIT_ID: u8 = 2;
const HEADER_BYTES: usize = 2 + NONCE_BYTES;

/// Bytes of a wrapped key.
pub const WRAPPED_KEY_BYTES: usize = HEADER_BYTES + 32 + TAG_BYTES;

/// What a key is for; the same fields are the encryption context that a key service is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyContext {
    /// Values of one column.
    Column {
        /// The project.
        project: ProjectName,
        /// The dataset that the column belongs to.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
    },
    /// Tokens and format-preserving encryption of one domain.
    Domain {
        /// The project.
        project: ProjectName,
        /// The domain.
        domain: DomainName,
    },
    /// The key under which the subjects of a dataset are named in the key table.
    Subjects {
        /// The project.
        project: ProjectName,
        /// The dataset that declares the subject.
        dataset: DatasetName,
    },
    /// The seed of the key that signs the ledger's checkpoints.
    Ledger {
        /// The project.
        project: ProjectName,
    },
    /// Keys of the encrypted files of a dataset, for its columns of one level.
    Files {
        /// The project.
        project: ProjectName,
        /// The dataset that the files belong to.
        dataset: DatasetName,
        /// The level's name.
        level: String,
    },
}

impl KeyContext {
    /// The fields by name, in their order in the format: what a key service takes as encryption context.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Column { project, dataset, column } => {
                vec![("project", project.as_str()), ("dataset", dataset.as_str()), ("column", column.as_str())]
            }
            Self::Domain { project, domain } => vec![("project", project.as_str()), ("domain", domain.as_str())],
            Self::Subjects { project, dataset } => vec![("project", project.as_str()), ("dataset", dataset.as_str())],
            Self::Ledger { project } => vec![("project", project.as_str()), ("purpose", "ledger")],
            Self::Files { project, dataset, level } => {
                vec![("project", project.as_str()), ("dataset", dataset.as_str()), ("level", level)]
            }
        }
    }
}

/// Why a key was not wrapped or unwrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// No randomness for the nonce.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Not authentic here.
    #[error(
        "key {id} does not unwrap for {place}: it was wrapped under another key-encryption key or for another place, \
         or it was altered; check `keys:` in lockgate.yaml and restore the key table"
    )]
    NotAuthentic {
        /// The key.
        id: KeyId,
        /// What it was to be used for.
        place: String,
    },
    /// The module refused.
    #[error("the cryptographic module refused to wrap a key: nothing was written; please report it")]
    Module,
}

/// A key-encryption key that is held in memory, for the local key service.
pub struct KekMaterial(KeyMaterial);

impl KekMaterial {
    /// Takes the material of a key-encryption key.
    pub fn new(material: KeyMaterial) -> Self {
        Self(material)
    }

    /// The material, to be kept under a passphrase.
    pub fn material(&self) -> &KeyMaterial {
        &self.0
    }

    /// Wraps `key`, whose id is `id`, for `context`. AES-256-GCM with a random 96-bit nonce: SP 800-38D section 8.3
    /// allows 2^32 wraps under one key-encryption key.
    pub fn wrap(
        &self,
        key: &KeyMaterial,
        id: KeyId,
        context: &KeyContext,
        random: &dyn Random,
    ) -> Result<WrappedKey, WrapError> {
        let nonce: [u8; NONCE_BYTES] = draw(random)?;
        let mut bytes = Vec::with_capacity(WRAPPED_KEY_BYTES);
        bytes.extend_from_slice(&[VERSION, AES_256_GCM_ID]);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(key.expose());
        self.aead()?
            .seal_tail(nonce, &associated(id, context), &mut bytes, HEADER_BYTES)
            .map_err(|AeadError| WrapError::Module)?;
        bytes.try_into().map(|bytes| WrappedKey(Wrapped::Here(bytes))).map_err(|_| WrapError::Module)
    }

    /// The key in `wrapped`, if it was wrapped under this key for this id and context.
    pub fn unwrap(&self, wrapped: &WrappedKey, id: KeyId, context: &KeyContext) -> Result<KeyMaterial, WrapError> {
        let not_authentic = || WrapError::NotAuthentic { id, place: context.to_string() };
        let Wrapped::Here(bytes) = &wrapped.0 else { return Err(not_authentic()) };
        let (header, sealed) = bytes.split_at(HEADER_BYTES);
        let nonce = header.last_chunk().copied().ok_or_else(not_authentic)?;
        let opened = self.aead()?.open(nonce, &associated(id, context), sealed).map_err(|AeadError| not_authentic())?;
        KeyMaterial::from_secret_bytes(&opened).map_err(|_| not_authentic())
    }

    fn aead(&self) -> Result<AeadKey, WrapError> {
        AeadKey::new(self.0.secret()).map_err(|AeadError| WrapError::Module)
    }
}

/// The associated data: version, algorithm, the kind of context, its fields and the key id. The kind fixes the number
/// of fields that follow, so no context of one kind equals one of another.
fn associated(id: KeyId, context: &KeyContext) -> Vec<u8> {
    let kind: &[u8] = match context {
        KeyContext::Column { .. } => b"column",
        KeyContext::Domain { .. } => b"domain",
        KeyContext::Subjects { .. } => b"subjects",
        KeyContext::Ledger { .. } => b"ledger",
        KeyContext::Files { .. } => b"files",
    };
    let mut out = vec![VERSION, AES_256_GCM_ID];
    append_field(&mut out, kind);
    for (_, value) in context.pairs() {
        append_field(&mut out, value.as_bytes());
    }
    append_field(&mut out, id.as_bytes());
    out
}

impl fmt::Display for KeyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column { project, dataset, column } => {
                write!(f, "column `{column}` of dataset `{dataset}` in project `{project}`")
            }
            Self::Domain { project, domain } => write!(f, "domain `{domain}` in project `{project}`"),
            Self::Subjects { project, dataset } => write!(f, "subjects of dataset `{dataset}` in project `{project}`"),
            Self::Ledger { project } => write!(f, "the ledger's signing key of project `{project}`"),
            Self::Files { project, dataset, level } => {
                write!(f, "files of dataset `{dataset}`, level `{level}`, in project `{project}`")
            }
        }
    }
}

/// A wrapped key, as the key table keeps it; written as base64url. Its version, its algorithm or service and its length
/// were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(Wrapped);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrapped {
    /// By a [`KekMaterial`].
    Here([u8; WRAPPED_KEY_BYTES]),
    /// By a service: the version, the service, and what it gave.
    There(Vec<u8>),
}

/// The most bytes of a key that a service wrapped, header included: KMS gives at most 6,144.
pub const SERVICE_WRAPPED_BYTES_MAX: usize = 8 * 1024;

/// A service that wraps keys which never leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrappingService {
    /// AWS KMS: the ciphertext blob.
    AwsKms,
    /// Vault transit: the text that begins with `vault:v`.
    VaultTransit,
}

impl WrappingService {
    const fn id(self) -> u8 {
        match self {
            Self::AwsKms => AWS_KMS_ID,
            Self::VaultTransit => VAULT_TRANSIT_ID,
        }
    }
}

/// Why bytes or text are not a wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrappedKeyError {
    /// Not base64url without padding.
    #[error("a wrapped key is base64url without padding: restore the key table")]
    NotBase64,
    /// Not as long as it must be.
    #[error("a wrapped key of {0} bytes, which none is: restore the key table")]
    Length(usize),
    /// A version that this program doesn't know.
    #[error("a wrapped key of version {0}; this program reads versions 1 and 2: use the release that wrote it")]
    Version(u8),
    /// An algorithm or a service that this program doesn't know.
    #[error(
        "a wrapped key of algorithm or service {0}, which this program does not know: use the release that wrote it"
    )]
    Algorithm(u8),
}

impl WrappedKey {
    /// Takes what a service gave.
    pub fn by_service(service: WrappingService, given: &[u8]) -> Result<Self, WrappedKeyError> {
        Self::from_bytes(&[&[SERVICE_VERSION, service.id()], given].concat())
    }

    /// What that service gave; `None` if another one wrapped the key.
    pub fn given_by(&self, service: WrappingService) -> Option<&[u8]> {
        match &self.0 {
            Wrapped::There(bytes) if bytes.get(1) == Some(&service.id()) => bytes.get(2..),
            Wrapped::Here(_) | Wrapped::There(_) => None,
        }
    }

    /// Checks length, version and algorithm or service of bytes that were stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WrappedKeyError> {
        let length = || WrappedKeyError::Length(bytes.len());
        match bytes {
            [SERVICE_VERSION, AWS_KMS_ID | VAULT_TRANSIT_ID, given @ ..] => {
                let fits = !given.is_empty() && bytes.len() <= SERVICE_WRAPPED_BYTES_MAX;
                if fits { Ok(Self(Wrapped::There(bytes.to_vec()))) } else { Err(length()) }
            }
            [SERVICE_VERSION, service, _, ..] => Err(WrappedKeyError::Algorithm(*service)),
            _ => {
                let bytes: [u8; WRAPPED_KEY_BYTES] = bytes.try_into().map_err(|_| length())?;
                match bytes {
                    [VERSION, AES_256_GCM_ID, ..] => Ok(Self(Wrapped::Here(bytes))),
                    [VERSION, algorithm, ..] => Err(WrappedKeyError::Algorithm(algorithm)),
                    [version, ..] => Err(WrappedKeyError::Version(version)),
                }
            }
        }
    }

    /// The bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Wrapped::Here(bytes) => bytes,
            Wrapped::There(bytes) => bytes,
        }
    }
}

impl fmt::Display for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_base64(self.as_bytes()))
    }
}

impl FromStr for WrappedKey {
    type Err = WrappedKeyError;

    fn from_str(text: &str) -> Result<Self, WrappedKeyError> {
        Self::from_bytes(&from_base64(text).ok_or(WrappedKeyError::NotBase64)?)
    }
}

impl Serialize for WrappedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WrappedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
