//! Datasets of Parquet files on a real object store: one of two writers commits, what nobody names goes, and a large file
//! travels in parts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use lockgate_connect::{
    CommittedRun, DatasetStore, FileKeys, ParquetError, ParquetSink, ParquetTable, ParquetTransaction, TableSpec,
    WriteMode, dataset_store,
};
use lockgate_model::{DatasetName, RowId, RunId};
use lockgate_project::Project;
use lockgate_test_services::{Services, services};
use lockgate_trust::Site;
use serde_json::{Value, json};

use crate::sqlite_write::{batch, people, run, spec};

static LAKES: AtomicU32 = AtomicU32::new(0);

/// A prefix of its own of the shared bucket.
struct Lake {
    services: Services,
    store: DatasetStore,
    prefix: String,
    _folder: tempfile::TempDir,
    _site: Site,
}

fn lake() -> Option<Lake> {
    let services = services()?;
    let prefix = format!("lake{}_{}", std::process::id(), LAKES.fetch_add(1, Ordering::Relaxed));
    let keys = json!({ "access_key": "test", "secret_key": services.text("/s3/secret_access_key") });
    services.vault("POST", "secret/data/lake", &json!({ "data": keys }));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "root").unwrap();
    let text = format!(
        "version: 1
project: p
tls: {{ ca: '{ca}' }}
vault: {{ address: '{vault}', login: {{ token: 'file:./token' }} }}
aws: {{ region: us-east-1, vault: secret/data/lake }}
stores: {{ lake: {{ at: 's3://landing/{prefix}', endpoint: '{s3}', sse: {{ kms_key: '{key}' }} }} }}
keys: {{ default: {{ local: ./k }} }}
ledger: {{ at: 'file://./l' }}
",
        ca = services.pki("ca.pem"),
        vault = services.text("/vault/address"),
        s3 = services.text("/s3/endpoint"),
        key = services.text("/s3/kms_key"),
    );
    let loaded = Project::from_files(folder.path(), &[("lockgate.yaml", text.as_bytes())], &|_| None);
    let (project, _) = loaded.unwrap_or_else(|rejected| panic!("{:?}", rejected.diagnostics));
    let site = Site::new(project);
    let store = dataset_store(&site, &"lake".parse().unwrap()).unwrap();
    Some(Lake { services, store, prefix, _folder: folder, _site: site })
}

fn dataset() -> DatasetName {
    "analytics.customers".parse().unwrap()
}

impl Lake {
    fn open(&self) -> ParquetSink {
        ParquetSink::open(&self.store, &dataset()).unwrap()
    }

    /// The objects of the dataset, but for its commits.
    fn files(&self) -> BTreeSet<String> {
        let below = format!("{}/analytics.customers/", self.prefix);
        let listed =
            self.services.boto("s3", "s3", "list_objects_v2", &json!({ "Bucket": "landing", "Prefix": below }));
        let objects = listed["Contents"].as_array().cloned().unwrap_or_default();
        let name = |object: &Value| object["Key"].as_str().unwrap().strip_prefix(&below).unwrap().to_owned();
        objects.iter().map(name).filter(|name| !name.starts_with("_lockgate/")).collect()
    }

    fn put(&self, name: &str) {
        let object = json!({
            "Bucket": "landing", "Key": format!("{}/analytics.customers/{name}", self.prefix), "Body": "rows",
            "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.services.text("/s3/kms_key"),
        });
        self.services.boto("s3", "s3", "put_object", &object);
    }

    /// The rows of the dataset as a reader finds them: id and name.
    fn rows(&self) -> BTreeSet<(i64, String)> {
        let table = ParquetTable::open(&self.store, &dataset(), Arc::new(FileKeys::default())).unwrap();
        let mut rows = BTreeSet::new();
        for scanned in table.scan(&table.columns()).unwrap() {
            let columns = scanned.unwrap().columns;
            let (ids, names) = (columns.column(0).as_primitive::<Int64Type>(), columns.column(1).as_string::<i32>());
            for row in 0..columns.num_rows() {
                assert!(rows.insert((ids.value(row), names.value(row).to_owned())), "row {row} is there twice");
            }
        }
        rows
    }
}

fn begin<'a>(sink: &'a mut ParquetSink, spec: &TableSpec, run: &RunId) -> ParquetTransaction<'a> {
    sink.begin(spec, run, None, BTreeSet::new(), Arc::new(FileKeys::default())).unwrap()
}

fn write(transaction: &mut ParquetTransaction<'_>, first: u64, batch: &RecordBatch) {
    let id = |row| RowId::new(transaction.commit_ordinal(), row).unwrap();
    let ids: Vec<_> = (first..first + batch.num_rows() as u64).map(id).collect();
    transaction.write(batch, &ids).unwrap();
}

fn commit(
    sink: &mut ParquetSink,
    spec: &TableSpec,
    run: &RunId,
    rows: &[(Option<i64>, &str)],
) -> Result<CommittedRun, ParquetError> {
    let mut transaction = begin(sink, spec, run);
    write(&mut transaction, 0, &people(spec, rows));
    transaction.commit("a record")
}

fn named(rows: &[(i64, &str)]) -> BTreeSet<(i64, String)> {
    rows.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}

