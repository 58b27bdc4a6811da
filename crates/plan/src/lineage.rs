//! What a query says of its columns before anything is protected: level, tags, form, and on which columns they depend.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use lockgate_model::{Form, Level, TagName};
use lockgate_project::Project;

use crate::classify::{Classified, classify};
use crate::compile::compile_all;
use crate::facts::Dependence;
use crate::problem::Problem;
use crate::sql::plan_query;

/// The columns of a query, and what all of its rows depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLineage {
    /// One for each output column, in order.
    pub columns: Vec<ColumnLineage>,
    /// By what the rows were filtered, joined, grouped and ordered: OpenLineage's indirect dependences of a dataset.
    pub rows: BTreeSet<Dependence>,
}

/// One output column of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLineage {
    /// Its name in the query.
    pub name: String,
    /// As restricted as everything that it depends on.
    pub level: Level,
    /// What it is.
    pub tags: BTreeSet<TagName>,
    /// The form in which it arrives.
    pub form: Form,
    /// On what its value depends.
    pub sources: BTreeSet<Dependence>,
}

/// Plans and classifies one SELECT over a project's catalog and what its pipelines write, as the policies stand at a time.
///
/// # Errors
///
/// What does not parse, resolve or type, and what is not governed, with the place in the SQL.
pub fn lineage_of_query(project: &Project, sql: &str, at: Timestamp) -> Result<QueryLineage, Vec<Problem>> {
    let (_, tables) = compile_all(project, at);
    let query = plan_query(sql, &tables, &project.views)?;
    let classified =
        classify(&query.plan, project.lattice.lowest(), &query.places).map_err(|problem| vec![*problem])?;
    let rows = classified.of_all_rows();
    let Classified { columns, .. } = classified;
    let column = |(field, facts): (&Arc<arrow::datatypes::Field>, crate::facts::Facts)| ColumnLineage {
        name: field.name().clone(),
        level: facts.level,
        tags: facts.tags,
        form: facts.form,
        sources: facts.sources,
    };
    Ok(QueryLineage { columns: query.plan.schema().fields().iter().zip(columns).map(column).collect(), rows })
}
