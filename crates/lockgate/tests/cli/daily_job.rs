//! The daily job: what is written, what is said of it, and what a second run does.

use std::sync::Arc;

use lockgate_crypto::{SealedValue, SystemRandom};
use lockgate_project::Project;
use lockgate_trust::{KeyStore, Keyring, LedgerPlace};

use crate::support::{CSV, Site};

#[test]
fn every_column_is_written_in_the_form_that_its_level_demands() {
    let site = Site::new();
    let outcome = site.run();
    assert_eq!(outcome["status"], "committed");
    assert_eq!((&outcome["rows_read"], &outcome["rows_written"]), (&3.into(), &3.into()));
    assert_eq!(outcome["bytes_read"], CSV.len());
    assert_eq!(outcome["inputs"][0]["path"], "customers/2026-11-01/a.csv");
    assert_eq!(outcome["ledger"]["origin"], "lockgate/retail");
    let forms: Vec<_> =
        outcome["columns"].as_array().unwrap().iter().map(|c| c["protection"].as_str().unwrap()).collect();
    assert_eq!(forms, ["clear", "sealed", "tokenized", "sealed", "masked", "clear"]);

    let rows = site.rows();
    let cell = |id: i64, column: usize| rows[&id][column].clone();
    assert!(cell(1, 0).unwrap().starts_with("lg1."));
    assert!(cell(1, 1).unwrap().starts_with("lgt1.") && cell(1, 1).unwrap().len() == 27);
    let card = cell(1, 2).unwrap();
    assert!(card.len() == 19 && card != "4111-1111-1111-1111" && card.matches('-').count() == 3, "{card}");
    assert_eq!(cell(1, 3).as_deref(), Some("1815-01-01"));
    assert_eq!(cell(2, 4).as_deref(), Some("New\nYork"));
    assert_eq!(rows[&3][1..], [None, None, None, None], "null stays null");
    // No clear value of a protected column is anywhere in what was written.
    for (path, content) in site.files(".").into_iter().filter(|(path, _)| !path.starts_with(site.path("landing"))) {
        let text = String::from_utf8_lossy(&content).to_lowercase();
        for value in ["lovelace", "hopper", "ada@example.com", "4111-1111", "μαρία"] {
            assert!(!text.contains(value), "{} holds {value}", path.display());
        }
    }
}

#[test]
fn sealed_values_open_with_the_project_s_keys_in_their_own_row_only() {
    let site = Site::new();
    site.run();
    let (project, _) = Project::load(&site.path("."), &|_| None).unwrap();
    let store = KeyStore::open(&lockgate_trust::Site::new(project.clone())).unwrap();
    let now = jiff::Timestamp::now();
    let keyring = Keyring::open(
        project.name.clone(),
        store,
        LedgerPlace::folder(&site.path(".lockgate/ledger")),
        Arc::new(SystemRandom),
        now,
    )
    .unwrap();
    let rows = site.rows();
    let sealed: SealedValue = rows[&2][0].as_ref().unwrap().parse().unwrap();
    let opener = keyring.opener(sealed.dek_id()).unwrap();
    assert_eq!(opener.open(&sealed, Some(b"2")).unwrap().expose().as_slice(), b"Hopper, Grace");
    for subject in [Some(&b"1"[..]), Some(b""), None] {
        assert!(opener.open(&sealed, subject).is_err(), "{subject:?}");
    }
}

#[test]
fn a_second_run_with_nothing_new_changes_nothing() {
    let site = Site::new();
    site.run();
    let before = site.files(".lockgate/ledger");
    let rows = site.rows();
    let outcome = site.run();
    assert_eq!(outcome["status"], "nothing_new");
    assert_eq!(outcome["run"], serde_json::Value::Null);
    let lock = site.path(".lockgate/ledger/writer.lock");
    let without_lock = |files: std::collections::BTreeMap<_, _>| {
        files.into_iter().filter(|(path, _)| *path != lock).collect::<Vec<_>>()
    };
    assert_eq!(without_lock(site.files(".lockgate/ledger")), without_lock(before));
    assert_eq!(site.rows(), rows);
}

