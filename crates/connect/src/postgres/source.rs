//! A table that others write, read as of one moment: the rows in the order of a key, each as text, digested before any is
//! used.
//!
//! ```text
//! REPEATABLE READ, READ ONLY ─► export its snapshot ─► digest every row ─► nothing new? done
//!                                     │                                    else
//!                                     └─► each reader: a connection of its own with that snapshot ─► rows, digest again
//! ```
//! What others commit meanwhile is seen by neither pass. A table whose rows have no order that stays (no primary key, and
//! none declared), rows that the server hides from the role, and relations that no snapshot covers are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use lockgate_crypto::Sha256Hasher;
use lockgate_model::{ColumnName, Sha256Digest};
use lockgate_project::SourceTableName;
use tokio_postgres::binary_copy::{BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::error::SqlState;

use super::error::{PostgresError, failed};
use super::server::{PostgresServer, Session};
use crate::SourceColumn;
use described::FoundColumn;
use query::Query;

pub use problem::{SourceDifference, SourceProblem};
pub use rows::PostgresRows;

mod described;
mod problem;
mod query;
mod rows;

/// The longest row, in bytes of its values as text; one that is longer is not fetched, and fails the run.
pub const SOURCE_ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many bytes of values are handed out at once; the row that reaches them is the last of its batch.
pub const SOURCE_BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The settings on which the texts of values depend, and what keeps the snapshot.
const SETTINGS: &str = "SET LOCAL search_path = pg_catalog; SET LOCAL extra_float_digits = 3; \
                        SET LOCAL bytea_output = 'hex'; SET LOCAL IntervalStyle = 'iso_8601'; \
                        SET LOCAL idle_in_transaction_session_timeout = 0";

/// Which rows of which columns of a table are read, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRead {
    /// The table.
    pub table: SourceTableName,
    /// The columns.
    pub columns: Vec<ColumnName>,
    /// The columns that put the rows in order; empty for those of the primary key.
    pub key: Vec<ColumnName>,
}

/// The key of a row: a text, or nothing for null, for each of its columns.
pub type RowKey = Vec<Option<String>>;

/// What a digest of a table's rows found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDigest {
    /// Of the rows in their order, each value as text.
    pub sha256: Sha256Digest,
    /// How many rows there are.
    pub rows: u64,
    /// The bytes of their values as text.
    pub bytes: u64,
}

/// A table as of one moment, for as long as this is held: the transaction that it is seen in stays open.
pub struct PostgresSource {
    server: PostgresServer,
    session: Session,
    read: SourceRead,
    columns: Vec<FoundColumn>,
    query: Arc<Query>,
    snapshot: String,
    exported: String,
}

impl std::fmt::Debug for PostgresSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSource").field("read", &self.read).finish_non_exhaustive()
    }
}

impl PostgresSource {
    /// Connects, begins the transaction and looks at the table.
    ///
    /// Fails, with what there is to do about it, where the table or a column is not there, where the role may not read it or
    /// does not see all rows, and where nothing puts the rows in an order that stays.
    pub fn open(server: &PostgresServer, read: SourceRead) -> Result<Self, PostgresError> {
        let session = server.connect()?;
        session.execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {SETTINGS}"))?;
        let moment = session.query_one("SELECT txid_current_snapshot()::text, pg_export_snapshot()", &[])?;
        let text = |at: usize| moment.try_get::<_, String>(at).map_err(|error| failed(&error));
        let (snapshot, exported) = (text(0)?, text(1)?);
        let found = described::describe(&session, &read)?;
        let read = SourceRead { key: found.key, ..read };
        let query = Arc::new(Query::new(&read, &found.columns));
        Ok(Self { server: server.clone(), session, read, columns: found.columns, query, snapshot, exported })
    }

    /// What is read; the key is the primary key's where none was given.
    pub fn read(&self) -> &SourceRead {
        &self.read
    }

