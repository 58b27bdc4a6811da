//! Rows replaced by key: a file keeps what no later row replaces, and a file without such rows stays as it is.
//!
//! The keys of one run are held in memory, at most [`MERGE_KEYS_MAX`]; everything else streams.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};
use lockgate_model::{ColumnName, RowId};

use super::commit_log::DataFile;
use super::error::ParquetError;
use super::table::LiveReader;
use super::writer::FileWriter;
use crate::arrow_type::arrow_type;
use crate::{SinkColumn, TableSpec};

/// The most keys of one run's merge.
pub(super) const MERGE_KEYS_MAX: usize = 20_000_000;

/// The keys that a run wrote, each with the last row that has it.
pub(super) struct KeyIndex {
    converter: RowConverter,
    key: Vec<SinkColumn>,
    last: HashMap<Box<[u8]>, i64>,
    added: u64,
}

impl KeyIndex {
    pub(super) fn new(spec: &TableSpec) -> Result<Self, ParquetError> {
        let column = |name: &ColumnName| spec.columns().iter().find(|column| column.name == *name).cloned();
        let key: Vec<SinkColumn> = spec.key().iter().filter_map(column).collect();
        let fields = key.iter().map(|column| SortField::new(arrow_type(column.value_type))).collect();
        let converter = RowConverter::new(fields).map_err(writer)?;
        Ok(Self { converter, key, last: HashMap::new(), added: 0 })
    }

    /// The columns of the key.
    pub(super) fn columns(&self) -> &[SinkColumn] {
        &self.key
    }

    /// Takes the keys of rows that are written; each must have one.
    pub(super) fn add(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), ParquetError> {
        let columns = self.columns_of(batch);
        for (column, array) in self.key.iter().zip(&columns) {
            if let Some(row) = (0..array.len()).find(|row| array.is_null(*row))
                && let Some(row_id) = row_ids.get(row)
            {
                return Err(ParquetError::NullKey { column: column.name.clone(), row_id: *row_id });
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
        self.key.iter().filter_map(|column| batch.column_by_name(column.name.as_str()).cloned()).collect()
    }
}

/// Whether a file, of which the key and the row id are read, has a row that is not kept.
pub(super) fn loses_rows(
    mut reader: LiveReader,
    keep: impl Fn(&RecordBatch) -> Result<BooleanArray, ParquetError>,
) -> Result<bool, ParquetError> {
    while let Some(batch) = reader.next()? {
        if keep(&batch)?.true_count() < batch.num_rows() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the rows of a file that are kept into a new one.
pub(super) fn rewrite(
    mut reader: LiveReader,
    mut writer: FileWriter,
    keep: impl Fn(&RecordBatch) -> Result<BooleanArray, ParquetError>,
) -> Result<DataFile, ParquetError> {
    while let Some(batch) = reader.next()? {
        let kept = keep(&batch)?;
        writer.write(&filter_record_batch(&batch, &kept).map_err(self::writer)?)?;
    }
    writer.finish()
}

fn writer(error: arrow::error::ArrowError) -> ParquetError {
    ParquetError::Writer { reason: error.to_string() }
}
