//! The inputs of one table as a stream of batches with row ids, read on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::pruning::PruningPredicate;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use lockgate_connect::{
    CsvReader, FileKeys, FileStore, JsonLinesReader, ParquetReader, Place, PostgresSource, RecordPosition, RowGroups,
    ScannedBatch, SinkColumn, SourceBatch, SourceColumn, StoredFile, TextFileError, TextLimits, WantedRowGroups,
    decode,
};
use lockgate_evidence::{Input, LineIndexBuilder};
use lockgate_model::{ColumnName, Failure, FailureKind, InputOrdinal, RowId};
use tokio::sync::mpsc::Sender;

use crate::failures;
use crate::input_table::wanted_row_groups;
use crate::inputs::{FileFormat, Kept, Partitions, RunInput, Source, Taken, TextFiles, TextRecords};
use crate::quarantine::SetAside;
use crate::sink::WrittenTable;

/// Rows of a batch.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// Batches that wait between two stages.
pub(crate) const BATCHES_AHEAD: usize = 2;

/// Is told how a run gets on.
pub trait Progress: Send + Sync {
    /// So many bytes and records were read since the last time.
    fn advance(&self, bytes: u64, rows: u64);
}

/// What reading an input found, beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    pub(crate) rows: u64,
    /// The bytes of values that were read of a Parquet file, of which parts may be left out.
    pub(crate) bytes: u64,
    pub(crate) set_aside: Vec<SetAside>,
    /// The header of a CSV file.
    pub(crate) header: Option<Vec<u8>>,
    /// The time it took.
    pub(crate) reading: Duration,
    /// The part of it that was waiting for whoever takes the records.
    waiting: Duration,
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

    /// The rows of an input that was read to its end.
    pub(crate) fn rows_of(&self, input: InputOrdinal) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&input).map(|finding| finding.rows)
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
    pub(crate) columns: Vec<SourceColumn>,
    pub(crate) inputs: Vec<(InputOrdinal, RunInput)>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) progress: Arc<dyn Progress>,
    /// Whether nobody may be told why it can't be read.
    pub(crate) is_hidden: bool,
    /// Rows that can't meet it may be left out.
    pub(crate) condition: Option<Arc<PruningPredicate>>,
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
        builder.spawn_blocking(move || match reader.read_all(&sender) {
            Ok(()) | Err(Stop::NobodyReads) => Ok(()),
            Err(Stop::Failed(failure)) if reader.is_hidden => {
                Err(DataFusionError::External(Box::new(failures::behind_a_policy(failure.kind))))
            }
            Err(Stop::Failed(failure)) => Err(DataFusionError::External(failure)),
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
    fn read_all(&self, batches: &Batches) -> std::result::Result<(), Stop> {
        // A table that a pipeline wrote is scanned once, whatever the number of its commits.
        let mut commits: BTreeMap<InputOrdinal, InputOrdinal> = BTreeMap::new();
        let mut table = None;
        for (ordinal, input) in &self.inputs {
            match &input.source {
                Source::File { store, file, format, partitions, taken } => {
                    let out = Batcher { reader: self, ordinal: *ordinal, partitions, pick: Pick::of(taken), batches };
                    let began = Instant::now();
                    let mut finding = self.read_file(&out, input, (store, file), format)?;
                    finding.reading = began.elapsed().saturating_sub(finding.waiting);
                    self.findings.add(*ordinal, finding);
                }
                Source::Kept { kept, files, partitions } => {
                    let pick = Pick::At(&kept.positions);
                    let out = Batcher { reader: self, ordinal: *ordinal, partitions, pick, batches };
                    let finding = self.read_kept(&out, &input.entry, files, kept)?;
                    self.findings.add(*ordinal, finding);
                }
                Source::Table(source) => {
                    let pick = Pick::All;
                    let out =
                        Batcher { reader: self, ordinal: *ordinal, partitions: &Partitions::new(), pick, batches };
                    let began = Instant::now();
                    let mut finding = self.read_table(&out, &input.entry, source)?;
                    finding.reading = began.elapsed().saturating_sub(finding.waiting);
                    self.findings.add(*ordinal, finding);
                }
                Source::Commit { table: written, ordinal: commit } => {
                    commits.insert(*commit, *ordinal);
                    table = Some((written, &input.entry));
                }
            }
        }
        match table {
            Some((written, entry)) => self.read_commits(&commits, entry, written, batches),
            None => Ok(()),
        }
    }

    fn read_file(
        &self,
        out: &Batcher<'_>,
        input: &RunInput,
        (store, file): (&FileStore, &StoredFile),
        format: &FileFormat,
    ) -> std::result::Result<Finding, Stop> {
        let entry = &input.entry;
        let failed = |error| failures::source(entry.store.as_str(), &error);
        match format {
            FileFormat::Text(files) => {
                let verified = store.open_verified(file, entry.sha256).map_err(failed)?;
                let mut counted = Counted { inner: verified, bytes: Arc::default() };
                let bytes = Arc::clone(&counted.bytes);
                let failed_text = |error| failures::text_file(entry.store.as_str(), &entry.path, &error);
                let text = decode(&mut counted, files.compression, files.encoding)
                    .map_err(|source| failed_text(TextFileError::Read { line: 1, source }))?;
                let finding = self.read_text(out, entry, files, text, &bytes)?;
                // Only now is it known that what was read is what the manifest names.
                counted.inner.finish().map_err(failed)?;
                Ok(finding)
            }
            FileFormat::Parquet(keys) => {
                let finding = self.read_parquet(out, entry, (store, file), keys)?;
                let is_unchanged = match file.place {
                    // Its parts were read in an order of their own: the whole is digested once more.
                    Place::Local(_) => store.digest(file).map_err(failed)? == entry.sha256,
                    // A copy was read, which had the digest.
                    Place::Object(_) => true,
                };
                match is_unchanged {
                    true => Ok(finding),
                    false => Err(failures::changed(entry.store.as_str(), &entry.path).into()),
                }
            }
        }
    }

    /// The columns that stand in the files themselves.
    fn columns_in_files(&self, partitions: &[(ColumnName, ArrayRef)]) -> Vec<SourceColumn> {
        let in_path = |column: &&SourceColumn| partitions.iter().any(|(name, _)| *name == column.name);
        self.columns.iter().filter(|column| !in_path(column)).cloned().collect()
    }

    fn read_text<R: Read>(
        &self,
        out: &Batcher<'_>,
        entry: &Input,
        files: &TextFiles,
        text: R,
        bytes: &AtomicU64,
    ) -> std::result::Result<Finding, Stop> {
        let failed = |error| failures::text_file(entry.store.as_str(), &entry.path, &error);
        let mut columns = self.columns_in_files(out.partitions);
        columns.iter_mut().for_each(|column| column.format = files.formats.get(&column.name).cloned());
        let mut finding = Finding::default();
        match &files.records {
            TextRecords::Csv(options) => {
                let csv = CsvReader::new(text, &columns, options.clone(), TextLimits::default());
                let mut csv = csv.map_err(failed)?;
                while let Some(batch) = csv.next_batch(BATCH_ROWS).map_err(failed)? {
                    out.send(batch, bytes.swap(0, Ordering::Relaxed), &mut finding)?;
                }
                finding.rows = out.taken(entry, csv.rows())?;
                finding.header = csv.header().map(<[u8]>::to_vec);
            }
            TextRecords::JsonLines => {
                let mut json = JsonLinesReader::new(text, &columns, TextLimits::default());
                while let Some(batch) = json.next_batch(BATCH_ROWS).map_err(failed)? {
                    out.send(batch, bytes.swap(0, Ordering::Relaxed), &mut finding)?;
                }
                finding.rows = out.taken(entry, json.rows())?;
            }
        }
        self.progress.advance(bytes.swap(0, Ordering::Relaxed), 0);
        Ok(finding)
    }

    /// Reads records that were kept when their file was not.
    fn read_kept(
        &self,
        out: &Batcher<'_>,
        entry: &Input,
        files: &TextFiles,
        kept: &Kept,
    ) -> std::result::Result<Finding, Stop> {
        let finding = self.read_text(out, entry, files, kept.text.expose().as_slice(), &AtomicU64::default())?;
        self.progress.advance(entry.bytes, 0);
        Ok(finding)
    }

    fn read_parquet(
        &self,
        out: &Batcher<'_>,
        entry: &Input,
        stored: (&FileStore, &StoredFile),
        keys: &Arc<FileKeys>,
    ) -> std::result::Result<Finding, Stop> {
        let failed = |error| failures::parquet(entry.store.as_str(), &error);
        let columns = self.columns_in_files(out.partitions);
        let wanted = self.condition.as_deref().filter(|_| matches!(out.pick, Pick::All)).map(|condition| {
            let partitions = out.partitions;
            move |groups: &RowGroups<'_>| wanted_row_groups(condition, groups, partitions)
        });
        let wanted = wanted.as_ref().map(|wanted| wanted as WantedRowGroups<'_>);
        let reader = ParquetReader::open_stored(stored, entry.sha256, &columns, keys, BATCH_ROWS, wanted);
        let mut reader = reader.map_err(failed)?;
        let mut finding = Finding::default();
        while let Some(batch) = reader.next_batch().map_err(failed)? {
            out.send(batch, 0, &mut finding)?;
        }
        finding.bytes = reader.bytes();
        finding.rows = out.taken(entry, reader.rows())?;
        self.progress.advance(entry.bytes, 0);
        Ok(finding)
    }

    /// Rows of a table that others write, which must be those that were digested.
    fn read_table(
        &self,
        out: &Batcher<'_>,
        entry: &Input,
        source: &PostgresSource,
    ) -> std::result::Result<Finding, Stop> {
        let failed = |error| failures::postgres(entry.store.as_str(), &error);
        let mut rows = source.rows(&self.columns).map_err(failed)?;
        let (mut finding, mut before) = (Finding::default(), 0);
        while let Some(batch) = rows.next_batch(BATCH_ROWS).map_err(failed)? {
            out.send(batch, rows.bytes() - before, &mut finding)?;
            before = rows.bytes();
        }
        let read = rows.digest();
        finding.rows = read.rows;
        match read.sha256 == entry.sha256 {
            true => Ok(finding),
            false => Err(failures::changed(entry.store.as_str(), &entry.path).into()),
        }
    }

    /// Rows of a table that another pipeline wrote, each of the commit that wrote it.
    fn read_commits(
        &self,
        commits: &BTreeMap<InputOrdinal, InputOrdinal>,
        entry: &Input,
        table: &WrittenTable,
        batches: &Batches,
    ) -> std::result::Result<(), Stop> {
        let mut findings: BTreeMap<InputOrdinal, Finding> =
            commits.values().map(|ordinal| (*ordinal, Finding::default())).collect();
        let mut send = |scanned: ScannedBatch| {
            let ordinals: Vec<Option<InputOrdinal>> =
                scanned.row_ids.iter().map(|id| commits.get(&id.input()).copied()).collect();
            let kept: BooleanArray = ordinals.iter().map(|ordinal| Some(ordinal.is_some())).collect();
            let kept = filter_record_batch(&scanned.columns, &kept).map_err(failures::bug)?;
            let mut ids = Vec::with_capacity(kept.num_rows());
            for (id, ordinal) in scanned.row_ids.iter().zip(&ordinals) {
                if let Some(ordinal) = ordinal {
                    ids.push(RowId::new(*ordinal, id.row()).map_err(failures::bug)?.to_i64());
                    findings.entry(*ordinal).or_default().rows += 1;
                }
            }
            self.progress.advance(0, ids.len() as u64);
            let batch = self.batch(kept.columns(), ids)?;
            batches.blocking_send(Ok(batch)).map_err(|_| Stop::NobodyReads)
        };
        let column = |column: &SourceColumn| SinkColumn { name: column.name.clone(), value_type: column.value_type };
        let columns: Vec<SinkColumn> = self.columns.iter().map(column).collect();
        table.scan(entry.store.as_str(), &entry.dataset, &columns, &mut send)?;
        findings.into_iter().for_each(|(ordinal, finding)| self.findings.add(ordinal, finding));
        Ok(())
    }

    fn batch(&self, columns: &[ArrayRef], row_ids: Vec<i64>) -> std::result::Result<RecordBatch, Failure> {
        let mut columns = columns.to_vec();
        columns.push(Arc::new(Int64Array::from(row_ids)));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failures::bug)
    }
}

/// Sends the rows of one file on, with their ids and the columns of its path.
struct Batcher<'a> {
    reader: &'a TableReader,
    ordinal: InputOrdinal,
    partitions: &'a Partitions,
    pick: Pick<'a>,
    batches: &'a Batches,
}

