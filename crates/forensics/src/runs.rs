//! The runs that a ledger tells of, in their order: what each was asked, who ran it, and how it ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockgate_evidence::{Event, RunCommit, RunIntent};
use lockgate_ledger::{Attachment, Entry, LedgerReader, LedgerStore};
use lockgate_model::{Failure, FailureKind, PipelineName, PrincipalName, RunId};
use lockgate_trust::{LedgerPlace, Site};
use tokio::runtime::Handle;

use crate::commits::{damaged, verifier_key};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RunEnd {
    /// Its rows are in the sink.
    Committed { entry: u64, commit: RunCommit, attachments: Vec<Attachment> },
    /// It wrote nothing.
    Aborted { entry: u64, reason: String },
    /// Nothing is known yet: it is under way, or was killed and is settled by the next run.
    Open,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunEntry {
    pub(crate) intent: RunIntent,
    pub(crate) at: Timestamp,
    pub(crate) principal: Option<PrincipalName>,
    /// What the intent attaches.
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) end: RunEnd,
}

/// A project's ledger, read.
pub(crate) struct Runs {
    pub(crate) ledger: LedgerPlace,
    pub(crate) store: LedgerStore,
    pub(crate) reader: LedgerReader,
    /// Oldest first.
    pub(crate) runs: Vec<RunEntry>,
}

impl Runs {
    /// Reads the ledger of a project; fails if there is none.
    pub(crate) fn read(project: &Site, runtime: &Handle) -> Result<Self, Failure> {
        let key = verifier_key(project)?;
        let ledger = project.ledger_place()?;
        if !ledger.is_begun()? {
            let message = format!("there is no ledger at {ledger}");
            return Err(Failure::new(FailureKind::Failed, message).with_help("run a pipeline first"));
        }
        let store = ledger.store()?;
        let reader = runtime.block_on(LedgerReader::open(store.clone(), key))?;
        let mut runs: Vec<RunEntry> = Vec::new();
        let mut unreadable = None;
        let each = |index, entry: Entry| match Event::from_body(entry.kind.as_str(), &entry.body) {
            Some(Ok(event)) => take(&mut runs, index, event, &entry),
            Some(Err(error)) => unreadable = Some(error),
            None => {}
        };
        runtime.block_on(reader.proven_entries(each))?;
        if let Some(error) = unreadable {
            return Err(damaged(error));
        }
        Ok(Self { ledger, store, reader, runs })
    }

    /// The run of that id.
    pub(crate) fn find(&self, run: &RunId) -> Result<&RunEntry, Failure> {
        self.runs.iter().find(|entry| entry.intent.run == *run).ok_or_else(|| {
            Failure::new(FailureKind::Invalid, format!("the ledger tells of no run {run}"))
                .with_help("`lockgate history` lists the runs")
        })
    }

    /// The run of that id, which must have written.
    pub(crate) fn find_committed(&self, run: &RunId) -> Result<(&RunEntry, &RunCommit, &[Attachment]), Failure> {
        let entry = self.find(run)?;
        match &entry.end {
            RunEnd::Committed { commit, attachments, .. } => Ok((entry, commit, attachments)),
            RunEnd::Aborted { .. } | RunEnd::Open => {
                Err(Failure::new(FailureKind::Invalid, format!("run {run} has written nothing")))
            }
        }
    }
}

fn take(runs: &mut Vec<RunEntry>, index: u64, event: Event, entry: &Entry) {
    let at = entry.at;
    let mut ended = |run: &RunId, end: RunEnd| {
        if let Some(open) = runs.iter_mut().rfind(|known| known.intent.run == *run) {
            open.end = end;
        }
    };
    match event {
        Event::RunIntent(intent) => {
            let (principal, attachments) = (entry.principal.clone(), entry.attachments.clone());
            runs.push(RunEntry { intent, at, principal, attachments, end: RunEnd::Open });
        }
        Event::RunCommit(commit) => {
            let (run, attachments) = (commit.run.clone(), entry.attachments.clone());
            ended(&run, RunEnd::Committed { entry: index, commit, attachments });
        }
        Event::RunAbort(abort) => ended(&abort.run, RunEnd::Aborted { entry: index, reason: abort.reason }),
        Event::ProjectCreate(_)
        | Event::KeyCreate(_)
        | Event::KeyRotate(_)
        | Event::KeyRewrap(_)
        | Event::KeyShred(_)
        | Event::SubjectErase(_)
        | Event::DatasetVersion(_)
        | Event::AccessIntent(_)
        | Event::AccessResult(_) => {}
    }
}

/// The pipeline and the parameters of a run, as it was asked for.
pub fn intended(
    project: &Site,
    run: &RunId,
    runtime: &Handle,
) -> Result<(PipelineName, BTreeMap<String, String>), Failure> {
    let runs = Runs::read(project, runtime)?;
    let entry = runs.find(run)?;
    Ok((entry.intent.pipeline.clone(), entry.intent.params.clone()))
}
