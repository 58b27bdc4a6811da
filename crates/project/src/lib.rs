//! A [`Project`] that this crate returns was read whole and holds together: every name in it refers to something.
//!
//! The files of a project (`lockgate.yaml`, `catalog/*.yaml`, `pipelines/*.yaml`) are parsed strictly. What is wrong
//! anywhere is reported with its code, file, line, column, the offending text and what to write instead; all problems
//! of all files at once.
//!
//! ```text
//! files ─yaml─► nodes with spans ─decode─► raw files ─load─► Project (names resolved, levels joined)
//!   └─────────────┴─────────────────────────┴─ refused: Diagnostics ─► text, SARIF
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo
    )
)]

mod check_policies;
mod code;
mod diagnostic;
mod load;
mod order;
mod params;
mod policies;
mod project;
mod raw;
mod render;
mod sarif;
mod schema;
mod services;
mod source;
mod source_table;
mod suggest;
mod table_list;
mod view;
mod yaml;
mod yaml_value;

pub use check_policies::{CHECKED_REQUESTS_MAX, POLICY_EXPIRY_DAYS, check_policies};
pub use code::Code;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Diagnostics, Label, Severity};
pub use load::{
    CATALOG_DIR, PIPELINES_DIR, POLICIES_DIR, PROJECT_FILE, PROJECT_FILES_MAX, Rejected, VIEWS_DIR, find_root,
};
pub use params::{PARAM_VALUE_BYTES_MAX, bind_given_params, bind_params};
pub use policies::{
    DEFAULT_DATABASE, POLICIES_MAX, POLICY_DOCUMENT_BYTES_MAX, POLICY_ITEMS_MAX, Policies, PolicyMask, PolicyOrigin,
    PolicyPart, PolicyResource, UNSEAL_ACCESS, has_dataset_levels, policy_resource,
};
pub use project::{
    At, Bind, COLUMNS_PER_DATASET_MAX, Column, CsvDialect, Dataset, DatasetFormat, DatasetSource,
    EXPECTED_DURATION_S_MAX, FileSource, Identity, KeyServices, KeySettings, LedgerConfig, LedgerLocation,
    LineageSettings, LineageTarget, Output, PATH_BYTES_MAX, Param, ParamType, ParquetOptions, PathTemplate, Pipeline,
    Project, ProtectRule, RuleMatch, SecretRef, Store, StoreLocation, WriteMode,
};
pub use render::{Colour, render};
pub use sarif::to_sarif;
pub use schema::schemas;
pub use services::{
    AssertionAlgorithm, AwsCredentials, AwsSettings, ClientAuthentication, DatabaseLogin, JwtSource, KeyService,
    OAuthClient, PostgresLocation, S3Location, TlsIdentity, TlsSettings, VaultDatabaseRole, VaultLogin, VaultSettings,
};
pub use source::{FileId, PROJECT_FILE_BYTES_MAX, SourceFiles, Span};
pub use source_table::{KEY_COLUMNS_MAX, SourceTable, SourceTableName, SourceTableNameError};
pub use suggest::nearest;
pub use table_list::{LISTED_TABLES_MAX, ListedColumn, ListedTable, table_list};
pub use view::View;
pub use yaml::{EXPANDED_BYTES_MAX, YAML_DEPTH_MAX, YAML_VALUES_MAX};
pub use yaml_value::yaml_value;
