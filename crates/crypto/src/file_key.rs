//! Keys of encrypted files, wrapped as the key tools of Parquet wrap them, so that other people's readers open ours and
//! we open theirs: `base64( nonce(12) | ciphertext | tag(16) )`, AES-GCM, the master key's id as associated data.
//!
//! ```text
//! FileMasterKey(id, 32 bytes) ─new_file_key(random)─► (key of one file and level, its wrapped form)
//!      └──────────unwrap(wrapped)──────────────────► the key again; refused: another master key, another id, an altered text
//! ```
//! Source: parquet-java's `KeyToolkit.encryptKeyLocally`, which Arrow's `internal::EncryptKeyLocally` follows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::aead::{AeadError, AeadKey, NONCE_BYTES, TAG_BYTES};
use crate::random::draw;
use crate::{KeyMaterial, Random, RandomError, Secret};

/// The longest key that is unwrapped, in bytes.
pub const FILE_KEY_BYTES_MAX: usize = 32;

/// Why a file's key could not be wrapped or unwrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileKeyError {
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A master key of another length.
    #[error("the master key `{id}` has {bytes} bytes where AES takes 16, 24 or 32: check where it is kept")]
    MasterLength {
        /// The master key's id.
        id: String,
        /// Its length.
        bytes: usize,
    },
    /// Not authentic under this key and id, or not in the form of the key tools.
    #[error("a file's key does not unwrap under the master key `{id}`: it was wrapped under another one, or altered")]
    NotAuthentic {
        /// The master key's id.
        id: String,
    },
    /// The module refused.
    #[error("the cryptographic module refused to wrap a file's key: nothing was written; please report it")]
    Module,
}

/// A key that wraps the keys of files, known by its id.
pub struct FileMasterKey {
    id: String,
    associated: Vec<u8>,
    key: AeadKey,
}

impl FileMasterKey {
    /// Takes the material of a column key or of a level's key.
    pub fn new(id: &str, material: &KeyMaterial) -> Result<Self, FileKeyError> {
        Self::from_bytes(id, material.expose())
    }

    /// Takes a key of 16, 24 or 32 bytes that somebody else's writer used.
    pub fn from_bytes(id: &str, bytes: &[u8]) -> Result<Self, FileKeyError> {
        Self::bound_to(id, id.as_bytes(), bytes)
    }

    /// Takes a key-encryption key of a double wrapping, whose id the key tools decode before they bind to it.
    pub fn from_encoded_id(encoded_id: &str, bytes: &[u8]) -> Result<Self, FileKeyError> {
        let not_authentic = |_| FileKeyError::NotAuthentic { id: encoded_id.to_owned() };
        Self::bound_to(encoded_id, &STANDARD.decode(encoded_id).map_err(not_authentic)?, bytes)
    }

    fn bound_to(id: &str, associated: &[u8], bytes: &[u8]) -> Result<Self, FileKeyError> {
        let wrong_length = || FileKeyError::MasterLength { id: id.to_owned(), bytes: bytes.len() };
        let key = AeadKey::of_any_length(bytes).ok_or_else(wrong_length)?.map_err(|AeadError| FileKeyError::Module)?;
        Ok(Self { id: id.to_owned(), associated: associated.to_vec(), key })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Draws the key of a file and wraps it. AES-GCM with a random 96-bit nonce: SP 800-38D section 8.3 allows 2^32
    /// wraps under one master key.
    pub fn new_file_key(&self, random: &dyn Random) -> Result<(Secret<[u8; 32]>, String), FileKeyError> {
        let mut file_key = Secret::new([0; 32]);
        random.fill(file_key.expose_mut())?;
        let wrapped = self.wrap(file_key.expose(), random)?;
        Ok((file_key, wrapped))
    }

    fn wrap(&self, file_key: &[u8], random: &dyn Random) -> Result<String, FileKeyError> {
        let nonce: [u8; NONCE_BYTES] = draw(random)?;
        let mut bytes = [&nonce[..], file_key].concat();
        self.key
            .seal_tail(nonce, &self.associated, &mut bytes, NONCE_BYTES)
            .map_err(|AeadError| FileKeyError::Module)?;
        Ok(STANDARD.encode(bytes))
    }

    /// The key in `wrapped`, whoever wrapped it under this key and id.
    pub fn unwrap(&self, wrapped: &str) -> Result<Secret<Vec<u8>>, FileKeyError> {
        let not_authentic = || FileKeyError::NotAuthentic { id: self.id.clone() };
        if wrapped.len() > (NONCE_BYTES + FILE_KEY_BYTES_MAX + TAG_BYTES).div_ceil(3) * 4 {
            return Err(not_authentic());
        }
        let bytes = STANDARD.decode(wrapped).map_err(|_| not_authentic())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(not_authentic)?;
        self.key.open(*nonce, &self.associated, sealed).map_err(|AeadError| not_authentic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;

    fn master(id: &str, bytes: &[u8]) -> FileMasterKey {
        FileMasterKey::from_bytes(id, bytes).unwrap()
    }

    #[test]
    fn a_file_key_unwraps_under_its_master_key_and_id_only() {
        for length in [16, 24, 32] {
            let key = master("k1", &vec![7; length]);
            let (file_key, wrapped) = key.new_file_key(&Counting::from(0)).unwrap();
            assert_eq!(*key.unwrap(&wrapped).unwrap().expose(), file_key.expose().to_vec());
            assert!(master("k2", &vec![7; length]).unwrap(&wrapped).is_err());
            assert!(master("k1", &vec![8; length]).unwrap(&wrapped).is_err());
        }
    }

    #[test]
    fn what_is_no_wrapped_key_is_refused() {
        let key = master("k1", &[7; 32]);
        let (_, wrapped) = key.new_file_key(&Counting::from(0)).unwrap();
        let altered = wrapped.replacen(char::from(wrapped.as_bytes()[20]), "_", 1);
        for wrong in ["", "AA==", "no base64!", &wrapped[4..], &altered, &"A".repeat(1000)] {
            assert!(key.unwrap(wrong).is_err(), "{wrong}");
        }
        for length in [0, 15, 17, 33] {
            let error = FileMasterKey::from_bytes("k", &vec![0; length]).err().unwrap();
            assert_eq!(error, FileKeyError::MasterLength { id: "k".into(), bytes: length });
        }
    }
}
