//! The entries of a ledger must tell one story: every commit after its intent, every count as its objects count.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_evidence::{AccessResult, AccessedRows, Document, Event, Manifest, RunCommit};
use lockgate_ledger::{Attachment, Entry};
use lockgate_model::{DatasetName, InputOrdinal, RowId, RunId};

use crate::commits::{Commit, RowProvenance};

/// The story so far.
#[derive(Default)]
pub(crate) struct Story {
    runs: Intentions,
    queries: Intentions,
    last_commit: BTreeMap<DatasetName, InputOrdinal>,
    pub(crate) commits: Vec<(u64, RunCommit, Vec<Attachment>)>,
    pub(crate) accesses: Vec<(u64, AccessResult, Vec<Attachment>)>,
    pub(crate) key_events: Vec<(u64, Event)>,
}

impl Story {
    /// Takes the next entry; says what contradicts the story so far.
    pub(crate) fn take(&mut self, index: u64, entry: &Entry) -> Result<(), String> {
        let event = match Event::from_body(entry.kind.as_str(), &entry.body) {
            Some(event) => event.map_err(|error| format!("its body is not that of its kind: {error}"))?,
            None => return Err("it is of a kind without a body".into()),
        };
        match event {
            Event::ProjectCreate(_) if index == 0 => Ok(()),
            Event::ProjectCreate(_) => Err("a ledger begins once".into()),
            _ if index == 0 => Err("a ledger begins with its project".into()),
            Event::RunIntent(intent) => self.runs.begin(intent.run),
            Event::RunAbort(abort) => self.runs.end(&abort.run),
            Event::RunCommit(commit) => {
                self.runs.end(&commit.run)?;
                let last = self.last_commit.insert(commit.dataset.clone(), commit.commit);
                if last.is_some_and(|last| last >= commit.commit) {
                    return Err(format!(
                        "commit {} of `{}` does not follow the one before",
                        commit.commit.get(),
                        commit.dataset
                    ));
                }
                self.commits.push((index, commit, entry.attachments.clone()));
                Ok(())
            }
            Event::DatasetVersion(version) => match self.commits.last() {
                Some((_, commit, _)) if commit.run == version.run && commit.commit == version.commit => Ok(()),
                _ => Err("a dataset's version follows the commit that made it".into()),
            },
            Event::AccessIntent(intent) => self.queries.begin(intent.access),
            Event::AccessResult(result) => {
                self.queries.end(&result.access)?;
                self.accesses.push((index, result, entry.attachments.clone()));
                Ok(())
            }
            Event::SubjectErase(erase) => match erase.copies.iter().all(|copies| copies.opened_after == 0) {
                true => Ok(()),
                false => Err("it says that values still opened after the erasure".into()),
            },
            event @ (Event::KeyCreate(_) | Event::KeyRotate(_) | Event::KeyRewrap(_) | Event::KeyShred(_)) => {
                self.key_events.push((index, event));
                Ok(())
            }
        }
    }

    /// Accesses whose end the ledger does not tell: each counts as every row of its inputs.
    pub(crate) fn open_accesses(&self) -> u64 {
        self.queries.begun.difference(&self.queries.ended).count() as u64
    }
}

/// What was intended, and how it ended: each once, and in this order.
#[derive(Default)]
struct Intentions {
    begun: BTreeSet<RunId>,
    ended: BTreeSet<RunId>,
}

impl Intentions {
    fn begin(&mut self, id: RunId) -> Result<(), String> {
        match self.begun.insert(id) {
            true => Ok(()),
            false => Err("the same is intended twice".into()),
        }
    }

    fn end(&mut self, id: &RunId) -> Result<(), String> {
        if !self.begun.contains(id) {
            return Err(format!("{id} ends without having been intended"));
        }
        if !self.ended.insert(id.clone()) {
            return Err(format!("{id} ends twice"));
        }
        Ok(())
    }
}

/// The counts of an access must be those of the rows that it attaches.
pub(crate) fn check_access(result: &AccessResult, manifest: &[u8], rows: Vec<u8>) -> Result<(), String> {
    let manifest = Manifest::from_bytes(manifest).map_err(|error| format!("its manifest: {error}"))?;
    let rows = AccessedRows::from_bytes(rows).map_err(|error| format!("its rows: {error}"))?;
    let is_known = |id: RowId| manifest.input(id.input()).is_some();
    if let Some(range) = rows.ranges.iter().find(|range| !is_known(range.first) || !is_known(range.last)) {
        return Err(format!("it tells of row {}, of an input that its manifest does not have", range.first));
    }
    match (rows.rows() == result.source_rows, rows.is_exact() == result.is_exact) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("it tells of {} source rows, and its object of {}", result.source_rows, rows.rows())),
        (true, false) => Err("it says wrongly whether its source rows are known one by one".into()),
    }
}

/// The counts of a commit must be those of its objects.
pub(crate) fn check_counts(commit: &Commit) -> Result<(), String> {
    let sum = |count: fn(&lockgate_evidence::Input) -> u64| commit.manifest.inputs.iter().map(count).sum::<u64>();
    let counts = [
        ("rows_read", commit.run.rows_read, sum(|input| input.rows.unwrap_or(0))),
        ("rows_quarantined", commit.run.rows_quarantined, sum(|input| input.rows_quarantined.unwrap_or(0))),
        ("bytes_read", commit.run.bytes_read, sum(|input| input.bytes)),
    ];
    for (name, told, counted) in counts {
        if told != counted {
            return Err(format!("its {name} is {told}, and its objects count {counted}"));
        }
    }
    let rows = commit.run.rows_written;
    match &commit.provenance {
        RowProvenance::RowWise(segment) if segment.rows() != rows => {
            return Err(format!("its rows_written is {rows}, and its objects count {}", segment.rows()));
        }
        RowProvenance::Sets(sets) if sets.rows_at_least() > rows => {
            return Err(format!("its rows_written is {rows}, and its objects name {}", sets.rows_at_least()));
        }
        RowProvenance::RowWise(_) | RowProvenance::Sets(_) => {}
    }
    let keyed = commit.plan.columns.iter().filter(|c| c.protection.as_ref().is_some_and(|p| p.is_keyed()));
    match keyed.into_iter().find(|column| !commit.keys.columns.contains_key(&column.name)) {
        Some(column) => Err(format!("no key is named for the protected column `{}`", column.name)),
        None => Ok(()),
    }
}
