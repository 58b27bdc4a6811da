//! All pipelines of a project, compiled in the order in which they feed one another, or every reason why not.
//!
//! ```text
//! catalog ──► tables ──► plan ──► classify ──► decide ──► carry row ids ──► protect ──► Governed<Plan>
//!               ▲                   │            │                                          │
//!               └───────────────────┼────────────┼───── the output is a table, too ◄────────┘
//!                                   └────────────┴── refused: diagnostics placed in the pipeline's file
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::Analyzer;
use lockgate_model::{ColumnName, DatasetName, Form, Level, PipelineName};
use lockgate_project::{
    Bind, Code, Column, Dataset, Diagnostic, Diagnostics, Pipeline, Project, StoreLocation, WriteMode,
};

use crate::carry_row_ids::carry_row_ids;
use crate::classify::{Classified, Selection, classify, row_wise};
use crate::demands;
use crate::governed::{Governed, Plan};
use crate::output_column::OutputColumn;
use crate::problem::Problem;
use crate::protect_output::{Candidate, Sink, decide, protect_output};
use crate::sql::{Query, Tables, plan_query, tables_read};
use crate::table::{Table, TableColumn};

/// The column of row ids in every table that Lockgate writes.
pub const ROW_ID_COLUMN: &str = "lockgate_rid";

/// The pipelines of a project that compile, and what is wrong with the others.
#[derive(Debug)]
pub struct Compiled {
    /// All pipelines, each after those whose outputs it reads; none where they feed one another in a circle.
    pub order: Vec<PipelineName>,
    /// The plans of the pipelines without errors.
    pub plans: BTreeMap<PipelineName, Governed<Plan>>,
    /// The datasets of other pipelines that each pipeline's query names, also where it did not compile.
    pub reads: BTreeMap<PipelineName, Vec<DatasetName>>,
    /// Errors and warnings of all pipelines.
    pub diagnostics: Diagnostics,
}

/// Compiles every pipeline. What a pipeline writes is a table for the others, with the levels and forms that it has
/// there.
pub fn compile(project: &Project) -> Compiled {
    let mut tables: Tables = project
        .datasets
        .values()
        .map(|dataset| (dataset.name.value.clone(), Arc::new(catalog_table(dataset))))
        .collect();
    let outputs: BTreeSet<_> = project.pipelines.values().map(|p| p.into.dataset.value.clone()).collect();
    let reads: BTreeMap<_, _> =
        project.pipelines.values().map(|p| (p.name.value.clone(), tables_read(&p.sql.value, &outputs))).collect();
    let mut compiled = Compiled { order: Vec::new(), plans: BTreeMap::new(), reads, diagnostics: Diagnostics::new() };
    compiled.order = match project.dependency_order(&compiled.reads) {
        Ok(order) => order,
        Err(cycles) => {
            compiled.diagnostics.extend(cycles);
            return compiled;
        }
    };
    for name in &compiled.order {
        let Some(pipeline) = project.pipelines.get(name) else { continue };
        let feeds = compiled.reads.get(name).into_iter().flatten();
        if feeds.into_iter().any(|dataset| !tables.contains_key(dataset)) {
            // What it reads did not compile and has been reported; its own errors would only follow from that.
            continue;
        }
        match compile_pipeline(project, pipeline, &tables) {
            Ok((plan, warnings)) => {
                let table = output_table(project, pipeline, plan.columns());
                tables.insert(table.dataset.clone(), Arc::new(table));
                compiled.diagnostics.extend(warnings.iter().map(|problem| place(problem, pipeline)));
                let unmet = demands::unmet(project, pipeline, &plan);
                if unmet.is_empty() {
                    compiled.plans.insert(name.clone(), plan);
                }
                compiled.diagnostics.extend(unmet);
            }
            Err(problems) => compiled.diagnostics.extend(problems.iter().map(|problem| place(problem, pipeline))),
        }
    }
    compiled
}

