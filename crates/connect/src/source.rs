//! What every reader of files takes and gives: declared columns, batches with positions, records that were set aside.

use arrow::record_batch::RecordBatch;
use lockgate_model::{ColumnName, ValueFormat, ValueType};

use crate::text_error::BreakReason;

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
