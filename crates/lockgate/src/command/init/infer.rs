//! What a file holds, found by reading all of it: how it is written, its columns, the narrowest type that has every
//! value of each, and what personal data they are.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use lockgate_connect::{
    BreakReason, CsvOptions, CsvReader, FileKeys, JsonLinesReader, ParquetReader, SourceBatch, SourceColumn,
    TextFileError, TextLimits, decode, is_value,
};
use lockgate_model::{ColumnName, Compression, Failure, FailureKind, TextEncoding, ValueType};
use lockgate_scan::{SAMPLED_VALUES_MAX, TagFinding, scan_column};

use crate::command::scan::sample::{self, Dialect, sniff};

/// The texts that are taken for null where a column is of numbers or dates without them.
const NULL_TOKENS: [&str; 4] = ["NULL", "null", "\\N", "N/A"];
/// How much of a file is looked at for its dialect, in bytes.
const SNIFFED_BYTES: u64 = 64 * 1024;
const BATCH_ROWS: usize = 8_192;
/// The most digits of a decimal.
const DECIMAL_DIGITS_MAX: usize = 38;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    Csv { dialect: Dialect, encoding: TextEncoding },
    JsonLines,
    Parquet,
}

/// One column of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundColumn {
    pub(super) name: ColumnName,
    pub(super) value_type: ValueType,
    pub(super) tags: Vec<TagFinding>,
}

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundFile {
    pub(super) format: Format,
    pub(super) columns: Vec<FoundColumn>,
    /// The tokens that stand for null in it, beside the empty field.
    pub(super) null_tokens: BTreeSet<&'static str>,
    /// Records of it, those that could not be read among them.
    pub(super) rows: u64,
    pub(super) broken: u64,
    /// Columns that cannot be declared.
    pub(super) left_out: Vec<String>,
}

/// Reads a whole file.
pub(super) fn infer(path: &Path) -> Result<FoundFile, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if name.ends_with(".parquet") {
        return parquet(path);
    }
    let mut head = Vec::new();
    open(path, TextEncoding::Utf8)?.take(SNIFFED_BYTES).read_to_end(&mut head).map_err(sample::unreadable(path))?;
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return csv(path, TextEncoding::Utf16);
    }
    let begin = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    if begin.first() == Some(&b'{') {
        return json_lines(path);
    }
    // What is UTF-8 throughout is UTF-8; what is not is the encoding of most other files, or else what any bytes are.
    let mut first = None;
    for encoding in [TextEncoding::Utf8, TextEncoding::Windows1252, TextEncoding::Latin1] {
        match csv(path, encoding) {
            Err(failure) => drop(first.get_or_insert(failure)),
            found => return found,
        }
    }
    Err(first.unwrap_or_else(|| Failure::new(FailureKind::Bug, "no encoding was tried")))
}

fn open(path: &Path, encoding: TextEncoding) -> Result<Box<dyn Read>, Failure> {
    let file = File::open(path).map_err(sample::unreadable(path))?;
    decode(file, Compression::Auto, encoding).map_err(sample::unreadable(path))
}

fn failed(path: &Path) -> impl Fn(TextFileError) -> Failure {
    move |error| Failure::new(FailureKind::Failed, format!("{}: {error}", path.display()))
}

fn csv(path: &Path, encoding: TextEncoding) -> Result<FoundFile, Failure> {
    let mut head = Vec::new();
    open(path, encoding)?.take(SNIFFED_BYTES).read_to_end(&mut head).map_err(sample::unreadable(path))?;
    let head = String::from_utf8_lossy(&head);
    let head = head.trim_start_matches('\u{feff}');
    let empty = || Failure::new(FailureKind::Failed, format!("{} is empty", path.display()));
    let dialect = sniff(head).ok_or_else(empty)?;
    let mut first = csv::ReaderBuilder::new();
    first.delimiter(dialect.delimiter).has_headers(false).flexible(true);
    let first = first.from_reader(head.as_bytes()).into_records().find_map(Result::ok).ok_or_else(empty)?;
    let names: Vec<String> = match dialect.header {
        true => first.iter().map(str::to_owned).collect(),
        false => (1..=first.len()).map(|number| format!("column_{number}")).collect(),
    };
    let mut found = Columns::new(&names);
    let options = CsvOptions::new(dialect.delimiter, b'"', vec![String::new()]);
    let mut options = options.map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
    if !dialect.header {
        options = options.without_header();
    }
    let text = open(path, encoding)?;
    let reader = CsvReader::new(text, &found.declared, options, TextLimits::default());
    let mut reader = reader.map_err(failed(path))?;
    while let Some(batch) = reader.next_batch(BATCH_ROWS).map_err(failed(path))? {
        if encoding == TextEncoding::Utf8 && batch.broken.iter().any(|broken| broken.reason == BreakReason::Encoding) {
            return Err(Failure::new(FailureKind::Failed, format!("{} is not UTF-8", path.display())));
        }
        found.take(&batch);
    }
    Ok(found.finish(Format::Csv { dialect, encoding }, true, reader.rows()))
}

