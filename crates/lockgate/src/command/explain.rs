//! `explain`: what a pipeline does to each column, and why.

use std::path::Path;

use lockgate_model::Failure;
use lockgate_plan::{Governed, OutputColumn, Plan};
use lockgate_project::{Pipeline, Project, WriteMode};
use serde_json::json;

use crate::cli::Format;
use crate::{context, output};

pub(crate) fn explain(dir: Option<&Path>, name: &str, format: Format) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let (pipeline, plan) = context::pipeline(&project, name)?;
    match format {
        Format::Text => output::print(&text(&project, pipeline, &plan))?,
        Format::Json => output::print_json(&json(&project, pipeline, &plan))?,
    }
    Ok(0)
}

fn done(column: &OutputColumn) -> String {
    column.protection.as_ref().map_or_else(|| column.form.to_string(), ToString::to_string)
}

fn clearance<'p>(project: &'p Project, pipeline: &Pipeline) -> &'p str {
    let store = project.stores.get(&pipeline.into.store.value);
    project.lattice.name(store.map_or(project.lattice.lowest(), |store| store.clearance))
}

fn mode(pipeline: &Pipeline) -> String {
    match &pipeline.into.mode {
        WriteMode::Append => "append".into(),
        WriteMode::Replace => "replace".into(),
        WriteMode::Merge { key } => {
            let key: Vec<_> = key.iter().map(|column| column.value.as_str()).collect();
            format!("merge by {}", key.join(", "))
        }
    }
}

fn text(project: &Project, pipeline: &Pipeline, plan: &Governed<Plan>) -> String {
    let mut text = format!(
        "pipeline {}, run as {}\n  reads   {}\n  writes  {} in store {} (clearance {}), {}\n\ncolumns\n",
        pipeline.name.value,
        pipeline.runs_as.value,
        plan.reads().map(|table| table.dataset.as_str()).collect::<Vec<_>>().join(", "),
        pipeline.into.dataset.value,
        pipeline.into.store.value,
        clearance(project, pipeline),
        mode(pipeline),
    );
    let row = |column: &OutputColumn| {
        let tags: Vec<_> = column.tags.iter().map(|tag| tag.as_str()).collect();
        let level = project.lattice.name(column.level).to_owned();
        vec![column.name.to_string(), done(column), level, tags.join(" "), column.because.clone()]
    };
    text.push_str(&output::table(&plan.columns().iter().map(row).collect::<Vec<_>>(), 2));
    text.push_str("\nwhy\n");
    for column in plan.columns().iter().filter(|column| !column.path.is_empty()) {
        text.push_str(&format!("  {}: {}\n", column.name, column.path.join(" → ")));
        if let Some(rule) = &column.rule {
            text.push_str(&format!("    rule: {rule}\n"));
        }
        if let Some(subject) = &column.bound_to {
            text.push_str(&format!("    bound to: {subject}\n"));
        }
    }
    if !plan.filters().is_empty() {
        let columns: Vec<_> = plan.filters().iter().map(|d| format!("{}.{}", d.dataset, d.column)).collect();
        text.push_str(&format!("\nrows are selected by {}\n", columns.join(", ")));
    }
    text.push_str("\ngoverned plan\n");
    plan.draw().lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    text
}

fn json(project: &Project, pipeline: &Pipeline, plan: &Governed<Plan>) -> serde_json::Value {
    let column = |column: &OutputColumn| {
        json!({
            "name": column.name,
            "type": column.stored_type,
            "level": project.lattice.name(column.level),
            "tags": column.tags,
            "protection": column.form,
            "with": column.protection,
            "rule": column.rule,
            "because": column.because,
            "path": column.path,
            "bound_to": column.bound_to,
            "lineage": column.lineage,
        })
    };
    json!({
        "pipeline": pipeline.name.value,
        "runs_as": pipeline.runs_as.value,
        "reads": plan.reads().map(|table| &table.dataset).collect::<Vec<_>>(),
        "into": {
            "dataset": pipeline.into.dataset.value,
            "store": pipeline.into.store.value,
            "clearance": clearance(project, pipeline),
        },
        "columns": plan.columns().iter().map(column).collect::<Vec<_>>(),
        "filters": plan.filters(),
        "governed_plan": plan.draw(),
    })
}
