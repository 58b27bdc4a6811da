//! What can be wrong with a file of text as a whole, and with one record of it; never with a value of it in the text.

use std::io;

use lockgate_model::{ColumnName, NULL_TOKENS_MAX, ValueType};

use crate::Fault;

/// Why reading a file can't begin or go on. The caller knows which file it is.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    /// Unreachable: the bytes can't be read.
    #[error("line {line}: the file can't be read further: {source}")]
    Read {
        /// The line on which the record being read begins.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Data: not one record, so not even a header.
    #[error("the file is empty: it needs a header row, also where it has no data")]
    Empty,
    /// Data or configuration: the header and the catalog don't agree.
    #[error("the header on line {line} {reason}")]
    Header {
        /// The line of the header.
        line: u64,
        /// What is wrong with it.
        reason: HeaderError,
    },
    /// Data: a field too long to hold.
    #[error(
        "line {line}: the record that begins here has a field of more than {most} bytes: a closing quote may be \
         missing in it"
    )]
    FieldTooLong {
        /// The line on which the record begins.
        line: u64,
        /// How long a field may be.
        most: usize,
    },
    /// Data: a record too long to hold.
    #[error(
        "line {line}: the record that begins here has more than {most} bytes: a closing quote or a line's end may be missing in it"
    )]
    RecordTooLong {
        /// The line on which the record begins.
        line: u64,
        /// How long a record may be.
        most: usize,
    },
    /// A batch could not be put together: a defect of this program.
    #[error("line {line}: the records read before this line don't make a batch: {reason}; please report this")]
    Batch {
        /// The line after the batch.
        line: u64,
        /// What the batch lacks.
        reason: String,
    },
}

impl TextFileError {
    /// Whose problem it is; where a header and the catalog don't agree, the file's.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Read { source, .. } if is_of_content(source) => Fault::Data,
            Self::Read { .. } => Fault::Unreachable,
            Self::Empty | Self::Header { .. } | Self::FieldTooLong { .. } | Self::RecordTooLong { .. } => Fault::Data,
            Self::Batch { .. } => Fault::Defect,
        }
    }
}

/// Bytes that were read and are not what they should be: a damaged archive, another encoding.
fn is_of_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// What is wrong with a header row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Declared columns that the header lacks.
    #[error(
        "has no column {}: correct the file, or the columns in the catalog",
        .0.iter().map(MissingColumn::to_string).collect::<Vec<_>>().join(", ")
    )]
    Missing(Vec<MissingColumn>),
    /// None of several declared columns: the first row is likely data, so nothing of it is shown.
    #[error("has none of the {0} columns of the catalog: add a header row, or check the delimiter")]
    NoneFound(usize),
    /// A declared column that the header names more than once.
    #[error("names the column `{0}` more than once: leave one of them")]
    Twice(ColumnName),
    /// More columns than can be read.
    #[error("has {found} columns, more than the {most} that a file may have: split the file")]
    TooManyColumns {
        /// How many it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// The row itself is broken.
    #[error("can't be read: {0}")]
    Broken(BreakReason),
}

/// A declared column that a header lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{column}`{}", .near.as_ref().map(|near| format!(" (is it `{}`?)", near.escape_debug())).unwrap_or_default())]
pub struct MissingColumn {
    /// The declared name.
    pub column: ColumnName,
    /// A name in the header that is nearly the same.
    pub near: Option<String>,
}

/// Why one record was set aside. It names a column and a type, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BreakReason {
    /// More or fewer fields than the header.
    #[error("it has {found} fields where the header has {expected}")]
    FieldCount {
        /// Fields of the header.
        expected: usize,
        /// Fields of the record.
        found: usize,
    },
    /// A value that is not of its column's type.
    #[error("the value of the column `{column}` is no {value_type}")]
    Type {
        /// The first such column, in the order of the catalog.
        column: ColumnName,
        /// Its type.
        value_type: ValueType,
    },
    /// No value in a column that must have one.
    #[error("the column `{column}` has no value, and the catalog says that it always has one")]
    Absent {
        /// The first such column, in the order of the catalog.
        column: ColumnName,
    },
    /// A field whose bytes are no text.
    #[error("it is not UTF-8")]
    Encoding,
    /// A zero byte.
    #[error("it has a NUL byte")]
    Nul,
    /// A quoted field that goes on after its closing quote.
    #[error("text follows a closing quote: a quote within a quoted field is written twice")]
    TextAfterQuote,
    /// A line that holds no JSON object, or more than one.
    #[error("it is no JSON object")]
    NoJsonObject,
    /// A JSON object with a member of one name twice.
    #[error("it names the column `{column}` more than once")]
    NamedTwice {
        /// The column.
        column: ColumnName,
    },
    /// A JSON string with half of a surrogate pair.
    #[error("the value of the column `{column}` is no text")]
    NoText {
        /// The column.
        column: ColumnName,
    },
    /// A JSON value that is too long for a field.
    #[error("the value of the column `{column}` is longer than a field may be")]
    TooLong {
        /// The column.
        column: ColumnName,
    },
    /// The file ends inside a quoted field.
    #[error("a quoted field is not closed before the file ends")]
    OpenQuote,
}

/// Why options are no CSV options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvOptionsError {
    /// The delimiter or the quote can't be told from text or from a line's end.
    #[error("the {0} must be one printable ASCII character or a tab, neither letter nor digit")]
    Character(&'static str),
    /// They are the same.
    #[error("the delimiter, the quote and the escape must differ")]
    Same,
    /// More null tokens than are compared with each field.
    #[error("{0} null tokens are more than the {NULL_TOKENS_MAX} that a file may have")]
    TooManyNullTokens(usize),
}