#[test]
fn new_files_are_merged_and_the_others_left_alone() {
    let site = Site::new();
    site.run();
    let before = site.rows();
    site.write(
        "landing/customers/2026-11-01/b.csv",
        "id,name,email,card,born,city\n2,Grace,grace@example.org,,,Arlington\n9,New,,,,Oslo\n",
    );
    let outcome = site.run();
    assert_eq!(outcome["inputs"].as_array().unwrap().len(), 1, "the first file is not read again");
    let after = site.rows();
    assert_eq!(after.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 9]);
    assert_eq!(after[&1], before[&1]);
    assert_eq!(after[&2][4].as_deref(), Some("Arlington"));
    assert_eq!(after[&2][1], before[&2][1], "tokens are equal from run to run");
    assert_ne!(after[&2][0], before[&2][0]);
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn append_never_doubles_and_replace_leaves_only_the_last() {
    let site = Site::new();
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: append");
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    assert_eq!(site.run()["rows_written"], 1);
    site.replace("pipelines/daily.yaml", "lower(email)", "email");
    assert_eq!(site.run()["status"], "nothing_new", "a changed plan does not append rows again");
    assert_eq!(site.rows().len(), 4);

    let site = Site::new();
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: replace");
    site.run();
    assert_eq!(site.run()["status"], "nothing_new");
    std::fs::remove_file(site.path("landing/customers/2026-11-01/a.csv")).unwrap();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    site.run();
    assert_eq!(site.rows().keys().copied().collect::<Vec<_>>(), [9]);
}

#[test]
fn a_table_that_was_dropped_is_written_anew() {
    let site = Site::new();
    site.run();
    std::fs::remove_file(site.path("warehouse.db")).unwrap();
    assert_eq!(site.run()["rows_written"], 3);
    assert_eq!(site.rows().len(), 3);
}

#[test]
fn another_day_is_another_input() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-02/a.csv", "id,name,email,card,born,city\n4,Day Two,,,,Rome\n");
    let outcome = site.lockgate(&["run", "daily", "--param", "date=2026-11-02", "--format", "json"]).exits(0).json();
    assert_eq!(outcome["rows_written"], 1);
    assert_eq!(site.rows().len(), 4);
    let refused = site.lockgate(&["run", "daily", "--param", "date=tomorrow"]).exits(2);
    assert!(refused.err.contains("LG032") && refused.err.contains("tomorrow"), "{}", refused.err);
    let refused = site.lockgate(&["run", "daily", "--param", "dat=2026-11-02"]).exits(2);
    assert!(refused.err.contains("LG031") && refused.err.contains("did you mean `date`?"), "{}", refused.err);
}

#[test]
fn what_one_pipeline_wrote_another_reads_and_rows_are_traced_through_both() {
    let site = Site::new();
    site.write(
        "pipelines/second.yaml",
        "pipeline: second\nsql: SELECT id, name, email, upper(city) AS city FROM analytics.customers WHERE city IS NOT NULL\n\
         into: { dataset: marts.cities, store: warehouse, mode: merge, key: [id] }\nruns_as: svc-etl\n",
    );
    let early = site.lockgate(&["run", "second"]).exits(2);
    assert!(early.err.contains("run pipeline `daily` first"), "{}", early.err);
    site.run();
    let outcome = site.lockgate(&["run", "second", "--format", "json"]).exits(0).json();
    assert_eq!(outcome["rows_written"], 2);
    let trace = site.lockgate(&["trace", "marts.cities", "--where", "id = 2", "--format", "json"]).exits(0).json();
    let row = &trace["rows"][0];
    assert_eq!(row["sources"][0]["path"], "customers/2026-11-01/a.csv");
    assert_eq!(row["sources"][0]["line"], 3);
    let stages: Vec<_> = row["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["customers (files)", "analytics.customers (pipeline daily)", "marts.cities (pipeline second)"]);
    assert_eq!(site.lockgate(&["run", "second", "--format", "json"]).exits(0).json()["status"], "nothing_new");
    site.lockgate(&["verify"]).exits(0);
}
