//! What the documents show is what the program does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lockgate_project::{Code, Diagnostics, Project};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fenced blocks of a text, by the file name after the language.
fn files(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = info.split_once(' ').map(|(_, name)| (name.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, content)), None) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// What is found in a project, or in a query of it.
fn diagnostics(files: &BTreeMap<String, String>) -> Diagnostics {
    let query = files.get("query");
    let files: BTreeMap<_, _> = files.iter().filter(|(name, _)| *name != "query").collect();
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_bytes())).collect();
    match Project::from_files(Path::new("/nowhere"), &files, &|_| None) {
        Ok((project, mut diagnostics)) => {
            let at = jiff::Timestamp::UNIX_EPOCH;
            diagnostics.extend(lockgate_plan::compile(&project, at).diagnostics);
            if let Some(sql) = query {
                let principal = "anna".parse().unwrap();
                let asker = lockgate_plan::Asker { principal, groups: Vec::new(), purpose: None, address: None, at };
                diagnostics.extend(lockgate_plan::compile_query(&project, sql, &asker).unwrap_err().diagnostics);
            }
            diagnostics
        }
        Err(rejected) => rejected.diagnostics,
    }
}

/// Codes about policies are tested where policies are checked.
const FIRST_ABOUT_POLICIES: &str = "LG400";
/// Keys are not part of a project's files: these codes are tested with keys, in `bad_input`.
const ABOUT_KEYS: &[Code] = &[Code::AlgorithmForbidden, Code::KeyNotUsable, Code::KeyStoreMissing];

#[test]
fn the_example_of_every_code_about_sql_and_classification_gives_that_code() {
    let page = fs::read_to_string(root().join("docs/codes.md")).unwrap();
    let (base, _) = page.split_once("\n## ").unwrap();
    let base = files(base);
    assert!(diagnostics(&base).is_empty(), "the base project is in order");
    let mut tried = 0;
    let is_meant =
        |code: &&Code| ("LG100"..FIRST_ABOUT_POLICIES).contains(&code.as_str()) && !ABOUT_KEYS.contains(code);
    for code in Code::ALL.iter().filter(is_meant) {
        let section = page.split("\n## ").find(|section| section.starts_with(code.as_str()));
        let section = section.unwrap_or_else(|| panic!("{code} has no section"));
        let mut example = base.clone();
        let changed = files(section);
        assert!(!changed.is_empty(), "{code} has no example");
        example.extend(changed);
        let found = diagnostics(&example);
        let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(codes.contains(code), "the example of {code} gives {codes:?}");
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    for (name, schema) in lockgate_project::schemas() {
        let committed = fs::read_to_string(root().join("schemas").join(name)).unwrap();
        let printed = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert!(committed == printed, "{name} is another one: `cargo run -- schema --output schemas`");
    }
}

#[test]
fn the_list_of_functions_is_the_program_s() {
    let page = fs::read_to_string(root().join("docs/sql.md")).unwrap();
    let line = page.lines().find(|line| line.starts_with("| functions |")).unwrap();
    for function in lockgate_plan::ALLOWED_FUNCTIONS {
        assert!(line.contains(&format!(" {function},")), "docs/sql.md does not list {function}");
    }
}

#[test]
fn the_functions_in_spark_sql_are_the_program_s() {
    let page = fs::read_to_string(root().join("docs/spark.md")).unwrap();
    let (_, table) = page.split_once("\n| function | with |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(", "));
    let mut names: Vec<&str> = names.map(|name| name.trim().trim_matches('`')).collect();
    names.sort_unstable();
    assert_eq!(names, lockgate_plan::SPARK_FUNCTIONS);
}

/// The README's first command, on a copy of the example.
#[test]
fn the_example_runs_as_the_readme_says() {
    let copy = tempfile::tempdir().unwrap();
    let example = root().join("examples/retail");
    let listed =
        ["lockgate.yaml", "catalog/customers.yaml", "pipelines/daily_customers.yaml", "policies/customers.yaml"];
    let listed = listed.map(String::from);
    let data = ["apac", "eu", "latam", "us"].map(|r| format!("data/landing/customers/2026-11-01/customers-{r}.csv"));
    for file in listed.iter().chain(&data) {
        fs::create_dir_all(copy.path().join(file).parent().unwrap()).unwrap();
        fs::copy(example.join(file), copy.path().join(file)).unwrap();
    }
    let lockgate = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lockgate"));
        crate::support::said(&command.args(args).arg("--project").arg(copy.path()).output().unwrap())
    };
    let outcome = lockgate(&["run", "daily_customers", "--format", "json"]).exits(0).json();
    assert_eq!((&outcome["rows_read"], &outcome["rows_quarantined"]), (&12_413.into(), &13.into()));
    // The reference reads with another parser: every good record with a date is in the table, with its line.
    let trace = lockgate(&["trace", "analytics.customers", "--where", "id = 4711", "--format", "json"]).exits(0).json();
    let source = &trace["rows"][0]["sources"][0];
    let file = fs::read_to_string(copy.path().join("data/landing").join(source["path"].as_str().unwrap())).unwrap();
    let line = file.lines().nth(source["line"].as_u64().unwrap() as usize - 1).unwrap();
    assert!(line.contains("4711"), "{line}");
    // Who may see what, as its policies say.
    let sql = "SELECT name, email, birth_date FROM customers WHERE id = 4711";
    let seen = lockgate(&["query", sql, "--as", "anna", "--format", "json"]).exits(0).json();
    assert_eq!(seen[0]["email"].as_str().unwrap().len(), 64, "{seen}");
    assert!(seen[0]["birth_date"].as_str().is_none_or(|date| date.ends_with("-01-01")), "{seen}");
    let by_country = "SELECT DISTINCT upper(country) AS country FROM customers";
    let seen = lockgate(&["query", by_country, "--as", "sam", "--format", "json"]).exits(0).json();
    assert_eq!(seen, serde_json::json!([{ "country": "DE" }]));
    lockgate(&["query", by_country, "--as", "eve"]).exits(2);
    lockgate(&["check"]).exits(0);
    lockgate(&["verify"]).exits(0);
}
