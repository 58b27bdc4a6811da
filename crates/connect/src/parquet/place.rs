//! Where the files of a dataset lie, and what makes a commit whole there.
//!
//! ```text
//!                    a folder                                    a prefix of a bucket
//! who may write      who holds a locked file                     anybody
//! a run's files      in _lockgate/staging/RUN, synced            at their own names, whole or not at all
//! the commit point   a link to the commit's name                 a put of the commit's name, if there is none
//! after it           files move to their names; removed files    removed files go, and files of runs that wanted
//!                    and those of no commit go                   to make a commit which another one made
//! ```
//! Neither replaces a commit that is there: the second of two runs fails.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use lockgate_model::{DatasetName, RunId};

use self::bucket::BucketPlace;
use self::folder::FolderPlace;
use super::commit_log::{CommitLog, DataFile, LoggedCommit};
use super::error::ParquetError;
use crate::BucketStore;

mod bucket;
mod folder;

/// The folder within a dataset's that readers of Parquet datasets pass over.
const HIDDEN: &str = "_lockgate";

/// A store into which pipelines write datasets of Parquet files.
#[derive(Debug, Clone)]
pub enum DatasetStore {
    /// A folder, which need not be there yet.
    Folder(PathBuf),
    /// A prefix of a bucket.
    Bucket(BucketStore),
}

impl DatasetStore {
    pub(super) fn dataset(&self, name: &DatasetName) -> Arc<dyn Place> {
        match self {
            Self::Folder(store) => Arc::new(FolderPlace::new(store, name)),
            Self::Bucket(store) => Arc::new(BucketPlace::new(store.clone(), name)),
        }
    }

    /// How messages name it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder(store) => store.display().to_string(),
            Self::Bucket(store) => store.to_string(),
        }
    }
}

/// Keeps other programs from writing while it is held. A bucket has nothing of that kind, and needs nothing: only one
/// run makes a commit, and no file of another is touched before that is decided.
pub(super) type Hold = Option<File>;

/// A file that is being written.
pub(super) trait NewFile: Write + Send {
    /// Makes it durable, under its name.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Takes a commit's number and what stands in it.
pub(super) type TakeCommit<'a> = &'a mut dyn FnMut(u32, &[u8]) -> Result<(), ParquetError>;

/// Whose file it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum FileOf<'a> {
    /// Of a commit.
    Commit,
    /// Of a run that is not committed.
    Run(&'a RunId),
}

/// The place of one dataset.
pub(super) trait Place: Send + Sync {
    /// How messages name a live file.
    fn shown(&self, name: &str) -> String;

    /// How messages name a commit.
    fn shown_commit(&self, ordinal: u32) -> String;

    /// Hands on the commits from this one on, in their order.
    fn read_commits(&self, from: u32, take: TakeCommit<'_>) -> Result<(), ParquetError>;

    /// Makes the place ready for writing; fails if another program writes.
    fn hold(&self, dataset: &DatasetName) -> Result<Hold, ParquetError>;

    /// Makes room for a run's files.
    fn begin(&self, run: &RunId) -> Result<(), ParquetError>;

    /// Begins a file of a run, which must not be there.
    fn create(&self, run: &RunId, name: &str) -> Result<Box<dyn NewFile>, ParquetError>;

    /// Removes a finished file of a run.
    fn discard(&self, run: &RunId, name: &str) -> Result<(), ParquetError>;

    /// Opens a file after it was found to be the recorded one.
    fn open(&self, file: &DataFile, of: FileOf<'_>) -> Result<File, ParquetError>;

    /// The commit point: the commit gets its name, durably, unless another has it.
    fn append(&self, commit: &LoggedCommit, bytes: &[u8]) -> Result<(), ParquetError>;

    /// Brings the place to what the last commit says. Safe to repeat and to be killed in.
    fn publish(&self, log: &CommitLog) -> Result<(), ParquetError>;
}
