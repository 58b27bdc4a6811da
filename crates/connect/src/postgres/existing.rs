//! Compares a table that is there with the one that a pipeline writes, and changes nothing.

use lockgate_model::ValueType;

use super::RUNS_COLUMNS;
use super::error::{PostgresError, failed};
use super::server::Session;
use super::statements::{TableName, declared_type};
use crate::TableDifference;
use crate::sqlite::{ROW_ID_COLUMN, RUNS_TABLE, TableSpec};

/// A column whose type takes the pipeline's values after a conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cast {
    pub(super) column: String,
    /// The column's type as SQL writes it; absent where assigning is enough.
    pub(super) to: Option<String>,
}

/// What a comparison found.
pub(super) struct Compared {
    pub(super) differences: Vec<TableDifference>,
    pub(super) casts: Vec<Cast>,
}

/// A column as the server describes it.
#[derive(Debug, Clone)]
pub(super) struct ExistingColumn {
    pub(super) name: String,
    /// Its type as SQL writes it, with its modifiers.
    pub(super) declared: String,
    not_null: bool,
    has_default: bool,
    /// Computed by the server; cannot be written.
    generated: bool,
    /// Of a kind that texts are converted to: text of a limited length, uuid, JSON, an enum, an array, an address.
    takes_text: bool,
}

/// The kind of what has the table's name (`r` is a table, `p` a partitioned one), if something has.
fn kind(session: &Session, schema: &str, table: &str) -> Result<Option<String>, PostgresError> {
    let sql = "SELECT c.relkind::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2";
    let rows = session.query(sql, &[&schema, &table])?;
    rows.first().map(|row| row.try_get(0).map_err(|error| failed(&error))).transpose()
}

/// The columns of a table in their order; `None` if there is no such table.
pub(super) fn columns(session: &Session, table: &TableName) -> Result<Option<Vec<ExistingColumn>>, PostgresError> {
    match kind(session, &table.schema, &table.table)?.as_deref() {
        Some("r" | "p") => described(session, &table.schema, &table.table).map(Some),
        Some(_) | None => Ok(None),
    }
}

fn described(session: &Session, schema: &str, table: &str) -> Result<Vec<ExistingColumn>, PostgresError> {
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef OR a.attidentity <> '', \
                      a.attgenerated <> '' OR a.attidentity = 'a', \
                      t.typtype = 'e' OR t.typcategory = 'A' OR t.typname IN \
                        ('varchar', 'uuid', 'json', 'jsonb', 'inet', 'cidr', 'macaddr', 'citext', 'xml') \
               FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
               WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let column = |row: &tokio_postgres::Row| -> Result<ExistingColumn, tokio_postgres::Error> {
        Ok(ExistingColumn {
            name: row.try_get(0)?,
            declared: row.try_get(1)?,
            not_null: row.try_get(2)?,
            has_default: row.try_get(3)?,
            generated: row.try_get(4)?,
            takes_text: row.try_get(5)?,
        })
    };
    let rows = session.query(sql, &[&schema, &table])?;
    rows.iter().map(|row| column(row).map_err(|error| failed(&error))).collect()
}

/// Whether the schema's table of runs is there; fails if another table has its name, or if there is no schema.
pub(super) fn runs_table(session: &Session, table: &TableName) -> Result<Option<()>, PostgresError> {
    let schema = session.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[&table.schema])?;
    if schema.is_empty() {
        return Err(PostgresError::NoSchema { schema: table.schema.clone() });
    }
    if kind(session, &table.schema, RUNS_TABLE)?.is_none() {
        return Ok(None);
    }
    let columns = described(session, &table.schema, RUNS_TABLE)?;
    let expected = |(name, _): &(&str, _)| columns.iter().any(|column| column.name == *name);
    match RUNS_COLUMNS.iter().all(expected) {
        true => Ok(Some(())),
        false => Err(PostgresError::Bookkeeping { table: table.runs() }),
    }
}

