//! Which files of a dataset are live, as its commits say: each commit is one file that appears whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lockgate_model::{DatasetName, InputOrdinal, RunId, Sha256Digest};
use serde::{Deserialize, Serialize};

use super::error::ParquetError;
use crate::{CommittedRun, SinkColumn};

/// The folder within a dataset's that readers of Parquet datasets pass over.
const HIDDEN: &str = "_lockgate";
/// The largest file of one commit, in bytes.
const COMMIT_BYTES_MAX: u64 = 64 * 1024 * 1024;

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
    pub(super) folder: PathBuf,
    pub(super) commits: Vec<LoggedCommit>,
}

impl CommitLog {
    /// The log of a dataset, of which nothing was read yet.
    pub(super) fn empty(store: &Path, dataset: &DatasetName) -> Self {
        Self { dataset: dataset.clone(), folder: store.join(dataset.as_str()), commits: Vec::new() }
    }

    /// Reads the log of a dataset; one that was never written has none.
    pub(super) fn load(store: &Path, dataset: &DatasetName) -> Result<Self, ParquetError> {
        let mut log = Self::empty(store, dataset);
        log.read()?;
        Ok(log)
    }

    /// Reads the commits that follow those that were read.
    pub(super) fn read(&mut self) -> Result<(), ParquetError> {
        loop {
            let ordinal = u32::try_from(self.commits.len()).unwrap_or(u32::MAX);
            let path = self.commit_path(ordinal);
            let bytes = match fs::metadata(&path) {
                Ok(metadata) if metadata.len() <= COMMIT_BYTES_MAX => {
                    fs::read(&path).map_err(file_error(&path, "read"))?
                }
                Ok(_) => return Err(not_a_record(&path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(file_error(&path, "read")(error)),
            };
            let commit: LoggedCommit = serde_json::from_slice(&bytes).map_err(|_| not_a_record(&path))?;
            if commit.v != 1 || commit.commit.get() != ordinal || commit.dataset != self.dataset {
                return Err(not_a_record(&path));
            }
            self.commits.push(commit);
        }
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

    pub(super) fn staging(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("staging")
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("lock")
    }

    fn commits_folder(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("commits")
    }

    fn commit_path(&self, ordinal: u32) -> PathBuf {
        self.commits_folder().join(format!("{ordinal:08}.json"))
    }

    /// Makes the folders.
    pub(super) fn prepare(&self) -> Result<(), ParquetError> {
        for folder in [self.commits_folder(), self.staging()] {
            fs::create_dir_all(&folder).map_err(file_error(&folder, "made"))?;
        }
        for folder in [self.folder.clone(), self.folder.join(HIDDEN)] {
            sync_folder(&folder)?;
        }
        Ok(())
    }

    /// The commit point: the commit's file gets its name, durably, unless another has it.
    pub(super) fn append(&mut self, commit: LoggedCommit) -> Result<(), ParquetError> {
        let path = self.commit_path(commit.commit.get());
        let beside = path.with_extension("new");
        let bytes = serde_json::to_vec(&commit).map_err(|error| ParquetError::Writer { reason: error.to_string() })?;
        // What a killed run left may be linked to the commit before it: it is removed, never written into.
        remove_if_there(&beside)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            // A link, unlike a renaming, never replaces.
            fs::hard_link(&beside, &path)?;
            fs::remove_file(&beside)
        };
        write().map_err(file_error(&path, "written"))?;
        sync_folder(&self.commits_folder())?;
        self.commits.push(commit);
        Ok(())
    }

    /// Brings the folder to what the last commit says: files that it removed go, its files come, and what no commit
    /// knows of is cleared away. Safe to repeat and to be killed in.
    pub(super) fn publish(&self) -> Result<(), ParquetError> {
        if let Some(last) = self.commits.last() {
            for name in &last.removes {
                remove_if_there(&self.folder.join(name))?;
            }
            let staged = self.staging().join(last.run.as_str());
            for file in &last.adds {
                let (from, to) = (staged.join(&file.name), self.folder.join(&file.name));
                match fs::rename(&from, &to) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
                    outcome => outcome.map_err(file_error(&to, "published"))?,
                }
            }
            sync_folder(&self.folder)?;
        }
        self.clear_staging()
    }

    fn clear_staging(&self) -> Result<(), ParquetError> {
        let staging = self.staging();
        let entries = match fs::read_dir(&staging) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(file_error(&staging, "read"))?,
        };
        for entry in entries {
            let path = entry.map_err(file_error(&staging, "read"))?.path();
            fs::remove_dir_all(&path).map_err(file_error(&path, "removed"))?;
        }
        Ok(())
    }
}

fn remove_if_there(path: &Path) -> Result<(), ParquetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(file_error(path, "removed")),
    }
}

/// Makes what a folder lists durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), ParquetError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error(folder, "synced"))
}

pub(super) fn file_error(path: &Path, verb: &'static str) -> impl Fn(io::Error) -> ParquetError {
    let path = path.display().to_string();
    move |source| ParquetError::File { path: path.clone(), verb, source }
}

fn not_a_record(path: &Path) -> ParquetError {
    ParquetError::CommitLog { path: path.display().to_string() }
}
