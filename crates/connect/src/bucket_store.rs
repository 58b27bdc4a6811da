//! Objects below one prefix of a bucket: what a pattern lists lies there, what is read is the version that was listed, and
//! what is written is there whole or not at all.
//!
//! ```text
//! s3://bucket/prefix/customers/2026-11-01/a.csv  ─HEAD─► size, ETag, version ─► ranges of 4 MiB, three at a time, if the
//!                                                                               ETag is still the same ─► bytes, hashed
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use lockgate_model::Sha256Digest;
use lockgate_trust::refusal_of;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::local_store::{LISTED_FILES_MAX, Place, SourceError, StoredFile, VerifiedRead};
use crate::path_template::{BoundPath, Pattern};

pub(crate) use create::Creation;
pub(crate) use upload::{OBJECT_BYTES_MAX, ObjectUpload};

mod create;
mod temporary;
mod upload;

/// How much is read at once, and how many reads are on their way: together the memory that a reader takes.
const RANGE_BYTES: u64 = 4 * 1024 * 1024;
const RANGES_AHEAD: usize = 3;
/// How many small objects are read at once.
const OBJECTS_AHEAD: usize = 8;

/// A prefix of a bucket whose objects are datasets.
#[derive(Clone)]
pub struct BucketStore {
    objects: Arc<dyn ObjectStore>,
    bucket: String,
    prefix: String,
    runtime: Handle,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl fmt::Display for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// As the bucket names it; absent where it keeps no versions.
    pub id: Option<String>,
    e_tag: Option<String>,
}

impl BucketStore {
    /// Takes the objects of a bucket below a prefix, without slashes at its ends. `runtime` makes the calls.
    pub fn new(objects: Arc<dyn ObjectStore>, (bucket, prefix): (&str, &str), runtime: Handle) -> Self {
        Self { objects, bucket: bucket.to_owned(), prefix: prefix.to_owned(), runtime }
    }

    /// The objects that match, sorted bytewise by path; empty if none does. Fails beyond [`LISTED_FILES_MAX`].
    pub fn list(&self, pattern: &BoundPath) -> Result<Vec<StoredFile>, SourceError> {
        let literal: Vec<&str> = pattern.segments().iter().map_while(Pattern::literal).collect();
        if literal.len() == pattern.segments().len() {
            return Ok(self.find(&literal.join("/"))?.into_iter().collect());
        }
        let below = self.location(&literal.join("/"))?;
        let too_many = || SourceError::TooManyFiles { pattern: pattern.to_string(), most: LISTED_FILES_MAX };
        let found = self.runtime.block_on(async {
            let mut listed = self.objects.list(Some(&below));
            let mut found = Vec::new();
            while let Some(object) = listed.next().await {
                let object = object.map_err(|error| self.failed(below.as_ref(), error))?;
                let Some(path) = self.relative(&object.location) else { continue };
                if matches(pattern, &path) {
                    if found.len() == LISTED_FILES_MAX {
                        return Err(too_many());
                    }
                    found.push(path);
                }
            }
            Ok(found)
        });
        let mut paths = found?;
        paths.sort_unstable();
        // A listing tells no version and no encryption.
        let vanished = |path: &str| self.failed(path, not_found(path));
        paths.iter().map(|path| self.find(path)?.ok_or_else(|| vanished(path))).collect()
    }

