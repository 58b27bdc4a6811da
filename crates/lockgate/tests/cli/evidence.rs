//! Trace and verify: every row finds its record, and every change to the evidence is found.

use std::fs;

use crate::support::Site;

const UGLY: &[u8] = b"\xef\xbb\xbfcity,id,name,extra,email,card,born\r\n\
    \"New\r\nYork\",1,\"O\"\"Neil, Pat\",x,p@example.com,,\r\n\
    \r\n\
    Oslo,2,B\xc3\xb8,x,b@example.com,,\r\n\
    broken,row\r\n\
    Rome,notanumber,C,x,c@example.com,,\r\n\
    Bern,5,D,x,d@example.com,,2026-02-28\r\n";

#[test]
fn each_row_is_traced_to_its_file_record_and_line() {
    let site = Site::empty();
    site.write("landing/customers/2026-11-01/ugly.csv", UGLY);
    site.lockgate(&["run", "daily", "--max-quarantined", "2"]).exits(0);
    for (id, row, line) in [(1, 0, 2), (2, 1, 5), (5, 4, 8)] {
        let trace =
            site.lockgate(&["trace", "analytics.customers", "--where", &format!("id = {id}"), "--format", "json"]);
        let trace = trace.exits(0).json();
        let source = &trace["rows"][0]["sources"][0];
        assert_eq!((source["row"].as_u64(), source["line"].as_u64()), (Some(row), Some(line)), "id {id}");
        assert_eq!(source["state"], "unchanged");
        assert_eq!(source["sha256"], lockgate_crypto::sha256(UGLY).to_string());
    }
    let traced = site.lockgate(&["trace", "analytics.customers", "--where", "id = 5"]).exits(0);
    assert!(traced.out.contains("line 8") && traced.out.contains("key "), "{}", traced.out);
}

#[test]
fn a_source_that_changed_or_went_is_said_to_have() {
    let site = Site::new();
    site.run();
    let file = "landing/customers/2026-11-01/a.csv";
    let trace = ["trace", "analytics.customers", "--where", "id = 1", "--format", "json"];
    site.replace(file, "London", "Paris");
    let changed = site.lockgate(&trace).exits(1);
    assert_eq!(changed.json()["rows"][0]["sources"][0]["state"], "changed");
    fs::remove_file(site.path(file)).unwrap();
    let gone = site.lockgate(&trace).exits(0).json();
    assert_eq!(gone["rows"][0]["sources"][0]["state"], "gone");
    assert_eq!(gone["rows"][0]["sources"][0]["line"], 2, "the line is known without the file");
}

#[test]
fn a_condition_of_the_operator_reads_that_table_and_nothing_else() {
    let site = Site::new();
    site.run();
    for condition in ["id = 1; DROP TABLE lockgate_runs", "id IN (SELECT 1 FROM lockgate_runs)", "id =", "nothere = 1"]
    {
        let refused = site.lockgate(&["trace", "analytics.customers", "--where", condition]);
        assert_eq!(refused.code, 2, "{condition}: {}", refused.err);
    }
    site.lockgate(&["trace", "analytics.customers", "--where", "id = 99"]).exits(1);
    let unknown = site.lockgate(&["trace", "analytics.customer", "--where", "id = 1"]).exits(2);
    assert!(unknown.err.contains("did you mean `analytics.customers`?"), "{}", unknown.err);
}

/// One bit in every file of the evidence that verification needs, and each of them removed.
#[test]
fn every_change_to_the_evidence_is_found_and_named() {
    let site = Site::new();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\nx,broken,,,,\n");
    site.lockgate(&["run", "daily", "--max-quarantined", "1"]).exits(0);
    site.lockgate(&["verify"]).exits(0);
    let files = site.files(".lockgate/ledger");
    let needless = |name: &str| {
        // Tiles of smaller trees than the checkpoint's stay behind and are not part of the log any more.
        let size = site.lockgate(&["verify", "--format", "json"]).json()["size"].as_u64().unwrap();
        name.ends_with("writer.lock") || (name.contains(".p/") && !name.ends_with(&format!(".p/{size}")))
    };
    let needed: Vec<_> = files.iter().filter(|(path, _)| !needless(&path.display().to_string())).collect();
    assert!(needed.len() >= 9, "{}", needed.len());
    for (path, content) in needed {
        let name = path.file_name().unwrap().to_str().unwrap();
        let expect = |what: &str| {
            let found = site.lockgate(&["verify"]);
            assert_eq!(found.code, 5, "{} {what}: {}{}", path.display(), found.out, found.err);
            assert!(
                found.err.contains(name) || name == "key-table.json" || found.err.contains("entry"),
                "{}: {}",
                path.display(),
                found.err
            );
        };
        for at in [0, content.len() / 3, content.len() / 2, content.len() - 2] {
            let mut flipped = content.clone();
            flipped[at] ^= 4;
            fs::write(path, &flipped).unwrap();
            // Some bits of the table (a date, a state's letter) do not belong to what the ledger tells of.
            if name != "key-table.json" {
                expect(&format!("with byte {at} flipped"));
            }
        }
        fs::remove_file(path).unwrap();
        expect("removed");
        fs::write(path, content).unwrap();
    }
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_roll_back_is_found_by_the_checkpoint_that_was_seen_or_kept() {
    let site = Site::new();
    site.run();
    let old = site.files(".lockgate/ledger");
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    site.run();
    let kept = site.path("kept.checkpoint");
    fs::copy(site.path(".lockgate/ledger/checkpoint"), &kept).unwrap();
    fs::remove_dir_all(site.path(".lockgate/ledger")).unwrap();
    for (path, content) in &old {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let found = site.lockgate(&["verify"]).exits(5);
    assert!(found.err.contains("rolled back"), "{}", found.err);
    site.lockgate(&["run", "daily"]).exits(5);
    // Alone, the old log is whole; with the checkpoint that somebody kept it is not.
    let (ledger, key) = (site.path(".lockgate/ledger"), site.path(".lockgate/keys/ledger.vkey"));
    let alone = ["verify", ledger.to_str().unwrap(), "--public-key", key.to_str().unwrap()];
    site.lockgate(&alone).exits(0);
    site.lockgate(&[&alone[..], &["--against", kept.to_str().unwrap()]].concat()).exits(5);
}

#[test]
fn a_stranger_verifies_a_copy_with_the_public_key_alone() {
    let site = Site::new();
    site.run();
    let key = fs::read_to_string(site.path(".lockgate/keys/ledger.vkey")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for (path, content) in site.files(".lockgate/ledger") {
        let copy = elsewhere.path().join(path.strip_prefix(site.path(".lockgate/ledger")).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(copy, content).unwrap();
    }
    let verify = |key: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .args(["verify", elsewhere.path().to_str().unwrap(), "--public-key", key, "--format", "json"])
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        crate::support::said(&output)
    };
    assert_eq!(verify(key.trim()).exits(0).json()["origin"], "lockgate/retail");
    let other = Site::new();
    other.run();
    let wrong = fs::read_to_string(other.path(".lockgate/keys/ledger.vkey")).unwrap();
    assert!(verify(wrong.trim()).exits(5).err.contains("not signed by the key"));
    verify("nonsense").exits(2);
}
