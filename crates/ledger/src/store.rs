//! The objects of a ledger: small files, each written whole and for good before the next one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use lockgate_crypto::sha256;
use lockgate_model::Sha256Digest;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{Attachment, LedgerError};

/// The largest attachment, in bytes.
pub const ATTACHMENT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Where a ledger's objects are.
#[derive(Debug, Clone)]
pub struct LedgerStore {
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one: the library renames files into place but does not sync them.
    folder: Option<PathBuf>,
}

impl LedgerStore {
    /// A ledger in a folder, which is made if it is not there.
    pub fn local(folder: &Path) -> Result<Self, LedgerError> {
        let failed =
            |reason: String| LedgerError::Storage { object: folder.display().to_string(), verb: "read", reason };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.to_string()))?;
        Ok(Self { objects: Arc::new(objects), folder: Some(folder.to_path_buf()) })
    }

    /// A ledger in memory.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// A ledger in an object store whose puts are durable when they return.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, folder: None }
    }

    /// An object's content; `None` if it is not there. Fails beyond `bytes_max`.
    pub(crate) async fn get(&self, object: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let failed = |reason: object_store::Error| LedgerError::Storage {
            object: object.to_owned(),
            verb: "read",
            reason: reason.to_string(),
        };
        let found = match self.objects.get(&ObjectPath::from(object)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(failed)?,
        };
        if found.meta.size > bytes_max {
            let what = format!("is {} bytes long; at most {bytes_max} are possible", found.meta.size);
            return Err(LedgerError::Damaged { object: object.to_owned(), what });
        }
        Ok(Some(found.bytes().await.map_err(failed)?.to_vec()))
    }

    /// Writes an object; durable when it returns.
    pub(crate) async fn put(&self, object: &str, content: Vec<u8>) -> Result<(), LedgerError> {
        let failed = |reason: String| LedgerError::Storage { object: object.to_owned(), verb: "written", reason };
        let put = self.objects.put(&ObjectPath::from(object), Bytes::from(content).into()).await;
        put.map_err(|error| failed(error.to_string()))?;
        match &self.folder {
            Some(folder) => sync(folder, object).map_err(|error| failed(error.to_string())),
            None => Ok(()),
        }
    }

    /// Keeps an attachment under its digest.
    pub(crate) async fn put_attachment(&self, name: &str, content: Vec<u8>) -> Result<Attachment, LedgerError> {
        if content.len() as u64 > ATTACHMENT_BYTES_MAX {
            return Err(LedgerError::AttachmentTooLarge(content.len()));
        }
        let attachment = Attachment { name: name.to_owned(), sha256: sha256(&content), bytes: content.len() as u64 };
        self.put(&attachment_path(&attachment.sha256), content).await?;
        Ok(attachment)
    }

    /// An attachment's content, if it is there and is what the entry says.
    pub async fn attachment(&self, attachment: &Attachment) -> Result<Vec<u8>, LedgerError> {
        let object = attachment_path(&attachment.sha256);
        let damaged = |what: String| LedgerError::Damaged { object: object.clone(), what };
        let content = self.get(&object, ATTACHMENT_BYTES_MAX).await?.ok_or_else(|| damaged("is missing".into()))?;
        if content.len() as u64 != attachment.bytes || sha256(&content) != attachment.sha256 {
            return Err(damaged("is not what its entry names".into()));
        }
        Ok(content)
    }
}

/// The name of an attachment.
pub(crate) fn attachment_path(digest: &Sha256Digest) -> String {
    let text = digest.to_string();
    let prefix: String = text.chars().take(2).collect();
    format!("object/sha256/{prefix}/{text}")
}

/// Syncs a file and every folder above it up to the ledger's.
fn sync(folder: &Path, object: &str) -> std::io::Result<()> {
    let path = folder.join(object);
    for place in path.ancestors().take_while(|place| place.starts_with(folder)) {
        File::open(place)?.sync_all()?;
    }
    Ok(())
}
