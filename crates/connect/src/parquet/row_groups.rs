//! What a file says of its row groups before they are read, so that those without a wanted row can be left out; and how
//! many bytes are then read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::Schema;
use lockgate_model::{ColumnName, ValueType};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::fit::fit;
use crate::SourceColumn;

/// The row groups of a file, with their statistics in the declared types.
pub struct RowGroups<'a> {
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) schema: &'a Schema,
    pub(super) declared: &'a [SourceColumn],
}

impl RowGroups<'_> {
    /// How many rows each has.
    pub fn rows(&self) -> UInt64Array {
        let rows = self.metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0));
        rows.collect::<Vec<u64>>().into()
    }

    /// For each row group, a value that no value of the column is below, and one that none is above; null in it where the
    /// file does not say. `None` for columns whose statistics can't be relied on: those of numbers with a fraction leave
    /// out NaN.
    pub fn bounds(&self, column: &ColumnName) -> Option<(ArrayRef, ArrayRef)> {
        let (declared, statistics) = self.statistics(column)?;
        let groups = self.metadata.row_groups();
        let smallest = statistics.row_group_mins(groups).ok()?;
        let largest = statistics.row_group_maxes(groups).ok()?;
        Some((in_type(&smallest, declared)?, in_type(&largest, declared)?))
    }

    /// How many values of the column are null in each row group; null in it where the file does not say.
    pub fn null_counts(&self, column: &ColumnName) -> Option<UInt64Array> {
        self.statistics(column)?.1.row_group_null_counts(self.metadata.row_groups()).ok()
    }

    fn statistics(&self, column: &ColumnName) -> Option<(ValueType, StatisticsConverter<'_>)> {
        let declared = self.declared.iter().find(|declared| declared.name == *column)?.value_type;
        match declared {
            ValueType::Double => return None,
            ValueType::Text
            | ValueType::BigInt
            | ValueType::Integer
            | ValueType::Decimal { .. }
            | ValueType::Boolean
            | ValueType::Date
            | ValueType::Timestamp => {}
        }
        let schema = self.metadata.file_metadata().schema_descr();
        let statistics = StatisticsConverter::try_new(column.as_str(), self.schema, schema).ok()?;
        let index = statistics.parquet_column_index()?;
        // The first kind of statistics compared bytes as if they had a sign.
        let is_unsound = self.metadata.row_groups().iter().any(|group| {
            let chunk = group.column(index);
            let deprecated = chunk.statistics().is_some_and(|statistics| statistics.is_min_max_deprecated());
            deprecated && matches!(chunk.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY)
        });
        (!is_unsound).then(|| (declared, statistics.with_missing_null_counts_as_zero(false)))
    }
}

/// Bounds in the declared type, if they fit it: what values become, their bounds become.
fn in_type(bounds: &ArrayRef, declared: ValueType) -> Option<ArrayRef> {
    let (bounds, misfit) = fit(bounds, declared)?;
    misfit.is_none_or(|misfit| misfit.true_count() == 0).then_some(bounds)
}

/// A file that counts what is read of it.
pub(super) struct CountedFile {
    pub(super) file: File,
    pub(super) bytes: Arc<AtomicU64>,
}

impl Length for CountedFile {
    fn len(&self) -> u64 {
        Length::len(&self.file)
    }
}

impl ChunkReader for CountedFile {
    type T = CountedRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(CountedRead { inner: self.file.get_read(start)?, bytes: Arc::clone(&self.bytes) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        self.file.get_bytes(start, length)
    }
}

/// A part of a file, read in order.
pub(super) struct CountedRead {
    inner: BufReader<File>,
    bytes: Arc<AtomicU64>,
}

impl Read for CountedRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
