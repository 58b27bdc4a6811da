//! Keys through their life: made, used, rotated by age, rewrapped, disabled, shredded; and what a crash leaves behind.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use lockgate_crypto::{SealedValue, SystemRandom};
use lockgate_evidence::Event;
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, RunId};
use lockgate_project::Project;
use lockgate_trust::{KEY_FILE, KEY_TABLE_FILE, KeyStore, Keyring, LedgerPlace, Site, TrustError};
use tempfile::TempDir;

const PROJECT: &str = "version: 1\nproject: retail\nstores: {}\nkeys: { default: { local: ./keys } }\nledger: { at: 'file://./ledger' }\n";

struct Place {
    folder: TempDir,
    site: Site,
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn run(number: u64) -> RunId {
    RunId::new(number, [0; 10])
}

fn place() -> (DatasetName, ColumnName) {
    ("analytics.customers".parse().unwrap(), "name".parse().unwrap())
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (project, _) =
            Project::from_files(folder.path(), &[("lockgate.yaml", PROJECT.as_bytes())], &|_| None).unwrap();
        let site = Site::new(project);
        KeyStore::create(&site, &SystemRandom, start()).unwrap();
        Self { folder, site }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    fn open_as(&self, project: &str, now: Timestamp) -> Keyring {
        let store = KeyStore::open(&self.site).unwrap();
        Keyring::open(project.parse().unwrap(), store, LedgerPlace::folder(&self.ledger()), Arc::new(SystemRandom), now)
            .unwrap()
    }

    fn open(&self, now: Timestamp) -> Keyring {
        self.open_as("retail", now)
    }

    /// Changes a text within the key file.
    fn edit_keys(&self, from: &str, to: &str) {
        let path = self.site.key_folder().join(KEY_FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

fn settle(keyring: &mut Keyring) -> Vec<Event> {
    let events = keyring.save().unwrap();
    keyring.acknowledge().unwrap();
    events
}

#[test]
fn a_column_key_begins_a_new_period_when_its_age_demands_it() {
    let site = Place::new();
    let (dataset, column) = place();
    let key_after = |days: i64, number: u64| {
        let mut keyring = site.open(start() + (days * 24).hours());
        let (_, key) = keyring.sealer(&dataset, &column, &run(number), Some(90)).unwrap();
        let events = settle(&mut keyring);
        (key.key, kinds(&events))
    };
    let (first, made) = key_after(0, 1);
    assert_eq!(made, ["key.create", "key.create"], "the kek and the column's key");
    assert_eq!(key_after(89, 2), (first.clone(), vec![]));
    let (second, rotated) = key_after(90, 3);
    assert_eq!(rotated, ["key.rotate"]);
    assert_ne!(second, first);
    assert_eq!(key_after(91, 4), (second, vec![]));
}

#[test]
fn values_open_after_every_rotation_and_not_after_shredding() {
    let site = Place::new();
    let (dataset, column) = place();
    let mut keyring = site.open(start());
    let (mut sealer, key) = keyring.sealer(&dataset, &column, &run(1), None).unwrap();
    let sealed: SealedValue = sealer.seal(b"Ada", Some(b"1")).unwrap();
    keyring.rotate_column(&dataset, &column, "test").unwrap();
    keyring.rotate_kek("test").unwrap();
    settle(&mut keyring);
    let opened = site.open(start()).opener(sealed.dek_id()).unwrap().open(&sealed, Some(b"1")).unwrap();
    assert_eq!(opened.expose().as_slice(), b"Ada");

    // The same table in another project opens nothing.
    assert!(site.open_as("other", start()).opener(sealed.dek_id()).is_err());

    let mut keyring = site.open(start());
    keyring.shred(&key.key, "test").unwrap();
    assert_eq!(kinds(&settle(&mut keyring)), ["key.shred"]);
    assert!(matches!(site.open(start()).opener(sealed.dek_id()), Err(TrustError::NotUsable { .. })));
    let table = fs::read_to_string(site.ledger().join(KEY_TABLE_FILE)).unwrap();
    assert!(table.contains("\"shredded\"") && table.contains("\"wrapped\":null"), "{table}");
}

#[test]
fn what_the_ledger_was_not_told_of_is_told_by_the_next_who_opens() {
    let site = Place::new();
    let (dataset, column) = place();
    let mut keyring = site.open(start());
    keyring.sealer(&dataset, &column, &run(1), None).unwrap();
    let told = keyring.save().unwrap();
    // Killed before the ledger acknowledged.
    drop(keyring);
    let mut keyring = site.open(start());
    assert!(keyring.is_changed());
    assert_eq!(keyring.save().unwrap(), told);
    keyring.acknowledge().unwrap();
    assert!(!site.open(start()).is_changed());

    // Killed after a key-encryption key was made and before the table was written.
    let mut keyring = site.open(start());
    keyring.rotate_kek("test").unwrap();
    drop(keyring);
    let mut keyring = site.open(start());
    assert_eq!(kinds(&settle(&mut keyring)), ["key.rotate"]);
    assert_eq!(keyring.rewrap().unwrap(), 1);
}

#[test]
fn a_disabled_or_forbidden_key_encryption_key_protects_nothing() {
    let (dataset, column) = place();
    for (from, to, kind) in [
        ("\"active\"", "\"disabled\"", "LG302"),
        ("AES-256-GCM", "3DES", "LG301"),
        ("AES-256-GCM", "unheard-of", "LG301"),
    ] {
        let site = Place::new();
        site.edit_keys(from, to);
        let refused = site.open(start()).sealer(&dataset, &column, &run(1), None).err().unwrap();
        let failure = Failure::from(refused);
        assert!(failure.kind == FailureKind::Refused && failure.message.starts_with(kind), "{to}: {failure}");
    }
}

#[test]
fn a_key_that_was_altered_or_exchanged_does_not_unwrap() {
    let site = Place::new();
    let (dataset, column) = place();
    let mut keyring = site.open(start());
    keyring.sealer(&dataset, &column, &run(1), None).unwrap();
    keyring.sealer(&dataset, &"email".parse().unwrap(), &run(1), None).unwrap();
    settle(&mut keyring);
    let path = site.ledger().join(KEY_TABLE_FILE);
    let text = fs::read_to_string(&path).unwrap();
    // The two columns' keys exchanged: each is wrapped for its own place.
    let exchanged = text.replacen("\"column\":\"name\"", "\"column\":\"x\"", 1);
    let exchanged = exchanged.replacen("\"column\":\"email\"", "\"column\":\"name\"", 1);
    fs::write(&path, exchanged).unwrap();
    let refused = site.open(start()).sealer(&dataset, &column, &run(2), None).err().unwrap();
    assert!(refused.to_string().contains("does not unwrap"), "{refused}");
}
