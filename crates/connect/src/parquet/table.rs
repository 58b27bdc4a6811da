//! A dataset of files that Lockgate wrote, read back: only live files, each the one that was committed.

use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use lockgate_model::{DatasetName, RowId, ValueType};

use super::commit_log::{CommitLog, DataFile};
use super::encryption::ParquetEncryption;
use super::error::ParquetError;
use super::keys::FileKeys;
use super::place::{DatasetStore, FileOf, Place};
use super::reader::ParquetReader;
use crate::{CommittedRun, ROW_ID_COLUMN, ScannedBatch, SinkColumn, SourceColumn};

/// Rows of a batch that is read back.
const BATCH_ROWS: usize = 8_192;

/// A dataset, opened for reading.
pub struct ParquetTable {
    log: CommitLog,
    keys: Arc<FileKeys>,
}

impl ParquetTable {
    /// Opens a dataset in a store; fails if it was never committed to.
    pub fn open(store: &DatasetStore, dataset: &DatasetName, keys: Arc<FileKeys>) -> Result<Self, ParquetError> {
        let log = CommitLog::load(store, dataset)?;
        if log.commits.is_empty() {
            return Err(ParquetError::NoDataset { dataset: dataset.clone(), path: store.shown() });
        }
        Ok(Self { log, keys })
    }

    /// The commits, first to last.
    pub fn commits(&self) -> Vec<CommittedRun> {
        self.log.commits.iter().map(CommittedRun::from).collect()
    }

    /// The columns, without the row id; older files may lack some.
    pub fn columns(&self) -> Vec<SinkColumn> {
        self.log.columns()
    }

    /// Reads the named columns of all live rows, file by file; each file is found to be the committed one first.
    pub fn scan(
        &self,
        columns: &[SinkColumn],
    ) -> Result<impl Iterator<Item = Result<ScannedBatch, ParquetError>>, ParquetError> {
        Ok(LiveScan {
            place: Arc::clone(&self.log.place),
            files: self.log.live().into_iter(),
            columns: with_row_id(columns)?,
            keys: Arc::clone(&self.keys),
            open: None,
        })
    }
}

/// The live files of a dataset, one after another.
struct LiveScan {
    place: Arc<dyn Place>,
    files: std::vec::IntoIter<(DataFile, Option<String>)>,
    columns: Vec<SourceColumn>,
    keys: Arc<FileKeys>,
    open: Option<LiveReader>,
}

impl LiveScan {
    fn advance(&mut self) -> Result<Option<ScannedBatch>, ParquetError> {
        loop {
            if let Some(reader) = &mut self.open {
                if let Some(batch) = reader.next()? {
                    let (row_ids, columns) = split(&batch, &reader.shown)?;
                    return Ok(Some(ScannedBatch { columns, row_ids }));
                }
                self.open = None;
            }
            let Some((file, belongs_to)) = self.files.next() else { return Ok(None) };
            let file = VerifiedFile::open(self.place.as_ref(), &file, FileOf::Commit, belongs_to.as_deref())?;
            self.open = Some(file.read(&self.columns, &self.keys)?);
        }
    }
}

impl Iterator for LiveScan {
    type Item = Result<ScannedBatch, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The columns of a file of a dataset as a reader declares them: those that are asked for, and the row id last.
pub(super) fn with_row_id(columns: &[SinkColumn]) -> Result<Vec<SourceColumn>, ParquetError> {
    let declared = |column: SinkColumn, nullable| SourceColumn {
        name: column.name,
        value_type: column.value_type,
        nullable,
        format: None,
    };
    let name = ROW_ID_COLUMN.parse().map_err(|error| ParquetError::Writer { reason: format!("{error}") })?;
    let row_id = SinkColumn { name, value_type: ValueType::BigInt };
    Ok(columns.iter().map(|column| declared(column.clone(), true)).chain([declared(row_id, false)]).collect())
}

fn split(batch: &RecordBatch, shown: &str) -> Result<(Vec<RowId>, RecordBatch), ParquetError> {
    let changed = || ParquetError::FileChanged { path: shown.to_owned(), what: "row ids" };
    let last = batch.num_columns().checked_sub(1).ok_or_else(changed)?;
    let ids = batch.column(last).as_primitive_opt::<Int64Type>().ok_or_else(changed)?;
    let ids = ids.values().iter().map(|id| RowId::from_i64(*id).map_err(|_| changed())).collect::<Result<_, _>>()?;
    let places: Vec<usize> = (0..last).collect();
    Ok((ids, batch.project(&places).map_err(|_| changed())?))
}

/// A file that was found to be the recorded one, which is read as often as it takes.
pub(super) struct VerifiedFile {
    file: File,
    shown: String,
    aad_prefix: Option<Vec<u8>>,
}

impl VerifiedFile {
    /// Opens a file; fails if its size or digest is not the recorded one.
    pub(super) fn open(
        place: &dyn Place,
        file: &DataFile,
        of: FileOf<'_>,
        belongs_to: Option<&str>,
    ) -> Result<Self, ParquetError> {
        let aad_prefix = belongs_to.map(|belongs_to| ParquetEncryption::aad_prefix(belongs_to, &file.name));
        Ok(Self { file: place.open(file, of)?, shown: place.shown(&file.name), aad_prefix })
    }

    /// Reads these columns, the row id last. One reader at a time: they share a place in the file.
    pub(super) fn read(&self, columns: &[SourceColumn], keys: &Arc<FileKeys>) -> Result<LiveReader, ParquetError> {
        let failed = |source| ParquetError::File { path: self.shown.clone(), verb: "read", source };
        let mut file = self.file.try_clone().map_err(failed)?;
        file.rewind().map_err(failed)?;
        let prefix = self.aad_prefix.as_deref();
        let reader = ParquetReader::open_bound(file, &self.shown, columns, keys, prefix, BATCH_ROWS)?;
        Ok(LiveReader { reader, shown: self.shown.clone() })
    }
}

/// The rows of a file that was found to be the recorded one.
pub(super) struct LiveReader {
    reader: ParquetReader,
    shown: String,
}

impl LiveReader {
    /// The next rows. A committed file has no row that does not fit.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, ParquetError> {
        match self.reader.next_batch()? {
            None => Ok(None),
            Some(batch) if batch.broken.is_empty() => Ok(Some(batch.columns)),
            Some(_) => Err(ParquetError::FileChanged { path: self.shown.clone(), what: "content" }),
        }
    }
}
