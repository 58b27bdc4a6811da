//! One person's sealed values stop opening, in every table and in every copy; everybody else's stay.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use lockgate_crypto::{SealedValue, SystemRandom};
use lockgate_project::Project;
use lockgate_trust::{KeyStore, Keyring, LedgerPlace, SubjectState};
use rusqlite::Connection;

use crate::support::Site;

fn site() -> Site {
    let site = Site::new();
    site.replace("catalog/customers.yaml", "subject: id", "subject: id\nerase_by: subject");
    site.write(
        "pipelines/lake.yaml",
        "pipeline: lake\nsql: SELECT id, name AS who FROM customers\ninto: { dataset: people, store: lake }\n\
         runs_as: x\nparams:\n  date: { type: date, default: '2026-11-01' }\n",
    );
    site.write(
        "pipelines/onward.yaml",
        "pipeline: onward\nsql: SELECT id, name FROM analytics.customers\n\
         into: { dataset: onward, store: warehouse, mode: replace }\nruns_as: x\n",
    );
    site.replace("lockgate.yaml", "  landing:", "  lake: { at: 'file://./lake', clearance: internal }\n  landing:");
    site.lockgate(&["run", "--select", "*"]).exits(0);
    site
}

/// The sealed names of a database, by id.
fn sealed(database: &Path, table: &str) -> BTreeMap<i64, Option<String>> {
    let database = Connection::open(database).unwrap();
    let mut statement = database.prepare(&format!("SELECT id, name FROM \"{table}\"")).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Opens a name with everything that the project has; `None` if it does not open.
fn open(site: &Site, id: i64, sealed: &str) -> Option<String> {
    let (project, _) = Project::load(&site.path(""), &|_| None).unwrap();
    let store = KeyStore::open(&lockgate_trust::Site::new(project.clone())).unwrap();
    let mut keyring = Keyring::open(
        project.name.clone(),
        store,
        LedgerPlace::folder(&site.path(".lockgate/ledger")),
        Arc::new(SystemRandom),
        Timestamp::now(),
    )
    .unwrap();
    let sealed: SealedValue = sealed.parse().unwrap();
    let subject = id.to_string();
    let salts = keyring.subject_salts(&"customers".parse().unwrap()).unwrap();
    let salt = match salts.find(subject.as_bytes()).unwrap() {
        SubjectState::Known(salt) => Some(salt),
        SubjectState::Erased | SubjectState::Unknown => None,
    };
    let opener = keyring.opener(sealed.dek_id()).unwrap();
    let opened = opener.open_by_subject(&sealed, subject.as_bytes(), salt.as_ref()).ok()?;
    Some(String::from_utf8(opened.expose().clone()).unwrap())
}

#[test]
fn an_erased_person_is_unreadable_everywhere_and_others_are_not() {
    let site = site();
    let copy = site.path("copy.db");
    std::fs::copy(site.path("warehouse.db"), &copy).unwrap();
    let before = sealed(&copy, "analytics.customers");
    assert_eq!(open(&site, 1, before[&1].as_ref().unwrap()).as_deref(), Some("Ada Lovelace"));

    let args = ["erase", "customers", "--subject", "1", "--because", "asked", "--yes", "--format", "json"];
    let outcome = site.lockgate(&args).exits(0).json();
    let copies: Vec<_> = outcome["copies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|copy| {
            let number = |name: &str| copy[name].as_u64().unwrap();
            (
                copy["dataset"].as_str().unwrap().to_owned(),
                number("values"),
                number("opened_before"),
                number("opened_after"),
            )
        })
        .collect();
    let expected = |dataset: &str| (dataset.to_owned(), 1, 1, 0);
    assert_eq!(copies, [expected("analytics.customers"), expected("people"), expected("onward")]);
    let remaining = outcome["remaining"].to_string();
    assert!(remaining.contains("\"email\"") && remaining.contains("tokenized"), "{remaining}");

    for table in ["analytics.customers", "onward"] {
        for (id, name) in sealed(&copy, table) {
            assert_eq!(open(&site, id, &name.unwrap()).is_some(), id != 1, "{table} {id}");
        }
    }
    site.lockgate(&["verify"]).exits(0);
    let ledger = site.files(".lockgate/ledger/tile");
    let told: Vec<_> =
        ledger.values().filter(|bytes| String::from_utf8_lossy(bytes).contains("subject.erase")).collect();
    assert!(!told.is_empty());
    assert_eq!(site.lockgate(&args).exits(0).json()["erased_before"], true);

    // What arrives of the person later is not sealed anew, and so not kept.
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n1,Ada Again,,,,\n2,Grace,,,,\n");
    site.lockgate(&["run", "daily"]).exits(0);
    let now = sealed(&site.path("warehouse.db"), "analytics.customers");
    assert_eq!(now[&1], None);
    assert_eq!(open(&site, 2, now[&2].as_ref().unwrap()).as_deref(), Some("Grace"));
}

#[test]
fn salts_are_their_owners_alone_and_destroyed_ones_are_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = site();
    let file = site.path(".lockgate/ledger/subject-salts.db");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let database = Connection::open(&file).unwrap();
    let salts: Vec<Vec<u8>> = {
        let mut statement = database.prepare("SELECT salt FROM salts").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(salts.len(), 3);
    drop(database);
    site.lockgate(&["erase", "customers", "--subject", "2", "--because", "asked", "--yes"]).exits(0);
    let bytes = std::fs::read(&file).unwrap();
    let left = salts.iter().filter(|salt| bytes.windows(32).any(|window| window == salt.as_slice())).count();
    assert_eq!(left, 2);
}

#[test]
fn what_cannot_be_erased_is_refused_and_nothing_is_destroyed() {
    let site = Site::new();
    let erase = ["erase", "customers", "--subject", "1", "--because", "asked"];
    let yes = [&erase[..], &["--yes"]].concat();
    let refuse = |args: &[&str], code: i32, said: &str| {
        let refused = site.lockgate(args).exits(code);
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    };
    refuse(&yes, 2, "does not declare `erase_by: subject`");
    site.run();
    site.replace("catalog/customers.yaml", "subject: id", "subject: id\nerase_by: subject");
    refuse(&erase, 2, "was not confirmed");
    // What was sealed before is under no key of a person.
    refuse(&yes, 1, "are under no key of a person, so nothing was destroyed");
    refuse(&["erase", "customers", "--subject", "99", "--because", "x", "--yes"], 1, "nothing was ever sealed");
    site.replace("catalog/customers.yaml", "subject: id\n", "subject: id\nbind: column\n");
    let checked = site.lockgate(&["check"]).exits(2);
    assert!(checked.out.contains("needs values that are bound to a `subject`"), "{}", checked.out);
}
