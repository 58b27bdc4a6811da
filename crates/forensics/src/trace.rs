//! From rows of a table to the records they were made from: file, digest, row and line, and what was done on the way.
//!
//! ```text
//! analytics.customers  lockgate_rid = commit 2, row 711
//!   └─ ledger: run.commit of commit 2 ─► provenance: input 0, row 714 ─► manifest: eu.csv, sha256 … ─► lines: line 723
//!        └─ an input that is itself a commit of a table is followed in the same way
//! ```
//! A row that was made from several (a join, an aggregate) leads to all of them.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_connect::{
    Fault, ParquetError, ParquetTable, PostgresError, PostgresTable, SinkError, SqliteTable, dataset_store, open_files,
    postgres_server,
};
use lockgate_evidence::{Input, SetKind, SourceRange, TableState};
use lockgate_model::{
    ColumnName, DatasetName, Failure, FailureKind, Form, InputOrdinal, RowId, RunId, Sha256Digest, StoreName,
};
use lockgate_project::StoreLocation;
use lockgate_trust::Site;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::commits::{Commit, Commits, damaged};
use crate::source_tables::{SourceTables, key_columns};
use crate::written_files;

/// How many tables a row is followed through.
const STAGES_MAX: usize = 64;
/// How many rows of tables one row is followed through.
pub(crate) const TRACED_ROWS_MAX: usize = 100_000;

/// Which rows to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those for which an SQL expression over the table's columns holds.
    Where(String),
    /// The one with this id.
    Row(RowId),
}

/// Whether a source file or table is still what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Its digest is the recorded one.
    Unchanged,
    /// It is there, with another content.
    Changed,
    /// It is not there, or cannot be read.
    Gone,
}

/// A record that a row was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceRecord {
    /// The dataset.
    pub dataset: DatasetName,
    /// The store.
    pub store: StoreName,
    /// The file's path within it, or the table's name.
    pub path: String,
    /// The digest of the file, or of the table's rows, as it was read.
    pub sha256: Sha256Digest,
    /// The version of an object in a bucket that keeps versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The zero-based record in it; of a table, in the order of its key.
    pub row: u64,
    /// The last of several records that are next to one another; absent for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_row: Option<u64>,
    /// Whether the row was made from some of these records, and not from all: which ones was not kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_covering: bool,
    /// The one-based line on which the record begins.
    pub line: Option<u64>,
    /// Whether the file or table is still that one.
    pub state: SourceState,
    /// For a table that others write: the state of it that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableState>,
    /// For such a table: the row's key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<KeyColumn>,
}

/// A column of a row's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyColumn {
    /// Its name.
    pub name: ColumnName,
    /// Its value as text; absent where it is null, where the table has changed since, and where the catalog does not declare
    /// the column, or gives it a level above the project's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A column at a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageColumn {
    /// Its name.
    pub name: ColumnName,
    /// The form of its values.
    pub protection: Form,
    /// The id of the key, where one was used at this stage.
    pub key: Option<String>,
}

/// A place that the row went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The dataset, and the pipeline that wrote it.
    pub stage: String,
    /// Its columns.
    pub columns: Vec<StageColumn>,
}

/// One row with its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedRow {
    /// Its `lockgate_rid`.
    pub row: i64,
    /// The run that wrote it.
    pub run: RunId,
    /// What it was made from.
    pub sources: Vec<SourceRecord>,
    /// The datasets that were read as a whole: they decided which rows there are, by so many rows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub decided_by: BTreeMap<DatasetName, u64>,
    /// Where it went through, first to last.
    pub stages: Vec<Stage>,
}

/// Rows with their origins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its rows, by id.
    pub rows: Vec<TracedRow>,
}

/// Traces rows of a dataset that a pipeline wrote.
pub fn trace(project: &Site, dataset: &DatasetName, selection: &Selection, runtime: &Handle) -> Result<Trace, Failure> {
    let rows = select(project, dataset, selection)?;
    let commits = Commits::find(project, runtime)?;
    let mut tracer = Tracer { project, commits, states: BTreeMap::new(), tables: SourceTables::default() };
    let mut rows: Vec<TracedRow> =
        rows.into_iter().map(|row| tracer.row(dataset, row)).collect::<Result<_, Failure>>()?;
    let mut records: Vec<&mut SourceRecord> = rows.iter_mut().flat_map(|row| &mut row.sources).collect();
    tracer.tables.add_keys(project, &mut records)?;
    Ok(Trace { dataset: dataset.clone(), rows })
}

