//! Values of one person are sealed under a key that needs that person's salt: once the salt is destroyed, no copy of
//! them opens, wherever it lies.
//!
//! ```text
//! data key ─┐
//!           ├─ HKDF-SHA-256 (SP 800-56C r2, section 5; RFC 5869): extract with the salt, expand ─► the subject's key
//! salt ─────┘
//! ```
//! The salt is a secret of 32 random bytes: whoever has the data key alone learns nothing of the subject's key, since
//! the extraction is HMAC under the salt.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

use crate::aead::{AeadError, AeadKey};
use crate::{Random, RandomError, Secret};

/// What the derived key is for.
const INFO: &[u8] = b"lockgate subject v1";

/// The salt of one person.
pub struct SubjectSalt(Secret<[u8; 32]>);

impl SubjectSalt {
    /// A new salt.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut secret = Secret::new([0; 32]);
        random.fill(secret.expose_mut())?;
        Ok(Self(secret))
    }

    /// Takes a salt that was kept; `None` unless it is 32 bytes.
    pub fn from_secret_bytes(secret: &Secret<Vec<u8>>) -> Option<Self> {
        let bytes: [u8; 32] = secret.expose().as_slice().try_into().ok()?;
        Some(Self(Secret::new(bytes)))
    }

    /// The bytes, to be kept.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// A holder of its own of the same salt.
    pub fn share(&self) -> Self {
        Self(Secret::new(*self.0.expose()))
    }
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

/// The key of one person's values under one data key.
pub(crate) fn subject_key(dek: &Secret<[u8; 32]>, salt: &SubjectSalt) -> Result<AeadKey, AeadError> {
    let mut key = Secret::new([0; 32]);
    derive(dek.expose(), salt.expose(), INFO, key.expose_mut())?;
    AeadKey::new(&key)
}

fn derive(secret: &[u8], salt: &[u8], info: &[u8], out: &mut [u8; 32]) -> Result<(), AeadError> {
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let expanded = extracted.expand(&info, Bytes32).map_err(|_| AeadError)?;
    expanded.fill(out).map_err(|_| AeadError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::from_hex;

    /// RFC 5869, appendix A.1 and A.3; their output is longer, and its first 32 bytes are those of a shorter one.
    #[test]
    fn rfc_5869_vectors() {
        for (secret, salt, info, expected) in [
            (
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "000102030405060708090a0b0c",
                "f0f1f2f3f4f5f6f7f8f9",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
            ),
            (
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "",
                "",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
            ),
        ] {
            let mut out = [0; 32];
            derive(&from_hex(secret), &from_hex(salt), &from_hex(info), &mut out).unwrap();
            assert_eq!(out.as_slice(), from_hex(expected));
        }
    }
}