/// Which of the records that a reader hands out go on, and as which.
enum Pick<'a> {
    All,
    /// Those of these numbers, of so many.
    Rows(&'a BTreeSet<u64>, u64),
    /// All, and they stand elsewhere.
    At(&'a [RecordPosition]),
}

impl<'a> Pick<'a> {
    fn of(taken: &'a Taken) -> Self {
        match taken {
            Taken::All => Self::All,
            Taken::Rows { rows, of } => Self::Rows(rows, *of),
        }
    }

    fn pick(&self, mut batch: SourceBatch) -> std::result::Result<SourceBatch, Failure> {
        match self {
            Self::All => {}
            Self::Rows(rows, _) => {
                let kept: BooleanArray =
                    batch.positions.iter().map(|position| Some(rows.contains(&position.row))).collect();
                batch.columns = filter_record_batch(&batch.columns, &kept).map_err(failures::bug)?;
                batch.positions.retain(|position| rows.contains(&position.row));
                batch.broken.retain(|broken| rows.contains(&broken.position.row));
            }
            Self::At(positions) => {
                let of_broken = batch.broken.iter_mut().map(|broken| &mut broken.position);
                for position in batch.positions.iter_mut().chain(of_broken) {
                    let place = usize::try_from(position.row).ok().and_then(|row| positions.get(row));
                    *position = *place.ok_or_else(not_one_by_one)?;
                }
            }
        }
        Ok(batch)
    }
}

fn not_one_by_one() -> Failure {
    Failure::new(FailureKind::Failed, "the records that were set aside do not read as so many records any more")
        .with_help("nothing was written; correct the dataset's dialect, or put the file back")
}

impl Batcher<'_> {
    /// How many records are taken of an input that has so many.
    fn taken(&self, entry: &Input, found: u64) -> std::result::Result<u64, Failure> {
        match self.pick {
            Pick::All => Ok(found),
            Pick::Rows(rows, of) if found == of => Ok(rows.len() as u64),
            Pick::Rows(_, of) => {
                let message = format!(
                    "`{}` in store `{}` has {found} records and had {of} when some were set aside",
                    entry.path, entry.store
                );
                Err(Failure::new(FailureKind::Failed, message)
                    .with_help("nothing was written; mend each record in its place, and add or remove none"))
            }
            Pick::At(positions) if found == positions.len() as u64 => Ok(found),
            Pick::At(_) => Err(not_one_by_one()),
        }
    }

    fn send(&self, batch: SourceBatch, bytes: u64, finding: &mut Finding) -> std::result::Result<(), Stop> {
        let rows = batch.positions.len() + batch.broken.len();
        let batch = self.pick.pick(batch)?;
        let batch = self.with_row_ids(batch, finding)?;
        self.reader.progress.advance(bytes, rows as u64);
        let began = Instant::now();
        self.batches.blocking_send(Ok(batch)).map_err(|_| Stop::NobodyReads)?;
        finding.waiting += began.elapsed();
        Ok(())
    }

    fn with_row_ids(&self, batch: SourceBatch, finding: &mut Finding) -> std::result::Result<RecordBatch, Failure> {
        let row_id =
            |row| RowId::new(self.ordinal, row).map_err(|error| Failure::new(FailureKind::Failed, error.to_string()));
        for broken in batch.broken {
            finding.set_aside.push(SetAside {
                input: self.ordinal.get(),
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
            let Some(line) = position.line else { continue };
            let continues = finding
                .lines
                .last()
                .is_some_and(|(last, before)| line.checked_sub(*before) == position.row.checked_sub(last.row()));
            if !continues {
                finding.lines.push((id, line));
            }
        }
        self.reader.batch(&self.with_partitions(&batch.columns)?, ids)
    }

    /// The declared columns in their order: those of the file, and those of its path.
    fn with_partitions(&self, batch: &RecordBatch) -> std::result::Result<Vec<ArrayRef>, Failure> {
        if self.partitions.is_empty() {
            return Ok(batch.columns().to_vec());
        }
        let every_row = UInt32Array::from(vec![0; batch.num_rows()]);
        let mut in_file = batch.columns().iter();
        let array = |column: &SourceColumn| match self.partitions.iter().find(|(name, _)| *name == column.name) {
            Some((_, value)) => take(value, &every_row, None).map_err(failures::bug),
            None => in_file.next().cloned().ok_or_else(|| failures::bug("a column of the file is missing")),
        };
        self.reader.columns.iter().map(array).collect()
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