/// Everything in which what has the spec's name is not the spec's table; `None` if nothing has it.
pub(super) fn compare(
    session: &Session,
    table: &TableName,
    spec: &TableSpec,
) -> Result<Option<Compared>, PostgresError> {
    match kind(session, &table.schema, &table.table)?.as_deref() {
        None => return Ok(None),
        Some("r" | "p") => {}
        Some(other) => {
            let what = match other {
                "v" => "view",
                "m" => "materialized view",
                "f" => "foreign table",
                "S" => "sequence",
                _ => "relation of another kind",
            };
            let differences = vec![TableDifference::NotATable(what.to_owned())];
            return Ok(Some(Compared { differences, casts: Vec::new() }));
        }
    }
    let existing = described(session, &table.schema, &table.table)?;
    let mut compared = Compared { differences: Vec::new(), casts: Vec::new() };
    let row_id = (ROW_ID_COLUMN, ValueType::BigInt);
    let written: Vec<_> =
        spec.columns().iter().map(|column| (column.name.as_str(), column.value_type)).chain([row_id]).collect();
    for (name, value_type) in &written {
        let (column, declared) = ((*name).to_owned(), declared_type(*value_type));
        match existing.iter().find(|found| found.name == *name && !found.generated) {
            None => compared.differences.push(TableDifference::Missing { column, declared }),
            Some(found) if found.declared == declared => {}
            Some(found) if takes(found, *value_type) => {
                let to = (!is_varchar(found)).then(|| found.declared.clone());
                compared.casts.push(Cast { column, to });
            }
            Some(found) => {
                compared.differences.push(TableDifference::Type { column, found: found.declared.clone(), declared });
            }
        }
    }
    for found in existing.iter().filter(|found| found.not_null && !found.has_default && !found.generated) {
        if !written.iter().any(|(column, _)| *column == found.name) {
            compared.differences.push(TableDifference::Required(found.name.clone()));
        }
    }
    for trigger in triggers(session, table)? {
        compared.differences.push(TableDifference::Trigger(trigger));
    }
    if !spec.key().is_empty() && !has_unique_key(session, table, spec)? {
        let key: Vec<_> = spec.key().iter().map(|name| format!("`{name}`")).collect();
        compared.differences.push(TableDifference::NoUniqueKey(key.join(", ")));
    }
    Ok(Some(compared))
}

/// Whether a column takes values of a type exactly, after a conversion that fails rather than change one.
fn takes(found: &ExistingColumn, value_type: ValueType) -> bool {
    let numeric = found.declared == "numeric";
    match value_type {
        // A conversion to an array of texts of a limited length would cut them.
        ValueType::Text => found.takes_text && (is_varchar(found) || !found.declared.contains('(')),
        ValueType::Integer => matches!(found.declared.as_str(), "bigint" | "smallint") || numeric,
        ValueType::BigInt | ValueType::Decimal { .. } => numeric,
        ValueType::Double | ValueType::Boolean | ValueType::Date | ValueType::Timestamp => false,
    }
}

/// A text of a limited length; one that is longer is refused where it is assigned, and cut where it is converted.
fn is_varchar(found: &ExistingColumn) -> bool {
    found.declared.starts_with("character varying") && !found.declared.ends_with(']')
}

fn triggers(session: &Session, table: &TableName) -> Result<Vec<String>, PostgresError> {
    let sql = "SELECT t.tgname::text FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2 AND NOT t.tgisinternal \
               UNION ALL SELECT rulename::text FROM pg_catalog.pg_rules WHERE schemaname = $1 AND tablename = $2";
    let rows = session.query(sql, &[&table.schema, &table.table])?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| failed(&error))).collect()
}

/// Whether a unique index over all rows is on exactly the columns of the key.
fn has_unique_key(session: &Session, table: &TableName, spec: &TableSpec) -> Result<bool, PostgresError> {
    let sql = "SELECT array(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
                            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) ORDER BY a.attname) \
               FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL \
                 AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts";
    let mut wanted: Vec<String> = spec.key().iter().map(|name| name.as_str().to_owned()).collect();
    wanted.sort_unstable();
    for row in session.query(sql, &[&table.schema, &table.table])? {
        let mut names: Vec<String> = row.try_get(0).map_err(|error| failed(&error))?;
        names.sort_unstable();
        if names == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}
