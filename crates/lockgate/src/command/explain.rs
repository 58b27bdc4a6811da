//! `explain`: what a pipeline, or a query, does to each column, and why.

mod spark;

use std::path::Path;

use lockgate_model::Failure;
use lockgate_plan::{Authorization, ColumnAccess, CompiledQuery, Governed, OutputColumn, Plan, PolicyReference};
use lockgate_project::{Pipeline, Project, WriteMode};
use serde_json::json;

use crate::cli::{ExplainArgs, ExplainDialect, Format};
use crate::{context, output};

pub(crate) fn explain(dir: Option<&Path>, args: &ExplainArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    if let (Some(sql), Some(principal)) = (&args.sql, &args.principal) {
        let asker = context::asker(&project, principal, &args.groups, args.purpose.as_ref())?;
        let query = context::query(&project, sql, &asker)?;
        if let Some(ExplainDialect::Spark) = args.dialect {
            spark::print(&query.plan, args.format)?;
            return Ok(0);
        }
        match args.format {
            Format::Text => output::print(&query_text(&project, &query, principal))?,
            Format::Json => output::print_json(&query_json(&project, &query, principal))?,
        }
        return Ok(0);
    }
    let name = args.pipeline.as_deref().unwrap_or_default();
    let (pipeline, plan) = context::pipeline(&project, name)?;
    if let Some(ExplainDialect::Spark) = args.dialect {
        spark::print(&plan, args.format)?;
        return Ok(0);
    }
    match args.format {
        Format::Text => output::print(&text(&project, pipeline, &plan))?,
        Format::Json => output::print_json(&json(&project, pipeline, &plan))?,
    }
    Ok(0)
}

fn query_text(project: &Project, query: &CompiledQuery, principal: &str) -> String {
    let plan = &query.plan;
    let reads = plan.reads().map(|table| table.dataset.as_str()).collect::<Vec<_>>().join(", ");
    let mut text = format!("query, asked by {principal}\n  reads   {reads}\n\ncolumns\n");
    let row = |column: &OutputColumn| {
        let tags: Vec<_> = column.tags.iter().map(|tag| tag.as_str()).collect();
        let level = project.lattice.name(column.level).to_owned();
        vec![column.name.to_string(), column.form.to_string(), level, tags.join(" "), column.path.join(" → ")]
    };
    text.push_str(&output::table(&plan.columns().iter().map(row).collect::<Vec<_>>(), 2));
    text.push_str("\npolicies\n");
    let mut rows = Vec::new();
    for authorization in &query.authorizations {
        for access in &authorization.columns {
            let what = match (&access.mask, &access.unseal, access.is_allowed) {
                (_, _, false) => "hidden".to_owned(),
                (Some((mask, _)), None, true) => format!("masked: {mask}"),
                (Some((mask, _)), Some(_), true) => format!("unsealed and masked: {mask}"),
                (None, Some(_), true) => "unsealed".to_owned(),
                (None, None, true) => "seen".to_owned(),
            };
            let mask = access.mask.as_ref().map(|(_, policy)| policy);
            let policy = mask.or(access.unseal.as_ref()).or(access.policy.as_ref());
            rows.push(vec![format!("{}.{}", authorization.dataset, access.column), what, by(policy)]);
        }
        if let Some((filter, policy)) = &authorization.rows {
            rows.push(vec![authorization.dataset.to_string(), format!("rows: {filter}"), by(Some(policy))]);
        }
    }
    text.push_str(&output::table(&rows, 2));
    text.push_str("\ngoverned plan\n");
    plan.draw().lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    text
}

fn by(policy: Option<&PolicyReference>) -> String {
    policy.map_or_else(|| "no policy".to_owned(), |policy| format!("by policy {} `{}`", policy.id, policy.name))
}

fn query_json(project: &Project, query: &CompiledQuery, principal: &str) -> serde_json::Value {
    let policy = |policy: &PolicyReference| json!({ "id": policy.id, "name": policy.name, "version": policy.version });
    let column = |column: &OutputColumn| {
        json!({
            "name": column.name,
            "type": column.stored_type,
            "level": project.lattice.name(column.level),
            "tags": column.tags,
            "form": column.form,
            "path": column.path,
            "lineage": column.lineage,
        })
    };
    let access = |access: &ColumnAccess| {
        json!({
            "column": access.column,
            "allowed": access.is_allowed,
            "policy": access.policy.as_ref().map(policy),
            "unseal": access.unseal.as_ref().map(policy),
            "mask": access.mask.as_ref().map(|(mask, by)| json!({ "kind": mask, "policy": policy(by) })),
        })
    };
    let authorization = |authorization: &Authorization| {
        json!({
            "dataset": authorization.dataset,
            "columns": authorization.columns.iter().map(access).collect::<Vec<_>>(),
            "rows": authorization.rows.as_ref().map(|(rows, by)| json!({ "where": rows, "policy": policy(by) })),
        })
    };
    json!({
        "principal": principal,
        "reads": query.plan.reads().map(|table| &table.dataset).collect::<Vec<_>>(),
        "columns": query.plan.columns().iter().map(column).collect::<Vec<_>>(),
        "filters": query.plan.filters(),
        "authorizations": query.authorizations.iter().map(authorization).collect::<Vec<_>>(),
        "governed_plan": query.plan.draw(),
    })
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
