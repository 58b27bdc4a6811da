//! Files of a dataset, wherever they lie.

use lockgate_model::Sha256Digest;

use crate::bucket_store::BucketStore;
use crate::local_store::{LocalStore, SourceError, StoredFile, VerifiedRead};
use crate::path_template::BoundPath;

/// A folder or a prefix of a bucket.
#[derive(Debug, Clone)]
pub enum FileStore {
    /// A folder.
    Local(LocalStore),
    /// A prefix of a bucket.
    Bucket(BucketStore),
}

impl FileStore {
    /// The files that match, sorted bytewise by path; empty if nothing does.
    pub fn list(&self, pattern: &BoundPath) -> Result<Vec<StoredFile>, SourceError> {
        match self {
            Self::Local(store) => store.list(pattern),
            Self::Bucket(store) => store.list(pattern),
        }
    }

    /// The file at a path as [`StoredFile`] has it; `None` if nothing is there.
    pub fn find(&self, path: &str) -> Result<Option<StoredFile>, SourceError> {
        match self {
            Self::Local(store) => store.find(path),
            Self::Bucket(store) => store.find(path),
        }
    }

    /// The SHA-256 of a file's content now, read in a stream.
    pub fn digest(&self, file: &StoredFile) -> Result<Sha256Digest, SourceError> {
        match self {
            Self::Local(store) => store.digest(file),
            Self::Bucket(store) => store.digest(file),
        }
    }

    /// Opens a file for reading; [`VerifiedRead::finish`] then says whether what was read has the digest.
    pub fn open_verified(&self, file: &StoredFile, expected: Sha256Digest) -> Result<VerifiedRead, SourceError> {
        match self {
            Self::Local(store) => store.open_verified(file, expected),
            Self::Bucket(store) => store.open_verified(file, expected),
        }
    }
}
