//! Writing tables: all of a run or nothing of it, and never over somebody else's table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use lockgate_connect::{
    CommittedRun, SinkColumn, SinkError, SqliteSink, SqliteTransaction, TableSpec, WriteMode, arrow_type,
};
use lockgate_model::{RowId, RunId};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) struct Database {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn database() -> Database {
    let folder = tempfile::tempdir().unwrap();
    Database { path: folder.path().join("warehouse.db"), _folder: folder }
}

pub(crate) fn columns(text: &str) -> Vec<SinkColumn> {
    let column = |part: &str| {
        let (name, value_type) = part.split_once(':').unwrap();
        SinkColumn { name: name.parse().unwrap(), value_type: value_type.parse().unwrap() }
    };
    text.split_whitespace().map(column).collect()
}

pub(crate) fn spec(text: &str, mode: WriteMode, key: &[&str]) -> TableSpec {
    let key = key.iter().map(|name| name.parse().unwrap()).collect();
    TableSpec::new("analytics.customers".parse().unwrap(), columns(text), mode, key).unwrap()
}

pub(crate) fn batch(spec: &TableSpec, arrays: Vec<ArrayRef>) -> RecordBatch {
    let field = |column: &SinkColumn| Field::new(column.name.as_str(), arrow_type(column.value_type), true);
    let schema = Schema::new(spec.columns().iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
}

pub(crate) fn people(spec: &TableSpec, rows: &[(Option<i64>, &str)]) -> RecordBatch {
    let ids: Int64Array = rows.iter().map(|(id, _)| *id).collect();
    let names = StringArray::from_iter_values(rows.iter().map(|(_, name)| *name));
    batch(spec, vec![Arc::new(ids), Arc::new(names)])
}

pub(crate) fn run(n: u8) -> RunId {
    RunId::new(0, [n; 10])
}

pub(crate) fn write(transaction: &mut SqliteTransaction<'_>, batch: &RecordBatch) -> Result<(), SinkError> {
    let first = transaction.rows();
    let id = |row| RowId::new(transaction.commit_ordinal(), row).unwrap();
    let ids: Vec<_> = (first..first + batch.num_rows() as u64).map(id).collect();
    transaction.write(batch, &ids)
}

pub(crate) fn commit(path: &Path, spec: &TableSpec, n: u8, batch: &RecordBatch) -> Result<CommittedRun, SinkError> {
    let mut sink = SqliteSink::open(path)?;
    let mut transaction = sink.begin(spec, &run(n))?;
    write(&mut transaction, batch)?;
    transaction.commit(&format!("record {n}"))
}

fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT \"id\" || ' ' || \"name\" || ' ' || (lockgate_rid >> 40) || ':' || (lockgate_rid & 0xffffffffff) \
               FROM \"analytics.customers\" ORDER BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

const PEOPLE: &str = "id:bigint name:text";

#[test]
fn append_replace_and_merge_write_what_they_say() {
    let db = database();
    let append = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &append, 1, &people(&append, &[(Some(1), "a"), (Some(1), "b")])).unwrap();
    assert_eq!(dump(&db.path), ["1 a 0:0", "1 b 0:1"]);
    let replace = spec(PEOPLE, WriteMode::Replace, &[]);
    let committed = commit(&db.path, &replace, 2, &people(&replace, &[(Some(2), "c")])).unwrap();
    assert_eq!((committed.commit_ordinal.get(), committed.rows), (1, 1));
    assert_eq!(dump(&db.path), ["2 c 1:0"]);

    let db = database();
    let merge = spec(PEOPLE, WriteMode::Merge, &["id"]);
    commit(&db.path, &merge, 1, &people(&merge, &[(Some(1), "a"), (Some(2), "b")])).unwrap();
    commit(&db.path, &merge, 2, &people(&merge, &[(Some(2), "B"), (Some(3), "c"), (Some(3), "C")])).unwrap();
    assert_eq!(dump(&db.path), ["1 a 0:0", "2 B 1:0", "3 C 1:2"]);
}

#[test]
fn columns_and_views_that_others_added_to_the_table_stay() {
    let db = database();
    let merge = spec(PEOPLE, WriteMode::Merge, &["id"]);
    commit(&db.path, &merge, 1, &people(&merge, &[(Some(1), "a"), (Some(2), "b")])).unwrap();
    let connection = Connection::open(&db.path).unwrap();
    connection
        .execute_batch(
            "ALTER TABLE \"analytics.customers\" ADD COLUMN note TEXT;
             ALTER TABLE \"analytics.customers\" ADD COLUMN rank INTEGER NOT NULL DEFAULT 7;
             UPDATE \"analytics.customers\" SET note = 'kept', rank = 1 WHERE id = 2;
             CREATE VIEW seen AS SELECT id || name || coalesce(note, '-') || rank AS told FROM \"analytics.customers\"",
        )
        .unwrap();
    let told = || {
        let mut statement = connection.prepare("SELECT told FROM seen ORDER BY told").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect::<Vec<String>>()
    };
    commit(&db.path, &merge, 2, &people(&merge, &[(Some(2), "B"), (Some(3), "c")])).unwrap();
    assert_eq!(told(), ["1a-7", "2Bkept1", "3c-7"], "a merge leaves what it does not write");
    let append = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &append, 3, &people(&append, &[(Some(4), "d")])).unwrap();
    assert_eq!(told(), ["1a-7", "2Bkept1", "3c-7", "4d-7"]);
    let replace = spec(PEOPLE, WriteMode::Replace, &[]);
    commit(&db.path, &replace, 4, &people(&replace, &[(Some(5), "e")])).unwrap();
    assert_eq!(told(), ["5e-7"], "the table is emptied and not made anew");
}

