//! Which pipelines run, and what they would do.

use serde_json::Value;

use crate::support::Site;

/// daily → zz_readback → aaa_report
fn site() -> Site {
    let site = Site::new();
    site.add_readback();
    site.write(
        "pipelines/aaa_report.yaml",
        "pipeline: aaa_report\nsql: SELECT city FROM readback\ninto: { dataset: reports.city, store: readback, mode: replace }\nruns_as: x\n",
    );
    site
}

fn would_run(site: &Site, args: &[&str]) -> Vec<String> {
    let args = [&["run", "--dry-run", "--format", "json"], args].concat();
    let previews = site.lockgate(&args).exits(0).json();
    previews.as_array().unwrap().iter().map(|preview| preview["pipeline"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn selections_follow_names_datasets_and_dependencies() {
    let site = site();
    for (selection, expected) in [
        (vec!["--select", "daily"], vec!["daily"]),
        (vec!["--select", "analytics.customers"], vec!["daily"]),
        (vec!["--select", "*_re*"], vec!["zz_readback", "aaa_report"]),
        (vec!["--select", "reports.*"], vec!["aaa_report"]),
        (vec!["--select", "+aaa_report"], vec!["daily", "zz_readback", "aaa_report"]),
        (vec!["--select", "+zz_readback"], vec!["daily", "zz_readback"]),
        (vec!["--select", "readback+"], vec!["zz_readback", "aaa_report"]),
        (vec!["--select", "+readback+"], vec!["daily", "zz_readback", "aaa_report"]),
        (vec!["--select", "aaa_report,daily"], vec!["daily", "aaa_report"]),
        (vec!["daily", "--select", "aaa_report"], vec!["daily", "aaa_report"]),
    ] {
        assert_eq!(would_run(&site, &selection), expected, "{selection:?}");
    }
    let refused = site.lockgate(&["run", "--select", "dialy"]).exits(2);
    assert!(refused.err.contains("`dialy` selects no pipeline") && refused.err.contains("daily"), "{}", refused.err);
    site.lockgate(&["run", "--select", "+aaa_report"]).exits(0);
    assert_eq!(site.readback().len(), 3);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_touches_nothing() {
    let site = site();
    let before = site.files("");
    let said = site.lockgate(&["run", "--select", "+zz_readback", "--dry-run"]).exits(0).out;
    for part in [
        "daily: would merge into analytics.customers in store warehouse",
        "with date=2026-11-01",
        "customers/2026-11-01/a.csv",
        "token(domain: customer)",
        "what pipeline daily wrote",
        "nothing was read, written or unlocked",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let preview = site.lockgate(&["run", "daily", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(preview[0]["inputs"][0]["bytes"], Value::from(crate::support::CSV.len()));
    assert_eq!(preview[0]["columns"][1]["protection"], "sealed");
    assert_eq!(site.files(""), before);
    site.lockgate(&["run", "daily", "--dry-run", "--param", "date=2026-13-01"]).exits(2);
    site.lockgate(&["run", "daily", "--dry-run", "--param", "date=2026-01-01"]).exits(1);
}

#[test]
fn a_full_refresh_makes_a_table_anew_from_everything_that_is_there() {
    for (mode, store) in [
        ("append", "sqlite://./warehouse.db"),
        ("merge, key: [id]", "sqlite://./warehouse.db"),
        ("append", "file://./lake"),
        ("merge, key: [id]", "file://./lake"),
    ] {
        let site = Site::new();
        site.replace("lockgate.yaml", "sqlite://./warehouse.db", store);
        site.replace("pipelines/daily.yaml", "merge, key: [id]", mode);
        site.write(
            "pipelines/count.yaml",
            "pipeline: count\nsql: SELECT count(*) AS n, count(DISTINCT city) AS cities FROM analytics.customers\n\
             into: { dataset: counted, store: counts, mode: replace }\nruns_as: svc-etl\n",
        );
        site.replace(
            "lockgate.yaml",
            "  landing:",
            "  counts: { at: 'sqlite://./counts.db', clearance: internal }\n  landing:",
        );
        site.run();
        site.write(
            "landing/customers/2026-11-02/b.csv",
            "id,name,email,card,born,city\n3,x,y@z.de,,,Athens\n9,a,b@c.de,,,Rome\n",
        );
        let counted = || {
            site.lockgate(&["run", "count"]).exits(0);
            let database = rusqlite::Connection::open(site.path("counts.db")).unwrap();
            database.query_row("SELECT n, cities FROM counted", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        let rows: (i64, i64) = if mode == "append" { (5, 4) } else { (4, 4) };
        site.lockgate(&["run", "daily", "--param", "date=2026-11-02"]).exits(0);
        assert_eq!(counted(), rows, "{mode} into {store}");
        for _ in 0..2 {
            let outcome = site.lockgate(&["run", "daily", "--full-refresh", "--format", "json"]).exits(0).json();
            assert_eq!(outcome["rows_read"], 5, "{mode} into {store}");
            assert_eq!(counted(), rows, "{mode} into {store}");
        }
        // What was read is not read again, and a file that is gone leaves no row.
        assert_eq!(site.run()["status"], "nothing_new", "{mode} into {store}");
        std::fs::remove_file(site.path("landing/customers/2026-11-01/a.csv")).unwrap();
        site.lockgate(&["run", "daily", "--full-refresh"]).exits(0);
        assert_eq!(counted(), (2, 2), "{mode} into {store}");
        site.lockgate(&["verify"]).exits(0);
    }
}

#[test]
fn a_full_refresh_takes_no_parameter_that_a_run_would_not_take() {
    let site = Site::new();
    for (param, code) in [("dat=2026-11-01", "LG031"), ("date=../../etc", "LG032"), ("date=today", "LG032")] {
        let refused = site.lockgate(&["run", "daily", "--full-refresh", "--param", param]).exits(2);
        assert!(refused.err.contains(code), "{param}: {}", refused.err);
    }
    site.lockgate(&["run", "daily", "--full-refresh", "--param", "date=2026-11-01"]).exits(0);
}
