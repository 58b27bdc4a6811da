//! Every statement's text, with every name from outside in quotes.

use lockgate_model::{DatasetName, ValueType};

use super::error::PostgresError;
use super::existing::Cast;
use crate::sqlite::{ROW_ID_COLUMN, RUNS_TABLE, SinkColumn, TableSpec, WriteMode};

/// The longest name that PostgreSQL keeps whole, in bytes (NAMEDATALEN - 1).
pub(super) const NAME_BYTES_MAX: usize = 63;
/// The most columns of a table beside the row id.
const COLUMNS_MAX: usize = 1_599;
/// The schema of a dataset whose name has no dot.
const DEFAULT_SCHEMA: &str = "public";
/// The temporary table that rows wait in.
pub(super) const STAGING: &str = "pg_temp.\"lockgate_staging\"";

/// Where a dataset lies: what stands before the last dot is the schema.
#[derive(Debug, Clone)]
pub(super) struct TableName {
    pub(super) schema: String,
    pub(super) table: String,
}

impl TableName {
    pub(super) fn new(dataset: &DatasetName) -> Result<Self, PostgresError> {
        let (schema, table) = dataset.as_str().rsplit_once('.').unwrap_or((DEFAULT_SCHEMA, dataset.as_str()));
        for name in [schema, table] {
            short_enough(name)?;
        }
        Ok(Self { schema: schema.to_owned(), table: table.to_owned() })
    }

    /// The table, quoted.
    pub(super) fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// The table of the schema's committed runs, quoted.
    pub(super) fn runs(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(RUNS_TABLE))
    }
}

fn short_enough(name: &str) -> Result<(), PostgresError> {
    match name.len() > NAME_BYTES_MAX {
        true => Err(PostgresError::NameTooLong { name: name.to_owned(), most: NAME_BYTES_MAX }),
        false => Ok(()),
    }
}

/// Refuses names that PostgreSQL would cut, and more columns than it takes.
pub(super) fn check_names(spec: &TableSpec) -> Result<(), PostgresError> {
    if spec.columns().len() > COLUMNS_MAX {
        return Err(PostgresError::TooManyColumns(spec.columns().len()));
    }
    spec.columns().iter().try_for_each(|column| short_enough(column.name.as_str()))
}

/// An identifier in SQL, whatever characters it has.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The type of a column that Lockgate makes.
pub(super) fn declared_type(value_type: ValueType) -> String {
    match value_type {
        ValueType::Text => "text".to_owned(),
        ValueType::BigInt => "bigint".to_owned(),
        ValueType::Integer => "integer".to_owned(),
        ValueType::Double => "double precision".to_owned(),
        ValueType::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        ValueType::Boolean => "boolean".to_owned(),
        ValueType::Date => "date".to_owned(),
        ValueType::Timestamp => "timestamp with time zone".to_owned(),
    }
}

/// One run at a time writes into a schema; the lock ends with the transaction, however it ends.
pub(super) fn lock(table: &TableName) -> String {
    format!("SELECT pg_advisory_xact_lock(hashtextextended({}, 7218))", literal(&format!("lockgate {}", table.schema)))
}

pub(super) fn create_runs(table: &TableName) -> String {
    let columns: Vec<_> =
        super::RUNS_COLUMNS.iter().map(|(name, kind)| format!("{} {} NOT NULL", quoted(name), kind.name())).collect();
    format!("CREATE TABLE {} ({}, PRIMARY KEY (\"run\"))", table.runs(), columns.join(", "))
}

/// Each column of a spec with its type.
fn definitions(spec: &TableSpec) -> Vec<String> {
    let definition =
        |column: &SinkColumn| format!("{} {}", quoted(column.name.as_str()), declared_type(column.value_type));
    spec.columns().iter().map(definition).collect()
}

pub(super) fn create_table(table: &TableName, spec: &TableSpec) -> String {
    let mut parts = definitions(spec);
    parts.push(format!("{} bigint NOT NULL", quoted(ROW_ID_COLUMN)));
    if !spec.key().is_empty() {
        parts.push(format!("PRIMARY KEY ({})", key_list(spec)));
    }
    format!("CREATE TABLE {} ({})", table.quoted(), parts.join(", "))
}

pub(super) fn empty(table: &TableName) -> String {
    format!("DELETE FROM {}", table.quoted())
}

pub(super) fn next_ordinal(table: &TableName) -> String {
    format!("SELECT coalesce(max(commit_ordinal) + 1, 0) FROM {} WHERE dataset = $1", table.runs())
}

pub(super) fn commits(table: &TableName) -> String {
    format!(
        "SELECT run, dataset, commit_ordinal, rows, record FROM {} WHERE dataset = $1 ORDER BY commit_ordinal",
        table.runs()
    )
}

pub(super) fn committed(table: &TableName) -> String {
    format!("SELECT run, dataset, commit_ordinal, rows, record FROM {} WHERE run = $1", table.runs())
}

pub(super) fn insert_run(table: &TableName) -> String {
    format!("INSERT INTO {} (run, dataset, commit_ordinal, rows, record) VALUES ($1, $2, $3, $4, $5)", table.runs())
}

fn key_list(spec: &TableSpec) -> String {
    spec.key().iter().map(|name| quoted(name.as_str())).collect::<Vec<_>>().join(", ")
}

/// The columns of a spec and the row id, each quoted.
fn column_list(spec: &TableSpec) -> Vec<String> {
    let names = spec.columns().iter().map(|column| column.name.as_str());
    names.chain([ROW_ID_COLUMN]).map(quoted).collect()
}

/// The table in which rows wait until they are moved; it goes with the transaction.
pub(super) fn create_staging(spec: &TableSpec) -> String {
    let mut parts = definitions(spec);
    parts.push(format!("{} bigint", quoted(ROW_ID_COLUMN)));
    format!("CREATE TEMPORARY TABLE \"lockgate_staging\" ({}) ON COMMIT DROP", parts.join(", "))
}

/// Takes rows in PostgreSQL's binary form.
pub(super) fn copy_into(target: &str, spec: &TableSpec) -> String {
    format!("COPY {target} ({}) FROM STDIN (FORMAT binary)", column_list(spec).join(", "))
}

/// Moves the waiting rows. Of two with the same key the later one stands.
pub(super) fn move_staged(table: &TableName, spec: &TableSpec, casts: &[Cast]) -> String {
    let names = column_list(spec);
    let value = |name: &String| match casts.iter().find(|cast| quoted(&cast.column) == *name) {
        Some(Cast { to: Some(to), .. }) => format!("CAST({name} AS {to})"),
        Some(Cast { to: None, .. }) | None => name.clone(),
    };
    let values: Vec<_> = names.iter().map(value).collect();
    let target = table.quoted();
    let into = format!("INSERT INTO {target} ({})", names.join(", "));
    match spec.mode() {
        WriteMode::Append | WriteMode::Replace => format!("{into} SELECT {} FROM {STAGING}", values.join(", ")),
        WriteMode::Merge => {
            let key = key_list(spec);
            let row_id = quoted(ROW_ID_COLUMN);
            let is_key = |name: &&String| spec.key().iter().any(|key| quoted(key.as_str()) == **name);
            let set: Vec<_> =
                names.iter().filter(|name| !is_key(name)).map(|name| format!("{name} = EXCLUDED.{name}")).collect();
            format!(
                "{into} SELECT DISTINCT ON ({key}) {} FROM {STAGING} ORDER BY {key}, {row_id} DESC \
                 ON CONFLICT ({key}) DO UPDATE SET {}",
                values.join(", "),
                set.join(", ")
            )
        }
    }
}
