//! Appending: acknowledged only when the checkpoint that covers it is durable.

use lockgate_crypto::{SigningKey, VerifyingKey};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::merkle::leaf_hash;
use crate::note::VerifierKey;
use crate::reader::LedgerReader;
use crate::staged::{self, Staged};
use crate::store::WriterSeat;
use crate::tile::{CHECKPOINT, TILE_WIDTH, append_entry, bundle_path, width_of};
use crate::tree::Tree;
use crate::{Attachment, Entry, Lease, LedgerError, LedgerStore};

/// Writes one ledger, under a lease.
///
/// Objects that a crash left beyond the checkpoint are never read and are overwritten by the next append.
pub struct LedgerWriter {
    store: LedgerStore,
    lease: Lease,
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
        let settled = settle(&store, &lease, &VerifierKey::new(origin, key.verifying_key())).await?;
        if store.get(CHECKPOINT, CHECKPOINT_BYTES_MAX).await?.is_some() {
            // A writer before this one was stopped when its ledger was begun and not yet to be seen.
            return match settled {
                true => Self::opened(store, lease, seat, origin, key.verifying_key()).await,
                false => Err(LedgerError::Exists),
            };
        }
        let mut writer = Self {
            store,
            lease,
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
        settle(&store, &lease, &VerifierKey::new(origin, key)).await?;
        Self::opened(store, lease, seat, origin, key).await
    }

    async fn opened(
        store: LedgerStore,
        lease: Lease,
        seat: WriterSeat,
        origin: &str,
        key: VerifyingKey,
    ) -> Result<Self, LedgerError> {
        let reader = LedgerReader::open(store.clone(), VerifierKey::new(origin, key)).await?;
        let size = reader.checkpoint().size;
        let tree = reader.edge().await?;
        if tree.root() != reader.checkpoint().root {
            let what = "does not have the root of the tiles at the right edge".to_owned();
            return Err(LedgerError::Damaged { object: CHECKPOINT.into(), what });
        }
        let bundle = unfinished_bundle(&reader, size).await?;
        Ok(Self { store, lease, _seat: seat, origin: origin.to_owned(), tree, bundle, uncertain: false })
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
        let (mut objects, mut tiles) = (Vec::new(), Vec::new());
        for entry in &encoded {
            append_entry(&mut bundle, entry);
            tiles.extend(tree.push(leaf_hash(entry)));
            if tree.size().is_multiple_of(TILE_WIDTH) {
                objects.push((bundle_path(tree.size() / TILE_WIDTH - 1, TILE_WIDTH), std::mem::take(&mut bundle)));
            }
        }
        let width = tree.size() % TILE_WIDTH;
        if !encoded.is_empty() && width > 0 {
            objects.push((bundle_path(tree.size() / TILE_WIDTH, width), bundle.clone()));
        }
        tiles.extend(tree.unfinished());
        objects.extend(tiles.iter().map(|tile| (tile.path(), tile.to_bytes())));
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: tree.size(), root: tree.root() };
        let signed = checkpoint.signed(key).map_err(LedgerError::Sign)?;
        self.write(objects, &signed, key).await?;
        (self.tree, self.bundle) = (tree, bundle);
        Ok((checkpoint, signed))
    }

    /// Writes bundles and tiles, and then the checkpoint.
    async fn write(
        &mut self,
        objects: Vec<(String, Vec<u8>)>,
        signed: &str,
        key: &SigningKey,
    ) -> Result<(), LedgerError> {
        if let Some(lease) = self.lease.as_shared() {
            let staged = Staged::new(signed, &objects);
            staged.stage(&self.store).await?;
            self.uncertain = true;
            staged.commit(&self.store, lease, &VerifierKey::new(&self.origin, key.verifying_key())).await?;
        } else {
            for (name, content) in objects {
                self.store.put(&name, content).await?;
            }
            self.uncertain = true;
            self.store.put(CHECKPOINT, signed.to_owned().into_bytes()).await?;
        }
        self.uncertain = false;
        Ok(())
    }

    /// Fails if another process has taken the ledger over, so that nothing may be done that an entry must cover. To be asked
    /// directly before what cannot be undone.
    pub async fn ensure_held(&self) -> Result<(), LedgerError> {
        self.lease.ensure().await
    }
}

/// Finishes what the writer before this one committed; says whether it committed anything at all.
async fn settle(store: &LedgerStore, lease: &Lease, key: &VerifierKey) -> Result<bool, LedgerError> {
    let Some(shared) = lease.as_shared() else { return Ok(false) };
    staged::settle(store, shared, key).await?;
    Ok(shared.checkpoint().await.is_some())
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
