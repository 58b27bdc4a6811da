//! Encrypted Parquet: a file of ours opens for whoever holds the keys of its levels, with any reader that knows the key
//! tools; a file of somebody else's opens with the keys that its dataset declares; and a dataset's new files are all
//! there, under the run's token, or none is.
//!
//! ```text
//! lake/analytics.customers/
//!   00000003-RUN-0000.parquet          live files
//!   _lockgate/commits/00000003.json    what each commit added and removed, and the run's record: the commit point
//!   _lockgate/staging/RUN/             in a folder: files of a run that is not committed; nobody reads them
//! ```
//! Refused: the mode AES-GCM-CTR, whose pages are not authenticated; a file that was moved to another place in the
//! dataset; a column of another type than the commits before.
//!
//! Parquet's own encryption runs in `ring`, outside the validated module; its keys come from `lockgate-crypto`.

pub use encryption::{LevelKey, ParquetEncryption};
pub use error::ParquetError;
pub use keys::{FileKeys, KEY_MATERIAL_BYTES_MAX, KeyProblem};
pub use place::DatasetStore;
pub use reader::{ParquetReader, WantedRowGroups};
pub use row_groups::RowGroups;
pub use sink::{ParquetSink, ParquetTransaction};
pub use table::ParquetTable;
pub use writer::{FILE_ROWS_MAX, ROW_GROUP_ROWS_MAX};

mod commit_log;
mod encryption;
mod error;
mod file_name;
mod fit;
mod keys;
mod merge;
mod place;
mod reader;
mod row_groups;
mod sink;
mod table;
mod writer;
