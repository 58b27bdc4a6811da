//! `lineage`: on which columns each column depends, and how.

mod datasets;
mod statement;

use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_plan::DependenceKind;
use serde::Serialize;

use crate::cli::{Format, LineageArgs};
use crate::lineage_events::of_pipeline;
use crate::{context, output};

/// A column that is put out, as `--format json` writes it.
#[derive(Debug, Serialize)]
struct OutputJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    column: String,
    inputs: Vec<InputJson>,
}

/// A column on which it depends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct InputJson {
    table: String,
    column: String,
    #[serde(rename = "type")]
    kind_type: &'static str,
    subtype: &'static str,
    masking: bool,
}

#[derive(Debug, Serialize)]
struct LineageJson {
    outputs: Vec<OutputJson>,
}

impl InputJson {
    fn new(table: String, column: String, kind: DependenceKind, masking: bool) -> Self {
        Self { table, column, kind_type: kind.type_str(), subtype: kind.as_str(), masking }
    }

    /// `orders.amount  DIRECT AGGREGATION, masking`.
    fn written(&self) -> String {
        let masking = if self.masking { ", masking" } else { "" };
        format!("{}.{}  {} {}{masking}", self.table, self.column, self.kind_type, self.subtype)
    }
}

pub(crate) fn lineage(dir: Option<&Path>, args: &LineageArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.export {
        return export(dir, file);
    }
    match &args.sql {
        Some(sql) => {
            let outputs = statement::outputs(dir, sql, args)?;
            match args.format {
                Format::Text => output::print(&statement::tree(&outputs))?,
                Format::Json => output::print_json(&LineageJson { outputs })?,
            }
        }
        None => {
            let graph = datasets::Graph::load(dir)?;
            let wanted = graph.wanted(args.of.as_deref())?;
            match args.format {
                Format::Text => output::print(&graph.tree(&wanted))?,
                Format::Json => output::print_json(&LineageJson { outputs: graph.upstream(&wanted) })?,
            }
        }
    }
    Ok(0)
}

/// Writes what every pipeline reads and writes, in their order.
fn export(dir: Option<&Path>, file: &Path) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let names: Vec<String> = project.pipelines.keys().map(ToString::to_string).collect();
    let mut text = String::new();
    for (pipeline, plan) in context::pipelines(&project, &names, &[])? {
        let event = serde_json::to_string(&of_pipeline(&project, pipeline, &plan));
        text.push_str(&event.map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?);
        text.push('\n');
    }
    std::fs::write(file, text)
        .map_err(|error| Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", file.display())))?;
    output::note(&format!("wrote {}", file.display()));
    Ok(0)
}

/// A line of a tree below its parent.
fn branch(prefix: &str, is_last: bool, text: &str) -> String {
    format!("{prefix}{} {text}\n", if is_last { "└─" } else { "├─" })
}

/// What the lines below such a line begin with.
fn below(prefix: &str, is_last: bool) -> String {
    format!("{prefix}{} ", if is_last { "  " } else { "│ " })
}
