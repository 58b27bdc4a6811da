//! One query of one principal, compiled against what the policies let it see.

use std::collections::BTreeSet;

use datafusion::common::Column;
use lockgate_model::{ColumnName, Form};
use lockgate_project::{Code, Diagnostics, Project, SourceFiles, Span};

use crate::authorize::{Asker, Authorization, Deciders, SealedValues};
use crate::compile::{Analysed, analyse, catalog_tables, compile_all, govern};
use crate::facts::Facts;
use crate::governed::{Governed, Plan};
use crate::output_column::OutputColumn;
use crate::problem::Problem;
use crate::see::{Seen, see, see_all};
use crate::sql::{Tables, plan_query, tables_read};
use crate::table::value_type;

/// The name of the query's text in messages.
const QUERY: &str = "query";

/// A query that its asker may run.
#[derive(Debug)]
pub struct CompiledQuery {
    /// Its plan.
    pub plan: Governed<Plan>,
    /// What was decided of each dataset that it names.
    pub authorizations: Vec<Authorization>,
}

/// Why a query is refused, with the texts that the places are in.
#[derive(Debug)]
pub struct RefusedQuery {
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The query's text.
    pub sources: SourceFiles,
}

/// Compiles a query as its asker may ask it. In a project without policies nobody may ask anything.
pub fn compile_query(project: &Project, sql: &str, asker: &Asker) -> Result<CompiledQuery, RefusedQuery> {
    compile_one(project, sql, asker).map_err(|problems| refused(sql, &problems))
}

fn compile_one(project: &Project, sql: &str, asker: &Asker) -> Result<CompiledQuery, Vec<Problem>> {
    let Some(policies) = Deciders::of(project) else {
        return Err(vec![
            Problem::new(Code::NoPolicies, "the project has no policies, so nobody may ask for anything")
                .help("say who may see what in `policies/NAME.yaml`; `docs/policies.md` shows how"),
        ]);
    };
    let tables = tables_for(project, sql, asker);
    let Seen { tables: seen, authorizations } = see(project, sql, asker, SealedValues::Opened, &tables)?;
    let query = plan_query(sql, &seen, &project.views).map_err(|problems| {
        // Suggestions are made among everything that the asker sees, what pipelines write included: whether a name is
        // hidden or missing makes no difference.
        let (_, all) = compile_all(project, asker.at);
        let all = see_all(&policies, asker, SealedValues::Opened, &all);
        plan_query(sql, &all, &project.views).err().unwrap_or(problems)
    })?;
    let one = |problem: Box<Problem>| vec![*problem];
    let Analysed { classified, typed } = analyse(&query, project.lattice.lowest()).map_err(one)?;
    let of_all_rows = classified.of_all_rows().into_iter().collect();
    let mut names = Names::default();
    let mut columns = Vec::new();
    for (index, ((column, field), facts)) in
        query.plan.schema().columns().iter().zip(typed.schema().fields()).zip(classified.columns).enumerate()
    {
        let Some(stored_type) = value_type(field.data_type()) else {
            let message =
                format!("column {} of the result has the type {}, which is not shown", index + 1, field.data_type());
            let at = query.items.get(index).cloned().flatten();
            return Err(vec![Problem::new(Code::SqlType, message).at(at).help("cast it to a column type")]);
        };
        columns.push(shown(names.name(column, index)?, stored_type, facts));
    }
    let plan = govern(&query, columns, of_all_rows)?;
    Ok(CompiledQuery { plan, authorizations })
}

/// The catalog, and what pipelines write where the query names something else.
fn tables_for(project: &Project, sql: &str, asker: &Asker) -> Tables {
    let catalog = catalog_tables(project);
    let written: BTreeSet<_> = project.pipelines.values().map(|p| p.into.dataset.value.clone()).collect();
    match tables_read(sql, &written, &project.views).is_empty() {
        true => catalog,
        false => compile_all(project, asker.at).1,
    }
}

fn shown(name: ColumnName, stored_type: lockgate_model::ValueType, facts: Facts) -> OutputColumn {
    OutputColumn {
        name,
        value_type: stored_type,
        stored_type,
        level: facts.level,
        tags: facts.tags,
        form: facts.form,
        protection: None,
        rule: None,
        because: match facts.form {
            Form::Clear => "as the policies let it be seen".to_owned(),
            form => format!("it is {form} where it lies"),
        },
        path: facts.path,
        lineage: facts.sources.into_iter().collect(),
        bound_to: None,
        is_subject: facts.is_subject,
        needs_subject: facts.needs_subject,
        erase_by: None,
    }
}

/// Names of the result's columns: each once.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// A column's own name; the name of the function that made it; or its place.
    fn name(&mut self, column: &Column, index: usize) -> Result<ColumnName, Vec<Problem>> {
        let function = column.name.split('(').next().unwrap_or_default().to_ascii_lowercase();
        let place = format!("column_{}", index + 1);
        let wanted = [column.name.as_str(), function.as_str(), place.as_str()];
        let wanted = wanted.into_iter().find_map(|name| name.parse::<ColumnName>().ok());
        let base = wanted.map_or(place, |name| name.to_string());
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !self.0.contains(&name.to_lowercase()));
        let name = free.unwrap_or(base);
        self.0.insert(name.to_lowercase());
        name.parse()
            .map_err(|error| vec![Problem::new(Code::OutputColumns, format!("{error}")).help("name it with AS")])
    }
}

/// The problems in the query's own text. What a label says of policies is not for whoever asks.
fn refused(sql: &str, problems: &[Problem]) -> RefusedQuery {
    let mut sources = SourceFiles::default();
    let file = sources.add(QUERY, sql);
    let diagnostic = |problem: &Problem| {
        let range = problem.at.clone().unwrap_or(0..sql.len());
        let span = Span { file, start: range.start, end: range.end };
        match problem.code {
            Code::PolicyNotEvaluable => Problem { label: String::new(), ..problem.clone() }.diagnostic(span),
            _ => problem.diagnostic(span),
        }
    };
    RefusedQuery { diagnostics: problems.iter().map(diagnostic).collect(), sources }
}
