//! Each byte of a value knows the bytes of the file that it comes from, so that a place in SQL is a place in the file.
//!
//! ```text
//! sql: "SELECT \"a\"
//!       FROM t"          value  S E L E C T _ " a " _ F …
//!                        file   the escape \" is one byte; the line break and the indentation are one space
//! ```
//! Where a value cannot be aligned with its file (a folded block in an unusual form), there are no positions and the
//! whole value is pointed at.

use std::ops::Range;

use granit_parser::ScalarStyle;

/// For each byte of a value, the range of bytes that it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Positions(Vec<(u32, u32)>);

impl Positions {
    /// Aligns a value with its notation in the file. Offsets are relative to the notation's beginning.
    pub(super) fn align(source: &str, style: ScalarStyle, text: &str) -> Option<Self> {
        let mut aligner = Aligner { source, at: 0, made: String::new(), positions: Self::default() };
        match style {
            ScalarStyle::Plain => aligner.flow(None)?,
            ScalarStyle::SingleQuoted => aligner.flow(Some('\''))?,
            ScalarStyle::DoubleQuoted => aligner.flow(Some('"'))?,
            ScalarStyle::Literal | ScalarStyle::Folded => return Self::align_block(source, text),
        }
        (aligner.made == text).then_some(aligner.positions)
    }

    /// Aligns a block, whether the notation begins at its header or at its first line.
    fn align_block(source: &str, text: &str) -> Option<Self> {
        let after_header = source.find('\n').map(|end| end + 1);
        let header = source.starts_with(['|', '>']).then_some(after_header).flatten();
        header.and_then(|body| Self::align_lines(source, body, text)).or_else(|| Self::align_lines(source, 0, text))
    }

    /// Aligns lines: what is not white space stands in both in the same order; white space lies between.
    fn align_lines(source: &str, body: usize, text: &str) -> Option<Self> {
        let mut positions = Self::default();
        let mut at = body;
        for character in text.chars() {
            if character.is_whitespace() {
                let here = source.get(at..)?.chars().next();
                let next = at + here.filter(|c| *c == character).map_or(0, char::len_utf8);
                (0..character.len_utf8()).for_each(|_| positions.push(at..next));
                at = next;
                continue;
            }
            let rest = source.get(at..)?;
            at += rest.len() - rest.trim_start().len();
            if !source.get(at..)?.starts_with(character) {
                return None;
            }
            let end = at + character.len_utf8();
            (0..character.len_utf8()).for_each(|_| positions.push(at..end));
            at = end;
        }
        source.get(at..)?.trim().is_empty().then_some(positions)
    }

    pub(super) fn push(&mut self, range: Range<usize>) {
        let small = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        self.0.push((small(range.start), small(range.end)));
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The same with every offset moved by `start`.
    pub(super) fn shifted(mut self, start: usize) -> Self {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        for (from, to) in &mut self.0 {
            (*from, *to) = (from.saturating_add(start), to.saturating_add(start));
        }
        self
    }

    /// The smallest range of the file that covers a range of the value; beyond the value's end it is the end's place.
    pub(crate) fn whole(&self, range: Range<usize>) -> Range<usize> {
        let size = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        let end = self.0.last().map_or(0, |(_, to)| size(*to));
        let start = self.0.get(range.start).map_or(end, |(from, _)| size(*from));
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let stop = last.map_or(start, |last| self.0.get(last).map_or(end, |(_, to)| size(*to)));
        start..stop.max(start)
    }
}

struct Aligner<'a> {
    source: &'a str,
    at: usize,
    made: String,
    positions: Positions,
}

