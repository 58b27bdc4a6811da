//! The bytes of a file are all accounted for, and limits hold on either side.

use std::io::{self, Read};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use lockgate_model::ValueType;
use proptest::prelude::*;

use super::*;

fn text_columns(names: &[&str]) -> Vec<SourceColumn> {
    names
        .iter()
        .map(|name| SourceColumn {
            name: name.parse().unwrap(),
            value_type: ValueType::Text,
            nullable: true,
            format: None,
        })
        .collect()
}

fn small() -> TextLimits {
    TextLimits { field_bytes: 10, record_bytes: 30, columns: 4, batch_bytes: 1_000, read_bytes: 3 }
}

fn read_all(bytes: &[u8], declared: &[SourceColumn], limits: TextLimits) -> Result<Vec<SourceBatch>, TextFileError> {
    let mut reader = CsvReader::new(bytes, declared, CsvOptions::default(), limits)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch(usize::MAX)? {
        batches.push(batch);
    }
    Ok(batches)
}

/// Line ends before a place, counted one byte at a time.
fn lines_before(bytes: &[u8], place: usize) -> u64 {
    let ends = |at: &usize| bytes[*at] == b'\r' || bytes[*at] == b'\n' && (*at == 0 || bytes[*at - 1] != b'\r');
    (0..place).filter(ends).count() as u64
}

/// Any bytes, those that mean something to a CSV reader more often than others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(&b"\"\",\n\ra\0\xc3\xa9\xef\xbb\xbf"[..]);
    prop::collection::vec(prop_oneof![4 => special, 1 => any::<u8>()], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_byte_is_in_a_record_or_ends_a_line(
        bytes in bytes(),
        read_bytes in 1usize..50,
    ) {
        let limits = TextLimits { read_bytes, columns: 3, ..TextLimits::default() };
        let mut records = Records::new(bytes.as_slice(), &CsvOptions::default(), limits);
        records.skip_bom().unwrap();
        let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        while let Some(record) = records.next().unwrap() {
            while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
                at += 1;
            }
            prop_assert!(bytes[at..].starts_with(record.raw));
            prop_assert!(!record.raw.is_empty());
            prop_assert_eq!(record.line, lines_before(&bytes, at) + 1);
            at += record.raw.len();
        }
        prop_assert!(bytes[at..].iter().all(|byte| matches!(byte, b'\r' | b'\n')));
    }

    #[test]
    fn arbitrary_bytes_after_a_header_are_rows_or_broken_records(
        body in bytes(),
        rows in 1usize..20,
    ) {
        let mut bytes = b"a,b\n".to_vec();
        bytes.extend(&body);
        let mut reader =
            CsvReader::new(&bytes[..], &text_columns(&["b"]), CsvOptions::default(), TextLimits::default()).unwrap();
        let mut seen = Vec::new();
        while let Some(batch) = reader.next_batch(rows).unwrap() {
            prop_assert_eq!(batch.columns.num_rows(), batch.positions.len());
            prop_assert!(batch.positions.len() + batch.broken.len() <= rows);
            let broken = batch.broken.iter().map(|broken| &broken.position);
            seen.extend(batch.positions.iter().chain(broken).map(|position| position.row));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..reader.rows()).collect::<Vec<_>>());
    }
}

#[test]
fn a_field_has_its_limit() {
    let declared = text_columns(&["a"]);
    for (body, allowed) in [
        ("a,b\n1234567890,x\n", true),
        ("a,b\n12345678901,x\n", false),
        ("a,b\nx,12345678901\n", false),
        ("a,b\nx,1234567890", true),
        ("a,b\nx,12345678901", false),
        ("a,b\n123456789,123456789\n", true),
        ("a,b\n\"123456789\"\"\",1\n", true),
        ("a,b\n\"1234567890\"\"\",1\n", false),
    ] {
        match read_all(body.as_bytes(), &declared, small()) {
            Ok(_) => assert!(allowed, "{body}"),
            Err(TextFileError::FieldTooLong { line: 2, most: 10 }) => assert!(!allowed, "{body}"),
            Err(other) => panic!("{body}: {other}"),
        }
    }
}

#[test]
fn a_record_has_its_limit() {
    let declared = text_columns(&["a"]);
    let record = |length: usize| format!("a,b,c\n{}", ["1234567890"; 4].join(",").split_at(length).0);
    for end in ["", "\n", "\r\n", "\r"] {
        assert!(read_all(format!("{}{end}", record(30)).as_bytes(), &declared, small()).is_ok());
        let error = read_all(format!("{}{end}", record(31)).as_bytes(), &declared, small()).unwrap_err();
        assert!(matches!(error, TextFileError::RecordTooLong { line: 2, most: 30 }), "{error}");
    }
}

