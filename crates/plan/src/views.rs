//! Views of the project: a view is its query, planned in the place of its name over what the asker sees.
//!
//! ```text
//! views/active.yaml: SELECT id, email FROM customers WHERE is_active
//!
//! SELECT email FROM active     as anna     SubqueryAlias: active
//!                                            Projection: id, email
//!                                              Filter: is_active
//!                                                TableScan: customers     guarded, for anna
//! ```
//! So a view gives nobody a right, and a view that names a column which the asker does not see is not there.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::sql::planner::SqlToRel;
use lockgate_model::DatasetName;
use lockgate_project::{Code, Diagnostic, Diagnostics, Project, View};

use crate::chain_limit::{refuse_many_relations, refuse_many_scans};
use crate::compile::analyse;
use crate::problem::Problem;
use crate::sql::{Catalog, Tables, names_in, parse_one, parser_options, plan_query};

/// The views of a project.
pub(crate) type Views = BTreeMap<DatasetName, View>;

/// The tables that SQL names, itself and through views.
pub(crate) fn names_through_views(sql: &str, views: &Views) -> BTreeSet<String> {
    let mut found = names_in(sql);
    let mut open: Vec<String> = found.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(view) = views.get(name.as_str()) else { continue };
        let new: Vec<String> = names_in(&view.sql.value).into_iter().filter(|name| !found.contains(name)).collect();
        found.extend(new.iter().cloned());
        open.extend(new);
    }
    found
}

/// What is wrong with each view over everything that there is, placed in its file.
pub(crate) fn check_views(project: &Project, tables: &Tables) -> Diagnostics {
    let mut found = Diagnostics::new();
    for (name, view) in &project.views {
        let through = names_through_views(&view.sql.value, &project.views);
        if through.contains(name.as_str()) {
            let message = format!("the view `{name}` reads itself, directly or through other views");
            let diagnostic = Diagnostic::new(Code::Cycle, view.name.span, message);
            found.push(diagnostic.with_help("read the datasets that it is made from"));
            continue;
        }
        let problems = match plan_query(&view.sql.value, tables, &project.views) {
            Err(problems) => problems,
            Ok(query) => analyse(&query, project.lattice.lowest()).err().into_iter().map(|problem| *problem).collect(),
        };
        found.extend(problems.iter().map(|problem| place(problem, view)));
    }
    found
}

fn place(problem: &Problem, view: &View) -> Diagnostic {
    problem.diagnostic(match &problem.at {
        Some(range) => view.sql_span(range.start, range.len()),
        None => view.sql.span,
    })
}

/// The views, planned where they are named: each once, however often that is.
pub(crate) struct PlannedViews<'a> {
    views: &'a Views,
    /// Without a plan: one that can't be planned, or that is being planned, so that one that reads itself has none.
    planned: RefCell<BTreeMap<String, Option<Arc<ViewSource>>>>,
}

impl<'a> PlannedViews<'a> {
    pub(crate) fn new(views: &'a Views) -> Self {
        Self { views, planned: RefCell::default() }
    }

    /// The plan of a view over what the catalog has; `None` where there is no such view or it can't be planned.
    pub(crate) fn plan(&self, name: &str, catalog: &Catalog<'_>) -> Option<Arc<dyn TableSource>> {
        let view = self.views.get(name)?;
        let known = self.planned.borrow().get(name).cloned();
        let planned = known.unwrap_or_else(|| {
            self.planned.borrow_mut().insert(name.to_owned(), None);
            let planned = plan_one(view, catalog).map(Arc::new);
            self.planned.borrow_mut().insert(name.to_owned(), planned.clone());
            planned
        });
        planned.map(|view| view as Arc<dyn TableSource>)
    }
}

fn plan_one(view: &View, catalog: &Catalog<'_>) -> Option<ViewSource> {
    let statement = parse_one(&view.sql.value).ok()?;
    refuse_many_relations(&statement).ok()?;
    let plan = SqlToRel::new_with_options(catalog, parser_options()).sql_statement_to_plan(statement).ok()?;
    refuse_many_scans(&plan).ok()?;
    Some(ViewSource { schema: Arc::clone(plan.schema().inner()), plan })
}

/// The query of a view, which the planner puts in the place of its name.
struct ViewSource {
    schema: SchemaRef,
    plan: LogicalPlan,
}

impl TableSource for ViewSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}
