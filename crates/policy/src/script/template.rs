//! Texts with expressions in them: `dept = '${{USER.dept}}'`.

use super::limits::{FaultKind, SCRIPT_TEXT_BYTES_MAX, ScriptFault, ScriptRefusal};
use super::{Environment, Script};

const OPENING: &str = "${{";
const CLOSING: &str = "}}";

/// What stands for an expression that has no value or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved<'a> {
    /// The expansion fails.
    Fault,
    /// This text stands for it; the empty one in Ranger.
    Text(&'a str),
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    Expression(Script),
}

/// A text whose `${{..}}` pieces are scripts. An expression ends at the first `}}`, and holds no line break.
#[derive(Debug, Clone)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Whether a text has an expression in it.
    pub fn is_needed(text: &str) -> bool {
        next_expression(text).is_some()
    }

    /// Parses the expressions; the place in a refusal is that within the expression.
    pub fn parse(text: &str) -> Result<Self, ScriptRefusal> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, expression, after)) = next_expression(rest) {
            if !before.is_empty() {
                pieces.push(Piece::Literal(before.to_owned()));
            }
            pieces.push(Piece::Expression(Script::parse(expression)?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// A text without its expressions: what Ranger makes of those that can't be run.
    pub fn blank(text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, _, after)) = next_expression(rest) {
            out.push_str(before);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The scripts in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Script> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(script) => Some(script),
            Piece::Literal(_) => None,
        })
    }

    /// The text with the values of its expressions.
    pub fn expand(&self, env: &dyn Environment, unresolved: Unresolved<'_>) -> Result<String, ScriptFault> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Expression(script) => match (script.evaluate(env), unresolved) {
                    (Ok(value), Unresolved::Text(text)) if value.is_nothing() => out.push_str(text),
                    (Ok(value), Unresolved::Fault) if value.is_nothing() => {
                        return Err(ScriptFault::of(FaultKind::NoValue(script.source().to_owned())));
                    }
                    (Ok(value), _) => {
                        if !value.write(&mut out, SCRIPT_TEXT_BYTES_MAX) {
                            return Err(ScriptFault::of(FaultKind::TextBytes));
                        }
                    }
                    (Err(_), Unresolved::Text(text)) => out.push_str(text),
                    (Err(fault), Unresolved::Fault) => return Err(fault),
                },
            }
            if out.len() > SCRIPT_TEXT_BYTES_MAX {
                return Err(ScriptFault::of(FaultKind::TextBytes));
            }
        }
        Ok(out)
    }
}

/// The text before an expression, the expression and what is behind it.
fn next_expression(text: &str) -> Option<(&str, &str, &str)> {
    let mut searched = 0;
    loop {
        let start = searched + text.get(searched..)?.find(OPENING)?;
        let inside = text.get(start + OPENING.len()..)?;
        let (expression, after) = inside.split_once(CLOSING)?;
        // As in Ranger, an expression does not go over the end of a line.
        if !expression.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            return Some((text.get(..start)?, expression, after));
        }
        searched = start + 1;
    }
}
