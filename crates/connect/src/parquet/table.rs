//! A dataset of files that Lockgate wrote, read back: only live files, each the one that was committed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use lockgate_crypto::Sha256Hasher;
use lockgate_model::{ColumnName, DatasetName, RowId, ValueType};

use super::commit_log::{CommitLog, DataFile, file_error};
use super::encryption::ParquetEncryption;
use super::error::ParquetError;
use super::keys::FileKeys;
use super::reader::ParquetReader;
use super::sink::ParquetCommit;
use crate::{CsvColumn, ROW_ID_COLUMN, ScannedBatch, SinkColumn};

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
    pub fn commits(&self) -> Vec<ParquetCommit> {
        let commit = |commit: &super::commit_log::LoggedCommit| ParquetCommit {
            run: commit.run.clone(),
            commit_ordinal: commit.commit,
            rows: commit.rows,
            record: commit.record.clone(),
        };
        self.log.commits.iter().map(commit).collect()
    }

    /// The columns, without the row id; older files may lack some.
    pub fn columns(&self) -> Vec<SinkColumn> {
        let columns = self.log.columns().into_iter();
        columns.map(|column| SinkColumn { name: column.name, value_type: column.value_type }).collect()
    }

    /// Reads the named columns of all live rows, file by file; each file is found to be the committed one first.
    pub fn scan(&self, columns: &[SinkColumn]) -> impl Iterator<Item = Result<ScannedBatch, ParquetError>> {
        let schema = crate::arrow_type::schema_of(columns.iter().map(|column| (&column.name, column.value_type)));
        LiveScan {
            folder: self.log.folder.clone(),
            files: self.log.live().into_iter(),
            schema: with_row_id(&schema),
            keys: Arc::clone(&self.keys),
            open: None,
        }
    }
}

/// The live files of a dataset, one after another.
struct LiveScan {
    folder: PathBuf,
    files: std::vec::IntoIter<(DataFile, Option<String>)>,
    schema: SchemaRef,
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
            self.open = Some(open_live(&path, &file, belongs_to.as_deref(), &self.schema, &self.keys)?);
        }
    }
}

impl Iterator for LiveScan {
    type Item = Result<ScannedBatch, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

fn with_row_id(schema: &SchemaRef) -> SchemaRef {
    let row_id = arrow::datatypes::Field::new(ROW_ID_COLUMN, arrow::datatypes::DataType::Int64, false);
    let fields: Vec<_> = schema.fields().iter().cloned().chain([Arc::new(row_id)]).collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
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

/// Opens a live file for the columns of a schema, the row id last; fails if its size or digest is not the committed one.
pub(super) fn open_live(
    path: &Path,
    committed: &DataFile,
    belongs_to: Option<&str>,
    schema: &SchemaRef,
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
    let declared = schema.fields().iter().map(|field| declared(field)).collect::<Option<Vec<_>>>();
    let declared = declared.ok_or_else(|| ParquetError::Writer { reason: "a column without a type".to_owned() })?;
    let prefix = belongs_to.map(|belongs_to| ParquetEncryption::aad_prefix(belongs_to, &committed.name));
    let shown = path.display().to_string();
    let reader = ParquetReader::open_bound(file, path, &shown, &declared, keys, prefix.as_deref(), BATCH_ROWS)?;
    Ok(LiveReader { reader, path: path.to_path_buf() })
}

fn declared(field: &arrow::datatypes::Field) -> Option<CsvColumn> {
    let name: ColumnName = field.name().parse().ok()?;
    let value_type: ValueType = super::fit::natural_type(field.data_type())?;
    Some(CsvColumn { name, value_type, nullable: field.is_nullable(), format: None })
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
