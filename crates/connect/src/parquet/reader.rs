//! A Parquet file's declared columns by name, batch by batch; rows that do not fit their declaration are set aside.
//!
//! ```text
//! catalog: id, email, city        file: email, id, extra        rows: id, email, city = null
//! refused: a column of another kind; a column that must have values and is not there
//! ```

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lockgate_model::{ColumnName, Sha256Digest, ValueType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};

use super::error::ParquetError;
use super::fit::{absent, fit, is_of_kind, natural_type};
use super::keys::{External, FileKeys, KEY_MATERIAL_BYTES_MAX, decryption};
use super::row_groups::{CountedFile, RowGroups};
use crate::arrow_type::schema_of;
use crate::{
    BreakReason, BrokenRecord, BucketStore, FileStore, RecordPosition, SourceBatch, SourceColumn, SourceError,
    StoredFile,
};

/// Reads one Parquet file.
pub struct ParquetReader {
    batches: ParquetRecordBatchReader,
    path: String,
    schema: SchemaRef,
    columns: Vec<Declared>,
    /// The rows that are read and were not handed out yet: the first of each stretch in the file, and how many.
    ahead: VecDeque<(u64, u64)>,
    rows: u64,
    bytes: Arc<AtomicU64>,
}

/// Says of each row group of a file whether any of its rows may be wanted.
pub type WantedRowGroups<'a> = &'a dyn Fn(&RowGroups<'_>) -> Vec<bool>;

struct Declared {
    column: SourceColumn,
    /// Its place in the batches of the file; absent where the file has no such column.
    place: Option<usize>,
}

impl ParquetReader {
    /// Opens a file for reading the declared columns, `batch_rows` at a time. `absolute` is where it lies, for key
    /// material beside it; `shown` is how messages name it.
    pub fn open(
        file: File,
        absolute: &Path,
        shown: &str,
        declared: &[SourceColumn],
        keys: &Arc<FileKeys>,
        batch_rows: usize,
    ) -> Result<Self, ParquetError> {
        let beside = beside_file(absolute, shown)?;
        Self::open_with(file, shown, declared, (keys, beside, None), batch_rows, None)
    }

    /// Opens a file of a store for reading the declared columns, `batch_rows` at a time. An object is copied into a file
    /// of this machine first, and found to have the expected digest. Row groups that are not wanted are left out; the
    /// positions of rows are those in the whole file.
    pub fn open_stored(
        (store, stored): (&FileStore, &StoredFile),
        expected: Sha256Digest,
        declared: &[SourceColumn],
        keys: &Arc<FileKeys>,
        batch_rows: usize,
        wanted: Option<WantedRowGroups<'_>>,
    ) -> Result<Self, ParquetError> {
        let shown = stored.path.as_str();
        let (file, beside) = match store {
            FileStore::Local(_) => {
                let path = stored.local().ok_or_else(|| damaged(shown, "it is no file"))?;
                let unreadable = |source| SourceError::Unreadable { path: shown.to_owned(), source };
                (File::open(path).map_err(unreadable)?, beside_file(path, shown)?)
            }
            FileStore::Bucket(bucket) => (bucket.spool(stored, expected)?, beside_object(bucket, shown, keys)?),
        };
        Self::open_with(file, shown, declared, (keys, beside, None), batch_rows, wanted)
    }

    /// The columns of a file that a dataset can declare, each with the type that holds all of its values.
    pub fn columns_of(
        file: &File,
        absolute: &Path,
        shown: &str,
        keys: &Arc<FileKeys>,
    ) -> Result<Vec<SourceColumn>, ParquetError> {
        let metadata = metadata_of(file, shown, (keys, beside_file(absolute, shown)?, None))?;
        let column = |field: &arrow::datatypes::FieldRef| {
            let name: ColumnName = field.name().parse().ok()?;
            let value_type = natural_type(field.data_type())?;
            Some(SourceColumn { name, value_type, nullable: field.is_nullable(), format: None })
        };
        Ok(metadata.schema().fields().iter().filter_map(column).collect())
    }

    /// Opens a file of ours, whose key material lies in it, demanding that it was written with this AAD prefix.
    pub(super) fn open_bound(
        file: File,
        shown: &str,
        declared: &[SourceColumn],
        keys: &Arc<FileKeys>,
        aad_prefix: Option<&[u8]>,
        batch_rows: usize,
    ) -> Result<Self, ParquetError> {
        let beside = External { path: material_name(shown), content: None };
        Self::open_with(file, shown, declared, (keys, beside, aad_prefix), batch_rows, None)
    }

    fn open_with(
        file: File,
        shown: &str,
        declared: &[SourceColumn],
        keys: Keys<'_>,
        batch_rows: usize,
        wanted: Option<WantedRowGroups<'_>>,
    ) -> Result<Self, ParquetError> {
        let metadata = metadata_of(&file, shown, keys)?;
        let (places, columns) = place_columns(metadata.schema(), declared, shown)?;
        let groups = RowGroups { metadata: metadata.metadata(), schema: metadata.schema(), declared };
        let of_group = groups.rows().values().to_vec();
        let verdicts = wanted.map_or_else(Vec::new, |wanted| {
            // Statistics that can't be made sense of leave nothing out.
            catch_unwind(AssertUnwindSafe(|| wanted(&groups))).unwrap_or_default()
        });
        let (mut kept, mut ahead, mut first) = (Vec::new(), VecDeque::new(), 0);
        for (index, rows) in of_group.into_iter().enumerate() {
            if verdicts.get(index).copied().unwrap_or(true) {
                kept.push(index);
                ahead.push_back((first, rows));
            }
            first = u64::saturating_add(first, rows);
        }
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = CountedFile { file, bytes: Arc::clone(&bytes) };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(counted, metadata).with_row_groups(kept);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let batches = guarded(shown, || builder.with_projection(mask).with_batch_size(batch_rows.max(1)).build())?;
        let schema = schema_of(declared.iter().map(|column| (&column.name, column.value_type)));
        Ok(Self { batches, path: shown.to_owned(), schema, columns, ahead, rows: 0, bytes })
    }

    /// The next rows; `None` at the end. Positions count rows; a Parquet file has no lines.
    pub fn next_batch(&mut self) -> Result<Option<SourceBatch>, ParquetError> {
        let batches = &mut self.batches;
        let next = catch_unwind(AssertUnwindSafe(|| batches.next()))
            .map_err(|_| damaged(&self.path, "its parts contradict one another"))?;
        match next {
            None => Ok(None),
            Some(Ok(batch)) => self.fit_batch(&batch).map(Some),
            Some(Err(error)) => Err(match error {
                arrow::error::ArrowError::ExternalError(inner) => {
                    match inner.downcast_ref::<parquet::errors::ParquetError>() {
                        Some(error) => ParquetError::of_reader(&self.path, error),
                        None => damaged(&self.path, &inner.to_string()),
                    }
                }
                other => {
                    ParquetError::of_reader(&self.path, &parquet::errors::ParquetError::General(other.to_string()))
                }
            }),
        }
    }

    /// The rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes of values read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The places in the file of the next rows.
    fn take_places(&mut self, rows: usize) -> Result<Vec<u64>, ParquetError> {
        let mut places = Vec::with_capacity(rows);
        while places.len() < rows {
            let Some((first, left)) = self.ahead.front_mut() else {
                return Err(damaged(&self.path, "it has more rows than it says"));
            };
            let taken = (*left).min((rows - places.len()) as u64);
            places.extend(*first..*first + taken);
            (*first, *left) = (*first + taken, *left - taken);
            if *left == 0 {
                self.ahead.pop_front();
            }
        }
        Ok(places)
    }

    fn fit_batch(&mut self, batch: &RecordBatch) -> Result<SourceBatch, ParquetError> {
        let rows = batch.num_rows();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let mut reasons: Vec<Option<BreakReason>> = Vec::new();
        for Declared { column, place } in &self.columns {
            let (array, misfit) = match place.and_then(|place| batch.columns().get(place)) {
                None => (absent(column.value_type, rows), None),
                Some(values) => fit(values, column.value_type)
                    .ok_or_else(|| damaged(&self.path, "a column is of another type than its schema says"))?,
            };
            if let Some(misfit) = &misfit {
                note(&mut reasons, rows, |row| misfit.value(row).then(|| column.not_of_type()));
            }
            if !column.nullable && array.null_count() > 0 {
                let reason = || BreakReason::Absent { column: column.name.clone() };
                note(&mut reasons, rows, |row| array.is_null(row).then(reason));
            }
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| damaged(&self.path, &error.to_string()))?;
        self.rows += rows as u64;
        let positions = self.take_places(rows)?.into_iter().map(|row| RecordPosition { row, line: None });
        if reasons.is_empty() {
            return Ok(SourceBatch { columns, positions: positions.collect(), broken: Vec::new() });
        }
        let kept: BooleanArray = reasons.iter().map(|reason| Some(reason.is_none())).collect();
        let columns = filter_record_batch(&columns, &kept).map_err(|error| damaged(&self.path, &error.to_string()))?;
        let (mut whole, mut broken) = (Vec::new(), Vec::new());
        for (row, (position, reason)) in positions.zip(reasons).enumerate() {
            match reason {
                None => whole.push(position),
                Some(reason) => broken.push(BrokenRecord { position, reason, raw: raw_row(batch, row) }),
            }
        }
        Ok(SourceBatch { columns, positions: whole, broken })
    }
}

/// Notes the first reason for each row.
fn note(reasons: &mut Vec<Option<BreakReason>>, rows: usize, of_row: impl Fn(usize) -> Option<BreakReason>) {
    reasons.resize_with(rows, || None);
    for (row, reason) in reasons.iter_mut().enumerate() {
        if reason.is_none() {
            *reason = of_row(row);
        }
    }
}

/// The declared columns' values of a row as one JSON object of texts, for the quarantine.
fn raw_row(batch: &RecordBatch, row: usize) -> Vec<u8> {
    let options = FormatOptions::new().with_null("");
    let mut values = serde_json::Map::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let text = ArrayFormatter::try_new(array.as_ref(), &options).map(|text| text.value(row).to_string());
        let value = if array.is_null(row) { serde_json::Value::Null } else { text.unwrap_or_default().into() };
        values.insert(field.name().clone(), value);
    }
    serde_json::Value::Object(values).to_string().into_bytes()
}

