//! Sources and sinks: what is read is exactly what a digest names, and what is written is there whole or not at all.
//!
//! Everything is synchronous, streams, and keeps to named limits; the caller runs it on a thread of its own.
//!
//! ```text
//! path template ─► files of a store ─► verified bytes ─► CSV ─► record batches ─► SQLite transaction ─► commit
//!                       │                   │             │                             │
//!                       └─ a link that      └─ a file     └─ a broken record is set     └─ any failure leaves the
//!                          leaves the root     that          aside with its position       table as it was
//!                          is refused          changed
//!                                              is refused
//! ```

mod arrow_type;
mod bucket_store;
mod calendar;
mod cells;
mod column_builder;
mod condition;
mod csv;
mod decode;
mod fault;
mod file_store;
mod json_lines;
mod local_store;
mod open_store;
mod parquet;
mod path_template;
mod postgres;
mod source;
mod sqlite;
mod text_error;
mod value_format;
mod values;

pub use arrow_type::arrow_type;
pub use bucket_store::{BucketStore, ObjectVersion};
pub use column_builder::{is_value, parse_value};
pub use csv::{COLUMNS_MAX, CsvOptions, CsvReader, FIELD_BYTES_MAX, RECORD_BYTES_MAX, TextLimits};
pub use decode::decode;
pub use fault::Fault;
pub use file_store::FileStore;
pub use json_lines::JsonLinesReader;
pub use local_store::{LISTED_FILES_MAX, LocalStore, Place, SourceError, StoredFile, VerifiedRead};
pub use open_store::{dataset_store, open_files, postgres_server};
pub use parquet::{
    DatasetStore, FILE_ROWS_MAX, FileKeys, KEY_MATERIAL_BYTES_MAX, KeyProblem, LevelKey, ParquetEncryption,
    ParquetError, ParquetReader, ParquetSink, ParquetTable, ParquetTransaction, ROW_GROUP_ROWS_MAX, RowGroups,
    WantedRowGroups,
};
pub use path_template::{
    BindError, BoundPath, PARAMETER_BYTES_MAX, PathTemplate, TEMPLATE_BYTES_MAX, TemplateError, matches_stars,
};
pub use postgres::{
    BATCH_BYTES_MAX, Logins, PostgresError, PostgresLogin, PostgresRows, PostgresScan, PostgresServer, PostgresSink,
    PostgresSource, PostgresTable, PostgresTransaction, RowKey, SOURCE_BATCH_BYTES_MAX, SOURCE_ROW_BYTES_MAX,
    ServerFacts, SourceDifference, SourceProblem, SourceRead, TableDigest, TlsConfigs,
};
pub use source::{BrokenRecord, RecordPosition, SourceBatch, SourceColumn};
pub use sqlite::{
    BUSY_TIMEOUT, COMMIT_RECORD_BYTES_MAX, CONDITION_BYTES_MAX, CommittedRun, ROW_ID_COLUMN, RUNS_TABLE,
    SCAN_BATCH_BYTES_MAX, SELECTED_ROWS_MAX, SINK_COLUMNS_MAX, Scan, ScannedBatch, SinkColumn, SinkError, SpecError,
    SqliteSink, SqliteTable, SqliteTransaction, TableDifference, TableSpec, WriteMode,
};
pub use text_error::{BreakReason, CsvOptionsError, HeaderError, MissingColumn, TextFileError};
