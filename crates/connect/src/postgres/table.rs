//! A table read back: nothing that is done here can change the database.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use lockgate_model::{ColumnName, DatasetName, RowId, ValueType};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::error::{PostgresError, failed};
use super::existing::{self, ExistingColumn};
use super::server::{PostgresServer, Session};
use super::statements::{TableName, quoted};
use crate::arrow_type::schema_of;
use crate::column_builder::ColumnBuilder;
use crate::sqlite::{CONDITION_BYTES_MAX, CommittedRun, ROW_ID_COLUMN, SCAN_BATCH_BYTES_MAX, SELECTED_ROWS_MAX};
use crate::{ScannedBatch, SinkColumn, condition};

/// Rows that are fetched at once.
const FETCHED_ROWS: usize = 1_000;
/// How long a condition may take to compute.
const CONDITION_TIMEOUT: &str = "SET LOCAL statement_timeout = '60s'";

/// One table that Lockgate wrote, opened for reading only.
pub struct PostgresTable {
    session: Session,
    table: TableName,
    dataset: DatasetName,
    columns: Vec<SinkColumn>,
}

impl PostgresTable {
    /// Connects, and reads what the table is; fails if there is none, or if it has no row ids.
    pub fn open(server: &PostgresServer, dataset: &DatasetName) -> Result<Self, PostgresError> {
        let table = TableName::new(dataset)?;
        let session = server.connect()?;
        let no_table = || PostgresError::NoTable { dataset: dataset.clone() };
        let found = existing::columns(&session, &table)?.ok_or_else(no_table)?;
        if !found.iter().any(|column| column.name == ROW_ID_COLUMN && column.declared == "bigint") {
            return Err(no_table());
        }
        let readable = |column: &ExistingColumn| {
            let name = column.name.parse().ok().filter(|_| column.name != ROW_ID_COLUMN)?;
            Some(SinkColumn { name, value_type: value_type_of(&column.declared) })
        };
        let columns = found.iter().filter_map(readable).collect();
        Ok(Self { session, table, dataset: dataset.clone(), columns })
    }

    /// The columns in the table's order, without the row id. One of a type that Lockgate does not have is read as text.
    pub fn columns(&self) -> &[SinkColumn] {
        &self.columns
    }

    /// The commits of the dataset, first to last.
    pub fn commits(&self) -> Result<Vec<CommittedRun>, PostgresError> {
        super::commits(&self.session, &self.table, &self.dataset)
    }

    /// The ids of the rows for which an SQL expression holds, rising; of all rows without one. It is computed in a
    /// transaction that may not write, with the rights of the role that the project connects as.
    pub fn select_row_ids(&mut self, condition: Option<&str>) -> Result<Vec<RowId>, PostgresError> {
        let expression = condition.unwrap_or("true");
        let refused = |reason: String| PostgresError::Condition { expression: expression.to_owned(), reason };
        if expression.len() > CONDITION_BYTES_MAX {
            let expression = format!("{} …", expression.chars().take(40).collect::<String>());
            let reason = format!("it is longer than {CONDITION_BYTES_MAX} bytes");
            return Err(PostgresError::Condition { expression, reason });
        }
        condition::check(expression).map_err(|reason| refused(reason.to_owned()))?;
        if expression.contains('\\') {
            // In some of PostgreSQL's texts it takes a quote its meaning.
            return Err(refused("a backslash is not allowed in it".to_owned()));
        }
        let row_id = quoted(ROW_ID_COLUMN);
        let sql = format!(
            "SELECT {row_id} FROM {} WHERE ({expression}) ORDER BY {row_id} LIMIT {}",
            self.table.quoted(),
            SELECTED_ROWS_MAX + 1
        );
        self.session.execute("BEGIN TRANSACTION READ ONLY")?;
        self.session.execute(CONDITION_TIMEOUT)?;
        // The extended protocol takes one statement and no more.
        let rows = self.session.wait(self.session.client.query(&sql, &[])).map_err(|error| match error.as_db_error() {
            // What PostgreSQL says of a text that it can't prepare names parts of that text; what it says while it
            // computes could repeat a value.
            Some(db) if db.code().code().starts_with("42") => refused(db.message().to_owned()),
            Some(_) => refused("it can't be computed for every row".to_owned()),
            None => failed(&error),
        });
        self.session.execute("ROLLBACK")?;
        let rows = rows?;
        if rows.len() > SELECTED_ROWS_MAX {
            let expression = expression.to_owned();
            return Err(PostgresError::TooManyRows { expression, most: SELECTED_ROWS_MAX });
        }
        let row_id = |row: &tokio_postgres::Row| {
            let bits: i64 = row.try_get(0).map_err(|_| self.no_row_id())?;
            RowId::from_i64(bits).map_err(|_| self.no_row_id())
        };
        rows.iter().map(row_id).collect()
    }

