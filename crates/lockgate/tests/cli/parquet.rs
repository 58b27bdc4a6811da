//! Parquet as users meet it: what is written is read by PyArrow with the project's keys and by nobody without; what
//! PyArrow wrote is read; and every mode leaves exactly the right rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::python;
use crate::support::Site;

pub(crate) const READ: &str = "
import json, sys, glob, lockgate_kms as kms
keys = kms.LocalKeys(sys.argv[1] + '/.lockgate/keys', sys.argv[1] + '/.lockgate/ledger', 'retail')
rows = [row for path in sorted(glob.glob(sys.argv[2] + '/*.parquet')) for row in kms.read(path, keys).to_pylist()]
print(json.dumps(rows, default=str))
";

fn lake() -> Site {
    let site = Site::new();
    site.replace(
        "lockgate.yaml",
        "warehouse: { at: 'sqlite://./warehouse.db', clearance: internal }",
        "warehouse: { at: 'file://./lake', clearance: internal }",
    );
    site
}

impl Site {
    fn parquet_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("lake/analytics.customers")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect();
        files.sort();
        files
    }

    /// The dataset's rows as another pipeline of the project reads them.
    fn cities(&self) -> BTreeMap<i64, String> {
        if !self.path("pipelines/zz_readback.yaml").exists() {
            self.add_readback();
        }
        self.lockgate(&["run", "zz_readback"]).exits(0);
        self.readback()
    }
}

#[test]
fn pyarrow_reads_what_was_written_with_the_project_s_keys() {
    let Some(python) = python::interpreter() else { return };
    let site = lake();
    let outcome = site.run();
    assert_eq!(outcome["rows_written"], 3);
    let folder = site.path(".").display().to_string();
    let dataset = site.path("lake/analytics.customers").display().to_string();
    let rows: Value = serde_json::from_str(&python::run(&python, READ, &[&folder, &dataset])).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[1]["id"], &rows[1]["city"]), (&2.into(), &"New\nYork".into()));
    assert!(rows[0]["name"].as_str().unwrap().starts_with("lg1."));
    assert!(rows[0]["email"].as_str().unwrap().starts_with("lgt1."));

    // With a rotated key-encryption key the same files still open; a shredded level does not.
    site.lockgate(&["keys", "rotate", "kek"]).exits(0);
    python::run(&python, READ, &[&folder, &dataset]);
    let keys = site.lockgate(&["keys", "list", "--format", "json"]).exits(0).json();
    let of = |scope: &str| {
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.into_iter().find(|key| key["scope"] == scope).unwrap()["key"].as_str().unwrap().to_owned()
    };
    let confidential = of("analytics.customers:confidential");
    site.lockgate(&["keys", "shred", &confidential, "--because", "test", "--yes"]).exits(0);
    let clear = "
import sys, lockgate_kms as kms, pyarrow.parquet as pq
keys = kms.LocalKeys(sys.argv[1] + '/.lockgate/keys', sys.argv[1] + '/.lockgate/ledger', 'retail')
file = pq.ParquetFile(sys.argv[2], decryption_properties=kms.decryption_properties(keys))
print(file.read(columns=['city']).to_pylist()[0])
try:
    file.read(columns=['name'])
    print('read')
except PermissionError as error:
    print('refused')
";
    let file = site.parquet_files()[0].display().to_string();
    let said = python::run(&python, clear, &[&folder, &file]);
    assert!(said.contains("London") && said.contains("refused"), "{said}");
}

#[test]
fn nothing_protected_is_readable_in_the_files() {
    let site = lake();
    site.run();
    for file in site.parquet_files() {
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"PARE") && bytes.ends_with(b"PARE"), "the footer is encrypted");
        let text = String::from_utf8_lossy(&bytes);
        for value in ["Lovelace", "London", "lg1.", "lgt1.", "analytics", "1815"] {
            assert!(!text.contains(value) || value == "analytics", "{value} is readable");
        }
    }
}

