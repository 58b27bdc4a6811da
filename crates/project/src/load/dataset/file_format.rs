//! How files and their values are written becomes a dialect that a reader can tell apart, or is refused.

use lockgate_model::{Compression, NULL_TOKENS_MAX, TextEncoding, VALUE_FORMAT_BYTES_MAX, ValueFormat, ValueType};

use crate::load::Checker;
use crate::raw::CsvEntry;
use crate::yaml::Checked;
use crate::{Code, CsvDialect};

pub(super) fn check_csv(
    entry: Option<Checked<CsvEntry>>,
    compression: Option<Checked<Compression>>,
    checker: &mut Checker<'_>,
) -> Option<CsvDialect> {
    let mut dialect = CsvDialect {
        header: true,
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        null: None,
        encoding: TextEncoding::Utf8,
        compression: check_compression(compression)?,
    };
    let Some(entry) = entry else { return Some(dialect) };
    let range = entry.range;
    let entry = entry.value?;
    if let Some(header) = &entry.header {
        dialect.header = header.value?;
    }
    if let Some(delimiter) = &entry.delimiter {
        dialect.delimiter = character(delimiter, "delimiter", true, checker)?;
    }
    if let Some(quote) = &entry.quote {
        dialect.quote = match quote.value.as_deref() {
            Some("none") => None,
            _ => Some(character(quote, "quote", false, checker)?),
        };
    }
    if let Some(escape) = &entry.escape {
        dialect.escape = Some(character(escape, "escape", false, checker)?);
    }
    let delimiter = Some(dialect.delimiter);
    let escapes_as_other = dialect.escape.is_some() && [delimiter, dialect.quote].contains(&dialect.escape);
    if delimiter == dialect.quote || escapes_as_other {
        let message = "the delimiter, the quote and the escape must differ";
        checker.report(Code::InvalidValue, &range, message, Some("choose another character".to_owned()));
        return None;
    }
    if let Some(encoding) = &entry.encoding {
        dialect.encoding = encoding.value?;
    }
    if let Some(null) = entry.null_tokens {
        let tokens = null.value?;
        if tokens.len() > NULL_TOKENS_MAX {
            let message = format!("{} null tokens are more than {NULL_TOKENS_MAX}", tokens.len());
            checker.report(Code::ProjectLimit, &null.range, message, Some("name fewer".to_owned()));
            return None;
        }
        dialect.null = Some(tokens.into_iter().map(|token| token.value).collect::<Option<_>>()?);
    }
    Some(dialect)
}

/// What is declared, or else what the files' first bytes say.
pub(super) fn check_compression(compression: Option<Checked<Compression>>) -> Option<Compression> {
    compression.map_or(Some(Compression::Auto), |compression| compression.value)
}

/// One ASCII character that can separate or mark.
fn character(given: &Checked<String>, what: &str, with_space: bool, checker: &mut Checker<'_>) -> Option<u8> {
    let text = given.value.as_ref()?;
    let usable = |byte: u8| byte.is_ascii_punctuation() || with_space && matches!(byte, b'\t' | b' ');
    match text.as_bytes() {
        [byte] if usable(*byte) => Some(*byte),
        _ => {
            let message = format!("the {what} `{}` is no single mark such as `;` or `|`", checker.quote(&given.range));
            let help = "write one ASCII character that is neither letter nor digit; a tab is \"\\t\"".to_owned();
            checker.report(Code::InvalidValue, &given.range, message, Some(help));
            None
        }
    }
}

pub(super) fn check_column(
    format: &Checked<String>,
    value_type: ValueType,
    checker: &mut Checker<'_>,
) -> Option<ValueFormat> {
    let text = format.value.as_ref()?;
    let read = match value_type {
        _ if text.len() > VALUE_FORMAT_BYTES_MAX => None,
        ValueType::Date => text.contains('%').then(|| ValueFormat::Date(text.clone())),
        ValueType::Timestamp => text.contains('%').then(|| ValueFormat::Timestamp(text.clone())),
        ValueType::BigInt | ValueType::Integer | ValueType::Double | ValueType::Decimal { .. } => number(text),
        ValueType::Boolean => match text.split_once('/') {
            Some((yes, no)) if !yes.is_empty() && !no.is_empty() && yes != no => {
                Some(ValueFormat::Boolean { yes: yes.to_owned(), no: no.to_owned() })
            }
            Some(_) | None => None,
        },
        ValueType::Text => None,
    };
    if read.is_none() {
        let message = format!("`{}` is no format of a {value_type}", checker.quote(&format.range));
        let help = match value_type {
            ValueType::Date => "write it as strptime reads it, such as `%d.%m.%Y`",
            ValueType::Timestamp => "write it as strptime reads it, such as `%d.%m.%Y %H:%M:%S`",
            ValueType::Boolean => "write the words for true and false, such as `J/N`",
            ValueType::Text => "remove it: text is taken as it is",
            ValueType::BigInt | ValueType::Integer | ValueType::Double | ValueType::Decimal { .. } => {
                "write the number 1234.56 as the files would: `1.234,56`, `1,234.56`, `1 234,56`, `1'234.56` or `1234,56`"
            }
        };
        checker.report(Code::InvalidValue, &format.range, message, Some(help.to_owned()));
    }
    read
}

/// The number 1234.56 as an example of how numbers are written.
fn number(example: &str) -> Option<ValueFormat> {
    let rest = example.strip_prefix('1')?;
    let (group, rest) = match rest.strip_prefix("234") {
        Some(rest) => (None, rest),
        None => {
            let group = rest.chars().next()?;
            (Some(group), rest.strip_prefix(group)?.strip_prefix("234")?)
        }
    };
    let decimal = rest.strip_suffix("56")?;
    let (Some(decimal), true) = (decimal.chars().next(), decimal.chars().count() == 1) else { return None };
    let is_mark = |mark: char| ".,' \u{a0}\u{202f}".contains(mark);
    (is_mark(decimal) && group.is_none_or(|group| is_mark(group) && group != decimal))
        .then_some(ValueFormat::Number { decimal, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_by_example() {
        for (example, decimal, group) in [
            ("1.234,56", ',', Some('.')),
            ("1234,56", ',', None),
            ("1,234.56", '.', Some(',')),
            ("1 234,56", ',', Some(' ')),
        ] {
            assert_eq!(number(example), Some(ValueFormat::Number { decimal, group }), "{example}");
        }
        for wrong in ["", "1", "1234", "1.234.56", "12.34", "1x234,56", "1.234,567"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
