//! The runs of a project, and everything that the ledger proves of one of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockgate_evidence::{
    ColumnProtectionKey, ColumnRecord, Document, Input, KeysUsed, LineageRecord, Manifest, PlanRecord, SinkRecord,
    StageTiming, Timings, attachment,
};
use lockgate_ledger::{Attachment, check_inclusion, leaf_hash, proof_file};
use lockgate_model::{DatasetName, Failure, PipelineName, PrincipalName, RunId, StoreName};
use lockgate_trust::{KeyState, KeyTable, Site};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::commits::{attached, damaged};
use crate::quarantine::{Quarantine, quarantine_of};
use crate::runs::{RunEnd, RunEntry, Runs};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Its rows are in the sink, and the ledger says so.
    Committed,
    /// It wrote nothing.
    Aborted,
    /// It is under way, or was killed and is settled by the next run.
    Open,
}

/// One run in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The dataset that it writes.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// Who it ran as.
    pub principal: Option<PrincipalName>,
    /// When it began.
    pub at: Timestamp,
    /// How it ended.
    pub state: RunState,
    /// Why it wrote nothing, in one word; absent where it did or may yet.
    pub reason: Option<String>,
    /// Records read; 0 unless it is committed, as are the counts after it.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Records set aside.
    pub rows_quarantined: u64,
    /// Bytes read.
    pub bytes_read: u64,
}

/// A column with the keys that protect it, and what became of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportColumn {
    /// What was done to it, and why.
    #[serde(flatten)]
    pub record: ColumnRecord,
    /// The key of its values.
    pub key: Option<ColumnProtectionKey>,
    /// The key of its part of encrypted files.
    pub file_key: Option<ColumnProtectionKey>,
    /// The state of each of the two now: `active`, `retired` or `shredded`.
    pub key_states: BTreeMap<String, String>,
}

/// That the ledger holds the run's last entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerProof {
    /// The ledger's name.
    pub origin: String,
    /// The zero-based entry.
    pub entry: u64,
    /// How many entries the ledger had when the report was made.
    pub size: u64,
    /// Its root then, in base64.
    pub root: String,
    /// The entry, as it lies in the ledger.
    pub entry_text: String,
    /// The proof as a C2SP `.tlog-proof` file, which other programs check.
    pub tlog_proof: String,
}

/// Everything that the ledger proves of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The project.
    pub project: String,
    /// The run in a line.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// The parameters that it was given.
    pub params: BTreeMap<String, String>,
    /// The SQL as written.
    pub sql: String,
    /// Where the rows went.
    pub sink: SinkRecord,
    /// What it read.
    pub inputs: Vec<Input>,
    /// The columns of the output, dropped ones included.
    pub columns: Vec<ReportColumn>,
    /// The source columns that decide which rows are there.
    pub filters: Vec<LineageRecord>,
    /// What was set aside; its file need not be there any more.
    pub quarantine: Option<Quarantine>,
    /// Why `quarantine` is not there although something was set aside.
    pub quarantine_missing: Option<String>,
    /// Where the time went; empty unless the run is committed.
    pub timings: Vec<StageTiming>,
    /// The digest of each object that the last entry attaches.
    pub attachments: Vec<Attachment>,
    /// That the ledger says all this; absent for a run that has not ended.
    pub proof: Option<LedgerProof>,
}

/// The runs of a project, newest first.
pub fn history(project: &Site, runtime: &Handle) -> Result<Vec<RunSummary>, Failure> {
    let runs = Runs::read(project, runtime)?;
    Ok(runs.runs.iter().rev().map(summary).collect())
}

fn summary(run: &RunEntry) -> RunSummary {
    let (state, reason, commit) = match &run.end {
        RunEnd::Committed { commit, .. } => (RunState::Committed, None, Some(commit)),
        RunEnd::Aborted { reason, .. } => (RunState::Aborted, Some(reason.clone()), None),
        RunEnd::Open => (RunState::Open, None, None),
    };
    RunSummary {
        run: run.intent.run.clone(),
        pipeline: run.intent.pipeline.clone(),
        dataset: run.intent.dataset.clone(),
        store: run.intent.store.clone(),
        principal: run.principal.clone(),
        at: run.at,
        state,
        reason,
        rows_read: commit.map_or(0, |commit| commit.rows_read),
        rows_written: commit.map_or(0, |commit| commit.rows_written),
        rows_quarantined: commit.map_or(0, |commit| commit.rows_quarantined),
        bytes_read: commit.map_or(0, |commit| commit.bytes_read),
    }
}

/// What the attachments of a run say.
pub(crate) struct Documents {
    pub(crate) manifest: Manifest,
    pub(crate) plan: PlanRecord,
    pub(crate) keys: Option<KeysUsed>,
}

