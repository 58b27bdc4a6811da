//! Bad input gets a clear error and the right exit code, and nothing is half-written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{CSV, PIPELINE, Site};

/// Runs the pipeline, expecting a failure; the sink must be as it was.
fn fails(site: &Site, args: &[&str], code: i32, says: &[&str]) {
    let before = site.rows();
    let said = site.lockgate(&[&["run", "daily"], args].concat()).exits(code);
    for words in says {
        assert!(said.err.contains(words), "`{words}` is not in: {}", said.err);
    }
    for value in ["Lovelace", "Ada@Example"] {
        assert!(!said.err.contains(value), "a value in: {}", said.err);
    }
    assert_eq!(site.rows(), before);
    if site.path(".lockgate/ledger/checkpoint").exists() {
        site.lockgate(&["verify"]);
    }
}

#[test]
fn files_that_are_missing_empty_or_have_another_header() {
    let file = "landing/customers/2026-11-01/a.csv";
    let cases: [(&str, &[&str]); 5] = [
        ("", &["the file is empty"]),
        ("id,nam,email,card,born,city\n1,a,b,,,c\n", &["`name`", "is it `nam`?"]),
        ("id,name,name,email,card,born,city\n", &["`name` more than once"]),
        ("id;name;email;card;born;city\n", &["delimiter"]),
        ("id,name,email,card,born,city\n1,\"open,,,\n2,b,,,\n", &["1 of 1 records"]),
    ];
    for (content, says) in cases {
        let site = Site::empty();
        site.write(file, content);
        fails(
            &site,
            &[],
            1,
            &[&["a.csv"][..1], says]
                .concat()
                .iter()
                .skip(usize::from(content.contains("open")))
                .copied()
                .collect::<Vec<_>>(),
        );
    }
    let site = Site::empty();
    fails(&site, &[], 1, &["no file matches `customers/2026-11-01/*.csv` in store `landing`"]);
    let site = Site::empty();
    site.write(file, "id,name,email,card,born,city\n");
    assert_eq!(site.run()["rows_written"], 0, "a header without records is a file of no rows");
}

#[test]
fn a_field_beyond_the_limit_ends_the_run_without_the_memory_for_it() {
    let site = Site::empty();
    let mut csv = b"id,name,email,card,born,city\n1,ok,,,,\n2,\"".to_vec();
    csv.resize(csv.len() + 64 * 1024 * 1024, b'x');
    site.write("landing/customers/2026-11-01/a.csv", csv);
    fails(&site, &[], 1, &["a.csv", "line 3"]);
}

#[test]
fn records_that_cannot_be_read_are_set_aside_up_to_a_limit() {
    let site = Site::empty();
    let mut csv = CSV.as_bytes().to_vec();
    csv.extend_from_slice(b"x,Not A Number,,,,\n5,N\0l,,,,\n6,\xff\xfe,,,,\n7,too,few\n8,Bad Date,,,2026-02-30,\n");
    site.write("landing/customers/2026-11-01/a.csv", csv);
    fails(&site, &[], 1, &["5 of 8 records would be set aside", "1%", "--max-quarantined"]);
    fails(&site, &["--max-quarantined", "4"], 1, &["4 records"]);
    let said = site.lockgate(&["run", "daily", "--max-quarantined", "5"]).exits(0);
    for reason in [
        "a.csv:6: the value of the column `id` is no bigint",
        "a.csv:7: it has a NUL byte",
        "a.csv:8: it is not UTF-8",
        "a.csv:9: it has 3 fields where the header has 6",
        "a.csv:10: the value of the column `born` is no date",
    ] {
        assert!(said.out.contains(reason), "`{reason}` is not in: {}", said.out);
    }
    let quarantine = site.files(".lockgate/ledger/quarantine");
    let text = String::from_utf8(quarantine.into_values().next().unwrap()).unwrap();
    // The header, and the five records.
    assert_eq!(text.lines().count(), 6);
    assert!(text.contains("\"raw\":\"lg1.") && !text.contains("Not A Number"), "{text}");
    site.lockgate(&["verify"]).exits(0);
    fails(&site, &["--max-quarantined", "some"], 2, &["percentage"]);
}

#[test]
fn a_column_that_always_has_a_value_sets_records_without_one_aside() {
    let site = Site::new();
    site.replace("catalog/customers.yaml", "city: { type: text }", "city: { type: text, nullable: false }");
    let said = site.lockgate(&["run", "daily", "--max-quarantined", "1"]).exits(0);
    assert!(said.out.contains("a.csv:5: the column `city` has no value"), "{}", said.out);
}

