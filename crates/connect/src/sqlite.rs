//! SQLite tables: a run's rows are all there, under the run's token, or none is.
//!
//! ```text
//! dataset analytics.customers ─► table "analytics.customers" ( id, email, … , lockgate_rid )
//! run token                   ─► table "lockgate_runs" ( run, dataset, commit_ordinal, rows, record )
//! ```
//! A table with other columns, a lock, a full disk, a file that is no database: each is its own error, and the
//! table is left as it was. Decimals are stored as text, since SQLite's own numbers would round them; dates and
//! timestamps as ISO 8601 text, so that they sort; booleans as 0 and 1.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockgate_model::{DatasetName, InputOrdinal, RowId, RunId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior};

use error::failed;
use statements::quoted;

pub use error::{SinkError, TableDifference};
pub use scan::{SCAN_BATCH_BYTES_MAX, Scan, ScannedBatch};
pub use spec::{
    COMMIT_RECORD_BYTES_MAX, ROW_ID_COLUMN, RUNS_TABLE, SINK_COLUMNS_MAX, SinkColumn, SpecError, TableSpec, WriteMode,
};
pub use table::{CONDITION_BYTES_MAX, SELECTED_ROWS_MAX, SqliteTable};
pub use transaction::SqliteTransaction;

mod bind;
mod error;
mod existing;
mod guard;
mod scan;
mod spec;
mod statements;
mod table;
mod transaction;

/// How long a locked database is waited for.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A database that tables are written to.
pub struct SqliteSink {
    connection: Connection,
    path: PathBuf,
    waited: Duration,
}

/// A run whose rows are in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedRun {
    /// The run.
    pub run: RunId,
    /// The dataset that it wrote.
    pub dataset: DatasetName,
    /// Which of the dataset's commits it is, from 0; the upper part of its rows' ids.
    pub commit_ordinal: InputOrdinal,
    /// The rows it wrote.
    pub rows: u64,
    /// What was recorded with the commit.
    pub record: String,
}

impl SqliteSink {
    /// Opens a database, or makes an empty one where there is no file; the folder must exist.
    ///
    /// Commits are durable when they return (write-ahead log, synchronous = FULL). Waits up to [`BUSY_TIMEOUT`] for
    /// other programs, here and later.
    pub fn open(path: &Path) -> Result<Self, SinkError> {
        Self::open_waiting(path, BUSY_TIMEOUT)
    }

    fn open_waiting(path: &Path, waited: Duration) -> Result<Self, SinkError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let (connection, path) = connect(path, flags, waited)?;
        let prepare = || {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")
        };
        prepare().map_err(|error| failed(&path, waited, &error))?;
        Ok(Self { connection, path, waited })
    }

    /// Begins a run's transaction: makes the table where there is none, or compares it with the spec; empties it where
    /// it is to be replaced. The database stays locked for other writers until the transaction ends.
    ///
    /// Fails, changing nothing, if the table differs, if the run is committed already, and where the database can't
    /// be written.
    pub fn begin(&mut self, spec: &TableSpec, run: &RunId) -> Result<SqliteTransaction<'_>, SinkError> {
        let (path, waited) = (self.path.clone(), self.waited);
        let failed = |error: rusqlite::Error| failed(&path, waited, &error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        transaction.execute_batch(&statements::create_runs()).map_err(failed)?;
        check_runs_table(&transaction, &path, waited)?;
        if let Some(done) = committed(&transaction, run, &path, waited)? {
            return Err(SinkError::AlreadyCommitted { run: run.clone(), commit_ordinal: done.commit_ordinal.get() });
        }
        match existing::differences(&transaction, spec).map_err(failed)? {
            None => transaction.execute_batch(&statements::create_table(spec)).map_err(failed)?,
            Some(differences) if differences.is_empty() => {}
            Some(differences) => {
                return Err(SinkError::TableDiffers { dataset: spec.dataset().clone(), differences });
            }
        }
        let next = next_ordinal(&transaction, spec.dataset()).map_err(failed)?;
        let ordinal =
            InputOrdinal::new(next).map_err(|source| SinkError::Ordinal { dataset: spec.dataset().clone(), source })?;
        if spec.leaves_none() {
            let sql = format!("DELETE FROM {}", quoted(spec.dataset().as_str()));
            transaction.execute(&sql, []).map_err(failed)?;
        }
        Ok(SqliteTransaction {
            transaction,
            path,
            waited,
            spec: spec.clone(),
            run: run.clone(),
            ordinal,
            insert: statements::insert(spec),
            rows: 0,
            last: None,
            abandoned: false,
        })
    }

    /// Whether the dataset's table is there.
    pub fn has_table(&self, dataset: &DatasetName) -> Result<bool, SinkError> {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let count = self.connection.query_row(sql, [dataset.as_str()], |row| row.get::<_, i64>(0));
        count.map(|count| count > 0).map_err(|error| failed(&self.path, self.waited, &error))
    }

    /// What a run committed here, `None` if nothing: after a crash this decides whether the run is to be repeated.
    pub fn committed(&self, run: &RunId) -> Result<Option<CommittedRun>, SinkError> {
        match has_runs_table(&self.connection, &self.path, self.waited)? {
            true => committed(&self.connection, run, &self.path, self.waited),
            false => Ok(None),
        }
    }

    /// The commits of a dataset, first to last.
    pub fn commits(&self, dataset: &DatasetName) -> Result<Vec<CommittedRun>, SinkError> {
        if !has_runs_table(&self.connection, &self.path, self.waited)? {
            return Ok(Vec::new());
        }
        commits(&self.connection, dataset, &self.path, self.waited)
    }
}

