//! A parsed file has every value with its place, no key twice, and nothing that stands for something elsewhere.
//!
//! ```text
//! text ─► events ─► nodes with spans, `${env:NAME}` expanded ─decode─► raw files
//!   └─ refused: what is no YAML; anchors, aliases, tags, more documents; too deep, too many values; a key twice
//! ```
//! Variables are expanded in values after parsing, so what they hold is text and never YAML. Without aliases, the nodes
//! of a file are never more than its text has room for.

mod decode;
mod expand;
mod positions;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

pub(crate) use decode::{AnyScalar, Checked, Entries, decode};
pub use expand::EXPANDED_BYTES_MAX;
pub(crate) use positions::Positions;

use crate::source::quotable;
use crate::{Code, Diagnostic, FileId, SourceFiles, Span};

/// How deep mappings and lists may be nested in a file.
pub const YAML_DEPTH_MAX: usize = 32;

/// How many values a file may hold: keys are not counted; mappings and lists are.
pub const YAML_VALUES_MAX: usize = 100_000;

/// The key whose value's inner positions are kept.
const POSITIONED_KEY: &str = "sql";

/// The most bytes of a path such as `columns.id.type` that a message shows.
const PATH_SHOWN_BYTES_MAX: usize = 200;

/// One value of a file.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) range: Range<usize>,
    /// Where it is, such as `columns.id.type`; empty for the whole file.
    pub(crate) path: String,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Whether it stands without quotes, so that `1` is a number and `true` is a truth value.
    pub(crate) plain: bool,
    /// Whether a variable was expanded in it: then it is text, and is not shown in messages.
    pub(crate) expanded: bool,
    /// Whether a variable could not be expanded, which was reported: then nothing else is said about the value.
    pub(crate) broken: bool,
    /// For a `sql:`, where each byte of the text comes from.
    pub(crate) positions: Option<Positions>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_range: Range<usize>,
    pub(crate) node: Node,
}

/// Where problems of one file go while it is read.
pub(crate) struct Context<'a> {
    pub(crate) file: FileId,
    pub(crate) sources: &'a SourceFiles,
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) problems: RefCell<Vec<Diagnostic>>,
}

impl Context<'_> {
    pub(crate) fn span(&self, range: &Range<usize>) -> Span {
        Span { file: self.file, start: range.start, end: range.end.max(range.start) }
    }

    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        self.problems.borrow_mut().push(diagnostic);
    }

    fn report_at(&self, code: Code, range: &Range<usize>, message: impl Into<String>, help: &str) {
        self.report(Diagnostic::new(code, self.span(range), message).with_help(help));
    }
}

/// Parses one file. `None` if it could not be parsed to its end; then at least one problem was reported.
pub(crate) fn parse(text: &str, context: &Context<'_>) -> Option<Node> {
    let mut options = granit_parser::options! { strict_indentation: false };
    options.set_emit_comments(false);
    let mut builder = Builder {
        text,
        context,
        events: Parser::new_from_str_with_options(text, options),
        values: 0,
        expanded_bytes: 0,
    };
    builder.document()
}

struct Builder<'a, 'c> {
    text: &'a str,
    context: &'a Context<'c>,
    events: Parser<'a, StrInput<'a>>,
    values: usize,
    expanded_bytes: usize,
}

