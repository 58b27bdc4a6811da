//! What a table of others is: its columns, its primary key, and what the role may read of it.

use lockgate_model::{ColumnName, ValueType};
use lockgate_project::nearest;

use super::SourceRead;
use super::problem::{SourceDifference, SourceProblem};
use crate::SourceColumn;
use crate::postgres::error::{PostgresError, failed};
use crate::postgres::server::Session;

/// The most tables among which one of a like name is looked for.
const TABLES_COMPARED_MAX: i64 = 1_000;

/// A column of the table.
pub(super) struct FoundColumn {
    pub(super) name: String,
    /// Its type as SQL writes it.
    pub(super) declared: String,
    /// The name of its type; of a domain, of the type that it is over.
    pub(super) base: String,
    pub(super) has_collation: bool,
    pub(super) in_primary_key: bool,
    may_read: bool,
}

/// What was found.
pub(super) struct Found {
    pub(super) columns: Vec<FoundColumn>,
    pub(super) key: Vec<ColumnName>,
}

/// Looks at the table; fails unless what is asked for can be read whole and in an order that stays.
pub(super) fn describe(session: &Session, read: &SourceRead) -> Result<Found, PostgresError> {
    let table = || read.table.clone();
    let oid = relation(session, read)?;
    let columns = columns(session, oid)?;
    let missing = |name: &&ColumnName| !columns.iter().any(|column| column.name == name.as_str());
    let missing: Vec<_> = read.columns.iter().chain(&read.key).filter(missing).collect();
    if !missing.is_empty() {
        let difference = |name: &&ColumnName| SourceDifference::Missing {
            column: (*name).clone(),
            near: nearest(name.as_str(), columns.iter().map(|column| column.name.as_str())).map(str::to_owned),
        };
        let differences = missing.iter().map(difference).collect();
        return Err(SourceProblem::Differs { table: table(), differences }.into());
    }
    let key = match read.key.is_empty() {
        false => read.key.clone(),
        true => primary_key(session, oid)?.ok_or_else(|| SourceProblem::NoKey { table: table() })?,
    };
    let wanted = |column: &&FoundColumn| read.columns.iter().chain(&key).any(|name| name.as_str() == column.name);
    let denied: Vec<String> = columns.iter().filter(wanted).filter(|c| !c.may_read).map(|c| c.name.clone()).collect();
    if !denied.is_empty() {
        let role = role(session)?;
        let whole = columns.iter().all(|column| !column.may_read);
        let columns = if whole { Vec::new() } else { denied };
        return Err(SourceProblem::MayNotSelect { table: table(), role, columns }.into());
    }
    Ok(Found { columns, key })
}

/// The relation's id.
fn relation(session: &Session, read: &SourceRead) -> Result<u32, PostgresError> {
    let sql = "SELECT c.oid, c.relkind::text, row_security_active(c.oid), has_schema_privilege(n.oid, 'USAGE'), \
                      current_setting('server_encoding') \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2";
    let table = &read.table;
    let rows = session.query(sql, &[&table.schema(), &table.table()])?;
    let Some(row) = rows.first() else {
        return Err(SourceProblem::NoTable { table: table.clone(), near: like(session, read)? }.into());
    };
    let get = |error: tokio_postgres::Error| failed(&error);
    let kind: String = row.try_get(1).map_err(get)?;
    let other = match kind.as_str() {
        "r" | "p" | "v" | "m" => None,
        "f" => Some("a foreign table, which no snapshot of this server covers: read it where it is"),
        _ => Some("no table"),
    };
    if let Some(what) = other {
        return Err(SourceProblem::Kind { table: table.clone(), what }.into());
    }
    if !row.try_get::<_, bool>(3).map_err(get)? {
        return Err(SourceProblem::MayNotUse { table: table.clone(), role: role(session)? }.into());
    }
    if row.try_get::<_, bool>(2).map_err(get)? {
        return Err(SourceProblem::RowSecurity { table: table.clone(), role: role(session)? }.into());
    }
    if row.try_get::<_, String>(4).map_err(get)? == "SQL_ASCII" {
        return Err(SourceProblem::NoEncoding.into());
    }
    row.try_get(0).map_err(get)
}

