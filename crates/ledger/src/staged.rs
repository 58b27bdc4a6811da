//! An append to a ledger in a bucket is there whole once its checkpoint is committed, whoever writes what is left of it.
//!
//! ```text
//! staged/CHECKPOINT  {checkpoint, objects}   everything that the append writes
//!   └─ writer.lock: checkpoint               the commit point
//!        └─ tiles and bundles ─► checkpoint ─► staged/CHECKPOINT removed
//!             a crash anywhere here is finished by the next writer, which finds the same bytes staged
//! ```
//! Names of tiles tell only the size of the tree, so that two writers who did not know of one another could write different
//! contents under one name. Here nothing gets its name before its checkpoint is the only one of its size.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_crypto::sha256;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::note::VerifierKey;
use crate::shared_lease::SharedLease;
use crate::tile::CHECKPOINT;
use crate::{LedgerError, LedgerStore};

/// The folder of staged appends.
const STAGED: &str = "staged";
/// The most bytes of one append that is staged: about a quarter of a million entries of common length.
pub(crate) const STAGED_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// How often the public checkpoint is tried to be brought forward while others change it.
const ATTEMPTS: u32 = 5;

/// An append, before anything of it has its name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    v: u8,
    checkpoint: String,
    objects: Vec<StagedObject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagedObject {
    name: String,
    content: String,
}

impl Staged {
    pub(crate) fn new(signed: &str, objects: &[(String, Vec<u8>)]) -> Self {
        let object = |(name, content): &(String, Vec<u8>)| StagedObject {
            name: name.clone(),
            content: STANDARD.encode(content),
        };
        Self { v: 1, checkpoint: signed.to_owned(), objects: objects.iter().map(object).collect() }
    }

    /// Puts it where the next writer finds it, should this one be stopped.
    pub(crate) async fn stage(&self, store: &LedgerStore) -> Result<(), LedgerError> {
        let object = place(&self.checkpoint);
        let content = serde_json::to_vec(self).map_err(|error| storage(&object, error.to_string()))?;
        check_length(&object, content.len() as u64)?;
        store.put(&object, content).await
    }

    /// Commits the checkpoint of what was staged, and writes it. Once the checkpoint is committed the append cannot be
    /// undone: what fails from then on is finished by whoever opens the ledger next.
    pub(crate) async fn commit(
        self,
        store: &LedgerStore,
        lease: &SharedLease,
        key: &VerifierKey,
    ) -> Result<(), LedgerError> {
        lease.commit(&self.checkpoint).await?;
        self.finish(store, key).await
    }

    /// Writes what is staged under its names.
    async fn finish(self, store: &LedgerStore, key: &VerifierKey) -> Result<(), LedgerError> {
        let damaged = || LedgerError::Damaged { object: place(&self.checkpoint), what: "is no staged append".into() };
        for object in &self.objects {
            let content = STANDARD.decode(&object.content).map_err(|_| damaged())?;
            store.put(&object.name, content).await?;
        }
        publish(store, &self.checkpoint, key).await?;
        store.remove(&place(&self.checkpoint)).await
    }
}

/// Finishes an append that was committed and not wholly written, and clears away those that never were committed. The
/// lease keeps whoever staged those from ever committing them.
pub(crate) async fn settle(store: &LedgerStore, lease: &SharedLease, key: &VerifierKey) -> Result<(), LedgerError> {
    let committed = lease.checkpoint().await;
    let kept = committed.as_deref().map(place);
    for object in store.list(STAGED).await? {
        if Some(&object) != kept.as_ref() {
            store.remove(&object).await?;
        }
    }
    let (Some(committed), Some(object)) = (committed, kept) else { return Ok(()) };
    if let Some((content, _)) = store.read(&object, STAGED_BYTES_MAX).await? {
        let damaged = || LedgerError::Damaged { object: object.clone(), what: "is no staged append".into() };
        let staged: Staged = serde_json::from_slice(&content).map_err(|_| damaged())?;
        if staged.v != 1 || staged.checkpoint != committed {
            return Err(damaged());
        }
        return staged.finish(store, key).await;
    }
    let public = store.get(CHECKPOINT, CHECKPOINT_BYTES_MAX).await?;
    match public.is_some_and(|public| public == committed.as_bytes()) {
        true => Ok(()),
        false => Err(LedgerError::Damaged {
            object: CHECKPOINT.into(),
            what: "is not the one that was committed last, and what was to be written with that is gone".into(),
        }),
    }
}

/// Brings the public checkpoint forward to this one, and never back: another writer may be ahead.
async fn publish(store: &LedgerStore, signed: &str, key: &VerifierKey) -> Result<(), LedgerError> {
    let ours = Checkpoint::open(signed, key).ok_or_else(|| not_ours(&place(signed)))?;
    for _ in 0..ATTEMPTS {
        let present = store.read(CHECKPOINT, CHECKPOINT_BYTES_MAX).await?;
        if let Some((content, _)) = &present {
            let text = str::from_utf8(content).map_err(|_| not_ours(CHECKPOINT))?;
            let public = Checkpoint::open(text, key).ok_or_else(|| not_ours(CHECKPOINT))?;
            if public.size > ours.size || text == signed {
                return Ok(());
            }
        }
        let revision = present.as_ref().map(|(_, revision)| revision);
        if store.replace(CHECKPOINT, signed.as_bytes().to_vec(), revision).await?.is_some() {
            return Ok(());
        }
    }
    Err(storage(CHECKPOINT, "others change it all the time".into()))
}

fn place(signed: &str) -> String {
    format!("{STAGED}/{}", sha256(signed.as_bytes()))
}

fn check_length(object: &str, bytes: u64) -> Result<(), LedgerError> {
    match bytes > STAGED_BYTES_MAX {
        true => Err(storage(object, format!("an append of {bytes} bytes is longer than {STAGED_BYTES_MAX}"))),
        false => Ok(()),
    }
}

fn not_ours(object: &str) -> LedgerError {
    LedgerError::Damaged { object: object.to_owned(), what: "is not signed by the ledger's key".into() }
}

fn storage(object: &str, reason: String) -> LedgerError {
    LedgerError::Storage { object: object.to_owned(), verb: "written", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_is_refused_from_its_first_byte_too_many() {
        check_length("x", STAGED_BYTES_MAX).unwrap();
        assert!(check_length("x", STAGED_BYTES_MAX + 1).unwrap_err().to_string().contains("longer than"));
    }
}
