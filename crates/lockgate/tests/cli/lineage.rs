//! Lineage of statements and of the project's datasets.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::{Site, said};

#[test]
fn a_statement_needs_a_list_of_tables_and_no_project() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("tables.yaml");
    fs::write(
        &catalog,
        "tables: { orders: { columns: { day: date, city: text, amount: 'numeric(10,2)', x: blob9 } } }",
    )
    .unwrap();
    let sql = "INSERT INTO report (day, total) SELECT day, sum(amount) FROM orders WHERE city = 'Bern' GROUP BY 1";
    let lockgate = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command.current_dir(folder.path()).env("NO_COLOR", "1");
        said(
            &command
                .args(["lineage", "--catalog", "tables.yaml", "--dialect", "postgres"])
                .args(args)
                .output()
                .unwrap(),
        )
    };
    let found = lockgate(&["--sql", sql, "--format", "json"]).exits(0);
    let input = |column: &str, kind: &str, subtype: &str| json!({ "table": "orders", "column": column, "type": kind, "subtype": subtype, "masking": false });
    let rows = [input("city", "INDIRECT", "FILTER"), input("day", "INDIRECT", "GROUP_BY")];
    assert_eq!(
        found.json(),
        json!({ "outputs": [
            { "table": "report", "column": "day",
              "inputs": [rows[0], input("day", "DIRECT", "IDENTITY"), rows[1]] },
            { "table": "report", "column": "total",
              "inputs": [input("amount", "DIRECT", "AGGREGATION"), rows[0], rows[1]] },
        ] })
    );
    assert!(found.err.contains("`blob9` of `orders.x` is no type of this dialect"), "{}", found.err);
    let text = lockgate(&["--sql", sql]).exits(0).out;
    assert!(text.starts_with("report\n├─ day\n│  ├─ orders.city  INDIRECT FILTER\n"), "{text}");
    let wrong = lockgate(&["--sql", "SELECT day,\n  amont FROM orders"]).exits(2).err;
    assert!(wrong.contains("--sql:2:3") && wrong.contains("did you mean `amount`?"), "{wrong}");
    fs::write(&catalog, "tables: { t: { columns: [] } }").unwrap();
    assert!(lockgate(&["--sql", "SELECT 1"]).exits(2).err.contains("tables.yaml:1:"), "the file is placed");
}

#[test]
fn datasets_are_followed_through_all_pipelines() {
    let site = Site::new();
    site.add_readback();
    let text = site.lockgate(&["lineage", "readback.city"]).exits(0).out;
    assert_eq!(
        text,
        "readback.city\n└─ analytics.customers.city  DIRECT IDENTITY\n   └─ customers.city  DIRECT IDENTITY\n"
    );
    let json = site.lockgate(&["lineage", "analytics.customers.email", "--format", "json"]).exits(0).json();
    assert_eq!(
        json["outputs"][0]["inputs"],
        json!([{ "table": "customers", "column": "email", "type": "DIRECT", "subtype": "TRANSFORMATION", "masking": true }])
    );
    let all = site.lockgate(&["lineage", "--format", "json"]).exits(0).json();
    assert_eq!(all["outputs"].as_array().unwrap().len(), 8, "six columns and two");
    let of_project =
        site.lockgate(&["lineage", "--sql", "SELECT c.city FROM analytics.customers c", "--format", "json"]).exits(0);
    assert_eq!(of_project.json()["outputs"][0]["inputs"][0]["table"], "analytics.customers");
    assert!(site.lockgate(&["lineage", "analytics.customer"]).exits(2).err.contains("did you mean"));
    assert!(!site.path(".lockgate").exists(), "asking changes nothing");
}

#[test]
fn what_pipelines_read_and_write_is_exported_as_events() {
    let site = Site::new();
    site.add_readback();
    let file = site.path("events.jsonl");
    site.lockgate(&["lineage", "--export", file.to_str().unwrap()]).exits(0);
    let text = fs::read_to_string(&file).unwrap();
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().map(|event| &event["job"]["name"]).collect::<Vec<_>>(), ["daily", "zz_readback"]);
    assert!(events[0]["run"].is_null() && events[0]["schemaURL"].as_str().unwrap().ends_with("/JobEvent"));
    assert_eq!(events[0]["outputs"][0]["name"], events[1]["inputs"][0]["name"], "one graph");
}

/// What the page shows is what the program says.
#[test]
fn the_page_shows_what_the_program_says() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lineage.md")).unwrap();
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from).unwrap();
        rest.split_once(to).unwrap().0.to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tables.yaml"), between("```yaml\n", "```")).unwrap();
    let sql = between("--sql \"", "\"\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    command.current_dir(folder.path()).args(["lineage", "--dialect", "postgres", "--catalog", "tables.yaml", "--sql"]);
    let shown = between("GROUP BY 1\"\n", "```");
    assert_eq!(said(&command.arg(&sql).output().unwrap()).exits(0).out, shown);
    let site = Site::new();
    let text = site.lockgate(&["lineage", "analytics.customers.email"]).exits(0).out;
    assert_eq!(text, between("$ lockgate lineage analytics.customers.email\n", "```"));
}
