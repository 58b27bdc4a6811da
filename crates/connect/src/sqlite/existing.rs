//! Compares a table that is there with the one that a pipeline writes, and changes nothing.

use rusqlite::{Connection, OptionalExtension};

use super::error::TableDifference;
use super::spec::{ROW_ID_COLUMN, TableSpec};
use super::statements::declared_type;

/// A column as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExistingColumn {
    pub(super) name: String,
    pub(super) declared: String,
    not_null: bool,
    has_default: bool,
    in_primary_key: bool,
    /// 0 for a column that can be written, more for one that is computed or hidden.
    hidden: i64,
}

/// Whether anything has the table's name, in any case, and its kind and name if so.
pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<(String, String)>> {
    let sql = "SELECT type, name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'trigger'";
    connection.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The columns of a table in their order.
pub(super) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ExistingColumn>> {
    let sql = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1)";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([table], |row| {
        Ok(ExistingColumn {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            in_primary_key: row.get::<_, i64>(4)? > 0,
            hidden: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Everything in which what has the spec's name is not the spec's table; `None` if nothing has it.
pub(super) fn differences(connection: &Connection, spec: &TableSpec) -> rusqlite::Result<Option<Vec<TableDifference>>> {
    let wanted = spec.dataset().as_str();
    let Some((kind, name)) = find(connection, wanted)? else { return Ok(None) };
    if kind != "table" {
        return Ok(Some(vec![TableDifference::NotATable(kind)]));
    }
    if name != wanted {
        return Ok(Some(vec![TableDifference::OtherCase(name)]));
    }
    let mut differences = Vec::new();
    let existing = columns(connection, wanted)?;
    let row_id = (ROW_ID_COLUMN, "BIGINT".to_owned());
    let written: Vec<_> = spec
        .columns()
        .iter()
        .map(|column| (column.name.as_str(), declared_type(column.value_type)))
        .chain([row_id])
        .collect();
    for (column, declared) in &written {
        let (column, declared) = ((*column).to_owned(), declared.clone());
        match existing.iter().find(|found| found.name == column && found.hidden == 0) {
            None => differences.push(TableDifference::Missing { column, declared }),
            Some(found) if !found.declared.eq_ignore_ascii_case(&declared) => {
                differences.push(TableDifference::Type { column, found: found.declared.clone(), declared });
            }
            Some(_) => {}
        }
    }
    for found in existing.iter().filter(|found| found.hidden == 0 && found.not_null && !found.has_default) {
        if !written.iter().any(|(column, _)| *column == found.name) {
            differences.push(TableDifference::Required(found.name.clone()));
        }
    }
    let mut triggers = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1")?;
    for trigger in triggers.query_map([wanted], |row| row.get(0))? {
        differences.push(TableDifference::Trigger(trigger?));
    }
    if !spec.key().is_empty() && !has_unique_key(connection, spec, &existing)? {
        let key: Vec<_> = spec.key().iter().map(|name| format!("`{name}`")).collect();
        differences.push(TableDifference::NoUniqueKey(key.join(", ")));
    }
    Ok(Some(differences))
}

/// Whether the primary key, or a unique index over all rows comparing bytes, is on exactly the columns of the key.
fn has_unique_key(connection: &Connection, spec: &TableSpec, existing: &[ExistingColumn]) -> rusqlite::Result<bool> {
    let mut wanted: Vec<_> = spec.key().iter().map(|name| name.as_str().to_owned()).collect();
    wanted.sort_unstable();
    // The primary key of one INTEGER column is the table itself and has no index.
    let mut primary = existing.iter().filter(|column| column.in_primary_key);
    if let (Some(only), None) = (primary.next(), primary.next())
        && only.declared.eq_ignore_ascii_case("INTEGER")
        && wanted == [only.name.clone()]
    {
        return Ok(true);
    }
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0";
    let mut indexes = connection.prepare(sql)?;
    let sql = "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1";
    let mut parts = connection.prepare(sql)?;
    for index in indexes.query_map([spec.dataset().as_str()], |row| row.get::<_, String>(0))? {
        let mut names = Vec::new();
        for part in parts.query_map([index?], |row| Ok((row.get(0)?, row.get(1)?)))? {
            // An expression has no name.
            let (name, collation): (Option<String>, String) = part?;
            names.push(name.filter(|_| collation == "BINARY").unwrap_or_default());
        }
        names.sort_unstable();
        if names == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}