impl Builder<'_, '_> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_none() => {
                    let first = self.next()?;
                    root = Some(self.node(first, String::new(), 0, &range)?);
                }
                Event::DocumentStart(..) => {
                    self.context.report_at(
                        Code::UnsupportedYaml,
                        &range,
                        "a second document begins",
                        "a file holds one document: put this one into a file of its own",
                    );
                    return None;
                }
                Event::StreamEnd => break,
                _ => return self.unsupported("something unexpected", &range),
            }
        }
        if root.is_none() {
            self.context.report_at(
                Code::YamlSyntax,
                &(0..0),
                "the file is empty",
                "write its keys, or remove the file",
            );
        }
        root
    }

    /// The next event. `None` at the end or after an error that was reported.
    fn next(&mut self) -> Option<(Event<'static>, Range<usize>)> {
        match self.events.next_event()? {
            Ok((event, span)) => {
                let range = self.clamped(span.byte_range().unwrap_or(0..0));
                match owned(event) {
                    Some(event) => Some((event, range)),
                    None => self.unsupported("something unexpected", &range),
                }
            }
            Err(error) => {
                self.syntax_error(&error);
                None
            }
        }
    }

    fn syntax_error(&self, error: &ScanError) {
        let start = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        let word = rest.split(|c: char| c.is_whitespace()).next().unwrap_or_default().len();
        let range = self.clamped(start..start + word);
        let offending = self.context.sources.quote(self.context.span(&range));
        let near = if offending.is_empty() { String::new() } else { format!(" at `{offending}`") };
        let help = if offending.starts_with(':') {
            "text that has `: ` in it stands in quotes, as in `with: \"token(domain: customer)\"`"
        } else {
            "check the indentation, the quotes and the braces here and in the lines above"
        };
        let message = format!("not valid YAML{near}: {}", quotable(&error.info()));
        self.context.report_at(Code::YamlSyntax, &range, message, help);
    }

    fn clamped(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.text.len());
        range.start.min(end)..end
    }

    fn unsupported<T>(&self, what: &str, range: &Range<usize>) -> Option<T> {
        let offending = self.context.sources.quote(self.context.span(range));
        let shown = if offending.is_empty() { String::new() } else { format!(" `{offending}`") };
        self.context.report_at(
            Code::UnsupportedYaml,
            range,
            format!("{what}{shown} is not used in project files"),
            "write the value itself where it is meant",
        );
        None
    }

    /// Builds the node that an event begins. `near` is where to point if the node has no text of its own.
    fn node(
        &mut self,
        (event, range): (Event<'static>, Range<usize>),
        path: String,
        depth: usize,
        near: &Range<usize>,
    ) -> Option<Node> {
        self.values += 1;
        if depth > YAML_DEPTH_MAX || self.values > YAML_VALUES_MAX {
            let (what, help) = if depth > YAML_DEPTH_MAX {
                (format!("nested deeper than {YAML_DEPTH_MAX} levels"), "no file of a project needs this depth")
            } else {
                (format!("more than {YAML_VALUES_MAX} values"), "split the file")
            };
            self.context.report_at(Code::YamlLimit, &range, what, help);
            return None;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &range)?;
                self.scalar(&text, style, range, path, near)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &range)?;
                self.sequence(range, path, depth)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &range)?;
                self.mapping(range, path, depth)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => self.unsupported("the alias", &range),
            _ => self.unsupported("something unexpected", &range),
        }
    }

    fn refuse_properties(&self, anchor: usize, tagged: bool, range: &Range<usize>) -> Option<()> {
        match (anchor, tagged) {
            (0, false) => Some(()),
            (0, true) => self.unsupported("a tag on", range),
            (_, _) => self.unsupported("an anchor on", range),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        range: Range<usize>,
        path: String,
        near: &Range<usize>,
    ) -> Option<Node> {
        let source = self.text.get(range.clone()).unwrap_or_default();
        let range = range.start..range.start + source.trim_end().len();
        let source = self.text.get(range.clone()).unwrap_or_default();
        let expansion = expand::expand(text, &mut self.expanded_bytes, &range, source, self.context);
        let (expanded, broken) = (expansion.is_expanded(), expansion.is_broken());
        let positions = (path == POSITIONED_KEY)
            .then(|| Positions::align(source, style, text).map(|positions| expansion.carry(&positions)))
            .flatten()
            .map(|positions| positions.shifted(range.start));
        let range = if range.is_empty() { near.clone() } else { range };
        let plain = style == ScalarStyle::Plain && !expanded;
        let scalar = Scalar { text: expansion.into_text(), plain, expanded, broken, positions };
        Some(Node { range, path, value: Value::Scalar(scalar) })
    }

    fn sequence(&mut self, range: Range<usize>, path: String, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            let (event, item_range) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = item_range.end.max(range.end);
                let range = self.trimmed(range.start..end);
                return Some(Node { range, path, value: Value::Sequence(items) });
            }
            let item_path = shortened(format!("{path}[{}]", items.len()));
            let near = item_range.clone();
            items.push(self.node((event, item_range), item_path, depth + 1, &near)?);
        }
    }

    fn mapping(&mut self, range: Range<usize>, path: String, depth: usize) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, key_range) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    let end = key_range.end.max(range.end);
                    let range = self.trimmed(range.start..end);
                    return Some(Node { range, path, value: Value::Mapping(entries) });
                }
                Event::Scalar(text, _, anchor, tag) => {
                    self.refuse_properties(anchor, tag.is_some(), &key_range)?;
                    text.into_owned()
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => return self.unsupported("the alias", &key_range),
                _ => return self.unsupported("a key that is a list or a mapping", &key_range),
            };
            let key_range = self.trimmed(key_range);
            let value_path =
                shortened(if path.is_empty() { quotable(&key) } else { format!("{path}.{}", quotable(&key)) });
            let first = self.next()?;
            let node = self.node(first, value_path, depth + 1, &key_range)?;
            match seen.get(&key) {
                Some(first) => self.duplicate(&key, &key_range, entries.get(*first)),
                None => {
                    seen.insert(key.clone(), entries.len());
                    entries.push(Entry { key, key_range, node });
                }
            }
        }
    }

    fn duplicate(&self, key: &str, range: &Range<usize>, first: Option<&Entry>) {
        let message = format!("the key `{}` is given twice", quotable(key));
        let mut diagnostic = Diagnostic::new(Code::DuplicateKey, self.context.span(range), message)
            .labelled("again here")
            .with_help("remove one of the two");
        if let Some(first) = first {
            diagnostic = diagnostic.with_label(self.context.span(&first.key_range), "first here");
        }
        self.context.report(diagnostic);
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let source = self.text.get(range.clone()).unwrap_or_default();
        range.start..range.start + source.trim_end().len()
    }
}

