//! Records that were set aside are sealed and kept; a later run takes them once they are mended.

use std::collections::BTreeMap;

use lockgate_crypto::{SealError, SealedValue, Sealer, Secret, sha256};
use lockgate_evidence::{
    QUARANTINE_BYTES_MAX, QUARANTINE_COLUMN, QuarantineLine, QuarantinedHeader, QuarantinedRecord,
    quarantine_from_bytes, quarantine_name, quarantine_to_bytes,
};
use lockgate_model::{ColumnName, Failure, FailureKind, RunId, Sha256Digest};
use lockgate_trust::{Keyring, LedgerPlace};

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
    ledger: &LedgerPlace,
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
    check_length(content.len() as u64)?;
    let digest = sha256(&content);
    ledger.write(&quarantine_name(run), content, None)?;
    Ok(digest)
}

fn check_length(bytes: u64) -> Result<(), Failure> {
    if bytes <= QUARANTINE_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("the records to be set aside take {bytes} bytes, sealed; at most {QUARANTINE_BYTES_MAX} are kept");
    Err(Failure::new(FailureKind::Failed, message)
        .with_help("nothing was written; mend the files, or load fewer at once"))
}

/// Reads what a run set aside; it must be what the run's entry names.
pub(crate) fn read(ledger: &LedgerPlace, run: &RunId, expected: Sha256Digest) -> Result<Vec<QuarantineLine>, Failure> {
    let (name, help) = (quarantine_name(run), "restore it from a copy; `lockgate verify` checks it");
    let shown = ledger.shown(&name);
    let gone = || Failure::new(FailureKind::Unreachable, format!("the quarantine {shown} is gone")).with_help(help);
    let content = ledger.read(&name, QUARANTINE_BYTES_MAX)?.ok_or_else(gone)?.content;
    let tampered =
        || Failure::new(FailureKind::Tampered, format!("{shown} is not the file that run {run} wrote")).with_help(help);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_is_refused_from_its_first_byte_too_many() {
        check_length(QUARANTINE_BYTES_MAX).unwrap();
        assert_eq!(check_length(QUARANTINE_BYTES_MAX + 1).unwrap_err().kind, FailureKind::Failed);
    }
}
