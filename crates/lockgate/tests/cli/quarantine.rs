//! Records that were set aside are told of without a value, and loaded once they are mended: each once, from its place.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::Site;

const CATALOG: &str = "\
dataset: visits
at: { store: landing, path: 'visits/*.csv', format: csv }
columns:
  id: { type: bigint, nullable: false }
  name: { type: text, tags: [pii.name] }
  day: { type: date }
";

const PIPELINE: &str = "\
pipeline: visits
sql: SELECT id, name, day FROM visits
into: { dataset: visits_loaded, store: warehouse }
runs_as: svc
";

const FILE: &str = "\
id,name,day
1,Ada,2026-01-01
2,Grace Geheim,01.02.2026
x3,\"Kept
secret\",2026-01-03
4,Linus,2026-01-04
";

fn site() -> Site {
    let site = Site::empty();
    site.write("catalog/visits.yaml", CATALOG);
    site.write("pipelines/visits.yaml", PIPELINE);
    site.write("landing/visits/a.csv", FILE);
    site
}

/// Runs the pipeline, which sets two records aside; gives the run's id.
fn first_run(site: &Site) -> String {
    let outcome = site.lockgate(&["run", "visits", "--max-quarantined", "2", "--format", "json"]).exits(0).json();
    assert_eq!((&outcome["rows_written"], &outcome["rows_quarantined"]), (&2.into(), &2.into()));
    outcome["run"].as_str().unwrap().to_owned()
}

fn days(site: &Site) -> Vec<(i64, String)> {
    let database = Connection::open(site.path("warehouse.db")).unwrap();
    let mut statement = database.prepare("SELECT id, day FROM visits_loaded ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn listed(site: &Site, run: &str) -> Value {
    site.lockgate(&["trace", "--quarantine", run, "--format", "json"]).exits(0).json()
}

fn requarantine(site: &Site, run: &str, most: &str) -> Value {
    let args = ["run", "--requarantined", run, "--mended", "--max-quarantined", most, "--format", "json"];
    site.lockgate(&args).exits(0).json()
}

fn day(id: i64, day: &str) -> (i64, String) {
    (id, day.to_owned())
}

#[test]
fn reasons_are_listed_with_places_and_without_values() {
    let site = site();
    let run = first_run(&site);
    let found = listed(&site, &run);
    let places: Vec<_> =
        found["records"].as_array().unwrap().iter().map(|record| (&record["row"], &record["line"])).collect();
    assert_eq!(places, [(&1.into(), &3.into()), (&2.into(), &4.into())]);
    let said = site.lockgate(&["trace", "--quarantine", &run]).exits(0);
    assert!(said.out.contains("visits/a.csv  line 3  the value of the column `day` is no date"), "{}", said.out);
    for value in ["Geheim", "Kept", "x3", "01.02"] {
        assert!(!said.out.contains(value) && !found.to_string().contains(value), "{value}: {}", said.out);
    }
    let kept = site.files(".lockgate/ledger/quarantine");
    assert!(kept.values().all(|bytes| !String::from_utf8_lossy(bytes).contains("Geheim")));
}

#[test]
fn lines_that_are_mended_in_their_file_are_loaded_once() {
    let site = site();
    let run = first_run(&site);
    let refused = site.lockgate(&["run", "--requarantined", &run]).exits(1);
    assert!(refused.err.contains("2 of 2 records would be set aside"), "{}", refused.err);

    site.replace("landing/visits/a.csv", "01.02.2026", "2026-02-01");
    let refused = site.lockgate(&["run", "--requarantined", &run, "--max-quarantined", "1"]).exits(2);
    assert!(
        refused.err.contains("is not the file that was read") && refused.err.contains("--mended"),
        "{}",
        refused.err
    );
    let second = requarantine(&site, &run, "1");
    assert_eq!((&second["rows_read"], &second["rows_written"]), (&2.into(), &1.into()));
    assert_eq!(days(&site), [day(1, "2026-01-01"), day(2, "2026-02-01"), day(4, "2026-01-04")]);
    assert_eq!(listed(&site, &run)["requarantined_by"], second["run"]);
    let traced = site.lockgate(&["trace", "visits_loaded", "--where", "id = 2", "--format", "json"]).exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!((&source["line"], &source["state"]), (&3.into(), &"unchanged".into()));

    // Nothing of it is loaded twice: not the quarantine, not the mended file.
    assert_eq!(requarantine(&site, &run, "2")["status"], "nothing_new");
    let again = site.lockgate(&["run", "visits", "--format", "json"]).exits(0).json();
    assert_eq!(again["status"], "nothing_new");

    // What was still broken is in the second run's quarantine, with the same place.
    let second = second["run"].as_str().unwrap();
    assert_eq!(listed(&site, second)["records"][0]["line"], 4);
    site.replace("landing/visits/a.csv", "x3", "3");
    assert_eq!(requarantine(&site, second, "0")["rows_written"], 1);
    assert_eq!(days(&site).len(), 4);
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn records_of_a_file_that_is_gone_are_read_from_the_quarantine() {
    let site = site();
    let run = first_run(&site);
    fs::remove_file(site.path("landing/visits/a.csv")).unwrap();
    site.replace("catalog/visits.yaml", "{ type: date }", "{ type: date, format: '%d.%m.%Y' }");
    let second = requarantine(&site, &run, "1");
    assert_eq!(second["rows_written"], 1);
    assert_eq!(days(&site), [day(1, "2026-01-01"), day(2, "2026-02-01"), day(4, "2026-01-04")]);
    let traced = site.lockgate(&["trace", "visits_loaded", "--where", "id = 2", "--format", "json"]).exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!((&source["row"], &source["line"], &source["state"]), (&1.into(), &3.into(), &"gone".into()));
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_reason() {
    let site = site();
    let run = first_run(&site);
    let refuse = |args: &[&str], code: i32, said: &str| {
        let refused = site.lockgate(args).exits(code);
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    };
    refuse(&["run", "--requarantined", "x"], 2, "is not a run id");
    refuse(&["run", "--requarantined", "06f9z3ptxe1v9q3a8s0xkqg5d0"], 2, "the ledger tells of no run");
    refuse(&["run", "visits", "--requarantined", &run], 2, "cannot be used with");
    site.write("landing/visits/a.csv", format!("{FILE}5,Alan,2026-01-05\n"));
    refuse(&["run", "--requarantined", &run, "--mended"], 1, "has 5 records and had 4");
    site.write("landing/visits/a.csv", FILE);
    site.replace("pipelines/visits.yaml", "store: warehouse", "store: warehouse, mode: replace");
    refuse(&["run", "--requarantined", &run], 2, "the pipeline replaces its table");
    let kept = site.path(&format!(".lockgate/ledger/quarantine/{run}.jsonl"));
    let content = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, content.replace("\"line\":3", "\"line\":2")).unwrap();
    refuse(&["trace", "--quarantine", &run], 5, "is not the file that run");
    site.replace("pipelines/visits.yaml", ", mode: replace", "");
    refuse(&["run", "--requarantined", &run], 5, "is not the file that run");
    assert_eq!(days(&site).len(), 2);
}
