//! One run of one pipeline, from its inputs to its entry in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockgate_connect::{CommittedRun, SinkColumn, TableSpec, WriteMode as SinkMode};
use lockgate_crypto::{Random, sha256};
use lockgate_evidence::{
    ColumnProtectionKey, DatasetVersion, Document, Event, KeysUsed, Manifest, PlanRecord, RunAbort, RunCommit,
    RunIntent, Stage, StageTiming, Timings, attachment,
};
use lockgate_ledger::Attachment;
use lockgate_model::{
    ColumnName, Failure, FailureKind, InputOrdinal, Protection, RowId, RunId, Sha256Digest, StoreName,
};
use lockgate_plan::{Governed, Plan, Protector, RowShape};
use lockgate_project::{Dataset, Diagnostics, Pipeline, StoreLocation, WriteMode, bind_given_params, bind_params};
use lockgate_trust::{Site, SubjectSalts};
use tokio::runtime::Handle;

use crate::binding::RunBinding;
use crate::commit_record::CommitRecord;
use crate::execute::{Executed, MaxQuarantined, execute};
use crate::failures;
use crate::inputs::{PastCommit, Reads, RunInput, list_inputs, select_new};
use crate::leases::{self, Expected};
use crate::outcome::{ColumnOutcome, InputOutcome, QuarantinedRow, RunOutcome, RunStatus};
use crate::plan_record::plan_record;
use crate::protectors::{Digits, Seal, SealBySubject, Token};
use crate::quarantine::{self, SetAside};
use crate::reading::{Finding, Findings, Progress, line_index};
use crate::recover::settle_interrupted;
use crate::requarantine;
use crate::row_sources::whole_rows;
use crate::sink::{FileProtection, NotCommitted, Sink, file_protection};
use crate::workspace::Workspace;

/// What a run is asked to do.
pub struct RunRequest<'a> {
    /// The project.
    pub project: &'a Site,
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Its compiled plan.
    pub plan: &'a Governed<Plan>,
    /// Which records.
    pub take: Take,
    /// The parameters that were given.
    pub params: BTreeMap<String, String>,
    /// When to give up.
    pub max_quarantined: MaxQuarantined,
    /// Is told how it gets on.
    pub progress: Arc<dyn Progress>,
    /// Is told the bytes to come, once, before anything is read.
    pub announce: &'a dyn Fn(u64),
    /// Randomness for keys, ids and nonces.
    pub random: Arc<dyn Random>,
    /// The time at which it begins.
    pub now: Timestamp,
}

/// Which records a run takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// Those of all inputs that the sink does not have yet.
    New,
    /// Those of all inputs, whatever the sink has: the table is made anew.
    Everything,
    /// Those that an earlier run set aside.
    Requarantined {
        /// The run.
        run: RunId,
        /// Whether a file that is another one now is that file with its broken records mended.
        mended: bool,
    },
}

