//! A dataset below a prefix of a bucket: files are live because a commit names them, wherever a listing shows them.
//!
//! ```text
//! run A ─► 00000003-A-0000.parquet ─► put commits/00000003.json, if there is none ─► made: B's file is nobody's now
//! run B ─► 00000003-B-0000.parquet ─► put commits/00000003.json, if there is none ─► refused: A made it
//! ```
//! A file's name says for which commit it is written, so once that commit is another run's nothing can ever name the file,
//! whether its writer is alive or not: it is removed. A file for the commit that is still to come may belong to a run that
//! is alive, and stays until that commit is made.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use bytes::Bytes;
use lockgate_model::{DatasetName, RunId};

use super::{FileOf, HIDDEN, Hold, NewFile, Place, TakeCommit};
use crate::SourceError;
use crate::bucket_store::{BucketStore, Creation, ObjectUpload};
use crate::parquet::commit_log::{COMMIT_BYTES_MAX, CommitLog, DataFile, LoggedCommit};
use crate::parquet::error::ParquetError;
use crate::parquet::file_name::FileName;

/// The most files that are cleared away at once; what is beyond waits for the next time.
const CLEARED_FILES_MAX: usize = 100_000;

/// An object by which a run sees that the service creates an object once, since its commit rests on that.
const CREATED_ONCE: &str = "_lockgate/created-once";

pub(super) struct BucketPlace {
    store: BucketStore,
    folder: String,
}

impl BucketPlace {
    pub(super) fn new(store: BucketStore, dataset: &DatasetName) -> Self {
        Self { store, folder: dataset.to_string() }
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn commits(&self) -> String {
        format!("{}/{HIDDEN}/commits", self.folder)
    }

    fn commit(&self, ordinal: u32) -> String {
        format!("{}/{ordinal:08}.json", self.commits())
    }

    /// The number of commits, which stand one after another.
    fn count_commits(&self) -> Result<u32, ParquetError> {
        let mut found = BTreeSet::new();
        let mut too_long = None;
        self.store.each_below(&self.commits(), &mut |name, bytes| {
            if let Some(ordinal) = name.strip_suffix(".json").and_then(|digits| digits.parse::<u32>().ok())
                && name == format!("{ordinal:08}.json")
            {
                found.insert(ordinal);
                too_long = too_long.or((bytes > COMMIT_BYTES_MAX).then_some(ordinal));
            }
            true
        })?;
        let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
        // The first number that is not there would be the last but for a commit that was lost.
        let lost = (0..count).find(|ordinal| !found.contains(ordinal));
        match too_long.or(lost) {
            Some(ordinal) => Err(ParquetError::CommitLog { path: self.shown_commit(ordinal) }),
            None => Ok(count),
        }
    }
}

impl Place for BucketPlace {
    fn shown(&self, name: &str) -> String {
        self.file(name)
    }

    fn shown_commit(&self, ordinal: u32) -> String {
        self.commit(ordinal)
    }

    fn read_commits(&self, from: u32, take: TakeCommit<'_>) -> Result<(), ParquetError> {
        let count = self.count_commits()?;
        let paths = (from..count).map(|ordinal| self.commit(ordinal)).collect();
        let mut ordinal = from;
        self.store.read_each(paths, &mut |bytes| {
            take(ordinal, &bytes)?;
            ordinal += 1;
            Ok(())
        })
    }

    fn hold(&self, _: &DatasetName) -> Result<Hold, ParquetError> {
        Ok(None)
    }

    fn begin(&self, _: &RunId) -> Result<(), ParquetError> {
        match self.store.creates_once(&self.file(CREATED_ONCE))? {
            true => Ok(()),
            false => Err(ParquetError::Unconditional { store: self.store.to_string() }),
        }
    }

    fn create(&self, _: &RunId, name: &str) -> Result<Box<dyn NewFile>, ParquetError> {
        Ok(Box::new(self.store.upload(&self.file(name))?))
    }

    fn discard(&self, _: &RunId, name: &str) -> Result<(), ParquetError> {
        Ok(self.store.delete(vec![self.file(name)])?)
    }

    fn open(&self, file: &DataFile, _: FileOf<'_>) -> Result<File, ParquetError> {
        let path = self.file(&file.name);
        let changed = |what| ParquetError::FileChanged { path: path.clone(), what };
        let gone = || SourceError::Unreadable { path: path.clone(), source: io::ErrorKind::NotFound.into() };
        let found = self.store.find(&path)?.ok_or_else(gone)?;
        if found.bytes != file.bytes {
            return Err(changed("size"));
        }
        self.store.spool(&found, file.sha256).map_err(|error| match error {
            SourceError::Changed { .. } => changed("SHA-256"),
            error => error.into(),
        })
    }

    fn append(&self, commit: &LoggedCommit, bytes: &[u8]) -> Result<(), ParquetError> {
        let path = self.commit(commit.commit.get());
        match self.store.create(&path, Bytes::copy_from_slice(bytes)) {
            Ok(Creation::Made) => Ok(()),
            Ok(Creation::Taken) => {
                Err(ParquetError::CommitTaken { dataset: commit.dataset.clone(), commit: commit.commit.get() })
            }
            Ok(Creation::Unknown(source)) => Err(ParquetError::CommitUnknown { path, source }),
            // It is there, under another key: somebody may have read it already.
            Err(refused @ SourceError::Encryption { .. }) => {
                Err(ParquetError::Unfinished { source: Box::new(refused.into()) })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn publish(&self, log: &CommitLog) -> Result<(), ParquetError> {
        let live: BTreeSet<String> = log.live().into_iter().map(|(file, _)| file.name).collect();
        let made = log.commits.len();
        let mut dead = Vec::new();
        self.store.each_below(&self.folder, &mut |name, _| {
            let is_dead = |file: FileName| usize::try_from(file.commit.get()).is_ok_and(|commit| commit < made);
            if name.parse::<FileName>().is_ok_and(is_dead) && !live.contains(name) {
                dead.push(self.file(name));
            }
            dead.len() < CLEARED_FILES_MAX
        })?;
        if dead.is_empty() { Ok(()) } else { Ok(self.store.delete(dead)?) }
    }
}

impl NewFile for ObjectUpload {
    fn finish(self: Box<Self>) -> io::Result<()> {
        ObjectUpload::finish(*self)
    }
}
