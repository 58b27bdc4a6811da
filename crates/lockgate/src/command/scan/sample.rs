//! The first rows of a file as columns of text, whatever its dialect: for looking at, never for loading.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use lockgate_connect::{FileKeys, ParquetReader, decode};
use lockgate_model::{Compression, Failure, FailureKind, TextEncoding};

/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How much of a file decides on its dialect, in bytes.
const SNIFFED_BYTES: usize = 64 * 1024;
/// How many records of that part are looked at.
const SNIFFED_RECORDS_MAX: usize = 200;
/// The most bytes of a file that are looked at.
pub(super) const SAMPLED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A column with the values that were looked at.
pub(crate) struct SampledColumn {
    /// As in the file; `column_N` for a file without a header.
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// Reads at most `rows` rows of a CSV, JSON lines or Parquet file, also compressed.
pub(crate) fn sample(path: &Path, rows: usize) -> Result<Vec<SampledColumn>, Failure> {
    let unreadable = unreadable(path);
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if name.ends_with(".parquet") {
        return sample_parquet(path, rows);
    }
    let file = File::open(path).map_err(&unreadable)?;
    let mut content = Vec::new();
    let source = decode(file, Compression::Auto, TextEncoding::Utf8).map_err(&unreadable)?;
    source.take(SAMPLED_BYTES_MAX).read_to_end(&mut content).map_err(&unreadable)?;
    let text = decoded(content);
    let first = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    match first.starts_with('{') {
        true => sample_json_lines(path, first, rows),
        false => sample_csv(path, &text, rows),
    }
}

/// A file that cannot be read.
pub(crate) fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::new(FailureKind::Invalid, format!("{} cannot be read: {error}", path.display()))
}

/// UTF-8, with a few broken bytes replaced, or else what every byte is in Latin-1.
fn decoded(content: Vec<u8>) -> String {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    let broken = content.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    let beyond_ascii = content.utf8_chunks().map(|chunk| chunk.valid().chars().filter(|c| !c.is_ascii()).count()).sum();
    match broken > 1 && broken > beyond_ascii {
        true => content.iter().map(|byte| char::from(*byte)).collect(),
        false => String::from_utf8_lossy(content).into_owned(),
    }
}

fn sample_json_lines(path: &Path, text: &str, rows: usize) -> Result<Vec<SampledColumn>, Failure> {
    let mut columns: Vec<SampledColumn> = Vec::new();
    for (number, line) in BufReader::new(Cursor::new(text)).lines().map_while(Result::ok).enumerate().take(rows) {
        if line.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).map_err(|_| {
            let message = format!("{}:{}: it is no JSON object", path.display(), number + 1);
            Failure::new(FailureKind::Failed, message).with_help("JSON lines have one object on each line")
        })?;
        for (name, value) in object {
            let value = match value {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            match columns.iter_mut().find(|column| column.name == name) {
                Some(column) => column.values.push(value),
                None => columns.push(SampledColumn { name, values: vec![value] }),
            }
        }
    }
    Ok(columns)
}

fn sample_csv(path: &Path, text: &str, rows: usize) -> Result<Vec<SampledColumn>, Failure> {
    let Some(Dialect { delimiter, header: has_header }) = sniff(text) else {
        return Err(Failure::new(FailureKind::Failed, format!("{} is empty", path.display())));
    };
    let mut records = records(text, delimiter, rows.saturating_add(1));
    let first = records.next().unwrap_or_default();
    let others: Vec<csv::StringRecord> = records.filter(|record| record.len() == first.len()).collect();
    let mut columns: Vec<SampledColumn> = first
        .iter()
        .enumerate()
        .map(|(at, cell)| SampledColumn {
            name: if has_header { cell.trim().to_owned() } else { format!("column_{}", at + 1) },
            values: if has_header { Vec::new() } else { vec![cell.to_owned()] },
        })
        .collect();
    for record in &others {
        columns.iter_mut().zip(record).for_each(|(column, cell)| column.values.push(cell.to_owned()));
    }
    Ok(columns)
}

/// How a CSV file seems to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
}

/// Looks at the beginning of a CSV file; `None` where it has no record.
pub(crate) fn sniff(text: &str) -> Option<Dialect> {
    let sniffed = text.get(..text.floor_char_boundary(SNIFFED_BYTES.min(text.len()))).unwrap_or(text);
    let delimiter = DELIMITERS.into_iter().max_by_key(|delimiter| evenness(sniffed, *delimiter)).unwrap_or(b',');
    let mut records = records(sniffed, delimiter, SNIFFED_RECORDS_MAX);
    let first = records.next()?;
    let second = records.find(|record| record.len() == first.len());
    Some(Dialect { delimiter, header: is_header(&first, second.as_ref()) })
}

/// The records that can be read among the first `most`.
fn records(text: &str, delimiter: u8, most: usize) -> impl Iterator<Item = csv::StringRecord> {
    let mut dialect = csv::ReaderBuilder::new();
    dialect.delimiter(delimiter).has_headers(false).flexible(true);
    dialect.from_reader(text.as_bytes()).into_records().take(most).filter_map(Result::ok)
}

/// How many lines have as many delimiters as the first, times how many those are.
fn evenness(text: &str, delimiter: u8) -> usize {
    let lengths: Vec<usize> = records(text, delimiter, SNIFFED_RECORDS_MAX).map(|record| record.len()).collect();
    let Some(first) = lengths.first().copied().filter(|first| *first > 1) else { return 0 };
    lengths.iter().filter(|length| **length == first).count() * 1_000 + first
}

/// A first row is a header if none of its cells is a number, an address or empty, and all differ.
fn is_header(first: &csv::StringRecord, second: Option<&csv::StringRecord>) -> bool {
    let is_name = |cell: &str| {
        let cell = cell.trim();
        !cell.is_empty()
            && cell.len() <= 64
            && cell.parse::<f64>().is_err()
            && !cell.contains('@')
            && cell.chars().any(char::is_alphabetic)
            && cell.chars().filter(char::is_ascii_digit).count() * 2 <= cell.chars().count()
    };
    let distinct: std::collections::BTreeSet<&str> = first.iter().collect();
    let named = first.iter().filter(|cell| is_name(cell)).count();
    match second {
        None => named == first.len(),
        Some(_) => named * 10 >= first.len() * 9 && distinct.len() * 10 >= first.len() * 9,
    }
}

fn sample_parquet(path: &Path, rows: usize) -> Result<Vec<SampledColumn>, Failure> {
    let shown = path.display().to_string();
    let failed = |error: lockgate_connect::ParquetError| Failure::new(FailureKind::Failed, error.to_string());
    let keys = Arc::new(FileKeys::default());
    let file = File::open(path).map_err(unreadable(path))?;
    let declared = ParquetReader::columns_of(&file, path, &shown, &keys).map_err(failed)?;
    let mut columns: Vec<SampledColumn> =
        declared.iter().map(|column| SampledColumn { name: column.name.to_string(), values: Vec::new() }).collect();
    let mut reader = ParquetReader::open(file, path, &shown, &declared, &keys, 1_024).map_err(failed)?;
    let options = FormatOptions::new().with_null("");
    while let Some(batch) = reader.next_batch().map_err(failed)? {
        for (column, array) in columns.iter_mut().zip(batch.columns.columns()) {
            if let Ok(format) = ArrayFormatter::try_new(array.as_ref(), &options) {
                column.values.extend((0..array.len()).map(|row| format.value(row).to_string()));
            }
        }
        if reader.rows() >= rows as u64 {
            break;
        }
    }
    Ok(columns)
}