pub(crate) fn catalog_table(dataset: &Dataset) -> Table {
    let column = |column: &Column| TableColumn {
        name: column.name.value.clone(),
        value_type: column.value_type,
        nullable: column.nullable,
        level: column.level,
        tags: column.tags.iter().map(|tag| tag.value.clone()).collect(),
        because: column.level_origin.clone(),
        form: Form::Clear,
    };
    let subject = match dataset.bind {
        Bind::Subject => dataset.subject.as_ref().map(|subject| subject.value.clone()),
        Bind::Column => None,
    };
    let erase_by = dataset.erase_by_subject.then(|| dataset.name.value.clone());
    let columns = dataset.columns.iter().map(column).collect();
    Table { dataset: dataset.name.value.clone(), columns, subject, erase_by }
}

/// What a pipeline wrote, as a later pipeline reads it: a declared protection lowers a level to the sink's clearance.
pub(crate) fn output_table(project: &Project, pipeline: &Pipeline, columns: &[OutputColumn]) -> Table {
    let clearance = clearance(project, pipeline);
    let column = |column: &OutputColumn| TableColumn {
        name: column.name.clone(),
        value_type: column.stored_type,
        nullable: true,
        level: if column.protection.is_some() { column.level.min(clearance) } else { column.level },
        tags: column.tags.clone(),
        because: format!("{} by pipeline `{}`", column.form, pipeline.name.value),
        form: column.form,
    };
    let stored = || columns.iter().filter(|column| column.is_stored());
    let subject = stored().find(|column| column.is_subject && column.form == Form::Clear);
    let subject = subject.filter(|_| columns.iter().any(|column| column.needs_subject));
    Table {
        dataset: pipeline.into.dataset.value.clone(),
        columns: stored().map(column).collect(),
        erase_by: subject.and_then(|column| column.erase_by.clone()),
        subject: subject.map(|column| column.name.clone()),
    }
}

fn clearance(project: &Project, pipeline: &Pipeline) -> Level {
    project.stores.get(&pipeline.into.store.value).map_or(project.lattice.lowest(), |store| store.clearance)
}

/// Whether a pipeline writes files, whose columns are encrypted by level.
fn encrypts(project: &Project, pipeline: &Pipeline) -> bool {
    match project.stores.get(&pipeline.into.store.value).map(|store| &store.location) {
        Some(StoreLocation::Files(_) | StoreLocation::S3(_)) => true,
        Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => false,
    }
}

fn compile_pipeline(
    project: &Project,
    pipeline: &Pipeline,
    tables: &Tables,
) -> Result<(Governed<Plan>, Vec<Problem>), Vec<Problem>> {
    let query = plan_query(&pipeline.sql.value, tables)?;
    let one = |problem: Box<Problem>| vec![*problem];
    let Classified { columns: facts, selections } =
        classify(&query.plan, project.lattice.lowest(), &query.places).map_err(one)?;
    row_wise::refuse_others(&query.plan, &query.places).map_err(one)?;
    let typed = coerce_types(&query.plan).map_err(one)?;
    let names = output_names(&query)?;
    let candidates: Vec<Candidate> = names
        .into_iter()
        .zip(typed.schema().fields())
        .zip(facts)
        .enumerate()
        .map(|(index, ((name, field), facts))| Candidate {
            name,
            data_type: field.data_type().clone(),
            facts,
            at: query.items.get(index).cloned().flatten(),
        })
        .collect();
    let key = match &pipeline.into.mode {
        WriteMode::Merge { key } => key.iter().map(|column| column.value.clone()).collect(),
        WriteMode::Append | WriteMode::Replace => Vec::new(),
    };
    let sink = Sink {
        store: pipeline.into.store.value.as_str(),
        clearance: clearance(project, pipeline),
        encrypts: encrypts(project, pipeline),
        key: &key,
        lattice: &project.lattice,
        rules: &project.protect,
    };
    let columns = decide(&candidates, &sink)?;
    let warnings = filter_warnings(&selections, &sink);
    let carried = carry_row_ids(&query.plan).and_then(|plan| protect_output(plan, &columns)).map_err(|error| {
        vec![Problem::new(
            Code::UngovernedStatement,
            format!("the plan cannot carry row ids: {}", error.strip_backtrace()),
        )]
    })?;
    Ok((Governed::new(carried, columns, filters_of(&selections), tables_of(&query.plan, tables)), warnings))
}