    /// The server, as `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.server.database
    }

    /// The moment: which transactions are seen, in PostgreSQL's form `XMIN:XMAX:XIP_LIST`.
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// Compares the types that a catalog declares with the table's; fails with everything that does not fit.
    pub fn check_types(&self, declared: &[SourceColumn]) -> Result<(), PostgresError> {
        let differences: Vec<_> =
            declared.iter().filter_map(|column| described::misfit(column, &self.columns)).collect();
        match differences.is_empty() {
            true => Ok(()),
            false => Err(SourceProblem::Differs { table: self.read.table.clone(), differences }.into()),
        }
    }

    /// Reads every row and keeps none.
    ///
    /// Fails also where two rows have one key, so that their order is not told, and on a row of more than
    /// [`SOURCE_ROW_BYTES_MAX`].
    pub fn digest(&self) -> Result<TableDigest, PostgresError> {
        let mut digest = RowDigest::new(&self.read, &self.query);
        let mut rows = start(&self.session, &self.read, &self.query)?;
        let all = async {
            while let Some(row) = rows.try_next().await.map_err(|error| failed(&error))? {
                digest.add(&row)?;
            }
            Ok::<_, PostgresError>(())
        };
        self.session.wait(all)?;
        Ok(digest.so_far())
    }

    /// Begins to read the rows on a connection of its own, as of the same moment.
    pub fn rows(&self, columns: &[SourceColumn]) -> Result<PostgresRows, PostgresError> {
        let session = self.server.connect()?;
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let as_of = session.execute(&format!("SET TRANSACTION SNAPSHOT '{}'", self.exported));
        as_of.map_err(|error| match error {
            // The states of a snapshot that is not there any more.
            PostgresError::Conversion { .. } | PostgresError::Failed { .. } => {
                SourceProblem::MomentGone { table: self.read.table.clone() }.into()
            }
            other => other,
        })?;
        session.execute(SETTINGS)?;
        let stream = start(&session, &self.read, &self.query)?;
        let digest = RowDigest::new(&self.read, &self.query);
        PostgresRows::new(session, stream, digest, &self.read, columns, &self.columns)
    }

    /// The keys of some rows, by their zero-based numbers.
    pub fn keys(&self, rows: &[u64]) -> Result<BTreeMap<u64, RowKey>, PostgresError> {
        let wanted: Vec<i64> = rows.iter().filter_map(|row| i64::try_from(*row).ok()).collect();
        let found = self.session.query(&self.query.keys, &[&wanted])?;
        let key = |row: &tokio_postgres::Row| -> Result<_, tokio_postgres::Error> {
            let texts = (0..self.read.key.len()).map(|at| row.try_get(at + 1)).collect::<Result<_, _>>()?;
            Ok((u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default(), texts))
        };
        found.iter().map(|row| key(row).map_err(|error| failed(&error))).collect()
    }
}

type Rows = std::pin::Pin<Box<BinaryCopyOutStream>>;

fn start(session: &Session, read: &SourceRead, query: &Query) -> Result<Rows, PostgresError> {
    let copying = session.wait(session.client.copy_out(&query.copy)).map_err(|error| match error.code() {
        // No operator puts values of a type in order, such as json.
        Some(&SqlState::UNDEFINED_FUNCTION) => SourceProblem::KeyWithoutOrder { table: read.table.clone() }.into(),
        _ => failed(&error),
    })?;
    Ok(Box::pin(BinaryCopyOutStream::new(copying, &query.types)))
}

/// The SHA-256 of rows: `lockgate table 1`, LF, the names of columns and key as JSON, LF; then for each row each value, as its
/// length in four bytes, most significant first, and its text; for null four bytes of ones.
struct RowDigest {
    table: SourceTableName,
    query: Arc<Query>,
    hasher: Sha256Hasher,
    rows: u64,
    bytes: u64,
    last_key: Option<RowKey>,
}

impl RowDigest {
    fn new(read: &SourceRead, query: &Arc<Query>) -> Self {
        let mut hasher = Sha256Hasher::new();
        let names = serde_json::json!({ "columns": read.columns, "key": read.key });
        hasher.update(format!("lockgate table 1\n{names}\n").as_bytes());
        Self { table: read.table.clone(), query: Arc::clone(query), hasher, rows: 0, bytes: 0, last_key: None }
    }

    /// Adds the next row; gives its bytes.
    fn add(&mut self, row: &BinaryCopyOutRow) -> Result<usize, PostgresError> {
        let bytes: i64 = row.try_get(0).map_err(|error| failed(&error))?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes > SOURCE_ROW_BYTES_MAX {
            return Err(SourceProblem::RowTooLong { table: self.table.clone(), row: self.rows, bytes }.into());
        }
        for column in 0..self.query.columns {
            match text(row, column)? {
                Some(text) => {
                    // A row is at most as long as above.
                    self.hasher.update(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    self.hasher.update(text.as_bytes());
                }
                None => self.hasher.update(&u32::MAX.to_be_bytes()),
            }
        }
        let key = self.query.key.iter().map(|column| text(row, *column).map(|text| text.map(str::to_owned)));
        let key = key.collect::<Result<RowKey, _>>()?;
        if self.last_key.as_ref() == Some(&key) {
            return Err(SourceProblem::KeyNotUnique { table: self.table.clone(), row: self.rows }.into());
        }
        self.last_key = Some(key);
        self.rows += 1;
        self.bytes += bytes as u64;
        Ok(bytes)
    }

    fn so_far(&self) -> TableDigest {
        TableDigest { sha256: self.hasher.clone().finish(), rows: self.rows, bytes: self.bytes }
    }
}

/// A value of a row; its first one is its size.
fn text(row: &BinaryCopyOutRow, column: usize) -> Result<Option<&str>, PostgresError> {
    row.try_get(column + 1).map_err(|error| failed(&error))
}
