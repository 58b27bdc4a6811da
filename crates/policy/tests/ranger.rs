//! Runs the cases of Apache Ranger that lie in `$LOCKGATE_CONFORMANCE` (or `/work/shared/conformance`), exactly as
//! Ranger decides, policy ids included. Without them, it says so and passes.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lockgate_policy::Mode;
use lockgate_policy::testing::{Answers, TestRun, run};

const FOLDER: &str = "/work/shared/conformance";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().unwrap().to_str().unwrap().starts_with("test") {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn ranger_s_own_cases_are_answered_as_ranger_does() {
    let folder = std::env::var("LOCKGATE_CONFORMANCE").unwrap_or_else(|_| FOLDER.to_owned());
    let folder = Path::new(&folder).join("ranger");
    if !folder.is_dir() {
        println!("skipped: there is no {}", folder.display());
        return;
    }
    let answers = fs::read_to_string(folder.join("answers-2.9.0.jsonl")).ok().map(|text| Answers::read(&text));
    let test = TestRun { mode: Mode::Compat, now: Timestamp::now(), answers: answers.as_ref() };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let (mut passed, mut failures) = (0, Vec::new());
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let resolve = |path: &str| fs::read_to_string(folder.join(path.trim_start_matches('/'))).ok();
        for report in run(name, &fs::read_to_string(&path).unwrap(), &resolve, &test).unwrap() {
            match report.failure {
                None => passed += 1,
                Some(failure) => failures.push(format!(
                    "{name}: {}\n  expected {}\n  actual   {}\n{}",
                    report.name, failure.expected, failure.actual, failure.explanation
                )),
            }
        }
    }
    assert!(failures.is_empty(), "{passed} passed, {} failed\n{}", failures.len(), failures.join("\n"));
    assert!(passed >= 297, "only {passed} cases were found");
}
