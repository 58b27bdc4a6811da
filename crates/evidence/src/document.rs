//! A JSON attachment has one encoding (RFC 8785), so that equal contents have equal digests.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why an attachment is not the document that it should be.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It does not parse, or has other keys.
    #[error("the {0} attachment is not what its format says: {1}")]
    Malformed(&'static str, serde_json::Error),
    /// It could not be written.
    #[error("the {0} attachment cannot be encoded: {1}")]
    Unencodable(&'static str, serde_json::Error),
}

/// A document that is attached to ledger entries as canonical JSON.
pub trait Document: Serialize + DeserializeOwned {
    /// What it is, for messages and as the attachment's name.
    const NAME: &'static str;

    /// Its one encoding.
    fn to_bytes(&self) -> Result<Vec<u8>, DocumentError> {
        serde_json_canonicalizer::to_vec(self).map_err(|error| DocumentError::Unencodable(Self::NAME, error))
    }

    /// Reads it back; unknown keys are refused.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentError> {
        serde_json::from_slice(bytes).map_err(|error| DocumentError::Malformed(Self::NAME, error))
    }
}
