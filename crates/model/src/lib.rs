//! The words of Lockgate as types: whoever holds one of these values holds one that was checked.
//!
//! Names, classification levels, tags, column types, row ids and protections are plain data without I/O. Text from
//! outside becomes one of these types once, where it enters, and is not checked again further in.
//!
//! ```text
//! text ──parse──► name, level, protection, row id ──► every other crate
//!        └─ refused: what is wrong, where it is allowed, what to write instead
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod digest;
mod failure;
mod file_format;
mod level;
mod name;
mod protection;
mod row_id;
mod tag;
mod value_type;

pub use digest::Sha256Digest;
pub use failure::{Failure, FailureKind};
pub use file_format::{Compression, NULL_TOKENS_MAX, TextEncoding, VALUE_FORMAT_BYTES_MAX, ValueFormat};
pub use level::{LEVELS_MAX, Lattice, LatticeError, Level, LevelRules, TransportSecurity};
pub use name::{
    ColumnName, DatasetName, DomainName, NAME_BYTES_MAX, NameError, PipelineName, PrincipalName, ProjectName,
    RESERVED_COLUMN_PREFIX, RunId, StoreName, TagName,
};
pub use protection::{FPE_DIGITS_MIN, Form, Mask, Protection, ProtectionError};
pub use row_id::{INPUTS_PER_RUN_MAX, InputOrdinal, ROWS_PER_INPUT_MAX, RowId, RowIdError};
pub use tag::{BUILT_IN_TAGS, least_level_of};
pub use value_type::{ValueType, ValueTypeError};