impl Aligner<'_> {
    /// Reads a plain or quoted notation: escapes, doubled quotes, and line breaks folded as YAML 1.2 section 6.5 says.
    fn flow(&mut self, quote: Option<char>) -> Option<()> {
        if let Some(quote) = quote {
            self.source = self.source.strip_suffix(quote)?;
            self.at = quote.len_utf8();
        }
        while let Some(character) = self.rest().chars().next() {
            match (character, quote) {
                ('\\', Some('"')) => self.escape()?,
                ('\'', Some('\'')) => self.made_from('\'', 2)?,
                (space, _) if space.is_whitespace() => self.white_space(),
                (other, _) => self.made_from(other, other.len_utf8())?,
            }
        }
        Some(())
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn made_from(&mut self, character: char, bytes: usize) -> Option<()> {
        let range = self.at..self.at + bytes;
        self.source.get(range.clone())?;
        self.put(character, range.clone());
        self.at = range.end;
        Some(())
    }

    fn put(&mut self, character: char, range: Range<usize>) {
        self.made.push(character);
        (0..character.len_utf8()).for_each(|_| self.positions.push(range.clone()));
    }

    fn white_space(&mut self) {
        let rest = self.rest();
        let run = rest.get(..rest.len() - rest.trim_start().len()).unwrap_or_default().to_owned();
        let start = self.at;
        match run.matches('\n').count() {
            0 => run.char_indices().for_each(|(at, c)| self.put(c, start + at..start + at + c.len_utf8())),
            1 => self.put(' ', start..start + run.len()),
            breaks => (1..breaks).for_each(|_| self.put('\n', start..start + run.len())),
        }
        self.at += run.len();
    }

    fn escape(&mut self) -> Option<()> {
        let code = self.rest().chars().nth(1)?;
        let digits = |count: usize| {
            let hexadecimal = self.rest().get(2..2 + count)?;
            char::from_u32(u32::from_str_radix(hexadecimal, 16).ok()?)
        };
        match code {
            '\n' => {
                let rest = self.rest().get(2..)?;
                self.at += 2 + (rest.len() - rest.trim_start().len());
                Some(())
            }
            'x' => self.made_from(digits(2)?, 4),
            'u' => self.made_from(digits(4)?, 6),
            'U' => self.made_from(digits(8)?, 10),
            'n' => self.made_from('\n', 2),
            't' | '\t' => self.made_from('\t', 2),
            'r' => self.made_from('\r', 2),
            same @ ('"' | '\\' | '/' | ' ') => self.made_from(same, 2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointed(source: &str, style: ScalarStyle, text: &str, word: &str) -> String {
        let positions = Positions::align(source, style, text).unwrap();
        let start = text.find(word).unwrap();
        source[positions.whole(start..start + word.len())].to_owned()
    }

    #[test]
    fn a_word_is_found_in_every_notation() {
        use ScalarStyle::{DoubleQuoted, Folded, Literal, Plain, SingleQuoted};
        for (source, style, text) in [
            ("SELECT é, bad FROM t", Plain, "SELECT é, bad FROM t"),
            ("SELECT é,\n  bad\n\n  FROM t", Plain, "SELECT é, bad\nFROM t"),
            ("'it''s bad'", SingleQuoted, "it's bad"),
            ("'it\n  bad'", SingleQuoted, "it bad"),
            ("\"\\u00e9 \\\"\\n bad\"", DoubleQuoted, "é \"\n bad"),
            ("\"a \\\n   bad\"", DoubleQuoted, "a bad"),
            ("|\n  SELECT\n    bad\n\n  FROM t\n", Literal, "SELECT\n  bad\n\nFROM t\n"),
            (">-\n  SELECT\n  bad\n\n  FROM t\n", Folded, "SELECT bad\nFROM t"),
        ] {
            assert_eq!(pointed(source, style, text, "bad"), "bad", "{source}");
        }
    }

    #[test]
    fn what_does_not_align_has_no_positions() {
        assert_eq!(Positions::align("\"a\"", ScalarStyle::DoubleQuoted, "b"), None);
        assert_eq!(Positions::align("\"\\q\"", ScalarStyle::DoubleQuoted, "q"), None);
        assert_eq!(Positions::align("|\n  a\n", ScalarStyle::Literal, "b\n"), None);
        assert_eq!(Positions::align("|", ScalarStyle::Literal, "b"), None);
        assert_eq!(pointed("SELECT\n    bad\n", ScalarStyle::Literal, "SELECT\n  bad\n", "bad"), "bad");
    }

    #[test]
    fn beyond_the_end_is_the_end() {
        let positions = Positions::align("abc", ScalarStyle::Plain, "abc").unwrap();
        assert_eq!(positions.whole(1..2), 1..2);
        assert_eq!(positions.whole(1..9), 1..3);
        assert_eq!(positions.whole(9..10), 3..3);
        assert_eq!(positions.whole(1..1), 1..1);
    }
}
