//! What can be wrong with Parquet files and with a dataset of them, and whose problem it is; never with a value.

use std::io;

use lockgate_model::{ColumnName, DatasetName, RowId, RowIdError, RunId};

use super::keys::KeyProblem;
use crate::{Fault, SourceError};

/// Why a Parquet file or a dataset of them can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// Unreachable or full: the file system refuses.
    #[error("`{path}` can't be {verb}: {source}")]
    File {
        /// The file or folder.
        path: String,
        /// What was to be done with it.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A store's files can't be read or written.
    #[error(transparent)]
    Store(#[from] SourceError),
    /// Configuration: a mode that doesn't authenticate its pages.
    #[error(
        "`{path}` is encrypted in the mode AES_GCM_CTR_V1, which is refused: its pages are not authenticated, so that \
         altered values would go unnoticed; write it again with AES_GCM_V1"
    )]
    UnauthenticatedMode {
        /// The file.
        path: String,
    },
    /// Configuration: a key is missing or wrong.
    #[error("`{path}` can't be decrypted: {problem}")]
    Key {
        /// The file.
        path: String,
        /// Which key, and what is wrong with it.
        problem: KeyProblem,
    },
    /// Data: the file is damaged, altered, or no Parquet file.
    #[error("`{path}` can't be read as Parquet: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What the reader met.
        reason: String,
    },
    /// Configuration: a declared column is of another kind in the file.
    #[error(
        "`{path}`: the column `{column}` is {found} in the file and {declared} in the catalog: declare it so that every value fits"
    )]
    ColumnType {
        /// The file.
        path: String,
        /// The column.
        column: ColumnName,
        /// Its type in the file.
        found: String,
        /// Its declared type.
        declared: String,
    },
    /// Configuration: a column that must have values isn't in the file.
    #[error("`{path}` has no column `{column}`, which the catalog declares with `nullable: false`{near}")]
    MissingColumn {
        /// The file.
        path: String,
        /// The column.
        column: ColumnName,
        /// The nearest name in the file, as a hint.
        near: String,
    },
    /// Configuration: the dataset's files have a column of that name and another type.
    #[error(
        "the column `{column}` of `{dataset}` is {found} in the files that are there and would be {written} now: give \
         it another name, or write with `mode: replace`"
    )]
    TypeChanged {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Its type in the files.
        found: String,
        /// The type that is written.
        written: String,
    },
    /// Configuration: a merge would lose a column of the rows that stay.
    #[error(
        "the column `{column}` of `{dataset}` is in the files that are there, and a merge that does not write it would \
         lose it: select it too, or write with `mode: append` or `mode: replace`"
    )]
    ColumnLost {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
    },
    /// The dataset's record of commits is not what Lockgate writes.
    #[error("`{path}` is no record of a commit: restore it from a backup")]
    CommitLog {
        /// The file.
        path: String,
    },
    /// A live file is not the one that was committed.
    #[error("`{path}` is not the file that was committed: its {what} differs; restore it from a backup")]
    FileChanged {
        /// The file.
        path: String,
        /// What differs.
        what: &'static str,
    },
    /// Unreachable: another program writes the dataset.
    #[error("the dataset `{dataset}` is being written by another program: wait for it and run again")]
    Locked {
        /// The dataset.
        dataset: DatasetName,
    },
    /// Configuration: a bucket in which two runs could undo each other.
    #[error(
        "the service of `{store}` overwrites an object that was to be created once (it ignores `If-None-Match`), so that \
         two runs could undo each other's commits: use one that honours it, or a store at `file://`"
    )]
    Unconditional {
        /// The store.
        store: String,
    },
    /// Unreachable: another program was faster.
    #[error(
        "another run made commit {commit} of `{dataset}` while this one was writing: run again, which begins with what is there now"
    )]
    CommitTaken {
        /// The dataset.
        dataset: DatasetName,
        /// The commit that both wanted to make.
        commit: u32,
    },
    /// Unreachable: nobody says whether the commit was made.
    #[error(
        "whether `{path}` was written is not known, since its service stopped answering: {source}; the next run asks"
    )]
    CommitUnknown {
        /// The commit's object.
        path: String,
        /// What was said last.
        source: io::Error,
    },
    /// Unreachable: the commit is made, and what follows it is not done.
    #[error("the run is committed, and what follows is not done: {source}; the next run does it")]
    Unfinished {
        /// What failed.
        source: Box<ParquetError>,
    },
    /// The run's token is there already.
    #[error("the run `{run}` is committed already: there is nothing to repeat")]
    AlreadyCommitted {
        /// The run.
        run: RunId,
    },
    /// Row ids have run out.
    #[error("`{dataset}` can't be committed to again: {source}")]
    Ordinal {
        /// The dataset.
        dataset: DatasetName,
        /// The limit.
        source: RowIdError,
    },
    /// Data: a key that finds no row.
    #[error("row {row_id} has no value in the key column `{column}`: a merge needs one in every row")]
    NullKey {
        /// The key column.
        column: ColumnName,
        /// The row.
        row_id: RowId,
    },
    /// Data: more rows than a merge holds keys for.
    #[error("a merge into files holds at most {most} keys in memory, and this run has more: split its inputs")]
    TooManyKeys {
        /// The limit.
        most: usize,
    },
    /// Configuration: nobody wrote the dataset.
    #[error("there is no dataset `{dataset}` in `{path}`")]
    NoDataset {
        /// The dataset.
        dataset: DatasetName,
        /// The store.
        path: String,
    },
    /// The writer refused: a defect of this program.
    #[error("Parquet could not be written: {reason}; please report this")]
    Writer {
        /// What it said.
        reason: String,
    },
}

