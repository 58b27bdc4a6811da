//! Recomputes a whole ledger from its entries and names the first thing that is not as it was written.
//!
//! ```text
//! checkpoint: signed by the key, for its origin
//!   └─ each bundle, in order: as many entries as it must hold, each canonical
//!        └─ each tile, as soon as its entries are read: the hashes of what is below it
//!   └─ the root: the checkpoint's
//!   └─ the checkpoint that somebody kept: no longer than this log, and its root at its size
//!   └─ each attachment: there, of its length and digest
//! ```
//! Held in memory: one bundle, the right edge of the tree, a piece of one attachment, and the attachments' digests, which
//! are all that grows with the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::checkpoint::Checkpoint;
use crate::merkle::{Hash, check_inclusion, empty_root, leaf_hash};
use crate::note::VerifierKey;
use crate::reader::LedgerReader;
use crate::store::attachment_path;
use crate::tile::{CHECKPOINT, TILE_WIDTH, bundle_path, tile_path, width_of};
use crate::tree::{Tile, Tree};
use crate::{Attachment, Entry, Kind, LedgerError, LedgerStore};

/// What verification found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The checkpoint that everything was checked against.
    pub checkpoint: Checkpoint,
    /// The checkpoint as it is signed.
    pub signed_checkpoint: String,
    /// How many entries of each kind.
    pub entries: BTreeMap<Kind, u64>,
    /// How many different attachments.
    pub attachments: u64,
    /// Their bytes.
    pub attachment_bytes: u64,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object that is not as it was written.
    pub object: String,
    /// The entry that it is about, if it is about one.
    pub entry: Option<u64>,
    /// What is wrong and what it means.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(index) => write!(f, "`{}`, entry {index}: {}", self.object, self.what),
            None => write!(f, "`{}`: {}", self.object, self.what),
        }
    }
}

/// Why a ledger was not found whole.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something is wrong.
    #[error("{0}")]
    Found(Finding),
    /// It could not be read.
    #[error(transparent)]
    Unreadable(LedgerError),
}

impl From<LedgerError> for VerifyError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Damaged { object, what } => Self::Found(Finding { object, entry: None, what }),
            other => Self::Unreadable(other),
        }
    }
}

fn found(object: impl Into<String>, entry: Option<u64>, what: impl Into<String>) -> VerifyError {
    VerifyError::Found(Finding { object: object.into(), entry, what: what.into() })
}

/// Verifies everything. `seen` is a checkpoint that somebody kept from before; `each` is given every entry, in order,
/// and may find fault with it.
pub async fn verify(
    store: &LedgerStore,
    key: &VerifierKey,
    seen: Option<&Checkpoint>,
    each: &mut dyn FnMut(u64, &Entry) -> Result<(), String>,
) -> Result<Verified, VerifyError> {
    let reader = LedgerReader::open(store.clone(), key.clone()).await?;
    let checkpoint = reader.checkpoint().clone();
    if let Some(seen) = seen.filter(|seen| seen.size > checkpoint.size) {
        let what = format!(
            "it covers {} entries, and a checkpoint of {} was seen before: the log was cut or rolled back",
            checkpoint.size, seen.size
        );
        return Err(found(CHECKPOINT, None, what));
    }
    let mut walk =
        Walk { reader: &reader, tree: Tree::default(), seen, entries: BTreeMap::new(), attached: BTreeSet::new() };
    walk.compare_seen()?;
    for bundle in 0..checkpoint.size.div_ceil(TILE_WIDTH) {
        walk.bundle(bundle, each).await?;
    }
    let unfinished: Vec<Tile> = walk.tree.unfinished().filter(|tile| tile.level > 0).collect();
    for tile in unfinished {
        walk.compare_tile(&tile).await?;
    }
    if walk.tree.root() != checkpoint.root {
        return Err(found(CHECKPOINT, None, "its root is not the root of the entries"));
    }
    let (attachments, attachment_bytes) = walk.attachments().await?;
    Ok(Verified {
        signed_checkpoint: reader.signed_checkpoint().to_owned(),
        entries: walk.entries,
        attachments,
        attachment_bytes,
        checkpoint,
    })
}

struct Walk<'a> {
    reader: &'a LedgerReader,
    tree: Tree,
    seen: Option<&'a Checkpoint>,
    entries: BTreeMap<Kind, u64>,
    attached: BTreeSet<(u64, lockgate_model::Sha256Digest, u64)>,
}

