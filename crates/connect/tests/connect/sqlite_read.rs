//! Reading tables back: what was written, and nothing beyond the one table.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use lockgate_connect::{SinkError, SqliteTable, WriteMode};
use lockgate_model::{ColumnName, RowId};
use rusqlite::Connection;

use crate::sqlite_write::{batch, commit, database, people, spec};

const PEOPLE: &str = "id:bigint name:text";

fn open(path: &Path) -> SqliteTable {
    SqliteTable::open(path, &"analytics.customers".parse().unwrap()).unwrap()
}

fn ids(rows: Vec<RowId>) -> Vec<String> {
    rows.iter().map(RowId::to_string).collect()
}

#[test]
fn what_was_written_is_read_back_in_batches() {
    let db = database();
    let text = "t:text b:bigint i:integer d:double m:decimal(10,2) f:boolean day:date at:timestamp";
    let spec = spec(text, WriteMode::Append, &[]);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("x"), None, Some("")])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(0)])),
        Arc::new(Int32Array::from(vec![Some(i32::MAX), None, Some(0)])),
        Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None, Some(0.1)])),
        Arc::new(Decimal128Array::from(vec![Some(-5), None, Some(0)]).with_precision_and_scale(10, 2).unwrap()),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Date32Array::from(vec![Some(-1), None, Some(0)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]).with_timezone("UTC")),
    ];
    let written = batch(&spec, arrays);
    commit(&db.path, &spec, 1, &written).unwrap();
    let mut table = open(&db.path);
    assert_eq!(table.columns(), spec.columns());
    assert_eq!(table.commits().unwrap().len(), 1);
    let names: Vec<ColumnName> = spec.columns().iter().map(|column| column.name.clone()).collect();
    for (max_rows, lengths) in [(1, vec![1, 1, 1]), (2, vec![2, 1]), (3, vec![3]), (100, vec![3])] {
        let batches: Vec<_> = table.scan(&names, max_rows).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|batch| batch.row_ids.len()).collect::<Vec<_>>(), lengths);
        let read = concat_batches(written.schema_ref(), batches.iter().map(|batch| &batch.columns)).unwrap();
        assert_eq!(read, written);
        assert_eq!(ids(batches.into_iter().flat_map(|batch| batch.row_ids).collect()), ["0:0", "0:1", "0:2"]);
    }
    let only: Vec<_> = table.scan(&["m".parse().unwrap()], 10).unwrap().map(Result::unwrap).collect();
    assert_eq!(only[0].columns.num_columns(), 1);
    assert!(matches!(table.scan(&["none".parse().unwrap()], 10), Err(SinkError::NoColumn { .. })));
    assert_eq!(table.scan(&[], 10).unwrap().next().unwrap().unwrap().columns.num_rows(), 3);
}

#[test]
fn a_condition_selects_rows() {
    let db = database();
    let spec = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "ada"), (Some(2), "bob"), (None, "eve")])).unwrap();
    let mut table = open(&db.path);
    for (condition, expected) in [
        (None, &["0:0", "0:1", "0:2"][..]),
        (Some("id = 2"), &["0:1"]),
        (Some("id IS NULL OR (lower(name) LIKE 'A%')"), &["0:0", "0:2"]),
        (Some("\"name\" IN ('bob', ';--')"), &["0:1"]),
        (Some("lockgate_rid = 0"), &["0:0"]),
        (Some("id = (SELECT id FROM \"analytics.customers\" WHERE name = 'bob')"), &["0:1"]),
        (Some("1 = 0"), &[]),
    ] {
        assert_eq!(ids(table.select_row_ids(condition).unwrap()), expected, "{condition:?}");
    }
}

#[test]
fn a_condition_reaches_nothing_but_its_table() {
    let db = database();
    let spec = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "a")])).unwrap();
    let mut table = open(&db.path);
    for wrong in [
        "none = 1",
        "\"none\" = 1",
        "id = ",
        "id = 1; DROP TABLE lockgate_runs",
        "1=1) UNION SELECT commit_ordinal FROM lockgate_runs WHERE (1=1",
        "EXISTS (SELECT 1 FROM lockgate_runs)",
        "(SELECT count(*) FROM sqlite_schema) > 0",
        "load_extension('x')",
        "randomblob(1000000000) IS NULL",
        "zeroblob(1000000000) IS NULL",
        "EXISTS (WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r)",
        "EXISTS (SELECT 1 FROM pragma_table_info('lockgate_runs'))",
        "name MATCH 'a'",
        "id, name",
        "abs(-9223372036854775807 - id) > 0",
    ] {
        let error = table.select_row_ids(Some(wrong)).unwrap_err();
        assert!(matches!(error, SinkError::Condition { .. }), "{wrong}: {error}");
        assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
    }
    assert_eq!(table.select_row_ids(None).unwrap().len(), 1, "the table can still be read");
    assert_eq!(table.commits().unwrap().len(), 1, "and its commits");
}

#[test]
fn a_table_that_is_not_there_or_has_no_row_ids_is_refused() {
    let db = database();
    let dataset = "analytics.customers".parse().unwrap();
    assert!(matches!(SqliteTable::open(&db.path, &dataset), Err(SinkError::CannotOpen { .. })));
    assert!(!db.path.exists(), "reading makes no file");
    let connection = Connection::open(&db.path).unwrap();
    connection.execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(SqliteTable::open(&db.path, &dataset), Err(SinkError::NoTable { .. })));
    connection.execute_batch("CREATE TABLE \"analytics.customers\" (id BIGINT)").unwrap();
    assert!(matches!(SqliteTable::open(&db.path, &dataset), Err(SinkError::NoColumn { .. })));
}

#[test]
fn a_value_of_another_program_is_refused_without_being_shown() {
    let db = database();
    let connection = Connection::open(&db.path).unwrap();
    let sql = "CREATE TABLE \"analytics.customers\" (id BIGINT, blob BLOB, lockgate_rid BIGINT);
               INSERT INTO \"analytics.customers\" VALUES ('secret', x'00', 7);";
    connection.execute_batch(sql).unwrap();
    let mut table = open(&db.path);
    assert_eq!(table.other_columns(), ["blob"]);
    let error = table.scan(&["id".parse().unwrap()], 10).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("column `id` in row 0:7 is no bigint") && !error.contains("secret"), "{error}");
    connection.execute_batch("UPDATE \"analytics.customers\" SET lockgate_rid = NULL").unwrap();
    let error = table.select_row_ids(None).unwrap_err().to_string();
    assert!(error.contains("a row without a row id"), "{error}");
}

#[test]
fn a_scan_sees_one_moment() {
    let db = database();
    let spec = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "a"), (Some(2), "b")])).unwrap();
    let mut table = open(&db.path);
    let mut scan = table.scan(&["id".parse().unwrap()], 1).unwrap();
    assert_eq!(scan.next().unwrap().unwrap().row_ids.len(), 1);
    commit(&db.path, &spec, 2, &people(&spec, &[(Some(3), "c")])).unwrap();
    assert_eq!(scan.map(|batch| batch.unwrap().row_ids.len()).sum::<usize>(), 1);
    assert_eq!(table.select_row_ids(None).unwrap().len(), 3);
}
