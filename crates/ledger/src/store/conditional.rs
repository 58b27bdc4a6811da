//! Changes of an object that happen only if nobody else was faster, for ledgers that several machines can reach.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::LedgerStore;
use crate::LedgerError;

/// One content of an object, told from every other that it had or will have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(UpdateVersion);

impl Revision {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self(UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() })
    }
}

impl LedgerStore {
    /// An object that lies beside the log, and its revision; `None` if it is not there. Fails beyond `bytes_max`.
    pub async fn read(&self, object: &str, bytes_max: u64) -> Result<Option<(Vec<u8>, Revision)>, LedgerError> {
        self.get_revision(object, bytes_max).await
    }

    /// Replaces an object of that revision, or makes it where it must not be there. `None`, changing nothing, if it is
    /// another one by now. The store must be one with conditional puts; a folder has none.
    pub async fn replace(
        &self,
        object: &str,
        content: Vec<u8>,
        present: Option<&Revision>,
    ) -> Result<Option<Revision>, LedgerError> {
        use object_store::Error::{AlreadyExists, Precondition};
        let mode = present.map_or(PutMode::Create, |revision| PutMode::Update(revision.0.clone()));
        let (path, bytes) = (ObjectPath::from(object), Bytes::from(content));
        let error = match self.objects.put_opts(&path, bytes.clone().into(), PutOptions::from(mode)).await {
            Ok(put) => return Ok(Some(Revision(put.into()))),
            Err(error) => error,
        };
        // Where an answer was lost, what stands there may be our own all the same.
        let found = self.get_revision(object, bytes.len() as u64).await;
        match (error, found) {
            (_, Ok(Some((found, revision)))) if found == bytes => Ok(Some(revision)),
            (AlreadyExists { .. } | Precondition { .. }, Ok(_) | Err(LedgerError::Damaged { .. })) => Ok(None),
            (AlreadyExists { .. } | Precondition { .. }, Err(unread)) => Err(unread),
            (error, _) => Err(self.failed(object, "written", &error)),
        }
    }

    /// Whether there are tiles, though perhaps no checkpoint over them.
    pub async fn has_tiles(&self) -> Result<bool, LedgerError> {
        Ok(!self.list("tile").await?.is_empty())
    }

    /// Removes an object, if it is there.
    pub(crate) async fn remove(&self, object: &str) -> Result<(), LedgerError> {
        match self.objects.delete(&ObjectPath::from(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(object, "removed", &error)),
        }
    }

    /// The objects below a folder.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, LedgerError> {
        let path = ObjectPath::from(folder);
        let found = self.objects.list(Some(&path)).map_ok(|meta| meta.location.to_string()).try_collect().await;
        found.map_err(|error| self.failed(folder, "listed", &error))
    }
}
