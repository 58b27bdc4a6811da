//! Integer columns in a Parquet file: the common shape of provenance segments and line indexes.
//!
//! All columns are required 64-bit integers, delta-coded (DELTA_BINARY_PACKED) and compressed with zstd. Reading
//! refuses other columns, nulls, and more than [`SEGMENT_RANGES_MAX`] rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// The most ranges that one segment may hold.
pub const SEGMENT_RANGES_MAX: usize = 1 << 28;

/// Why bytes are not a segment.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The Parquet file is damaged.
    #[error("the segment cannot be read: {0}")]
    Unreadable(#[from] ParquetError),
    /// A batch of it is damaged.
    #[error("the segment cannot be read: {0}")]
    Damaged(#[from] ArrowError),
    /// Other columns than its format says.
    #[error("the segment has other columns than its format says")]
    Columns,
    /// More than [`SEGMENT_RANGES_MAX`] ranges.
    #[error("the segment holds more than {SEGMENT_RANGES_MAX} ranges")]
    TooLarge,
    /// Ranges overlap, go backwards or are negative.
    #[error("range {0} of the segment does not follow the one before it")]
    OutOfOrder(usize),
}

/// Writes columns of equal length under these names.
pub(crate) fn write<const N: usize>(names: [&str; N], columns: [Vec<i64>; N]) -> Result<Vec<u8>, SegmentError> {
    // What can't be read back is not written: the run fails before it commits.
    if columns.iter().any(|column| column.len() > SEGMENT_RANGES_MAX) {
        return Err(SegmentError::TooLarge);
    }
    let schema = schema(names);
    let arrays = columns.into_iter().map(|column| Arc::new(Int64Array::from(column)) as ArrayRef).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("lockgate".into())
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

/// Reads columns back; they are of equal length.
pub(crate) fn read<const N: usize>(names: [&str; N], bytes: Vec<u8>) -> Result<[Vec<i64>; N], SegmentError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    if builder.schema().fields() != schema(names).fields() {
        return Err(SegmentError::Columns);
    }
    let mut columns = [const { Vec::new() }; N];
    for batch in builder.build()? {
        let batch = batch?;
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            let array = array.as_primitive_opt::<Int64Type>().ok_or(SegmentError::Columns)?;
            if array.null_count() > 0 {
                return Err(SegmentError::Columns);
            }
            if column.len() + array.len() > SEGMENT_RANGES_MAX {
                return Err(SegmentError::TooLarge);
            }
            column.extend_from_slice(array.values());
        }
    }
    Ok(columns)
}

fn schema<const N: usize>(names: [&str; N]) -> Arc<Schema> {
    let fields: Vec<_> = names.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect();
    Arc::new(Schema::new(fields))
}
