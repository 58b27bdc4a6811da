//! How far a script may go, and how it ends when it goes further.

use std::fmt;

/// The longest script, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 64 * 1024;
/// How deep statements and expressions may be nested, and lists and maps that a script makes.
pub const SCRIPT_DEPTH_MAX: usize = 64;
/// How many steps an evaluation may take: one for each expression and statement, and one for each 64 bytes of text or
/// list item that is made or looked through.
pub const SCRIPT_STEPS_MAX: u64 = 100_000;
/// The longest text that a script may make, in bytes.
pub const SCRIPT_TEXT_BYTES_MAX: usize = 256 * 1024;
/// The longest list that a script may make.
pub const SCRIPT_LIST_ITEMS_MAX: usize = 10_000;

/// Why a script was not accepted; a policy that has it must deny.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct ScriptRefusal {
    what: String,
    line: usize,
    column: usize,
}

impl ScriptRefusal {
    /// `offset` is where in `source` it is, in bytes.
    pub(super) fn new(what: impl Into<String>, source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { what: what.into(), line, column }
    }

    /// What is not supported or not right, with its name.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// What went wrong while a script ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It took more than [`SCRIPT_STEPS_MAX`] steps.
    Steps,
    /// A text would be longer than [`SCRIPT_TEXT_BYTES_MAX`].
    TextBytes,
    /// A list would be longer than [`SCRIPT_LIST_ITEMS_MAX`].
    ListItems,
    /// Lists and maps would hold one another deeper than [`SCRIPT_DEPTH_MAX`].
    Depth,
    /// What JavaScript throws a `TypeError`, `ReferenceError` or `RangeError` for.
    Thrown(String),
    /// An expression of a template has no value.
    NoValue(String),
}

/// Why a script gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ScriptFault {
    pub(super) kind: FaultKind,
    pub(super) result: bool,
}

impl ScriptFault {
    pub(super) fn thrown(what: impl Into<String>) -> Self {
        Self::of(FaultKind::Thrown(what.into()))
    }

    pub(super) fn of(kind: FaultKind) -> Self {
        Self { kind, result: false }
    }

    /// What `ctx.result` was when the script failed. Ranger takes it for the script's answer; only a caller that has
    /// to answer as Ranger does may.
    pub fn result_so_far(&self) -> bool {
        self.result
    }

    /// Whether a limit was reached.
    pub fn is_limit(&self) -> bool {
        matches!(self.kind, FaultKind::Steps | FaultKind::TextBytes | FaultKind::ListItems | FaultKind::Depth)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps => write!(f, "the script takes more than {SCRIPT_STEPS_MAX} steps"),
            Self::TextBytes => write!(f, "the script makes a text of more than {SCRIPT_TEXT_BYTES_MAX} bytes"),
            Self::ListItems => write!(f, "the script makes a list of more than {SCRIPT_LIST_ITEMS_MAX} items"),
            Self::Depth => write!(f, "the script nests lists or maps deeper than {SCRIPT_DEPTH_MAX}"),
            Self::Thrown(what) => f.write_str(what),
            Self::NoValue(expression) => write!(f, "`{expression}` has no value"),
        }
    }
}
