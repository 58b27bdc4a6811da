//! `policy diff`: who gains and who loses between two sets of policies.

use std::path::{Path, PathBuf};

use lockgate_model::Failure;
use lockgate_policy::{Change, Comparison, Sources, compare};
use serde_json::json;

use crate::cli::Format;
use crate::{context, output};

/// Exit code 1 says that something is decided otherwise, or that not everything could be compared.
pub(super) fn diff(old: &Path, new: &Path, format: Format) -> Result<u8, Failure> {
    let found = compare(&sources(old)?, &sources(new)?, context::now());
    match format {
        Format::Text => output::print(&text(&found))?,
        Format::Json => output::print_json(&as_json(&found))?,
    }
    Ok(u8::from(!found.changes.is_empty() || !found.is_complete))
}

/// What a project decides by; else the documents of a folder, or one document.
fn sources(path: &Path) -> Result<Sources, Failure> {
    if path.join("lockgate.yaml").is_file() {
        return Ok(context::load(Some(path))?.policies.sources().clone());
    }
    let files: Vec<PathBuf> = if path.is_dir() { super::json_files(path) } else { vec![path.to_path_buf()] };
    super::sources(&files)
}

/// Who is meant: `user anna, unless group clerks`.
fn who(change: &Change) -> String {
    let except: Vec<String> = change.except.iter().map(|except| format!(", unless {except}")).collect();
    format!("{}{}", change.principal, except.concat())
}

fn resource(change: &Change) -> String {
    change.resource.iter().map(|(level, value)| format!("{level}={value}")).collect::<Vec<_>>().join(",")
}

fn text(found: &Comparison) -> String {
    let row = |change: &Change| {
        vec![who(change), change.access.clone(), resource(change), format!("{} → {}", change.before, change.after)]
    };
    let mut text = output::table(&found.changes.iter().map(row).collect::<Vec<_>>(), 0);
    for open in &found.open {
        text.push_str(&format!("not compared: {open}\n"));
    }
    text + &format!("{} differences\n", found.changes.len())
}

fn as_json(found: &Comparison) -> serde_json::Value {
    let change = |change: &Change| {
        json!({
            "principal": who(change),
            "access": change.access,
            "resource": resource(change),
            "before": change.before,
            "after": change.after,
        })
    };
    json!({ "changes": found.changes.iter().map(change).collect::<Vec<_>>(), "not_compared": found.open, "complete": found.is_complete })
}
