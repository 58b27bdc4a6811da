//! Nobody is shown a row before the ledger says that they are about to be, and what they were shown is written down
//! afterwards, however it ended.
//!
//! ```text
//! list and digest inputs ─► access.intent ─► rows go out, batch by batch ─► access.result with the set of source rows
//!                                                │
//! killed here: the intent counts as every row of its inputs
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::StreamExt;
use jiff::Timestamp;
use lockgate_crypto::{Random, sha256};
use lockgate_evidence::{
    AccessIntent, AccessOutcome, AccessResult, AccessedColumn, AccessedRows, DecidingPolicy, Document, Event, Manifest,
    SetKind, ShownAs, SourceRange, attachment,
};
use lockgate_ledger::Attachment;
use lockgate_model::{DatasetName, Failure, FailureKind, Form, InputOrdinal, RunId};
use lockgate_plan::{Asker, Authorization, Bound, Governed, Plan};
use lockgate_trust::Site;
use tokio::runtime::Handle;

use crate::binding::RunBinding;
use crate::execute::start;
use crate::failures;
use crate::inputs::{Reads, list_inputs};
use crate::journal::LedgerPosition;
use crate::pipeline::new_run_id;
use crate::reading::{Findings, Progress};
use crate::row_sources::{SourceColumns, ranges, whole_rows};
use crate::shown::{Shown, ShownSource, Telling};
use crate::unsealers::unsealers;
use crate::workspace::Workspace;

/// What is asked.
pub struct QueryRequest<'a> {
    /// The project.
    pub project: &'a Site,
    /// The query as it was written.
    pub sql: &'a str,
    /// Its compiled plan.
    pub plan: &'a Governed<Plan>,
    /// Who asks.
    pub asker: &'a Asker,
    /// What the policies decided.
    pub authorizations: &'a [Authorization],
    /// Values of parameters in the paths of files; one without a value stands for any.
    pub params: BTreeMap<String, String>,
    /// Whether the sources of each row are wanted.
    pub provenance: bool,
    /// Set when no more is wanted: what went out until then is told to the ledger.
    pub stop: Arc<AtomicBool>,
    /// How long its rows may take to be made; the time of whoever takes them does not count.
    pub duration_max: Duration,
    /// Randomness for the access's id.
    pub random: Arc<dyn Random>,
    /// The time.
    pub now: Timestamp,
}

