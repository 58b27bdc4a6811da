//! C2SP tlog-checkpoint: origin, size and root, signed.

use lockgate_crypto::SigningKey;
use lockgate_model::ProjectName;

use crate::merkle::Hash;
use crate::note::{VerifierKey, sign};

/// The longest checkpoint that is read, in bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// A checkpoint whose signature was checked, or that is about to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is of.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The origin of a project's ledger.
    pub fn origin_of(project: &ProjectName) -> String {
        format!("lockgate/{project}")
    }

    /// Opens a signed checkpoint; `None` unless it is signed by this key, for the key's origin, in the one form that is
    /// written here.
    pub fn open(note: &str, key: &VerifierKey) -> Option<Self> {
        let text = key.open(note)?;
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin != key.name() || lines.next() != Some("") || lines.next().is_some() {
            return None;
        }
        let parsed = Self { origin: origin.to_owned(), size: size.parse().ok()?, root: Hash::from_base64(root)? };
        (parsed.text() == text).then_some(parsed)
    }

    /// The checkpoint as a signed note.
    pub(crate) fn signed(&self, key: &SigningKey) -> Result<String, String> {
        sign(&self.text(), &self.origin, key)
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests {
    use lockgate_crypto::Secret;

    use super::*;
    use crate::merkle::empty_root;

    const ORIGIN: &str = "lockgate/retail";

    fn key() -> SigningKey {
        SigningKey::from_seed(Secret::new([7; 32])).unwrap()
    }

    /// Opens a text that this key signed, whatever it is.
    fn open_signed(text: &str) -> Option<Checkpoint> {
        Checkpoint::open(&sign(text, ORIGIN, &key()).unwrap(), &VerifierKey::new(ORIGIN, key().verifying_key()))
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was_signed() {
        assert_eq!(Checkpoint::origin_of(&"retail".parse().unwrap()), ORIGIN);
        for size in [0, 1, u64::MAX] {
            let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: empty_root() };
            let signed = checkpoint.signed(&key()).unwrap();
            let verifier = VerifierKey::new(ORIGIN, key().verifying_key());
            assert_eq!(Checkpoint::open(&signed, &verifier), Some(checkpoint));
        }
    }

    #[test]
    fn what_the_key_signed_in_another_form_is_no_checkpoint() {
        let root = empty_root().to_string();
        assert!(open_signed(&format!("{ORIGIN}\n7\n{root}\n")).is_some());
        for wrong in [
            format!("lockgate/other\n7\n{root}\n"),
            format!("{ORIGIN}\n07\n{root}\n"),
            format!("{ORIGIN}\n+7\n{root}\n"),
            format!("{ORIGIN}\n-7\n{root}\n"),
            format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
            format!("{ORIGIN}\n\n{root}\n"),
            format!("{ORIGIN}\n7 \n{root}\n"),
            format!("{ORIGIN}\r\n7\r\n{root}\r\n"),
            format!("{ORIGIN}\n7\n{}\n", root.trim_end_matches('=')),
            format!("{ORIGIN}\n7\nAAAA\n"),
            format!("{ORIGIN}\n7\n{root}\nextension\n"),
            format!("{ORIGIN}\n7\n"),
            "\n".to_owned(),
        ] {
            assert_eq!(open_signed(&wrong), None, "{wrong:?}");
        }
    }
}
