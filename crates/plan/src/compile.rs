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

use datafusion::common::DataFusionError;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::Analyzer;
use jiff::Timestamp;
use lockgate_model::{ColumnName, DatasetName, Form, Level, PipelineName, ValueType};
use lockgate_project::{
    Bind, Code, Column, Dataset, Diagnostic, Diagnostics, Pipeline, Project, StoreLocation, WriteMode,
};

use crate::authorize::{Asker, Authorization, SealedValues};
use crate::classify::{Classified, Selection, classify};
use crate::demands;
use crate::facts::DependenceKind;
use crate::governed::{Governed, Plan};
use crate::guard::{guarded_tables, read_by_policies, scanned_tables, unsealed_columns};
use crate::null_aware::refuse_lost_nulls;
use crate::output_column::OutputColumn;
use crate::problem::Problem;
use crate::protect_output::{Candidate, Sink, decide, protect_output};
use crate::provenance::{Provenance, RowShape, carry};
use crate::see::{Seen, see};
use crate::sql::{Query, Tables, plan_query, tables_read};
use crate::table::{SealedColumn, Table, TableColumn};
use crate::views::check_views;

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

/// Compiles every pipeline, as the policies stand at a time. What a pipeline writes is a table for the others, with the
/// levels and forms that it has there.
pub fn compile(project: &Project, at: Timestamp) -> Compiled {
    let (mut compiled, tables) = compile_all(project, at);
    // Where pipelines wait for one another, what they write is not known.
    if !compiled.order.is_empty() || project.pipelines.is_empty() {
        compiled.diagnostics.extend(check_views(project, &tables));
    }
    compiled
}

