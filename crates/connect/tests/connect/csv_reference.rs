//! The CSV reader against a reader that looks at one byte at a time, on files that a naive writer wrote.

use arrow::array::{Array, AsArray};
use lockgate_connect::{CsvOptions, CsvReader, RecordPosition, SourceColumn, TextLimits};
use lockgate_model::ValueType;
use proptest::prelude::*;

/// A field, and whether it is quoted where it need not be.
type Field = (String, bool);

#[derive(Debug, Clone)]
struct File {
    width: usize,
    records: Vec<Vec<Field>>,
    /// Before each record so many blank lines.
    blanks: Vec<usize>,
    line_ends: Vec<&'static str>,
    bom: bool,
    last_line_end: bool,
}

fn fields() -> impl Strategy<Value = Field> {
    ("[a-c0 ,\"\r\né\u{1F6A2}+;'\t]{0,6}", any::<bool>())
}

fn files() -> impl Strategy<Value = File> {
    let records = (1usize..5)
        .prop_flat_map(|width| (Just(width), prop::collection::vec(prop::collection::vec(fields(), width), 0..12)));
    let ends = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (records, prop::collection::vec(0usize..3, 13), prop::collection::vec(ends, 13), any::<bool>(), any::<bool>())
        .prop_map(|((width, records), blanks, line_ends, bom, last_line_end)| File {
            width,
            records,
            blanks,
            line_ends,
            bom,
            last_line_end,
        })
}

fn write(file: &File) -> Vec<u8> {
    let mut text = String::new();
    if file.bom {
        text.push('\u{feff}');
    }
    let header: Vec<Field> = (0..file.width).map(|n| (format!("c{n}"), false)).collect();
    let all: Vec<_> = std::iter::once(&header).chain(&file.records).collect();
    for (index, record) in all.iter().enumerate() {
        let end = file.line_ends[index];
        // An LF after a CR is the same line's end, so blank lines are ended as the line before them.
        let before = if index == 0 { end } else { file.line_ends[index - 1] };
        (0..file.blanks[index]).for_each(|_| text.push_str(before));
        for (place, (value, quoted)) in record.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            let must = value.contains(['"', ',', '\r', '\n']) || record.len() == 1 && value.is_empty();
            match must || *quoted {
                true => text.push_str(&format!("\"{}\"", value.replace('"', "\"\""))),
                false => text.push_str(value),
            }
        }
        if index + 1 < all.len() || file.last_line_end {
            text.push_str(end);
        }
    }
    text.into_bytes()
}

/// Reads well-formed CSV one byte at a time: for each record the line it begins on, and its fields.
fn reference(bytes: &[u8]) -> Vec<(u64, Vec<String>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut records, mut line, mut at) = (Vec::new(), 1, 0);
    while at < bytes.len() {
        if matches!(bytes[at], b'\r' | b'\n') {
            at += if bytes[at..].starts_with(b"\r\n") { 2 } else { 1 };
            line += 1;
            continue;
        }
        let (began, mut fields, mut field, mut quoted) = (line, Vec::new(), Vec::new(), false);
        loop {
            match bytes.get(at) {
                None => break,
                Some(b'\r' | b'\n') if !quoted => break,
                Some(b',') if !quoted => fields.push(std::mem::take(&mut field)),
                Some(b'"') if quoted && bytes.get(at + 1) == Some(&b'"') => {
                    field.push(b'"');
                    at += 1;
                }
                Some(b'"') => quoted = !quoted,
                Some(byte) => {
                    let ends_line = *byte == b'\r' || *byte == b'\n' && bytes[at - 1] != b'\r';
                    line += u64::from(ends_line);
                    field.push(*byte);
                }
            }
            at += 1;
        }
        fields.push(field);
        records.push((began, fields.into_iter().map(|field| String::from_utf8(field).unwrap()).collect()));
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn values_rows_and_lines_are_those_of_the_reference(
        file in files(),
        read_bytes in 1usize..40,
        max_rows in 1usize..8,
    ) {
        let bytes = write(&file);
        let mut expected = reference(&bytes);
        let (_, header) = expected.remove(0);
        let written: Vec<Vec<String>> =
            file.records.iter().map(|record| record.iter().map(|(value, _)| value.clone()).collect()).collect();
        prop_assert_eq!(expected.iter().map(|(_, fields)| fields.clone()).collect::<Vec<_>>(), written);

        let declared: Vec<_> = header
            .iter()
            .rev()
            .map(|name| SourceColumn { name: name.parse().unwrap(), value_type: ValueType::Text, nullable: true, format: None })
            .collect();
        let limits = TextLimits { read_bytes, ..TextLimits::default() };
        let mut reader = CsvReader::new(bytes.as_slice(), &declared, CsvOptions::default(), limits).unwrap();
        let mut read = Vec::new();
        while let Some(batch) = reader.next_batch(max_rows).unwrap() {
            prop_assert!(batch.broken.is_empty(), "{:?}", batch.broken);
            for (index, position) in batch.positions.iter().enumerate() {
                let value = |column: usize| {
                    let array = batch.columns.column(column).as_string::<i32>();
                    if array.is_null(index) { String::new() } else { array.value(index).to_owned() }
                };
                read.push((*position, (0..file.width).rev().map(value).collect::<Vec<_>>()));
            }
        }
        let expected: Vec<_> = (0..)
            .zip(expected)
            .map(|(row, (line, fields))| (RecordPosition { row, line: Some(line) }, fields))
            .collect();
        prop_assert_eq!(read, expected);
    }
}
