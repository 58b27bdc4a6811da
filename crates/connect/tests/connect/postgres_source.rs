//! Tables that others write, read on a real server: every type exactly, one moment, one order, and what is refused.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::array_value_to_string;
use lockgate_connect::{
    BrokenRecord, PostgresError, PostgresSource, SOURCE_BATCH_BYTES_MAX, SOURCE_ROW_BYTES_MAX, SourceBatch,
    SourceColumn, SourceProblem, SourceRead, TableDigest, postgres_server,
};
use lockgate_model::FailureKind;

use crate::postgres::{Database, database};
use crate::sqlite_write::columns;

impl Database {
    /// The table `customers` with the declared columns, `NAME:TYPE` each.
    fn source(&self, declared: &str, key: &[&str]) -> Result<PostgresSource, PostgresError> {
        let columns = declared_columns(declared);
        let read = SourceRead {
            table: format!("{}.customers", self.schema).parse().unwrap(),
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            key: key.iter().map(|name| name.parse().unwrap()).collect(),
        };
        let source = PostgresSource::open(&postgres_server(&self.site, &self.location).unwrap(), read)?;
        source.check_types(&columns)?;
        Ok(source)
    }

    fn problem(&self, declared: &str, key: &[&str]) -> SourceProblem {
        match self.source(declared, key).and_then(|source| source.digest()).unwrap_err() {
            PostgresError::Source(problem) => problem,
            error => panic!("{error}"),
        }
    }
}

fn declared_columns(text: &str) -> Vec<SourceColumn> {
    let column = |column: lockgate_connect::SinkColumn| SourceColumn {
        name: column.name,
        value_type: column.value_type,
        nullable: true,
        format: None,
    };
    columns(text).into_iter().map(column).collect()
}

/// Everything, in batches of so many rows.
fn read(source: &PostgresSource, declared: &str, max_rows: usize) -> (Vec<SourceBatch>, TableDigest) {
    let mut rows = source.rows(&declared_columns(declared)).unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = rows.next_batch(max_rows).unwrap() {
        batches.push(batch);
    }
    (batches, rows.digest())
}

fn shown(batches: &[SourceBatch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| (0..batch.columns.num_rows()).map(|row| (&batch.columns, row)));
    let cells = |(batch, row): (&RecordBatch, usize)| {
        // An instant as microseconds: Arrow would need the zone's tables to write one in UTC.
        let cell = |column: &ArrayRef| match column.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(instants) if instants.is_valid(row) => instants.value(row).to_string(),
            Some(_) => String::new(),
            None => array_value_to_string(column, row).unwrap(),
        };
        batch.columns().iter().map(cell).collect::<Vec<_>>().join("|")
    };
    rows.map(cells).collect()
}

fn broken(batches: &[SourceBatch]) -> Vec<(u64, String)> {
    let said = |record: &BrokenRecord| (record.position.row, record.reason.to_string());
    batches.iter().flat_map(|batch| &batch.broken).map(said).collect()
}

#[test]
fn values_of_every_type_are_read_exactly() {
    let Some(database) = database() else { return };
    let schema = &database.schema;
    database
        .sql(&format!("create type {schema}.colour as enum ('red', 'green'); create domain {schema}.age as smallint"));
    database.sql(
        "create table TABLE (id bigint primary key, s smallint, i integer, n numeric, d numeric(38,10), f real, g float8, \
         b boolean, day date, at timestamptz, local timestamp, t text, v varchar(5), u uuid, j json, jb jsonb, c SCHEMA.colour, \
         tags text[], a SCHEMA.age, x bytea, p interval); grant select on TABLE to writers"
            .replace("SCHEMA", schema)
            .as_str(),
    );
    database.sql(
        "insert into TABLE values (1, -32768, 2147483647, 12345678901234567890.12345, 9999999999999999999999999999.9999999999, \
         0.1, 0.1, true, '0001-01-01', '2026-03-01 12:00:00.000001+05:30', '2026-03-01 12:00:00.5', E'Μαρία \"q\" \\\\ \\t\\n x', \
         'abc', '6F3A1C1E-1111-2222-3333-444455556666', '{\"a\":  1.50}', '{\"b\": 2, \"a\": [1]}', 'green', \
         array['x,y', 'z'], 42, '\\x00ff', '1 year 2 days 3 seconds'); insert into TABLE (id) values (-9223372036854775808)",
    );
    let declared = "id:bigint s:integer i:integer n:text d:decimal(38,10) f:double g:double b:boolean day:date at:timestamp \
                    local:timestamp t:text v:text u:text j:text jb:text c:text tags:text a:integer x:text p:text";
    let source = database.source(declared, &[]).unwrap();
    assert_eq!(source.read().key, ["id".parse().unwrap()]);
    let digest = source.digest().unwrap();
    let (batches, again) = read(&source, declared, 1);
    assert_eq!((digest, digest.rows, batches.len()), (again, 2, 2));
    assert_eq!(
        batches.iter().flat_map(|batch| &batch.positions).map(|position| position.row).collect::<Vec<_>>(),
        [0, 1],
        "in the order of the key"
    );
    let rows = shown(&batches[1..]);
    assert_eq!(
        rows.join("\n"),
        "1|-32768|2147483647|12345678901234567890.12345|9999999999999999999999999999.9999999999|0.10000000149011612|0.1|true|\
         0001-01-01|1772346600000001|1772366400500000|Μαρία \"q\" \\ \t\n x|abc|\
         6f3a1c1e-1111-2222-3333-444455556666|{\"a\":  1.50}|{\"a\": [1], \"b\": 2}|green|{\"x,y\",z}|42|\\x00ff|P1Y2DT3S"
    );
    assert_eq!(shown(&batches[..1])[0], format!("-9223372036854775808{}", "|".repeat(20)));
}