impl Walk<'_> {
    async fn bundle(
        &mut self,
        bundle: u64,
        each: &mut dyn FnMut(u64, &Entry) -> Result<(), String>,
    ) -> Result<(), VerifyError> {
        let width = width_of(bundle, self.reader.checkpoint().size);
        let object = bundle_path(bundle, width);
        let recorded = self.reader.tile(0, bundle).await?;
        for (bytes, recorded) in self.reader.bundle(bundle, width).await?.iter().zip(recorded) {
            let index = self.tree.size();
            let hash = leaf_hash(bytes);
            if hash != recorded {
                return Err(self.changed_entry(index, hash, recorded).await);
            }
            let entry = Entry::from_bytes(bytes).map_err(|error| found(&object, Some(index), error.to_string()))?;
            each(index, &entry).map_err(|what| found(&object, Some(index), what))?;
            *self.entries.entry(entry.kind).or_default() += 1;
            self.attached.extend(entry.attachments.iter().map(|a| (index, a.sha256, a.bytes)));
            // The lowest tile was compared with each entry already.
            for tile in self.tree.push(hash).iter().filter(|tile| tile.level > 0) {
                self.compare_tile(tile).await?;
            }
            self.compare_seen()?;
        }
        Ok(())
    }

    /// An entry has another hash than its tile records: the checkpoint decides which of the two was changed.
    async fn changed_entry(&self, index: u64, computed: Hash, recorded: Hash) -> VerifyError {
        let Checkpoint { size, root, .. } = *self.reader.checkpoint();
        let proof = match self.reader.inclusion_proof(index).await {
            Ok(proof) => proof,
            Err(LedgerError::Damaged { .. } | LedgerError::NoEntry(_)) => Vec::new(),
            Err(other) => return VerifyError::Unreadable(other),
        };
        let bundle = bundle_path(index / TILE_WIDTH, width_of(index / TILE_WIDTH, size));
        let tile = tile_path(0, index / TILE_WIDTH, width_of(index / TILE_WIDTH, size));
        if check_inclusion(&proof, index, recorded, size, root) {
            found(bundle, Some(index), "it is not the entry that the checkpoint covers: it was changed")
        } else if check_inclusion(&proof, index, computed, size, root) {
            let what = "the tile does not have the entry's hash, which the checkpoint covers: the tile was changed";
            found(tile, Some(index), what)
        } else {
            let what = format!("it does not have the hash that `{tile}` records, and the checkpoint covers neither");
            found(bundle, Some(index), what)
        }
    }

    /// A tile must hold the hashes that were computed from what is below it.
    async fn compare_tile(&self, tile: &Tile) -> Result<(), VerifyError> {
        let recorded: Vec<Hash> = self.reader.tile(tile.level, tile.index).await?;
        let differs = recorded.iter().zip(&tile.hashes).position(|(recorded, computed)| recorded != computed);
        match differs {
            None => Ok(()),
            Some(at) => Err(found(tile.path(), None, format!("its hash {at} is not the hash of what is below it"))),
        }
    }

    /// When the log has as many entries as the kept checkpoint, it must have its root.
    fn compare_seen(&self) -> Result<(), VerifyError> {
        match self.seen {
            Some(seen) if seen.size == self.tree.size() => {
                let root = if seen.size == 0 { empty_root() } else { self.tree.root() };
                if root == seen.root {
                    return Ok(());
                }
                let what = format!(
                    "its first {} entries are not those that a checkpoint seen before covers: history was rewritten",
                    seen.size
                );
                Err(found(CHECKPOINT, None, what))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn attachments(&self) -> Result<(u64, u64), VerifyError> {
        let (mut count, mut bytes) = (0, 0);
        let mut checked = BTreeSet::new();
        for (index, sha256, size) in &self.attached {
            if !checked.insert((sha256, size)) {
                continue;
            }
            let attachment = Attachment { name: String::new(), sha256: *sha256, bytes: *size };
            match self.reader.store().check_attachment(&attachment).await {
                Ok(()) => {
                    count += 1;
                    bytes += size;
                }
                Err(LedgerError::Damaged { what, .. }) => {
                    return Err(found(attachment_path(sha256), Some(*index), format!("the attachment {what}")));
                }
                Err(other) => return Err(VerifyError::Unreadable(other)),
            }
        }
        Ok((count, bytes))
    }
}
