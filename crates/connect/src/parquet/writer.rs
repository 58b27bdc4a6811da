//! One Parquet file, written in bounded memory, synced and digested.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use lockgate_crypto::Sha256Hasher;
use lockgate_model::ColumnName;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::commit_log::DataFile;
use super::encryption::ParquetEncryption;
use super::error::ParquetError;
use super::place::NewFile;
use crate::arrow_type::arrow_type;
use crate::bucket_store::OBJECT_BYTES_MAX;
use crate::{SourceColumn, SourceError};

/// The most rows of one file; a run with more writes several.
pub const FILE_ROWS_MAX: u64 = 10_000_000;
/// A file ends when it holds so much, in bytes, since an object has its limit.
pub(super) const FILE_BYTES_MAX: u64 = 40 * 1024 * 1024 * 1024;
// A row group and a footer may follow.
const _: () = assert!(FILE_BYTES_MAX + FILE_BYTES_MAX / 8 <= OBJECT_BYTES_MAX);
/// The most rows of one row group.
pub const ROW_GROUP_ROWS_MAX: usize = 128 * 1024;
/// A row group ends when it holds so much, in bytes.
const ROW_GROUP_BYTES_MAX: usize = 12 * 1024 * 1024;

/// How files of a run are written.
#[derive(Clone)]
pub(super) struct Format {
    /// The columns, the row id last.
    pub(super) schema: SchemaRef,
    /// Protected columns, of which no statistics are kept.
    pub(super) without_statistics: BTreeSet<ColumnName>,
    pub(super) encryption: Option<ParquetEncryption>,
}

/// The schema of a file that holds these columns.
pub(super) fn schema_of_file(columns: &[SourceColumn]) -> SchemaRef {
    let field =
        |column: &SourceColumn| Field::new(column.name.as_str(), arrow_type(column.value_type), column.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Writes one file.
pub(super) struct FileWriter {
    writer: ArrowWriter<Digesting<Box<dyn NewFile>>>,
    name: String,
    path: String,
    rows: u64,
}

impl FileWriter {
    /// Begins a file in a place; `name` is the name under which it will be live, `shown` how messages name it.
    pub(super) fn create(
        file: Box<dyn NewFile>,
        shown: &str,
        name: &str,
        format: &Format,
    ) -> Result<Self, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("lockgate {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            .set_bloom_filter_enabled(false);
        for column in &format.without_statistics {
            let path = ColumnPath::new(vec![column.as_str().to_owned()]);
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        if let Some(encryption) = &format.encryption {
            properties = properties.with_file_encryption_properties(encryption.of_file(name)?);
        }
        let sink = Digesting { inner: file, hasher: Sha256Hasher::new(), bytes: 0 };
        let writer = ArrowWriter::try_new(sink, format.schema.clone(), Some(properties.build()))
            .map_err(|error| refused(shown, error))?;
        Ok(Self { writer, name: name.to_owned(), path: shown.to_owned(), rows: 0 })
    }

    /// Whether the next rows belong into another file.
    pub(super) fn is_full(&self) -> bool {
        is_full(self.rows, self.writer.bytes_written() as u64)
    }

    /// Appends rows of the format's schema.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.writer.write(batch).map_err(|error| refused(&self.path, error))?;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES_MAX {
            self.writer.flush().map_err(|error| refused(&self.path, error))?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Ends the file; it is durable when this returns.
    pub(super) fn finish(self) -> Result<DataFile, ParquetError> {
        let Self { writer, name, path, rows } = self;
        let digesting = writer.into_inner().map_err(|error| refused(&path, error))?;
        digesting.inner.finish().map_err(|source| not_written(&path, source))?;
        Ok(DataFile { name, bytes: digesting.bytes, sha256: digesting.hasher.finish(), rows })
    }
}

fn is_full(rows: u64, bytes: u64) -> bool {
    rows >= FILE_ROWS_MAX || bytes >= FILE_BYTES_MAX
}

/// What a place says comes as it is; of anything else the file is named.
fn not_written(path: &str, source: io::Error) -> ParquetError {
    match source.downcast::<SourceError>() {
        Ok(told) => told.into(),
        Err(source) => ParquetError::File { path: path.to_owned(), verb: "written", source },
    }
}

fn refused(path: &str, error: parquet::errors::ParquetError) -> ParquetError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(source) => not_written(path, *source),
            Err(other) => ParquetError::Writer { reason: other.to_string() },
        },
        other => ParquetError::Writer { reason: other.to_string() },
    }
}

/// Digests what goes through it.
struct Digesting<W> {
    inner: W,
    hasher: Sha256Hasher,
    bytes: u64,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_at_its_rows_and_at_its_bytes() {
        for (rows, bytes, full) in
            [(FILE_ROWS_MAX - 1, FILE_BYTES_MAX - 1, false), (FILE_ROWS_MAX, 0, true), (0, FILE_BYTES_MAX, true)]
        {
            assert_eq!(is_full(rows, bytes), full, "{rows} {bytes}");
        }
    }
}