#[test]
fn the_run_token_is_there_with_the_rows_and_only_then() {
    let db = database();
    let spec = spec(PEOPLE, WriteMode::Append, &[]);
    let mut sink = SqliteSink::open(&db.path).unwrap();
    assert_eq!(sink.committed(&run(1)).unwrap(), None);
    assert_eq!(sink.commits(spec.dataset()).unwrap(), []);
    let mut dropped = sink.begin(&spec, &run(1)).unwrap();
    write(&mut dropped, &people(&spec, &[(Some(1), "a")])).unwrap();
    drop(dropped);
    assert_eq!(sink.committed(&run(1)).unwrap(), None);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    let count = |sql: &str| Connection::open(&db.path).unwrap().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(tables), 0, "an undone transaction leaves no table");

    let first = commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "a")])).unwrap();
    let second = commit(&db.path, &spec, 2, &people(&spec, &[])).unwrap();
    assert_eq!(sink.committed(&run(1)).unwrap(), Some(first.clone()));
    assert_eq!((first.record.as_str(), first.rows, first.commit_ordinal.get()), ("record 1", 1, 0));
    assert_eq!(sink.commits(spec.dataset()).unwrap(), [first, second]);
    let again = commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "a")])).unwrap_err();
    assert!(matches!(&again, SinkError::AlreadyCommitted { commit_ordinal: 0, .. }), "{again}");
    assert_eq!(dump(&db.path), ["1 a 0:0"]);
}

#[test]
fn every_type_is_stored_exactly() {
    let db = database();
    let text = "t:text b:bigint i:integer d:double m:decimal(38,2) f:boolean day:date at:timestamp";
    let spec = spec(text, WriteMode::Append, &[]);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("+0049"), None])),
        Arc::new(Int64Array::from(vec![Some(i64::MAX), None])),
        Arc::new(Int32Array::from(vec![Some(-1), None])),
        Arc::new(Float64Array::from(vec![Some(0.1), None])),
        Arc::new(
            Decimal128Array::from(vec![Some(123_456_789_012_345_678_901), None])
                .with_precision_and_scale(38, 2)
                .unwrap(),
        ),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(Date32Array::from(vec![Some(19_782), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None]).with_timezone("UTC")),
    ];
    commit(&db.path, &spec, 1, &batch(&spec, arrays)).unwrap();
    let connection = Connection::open(&db.path).unwrap();
    let sql = "SELECT quote(t) || quote(b) || quote(i) || quote(d) || quote(m) || quote(f) || quote(day) || quote(at) \
               FROM \"analytics.customers\" ORDER BY lockgate_rid";
    let mut statement = connection.prepare(sql).unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        rows,
        [
            "'+0049'9223372036854775807-10.1'1234567890123456789.01'1'2024-02-29''1969-12-31T23:59:59.999999Z'",
            "NULLNULLNULLNULLNULLNULLNULLNULL",
        ]
    );
}

