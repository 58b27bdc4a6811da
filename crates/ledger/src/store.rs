//! The objects of a ledger: small files, each written whole and for good before the next one.

mod conditional;
mod durable;

pub use conditional::Revision;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lockgate_crypto::{Sha256Hasher, sha256};
use lockgate_model::Sha256Digest;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{Attachment, LedgerError};

/// The largest attachment, in bytes.
pub const ATTACHMENT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// How much of an attachment is held when only its digest is wanted.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Where a ledger's objects are.
#[derive(Clone)]
pub struct LedgerStore {
    objects: Arc<dyn ObjectStore>,
    /// Says why an object was refused that the store gave, if that was our decision.
    refusal_of: fn(&object_store::Error) -> Option<String>,
    /// The folder, where it is one: files are written there without the library, which does not sync them.
    folder: Option<PathBuf>,
    /// Whether somebody in this process writes through this store or a copy of it.
    writing: Arc<AtomicBool>,
}

impl std::fmt::Debug for LedgerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerStore").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// Held by the one writer of a store within a process.
#[derive(Debug)]
pub(crate) struct WriterSeat(Arc<AtomicBool>);

impl Drop for WriterSeat {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl LedgerStore {
    /// A ledger in a folder, which is made if it is not there.
    pub fn local(folder: &Path) -> Result<Self, LedgerError> {
        let failed =
            |reason: String| LedgerError::Storage { object: folder.display().to_string(), verb: "read", reason };
        durable::make_folder(folder).map_err(|error| failed(error.to_string()))?;
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.to_string()))?;
        Ok(Self { folder: Some(folder.to_path_buf()), ..Self::over(Arc::new(objects)) })
    }

    /// A ledger in memory.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// A ledger in an object store whose puts are atomic, and durable when they return.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, refusal_of: |_| None, folder: None, writing: Arc::default() }
    }

    /// The same store, of which some objects are refused; `refusal_of` says why, where that is what an error is about.
    #[must_use]
    pub fn with_refusal_of(self, refusal_of: fn(&object_store::Error) -> Option<String>) -> Self {
        Self { refusal_of, ..self }
    }

    fn failed(&self, object: &str, verb: &'static str, error: &object_store::Error) -> LedgerError {
        match (self.refusal_of)(error) {
            Some(reason) => LedgerError::Refused { object: object.to_owned(), reason },
            None => LedgerError::Storage { object: object.to_owned(), verb, reason: error.to_string() },
        }
    }

    /// The folder, where the ledger is in one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The right to be the writer of this store within this process. Fails while another has it.
    pub(crate) fn take_writer_seat(&self) -> Result<WriterSeat, LedgerError> {
        match self.writing.swap(true, Ordering::Acquire) {
            true => Err(LedgerError::Held("another writer of this process has it open".into())),
            false => Ok(WriterSeat(Arc::clone(&self.writing))),
        }
    }

    /// An object's content; `None` if it is not there. Fails beyond `bytes_max`.
    pub(crate) async fn get(&self, object: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.get_revision(object, bytes_max).await?.map(|(content, _)| content))
    }

    /// An object's content and which one it is.
    async fn get_revision(&self, object: &str, bytes_max: u64) -> Result<Option<(Vec<u8>, Revision)>, LedgerError> {
        let failed = |error: object_store::Error| self.failed(object, "read", &error);
        let found = match self.objects.get(&ObjectPath::from(object)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(failed)?,
        };
        if found.meta.size > bytes_max {
            let what = format!("is {} bytes long; at most {bytes_max} are possible", found.meta.size);
            return Err(LedgerError::Damaged { object: object.to_owned(), what });
        }
        let revision = Revision::of(&found.meta);
        Ok(Some((found.bytes().await.map_err(failed)?.to_vec(), revision)))
    }

    /// Writes an object; durable when it returns.
    pub(crate) async fn put(&self, object: &str, content: Vec<u8>) -> Result<(), LedgerError> {
        match &self.folder {
            Some(folder) => durable::write(folder, object, &content).map_err(|error| LedgerError::Storage {
                object: object.to_owned(),
                verb: "written",
                reason: error.to_string(),
            }),
            None => {
                let put = self.objects.put(&ObjectPath::from(object), Bytes::from(content).into()).await;
                put.map(drop).map_err(|error| self.failed(object, "written", &error))
            }
        }
    }

    /// Keeps an attachment under its digest; doing so again changes nothing.
    pub(crate) async fn put_attachment(&self, name: &str, content: Vec<u8>) -> Result<Attachment, LedgerError> {
        let bytes = check_length(content.len() as u64)?;
        let attachment = Attachment { name: name.to_owned(), sha256: sha256(&content), bytes };
        self.put(&attachment_path(&attachment.sha256), content).await?;
        Ok(attachment)
    }

    /// An attachment's content, if it is there and is what the entry says.
    pub async fn attachment(&self, attachment: &Attachment) -> Result<Vec<u8>, LedgerError> {
        let object = attachment_path(&attachment.sha256);
        let content = self.get(&object, ATTACHMENT_BYTES_MAX).await?.ok_or_else(|| missing(&object))?;
        compare(attachment, content.len() as u64, || sha256(&content))?;
        Ok(content)
    }

    /// Whether an attachment is there and is what the entry says; holds [`CHUNK_BYTES`] of it at most.
    pub(crate) async fn check_attachment(&self, attachment: &Attachment) -> Result<(), LedgerError> {
        let object = attachment_path(&attachment.sha256);
        let path = ObjectPath::from(object.as_str());
        let failed = |error: object_store::Error| self.failed(&object, "read", &error);
        let length = match self.objects.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Err(missing(&object)),
            other => other.map_err(failed)?.size,
        };
        let mut hasher = Sha256Hasher::new();
        let mut read = 0;
        // A wrong length is wrong already; its content is not read.
        while read < length && length == attachment.bytes {
            let end = length.min(read + CHUNK_BYTES);
            hasher.update(&self.objects.get_range(&path, read..end).await.map_err(failed)?);
            read = end;
        }
        compare(attachment, length, || hasher.finish())
    }
}

