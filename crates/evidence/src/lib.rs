//! What a run leaves behind, as formats: whoever holds the ledger and these objects can say what happened, without the
//! data and without the program that ran.
//!
//! ```text
//! ledger entry: run.commit ──names by SHA-256──► manifest    which inputs, with digests and row counts
//!                                             ├► plan        what was done to each column, and why
//!                                             ├► keys        with which keys
//!                                             ├► provenance  which source row each output row came from
//!                                             └► lines       on which line each source row begins
//! ```
//! Every format is strict when read: an unknown key, a range out of order or a negative count is refused.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::todo)
)]

mod access;
mod document;
mod event;
mod keys;
mod lines;
mod manifest;
mod plan;
mod provenance;
mod provenance_sets;
mod quarantine;
mod segment;
mod timings;

pub use access::{
    AccessIntent, AccessOutcome, AccessResult, AccessedColumn, AccessedRange, AccessedRows, DecidingPolicy, ShownAs,
};
pub use document::{Document, DocumentError};
pub use event::{
    DatasetVersion, ErasedCopies, Event, KeyCreate, KeyReference, KeyRewrap, KeyRotate, KeyScope, KeyShred,
    ProjectCreate, RunAbort, RunCommit, RunIntent, SubjectErase,
};
pub use keys::{ColumnProtectionKey, KeysUsed};
pub use lines::{LineIndex, LineIndexBuilder};
pub use manifest::{Input, Manifest, TableState};
pub use plan::{ColumnRecord, LineageRecord, PlanRecord, SinkRecord, SourceColumnRecord};
pub use provenance::{ProvenanceBuilder, ProvenanceSegment, SourceRow};
pub use provenance_sets::{ProvenanceSets, ProvenanceSetsBuilder, SetKind, SourceRange};
pub use quarantine::{
    QUARANTINE_BYTES_MAX, QUARANTINE_COLUMN, QUARANTINE_DIR, QuarantineLine, QuarantinedHeader, QuarantinedRecord,
    quarantine_from_bytes, quarantine_name, quarantine_to_bytes,
};
pub use segment::{SEGMENT_RANGES_MAX, SegmentError};
pub use timings::{Stage, StageTiming, Timings};

/// The names under which a run's entries attach these formats.
pub mod attachment {
    /// A [`crate::Manifest`].
    pub const MANIFEST: &str = "manifest";
    /// A [`crate::PlanRecord`].
    pub const PLAN: &str = "plan";
    /// A [`crate::KeysUsed`].
    pub const KEYS: &str = "keys";
    /// A [`crate::ProvenanceSegment`].
    pub const PROVENANCE: &str = "provenance";
    /// A [`crate::ProvenanceSets`], in the place of a provenance segment where rows are made from several.
    pub const PROVENANCE_SETS: &str = "provenance-sets";
    /// The [`crate::AccessedRows`] of a query.
    pub const ROWS: &str = "rows";
    /// A [`crate::LineIndex`].
    pub const LINES: &str = "lines";
    /// Where the time went.
    pub const TIMINGS: &str = "timings";
}
