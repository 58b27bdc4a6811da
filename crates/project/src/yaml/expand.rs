//! `${env:NAME}` in a value becomes what the variable holds, as text; `$${` stands for `${`.
//!
//! A variable that is not set is a problem with its name, never an empty text. What a variable holds reaches no message.

use std::ops::Range;

use super::{Context, Positions};
use crate::source::quotable;
use crate::{Code, Diagnostic};

/// The most bytes that the variables of one file may expand to, together.
pub const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A value after expansion, with where its pieces come from.
pub(super) struct Expansion {
    text: String,
    pieces: Vec<Piece>,
    broken: bool,
}

/// `output` bytes come from `input` bytes: one by one if both are equally long and nothing was put in, else as a whole.
struct Piece {
    output: Range<usize>,
    input: Range<usize>,
    replaced: bool,
}

impl Expansion {
    /// Whether a variable was put in.
    pub(super) fn is_expanded(&self) -> bool {
        self.pieces.iter().any(|piece| piece.replaced)
    }

    /// Whether something could not be expanded.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Positions of the value before expansion become those of the value after it.
    pub(super) fn carry(&self, before: &Positions) -> Positions {
        let mut after = Positions::default();
        for piece in &self.pieces {
            for (offset, output) in piece.output.clone().enumerate() {
                let input = if piece.replaced {
                    piece.input.clone()
                } else {
                    piece.input.start + offset..piece.input.start + offset + 1
                };
                debug_assert_eq!(output, after.len(), "pieces cover the output in order");
                after.push(before.whole(input));
            }
        }
        after
    }

    fn put(&mut self, text: &str, input: Range<usize>, replaced: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece { output: start..self.text.len(), input, replaced });
    }
}

/// Expands one value. Problems are reported; what could not be expanded stays as it is written.
pub(super) fn expand(
    text: &str,
    expanded_bytes: &mut usize,
    range: &Range<usize>,
    source: &str,
    context: &Context<'_>,
) -> Expansion {
    let mut expansion = Expansion { text: String::with_capacity(text.len()), pieces: Vec::new(), broken: false };
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        let start = text.len() - rest.len();
        if let Some(kept) = before.strip_suffix('$') {
            expansion.put(kept, start..start + kept.len(), false);
            expansion.put("${", start + at..start + at + 2, false);
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        expansion.put(before, start..start + at, false);
        let reference = from.find('}').and_then(|close| from.get(..=close)).unwrap_or(from);
        let input = start + at..start + at + reference.len();
        match look_up(reference, expanded_bytes, context) {
            Ok(value) => expansion.put(&value, input, true),
            Err(mut diagnostic) => {
                let place = source.find(reference).map(|found| range.start + found);
                if let (Some(place), Some(label)) = (place, diagnostic.labels.first_mut()) {
                    label.span = context.span(&(place..place + reference.len()));
                } else if let Some(label) = diagnostic.labels.first_mut() {
                    label.span = context.span(range);
                }
                context.report(diagnostic);
                expansion.broken = true;
                expansion.put(reference, input, true);
            }
        }
        rest = from.get(reference.len()..).unwrap_or_default();
    }
    let start = text.len() - rest.len();
    expansion.put(rest, start..text.len(), false);
    expansion
}

fn look_up(reference: &str, expanded_bytes: &mut usize, context: &Context<'_>) -> Result<String, Diagnostic> {
    let problem = |code, message: String, help: String| {
        Err(Diagnostic::new(code, context.span(&(0..0)), message).with_help(help))
    };
    let shown = quotable(reference);
    let Some(name) = reference.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')) else {
        let help = "it takes `${env:NAME}`; write `$${` for the characters `${` themselves".to_owned();
        return problem(Code::InvalidValue, format!("`{shown}` is no reference to a variable"), help);
    };
    let mut characters = name.chars();
    let well_formed = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        let help = "a name takes ASCII letters, digits and `_`, and does not begin with a digit".to_owned();
        return problem(Code::InvalidValue, format!("`{shown}` names no variable"), help);
    }
    let Some(value) = (context.env)(name) else {
        let help = format!("set it, as in `export {name}=…`, or write the value here");
        return problem(Code::UnsetVariable, format!("the environment variable `{name}` is not set"), help);
    };
    *expanded_bytes = expanded_bytes.saturating_add(value.len());
    if *expanded_bytes > EXPANDED_BYTES_MAX {
        let help = format!("`{name}` is the one that is too much");
        return problem(
            Code::YamlLimit,
            format!("the variables of this file expand to more than {EXPANDED_BYTES_MAX} bytes"),
            help,
        );
    }
    Ok(value)
}
