//! Every column of a plan is at least as restricted as everything that it depends on.
//!
//! ```text
//! scan customers          name: confidential {pii.name}      email: confidential {pii.email}
//!   └─ lower(email)                                  ──►     confidential {pii.email}
//!   └─ name || ' ' || email                          ──►     confidential {pii.email, pii.name}
//!   └─ CASE WHEN email LIKE '%.org' THEN 1 ELSE 0 END──►     confidential {pii.email}    (a condition tells, too)
//!   └─ count(email) … GROUP BY city                  ──►     confidential {pii.email}
//!   └─ rank() OVER (ORDER BY email)                  ──►     confidential {pii.email}    (so does an order)
//!   └─ WITH RECURSIVE …                              ──►     refused by its name
//! ```
//! A node or expression that is not in the lists of this module is refused by its name; there is no arm that lets one
//! through. What selects, joins, groups or orders whole rows does not raise the level of the other columns: it is kept
//! for the query, as OpenLineage's indirect dependences of a dataset. Inside an expression (a scalar subquery, EXISTS)
//! it raises the level of that expression.

mod call;
mod expression;
mod relation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::{Expr, LogicalPlan};
use lockgate_model::{Form, Level};
use lockgate_project::Code;

use crate::facts::{Dependence, DependenceKind, Facts, ScanId};
use crate::problem::Problem;
use crate::sql::Places;

/// The most columns a query may put out: as many as a PostgreSQL table holds.
pub const OUTPUT_COLUMNS_MAX: usize = 1_600;

/// What classification finds in a plan.
pub(crate) struct Classified {
    /// One for each output column, in order.
    pub(crate) columns: Vec<Facts>,
    /// What the rows were selected, joined, merged or ordered by.
    pub(crate) selections: Vec<Selection>,
}

impl Classified {
    /// What all columns depend on, since their rows do.
    pub(crate) fn of_all_rows(&self) -> BTreeSet<Dependence> {
        self.selections.iter().flat_map(|selection| selection.as_condition().sources).collect()
    }
}

/// A condition or key, as far as it tells something of the rows that are there.
pub(crate) struct Selection {
    /// Why the rows depend on it; an indirect kind.
    pub(crate) kind: DependenceKind,
    pub(crate) facts: Facts,
    pub(crate) written: String,
    pub(crate) at: Option<Range<usize>>,
}

impl Selection {
    /// What is known of whatever depends on which rows there are.
    fn as_condition(&self) -> Facts {
        Facts { form: Form::Clear, ..self.facts.clone() }.into_indirect(self.kind)
    }
}

/// Classifies every column of an unoptimised plan over tables of this crate.
pub(crate) fn classify(plan: &LogicalPlan, lowest: Level, places: &Places) -> Result<Classified, Box<Problem>> {
    let width = plan.schema().fields().len();
    if width > OUTPUT_COLUMNS_MAX {
        let message = format!("the query has {width} columns; the most is {OUTPUT_COLUMNS_MAX}");
        return Err(Box::new(Problem::new(Code::SqlLimit, message)));
    }
    let mut classifier = Classifier { lowest, places, selections: Vec::new(), outer: Vec::new(), scans: 0 };
    let columns = classifier.plan(plan)?;
    Ok(Classified { columns, selections: classifier.selections })
}

struct Classifier<'a> {
    lowest: Level,
    places: &'a Places,
    /// What the rows of the query or expression at hand were selected by.
    selections: Vec<Selection>,
    /// The columns of the queries around the one at hand, the nearest last.
    outer: Vec<(DFSchemaRef, Vec<Facts>)>,
    /// How many scans there were.
    scans: ScanId,
}

/// The columns that an expression may name.
#[derive(Clone, Copy)]
struct Scope<'s> {
    schema: &'s DFSchema,
    columns: &'s [Facts],
}

type Outcome<T> = Result<T, Box<Problem>>;

impl Classifier<'_> {
    fn plan(&mut self, plan: &LogicalPlan) -> Outcome<Vec<Facts>> {
        let columns = self.node(plan)?;
        let width = plan.schema().fields().len();
        if columns.len() == width {
            return Ok(columns);
        }
        Err(self.refuse(&format!("a node of {width} columns that is read as {}", columns.len()), &[]))
    }

    fn node(&mut self, plan: &LogicalPlan) -> Outcome<Vec<Facts>> {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => {
                let columns = self.plan(&filter.input)?;
                let facts = self.expression(&filter.predicate, Scope::of(&filter.input, &columns))?;
                self.select(DependenceKind::Filter, facts, &filter.predicate);
                Ok(columns)
            }
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::EmptyRelation(empty) => {
                Ok(empty.schema.fields().iter().map(|_| Facts::constant(self.lowest)).collect())
            }
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Sort(sort) => {
                let columns = self.plan(&sort.input)?;
                self.sort_keys(&sort.expr, Scope::of(&sort.input, &columns))?;
                Ok(columns)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Repartition(_) => Err(self.refuse("a repartition", &["DISTRIBUTE"])),
            LogicalPlan::Statement(_) => Err(self.refuse("a statement other than SELECT", &[])),
            LogicalPlan::Explain(_) => Err(self.refuse("EXPLAIN", &["EXPLAIN"])),
            LogicalPlan::Analyze(_) => Err(self.refuse("EXPLAIN ANALYZE", &["EXPLAIN"])),
            LogicalPlan::Extension(_) => Err(self.refuse("an extension", &[])),
            LogicalPlan::Dml(_) => Err(self.refuse("a statement that writes", &["INSERT", "UPDATE", "DELETE"])),
            LogicalPlan::Ddl(_) => Err(self.refuse("a statement that defines", &["CREATE", "DROP", "ALTER"])),
            LogicalPlan::Copy(_) => Err(self.refuse("COPY", &["COPY"])),
            LogicalPlan::DescribeTable(_) => Err(self.refuse("DESCRIBE", &["DESCRIBE"])),
            LogicalPlan::RecursiveQuery(_) => Err(self.refuse("a recursive query", &["RECURSIVE"])),
        }
    }

    fn refuse(&self, what: &str, keywords: &[&str]) -> Box<Problem> {
        let message = format!("{what} is not governed");
        Box::new(
            Problem::new(Code::UngovernedStatement, message)
                .at(self.places.word(keywords))
                .label("refused, since its rows could not be traced or protected")
                .help("`docs/sql.md` lists what is"),
        )
    }

    /// The rows depend on the value of an expression.
    fn select(&mut self, kind: DependenceKind, facts: Facts, expr: &Expr) {
        if facts.sources.is_empty() {
            return;
        }
        let at = self.place_in(expr);
        self.selections.push(Selection { kind, facts, written: written(expr), at });
    }

    /// The place of the first column in an expression: the planner keeps no other places.
    fn place_in(&self, expr: &Expr) -> Option<Range<usize>> {
        let column = expr.column_refs().into_iter().min()?;
        self.places.word(&[&column.name.to_ascii_uppercase()])
    }
}

impl<'s> Scope<'s> {
    fn of(plan: &'s LogicalPlan, columns: &'s [Facts]) -> Self {
        Self { schema: plan.schema(), columns }
    }
}

fn written(expr: &Expr) -> String {
    expr.human_display().to_string()
}
