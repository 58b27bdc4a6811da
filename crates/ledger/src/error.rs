//! Why the ledger can't be read or written, and what to do about it.

use lockgate_model::{Failure, FailureKind};

use crate::entry::EntryError;
use crate::store::ATTACHMENT_BYTES_MAX;

/// Why the ledger can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The storage does not answer, or refuses.
    #[error("the ledger's object `{object}` cannot be {verb}: {reason}")]
    Storage {
        /// The object.
        object: String,
        /// Such as `read` or `written`.
        verb: &'static str,
        /// Why.
        reason: String,
    },
    /// The storage gave an object that may not be used, such as one under another key than it must be.
    #[error("the ledger's object `{object}` is refused: {reason}")]
    Refused {
        /// The object.
        object: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// The storage makes changes that it was told to make on a condition only.
    #[error("the ledger's storage ignores conditional puts, so that nothing would keep two writers apart")]
    Unconditional,
    /// Another process took the ledger over while this one did not answer.
    #[error("the ledger was taken over by another process: {0}")]
    Overtaken(String),
    /// Somebody else writes.
    #[error("the ledger is held by another process: {0}")]
    Held(String),
    /// What is stored is not what was written.
    #[error("the ledger is damaged: `{object}` {what}")]
    Damaged {
        /// The object.
        object: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is a ledger already where one was to be made.
    #[error("there is a ledger already")]
    Exists,
    /// An entry that cannot be written.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An attachment longer than [`ATTACHMENT_BYTES_MAX`].
    #[error("an attachment of {0} bytes is longer than {ATTACHMENT_BYTES_MAX}")]
    AttachmentTooLarge(u64),
    /// A checkpoint may or may not have become durable, so that nothing can be appended to what this writer knows.
    #[error("it is not known whether the entries appended last were kept: writing their checkpoint failed")]
    Uncertain,
    /// The lease is of another folder than the ledger.
    #[error("the lease is of another folder than the ledger")]
    WrongLease,
    /// Nothing is at this index.
    #[error("the ledger has no entry {0}")]
    NoEntry(u64),
    /// The cryptographic module refused.
    #[error("the checkpoint could not be signed: {0}")]
    Sign(String),
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let (kind, help) = match &error {
            LedgerError::Storage { .. } => {
                (FailureKind::Unreachable, "check the ledger's storage; without the ledger nothing is written")
            }
            LedgerError::Uncertain => {
                (FailureKind::Unreachable, "open the ledger again: it shows which entries it has")
            }
            LedgerError::Held(_) => (FailureKind::Unreachable, "wait until it has ended, and run again"),
            LedgerError::Overtaken(_) => {
                (FailureKind::Unreachable, "run again: what this one began is settled by the next run")
            }
            LedgerError::Unconditional => (
                FailureKind::Invalid,
                "keep the ledger in a bucket of a service with If-Match and If-None-Match, or in a folder",
            ),
            LedgerError::Refused { .. } => (
                FailureKind::Refused,
                "name the customer-managed key under `ledger:` `sse:`, and copy the ledger under it",
            ),
            LedgerError::Damaged { .. } => {
                (FailureKind::Tampered, "`lockgate verify` names the first thing that is wrong; restore it from a copy")
            }
            LedgerError::AttachmentTooLarge(_) => {
                (FailureKind::Failed, "split what is written at once, for instance by day")
            }
            LedgerError::Exists => (FailureKind::Invalid, "choose another place for the ledger"),
            LedgerError::NoEntry(_) => (FailureKind::Invalid, "`lockgate verify` shows the ledger's size"),
            LedgerError::Entry(_) | LedgerError::WrongLease | LedgerError::Sign(_) => {
                (FailureKind::Bug, "please report it")
            }
        };
        Self::new(kind, error.to_string()).with_help(help)
    }
}