/// Runs a pipeline. Either its new rows are all in the sink and the ledger says so, or nothing was changed.
pub fn run(request: &RunRequest<'_>, runtime: &Handle) -> Result<RunOutcome, Failure> {
    let started = Instant::now();
    let RunRequest { project, pipeline, plan, .. } = *request;
    let (bind, spec): (BindParams, _) = match request.take {
        // All files are read, so that a parameter has a value only where one was given.
        Take::Everything => (bind_given_params, table_spec(pipeline, plan)?.refreshed()),
        Take::New | Take::Requarantined { .. } => (bind_params, table_spec(pipeline, plan)?),
    };
    let params = bound_params(project, pipeline, plan, &request.params, bind)?;
    let store = &pipeline.into.store.value;
    let run = new_run_id(request.random.as_ref(), request.now)?;
    let doing = format!("run {run} of {}", pipeline.name.value);
    let principal = Some(pipeline.runs_as.value.clone());
    let mut workspace = Workspace::open(project, runtime, Arc::clone(&request.random), request.now, &doing, principal)?;
    let recovered = settle_interrupted(project, &mut workspace.journal)?;

    let record = plan_record(project, pipeline, plan);
    let plan_bytes = record.to_bytes().map_err(failures::bug)?;
    let mut sink = Sink::open(project, store, &pipeline.into.dataset.value)?;
    let past = past_commits(sink.commits(store, &pipeline.into.dataset.value)?, &workspace)?;
    let keys = Arc::new(workspace.keyring.file_keys()?.into_iter().collect());
    let mode = &pipeline.into.mode;
    let is_row_by_row = plan.row_shape() == RowShape::RowByRow;
    let listing = Instant::now();
    let inputs = match &request.take {
        Take::Everything => list_inputs(project, plan, Reads::Refresh(&params), &keys)?,
        Take::New => {
            let all = list_inputs(project, plan, Reads::Pipeline(&params), &keys)?;
            let new = select_new(all.clone(), &past, mode, sha256(&plan_bytes));
            // Where a row depends on several, what is new changes rows that are made from the rest as well.
            if new.is_empty() || is_row_by_row { new } else { all }
        }
        Take::Requarantined { run, .. } if !is_row_by_row => {
            let message = format!(
                "rows of `{}` are made from several records, so those that run {run} set aside can't be taken alone",
                pipeline.name.value
            );
            return Err(Failure::new(FailureKind::Invalid, message)
                .with_help("mend the files or the catalog, and run the pipeline again: it reads all of its input"));
        }
        Take::Requarantined { run, mended } => {
            let past = &past;
            let ledger = &workspace.ledger;
            requarantine::Request { project, plan, mode, past, ledger, run, mended: *mended }
                .inputs(&workspace.keyring)?
        }
    };
    let mut attempt = Attempt {
        request,
        run,
        record,
        plan_bytes,
        params,
        workspace,
        quarantined: Vec::new(),
        stages: Vec::new(),
        salts: None,
    };
    attempt.time(Stage::Inputs, listing.elapsed());
    if inputs.is_empty() {
        return Ok(attempt.outcome(None, &[], recovered, started));
    }
    let expected = Expected::of(&past, &attempt.workspace.journal, pipeline.expected_duration_s);
    leases::outlast(&project.leases(), expected)?;
    (request.announce)(inputs.iter().map(|input| input.entry.bytes).sum());
    let written = attempt.write(&inputs, &mut sink, &spec, store, runtime)?;
    Ok(attempt.outcome(Some(&written.commit), &written.manifest.inputs, recovered, started))
}

/// How parameters that are not given are taken.
type BindParams =
    fn(&Pipeline, &BTreeMap<String, String>, &[&Dataset]) -> Result<BTreeMap<String, String>, Diagnostics>;

/// The value of each parameter of a run.
pub(crate) fn bound_params(
    project: &Site,
    pipeline: &Pipeline,
    plan: &Governed<Plan>,
    given: &BTreeMap<String, String>,
    bind: BindParams,
) -> Result<BTreeMap<String, String>, Failure> {
    let datasets: Vec<&Dataset> = plan.reads().filter_map(|table| project.datasets.get(&table.dataset)).collect();
    bind(pipeline, given, &datasets).map_err(|diagnostics| {
        let rendered = lockgate_project::render(&diagnostics, &project.sources, lockgate_project::Colour::Never);
        Failure::new(FailureKind::Invalid, rendered.trim_end().to_owned())
    })
}

fn table_spec(pipeline: &Pipeline, plan: &Governed<Plan>) -> Result<TableSpec, Failure> {
    let stored = plan.columns().iter().filter(|column| column.is_stored());
    let columns =
        stored.map(|column| SinkColumn { name: column.name.clone(), value_type: column.stored_type }).collect();
    let (mode, key) = match &pipeline.into.mode {
        WriteMode::Append => (SinkMode::Append, Vec::new()),
        WriteMode::Replace => (SinkMode::Replace, Vec::new()),
        WriteMode::Merge { key } => (SinkMode::Merge, key.iter().map(|column| column.value.clone()).collect()),
    };
    TableSpec::new(pipeline.into.dataset.value.clone(), columns, mode, key)
        .map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))
}

/// What the sink's commits had read.
fn past_commits(commits: Vec<CommittedRun>, workspace: &Workspace) -> Result<Vec<PastCommit>, Failure> {
    let past = |commit: CommittedRun| {
        let unreadable = |what: &str| {
            let message = format!("the sink's record of run {} {what}", commit.run);
            Failure::new(FailureKind::Tampered, message).with_help("`lockgate verify` checks the ledger")
        };
        let record: CommitRecord = serde_json::from_str(&commit.record).map_err(|_| unreadable("is damaged"))?;
        let named = record.attached(attachment::MANIFEST).ok_or_else(|| unreadable("names no manifest"))?;
        let manifest = Manifest::from_bytes(&workspace.journal.attached(named)?);
        Ok(PastCommit { manifest: manifest.map_err(|_| unreadable("names a damaged manifest"))?, record })
    };
    commits.into_iter().map(past).collect()
}

