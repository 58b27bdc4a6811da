//! Rows replaced by key: a file keeps what no later row replaces, and a file without such rows stays as it is.
//!
//! The keys of one run are held in memory, at most [`MERGE_KEYS_MAX`]; everything else streams.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};
use lockgate_model::{ColumnName, RowId};

use super::commit_log::DataFile;
use super::error::ParquetError;
use super::table::LiveReader;
use super::writer::{FileWriter, Format};
use crate::TableSpec;
use crate::arrow_type::arrow_type;

/// The most keys of one run's merge.
pub(super) const MERGE_KEYS_MAX: usize = 20_000_000;

/// The keys that a run wrote, each with the last row that has it.
pub(super) struct KeyIndex {
    converter: RowConverter,
    key: Vec<(ColumnName, usize)>,
    last: HashMap<Box<[u8]>, i64>,
    added: u64,
}

impl KeyIndex {
    pub(super) fn new(spec: &TableSpec) -> Result<Self, ParquetError> {
        let place = |name: &ColumnName| spec.columns().iter().position(|column| column.name == *name);
        let key: Vec<_> = spec.key().iter().filter_map(|name| Some((name.clone(), place(name)?))).collect();
        let fields = key
            .iter()
            .filter_map(|(_, place)| spec.columns().get(*place))
            .map(|column| SortField::new(arrow_type(column.value_type)))
            .collect();
        let converter = RowConverter::new(fields).map_err(writer)?;
        Ok(Self { converter, key, last: HashMap::new(), added: 0 })
    }

    /// Takes the keys of rows that are written; each must have one.
    pub(super) fn add(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), ParquetError> {
        let columns = self.columns_of(batch);
        for ((column, _), array) in self.key.iter().zip(&columns) {
            if let Some(row) = (0..array.len()).find(|row| array.is_null(*row))
                && let Some(row_id) = row_ids.get(row)
            {
                return Err(ParquetError::NullKey { column: column.clone(), row_id: *row_id });
            }
        }
        let rows = self.converter.convert_columns(&columns).map_err(writer)?;
        for (row, id) in rows.iter().zip(row_ids) {
            self.last.insert(row.as_ref().into(), id.to_i64());
        }
        if self.last.len() > MERGE_KEYS_MAX {
            return Err(ParquetError::TooManyKeys { most: MERGE_KEYS_MAX });
        }
        self.added += row_ids.len() as u64;
        Ok(())
    }

    /// Whether two rows of the run had one key.
    pub(super) fn has_duplicates(&self) -> bool {
        self.added > self.last.len() as u64
    }

    /// Of the run's own rows: those that are the last with their key.
    pub(super) fn newest_of_run(&self, batch: &RecordBatch) -> Result<BooleanArray, ParquetError> {
        let ids = batch.columns().last().and_then(|ids| ids.as_primitive_opt::<Int64Type>().cloned());
        let ids = ids.ok_or_else(|| ParquetError::Writer { reason: "a file without row ids".to_owned() })?;
        let rows = self.converter.convert_columns(&self.columns_of(batch)).map_err(writer)?;
        Ok(rows.iter().zip(ids.values()).map(|(row, id)| Some(self.last.get(row.as_ref()) == Some(id))).collect())
    }

    /// Of rows that were there: those whose key the run did not write.
    pub(super) fn untouched(&self, batch: &RecordBatch) -> Result<BooleanArray, ParquetError> {
        let rows = self.converter.convert_columns(&self.columns_of(batch)).map_err(writer)?;
        Ok(rows.iter().map(|row| Some(!self.last.contains_key(row.as_ref()))).collect())
    }

    fn columns_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.key.iter().filter_map(|(_, place)| batch.columns().get(*place).cloned()).collect()
    }
}

/// Writes the rows of a file that are kept into a new one. `None`, and no new file, where all are.
pub(super) fn rewrite(
    mut reader: LiveReader,
    staged: &Path,
    name: &str,
    format: &Format,
    keep: impl Fn(&RecordBatch) -> Result<BooleanArray, ParquetError>,
) -> Result<Option<DataFile>, ParquetError> {
    let mut writer = FileWriter::create(staged, name, format)?;
    let mut dropped = 0;
    while let Some(batch) = reader.next()? {
        let kept = keep(&batch)?;
        dropped += kept.len() - kept.true_count();
        writer.write(&filter_record_batch(&batch, &kept).map_err(self::writer)?)?;
    }
    let written = writer.finish()?;
    if dropped == 0 {
        std::fs::remove_file(staged).map_err(super::commit_log::file_error(staged, "removed"))?;
        return Ok(None);
    }
    Ok(Some(DataFile { name: name.to_owned(), bytes: written.bytes, sha256: written.sha256, rows: written.rows }))
}

fn writer(error: arrow::error::ArrowError) -> ParquetError {
    ParquetError::Writer { reason: error.to_string() }
}