#[test]
fn columns_have_their_limit() {
    let declared = text_columns(&["a"]);
    assert_eq!(read_all(b"a,b,c,d\n1,2,3,4\n", &declared, small()).unwrap()[0].positions.len(), 1);
    let error = read_all(b"a,b,c,d,e\n", &declared, small()).unwrap_err();
    let reason = HeaderError::TooManyColumns { found: 5, most: 4 };
    assert!(matches!(error, TextFileError::Header { line: 1, reason: found } if found == reason));
    let batch = &read_all(b"a,b\n1,2,3,4,5,6,7,8,9,0\n1,2\n", &declared, small()).unwrap()[0];
    assert_eq!(batch.broken[0].reason, BreakReason::FieldCount { expected: 2, found: 10 });
    assert_eq!(batch.positions, [RecordPosition { row: 1, line: Some(3) }]);
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    let header = (0..COLUMNS_MAX).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let declared = text_columns(&["c0"]);
    assert!(read_all(header.as_bytes(), &declared, TextLimits::default()).is_ok());
    assert!(read_all(format!("{header},x").as_bytes(), &declared, TextLimits::default()).is_err());
    let field = |length: usize| format!("c0\n{}\n", "x".repeat(length)).into_bytes();
    assert!(read_all(&field(FIELD_BYTES_MAX), &declared, TextLimits::default()).is_ok());
    let error = read_all(&field(FIELD_BYTES_MAX + 1), &declared, TextLimits::default()).unwrap_err();
    assert!(matches!(error, TextFileError::FieldTooLong { line: 2, most: FIELD_BYTES_MAX }));
    let record = |length: usize| {
        let field = format!("{},", "x".repeat(FIELD_BYTES_MAX - 1));
        format!("c0\n{}\n", field.repeat(length / field.len() + 1).split_at(length).0).into_bytes()
    };
    assert!(read_all(&record(RECORD_BYTES_MAX), &declared, TextLimits::default()).is_ok());
    let error = read_all(&record(RECORD_BYTES_MAX + 1), &declared, TextLimits::default()).unwrap_err();
    assert!(matches!(error, TextFileError::RecordTooLong { line: 2, most: RECORD_BYTES_MAX }));
}

/// A quoted field that never ends, which counts what was taken of it.
struct Endless {
    begun: bool,
    served: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'x');
        if !self.begun {
            buffer[..6].copy_from_slice(b"a\n\n\n\"x");
            self.begun = true;
        }
        self.served += buffer.len();
        Ok(buffer.len())
    }
}

#[test]
fn an_endless_field_is_refused_with_little_read() {
    let mut source = Endless { begun: false, served: 0 };
    let limits = TextLimits::default();
    let mut reader = CsvReader::new(&mut source, &text_columns(&["a"]), CsvOptions::default(), limits).unwrap();
    let error = reader.next_batch(10).unwrap_err();
    assert!(matches!(error, TextFileError::FieldTooLong { line: 4, most: FIELD_BYTES_MAX }), "{error}");
    assert!(source.served < 3 * FIELD_BYTES_MAX, "{}", source.served);
}

#[test]
fn a_batch_ends_at_its_bytes() {
    let limits = TextLimits { batch_bytes: 8, ..TextLimits::default() };
    let batches = read_all(b"a\n1234\n5678\n9\n", &text_columns(&["a"]), limits).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.positions.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn halves_of_a_character_in_two_fields_are_no_text() {
    let batch = &read_all(b"a,b\n\xc3,\xa9\n\xc3\xa9,x\n", &text_columns(&[]), TextLimits::default()).unwrap()[0];
    assert_eq!(batch.broken[0].reason, BreakReason::Encoding);
    assert_eq!(batch.columns.num_rows(), 1);
}

#[test]
fn a_record_that_breaks_late_leaves_no_value_behind() {
    let declared: Vec<_> = [("a", ValueType::BigInt), ("b", ValueType::Text), ("c", ValueType::Boolean)]
        .map(|(name, value_type)| SourceColumn {
            name: name.parse().unwrap(),
            value_type,
            nullable: true,
            format: None,
        })
        .into();
    let batch = &read_all(b"a,b,c\n1,x,maybe\n2,y,yes\n,,\n", &declared, TextLimits::default()).unwrap()[0];
    assert_eq!(batch.broken[0].reason.to_string(), "the value of the column `c` is no boolean");
    let numbers = batch.columns.column(0).as_primitive::<Int64Type>();
    assert_eq!((numbers.value(0), numbers.is_null(1)), (2, true));
    assert_eq!(batch.columns.column(1).as_string::<i32>().value(0), "y");
    assert!(batch.columns.column(2).as_boolean().value(0));
}

#[test]
fn a_nul_is_seen_wherever_the_reads_are_cut() {
    for read_bytes in 1..20 {
        let limits = TextLimits { read_bytes, ..TextLimits::default() };
        let batch = &read_all(b"a,b\n1234,x\n\0abcdefgh,y\nz,z\0\n", &text_columns(&["a"]), limits).unwrap()[0];
        let broken: Vec<_> =
            batch.broken.iter().map(|broken| (broken.position.line.unwrap(), &broken.reason)).collect();
        assert_eq!(broken, [(3, &BreakReason::Nul), (4, &BreakReason::Nul)], "{read_bytes}");
    }
}

#[test]
fn only_one_byte_order_mark_is_skipped() {
    for read_bytes in 1..10 {
        let limits = TextLimits { read_bytes, ..TextLimits::default() };
        let file = "\u{feff}\u{feff}a\n1\n".as_bytes();
        let reader = CsvReader::new(file, &[], CsvOptions::default(), limits).unwrap();
        assert_eq!(reader.ignored_columns(), ["\u{feff}a"]);
    }
}
