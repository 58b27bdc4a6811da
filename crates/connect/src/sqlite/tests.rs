//! Failures that only the connection itself can bring about: after each, the table is as it was.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;

use super::*;

const SHORT: Duration = Duration::from_millis(50);

fn spec() -> TableSpec {
    let column = |name: &str, value_type: &str| SinkColumn {
        name: name.parse().unwrap(),
        value_type: value_type.parse().unwrap(),
    };
    let columns = vec![column("id", "bigint"), column("name", "text")];
    TableSpec::new("a.b".parse().unwrap(), columns, WriteMode::Append, vec![]).unwrap()
}

fn batch(rows: usize, name: &str) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let names: ArrayRef = Arc::new(StringArray::from(vec![name; rows]));
    let schema =
        crate::arrow_type::schema_of(spec().columns().iter().map(|c| (&c.name, c.value_type)).collect::<Vec<_>>());
    RecordBatch::try_new(schema, vec![ids, names]).unwrap()
}

fn row_ids(transaction: &SqliteTransaction<'_>, rows: usize) -> Vec<RowId> {
    let first = transaction.rows();
    (first..first + rows as u64).map(|row| RowId::new(transaction.commit_ordinal(), row).unwrap()).collect()
}

fn run(n: u8) -> RunId {
    RunId::new(0, [n; 10])
}

fn write(sink: &mut SqliteSink, n: u8, rows: usize, name: &str) -> Result<CommittedRun, SinkError> {
    let mut transaction = sink.begin(&spec(), &run(n))?;
    let ids = row_ids(&transaction, rows);
    transaction.write(&batch(rows, name), &ids)?;
    transaction.commit("{}")
}

fn count(sink: &SqliteSink) -> i64 {
    sink.connection.query_row("SELECT count(*) FROM \"a.b\"", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_full_database_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    write(&mut sink, 1, 10, "small").unwrap();
    let pages: i64 = sink.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let set_most = |sink: &SqliteSink, most: i64| {
        let sql = format!("PRAGMA max_page_count = {most}");
        assert_eq!(sink.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(), most);
    };
    set_most(&sink, pages + 2);
    let error = write(&mut sink, 2, 100, &"x".repeat(1_000)).unwrap_err();
    assert!(matches!(&error, SinkError::Full { .. }), "{error}");
    assert_eq!(error.fault(), crate::Fault::Full);
    assert!(error.to_string().contains("free space"), "{error}");
    assert_eq!(count(&sink), 10);
    assert_eq!(sink.committed(&run(2)).unwrap(), None);
    set_most(&sink, 10_000);
    let repeated = write(&mut sink, 2, 100, &"x".repeat(1_000)).unwrap();
    assert_eq!((repeated.commit_ordinal.get(), count(&sink)), (1, 110));
}

#[test]
fn a_failed_transaction_can_not_be_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    write(&mut sink, 1, 1, "a").unwrap();
    let mut transaction = sink.begin(&spec(), &run(2)).unwrap();
    let ids = row_ids(&transaction, 2);
    transaction.write(&batch(2, "b"), &ids).unwrap();
    assert!(matches!(transaction.write(&batch(2, "b"), &ids), Err(SinkError::Batch { .. })));
    let again = row_ids(&transaction, 2);
    assert!(matches!(transaction.write(&batch(2, "b"), &again), Err(SinkError::Abandoned)));
    assert!(matches!(transaction.commit("{}"), Err(SinkError::Abandoned)));
    assert_eq!(count(&sink), 1);
}

#[test]
fn a_locked_database_says_so_after_the_time_it_was_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let mut first = SqliteSink::open_waiting(&path, SHORT).unwrap();
    let mut second = SqliteSink::open_waiting(&path, SHORT).unwrap();
    // With the tables there, beginning alone writes nothing and must lock all the same.
    write(&mut first, 3, 1, "a").unwrap();
    let held = first.begin(&spec(), &run(1)).unwrap();
    let error = second.begin(&spec(), &run(2)).err().unwrap();
    assert!(matches!(&error, SinkError::Locked { waited, .. } if *waited == SHORT), "{error}");
    assert_eq!(error.fault(), crate::Fault::Unreachable);
    assert!(error.to_string().contains("another program has held it for 50 ms"), "{error}");
    drop(held);
    assert!(second.begin(&spec(), &run(2)).is_ok());
}

#[test]
fn a_read_only_database_is_its_own_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    write(&mut sink, 1, 1, "a").unwrap();
    sink.connection.pragma_update(None, "query_only", true).unwrap();
    let error = write(&mut sink, 2, 1, "b").unwrap_err();
    assert!(matches!(error, SinkError::ReadOnly { .. }), "{error}");
    assert_eq!(count(&sink), 1);
}

#[test]
fn ordinals_go_on_where_the_bookkeeping_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    write(&mut sink, 1, 1, "a").unwrap();
    write(&mut sink, 2, 1, "a").unwrap();
    sink.connection.execute_batch("DROP TABLE lockgate_runs").unwrap();
    assert_eq!(write(&mut sink, 3, 1, "a").unwrap().commit_ordinal.get(), 2);
}

#[test]
fn an_ordinal_is_refused_beyond_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    write(&mut sink, 1, 1, "a").unwrap();
    let set = |sink: &SqliteSink, ordinal: u32| {
        sink.connection
            .execute("UPDATE lockgate_runs SET commit_ordinal = ?1 WHERE run = ?2", (ordinal, run(1).as_str()))
            .unwrap()
    };
    set(&sink, lockgate_model::INPUTS_PER_RUN_MAX - 2);
    assert!(sink.begin(&spec(), &run(2)).is_ok());
    set(&sink, lockgate_model::INPUTS_PER_RUN_MAX - 1);
    assert!(matches!(sink.begin(&spec(), &run(2)), Err(SinkError::Ordinal { .. })));
}

#[test]
fn a_commit_record_has_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::open(&folder.path().join("x.db")).unwrap();
    let most = "x".repeat(COMMIT_RECORD_BYTES_MAX);
    assert!(sink.begin(&spec(), &run(1)).unwrap().commit(&most).is_ok());
    let error = sink.begin(&spec(), &run(2)).unwrap().commit(&format!("{most}x")).unwrap_err();
    assert!(matches!(error, SinkError::RecordTooLong(_)));
    assert_eq!(sink.committed(&run(2)).unwrap(), None);
}

#[test]
fn a_selection_has_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    write(&mut SqliteSink::open(&path).unwrap(), 1, 3, "a").unwrap();
    let mut table = SqliteTable::open(&path, spec().dataset()).unwrap();
    assert_eq!(table.select_at_most(None, 3).unwrap().len(), 3);
    assert!(matches!(table.select_at_most(None, 2), Err(SinkError::TooManyRows { most: 2, .. })));
    let padded = |length: usize| format!("{}1", " ".repeat(length - 1));
    assert_eq!(table.select_row_ids(Some(&padded(CONDITION_BYTES_MAX))).unwrap().len(), 3);
    assert!(table.select_row_ids(Some(&padded(CONDITION_BYTES_MAX + 1))).is_err());
}