pub(crate) fn new_run_id(random: &dyn Random, now: Timestamp) -> Result<RunId, Failure> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes).map_err(failures::bug)?;
    let now = u64::try_from(now.as_millisecond()).map_err(failures::bug)?;
    Ok(RunId::new(now, bytes))
}

/// What protects each column that needs a key.
type Protectors = BTreeMap<ColumnName, Arc<dyn Protector>>;

/// A run on its way.
struct Attempt<'a> {
    request: &'a RunRequest<'a>,
    run: RunId,
    record: PlanRecord,
    plan_bytes: Vec<u8>,
    params: BTreeMap<String, String>,
    workspace: Workspace,
    quarantined: Vec<QuarantinedRow>,
    stages: Vec<StageTiming>,
    /// The salts of the subjects under whose keys values are sealed.
    salts: Option<Arc<Mutex<SubjectSalts>>>,
}

struct Written {
    commit: RunCommit,
    manifest: Manifest,
}

impl Attempt<'_> {
    fn write(
        &mut self,
        inputs: &[RunInput],
        sink: &mut Sink,
        spec: &TableSpec,
        store: &StoreName,
        runtime: &Handle,
    ) -> Result<Written, Failure> {
        let began = Instant::now();
        let (protectors, keys, files) = self.prepare_keys()?;
        self.workspace.settle_keys()?;
        self.time(Stage::Keys, began.elapsed());
        self.intend(inputs, store)?;
        let outcome = self.execute(inputs, protectors, keys, files, sink, spec, store, runtime);
        // A run that may be committed keeps its intent open: the next one asks the sink and settles it.
        if let Err(NotCommitted { failure, is_open: false }) = &outcome {
            let abort = RunAbort {
                run: self.run.clone(),
                pipeline: self.record.pipeline.clone(),
                reason: failure.kind.as_str().to_owned(),
            };
            self.workspace.journal.append(vec![(Event::RunAbort(abort), Vec::new())])?;
        }
        let (record, manifest) = outcome.map_err(|not_committed| not_committed.failure)?;
        self.workspace.journal.append(commit_events(&record, store)?)?;
        Ok(Written { commit: record.commit, manifest })
    }

    fn time(&mut self, stage: Stage, elapsed: Duration) {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.stages.push(StageTiming { stage, elapsed_ms });
    }

    /// A key for each column that needs one; each sealed column gets a data key of this run's own.
    fn prepare_keys(&mut self) -> Result<(Protectors, KeysUsed, FileProtection), Failure> {
        let RunRequest { project, pipeline, plan, .. } = *self.request;
        let mut protectors = Protectors::new();
        let mut columns: BTreeMap<ColumnName, ColumnProtectionKey> = BTreeMap::new();
        let keyring = &mut self.workspace.keyring;
        for column in plan.columns() {
            let (protector, key): (Arc<dyn Protector>, _) = match &column.protection {
                Some(Protection::Seal) => {
                    let rotate_days = project.lattice.rules(column.level).rotate_days;
                    let (dataset, name, run) = (&pipeline.into.dataset.value, &column.name, &self.run);
                    match column.erase_by.as_ref().filter(|_| column.bound_to.is_some()) {
                        None => {
                            let (sealer, key) = keyring.sealer(dataset, name, run, rotate_days)?;
                            (Arc::new(Seal(Mutex::new(sealer))), key)
                        }
                        Some(subjects) => {
                            let (sealer, key) = keyring.sealer_by_subject(dataset, name, run, rotate_days)?;
                            let salts = match &self.salts {
                                Some(salts) => Arc::clone(salts),
                                None => Arc::new(Mutex::new(keyring.subject_salts(subjects)?)),
                            };
                            self.salts = Some(Arc::clone(&salts));
                            (Arc::new(SealBySubject { sealer: Mutex::new(sealer), salts }), key)
                        }
                    }
                }
                Some(Protection::Token { domain }) => {
                    let (tokenizer, key) = keyring.tokenizer(domain)?;
                    (Arc::new(Token(tokenizer)), key)
                }
                Some(Protection::Fpe { domain }) => {
                    let (cipher, key) = keyring.digit_cipher(domain)?;
                    (Arc::new(Digits(cipher)), key)
                }
                Some(Protection::Mask(_) | Protection::Drop) | None => continue,
            };
            protectors.insert(column.name.clone(), protector);
            columns.insert(column.name.clone(), key);
        }
        let files = match project.stores.get(&pipeline.into.store.value).map(|store| &store.location) {
            Some(StoreLocation::Files(_) | StoreLocation::S3(_)) => {
                file_protection(project, &pipeline.into.dataset.value, plan, keyring)?
            }
            Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => FileProtection::default(),
        };
        Ok((protectors, KeysUsed { v: 1, columns, files: files.used.clone() }, files))
    }

    fn intend(&mut self, inputs: &[RunInput], store: &StoreName) -> Result<(), Failure> {
        let manifest = Manifest { v: 1, inputs: inputs.iter().map(|input| input.entry.clone()).collect() };
        let attachments = vec![
            self.workspace.journal.attach(attachment::MANIFEST, manifest.to_bytes().map_err(failures::bug)?)?,
            self.workspace.journal.attach(attachment::PLAN, self.plan_bytes.clone())?,
        ];
        let intent = RunIntent {
            run: self.run.clone(),
            pipeline: self.record.pipeline.clone(),
            dataset: self.record.sink.dataset.clone(),
            store: store.clone(),
            params: self.params.clone(),
            inputs: u32::try_from(inputs.len()).unwrap_or(u32::MAX),
        };
        self.workspace.journal.append(vec![(Event::RunIntent(intent), attachments)])
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the run that was prepared before it")]
    fn execute(
        &mut self,
        inputs: &[RunInput],
        protectors: Protectors,
        keys: KeysUsed,
        files: FileProtection,
        sink: &mut Sink,
        spec: &TableSpec,
        store: &StoreName,
        runtime: &Handle,
    ) -> Result<(CommitRecord, Manifest), NotCommitted> {
        let findings = Arc::new(Findings::default());
        let progress = Arc::clone(&self.request.progress);
        let binding = RunBinding {
            inputs,
            protectors,
            // What a pipeline passes on stays sealed.
            unsealers: BTreeMap::new(),
            prunes: false,
            hidden: BTreeSet::new(),
            findings: Arc::clone(&findings),
            progress,
        };
        let bound = self.request.plan.bind(&binding).map_err(|error| failures::engine(&error))?;
        let mut transaction = sink.begin(store, spec, &self.run, files)?;
        let is_row_wise = self.request.plan.is_row_wise();
        let executed = execute(runtime, &bound, is_row_wise, store.as_str(), &mut transaction)?;
        let Executed { provenance, protecting, writing } = executed;

        let found = findings.take();
        self.time(Stage::Read, found.values().map(|finding| finding.reading).sum());
        self.time(Stage::Protect, protecting);
        self.time(Stage::Write, writing);
        let began = Instant::now();
        let manifest = counted(inputs, &found);
        let set_aside: Vec<SetAside> = found.values().flat_map(|finding| finding.set_aside.iter().cloned()).collect();
        let rows_read = found.values().map(|finding| finding.rows).sum();
        self.request.max_quarantined.check(set_aside.len() as u64, rows_read)?;
        let headers = found.iter().filter_map(|(input, finding)| Some((input.get(), finding.header.clone()?)));
        let quarantine_sha256 = self.quarantine(&set_aside, &headers.collect(), &manifest)?;

        let rows_written = provenance.rows();
        let journal = &mut self.workspace.journal;
        let attach = |name, bytes: Vec<u8>| journal.attach(name, bytes);
        let (name, provenance) = provenance.finish(&whole_rows(bound.passed())?).map_err(failures::bug)?;
        let mut attachments = vec![
            attach(attachment::MANIFEST, manifest.to_bytes().map_err(failures::bug)?)?,
            attach(attachment::PLAN, self.plan_bytes.clone())?,
            attach(attachment::KEYS, keys.to_bytes().map_err(failures::bug)?)?,
            attach(name, provenance)?,
            attach(attachment::LINES, line_index(&found).finish().map_err(failures::bug)?)?,
        ];
        self.time(Stage::Evidence, began.elapsed());
        let timings = Timings { v: 1, stages: self.stages.clone() }.to_bytes().map_err(failures::bug)?;
        attachments.push(self.workspace.journal.attach(attachment::TIMINGS, timings)?);
        let commit = RunCommit {
            run: self.run.clone(),
            pipeline: self.record.pipeline.clone(),
            dataset: self.record.sink.dataset.clone(),
            commit: transaction.commit_ordinal(),
            rows_read,
            rows_written,
            rows_quarantined: set_aside.len() as u64,
            bytes_read: manifest.inputs.iter().map(|input| input.bytes).sum(),
            quarantine_sha256,
        };
        let record = CommitRecord { v: 1, commit, attachments };
        if let Some(salts) = &self.salts {
            // Before anybody can read what was sealed with them.
            salts.lock().unwrap_or_else(PoisonError::into_inner).commit().map_err(Failure::from)?;
        }
        transaction.prepare(store.as_str())?;
        self.workspace.journal.ensure_held()?;
        transaction.commit(store.as_str(), &record_text(&record)?)?;
        Ok((record, manifest))
    }

    fn quarantine(
        &mut self,
        records: &[SetAside],
        headers: &BTreeMap<u32, Vec<u8>>,
        manifest: &Manifest,
    ) -> Result<Option<Sha256Digest>, Failure> {
        if records.is_empty() {
            return Ok(None);
        }
        let path_of = |input: u32| {
            manifest
                .inputs
                .get(usize::try_from(input).unwrap_or(usize::MAX))
                .map_or_else(String::new, |i| i.path.clone())
        };
        let row = |record: &SetAside| QuarantinedRow {
            path: path_of(record.input),
            row: record.row,
            line: record.line,
            reason: record.reason.clone(),
        };
        self.quarantined = records.iter().map(row).collect();
        let (column, dataset) = (quarantine::column()?, &self.record.sink.dataset);
        let (sealer, _) = self.workspace.keyring.sealer(dataset, &column, &self.run, None)?;
        // The key must be in the table, durably, before anything is sealed with it.
        self.workspace.settle_keys()?;
        quarantine::write(&self.workspace.ledger, &self.run, headers, records, sealer).map(Some)
    }

    fn outcome(
        self,
        commit: Option<&RunCommit>,
        inputs: &[lockgate_evidence::Input],
        recovered: Option<String>,
        started: Instant,
    ) -> RunOutcome {
        let input = |input: &lockgate_evidence::Input| InputOutcome {
            store: input.store.clone(),
            path: input.path.clone(),
            sha256: input.sha256,
            rows: input.rows.unwrap_or(0),
        };
        RunOutcome {
            run: commit.map(|commit| commit.run.clone()),
            pipeline: self.record.pipeline.clone(),
            status: if commit.is_some() { RunStatus::Committed } else { RunStatus::NothingNew },
            rows_read: commit.map_or(0, |commit| commit.rows_read),
            rows_written: commit.map_or(0, |commit| commit.rows_written),
            rows_quarantined: commit.map_or(0, |commit| commit.rows_quarantined),
            bytes_read: commit.map_or(0, |commit| commit.bytes_read),
            columns: self.record.columns.iter().map(ColumnOutcome::of).collect(),
            inputs: inputs.iter().map(input).collect(),
            ledger: self.workspace.journal.position(),
            elapsed_s: started.elapsed().as_secs_f64(),
            dataset: self.record.sink.dataset.clone(),
            store: self.record.sink.store.clone(),
            first_row: commit.map_or(0, |commit| RowId::new(commit.commit, 0).map_or(0, RowId::to_i64)),
            quarantined: self.quarantined,
            recovered,
        }
    }
}