pub(crate) fn select(project: &Site, dataset: &DatasetName, selection: &Selection) -> Result<Vec<RowId>, Failure> {
    let Some(producer) = project.producer(dataset) else {
        let written: Vec<_> = project.pipelines.values().map(|p| p.into.dataset.value.as_str()).collect();
        let near = lockgate_project::nearest(dataset.as_str(), written.iter().copied());
        let help = near.map_or_else(
            || format!("pipelines write {}", written.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Failure::new(FailureKind::Invalid, format!("no pipeline writes `{dataset}`")).with_help(help));
    };
    let store = &producer.into.store.value;
    let helped = |fault: Fault, message: String| {
        Failure::new(fault.into(), message)
            .with_help(format!("`lockgate run {}` writes the table", producer.name.value))
    };
    match project.stores.get(store).map(|store| &store.location) {
        Some(StoreLocation::Sqlite(database)) => {
            let failed = |error: SinkError| helped(error.fault(), format!("store `{store}`: {error}"));
            let mut table = SqliteTable::open(database, dataset).map_err(failed)?;
            table.select_row_ids(Some(&condition_of(selection))).map_err(failed)
        }
        Some(StoreLocation::Files(_) | StoreLocation::S3(_)) => {
            let keys = written_files::own_keys(project)?;
            let failed = |error: ParquetError| helped(error.fault(), format!("store `{store}`: {error}"));
            let table = ParquetTable::open(&dataset_store(project, store)?, dataset, keys).map_err(failed)?;
            written_files::select(&table, selection, failed)
        }
        Some(StoreLocation::Postgres(location)) => {
            let failed = |error: PostgresError| {
                Failure::new(error.kind(), format!("store `{store}`: {error}"))
                    .with_help(format!("`lockgate run {}` writes the table", producer.name.value))
            };
            let server = postgres_server(project, location)?;
            let mut table = PostgresTable::open(&server, dataset).map_err(failed)?;
            table.select_row_ids(Some(&condition_of(selection))).map_err(failed)
        }
        None => Err(Failure::new(FailureKind::Bug, format!("store `{store}` is not there"))),
    }
}

/// A selection as a condition of SQL.
fn condition_of(selection: &Selection) -> String {
    match selection {
        Selection::Where(condition) => condition.clone(),
        Selection::Row(row) => format!("\"{}\" = {}", lockgate_connect::ROW_ID_COLUMN, row.to_i64()),
    }
}

struct Tracer<'a> {
    project: &'a Site,
    commits: Commits,
    states: BTreeMap<(StoreName, String, Sha256Digest), SourceState>,
    tables: SourceTables,
}

impl Tracer<'_> {
    fn row(&mut self, dataset: &DatasetName, row: RowId) -> Result<TracedRow, Failure> {
        let run = self.commits.open(dataset, row.input())?.run.run.clone();
        let mut path = Path::default();
        self.follow(dataset, row, 0, &mut path)?;
        let Path { sources, decided_by, stages, .. } = path;
        Ok(TracedRow { row: row.to_i64(), run, sources: sources.into_values().collect(), decided_by, stages })
    }

    /// Follows a row of a table to what it was made from.
    fn follow(&mut self, dataset: &DatasetName, row: RowId, depth: usize, path: &mut Path) -> Result<(), Failure> {
        if depth >= STAGES_MAX {
            return Err(damaged(format!("row {row} of `{dataset}` leads through more than {STAGES_MAX} tables")));
        }
        if !path.seen.insert((dataset.clone(), row)) {
            return Ok(());
        }
        if path.seen.len() > TRACED_ROWS_MAX {
            let message = format!("the row was made from more than {TRACED_ROWS_MAX} rows of tables");
            return Err(Failure::new(FailureKind::Failed, message).with_help("trace a row of one of those tables"));
        }
        let commit = self.commits.open(dataset, row.input())?;
        let sources = commit.provenance.sources(row.row()).ok_or_else(|| {
            damaged(format!("row {row} of `{}` is beyond the rows that its run wrote", commit.run.dataset))
        })?;
        for range in sources {
            for part in by_input(&commit, range)? {
                self.follow_range(&commit, &part, depth, path)?;
            }
        }
        path.stage(written_stage(&commit));
        Ok(())
    }

    fn follow_range(&mut self, commit: &Commit, part: &Part, depth: usize, path: &mut Path) -> Result<(), Failure> {
        let Part { input, kind, ordinal, first, last } = part;
        match (kind, input.commit) {
            (SetKind::Whole, _) => {
                let range = (input.dataset.clone(), input.path.clone(), input.sha256, input.commit, *first, *last);
                if path.decided.insert(range) {
                    *path.decided_by.entry(input.dataset.clone()).or_default() += last - first + 1;
                }
            }
            (SetKind::Each | SetKind::All, Some(upstream)) => {
                for row in *first..=*last {
                    let row = RowId::new(upstream, row).map_err(damaged)?;
                    self.follow(&input.dataset, row, depth + 1, path)?;
                }
            }
            (SetKind::Some, Some(_)) | (SetKind::Each | SetKind::All | SetKind::Some, None) => {
                let line = commit.lines.line(RowId::new(*ordinal, *first).map_err(damaged)?);
                let mut source = self.source(input.clone(), *first, line);
                source.last_row = (first != last).then_some(*last);
                source.is_covering = *kind == SetKind::Some;
                path.stage(landing_stage(commit, input));
                let version = (source.sha256, source.version.clone(), input.commit);
                let rows = (source.row, source.last_row, source.is_covering);
                let at = (source.dataset.clone(), source.path.clone(), rows, version);
                path.sources.entry(at).or_insert(source);
            }
        }
        Ok(())
    }

    fn source(&mut self, input: Input, row: u64, line: Option<u64>) -> SourceRecord {
        let state = match &input.table {
            Some(table) => self.tables.state_of(self.project, &input, table),
            None => self.state_of_file(&input),
        };
        let key = input.table.as_ref().map(key_columns).unwrap_or_default();
        let Input { dataset, store, path, sha256, version, table, .. } = input;
        let (last_row, is_covering) = (None, false);
        SourceRecord { dataset, store, path, sha256, version, row, last_row, is_covering, line, state, table, key }
    }

    fn state_of_file(&mut self, input: &Input) -> SourceState {
        let at = (input.store.clone(), input.path.clone(), input.sha256);
        if let Some(state) = self.states.get(&at) {
            return *state;
        }
        let digest = || {
            let store = open_files(self.project, &input.store).ok()?;
            store.digest(&store.find(&input.path).ok()??).ok()
        };
        let state = match digest() {
            Some(digest) if digest == input.sha256 => SourceState::Unchanged,
            Some(_) => SourceState::Changed,
            None => SourceState::Gone,
        };
        self.states.insert(at, state);
        state
    }
}

