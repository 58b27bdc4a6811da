//! A description of a table that was checked: whoever holds one can build its statements.

use std::collections::BTreeSet;

use lockgate_model::{ColumnName, DatasetName, ValueType};
use serde::{Deserialize, Serialize};

/// The column that every table has for the identity of its rows: the commit's ordinal and the row within it.
pub const ROW_ID_COLUMN: &str = "lockgate_rid";
/// The table that says which runs were committed.
pub const RUNS_TABLE: &str = "lockgate_runs";
/// The most columns of a table beside the row id: SQLite holds 2,000 in all.
pub const SINK_COLUMNS_MAX: usize = 1_999;
/// The longest record that is kept with a commit, in bytes.
pub const COMMIT_RECORD_BYTES_MAX: usize = 1024 * 1024;

/// A column that is written; so it stands in the commits of Parquet datasets, as `{name, type}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkColumn {
    /// Its name.
    pub name: ColumnName,
    /// The type of its values.
    #[serde(rename = "type")]
    pub value_type: ValueType,
}

/// What becomes of the rows that a table has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// They stay.
    Append,
    /// They are deleted in the same transaction.
    Replace,
    /// Those with the key of a written row take its values, the others stay. Of two rows of one run with the same
    /// key the later one stands.
    Merge,
}

/// A table, its columns, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    dataset: DatasetName,
    columns: Vec<SinkColumn>,
    mode: WriteMode,
    key: Vec<ColumnName>,
    is_refreshed: bool,
}

/// Why a table can't be described so. All of it is configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A name that the database or its bookkeeping takes.
    #[error("`{0}` can't be written: names that begin with `sqlite_`, and `lockgate_runs`, are reserved")]
    ReservedTable(DatasetName),
    /// No column.
    #[error("`{0}` has no columns: select at least one")]
    NoColumns(DatasetName),
    /// More than [`SINK_COLUMNS_MAX`].
    #[error("{0} columns are more than the {SINK_COLUMNS_MAX} that a table may have")]
    TooManyColumns(usize),
    /// Two columns that SQLite takes for one.
    #[error("the column `{0}` is there twice (SQLite takes upper and lower case for the same): rename one with AS")]
    Twice(ColumnName),
    /// The row id's column.
    #[error("the column `{0}` is reserved for row ids: rename it with AS")]
    ReservedColumn(ColumnName),
    /// A merge without a key.
    #[error("a merge into `{0}` needs a key: name the columns that identify a row")]
    NoKey(DatasetName),
    /// A key without a merge.
    #[error("`{0}` has a key, which only a merge uses: set the mode to merge, or leave the key out")]
    NeedlessKey(DatasetName),
    /// A key column that is not written.
    #[error("the key column `{0}` is not among the columns: select it, or correct the key")]
    KeyColumn(ColumnName),
}

impl TableSpec {
    /// Checks that SQLite can hold the table and that the key fits the mode.
    pub fn new(
        dataset: DatasetName,
        columns: Vec<SinkColumn>,
        mode: WriteMode,
        key: Vec<ColumnName>,
    ) -> Result<Self, SpecError> {
        let folded = dataset.as_str().to_ascii_lowercase();
        if folded.starts_with("sqlite_") || folded == RUNS_TABLE {
            return Err(SpecError::ReservedTable(dataset));
        }
        if columns.is_empty() {
            return Err(SpecError::NoColumns(dataset));
        }
        if columns.len() > SINK_COLUMNS_MAX {
            return Err(SpecError::TooManyColumns(columns.len()));
        }
        let mut seen = BTreeSet::new();
        for SinkColumn { name, .. } in &columns {
            let folded = name.as_str().to_ascii_lowercase();
            if folded == ROW_ID_COLUMN {
                return Err(SpecError::ReservedColumn(name.clone()));
            }
            if !seen.insert(folded) {
                return Err(SpecError::Twice(name.clone()));
            }
        }
        match (mode, key.is_empty()) {
            (WriteMode::Merge, true) => return Err(SpecError::NoKey(dataset)),
            (WriteMode::Append | WriteMode::Replace, false) => return Err(SpecError::NeedlessKey(dataset)),
            (WriteMode::Merge, false) | (WriteMode::Append | WriteMode::Replace, true) => {}
        }
        if let Some(unknown) = key.iter().find(|name| !columns.iter().any(|column| column.name == **name)) {
            return Err(SpecError::KeyColumn(unknown.clone()));
        }
        let mut seen = BTreeSet::new();
        match key.iter().find(|name| !seen.insert(*name)) {
            Some(twice) => Err(SpecError::Twice(twice.clone())),
            None => Ok(Self { dataset, columns, mode, key, is_refreshed: false }),
        }
    }

    /// The dataset, and so the table's name.
    pub fn dataset(&self) -> &DatasetName {
        &self.dataset
    }

    /// The columns in the order in which batches have them.
    pub fn columns(&self) -> &[SinkColumn] {
        &self.columns
    }

    /// What becomes of the rows that are there.
    pub fn mode(&self) -> WriteMode {
        self.mode
    }

    /// The same table, made anew: of the rows that are there none stays.
    pub fn refreshed(self) -> Self {
        Self { is_refreshed: true, ..self }
    }

    /// Whether none of the rows that are there stays.
    pub(crate) fn leaves_none(&self) -> bool {
        match self.mode {
            WriteMode::Replace => true,
            WriteMode::Append | WriteMode::Merge => self.is_refreshed,
        }
    }

    /// The key of a merge; empty otherwise.
    pub fn key(&self) -> &[ColumnName] {
        &self.key
    }

    pub(crate) fn is_key(&self, name: &ColumnName) -> bool {
        self.key.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<SinkColumn> {
        names.iter().map(|name| SinkColumn { name: name.parse().unwrap(), value_type: ValueType::Text }).collect()
    }

    fn spec(dataset: &str, names: &[&str], mode: WriteMode, key: &[&str]) -> Result<TableSpec, SpecError> {
        let key = key.iter().map(|name| name.parse().unwrap()).collect();
        TableSpec::new(dataset.parse().unwrap(), columns(names), mode, key)
    }

    #[test]
    fn only_tables_that_can_be_written_are_described() {
        use WriteMode::{Append, Merge, Replace};
        assert!(spec("a.b", &["id", "x"], Merge, &["id"]).is_ok());
        assert!(spec("a.b", &["id", "x"], Append, &[]).is_ok());
        for (dataset, names, mode, key, wrong) in [
            ("sqlite_x", &["id"][..], Append, &[][..], "reserved"),
            ("Lockgate_Runs", &["id"], Append, &[], "reserved"),
            ("a", &[], Append, &[], "no columns"),
            ("a", &["id", "ID"], Append, &[], "`ID` is there twice"),
            ("a", &["LOCKGATE_RID"], Append, &[], "reserved for row ids"),
            ("a", &["id"], Merge, &[], "needs a key"),
            ("a", &["id"], Replace, &["id"], "only a merge"),
            ("a", &["id"], Merge, &["Id"], "key column `Id` is not"),
            ("a", &["id"], Merge, &["id", "id"], "`id` is there twice"),
        ] {
            let error = spec(dataset, names, mode, key).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn columns_have_their_limit() {
        let names: Vec<_> = (0..=SINK_COLUMNS_MAX).map(|n| format!("c{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(spec("a", &names[1..], WriteMode::Append, &[]).is_ok());
        assert_eq!(spec("a", &names, WriteMode::Append, &[]), Err(SpecError::TooManyColumns(SINK_COLUMNS_MAX + 1)));
    }
}