#[test]
fn of_two_writers_one_commits_and_the_next_run_clears_away_what_the_other_left() {
    let Some(lake) = lake() else { return };
    for (mode, key) in [(WriteMode::Append, &[][..]), (WriteMode::Merge, &["id"]), (WriteMode::Replace, &[])] {
        let spec = spec("id:bigint name:text", mode, key);
        let before = lake.open().commits().len();
        let (first, second) = (RunId::new(before as u64, [1; 10]), RunId::new(before as u64, [2; 10]));
        let (mut one, mut other) = (lake.open(), lake.open());
        let mut losing = begin(&mut other, &spec, &second);
        write(&mut losing, 0, &people(&spec, &[(Some(2), "two")]));
        commit(&mut one, &spec, &first, &[(Some(1), "one")]).unwrap();
        let error = losing.commit("a record").unwrap_err();
        assert!(matches!(error, ParquetError::CommitTaken { .. }) && !error.leaves_commit_open(), "{error}");
        assert_eq!(lockgate_model::FailureKind::from(error.fault()), lockgate_model::FailureKind::Unreachable);
        let left = |files: &BTreeSet<String>| files.iter().filter(|name| name.contains(second.as_str())).count();
        assert_eq!(left(&lake.files()), 1, "{mode:?}: the loser's file is there, and no commit names it");
        drop(other);
        let mut again = lake.open();
        assert_eq!(left(&lake.files()), 0, "{mode:?}");
        assert_eq!(again.commits().len(), before + 1);
        commit(&mut again, &spec, &second, &[(Some(2), "two")]).unwrap();
        assert!(lake.rows().contains(&(2, "two".to_owned())), "{mode:?}");
    }
    assert_eq!(lake.rows(), named(&[(2, "two")]), "what was replaced last");
}

#[test]
fn a_file_goes_when_nothing_can_name_it_any_more_and_not_before() {
    let Some(lake) = lake() else { return };
    let spec = spec("id:bigint name:text", WriteMode::Append, &[]);
    let alive = format!("00000000-{}-0000.parquet", run(9));
    let rewritten = format!("00000000-{}-m0003.parquet", run(9));
    let later = format!("00000001-{}-0000.parquet", run(9));
    let foreign = ["part-0.parquet", "_SUCCESS", "00000000-x-0000.parquet"];
    for name in [&alive, &rewritten, &later] {
        lake.put(name);
    }
    foreign.iter().for_each(|name| lake.put(name));
    let mut sink = lake.open();
    assert!(lake.files().contains(&alive), "its writer may be alive, and commit 0 is still to come");
    commit(&mut sink, &spec, &run(1), &[(Some(1), "one")]).unwrap();
    let files = lake.files();
    assert!(!files.contains(&alive) && !files.contains(&rewritten), "commit 0 is another run's: {files:?}");
    assert!(files.contains(&later) && foreign.iter().all(|name| files.contains(*name)), "{files:?}");
    assert_eq!(lake.rows(), named(&[(1, "one")]));
}

#[test]
fn a_large_file_travels_in_parts_and_one_that_is_given_up_leaves_none() {
    let Some(lake) = lake() else { return };
    let spec = spec("id:bigint name:text", WriteMode::Append, &[]);
    let rows = 300_000_i64;
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    let name = |_| format!("{:016x}{:016x}{:016x}{:016x}{:016x}", random(), random(), random(), random(), random());
    let names = StringArray::from_iter_values((0..rows).map(name));
    let all = batch(&spec, vec![Arc::new(Int64Array::from_iter_values(0..rows)), Arc::new(names)]);
    let uploads = || {
        let below = json!({ "Bucket": "landing", "Prefix": lake.prefix });
        lake.services.boto("s3", "s3", "list_multipart_uploads", &below)["Uploads"].as_array().map_or(0, Vec::len)
    };
    let mut sink = lake.open();
    let mut given_up = begin(&mut sink, &spec, &run(1));
    for first in (0..rows as usize).step_by(10_000) {
        write(&mut given_up, first as u64, &all.slice(first, 10_000));
    }
    assert_eq!(uploads(), 1, "it is more than a part");
    drop(given_up);
    assert_eq!((uploads(), lake.files().len()), (0, 0));

    let mut transaction = begin(&mut sink, &spec, &run(2));
    for first in (0..rows as usize).step_by(10_000) {
        write(&mut transaction, first as u64, &all.slice(first, 10_000));
    }
    transaction.commit("a record").unwrap();
    let table = ParquetTable::open(&lake.store, &dataset(), Arc::new(FileKeys::default())).unwrap();
    let mut read = 0;
    for scanned in table.scan(&table.columns()).unwrap() {
        let scanned = scanned.unwrap().columns;
        let expected = all.slice(read, scanned.num_rows());
        assert_eq!(scanned.column(0).as_ref(), expected.column(0).as_ref());
        assert_eq!(scanned.column(1).as_ref(), expected.column(1).as_ref());
        read += scanned.num_rows();
    }
    assert_eq!(read as i64, rows);
}

#[test]
fn a_commit_that_is_lost_is_noticed() {
    let Some(lake) = lake() else { return };
    let spec = spec("id:bigint name:text", WriteMode::Append, &[]);
    for n in 1..=3 {
        commit(&mut lake.open(), &spec, &run(n), &[(Some(i64::from(n)), "x")]).unwrap();
    }
    let key = format!("{}/analytics.customers/_lockgate/commits/00000001.json", lake.prefix);
    lake.services.boto("s3", "s3", "delete_object", &json!({ "Bucket": "landing", "Key": key }));
    let error = ParquetSink::open(&lake.store, &dataset()).err().unwrap().to_string();
    assert!(error.contains("00000001.json` is no record of a commit"), "{error}");
}
