//! C2SP signed-note with Ed25519: a text, an empty line, and a line for each signature.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_crypto::{SigningKey, VerifyingKey, sha256};

/// The signature type of Ed25519.
const ED25519: u8 = 1;
/// The most signatures that a note may have.
const SIGNATURES_MAX: usize = 64;

/// A name and the public key that signs under it, in the text form of C2SP signed-note: `name+hash+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// The text is no verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no verifier key: it takes NAME+HASH+KEY with an Ed25519 key, as `ledger.vkey` in the key store holds it"
)]
pub struct VerifierKeyError;

impl VerifierKey {
    /// Joins a name with a key.
    pub fn new(name: &str, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), key }
    }

    /// The name: the origin of the checkpoints that it verifies.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let mut hashed = self.name.as_bytes().to_vec();
        hashed.push(b'\n');
        hashed.push(ED25519);
        hashed.extend_from_slice(self.key.as_bytes());
        let digest = sha256(&hashed);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    /// The text of a note that this key signed. `None` if it did not, if one of its signatures does not verify, or if a
    /// line is no signature; signatures of others are passed over (C2SP signed-note, "Signatures").
    pub(crate) fn open<'n>(&self, note: &'n str) -> Option<&'n str> {
        let (text, signatures) = note.rsplit_once("\n\n")?;
        let text = note.get(..text.len() + 1)?;
        let mut signed = false;
        for (count, line) in signatures.strip_suffix('\n')?.split('\n').enumerate() {
            let (name, blob) = line.strip_prefix("— ")?.split_once(' ')?;
            let blob = STANDARD.decode(blob).ok()?;
            let (id, signature) = blob.split_first_chunk::<4>()?;
            if count >= SIGNATURES_MAX || !is_key_name(name) || signature.is_empty() {
                return None;
            }
            if name == self.name && *id == self.id() {
                self.key.verify(text.as_bytes(), signature.try_into().ok()?).ok()?;
                signed = true;
            }
        }
        signed.then_some(text)
    }
}

/// Key names are not empty and have no white space and no `+` (C2SP signed-note, "Format").
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// Signs a text, which ends with a newline.
pub(crate) fn sign(text: &str, name: &str, key: &SigningKey) -> Result<String, String> {
    let verifier = VerifierKey::new(name, key.verifying_key());
    let mut blob = verifier.id().to_vec();
    blob.extend_from_slice(&key.sign(text.as_bytes()).map_err(|error| error.to_string())?);
    Ok(format!("{text}\n— {name} {}\n", STANDARD.encode(blob)))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blob = vec![ED25519];
        blob.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+", self.name)?;
        self.id().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "+{}", STANDARD.encode(blob))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        let text = text.trim();
        let parse = || {
            let (name, rest) = text.split_once('+')?;
            let (_, blob) = rest.split_once('+')?;
            let blob = STANDARD.decode(blob).ok()?;
            let (&[ED25519], key) = blob.split_first_chunk::<1>()? else { return None };
            Some(Self::new(name, VerifyingKey::from_bytes(key.try_into().ok()?)))
        };
        // The hash is compared by writing the key anew.
        parse().filter(|key| is_key_name(&key.name) && key.to_string() == text).ok_or(VerifierKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockgate_crypto::Secret;

    #[test]
    fn a_note_opens_under_its_key_and_name_only() {
        let key = SigningKey::from_seed(Secret::new([7; 32])).unwrap();
        let note = sign("lockgate/retail\n1\nx\n", "lockgate/retail", &key).unwrap();
        let verifier = VerifierKey::new("lockgate/retail", key.verifying_key());
        assert_eq!(verifier.open(&note), Some("lockgate/retail\n1\nx\n"));
        assert_eq!(verifier.to_string().parse::<VerifierKey>().unwrap(), verifier);
        let others = |count: usize| format!("{note}{}", "— somebody AAAAAAA=\n".repeat(count));
        assert!(verifier.open(&others(SIGNATURES_MAX - 1)).is_some(), "signatures of others are passed over");
        assert_eq!(verifier.open(&others(SIGNATURES_MAX)), None);
        let other = SigningKey::from_seed(Secret::new([8; 32])).unwrap();
        assert_eq!(VerifierKey::new("lockgate/retail", other.verifying_key()).open(&note), None);
        assert_eq!(VerifierKey::new("lockgate/other", key.verifying_key()).open(&note), None);
        let signature = note.lines().last().unwrap();
        let text = note.split_once("\n\n").unwrap().0;
        for line in ["— somebody AAAA", "— AAAAAAA=", "—  AAAAAAA=", "- somebody AAAAAAA=", "— some+body AAAAAAA=", ""]
        {
            assert_eq!(verifier.open(&format!("{note}{line}\n")), None, "{line}");
        }
        // A signature by this key that does not verify is not made good by another that does.
        let forged = sign("lockgate/retail\n2\nx\n", "lockgate/retail", &key).unwrap();
        let forged = forged.lines().last().unwrap();
        assert!(verifier.open(&format!("{text}\n\n{signature}\n{signature}\n")).is_some());
        assert_eq!(verifier.open(&format!("{text}\n\n{signature}\n{forged}\n")), None);
        assert_eq!(verifier.open(&format!("{text}\n\n{forged}\n{signature}\n")), None);
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let opened = String::from_utf8(bytes).ok().and_then(|note| verifier.open(&note).map(str::to_owned));
            assert_eq!(opened, None, "byte {at}");
        }
    }

    #[test]
    fn texts_that_are_no_verifier_key_are_refused() {
        let key = SigningKey::from_seed(Secret::new([7; 32])).unwrap();
        let good = VerifierKey::new("a", key.verifying_key()).to_string();
        assert!(good.parse::<VerifierKey>().is_ok());
        let named = |name: &str| VerifierKey::new(name, key.verifying_key()).to_string();
        for wrong in ["", "a", "a+b", "a+00000000+AQ==", &good.replace("a+", "b+"), &named(""), &named("a b")] {
            assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong}");
        }
    }
}
