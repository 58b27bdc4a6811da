//! A dataset of files that Lockgate wrote, read back: only live files, each the one that was committed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use lockgate_crypto::Sha256Hasher;
use lockgate_model::{DatasetName, RowId, ValueType};

use super::commit_log::{CommitLog, DataFile, file_error};
use super::encryption::ParquetEncryption;
use super::error::ParquetError;
use super::keys::FileKeys;
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
    /// Opens a dataset in a store's folder; fails if it was never committed to.
    pub fn open(store: &Path, dataset: &DatasetName, keys: Arc<FileKeys>) -> Result<Self, ParquetError> {
        let log = CommitLog::load(store, dataset)?;
        if log.commits.is_empty() {
            return Err(ParquetError::NoDataset { dataset: dataset.clone(), path: store.display().to_string() });
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
            folder: self.log.folder.clone(),
            files: self.log.live().into_iter(),
            columns: with_row_id(columns)?,
            keys: Arc::clone(&self.keys),
            open: None,
        })
    }
}

/// The live files of a dataset, one after another.
struct LiveScan {
    folder: PathBuf,
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
                    let (row_ids, columns) = split(&batch, &reader.path)?;
                    return Ok(Some(ScannedBatch { columns, row_ids }));
                }
                self.open = None;
            }
            let Some((file, belongs_to)) = self.files.next() else { return Ok(None) };
            let path = self.folder.join(&file.name);
            self.open = Some(open_live(&path, &file, belongs_to.as_deref(), &self.columns, &self.keys)?);
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

fn split(batch: &RecordBatch, path: &Path) -> Result<(Vec<RowId>, RecordBatch), ParquetError> {
    let changed = || ParquetError::FileChanged { path: path.display().to_string(), what: "row ids" };
    let last = batch.num_columns().checked_sub(1).ok_or_else(changed)?;
    let ids = batch.column(last).as_primitive_opt::<Int64Type>().ok_or_else(changed)?;
    let ids = ids.values().iter().map(|id| RowId::from_i64(*id).map_err(|_| changed())).collect::<Result<_, _>>()?;
    let places: Vec<usize> = (0..last).collect();
    Ok((ids, batch.project(&places).map_err(|_| changed())?))
}

/// A live file that was found to be the committed one.
pub(super) struct LiveReader {
    reader: ParquetReader,
    path: PathBuf,
}

impl LiveReader {
    /// The next rows. A committed file has no row that does not fit.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, ParquetError> {
        match self.reader.next_batch()? {
            None => Ok(None),
            Some(batch) if batch.broken.is_empty() => Ok(Some(batch.columns)),
            Some(_) => Err(ParquetError::FileChanged { path: self.path.display().to_string(), what: "content" }),
        }
    }
}

/// Opens a live file for these columns, the row id last; fails if its size or digest is not the committed one.
pub(super) fn open_live(
    path: &Path,
    committed: &DataFile,
    belongs_to: Option<&str>,
    columns: &[SourceColumn],
    keys: &Arc<FileKeys>,
) -> Result<LiveReader, ParquetError> {
    let mut file = File::open(path).map_err(file_error(path, "read"))?;
    let changed = |what| ParquetError::FileChanged { path: path.display().to_string(), what };
    if file.metadata().map_err(file_error(path, "read"))?.len() != committed.bytes {
        return Err(changed("size"));
    }
    if digest(&mut file).map_err(file_error(path, "read"))? != committed.sha256 {
        return Err(changed("SHA-256"));
    }
    file.rewind().map_err(file_error(path, "read"))?;
    let prefix = belongs_to.map(|belongs_to| ParquetEncryption::aad_prefix(belongs_to, &committed.name));
    let shown = path.display().to_string();
    let reader = ParquetReader::open_bound(file, path, &shown, columns, keys, prefix.as_deref(), BATCH_ROWS)?;
    Ok(LiveReader { reader, path: path.to_path_buf() })
}

fn digest(file: &mut File) -> io::Result<lockgate_model::Sha256Digest> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
