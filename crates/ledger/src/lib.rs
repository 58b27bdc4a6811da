//! What this ledger acknowledged is durable, in order, signed, and can be proved to a stranger; what was changed since
//! is found and named.
//!
//! A C2SP tlog-tiles log on an object store: entries in bundles, hashes in tiles, a signed checkpoint over both.
//!
//! ```text
//! append ─► attachments ─► entry bundles ─► tiles ─► checkpoint ─► acknowledged
//!                                                        │
//!           anything that fails before it leaves the old log whole
//!
//! verify: checkpoint ─► every entry ─► every tile ─► root ─► every attachment ─► the checkpoint somebody kept
//!           └─ the first thing that is wrong is named
//! ```
//! `docs/formats/ledger.md` specifies it.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo
    )
)]

mod checkpoint;
mod entry;
mod error;
mod lease;
mod merkle;
mod note;
mod proof;
mod reader;
mod shared_lease;
mod staged;
mod store;
mod tile;
mod tree;
mod verify;
mod writer;

pub use checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
pub use entry::{
    ATTACHMENTS_PER_ENTRY_MAX, Attachment, BODY_DEPTH_MAX, BODY_NUMBER_MAX, ENTRY_BYTES_MAX, Entry, EntryError, Kind,
};
pub use error::LedgerError;
pub use lease::Lease;
pub use merkle::{Hash, check_consistency, check_inclusion, leaf_hash};
pub use note::VerifierKey;
pub use proof::proof_file;
pub use reader::LedgerReader;
pub use store::{ATTACHMENT_BYTES_MAX, LedgerStore, Revision};
pub use tile::{BUNDLE_BYTES_MAX, TILE_WIDTH};
pub use verify::{Finding, Verified, VerifyError, verify};
pub use writer::LedgerWriter;
