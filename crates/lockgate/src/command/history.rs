//! `history`: the runs of a project, and the report of one: what it read, wrote and protected, with the ledger's proof.

mod report;

use std::path::Path;

use lockgate_forensics::{RunState, RunSummary};
use lockgate_model::{Failure, FailureKind};
use lockgate_trust::Site;

use crate::cli::{Format, HistoryArgs};
use crate::output::thousands;
use crate::{context, output};

pub(crate) fn history(dir: Option<&Path>, args: &HistoryArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    match &args.run {
        Some(run) => one(&project, run, args),
        None => all(&project, args),
    }
}

fn all(project: &Site, args: &HistoryArgs) -> Result<u8, Failure> {
    let runtime = context::runtime()?;
    let mut runs = lockgate_forensics::history(project, runtime.handle())?;
    if let Some(pipeline) = &args.pipeline {
        runs.retain(|run| run.pipeline.as_str() == pipeline);
    }
    runs.truncate(args.limit);
    match args.format {
        Format::Json => output::print_json(&runs)?,
        Format::Text => {
            let header = ["run", "began", "pipeline", "state", "read", "written", "set aside"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(header.to_vec()).chain(runs.iter().map(row)).collect();
            output::print(&output::table(&rows, 0))?;
        }
    }
    Ok(0)
}

fn row(run: &RunSummary) -> Vec<String> {
    let state = match (run.state, &run.reason) {
        (RunState::Committed, _) => "committed".to_owned(),
        (RunState::Aborted, Some(reason)) => format!("aborted: {reason}"),
        (RunState::Aborted, None) => "aborted".to_owned(),
        (RunState::Open, _) => "open".to_owned(),
    };
    let mut row = vec![run.run.to_string(), run.at.to_string(), run.pipeline.to_string(), state];
    if run.state == RunState::Committed {
        row.extend([run.rows_read, run.rows_written, run.rows_quarantined].map(thousands));
    }
    row
}

fn one(project: &Site, run: &str, args: &HistoryArgs) -> Result<u8, Failure> {
    let runtime = context::runtime()?;
    let report = lockgate_forensics::report(project, &context::run_id(run)?, runtime.handle())?;
    match (&args.output, args.format) {
        (Some(path), _) => {
            std::fs::write(path, report::html(&report)).map_err(|error| {
                Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", path.display()))
            })?;
            output::note(&format!("wrote {}", path.display()));
        }
        (None, Format::Json) => output::print_json(&report)?,
        (None, Format::Text) => output::print(&report::text(&report))?,
    }
    Ok(0)
}