#[test]
fn values_that_do_not_fit_are_set_aside_with_their_row() {
    let Some(database) = database() else { return };
    database.sql(
        "create table TABLE (id integer primary key, n numeric, d double precision, day date, at timestamptz, i bigint); \
         grant select on TABLE to writers; insert into TABLE values (1, 1.25, 1, '2026-01-01', 'epoch', 1); \
         insert into TABLE (id, n, d) values (2, 'NaN', 1), (3, 1.255, 1), (4, 1, 'Infinity'), (9, 1.2, null); \
         insert into TABLE (id, day) values (5, '0044-03-15 BC'), (6, 'infinity'); \
         insert into TABLE (id, at, i) values (7, '10000-01-01', 1), (8, null, 2147483648)",
    );
    let declared = "id:integer n:decimal(5,2) d:double day:date at:timestamp i:integer";
    let source = database.source(declared, &[]).unwrap();
    let (batches, _) = read(&source, declared, 100);
    let wrong = |column: &str, value_type: &str| format!("the value of the column `{column}` is no {value_type}");
    assert_eq!(
        broken(&batches),
        [
            (1, wrong("n", "decimal(5, 2)")),
            (2, wrong("n", "decimal(5, 2)")),
            (3, wrong("d", "double")),
            (4, wrong("day", "date")),
            (5, wrong("day", "date")),
            (6, wrong("at", "timestamp")),
            (7, wrong("i", "integer")),
        ]
    );
    assert_eq!(batches[0].positions.iter().map(|position| position.row).collect::<Vec<_>>(), [0, 8]);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&batches[0].broken[0].raw).unwrap(),
        serde_json::json!({ "id": "2", "n": "NaN", "d": "1", "day": null, "at": null, "i": null })
    );
}

#[test]
fn what_others_commit_meanwhile_is_not_seen() {
    let Some(database) = database() else { return };
    database.sql(
        "create table TABLE (id integer primary key, t text); grant select on TABLE to writers; \
         insert into TABLE select n, 'before' from generate_series(1, 5000) n",
    );
    let source = database.source("id:integer t:text", &[]).unwrap();
    database.sql("update TABLE set t = 'between' where id % 2 = 0; delete from TABLE where id < 10");
    let digest = source.digest().unwrap();
    let mut rows = source.rows(&declared_columns("id:integer t:text")).unwrap();
    let first = rows.next_batch(100).unwrap().unwrap();
    database.sql("delete from TABLE; insert into TABLE values (7, 'after')");
    let mut batches = vec![first];
    while let Some(batch) = rows.next_batch(1_000).unwrap() {
        batches.push(batch);
    }
    assert_eq!((digest.rows, rows.digest()), (5_000, digest));
    assert!(shown(&batches).iter().all(|row| row.ends_with("before")));
    let now = database.source("id:integer t:text", &[]).unwrap().digest().unwrap();
    assert_eq!(now.rows, 1);
    assert_ne!(now.sha256, digest.sha256);
}

