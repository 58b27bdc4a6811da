//! PostgreSQL tables on a real server: every type and back, drift, modes, and nothing kept of a run that is not whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::util::display::array_value_to_string;
use lockgate_connect::{
    PostgresError, PostgresSink, PostgresTable, PostgresTransaction, SinkColumn, TableSpec, WriteMode, postgres_server,
};
use lockgate_model::{DatasetName, FailureKind, RowId};
use lockgate_project::{DatabaseLogin, PostgresLocation, Project, SecretRef, TlsIdentity, TlsSettings};
use lockgate_test_services::{Services, services};
use lockgate_trust::Site;

use crate::sqlite_write::{batch, columns, people, run};

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// A schema of its own on the shared server.
pub(crate) struct Database {
    pub(crate) services: Services,
    pub(crate) schema: String,
    pub(crate) location: PostgresLocation,
    pub(crate) site: Site,
    _folder: tempfile::TempDir,
}

pub(crate) fn database() -> Option<Database> {
    let services = services()?;
    let schema = format!("c{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
    services.sql(&format!("create schema {schema} authorization writers"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "planted-postgres-password\n").unwrap();
    let text = "version: 1\nproject: p\nstores: {}\nkeys: { default: { local: ./k } }\nledger: { at: 'file://./l' }\n";
    let (project, _) = Project::from_files(folder.path(), &[("lockgate.yaml", text.as_bytes())], &|_| None).unwrap();
    let password = SecretRef::File(folder.path().join("password"));
    let location = PostgresLocation {
        host: "localhost".into(),
        port: services.text("/postgres/port").parse().unwrap(),
        database: "warehouse".into(),
        login: DatabaseLogin::Password { user: "by_password".into(), password },
        tls: Some(TlsSettings { ca: Some(services.pki("ca.pem").into()), identity: None }),
    };
    Some(Database { services, schema, location, site: Site::new(project), _folder: folder })
}

impl Database {
    fn dataset(&self) -> DatasetName {
        format!("{}.customers", self.schema).parse().unwrap()
    }

    fn sink(&self) -> PostgresSink {
        PostgresSink::open(&postgres_server(&self.site, &self.location).unwrap(), &self.dataset()).unwrap()
    }

    fn table(&self) -> PostgresTable {
        PostgresTable::open(&postgres_server(&self.site, &self.location).unwrap(), &self.dataset()).unwrap()
    }

    fn spec(&self, text: &str, mode: WriteMode, key: &[&str]) -> TableSpec {
        let key = key.iter().map(|name| name.parse().unwrap()).collect();
        TableSpec::new(self.dataset(), columns(text), mode, key).unwrap()
    }

    pub(crate) fn sql(&self, statement: &str) -> String {
        self.services.sql(&statement.replace("TABLE", &format!("{}.customers", self.schema)))
    }

    /// Writes one batch as a run and commits it.
    fn load(&self, spec: &TableSpec, number: u8, batch: &RecordBatch) -> Result<(), PostgresError> {
        let mut sink = self.sink();
        let mut transaction = sink.begin(spec, &run(number))?;
        write(&mut transaction, batch)?;
        transaction.commit("record").map(drop)
    }

    /// Why a connection is refused after the location was changed.
    fn refused(&self, change: impl FnOnce(&mut PostgresLocation)) -> PostgresError {
        let mut location = self.location.clone();
        change(&mut location);
        let server = postgres_server(&self.site, &location).unwrap();
        match PostgresSink::open(&server, &self.dataset()) {
            Ok(_) => panic!("it was let in"),
            Err(error) => error,
        }
    }
}

fn write(transaction: &mut PostgresTransaction<'_>, batch: &RecordBatch) -> Result<(), PostgresError> {
    let id = |row| RowId::new(transaction.commit_ordinal(), row).unwrap();
    let ids: Vec<_> = (0..batch.num_rows() as u64).map(id).collect();
    transaction.write(batch, &ids)
}

const EVERY_TYPE: &str =
    "t:text b:bigint i:integer d:double n:decimal(38,10) n0:decimal(9,0) o:boolean day:date at:timestamp";

fn every_type(spec: &TableSpec) -> RecordBatch {
    let numeric = |values: Vec<Option<i128>>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    batch(
        spec,
        vec![
            Arc::new(StringArray::from(vec![Some("Μαρία \"q\" \\ \t\n, 'x'"), None, Some("")])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
            Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
            Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-1.5e300)])),
            numeric(vec![Some(10i128.pow(38) - 1), None, Some(-1)], 38, 10),
            numeric(vec![Some(100_000_000), None, Some(0)], 9, 0),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Date32Array::from(vec![Some(-719_162), None, Some(20_000)])),
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1_764_000_000_123_456)]).with_timezone("UTC"),
            ),
        ],
    )
}

