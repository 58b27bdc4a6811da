//! Files below one folder: what a pattern lists is inside the folder, and what is read is what its digest names.
//!
//! ```text
//! root/customers/2024-05-01/a.csv         listed
//! root/customers/2024-05-01/b.csv ─link─► root/archive/b.csv    listed
//! root/customers/2024-05-01/c.csv ─link─► /etc/passwd           refused: the listing fails
//! ```

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lockgate_crypto::Sha256Hasher;
use lockgate_model::Sha256Digest;

use crate::bucket_store::ObjectVersion;
use crate::path_template::{BoundPath, Pattern};

pub use error::SourceError;
pub use verified::VerifiedRead;

mod error;
mod verified;

/// The most files that one pattern may match, and the most folders that it may go through on one level.
pub const LISTED_FILES_MAX: usize = 1_000_000;

/// How much of a file is read at once.
const READ_BYTES: usize = 128 * 1024;

/// A folder whose files are datasets.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

/// A file that a pattern matched, as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Relative to the store's root, separated by `/`; the name under which manifests know the file.
    pub path: String,
    /// Where it is.
    pub place: Place,
    /// Its size.
    pub bytes: u64,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file of this machine, with every link resolved.
    Local(PathBuf),
    /// In a bucket, in this version.
    Object(ObjectVersion),
}

impl StoredFile {
    /// The file of this machine; absent for an object of a bucket.
    pub fn local(&self) -> Option<&Path> {
        match &self.place {
            Place::Local(path) => Some(path),
            Place::Object(_) => None,
        }
    }

    /// The version of an object, as its bucket names it.
    pub fn version(&self) -> Option<&str> {
        match &self.place {
            Place::Local(_) => None,
            Place::Object(version) => version.id.as_deref(),
        }
    }
}

impl LocalStore {
    /// Takes the folder; fails if there is none or it can't be read.
    pub fn new(root: &Path) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Unreadable { path: root.display().to_string(), source };
        let canonical = fs::canonicalize(root).map_err(failed)?;
        match fs::metadata(&canonical).map_err(failed)?.is_dir() {
            true => Ok(Self { root: canonical }),
            false => Err(SourceError::NoFolder { path: root.display().to_string() }),
        }
    }

    /// The regular files that match, sorted bytewise by path; empty if nothing does.
    ///
    /// Fails if a link on the way leaves the root, if a matching name is no UTF-8, if a folder can't be read, or
    /// beyond [`LISTED_FILES_MAX`].
    pub fn list(&self, pattern: &BoundPath) -> Result<Vec<StoredFile>, SourceError> {
        self.list_at_most(pattern, LISTED_FILES_MAX)
    }

    /// The regular file at a path as [`StoredFile`] has it; `None` if nothing is there. Fails as [`list`](Self::list).
    pub fn find(&self, path: &str) -> Result<Option<StoredFile>, SourceError> {
        let is_within = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if is_within && self.is_wanted(path, true)? { self.stored(path.to_owned()).map(Some) } else { Ok(None) }
    }

    /// The SHA-256 of a file's content now, read in a stream.
    pub fn digest(&self, file: &StoredFile) -> Result<Sha256Digest, SourceError> {
        let mut source = open(file)?;
        let mut hasher = Sha256Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SourceError::Unreadable { path: file.path.clone(), source }),
            }
        }
    }

    /// Opens a file for reading; [`VerifiedRead::finish`] then says whether what was read has the digest.
    pub fn open_verified(&self, file: &StoredFile, expected: Sha256Digest) -> Result<VerifiedRead, SourceError> {
        Ok(VerifiedRead::new(Box::new(open(file)?), file.path.clone(), expected))
    }

    fn list_at_most(&self, pattern: &BoundPath, most: usize) -> Result<Vec<StoredFile>, SourceError> {
        let too_many = || SourceError::TooManyFiles { pattern: pattern.to_string(), most };
        let mut paths = vec![String::new()];
        let last = pattern.segments().len().saturating_sub(1);
        for (level, segment) in pattern.segments().iter().enumerate() {
            let mut below = Vec::new();
            for folder in &paths {
                self.step(folder, segment, level == last, &mut |path| {
                    if below.len() == most {
                        return Err(too_many());
                    }
                    below.push(path);
                    Ok(())
                })?;
            }
            paths = below;
        }
        paths.sort_unstable();
        paths.into_iter().map(|path| self.stored(path)).collect()
    }

    /// Hands on the paths one level down that match: files on the last level, folders on the others.
    fn step(
        &self,
        folder: &str,
        segment: &Pattern,
        files: bool,
        found: &mut dyn FnMut(String) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let join = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if let Some(literal) = segment.literal() {
            let path = join(literal);
            return if self.is_wanted(&path, files)? { found(path) } else { Ok(()) };
        }
        let failed = |source| SourceError::Unreadable { path: join("*"), source };
        for entry in fs::read_dir(self.root.join(folder)).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else {
                if segment.matches(&name.to_string_lossy()) {
                    return Err(SourceError::NameNotUtf8 { path: join(&name.to_string_lossy()) });
                }
                continue;
            };
            if segment.matches(name) && self.is_wanted(&join(name), files)? {
                found(join(name))?;
            }
        }
        Ok(())
    }

    /// Whether there is a regular file (or else a folder) at a path; a link that leaves the root is an error.
    fn is_wanted(&self, path: &str, file: bool) -> Result<bool, SourceError> {
        let Some(absolute) = self.resolve(path)? else { return Ok(false) };
        let failed = |source| SourceError::Unreadable { path: path.to_owned(), source };
        let metadata = fs::metadata(&absolute).map_err(failed)?;
        Ok(if file { metadata.is_file() } else { metadata.is_dir() })
    }

    /// A path with every link resolved, `None` if nothing is there.
    fn resolve(&self, path: &str) -> Result<Option<PathBuf>, SourceError> {
        match fs::canonicalize(self.root.join(path)) {
            Ok(absolute) if absolute.starts_with(&self.root) => Ok(Some(absolute)),
            Ok(_) => Err(SourceError::OutsideRoot { path: path.to_owned() }),
            // A file may vanish between two steps, and a segment may name a file where a folder was meant.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(SourceError::Unreadable { path: path.to_owned(), source }),
        }
    }

    fn stored(&self, path: String) -> Result<StoredFile, SourceError> {
        let vanished = || io::Error::from(io::ErrorKind::NotFound);
        let absolute =
            self.resolve(&path)?.ok_or_else(|| SourceError::Unreadable { path: path.clone(), source: vanished() })?;
        match fs::metadata(&absolute) {
            Ok(metadata) => Ok(StoredFile { path, place: Place::Local(absolute), bytes: metadata.len() }),
            Err(source) => Err(SourceError::Unreadable { path, source }),
        }
    }
}

fn open(file: &StoredFile) -> Result<File, SourceError> {
    let path = file.local().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    path.and_then(File::open).map_err(|source| SourceError::Unreadable { path: file.path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PathTemplate;

    #[test]
    fn a_pattern_lists_up_to_its_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv", "c.csv"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let store = LocalStore::new(folder.path()).unwrap();
        let pattern = "*.csv".parse::<PathTemplate>().unwrap().bind(&Default::default()).unwrap();
        assert_eq!(store.list_at_most(&pattern, 3).unwrap().len(), 3);
        let error = store.list_at_most(&pattern, 2).unwrap_err();
        assert!(matches!(&error, SourceError::TooManyFiles { pattern, most: 2 } if pattern == "*.csv"), "{error}");
    }
}