#[test]
fn a_value_that_would_be_changed_is_refused_with_its_row() {
    let one = |text: &str, arrays: Vec<ArrayRef>| {
        let db = database();
        let spec = spec(text, WriteMode::Append, &[]);
        commit(&db.path, &spec, 1, &batch(&spec, arrays)).unwrap_err().to_string()
    };
    let error = one("x:double", vec![Arc::new(Float64Array::from(vec![1.0, f64::NAN]))]);
    assert!(error.starts_with("row 0:1: the value of the column `x` can't be stored exactly as double"), "{error}");
    let error = one("x:date", vec![Arc::new(Date32Array::from(vec![i32::MAX]))]);
    assert!(error.starts_with("row 0:0: the value of the column `x`"), "{error}");
    let error =
        one("x:timestamp", vec![Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN]).with_timezone("UTC"))]);
    assert!(error.starts_with("row 0:0: the value of the column `x`"), "{error}");
}

#[test]
fn a_null_in_the_merge_key_is_refused_and_nothing_is_kept() {
    let db = database();
    let spec = spec(PEOPLE, WriteMode::Merge, &["id"]);
    commit(&db.path, &spec, 1, &people(&spec, &[(Some(1), "a")])).unwrap();
    let error = commit(&db.path, &spec, 2, &people(&spec, &[(Some(1), "b"), (None, "secret")])).unwrap_err();
    assert_eq!(error.to_string(), "row 1:1 has no value in the key column `id`: a merge needs one in every row");
    assert_eq!(dump(&db.path), ["1 a 0:0"]);
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let db = database();
    let wanted = spec(PEOPLE, WriteMode::Append, &[]);
    let swapped = spec("name:text id:bigint", WriteMode::Append, &[]);
    let other = spec("id:integer name:text", WriteMode::Append, &[]);
    let text = || Arc::new(StringArray::from(vec!["a"]));
    let mut sink = SqliteSink::open(&db.path).unwrap();
    for wrong in [
        batch(&swapped, vec![text(), Arc::new(Int64Array::from(vec![1]))]),
        batch(&other, vec![Arc::new(Int32Array::from(vec![1])), text()]),
        batch(&spec("id:bigint", WriteMode::Append, &[]), vec![Arc::new(Int64Array::from(vec![1]))]),
    ] {
        let mut transaction = sink.begin(&wanted, &run(1)).unwrap();
        assert!(matches!(write(&mut transaction, &wrong), Err(SinkError::Batch { .. })));
    }
    let good = people(&wanted, &[(Some(1), "a"), (Some(2), "b")]);
    let id = |ordinal, row| RowId::new(lockgate_model::InputOrdinal::new(ordinal).unwrap(), row).unwrap();
    for ids in [vec![id(0, 0)], vec![id(1, 0), id(1, 1)], vec![id(0, 1), id(0, 1)], vec![id(0, 1), id(0, 0)]] {
        let mut transaction = sink.begin(&wanted, &run(1)).unwrap();
        assert!(matches!(transaction.write(&good, &ids), Err(SinkError::Batch { .. })), "{ids:?}");
    }
}

