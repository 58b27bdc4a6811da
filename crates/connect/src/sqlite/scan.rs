//! A table's rows as batches: each value is of its column's type, or the scan fails.

use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use lockgate_model::{DatasetName, RowId, ValueType};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use super::BUSY_TIMEOUT;
use super::error::{SinkError, failed};
use super::spec::{ROW_ID_COLUMN, SinkColumn};
use super::statements::quoted;
use super::table::row_id_of;
use crate::arrow_type::schema_of;
use crate::column_builder::ColumnBuilder;

/// A batch ends with the row that makes it this long, in bytes of its texts.
pub const SCAN_BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads a table in batches, inside one read transaction.
pub struct Scan<'a> {
    transaction: Transaction<'a>,
    path: PathBuf,
    dataset: DatasetName,
    columns: Vec<SinkColumn>,
    schema: SchemaRef,
    sql: String,
    max_rows: usize,
    /// SQLite's own number of the first row that was not read; `None` at the end.
    next: Option<i64>,
}

/// Some rows of a table.
#[derive(Debug, Clone)]
pub struct ScannedBatch {
    /// The columns that were asked for.
    pub columns: RecordBatch,
    /// The id of each row.
    pub row_ids: Vec<RowId>,
}

impl<'a> Scan<'a> {
    pub(super) fn begin(
        connection: &'a mut Connection,
        path: &Path,
        dataset: &DatasetName,
        columns: Vec<SinkColumn>,
        place: &str,
        max_rows: usize,
    ) -> Result<Self, SinkError> {
        let names: String = columns.iter().map(|column| format!(", {}", quoted(column.name.as_str()))).collect();
        let (row_id, table) = (quoted(ROW_ID_COLUMN), quoted(dataset.as_str()));
        let sql = format!("SELECT {place}, {row_id}{names} FROM {table} WHERE {place} >= ?1 ORDER BY {place} LIMIT ?2");
        let transaction = Transaction::new(connection, TransactionBehavior::Deferred)
            .map_err(|error| failed(path, BUSY_TIMEOUT, &error))?;
        Ok(Self {
            transaction,
            path: path.to_owned(),
            dataset: dataset.clone(),
            schema: schema_of(columns.iter().map(|column| (&column.name, column.value_type))),
            columns,
            sql,
            max_rows: max_rows.max(1),
            next: Some(i64::MIN),
        })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(&mut self, from: i64) -> Result<Option<ScannedBatch>, SinkError> {
        let unreadable = |error: rusqlite::Error| failed(&self.path, BUSY_TIMEOUT, &error);
        let mut builders: Vec<_> = self.columns.iter().map(|column| ColumnBuilder::new(column.value_type)).collect();
        let (mut row_ids, mut bytes, mut last) = (Vec::new(), 0, None);
        let mut statement = self.transaction.prepare_cached(&self.sql).map_err(unreadable)?;
        let limit = i64::try_from(self.max_rows).unwrap_or(i64::MAX);
        let mut rows = statement.query((from, limit)).map_err(unreadable)?;
        while bytes < SCAN_BATCH_BYTES_MAX {
            let Some(row) = rows.next().map_err(unreadable)? else { break };
            last = Some(row.get::<_, i64>(0).map_err(unreadable)?);
            let row_id = row_id_of(row.get_ref(1).map_err(unreadable)?, &self.dataset)?;
            bytes += append(row, &self.columns, &mut builders).map_err(|failure| match failure {
                AppendFailure::Sqlite(error) => unreadable(error),
                AppendFailure::Type(column) => SinkError::Cell {
                    dataset: self.dataset.clone(),
                    column: column.name.to_string(),
                    expected: column.value_type.to_string(),
                    row_id: Some(row_id),
                },
            })?;
            row_ids.push(row_id);
        }
        let Some(last) = last else { return Ok(None) };
        self.next = last.checked_add(1);
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let count = RecordBatchOptions::new().with_row_count(Some(row_ids.len()));
        let columns = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &count)
            .map_err(|error| SinkError::Batch { dataset: self.dataset.clone(), reason: error.to_string() })?;
        Ok(Some(ScannedBatch { columns, row_ids }))
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<ScannedBatch, SinkError>;

    /// The next rows; after an error there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        let from = self.next.take()?;
        self.read(from).transpose()
    }
}

enum AppendFailure<'a> {
    Sqlite(rusqlite::Error),
    Type(&'a SinkColumn),
}

/// Adds a row to the columns; gives the bytes of its texts.
fn append<'a>(
    row: &Row<'_>,
    columns: &'a [SinkColumn],
    builders: &mut [ColumnBuilder],
) -> Result<usize, AppendFailure<'a>> {
    let mut bytes = 0;
    for (index, (column, builder)) in columns.iter().zip(builders).enumerate() {
        let fits = match row.get_ref(index + 2).map_err(AppendFailure::Sqlite)? {
            ValueRef::Null => {
                let staged = builder.stage(None);
                builder.append("");
                staged
            }
            ValueRef::Integer(number) => builder.append_integer(number),
            ValueRef::Real(number) => builder.append_double(number),
            ValueRef::Text(text) => {
                bytes += text.len();
                append_text(text, column.value_type, builder)
            }
            ValueRef::Blob(_) => false,
        };
        if !fits {
            return Err(AppendFailure::Type(column));
        }
    }
    Ok(bytes)
}

/// Adds a text to a column whose values SQLite keeps as text.
fn append_text(text: &[u8], value_type: ValueType, builder: &mut ColumnBuilder) -> bool {
    let is_text = match value_type {
        ValueType::Text | ValueType::Decimal { .. } | ValueType::Date | ValueType::Timestamp => true,
        ValueType::BigInt | ValueType::Integer | ValueType::Double | ValueType::Boolean => false,
    };
    match str::from_utf8(text) {
        Ok(text) if is_text && builder.stage(Some(text)) => {
            builder.append(text);
            true
        }
        Ok(_) | Err(_) => false,
    }
}
