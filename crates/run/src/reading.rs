//! The inputs of one table as a stream of batches with row ids, read on a thread of its own.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use lockgate_connect::{CsvBatch, CsvColumn, CsvLimits, CsvOptions, CsvReader, SqliteTable};
use lockgate_evidence::{Input, LineIndexBuilder};
use lockgate_model::{ColumnName, Failure, FailureKind, InputOrdinal, RowId};
use tokio::sync::mpsc::Sender;

use crate::failures;
use crate::inputs::{RunInput, Source};
use crate::quarantine::SetAside;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Batches that wait between the reader and the engine.
const BATCHES_AHEAD: usize = 2;

/// Is told how a run gets on.
pub trait Progress: Send + Sync {
    /// So many bytes and records were read since the last time.
    fn advance(&self, bytes: u64, rows: u64);
}

/// What reading an input found, beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    pub(crate) rows: u64,
    pub(crate) set_aside: Vec<SetAside>,
    /// The row and line where each stretch of consecutive lines begins.
    pub(crate) lines: Vec<(RowId, u64)>,
}

/// What reading found, by input. A table that is scanned twice is read twice and found once.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<BTreeMap<InputOrdinal, Finding>>);

impl Findings {
    fn add(&self, input: InputOrdinal, finding: Finding) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(input).or_insert(finding);
    }

    pub(crate) fn take(&self) -> BTreeMap<InputOrdinal, Finding> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The line index of everything that was read.
pub(crate) fn line_index(findings: &BTreeMap<InputOrdinal, Finding>) -> LineIndexBuilder {
    let mut lines = LineIndexBuilder::default();
    findings.values().flat_map(|finding| &finding.lines).for_each(|(row, line)| lines.push(*row, *line));
    lines
}

/// The inputs of one table.
#[derive(Clone)]
pub(crate) struct TableReader {
    /// The table's columns, then the row id.
    pub(crate) schema: SchemaRef,
    pub(crate) columns: Vec<CsvColumn>,
    pub(crate) inputs: Vec<(InputOrdinal, RunInput)>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for TableReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableReader").field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for TableReader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), BATCHES_AHEAD);
        let (reader, sender) = (self.clone(), builder.tx());
        builder.spawn_blocking(move || {
            for (ordinal, input) in &reader.inputs {
                match reader.read(*ordinal, input, &sender) {
                    Ok(finding) => reader.findings.add(*ordinal, finding),
                    Err(Stop::Failed(failure)) => return Err(DataFusionError::External(failure)),
                    Err(Stop::NobodyReads) => return Ok(()),
                }
            }
            Ok(())
        });
        builder.build()
    }
}

enum Stop {
    Failed(Box<Failure>),
    /// The run has ended and wants no more rows.
    NobodyReads,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

type Batches = Sender<Result<RecordBatch>>;

impl TableReader {
    fn read(&self, ordinal: InputOrdinal, input: &RunInput, batches: &Batches) -> std::result::Result<Finding, Stop> {
        match &input.source {
            Source::File { store, file } => {
                let store_name = input.entry.store.as_str();
                let failed = |error| failures::source(store_name, &error);
                let verified = store.open_verified(file, input.entry.sha256).map_err(failed)?;
                let counted = Counted { inner: verified, bytes: Arc::default() };
                let (finding, rest) = self.read_csv(ordinal, &input.entry, counted, batches)?;
                // Only now is it known that what was read is what the manifest names.
                rest.inner.finish().map_err(failed)?;
                Ok(finding)
            }
            Source::Commit { database, ordinal: commit } => {
                self.read_commit(ordinal, &input.entry, database, *commit, batches)
            }
        }
    }

    fn read_csv<R: Read>(
        &self,
        ordinal: InputOrdinal,
        entry: &Input,
        source: Counted<R>,
        batches: &Batches,
    ) -> std::result::Result<(Finding, Counted<R>), Stop> {
        let failed = |error| failures::csv(entry.store.as_str(), &entry.path, &error);
        let bytes = Arc::clone(&source.bytes);
        let mut csv =
            CsvReader::new(source, &self.columns, CsvOptions::default(), CsvLimits::default()).map_err(failed)?;
        let mut finding = Finding::default();
        while let Some(batch) = csv.next_batch(BATCH_ROWS).map_err(failed)? {
            let rows = batch.positions.len() + batch.broken.len();
            let batch = self.with_row_ids(ordinal, batch, &mut finding)?;
            self.progress.advance(bytes.swap(0, Ordering::Relaxed), rows as u64);
            if batches.blocking_send(Ok(batch)).is_err() {
                return Err(Stop::NobodyReads);
            }
        }
        finding.rows = csv.rows();
        self.progress.advance(bytes.swap(0, Ordering::Relaxed), 0);
        Ok((finding, csv.into_inner()))
    }

    fn with_row_ids(
        &self,
        ordinal: InputOrdinal,
        batch: CsvBatch,
        finding: &mut Finding,
    ) -> std::result::Result<RecordBatch, Failure> {
        let row_id =
            |row| RowId::new(ordinal, row).map_err(|error| Failure::new(FailureKind::Failed, error.to_string()));
        for broken in batch.broken {
            finding.set_aside.push(SetAside {
                input: ordinal.get(),
                row: broken.position.row,
                line: broken.position.line,
                reason: broken.reason.to_string(),
                raw: broken.raw,
            });
        }
        let mut ids = Vec::with_capacity(batch.positions.len());
        for position in &batch.positions {
            let id = row_id(position.row)?;
            ids.push(id.to_i64());
            let continues = finding
                .lines
                .last()
                .is_some_and(|(last, line)| position.line.checked_sub(*line) == position.row.checked_sub(last.row()));
            if !continues {
                finding.lines.push((id, position.line));
            }
        }
        self.batch(batch.columns.columns(), ids)
    }

    /// Rows of one commit of a table that another pipeline wrote.
    fn read_commit(
        &self,
        ordinal: InputOrdinal,
        entry: &Input,
        database: &std::path::Path,
        commit: InputOrdinal,
        batches: &Batches,
    ) -> std::result::Result<Finding, Stop> {
        let failed = |error| failures::sink(entry.store.as_str(), &error);
        let mut table = SqliteTable::open(database, &entry.dataset).map_err(failed)?;
        let names: Vec<ColumnName> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut finding = Finding::default();
        for scanned in table.scan(&names, BATCH_ROWS).map_err(failed)? {
            let scanned = scanned.map_err(failed)?;
            let mine = scanned.row_ids.iter().map(|id| id.input() == commit);
            let kept = arrow::compute::filter_record_batch(&scanned.columns, &mine.clone().map(Some).collect())
                .map_err(failures::bug)?;
            let rows = scanned.row_ids.iter().filter(|id| id.input() == commit).map(|id| id.row());
            let ids: std::result::Result<Vec<_>, _> =
                rows.map(|row| RowId::new(ordinal, row).map(RowId::to_i64)).collect();
            let ids = ids.map_err(failures::bug)?;
            finding.rows += ids.len() as u64;
            self.progress.advance(0, ids.len() as u64);
            let batch = self.batch(kept.columns(), ids)?;
            if batches.blocking_send(Ok(batch)).is_err() {
                return Err(Stop::NobodyReads);
            }
        }
        Ok(finding)
    }

    fn batch(&self, columns: &[ArrayRef], row_ids: Vec<i64>) -> std::result::Result<RecordBatch, Failure> {
        let mut columns = columns.to_vec();
        columns.push(Arc::new(Int64Array::from(row_ids)));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failures::bug)
    }
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    /// Bytes since somebody last took the count.
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
