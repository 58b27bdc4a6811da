//! One run's files: committed together with the run's token, or never seen.
//!
//! ```text
//! begin ─► write ─► write ─► commit(record)
//!   files that no commit names    │ files durable ─► the commit gets its name ─► the place is brought to what it says
//!                                 └ killed before that: the files are cleared away; after it: the next run goes on there
//! ```
//! What a folder does for each step, and what a bucket does, stands in `place`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use arrow::record_batch::RecordBatch;
use lockgate_model::{ColumnName, DatasetName, InputOrdinal, RowId, RunId};

use super::commit_log::{CommitLog, DataFile, LoggedCommit};
use super::encryption::ParquetEncryption;
use super::error::ParquetError;
use super::file_name::FileName;
use super::keys::FileKeys;
use super::merge::{KeyIndex, loses_rows, rewrite};
use super::place::{DatasetStore, FileOf, Hold};
use super::table::{VerifiedFile, with_row_id};
use super::writer::{FileWriter, Format, schema_of_file};
use crate::{CommittedRun, SinkColumn, SourceColumn, TableSpec, WriteMode};

/// A dataset of Parquet files that is written.
pub struct ParquetSink {
    log: CommitLog,
    /// Held until the sink is dropped.
    _hold: Hold,
}

impl ParquetSink {
    /// Opens a dataset in a store for writing, and finishes what a killed run left of its commit. In a folder nobody else
    /// writes until it is dropped; in a bucket the commits decide.
    pub fn open(store: &DatasetStore, dataset: &DatasetName) -> Result<Self, ParquetError> {
        let mut log = CommitLog::empty(store, dataset);
        let hold = log.place.hold(dataset)?;
        // Only now can no other program commit, where one can be kept from it.
        log.read()?;
        log.publish()?;
        Ok(Self { log, _hold: hold })
    }

    /// The commits, first to last.
    pub fn commits(&self) -> Vec<CommittedRun> {
        self.log.commits.iter().map(CommittedRun::from).collect()
    }

    /// What a run committed here, `None` if nothing.
    pub fn committed(&self, run: &RunId) -> Option<CommittedRun> {
        self.log.commits.iter().find(|commit| commit.run == *run).map(CommittedRun::from)
    }