fn check_length(bytes: u64) -> Result<u64, LedgerError> {
    if bytes > ATTACHMENT_BYTES_MAX { Err(LedgerError::AttachmentTooLarge(bytes)) } else { Ok(bytes) }
}

fn missing(object: &str) -> LedgerError {
    LedgerError::Damaged { object: object.to_owned(), what: "is missing".into() }
}

fn compare(attachment: &Attachment, length: u64, digest: impl FnOnce() -> Sha256Digest) -> Result<(), LedgerError> {
    let damaged = |what: String| LedgerError::Damaged { object: attachment_path(&attachment.sha256), what };
    if length != attachment.bytes {
        return Err(damaged(format!("is {length} bytes long; its entry says {}", attachment.bytes)));
    }
    if digest() != attachment.sha256 {
        return Err(damaged("does not have the digest that its entry names".into()));
    }
    Ok(())
}

/// The name of an attachment.
pub(crate) fn attachment_path(digest: &Sha256Digest) -> String {
    let text = digest.to_string();
    let prefix: String = text.chars().take(2).collect();
    format!("object/sha256/{prefix}/{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_refused_from_its_first_byte_too_many() {
        assert_eq!(check_length(ATTACHMENT_BYTES_MAX).unwrap(), ATTACHMENT_BYTES_MAX);
        assert!(matches!(check_length(ATTACHMENT_BYTES_MAX + 1), Err(LedgerError::AttachmentTooLarge(_))));
    }

    #[tokio::test]
    async fn an_object_is_refused_from_its_first_byte_too_many() {
        let folder = tempfile::tempdir().unwrap();
        for store in [LedgerStore::in_memory(), LedgerStore::local(folder.path()).unwrap()] {
            store.put("a/b", vec![7; 100]).await.unwrap();
            assert_eq!(store.get("a/b", 100).await.unwrap(), Some(vec![7; 100]));
            assert!(matches!(store.get("a/b", 99).await, Err(LedgerError::Damaged { .. })));
            assert_eq!(store.get("a/c", 100).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn an_attachment_is_read_in_pieces_and_compared_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        for store in [LedgerStore::in_memory(), LedgerStore::local(folder.path()).unwrap()] {
            for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1] {
                let content = vec![3; usize::try_from(length).unwrap()];
                let attachment = store.put_attachment("a", content.clone()).await.unwrap();
                assert_eq!(store.put_attachment("a", content.clone()).await.unwrap(), attachment);
                assert_eq!(store.attachment(&attachment).await.unwrap(), content);
                store.check_attachment(&attachment).await.unwrap();
                let path = attachment_path(&attachment.sha256);
                let mut wrong = vec![Vec::from_iter(content.iter().copied().chain([0]))];
                if let [rest @ .., last] = content.as_slice() {
                    wrong.push(rest.to_vec());
                    wrong.push(Vec::from_iter(rest.iter().copied().chain([last ^ 1])));
                }
                for wrong in wrong {
                    store.put(&path, wrong).await.unwrap();
                    for checked in
                        [store.check_attachment(&attachment).await, store.attachment(&attachment).await.map(drop)]
                    {
                        let Err(LedgerError::Damaged { object, .. }) = checked else { panic!("{checked:?}") };
                        assert_eq!(object, path);
                    }
                }
            }
        }
        let absent = Attachment { name: "a".into(), sha256: sha256(b"absent"), bytes: 6 };
        assert!(matches!(LedgerStore::in_memory().check_attachment(&absent).await, Err(LedgerError::Damaged { .. })));
    }
}
