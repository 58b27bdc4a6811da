//! Parquet in a bucket, on a real object store: what a folder promises holds there too, wherever a run is killed and
//! whatever the service leaves unanswered.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use lockgate_test_services::{Services, services};
use serde_json::{Value, json};

use crate::parquet::{FOREIGN, READ};
use crate::python;
use crate::support::{Said, Site};

/// How many times a run is killed in each mode; more with `LOCKGATE_KILLS`.
const KILLS: u32 = 6;

static LAKES: AtomicU32 = AtomicU32::new(0);

/// A project whose warehouse is a prefix of its own of the shared bucket, with files of this machine to read.
pub(crate) struct Lake {
    pub(crate) site: Site,
    pub(crate) services: Services,
    pub(crate) prefix: String,
}

impl Lake {
    pub(crate) fn new(mode: &str) -> Option<Self> {
        let services = services()?;
        let prefix = format!("l{}_{}", std::process::id(), LAKES.fetch_add(1, Ordering::Relaxed));
        let site = Site::new();
        let store = format!(
            "warehouse: {{ at: 's3://landing/{prefix}', endpoint: '{}', sse: {{ kms_key: '{}' }}, clearance: internal }}",
            services.text("/s3/endpoint"),
            services.text("/s3/kms_key"),
        );
        site.replace("lockgate.yaml", "warehouse: { at: 'sqlite://./warehouse.db', clearance: internal }", &store);
        let settings = format!("tls: {{ ca: '{}' }}\naws: {{ region: us-east-1 }}\nkeys:", services.pki("ca.pem"));
        site.replace("lockgate.yaml", "keys:", &settings);
        site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", mode);
        site.add_readback();
        Some(Self { site, services, prefix })
    }