/// Opens a database with every safeguard that a foreign file asks for.
fn connect(path: &Path, flags: OpenFlags, waited: Duration) -> Result<(Connection, PathBuf), SinkError> {
    // SQLite gives names such as `file:x?vfs=y` and `:memory:` a meaning of their own, absolute paths never.
    let absolute = std::path::absolute(path).map_err(|_| SinkError::CannotOpen { path: path.display().to_string() })?;
    let open = || {
        let connection = Connection::open_with_flags(&absolute, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(waited)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // A misspelt column in double quotes is an error, not a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        // The first read of the file; before it SQLite doesn't know whether it is a database.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok(connection)
    };
    match open() {
        Ok(connection) => Ok((connection, absolute)),
        Err(error) => Err(failed(&absolute, waited, &error)),
    }
}

/// Whether there is a bookkeeping table; one of other columns is an error.
fn has_runs_table(connection: &Connection, path: &Path, waited: Duration) -> Result<bool, SinkError> {
    match existing::find(connection, RUNS_TABLE) {
        Ok(None) => Ok(false),
        Ok(Some(_)) => check_runs_table(connection, path, waited).map(|()| true),
        Err(error) => Err(failed(path, waited, &error)),
    }
}

fn check_runs_table(connection: &Connection, path: &Path, waited: Duration) -> Result<(), SinkError> {
    let columns = existing::columns(connection, RUNS_TABLE).map_err(|error| failed(path, waited, &error))?;
    let found: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.declared.as_str())).collect();
    let expected =
        [("run", "TEXT"), ("dataset", "TEXT"), ("commit_ordinal", "INTEGER"), ("rows", "INTEGER"), ("record", "TEXT")];
    if found == expected { Ok(()) } else { Err(SinkError::Bookkeeping) }
}

const RUN_COLUMNS: &str = "SELECT run, dataset, commit_ordinal, rows, record FROM lockgate_runs";

fn committed(
    connection: &Connection,
    run: &RunId,
    path: &Path,
    waited: Duration,
) -> Result<Option<CommittedRun>, SinkError> {
    let sql = format!("{RUN_COLUMNS} WHERE run = ?1");
    let found = connection.query_row(&sql, [run.as_str()], |row| Ok(committed_run(row))).optional();
    found.map_err(|error| failed(path, waited, &error))?.transpose()
}

fn commits(
    connection: &Connection,
    dataset: &DatasetName,
    path: &Path,
    waited: Duration,
) -> Result<Vec<CommittedRun>, SinkError> {
    let sql = format!("{RUN_COLUMNS} WHERE dataset = ?1 ORDER BY commit_ordinal");
    let read = || {
        let mut statement = connection.prepare(&sql)?;
        statement.query_map([dataset.as_str()], |row| Ok(committed_run(row)))?.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|error| failed(path, waited, &error))?.into_iter().collect()
}

/// Reads a bookkeeping row; one that Lockgate could not have written is an error.
fn committed_run(row: &Row<'_>) -> Result<CommittedRun, SinkError> {
    let text = |index| row.get::<_, String>(index).ok();
    let read = || {
        Some(CommittedRun {
            run: text(0)?.parse().ok()?,
            dataset: text(1)?.parse().ok()?,
            commit_ordinal: InputOrdinal::new(row.get(2).ok()?).ok()?,
            rows: u64::try_from(row.get::<_, i64>(3).ok()?).ok()?,
            record: text(4)?,
        })
    };
    read().ok_or(SinkError::Bookkeeping)
}

/// The ordinal after every one that the bookkeeping, or a row of the table, has.
fn next_ordinal(connection: &Connection, dataset: &DatasetName) -> rusqlite::Result<u32> {
    let sql = "SELECT max(commit_ordinal) FROM lockgate_runs WHERE dataset = ?1";
    let last: Option<u32> = connection.query_row(sql, [dataset.as_str()], |row| row.get(0))?;
    if let Some(last) = last {
        return Ok(last.saturating_add(1));
    }
    // A table whose bookkeeping was lost: its row ids must not be given to other rows.
    let sql = format!("SELECT max({}) FROM {}", quoted(ROW_ID_COLUMN), quoted(dataset.as_str()));
    let last: Option<i64> = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(last.and_then(|bits| RowId::from_i64(bits).ok()).map_or(0, |row_id| row_id.input().get().saturating_add(1)))
}

#[cfg(test)]
mod tests;
