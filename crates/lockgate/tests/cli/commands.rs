//! The commands that are not the daily job.

use std::process::Command;

use serde_json::Value;

use crate::support::{Site, said};

#[test]
fn init_writes_a_project_that_runs_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("shop");
    let lockgate = |args: &[&str]| {
        said(&Command::new(env!("CARGO_BIN_EXE_lockgate")).args(args).current_dir(folder.path()).output().unwrap())
    };
    lockgate(&["init", "shop"]).exits(0);
    lockgate(&["check", "--project", "shop"]).exits(0);
    let outcome = lockgate(&["run", "daily_customers", "--project", "shop", "--format", "json"]).exits(0).json();
    assert_eq!(outcome["rows_written"], 3);
    assert_eq!(outcome["ledger"]["origin"], "lockgate/shop");
    let again = lockgate(&["init", "shop"]).exits(2);
    assert!(again.err.contains("is there already"), "{}", again.err);
    // The nearest parent with lockgate.yaml is the project.
    let inside = said(
        &Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .arg("verify")
            .current_dir(project.join("catalog"))
            .output()
            .unwrap(),
    );
    inside.exits(0);
    let nowhere = lockgate(&["check"]).exits(2);
    assert!(nowhere.err.contains("lockgate init"), "{}", nowhere.err);
}

#[test]
fn check_writes_sarif_that_names_rule_place_and_level() {
    let site = Site::new();
    site.replace("lockgate.yaml", "  - { tag: pii.name, with: seal }\n", "");
    let sarif = site.lockgate(&["check", "--format", "sarif"]).exits(3).json();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"LG201".into(), &"error".into()));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "pipelines/daily.yaml");
    assert_eq!(place["region"]["startLine"], 2);
    let json = site.lockgate(&["check", "--format", "json"]).exits(3).json();
    assert_eq!(json["findings"][0]["code"], "LG201");
    assert_eq!(
        Site::new().lockgate(&["check", "--format", "sarif"]).exits(0).json()["runs"][0]["results"],
        Value::Array(vec![])
    );
}

#[test]
fn explain_says_what_is_done_to_each_column_and_why() {
    let site = Site::new();
    let json = site.lockgate(&["explain", "daily", "--format", "json"]).exits(0).json();
    let email = &json["columns"][2];
    assert_eq!((&email["protection"], &email["level"]), (&"tokenized".into(), &"confidential".into()));
    assert_eq!(email["rule"], "protect[0]: tag pii.email");
    assert_eq!(email["lineage"][0]["kind"], "TRANSFORMATION");
    let text = site.lockgate(&["explain", "daily"]).exits(0).out;
    assert!(text.contains("lockgate_token(") && text.contains("bound to: id"), "{text}");
    assert!(!site.path(".lockgate").exists(), "explaining changes nothing");
}

#[test]
fn keys_are_listed_rotated_rewrapped_and_shredded_each_with_its_entry() {
    let site = Site::new();
    let none = site.lockgate(&["keys", "list"]).exits(1);
    assert!(none.err.contains("no keys yet") && !site.path(".lockgate").exists(), "{}", none.err);
    site.run();
    let list = || site.lockgate(&["keys", "list", "--format", "json"]).exits(0).json()["keys"].clone();
    let of = |keys: &Value, scope: &str| -> Vec<Value> {
        keys.as_array().unwrap().iter().filter(|key| key["scope"] == scope).cloned().collect()
    };
    let entries = |kind: &str| {
        site.lockgate(&["verify", "--format", "json"]).exits(0).json()["entries"][kind].as_u64().unwrap_or(0)
    };
    site.lockgate(&["keys", "status"]).exits(0);
    let made = entries("key.create");
    assert_eq!(made, 1 + 3, "the kek, the name's key, two domains");

    site.lockgate(&["keys", "rotate", "analytics.customers.name", "--because", "test"]).exits(0);
    let name_keys = of(&list(), "analytics.customers.name");
    assert_eq!(name_keys.iter().map(|k| k["state"].as_str().unwrap()).collect::<Vec<_>>(), ["retired", "active"]);
    site.lockgate(&["keys", "rotate", "kek"]).exits(0);
    assert!(of(&list(), "domain:customer")[0]["kek_version"] == 2);
    assert_eq!((entries("key.rotate"), entries("key.rewrap")), (2, 1));
    site.lockgate(&["keys", "rewrap"]).exits(0);
    assert_eq!(entries("key.rewrap"), 1, "nothing was left to wrap");

    // Rotation rewrites no data: everything opens and tokens stay.
    let before = site.rows();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n1,Ada,ada@example.com,,,London\n");
    site.run();
    assert_eq!(site.rows()[&1][1], before[&1][1]);

    let old = name_keys[0]["key"].as_str().unwrap();
    site.lockgate(&["keys", "shred", old, "--because", "retention over"]).exits(2);
    site.lockgate(&["keys", "shred", old, "--because", "retention over", "--yes"]).exits(0);
    assert_eq!(entries("key.shred"), 1);
    assert_eq!(of(&list(), "analytics.customers.name")[0]["state"], "shredded");
    for (args, code) in [
        (&["keys", "shred", old, "--because", "again", "--yes"][..], 3),
        (&["keys", "shred", "00", "--because", "x", "--yes"], 2),
        (&["keys", "rotate", "domain:customer"], 2),
        (&["keys", "rotate", "nothing.here"], 2),
    ] {
        site.lockgate(args).exits(code);
    }
}

#[test]
fn a_key_that_was_shredded_cannot_be_put_back_unseen() {
    let site = Site::new();
    site.run();
    let table = std::fs::read(site.path(".lockgate/ledger/key-table.json")).unwrap();
    let keys = site.lockgate(&["keys", "list", "--format", "json"]).json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["scope"] == "analytics.customers.name").unwrap();
    site.lockgate(&["keys", "shred", key["key"].as_str().unwrap(), "--because", "x", "--yes"]).exits(0);
    site.lockgate(&["verify"]).exits(0);
    site.write(".lockgate/ledger/key-table.json", table);
    let found = site.lockgate(&["verify"]).exits(5);
    assert!(found.err.contains("destroyed"), "{}", found.err);
}

#[test]
fn schemas_completions_and_help_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let lockgate = |args: &[&str]| said(&Command::new(env!("CARGO_BIN_EXE_lockgate")).args(args).output().unwrap());
    let schemas = lockgate(&["schema"]).exits(0).json();
    assert_eq!(schemas["pipeline.schema.json"]["additionalProperties"], false);
    lockgate(&["schema", "--output", folder.path().to_str().unwrap()]).exits(0);
    assert!(folder.path().join("lockgate.schema.json").exists());
    for shell in ["bash", "zsh", "fish"] {
        assert!(lockgate(&["completions", shell]).exits(0).out.contains("lockgate"), "{shell}");
    }
    let help = lockgate(&["--help"]).exits(0).out;
    for command in ["init", "check", "explain", "run", "trace", "verify", "keys", "schema", "completions"] {
        assert!(help.contains(command), "{command}");
        assert!(lockgate(&[command, "--help"]).exits(0).out.contains("Example:"), "{command}");
    }
    lockgate(&["frobnicate"]).exits(2);
}
