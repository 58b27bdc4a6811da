//! `keys`: shows and changes the project's keys; every change has its ledger entry.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind};
use lockgate_run::Workspace;
use lockgate_trust::{KeyStatus, KeyStore};
use serde_json::json;

use crate::cli::{Format, KeysCommand};
use crate::{context, output};

pub(crate) fn keys(dir: Option<&Path>, command: KeysCommand) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    if !KeyStore::exists(&project.keys.default) && !project.ledger_place()?.is_begun()? {
        return Err(Failure::new(FailureKind::Failed, "the project has no keys yet")
            .with_help("the first run of a pipeline makes them"));
    }
    let runtime = context::runtime()?;
    let (random, now) = (context::random(), context::now());
    let mut workspace = Workspace::open(&project, runtime.handle(), random, now, "keys", None)?;
    match command {
        KeysCommand::List { format } => list(&workspace.keyring.status(), format),
        KeysCommand::Status { format } => status(&workspace.keyring.status(), format),
        KeysCommand::Rotate { key, because } => {
            rotate(&mut workspace, &key, &because)?;
            finish(&mut workspace, &format!("rotated {key}"))
        }
        KeysCommand::Rewrap => {
            let count = workspace.keyring.rewrap()?;
            finish(&mut workspace, &format!("wrapped {count} keys anew"))
        }
        KeysCommand::Shred { key, because, yes } => {
            if !yes {
                confirm(&key, &key)?;
            }
            workspace.keyring.shred(&key, &because)?;
            finish(&mut workspace, &format!("destroyed {key}: what it protected can no longer be read"))
        }
    }
}

fn finish(workspace: &mut Workspace, done: &str) -> Result<u8, Failure> {
    workspace.settle_keys()?;
    let position = workspace.journal.position();
    output::print(&format!(
        "{done}\nledger {} has {} entries, root {}\n",
        position.origin, position.size, position.root
    ))?;
    Ok(0)
}

fn rotate(workspace: &mut Workspace, key: &str, because: &str) -> Result<(), Failure> {
    if key == "kek" {
        return Ok(workspace.keyring.rotate_kek(because)?);
    }
    let invalid = |message: String| {
        Failure::new(FailureKind::Invalid, message)
            .with_help("say `kek`, or DATASET.COLUMN as `lockgate keys list` shows it")
    };
    if key.starts_with("domain:") {
        let message = format!("`{key}` cannot be rotated: tokens made before and after would no longer be equal");
        return Err(invalid(message));
    }
    let (dataset, column) = key.rsplit_once('.').ok_or_else(|| invalid(format!("`{key}` names no column")))?;
    let dataset: DatasetName = dataset.parse().map_err(|error| invalid(format!("{error}")))?;
    let column: ColumnName = column.parse().map_err(|error| invalid(format!("{error}")))?;
    Ok(workspace.keyring.rotate_column(&dataset, &column, because)?)
}

/// Asks whether `what` is to be destroyed; the answer is `answer`, typed.
pub(super) fn confirm(what: &str, answer: &str) -> Result<(), Failure> {
    let unsure = || {
        Failure::new(FailureKind::Invalid, format!("nothing was done: destroying {what} was not confirmed"))
            .with_help("say `--yes` to destroy it without being asked")
    };
    if !std::io::stdin().is_terminal() {
        return Err(unsure());
    }
    output::note(&format!("What {what} protected can never be read again. Type {answer} to destroy it:"));
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).map_err(|_| unsure())?;
    if typed.trim() == answer { Ok(()) } else { Err(unsure()) }
}

fn list(keys: &[KeyStatus], format: Format) -> Result<u8, Failure> {
    match format {
        Format::Json => output::print_json(&json!({ "keys": keys }))?,
        Format::Text => {
            let heading = ["key", "for", "period", "state", "algorithm", "under", "data keys", "made"];
            let row = |key: &KeyStatus| {
                vec![
                    key.key.clone(),
                    key.scope.clone(),
                    key.period.to_string(),
                    key.state.clone(),
                    key.algorithm.clone(),
                    format!("kek-{}", key.kek_version),
                    key.data_keys.to_string(),
                    key.created.to_string(),
                ]
            };
            let rows: Vec<_> =
                std::iter::once(heading.map(str::to_owned).to_vec()).chain(keys.iter().map(row)).collect();
            output::print(&output::table(&rows, 0))?;
        }
    }
    Ok(0)
}

/// What somebody should do something about.
fn status(keys: &[KeyStatus], format: Format) -> Result<u8, Failure> {
    let newest = keys.iter().filter(|key| key.scope == "kek").map(|key| key.kek_version).max().unwrap_or(0);
    let concern = |key: &KeyStatus| {
        if key.state == "shredded" {
            return None;
        }
        if key.forbidden {
            return Some(format!("{} ({}): {}", key.key, key.scope, key.rule));
        }
        (key.kek_version != newest && key.scope != "kek").then(|| {
            format!(
                "{} ({}) is under kek-{}, not kek-{newest}: `lockgate keys rewrap`",
                key.key, key.scope, key.kek_version
            )
        })
    };
    let concerns: Vec<String> = keys.iter().filter_map(concern).collect();
    match format {
        Format::Json => output::print_json(&json!({ "keys": keys.len(), "concerns": concerns }))?,
        Format::Text if concerns.is_empty() => output::print(&format!("{} keys, all in order\n", keys.len()))?,
        Format::Text => output::print(&(concerns.join("\n") + "\n"))?,
    }
    Ok(u8::from(!concerns.is_empty()))
}
