//! Reads JSON as Ranger's own files are written, and hands strict JSON on: whatever is accepted here means one thing.
//!
//! Accepted beyond JSON: comments (`//`, `#`, `/* */`), trailing commas, names and texts in single quotes, names
//! without quotes. A member that is `null` is left out, as is a `null` in a list: absent and null mean the same.
//!
//! ```text
//! { 'a': null, b: [1, 2,], }  // note     ─►     {"b":[1,2]}
//! ```

use serde::de::DeserializeOwned;

/// The longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How deep lists and objects may be nested.
pub const DOCUMENT_DEPTH_MAX: usize = 64;

/// Why a document can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than [`DOCUMENT_BYTES_MAX`].
    #[error("the document has {bytes} bytes; at most {DOCUMENT_BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is not JSON, not even leniently.
    #[error("{line}:{column}: {what}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What was found or missed.
        what: &'static str,
    },
    /// It is JSON of another shape.
    #[error("this is not what is expected here: {0}")]
    Shape(#[from] serde_json::Error),
}

/// Reads a document leniently.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    Ok(serde_json::from_str(&strict(text)?)?)
}

/// The strict JSON that `text` means.
pub fn strict(text: &str) -> Result<String, ReadError> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(ReadError::TooLong { bytes: text.len() });
    }
    let mut reader = Reader { text, at: 0, out: String::with_capacity(text.len()) };
    reader.skip_space()?;
    reader.value(0)?;
    reader.skip_space()?;
    match reader.peek() {
        None => Ok(reader.out),
        Some(_) => Err(reader.error("something follows the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, what: &'static str) -> ReadError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ReadError::Syntax { line, column, what }
    }

    fn skip_space(&mut self) -> Result<(), ReadError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'#') => self.skip_line(),
                Some(b'/') if self.rest().starts_with("//") => self.skip_line(),
                Some(b'/') if self.rest().starts_with("/*") => match self.rest().find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return Err(self.error("the comment has no end")),
                },
                Some(0xEF) if self.rest().starts_with('\u{feff}') => self.at += '\u{feff}'.len_utf8(),
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Writes one value; whether it was `null`, which is written as well and for the caller to take back.
    fn value(&mut self, depth: usize) -> Result<bool, ReadError> {
        if depth > DOCUMENT_DEPTH_MAX {
            return Err(self.error("lists and objects are nested too deep"));
        }
        match self.peek() {
            Some(b'{') => self.members(depth).map(|()| false),
            Some(b'[') => self.items(depth).map(|()| false),
            Some(b'"' | b'\'') => self.quoted().map(|()| false),
            Some(_) => self.bare_value(),
            None => Err(self.error("a value is missing")),
        }
    }

    fn members(&mut self, depth: usize) -> Result<(), ReadError> {
        self.open('{');
        let mut first = true;
        loop {
            self.skip_space()?;
            if self.close(b'}') {
                return Ok(());
            }
            let start = self.out.len();
            if !first {
                self.out.push(',');
            }
            self.name()?;
            self.skip_space()?;
            if self.peek() != Some(b':') {
                return Err(self.error("`:` is missing after a name"));
            }
            self.at += 1;
            self.out.push(':');
            self.skip_space()?;
            if self.value(depth + 1)? {
                self.out.truncate(start);
            } else {
                first = false;
            }
            self.separator(b'}')?;
        }
    }

    fn items(&mut self, depth: usize) -> Result<(), ReadError> {
        self.open('[');
        let mut first = true;
        loop {
            self.skip_space()?;
            if self.close(b']') {
                return Ok(());
            }
            let start = self.out.len();
            if !first {
                self.out.push(',');
            }
            if self.value(depth + 1)? {
                self.out.truncate(start);
            } else {
                first = false;
            }
            self.separator(b']')?;
        }
    }

    fn open(&mut self, bracket: char) {
        self.at += 1;
        self.out.push(bracket);
    }

    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
            self.out.push(char::from(bracket));
        }
        closes
    }

    /// After a value: a comma, or the end that [`Self::close`] takes.
    fn separator(&mut self, end: u8) -> Result<(), ReadError> {
        self.skip_space()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(())
            }
            Some(byte) if byte == end => Ok(()),
            _ => Err(self.error("`,` or the end of the list or object is missing")),
        }
    }

    fn name(&mut self) -> Result<(), ReadError> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.quoted();
        }
        let end = self.bare_end();
        if end == 0 {
            return Err(self.error("a name is missing"));
        }
        let name = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end;
        self.push_text(&name);
        Ok(())
    }

    /// How long what has no quotes is.
    fn bare_end(&self) -> usize {
        let rest = self.rest();
        rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | '$'))).unwrap_or(rest.len())
    }

    fn bare_value(&mut self) -> Result<bool, ReadError> {
        let end = self.bare_end();
        let word = self.rest().get(..end).unwrap_or_default().to_owned();
        match word.as_str() {
            "" => return Err(self.error("a value is missing")),
            "null" | "true" | "false" => self.out.push_str(&word),
            _ if serde_json::from_str::<serde_json::Number>(&word).is_ok() => self.out.push_str(&word),
            _ => return Err(self.error("a text needs quotes")),
        }
        self.at += end;
        Ok(word == "null")
    }

    fn quoted(&mut self) -> Result<(), ReadError> {
        let quote = self.peek().map_or('"', char::from);
        let start = self.at + 1;
        let inner = self.text.get(start..).unwrap_or_default();
        let mut escaped = false;
        let end = inner.char_indices().find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(self.error("the text has no end")) };
        let inner = inner.get(..end).unwrap_or_default();
        if quote == '"' && !inner.contains(char::is_control) {
            self.out.push('"');
            self.out.push_str(inner);
            self.out.push('"');
        } else {
            let owned = inner.to_owned();
            self.push_requoted(&owned);
        }
        self.at = start + end + 1;
        Ok(())
    }

    /// Writes what stood in other quotes, or over several lines; its escapes stay.
    fn push_requoted(&mut self, inner: &str) {
        self.out.push('"');
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('\'') => self.out.push('\''),
                    Some('\n') => self.out.push_str("\\n"),
                    Some(next) => self.out.extend(['\\', next]),
                    None => self.out.push_str("\\\\"),
                },
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if c.is_control() => self.out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn push_text(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ranger_s_files_have_beyond_json_is_read() {
        let text = "// head\n{ 'a': 'it\\'s \"x\"', b: [1, 2.0, /* two */ true,], # note\n \"c\": \"d\\\"\\\\\", }";
        assert_eq!(strict(text).unwrap(), r#"{"a":"it's \"x\"","b":[1,2.0,true],"c":"d\"\\"}"#);
    }

    #[test]
    fn null_is_as_good_as_absent() {
        assert_eq!(strict(r#"{"a": null, "b": [null, 1, null], "c": null, "d": {}}"#).unwrap(), r#"{"b":[1],"d":{}}"#);
    }

    #[test]
    fn lines_within_a_text_stay() {
        assert_eq!(strict("{\"a\": \"x\n\ty\"}").unwrap(), r#"{"a":"x\n\ty"}"#);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, message) in [
            ("{\n \"a\" 1}", "2:6: `:` is missing after a name"),
            ("{\"a\": x}", "1:7: a text needs quotes"),
            ("[1 2]", "1:4: `,` or the end of the list or object is missing"),
            ("\"a", "1:1: the text has no end"),
            ("/* a", "1:1: the comment has no end"),
            ("[] []", "1:4: something follows the document"),
            ("", "1:1: a value is missing"),
        ] {
            assert_eq!(strict(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(strict(&nested(DOCUMENT_DEPTH_MAX + 1)).is_ok());
        assert!(strict(&nested(DOCUMENT_DEPTH_MAX + 2)).is_err());
    }

    #[test]
    fn length_has_a_limit() {
        let long = " ".repeat(DOCUMENT_BYTES_MAX - 2) + "[]";
        assert!(strict(&long).is_ok());
        assert!(matches!(strict(&(long + " ")), Err(ReadError::TooLong { .. })));
    }
}