/// A table whose name is nearly the same, in the same schema if there is one.
fn like(session: &Session, read: &SourceRead) -> Result<Option<String>, PostgresError> {
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
               ORDER BY n.nspname = $1 DESC, c.relname LIMIT $2";
    let (schema, table) = (read.table.schema(), read.table.table());
    let mut tables: Vec<(String, String)> = Vec::new();
    for row in session.query(sql, &[&schema, &TABLES_COMPARED_MAX])? {
        let text = |at: usize| row.try_get(at).map_err(|error| failed(&error));
        tables.push((text(0)?, text(1)?));
    }
    let beside = tables.iter().filter(|(other, _)| other == schema).map(|(_, table)| table.as_str());
    if let Some(near) = nearest(table, beside) {
        return Ok(Some(format!("{schema}.{near}")));
    }
    let all: Vec<String> = tables.iter().map(|(schema, table)| format!("{schema}.{table}")).collect();
    Ok(nearest(&read.table.to_string(), all.iter().map(String::as_str)).map(str::to_owned))
}

fn role(session: &Session) -> Result<String, PostgresError> {
    session.query_one("SELECT current_user::text", &[])?.try_get(0).map_err(|error| failed(&error))
}

fn columns(session: &Session, oid: u32) -> Result<Vec<FoundColumn>, PostgresError> {
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname)::text, \
                      a.attcollation <> 0, has_column_privilege(a.attrelid, a.attnum, 'SELECT'), \
                      EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary \
                              AND a.attnum = ANY (i.indkey::int2[])) \
               FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
               LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let column = |row: &tokio_postgres::Row| -> Result<FoundColumn, tokio_postgres::Error> {
        Ok(FoundColumn {
            name: row.try_get(0)?,
            declared: row.try_get(1)?,
            base: row.try_get(2)?,
            has_collation: row.try_get(3)?,
            may_read: row.try_get(4)?,
            in_primary_key: row.try_get(5)?,
        })
    };
    let rows = session.query(sql, &[&oid])?;
    rows.iter().map(|row| column(row).map_err(|error| failed(&error))).collect()
}

/// The columns of the primary key in its order; `None` without one, or with a column whose name no catalog could have.
fn primary_key(session: &Session, oid: u32) -> Result<Option<Vec<ColumnName>>, PostgresError> {
    let sql = "SELECT a.attname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
                 ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) \
               WHERE i.indrelid = $1 AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)";
    let mut key = Vec::new();
    for row in session.query(sql, &[&oid])? {
        let name: String = row.try_get(0).map_err(|error| failed(&error))?;
        match name.parse() {
            Ok(name) => key.push(name),
            Err(_) => return Ok(None),
        }
    }
    Ok((!key.is_empty()).then_some(key))
}

/// In what a column of the table does not fit its declaration, if in anything.
pub(super) fn misfit(declared: &SourceColumn, found: &[FoundColumn]) -> Option<SourceDifference> {
    let column = found.iter().find(|column| column.name == declared.name.as_str())?;
    (!fits(declared.value_type, &column.base)).then(|| SourceDifference::Type {
        column: declared.name.clone(),
        found: column.declared.clone(),
        declared: declared.value_type,
        fitting: fitting(&column.base),
    })
}

/// Whether values of a type can be values of a declared one, exactly. A value that is none, such as one out of range, is set
/// aside when it is read.
fn fits(declared: ValueType, base: &str) -> bool {
    match declared {
        ValueType::Text => true,
        ValueType::BigInt | ValueType::Integer | ValueType::Decimal { .. } => {
            matches!(base, "int2" | "int4" | "int8" | "numeric")
        }
        ValueType::Double => matches!(base, "float4" | "float8" | "int2" | "int4"),
        ValueType::Boolean => base == "bool",
        ValueType::Date => base == "date",
        ValueType::Timestamp => matches!(base, "timestamp" | "timestamptz"),
    }
}

/// The type to declare for a column of a type.
fn fitting(base: &str) -> &'static str {
    match base {
        "int8" => "bigint",
        "int2" | "int4" => "integer",
        "numeric" => "decimal(precision, scale)",
        "float4" | "float8" => "double",
        "bool" => "boolean",
        "date" => "date",
        "timestamp" | "timestamptz" => "timestamp",
        _ => "text",
    }
}
