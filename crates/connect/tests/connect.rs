//! What the sources and sinks promise, through their public names only.

#[path = "connect/bucket_datasets.rs"]
mod bucket_datasets;
#[path = "connect/csv_files.rs"]
mod csv_files;
#[path = "connect/csv_reference.rs"]
mod csv_reference;
#[path = "connect/postgres.rs"]
mod postgres;
#[path = "connect/postgres_source.rs"]
mod postgres_source;
#[path = "connect/sqlite_read.rs"]
mod sqlite_read;
#[path = "connect/sqlite_write.rs"]
mod sqlite_write;
#[path = "connect/store.rs"]
mod store;
