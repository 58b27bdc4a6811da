//! The inputs of a run, numbered: what a source row id's upper part refers to.

use lockgate_model::{ColumnName, DatasetName, InputOrdinal, RunId, Sha256Digest, StoreName};
use serde::{Deserialize, Serialize};

use crate::{Document, attachment};

/// The inputs of one run, in the order of their ordinals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version, 1.
    pub v: u8,
    /// The inputs; the ordinal of each is its place.
    pub inputs: Vec<Input>,
}

/// One file, one commit of a table, or one state of a table that others write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The dataset that it belongs to.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// The file's path within the store; for a table, its name.
    pub path: String,
    /// The digest of the file; for a commit of a table, of the commit's record in the sink; for a table of others, of its rows
    /// as `docs/tables.md` says.
    pub sha256: Sha256Digest,
    /// The version of an object in a bucket that keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The size of the file in bytes; 0 for a commit of a table; for a table of others, the bytes of its values as text.
    pub bytes: u64,
    /// How many records were read of it, broken ones included; `None` before it was read.
    pub rows: Option<u64>,
    /// How many of them were set aside; `None` before it was read.
    pub rows_quarantined: Option<u64>,
    /// For a commit of a table: which one. `None` for anything else.
    pub commit: Option<InputOrdinal>,
    /// For a table that others write: the state of it that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableState>,
    /// Where only the records were read that an earlier run had set aside: that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requarantined: Option<RunId>,
}

/// A table as of one moment. A row's number is its place in the order of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableState {
    /// The server, as `HOST:PORT`.
    pub server: String,
    /// The database.
    pub database: String,
    /// The transactions that are seen, as the server tells them: `XMIN:XMAX:XIP_LIST`.
    pub snapshot: String,
    /// How many rows it has.
    pub rows: u64,
    /// The columns that are digested, in their order.
    pub columns: Vec<ColumnName>,
    /// The columns that put the rows in order.
    pub key: Vec<ColumnName>,
}

impl Document for Manifest {
    const NAME: &'static str = attachment::MANIFEST;
}

impl Manifest {
    /// The input of that ordinal.
    pub fn input(&self, ordinal: InputOrdinal) -> Option<&Input> {
        self.inputs.get(usize::try_from(ordinal.get()).ok()?)
    }
}