#[test]
fn an_expression_that_fails_tells_its_kind_and_no_value() {
    let site = Site::new();
    site.replace("pipelines/daily.yaml", "lower(email)", "CAST(CAST(name AS int) AS text)");
    fails(&site, &[], 1, &["could not be cast"]);
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_sink_that_is_locked_different_or_no_database() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    let holder = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    fails(&site, &[], 4, &["locked"]);
    drop(holder);
    let other = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    other.execute_batch("ALTER TABLE \"analytics.customers\" RENAME COLUMN city TO town").unwrap();
    drop(other);
    let said = site.lockgate(&["run", "daily"]).exits(2);
    assert!(said.err.contains("`city`"), "{}", said.err);
    let site = Site::new();
    site.write("warehouse.db", "this is no database, but a text that is long enough to be taken for a page of one");
    let said = site.lockgate(&["run", "daily"]);
    assert!(said.code == 2 && said.err.contains("no SQLite database"), "{} {}", said.code, said.err);
}

#[test]
fn a_key_store_that_is_gone_open_to_others_corrupt_or_under_another_passphrase() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    let keys = site.path(".lockgate/keys/keys.json");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    fails(&site, &[], 3, &["can be read by others", "chmod 600"]);
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    let content = fs::read(&keys).unwrap();
    fs::write(&keys, &content[..content.len() / 2]).unwrap();
    fails(&site, &[], 5, &["is damaged", "backup"]);
    fs::remove_file(&keys).unwrap();
    fails(&site, &[], 4, &["is gone", "restore it from a backup"]);
    fs::write(&keys, &content).unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    site.replace(
        "lockgate.yaml",
        "local: ./.lockgate/keys",
        "local: ./.lockgate/keys, passphrase: 'env:KEYS_PASSPHRASE'",
    );
    fails(&site, &[], 4, &["env:KEYS_PASSPHRASE", "not set"]);
}

#[test]
fn a_key_store_under_a_passphrase_opens_with_that_one_only() {
    let site = Site::new();
    site.replace(
        "lockgate.yaml",
        "local: ./.lockgate/keys",
        "local: ./.lockgate/keys, passphrase: 'env:KEYS_PASSPHRASE'",
    );
    let run = |passphrase: &str| site.lockgate_with(&["run", "daily"], &[("KEYS_PASSPHRASE", passphrase)]);
    run("correct horse battery").exits(0);
    let stored = fs::read_to_string(site.path(".lockgate/keys/keys.json")).unwrap();
    assert!(stored.contains("under_passphrase") && !stored.contains("material"), "{stored}");
    let refused = run("wrong horse battery").exits(3);
    assert!(refused.err.contains("passphrase"), "{}", refused.err);
    run("correct horse battery").exits(0);
}

#[test]
fn a_key_that_the_rules_forbid_is_refused() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    site.replace(".lockgate/ledger/key-table.json", "AES-256-GCM", "3DES");
    fails(&site, &[], 3, &["LG301", "3DES", "rotate"]);
    let said = site.lockgate(&["check"]).exits(3);
    assert!(said.out.contains("LG301"), "{}", said.out);
    let status = site.lockgate(&["keys", "status"]).exits(1);
    assert!(status.out.contains("analytics.customers.name"), "{}", status.out);
}

#[test]
fn a_ledger_that_does_not_verify_stops_the_run() {
    let site = Site::new();
    site.run();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n9,New,,,,Oslo\n");
    let checkpoint = site.path(".lockgate/ledger/checkpoint");
    let text = fs::read_to_string(&checkpoint).unwrap();
    fs::write(&checkpoint, text.replace("lockgate/retail", "lockgate/others")).unwrap();
    fails(&site, &[], 5, &["checkpoint", "not signed"]);
}

#[test]
fn projects_that_are_wrong_are_placed_and_refused() {
    for (file, from, to, code, says) in [
        ("lockgate.yaml", "protect:", "protct:", 2, "lockgate.yaml:9:1"),
        ("pipelines/daily.yaml", "FROM customers", "FROM custmers", 2, "LG102"),
        ("pipelines/daily.yaml", "SELECT id, name", "EXPLAIN SELECT id, name", 3, "LG104"),
        ("lockgate.yaml", "  - { tag: pii.name, with: seal }\n", "", 3, "LG201"),
        ("pipelines/daily.yaml", "SELECT id, name", "SELECT name", 3, "LG202"),
    ] {
        let site = Site::new();
        site.replace(file, from, to);
        for command in [&["check"][..], &["run", "daily"]] {
            let said = site.lockgate(command).exits(code);
            assert!(said.out.contains(says) || said.err.contains(says), "{says}: {}{}", said.out, said.err);
        }
        assert!(!site.path("warehouse.db").exists() && !site.path(".lockgate").exists(), "{says}");
    }
    let site = Site::new();
    site.write("policies/x.yaml", "policies: []\n");
    site.lockgate(&["run", "daily"]).exits(3);
    let site = Site::new();
    site.write(
        "pipelines/daily.yaml",
        PIPELINE.replace("params:\n  date: { type: date, default: '2026-11-01' }\n", ""),
    );
    let said = site.lockgate(&["run", "daily"]).exits(2);
    assert!(said.err.contains("LG030") && said.err.contains("--param date="), "{}", said.err);
    site.lockgate(&["run", "daily", "--param", "date=2026-11-01"]).exits(0);
    let said = site.lockgate(&["run", "dialy"]).exits(2);
    assert!(said.err.contains("did you mean `daily`?"), "{}", said.err);
}