fn json_lines(path: &Path) -> Result<FoundFile, Failure> {
    let mut names: Vec<String> = Vec::new();
    for line in BufReader::new(open(path, TextEncoding::Utf8)?).split(b'\n') {
        let line = line.map_err(sample::unreadable(path))?;
        let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line) else { continue };
        let new = object.into_iter().map(|(name, _)| name).filter(|name| !names.contains(name));
        let new: Vec<String> = new.collect();
        names.extend(new);
    }
    let mut found = Columns::new(&names);
    let mut reader = JsonLinesReader::new(open(path, TextEncoding::Utf8)?, &found.declared, TextLimits::default());
    while let Some(batch) = reader.next_batch(BATCH_ROWS).map_err(failed(path))? {
        found.take(&batch);
    }
    Ok(found.finish(Format::JsonLines, false, reader.rows()))
}

fn parquet(path: &Path) -> Result<FoundFile, Failure> {
    let failed = |error: lockgate_connect::ParquetError| Failure::new(FailureKind::Failed, error.to_string());
    let (shown, keys) = (path.display().to_string(), Arc::new(FileKeys::default()));
    let file = File::open(path).map_err(sample::unreadable(path))?;
    let declared = ParquetReader::columns_of(&file, path, &shown, &keys).map_err(failed)?;
    let sampled = sample::sample(path, SAMPLED_VALUES_MAX)?;
    let column = |column: &SourceColumn| {
        let values = sampled.iter().find(|sampled| sampled.name == column.name.as_str());
        let values: Vec<&str> = values.into_iter().flat_map(|column| &column.values).map(String::as_str).collect();
        let tags = scan_column(Some(column.name.as_str()), &values).tags;
        FoundColumn { name: column.name.clone(), value_type: column.value_type, tags: likely(tags) }
    };
    Ok(FoundFile {
        format: Format::Parquet,
        columns: declared.iter().map(column).collect(),
        null_tokens: BTreeSet::new(),
        rows: 0,
        broken: 0,
        left_out: Vec::new(),
    })
}

fn likely(mut tags: Vec<TagFinding>) -> Vec<TagFinding> {
    tags.retain(|tag| tag.confidence >= 0.5);
    tags
}

/// The columns of a text file, while it is read.
struct Columns {
    declared: Vec<SourceColumn>,
    guesses: Vec<Guess>,
    broken: u64,
    left_out: Vec<String>,
}

impl Columns {
    fn new(names: &[String]) -> Self {
        let mut columns = Self { declared: Vec::new(), guesses: Vec::new(), broken: 0, left_out: Vec::new() };
        for name in names {
            let is_alone = names.iter().filter(|other| *other == name).count() == 1;
            match name.parse::<ColumnName>().ok().filter(|_| is_alone) {
                None => columns.left_out.push(name.clone()),
                Some(name) => {
                    let column = SourceColumn { name, value_type: ValueType::Text, nullable: true, format: None };
                    columns.declared.push(column);
                    columns.guesses.push(Guess::default());
                }
            }
        }
        columns
    }

    fn take(&mut self, batch: &SourceBatch) {
        self.broken += batch.broken.len() as u64;
        for (guess, column) in self.guesses.iter_mut().zip(batch.columns.columns()) {
            let texts = column.as_string::<i32>();
            (0..texts.len()).filter(|row| texts.is_valid(*row)).for_each(|row| guess.take(texts.value(row)));
        }
    }

    fn finish(self, format: Format, with_null_tokens: bool, rows: u64) -> FoundFile {
        let mut null_tokens = BTreeSet::new();
        let column = |(column, guess): (SourceColumn, Guess)| {
            let values: Vec<&str> = guess.sample.iter().map(String::as_str).collect();
            let tags = likely(scan_column(Some(column.name.as_str()), &values).tags);
            // A number that names a person or an account is no quantity: its digits are kept as they are.
            let is_code = tags.iter().any(|tag| tag.tag != "pii.birth_date");
            let may_have_tokens = with_null_tokens || guess.tokens.is_empty();
            let mut value_type = if may_have_tokens { guess.value_type() } else { ValueType::Text };
            if is_code && value_type != ValueType::Date && value_type != ValueType::Timestamp {
                value_type = ValueType::Text;
            }
            if value_type != ValueType::Text {
                null_tokens.extend(guess.tokens);
            }
            FoundColumn { name: column.name, value_type, tags }
        };
        let columns = self.declared.into_iter().zip(self.guesses).map(column).collect();
        FoundFile { format, columns, null_tokens, rows, broken: self.broken, left_out: self.left_out }
    }
}

