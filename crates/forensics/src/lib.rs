//! What the ledger proves, read back: where a row came from, and whether the evidence is whole.
//!
//! Reads the ledger and its attachments, the ids of rows, and digests of files; never a value of the data.
#![forbid(unsafe_code)]

mod commits;
mod evidence_check;
mod history;
mod key_check;
mod protection_diff;
mod quarantine;
mod runs;
mod trace;
mod verify;
mod written_files;

pub use history::{LedgerProof, ReportColumn, RunReport, RunState, RunSummary, history, report};
pub use protection_diff::{Change, ProtectionDiff, protection_diff};
pub use quarantine::{Quarantine, QuarantinedPlace, quarantine};
pub use runs::intended;
pub use trace::{Selection, SourceRecord, SourceState, Stage, StageColumn, Trace, TracedRow, trace};
pub use verify::{VerifyOutcome, VerifyRequest, verify};
