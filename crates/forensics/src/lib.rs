//! What the ledger proves, read back: where a row came from, and whether the evidence is whole.
//!
//! Reads the ledger and its attachments, the ids of rows, and digests of files and of tables that others write; of the data
//! no value but the key of a traced row in such a table, where its level allows.
#![forbid(unsafe_code)]

mod commits;
mod evidence_check;
mod history;
mod key_check;
mod protection_diff;
mod quarantine;
mod runs;
mod source_tables;
mod trace;
mod trace_down;
mod verify;
mod written_files;

pub use history::{LedgerProof, ReportColumn, RunReport, RunState, RunSummary, history, report};
pub use protection_diff::{Change, ProtectionDiff, protection_diff};
pub use quarantine::{Quarantine, QuarantinedPlace, quarantine};
pub use runs::intended;
pub use trace::{KeyColumn, Selection, SourceRecord, SourceState, Stage, StageColumn, Trace, TracedRow, trace};
pub use trace_down::{MadeRow, Origin, TraceDown, trace_down};
pub use verify::{VerifyOutcome, VerifyRequest, verify};
