//! What columns and texts hold, told with a confidence and the evidence for it, and never with a value.
//!
//! ```text
//! header  ─► words ─► what the author says it is ────┐
//!                                                    ├─► tags with confidence and evidence
//! values ─► detectors: parsed, checksummed, known ───┘
//! ```
//! Values carry the most weight: a header alone gives little confidence, and a header that contradicts its values none.
//! What proves itself (a checksum, a parse, a known form) needs no header. What does not (a name, a date, bare digits)
//! needs one.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]

mod column;
mod detect;
mod header;
mod names;
mod text;

pub use column::{ColumnFinding, SAMPLED_VALUES_MAX, TagFinding, scan_column};
pub use text::{Span, TEXT_BYTES_MAX, scan_text};