    /// Begins a run. `keys` open the dataset's files for a merge; `without_statistics` are the columns of which no
    /// minimum, maximum or count of nulls may be stored.
    ///
    /// Fails, changing nothing, if a column's type is another than in the files that stay, and if the run is committed
    /// already.
    pub fn begin(
        &mut self,
        spec: &TableSpec,
        run: &RunId,
        encryption: Option<ParquetEncryption>,
        without_statistics: BTreeSet<ColumnName>,
        keys: Arc<FileKeys>,
    ) -> Result<ParquetTransaction<'_>, ParquetError> {
        if self.committed(run).is_some() {
            return Err(ParquetError::AlreadyCommitted { run: run.clone() });
        }
        match spec.mode() {
            _ if spec.leaves_none() => {}
            WriteMode::Append => self.check_types(spec.columns())?,
            WriteMode::Merge => {
                self.check_types(spec.columns())?;
                self.check_none_is_lost(spec.columns())?;
            }
            WriteMode::Replace => {}
        }
        let next = u32::try_from(self.log.commits.len()).unwrap_or(u32::MAX);
        let ordinal = InputOrdinal::new(next)
            .map_err(|source| ParquetError::Ordinal { dataset: self.log.dataset.clone(), source })?;
        self.log.place.begin(run)?;
        let index = match spec.mode() {
            WriteMode::Merge => Some(KeyIndex::new(spec)?),
            WriteMode::Append | WriteMode::Replace => None,
        };
        let read_columns = with_row_id(spec.columns())?;
        Ok(ParquetTransaction {
            format: Format { schema: schema_of_file(&read_columns), without_statistics, encryption },
            spec: spec.clone(),
            sink: self,
            run: run.clone(),
            ordinal,
            read_columns,
            keys,
            open: None,
            adds: Vec::new(),
            rows: 0,
            index,
            removes: None,
        })
    }

    /// What a failure means: where another run made the commit meanwhile, files that are to be read may be gone.
    fn because_taken(&mut self, commit: InputOrdinal, error: ParquetError) -> ParquetError {
        match self.log.read() {
            Ok(()) if self.log.commits.len() as u64 > u64::from(commit.get()) => {
                ParquetError::CommitTaken { dataset: self.log.dataset.clone(), commit: commit.get() }
            }
            Ok(()) | Err(_) => error,
        }
    }

    /// A merge rewrites rows that stay, with the columns that it knows of.
    fn check_none_is_lost(&self, columns: &[SinkColumn]) -> Result<(), ParquetError> {
        let known = self.log.columns();
        match known.iter().find(|known| !columns.iter().any(|column| column.name == known.name)) {
            None => Ok(()),
            Some(lost) => {
                Err(ParquetError::ColumnLost { dataset: self.log.dataset.clone(), column: lost.name.clone() })
            }
        }
    }

    fn check_types(&self, columns: &[SinkColumn]) -> Result<(), ParquetError> {
        for known in self.log.columns() {
            if let Some(column) = columns.iter().find(|column| column.name == known.name)
                && column.value_type != known.value_type
            {
                return Err(ParquetError::TypeChanged {
                    dataset: self.log.dataset.clone(),
                    column: column.name.clone(),
                    found: known.value_type.to_string(),
                    written: column.value_type.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// A run that is being written. Dropping it leaves files that nobody reads and the next run clears away.
pub struct ParquetTransaction<'a> {
    sink: &'a mut ParquetSink,
    spec: TableSpec,
    run: RunId,
    ordinal: InputOrdinal,
    /// The columns of a file of the dataset, the row id last.
    read_columns: Vec<SourceColumn>,
    format: Format,
    keys: Arc<FileKeys>,
    open: Option<FileWriter>,
    adds: Vec<DataFile>,
    rows: u64,
    index: Option<KeyIndex>,
    /// The live files that go; known once the commit is prepared.
    removes: Option<Vec<String>>,
}

impl ParquetTransaction<'_> {
    /// The commit that this becomes; the row ids written must be of it.
    pub fn commit_ordinal(&self) -> InputOrdinal {
        self.ordinal
    }

    /// Writes rows of the spec's columns, and for each row its id.
    pub fn write(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), ParquetError> {
        if let Some(index) = &mut self.index {
            index.add(batch, row_ids)?;
        }
        let ids: ArrayRef = Arc::new(row_ids.iter().map(|id| id.to_i64()).collect::<Int64Array>());
        let columns = batch.columns().iter().cloned().chain([ids]).collect();
        let batch = RecordBatch::try_new(self.format.schema.clone(), columns)
            .map_err(|error| ParquetError::Writer { reason: error.to_string() })?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.next_file()?,
        };
        open.write(&batch)?;
        self.rows += batch.num_rows() as u64;
        let full = open.is_full();
        self.open = Some(open);
        if full { self.close() } else { Ok(()) }
    }

    /// Does all of a commit that takes long: everything is durable, and nothing of it is live. No rows are taken after it.
    pub fn prepare(&mut self) -> Result<(), ParquetError> {
        if self.removes.is_none() {
            self.close()?;
            self.removes = Some(match self.spec.mode() {
                WriteMode::Append if !self.spec.leaves_none() => Vec::new(),
                WriteMode::Append | WriteMode::Replace => self.live_names(),
                WriteMode::Merge => self.merge().map_err(|error| self.sink.because_taken(self.ordinal, error))?,
            });
        }
        Ok(())
    }

    /// Makes everything written durable and live, with the run's token and `record`.
    pub fn commit(mut self, record: &str) -> Result<CommittedRun, ParquetError> {
        self.prepare()?;
        let removes = self.removes.take().unwrap_or_default();
        let commit = LoggedCommit {
            v: 1,
            dataset: self.sink.log.dataset.clone(),
            run: self.run.clone(),
            commit: self.ordinal,
            rows: self.rows,
            belongs_to: self.format.encryption.as_ref().map(|encryption| encryption.belongs_to.clone()),
            columns: self.spec.columns().to_vec(),
            adds: std::mem::take(&mut self.adds),
            removes,
            record: record.to_owned(),
        };
        let outcome = CommittedRun::from(&commit);
        self.sink.log.append(commit)?;
        self.sink.log.publish().map_err(|source| ParquetError::Unfinished { source: Box::new(source) })?;
        Ok(outcome)
    }

    fn next_file(&self) -> Result<FileWriter, ParquetError> {
        self.create(&self.file_name(false, self.adds.len()))
    }

    /// The name of a file of this commit.
    fn file_name(&self, rewritten: bool, number: usize) -> String {
        FileName { commit: self.ordinal, run: self.run.clone(), rewritten, number }.to_string()
    }

    fn create(&self, name: &str) -> Result<FileWriter, ParquetError> {
        let place = &self.sink.log.place;
        FileWriter::create(place.create(&self.run, name)?, &place.shown(name), name, &self.format)
    }

    fn close(&mut self) -> Result<(), ParquetError> {
        if let Some(writer) = self.open.take() {
            self.adds.push(writer.finish()?);
        }
        Ok(())
    }

    /// Rewrites what a later row replaces, in the run's own files and in those that are live. Gives the live files that
    /// go.
    fn merge(&mut self) -> Result<Vec<String>, ParquetError> {
        let Some(index) = self.index.take() else { return Ok(Vec::new()) };
        let place = Arc::clone(&self.sink.log.place);
        if index.has_duplicates() {
            let own = std::mem::take(&mut self.adds);
            let numbered = own.len();
            let belongs_to = self.format.encryption.as_ref().map(|encryption| encryption.belongs_to.clone());
            let keep = |batch: &RecordBatch| index.newest_of_run(batch);
            for file in own {
                let name = self.file_name(false, numbered + self.adds.len());
                let opened = VerifiedFile::open(place.as_ref(), &file, FileOf::Run(&self.run), belongs_to.as_deref())?;
                match self.without_replaced(&index, &opened, &name, keep)? {
                    None => self.adds.push(file),
                    Some(rewritten) => {
                        self.adds.push(rewritten);
                        place.discard(&self.run, &file.name)?;
                    }
                }
            }
        }
        if self.spec.leaves_none() {
            return Ok(self.live_names());
        }
        let mut removes = Vec::new();
        let keep = |batch: &RecordBatch| index.untouched(batch);
        for (file, belongs_to) in self.sink.log.live() {
            let name = self.file_name(true, removes.len());
            let opened = VerifiedFile::open(place.as_ref(), &file, FileOf::Commit, belongs_to.as_deref())?;
            if let Some(rewritten) = self.without_replaced(&index, &opened, &name, keep)? {
                removes.push(file.name);
                if rewritten.rows > 0 {
                    self.adds.push(rewritten);
                } else {
                    place.discard(&self.run, &name)?;
                }
            }
        }
        Ok(removes)
    }

    fn live_names(&self) -> Vec<String> {
        self.sink.log.live().into_iter().map(|(file, _)| file.name).collect()
    }

    /// Writes a file anew without the rows that are not kept. `None` where all are, which its key columns tell.
    fn without_replaced(
        &self,
        index: &KeyIndex,
        file: &VerifiedFile,
        name: &str,
        keep: impl Fn(&RecordBatch) -> Result<BooleanArray, ParquetError>,
    ) -> Result<Option<DataFile>, ParquetError> {
        if !loses_rows(file.read(&with_row_id(index.columns())?, &self.keys)?, &keep)? {
            return Ok(None);
        }
        rewrite(file.read(&self.read_columns, &self.keys)?, self.create(name)?, &keep).map(Some)
    }
}
