//! An event that this crate builds has the shape that OpenLineage's schemas demand: core 2-0-2 and each facet in the
//! version that it names.
//!
//! ```text
//! datasets by the naming rules ─► facets ─► RunEvent ─► JSON
//! OPENLINEAGE_* ─► Settings: where events go
//! ```
//! Plain data: nothing here is sent, and nothing is read from a disk.
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

mod event;
mod facet;
mod naming;
mod settings;

pub use event::{Dataset, EventType, Facets, Job, JobEvent, Run, RunEvent, uuid_v7};
pub use facet::{
    ColumnInput, Facet, LOCKGATE_RUN_FACET_SCHEMA, LockgateRun, PRODUCER, ProtectedColumn, SchemaField, TagField,
    column_lineage, data_quality_assertions, data_source, dataset_version, error_message, input_statistics, job_type,
    lifecycle_state_change, nominal_time, output_statistics, parent, processing_engine, schema, sql, storage, tags,
};
pub use naming::DatasetId;
pub use settings::{ApiKey, DEFAULT_ENDPOINT, Http, NESTED_TRANSPORTS_MAX, Settings, SettingsError, Transport};
