//! JSON lines become record batches with the position of every row, and no record is lost: one that can't be read is
//! set aside with its bytes and the reason.
//!
//! ```text
//! {"id": 1, "email": "a@example.org", "more": [1]}      columns are found by name; others are ignored
//!                                                       a blank line is no record, and counts as a line
//! {"id": "2"}                                           text is read as in a CSV file; what is absent is null
//! {"id": 3, "email": {"at": "x"}}                       a text column takes any other value as it is written
//! {"id": 4.5, "email": null}                            broken: 4.5 is no bigint
//! ```
//! Numbers are read from their digits and never through a float, so that a decimal keeps each of them. RFC 8259 in
//! UTF-8, an object on each line; lines end with LF or CRLF.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use arrow::datatypes::SchemaRef;
use lockgate_model::ValueType;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::arrow_type::schema_of;
use crate::column_builder::ColumnBuilder;
use crate::csv::{FIELD_BYTES_MAX, TextLimits};
use crate::source::{BrokenRecord, RecordPosition, SourceBatch, SourceColumn};
use crate::text_error::{BreakReason, TextFileError};
use crate::value_format::to_usual;

/// Reads one file of JSON lines.
pub struct JsonLinesReader<R> {
    source: BufReader<R>,
    limits: TextLimits,
    schema: SchemaRef,
    columns: Vec<(SourceColumn, ColumnBuilder)>,
    places: BTreeMap<String, usize>,
    line: u64,
    rows: u64,
}

impl<R: Read> JsonLinesReader<R> {
    /// Reads the declared columns. A file of no bytes is a file of no rows. Of the limits those of records, fields,
    /// batches and reading apply.
    pub fn new(source: R, declared: &[SourceColumn], limits: TextLimits) -> Self {
        let column = |column: &SourceColumn| (column.clone(), ColumnBuilder::new(column.value_type));
        let place = |(at, column): (usize, &SourceColumn)| (column.name.as_str().to_owned(), at);
        Self {
            source: BufReader::with_capacity(limits.read_bytes.max(1), source),
            limits,
            schema: schema_of(declared.iter().map(|column| (&column.name, column.value_type))),
            columns: declared.iter().map(column).collect(),
            places: declared.iter().enumerate().map(place).collect(),
            line: 0,
            rows: 0,
        }
    }

    /// The next records, good and broken together at most `max_rows` (at least one), fewer where they are long;
    /// `None` at the end of the file.
    ///
    /// Fails where a record is longer than its limit and where the bytes can't be read. After an error the reader must
    /// not be used again.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<SourceBatch>, TextFileError> {
        let (mut positions, mut broken) = (Vec::new(), Vec::new());
        let (mut bytes, mut line) = (0, Vec::new());
        while positions.len() + broken.len() < max_rows.max(1) && bytes < self.limits.batch_bytes.max(1) {
            if !self.next_line(&mut line)? {
                break;
            }
            let record = line.trim_ascii();
            if record.is_empty() {
                continue;
            }
            let position = RecordPosition { row: self.rows, line: Some(self.line) };
            self.rows += 1;
            bytes += record.len();
            match self.append(record) {
                Ok(()) => positions.push(position),
                Err(reason) => broken.push(BrokenRecord { position, reason, raw: record.to_vec() }),
            }
        }
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        SourceBatch::of_text(&self.schema, arrays, positions, broken, self.line)
    }

    /// The records read so far, broken ones counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads one line; `false` at the end of the file.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, TextFileError> {
        line.clear();
        let number = self.line + 1;
        let most = self.limits.record_bytes;
        let mut bounded = self.source.by_ref().take(most as u64 + 2);
        let read = bounded.read_until(b'\n', line);
        read.map_err(|source| TextFileError::Read { line: number, source })?;
        if line.is_empty() {
            return Ok(false);
        }
        if line.trim_ascii_end().len() > most || line.len() > most + 1 && line.last() != Some(&b'\n') {
            return Err(TextFileError::RecordTooLong { line: number, most });
        }
        if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        self.line = number;
        Ok(true)
    }

    /// Adds a record to every column, or to none and says why.
    fn append(&mut self, record: &[u8]) -> Result<(), BreakReason> {
        let text = str::from_utf8(record).map_err(|_| BreakReason::Encoding)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let members = Members { places: &self.places, count: self.columns.len() };
        let members = json.deserialize_map(members).and_then(|members| json.end().map(|()| members));
        let members = members.map_err(|_| BreakReason::NoJsonObject)?;
        let mut values = Vec::with_capacity(self.columns.len());
        for ((column, builder), member) in self.columns.iter_mut().zip(members) {
            let raw = match member {
                Member::Twice => return Err(BreakReason::NamedTwice { column: column.name.clone() }),
                Member::Once(raw) => raw,
            };
            let value = raw.map(|raw| value_of(column, raw.get())).transpose()?.flatten();
            if value.as_ref().is_some_and(|value| value.contains('\0')) {
                return Err(BreakReason::Nul);
            }
            if value.as_ref().is_some_and(|value| value.len() > FIELD_BYTES_MAX.min(self.limits.field_bytes)) {
                return Err(BreakReason::TooLong { column: column.name.clone() });
            }
            column.stage(builder, value.as_deref())?;
            values.push(value);
        }
        let columns = self.columns.iter_mut().zip(values);
        columns.for_each(|((_, builder), value)| builder.append(value.as_deref().unwrap_or_default()));
        Ok(())
    }
}

