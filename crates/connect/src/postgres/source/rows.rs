//! The rows of a table in batches; what does not fit its column is set aside with its number.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use futures::TryStreamExt;
use lockgate_model::ValueType;
use serde_json::{Map, Value};
use tokio_postgres::binary_copy::BinaryCopyOutRow;

use super::described::FoundColumn;
use super::{RowDigest, Rows, SOURCE_BATCH_BYTES_MAX, SourceRead, TableDigest, text};
use crate::arrow_type::schema_of;
use crate::column_builder::ColumnBuilder;
use crate::postgres::error::{PostgresError, failed};
use crate::postgres::server::Session;
use crate::{BrokenRecord, RecordPosition, SourceBatch, SourceColumn};

/// Reads the rows of a table, a batch at a time.
pub struct PostgresRows {
    session: Session,
    rows: Rows,
    digest: RowDigest,
    columns: Vec<ReadColumn>,
    schema: SchemaRef,
    ended: bool,
}

/// A column, and where its values stand in a row.
struct ReadColumn {
    declared: SourceColumn,
    form: Form,
    at: usize,
}

/// How the text of a value becomes one that readers of files take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsIs,
    /// An instant, told in UTC with its offset `+00`.
    Instant,
    /// A single-precision number, whose shortest text is not its value in double precision.
    Single,
}

impl PostgresRows {
    pub(super) fn new(
        session: Session,
        rows: Rows,
        digest: RowDigest,
        read: &SourceRead,
        columns: &[SourceColumn],
        found: &[FoundColumn],
    ) -> Result<Self, PostgresError> {
        let read_column = |column: &SourceColumn| {
            let base = found.iter().find(|found| found.name == column.name.as_str()).map_or("", |found| &found.base);
            let form = match (column.value_type, base) {
                (ValueType::Timestamp, "timestamptz") => Form::Instant,
                (ValueType::Double, "float4") => Form::Single,
                (_, _) => Form::AsIs,
            };
            let at = read.columns.iter().position(|name| *name == column.name);
            let at =
                at.ok_or_else(|| PostgresError::SourceBatch { reason: format!("`{}` was not read", column.name) })?;
            Ok::<_, PostgresError>(ReadColumn { declared: column.clone(), form, at })
        };
        Ok(Self {
            schema: schema_of(columns.iter().map(|column| (&column.name, column.value_type))),
            columns: columns.iter().map(read_column).collect::<Result<_, _>>()?,
            session,
            rows,
            digest,
            ended: false,
        })
    }

    /// The next rows: at most `max_rows`, and no more once they have [`SOURCE_BATCH_BYTES_MAX`] bytes; `None` at the end.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<SourceBatch>, PostgresError> {
        if self.ended {
            return Ok(None);
        }
        let mut batch = Batch::new(&self.columns);
        let (rows, digest, columns) = (&mut self.rows, &mut self.digest, &self.columns);
        let reading = async {
            while batch.rows() < max_rows && batch.bytes < SOURCE_BATCH_BYTES_MAX {
                let Some(row) = rows.try_next().await.map_err(|error| failed(&error))? else {
                    return Ok::<_, PostgresError>(true);
                };
                let number = digest.rows;
                batch.bytes += digest.add(&row)?;
                batch.push(columns, &row, number)?;
            }
            Ok(false)
        };
        self.ended |= self.session.wait(reading)?;
        if batch.rows() == 0 {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = batch.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let count = RecordBatchOptions::new().with_row_count(Some(batch.positions.len()));
        let columns = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &count)
            .map_err(|error| PostgresError::SourceBatch { reason: error.to_string() })?;
        Ok(Some(SourceBatch { columns, positions: batch.positions, broken: batch.broken }))
    }

    /// The bytes of the values that were read so far.
    pub fn bytes(&self) -> u64 {
        self.digest.bytes
    }

    /// What was read so far; at the end it must be what was digested before.
    pub fn digest(&self) -> TableDigest {
        self.digest.so_far()
    }
}

impl Drop for PostgresRows {
    fn drop(&mut self) {
        // The server would go on sending what nobody takes.
        if !self.ended {
            self.session.abandon();
        }
    }
}

struct Batch {
    builders: Vec<ColumnBuilder>,
    positions: Vec<RecordPosition>,
    broken: Vec<BrokenRecord>,
    bytes: usize,
}

impl Batch {
    fn new(columns: &[ReadColumn]) -> Self {
        let builders = columns.iter().map(|column| ColumnBuilder::new(column.declared.value_type)).collect();
        Self { builders, positions: Vec::new(), broken: Vec::new(), bytes: 0 }
    }

    fn rows(&self) -> usize {
        self.positions.len() + self.broken.len()
    }

    fn push(&mut self, columns: &[ReadColumn], row: &BinaryCopyOutRow, number: u64) -> Result<(), PostgresError> {
        let position = RecordPosition { row: number, line: None };
        let value = |column: &ReadColumn| Ok(text(row, column.at)?.map(|text| formed(column.form, text)));
        let values = columns.iter().map(value).collect::<Result<Vec<Option<Cow<'_, str>>>, PostgresError>>()?;
        let mut cells = columns.iter().zip(&mut self.builders).zip(&values);
        let staged = cells.try_for_each(|((column, builder), value)| column.declared.stage(builder, value.as_deref()));
        match staged {
            Ok(()) => {
                let cells = self.builders.iter_mut().zip(&values);
                cells.for_each(|(builder, value)| builder.append(value.as_deref().unwrap_or_default()));
                self.positions.push(position);
            }
            Err(reason) => self.broken.push(BrokenRecord { position, reason, raw: raw(columns, &values) }),
        }
        Ok(())
    }
}

fn formed(form: Form, text: &str) -> Cow<'_, str> {
    match form {
        Form::AsIs => text.into(),
        Form::Instant => text.strip_suffix("+00").unwrap_or(text).into(),
        Form::Single => match text.parse::<f32>() {
            Ok(single) if single.is_finite() => f64::from(single).to_string().into(),
            Ok(_) | Err(_) => text.into(),
        },
    }
}

/// A row as a line of JSON, which is how a later run takes it again.
fn raw(columns: &[ReadColumn], values: &[Option<Cow<'_, str>>]) -> Vec<u8> {
    let value = |value: &Option<Cow<'_, str>>| match value {
        Some(text) => Value::String(text.clone().into_owned()),
        None => Value::Null,
    };
    let members = columns.iter().zip(values).map(|(column, text)| (column.declared.name.to_string(), value(text)));
    Value::Object(members.collect::<Map<_, _>>()).to_string().into_bytes()
}
