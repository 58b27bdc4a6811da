//! Every statement's text, with every name from outside in quotes.

use lockgate_model::ValueType;

use super::spec::{ROW_ID_COLUMN, RUNS_TABLE, TableSpec, WriteMode};

/// An identifier in SQL, whatever characters it has.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The type under which SQLite declares a column.
///
/// SQLite derives from it how values are kept: a decimal is text, since SQLite's numbers are doubles and would round
/// it; dates and timestamps are ISO 8601 text, booleans 0 and 1.
pub(super) fn declared_type(value_type: ValueType) -> String {
    match value_type {
        ValueType::Text => "TEXT".to_owned(),
        ValueType::BigInt => "BIGINT".to_owned(),
        ValueType::Integer => "INTEGER".to_owned(),
        ValueType::Double => "DOUBLE".to_owned(),
        ValueType::Decimal { precision, scale } => format!("DECIMAL_TEXT({precision},{scale})"),
        ValueType::Boolean => "BOOLEAN".to_owned(),
        ValueType::Date => "DATE".to_owned(),
        ValueType::Timestamp => "TIMESTAMP".to_owned(),
    }
}

/// The column type that a declared type stands for, `None` for a type that Lockgate doesn't write.
pub(super) fn value_type_of(declared: &str) -> Option<ValueType> {
    match declared.to_ascii_uppercase().as_str() {
        "TEXT" => Some(ValueType::Text),
        "BIGINT" => Some(ValueType::BigInt),
        "INTEGER" => Some(ValueType::Integer),
        "DOUBLE" => Some(ValueType::Double),
        "BOOLEAN" => Some(ValueType::Boolean),
        "DATE" => Some(ValueType::Date),
        "TIMESTAMP" => Some(ValueType::Timestamp),
        decimal => {
            let arguments = decimal.strip_prefix("DECIMAL_TEXT")?;
            format!("decimal{arguments}").parse().ok()
        }
    }
}

/// Makes the table of a spec; a merge key becomes its primary key.
pub(super) fn create_table(spec: &TableSpec) -> String {
    let mut parts: Vec<_> = spec
        .columns()
        .iter()
        .map(|column| {
            let not_null = if spec.is_key(&column.name) { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quoted(column.name.as_str()), declared_type(column.value_type))
        })
        .collect();
    parts.push(format!("{} BIGINT NOT NULL", quoted(ROW_ID_COLUMN)));
    if !spec.key().is_empty() {
        parts.push(format!("PRIMARY KEY ({})", key_list(spec)));
    }
    format!("CREATE TABLE {} ({})", quoted(spec.dataset().as_str()), parts.join(", "))
}

/// Writes one row: the spec's columns in their order, then the row id.
pub(super) fn insert(spec: &TableSpec) -> String {
    let names: Vec<_> =
        spec.columns().iter().map(|column| quoted(column.name.as_str())).chain([quoted(ROW_ID_COLUMN)]).collect();
    let places = vec!["?"; names.len()].join(", ");
    let table = quoted(spec.dataset().as_str());
    let insert = format!("INSERT INTO {table} ({}) VALUES ({places})", names.join(", "));
    match spec.mode() {
        WriteMode::Append | WriteMode::Replace => insert,
        WriteMode::Merge => {
            let written = spec.columns().iter().filter(|column| !spec.is_key(&column.name));
            let updates: Vec<_> = written
                .map(|column| quoted(column.name.as_str()))
                .chain([quoted(ROW_ID_COLUMN)])
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            format!("{insert} ON CONFLICT ({}) DO UPDATE SET {}", key_list(spec), updates.join(", "))
        }
    }
}

/// Makes the bookkeeping table where there is none.
pub(super) fn create_runs() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (run TEXT PRIMARY KEY NOT NULL, dataset TEXT NOT NULL, \
         commit_ordinal INTEGER NOT NULL, rows INTEGER NOT NULL, record TEXT NOT NULL, \
         UNIQUE (dataset, commit_ordinal))",
        quoted(RUNS_TABLE)
    )
}

fn key_list(spec: &TableSpec) -> String {
    spec.key().iter().map(|name| quoted(name.as_str())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::SinkColumn;

    fn spec(mode: WriteMode, key: &[&str]) -> TableSpec {
        let column = |name: &str, value_type: &str| SinkColumn {
            name: name.parse().unwrap(),
            value_type: value_type.parse().unwrap(),
        };
        let columns = vec![column("id", "bigint"), column("a\"; --", "decimal(10, 2)")];
        let key = key.iter().map(|name| name.parse().unwrap()).collect();
        TableSpec::new("x.y".parse().unwrap(), columns, mode, key).unwrap()
    }

    #[test]
    fn names_are_quoted_everywhere() {
        assert_eq!(
            create_table(&spec(WriteMode::Merge, &["id"])),
            r#"CREATE TABLE "x.y" ("id" BIGINT NOT NULL, "a""; --" DECIMAL_TEXT(10,2), "lockgate_rid" BIGINT NOT NULL, PRIMARY KEY ("id"))"#
        );
        assert_eq!(
            insert(&spec(WriteMode::Append, &[])),
            r#"INSERT INTO "x.y" ("id", "a""; --", "lockgate_rid") VALUES (?, ?, ?)"#
        );
        assert_eq!(
            insert(&spec(WriteMode::Merge, &["id"])),
            r#"INSERT INTO "x.y" ("id", "a""; --", "lockgate_rid") VALUES (?, ?, ?) ON CONFLICT ("id") DO UPDATE SET "a""; --" = excluded."a""; --", "lockgate_rid" = excluded."lockgate_rid""#
        );
    }

    #[test]
    fn declared_types_read_back() {
        for text in ["text", "bigint", "integer", "double", "decimal(38, 5)", "boolean", "date", "timestamp"] {
            let value_type = text.parse().unwrap();
            assert_eq!(value_type_of(&declared_type(value_type)), Some(value_type), "{text}");
        }
        for foreign in ["", "VARCHAR(10)", "DECIMAL(10,2)", "DECIMAL_TEXT", "DECIMAL_TEXT(1,2)", "BLOB"] {
            assert_eq!(value_type_of(foreign), None, "{foreign}");
        }
    }
}