/// A JSON value as the text that a CSV file would have for it; `None` for null.
fn value_of<'a>(column: &SourceColumn, raw: &'a str) -> Result<Option<Cow<'a, str>>, BreakReason> {
    let name = || column.name.clone();
    Ok(Some(match raw.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b'"') => {
            let text = string(raw).ok_or(BreakReason::NoText { column: name() })?;
            match &column.format {
                Some(format) => Cow::Owned(to_usual(format, &text).ok_or_else(|| column.not_of_type())?),
                None => text,
            }
        }
        _ if column.value_type == ValueType::Text => Cow::Borrowed(raw),
        Some(b't' | b'f') if column.value_type == ValueType::Boolean => Cow::Borrowed(raw),
        Some(b'-' | b'0'..=b'9') if is_numeric(column.value_type) => Cow::Borrowed(raw),
        _ => return Err(column.not_of_type()),
    }))
}

fn is_numeric(value_type: ValueType) -> bool {
    match value_type {
        ValueType::BigInt | ValueType::Integer | ValueType::Double | ValueType::Decimal { .. } => true,
        ValueType::Text | ValueType::Boolean | ValueType::Date | ValueType::Timestamp => false,
    }
}

/// A string without its quotes; one without escapes is not copied.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    match inner.contains('\\') {
        false => Some(Cow::Borrowed(inner)),
        true => serde_json::from_str(raw).ok().map(Cow::Owned),
    }
}

/// What an object says of a declared column.
#[derive(Clone)]
enum Member<'a> {
    Once(Option<&'a RawValue>),
    Twice,
}