impl Documents {
    /// Reads them from the entry that ended the run, or else from the one that began it.
    pub(crate) fn read(runs: &Runs, run: &RunEntry, runtime: &Handle) -> Result<Self, Failure> {
        let (attachments, committed) = match &run.end {
            RunEnd::Committed { attachments, .. } => (attachments, true),
            RunEnd::Aborted { .. } | RunEnd::Open => (&run.attachments, false),
        };
        let content = |name| attached(runtime, &runs.store, attachments, name);
        let keys = committed.then(|| KeysUsed::from_bytes(&content(attachment::KEYS)?).map_err(damaged)).transpose()?;
        Ok(Self {
            manifest: Manifest::from_bytes(&content(attachment::MANIFEST)?).map_err(damaged)?,
            plan: PlanRecord::from_bytes(&content(attachment::PLAN)?).map_err(damaged)?,
            keys,
        })
    }
}

/// Everything that the ledger proves of one run. Fails if an object that its entries attach is not what it was.
pub fn report(project: &Site, run: &RunId, runtime: &Handle) -> Result<RunReport, Failure> {
    let runs = Runs::read(project, runtime)?;
    let entry = runs.find(run)?;
    let Documents { manifest, plan, keys } = Documents::read(&runs, entry, runtime)?;
    let (attachments, index, set_aside) = match &entry.end {
        RunEnd::Committed { attachments, entry, commit, .. } => (attachments, Some(*entry), commit.rows_quarantined),
        RunEnd::Aborted { entry: index, .. } => (&entry.attachments, Some(*index), 0),
        RunEnd::Open => (&entry.attachments, None, 0),
    };
    let timed = attachments.iter().any(|attachment| attachment.name == attachment::TIMINGS);
    let timings = match timed {
        true => {
            Timings::from_bytes(&attached(runtime, &runs.store, attachments, attachment::TIMINGS)?)
                .map_err(damaged)?
                .stages
        }
        false => Vec::new(),
    };
    let (quarantine, quarantine_missing) = match set_aside {
        0 => (None, None),
        _ => match quarantine_of(&runs, run, runtime) {
            Ok(found) => (Some(found), None),
            Err(failure) => (None, Some(failure.message)),
        },
    };
    Ok(RunReport {
        project: project.name.to_string(),
        summary: summary(entry),
        params: entry.intent.params.clone(),
        sql: plan.sql,
        sink: plan.sink,
        inputs: manifest.inputs,
        columns: columns(&runs, plan.columns, keys),
        filters: plan.filters,
        quarantine,
        quarantine_missing,
        timings,
        attachments: attachments.clone(),
        proof: index.map(|index| proof(&runs, index, runtime)).transpose()?,
    })
}

fn columns(runs: &Runs, records: Vec<ColumnRecord>, keys: Option<KeysUsed>) -> Vec<ReportColumn> {
    // Whoever has the ledger alone has no key table, and so no states.
    let table = KeyTable::load(&runs.ledger).ok();
    let state_of = |id: &str| {
        let key = table.as_ref()?.keys.iter().find(|key| key.id.to_string() == id)?;
        Some(match key.state {
            KeyState::Active => "active",
            KeyState::Retired => "retired",
            KeyState::Shredded => "shredded",
        })
    };
    let column = |record: ColumnRecord| {
        let key = keys.as_ref().and_then(|keys| keys.columns.get(&record.name)).cloned();
        let file_key = keys.as_ref().and_then(|keys| keys.files.get(&record.name)).cloned();
        let ids = key.iter().chain(&file_key).map(|key| key.key.clone());
        let key_states = ids.filter_map(|id| state_of(&id).map(|state| (id, state.to_owned()))).collect();
        ReportColumn { record, key, file_key, key_states }
    };
    records.into_iter().map(column).collect()
}

fn proof(runs: &Runs, index: u64, runtime: &Handle) -> Result<LedgerProof, Failure> {
    let reader = &runs.reader;
    let entry = runtime.block_on(reader.entry(index))?.to_bytes().map_err(damaged)?;
    let hashes = runtime.block_on(reader.inclusion_proof(index))?;
    let checkpoint = reader.checkpoint();
    if !check_inclusion(&hashes, index, leaf_hash(&entry), checkpoint.size, checkpoint.root) {
        return Err(damaged(format!("entry {index} is not under the ledger's checkpoint")));
    }
    Ok(LedgerProof {
        origin: checkpoint.origin.clone(),
        entry: index,
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        entry_text: String::from_utf8(entry).map_err(damaged)?,
        tlog_proof: runtime.block_on(proof_file(reader, index))?,
    })
}
