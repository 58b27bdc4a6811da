//! CSV becomes record batches with the position of every row, and no record is lost: one that can't be read is set
//! aside with its bytes and the reason.
//!
//! ```text
//! id,email⏎            header: declared columns are found by name, in any order; others are ignored
//! 1,a@example.org⏎     row 0, line 2
//! x,b@example.org⏎     row 1, line 3: broken, `id` is no bigint
//! "2","a""b
//! c"⏎                  row 2, line 4: a line break inside quotes belongs to the value
//! ⏎                    a blank line is no record
//! 3,c@example.org      row 3, line 7
//! ```
//! The dialect is RFC 4180 with LF, CRLF or CR as line ends, and a quote inside an unquoted field taken as text.
//! Text is kept as it is: nothing is trimmed. A file of one column writes null as `""`, since a blank line is no
//! record.

use std::io::Read;

use arrow::datatypes::SchemaRef;

use crate::arrow_type::schema_of;
use crate::column_builder::ColumnBuilder;
use crate::source::{BrokenRecord, RecordPosition, SourceBatch, SourceColumn};
use crate::text_error::{BreakReason, HeaderError, TextFileError};
use crate::value_format::to_usual;
use header::Header;
use records::{Record, Records};

pub use limits::{COLUMNS_MAX, CsvOptions, FIELD_BYTES_MAX, RECORD_BYTES_MAX, TextLimits};

mod header;
mod limits;
mod quotes;
mod records;

/// Reads one CSV file.
pub struct CsvReader<R> {
    records: Records<R>,
    options: CsvOptions,
    batch_bytes: usize,
    schema: SchemaRef,
    columns: Vec<DeclaredColumn>,
    width: usize,
    ignored: Vec<String>,
    header: Option<Vec<u8>>,
    rows: u64,
}

struct DeclaredColumn {
    column: SourceColumn,
    field: usize,
    builder: ColumnBuilder,
}

impl<R: Read> CsvReader<R> {
    /// Reads the header and finds the declared columns in it.
    ///
    /// Fails on an empty file, on a header that lacks a declared column, names one twice or can't be read, and where
    /// the bytes can't be read. A file of a header only is a file of no rows.
    pub fn new(
        source: R,
        declared: &[SourceColumn],
        options: CsvOptions,
        limits: TextLimits,
    ) -> Result<Self, TextFileError> {
        let (batch_bytes, columns_max) = (limits.batch_bytes, limits.columns);
        let mut records = Records::new(source, &options, limits);
        records.skip_bom()?;
        let mut header_raw = None;
        let header = match options.has_header() {
            false => Header::by_position(declared),
            true => {
                let record = records.next()?.ok_or(TextFileError::Empty)?;
                let line = record.line;
                header_raw = Some(record.raw.to_vec());
                read_header(&record, declared, columns_max).map_err(|reason| TextFileError::Header { line, reason })?
            }
        };
        let place = |(column, field): (&SourceColumn, usize)| DeclaredColumn {
            column: column.clone(),
            field,
            builder: ColumnBuilder::new(column.value_type),
        };
        Ok(Self {
            records,
            options,
            batch_bytes,
            schema: schema_of(declared.iter().map(|column| (&column.name, column.value_type))),
            columns: declared.iter().zip(header.fields).map(place).collect(),
            width: header.width,
            ignored: header.ignored,
            header: header_raw,
            rows: 0,
        })
    }

    /// The next records, good and broken together at most `max_rows` (at least one), fewer where they are long;
    /// `None` at the end of the file.
    ///
    /// Fails where a field or a record is longer than its limit and where the bytes can't be read. After an error
    /// the reader must not be used again.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<SourceBatch>, TextFileError> {
        let (mut positions, mut broken) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while positions.len() + broken.len() < max_rows.max(1) && bytes < self.batch_bytes.max(1) {
            let Some(record) = self.records.next()? else { break };
            let position = RecordPosition { row: self.rows, line: Some(record.line) };
            self.rows += 1;
            bytes += record.raw.len();
            match append(&record, self.width, &mut self.columns, &self.options) {
                Ok(()) => positions.push(position),
                Err(reason) => broken.push(BrokenRecord { position, reason, raw: record.raw.to_vec() }),
            }
        }
        let arrays = self.columns.iter_mut().map(|column| column.builder.finish()).collect();
        SourceBatch::of_text(&self.schema, arrays, positions, broken, self.records.line())
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The names in the header that nothing is declared for, in the header's order.
    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }

    /// The header's bytes as in the file, without the line's end; absent where a file has none.
    pub fn header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }

    /// The data records read so far, broken ones counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The source, read up to some byte after the last record handed out.
    pub fn into_inner(self) -> R {
        self.records.into_inner()
    }
}

fn read_header(record: &Record<'_>, declared: &[SourceColumn], most: usize) -> Result<Header, HeaderError> {
    if let Some(reason) = &record.fault {
        return Err(HeaderError::Broken(reason.clone()));
    }
    if record.fields > most {
        return Err(HeaderError::TooManyColumns { found: record.fields, most });
    }
    let text = text_of(record).map_err(HeaderError::Broken)?;
    let names: Vec<&str> = (0..record.fields).map(|field| field_of(text, record.ends, field)).collect();
    Header::find(&names, declared)
}

/// Adds a record to every column, or to none and says why.
fn append(
    record: &Record<'_>,
    width: usize,
    columns: &mut [DeclaredColumn],
    options: &CsvOptions,
) -> Result<(), BreakReason> {
    if let Some(reason) = &record.fault {
        return Err(reason.clone());
    }
    if record.fields != width {
        return Err(BreakReason::FieldCount { expected: width, found: record.fields });
    }
    let text = text_of(record)?;
    for DeclaredColumn { column, field, builder } in columns.iter_mut() {
        let value = field_of(text, record.ends, *field);
        let usual;
        let value = match &column.format {
            Some(format) if !options.is_null(value) => {
                usual = to_usual(format, value).ok_or_else(|| column.not_of_type())?;
                usual.as_str()
            }
            Some(_) | None => value,
        };
        column.stage(builder, (!options.is_null(value)).then_some(value))?;
    }
    columns.iter_mut().for_each(|column| column.builder.append(field_of(text, record.ends, column.field)));
    Ok(())
}

/// The values of a record as text, each field a text of its own.
fn text_of<'a>(record: &Record<'a>) -> Result<&'a str, BreakReason> {
    let text = str::from_utf8(record.values).map_err(|_| BreakReason::Encoding)?;
    // Two fields that are no text may make one together.
    match text.is_ascii() || record.ends.iter().all(|end| text.is_char_boundary(*end)) {
        true => Ok(text),
        false => Err(BreakReason::Encoding),
    }
}

/// A field of a text whose fields end at `ends`, which are characters' ends.
fn field_of<'a>(text: &'a str, ends: &[usize], field: usize) -> &'a str {
    let begin = if field == 0 { 0 } else { ends[field - 1] };
    &text[begin..ends[field]]
}

#[cfg(test)]
mod tests;
