//! A second look at a record that has a quote: the parser below takes any bytes for a record, this look doesn't.

/// What a record's bytes tell beyond its fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct QuoteScan {
    /// Line ends inside the record: LF, CRLF and CR count one each.
    pub(super) line_ends: u64,
    /// A quoted field goes on after its closing quote.
    pub(super) text_after_quote: bool,
    /// The record ends inside a quoted field.
    pub(super) open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote within a quoted field: the field's end, or the first of two that stand for one.
    QuoteInQuoted,
}

/// Scans the bytes of one record, without the line's end after it. A quote inside a field that doesn't begin with
/// one is text, and what follows an escape inside quotes has no meaning.
pub(super) fn scan(raw: &[u8], delimiter: u8, quote: u8, escape: Option<u8>) -> QuoteScan {
    let mut found = QuoteScan::default();
    let mut state = State::FieldStart;
    let (mut after_cr, mut escaped) = (false, false);
    for &byte in raw {
        found.line_ends += u64::from(byte == b'\r' || byte == b'\n' && !after_cr);
        after_cr = byte == b'\r';
        if state == State::Quoted && (escaped || Some(byte) == escape) {
            escaped = !escaped;
            continue;
        }
        state = match state {
            State::FieldStart if byte == quote => State::Quoted,
            State::Quoted if byte == quote => State::QuoteInQuoted,
            State::QuoteInQuoted if byte == quote => State::Quoted,
            State::Quoted => State::Quoted,
            State::FieldStart | State::Plain | State::QuoteInQuoted if byte == delimiter => State::FieldStart,
            State::FieldStart | State::Plain => State::Plain,
            State::QuoteInQuoted => {
                found.text_after_quote = true;
                State::Plain
            }
        };
    }
    found.open = state == State::Quoted;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_has_no_meaning() {
        let closed = QuoteScan::default();
        assert_eq!(scan(b"\"a\\\"b\",c", b',', b'"', Some(b'\\')), closed);
        assert_eq!(scan(b"\"a\\\\\",c", b',', b'"', Some(b'\\')), closed);
        assert!(scan(b"\"a\\\"", b',', b'"', Some(b'\\')).open);
    }

    #[test]
    fn quotes_and_line_ends_are_seen() {
        for (raw, line_ends, text_after_quote, open) in [
            (&b"a,b"[..], 0, false, false),
            (b"\"a\",\"b\"", 0, false, false),
            (b"\"a\"\"b\"", 0, false, false),
            (b"\"a\"b", 0, true, false),
            (b"\"a\" ,b", 0, true, false),
            (b"a\"b\"", 0, false, false),
            (b"\"a", 0, false, true),
            (b"\"a\"\"", 0, false, true),
            (b"\"\"", 0, false, false),
            (b"\"\n\",\"\r\n\",\"\r\"", 3, false, false),
            (b"\"\r\r\n\n\"", 3, false, false),
        ] {
            let expected = QuoteScan { line_ends, text_after_quote, open };
            assert_eq!(scan(raw, b',', b'"', None), expected, "{}", raw.escape_ascii());
        }
    }
}