/// Resolves the types that the planner leaves open, and finds operators and functions that do not take theirs.
fn coerce_types(plan: &LogicalPlan) -> Result<LogicalPlan, Box<Problem>> {
    Analyzer::new().execute_and_check(plan.clone(), &ConfigOptions::default(), |_, _| {}).map_err(|error| {
        let text = error.find_root().strip_backtrace();
        let text = text.strip_prefix("Error during planning: ").unwrap_or(&text);
        Box::new(
            Problem::new(Code::SqlType, text.lines().next().unwrap_or_default().to_owned())
                .help("cast one side to the type of the other"),
        )
    })
}

fn output_names(query: &Query) -> Result<Vec<ColumnName>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut names: Vec<ColumnName> = Vec::new();
    for (index, field) in query.plan.schema().fields().iter().enumerate() {
        let at: Option<Range<usize>> = query.items.get(index).cloned().flatten();
        let refuse = |message: String| Problem::new(Code::OutputColumns, message).at(at).help("name it with AS");
        match field.name().parse::<ColumnName>() {
            Err(error) => problems.push(refuse(error.to_string())),
            Ok(name) if name.as_str().eq_ignore_ascii_case(ROW_ID_COLUMN) => {
                problems.push(refuse(format!("column `{name}` has the name that Lockgate gives to row ids")));
            }
            Ok(name) if names.iter().any(|other| other.as_str().eq_ignore_ascii_case(name.as_str())) => {
                problems.push(refuse(format!("two columns of the output are named `{name}`")));
            }
            Ok(name) => names.push(name),
        }
    }
    if problems.is_empty() { Ok(names) } else { Err(problems) }
}

fn filter_warnings(selections: &[Selection], sink: &Sink<'_>) -> Vec<Problem> {
    let exceeds = |selection: &&Selection| selection.facts.level > sink.clearance;
    let warn = |selection: &Selection| {
        let level = sink.lattice.name(selection.facts.level);
        let message = format!("rows are selected by `{}`, which is {level}", selection.written);
        Problem::new(Code::FilterAboveClearance, message)
            .at(selection.at.clone())
            .label(selection.facts.path.join(" → "))
            .help(format!(
                "whoever reads `{}` learns that every row there fulfils it; make sure that this may be known",
                sink.store
            ))
    };
    selections.iter().filter(exceeds).map(warn).collect()
}

fn filters_of(selections: &[Selection]) -> Vec<crate::Dependence> {
    let sources: BTreeSet<_> = selections.iter().flat_map(|selection| &selection.facts.sources).cloned().collect();
    sources
        .into_iter()
        .map(|source| crate::Dependence { kind: crate::DependenceKind::Filter, ..source })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn tables_of(plan: &LogicalPlan, tables: &Tables) -> BTreeMap<DatasetName, Arc<Table>> {
    let mut scanned = BTreeMap::new();
    let mut open = vec![plan];
    while let Some(node) = open.pop() {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = crate::table::table_of(&scan.source)
            && let Some((name, table)) = tables.get_key_value(&table.dataset)
        {
            scanned.insert(name.clone(), Arc::clone(table));
        }
        open.extend(node.inputs());
    }
    scanned
}

fn place(problem: &Problem, pipeline: &Pipeline) -> Diagnostic {
    let span = match &problem.at {
        Some(range) => pipeline.sql_span(range.start, range.len()),
        None => pipeline.sql.span,
    };
    let diagnostic = Diagnostic::new(problem.code, span, problem.message.clone()).labelled(problem.label.clone());
    match &problem.help {
        Some(help) => diagnostic.with_help(help.clone()),
        None => diagnostic,
    }
}
