//! Records that were set aside: kept whole, sealed, and told of without a value.
//!
//! One JSON line a record, in `quarantine/RUN.jsonl` beside the ledger: `{input, row, line, reason, raw}`. `raw` is the
//! record's bytes as they are in the file, sealed under the key of the dataset's quarantine. The ledger's `run.commit`
//! names the file by its digest.

use std::path::{Path, PathBuf};

use lockgate_crypto::{SealError, Sealer, sha256};
use lockgate_model::{ColumnName, Failure, FailureKind, RunId, Sha256Digest};
use serde::Serialize;

use crate::failures;

/// The folder within the ledger's.
pub const QUARANTINE_DIR: &str = "quarantine";
/// The column under whose key a dataset's broken records are sealed. No catalog can declare it: a header with
/// parentheses could, so the dataset part of the context is the pipeline's output and not the file's dataset.
const QUARANTINE_COLUMN: &str = "(quarantined records)";

/// A record that was set aside, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetAside {
    pub(crate) input: u32,
    pub(crate) row: u64,
    pub(crate) line: Option<u64>,
    pub(crate) reason: String,
    pub(crate) raw: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    input: u32,
    row: u64,
    line: Option<u64>,
    reason: &'a str,
    raw: &'a str,
}

pub(crate) fn column() -> Result<ColumnName, Failure> {
    QUARANTINE_COLUMN.parse().map_err(failures::bug)
}

/// Seals and writes the records, durably. Gives the file's digest; without records there is no file.
pub(crate) fn write(
    ledger: &Path,
    run: &RunId,
    records: &[SetAside],
    sealer: Option<Sealer>,
) -> Result<Option<Sha256Digest>, Failure> {
    let (Some(mut sealer), false) = (sealer, records.is_empty()) else { return Ok(None) };
    let mut content = Vec::new();
    for record in records {
        let mut raw = String::new();
        sealer.seal_text_into(&record.raw, None, &mut raw).map_err(|error: SealError| {
            Failure::new(
                FailureKind::Failed,
                format!("record {} of input {} cannot be set aside: {error}", record.row, record.input),
            )
        })?;
        let line = Line { input: record.input, row: record.row, line: record.line, reason: &record.reason, raw: &raw };
        serde_json::to_writer(&mut content, &line).map_err(failures::bug)?;
        content.push(b'\n');
    }
    let path = path(ledger, run);
    let folder = path.parent().unwrap_or(ledger);
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(FailureKind::Unreachable, format!("{} cannot be made: {error}", folder.display()))
    })?;
    lockgate_trust::write_durably(&path, &content, 0o600)?;
    Ok(Some(sha256(&content)))
}

pub(crate) fn path(ledger: &Path, run: &RunId) -> PathBuf {
    ledger.join(QUARANTINE_DIR).join(format!("{run}.jsonl"))
}
