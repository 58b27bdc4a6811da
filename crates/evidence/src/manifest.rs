//! The inputs of a run, numbered: what a source row id's upper part refers to.

use lockgate_model::{DatasetName, InputOrdinal, RunId, Sha256Digest, StoreName};
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

/// One file, or one commit of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The dataset that it belongs to.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// The file's path within the store; for a commit of a table, the table's name.
    pub path: String,
    /// The digest of the file; for a commit of a table, the digest of the commit's record in the sink.
    pub sha256: Sha256Digest,
    /// The version of an object in a bucket that keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The size of the file in bytes; 0 for a commit of a table.
    pub bytes: u64,
    /// How many records were read of it, broken ones included; `None` before it was read.
    pub rows: Option<u64>,
    /// How many of them were set aside; `None` before it was read.
    pub rows_quarantined: Option<u64>,
    /// For a commit of a table: which one. `None` for a file.
    pub commit: Option<InputOrdinal>,
    /// Where only the records were read that an earlier run had set aside: that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requarantined: Option<RunId>,
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
