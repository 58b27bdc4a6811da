//! Reading a ledger through its signed checkpoint: entries, and proofs about them.

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::merkle::{Hash, Range, consistency_ranges, empty_root, inclusion_ranges, leaf_hash, root_of, split};
use crate::note::VerifierKey;
use crate::tile::{BUNDLE_BYTES_MAX, CHECKPOINT, TILE_WIDTH, bundle_path, parse_bundle, tile_path, width_of};
use crate::tree::Tree;
use crate::{Entry, LedgerError, LedgerStore};

/// The most levels of tiles: 256 to the eighth is more than any size.
const LEVELS_MAX: usize = 8;

/// A ledger as one checkpoint shows it.
pub struct LedgerReader {
    store: LedgerStore,
    checkpoint: Checkpoint,
    signed: String,
}

impl LedgerReader {
    /// Opens the present checkpoint. Fails if there is none or this key did not sign it.
    pub async fn open(store: LedgerStore, key: VerifierKey) -> Result<Self, LedgerError> {
        let damaged = |what: &str| LedgerError::Damaged { object: CHECKPOINT.into(), what: what.to_owned() };
        let signed = store.get(CHECKPOINT, CHECKPOINT_BYTES_MAX).await?.ok_or_else(|| damaged("is missing"))?;
        let signed = String::from_utf8(signed).map_err(|_| damaged("is no text"))?;
        let checkpoint = Checkpoint::open(&signed, &key)
            .ok_or_else(|| damaged(&format!("is not signed by the key of `{}`", key.name())))?;
        Ok(Self { store, checkpoint, signed })
    }

    /// The checkpoint.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint as it is signed.
    pub fn signed_checkpoint(&self) -> &str {
        &self.signed
    }

    /// Where the objects are.
    pub const fn store(&self) -> &LedgerStore {
        &self.store
    }

    /// The entry at an index.
    pub async fn entry(&self, index: u64) -> Result<Entry, LedgerError> {
        if index >= self.checkpoint.size {
            return Err(LedgerError::NoEntry(index));
        }
        let bundle = index / TILE_WIDTH;
        let entries = self.entries(bundle).await?;
        let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        entries.into_iter().nth(at).ok_or(LedgerError::NoEntry(index))
    }

    /// The entries of a bundle, at most [`TILE_WIDTH`]; none beyond the last bundle.
    pub async fn entries(&self, bundle: u64) -> Result<Vec<Entry>, LedgerError> {
        let width = width_of(bundle, self.checkpoint.size);
        if width == 0 {
            return Ok(Vec::new());
        }
        let object = bundle_path(bundle, width);
        let parse = |bytes: &Vec<u8>| {
            Entry::from_bytes(bytes).map_err(|error| LedgerError::Damaged {
                object: object.clone(),
                what: format!("has an entry: {error}"),
            })
        };
        self.bundle(bundle, width).await?.iter().map(parse).collect()
    }

    /// Every entry with its index, in order. Fails, after they were handed out, unless they are those whose root the
    /// checkpoint signs: what was learnt from them must not be used before this returns.
    pub async fn proven_entries(&self, mut each: impl FnMut(u64, Entry)) -> Result<(), LedgerError> {
        let mut tree = Tree::default();
        for bundle in 0..self.checkpoint.size.div_ceil(TILE_WIDTH) {
            let width = width_of(bundle, self.checkpoint.size);
            for bytes in self.bundle(bundle, width).await? {
                let index = tree.size();
                tree.push(leaf_hash(&bytes));
                let entry = Entry::from_bytes(&bytes).map_err(|error| LedgerError::Damaged {
                    object: bundle_path(bundle, width),
                    what: format!("has an entry: {error}"),
                })?;
                each(index, entry);
            }
        }
        let root = if tree.size() == 0 { empty_root() } else { tree.root() };
        match root == self.checkpoint.root {
            true => Ok(()),
            false => Err(LedgerError::Damaged {
                object: CHECKPOINT.into(),
                what: "does not sign the root of the entries: one of them was changed".into(),
            }),
        }
    }

