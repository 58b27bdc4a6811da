//! The places that a run can write to, behind one face: begin, write, commit with the run's token.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use lockgate_connect::{
    CommittedRun, DatasetStore, FileKeys, LevelKey, ParquetEncryption, ParquetSink, ParquetTable, ParquetTransaction,
    PostgresError, PostgresServer, PostgresSink, PostgresTable, PostgresTransaction, ScannedBatch, SinkColumn,
    SqliteSink, SqliteTable, SqliteTransaction, TableSpec, dataset_store, postgres_server,
};
use lockgate_evidence::ColumnProtectionKey;
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, InputOrdinal, RowId, RunId, StoreName};
use lockgate_plan::{Governed, OutputColumn, Plan};
use lockgate_project::StoreLocation;
use lockgate_trust::{Keyring, Site};

use crate::failures;
use crate::reading::BATCH_ROWS;

/// One dataset's sink, opened for writing.
pub(crate) enum Sink {
    Sqlite(SqliteSink),
    Postgres(Box<PostgresSink>),
    Parquet(ParquetSink),
}

/// A run that is being written.
pub(crate) enum SinkTransaction<'a> {
    Sqlite(Box<SqliteTransaction<'a>>),
    Postgres(Box<PostgresTransaction<'a>>),
    Parquet(Box<ParquetTransaction<'a>>),
}

/// Why a run did not end with its commit.
pub(crate) struct NotCommitted {
    pub(crate) failure: Failure,
    /// Whether it may be committed nevertheless, which the next run finds out and settles.
    pub(crate) is_open: bool,
}

impl From<Failure> for NotCommitted {
    fn from(failure: Failure) -> Self {
        Self { failure, is_open: false }
    }
}

/// How the files of a run are encrypted, and which keys say so in the evidence.
#[derive(Default)]
pub(crate) struct FileProtection {
    encryption: Option<ParquetEncryption>,
    without_statistics: BTreeSet<ColumnName>,
    keys: Arc<FileKeys>,
    pub(crate) used: BTreeMap<ColumnName, ColumnProtectionKey>,
}

fn location<'p>(project: &'p Site, store: &StoreName) -> Result<&'p StoreLocation, Failure> {
    let found = project.stores.get(store).map(|store| &store.location);
    found.ok_or_else(|| {
        Failure::new(FailureKind::Invalid, format!("the project has no store `{store}`"))
            .with_help("put it back into lockgate.yaml; a run that wrote into it is not settled yet")
    })
}

impl Sink {
    /// Opens a dataset in a store, making the store's folder where it is not there.
    pub(crate) fn open(project: &Site, store: &StoreName, dataset: &DatasetName) -> Result<Self, Failure> {
        match location(project, store)? {
            StoreLocation::Sqlite(database) => {
                make_folder(database.parent())?;
                SqliteSink::open(database).map(Self::Sqlite).map_err(|error| failures::sink(store.as_str(), &error))
            }
            at @ (StoreLocation::Files(_) | StoreLocation::S3(_)) => {
                if let StoreLocation::Files(folder) = at {
                    make_folder(Some(folder))?;
                }
                let sink = ParquetSink::open(&dataset_store(project, store)?, dataset);
                sink.map(Self::Parquet).map_err(|error| failures::files(store.as_str(), &error))
            }
            StoreLocation::Postgres(location) => {
                let sink = PostgresSink::open(&postgres_server(project, location)?, dataset);
                let failed = |error| failures::postgres(store.as_str(), &error);
                sink.map(|sink| Self::Postgres(Box::new(sink))).map_err(failed)
            }
        }
    }

    /// Opens it only if something was ever written there.
    pub(crate) fn open_existing(
        project: &Site,
        store: &StoreName,
        dataset: &DatasetName,
    ) -> Result<Option<Self>, Failure> {
        let there = match location(project, store)? {
            StoreLocation::Sqlite(database) => database.exists(),
            StoreLocation::Files(folder) => folder.join(dataset.as_str()).exists(),
            StoreLocation::Postgres(_) | StoreLocation::S3(_) => true,
        };
        if there { Self::open(project, store, dataset).map(Some) } else { Ok(None) }
    }

    /// The commits of the dataset, first to last.
    pub(crate) fn commits(&self, store: &StoreName, dataset: &DatasetName) -> Result<Vec<CommittedRun>, Failure> {
        match self {
            Self::Sqlite(sink) => {
                let failed = |error| failures::sink(store.as_str(), &error);
                if !sink.has_table(dataset).map_err(failed)? {
                    return Ok(Vec::new());
                }
                sink.commits(dataset).map_err(failed)
            }
            Self::Postgres(sink) => sink.commits(dataset).map_err(|error| failures::postgres(store.as_str(), &error)),
            Self::Parquet(sink) => Ok(sink.commits()),
        }
    }

