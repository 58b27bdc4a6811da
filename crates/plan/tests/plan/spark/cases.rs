//! The table of cases: a heading, SQL in a fence, and the text or the refusal in a fence.
//!
//! After `sql` stands `ordered` where the order of the rows counts, `fails` where the query fails on its rows, `stricter`
//! where it fails on Spark alone, `fenced` where nothing but Spark's optimizer keeps it from failing, and `as NAME` for who asks (`anna`).

use std::fs;
use std::path::{Path, PathBuf};

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) principal: String,
    pub(super) is_ordered: bool,
    pub(super) fails: bool,
    pub(super) is_stricter: bool,
    pub(super) is_fenced: bool,
    pub(super) expected: Option<Expected>,
}

/// What is written for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Text(String),
    Refused(String),
}

pub(super) fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/spark/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

pub(super) fn read(file: &Path) -> Vec<Case> {
    read_text(&fs::read_to_string(file).unwrap(), &file.display().to_string())
}

pub(super) fn read_text(text: &str, from: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut heading = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name.to_owned();
        }
        let Some(fence) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let body = body.join("\n");
        let mut words = fence.split_whitespace();
        match words.next() {
            Some("sql") => {
                let words: Vec<&str> = words.collect();
                let at = words.iter().position(|word| *word == "as");
                let principal = at.and_then(|at| words.get(at + 1)).copied().unwrap_or("anna").to_owned();
                let has = |word: &str| words.contains(&word);
                let (is_ordered, fails) = (has("ordered"), has("fails"));
                let (is_stricter, is_fenced) = (has("stricter"), has("fenced"));
                let name = heading.clone();
                let expected = None;
                cases.push(Case { name, sql: body, principal, is_ordered, fails, is_stricter, is_fenced, expected });
            }
            Some("spark") => cases.last_mut().unwrap().expected = Some(Expected::Text(body)),
            Some("refused") => cases.last_mut().unwrap().expected = Some(Expected::Refused(body)),
            other => panic!("{from}: a fence of {other:?}"),
        }
    }
    cases
}

/// The file with what is written now.
pub(super) fn rewrite(file: &Path, written: &[Expected]) -> String {
    let text = fs::read_to_string(file).unwrap();
    let mut written = written.iter();
    let mut lines = text.lines();
    let mut out = String::new();
    while let Some(line) = lines.next() {
        if line.starts_with("```spark") || line.starts_with("```refused") {
            lines.by_ref().find(|line| *line == "```");
            continue;
        }
        out.push_str(&format!("{line}\n"));
        if line.starts_with("```sql") {
            for line in lines.by_ref() {
                out.push_str(&format!("{line}\n"));
                if line == "```" {
                    break;
                }
            }
            out.push_str(&match written.next().unwrap() {
                Expected::Text(text) => format!("```spark\n{text}\n```\n"),
                Expected::Refused(why) => format!("```refused\n{why}\n```\n"),
            });
        }
    }
    out
}