/// Rows on their way to whoever asked.
pub struct ShownBatch {
    /// The columns of the query.
    pub rows: RecordBatch,
    /// For each row, what it was made from; empty where it was not asked for.
    pub sources: Vec<Vec<ShownSource>>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryOutcome {
    /// The id of the access, as the ledger has it.
    pub access: RunId,
    /// The rows that went out.
    pub rows: u64,
    /// Records of the inputs that could not be read and were left out.
    pub unreadable: u64,
    /// Bytes of values that were read from Parquet files, whose row groups without a wanted row are left out.
    pub parquet_bytes: u64,
    /// The rows that decided what was shown, of relations that are read as a whole.
    pub whole: Vec<ShownSource>,
    /// Where the ledger stands.
    pub ledger: LedgerPosition,
}

/// Runs a query and hands its rows out. `take` says whether it wants more.
pub fn query(
    request: &QueryRequest<'_>,
    runtime: &Handle,
    take: &mut dyn FnMut(ShownBatch) -> Result<bool, Failure>,
) -> Result<QueryOutcome, Failure> {
    let QueryRequest { project, plan, .. } = *request;
    let access = new_run_id(request.random.as_ref(), request.now)?;
    let doing = format!("query {access}");
    let principal = Some(request.asker.principal.clone());
    let mut workspace = Workspace::open(project, runtime, Arc::clone(&request.random), request.now, &doing, principal)?;
    let keys = Arc::new(workspace.keyring.file_keys()?.into_iter().collect());
    let inputs = list_inputs(project, plan, Reads::Asker(&request.params), &keys)?;
    let manifest = Manifest { v: 1, inputs: inputs.iter().map(|input| input.entry.clone()).collect() };
    let attached = workspace.journal.attach(attachment::MANIFEST, manifest.to_bytes().map_err(failures::bug)?)?;
    let unsealers = unsealers(plan, &workspace.keyring)?;
    let intent = intent_of(request, &access);
    workspace.journal.append(vec![(Event::AccessIntent(intent), vec![attached.clone()])])?;

    let mut shown = Shown::default();
    let findings = Arc::new(Findings::default());
    let mut telling = Telling::new(project, plan, &inputs, Arc::clone(&findings));
    let hidden = hidden(plan);
    let binding = RunBinding {
        inputs: &inputs,
        protectors: BTreeMap::new(),
        unsealers,
        prunes: true,
        hidden: hidden.clone(),
        findings: Arc::clone(&findings),
        progress: Arc::new(Silent),
    };
    let bound = plan.bind(&binding).map_err(|error| failures::engine(&error));
    let mut whole = Vec::new();
    let ended = bound.and_then(|bound| {
        let ended = show(request, &bound, &mut telling, runtime, &mut shown, take);
        whole = whole_rows(bound.passed())?;
        whole.iter().for_each(|range| shown.whole(*range));
        ended
    });
    let outcome = match &ended {
        Ok(true) => AccessOutcome::Complete,
        Ok(false) => AccessOutcome::Stopped,
        Err(_) => AccessOutcome::Failed,
    };
    let shown_rows = shown.rows;
    let rows = shown.accessed();
    let attached = vec![attached, attach_rows(&workspace, &rows)?];
    let result = AccessResult {
        access: access.clone(),
        outcome,
        rows: shown_rows,
        source_rows: rows.rows(),
        is_exact: rows.is_exact(),
    };
    let appended = workspace.journal.append(vec![(Event::AccessResult(result), attached)]);
    ended?;
    appended?;
    let found = findings.take();
    // Records of a table that the asker sees part of are not counted: they may be of the other part.
    let is_told = |input: &InputOrdinal| {
        let input = usize::try_from(input.get()).ok().and_then(|input| inputs.get(input));
        input.is_some_and(|input| !hidden.contains(&input.entry.dataset))
    };
    let unreadable = found.iter().filter(|(input, _)| is_told(input));
    let unreadable = unreadable.map(|(_, finding)| finding.set_aside.len() as u64).sum();
    let parquet_bytes = found.values().map(|finding| finding.bytes).sum();
    let whole =
        whole.into_iter().map(|(relation, first, last)| SourceRange { relation, kind: SetKind::Whole, first, last });
    let whole = telling.tell(&whole.collect::<Vec<_>>())?;
    Ok(QueryOutcome {
        access,
        rows: shown_rows,
        unreadable,
        parquet_bytes,
        whole,
        ledger: workspace.journal.position(),
    })
}

fn attach_rows(workspace: &Workspace, rows: &AccessedRows) -> Result<Attachment, Failure> {
    workspace.journal.attach(attachment::ROWS, rows.to_bytes().map_err(failures::bug)?)
}

/// Hands the rows out; `false` if whoever takes them wanted no more.
fn show(
    request: &QueryRequest<'_>,
    bound: &Governed<Bound>,
    telling: &mut Telling<'_>,
    runtime: &Handle,
    shown: &mut Shown,
    take: &mut dyn FnMut(ShownBatch) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let mut batches = start(runtime, bound)?;
    let too_long = || {
        let limit_s = request.duration_max.as_secs();
        Failure::new(FailureKind::Failed, format!("the query took longer than {limit_s} s"))
            .with_help("ask for less, or give it more time with `--timeout`")
    };
    let mut left = request.duration_max;
    let mut next = || {
        if left.is_zero() {
            return Err(too_long());
        }
        let asked = Instant::now();
        let batch = runtime.block_on(async { tokio::time::timeout(left.min(LOOK_FOR_STOP), batches.next()).await });
        left = left.saturating_sub(asked.elapsed());
        Ok(batch.ok())
    };
    loop {
        if request.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let batch = match next()? {
            None => continue,
            Some(None) => return Ok(true),
            Some(Some(batch)) => batch,
        };
        let batch = batch.map_err(|error| failures::engine(&error))?;
        let (rows, sources) = SourceColumns::split(&batch, bound.sources())?;
        let mut of_rows = Vec::new();
        for row in 0..rows.num_rows() {
            let mut found = Vec::new();
            sources.of_row(row, |relation, set| found.push((relation, set)))?;
            let mut ranges_of_row = Vec::new();
            for (relation, set) in &found {
                ranges_of_row.extend(ranges(*relation, set)?);
            }
            ranges_of_row.iter().for_each(|range| shown.add(*range));
            if request.provenance {
                of_rows.push(telling.tell(&ranges_of_row)?);
            }
        }
        // The rows count as shown even if whoever takes them fails on the way.
        shown.rows += rows.num_rows() as u64;
        if !take(ShownBatch { rows, sources: of_rows })? {
            return Ok(false);
        }
    }
}

/// How long a query computes before it looks whether it is to stop.
const LOOK_FOR_STOP: Duration = Duration::from_millis(100);

/// The datasets of which the asker may not be told what reading them found.
fn hidden(plan: &Governed<Plan>) -> BTreeSet<DatasetName> {
    plan.guarded().keys().chain(plan.read_by_policies()).cloned().collect()
}

fn intent_of(request: &QueryRequest<'_>, access: &RunId) -> AccessIntent {
    let QueryRequest { plan, asker, authorizations, .. } = *request;
    let mut columns: BTreeMap<DatasetName, Vec<AccessedColumn>> = BTreeMap::new();
    let mut policies = BTreeSet::new();
    for authorization in authorizations {
        let read = plan.columns_read(&authorization.dataset);
        for access in authorization.columns.iter().filter(|access| read.contains_key(&access.column)) {
            let form = read.get(&access.column).copied().unwrap_or(Form::Clear);
            let shown = match (&access.mask, &access.unseal, form) {
                (Some(_), _, _) | (None, None, Form::Masked) => ShownAs::Masked,
                (None, Some(_), _) => ShownAs::Unsealed,
                (None, None, Form::Tokenized) => ShownAs::Tokenized,
                (None, None, Form::Sealed) => ShownAs::Sealed,
                (None, None, Form::Clear | Form::Dropped) => ShownAs::Clear,
            };
            let mask = access.mask.as_ref().map(|(mask, _)| mask.clone());
            let column = AccessedColumn { column: access.column.clone(), shown, mask };
            columns.entry(authorization.dataset.clone()).or_default().push(column);
            let mask = access.mask.as_ref().map(|(_, policy)| policy);
            policies.extend(access.policy.iter().chain(&access.unseal).chain(mask).cloned());
        }
        policies.extend(authorization.rows.as_ref().map(|(_, policy)| policy.clone()));
    }
    let policy = |policy: lockgate_plan::PolicyReference| DecidingPolicy {
        id: policy.id,
        name: policy.name,
        version: policy.version,
    };
    AccessIntent {
        access: access.clone(),
        purpose: asker.purpose.clone(),
        groups: asker.groups.clone(),
        query_sha256: sha256(request.sql.as_bytes()),
        plan_sha256: sha256(plan.draw().as_bytes()),
        columns,
        policies: policies.into_iter().map(policy).collect(),
    }
}

struct Silent;

impl Progress for Silent {
    fn advance(&self, _: u64, _: u64) {}
}
