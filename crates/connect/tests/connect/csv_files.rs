//! CSV files as they come: headers, types, nulls, and records that are broken in every way.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use lockgate_connect::{
    BreakReason, CsvOptions, CsvReader, HeaderError, RecordPosition, SourceBatch, SourceColumn, TextFileError,
    TextLimits,
};

fn columns(text: &str) -> Vec<SourceColumn> {
    let column = |part: &str| {
        let (name, value_type) = part.split_once(':').unwrap();
        SourceColumn {
            name: name.parse().unwrap(),
            value_type: value_type.parse().unwrap(),
            nullable: true,
            format: None,
        }
    };
    text.split_whitespace().map(column).collect()
}

fn read(file: &[u8], declared: &str) -> Result<SourceBatch, TextFileError> {
    let mut reader = CsvReader::new(file, &columns(declared), CsvOptions::default(), TextLimits::default())?;
    Ok(reader.next_batch(1_000)?.expect("the file has records"))
}

fn header_error(file: &[u8], declared: &str) -> HeaderError {
    match CsvReader::new(file, &columns(declared), CsvOptions::default(), TextLimits::default()).err().unwrap() {
        TextFileError::Header { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn every_type_is_read_into_its_arrow_type() {
    let file = b"t,b,i,d,m,f,day,at\n\
        +0049,-9223372036854775808,7,1.5,-12.34,yes,2024-02-29,2024-02-29T12:00:00+01:00\n\
        ,,,,,,,\n";
    let batch =
        read(file, "t:text b:bigint i:integer d:double m:decimal(10,2) f:boolean day:date at:timestamp").unwrap();
    let column = |index: usize| batch.columns.column(index);
    assert_eq!(column(0).as_string::<i32>().value(0), "+0049");
    assert_eq!(column(1).as_primitive::<Int64Type>().value(0), i64::MIN);
    assert_eq!(column(2).as_primitive::<Int32Type>().value(0), 7);
    assert_eq!(column(3).as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(column(4).as_primitive::<Decimal128Type>().value(0), -1234);
    assert_eq!(*column(4).data_type(), DataType::Decimal128(10, 2));
    assert!(column(5).as_boolean().value(0));
    assert_eq!(column(6).as_primitive::<Date32Type>().value(0), 19_782);
    assert_eq!(column(7).as_primitive::<TimestampMicrosecondType>().value(0), 1_709_204_400_000_000);
    for column in batch.columns.columns() {
        assert!(column.is_null(1) && !column.is_null(0));
    }
}

#[test]
fn text_is_kept_as_it_is() {
    let batch = read(b"a,b\n 0012 ,\t\"x\"\nit\"s,\"a\"\"b,\r\nc\"\n", "a:text b:text").unwrap();
    let text = |column: usize, row: usize| batch.columns.column(column).as_string::<i32>().value(row).to_owned();
    assert_eq!((text(0, 0), text(1, 0)), (" 0012 ".to_owned(), "\t\"x\"".to_owned()));
    assert_eq!((text(0, 1), text(1, 1)), ("it\"s".to_owned(), "a\"b,\r\nc".to_owned()));
}

#[test]
fn declared_columns_are_found_by_name_and_others_listed() {
    let file = b"note,email,id\nx,a@example.org,1\n";
    let declared = columns("id:bigint email:text");
    let mut reader = CsvReader::new(&file[..], &declared, CsvOptions::default(), TextLimits::default()).unwrap();
    assert_eq!(reader.ignored_columns(), ["note"]);
    let batch = reader.next_batch(10).unwrap().unwrap();
    assert_eq!(batch.columns.schema_ref().field(0).name(), "id");
    assert_eq!(batch.columns.column(1).as_string::<i32>().value(0), "a@example.org");
    assert!(reader.next_batch(10).unwrap().is_none() && reader.next_batch(10).unwrap().is_none());
    assert_eq!(reader.rows(), 1);
}

#[test]
fn an_empty_file_is_not_a_file_of_no_rows() {
    for empty in ["", "\n\r\n", "\u{feff}", "\u{feff}\n"] {
        let error = CsvReader::new(empty.as_bytes(), &columns("a:text"), CsvOptions::default(), TextLimits::default());
        assert!(matches!(error, Err(TextFileError::Empty)), "{empty:?}");
    }
    for header_only in ["a", "a\n", "\u{feff}a\r\n\r\n"] {
        let mut reader =
            CsvReader::new(header_only.as_bytes(), &columns("a:text"), CsvOptions::default(), TextLimits::default())
                .unwrap();
        assert!(reader.next_batch(10).unwrap().is_none(), "{header_only:?}");
    }
}

#[test]
fn a_header_that_does_not_fit_is_refused() {
    let error = header_error(b"id,Email\n", "id:bigint email:text").to_string();
    assert_eq!(error, "has no column `email` (is it `Email`?): correct the file, or the columns in the catalog");
    assert_eq!(header_error(b"id,id\n", "id:bigint"), HeaderError::Twice("id".parse().unwrap()));
    assert_eq!(header_error(b"\"id,x\n", "id:bigint"), HeaderError::Broken(BreakReason::OpenQuote));
    assert_eq!(header_error(b"id,\xff\n", "id:bigint"), HeaderError::Broken(BreakReason::Encoding));
    assert_eq!(header_error(b"id,\0\n", "id:bigint"), HeaderError::Broken(BreakReason::Nul));
    let no_header = header_error(b"4711,Jane Roe\n", "id:bigint name:text");
    assert_eq!(no_header, HeaderError::NoneFound(2));
}

#[test]
fn a_broken_record_is_set_aside_with_its_bytes_and_the_others_stay() {
    let file: &[u8] = b"\xef\xbb\xbfid,name\r\n\
        1,ok\r\n\
        \r\n\
        secret,x\r\n\
        2\r\n\
        3,a,b\r\n\
        4,\xff\r\n\
        5,a\0b\r\n\
        6,\"a\"b\r\n\
        \"7\",\"multi\r\nline\"\r\n\
        8,\"open\r\nuntil the end";
    let batch = read(file, "id:bigint name:text").unwrap();
    let at = |row, line| RecordPosition { row, line: Some(line) };
    assert_eq!(batch.positions, [at(0, 2), at(7, 10)]);
    let broken: Vec<_> = batch.broken.iter().map(|b| (b.position, b.reason.clone(), b.raw.as_slice())).collect();
    let bigint = BreakReason::Type { column: "id".parse().unwrap(), value_type: "bigint".parse().unwrap() };
    let count = |found| BreakReason::FieldCount { expected: 2, found };
    assert_eq!(
        broken,
        [
            (at(1, 4), bigint, &b"secret,x"[..]),
            (at(2, 5), count(1), b"2"),
            (at(3, 6), count(3), b"3,a,b"),
            (at(4, 7), BreakReason::Encoding, b"4,\xff"),
            (at(5, 8), BreakReason::Nul, b"5,a\0b"),
            (at(6, 9), BreakReason::TextAfterQuote, b"6,\"a\"b"),
            (at(8, 12), BreakReason::OpenQuote, b"8,\"open\r\nuntil the end"),
        ]
    );
    let reasons: String = batch.broken.iter().map(|broken| broken.reason.to_string()).collect();
    assert!(!reasons.contains("secret"), "{reasons}");
}

#[test]
fn other_delimiters_quotes_and_nulls_are_read() {
    let options = CsvOptions::new(b';', b'\'', vec!["NULL".into(), "-".into()]).unwrap();
    let file = b"a;b\n'x;y';NULL\n;-\n";
    let mut reader = CsvReader::new(&file[..], &columns("a:text b:bigint"), options, TextLimits::default()).unwrap();
    let batch = reader.next_batch(10).unwrap().unwrap();
    let text = batch.columns.column(0).as_string::<i32>();
    assert_eq!((text.value(0), text.value(1)), ("x;y", ""));
    assert_eq!(batch.columns.column(1).null_count(), 2);
    assert!(!text.is_null(1), "an empty field is text where it is not among the null tokens");
}