#[test]
fn every_mode_leaves_exactly_the_right_rows() {
    for (mode, after) in [
        ("mode: append", vec![(1, "London"), (2, "New\nYork"), (3, ""), (4, "Ulm")]),
        ("mode: replace", vec![(1, "London"), (2, "New\nYork"), (3, ""), (4, "Ulm")]),
        ("mode: merge, key: [id]", vec![(1, "London"), (2, "Paris"), (3, ""), (4, "Ulm")]),
    ] {
        let site = lake();
        site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", mode);
        site.run();
        let first = site.parquet_files();
        // In a merge id 2 comes twice, the later row stands.
        let merged = if mode.contains("merge") { "2,x,x@x.org,,,Bonn\n2,x,x@x.org,,,Paris\n" } else { "" };
        site.write(
            "landing/customers/2026-11-01/b.csv",
            format!("id,name,email,card,born,city\n{merged}4,y,y@y.org,,,Ulm\n"),
        );
        site.run();
        let expected: BTreeMap<i64, String> = after.into_iter().map(|(id, city)| (id, city.to_owned())).collect();
        assert_eq!(site.cities(), expected, "{mode}");
        assert_eq!(site.lockgate(&["run", "daily", "--format", "json"]).exits(0).json()["status"], "nothing_new");
        assert_eq!(first.iter().all(|file| file.exists()), mode == "mode: append", "{mode}");
        let traced = site.lockgate(&["trace", "analytics.customers", "--where", "id = 4", "--format", "json"]).exits(0);
        let source = &traced.json()["rows"][0]["sources"][0];
        assert_eq!(source["path"], "customers/2026-11-01/b.csv", "{mode}");
        let traced = site.lockgate(&["trace", "analytics.customers", "--where", "city = 'London'", "--format", "json"]);
        assert_eq!(traced.exits(0).json()["rows"][0]["sources"][0]["line"], 2, "{mode}");
        site.lockgate(&["verify"]).exits(0);
    }
}

#[test]
fn a_merge_leaves_files_alone_of_which_it_replaces_nothing() {
    let site = lake();
    site.run();
    let first = site.parquet_files();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n4,y,y@y.org,,,Ulm\n");
    site.run();
    assert_eq!(site.parquet_files()[..1], first, "no row of the first file was replaced");
    site.write("landing/customers/2026-11-01/c.csv", "id,name,email,card,born,city\n1,y,y@y.org,,,Bonn\n");
    site.run();
    assert!(!first[0].exists() && site.parquet_files().len() == 3, "its rows but one were written anew");
    assert_eq!((site.cities()[&1].as_str(), site.cities()[&2].as_str()), ("Bonn", "New\nYork"));
}

#[test]
fn several_pipelines_run_in_the_order_in_which_they_feed_one_another() {
    let site = lake();
    site.write(
        "pipelines/aa_copy.yaml",
        "pipeline: aa_copy\nsql: SELECT id, city FROM analytics.customers\n\
         into: { dataset: copy, store: warehouse, mode: replace }\nruns_as: x\n",
    );
    let args = ["run", "aa_copy", "daily", "--param", "date=2026-11-01", "--format", "json"];
    let outcomes = site.lockgate(&args).exits(0).json();
    let found: Vec<_> =
        outcomes.as_array().unwrap().iter().map(|one| (&one["pipeline"], &one["rows_written"])).collect();
    assert_eq!(found, [(&"daily".into(), &3.into()), (&"aa_copy".into(), &3.into())]);
    let said = site.lockgate(&["run", "aa_copy", "daily", "--param", "day=1"]).exits(2);
    assert!(said.err.contains("none of the pipelines has a parameter `day`"), "{}", said.err);
}

#[test]
fn a_live_file_that_was_swapped_or_altered_is_refused() {
    let site = lake();
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: append");
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n4,y,y@y.org,,,Ulm\n");
    site.run();
    site.cities();
    let files = site.parquet_files();
    let kept = fs::read(&files[0]).unwrap();
    fs::copy(&files[1], &files[0]).unwrap();
    site.replace("pipelines/zz_readback.yaml", "SELECT id, city", "SELECT city, id");
    let said = site.lockgate(&["run", "zz_readback"]).exits(1);
    assert!(said.err.contains("is not the file that was committed"), "{}", said.err);
    fs::write(&files[0], &kept).unwrap();
    site.lockgate(&["run", "zz_readback"]).exits(0);
}

