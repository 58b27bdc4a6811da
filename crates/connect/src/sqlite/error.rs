//! What can be wrong with a table that is written or read, and whose problem it is; never with a value of it.

use std::path::Path;
use std::time::Duration;

use lockgate_model::{ColumnName, DatasetName, RowId, RowIdError, RunId, ValueType};
use rusqlite::ErrorCode;

use super::spec::COMMIT_RECORD_BYTES_MAX;
use crate::Fault;

/// Why a database can't be written or read. After an error inside a transaction nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Unreachable: no file can be opened or made there.
    #[error("the database `{path}` can't be opened: check that its folder exists and that this user may write in it")]
    CannotOpen {
        /// The database file.
        path: String,
    },
    /// Configuration: the file is something else.
    #[error("`{path}` is no SQLite database: point the store at another file")]
    NotADatabase {
        /// The file.
        path: String,
    },
    /// Data: the file is damaged.
    #[error("the database `{path}` is damaged: restore it from a backup, or run SQLite's `PRAGMA integrity_check`")]
    Damaged {
        /// The database file.
        path: String,
    },
    /// Unreachable: the file or its folder can't be written.
    #[error("the database `{path}` is read-only: give this user write access to the file and to its folder")]
    ReadOnly {
        /// The database file.
        path: String,
    },
    /// Unreachable: another program writes.
    #[error(
        "the database `{path}` is locked: another program has held it for {} ms; close that program and run again",
        .waited.as_millis()
    )]
    Locked {
        /// The database file.
        path: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Full: the disk, or the database's own limit.
    #[error("there is no room left for the database `{path}`: free space on its disk and run again")]
    Full {
        /// The database file.
        path: String,
    },
    /// Something else that SQLite reports.
    #[error("the database `{path}` failed with SQLite's code {code} ({meaning}): see SQLite's list of result codes")]
    Failed {
        /// The database file.
        path: String,
        /// SQLite's extended result code; 0 where it has none.
        code: i32,
        /// SQLite's words for it.
        meaning: String,
    },
    /// Configuration: the table in the database is not the one that the pipeline describes.
    #[error(
        "the table `{dataset}` is not what the pipeline writes: {}; change the pipeline or the table",
        .differences.iter().map(TableDifference::to_string).collect::<Vec<_>>().join("; ")
    )]
    TableDiffers {
        /// The table.
        dataset: DatasetName,
        /// Everything that differs.
        differences: Vec<TableDifference>,
    },
    /// Configuration: `lockgate_runs` is somebody else's table.
    #[error("the table `lockgate_runs` has other columns than Lockgate gives it: rename it, or use another database")]
    Bookkeeping,
    /// The run's token is there already.
    #[error("the run `{run}` is committed already, as commit {commit_ordinal}: there is nothing to repeat")]
    AlreadyCommitted {
        /// The run.
        run: RunId,
        /// Its commit.
        commit_ordinal: u32,
    },
    /// The table has had as many commits as row ids can number.
    #[error("the table `{dataset}` can't be committed to again: {source}")]
    Ordinal {
        /// The table.
        dataset: DatasetName,
        /// The limit.
        source: RowIdError,
    },
    /// A batch that doesn't belong to the table: a defect of the calling program.
    #[error("a batch for `{dataset}` does not fit it: {reason}; please report this")]
    Batch {
        /// The table.
        dataset: DatasetName,
        /// What doesn't fit.
        reason: String,
    },
    /// Data: a key that finds no row.
    #[error("row {row_id} has no value in the key column `{column}`: a merge needs one in every row")]
    NullKey {
        /// The key column.
        column: ColumnName,
        /// The row.
        row_id: RowId,
    },
    /// Data: a value that the table can't hold without changing it.
    #[error(
        "row {row_id}: the value of the column `{column}` can't be stored exactly as {value_type}: NaN, and dates \
         outside the years 0000 to 9999, can't"
    )]
    Value {
        /// The column.
        column: ColumnName,
        /// Its type.
        value_type: ValueType,
        /// The row.
        row_id: RowId,
    },
    /// Data: the table has a rule that a row breaks; SQLite names the columns of the rule.
    #[error("row {row_id} breaks a rule of the table `{dataset}`: {rule}")]
    Constraint {
        /// The table.
        dataset: DatasetName,
        /// The row.
        row_id: RowId,
        /// The rule and its columns.
        rule: String,
    },
    /// A commit record too long to hold: a defect of the calling program.
    #[error(
        "a commit record of {0} bytes is longer than the {COMMIT_RECORD_BYTES_MAX} it may have; please report this"
    )]
    RecordTooLong(usize),
    /// The transaction failed before.
    #[error("this transaction failed and was undone: begin another")]
    Abandoned,
    /// Configuration: nothing was written there yet.
    #[error("the database `{path}` has no table `{dataset}`: run the pipeline that writes it first")]
    NoTable {
        /// The database file.
        path: String,
        /// The table.
        dataset: DatasetName,
    },
    /// Configuration: the table was not written by Lockgate, or lacks a column.
    #[error("the table `{dataset}` has no column `{column}` of a type that Lockgate writes")]
    NoColumn {
        /// The table.
        dataset: DatasetName,
        /// The column.
        column: String,
    },
    /// Usage: the expression can't select rows.
    #[error("the condition `{expression}` can't be used: {reason}")]
    Condition {
        /// The expression as it was given.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Usage: the expression selects more than one answer may hold.
    #[error("the condition `{expression}` selects more than {most} rows: narrow it")]
    TooManyRows {
        /// The expression as it was given.
        expression: String,
        /// How many it may select.
        most: usize,
    },
    /// Data: somebody else wrote a value of another type, or no row id.
    #[error(
        "the table `{dataset}`: a value of the column `{column}` in {} is no {expected}: it was written by another \
         program",
        .row_id.map_or_else(|| "a row without a row id".to_owned(), |id| format!("row {id}"))
    )]
    Cell {
        /// The table.
        dataset: DatasetName,
        /// The column.
        column: String,
        /// What it should be.
        expected: String,
        /// The row, where it has an id.
        row_id: Option<RowId>,
    },
}

