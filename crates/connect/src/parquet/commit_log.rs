//! Which files of a dataset are live, as its commits say: each commit is one file that appears whole or not at all.

use std::sync::Arc;

use lockgate_model::{DatasetName, InputOrdinal, RunId, Sha256Digest};
use serde::{Deserialize, Serialize};

use super::error::ParquetError;
use super::place::{DatasetStore, Place};
use crate::{CommittedRun, SinkColumn};

/// The largest file of one commit, in bytes.
pub(super) const COMMIT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A live file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: Sha256Digest,
    pub(super) rows: u64,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoggedCommit {
    pub(super) v: u8,
    pub(super) dataset: DatasetName,
    pub(super) run: RunId,
    pub(super) commit: InputOrdinal,
    pub(super) rows: u64,
    /// What every file's encryption is bound to, before its name; absent where files are not encrypted.
    pub(super) belongs_to: Option<String>,
    pub(super) columns: Vec<SinkColumn>,
    pub(super) adds: Vec<DataFile>,
    pub(super) removes: Vec<String>,
    pub(super) record: String,
}

impl From<&LoggedCommit> for CommittedRun {
    fn from(commit: &LoggedCommit) -> Self {
        Self {
            run: commit.run.clone(),
            dataset: commit.dataset.clone(),
            commit_ordinal: commit.commit,
            rows: commit.rows,
            record: commit.record.clone(),
        }
    }
}

/// The commits of one dataset.
pub(super) struct CommitLog {
    pub(super) dataset: DatasetName,
    pub(super) place: Arc<dyn Place>,
    pub(super) commits: Vec<LoggedCommit>,
}

impl CommitLog {
    /// The log of a dataset, of which nothing was read yet.
    pub(super) fn empty(store: &DatasetStore, dataset: &DatasetName) -> Self {
        Self { dataset: dataset.clone(), place: store.dataset(dataset), commits: Vec::new() }
    }

    /// Reads the log of a dataset; one that was never written has none.
    pub(super) fn load(store: &DatasetStore, dataset: &DatasetName) -> Result<Self, ParquetError> {
        let mut log = Self::empty(store, dataset);
        log.read()?;
        Ok(log)
    }

    /// Reads the commits that follow those that were read.
    pub(super) fn read(&mut self) -> Result<(), ParquetError> {
        let Self { dataset, place, commits } = self;
        let from = u32::try_from(commits.len()).unwrap_or(u32::MAX);
        place.read_commits(from, &mut |ordinal, bytes| {
            let no_record = || ParquetError::CommitLog { path: place.shown_commit(ordinal) };
            let commit: LoggedCommit = serde_json::from_slice(bytes).map_err(|_| no_record())?;
            if commit.v != 1 || commit.commit.get() != ordinal || commit.dataset != *dataset {
                return Err(no_record());
            }
            commits.push(commit);
            Ok(())
        })
    }

    /// The files that are live after every commit, each with what it is bound to.
    pub(super) fn live(&self) -> Vec<(DataFile, Option<String>)> {
        let mut live: Vec<(DataFile, Option<String>)> = Vec::new();
        for commit in &self.commits {
            live.retain(|(file, _)| !commit.removes.contains(&file.name));
            live.extend(commit.adds.iter().map(|file| (file.clone(), commit.belongs_to.clone())));
        }
        live
    }

    /// The columns that the dataset has: those of the last commit and, of live files, older ones.
    pub(super) fn columns(&self) -> Vec<SinkColumn> {
        let mut columns: Vec<SinkColumn> = Vec::new();
        for column in self.commits.iter().rev().flat_map(|commit| &commit.columns) {
            if !columns.iter().any(|known| known.name == column.name) {
                columns.push(column.clone());
            }
        }
        columns
    }

    /// The commit point.
    pub(super) fn append(&mut self, commit: LoggedCommit) -> Result<(), ParquetError> {
        let bytes = serde_json::to_vec(&commit).map_err(|error| ParquetError::Writer { reason: error.to_string() })?;
        self.place.append(&commit, &bytes)?;
        self.commits.push(commit);
        Ok(())
    }

    /// Brings the place to what the last commit says. Safe to repeat and to be killed in.
    pub(super) fn publish(&self) -> Result<(), ParquetError> {
        self.place.publish(self)
    }
}