/// Where a source record is: a path can have held several contents, and one dataset has many commits.
type SourcePlace =
    (DatasetName, String, (u64, Option<u64>, bool), (Sha256Digest, Option<String>, Option<InputOrdinal>));

/// What was found on the way from one row.
#[derive(Default)]
struct Path {
    seen: BTreeSet<(DatasetName, RowId)>,
    sources: BTreeMap<SourcePlace, SourceRecord>,
    /// Ranges that were counted: several rows that are followed can be of one commit.
    decided: BTreeSet<(DatasetName, String, Sha256Digest, Option<InputOrdinal>, u64, u64)>,
    decided_by: BTreeMap<DatasetName, u64>,
    stages: Vec<Stage>,
}

impl Path {
    fn stage(&mut self, stage: Stage) {
        if !self.stages.contains(&stage) {
            self.stages.push(stage);
        }
    }
}

/// A range of source rows within one input.
struct Part {
    input: Input,
    kind: SetKind,
    ordinal: InputOrdinal,
    first: u64,
    last: u64,
}

/// A range by its inputs: what covers several covers the rest of the first and the beginning of the last.
fn by_input(commit: &Commit, range: SourceRange) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for ordinal in range.first.input().get()..=range.last.input().get() {
        let ordinal = InputOrdinal::new(ordinal).map_err(damaged)?;
        let input = commit.manifest.input(ordinal).cloned();
        let input = input.ok_or_else(|| damaged(format!("run {} has no input {}", commit.run.run, ordinal.get())))?;
        let first = if ordinal == range.first.input() { range.first.row() } else { 0 };
        let last = if ordinal == range.last.input() {
            Some(range.last.row())
        } else {
            input.rows.and_then(|rows| rows.checked_sub(1))
        };
        if let Some(last) = last.filter(|last| first <= *last) {
            parts.push(Part { input, kind: range.kind, ordinal, first, last });
        }
    }
    Ok(parts)
}

fn written_stage(commit: &Commit) -> Stage {
    let columns = commit.plan.columns.iter().map(|column| StageColumn {
        name: column.name.clone(),
        protection: column.form,
        key: commit.keys.columns.get(&column.name).or(commit.keys.files.get(&column.name)).map(|key| key.key.clone()),
    });
    Stage { stage: format!("{} (pipeline {})", commit.run.dataset, commit.run.pipeline), columns: columns.collect() }
}

fn landing_stage(commit: &Commit, input: &Input) -> Stage {
    let columns = commit.plan.sources.get(&input.dataset).into_iter().flatten();
    let column = |(name, column): (&ColumnName, &lockgate_evidence::SourceColumnRecord)| StageColumn {
        name: name.clone(),
        protection: column.form,
        key: None,
    };
    let what = if input.table.is_some() { "table" } else { "files" };
    Stage { stage: format!("{} ({what})", input.dataset), columns: columns.map(column).collect() }
}