    /// The object at a path as [`StoredFile`] has it; `None` if there is none.
    pub fn find(&self, path: &str) -> Result<Option<StoredFile>, SourceError> {
        let location = self.location(path)?;
        match self.runtime.block_on(self.objects.head(&location)) {
            Ok(ObjectMeta { size, e_tag, version, .. }) => {
                let place = Place::Object(ObjectVersion { id: version, e_tag });
                Ok(Some(StoredFile { path: path.to_owned(), place, bytes: size }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// The SHA-256 of an object's version, read in a stream.
    pub fn digest(&self, file: &StoredFile) -> Result<Sha256Digest, SourceError> {
        let mut hasher = lockgate_crypto::Sha256Hasher::new();
        let mut reader = self.open(file)?;
        loop {
            match reader.next().map_err(|error| self.failed(&file.path, error))? {
                Some(bytes) => hasher.update(&bytes),
                None => return Ok(hasher.finish()),
            }
        }
    }

    /// Opens an object for reading; [`VerifiedRead::finish`] then says whether what was read has the digest.
    pub fn open_verified(&self, file: &StoredFile, expected: Sha256Digest) -> Result<VerifiedRead, SourceError> {
        Ok(VerifiedRead::new(Box::new(self.open(file)?), file.path.clone(), expected))
    }

    /// Hands on the path below a folder and the size of every object there, until it is told to stop.
    pub(crate) fn each_below(&self, folder: &str, take: &mut dyn FnMut(&str, u64) -> bool) -> Result<(), SourceError> {
        let below = self.location(folder)?;
        self.runtime.block_on(async {
            let mut listed = self.objects.list(Some(&below));
            while let Some(object) = listed.next().await {
                let object = object.map_err(|error| self.failed(folder, error))?;
                let name =
                    object.location.as_ref().strip_prefix(below.as_ref()).and_then(|name| name.strip_prefix('/'));
                if name.is_some_and(|name| !take(name, object.size)) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The content of an object of at most so many bytes; `None` if there is none, or a longer one.
    pub(crate) fn read(&self, path: &str, most: u64) -> Result<Option<Bytes>, SourceError> {
        let location = self.location(path)?;
        let read = async {
            let found = self.objects.get(&location).await?;
            if found.meta.size > most { Ok(None) } else { found.bytes().await.map(Some) }
        };
        match self.runtime.block_on(read) {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            read => read.map_err(|error| self.failed(path, error)),
        }
    }

    /// Hands on the contents of small objects in their order; some are read ahead.
    pub(crate) fn read_each<E: From<SourceError>>(
        &self,
        paths: Vec<String>,
        take: &mut dyn FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = |path: String| async move {
            let location = self.location(&path)?;
            let read = async { self.objects.get(&location).await?.bytes().await };
            read.await.map_err(|error| self.failed(&path, error))
        };
        self.runtime.block_on(async {
            let mut contents = stream::iter(paths).map(read).buffered(OBJECTS_AHEAD);
            while let Some(content) = contents.next().await {
                take(content?)?;
            }
            Ok(())
        })
    }

    /// Copies an object into a file of this machine that has no name, and fails unless it has the digest.
    ///
    /// Parquet is read from its end and in an order of its own, so nothing of it may be believed before the whole was
    /// hashed; reading it twice from the bucket would cost more than the file does.
    pub(crate) fn spool(&self, file: &StoredFile, expected: Sha256Digest) -> Result<File, SourceError> {
        let folder = std::env::temp_dir();
        let not_copied = |source| {
            let folder = folder.display().to_string();
            SourceError::NotCopied { path: file.path.clone(), folder, source }
        };
        let mut copy = temporary::nameless(&folder).map_err(not_copied)?;
        let mut hasher = lockgate_crypto::Sha256Hasher::new();
        let mut reader = self.open(file)?;
        while let Some(bytes) = reader.next().map_err(|error| self.failed(&file.path, error))? {
            hasher.update(&bytes);
            copy.write_all(&bytes).map_err(not_copied)?;
        }
        if hasher.finish() != expected {
            return Err(SourceError::Changed { path: file.path.clone() });
        }
        copy.rewind().map_err(not_copied)?;
        Ok(copy)
    }

    /// Removes objects; those that are not there are none the worse for it.
    pub(crate) fn delete(&self, paths: Vec<String>) -> Result<(), SourceError> {
        let locations: Vec<Path> = paths.iter().map(|path| self.location(path)).collect::<Result<_, _>>()?;
        self.runtime.block_on(async {
            let mut deleted = self.objects.delete_stream(stream::iter(locations).map(Ok).boxed());
            while let Some(outcome) = deleted.next().await {
                match outcome {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.not_written(paths.first().map_or("", String::as_str), error)),
                }
            }
            Ok(())
        })
    }

    fn open(&self, file: &StoredFile) -> Result<ObjectReader, SourceError> {
        let (e_tag, version) = match &file.place {
            Place::Object(version) => (version.e_tag.clone(), version.id.clone()),
            Place::Local(_) => (None, None),
        };
        Ok(ObjectReader {
            objects: Arc::clone(&self.objects),
            location: self.location(&file.path)?,
            e_tag,
            version,
            size: file.bytes,
            asked: 0,
            ahead: VecDeque::new(),
            present: Bytes::new(),
            runtime: self.runtime.clone(),
        })
    }

    fn location(&self, path: &str) -> Result<Path, SourceError> {
        let whole =
            [self.prefix.as_str(), path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        Path::parse(&whole).map_err(|_| SourceError::NameNotUtf8 { path: path.to_owned() })
    }

    fn relative(&self, location: &Path) -> Option<String> {
        let whole = location.as_ref();
        match self.prefix.is_empty() {
            true => Some(whole.to_owned()),
            false => Some(whole.strip_prefix(&self.prefix)?.strip_prefix('/')?.to_owned()),
        }
    }

    fn failed(&self, path: &str, error: object_store::Error) -> SourceError {
        if let Some(reason) = refusal_of(&error) {
            return SourceError::Encryption { path: path.to_owned(), reason };
        }
        SourceError::Unreadable { path: path.to_owned(), source: told(error) }
    }

    fn not_written(&self, path: &str, error: object_store::Error) -> SourceError {
        match self.failed(path, error) {
            SourceError::Unreadable { path, source } => SourceError::Unwritable { path, source },
            other => other,
        }
    }
}

fn not_found(path: &str) -> object_store::Error {
    object_store::Error::NotFound { path: path.to_owned(), source: "it was listed and is gone".into() }
}

/// A store's error without the request that it came from.
fn told(error: object_store::Error) -> io::Error {
    use object_store::Error::{NotFound, PermissionDenied, Precondition, Unauthenticated};
    let (kind, what) = match &error {
        NotFound { .. } => (io::ErrorKind::NotFound, "there is no such object or bucket".to_owned()),
        PermissionDenied { .. } => (io::ErrorKind::PermissionDenied, "access is denied".to_owned()),
        Unauthenticated { .. } => (io::ErrorKind::PermissionDenied, "the credentials are not accepted".to_owned()),
        Precondition { .. } => (io::ErrorKind::InvalidData, "the object was replaced".to_owned()),
        _ => {
            let mut at: &(dyn std::error::Error + 'static) = &error;
            while let Some(source) = at.source() {
                at = source;
            }
            (io::ErrorKind::Other, at.to_string())
        }
    };
    io::Error::new(kind, what)
}

/// Whether a path is of a pattern, segment by segment.
fn matches(pattern: &BoundPath, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    segments.len() == pattern.segments().len()
        && pattern.segments().iter().zip(segments).all(|(pattern, name)| match pattern.literal() {
            Some(literal) => literal == name,
            None => pattern.matches(name),
        })
}

/// An object, read in ranges of which some are on their way.
struct ObjectReader {
    objects: Arc<dyn ObjectStore>,
    location: Path,
    e_tag: Option<String>,
    version: Option<String>,
    size: u64,
    /// Up to where ranges were asked for.
    asked: u64,
    ahead: VecDeque<JoinHandle<object_store::Result<Bytes>>>,
    present: Bytes,
    runtime: Handle,
}

impl ObjectReader {
    /// The next range; `None` at the end.
    fn next(&mut self) -> object_store::Result<Option<Bytes>> {
        while self.ahead.len() < RANGES_AHEAD && self.asked < self.size {
            let range = self.asked..(self.asked + RANGE_BYTES).min(self.size);
            self.asked = range.end;
            let options = GetOptions {
                range: Some(range.into()),
                if_match: self.e_tag.clone(),
                version: self.version.clone(),
                ..GetOptions::default()
            };
            let (objects, location) = (Arc::clone(&self.objects), self.location.clone());
            self.ahead.push_back(
                self.runtime.spawn(async move { objects.get_opts(&location, options).await?.bytes().await }),
            );
        }
        match self.ahead.pop_front() {
            None => Ok(None),
            Some(asked) => {
                let ended = |error| object_store::Error::JoinError { source: error };
                self.runtime.block_on(asked).map_err(ended)?.map(Some)
            }
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.present.is_empty() {
            match self.next().map_err(told)? {
                Some(bytes) => self.present = bytes,
                None => return Ok(0),
            }
        }
        let taken = self.present.split_to(buffer.len().min(self.present.len()));
        buffer.iter_mut().zip(&taken).for_each(|(to, from)| *to = *from);
        Ok(taken.len())
    }
}

impl Drop for ObjectReader {
    fn drop(&mut self) {
        self.ahead.iter().for_each(JoinHandle::abort);
    }
}