    /// The hashes that prove the entry at an index to be under the checkpoint.
    pub async fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, LedgerError> {
        if index >= self.checkpoint.size {
            return Err(LedgerError::NoEntry(index));
        }
        self.hashes(inclusion_ranges(index, self.checkpoint.size)).await
    }

    /// The hashes that prove the tree of `old` entries to be a prefix of this one.
    pub async fn consistency_proof(&self, old: u64) -> Result<Vec<Hash>, LedgerError> {
        if old > self.checkpoint.size {
            return Err(LedgerError::NoEntry(old));
        }
        self.hashes(consistency_ranges(old, self.checkpoint.size)).await
    }

    pub(crate) async fn bundle(&self, index: u64, width: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let object = bundle_path(index, width);
        let damaged = |what: &str| LedgerError::Damaged { object: object.clone(), what: what.to_owned() };
        let bytes = self.store.get(&object, BUNDLE_BYTES_MAX).await?.ok_or_else(|| damaged("is missing"))?;
        let entries = parse_bundle(&bytes, width).ok_or_else(|| damaged(&format!("does not hold {width} entries")))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The hashes of a tile at the checkpoint's size.
    pub(crate) async fn tile(&self, level: usize, index: u64) -> Result<Vec<Hash>, LedgerError> {
        let width = width_of(index, Tree::count(self.checkpoint.size, level));
        let object = tile_path(level, index, width);
        let damaged = |what: &str| LedgerError::Damaged { object: object.clone(), what: what.to_owned() };
        let bytes = self.store.get(&object, TILE_WIDTH * 32).await?.ok_or_else(|| damaged("is missing"))?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() as u64 != width {
            return Err(damaged(&format!("does not hold {width} hashes")));
        }
        Ok(hashes.iter().copied().map(Hash).collect())
    }

    /// The right edge of the tree.
    pub(crate) async fn edge(&self) -> Result<Tree, LedgerError> {
        let size = self.checkpoint.size;
        let mut edge = Vec::new();
        for level in 0..LEVELS_MAX {
            let count = Tree::count(size, level);
            if count == 0 {
                break;
            }
            edge.push(if count.is_multiple_of(TILE_WIDTH) {
                Vec::new()
            } else {
                self.tile(level, count / TILE_WIDTH).await?
            });
        }
        Ok(Tree::from_edge(size, edge))
    }

    async fn hashes(&self, ranges: Vec<Range>) -> Result<Vec<Hash>, LedgerError> {
        let mut hashes = Vec::new();
        for range in ranges {
            hashes.push(self.range_hash(range).await?);
        }
        Ok(hashes)
    }

    /// The joint hash of a range of a proof: complete subtrees, joined from the right.
    async fn range_hash(&self, (low, high): Range) -> Result<Hash, LedgerError> {
        let mut nodes = Vec::new();
        let (mut at, mut left) = (low, high - low);
        while left > 0 {
            let width = if left.is_power_of_two() { left } else { split(left) };
            nodes.push(self.node(at, width).await?);
            (at, left) = (at + width, left - width);
        }
        let joined = nodes.into_iter().rev().reduce(|right, left| crate::merkle::node_hash(left, right));
        joined.ok_or(LedgerError::NoEntry(low))
    }

    /// The hash of a complete subtree: `width` is a power of two, and `at` a multiple of it.
    async fn node(&self, at: u64, width: u64) -> Result<Hash, LedgerError> {
        let height = width.trailing_zeros();
        let level = usize::try_from(height / 8).unwrap_or(usize::MAX);
        let first = at >> (8 * (height / 8));
        let count = 1u64 << (height % 8);
        let tile = self.tile(level, first / TILE_WIDTH).await?;
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        tile.get(start..end).and_then(root_of).ok_or(LedgerError::NoEntry(at))
    }
}