    fn env(&self) -> [(&'static str, String); 2] {
        [
            ("AWS_ACCESS_KEY_ID", self.services.text("/s3/access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", self.services.text("/s3/secret_access_key")),
        ]
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.site.command(args);
        command.envs(self.env());
        command
    }

    pub(crate) fn lockgate(&self, args: &[&str]) -> Said {
        crate::support::said(&self.command(args).output().unwrap())
    }

    fn run(&self) -> Value {
        self.lockgate(&["run", "daily", "--format", "json"]).exits(0).json()
    }

    /// The dataset's rows as another pipeline of the project reads them.
    fn cities(&self) -> BTreeMap<i64, String> {
        self.lockgate(&["run", "zz_readback"]).exits(0);
        self.site.readback()
    }

    fn land(&self, name: &str, rows: &str) {
        let csv = format!("id,name,email,card,born,city\n{rows}");
        self.site.write(&format!("landing/customers/2026-11-01/{name}.csv"), csv);
    }

    fn s3(&self, method: &str, mut arguments: Value) -> Value {
        arguments["Bucket"] = "landing".into();
        self.services.boto("s3", "s3", method, &arguments)
    }

    fn put(&self, key: &str, content: &str) {
        let key_of_kms = self.services.text("/s3/kms_key");
        let encryption =
            json!({ "Key": key, "Body": content, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_of_kms });
        self.s3("put_object", encryption);
    }

    fn get(&self, key: &str) -> Vec<u8> {
        let body = self.s3("get_object", json!({ "Key": key }))["Body"].as_str().unwrap().to_owned();
        body.chars().map(|byte| u8::try_from(u32::from(byte)).unwrap()).collect()
    }

    /// The keys of everything that is below the dataset.
    fn objects(&self) -> Vec<String> {
        let below = format!("{}/analytics.customers/", self.prefix);
        let listed = self.s3("list_objects_v2", json!({ "Prefix": below }));
        let objects = listed["Contents"].as_array().cloned().unwrap_or_default();
        objects.iter().map(|object| object["Key"].as_str().unwrap().to_owned()).collect()
    }

    fn data_files(&self) -> Vec<String> {
        self.objects().into_iter().filter(|key| key.ends_with(".parquet")).collect()
    }

    /// Asserts that every object is a commit or is live; `commits` keeps what was read of them.
    fn assert_nothing_is_left_over(&self, commits: &mut BTreeMap<String, Value>, what: &str) {
        let objects = self.objects().into_iter().filter(|key| !key.ends_with("/_lockgate/created-once"));
        let (records, files): (Vec<_>, Vec<_>) = objects.partition(|key| key.ends_with(".json"));
        for key in records {
            let record = || serde_json::from_slice(&self.get(&key)).unwrap();
            commits.entry(key.clone()).or_insert_with(record);
        }
        let mut live = BTreeSet::new();
        for commit in commits.values() {
            commit["removes"].as_array().unwrap().iter().for_each(|name| assert!(live.remove(name.as_str().unwrap())));
            live.extend(commit["adds"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()));
        }
        let found: BTreeSet<_> = files.iter().map(|key| key.rsplit('/').next().unwrap()).collect();
        assert_eq!(found, live, "{what}");
    }
}

#[test]
fn every_mode_leaves_exactly_the_right_rows_under_the_customers_key() {
    for (mode, after) in [
        ("mode: append", vec![(1, "London"), (2, "New\nYork"), (3, ""), (4, "Ulm")]),
        ("mode: replace", vec![(1, "London"), (2, "New\nYork"), (3, ""), (4, "Ulm")]),
        ("mode: merge, key: [id]", vec![(1, "London"), (2, "Paris"), (3, ""), (4, "Ulm")]),
    ] {
        let Some(lake) = Lake::new(mode) else { return };
        assert_eq!(lake.run()["rows_written"], 3);
        // In a merge id 2 comes twice, the later row stands.
        let merged = if mode.contains("merge") { "2,x,x@x.org,,,Bonn\n2,x,x@x.org,,,Paris\n" } else { "" };
        lake.land("b", &format!("{merged}4,y,y@y.org,,,Ulm\n"));
        lake.run();
        let expected: BTreeMap<i64, String> = after.into_iter().map(|(id, city)| (id, city.to_owned())).collect();
        assert_eq!(lake.cities(), expected, "{mode}");
        assert_eq!(lake.run()["status"], "nothing_new");
        for (condition, path, line) in [("id = 4", "b.csv", None), ("city = 'London'", "a.csv", Some(2))] {
            let args = ["trace", "analytics.customers", "--where", condition, "--format", "json"];
            let source = lake.lockgate(&args).exits(0).json()["rows"][0]["sources"][0].clone();
            assert_eq!(source["path"], format!("customers/2026-11-01/{path}"), "{mode}");
            assert!(line.is_none_or(|line: u64| source["line"] == line), "{mode}: {source}");
        }
        lake.lockgate(&["verify"]).exits(0);
        lake.assert_nothing_is_left_over(&mut BTreeMap::new(), mode);
        for key in lake.objects() {
            let head = lake.s3("head_object", json!({ "Key": key }));
            assert_eq!(
                (&head["ServerSideEncryption"], head["SSEKMSKeyId"].as_str()),
                (&"aws:kms".into(), Some(lake.services.text("/s3/kms_key").as_str())),
                "{key}"
            );
        }
        let file = lake.get(&lake.data_files()[0]);
        assert!(file.starts_with(b"PARE") && file.ends_with(b"PARE"), "the footer is encrypted");
    }
}

#[test]
fn pyarrow_reads_what_lies_in_the_bucket_with_the_project_s_keys() {
    let Some(python) = python::interpreter() else { return };
    let Some(lake) = Lake::new("mode: append") else { return };
    lake.run();
    for key in lake.data_files() {
        lake.site.write(&format!("copy/{}", key.rsplit('/').next().unwrap()), lake.get(&key));
    }
    let (folder, copy) = (lake.site.path(".").display().to_string(), lake.site.path("copy").display().to_string());
    let rows: Value = serde_json::from_str(&python::run(&python, READ, &[&folder, &copy])).unwrap();
    assert_eq!((&rows[1]["id"], &rows[1]["city"]), (&2.into(), &"New\nYork".into()));
    assert!(rows[0]["name"].as_str().unwrap().starts_with("lg1."));
}

#[test]
fn a_run_that_is_killed_anywhere_is_finished_or_repeated_by_the_next_and_leaves_nothing() {
    let kills = std::env::var("LOCKGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    for mode in ["mode: append", "mode: merge, key: [id]", "mode: replace"] {
        let Some(lake) = Lake::new(mode) else { return };
        let began = std::time::Instant::now();
        lake.run();
        let whole = began.elapsed();
        let mut expected = BTreeMap::from([(1, "London".to_owned()), (2, "New\nYork".to_owned()), (3, String::new())]);
        let mut commits = BTreeMap::new();
        for kill in 1..=kills {
            // One row of another file is replaced where rows are merged.
            let replaced = if mode.contains("merge") { format!("1,x,,,,{kill}\n") } else { String::new() };
            lake.land(&format!("k{kill:04}"), &format!("{replaced}{},x,,,,Ulm\n", 100 + kill));
            expected.insert(i64::from(100 + kill), "Ulm".to_owned());
            if mode.contains("merge") {
                expected.insert(1, kill.to_string());
            }
            let mut child =
                lake.command(&["run", "daily"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole * kill / kills);
            let _ = child.kill();
            child.wait().unwrap();
            lake.run();
            lake.assert_nothing_is_left_over(&mut commits, &format!("{mode}, kill {kill} of {kills}"));
        }
        assert_eq!(lake.cities(), expected, "{mode}");
        lake.lockgate(&["verify"]).exits(0);
    }
}

#[test]
fn an_object_that_is_not_the_committed_one_is_named() {
    let Some(lake) = Lake::new("mode: append") else { return };
    lake.run();
    lake.cities();
    let key = lake.data_files()[0].clone();
    let kept: String = lake.get(&key).into_iter().map(char::from).collect();
    let other = |(at, byte)| if at == 10 { if byte == 'A' { 'B' } else { 'A' } } else { byte };
    let altered: String = kept.chars().enumerate().map(other).collect();
    lake.site.replace("pipelines/zz_readback.yaml", "SELECT id, city", "SELECT city, id");
    for (content, said) in [
        (format!("{kept} "), "is not the file that was committed: its size differs"),
        (altered, "is not the file that was committed: its SHA-256 differs"),
    ] {
        lake.put(&key, &content);
        let told = lake.lockgate(&["run", "zz_readback"]).exits(1);
        assert!(told.err.contains(said) && told.err.contains(key.rsplit('/').next().unwrap()), "{}", told.err);
    }
    // The same content, but no longer under the customer's key.
    lake.s3("put_object", json!({ "Key": key, "Body": kept }));
    let told = lake.lockgate(&["run", "zz_readback"]).exits(3);
    assert!(told.err.contains("so the customer does not control who may read it"), "{}", told.err);
    lake.put(&key, &kept);
    lake.lockgate(&["run", "zz_readback"]).exits(0);
    lake.s3("delete_object", json!({ "Key": key }));
    let told = lake.lockgate(&["trace", "analytics.customers", "--where", "id = 1"]).exits(4);
    assert!(told.err.contains(key.rsplit('/').next().unwrap()), "{}", told.err);
}

/// A proxy before the object store; ended when dropped.
struct Proxy {
    child: Child,
    endpoint: String,
}

impl Proxy {
    fn new(lake: &Lake, mode: &str) -> Self {
        let port = lake.services.text("/s3/endpoint").rsplit(':').next().unwrap().to_owned();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/s3_proxy.py");
        let mut python = Command::new("python3");
        python.args([script, &lake.services.text("/pki"), &port, mode]).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut own = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut own).unwrap();
        Self { child, endpoint: format!("https://localhost:{}", own.trim()) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_that_does_not_keep_its_word_gets_no_row() {
    let Some(lake) = Lake::new("mode: append") else { return };
    for (mode, code, said) in
        [("provider", 3, "a key of the provider's own (SSE-S3)"), ("overwriting", 2, "ignores `If-None-Match`")]
    {
        let proxy = Proxy::new(&lake, mode);
        lake.site.replace("lockgate.yaml", &lake.services.text("/s3/endpoint"), &proxy.endpoint);
        let told = lake.lockgate(&["run", "daily"]).exits(code);
        assert!(told.err.contains(said), "{}", told.err);
        assert!(lake.objects().iter().all(|key| key.ends_with("/_lockgate/created-once")), "{:?}", lake.objects());
        lake.site.replace("lockgate.yaml", &proxy.endpoint, &lake.services.text("/s3/endpoint"));
    }
    lake.run();
    lake.assert_nothing_is_left_over(&mut BTreeMap::new(), "afterwards");
}

#[test]
fn a_commit_that_was_not_answered_is_found_out_about() {
    for (mode, code) in [("unanswered", 0), ("silent", 4)] {
        let Some(lake) = Lake::new("mode: append") else { return };
        let proxy = Proxy::new(&lake, mode);
        let direct = lake.services.text("/s3/endpoint");
        lake.site.replace("lockgate.yaml", &direct, &proxy.endpoint);
        let told = lake.lockgate(&["run", "daily"]).exits(code);
        assert_eq!(code == 4, told.err.contains("is not known, since its service stopped answering"), "{}", told.err);
        assert!(!told.err.contains("nothing was written"), "{}", told.err);
        lake.site.replace("lockgate.yaml", &proxy.endpoint, &direct);
        let next = lake.lockgate(&["run", "daily"]).exits(0);
        let said = format!("{}{}", next.out, next.err);
        assert_eq!(code == 4, said.contains("had been interrupted after its rows were written"), "{mode}: {said}");
        assert_eq!(lake.cities().len(), 3, "{mode}");
        lake.lockgate(&["trace", "analytics.customers", "--where", "id = 2"]).exits(0);
        lake.lockgate(&["verify"]).exits(0);
        lake.assert_nothing_is_left_over(&mut BTreeMap::new(), mode);
    }
}

#[test]
fn connections_that_are_cut_off_cost_no_row() {
    let Some(lake) = Lake::new("mode: merge, key: [id]") else { return };
    let proxy = Proxy::new(&lake, "cutting");
    let sources = format!(
        "landing: {{ at: 's3://landing/{}-in', endpoint: '{}', sse: {{ kms_key: '{}' }} }}",
        lake.prefix,
        proxy.endpoint,
        lake.services.text("/s3/kms_key"),
    );
    lake.site.replace("lockgate.yaml", "landing: { at: 'file://./landing' }", &sources);
    let own = format!(
        ", certificate: '{}', key: 'file:{}' }}\naws:",
        lake.services.pki("svc-etl.crt"),
        lake.services.pki("svc-etl.key")
    );
    lake.site.replace("lockgate.yaml", " }\naws:", &own);
    lake.site.replace("lockgate.yaml", &lake.services.text("/s3/endpoint"), &proxy.endpoint);
    let mut expected = BTreeMap::new();
    for day in 0..3 {
        for file in 0..4 {
            let id = day * 4 + file;
            let rows = format!("id,name,email,card,born,city\n{id},x,x@x.org,,,City {id}\n100,y,y@y.org,,,Day {day}\n");
            lake.put(&format!("{}-in/customers/2026-11-01/{day}{file}.csv", lake.prefix), &rows);
            expected.insert(id, format!("City {id}"));
        }
        expected.insert(100, format!("Day {day}"));
        lake.run();
        assert_eq!(lake.cities(), expected, "day {day}");
    }
    lake.lockgate(&["verify"]).exits(0);
    lake.assert_nothing_is_left_over(&mut BTreeMap::new(), "afterwards");
}

#[test]
fn what_others_encrypted_is_read_from_a_bucket_with_key_material_beside_it() {
    let Some(python) = python::interpreter() else { return };
    let Some(lake) = Lake::new("mode: append") else { return };
    python::run(&python, FOREIGN, &[&lake.site.path("made").display().to_string()]);
    for (path, content) in lake.site.files("made") {
        let name = path.strip_prefix(lake.site.path("made")).unwrap().display().to_string();
        lake.put(&format!("{}/events/{name}", lake.prefix), &content.into_iter().map(char::from).collect::<String>());
    }
    lake.site.write(
        "catalog/events.yaml",
        "dataset: events\nat: { store: warehouse, path: 'events/day=*/*.parquet', format: parquet, parquet: { keys: { footer: 'env:FOOTER', column: 'env:COLUMN' } } }\n\
         columns:\n  id: { type: bigint, nullable: false }\n  email: { type: text }\n  day: { type: date }\n  extra: { type: double }\n",
    );
    lake.site.write(
        "pipelines/events.yaml",
        "pipeline: events\nsql: SELECT id, email, day, extra FROM events\ninto: { dataset: events_read, store: readback }\nruns_as: x\n",
    );
    let keys = [("FOOTER", "f".repeat(32)), ("COLUMN", "hex:63636363636363636363636363636363".to_owned())];
    let run = || crate::support::said(&lake.command(&["run", "events"]).envs(keys.clone()).output().unwrap());
    run().exits(0);
    let database = rusqlite::Connection::open(lake.site.path("readback.db")).unwrap();
    let sql = "SELECT count(*), count(DISTINCT email), count(DISTINCT day), sum(id), sum(extra) FROM events_read";
    let found: (i64, i64, i64, i64, f64) = database
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap();
    assert_eq!(found, (500, 500, 5, 5 * 4_950, 150.0));
    let args = ["trace", "events_read", "--where", "email = 'external7@example.org'", "--format", "json"];
    let source = lake.lockgate(&args).exits(0).json()["rows"][0]["sources"][0].clone();
    assert_eq!(
        (source["path"].as_str(), &source["state"]),
        (Some("events/day=2026-11-05/external.parquet"), &"unchanged".into())
    );
}

#[test]
fn an_erased_person_is_found_in_a_bucket_too() {
    let Some(lake) = Lake::new("mode: append") else { return };
    lake.site.replace("catalog/customers.yaml", "subject: id", "subject: id\nerase_by: subject");
    lake.run();
    let args = ["erase", "customers", "--subject", "1", "--because", "asked", "--yes", "--format", "json"];
    let outcome = lake.lockgate(&args).exits(0).json();
    let copies: Vec<_> = outcome["copies"].as_array().unwrap().iter().filter(|copy| copy["values"] != 0).collect();
    assert_eq!(copies.len(), 1, "{outcome}");
    assert_eq!((&copies[0]["opened_before"], &copies[0]["opened_after"]), (&1.into(), &0.into()), "{outcome}");
}
