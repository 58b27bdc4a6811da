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