/// The inputs with what was read of each.
fn counted(inputs: &[RunInput], found: &BTreeMap<InputOrdinal, Finding>) -> Manifest {
    let mut manifest = Manifest { v: 1, inputs: inputs.iter().map(|input| input.entry.clone()).collect() };
    for (ordinal, finding) in found {
        if let Some(input) = manifest.inputs.get_mut(usize::try_from(ordinal.get()).unwrap_or(usize::MAX)) {
            input.rows = Some(finding.rows);
            input.rows_quarantined = Some(finding.set_aside.len() as u64);
        }
    }
    manifest
}

fn record_text(record: &CommitRecord) -> Result<String, Failure> {
    serde_json::to_string(record).map_err(failures::bug)
}

/// The ledger entries of a commit, from the record that the sink has.
pub(crate) fn commit_events(
    record: &CommitRecord,
    store: &StoreName,
) -> Result<Vec<(Event, Vec<Attachment>)>, Failure> {
    let version = DatasetVersion {
        dataset: record.commit.dataset.clone(),
        store: store.clone(),
        commit: record.commit.commit,
        run: record.commit.run.clone(),
        record_sha256: sha256(record_text(record)?.as_bytes()),
    };
    Ok(vec![
        (Event::RunCommit(record.commit.clone()), record.attachments.clone()),
        (Event::DatasetVersion(version), Vec::new()),
    ])
}