#[test]
fn a_moment_that_is_gone_is_told_and_not_replaced_by_another() {
    let Some(database) = database() else { return };
    database.sql("create table TABLE (id integer primary key, t text); grant select on TABLE to writers");
    let source = database.source("id:integer t:text", &[]).unwrap();
    source.digest().unwrap();
    let ended = database.sql(&format!(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where state = 'idle in transaction' \
         and query like 'COPY%{}%'",
        database.schema
    ));
    assert_eq!(ended, "1");
    let Err(error) = source.rows(&declared_columns("id:integer t:text")) else { panic!("it was read") };
    assert!(matches!(error, PostgresError::Source(SourceProblem::MomentGone { .. })), "{error}");
    assert_eq!(error.kind(), FailureKind::Unreachable);
}

/// Computed by Python's hashlib from docs/tables.md.
#[test]
fn the_digest_is_the_specified_one() {
    let Some(database) = database() else { return };
    database.sql("create table TABLE (t text, id integer primary key); grant select on TABLE to writers");
    database.sql("insert into TABLE values ('', 10), ('aä', 1), (null, 2)");
    let digest = database.source("id:integer t:text", &[]).unwrap().digest().unwrap();
    assert_eq!(digest.sha256.to_string(), "5aaf2ceb13cfb1bed47ed4cac85288156aa064e0733c3ec3fd0682c0c078774b");
    assert_eq!((digest.rows, digest.bytes), (3, 7));
}

#[test]
fn rows_have_one_order_that_stays() {
    let Some(database) = database() else { return };
    database.sql(
        "create table TABLE (a text, b integer, t text); grant select on TABLE to writers; \
         insert into TABLE values ('b', 2, 'x'), ('B', 1, 'y'), ('a', 1, 'z'), ('a', 0, 'w')",
    );
    let problem = database.problem("t:text", &[]);
    assert!(matches!(problem, SourceProblem::NoKey { .. }) && problem.to_string().contains("`key: [..]`"), "{problem}");
    let problem = database.problem("t:text", &["a"]);
    assert!(matches!(problem, SourceProblem::KeyNotUnique { row: 2, .. }), "{problem}");
    assert!(!problem.to_string().contains("'a'"), "{problem}");
    database.sql("alter table TABLE add j json");
    assert!(matches!(database.problem("t:text", &["j"]), SourceProblem::KeyWithoutOrder { .. }));
    let source = database.source("t:text", &["a", "b"]).unwrap();
    assert_eq!(shown(&read(&source, "t:text", 10).0), ["y", "w", "z", "x"], "texts by their bytes");
    assert_eq!(
        source.keys(&[3, 0]).unwrap(),
        BTreeMap::from([(0, vec![Some("B".into()), Some("1".into())]), (3, vec![Some("b".into()), Some("2".into())])])
    );
    // Others wait for a table that is being read before they change what it is.
    let digest = source.digest().unwrap();
    drop(source);
    database.sql("alter table TABLE add primary key (b, a)");
    let by_primary_key = database.source("t:text", &[]).unwrap();
    assert_eq!(shown(&read(&by_primary_key, "t:text", 10).0), ["w", "y", "z", "x"], "its columns in their order");
    // The digest is of rows in an order, whatever the table's own is.
    drop(by_primary_key);
    database.sql("update TABLE set t = t where a = 'a'; cluster TABLE using customers_pkey");
    assert_eq!(database.source("t:text", &["a", "b"]).unwrap().digest().unwrap(), digest);
}

#[test]
fn a_table_that_differs_from_the_catalog_is_named_with_all_its_differences() {
    let Some(database) = database() else { return };
    database
        .sql("create table TABLE (id integer primary key, e_mail text, born uuid); grant select on TABLE to writers");
    let problem = database.problem("id:integer email:text born:date zzz:text", &[]).to_string();
    for wanted in ["no column `email` (is it `e_mail`?)", "no column `zzz`;", "correct the dataset's columns"] {
        assert!(problem.contains(wanted), "{problem}");
    }
    let problem = database.problem("id:boolean e_mail:bigint born:date", &[]).to_string();
    for wanted in [
        "`id` has the type `integer`, which is no boolean: declare `type: integer`",
        "`e_mail` has the type `text`, which is no bigint: declare `type: text`",
        "`born` has the type `uuid`, which is no date: declare `type: text`",
    ] {
        assert!(problem.contains(wanted), "{problem}");
    }
    database.sql("alter table TABLE rename to customer");
    let problem = database.problem("id:integer", &[]);
    assert!(
        matches!(&problem, SourceProblem::NoTable { near: Some(near), .. } if near.ends_with(".customer")),
        "{problem}"
    );
    database.sql(&format!("create sequence {}.customers", database.schema));
    assert!(matches!(database.problem("id:integer", &[]), SourceProblem::Kind { .. }));
    database.sql(&format!(
        "drop sequence {0}.customers; create view {0}.customers as select * from {0}.customer; \
         grant select on {0}.customers to writers",
        database.schema
    ));
    assert!(matches!(database.problem("id:integer", &[]), SourceProblem::NoKey { .. }), "a view has no key of its own");
    assert_eq!(database.source("id:integer", &["id"]).unwrap().digest().unwrap().rows, 0);
}

