//! Records that were set aside are sealed and kept; a later run takes them once they are mended.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate_crypto::{SealError, SealedValue, Sealer, Secret, sha256};
use lockgate_evidence::{
    QUARANTINE_COLUMN, QuarantineLine, QuarantinedHeader, QuarantinedRecord, quarantine_from_bytes, quarantine_path,
    quarantine_to_bytes,
};
use lockgate_model::{ColumnName, Failure, FailureKind, RunId, Sha256Digest};
use lockgate_trust::Keyring;

use crate::failures;

/// A record that was set aside, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetAside {
    pub(crate) input: u32,
    pub(crate) row: u64,
    pub(crate) line: Option<u64>,
    pub(crate) reason: String,
    pub(crate) raw: Vec<u8>,
}

pub(crate) fn column() -> Result<ColumnName, Failure> {
    QUARANTINE_COLUMN.parse().map_err(failures::bug)
}

/// Seals and writes the records with the headers of their inputs, durably. Gives the file's digest.
pub(crate) fn write(
    ledger: &Path,
    run: &RunId,
    headers: &BTreeMap<u32, Vec<u8>>,
    records: &[SetAside],
    mut sealer: Sealer,
) -> Result<Sha256Digest, Failure> {
    let mut seal = |input: u32, raw: &[u8]| {
        let mut text = String::new();
        let sealed = sealer.seal_text_into(raw, None, &mut text).map(|()| text);
        sealed.map_err(|error: SealError| {
            Failure::new(FailureKind::Failed, format!("a record of input {input} cannot be set aside: {error}"))
        })
    };
    let mut lines = Vec::with_capacity(headers.len() + records.len());
    for (input, raw) in headers.iter().filter(|(input, _)| records.iter().any(|record| record.input == **input)) {
        lines.push(QuarantineLine::Header(QuarantinedHeader { input: *input, raw: seal(*input, raw)? }));
    }
    for SetAside { input, row, line, reason, raw } in records {
        let raw = seal(*input, raw)?;
        let record = QuarantinedRecord { input: *input, row: *row, line: *line, reason: reason.clone(), raw };
        lines.push(QuarantineLine::Record(record));
    }
    let content = quarantine_to_bytes(&lines).map_err(failures::bug)?;
    let path = quarantine_path(ledger, run);
    let folder = path.parent().unwrap_or(ledger);
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(FailureKind::Unreachable, format!("{} cannot be made: {error}", folder.display()))
    })?;
    lockgate_trust::write_durably(&path, &content, 0o600)?;
    Ok(sha256(&content))
}

/// Reads what a run set aside; it must be what the run's entry names.
pub(crate) fn read(ledger: &Path, run: &RunId, expected: Sha256Digest) -> Result<Vec<QuarantineLine>, Failure> {
    let path = quarantine_path(ledger, run);
    let content = std::fs::read(&path).map_err(|error| {
        Failure::new(FailureKind::Unreachable, format!("the quarantine {} cannot be read: {error}", path.display()))
    })?;
    let tampered = || {
        Failure::new(FailureKind::Tampered, format!("{} is not the file that run {run} wrote", path.display()))
            .with_help("restore it from a copy; `lockgate verify` checks it")
    };
    if sha256(&content) != expected {
        return Err(tampered());
    }
    quarantine_from_bytes(&content).map_err(|_| tampered())
}

/// The bytes that were sealed.
pub(crate) fn open(keyring: &Keyring, raw: &str) -> Result<Secret<Vec<u8>>, Failure> {
    let sealed: SealedValue = raw.parse().map_err(|error| {
        Failure::new(FailureKind::Tampered, format!("a record of the quarantine is no sealed value: {error}"))
    })?;
    let opener = keyring.opener(sealed.dek_id())?;
    opener.open(&sealed, None).map_err(|error| {
        Failure::new(FailureKind::Tampered, format!("a record of the quarantine does not open: {error}"))
    })
}