/// The event with its text owned, or nothing for one of a kind that is not read here.
fn owned(event: Event<'_>) -> Option<Event<'static>> {
    Some(match event {
        Event::StreamStart => Event::StreamStart,
        Event::StreamEnd => Event::StreamEnd,
        Event::DocumentStart(explicit, version) => Event::DocumentStart(explicit, version),
        Event::DocumentEnd => Event::DocumentEnd,
        Event::Alias(id) => Event::Alias(id),
        Event::UnresolvedAlias(name) => Event::UnresolvedAlias(name.into_owned().into()),
        Event::Scalar(text, style, anchor, tag) => {
            let tag = tag.map(|tag| std::borrow::Cow::Owned(tag.into_owned()));
            Event::Scalar(text.into_owned().into(), style, anchor, tag)
        }
        Event::SequenceStart(style, anchor, tag) => {
            Event::SequenceStart(style, anchor, tag.map(|tag| std::borrow::Cow::Owned(tag.into_owned())))
        }
        Event::SequenceEnd => Event::SequenceEnd,
        Event::MappingStart(style, anchor, tag) => {
            Event::MappingStart(style, anchor, tag.map(|tag| std::borrow::Cow::Owned(tag.into_owned())))
        }
        Event::MappingEnd => Event::MappingEnd,
        _ => return None,
    })
}

fn shortened(mut path: String) -> String {
    if path.len() > PATH_SHOWN_BYTES_MAX {
        let end = (0..=PATH_SHOWN_BYTES_MAX).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
        path.truncate(end);
        path.push('…');
    }
    path
}