/// What the values of a column have been so far.
#[derive(Default)]
struct Guess {
    sample: Vec<String>,
    values: u64,
    tokens: BTreeSet<&'static str>,
    not: BTreeSet<Kind>,
    whole_digits: usize,
    decimals: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    BigInt,
    Decimal,
    Double,
    Boolean,
    Date,
    Timestamp,
}

const KINDS: [Kind; 6] = [Kind::BigInt, Kind::Decimal, Kind::Double, Kind::Boolean, Kind::Date, Kind::Timestamp];

impl Guess {
    fn take(&mut self, text: &str) {
        if let Some(token) = NULL_TOKENS.into_iter().find(|token| *token == text) {
            self.tokens.insert(token);
            return;
        }
        self.values += 1;
        if self.sample.len() < SAMPLED_VALUES_MAX {
            self.sample.push(text.to_owned());
        }
        for kind in KINDS {
            if !self.not.contains(&kind) && !self.fits(kind, text) {
                self.not.insert(kind);
            }
        }
    }

    fn fits(&mut self, kind: Kind, text: &str) -> bool {
        let digits = text.trim_start_matches('-');
        // `007` and `+49` are codes; as numbers they would be other texts.
        let is_plain =
            !(digits.starts_with('+') || digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
        match kind {
            Kind::BigInt => is_plain && is_value(ValueType::BigInt, text),
            Kind::Decimal => {
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
                self.whole_digits = self.whole_digits.max(whole.len());
                self.decimals = self.decimals.max(decimals.len());
                let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                is_plain
                    && !whole.is_empty()
                    && is_digits(whole)
                    && is_digits(decimals)
                    && self.whole_digits + self.decimals <= DECIMAL_DIGITS_MAX
            }
            Kind::Double => is_plain && is_value(ValueType::Double, text),
            Kind::Boolean => ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)),
            Kind::Date => is_value(ValueType::Date, text),
            Kind::Timestamp => is_value(ValueType::Timestamp, text),
        }
    }

    fn value_type(&self) -> ValueType {
        let kind = KINDS.into_iter().find(|kind| !self.not.contains(kind)).filter(|_| self.values > 0);
        match kind {
            None => ValueType::Text,
            Some(Kind::BigInt) => ValueType::BigInt,
            Some(Kind::Decimal) => {
                // Room for values to come that have a few digits more.
                let digits = (self.whole_digits + self.decimals).clamp(18, DECIMAL_DIGITS_MAX);
                let (precision, scale) = (u8::try_from(digits).unwrap_or(38), u8::try_from(self.decimals).unwrap_or(0));
                ValueType::Decimal { precision, scale }
            }
            Some(Kind::Double) => ValueType::Double,
            Some(Kind::Boolean) => ValueType::Boolean,
            Some(Kind::Date) => ValueType::Date,
            Some(Kind::Timestamp) => ValueType::Timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_type_that_keeps_every_value_is_chosen() {
        for (values, expected) in [
            (&["1", "-20", "NULL"][..], "bigint"),
            (&["1", "2.5", "10.25"], "decimal(18, 2)"),
            (&["1", "2.5e3"], "double"),
            (&["99999999999999999999", "1"], "decimal(20, 0)"),
            (&["007", "1"], "text"),
            (&["0", "0.5"], "decimal(18, 1)"),
            (&["+49", "1"], "text"),
            (&["true", "False"], "boolean"),
            (&["t", "f"], "text"),
            (&["2026-01-31"], "date"),
            (&["2026-01-31T10:00:00Z", "2026-01-31 10:00:00"], "timestamp"),
            (&["2026-01-31", "2026-01-31T10:00:00Z"], "text"),
            (&["2026-02-30"], "text"),
            (&["NULL"], "text"),
            (&[], "text"),
        ] {
            let mut guess = Guess::default();
            values.iter().for_each(|value| guess.take(value));
            assert_eq!(guess.value_type().to_string(), expected, "{values:?}");
        }
    }
}