/// The places of the wanted columns in the file, and where each declared column finds its values in a batch.
fn place_columns(
    found: &Schema,
    declared: &[SourceColumn],
    shown: &str,
) -> Result<(Vec<usize>, Vec<Declared>), ParquetError> {
    let places: Vec<Option<usize>> =
        declared.iter().map(|column| found.fields().iter().position(|f| f.name() == column.name.as_str())).collect();
    for (column, place) in declared.iter().zip(&places) {
        match place.and_then(|place| found.fields().get(place)) {
            None if column.nullable => {}
            None => {
                let names = found.fields().iter().map(|field| field.name().as_str());
                let near = names
                    .map(|name| (strsim::jaro_winkler(name, column.name.as_str()), name))
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|(similarity, _)| *similarity > 0.8)
                    .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
                return Err(ParquetError::MissingColumn { path: shown.to_owned(), column: column.name.clone(), near });
            }
            Some(field) if is_of_kind(field.data_type(), column.value_type) => {}
            Some(field) => {
                return Err(ParquetError::ColumnType {
                    path: shown.to_owned(),
                    column: column.name.clone(),
                    found: natural_type(field.data_type())
                        .map_or_else(|| field.data_type().to_string(), |natural: ValueType| natural.to_string()),
                    declared: column.value_type.to_string(),
                });
            }
        }
    }
    let mut wanted: Vec<usize> = places.iter().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let columns = declared
        .iter()
        .zip(places)
        .map(|(column, place)| Declared {
            column: column.clone(),
            place: place.and_then(|place| wanted.binary_search(&place).ok()),
        })
        .collect();
    Ok((wanted, columns))
}

