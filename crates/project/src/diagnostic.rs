//! What is wrong, where, and what to do next, as data: renderers and SARIF read it, nobody parses its text.

use std::fmt::{self, Write as _};

use crate::{Code, SourceFiles, Span};

/// The most diagnostics that one collection keeps; what comes after is counted.
pub const DIAGNOSTICS_MAX: usize = 500;

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant; the command goes on.
    Warning,
    /// The command does not go on.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a file and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// How grave.
    pub severity: Severity,
    /// One sentence without a full stop, the offending text in backticks.
    pub message: String,
    /// Where; the first is the primary one. Without labels a problem has no place in a file.
    pub labels: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at a place, as grave as its code is by default. Control characters of the message become `?`, so that
    /// no text of a file can act on a terminal.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into().replace(char::is_control, "?"),
            labels: vec![Label { span, text: String::new() }],
            help: None,
        }
    }

    /// The same with words at its primary place.
    #[must_use]
    pub fn labelled(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = self.labels.first_mut() {
            primary.text = text.into();
        }
        self
    }

    /// The same with another place that explains it.
    #[must_use]
    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// The same with what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The primary place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    /// One line: `pipelines/x.yaml:3:9: LG012 error: …`.
    pub fn line(&self, sources: &SourceFiles) -> String {
        let mut line = String::new();
        if let Some(span) = self.span() {
            let (row, column) = sources.line_column(span);
            // Writing to a text cannot fail.
            let _ = write!(line, "{}:{row}:{column}: ", sources.path(span.file));
        }
        let _ = write!(line, "{} {}: {}", self.code, self.severity, self.message);
        line
    }
}

/// Problems, sorted by file and position, each once; at most [`DIAGNOSTICS_MAX`] are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    sorted: Vec<Diagnostic>,
    omitted: usize,
    omitted_errors: usize,
}

impl Diagnostics {
    /// None.
    pub const fn new() -> Self {
        Self { sorted: Vec::new(), omitted: 0, omitted_errors: 0 }
    }

    /// Adds one, unless it is there already. Beyond [`DIAGNOSTICS_MAX`] the last in order are dropped and counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let at = self.sorted.partition_point(|known| order(known) <= order(&diagnostic));
        if self.sorted.iter().take(at).next_back() == Some(&diagnostic) {
            return;
        }
        self.sorted.insert(at, diagnostic);
        if self.sorted.len() > DIAGNOSTICS_MAX
            && let Some(dropped) = self.sorted.pop()
        {
            self.omitted += 1;
            self.omitted_errors += usize::from(dropped.severity == Severity::Error);
        }
    }

    /// In order of file and position.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.sorted.iter()
    }

    /// How many are kept.
    pub const fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many were dropped beyond [`DIAGNOSTICS_MAX`].
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether one is an error, a dropped one included.
    pub fn has_errors(&self) -> bool {
        self.omitted_errors > 0 || self.sorted.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

type Order<'a> = (Option<Span>, Code, &'a str);

fn order(diagnostic: &Diagnostic) -> Order<'_> {
    (diagnostic.span(), diagnostic.code, &diagnostic.message)
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut all = Self::new();
        all.extend(diagnostics);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.sorted.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> (SourceFiles, crate::FileId) {
        let mut sources = SourceFiles::new();
        let file = sources.add("pipelines/x.yaml", "a: 1\nbb: 2\n");
        (sources, file)
    }

    #[test]
    fn a_line_says_where_which_code_and_what() {
        let (sources, file) = sources();
        let span = Span { file, start: 5, end: 7 };
        let line = Diagnostic::new(Code::UnknownKey, span, "unknown key `bb`").line(&sources);
        assert_eq!(line, "pipelines/x.yaml:2:1: LG012 error: unknown key `bb`");
    }

    #[test]
    fn a_collection_is_sorted_has_no_doubles_and_ends_at_its_limit() {
        let (_, file) = sources();
        let at = |start| Diagnostic::new(Code::UnknownFile, Span { file, start, end: start }, "x");
        let mut all: Diagnostics = [at(3), at(1), at(3), at(2)].into_iter().collect();
        assert_eq!(all.iter().map(|d| d.labels[0].span.start).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(!all.has_errors());
        all.extend((4..=DIAGNOSTICS_MAX).map(at));
        assert_eq!((all.len(), all.omitted()), (DIAGNOSTICS_MAX, 0));
        all.push(Diagnostic::new(Code::UnknownKey, Span { file, start: 9_999, end: 9_999 }, "x"));
        assert_eq!((all.len(), all.omitted()), (DIAGNOSTICS_MAX, 1));
        assert!(all.has_errors(), "an error that was dropped still counts");
    }
}
