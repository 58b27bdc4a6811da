//! Destroys the salt of one person, and shows that no sealed value of that person opens any more.
//!
//! ```text
//! find the person's sealed values in every table that a pipeline wrote ─► open them: so many do
//!   ─► destroy the salt, durably ─► open them again: none does ─► subject.erase in the ledger
//! ```
//! Killed in between, it is finished by being asked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use jiff::Timestamp;
use lockgate_connect::{FileKeys, ScannedBatch, SinkColumn};
use lockgate_crypto::{DekId, Opener, Random, SealedValue, SubjectSalt};
use lockgate_evidence::{ErasedCopies, Event, SubjectErase};
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, Form, PipelineName, StoreName};
use lockgate_plan::{Governed, OutputColumn, Plan};
use lockgate_trust::{Keyring, Site, SubjectState};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::journal::LedgerPosition;
use crate::sink::{Sink, WrittenTable};
use crate::workspace::Workspace;
use crate::{failures, recover};

/// What an erasure is asked for.
pub struct EraseRequest<'a> {
    /// The project.
    pub project: &'a Site,
    /// The plans of its pipelines.
    pub plans: &'a BTreeMap<PipelineName, Governed<Plan>>,
    /// The dataset that declares the subject.
    pub dataset: &'a DatasetName,
    /// The person, as the subject column has it.
    pub subject: &'a str,
    /// Why.
    pub because: &'a str,
    /// Randomness for the ledger's keys.
    pub random: Arc<dyn Random>,
    /// The time.
    pub now: Timestamp,
}

/// A column that has something else of the person than sealed values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemainingColumn {
    /// The dataset.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// The column.
    pub column: ColumnName,
    /// The form in which values remain.
    pub form: Form,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EraseOutcome {
    /// The dataset that declares the subject.
    pub dataset: DatasetName,
    /// The person, as the ledger names it.
    pub subject: String,
    /// Whether the person had been erased before.
    pub erased_before: bool,
    /// The sealed values that were found.
    pub copies: Vec<ErasedCopies>,
    /// What remains of the person in other forms: the erasure does not reach it.
    pub remaining: Vec<RemainingColumn>,
    /// The ledger afterwards.
    pub ledger: LedgerPosition,
}

/// Makes the sealed values of one person unreadable, wherever their copies lie.
///
/// Fails if the dataset does not declare `erase_by: subject`, and if nothing was ever sealed for that person.
pub fn erase(request: &EraseRequest<'_>, runtime: &Handle) -> Result<EraseOutcome, Failure> {
    let EraseRequest { project, dataset, subject, .. } = *request;
    if !project.datasets.get(dataset).is_some_and(|dataset| dataset.erase_by_subject) {
        let message = format!("dataset `{dataset}` does not declare `erase_by: subject`");
        return Err(Failure::new(FailureKind::Invalid, message).with_help(
            "name a dataset of the catalog; what was sealed before it declares so is under no key of a person",
        ));
    }
    let doing = format!("erase a subject of {dataset}");
    let mut workspace = Workspace::open(project, runtime, Arc::clone(&request.random), request.now, &doing, None)?;
    recover::settle_interrupted(project, &mut workspace.journal)?;
    let mut salts = workspace.keyring.subject_salts(dataset)?;
    workspace.settle_keys()?;
    let name = salts.name(subject.as_bytes())?;
    let tables = tables(request, &workspace.keyring)?;
    if let Some(open) = count(&tables, subject, None, &workspace.keyring)?.iter().find(|copy| copy.opened_before > 0) {
        let message = format!(
            "{} values of `{}` in `{}` are under no key of a person, so nothing was destroyed",
            open.opened_before, open.column, open.dataset
        );
        return Err(Failure::new(FailureKind::Failed, message).with_help(
            "they were sealed before the dataset declared `erase_by: subject`; write the table anew with `mode: replace`",
        ));
    }
    let state = salts.find(subject.as_bytes())?;
    let before = match &state {
        SubjectState::Known(salt) => count(&tables, subject, Some(salt), &workspace.keyring)?,
        SubjectState::Erased => count(&tables, subject, None, &workspace.keyring)?,
        SubjectState::Unknown => {
            let message = format!("nothing was ever sealed for that subject of `{dataset}`");
            return Err(Failure::new(FailureKind::Failed, message)
                .with_help("give the value that the subject column has; what was sealed before `erase_by` was declared is not reached"));
        }
    };
    let erased_before = matches!(state, SubjectState::Erased);
    drop(state);
    salts.erase(subject.as_bytes())?;
    let SubjectState::Erased = salts.find(subject.as_bytes())? else {
        return Err(failures::bug("a salt is there after it was destroyed"));
    };
    let after = count(&tables, subject, None, &workspace.keyring)?;
    let mut copies = before;
    for (copy, after) in copies.iter_mut().zip(&after) {
        copy.opened_after = after.opened_before;
    }
    if copies.iter().any(|copy| copy.opened_after > 0) {
        return Err(failures::bug("values of the subject still open without its salt"));
    }
    let told = |event: &Event| matches!(event, Event::SubjectErase(erase) if erase.dataset == *dataset && erase.subject == name);
    if !erased_before || !workspace.journal.any_event(told)? {
        let (dataset, subject, because) = (dataset.clone(), name.clone(), request.because.to_owned());
        let event = Event::SubjectErase(SubjectErase { dataset, subject, because, copies: copies.clone() });
        workspace.journal.append(vec![(event, Vec::new())])?;
    }
    Ok(EraseOutcome {
        dataset: dataset.clone(),
        subject: name,
        erased_before,
        copies,
        remaining: remaining(&tables),
        ledger: workspace.journal.position(),
    })
}