/// What opens a file: keys, the key material beside it, and the AAD prefix that is demanded.
type Keys<'a> = (&'a Arc<FileKeys>, External, Option<&'a [u8]>);

fn metadata_of(
    file: &File,
    shown: &str,
    (keys, beside, aad_prefix): Keys<'_>,
) -> Result<ArrowReaderMetadata, ParquetError> {
    guarded(shown, || {
        let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        // Without keys a plain file is read, and an encrypted one says that it is.
        if !keys.is_empty() {
            options = options.with_file_decryption_properties(decryption(keys, beside, aad_prefix)?);
        }
        ArrowReaderMetadata::load(file, options)
    })
}

/// The name of the key material of a file, in the folder that the file is in.
fn material_name(file: &str) -> String {
    format!("_KEY_MATERIAL_FOR_{}.json", file.rsplit('/').next().unwrap_or(file))
}

/// The key material beside a file of this machine.
fn beside_file(file: &Path, shown: &str) -> Result<External, ParquetError> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = material_name(&name);
    let path = file.with_file_name(&name);
    let read = || match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() <= KEY_MATERIAL_BYTES_MAX => std::fs::read(&path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let content = read().map_err(|source| ParquetError::File { path: shown.to_owned(), verb: "read", source })?;
    Ok(External { path: name, content })
}

/// The key material beside an object, which is asked for only where there are keys that it could lead to.
fn beside_object(bucket: &BucketStore, object: &str, keys: &FileKeys) -> Result<External, ParquetError> {
    let name = material_name(object);
    if keys.is_empty() {
        return Ok(External { path: name, content: None });
    }
    let path = object.rsplit_once('/').map_or_else(|| name.clone(), |(folder, _)| format!("{folder}/{name}"));
    let content = bucket.read(&path, KEY_MATERIAL_BYTES_MAX)?;
    Ok(External { path: name, content: content.map(Vec::from) })
}

/// What Parquet's reader gives, its errors told as ours; a file that makes it panic is a damaged one.
fn guarded<T>(shown: &str, read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, ParquetError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(ParquetError::of_reader(shown, &error)),
        Err(_) => Err(damaged(shown, "its parts contradict one another")),
    }
}

fn damaged(path: &str, reason: &str) -> ParquetError {
    ParquetError::Damaged { path: path.to_owned(), reason: reason.chars().take(200).collect() }
}