impl SinkError {
    /// Whose problem it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotADatabase { .. }
            | Self::TableDiffers { .. }
            | Self::Bookkeeping
            | Self::AlreadyCommitted { .. }
            | Self::Ordinal { .. }
            | Self::NoTable { .. }
            | Self::NoColumn { .. }
            | Self::Condition { .. }
            | Self::TooManyRows { .. } => Fault::Configuration,
            Self::Damaged { .. }
            | Self::NullKey { .. }
            | Self::Value { .. }
            | Self::Constraint { .. }
            | Self::Cell { .. } => Fault::Data,
            Self::CannotOpen { .. } | Self::ReadOnly { .. } | Self::Locked { .. } | Self::Failed { .. } => {
                Fault::Unreachable
            }
            Self::Full { .. } => Fault::Full,
            Self::Batch { .. } | Self::RecordTooLong(_) | Self::Abandoned => Fault::Defect,
        }
    }
}

/// One way in which an existing table is not what a pipeline writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableDifference {
    /// A view or an index has the name.
    #[error("it is no table but a {0}")]
    NotATable(String),
    /// SQLite takes both names for one.
    #[error("it exists under the name `{0}`, which differs in upper and lower case only")]
    OtherCase(String),
    /// A trigger could change or copy what is written.
    #[error("it has the trigger `{0}`, which could change or copy what is written")]
    Trigger(String),
    /// A column that the pipeline writes is not there.
    #[error("it lacks the column `{column}` of type {declared}")]
    Missing {
        /// The column.
        column: String,
        /// The type it needs.
        declared: String,
    },
    /// A column has another type.
    #[error("its column `{column}` has the type `{found}` instead of {declared}")]
    Type {
        /// The column.
        column: String,
        /// The type it has.
        found: String,
        /// The type it needs.
        declared: String,
    },
    /// A column that the pipeline doesn't write must have a value.
    #[error("its column `{0}` must have a value and the pipeline writes none")]
    Required(String),
    /// Nothing makes the key unique.
    #[error("no PRIMARY KEY or unique index is on exactly the merge key ({0})")]
    NoUniqueKey(String),
}

/// Tells failures of SQLite apart by what there is to do about them.
pub(super) fn failed(path: &Path, waited: Duration, error: &rusqlite::Error) -> SinkError {
    let path = path.display().to_string();
    let Some(failure) = error.sqlite_error() else {
        return SinkError::Failed { path, code: 0, meaning: "the answer was not of the expected kind".to_owned() };
    };
    match failure.code {
        ErrorCode::CannotOpen => SinkError::CannotOpen { path },
        ErrorCode::NotADatabase => SinkError::NotADatabase { path },
        ErrorCode::DatabaseCorrupt => SinkError::Damaged { path },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => SinkError::ReadOnly { path },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => SinkError::Locked { path, waited },
        ErrorCode::DiskFull => SinkError::Full { path },
        _ => SinkError::Failed { path, code: failure.extended_code, meaning: failure.to_string() },
    }
}
