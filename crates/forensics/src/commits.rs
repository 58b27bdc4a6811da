//! The commits that a ledger tells of, with the objects that describe each.

use std::collections::BTreeMap;

use lockgate_evidence::{
    Document, KeysUsed, LineIndex, Manifest, PlanRecord, ProvenanceSegment, ProvenanceSets, RunCommit, SetKind,
    SourceRange, SourceRow, attachment,
};
use lockgate_ledger::{Attachment, Checkpoint, LedgerStore, VerifierKey};
use lockgate_model::{DatasetName, Failure, FailureKind, InputOrdinal, RowId};
use lockgate_trust::{Site, VERIFIER_KEY_FILE};
use tokio::runtime::Handle;

use crate::runs::{RunEnd, Runs};

/// One commit and everything that is known of it.
pub(crate) struct Commit {
    pub(crate) run: RunCommit,
    pub(crate) manifest: Manifest,
    pub(crate) plan: PlanRecord,
    pub(crate) keys: KeysUsed,
    pub(crate) provenance: RowProvenance,
    pub(crate) lines: LineIndex,
}

/// What the output rows of a commit were made from.
pub(crate) enum RowProvenance {
    /// Each from one row.
    RowWise(ProvenanceSegment),
    Sets(ProvenanceSets),
}

impl RowProvenance {
    /// The source rows of an output row; `None` for a row that the run did not write.
    pub(crate) fn sources(&self, row: u64) -> Option<Vec<SourceRange>> {
        match self {
            Self::RowWise(segment) => {
                let source = segment.source(row)?;
                let id = RowId::new(source.input, source.row).ok()?;
                Some(vec![SourceRange { relation: 0, kind: SetKind::All, first: id, last: id }])
            }
            Self::Sets(sets) => Some(sets.sources(row)),
        }
    }

    /// The output rows that were made from a source row, as ranges of first and last.
    pub(crate) fn outputs(&self, source: RowId) -> Vec<(u64, u64, bool)> {
        match self {
            Self::RowWise(segment) => {
                let outputs = segment.outputs(SourceRow { input: source.input(), row: source.row() });
                outputs.into_iter().map(|(first, last)| (first, last, false)).collect()
            }
            Self::Sets(sets) => sets.outputs(source),
        }
    }
}

/// The commits of a project, found in its ledger and opened when they are asked for.
pub(crate) struct Commits {
    runtime: Handle,
    store: LedgerStore,
    named: BTreeMap<(DatasetName, InputOrdinal), (RunCommit, Vec<Attachment>)>,
    opened: BTreeMap<(DatasetName, InputOrdinal), std::rc::Rc<Commit>>,
}

impl Commits {
    /// Finds the commits in a project's ledger.
    pub(crate) fn find(project: &Site, runtime: &Handle) -> Result<Self, Failure> {
        let Runs { store, runs, .. } = Runs::read(project, runtime)?;
        let commits = runs.into_iter().filter_map(|run| match run.end {
            RunEnd::Committed { commit, attachments, .. } => {
                Some(((commit.dataset.clone(), commit.commit), (commit, attachments)))
            }
            RunEnd::Aborted { .. } | RunEnd::Open => None,
        });
        let named = commits.collect();
        Ok(Self { runtime: runtime.clone(), store, named, opened: BTreeMap::new() })
    }

    /// The datasets and numbers of all commits, in order.
    pub(crate) fn all(&self) -> Vec<(DatasetName, InputOrdinal)> {
        self.named.keys().cloned().collect()
    }

    /// The commit of that number of a dataset.
    pub(crate) fn open(
        &mut self,
        dataset: &DatasetName,
        ordinal: InputOrdinal,
    ) -> Result<std::rc::Rc<Commit>, Failure> {
        let at = (dataset.clone(), ordinal);
        if let Some(commit) = self.opened.get(&at) {
            return Ok(commit.clone());
        }
        let (run, attachments) = self.named.get(&at).ok_or_else(|| {
            let message =
                format!("the ledger tells of no commit {} of `{dataset}`, and a row says it is of it", ordinal.get());
            Failure::new(FailureKind::Tampered, message)
                .with_help("the table was not written by this project's runs, or the ledger was replaced")
        })?;
        let commit = std::rc::Rc::new(open_commit(&self.runtime, &self.store, run, attachments)?);
        self.opened.insert(at, commit.clone());
        Ok(commit)
    }
}

/// Opens everything that an entry attaches to a commit.
pub(crate) fn open_commit(
    runtime: &Handle,
    store: &LedgerStore,
    run: &RunCommit,
    attachments: &[Attachment],
) -> Result<Commit, Failure> {
    let content = |name: &str| attached(runtime, store, attachments, name);
    Ok(Commit {
        run: run.clone(),
        manifest: Manifest::from_bytes(&content(attachment::MANIFEST)?).map_err(damaged)?,
        plan: PlanRecord::from_bytes(&content(attachment::PLAN)?).map_err(damaged)?,
        keys: KeysUsed::from_bytes(&content(attachment::KEYS)?).map_err(damaged)?,
        provenance: match attachments.iter().any(|attached| attached.name == attachment::PROVENANCE_SETS) {
            false => RowProvenance::RowWise(
                ProvenanceSegment::from_bytes(content(attachment::PROVENANCE)?).map_err(damaged)?,
            ),
            true => {
                RowProvenance::Sets(ProvenanceSets::from_bytes(content(attachment::PROVENANCE_SETS)?).map_err(damaged)?)
            }
        },
        lines: LineIndex::from_bytes(content(attachment::LINES)?).map_err(damaged)?,
    })
}

/// The content of one attachment of an entry.
pub(crate) fn attached(
    runtime: &Handle,
    store: &LedgerStore,
    attachments: &[Attachment],
    name: &str,
) -> Result<Vec<u8>, Failure> {
    let named = attachments.iter().find(|attachment| attachment.name == name);
    let named = named.ok_or_else(|| damaged(format!("a run's entry attaches no {name}")))?;
    runtime.block_on(store.attachment(named)).map_err(Failure::from)
}

/// The key that the project's ledger is verified with, as it lies with the keys.
pub(crate) fn verifier_key(project: &Site) -> Result<VerifierKey, Failure> {
    let path = project.keys.default.path.join(VERIFIER_KEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::new(
            FailureKind::Unreachable,
            format!("the ledger's verifier key {} cannot be read: {error}", path.display()),
        )
        .with_help("run a pipeline first, or say `verify --public-key KEY`")
    })?;
    let key: VerifierKey =
        text.parse().map_err(|error| Failure::new(FailureKind::Invalid, format!("{}: {error}", path.display())))?;
    if key.name() == Checkpoint::origin_of(&project.name) {
        return Ok(key);
    }
    let message = format!("{} is the key of `{}`, not of this project", path.display(), key.name());
    Err(Failure::new(FailureKind::Invalid, message).with_help("check `project:` and `keys:` in lockgate.yaml"))
}

pub(crate) fn damaged(what: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Tampered, what.to_string())
        .with_help("`lockgate verify` names the first thing that is wrong")
}
