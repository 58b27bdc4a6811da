//! How a command fails, at the surface: one of a few kinds, what happened, and what to do next.

use std::fmt;

/// Whose problem a failure is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The work could not be done with this data or on this machine now.
    Failed,
    /// Usage or configuration is wrong.
    Invalid,
    /// Classification, protection or a key rule forbids it.
    Refused,
    /// Policy forbids it to this principal.
    Denied,
    /// A service, a store or a lock could not be had; trying again may help.
    Unreachable,
    /// Evidence does not verify.
    Tampered,
    /// A mistake in this program.
    Bug,
}

impl FailureKind {
    /// The exit code of a command that fails so.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Bug => 1,
            Self::Invalid => 2,
            Self::Refused | Self::Denied => 3,
            Self::Unreachable => 4,
            Self::Tampered => 5,
        }
    }

    /// The kind in one lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::Tampered => "tampered",
            Self::Bug => "bug",
        }
    }
}

/// A failure as a person or a program is told of it. Its texts hold no secret and no value from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose problem it is.
    pub kind: FailureKind,
    /// What happened and where.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
