//! Own cases in the format of Ranger's test files, one file for each subject: each point of what is decided, on both
//! sides.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use lockgate_policy::Mode;
use lockgate_policy::testing::{CaseReport, TestRun, run};

fn run_file(path: &Path, mode: Mode) -> Vec<CaseReport> {
    let folder = path.parent().unwrap();
    let resolve = |path: &str| fs::read_to_string(folder.join("files").join(path.trim_start_matches('/'))).ok();
    let test = TestRun { mode, now: "2026-06-15T12:00:00Z".parse::<Timestamp>().unwrap(), answers: None };
    let name = path.file_name().unwrap().to_str().unwrap();
    run(name, &fs::read_to_string(path).unwrap(), &resolve, &test).unwrap()
}

fn failures(path: &Path, mode: Mode) -> Vec<String> {
    let failed = run_file(path, mode).into_iter().filter_map(|report| {
        let failure = report.failure?;
        let (expected, actual) = (failure.expected, failure.actual);
        Some(format!("{}\n  expected {expected}\n  actual   {actual}\n{}", report.name, failure.explanation))
    });
    failed.collect()
}

#[test]
fn every_case_is_decided_as_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (mut count, mut failed) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // Names tell the mode: what is decided alike is decided in both.
        let name = path.file_stem().unwrap().to_str().unwrap();
        let modes: &[Mode] = match name.split('-').next() {
            Some("compat") => &[Mode::Compat],
            Some("closed") => &[Mode::Closed],
            _ => &[Mode::Compat, Mode::Closed],
        };
        for mode in modes {
            failed.extend(failures(&path, *mode).into_iter().map(|failure| format!("{name}, {mode:?}: {failure}")));
            count += run_file(&path, *mode).len();
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(count > 100, "only {count} cases");
}