impl ParquetError {
    /// Whose problem it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => Fault::Full,
            Self::Store(error) => error.fault(),
            Self::Unfinished { source } => source.fault(),
            Self::File { .. } | Self::Locked { .. } | Self::CommitTaken { .. } | Self::CommitUnknown { .. } => {
                Fault::Unreachable
            }
            Self::UnauthenticatedMode { .. }
            | Self::Key { .. }
            | Self::ColumnType { .. }
            | Self::MissingColumn { .. }
            | Self::TypeChanged { .. }
            | Self::ColumnLost { .. }
            | Self::Unconditional { .. }
            | Self::NoDataset { .. } => Fault::Configuration,
            Self::Damaged { .. }
            | Self::CommitLog { .. }
            | Self::FileChanged { .. }
            | Self::NullKey { .. }
            | Self::TooManyKeys { .. }
            | Self::Ordinal { .. } => Fault::Data,
            Self::AlreadyCommitted { .. } | Self::Writer { .. } => Fault::Defect,
        }
    }

    /// Whether the run may be committed nevertheless: only the next one can tell.
    pub fn leaves_commit_open(&self) -> bool {
        matches!(self, Self::CommitUnknown { .. } | Self::Unfinished { .. })
    }

    /// What Parquet's reader said of a file, told as what it means.
    pub(super) fn of_reader(path: &str, error: &parquet::errors::ParquetError) -> Self {
        let text = error.to_string();
        if text.contains("AES_GCM_CTR") {
            return Self::UnauthenticatedMode { path: path.to_owned() };
        }
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = source {
            if let Some(problem) = error.downcast_ref::<KeyProblem>() {
                return Self::Key { path: path.to_owned(), problem: problem.clone() };
            }
            source = match error.downcast_ref::<parquet::errors::ParquetError>() {
                Some(parquet::errors::ParquetError::External(inner)) => Some(inner.as_ref()),
                _ => error.source(),
            };
        }
        if text.contains("AAD prefix") {
            return Self::Key { path: path.to_owned(), problem: KeyProblem::NoAadPrefix };
        }
        if text.contains("encrypted") && text.contains("decryption properties") {
            return Self::Key { path: path.to_owned(), problem: KeyProblem::NoKeys };
        }
        let reason = match error {
            parquet::errors::ParquetError::EOF(_) => "it ends too early".to_owned(),
            parquet::errors::ParquetError::NYI(what) => format!("it uses what this program does not know ({what})"),
            _ if text.contains("Unspecified") || text.contains("decrypt") => {
                "a part of it is not authentic: another key, another AAD prefix, or it was altered".to_owned()
            }
            _ => text.chars().filter(|c| !c.is_control()).take(200).collect(),
        };
        Self::Damaged { path: path.to_owned(), reason }
    }
}