#[test]
fn every_type_is_written_exactly_and_read_back() {
    let Some(database) = database() else { return };
    let spec = database.spec(EVERY_TYPE, WriteMode::Append, &[]);
    let written = every_type(&spec);
    database.load(&spec, 1, &written).unwrap();
    assert_eq!(
        database.sql("select t, b, i, d, n, n0, o, day, at at time zone 'UTC' from TABLE where b < 0"),
        "Μαρία \"q\" \\ \t\n, 'x'|-9223372036854775808|-2147483648|0.1|9999999999999999999999999999.9999999999|100000000|t|\
         0001-01-01|1969-12-31 23:59:59.999999"
    );
    let mut table = database.table();
    let names: Vec<_> = spec.columns().iter().map(|column| column.name.clone()).collect();
    let read: Vec<_> = table.scan(&names, 2).unwrap().map(Result::unwrap).collect();
    let batches: Vec<_> = read.iter().map(|scanned| &scanned.columns).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(arrow::compute::concat_batches(&written.schema(), batches).unwrap(), written);
    let commits = table.commits().unwrap();
    assert_eq!((commits.len(), commits[0].rows, commits[0].record.as_str()), (1, 3, "record"));
}

#[test]
fn rows_are_added_replaced_or_merged() {
    let Some(database) = database() else { return };
    let append = database.spec("id:bigint name:text", WriteMode::Append, &[]);
    database.load(&append, 1, &people(&append, &[(Some(1), "a"), (Some(2), "b")])).unwrap();
    database.load(&append, 2, &people(&append, &[(Some(2), "c")])).unwrap();
    let all = "select string_agg(id || name, ' ' order by lockgate_rid) from TABLE";
    assert_eq!(database.sql(all), "1a 2b 2c");
    let replace = database.spec("id:bigint name:text", WriteMode::Replace, &[]);
    database.load(&replace, 3, &people(&replace, &[(Some(7), "z")])).unwrap();
    assert_eq!(database.sql(all), "7z");
    let merge = database.spec("id:bigint name:text", WriteMode::Merge, &["id"]);
    let error = database.load(&merge, 4, &people(&merge, &[(Some(7), "y")])).unwrap_err();
    assert!(error.to_string().contains("no PRIMARY KEY or unique index is on exactly the merge key (`id`)"), "{error}");
    database.sql("alter table TABLE add primary key (id)");
    let rows = [(Some(7), "y"), (Some(8), "x"), (Some(7), "w")];
    database.load(&merge, 4, &people(&merge, &rows)).unwrap();
    assert_eq!(database.sql(all), "8x 7w", "of two rows with one key the later stands");
    let error = database.load(&merge, 5, &people(&merge, &[(None, "v")])).unwrap_err();
    assert!(matches!(error, PostgresError::NullKey { .. }), "{error}");
    let again = database.load(&merge, 4, &people(&merge, &[(Some(9), "u")])).unwrap_err();
    assert!(matches!(again, PostgresError::AlreadyCommitted { commit_ordinal: 3, .. }), "{again}");
    assert_eq!(database.sql(all), "8x 7w");
}