/// Makes a table by hand and says what `begin` finds wrong with it; the table must stay as it was.
fn refused(sql: &str, spec: &TableSpec) -> String {
    let db = database();
    let connection = Connection::open(&db.path).unwrap();
    connection.execute_batch(sql).unwrap();
    let schema = || -> String {
        let sql = "SELECT group_concat(coalesce(sql, name), ';') FROM sqlite_schema";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let before = schema();
    let error = SqliteSink::open(&db.path).unwrap().begin(spec, &run(1)).err().map(|error| error.to_string());
    assert_eq!(schema(), before);
    error.unwrap_or_default()
}

#[test]
fn a_table_that_differs_is_refused_with_every_difference_and_left_alone() {
    let append = spec(PEOPLE, WriteMode::Append, &[]);
    let error = refused(
        "CREATE TABLE \"analytics.customers\" (id TEXT, extra TEXT, must TEXT NOT NULL, lockgate_rid BIGINT)",
        &append,
    );
    assert_eq!(
        error,
        "the table `analytics.customers` is not what the pipeline writes: its column `id` has the type `TEXT` instead \
         of BIGINT; it lacks the column `name` of type TEXT; its column `must` must have a value and the pipeline \
         writes none; change the pipeline or the table"
    );
    let good = "CREATE TABLE \"analytics.customers\" (id BIGINT, name TEXT, extra TEXT, lockgate_rid BIGINT)";
    assert_eq!(refused(good, &append), "");
    for (sql, wrong) in [
        (
            "CREATE TABLE \"analytics.customers\" (id BIGINT, name TEXT)",
            "lacks the column `lockgate_rid` of type BIGINT",
        ),
        ("CREATE TABLE \"Analytics.Customers\" (id BIGINT)", "differs in upper and lower case only"),
        ("CREATE VIEW \"analytics.customers\" AS SELECT 1", "no table but a view"),
        ("CREATE TABLE lockgate_runs (x)", "`lockgate_runs` has other columns"),
        (
            &format!(
                "{good}; CREATE TABLE spy (x); CREATE TRIGGER leak AFTER INSERT ON \"analytics.customers\" \
                 BEGIN INSERT INTO spy VALUES (new.name); END"
            ),
            "has the trigger `leak`",
        ),
    ] {
        let error = refused(sql, &append);
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn a_merge_needs_a_unique_key_over_all_rows() {
    let merge = spec(PEOPLE, WriteMode::Merge, &["id"]);
    let table = |tail: &str| {
        format!("CREATE TABLE \"analytics.customers\" (id BIGINT, name TEXT, lockgate_rid BIGINT NOT NULL{tail}")
    };
    for good in [", PRIMARY KEY (id))", ", UNIQUE (id))", "); CREATE UNIQUE INDEX u ON \"analytics.customers\" (id)"] {
        assert_eq!(refused(&table(good), &merge), "", "{good}");
    }
    for wrong in [
        ")",
        ", UNIQUE (id, name))",
        ", UNIQUE (name))",
        "); CREATE INDEX u ON \"analytics.customers\" (id)",
        "); CREATE UNIQUE INDEX u ON \"analytics.customers\" (id) WHERE id > 0",
        "); CREATE UNIQUE INDEX u ON \"analytics.customers\" (abs(id))",
        "); CREATE UNIQUE INDEX u ON \"analytics.customers\" (id COLLATE NOCASE)",
    ] {
        let error = refused(&table(wrong), &merge);
        assert!(
            error.contains("no PRIMARY KEY or unique index is on exactly the merge key (`id`)"),
            "{wrong}: {error}"
        );
    }
    let alias = spec("id:integer name:text", WriteMode::Merge, &["id"]);
    let by_rowid = "CREATE TABLE \"analytics.customers\" (id INTEGER PRIMARY KEY, name TEXT, lockgate_rid BIGINT)";
    assert_eq!(refused(by_rowid, &alias), "");
}

#[test]
fn a_rule_of_the_table_that_a_row_breaks_is_named_without_the_value() {
    let db = database();
    let sql = "CREATE TABLE \"analytics.customers\" (id BIGINT UNIQUE, name TEXT, lockgate_rid BIGINT)";
    Connection::open(&db.path).unwrap().execute_batch(sql).unwrap();
    let spec = spec(PEOPLE, WriteMode::Append, &[]);
    commit(&db.path, &spec, 1, &people(&spec, &[(Some(4711), "a")])).unwrap();
    let error =
        commit(&db.path, &spec, 2, &people(&spec, &[(Some(1), "b"), (Some(4711), "c")])).unwrap_err().to_string();
    assert!(error.starts_with("row 1:1 breaks a rule of the table"), "{error}");
    assert!(error.contains("analytics.customers.id") && !error.contains("4711"), "{error}");
    assert_eq!(dump(&db.path), ["4711 a 0:0"]);
}

#[test]
fn names_of_any_characters_are_only_names() {
    let db = database();
    let name = "a\"; DROP TABLE lockgate_runs; --";
    let columns = vec![SinkColumn { name: name.parse().unwrap(), value_type: "bigint".parse().unwrap() }];
    let key = vec![name.parse().unwrap()];
    let spec = TableSpec::new("x.y-z".parse().unwrap(), columns, WriteMode::Merge, key).unwrap();
    let rows = batch(&spec, vec![Arc::new(Int64Array::from(vec![1]))]);
    commit(&db.path, &spec, 1, &rows).unwrap();
    commit(&db.path, &spec, 2, &rows).unwrap();
    assert_eq!(SqliteSink::open(&db.path).unwrap().commits(spec.dataset()).unwrap().len(), 2);
}

#[test]
fn a_place_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("notes.txt");
    let text = "these are notes and no database\n".repeat(100);
    std::fs::write(&foreign, &text).unwrap();
    assert!(matches!(SqliteSink::open(&foreign), Err(SinkError::NotADatabase { .. })));
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), text);
    assert!(matches!(SqliteSink::open(&folder.path().join("none/x.db")), Err(SinkError::CannotOpen { .. })));
    assert!(matches!(SqliteSink::open(folder.path()), Err(SinkError::CannotOpen { .. })));
}
