//! The texts of a project's files, so that every problem can be shown where it is, and no secret with it.

mod redact;

use std::ops::Range;

/// The largest file of a project, in bytes.
pub const PROJECT_FILE_BYTES_MAX: usize = 1 << 20;

/// The most characters of a file that a message quotes.
const QUOTED_CHARACTERS_MAX: usize = 80;

/// One file of a [`SourceFiles`]. Ordered as the files were added: `lockgate.yaml`, the catalog, the pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in one file, from `start` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: usize,
    /// The byte after the last; equal to `start` for a position.
    pub end: usize,
}

impl Span {
    /// The range of bytes.
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// The files of a project as they can be shown: what follows a key such as `passphrase` is blotted out unless it is a
/// reference to a secret. Byte offsets are those of the files on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFiles {
    files: Vec<SourceFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SourceFile {
    path: String,
    text: String,
}

impl SourceFiles {
    /// No files.
    pub const fn new() -> Self {
        Self { files: Vec::new() }
    }

    /// Adds a file. `path` is relative to the project, with `/` between its parts.
    pub fn add(&mut self, path: &str, text: &str) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile { path: path.to_owned(), text: redact::redacted(text) });
        id
    }

    /// The path of a file, relative to the project; empty for a file of another collection.
    pub fn path(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.path)
    }

    /// The text of a file as it may be shown; empty for a file of another collection.
    pub fn text(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.text)
    }

    /// The line and the column where a span begins, both from 1, the column in characters. An offset beyond the end
    /// counts as the end, one inside a character as that character.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        position(self.text(span.file), span.start)
    }

    /// As [`Self::line_column`], for where a span ends.
    pub fn end_line_column(&self, span: Span) -> (usize, usize) {
        position(self.text(span.file), span.end)
    }

    /// What stands at a span: its first line without the quotes around it, at most 80 characters, without control
    /// characters and backticks. A `${env:NAME}` is quoted as it stands, never as what it expands to.
    pub fn quote(&self, span: Span) -> String {
        let text = self.text(span.file).get(span.range()).unwrap_or_default().trim();
        let bare = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text);
        quotable(bare)
    }

    fn file(&self, file: FileId) -> Option<&SourceFile> {
        self.files.get(usize::try_from(file.0).ok()?)
    }
}

/// A text made fit to stand between backticks in a message: one line, 80 characters, no control characters.
pub(crate) fn quotable(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut quoted: String = line
        .chars()
        .take(QUOTED_CHARACTERS_MAX)
        .map(|character| if character.is_control() || character == '`' { '?' } else { character })
        .collect();
    if line.chars().nth(QUOTED_CHARACTERS_MAX).is_some() || text.lines().nth(1).is_some() {
        quoted.push('…');
    }
    quoted
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut files = SourceFiles::new();
        let file = files.add("lockgate.yaml", "a\nbé€d\n");
        let at = |start| files.line_column(Span { file, start, end: start });
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(8), (2, 4));
        assert_eq!(at(4), (2, 2), "inside a character");
        assert_eq!(at(9), (2, 5));
        assert_eq!(at(99), (3, 1), "beyond the end");
    }

    #[test]
    fn a_quotation_is_one_short_clean_line() {
        let mut files = SourceFiles::new();
        let text = format!("\"a`b\"\n'{}'\n", "x".repeat(QUOTED_CHARACTERS_MAX + 1));
        let file = files.add("f", &text);
        assert_eq!(files.quote(Span { file, start: 0, end: 5 }), "a?b");
        assert_eq!(files.quote(Span { file, start: 6, end: 89 }), format!("{}…", "x".repeat(QUOTED_CHARACTERS_MAX)));
        assert_eq!(files.quote(Span { file, start: 7, end: 87 }), "x".repeat(QUOTED_CHARACTERS_MAX));
        assert_eq!(files.quote(Span { file, start: 7, end: 4_000 }), "");
    }
}
