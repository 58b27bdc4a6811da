//! A run writes all of its rows or none, and the ledger says which; wherever it is killed, the next run finishes or
//! repeats it.
//!
//! ```text
//! list and digest inputs ─► nothing new? ─► keys ─► run.intent ─► execute ─► attachments ─► sink commit ─► run.commit
//!                                                        │           │            │             │              │
//! killed here: the next run writes                       └── run.abort, and repeats ────────────┘              │
//!                                                                                 run.commit from the sink's record
//! ```
#![forbid(unsafe_code)]

mod binding;
mod commit_record;
mod erase;
mod execute;
mod failures;
mod input_table;
mod inputs;
mod journal;
mod leases;
mod outcome;
mod pipeline;
mod plan_record;
mod preview;
mod protectors;
mod quarantine;
mod query;
mod reading;
mod recover;
mod requarantine;
mod row_sources;
mod shown;
mod sink;
mod source_table;
mod unsealers;
mod workspace;

pub use erase::{EraseOutcome, EraseRequest, RemainingColumn, erase};
pub use execute::MaxQuarantined;
pub use journal::{Journal, LedgerPosition};
pub use outcome::{ColumnOutcome, InputOutcome, QuarantinedRow, RunOutcome, RunStatus};
pub use pipeline::{RunRequest, Take, run};
pub use preview::{Preview, PreviewInput, preview};
pub use query::{QueryOutcome, QueryRequest, ShownBatch, query};
pub use reading::Progress;
pub use shown::{ShownRows, ShownSource};
pub use workspace::{Workspace, ensure_never_begun};
