//! What a run reads, numbered: files by their digest, commits of a table by their record's digest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lockgate_connect::{LocalStore, PathTemplate, SqliteTable, StoredFile};
use lockgate_crypto::sha256;
use lockgate_evidence::{Input, Manifest};
use lockgate_model::{DatasetName, Failure, FailureKind, InputOrdinal};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{Dataset, Project, StoreLocation, WriteMode};

use crate::commit_record::CommitRecord;
use crate::failures;

/// One input with the way to it.
#[derive(Debug, Clone)]
pub(crate) struct RunInput {
    pub(crate) entry: Input,
    pub(crate) source: Source,
}

/// The way to an input.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File { store: LocalStore, file: StoredFile },
    Commit { database: PathBuf, ordinal: InputOrdinal },
}

/// Lists and digests everything that a plan reads.
pub(crate) fn list_inputs(
    project: &Project,
    plan: &Governed<Plan>,
    params: &BTreeMap<String, String>,
) -> Result<Vec<RunInput>, Failure> {
    let mut inputs = Vec::new();
    for table in plan.reads() {
        match project.datasets.get(&table.dataset) {
            Some(dataset) => inputs.extend(list_files(project, dataset, params)?),
            None => inputs.extend(list_commits(project, &table.dataset)?),
        }
    }
    Ok(inputs)
}

fn list_files(
    project: &Project,
    dataset: &Dataset,
    params: &BTreeMap<String, String>,
) -> Result<Vec<RunInput>, Failure> {
    let store_name = &dataset.store.value;
    let Some(StoreLocation::Files(root)) = project.stores.get(store_name).map(|store| &store.location) else {
        return Err(failures::bug(format!("store `{store_name}` holds no files")));
    };
    let configuration =
        |error: String| Failure::new(FailureKind::Invalid, format!("dataset `{}`: {error}", dataset.name.value));
    let template: PathTemplate = dataset.path.value.as_str().parse().map_err(|e| configuration(format!("{e}")))?;
    let bound = template.bind(params).map_err(|error| configuration(error.to_string()))?;
    let failed = |error| failures::source(store_name.as_str(), &error);
    let store = LocalStore::new(root).map_err(failed)?;
    let files = store.list(&bound).map_err(failed)?;
    if files.is_empty() {
        let message = format!("no file matches `{bound}` in store `{store_name}` ({})", root.display());
        return Err(Failure::new(FailureKind::Failed, message)
            .with_help("check the parameters and that the files have arrived; nothing was written"));
    }
    let input = |file: StoredFile| {
        let entry = Input {
            dataset: dataset.name.value.clone(),
            store: store_name.clone(),
            path: file.path.clone(),
            sha256: store.digest(&file).map_err(failed)?,
            bytes: file.bytes,
            rows: None,
            rows_quarantined: None,
            commit: None,
        };
        Ok(RunInput { entry, source: Source::File { store: store.clone(), file } })
    };
    files.into_iter().map(input).collect()
}

fn list_commits(project: &Project, dataset: &DatasetName) -> Result<Vec<RunInput>, Failure> {
    let producer = project.producer(dataset).ok_or_else(|| failures::bug(format!("nobody writes `{dataset}`")))?;
    let store = &producer.into.store.value;
    let Some(StoreLocation::Sqlite(database)) = project.stores.get(store).map(|store| &store.location) else {
        return Err(failures::bug(format!("store `{store}` is no database")));
    };
    let failed = |error| {
        failures::sink(store.as_str(), &error).with_help(format!("run pipeline `{}` first", producer.name.value))
    };
    let commits = SqliteTable::open(database, dataset).and_then(|table| table.commits()).map_err(failed)?;
    let input = |commit: lockgate_connect::CommittedRun| RunInput {
        entry: Input {
            dataset: dataset.clone(),
            store: store.clone(),
            path: dataset.to_string(),
            sha256: sha256(commit.record.as_bytes()),
            bytes: 0,
            rows: None,
            rows_quarantined: None,
            commit: Some(commit.commit_ordinal),
        },
        source: Source::Commit { database: database.clone(), ordinal: commit.commit_ordinal },
    };
    Ok(commits.into_iter().map(input).collect())
}

/// A commit of the sink, with what it had read.
pub(crate) struct PastCommit {
    pub(crate) record: CommitRecord,
    pub(crate) manifest: Manifest,
}

/// The inputs that the sink does not have yet.
///
/// A file that was appended is never appended again; one that was merged is merged again only by a changed plan; a
/// table is replaced if anything at all is different from the last time.
pub(crate) fn select_new(
    inputs: Vec<RunInput>,
    past: &[PastCommit],
    mode: &WriteMode,
    plan: lockgate_model::Sha256Digest,
) -> Vec<RunInput> {
    let identity = |input: &Input| (input.store.clone(), input.path.clone(), input.sha256, input.commit);
    let same_plan = |commit: &&PastCommit| commit.record.plan() == Some(plan);
    let all_of = |commit: &PastCommit| commit.manifest.inputs.iter().map(identity).collect::<Vec<_>>();
    match mode {
        WriteMode::Replace => {
            let wanted: Vec<_> = inputs.iter().map(|input| identity(&input.entry)).collect();
            let unchanged = past.last().filter(same_plan).is_some_and(|last| all_of(last) == wanted);
            if unchanged { Vec::new() } else { inputs }
        }
        WriteMode::Append => {
            let loaded: Vec<_> = past.iter().flat_map(all_of).collect();
            inputs.into_iter().filter(|input| !loaded.contains(&identity(&input.entry))).collect()
        }
        WriteMode::Merge { .. } => {
            let loaded: Vec<_> = past.iter().filter(same_plan).flat_map(all_of).collect();
            inputs.into_iter().filter(|input| !loaded.contains(&identity(&input.entry))).collect()
        }
    }
}