/// Reads the declared members of an object.
struct Members<'p> {
    places: &'p BTreeMap<String, usize>,
    count: usize,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = vec![Member::Once(None); self.count];
        while let Some(place) = map.next_key_seed(Place(self.places))? {
            match place.and_then(|place| members.get_mut(place)) {
                Some(member @ Member::Once(None)) => *member = Member::Once(Some(map.next_value()?)),
                Some(member) => {
                    map.next_value::<IgnoredAny>()?;
                    *member = Member::Twice;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}

/// Reads the name of a member as the place of its column, without a copy.
struct Place<'p>(&'p BTreeMap<String, usize>);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(name).copied())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::ArrayRef;
    use arrow::record_batch::RecordBatch;
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use lockgate_model::ValueFormat;

    use super::*;

    fn column(name: &str, value_type: &str) -> SourceColumn {
        SourceColumn {
            name: name.parse().unwrap(),
            value_type: value_type.parse().unwrap(),
            nullable: name != "id",
            format: None,
        }
    }

    fn rows(batch: &RecordBatch) -> Vec<String> {
        let options = FormatOptions::new().with_null("∅");
        let cell = |column: &ArrayRef, row| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
        let row = |row| batch.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" | ");
        (0..batch.num_rows()).map(row).collect()
    }

    fn read(file: &[u8], columns: &[SourceColumn]) -> (String, Vec<(u64, u64, String)>) {
        let mut reader = JsonLinesReader::new(file, columns, TextLimits { read_bytes: 3, ..TextLimits::default() });
        let (mut batches, mut broken) = (Vec::new(), Vec::new());
        while let Some(batch) = reader.next_batch(2).unwrap() {
            batches.push(batch.columns);
            let told = batch.broken.into_iter();
            broken.extend(told.map(|it| (it.position.row, it.position.line.unwrap(), it.reason.to_string())));
        }
        (batches.iter().flat_map(rows).collect::<Vec<_>>().join("\n"), broken)
    }

    #[test]
    fn values_are_read_by_name_and_type() {
        let columns = [
            column("id", "bigint"),
            column("name", "text"),
            column("paid", "decimal(20,2)"),
            column("since", "date"),
            column("open", "boolean"),
        ];
        let file = "\u{feff}{\"id\": 1, \"name\": \"J\\u00fcrgen \\\"x\\\"\", \"paid\": 123456789012345678.25, \"since\": \"2026-01-31\", \"open\": true, \"more\": [1]}\r\n\
            \n\
            {\"open\": \"false\", \"id\": \"2\"}\n\
            {\"id\": 3, \"name\": {\"at\":  [1]}, \"paid\": \"1.50\", \"since\": null}\n\
            {\"id\": 4, \"name\": 10115}";
        let (table, broken) = read(file.as_bytes(), &columns);
        assert_eq!(
            table,
            "1 | Jürgen \"x\" | 123456789012345678.25 | 2026-01-31 | true\n\
             2 | ∅ | ∅ | ∅ | false\n\
             3 | {\"at\":  [1]} | 1.50 | ∅ | ∅\n\
             4 | 10115 | ∅ | ∅ | ∅"
        );
        assert_eq!(broken, []);
    }

    #[test]
    fn broken_records_are_set_aside_with_line_and_reason() {
        let columns = [column("id", "bigint"), column("name", "text"), column("open", "boolean")];
        for (record, reason) in [
            ("[1]", "it is no JSON object"),
            ("{\"id\": 1} x", "it is no JSON object"),
            ("{\"id\": 1", "it is no JSON object"),
            ("{\"id\": 1, \"name\": \"\\ud800\"}", "the value of the column `name` is no text"),
            ("{\"id\": 1, \"name\": \"a\\u0000\"}", "it has a NUL byte"),
            ("{\"id\": 1.5}", "the value of the column `id` is no bigint"),
            ("{\"id\": true}", "the value of the column `id` is no bigint"),
            ("{\"id\": 1, \"open\": 1}", "the value of the column `open` is no boolean"),
            ("{\"name\": \"x\"}", "the column `id` has no value, and the catalog says that it always has one"),
            ("{\"id\": null}", "the column `id` has no value, and the catalog says that it always has one"),
            ("{\"id\": 1, \"id\": 1}", "it names the column `id` more than once"),
            ("{\"id\": 1, \"id\": null, \"id\": 2}", "it names the column `id` more than once"),
        ] {
            let file = format!("{{\"id\": 0}}\n\n{record}\n{{\"id\": 9}}\n");
            let (table, broken) = read(file.as_bytes(), &columns);
            assert_eq!(broken, [(1, 3, reason.to_owned())], "{record}");
            assert!(table.starts_with("0 |") && table.contains("\n9 |") && !table.contains("1 |"), "{record}");
        }
        let (_, broken) = read(b"{\"id\": 1, \"name\": \"\xff\"}\n", &columns);
        assert_eq!(broken, [(0, 1, "it is not UTF-8".to_owned())]);
    }

    #[test]
    fn formats_apply_to_strings() {
        let mut paid = column("paid", "decimal(10,2)");
        paid.format = Some(ValueFormat::Number { decimal: ',', group: Some('.') });
        let (table, broken) = read(b"{\"paid\": \"1.234,50\"}\n{\"paid\": 2.5}\n{\"paid\": \"2.5\"}\n", &[paid]);
        assert!(table == "1234.50\n2.50", "{table}");
        assert_eq!(broken, [(2, 3, "the value of the column `paid` is no decimal(10, 2)".to_owned())]);
    }

    #[test]
    fn a_record_may_be_as_long_as_its_limit_and_no_longer() {
        let columns = [column("name", "text")];
        for (most, fits) in [(14, true), (13, false)] {
            for end in ["", "\n", "\r\n", "\n{}"] {
                let file = format!("{{\"name\": \"abc\"}}{end}");
                let limits = TextLimits { record_bytes: most + 1, ..TextLimits::default() };
                let read = JsonLinesReader::new(file.as_bytes(), &columns, limits).next_batch(1);
                assert_eq!(read.is_ok(), fits, "{most} {end:?}");
            }
        }
    }
}