/// Also gives every dataset that can be read: those of the catalog and what pipelines without errors write.
pub(crate) fn compile_all(project: &Project, at: Timestamp) -> (Compiled, Tables) {
    let mut tables = catalog_tables(project);
    let outputs: BTreeSet<_> = project.pipelines.values().map(|p| p.into.dataset.value.clone()).collect();
    let reads = |pipeline: &Pipeline| tables_read(&pipeline.sql.value, &outputs, &project.views);
    let reads: BTreeMap<_, _> = project.pipelines.values().map(|p| (p.name.value.clone(), reads(p))).collect();
    let mut compiled = Compiled { order: Vec::new(), plans: BTreeMap::new(), reads, diagnostics: Diagnostics::new() };
    compiled.order = match project.dependency_order(&compiled.reads) {
        Ok(order) => order,
        Err(cycles) => {
            compiled.diagnostics.extend(cycles);
            return (compiled, tables);
        }
    };
    for name in &compiled.order {
        let Some(pipeline) = project.pipelines.get(name) else { continue };
        let feeds = compiled.reads.get(name).into_iter().flatten();
        if feeds.into_iter().any(|dataset| !tables.contains_key(dataset)) {
            // What it reads did not compile and has been reported; its own errors would only follow from that.
            continue;
        }
        match compile_pipeline(project, pipeline, &tables, at) {
            Ok((plan, warnings)) => {
                let table = output_table(project, pipeline, plan.columns(), &tables);
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
    (compiled, tables)
}

/// The datasets of the catalog.
pub(crate) fn catalog_tables(project: &Project) -> Tables {
    project.datasets.values().map(|dataset| (dataset.name.value.clone(), Arc::new(catalog_table(dataset)))).collect()
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
        sealed: None,
        is_masked: false,
    };
    let subject = match dataset.bind {
        Bind::Subject => dataset.subject.as_ref().map(|subject| subject.value.clone()),
        Bind::Column => None,
    };
    let erase_by = dataset.erase_by_subject.then(|| dataset.name.value.clone());
    let columns = dataset.columns.iter().map(column).collect();
    Table { dataset: dataset.name.value.clone(), columns, subject, erase_by, guard: None }
}

/// What a pipeline wrote, as a later pipeline reads it: a declared protection lowers a level to the sink's clearance.
pub(crate) fn output_table(project: &Project, pipeline: &Pipeline, columns: &[OutputColumn], tables: &Tables) -> Table {
    let clearance = clearance(project, pipeline);
    let column = |column: &OutputColumn| TableColumn {
        name: column.name.clone(),
        value_type: column.stored_type,
        nullable: true,
        level: if column.protection.is_some() { column.level.min(clearance) } else { column.level },
        tags: column.tags.clone(),
        because: format!("{} by pipeline `{}`", column.form, pipeline.name.value),
        form: column.form,
        sealed: sealed_column(&pipeline.into.dataset.value, column, tables),
        is_masked: false,
    };
    let stored = || columns.iter().filter(|column| column.is_stored());
    let subject = stored().find(|column| column.is_subject && column.form == Form::Clear);
    let subject = subject.filter(|_| columns.iter().any(|column| column.needs_subject));
    Table {
        dataset: pipeline.into.dataset.value.clone(),
        columns: stored().map(column).collect(),
        erase_by: subject.and_then(|column| column.erase_by.clone()),
        subject: subject.map(|column| column.name.clone()),
        guard: None,
    }
}

/// What it takes to open an output column that is sealed: its own keys, or those of the columns that it passes on.
fn sealed_column(dataset: &DatasetName, column: &OutputColumn, tables: &Tables) -> Option<SealedColumn> {
    match column.form {
        Form::Sealed => {}
        Form::Clear | Form::Masked | Form::Tokenized | Form::Dropped => return None,
    }
    let bound_to = column.bound_to.clone();
    let erase_by = column.erase_by.clone().filter(|_| bound_to.is_some());
    if column.protection.is_some() {
        let sealed_for = BTreeSet::from([(dataset.clone(), column.name.clone())]);
        return Some(SealedColumn { sealed_for, value_type: column.value_type, bound_to, erase_by });
    }
    let sources = column.lineage.iter().filter(|source| source.kind.is_direct()).filter_map(|source| {
        let columns = &tables.get(&source.dataset)?.columns;
        columns.iter().find(|column| column.name == source.column)?.sealed.as_ref()
    });
    let sources: Vec<&SealedColumn> = sources.collect();
    let first = sources.first().map(|source| source.value_type);
    let is_of_all = |wanted: &ValueType| sources.iter().all(|source| source.value_type == *wanted);
    let value_type = first.filter(is_of_all).unwrap_or(ValueType::Text);
    let sealed_for = sources.iter().flat_map(|source| source.sealed_for.iter().cloned()).collect();
    Some(SealedColumn { sealed_for, value_type, bound_to, erase_by })
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
    at: Timestamp,
) -> Result<(Governed<Plan>, Vec<Problem>), Vec<Problem>> {
    let asker =
        Asker { principal: pipeline.runs_as.value.clone(), groups: Vec::new(), purpose: None, address: None, at };
    let Seen { tables, authorizations } = see(project, &pipeline.sql.value, &asker, SealedValues::PassedOn, tables)?;
    let query = plan_query(&pipeline.sql.value, &tables, &project.views).map_err(|problems| {
        // Whoever keeps the project may know why: only to those who ask, what is hidden is not there.
        let hidden = authorizations.iter().filter(|authorization| !authorization.is_visible());
        let hidden: Vec<Problem> = hidden.map(|authorization| nothing_visible(authorization, pipeline)).collect();
        if hidden.is_empty() { problems } else { hidden }
    })?;
    let one = |problem: Box<Problem>| vec![*problem];
    let Analysed { classified, typed } = analyse(&query, project.lattice.lowest()).map_err(one)?;
    let of_all_rows = classified.of_all_rows().into_iter().collect();
    let Classified { columns: facts, selections } = classified;
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
    let plan = govern(&query, columns, of_all_rows)?;
    incremental(pipeline, &plan)?;
    Ok((plan, warnings))
}

/// What is known of a query that the engine can be asked.
pub(crate) struct Analysed {
    /// Of each column, and by what the rows were chosen.
    pub(crate) classified: Classified,
    /// The plan with the types that the planner leaves open.
    pub(crate) typed: LogicalPlan,
}

/// Refuses what is not governed, what the engine would answer wrongly, and what has no type that fits.
pub(crate) fn analyse(query: &Query, lowest: Level) -> Result<Analysed, Box<Problem>> {
    refuse_lost_nulls(&query.plan, &query.places)?;
    let classified = classify(&query.plan, lowest, &query.places)?;
    Ok(Analysed { classified, typed: coerce_types(&query.plan)? })
}

/// A plan whose rows name their sources, with its columns protected.
pub(crate) fn govern(
    query: &Query,
    columns: Vec<OutputColumn>,
    filters: Vec<crate::Dependence>,
) -> Result<Governed<Plan>, Vec<Problem>> {
    let uncarried = |error: DataFusionError| {
        let message = format!("the plan cannot carry row ids: {}", error.strip_backtrace());
        vec![Problem::new(Code::UngovernedStatement, message)]
    };
    let (carried, relations) = carry(&query.plan).map_err(uncarried)?;
    let inputs = query.plan.schema().columns();
    let (logical, carriers) = protect_output(&carried, &inputs, &columns).map_err(uncarried)?;
    let tables = scanned_tables(&query.plan).map_err(uncarried)?;
    let mut unseals = unsealed_columns(&query.plan).map_err(uncarried)?;
    let depends = || columns.iter().flat_map(|column| &column.lineage).chain(&filters);
    unseals.retain(|(dataset, column), _| depends().any(|on| on.dataset == *dataset && on.column == *column));
    let provenance = Provenance { relations, carriers, shape: carried.shape };
    let guarded = guarded_tables(&query.plan).map_err(uncarried)?;
    let read_by_policies = read_by_policies(&query.plan).map_err(uncarried)?;
    Ok(Governed::new(Plan { logical, columns, filters, tables, unseals, guarded, read_by_policies, provenance }))
}

fn nothing_visible(authorization: &Authorization, pipeline: &Pipeline) -> Problem {
    let (dataset, principal) = (&authorization.dataset, &pipeline.runs_as.value);
    Problem::new(Code::NothingVisible, format!("the policies let `{principal}` see nothing of `{dataset}`"))
        .help(format!("allow `{principal}` to select from it in `policies/`, or run the pipeline as somebody who may"))
}

/// New input must only add rows where only new input is read.
fn incremental(pipeline: &Pipeline, plan: &Governed<Plan>) -> Result<(), Vec<Problem>> {
    let adds = match &pipeline.into.mode {
        WriteMode::Append => true,
        WriteMode::Merge { .. } | WriteMode::Replace => false,
    };
    if !adds || plan.row_shape() == RowShape::RowByRow {
        return Ok(());
    }
    let message = "rows that depend on several rows of the input can't be appended: each run would add to what the last one made of the same rows";
    Err(vec![
        Problem::new(Code::NotIncremental, message)
            .help("write `mode: replace`, or `mode: merge` with a key: both read all of the input each time"),
    ])
}

/// Resolves the types that the planner leaves open, and finds operators and functions that do not take theirs.
pub(crate) fn coerce_types(plan: &LogicalPlan) -> Result<LogicalPlan, Box<Problem>> {
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
        let how = match selection.kind {
            DependenceKind::Join => "joined",
            DependenceKind::GroupBy => "merged",
            DependenceKind::Sort => "ordered",
            DependenceKind::Filter
            | DependenceKind::Window
            | DependenceKind::Conditional
            | DependenceKind::Identity
            | DependenceKind::Transformation
            | DependenceKind::Aggregation => "selected",
        };
        let message = format!("rows are {how} by `{}`, which is {level}", selection.written);
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

fn place(problem: &Problem, pipeline: &Pipeline) -> Diagnostic {
    problem.diagnostic(match &problem.at {
        Some(range) => pipeline.sql_span(range.start, range.len()),
        None => pipeline.sql.span,
    })
}
