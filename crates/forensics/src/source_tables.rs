//! Tables that others write, looked at again: whether one is still what was read, and if so which key a row has.

use std::collections::BTreeMap;

use lockgate_connect::{PostgresError, PostgresSource, SourceProblem, SourceRead, postgres_server};
use lockgate_evidence::{Input, TableState};
use lockgate_model::{ColumnName, DatasetName, Failure, StoreName};
use lockgate_project::StoreLocation;
use lockgate_trust::Site;

use crate::trace::{KeyColumn, SourceRecord, SourceState};

/// A state of a table: its store, its name, its digest.
type Which = (StoreName, String, lockgate_model::Sha256Digest);

/// The tables that were looked at.
#[derive(Default)]
pub(crate) struct SourceTables(BTreeMap<Which, Looked>);

struct Looked {
    state: SourceState,
    /// Held open where the table is what was read, so that it stays so.
    source: Option<PostgresSource>,
}

impl SourceTables {
    /// Whether a table still has the rows that were read. Reads all of them, once for each state of it.
    pub(crate) fn state_of(&mut self, site: &Site, input: &Input, table: &TableState) -> SourceState {
        let which = (input.store.clone(), input.path.clone(), input.sha256);
        self.0.entry(which).or_insert_with(|| look(site, input, table)).state
    }

    /// Adds to each record of a table that is still what was read the values of its key, where people may see them.
    pub(crate) fn add_keys(&self, site: &Site, records: &mut [&mut SourceRecord]) -> Result<(), Failure> {
        for (which, looked) in &self.0 {
            let Some(source) = &looked.source else { continue };
            let mut of_table: Vec<_> = records
                .iter_mut()
                .filter(|record| (&record.store, &record.path, &record.sha256) == (&which.0, &which.1, &which.2))
                .collect();
            let rows: Vec<u64> = of_table.iter().map(|record| record.row).collect();
            let keys = source.keys(&rows).map_err(|error| failed(&which.0, &error))?;
            for record in &mut of_table {
                let Some(key) = keys.get(&record.row) else { continue };
                for (column, value) in record.key.iter_mut().zip(key) {
                    if may_be_shown(site, &record.dataset, &column.name) {
                        column.value.clone_from(value);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The columns of a table's key, without values.
pub(crate) fn key_columns(table: &TableState) -> Vec<KeyColumn> {
    table.key.iter().map(|name| KeyColumn { name: name.clone(), value: None }).collect()
}

fn look(site: &Site, input: &Input, table: &TableState) -> Looked {
    let without = |state| Looked { state, source: None };
    let Ok(name) = input.path.parse() else { return without(SourceState::Gone) };
    let Some(StoreLocation::Postgres(location)) = site.stores.get(&input.store).map(|store| &store.location) else {
        return without(SourceState::Gone);
    };
    let Ok(server) = postgres_server(site, location) else { return without(SourceState::Gone) };
    let read = SourceRead { table: name, columns: table.columns.clone(), key: table.key.clone() };
    let looked = PostgresSource::open(&server, read).and_then(|source| Ok((source.digest()?, source)));
    match looked {
        Ok((found, source)) if found.sha256 == input.sha256 => {
            Looked { state: SourceState::Unchanged, source: Some(source) }
        }
        Ok(_) => without(SourceState::Changed),
        Err(PostgresError::Source(SourceProblem::Differs { .. } | SourceProblem::KeyNotUnique { .. })) => {
            without(SourceState::Changed)
        }
        Err(_) => without(SourceState::Gone),
    }
}

/// A key tells who a row is about; only what is of the project's usual level is shown to whoever traces.
fn may_be_shown(site: &Site, dataset: &DatasetName, column: &ColumnName) -> bool {
    let usual = site.default_level.unwrap_or(site.lattice.lowest());
    let declared = site.datasets.get(dataset).and_then(|dataset| dataset.column(column.as_str()));
    declared.is_some_and(|column| column.level <= usual)
}

fn failed(store: &StoreName, error: &PostgresError) -> Failure {
    Failure::new(error.kind(), format!("store `{store}`: {error}"))
}
