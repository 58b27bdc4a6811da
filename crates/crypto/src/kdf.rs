//! Keys derived for different purposes or holders tell nothing about one another.
//!
//! KBKDF in counter mode with HMAC-SHA-256 (SP 800-108 r1 update 1, section 4.1), a 32-bit counter before the fixed
//! data: `label | 0 | context | [256]` (section 4, with the separator and the length that it recommends).

use aws_lc_rs::kdf::{KbkdfCtrHmacAlgorithmId, get_kbkdf_ctr_hmac_algorithm, kbkdf_ctr_hmac};

use crate::Secret;

/// Bits of every key that is derived here.
const DERIVED_BITS: u32 = 256;

/// What a derived key is for. No label contains a zero byte, so label and context can't run into one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// Sealing values of one column by one writer.
    DataEncryption,
    /// Tokens of one domain.
    Token,
    /// Format-preserving encryption in one domain.
    FormatPreserving,
}

impl Label {
    const fn text(self) -> &'static str {
        match self {
            Self::DataEncryption => "lockgate dek v1",
            Self::Token => "lockgate token v1",
            Self::FormatPreserving => "lockgate fpe v1",
        }
    }
}

/// The module derived nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KdfError;

/// The key for `label` and `context`, an injective encoding of whom it is for.
pub(crate) fn derive(key: &Secret<[u8; 32]>, label: Label, context: &[u8]) -> Result<Secret<[u8; 32]>, KdfError> {
    let mut fixed = label.text().as_bytes().to_vec();
    fixed.push(0);
    fixed.extend_from_slice(context);
    fixed.extend_from_slice(&DERIVED_BITS.to_be_bytes());
    let mut derived = Secret::new([0; 32]);
    kbkdf(key.expose(), &fixed, derived.expose_mut())?;
    Ok(derived)
}

fn kbkdf(key: &[u8], fixed: &[u8], out: &mut [u8]) -> Result<(), KdfError> {
    let algorithm = get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256).ok_or(KdfError)?;
    kbkdf_ctr_hmac(algorithm, key, fixed, out).map_err(|_| KdfError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::from_hex;

    #[test]
    fn nist_cavp_vectors() {
        let vectors = include_str!("../tests/vectors/kbkdf_ctr_hmac_sha256.txt");
        let mut seen = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [key, fixed, expected] = line.split('|').map(from_hex).collect::<Vec<_>>().try_into().unwrap();
            let mut out = vec![0; expected.len()];
            kbkdf(&key, &fixed, &mut out).unwrap();
            assert_eq!(out, expected);
            seen += 1;
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn another_label_context_or_key_derives_another_key() {
        let derived =
            |key: u8, label, context: &[u8]| *derive(&Secret::new([key; 32]), label, context).unwrap().expose();
        let keys = [
            derived(1, Label::DataEncryption, b"a"),
            derived(2, Label::DataEncryption, b"a"),
            derived(1, Label::Token, b"a"),
            derived(1, Label::FormatPreserving, b"a"),
            derived(1, Label::DataEncryption, b"b"),
            derived(1, Label::DataEncryption, b""),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key));
        }
    }
}
