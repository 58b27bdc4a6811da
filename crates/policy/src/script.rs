//! Evaluates the scripts of policies: nothing they do takes long, needs much memory, or reaches anything but the request.
//!
//! ```text
//! policy's text ─► tokens ─► syntax, names resolved ─► Script ──evaluate(&dyn Environment)─► Value
//!                    │              │                                      │
//!                    └─ refused: ScriptRefusal, what and where             └─ ScriptFault: why, and ctx.result so far
//! ```
//! The language is the part of JavaScript that policies use: declarations, `if`, blocks, assignments to variables and to
//! `ctx.result`, expressions, methods of texts, lists and maps, functions as arguments of `some`, `every` and the like,
//! and Ranger's macros (`IS_IN_ROLE('x')`). There are no loops, no functions of one's own, no classes, no access to
//! the host. What is outside of it is refused when the script is parsed, with its name and its place, not when it runs:
//! a policy with such a script can be reported before anybody asks for anything, and must deny.
//!
//! A script decides by its value where that is a boolean, else by `ctx.result`: see [`Script::holds`].
//! Text with expressions in it (`dept = '${{USER.dept}}'`) is a [`Template`].

mod context;
mod environment;
mod globals;
mod json;
mod limits;
mod method;
mod parse;
mod pattern;
mod run;
mod syntax;
mod template;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub use environment::{Environment, RequestField, ScriptElement, ScriptTag};
pub use limits::{
    SCRIPT_BYTES_MAX, SCRIPT_DEPTH_MAX, SCRIPT_LIST_ITEMS_MAX, SCRIPT_STEPS_MAX, SCRIPT_TEXT_BYTES_MAX, ScriptFault,
    ScriptRefusal,
};
pub use template::{Template, Unresolved};
pub use value::{Origin, ScriptList, ScriptMap, Value};

pub use crate::dates::{DATE_FORMATS_BYTES_MAX, DateFormats, named_zone};

use parse::Program;
use run::Run;

/// A script that was accepted: running it needs no more than the limits allow.
#[derive(Debug, Clone)]
pub struct Script {
    source: String,
    program: Program,
}

impl Script {
    /// Parses a script; names that are not known and syntax that is not supported are refused.
    pub fn parse(source: &str) -> Result<Self, ScriptRefusal> {
        Ok(Self { program: parse::program(source)?, source: source.to_owned() })
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value of the script: that of the last expression in it.
    pub fn evaluate(&self, env: &dyn Environment) -> Result<Value, ScriptFault> {
        Run::program(&self.program, env).map(|(value, _)| value)
    }

    /// Whether the script, as a condition, holds: by its value if that is a boolean, else by `ctx.result`.
    pub fn holds(&self, env: &dyn Environment) -> Result<bool, ScriptFault> {
        let (value, result) = Run::program(&self.program, env)?;
        Ok(value.as_bool().unwrap_or(result))
    }
}
