//! Cuts a script into tokens.

use std::sync::Arc;

use super::limits::ScriptRefusal;
use super::value::{is_space, radix_number};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Name(Arc<str>),
    Number(f64),
    Text(Arc<str>),
    /// `/pattern/flags`
    Pattern {
        pattern: Arc<str>,
        flags: Arc<str>,
    },
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Where it starts, in bytes.
    pub(super) offset: usize,
    /// Whether it is the first of its line.
    pub(super) begins_line: bool,
}

/// The longest first.
const SIGNS: &[&str] = &[
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**", "{", "}", "(", ")",
    "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~", "?", ":", "=", ".",
];

pub(super) fn tokens(source: &str) -> Result<Vec<Token>, ScriptRefusal> {
    let mut lexer = Lexer { source, rest: source, tokens: Vec::new() };
    loop {
        let begins_line = lexer.skip_space()?;
        let offset = lexer.offset();
        let kind = lexer.token()?;
        let end = kind == TokenKind::End;
        lexer.tokens.push(Token { kind, offset, begins_line });
        if end {
            return Ok(lexer.tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    rest: &'s str,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn offset(&self) -> usize {
        self.source.len() - self.rest.len()
    }

    fn refuse(&self, what: impl Into<String>) -> ScriptRefusal {
        ScriptRefusal::new(what, self.source, self.offset())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn next_char(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.skip(char.len_utf8());
        Some(char)
    }

    /// Skips white space and comments; whether a line ended in them.
    fn skip_space(&mut self) -> Result<bool, ScriptRefusal> {
        let mut line_ended = false;
        loop {
            let before = self.rest;
            let trimmed = before.trim_start_matches(is_space);
            self.skip(before.len() - trimmed.len());
            let skipped = if self.rest.starts_with("//") {
                self.rest.find(is_line_end).unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").ok_or_else(|| self.refuse("a comment that does not end"))? + 2
            } else {
                0
            };
            self.skip(skipped);
            let passed = before.get(..before.len() - self.rest.len()).unwrap_or_default();
            line_ended |= passed.contains(is_line_end);
            if skipped == 0 {
                return Ok(line_ended);
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, ScriptRefusal> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        if first.is_alphabetic() || first == '_' || first == '$' {
            let inside = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
            let length = self.rest.find(|char| !inside(char)).unwrap_or(self.rest.len());
            let name = self.rest.get(..length).unwrap_or_default().into();
            self.skip(length);
            return Ok(TokenKind::Name(name));
        }
        let second = self.rest.chars().nth(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|char| char.is_ascii_digit())) {
            return self.number();
        }
        match first {
            '\'' | '"' => return self.text(first),
            '`' => return Err(self.refuse("a template literal is not supported")),
            '\\' => return Err(self.refuse("an escape in a name is not supported")),
            '/' if self.value_is_next() => return self.pattern(),
            _ => {}
        }
        match SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            Some(sign) => {
                self.skip(sign.len());
                Ok(TokenKind::Sign(sign))
            }
            None => Err(self.refuse(format!("the character `{}` is not supported", first.escape_debug()))),
        }
    }

    /// Whether an expression begins here, so that `/` opens a pattern and does not divide.
    fn value_is_next(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(TokenKind::Sign(sign)) => !matches!(*sign, ")" | "]" | "}"),
            Some(TokenKind::Name(name)) => matches!(&**name, "return" | "typeof" | "in" | "else"),
            Some(_) => false,
            None => true,
        }
    }

    fn number(&mut self) -> Result<TokenKind, ScriptRefusal> {
        let length = self.rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '.' && char != '_');
        let mut length = length.unwrap_or(self.rest.len());
        let starts_decimal = !matches!(self.rest.as_bytes(), [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
        let ends_in_e = |text: &str| starts_decimal && text.ends_with(['e', 'E']);
        if self.rest.get(..length).is_some_and(ends_in_e) {
            // The exponent may have a sign.
            let exponent = self.rest.get(length..).unwrap_or_default();
            if let Some(digits) = exponent.strip_prefix(['+', '-']) {
                length += 1 + digits.bytes().take_while(u8::is_ascii_digit).count();
            }
        }
        let text = self.rest.get(..length).unwrap_or_default();
        match literal_number(text) {
            Some(number) => {
                self.skip(length);
                Ok(TokenKind::Number(number))
            }
            None => Err(self.refuse(format!("`{text}` is no number of a kind that is supported"))),
        }
    }

    fn text(&mut self, quote: char) -> Result<TokenKind, ScriptRefusal> {
        let unfinished = self.refuse("a text that does not end");
        self.skip(1);
        // Halves of a pair may be written as two escapes.
        let mut units: Vec<u16> = Vec::new();
        loop {
            match self.next_char().ok_or_else(|| unfinished.clone())? {
                '\\' => self.escape(&mut units, &unfinished)?,
                char if char == quote => break,
                '\n' | '\r' => return Err(unfinished),
                char => units.extend_from_slice(char.encode_utf16(&mut [0; 2])),
            }
        }
        Ok(TokenKind::Text(String::from_utf16_lossy(&units).into()))
    }

    fn escape(&mut self, units: &mut Vec<u16>, unfinished: &ScriptRefusal) -> Result<(), ScriptRefusal> {
        let escaped = self.next_char().ok_or_else(|| unfinished.clone())?;
        let char = match escaped {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' if !self.rest.starts_with(|char: char| char.is_ascii_digit()) => '\0',
            '0'..='9' => return Err(self.refuse("an octal escape is not supported")),
            'x' => return self.code_unit(2, units),
            'u' if self.rest.starts_with('{') => self.code_point()?,
            'u' => return self.code_unit(4, units),
            // A line that goes on.
            '\r' => {
                self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
                return Ok(());
            }
            '\n' | '\u{2028}' | '\u{2029}' => return Ok(()),
            other => other,
        };
        units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
        Ok(())
    }

    fn code_unit(&mut self, digits: usize, units: &mut Vec<u16>) -> Result<(), ScriptRefusal> {
        let hex = self.rest.get(..digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        units.push(unit.ok_or_else(|| self.refuse("an escape that is not complete"))?);
        self.skip(digits);
        Ok(())
    }

    /// `{1F600}`
    fn code_point(&mut self) -> Result<char, ScriptRefusal> {
        let inner = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(inner, _)| inner);
        let inner = inner.filter(|hex| !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let char = inner.and_then(|hex| char::from_u32(u32::from_str_radix(hex, 16).ok()?));
        let length = inner.map_or(0, str::len) + 2;
        let char = char.ok_or_else(|| self.refuse("an escape that is no character"))?;
        self.skip(length);
        Ok(char)
    }

    fn pattern(&mut self) -> Result<TokenKind, ScriptRefusal> {
        let unfinished = self.refuse("a pattern that does not end");
        self.skip(1);
        let start = self.rest;
        let mut in_class = false;
        loop {
            match self.next_char().ok_or_else(|| unfinished.clone())? {
                '\n' | '\r' => return Err(unfinished),
                '\\' => {
                    self.next_char();
                }
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => break,
                _ => {}
            }
        }
        let pattern = start.get(..start.len() - self.rest.len() - 1).unwrap_or_default().into();
        let length = self.rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(self.rest.len());
        let flags = self.rest.get(..length).unwrap_or_default().into();
        self.skip(length);
        Ok(TokenKind::Pattern { pattern, flags })
    }
}

fn is_line_end(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

fn literal_number(text: &str) -> Option<f64> {
    if let Some((prefix, digits)) = text.split_at_checked(2) {
        let radix = match prefix {
            "0x" | "0X" => 16,
            "0o" | "0O" => 8,
            "0b" | "0B" => 2,
            _ => 10,
        };
        if radix != 10 {
            return radix_number(digits, radix);
        }
        // `010` is 8 in one mode of JavaScript and an error in the other.
        if prefix.starts_with('0') && prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<TokenKind> {
        tokens(source).expect("tokens").into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn texts_have_their_escapes_undone() {
        for (source, text) in [
            (r"'a\'b'", "a'b"),
            (r#""a\"b""#, "a\"b"),
            (r"'\n\t\\\x41\u0042\u{1F600}'", "\n\t\\AB\u{1f600}"),
            (r"'\uD83D\uDE00'", "\u{1f600}"),
            (r"'\uD83D'", "\u{fffd}"),
            ("'a\\\nb'", "ab"),
            (r"'\q'", "q"),
            ("'日本'", "日本"),
        ] {
            assert_eq!(kinds(source).first(), Some(&TokenKind::Text(text.into())), "{source}");
        }
    }

    #[test]
    fn numbers_are_those_of_javascript() {
        for (source, number) in
            [("0", 0.0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("2E-2", 0.02), ("0x10", 16.0)]
        {
            assert_eq!(kinds(source).first(), Some(&TokenKind::Number(number)), "{source}");
        }
        for source in ["010", "1_000", "1n", "1.2.3", "0x", "1e", "3abc"] {
            assert!(tokens(source).is_err(), "{source}");
        }
    }

    #[test]
    fn a_slash_divides_behind_a_value_and_opens_a_pattern_elsewhere() {
        assert_eq!(kinds("a / b / c").iter().filter(|kind| **kind == TokenKind::Sign("/")).count(), 2);
        let pattern = TokenKind::Pattern { pattern: r"a[/]\/b".into(), flags: "gi".into() };
        assert!(kinds(r"(/a[/]\/b/gi)").contains(&pattern));
        assert_eq!(kinds("(1) / 2").get(3), Some(&TokenKind::Sign("/")));
    }

    #[test]
    fn comments_and_lines_are_known() {
        let tokens = tokens("a // b\n/* c\n */ d e").expect("tokens");
        let lines: Vec<bool> = tokens.iter().map(|token| token.begins_line).collect();
        assert_eq!(lines, [false, true, false, false]);
    }

    #[test]
    fn what_does_not_end_or_is_unknown_is_refused_with_its_place() {
        for (source, message) in [
            ("'a", "1:1: a text that does not end"),
            ("x ==\n 'a\n'", "2:2: a text that does not end"),
            ("/* a", "1:1: a comment that does not end"),
            ("(/a", "1:2: a pattern that does not end"),
            ("a == `b`", "1:6: a template literal is not supported"),
            ("a # b", "1:3: the character `#` is not supported"),
            (r"'\01'", "1:4: an octal escape is not supported"),
            (r"'\u12'", "1:4: an escape that is not complete"),
        ] {
            assert_eq!(tokens(source).expect_err("a refusal").to_string(), message, "{source}");
        }
    }
}
