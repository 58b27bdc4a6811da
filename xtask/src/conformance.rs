//! Other people's test cases, run through the program as a user would; what this version cannot run yet is counted as
//! skipped, by name, and never as passed.

mod openlineage;
mod openlineage_columns;
mod parquet_encryption;
mod ranger;

use std::path::{Path, PathBuf};

use crate::cargo;

/// How many cases came out how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

pub(crate) fn conformance(root: &Path, folder: &Path) -> Result<(), String> {
    if !folder.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    let program = program(root)?;
    let mut tally = Tally::default();
    let scenario = folder.join("openlineage/csv_to_postgres");
    if scenario.is_dir() {
        let held = openlineage_columns::run(&program, &scenario, &mut tally)?;
        let skipped = files(&scenario, "_event.json").into_iter().filter(|file| !held.contains(file)).count();
        println!(
            "openlineage/csv_to_postgres: {skipped} files skipped: they are of a server and of dbt, which are not run"
        );
        tally.skipped += skipped;
    }
    let parquet = files(&folder.join("parquet-encryption"), ".encrypted");
    if !parquet.is_empty() {
        parquet_encryption::run(&program, &parquet, &mut tally)?;
    }
    let specification = folder.join("openlineage/spec");
    if specification.is_dir() {
        openlineage::run(&program, root, &specification, &mut tally)?;
    }
    let cases = folder.join("ranger");
    if cases.is_dir() {
        ranger::run(&program, &cases, &mut tally)?;
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    if tally.failed == 0 { Ok(()) } else { Err(format!("{} cases failed; they are named above", tally.failed)) }
}

/// Builds the program, together with all tests so that dependencies are built once for both, and says where it is.
pub(crate) fn program(root: &Path) -> Result<PathBuf, String> {
    let built = cargo(root)
        .args(["test", "--workspace", "--no-run", "--locked", "--message-format", "json-render-diagnostics"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let lines = String::from_utf8_lossy(&built.stdout).into_owned();
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let path = PathBuf::from(message.get("executable")?.as_str()?);
        (path.file_name()? == "lockgate").then_some(path)
    };
    lines.lines().find_map(executable).ok_or_else(|| "the program was not built".to_owned())
}

/// The files below a folder whose names end so, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}
