//! What the ledger tells of runs, and of the difference between two of them.

use std::fs;

use crate::support::{CSV, Site};

fn ids(site: &Site) -> Vec<String> {
    let listed = site.lockgate(&["history", "--format", "json"]).exits(0).json();
    listed.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_are_listed_newest_first_with_how_they_ended() {
    let site = Site::new();
    site.lockgate(&["history"]).exits(4);
    let run = site.run()["run"].as_str().unwrap().to_owned();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\nx,,,,,\n");
    site.lockgate(&["run", "daily"]).exits(1);
    let said = site.lockgate(&["history"]).exits(0).out;
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(&lines[1][2..], ["daily", "aborted:", "failed"]);
    assert_eq!((lines[2][0], &lines[2][2..]), (run.as_str(), &["daily", "committed", "3", "3", "0"][..]));
    assert_eq!(site.lockgate(&["history", "--limit", "1"]).exits(0).out.lines().count(), 2);
    assert_eq!(site.lockgate(&["history", "--pipeline", "other"]).exits(0).out.lines().count(), 1);
}

#[test]
fn a_report_tells_protections_reasons_keys_and_proof_and_no_value() {
    let site = Site::new();
    site.replace("pipelines/daily.yaml", "sql: SELECT id,", "sql: SELECT /* <script>alert(1)</script> & */ id,");
    let run = site.run()["run"].as_str().unwrap().to_owned();
    let text = site.lockgate(&["history", &run]).exits(0).out;
    for part in [
        "committed",
        "customers/2026-11-01/a.csv",
        "token(domain: customer)",
        "AES-256-GCM",
        "kek-1",
        "active",
        "read and parse",
        "c2sp.org/tlog-proof@v1",
        "\"kind\":\"run.commit\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let file = site.path("report.html");
    site.lockgate(&["history", &run, "--output", file.to_str().unwrap()]).exits(0);
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp;") && !html.contains("<script"), "{html}");
    for outside in ["http://", "https://", "src=", "href=", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    for value in ["Lovelace", "grace@", "4111", "1815", "London"] {
        assert!(CSV.contains(value) && !text.contains(value) && !html.contains(value), "{value}");
    }
    let report = site.lockgate(&["history", &run, "--format", "json"]).exits(0).json();
    let key = report["columns"][1]["key"]["key"].as_str().unwrap().to_owned();
    assert_eq!(report["columns"][1]["key_states"][&key], "active");
    site.lockgate(&["keys", "shred", &key, "--because", "test", "--yes"]).exits(0);
    let report = site.lockgate(&["history", &run, "--format", "json"]).exits(0).json();
    assert_eq!(report["columns"][1]["key_states"][&key], "shredded");
}

#[test]
fn a_report_of_changed_evidence_is_not_made() {
    let site = Site::new();
    let run = site.run()["run"].as_str().unwrap().to_owned();
    for (path, mut content) in site.files(".lockgate/ledger/tile/entries") {
        let said = b"\"rows_written\":3";
        if let Some(at) = content.windows(said.len()).position(|window| window == said) {
            content[at + said.len() - 1] = b'2';
            fs::write(path, content).unwrap();
        }
    }
    let refused = site.lockgate(&["history", &run]).exits(5);
    assert!(refused.err.contains("one of them was changed"), "{}", refused.err);
}

#[test]
fn two_runs_differ_in_what_they_protect_less() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n7,Ann,,,,\n");
    site.run();
    let runs = ids(&site);
    let same = site.lockgate(&["diff", &runs[1], &runs[0]]).exits(0);
    assert!(same.out.contains("protect alike"), "{}", same.out);

    site.replace("lockgate.yaml", "{ tag: pii.name, with: seal }", "{ tag: pii.name, with: 'token(domain: name)' }");
    site.write("landing/customers/2026-11-01/c.csv", "id,name,email,card,born,city\n8,Ann,,,,\n");
    site.run();
    let runs = ids(&site);
    let said = site.lockgate(&["diff", &runs[1], &runs[0]]).exits(1).out;
    let form = said.lines().find(|line| line.contains(" form ")).unwrap();
    assert!(form.contains("name") && form.contains("sealed → tokenized") && form.contains("WEAKER"), "{said}");
    let back = site.lockgate(&["diff", &runs[0], &runs[1], "--format", "json"]).exits(1).json();
    let form = back["changes"].as_array().unwrap().iter().find(|change| change["what"] == "form").unwrap();
    assert_eq!((&form["column"], &form["weaker"]), (&"name".into(), &false.into()));
}
