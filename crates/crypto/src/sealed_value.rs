//! A sealed value that was parsed has a known version and algorithm and one spelling; whether it is authentic shows
//! when it is opened.
//!
//! ```text
//! version(1) | algorithm(1) | data key id(8) | nonce(12) | ciphertext(n) | tag(16)      as text: lg1.<base64url>
//! refused: another version or algorithm, fewer than 38 bytes, padding, leftover bits, white space
//! ```
//! The format is `docs/formats/sealed-value.md`.

use std::fmt;
use std::str::FromStr;

use crate::aead::{AES_256_GCM_BY_SUBJECT_ID, AES_256_GCM_ID, NONCE_BYTES, TAG_BYTES};
use crate::text::{append_base64, from_base64};
use crate::{DekId, VALUE_BYTES_MAX};

/// The version, the first byte; the algorithm follows it.
pub(crate) const VERSION: u8 = 1;
const PREAMBLE_BYTES: usize = 2;
/// Bytes before the ciphertext.
pub(crate) const HEADER_BYTES: usize = 2 + 8 + NONCE_BYTES;

/// How many bytes a sealed value is longer than the value.
pub const SEALED_OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// What the text form begins with.
pub const SEALED_TEXT_PREFIX: &str = "lg1.";

/// Bytes of base64url of the longest sealed value.
const BASE64_BYTES_MAX: usize = (VALUE_BYTES_MAX + SEALED_OVERHEAD_BYTES).div_ceil(3) * 4;

/// A value sealed under a data key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedValue(Vec<u8>);

/// Why bytes or text are not a sealed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedValueError {
    /// The text doesn't begin with [`SEALED_TEXT_PREFIX`].
    #[error("not a sealed value: it begins with `lg1.`; check that the column was sealed")]
    Prefix,
    /// What follows the prefix isn't base64url without padding.
    #[error("not a sealed value: `lg1.` is followed by base64url without padding; check that the text was not altered")]
    NotBase64,
    /// Shorter than the format's own bytes.
    #[error("a sealed value of {0} bytes, cut off: the format alone takes {SEALED_OVERHEAD_BYTES}")]
    Short(usize),
    /// Longer than a value may be.
    #[error("a sealed value longer than that of the longest value of {VALUE_BYTES_MAX} bytes: it was not sealed here")]
    Long,
    /// A version that this program doesn't know.
    #[error("a sealed value of version {0}; this program reads version 1: use the release that wrote it")]
    Version(u8),
    /// An algorithm that this program doesn't know.
    #[error("a sealed value of algorithm {0}; this program reads 1 and 2, AES-256-GCM: use the release that wrote it")]
    Algorithm(u8),
}

impl SealedValue {
    /// Checks version, algorithm and length of a sealed value.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealedValueError> {
        match *bytes.as_slice() {
            [found, ..] if found != VERSION => Err(SealedValueError::Version(found)),
            [_, found, ..] if ![AES_256_GCM_ID, AES_256_GCM_BY_SUBJECT_ID].contains(&found) => {
                Err(SealedValueError::Algorithm(found))
            }
            _ if bytes.len() < SEALED_OVERHEAD_BYTES => Err(SealedValueError::Short(bytes.len())),
            _ if bytes.len() > VALUE_BYTES_MAX + SEALED_OVERHEAD_BYTES => Err(SealedValueError::Long),
            _ => Ok(Self(bytes)),
        }
    }

    /// The data key that it was sealed under; needs no key to be read.
    pub fn dek_id(&self) -> DekId {
        DekId::from_bytes(self.header_field(PREAMBLE_BYTES))
    }

    /// Whether it was sealed under the key of its row's subject, and so opens with that subject's salt only.
    pub fn is_by_subject(&self) -> bool {
        self.algorithm() == AES_256_GCM_BY_SUBJECT_ID
    }

    pub(crate) fn algorithm(&self) -> u8 {
        self.0.get(1).copied().unwrap_or(AES_256_GCM_ID)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn nonce(&self) -> [u8; NONCE_BYTES] {
        self.header_field(HEADER_BYTES - NONCE_BYTES)
    }

    /// Ciphertext and tag.
    pub(crate) fn body(&self) -> &[u8] {
        self.0.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// A field of the header, which every value of this type is long enough to have.
    fn header_field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
}

/// Appends the text form of the bytes of a sealed value.
pub(crate) fn append_text(sealed: &[u8], out: &mut String) {
    out.push_str(SEALED_TEXT_PREFIX);
    append_base64(sealed, out);
}

impl fmt::Display for SealedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        append_text(&self.0, &mut text);
        f.pad(&text)
    }
}

impl FromStr for SealedValue {
    type Err = SealedValueError;

    fn from_str(text: &str) -> Result<Self, SealedValueError> {
        let base64 = text.strip_prefix(SEALED_TEXT_PREFIX).ok_or(SealedValueError::Prefix)?;
        if base64.len() > BASE64_BYTES_MAX {
            return Err(SealedValueError::Long);
        }
        Self::from_bytes(from_base64(base64).ok_or(SealedValueError::NotBase64)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        bytes[..2].copy_from_slice(&[VERSION, AES_256_GCM_ID]);
        bytes
    }

    #[test]
    fn the_overhead_is_38_bytes() {
        assert_eq!(SEALED_OVERHEAD_BYTES, 38);
    }

    #[test]
    fn length_version_and_algorithm_are_checked() {
        assert!(SealedValue::from_bytes(bytes(38)).is_ok());
        assert_eq!(SealedValue::from_bytes(bytes(37)), Err(SealedValueError::Short(37)));
        assert_eq!(SealedValue::from_bytes(vec![]), Err(SealedValueError::Short(0)));
        assert!(SealedValue::from_bytes(bytes(VALUE_BYTES_MAX + 38)).is_ok());
        assert_eq!(SealedValue::from_bytes(bytes(VALUE_BYTES_MAX + 39)), Err(SealedValueError::Long));
        let mut wrong = bytes(40);
        wrong[1] = 3;
        assert_eq!(SealedValue::from_bytes(wrong.clone()), Err(SealedValueError::Algorithm(3)));
        wrong[0] = 2;
        assert_eq!(SealedValue::from_bytes(wrong), Err(SealedValueError::Version(2)));
    }

    #[test]
    fn a_sealed_value_has_one_text() {
        let value = SealedValue::from_bytes(bytes(38)).unwrap();
        let text = value.to_string();
        assert_eq!(text.parse(), Ok(value));
        assert_eq!(format!("lg2.{}", &text[4..]).parse::<SealedValue>(), Err(SealedValueError::Prefix));
        for wrong in
            [format!("{text}="), format!("{text}\n"), text.replace("lg1.AQ", "lg1.+Q"), format!("{}B", &text[..54])]
        {
            assert_eq!(wrong.parse::<SealedValue>(), Err(SealedValueError::NotBase64), "{wrong:?}");
        }
        let longest = SealedValue::from_bytes(bytes(VALUE_BYTES_MAX + 38)).unwrap();
        assert_eq!(longest.to_string().parse(), Ok(longest));
        let long = format!("lg1.{}", "A".repeat(BASE64_BYTES_MAX + 1));
        assert_eq!(long.parse::<SealedValue>(), Err(SealedValueError::Long));
    }
}
