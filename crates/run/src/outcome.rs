//! What a run did, for people and for programs.

use std::collections::BTreeSet;

use lockgate_evidence::ColumnRecord;
use lockgate_model::{ColumnName, DatasetName, Form, PipelineName, RunId, Sha256Digest, StoreName, TagName};
use serde::Serialize;

use crate::LedgerPosition;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Its rows are in the sink, and the ledger says so.
    Committed,
    /// Every input was loaded before; nothing was changed.
    NothingNew,
}

/// One column of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnOutcome {
    /// Its name.
    pub name: ColumnName,
    /// The name of its level.
    pub level: String,
    /// What it is.
    pub tags: BTreeSet<TagName>,
    /// The form in which it was written.
    pub protection: Form,
    /// The rule that chose the protection.
    pub rule: Option<String>,
    /// What was done, as a rule writes it.
    #[serde(skip)]
    pub done: String,
    /// Why.
    #[serde(skip)]
    pub because: String,
}

impl ColumnOutcome {
    pub(crate) fn of(column: &ColumnRecord) -> Self {
        Self {
            name: column.name.clone(),
            level: column.level.clone(),
            tags: column.tags.clone(),
            protection: column.form,
            rule: column.rule.clone(),
            done: column.protection.as_ref().map_or_else(|| column.form.to_string(), ToString::to_string),
            because: column.because.clone(),
        }
    }
}

/// One input that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputOutcome {
    /// The store.
    pub store: StoreName,
    /// The path within it.
    pub path: String,
    /// The digest of its content.
    pub sha256: Sha256Digest,
    /// Its records, broken ones included.
    pub rows: u64,
}

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The file.
    pub path: String,
    /// The zero-based record in it.
    pub row: u64,
    /// The one-based line on which it begins; absent in a format without lines.
    pub line: Option<u64>,
    /// Why, without a value.
    pub reason: String,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunOutcome {
    /// The run; absent where there was nothing to do.
    pub run: Option<RunId>,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// How it ended.
    pub status: RunStatus,
    /// Records read, broken ones included.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Records set aside.
    pub rows_quarantined: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// The columns of the output, dropped ones included.
    pub columns: Vec<ColumnOutcome>,
    /// The inputs.
    pub inputs: Vec<InputOutcome>,
    /// The ledger afterwards.
    pub ledger: LedgerPosition,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
    /// Where the rows went.
    #[serde(skip)]
    pub dataset: DatasetName,
    /// The store that they lie in.
    #[serde(skip)]
    pub store: StoreName,
    /// The id of the first row that was written, for tracing it.
    #[serde(skip)]
    pub first_row: i64,
    /// The records set aside.
    #[serde(skip)]
    pub quarantined: Vec<QuarantinedRow>,
    /// A run that had been interrupted and was settled first.
    #[serde(skip)]
    pub recovered: Option<String>,
}