    /// Reads the named columns, batch by batch of at most `max_rows`, all as of one moment.
    pub fn scan(&mut self, columns: &[ColumnName], max_rows: usize) -> Result<PostgresScan<'_>, PostgresError> {
        let mut wanted = Vec::with_capacity(columns.len());
        for name in columns {
            let column = self.columns.iter().find(|column| column.name == *name);
            wanted.push(
                column.cloned().ok_or_else(|| PostgresError::NoColumn {
                    dataset: self.dataset.clone(),
                    column: name.to_string(),
                })?,
            );
        }
        let values: String = wanted.iter().map(|column| format!(", {}", read(column))).collect();
        let select = format!("SELECT {}{values} FROM {}", quoted(ROW_ID_COLUMN), self.table.quoted());
        self.session.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        self.session.execute(&format!("DECLARE lockgate_rows NO SCROLL CURSOR FOR {select}"))?;
        Ok(PostgresScan {
            schema: schema_of(wanted.iter().map(|column| (&column.name, column.value_type))),
            table: self,
            columns: wanted,
            max_rows: max_rows.max(1),
            ended: false,
        })
    }

    fn no_row_id(&self) -> PostgresError {
        self.cell(ROW_ID_COLUMN, "row id")
    }

    fn cell(&self, column: &str, expected: &str) -> PostgresError {
        let (column, expected) = (column.to_owned(), expected.to_owned());
        PostgresError::Cell { dataset: self.dataset.clone(), column, expected }
    }
}

/// Reads a table in batches, inside one read transaction.
pub struct PostgresScan<'a> {
    table: &'a PostgresTable,
    columns: Vec<SinkColumn>,
    schema: SchemaRef,
    max_rows: usize,
    ended: bool,
}

impl PostgresScan<'_> {
    fn read(&mut self) -> Result<Option<ScannedBatch>, PostgresError> {
        let mut builders: Vec<_> = self.columns.iter().map(|column| ColumnBuilder::new(column.value_type)).collect();
        let (mut row_ids, mut bytes) = (Vec::new(), 0);
        while row_ids.len() < self.max_rows && bytes < SCAN_BATCH_BYTES_MAX && !self.ended {
            let wanted = FETCHED_ROWS.min(self.max_rows - row_ids.len());
            let session = &self.table.session;
            let fetched = session.wait(session.client.simple_query(&format!("FETCH {wanted} FROM lockgate_rows")));
            let mut rows = 0;
            for message in fetched.map_err(|error| failed(&error))? {
                let SimpleQueryMessage::Row(row) = message else { continue };
                rows += 1;
                row_ids.push(self.row_id(&row)?);
                bytes += self.append(&row, &mut builders)?;
            }
            self.ended = rows < wanted;
        }
        if row_ids.is_empty() {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let count = RecordBatchOptions::new().with_row_count(Some(row_ids.len()));
        let columns = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &count)
            .map_err(|error| PostgresError::Batch { dataset: self.table.dataset.clone(), reason: error.to_string() })?;
        Ok(Some(ScannedBatch { columns, row_ids }))
    }

    fn row_id(&self, row: &SimpleQueryRow) -> Result<RowId, PostgresError> {
        let bits = row.try_get(0).ok().flatten().and_then(|text| text.parse().ok());
        bits.and_then(|bits| RowId::from_i64(bits).ok()).ok_or_else(|| self.table.no_row_id())
    }

    /// Adds a row; gives the bytes of its texts.
    fn append(&self, row: &SimpleQueryRow, builders: &mut [ColumnBuilder]) -> Result<usize, PostgresError> {
        let mut bytes = 0;
        for (index, (column, builder)) in self.columns.iter().zip(builders).enumerate() {
            let text = row.try_get(index + 1).map_err(|error| failed(&error))?;
            if !builder.stage(text) {
                return Err(self.table.cell(column.name.as_str(), &column.value_type.to_string()));
            }
            builder.append(text.unwrap_or_default());
            bytes += text.map_or(0, str::len);
        }
        Ok(bytes)
    }
}

impl Iterator for PostgresScan<'_> {
    type Item = Result<ScannedBatch, PostgresError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read();
        self.ended |= read.is_err();
        read.transpose()
    }
}

impl Drop for PostgresScan<'_> {
    fn drop(&mut self) {
        // It closes the cursor; where it fails the connection is gone anyway.
        let _ = self.table.session.execute("ROLLBACK");
    }
}

/// A column as the text that the readers of files take.
fn read(column: &SinkColumn) -> String {
    let name = quoted(column.name.as_str());
    match column.value_type {
        // With the session's time zone it is UTC, and without an offset it is read as that.
        ValueType::Timestamp => format!("({name} AT TIME ZONE 'UTC')::text"),
        ValueType::Text
        | ValueType::BigInt
        | ValueType::Integer
        | ValueType::Double
        | ValueType::Decimal { .. }
        | ValueType::Boolean
        | ValueType::Date => format!("{name}::text"),
    }
}

/// The type that a column is read as; text where Lockgate does not have its own.
fn value_type_of(declared: &str) -> ValueType {
    match declared {
        "bigint" => ValueType::BigInt,
        "integer" | "smallint" => ValueType::Integer,
        "double precision" | "real" => ValueType::Double,
        "boolean" => ValueType::Boolean,
        "date" => ValueType::Date,
        "timestamp with time zone" => ValueType::Timestamp,
        other => match other.strip_prefix("numeric(").and_then(|rest| format!("decimal({rest}").parse().ok()) {
            Some(decimal) => decimal,
            None => ValueType::Text,
        },
    }
}
