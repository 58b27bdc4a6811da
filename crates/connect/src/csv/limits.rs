//! How a CSV file is written, and how much of it is held at once.

use lockgate_model::NULL_TOKENS_MAX;

use crate::text_error::CsvOptionsError;

/// The longest field, in bytes of its value.
pub const FIELD_BYTES_MAX: usize = 1024 * 1024;
/// The longest record, in bytes as in the file, without the line's end.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most columns of a file.
pub const COLUMNS_MAX: usize = 4_096;

/// The delimiter, the quote, the escape, the texts that stand for null, and whether there is a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    null_tokens: Vec<String>,
    header: bool,
}

impl CsvOptions {
    /// A file with a header; without a quote no character quotes. Fails where a reader couldn't tell delimiter, quote, text
    /// and line ends apart.
    pub fn new(delimiter: u8, quote: impl Into<Option<u8>>, null_tokens: Vec<String>) -> Result<Self, CsvOptionsError> {
        let quote = quote.into();
        let separates = |byte: u8| byte == b'\t' || byte == b' ' || byte.is_ascii_punctuation();
        if !separates(delimiter) {
            return Err(CsvOptionsError::Character("delimiter"));
        }
        if quote.is_some_and(|quote| !separates(quote)) {
            return Err(CsvOptionsError::Character("quote"));
        }
        if Some(delimiter) == quote {
            return Err(CsvOptionsError::Same);
        }
        if null_tokens.len() > NULL_TOKENS_MAX {
            return Err(CsvOptionsError::TooManyNullTokens(null_tokens.len()));
        }
        Ok(Self { delimiter, quote, escape: None, null_tokens, header: true })
    }

    /// A file whose first record is data: the declared columns stand in it in their order, and no others.
    pub fn without_header(mut self) -> Self {
        self.header = false;
        self
    }

    /// A character that takes its meaning from the one after it, within quotes. Fails as [`new`](Self::new) does.
    pub fn with_escape(mut self, escape: u8) -> Result<Self, CsvOptionsError> {
        if !escape.is_ascii_punctuation() {
            return Err(CsvOptionsError::Character("escape"));
        }
        if escape == self.delimiter || Some(escape) == self.quote {
            return Err(CsvOptionsError::Same);
        }
        self.escape = Some(escape);
        Ok(self)
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) fn quote(&self) -> Option<u8> {
        self.quote
    }

    pub(super) fn escape(&self) -> Option<u8> {
        self.escape
    }

    pub(super) fn has_header(&self) -> bool {
        self.header
    }

    pub(super) fn is_null(&self, field: &str) -> bool {
        self.null_tokens.iter().any(|token| token == field)
    }
}

impl Default for CsvOptions {
    /// Comma, double quote, and the empty field as null.
    fn default() -> Self {
        Self { delimiter: b',', quote: Some(b'"'), escape: None, null_tokens: vec![String::new()], header: true }
    }
}

/// How much of a file is held in memory at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLimits {
    /// The longest field; [`FIELD_BYTES_MAX`] by default.
    pub field_bytes: usize,
    /// The longest record; [`RECORD_BYTES_MAX`] by default.
    pub record_bytes: usize,
    /// The most columns; [`COLUMNS_MAX`] by default.
    pub columns: usize,
    /// A batch ends with the record that makes it this long, in bytes as in the file; 32 MiB by default.
    pub batch_bytes: usize,
    /// How much is read at once, at least one byte; 128 KiB by default.
    pub read_bytes: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            field_bytes: FIELD_BYTES_MAX,
            record_bytes: RECORD_BYTES_MAX,
            columns: COLUMNS_MAX,
            batch_bytes: 32 * 1024 * 1024,
            read_bytes: 128 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_can_not_be_told_apart_are_refused() {
        assert_eq!(CsvOptions::new(b',', b'"', vec![String::new()]), Ok(CsvOptions::default()));
        for good in [b'\t', b';', b'|', b' '] {
            assert!(CsvOptions::new(good, b'\'', vec![]).is_ok());
        }
        for wrong in [b'a', b'0', b'\n', b'\r', 0, 0x7f, 0xc3] {
            assert_eq!(CsvOptions::new(wrong, b'"', vec![]), Err(CsvOptionsError::Character("delimiter")));
            assert_eq!(CsvOptions::new(b',', wrong, vec![]), Err(CsvOptionsError::Character("quote")));
        }
        assert_eq!(CsvOptions::new(b'"', b'"', vec![]), Err(CsvOptionsError::Same));
        assert!(CsvOptions::new(b',', b'"', vec!["x".into(); NULL_TOKENS_MAX]).is_ok());
        let too_many = NULL_TOKENS_MAX + 1;
        assert_eq!(
            CsvOptions::new(b',', b'"', vec!["x".into(); too_many]),
            Err(CsvOptionsError::TooManyNullTokens(too_many))
        );
    }
}