#[test]
fn files_of_one_type_evolve_and_of_another_are_refused() {
    let site = lake();
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: append");
    site.run();
    site.replace("pipelines/daily.yaml", "card, born, city", "city, 'new' AS origin");
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n4,y,y@y.org,,,Ulm\n");
    site.run();
    assert_eq!(site.cities().len(), 4, "files with and without a column are read together");
    site.replace("pipelines/daily.yaml", "city, 'new'", "id + 1 AS city, 'new'");
    site.write("landing/customers/2026-11-01/c.csv", "id,name,email,card,born,city\n5,y,y@y.org,,,Ulm\n");
    let said = site.lockgate(&["run", "daily"]).exits(2);
    assert!(said.err.contains("the column `city` of `analytics.customers` is text"), "{}", said.err);
}

pub(crate) const FOREIGN: &str = "
import base64, os, sys
import pyarrow as pa, pyarrow.fs, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
keys = {'footer': b'f' * 32, 'column': b'c' * 16}
class Kms(pe.KmsClient):
    def wrap_key(self, key, master):
        nonce = os.urandom(12)
        return base64.b64encode(nonce + AESGCM(keys[master]).encrypt(nonce, key, master.encode()))
    def unwrap_key(self, wrapped, master):
        raise NotImplementedError
factory = pe.CryptoFactory(lambda _: Kms())
for day, (name, options) in enumerate({
    'single': {'double_wrapping': False}, 'double': {}, 'plaintext_footer': {'plaintext_footer': True},
    'bits_256': {'data_key_length_bits': 256}, 'external': {'internal_key_material': False},
}.items()):
    folder = f'{sys.argv[1]}/day=2026-11-0{day + 1}'
    os.makedirs(folder)
    path = f'{folder}/{name}.parquet'
    columns = {'email': [f'{name}{n}@example.org' for n in range(100)], 'id': pa.array(range(100), pa.int32())}
    if name == 'double':
        columns['extra'] = [1.5] * 100
    table = pa.table(columns)
    config = pe.EncryptionConfiguration(footer_key='footer', column_keys={'column': ['email']}, **options)
    where = [path, pyarrow.fs.LocalFileSystem()] if name == 'external' else []
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config, *where)
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
";

#[test]
fn what_pyarrow_encrypted_is_read_from_partitioned_folders() {
    let Some(python) = python::interpreter() else { return };
    let site = Site::empty();
    python::run(&python, FOREIGN, &[&site.path("landing/events").display().to_string()]);
    let keys = "keys: { footer: 'env:FOOTER', column: 'env:COLUMN' }";
    site.write(
        "catalog/events.yaml",
        format!(
            "dataset: events\nat: {{ store: landing, path: 'events/day=*/*.parquet', format: parquet, parquet: {{ {keys} }} }}\n\
             columns:\n  id: {{ type: bigint, nullable: false }}\n  email: {{ type: text }}\n  day: {{ type: date }}\n  \
             extra: {{ type: double }}\n"
        ),
    );
    site.write(
        "pipelines/events.yaml",
        "pipeline: events\nsql: SELECT id, email, day, extra FROM events\n\
         into: { dataset: events_read, store: warehouse }\nruns_as: x\n",
    );
    let (footer, column) = ("f".repeat(32), format!("hex:{}", "63".repeat(16)));
    let run =
        |footer: &str, column: &str| site.lockgate_with(&["run", "events"], &[("FOOTER", footer), ("COLUMN", column)]);
    let said = run(&"x".repeat(32), &column).exits(2);
    assert!(said.err.contains("does not unwrap under the master key `footer`"), "{}", said.err);
    let said = run("short", &column).exits(2);
    assert!(said.err.contains("key `footer`: it is not 16, 24 or 32 bytes"), "{}", said.err);
    run(&footer, &column).exits(0);
    let database = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    let sql = "SELECT count(*), count(DISTINCT email), count(DISTINCT day), sum(id), sum(extra) FROM events_read";
    let found: (i64, i64, i64, i64, f64) = database
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap();
    assert_eq!(found, (500, 500, 5, 5 * 4_950, 150.0));
    let traced =
        site.lockgate(&["trace", "events_read", "--where", "email = 'external7@example.org'", "--format", "json"]);
    let traced = traced.exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!(source["path"], "events/day=2026-11-05/external.parquet");
    assert_eq!((&source["row"], &source["line"]), (&7.into(), &Value::Null));
}
