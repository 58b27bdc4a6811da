//! What every reader of files takes and gives: declared columns, batches with positions, records that were set aside.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use lockgate_model::{ColumnName, ValueFormat, ValueType};

use crate::column_builder::ColumnBuilder;
use crate::text_error::{BreakReason, TextFileError};

/// A column that the catalog declares for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name, as in the file.
    pub name: ColumnName,
    /// The type of its values.
    pub value_type: ValueType,
    /// Whether a value may be absent; where not, a record without it is broken.
    pub nullable: bool,
    /// How its values are written, where that is not the usual way.
    pub format: Option<ValueFormat>,
}

impl SourceColumn {
    /// Why a record is broken whose value is not of the column's type.
    pub(crate) fn not_of_type(&self) -> BreakReason {
        BreakReason::Type { column: self.name.clone(), value_type: self.value_type }
    }

    /// Takes the value of the record at hand, `None` for null, or says why the record is broken.
    pub(crate) fn stage(&self, builder: &mut ColumnBuilder, value: Option<&str>) -> Result<(), BreakReason> {
        if !self.nullable && value.is_none() {
            return Err(BreakReason::Absent { column: self.name.clone() });
        }
        match builder.stage(value) {
            true => Ok(()),
            false => Err(self.not_of_type()),
        }
    }
}

/// Where a record stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordPosition {
    /// Zero-based among the data records of the file, broken ones counted.
    pub row: u64,
    /// The one-based line on which it begins; absent in a format without lines. LF, CRLF and CR each end a line, also
    /// inside quotes.
    pub line: Option<u64>,
}

/// A record that is in no batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRecord {
    /// Where it stands.
    pub position: RecordPosition,
    /// Why it was set aside.
    pub reason: BreakReason,
    /// Its bytes exactly as in the file, without the line's end.
    pub raw: Vec<u8>,
}

/// Some records of a file, in the file's order.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// The declared columns, in the order in which they were declared.
    pub columns: RecordBatch,
    /// The position of each row of `columns`.
    pub positions: Vec<RecordPosition>,
    /// The records between them that could not be read.
    pub broken: Vec<BrokenRecord>,
}

impl SourceBatch {
    /// The records of a text file up to `line`; `None` where there are none.
    pub(crate) fn of_text(
        schema: &SchemaRef,
        arrays: Vec<ArrayRef>,
        positions: Vec<RecordPosition>,
        broken: Vec<BrokenRecord>,
        line: u64,
    ) -> Result<Option<Self>, TextFileError> {
        if positions.is_empty() && broken.is_empty() {
            return Ok(None);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(positions.len()));
        let columns = RecordBatch::try_new_with_options(schema.clone(), arrays, &rows)
            .map_err(|error| TextFileError::Batch { line, reason: error.to_string() })?;
        Ok(Some(Self { columns, positions, broken }))
    }
}
