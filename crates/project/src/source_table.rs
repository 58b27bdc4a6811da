//! A table that others write, as a dataset of the catalog names it.

use std::fmt;
use std::str::FromStr;

use lockgate_model::{ColumnName, DatasetName};

use crate::At;

/// The most columns of a declared key: as many as an index of PostgreSQL has.
pub const KEY_COLUMNS_MAX: usize = 32;
/// The longest name of a schema or a table, in bytes: what PostgreSQL keeps of one.
const PART_BYTES_MAX: usize = 63;
/// The schema of a table that names none.
const DEFAULT_SCHEMA: &str = "public";

/// A table whose rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// Which one.
    pub name: At<SourceTableName>,
    /// The columns that put its rows in order; empty for those of its primary key.
    pub key: Vec<ColumnName>,
}

/// The name of a table with its schema: what stands before the last dot. Shown, it reads back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceTableName {
    schema: String,
    table: String,
}

/// Why a text names no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceTableNameError;

impl fmt::Display for SourceTableNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names no table: write `SCHEMA.TABLE`, each of 1 to 63 bytes without control characters and quotes")
    }
}

impl std::error::Error for SourceTableNameError {}

impl SourceTableName {
    /// The schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table in it.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The table that a pipeline's dataset is in a database, if it can be one.
    pub fn of_dataset(dataset: &DatasetName) -> Option<Self> {
        dataset.as_str().parse().ok()
    }
}

impl FromStr for SourceTableName {
    type Err = SourceTableNameError;

    fn from_str(text: &str) -> Result<Self, SourceTableNameError> {
        let (schema, table) = text.rsplit_once('.').unwrap_or((DEFAULT_SCHEMA, text));
        let is_name = |part: &str| {
            (1..=PART_BYTES_MAX).contains(&part.len()) && !part.chars().any(|c| c.is_control() || c == '"')
        };
        match is_name(schema) && is_name(table) {
            true => Ok(Self { schema: schema.to_owned(), table: table.to_owned() }),
            false => Err(SourceTableNameError),
        }
    }
}

impl fmt::Display for SourceTableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_in_a_schema_and_its_name_reads_back() {
        for (text, schema, table) in [
            ("customers", "public", "customers"),
            ("crm.Customer Orders", "crm", "Customer Orders"),
            ("a.b.c", "a.b", "c"),
        ] {
            let name: SourceTableName = text.parse().unwrap();
            assert_eq!((name.schema(), name.table()), (schema, table));
            assert_eq!(name.to_string().parse::<SourceTableName>().unwrap(), name);
        }
        assert!("x".repeat(PART_BYTES_MAX).parse::<SourceTableName>().is_ok());
        for wrong in ["", ".", "a.", ".a", "a\nb", "\"a\"", &"x".repeat(PART_BYTES_MAX + 1)] {
            assert!(wrong.parse::<SourceTableName>().is_err(), "{wrong:?}");
        }
    }
}