    /// What a run committed here.
    pub(crate) fn committed(&self, store: &StoreName, run: &RunId) -> Result<Option<CommittedRun>, Failure> {
        match self {
            Self::Sqlite(sink) => sink.committed(run).map_err(|error| failures::sink(store.as_str(), &error)),
            Self::Postgres(sink) => sink.committed(run).map_err(|error| failures::postgres(store.as_str(), &error)),
            Self::Parquet(sink) => Ok(sink.committed(run)),
        }
    }

    /// Begins a run.
    pub(crate) fn begin(
        &mut self,
        store: &StoreName,
        spec: &TableSpec,
        run: &RunId,
        files: FileProtection,
    ) -> Result<SinkTransaction<'_>, Failure> {
        match self {
            Self::Sqlite(sink) => {
                let begun = sink.begin(spec, run);
                begun
                    .map(|begun| SinkTransaction::Sqlite(Box::new(begun)))
                    .map_err(|error| failures::sink(store.as_str(), &error))
            }
            Self::Postgres(sink) => {
                let begun = sink.begin(spec, run);
                begun
                    .map(|begun| SinkTransaction::Postgres(Box::new(begun)))
                    .map_err(|error| failures::postgres(store.as_str(), &error))
            }
            Self::Parquet(sink) => {
                let begun = sink.begin(spec, run, files.encryption, files.without_statistics, files.keys);
                begun
                    .map(|begun| SinkTransaction::Parquet(Box::new(begun)))
                    .map_err(|error| failures::files(store.as_str(), &error))
            }
        }
    }
}

impl SinkTransaction<'_> {
    /// The commit that this becomes.
    pub(crate) fn commit_ordinal(&self) -> InputOrdinal {
        match self {
            Self::Sqlite(transaction) => transaction.commit_ordinal(),
            Self::Postgres(transaction) => transaction.commit_ordinal(),
            Self::Parquet(transaction) => transaction.commit_ordinal(),
        }
    }

    /// Writes rows with their ids.
    pub(crate) fn write(&mut self, store: &str, batch: &RecordBatch, ids: &[RowId]) -> Result<(), Failure> {
        match self {
            Self::Sqlite(transaction) => transaction.write(batch, ids).map_err(|error| failures::sink(store, &error)),
            Self::Postgres(transaction) => {
                transaction.write(batch, ids).map_err(|error| failures::postgres(store, &error))
            }
            Self::Parquet(transaction) => transaction.write(batch, ids).map_err(|error| failures::files(store, &error)),
        }
    }

    /// Does all of a commit that takes long, so that the commit itself follows at once.
    pub(crate) fn prepare(&mut self, store: &str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(transaction) => transaction.prepare().map_err(|error| failures::postgres(store, &error)),
            Self::Parquet(transaction) => transaction.prepare().map_err(|error| failures::files(store, &error)),
        }
    }

    /// Makes everything durable, with the run's token and its record.
    pub(crate) fn commit(self, store: &str, record: &str) -> Result<(), NotCommitted> {
        match self {
            Self::Sqlite(transaction) => {
                transaction.commit(record).map(drop).map_err(|error| failures::sink(store, &error).into())
            }
            Self::Postgres(transaction) => transaction.commit(record).map(drop).map_err(|error| NotCommitted {
                is_open: matches!(error, PostgresError::CommitUnknown),
                failure: failures::postgres(store, &error),
            }),
            Self::Parquet(transaction) => transaction.commit(record).map(drop).map_err(|error| NotCommitted {
                is_open: error.leaves_commit_open(),
                failure: failures::files(store, &error),
            }),
        }
    }
}

fn make_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(FailureKind::Unreachable, format!("the folder {} cannot be made: {error}", folder.display()))
    })
}

/// The keys under which a plan's files are encrypted: one for each level above the lowest, and the footer under the
/// lowest of the levels that are written. A plan whose every column is of the lowest level writes plain files.
pub(crate) fn file_protection(
    project: &Site,
    dataset: &DatasetName,
    plan: &Governed<Plan>,
    keyring: &mut Keyring,
) -> Result<FileProtection, Failure> {
    let stored: Vec<&OutputColumn> = plan.columns().iter().filter(|column| column.is_stored()).collect();
    let mut protection = FileProtection {
        without_statistics: stored
            .iter()
            .filter(|column| column.protection.is_some() || column.level > project.lattice.lowest())
            .map(|column| column.name.clone())
            .collect(),
        ..FileProtection::default()
    };
    let above = |column: &&&OutputColumn| column.level > project.lattice.lowest();
    let mut levels = BTreeMap::new();
    let mut columns = BTreeMap::new();
    for column in stored.iter().filter(above) {
        let (key, used) = match levels.entry(column.level) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let rotate_days = project.lattice.rules(column.level).rotate_days;
                let (key, used) = keyring.file_key(dataset, project.lattice.name(column.level), rotate_days)?;
                new.insert((LevelKey::new(key), used))
            }
        };
        columns.insert(column.name.clone(), Arc::clone(key));
        protection.used.insert(column.name.clone(), used.clone());
    }
    if let Some((footer, _)) = levels.values().next() {
        protection.encryption = Some(ParquetEncryption {
            footer: Arc::clone(footer),
            columns,
            belongs_to: format!("{}/{dataset}", project.name),
            random: Arc::clone(keyring.random()),
        });
    }
    protection.keys = Arc::new(keyring.file_keys()?.into_iter().collect());
    Ok(protection)
}

