//! `init --from` writes a project that loads every row of the files that it was given.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Said, said};

fn lockgate(folder: &Path, args: &[&str]) -> Said {
    said(
        &Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .args(args)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .output()
            .unwrap(),
    )
}

/// Writes files, makes a project of them, and runs it.
fn loaded(files: &[(&str, &[u8])]) -> (TempDir, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let made = lockgate(folder.path(), &[&["init", "shop", "--from"], &names[..]].concat()).exits(0);
    let next = made.out.lines().last().unwrap().strip_prefix("next: lockgate ").unwrap();
    lockgate(folder.path(), &["check", "--project", "shop"]).exits(0);
    let run: Vec<&str> = next.split(' ').chain(["--max-quarantined", "0", "--format", "json"]).collect();
    let outcome = lockgate(folder.path(), &run).exits(0).json();
    (folder, outcome)
}

fn rows(folder: &Path, sql: &str) -> Vec<Vec<Option<String>>> {
    let database = Connection::open(folder.join("shop/data/warehouse.db")).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let width = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<_>>>();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn texts(cells: &[&str]) -> Vec<Option<String>> {
    cells.iter().map(|cell| (*cell != "∅").then(|| (*cell).to_owned())).collect()
}

#[test]
fn types_names_and_protections_are_found_and_every_row_is_loaded() {
    let customers = "Customer ID,E-Mail,Full Name,shelf,Balance,since,VIP,note\n\
        1,ada@example.com,Ada Lovelace,01067,10.50,2026-01-31,true,\"a, \"\"b\"\"\nc\"\n\
        2,grace@example.org,Grace Hopper,10115,-3,NULL,false,\n\
        3,linus@example.net,Linus Pauling,20095,NULL,2025-12-01,true,x\n";
    let (folder, outcome) = loaded(&[("exports/2026 customers.csv", customers.as_bytes())]);
    assert_eq!(outcome["rows_written"], 3);
    let sql = "SELECT typeof(\"Customer ID\"), shelf, Balance, since, cast(VIP AS text), note FROM \"warehouse.data_2026_customers\"";
    assert_eq!(
        rows(folder.path(), sql),
        [
            texts(&["integer", "01067", "10.50", "2026-01-31", "1", "a, \"b\"\nc"]),
            texts(&["integer", "10115", "-3.00", "∅", "0", "∅"]),
            texts(&["integer", "20095", "∅", "2025-12-01", "1", "x"]),
        ]
    );
    let protected = rows(folder.path(), "SELECT \"E-Mail\", \"Full Name\" FROM \"warehouse.data_2026_customers\"");
    let protected: Vec<_> = protected.into_iter().flatten().flatten().collect();
    assert!(protected.iter().all(|value| value.starts_with("lg")), "{protected:?}");
    let catalog = fs::read_to_string(folder.path().join("shop/catalog/data_2026_customers.yaml")).unwrap();
    for line in ["\"E-Mail\": { type: \"text\", tags: [pii.email] }", "\"Balance\": { type: \"decimal(18, 2)\" }"] {
        assert!(catalog.contains(line), "{catalog}");
    }
}

#[test]
fn files_of_other_kinds_are_loaded_side_by_side() {
    let latin: Vec<u8> =
        "1;Jürgen;München\n2;Åsa;Malmö\n".chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let utf16: Vec<u8> = "\u{feff}id\tort\n1\tÜlm\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let json = "{\"id\": 1, \"Order\": 2.5}\n{\"id\": 2, \"select\": \"x\", \"ID\": 7}\n";
    let zipped = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"id,paid\n1,2026-01-01T10:00:00Z\n").unwrap();
        encoder.finish().unwrap()
    };
    let (folder, outcome) = loaded(&[
        ("a/people.csv", &latin),
        ("b/orte.txt", &utf16),
        ("b/orders.jsonl", json.as_bytes()),
        ("a/people.csv.gz", &zipped),
    ]);
    let written: Vec<u64> =
        outcome.as_array().unwrap().iter().map(|run| run["rows_written"].as_u64().unwrap()).collect();
    assert_eq!(written.iter().sum::<u64>(), 6);
    assert_eq!(
        rows(folder.path(), "SELECT column_3 FROM \"warehouse.people\""),
        [texts(&["München"]), texts(&["Malmö"])]
    );
    assert_eq!(rows(folder.path(), "SELECT ort FROM \"warehouse.orte\""), [texts(&["Ülm"])]);
    let orders =
        "SELECT \"Order\", \"select\", cast(id AS text), cast(ID_ AS text) FROM \"warehouse.orders\" ORDER BY id";
    assert_eq!(rows(folder.path(), orders), [texts(&["2.5", "∅", "1", "∅"]), texts(&["∅", "x", "2", "7"])]);
    assert_eq!(rows(folder.path(), "SELECT count(*) || '' FROM \"warehouse.people_2\""), [texts(&["1"])]);
}

#[test]
fn what_cannot_be_loaded_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.csv"), "").unwrap();
    fs::write(folder.path().join("a{b}.csv"), "id\n1\n").unwrap();
    for (file, code, told) in
        [("none.csv", 2, "cannot be read"), ("empty.csv", 1, "is empty"), ("a{b}.csv", 2, "characters in its path")]
    {
        let refused = lockgate(folder.path(), &["init", "shop", "--from", file]).exits(code);
        assert!(refused.err.contains(told), "{}", refused.err);
        assert!(!folder.path().join("shop").exists());
    }
}
