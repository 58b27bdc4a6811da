//! A table read back: nothing that is done here can change the database.

use std::path::{Path, PathBuf};

use lockgate_model::{ColumnName, DatasetName, RowId, ValueType};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::error::{SinkError, failed};
use super::scan::Scan;
use super::spec::{ROW_ID_COLUMN, SinkColumn};
use super::statements::{quoted, value_type_of};
use super::{BUSY_TIMEOUT, CommittedRun, connect, existing, guard, has_runs_table};
use crate::condition;

/// The most rows that one condition may select.
pub const SELECTED_ROWS_MAX: usize = 1_000_000;
/// The longest condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 16 * 1024;

/// One table that Lockgate wrote, opened for reading only.
pub struct SqliteTable {
    connection: Connection,
    path: PathBuf,
    dataset: DatasetName,
    columns: Vec<SinkColumn>,
    others: Vec<String>,
}

impl SqliteTable {
    /// Opens the table of a dataset; fails if there is no such database or table, or if it has no row ids.
    pub fn open(path: &Path, dataset: &DatasetName) -> Result<Self, SinkError> {
        let (connection, path) = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY_TIMEOUT)?;
        let name = dataset.as_str();
        let read = || match existing::find(&connection, name)? {
            Some((kind, found)) if kind == "table" && found == name => existing::columns(&connection, name).map(Some),
            Some(_) | None => Ok(None),
        };
        let found = read().map_err(|error| failed(&path, BUSY_TIMEOUT, &error))?;
        let Some(found) = found else {
            return Err(SinkError::NoTable { path: path.display().to_string(), dataset: dataset.clone() });
        };
        let (mut columns, mut others, mut has_row_ids) = (Vec::new(), Vec::new(), false);
        for column in found {
            match (column.name.parse::<ColumnName>(), value_type_of(&column.declared)) {
                (_, Some(ValueType::BigInt)) if column.name == ROW_ID_COLUMN => has_row_ids = true,
                (Ok(name), Some(value_type)) => columns.push(SinkColumn { name, value_type }),
                (Ok(_) | Err(_), _) => others.push(column.name),
            }
        }
        if !has_row_ids {
            return Err(SinkError::NoColumn { dataset: dataset.clone(), column: ROW_ID_COLUMN.to_owned() });
        }
        Ok(Self { connection, path, dataset: dataset.clone(), columns, others })
    }

    /// The dataset.
    pub fn dataset(&self) -> &DatasetName {
        &self.dataset
    }

    /// The columns of the types that Lockgate writes, in the table's order, without the row id.
    pub fn columns(&self) -> &[SinkColumn] {
        &self.columns
    }

    /// The names of columns of other types, which can't be read here.
    pub fn other_columns(&self) -> &[String] {
        &self.others
    }

    /// The commits of the dataset, first to last.
    pub fn commits(&self) -> Result<Vec<CommittedRun>, SinkError> {
        match has_runs_table(&self.connection, &self.path, BUSY_TIMEOUT)? {
            true => super::commits(&self.connection, &self.dataset, &self.path, BUSY_TIMEOUT),
            false => Ok(Vec::new()),
        }
    }

    /// The ids of the rows for which an SQL expression of SQLite holds, rising; of all rows without one.
    ///
    /// The expression can read the columns of this table and call functions that compute from their arguments; a
    /// text in double quotes is a column. Fails on anything else, and beyond [`SELECTED_ROWS_MAX`] rows.
    pub fn select_row_ids(&mut self, condition: Option<&str>) -> Result<Vec<RowId>, SinkError> {
        self.select_at_most(condition, SELECTED_ROWS_MAX)
    }

    /// Reads the named columns, batch by batch of at most `max_rows` (at least one), in the order in which SQLite
    /// keeps the rows, all as of one moment.
    pub fn scan(&mut self, columns: &[ColumnName], max_rows: usize) -> Result<Scan<'_>, SinkError> {
        let mut wanted = Vec::with_capacity(columns.len());
        for name in columns {
            let column = self.columns.iter().find(|column| column.name == *name);
            wanted.push(column.cloned().ok_or_else(|| self.no_column(name.as_str()))?);
        }
        let taken = |alias: &str| {
            let names =
                self.columns.iter().map(|column| column.name.as_str()).chain(self.others.iter().map(String::as_str));
            names.into_iter().any(|name| name.eq_ignore_ascii_case(alias))
        };
        let place = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !taken(alias));
        let place = place.ok_or_else(|| self.no_column("rowid"))?;
        Scan::begin(&mut self.connection, &self.path, &self.dataset, wanted, place, max_rows)
    }

    fn no_column(&self, column: &str) -> SinkError {
        SinkError::NoColumn { dataset: self.dataset.clone(), column: column.to_owned() }
    }

    pub(super) fn select_at_most(&mut self, condition: Option<&str>, most: usize) -> Result<Vec<RowId>, SinkError> {
        let expression = condition.unwrap_or("1");
        let refused = |reason: String| SinkError::Condition { expression: expression.to_owned(), reason };
        if expression.len() > CONDITION_BYTES_MAX {
            let expression = format!("{} …", expression.chars().take(40).collect::<String>());
            let reason = format!("it is longer than {CONDITION_BYTES_MAX} bytes");
            return Err(SinkError::Condition { expression, reason });
        }
        condition::check(expression).map_err(|reason| refused(reason.to_owned()))?;
        let path = self.path.clone();
        let unreadable = |error: rusqlite::Error| failed(&path, BUSY_TIMEOUT, &error);
        guard::guard(&mut self.connection, self.dataset.as_str()).map_err(unreadable)?;
        let selected = self.select_guarded(expression, most);
        guard::unguard(&mut self.connection).map_err(unreadable)?;
        selected
    }

    fn select_guarded(&self, expression: &str, most: usize) -> Result<Vec<RowId>, SinkError> {
        let refused = |reason: String| SinkError::Condition { expression: expression.to_owned(), reason };
        let row_id = quoted(ROW_ID_COLUMN);
        let sql = format!("SELECT {row_id} FROM {} WHERE ({expression})", quoted(self.dataset.as_str()));
        let mut statement = self.connection.prepare(&sql).map_err(|error| match error {
            // What SQLite says of a text that it can't prepare names parts of that text.
            rusqlite::Error::SqlInputError { msg, .. } => refused(msg),
            rusqlite::Error::SqliteFailure(failure, Some(message)) if unusable(failure.code) => refused(message),
            other => failed(&self.path, BUSY_TIMEOUT, &other),
        })?;
        let mut rows = statement.query([]).map_err(|error| failed(&self.path, BUSY_TIMEOUT, &error))?;
        let mut selected = Vec::new();
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // What SQLite says while it computes could repeat a value, so it is not shown.
                Err(rusqlite::Error::SqliteFailure(failure, _)) if unusable(failure.code) => {
                    return Err(refused("it can't be computed for every row".to_owned()));
                }
                Err(other) => return Err(failed(&self.path, BUSY_TIMEOUT, &other)),
            };
            if selected.len() == most {
                return Err(SinkError::TooManyRows { expression: expression.to_owned(), most });
            }
            let value = row.get_ref(0).map_err(|error| failed(&self.path, BUSY_TIMEOUT, &error))?;
            selected.push(row_id_of(value, &self.dataset)?);
        }
        selected.sort_unstable();
        Ok(selected)
    }
}

/// The codes of an expression that is wrong, as opposed to a database that is.
fn unusable(code: rusqlite::ErrorCode) -> bool {
    use rusqlite::ErrorCode::{AuthorizationForStatementDenied, TooBig, TypeMismatch, Unknown};
    matches!(code, Unknown | AuthorizationForStatementDenied | TooBig | TypeMismatch)
}

/// Reads a stored row id.
pub(super) fn row_id_of(value: ValueRef<'_>, dataset: &DatasetName) -> Result<RowId, SinkError> {
    let row_id = match value {
        ValueRef::Integer(bits) => RowId::from_i64(bits).ok(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    };
    row_id.ok_or_else(|| SinkError::Cell {
        dataset: dataset.clone(),
        column: ROW_ID_COLUMN.to_owned(),
        expected: "row id".to_owned(),
        row_id: None,
    })
}
