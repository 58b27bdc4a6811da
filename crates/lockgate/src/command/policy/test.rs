//! `policy test`: runs test files in Ranger's own formats.

use std::fs;
use std::path::{Path, PathBuf};

use lockgate_model::{Failure, FailureKind};
use lockgate_policy::Mode;
use lockgate_policy::testing::{Answers, CaseReport, TestRun, run};

use crate::{context, output};

/// What Ranger's engine answered, in a folder above the cases.
const ANSWERS: &str = "answers-2.9.0.jsonl";
/// How many folders above a file are looked at for what it refers to.
const FOLDERS_ABOVE_MAX: usize = 8;

/// Exit code 1 says that a case failed.
pub(super) fn test(paths: &[PathBuf], compat: bool) -> Result<u8, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { add_tests(path, &mut files) } else { files.push(path.clone()) }
    }
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in &files {
        for report in run_file(file, compat)? {
            match &report.failure {
                None => passed += 1,
                Some(_) => {
                    failed += 1;
                    output::print(&describe(file, &report))?;
                }
            }
        }
    }
    output::print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(u8::from(failed > 0))
}

fn add_tests(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            add_tests(&path, files);
        } else if name.starts_with("test") && name.ends_with(".json") {
            files.push(path);
        }
    }
}

/// The folder of a file and those above it.
fn folders(file: &Path) -> Vec<PathBuf> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    file.ancestors().skip(1).take(FOLDERS_ABOVE_MAX).map(Path::to_path_buf).collect()
}

fn run_file(file: &Path, compat: bool) -> Result<Vec<CaseReport>, Failure> {
    let text = super::read(file)?;
    let folders = folders(file);
    // A file names others by their place on Ranger's class path, whose root is one of the folders above it.
    let resolve = |path: &str| {
        let path = path.trim_start_matches('/');
        folders.iter().find_map(|folder| fs::read_to_string(folder.join(path)).ok())
    };
    let answers = resolve(ANSWERS).map(|text| Answers::read(&text));
    let mode = if compat { Mode::Compat } else { Mode::Closed };
    let test = TestRun { mode, now: context::now(), answers: answers.as_ref() };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    run(&name, &text, &resolve, &test)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("{}: {error}", file.display())))
}

fn describe(file: &Path, report: &CaseReport) -> String {
    let Some(failure) = &report.failure else { return String::new() };
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let mut text = format!(
        "{}: {}\n  expected\n{}  actual\n{}",
        file.display(),
        report.name,
        indented(&failure.expected),
        indented(&failure.actual)
    );
    if !failure.explanation.trim().is_empty() {
        text.push_str(&format!("  because\n{}", indented(&failure.explanation)));
    }
    text
}
