//! What a run set aside: where it stands and why, never what it says.

use lockgate_crypto::sha256;
use lockgate_evidence::{
    Document, Manifest, QUARANTINE_BYTES_MAX, QuarantineLine, attachment, quarantine_from_bytes, quarantine_name,
};
use lockgate_model::{DatasetName, Failure, FailureKind, PipelineName, RunId, Sha256Digest, StoreName};
use lockgate_trust::Site;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::commits::{attached, damaged};
use crate::runs::{RunEnd, Runs};

/// One record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantinedPlace {
    /// The dataset that it belongs to.
    pub dataset: DatasetName,
    /// The store.
    pub store: StoreName,
    /// The file's path within it.
    pub path: String,
    /// The zero-based record in it.
    pub row: u64,
    /// The one-based line on which it begins; absent in a format without lines.
    pub line: Option<u64>,
    /// Why, without a value.
    pub reason: String,
}

/// The quarantine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantine {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The digest of the file, as the ledger names it; absent where nothing was set aside.
    pub sha256: Option<Sha256Digest>,
    /// The run that took its records since.
    pub requarantined_by: Option<RunId>,
    /// Its records, in the order of files and rows.
    pub records: Vec<QuarantinedPlace>,
}

/// Lists what a run set aside, from a file that must be the one that the ledger names.
pub fn quarantine(project: &Site, run: &RunId, runtime: &Handle) -> Result<Quarantine, Failure> {
    quarantine_of(&Runs::read(project, runtime)?, run, runtime)
}

pub(crate) fn quarantine_of(runs: &Runs, run: &RunId, runtime: &Handle) -> Result<Quarantine, Failure> {
    let (entry, commit, attachments) = runs.find_committed(run)?;
    let manifest_of = |attachments: &[_]| {
        let content = attached(runtime, &runs.store, attachments, attachment::MANIFEST)?;
        Manifest::from_bytes(&content).map_err(damaged)
    };
    let manifest = manifest_of(attachments)?;
    let mut requarantined_by = None;
    for later in &runs.runs {
        if let RunEnd::Committed { attachments, .. } = &later.end
            && later.intent.dataset == entry.intent.dataset
            && manifest_of(attachments)?.inputs.iter().any(|input| input.requarantined.as_ref() == Some(run))
        {
            requarantined_by = Some(later.intent.run.clone());
        }
    }
    let records = match commit.quarantine_sha256 {
        None => Vec::new(),
        Some(expected) => {
            let name = quarantine_name(run);
            let shown = runs.ledger.shown(&name);
            let gone = || Failure::new(FailureKind::Unreachable, format!("{shown} is gone"));
            let content = runs.ledger.read(&name, QUARANTINE_BYTES_MAX)?.ok_or_else(gone)?.content;
            if sha256(&content) != expected {
                return Err(damaged(format!("{shown} is not the file that run {run} wrote")));
            }
            places(&manifest, quarantine_from_bytes(&content).map_err(damaged)?)?
        }
    };
    let (run, pipeline) = (run.clone(), entry.intent.pipeline.clone());
    Ok(Quarantine { run, pipeline, sha256: commit.quarantine_sha256, requarantined_by, records })
}

fn places(manifest: &Manifest, lines: Vec<QuarantineLine>) -> Result<Vec<QuarantinedPlace>, Failure> {
    let records = lines.into_iter().filter_map(|line| match line {
        QuarantineLine::Header(_) => None,
        QuarantineLine::Record(record) => Some(record),
    });
    let place = |record: lockgate_evidence::QuarantinedRecord| {
        let input = manifest.inputs.get(usize::try_from(record.input).unwrap_or(usize::MAX));
        let input = input.ok_or_else(|| damaged(format!("the manifest has no input {}", record.input)))?;
        Ok(QuarantinedPlace {
            dataset: input.dataset.clone(),
            store: input.store.clone(),
            path: input.path.clone(),
            row: record.row,
            line: record.line,
            reason: record.reason,
        })
    };
    records.map(place).collect()
}
