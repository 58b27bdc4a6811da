//! Tables that others write, as inputs: digested as of one moment, and read as of that same moment.

use std::sync::Arc;

use lockgate_connect::{PostgresSource, SourceColumn, SourceRead, TableDigest, postgres_server};
use lockgate_evidence::{Input, TableState};
use lockgate_model::Failure;
use lockgate_project::{Column, Dataset, SourceTable, StoreLocation};
use lockgate_trust::Site;

use crate::failures;
use crate::inputs::{RunInput, Source};

/// Looks at a table and digests its rows. The transaction that it is seen in stays open until the input is dropped.
pub(crate) fn list_table(site: &Site, dataset: &Dataset, table: &SourceTable) -> Result<RunInput, Failure> {
    let store = &dataset.store.value;
    let Some(StoreLocation::Postgres(location)) = site.stores.get(store).map(|store| &store.location) else {
        return Err(failures::bug(format!("store `{store}` holds no tables")));
    };
    let failed = |error| failures::postgres(store.as_str(), &error);
    let server = postgres_server(site, location)?;
    let columns = dataset.columns.iter().map(|column| column.name.value.clone()).collect();
    let read = SourceRead { table: table.name.value.clone(), columns, key: table.key.clone() };
    let source = PostgresSource::open(&server, read).map_err(failed)?;
    let declared = |column: &Column| SourceColumn {
        name: column.name.value.clone(),
        value_type: column.value_type,
        nullable: column.nullable,
        format: None,
    };
    source.check_types(&dataset.columns.iter().map(declared).collect::<Vec<_>>()).map_err(failed)?;
    let TableDigest { sha256, rows, bytes } = source.digest().map_err(failed)?;
    let read = source.read();
    let entry = Input {
        dataset: dataset.name.value.clone(),
        store: store.clone(),
        path: read.table.to_string(),
        sha256,
        version: None,
        bytes,
        rows: None,
        rows_quarantined: None,
        commit: None,
        table: Some(TableState {
            server: source.address(),
            database: source.database().to_owned(),
            snapshot: source.snapshot().to_owned(),
            rows,
            columns: read.columns.clone(),
            key: read.key.clone(),
        }),
        requarantined: None,
    };
    Ok(RunInput { entry, source: Source::Table(Arc::new(source)) })
}