/// The way to a dataset that a pipeline wrote.
#[derive(Clone)]
pub(crate) enum WrittenTable {
    Sqlite(PathBuf),
    Postgres(PostgresServer),
    Parquet { at: DatasetStore, keys: Arc<FileKeys> },
}

impl std::fmt::Debug for WrittenTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(database) => f.debug_tuple("Sqlite").field(database).finish(),
            Self::Postgres(server) => f.debug_tuple("Postgres").field(&server.host).finish(),
            Self::Parquet { at, .. } => f.debug_struct("Parquet").field("at", at).finish_non_exhaustive(),
        }
    }
}

impl WrittenTable {
    /// Finds the dataset in its store.
    pub(crate) fn find(project: &Site, store: &StoreName, keys: &Arc<FileKeys>) -> Result<Self, Failure> {
        Ok(match location(project, store)? {
            StoreLocation::Sqlite(database) => Self::Sqlite(database.clone()),
            StoreLocation::Postgres(location) => Self::Postgres(postgres_server(project, location)?),
            StoreLocation::Files(_) | StoreLocation::S3(_) => {
                Self::Parquet { at: dataset_store(project, store)?, keys: Arc::clone(keys) }
            }
        })
    }

    /// Its commits, first to last; fails if nothing was ever written.
    pub(crate) fn commits(&self, store: &StoreName, dataset: &DatasetName) -> Result<Vec<CommittedRun>, Failure> {
        match self {
            Self::Sqlite(database) => {
                let table = SqliteTable::open(database, dataset);
                let commits = table.and_then(|table| table.commits());
                commits.map_err(|error| failures::sink(store.as_str(), &error))
            }
            Self::Postgres(server) => {
                let table = PostgresTable::open(server, dataset);
                let commits = table.and_then(|table| table.commits());
                commits.map_err(|error| failures::postgres(store.as_str(), &error))
            }
            Self::Parquet { at, keys } => {
                let table = ParquetTable::open(at, dataset, Arc::clone(keys));
                let table = table.map_err(|error| failures::files(store.as_str(), &error))?;
                Ok(table.commits())
            }
        }
    }

    /// The names of its columns.
    pub(crate) fn columns(&self, store: &StoreName, dataset: &DatasetName) -> Result<BTreeSet<ColumnName>, Failure> {
        let named = |columns: &[SinkColumn]| columns.iter().map(|column| column.name.clone()).collect();
        match self {
            Self::Sqlite(database) => {
                let table = SqliteTable::open(database, dataset);
                table.map(|table| named(table.columns())).map_err(|error| failures::sink(store.as_str(), &error))
            }
            Self::Postgres(server) => {
                let table = PostgresTable::open(server, dataset);
                table.map(|table| named(table.columns())).map_err(|error| failures::postgres(store.as_str(), &error))
            }
            Self::Parquet { at, keys } => {
                let table = ParquetTable::open(at, dataset, Arc::clone(keys));
                table.map(|table| named(&table.columns())).map_err(|error| failures::files(store.as_str(), &error))
            }
        }
    }

    /// Hands on its rows, batch by batch, with the given columns.
    pub(crate) fn scan<E: From<Failure>>(
        &self,
        store: &str,
        dataset: &DatasetName,
        columns: &[SinkColumn],
        mut each: impl FnMut(ScannedBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Sqlite(database) => {
                let failed = |error| failures::sink(store, &error);
                let mut table = SqliteTable::open(database, dataset).map_err(failed)?;
                let names: Vec<ColumnName> = columns.iter().map(|column| column.name.clone()).collect();
                for scanned in table.scan(&names, BATCH_ROWS).map_err(failed)? {
                    each(scanned.map_err(failed)?)?;
                }
            }
            Self::Postgres(server) => {
                let failed = |error| failures::postgres(store, &error);
                let mut table = PostgresTable::open(server, dataset).map_err(failed)?;
                let names: Vec<ColumnName> = columns.iter().map(|column| column.name.clone()).collect();
                for scanned in table.scan(&names, BATCH_ROWS).map_err(failed)? {
                    each(scanned.map_err(failed)?)?;
                }
            }
            Self::Parquet { at, keys } => {
                let failed = |error| failures::parquet(store, &error);
                let table = ParquetTable::open(at, dataset, Arc::clone(keys)).map_err(failed)?;
                for scanned in table.scan(columns).map_err(failed)? {
                    each(scanned.map_err(failed)?)?;
                }
            }
        }
        Ok(())
    }
}