#[test]
fn a_transaction_that_is_dropped_or_fails_leaves_nothing() {
    let Some(database) = database() else { return };
    let spec = database.spec("id:bigint name:text", WriteMode::Append, &[]);
    let mut sink = database.sink();
    let mut transaction = sink.begin(&spec, &run(1)).unwrap();
    write(&mut transaction, &people(&spec, &[(Some(1), "a")])).unwrap();
    drop(transaction);
    assert_eq!(sink.commits(&database.dataset()).unwrap(), []);
    let nul = people(&spec, &[(Some(1), "a\0b")]);
    let mut transaction = sink.begin(&spec, &run(1)).unwrap();
    let error = write(&mut transaction, &nul).unwrap_err();
    assert!(error.to_string().contains("NUL") && !error.to_string().contains("a\0b"), "{error}");
    drop(transaction);
    let mut transaction = sink.begin(&spec, &run(1)).unwrap();
    write(&mut transaction, &people(&spec, &[(Some(1), "a")])).unwrap();
    transaction.commit("r").unwrap();
    assert_eq!(database.sql("select count(*) from TABLE"), "1");
}

#[test]
fn values_are_converted_to_the_types_that_an_existing_table_has() {
    let Some(database) = database() else { return };
    database.sql(&format!("create type {}.colour as enum ('red', 'green')", database.schema));
    let table = "create table TABLE (u uuid, j jsonb, c COLOUR, tags text[], v varchar(3), n numeric, s smallint, \
                 more text default 'kept', lockgate_rid bigint not null); alter table TABLE owner to writers";
    database.sql(&table.replace("COLOUR", &format!("{}.colour", database.schema)));
    let spec = database.spec("u:text j:text c:text tags:text v:text n:bigint s:integer", WriteMode::Append, &[]);
    let one = |values: [&str; 5], n: i64, s: i32| {
        let mut arrays: Vec<ArrayRef> =
            values.iter().map(|value| Arc::new(StringArray::from(vec![*value])) as ArrayRef).collect();
        arrays.push(Arc::new(Int64Array::from(vec![n])));
        arrays.push(Arc::new(Int32Array::from(vec![s])));
        batch(&spec, arrays)
    };
    let good = ["6f3a1c1e-1111-2222-3333-444455556666", "{\"a\": 1}", "red", "{x,y}", "abc"];
    database.load(&spec, 1, &one(good, 5, 6)).unwrap();
    assert_eq!(
        database.sql("select u, j->>'a', c, tags[2], v, n, s, more from TABLE"),
        format!("{}|1|red|y|abc|5|6|kept", good[0])
    );
    for (at, wrong) in
        [(0, "secret-not-a-uuid"), (1, "{secret"), (2, "secretblue"), (3, "secret"), (4, "secret-too-long")]
    {
        let mut values = good;
        values[at] = wrong;
        let error = database.load(&spec, 2, &one(values, 5, 6)).unwrap_err();
        assert!(matches!(error, PostgresError::Conversion { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = database.load(&spec, 2, &one(good, 5, 70_000)).unwrap_err();
    assert!(matches!(error, PostgresError::Conversion { .. }), "{error}");
    let mut read = database.table();
    let names: Vec<_> = ["u", "c", "tags"].iter().map(|name| name.parse().unwrap()).collect();
    let scanned = read.scan(&names, 10).unwrap().next().unwrap().unwrap();
    assert_eq!(array_value_to_string(scanned.columns.column(2), 0).unwrap(), "{x,y}");
}

#[test]
fn a_table_that_differs_is_named_with_all_its_differences_and_left_alone() {
    let Some(database) = database() else { return };
    database.sql(
        "create table TABLE (id text, name integer, extra text not null, lockgate_rid bigint not null); \
         create function public.nothing_TABLE() returns trigger language plpgsql as 'begin return new; end'"
            .replace("nothing_TABLE", &format!("nothing_{}", database.schema))
            .as_str(),
    );
    database.sql(&format!(
        "create trigger watcher before insert on TABLE for each row execute function public.nothing_{}()",
        database.schema
    ));
    let spec = database.spec("id:bigint name:text city:text", WriteMode::Merge, &["id"]);
    let mut sink = database.sink();
    let Err(error) = sink.begin(&spec, &run(1)) else { panic!("the table was taken") };
    let said = error.to_string();
    for wanted in [
        "its column `id` has the type `text` instead of bigint",
        "its column `name` has the type `integer` instead of text",
        "it lacks the column `city` of type text",
        "its column `extra` must have a value",
        "it has the trigger `watcher`",
        "no PRIMARY KEY or unique index",
    ] {
        assert!(said.contains(wanted), "{said}");
    }
    database.sql("drop table TABLE; create view TABLE as select 1 as id");
    let Err(error) = database.sink().begin(&spec, &run(1)) else { panic!("the view was taken") };
    assert!(error.to_string().contains("it is no table but a view"), "{error}");
}

#[test]
fn a_condition_selects_rows_and_can_do_nothing_else() {
    let Some(database) = database() else { return };
    let spec = database.spec("id:bigint name:text", WriteMode::Append, &[]);
    let rows = [(Some(1), "a"), (Some(2), "b"), (Some(3), "it's")];
    database.load(&spec, 1, &people(&spec, &rows)).unwrap();
    let mut table = database.table();
    for (condition, expected) in
        [(None, 3), (Some("id >= 2"), 2), (Some("name = 'it''s'"), 1), (Some("id = 2 AND name LIKE 'b%'"), 1)]
    {
        assert_eq!(table.select_row_ids(condition).unwrap().len(), expected, "{condition:?}");
    }
    for wrong in ["nme = 'x'", "1=1) OR (1=1", "id = 1; drop table x", "name = E'\\'' ", "id = $1", "nosuch(id)"] {
        let error = table.select_row_ids(Some(wrong)).unwrap_err();
        assert!(matches!(error, PostgresError::Condition { .. }), "{wrong}: {error}");
    }
    let error = table.select_row_ids(Some("1 / (id - 1) > 0")).unwrap_err();
    assert!(error.to_string().contains("can't be computed for every row"), "{error}");
    let error = table.select_row_ids(Some("cast(name as integer) = 1")).unwrap_err();
    assert!(!error.to_string().contains("it's"), "a value is not repeated: {error}");
}

#[test]
fn names_are_quoted_whatever_they_hold_and_refused_where_they_would_be_cut() {
    let Some(database) = database() else { return };
    let spec = database.spec("select:text \u{dc}ber:text order:bigint", WriteMode::Merge, &["order"]);
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let row = batch(&spec, vec![text("a"), text("b"), Arc::new(Int64Array::from(vec![1]))]);
    database.load(&spec, 1, &row).unwrap();
    assert_eq!(database.sql("select \"select\", \"\u{dc}ber\", \"order\" from TABLE"), "a|b|1");
    let long = "x".repeat(64);
    let spec = database.spec(&format!("{long}:text"), WriteMode::Append, &[]);
    let Err(error) = database.sink().begin(&spec, &run(2)) else { panic!("it was taken") };
    assert!(matches!(error, PostgresError::NameTooLong { most: 63, .. }), "{error}");
}

#[test]
fn only_a_server_that_proves_its_name_is_talked_to_and_only_with_what_it_expects() {
    let Some(database) = database() else { return };
    let tls = |ca: &str, identity: Option<(&str, &str)>| {
        let services = &database.services;
        let identity = identity.map(|(certificate, key)| TlsIdentity::Files {
            certificate: services.pki(certificate).into(),
            key: SecretRef::File(services.pki(key).into()),
        });
        Some(TlsSettings { ca: Some(services.pki(ca).into()), identity })
    };
    let error = database.refused(|at| at.tls = tls("other-ca.pem", None));
    assert!(matches!(&error, PostgresError::Tls { reason, .. } if reason.contains("UnknownIssuer")), "{error}");
    assert_eq!(error.kind(), FailureKind::Refused);
    let error = database.refused(|at| at.database = "nowhere".into());
    assert!(matches!(error, PostgresError::NoDatabase { .. }), "{error}");
    let static_etl = |at: &mut PostgresLocation| at.login = DatabaseLogin::Certificate { user: "svc-etl".into() };
    let error = database.refused(static_etl);
    assert!(matches!(error, PostgresError::LoginRefused { .. }), "no certificate: {error}");
    let mut location = database.location.clone();
    static_etl(&mut location);
    location.tls = tls("ca.pem", Some(("svc-etl.crt", "svc-etl.key")));
    let server = postgres_server(&database.site, &location).unwrap();
    PostgresSink::open(&server, &database.dataset()).unwrap();
    let error = database.refused(|at| {
        static_etl(at);
        at.tls = tls("ca.pem", Some(("stranger.crt", "stranger.key")));
    });
    assert!(
        matches!(
            error,
            PostgresError::LoginRefused { .. } | PostgresError::Tls { .. } | PostgresError::Unreachable { .. }
        ),
        "{error}"
    );
}

#[test]
fn a_server_without_tls_is_told_nothing() {
    let Some(database) = database() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = vec![0; 8];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"N").unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    let error = database.refused(|at| at.port = port);
    assert!(matches!(&error, PostgresError::Tls { reason, .. } if reason.contains("no TLS")), "{error}");
    assert_eq!(heard.join().unwrap(), [0, 0, 0, 8, 4, 210, 22, 47], "the request for TLS and nothing after it");
}

#[test]
fn what_a_role_may_not_do_is_named_with_the_grants() {
    let Some(database) = database() else { return };
    database.sql(&format!("alter schema {} owner to postgres", database.schema));
    let spec = database.spec("id:bigint", WriteMode::Append, &[]);
    let Err(error) = database.sink().begin(&spec, &run(1)) else { panic!("it was let in") };
    assert!(matches!(error, PostgresError::NotPermitted), "{error}");
    let nowhere = format!("{}_gone.customers", database.schema).parse().unwrap();
    let server = postgres_server(&database.site, &database.location).unwrap();
    let error = PostgresSink::open(&server, &nowhere).unwrap().commits(&nowhere).unwrap_err();
    assert!(error.to_string().contains("CREATE SCHEMA"), "{error}");
}

#[test]
fn a_session_that_is_ended_loses_nothing_and_keeps_nothing() {
    let Some(database) = database() else { return };
    let spec = database.spec("id:bigint name:text", WriteMode::Append, &[]);
    let mut sink = database.sink();
    let mut transaction = sink.begin(&spec, &run(1)).unwrap();
    let rows: Vec<_> = (0..8_000).map(|n| (Some(n), "a longer text than most so that it fills what is sent")).collect();
    write(&mut transaction, &people(&spec, &rows)).unwrap();
    database.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'by_password' and query like 'COPY%customers%' and query like '%SCHEMA%'"
        .replace("SCHEMA", &database.schema).as_str());
    let error = transaction.commit("record").unwrap_err();
    assert!(matches!(error, PostgresError::Ended | PostgresError::Lost), "{error}");
    assert_eq!(database.sink().commits(&database.dataset()).unwrap(), []);
    database.load(&spec, 1, &people(&spec, &rows)).unwrap();
    assert_eq!(database.sql("select count(*) from TABLE"), "8000");
}

/// Columns are described by the same words as those of SQLite.
#[test]
fn the_tables_columns_are_those_that_were_written() {
    let Some(database) = database() else { return };
    let spec = database.spec(EVERY_TYPE, WriteMode::Replace, &[]);
    database.load(&spec, 1, &every_type(&spec)).unwrap();
    let found: Vec<SinkColumn> = database.table().columns().to_vec();
    assert_eq!(found, spec.columns());
}
