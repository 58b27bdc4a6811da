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
