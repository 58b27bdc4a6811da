//! A project in a folder of its own, and the program run on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PROJECT: &str = "\
version: 1
project: retail
stores:
  landing: { at: 'file://./landing' }
  warehouse: { at: 'sqlite://./warehouse.db', clearance: internal }
keys:
  default: { local: ./.lockgate/keys }
ledger: { at: 'file://./.lockgate/ledger' }
protect:
  - { tag: pii.email, with: 'token(domain: customer)' }
  - { tag: pii.name, with: seal }
  - { tag: pci.pan, with: 'fpe(domain: card)' }
  - { tag: pii.birth_date, with: 'mask(date_to_year)' }
";

pub(crate) const CUSTOMERS: &str = "\
dataset: customers
at: { store: landing, path: 'customers/{date}/*.csv', format: csv }
subject: id
columns:
  id: { type: bigint }
  name: { type: text, tags: [pii.name] }
  email: { type: text, tags: [pii.email] }
  card: { type: text, tags: [pci.pan] }
  born: { type: date, tags: [pii.birth_date] }
  city: { type: text }
";

pub(crate) const PIPELINE: &str = "\
pipeline: daily
sql: SELECT id, name, lower(email) AS email, card, born, city FROM customers
into: { dataset: analytics.customers, store: warehouse, mode: merge, key: [id] }
runs_as: svc-etl
params:
  date: { type: date, default: '2026-11-01' }
";

pub(crate) const CSV: &str = "\
id,name,email,card,born,city
1,Ada Lovelace,Ada@Example.com,4111-1111-1111-1111,1815-12-10,London
2,\"Hopper, Grace\",grace@example.org,5500 0000 0000 0004,1906-12-09,\"New
York\"
3,Μαρία,,,,
";

/// A project on disk; gone when dropped.
pub(crate) struct Site {
    folder: TempDir,
}

/// What the program said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Asserts the exit code; shows what was said where it differs.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

impl Site {
    /// The three customers of [`CSV`].
    pub(crate) fn new() -> Self {
        let site = Self::empty();
        site.write("landing/customers/2026-11-01/a.csv", CSV);
        site
    }

    pub(crate) fn empty() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.write("lockgate.yaml", PROJECT);
        site.write("catalog/customers.yaml", CUSTOMERS);
        site.write("pipelines/daily.yaml", PIPELINE);
        fs::create_dir_all(site.path("landing")).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, text.replace(from, to));
    }

    pub(crate) fn lockgate(&self, args: &[&str]) -> Said {
        self.lockgate_with(args, &[])
    }

    pub(crate) fn lockgate_with(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        let output = self.command(args).envs(env.iter().copied()).output().unwrap();
        said(&output)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command.args(args).arg("--project").arg(self.folder.path()).env("NO_COLOR", "1");
        command
    }

    pub(crate) fn run(&self) -> Value {
        self.lockgate(&["run", "daily", "--format", "json"]).exits(0).json()
    }

    /// The rows of the table, by id: column by column as text.
    pub(crate) fn rows(&self) -> BTreeMap<i64, Vec<Option<String>>> {
        let path = self.path("warehouse.db");
        if !path.exists() {
            return BTreeMap::new();
        }
        let database = Connection::open(path).unwrap();
        let sql = "SELECT id, name, email, card, born, city FROM \"analytics.customers\"";
        let Ok(mut statement) = database.prepare(sql) else { return BTreeMap::new() };
        let row = |row: &rusqlite::Row<'_>| {
            let id = row.get::<_, i64>(0)?;
            let cells = (1..6).map(|at| row.get::<_, Option<String>>(at)).collect::<Result<Vec<_>, _>>()?;
            Ok((id, cells))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    /// Adds a pipeline that reads `analytics.customers` back into a database of its own.
    pub(crate) fn add_readback(&self) {
        self.write(
            "pipelines/zz_readback.yaml",
            "pipeline: zz_readback\nsql: SELECT id, city FROM analytics.customers\n\
             into: { dataset: readback, store: readback, mode: replace }\nruns_as: x\n",
        );
        self.replace(
            "lockgate.yaml",
            "  landing:",
            "  readback: { at: 'sqlite://./readback.db', clearance: internal }\n  landing:",
        );
    }

    /// What the pipeline of [`add_readback`](Self::add_readback) read last: the city of each id, each there once.
    pub(crate) fn readback(&self) -> BTreeMap<i64, String> {
        let database = Connection::open(self.path("readback.db")).unwrap();
        let mut statement = database.prepare("SELECT id, city FROM readback").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?))).unwrap();
        let mut found = BTreeMap::new();
        for row in rows {
            let (id, city): (i64, Option<String>) = row.unwrap();
            assert!(found.insert(id, city.unwrap_or_default()).is_none(), "row {id} is there twice");
        }
        found
    }

    /// Every file below a folder of the project, with its content.
    pub(crate) fn files(&self, below: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.path(below), &mut found);
        found
    }
}

/// Whether CI demands what a test needs; elsewhere the test may go without it.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

pub(crate) fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}
