//! Every failure belongs to somebody: the exit code and the next step follow from whose it is.

use lockgate_model::FailureKind;

/// Whose problem a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The project, its catalog or the command line must be corrected.
    Configuration,
    /// A file or a table holds what it must not.
    Data,
    /// A file, folder or database can't be reached, is locked or is read-only; trying again may help.
    Unreachable,
    /// A rule of classification or protection forbids it.
    Refused,
    /// The role that the project logs in as may not.
    Denied,
    /// There is no room.
    Full,
    /// This program is wrong.
    Defect,
}

impl From<Fault> for FailureKind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Configuration => Self::Invalid,
            Fault::Data | Fault::Full => Self::Failed,
            Fault::Unreachable => Self::Unreachable,
            Fault::Refused => Self::Refused,
            Fault::Denied => Self::Denied,
            Fault::Defect => Self::Bug,
        }
    }
}