/// A table that has rows about the subjects of the dataset.
struct SubjectTable {
    dataset: DatasetName,
    store: StoreName,
    table: WrittenTable,
    subject: SinkColumn,
    sealed: Vec<SinkColumn>,
    others: Vec<(ColumnName, Form)>,
}

/// The tables whose pipelines carry the dataset's subjects, as far as they were written.
fn tables(request: &EraseRequest<'_>, keyring: &Keyring) -> Result<Vec<SubjectTable>, Failure> {
    let project = request.project;
    let keys: Arc<FileKeys> = Arc::new(keyring.file_keys()?.into_iter().collect());
    let mut tables = Vec::new();
    for pipeline in project.pipelines.values() {
        let Some(plan) = request.plans.get(&pipeline.name.value) else { continue };
        let of_dataset =
            |column: &&OutputColumn| column.is_stored() && column.erase_by.as_ref() == Some(request.dataset);
        let columns: Vec<&OutputColumn> = plan.columns().iter().filter(of_dataset).collect();
        let is_subject = |column: &&&OutputColumn| column.is_subject && column.form == Form::Clear;
        let Some(subject) = columns.iter().find(is_subject).copied() else { continue };
        let (dataset, store) = (pipeline.into.dataset.value.clone(), pipeline.into.store.value.clone());
        let Some(sink) = Sink::open_existing(project, &store, &dataset)? else { continue };
        if sink.commits(&store, &dataset)?.is_empty() {
            continue;
        }
        let table = WrittenTable::find(project, &store, &keys)?;
        // The pipeline may have been changed since the table was written.
        let there = table.columns(&store, &dataset)?;
        if !there.contains(&subject.name) {
            continue;
        }
        let columns: Vec<&OutputColumn> =
            columns.iter().filter(|column| there.contains(&column.name)).copied().collect();
        let is_sealed = |column: &&&OutputColumn| column.form == Form::Sealed && column.bound_to.is_some();
        let sink_column =
            |column: &OutputColumn| SinkColumn { name: column.name.clone(), value_type: column.stored_type };
        let others = columns.iter().filter(|column| !is_sealed(column));
        tables.push(SubjectTable {
            table,
            subject: sink_column(subject),
            sealed: columns.iter().filter(is_sealed).map(|column| sink_column(column)).collect(),
            others: others.map(|column| (column.name.clone(), column.form)).collect(),
            dataset,
            store,
        });
    }
    Ok(tables)
}

/// Counts a person's sealed values, and those of them that open.
fn count(
    tables: &[SubjectTable],
    subject: &str,
    salt: Option<&SubjectSalt>,
    keyring: &Keyring,
) -> Result<Vec<ErasedCopies>, Failure> {
    let mut found = Vec::new();
    let mut openers = BTreeMap::new();
    for of_table in tables {
        let copies = |column: &SinkColumn| ErasedCopies {
            dataset: of_table.dataset.clone(),
            store: of_table.store.clone(),
            column: column.name.clone(),
            values: 0,
            opened_before: 0,
            opened_after: 0,
        };
        let mut counts: Vec<ErasedCopies> = of_table.sealed.iter().map(copies).collect();
        let columns: Vec<SinkColumn> = std::iter::once(&of_table.subject).chain(&of_table.sealed).cloned().collect();
        of_table.table.scan(of_table.store.as_str(), &of_table.dataset, &columns, |batch: ScannedBatch| {
            let subjects = texts(batch.columns.column(0))?;
            let rows: Vec<usize> =
                (0..subjects.len()).filter(|row| subjects.is_valid(*row) && subjects.value(*row) == subject).collect();
            for (count, values) in counts.iter_mut().zip(batch.columns.columns().iter().skip(1)) {
                let values = texts(values)?;
                for row in rows.iter().copied().filter(|row| values.is_valid(*row)) {
                    count.values += 1;
                    let opens = opens(values.value(row), subject, salt, keyring, &mut openers);
                    count.opened_before += u64::from(opens);
                }
            }
            Ok::<(), Failure>(())
        })?;
        found.extend(counts);
    }
    Ok(found)
}

fn texts(values: &ArrayRef) -> Result<StringArray, Failure> {
    cast(values, &DataType::Utf8).map(|text| text.as_string::<i32>().clone()).map_err(failures::bug)
}

fn opens(
    text: &str,
    subject: &str,
    salt: Option<&SubjectSalt>,
    keyring: &Keyring,
    openers: &mut BTreeMap<DekId, Option<Opener>>,
) -> bool {
    let Ok(sealed) = text.parse::<SealedValue>() else { return false };
    // A key that was shredded, or cannot be had, opens nothing.
    let opener = openers.entry(sealed.dek_id()).or_insert_with_key(|dek| keyring.opener(*dek).ok());
    opener.as_ref().is_some_and(|opener| opener.open_by_subject(&sealed, subject.as_bytes(), salt).is_ok())
}

fn remaining(tables: &[SubjectTable]) -> Vec<RemainingColumn> {
    let of_table = |table: &SubjectTable| {
        let column = |(column, form): &(ColumnName, Form)| RemainingColumn {
            dataset: table.dataset.clone(),
            store: table.store.clone(),
            column: column.clone(),
            form: *form,
        };
        table.others.iter().map(column).collect::<Vec<_>>()
    };
    tables.iter().flat_map(of_table).collect()
}
