//! A finding about SQL, placed by byte offsets in the SQL's own text; it becomes a diagnostic once the file is known.

use std::ops::Range;

use lockgate_project::{Code, Diagnostic, Span};

/// What is wrong, where in the SQL, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which of the diagnostics it is.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// Bytes of the SQL text; `None` is all of it.
    pub at: Option<Range<usize>>,
    /// Said at the place itself.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None, label: String::new(), help: None }
    }

    pub(crate) fn at(mut self, at: Option<Range<usize>>) -> Self {
        self.at = at.or(self.at);
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The diagnostic that it is, once its place in a file is known.
    pub fn diagnostic(&self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.code, span, self.message.clone()).labelled(self.label.clone());
        match &self.help {
            Some(help) => diagnostic.with_help(help.clone()),
            None => diagnostic,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
