//! Appending: acknowledged only when the checkpoint that covers it is durable.

use lockgate_crypto::{SigningKey, VerifyingKey};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::merkle::leaf_hash;
use crate::note::VerifierKey;
use crate::reader::LedgerReader;
use crate::store::WriterSeat;
use crate::tile::{CHECKPOINT, TILE_WIDTH, append_entry, bundle_path, width_of};
use crate::tree::Tree;
use crate::{Attachment, Entry, Lease, LedgerError, LedgerStore};

/// Writes one ledger, under a lease.
///
/// Objects that a crash left beyond the checkpoint are never read and are overwritten by the next append.
pub struct LedgerWriter {
    store: LedgerStore,
    _lease: Lease,
    _seat: WriterSeat,
    origin: String,
    tree: Tree,
    /// The entries of the unfinished bundle, encoded.
    bundle: Vec<u8>,
    /// Writing a checkpoint failed: it may be durable all the same, and then another must not be signed beside it.
    uncertain: bool,
}

impl LedgerWriter {
    /// Begins a ledger with nothing in it. Fails if there is one.
    pub async fn create(store: LedgerStore, lease: Lease, origin: &str, key: &SigningKey) -> Result<Self, LedgerError> {
        let seat = take_place(&store, &lease)?;
        if store.get(CHECKPOINT, CHECKPOINT_BYTES_MAX).await?.is_some() {
            return Err(LedgerError::Exists);
        }
        let mut writer = Self {
            store,
            _lease: lease,
            _seat: seat,
            origin: origin.to_owned(),
            tree: Tree::default(),
            bundle: Vec::new(),
            uncertain: false,
        };
        writer.append(&[], key).await?;
        Ok(writer)
    }

    /// Opens a ledger for appending. Fails if its checkpoint is not signed by this key, or the right edge of its tree is
    /// not what the checkpoint says.
    pub async fn open(store: LedgerStore, lease: Lease, origin: &str, key: VerifyingKey) -> Result<Self, LedgerError> {
        let seat = take_place(&store, &lease)?;
        let reader = LedgerReader::open(store.clone(), VerifierKey::new(origin, key)).await?;
        let size = reader.checkpoint().size;
        let tree = reader.edge().await?;
        if tree.root() != reader.checkpoint().root {
            let what = "does not have the root of the tiles at the right edge".to_owned();
            return Err(LedgerError::Damaged { object: CHECKPOINT.into(), what });
        }
        let bundle = unfinished_bundle(&reader, size).await?;
        Ok(Self { store, _lease: lease, _seat: seat, origin: origin.to_owned(), tree, bundle, uncertain: false })
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Where the objects are.
    pub const fn store(&self) -> &LedgerStore {
        &self.store
    }

    /// Keeps an attachment; durable when it returns. It belongs to the ledger once an entry names it.
    pub async fn put_attachment(&self, name: &str, content: Vec<u8>) -> Result<Attachment, LedgerError> {
        self.store.put_attachment(name, content).await
    }

    /// Appends entries, all or none; durable when it returns. After a failure the log is as it was, and the same entries
    /// may be appended again; only where writing the checkpoint itself failed, the log may have them, and this writer
    /// appends nothing more: open the ledger again to see.
    pub async fn append(&mut self, entries: &[Entry], key: &SigningKey) -> Result<(Checkpoint, String), LedgerError> {
        if self.uncertain {
            return Err(LedgerError::Uncertain);
        }
        let encoded = entries.iter().map(Entry::to_bytes).collect::<Result<Vec<_>, _>>()?;
        let (mut tree, mut bundle) = (self.tree.clone(), self.bundle.clone());
        let mut tiles = Vec::new();
        for entry in &encoded {
            append_entry(&mut bundle, entry);
            tiles.extend(tree.push(leaf_hash(entry)));
            if tree.size().is_multiple_of(TILE_WIDTH) {
                let path = bundle_path(tree.size() / TILE_WIDTH - 1, TILE_WIDTH);
                self.store.put(&path, std::mem::take(&mut bundle)).await?;
            }
        }
        let width = tree.size() % TILE_WIDTH;
        if !encoded.is_empty() && width > 0 {
            self.store.put(&bundle_path(tree.size() / TILE_WIDTH, width), bundle.clone()).await?;
        }
        tiles.extend(tree.unfinished());
        for tile in tiles {
            self.store.put(&tile.path(), tile.to_bytes()).await?;
        }
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: tree.size(), root: tree.root() };
        let signed = checkpoint.signed(key).map_err(LedgerError::Sign)?;
        self.uncertain = true;
        self.store.put(CHECKPOINT, signed.clone().into_bytes()).await?;
        self.uncertain = false;
        (self.tree, self.bundle) = (tree, bundle);
        Ok((checkpoint, signed))
    }
}

fn take_place(store: &LedgerStore, lease: &Lease) -> Result<WriterSeat, LedgerError> {
    match store.folder() {
        Some(folder) if !lease.may_be_of(folder) => Err(LedgerError::WrongLease),
        Some(_) | None => store.take_writer_seat(),
    }
}

async fn unfinished_bundle(reader: &LedgerReader, size: u64) -> Result<Vec<u8>, LedgerError> {
    let index = size / TILE_WIDTH;
    let width = width_of(index, size);
    if width == 0 {
        return Ok(Vec::new());
    }
    let mut bundle = Vec::new();
    for (entry, hash) in reader.bundle(index, width).await?.iter().zip(reader.tile(0, index).await?) {
        if leaf_hash(entry) != hash {
            let what = "does not have the hashes of its tile".to_owned();
            return Err(LedgerError::Damaged { object: bundle_path(index, width), what });
        }
        append_entry(&mut bundle, entry);
    }
    Ok(bundle)
}