#[test]
fn a_role_that_may_not_read_is_denied_by_name_with_the_grant() {
    let Some(database) = database() else { return };
    database.sql("create table TABLE (id integer primary key, name text, pay integer)");
    let denied = |declared: &str| {
        let error = database.source(declared, &[]).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Denied, "{error}");
        error.to_string()
    };
    let schema = &database.schema;
    let said = denied("id:integer");
    assert!(said.contains("the role `writers` may not read the table"), "{said}");
    assert!(said.contains(&format!("GRANT SELECT ON \"{schema}\".\"customers\" TO \"writers\"")), "{said}");
    database.sql("grant select (id, name) on TABLE to writers; insert into TABLE values (1, 'a', 2)");
    let said = denied("id:integer pay:integer");
    assert!(said.contains("the columns pay of") && said.contains("GRANT SELECT (\"pay\") ON"), "{said}");
    assert_eq!(database.source("id:integer name:text", &[]).unwrap().digest().unwrap().rows, 1);
    database.sql("alter table TABLE enable row level security; grant select on TABLE to writers");
    assert!(denied("id:integer").contains("row security hides rows"));
    database.sql(&format!("alter table TABLE disable row level security; alter schema {schema} owner to postgres"));
    database.sql(&format!("revoke all on schema {schema} from writers"));
    assert!(denied("id:integer").contains(&format!("GRANT USAGE ON SCHEMA \"{schema}\" TO \"writers\"")));
}

#[test]
fn a_row_is_as_long_as_allowed_and_no_longer() {
    let Some(database) = database() else { return };
    database.sql("create table TABLE (id integer primary key, t text); grant select on TABLE to writers");
    database.sql(&format!("insert into TABLE values (1, 'x'), (2, repeat('y', {}))", SOURCE_ROW_BYTES_MAX - 1));
    let source = database.source("id:integer t:text", &[]).unwrap();
    assert_eq!(source.digest().unwrap().bytes, 2 + SOURCE_ROW_BYTES_MAX as u64);
    let (batches, _) = read(&source, "id:integer t:text", 10);
    assert_eq!(batches.iter().map(|batch| batch.columns.num_rows()).sum::<usize>(), 2);
    database.sql("update TABLE set t = t || 'y' where id = 2");
    let problem = database.problem("id:integer t:text", &[]);
    assert!(matches!(problem, SourceProblem::RowTooLong { row: 1, .. }), "{problem}");
    assert_eq!(database.source("id:integer", &[]).unwrap().digest().unwrap().rows, 2, "without its longest column");
}

#[test]
fn a_batch_ends_with_the_row_that_fills_it() {
    let Some(database) = database() else { return };
    database.sql("create table TABLE (id integer primary key, t text); grant select on TABLE to writers");
    let rows_of_batches = |bytes: usize| {
        // The key has a byte of its own.
        database.sql(&format!(
            "delete from TABLE; insert into TABLE select n, repeat('x', {}) from generate_series(1, 5) n",
            bytes - 1
        ));
        let source = database.source("id:integer t:text", &[]).unwrap();
        let (batches, _) = read(&source, "id:integer t:text", 100);
        batches.iter().map(|batch| batch.columns.num_rows()).collect::<Vec<_>>()
    };
    assert_eq!(rows_of_batches(SOURCE_BATCH_BYTES_MAX / 2), [2, 2, 1]);
    assert_eq!(rows_of_batches(SOURCE_BATCH_BYTES_MAX / 2 - 1), [3, 2]);
}

#[test]
fn only_a_server_with_tls_is_read_from() {
    let Some(mut database) = database() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    database.location.port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"N").unwrap();
    });
    let error = database.source("id:integer", &[]).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused, "{error}");
}
