//! Every column of a plan is at least as restricted as everything that it depends on.
//!
//! ```text
//! scan customers          name: confidential {pii.name}      email: confidential {pii.email}
//!   └─ lower(email)                                  ──►     confidential {pii.email}
//!   └─ name || ' ' || email                          ──►     confidential {pii.email, pii.name}
//!   └─ CASE WHEN email LIKE '%.org' THEN 1 ELSE 0 END──►     confidential {pii.email}    (a condition tells, too)
//!   └─ count(*) … GROUP BY city                      ──►     refused: aggregates are not governed yet
//! ```
//! A node or expression that is not in the list below is refused by its name; there is no arm that lets one through.

use std::ops::Range;

use datafusion::common::Column;
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableScan, Union};
use lockgate_model::{Form, Level};
use lockgate_project::Code;

use crate::facts::{Dependence, DependenceKind, Facts};
use crate::functions::is_allowed;
use crate::problem::Problem;
use crate::sql::Places;
use crate::table::{TableColumn, table_of};

/// The most columns a query may put out: as many as a PostgreSQL table holds.
pub const OUTPUT_COLUMNS_MAX: usize = 1_600;

/// What classification finds in a plan.
pub(crate) struct Classified {
    /// One for each output column, in order.
    pub(crate) columns: Vec<Facts>,
    /// What the rows were selected by: one for each filter.
    pub(crate) selections: Vec<Selection>,
}

/// A filter, as far as it tells something of the rows that pass it.
pub(crate) struct Selection {
    pub(crate) facts: Facts,
    pub(crate) written: String,
    pub(crate) at: Option<Range<usize>>,
}

/// Classifies every column of an unoptimised plan over tables of this crate.
pub(crate) fn classify(plan: &LogicalPlan, lowest: Level, places: &Places) -> Result<Classified, Box<Problem>> {
    let width = plan.schema().fields().len();
    if width > OUTPUT_COLUMNS_MAX {
        let message = format!("the query has {width} columns; the most is {OUTPUT_COLUMNS_MAX}");
        return Err(Box::new(Problem::new(Code::SqlLimit, message)));
    }
    let mut classifier = Classifier { lowest, places, selections: Vec::new() };
    let columns = classifier.plan(plan)?;
    Ok(Classified { columns, selections: classifier.selections })
}

struct Classifier<'a> {
    lowest: Level,
    places: &'a Places,
    selections: Vec<Selection>,
}

type Outcome<T> = Result<T, Box<Problem>>;

impl Classifier<'_> {
    fn plan(&mut self, plan: &LogicalPlan) -> Outcome<Vec<Facts>> {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => {
                let columns = self.plan(&filter.input)?;
                let facts = self.expression(&filter.predicate, &filter.input, &columns)?;
                let at = self.place_in(&filter.predicate);
                self.selections.push(Selection { facts, written: written(&filter.predicate), at });
                Ok(columns)
            }
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::EmptyRelation(_) => Err(self.refuse("a SELECT without FROM", &["SELECT"])),
            LogicalPlan::Window(_) => Err(self.refuse("a window function", &["OVER"])),
            LogicalPlan::Aggregate(_) => Err(self.refuse("an aggregate", &["GROUP", "HAVING"])),
            LogicalPlan::Sort(_) => Err(self.refuse("ORDER BY", &["ORDER"])),
            LogicalPlan::Join(_) => Err(self.refuse("a join", &["JOIN"])),
            LogicalPlan::Repartition(_) => Err(self.refuse("a repartition", &[])),
            LogicalPlan::Subquery(_) => Err(self.refuse("a subquery", &[])),
            LogicalPlan::Limit(_) => Err(self.refuse("LIMIT", &["LIMIT", "OFFSET", "FETCH"])),
            LogicalPlan::Statement(_) => Err(self.refuse("a statement other than SELECT", &[])),
            LogicalPlan::Values(_) => Err(self.refuse("VALUES", &["VALUES"])),
            LogicalPlan::Explain(_) => Err(self.refuse("EXPLAIN", &["EXPLAIN"])),
            LogicalPlan::Analyze(_) => Err(self.refuse("EXPLAIN ANALYZE", &["EXPLAIN"])),
            LogicalPlan::Extension(_) => Err(self.refuse("an extension", &[])),
            LogicalPlan::Distinct(_) => Err(self.refuse("DISTINCT", &["DISTINCT", "UNION"])),
            LogicalPlan::Dml(_) => Err(self.refuse("a statement that writes", &["INSERT", "UPDATE", "DELETE"])),
            LogicalPlan::Ddl(_) => Err(self.refuse("a statement that defines", &["CREATE", "DROP", "ALTER"])),
            LogicalPlan::Copy(_) => Err(self.refuse("COPY", &["COPY"])),
            LogicalPlan::DescribeTable(_) => Err(self.refuse("DESCRIBE", &["DESCRIBE"])),
            LogicalPlan::Unnest(_) => Err(self.refuse("UNNEST", &["UNNEST"])),
            LogicalPlan::RecursiveQuery(_) => Err(self.refuse("a recursive query", &["RECURSIVE"])),
        }
    }

    fn refuse(&self, what: &str, keywords: &[&str]) -> Box<Problem> {
        let message = format!("{what} is not governed by this version");
        Box::new(
            Problem::new(Code::UngovernedStatement, message)
                .at(self.places.word(keywords))
                .label("refused, since its rows could not be traced or protected")
                .help("a pipeline takes SELECT with expressions, WHERE, subqueries in FROM, WITH and UNION ALL"),
        )
    }

    fn scan(&self, scan: &TableScan) -> Outcome<Vec<Facts>> {
        let Some(table) = table_of(&scan.source) else { return Err(self.refuse("a table from elsewhere", &[])) };
        if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(self.refuse("a scan with pushed-down parts", &[]));
        }
        let facts = |column: &TableColumn| Facts {
            level: column.level,
            tags: column.tags.clone(),
            path: vec![format!("`{}.{}` ({})", table.dataset, column.name, column.because)],
            sources: [Dependence {
                dataset: table.dataset.clone(),
                column: column.name.clone(),
                kind: DependenceKind::Identity,
            }]
            .into(),
            form: column.form,
            is_subject: table.subject.as_ref() == Some(&column.name),
            needs_subject: table.subject.is_some(),
            erase_by: table.subject.iter().map(|_| table.erase_by.clone()).collect(),
        };
        Ok(table.columns.iter().map(facts).collect())
    }

    fn projection(&mut self, projection: &Projection) -> Outcome<Vec<Facts>> {
        let columns = self.plan(&projection.input)?;
        projection.expr.iter().map(|expr| self.expression(expr, &projection.input, &columns)).collect()
    }

    fn union(&mut self, union: &Union) -> Outcome<Vec<Facts>> {
        let mut branches = union.inputs.iter().map(|input| self.plan(input)).collect::<Outcome<Vec<_>>>()?.into_iter();
        let Some(first) = branches.next() else { return Err(self.refuse("an empty UNION", &["UNION"])) };
        branches.try_fold(first, |all, branch| {
            if all.len() != branch.len() {
                return Err(self.refuse("a UNION of branches that differ in width", &["UNION"]));
            }
            all.into_iter().zip(&branch).map(|(a, b)| self.same_form(a, b)).collect()
        })
    }

    /// A column that is sealed in one branch and clear in another has no one form.
    fn same_form(&self, a: Facts, b: &Facts) -> Outcome<Facts> {
        if a.form == b.form {
            return Ok(a.either(b));
        }
        let message = format!("a column of this UNION ALL arrives {} in one branch and {} in another", a.form, b.form);
        Err(Box::new(Problem::new(Code::ProtectedUse, message).at(self.places.word(&["UNION"]))))
    }

    /// Exhaustive: an expression that is not governed is refused by its name.
    fn expression(&self, expr: &Expr, input: &LogicalPlan, columns: &[Facts]) -> Outcome<Facts> {
        let facts = |expr: &Expr| self.expression(expr, input, columns);
        let computed = |operands: &[&Expr]| {
            let inputs = operands.iter().map(|operand| facts(operand)).collect::<Outcome<Vec<_>>>()?;
            self.compute(expr, &inputs)
        };
        match expr {
            Expr::Alias(alias) => facts(&alias.expr),
            Expr::Column(column) => self.column(column, input, columns),
            Expr::Literal(_, _) => Ok(Facts::constant(self.lowest)),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                Ok(Facts { form: Form::Clear, ..Facts::computed(self.lowest, &[facts(inner)?], &written(expr)) })
            }
            Expr::BinaryExpr(binary) => computed(&[&binary.left, &binary.right]),
            Expr::Like(like) | Expr::SimilarTo(like) => computed(&[&like.expr, &like.pattern]),
            Expr::Not(inner)
            | Expr::IsTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Negative(inner) => computed(&[inner]),
            Expr::Between(between) => computed(&[&between.expr, &between.low, &between.high]),
            Expr::Case(case) => self.case(case, expr, &facts),
            Expr::Cast(cast) => computed(&[&cast.expr]),
            Expr::TryCast(cast) => computed(&[&cast.expr]),
            Expr::InList(InList { expr, list, .. }) => {
                computed(&std::iter::once(expr.as_ref()).chain(list).collect::<Vec<_>>())
            }
            Expr::ScalarFunction(call) if is_allowed(&call.func) => computed(&call.args.iter().collect::<Vec<_>>()),
            Expr::ScalarFunction(call) => Err(self.refuse_expression(expr, &format!("`{}`", call.func.name()))),
            Expr::AggregateFunction(call) => Err(self.refuse_expression(expr, &format!("`{}`", call.func.name()))),
            Expr::WindowFunction(_) => Err(self.refuse_expression(expr, "a window function")),
            Expr::ScalarVariable(_, _) => Err(self.refuse_expression(expr, "a variable")),
            Expr::Exists(_) => Err(self.refuse_expression(expr, "EXISTS")),
            Expr::InSubquery(_) => Err(self.refuse_expression(expr, "IN with a subquery")),
            Expr::SetComparison(_) => Err(self.refuse_expression(expr, "ANY or ALL with a subquery")),
            Expr::ScalarSubquery(_) => Err(self.refuse_expression(expr, "a scalar subquery")),
            #[expect(deprecated, reason = "the match is exhaustive, and the planner still has this variant")]
            Expr::Wildcard { .. } => Err(self.refuse_expression(expr, "an unexpanded `*`")),
            Expr::GroupingSet(_) => Err(self.refuse_expression(expr, "a grouping set")),
            Expr::Placeholder(_) => Err(self.refuse_expression(expr, "a placeholder")),
            Expr::OuterReferenceColumn(_, _) => Err(self.refuse_expression(expr, "a reference to an outer query")),
            Expr::Unnest(_) => Err(self.refuse_expression(expr, "UNNEST")),
            Expr::HigherOrderFunction(_) => Err(self.refuse_expression(expr, "a higher-order function")),
            Expr::Lambda(_) => Err(self.refuse_expression(expr, "a lambda")),
            Expr::LambdaVariable(_) => Err(self.refuse_expression(expr, "a lambda's variable")),
        }
    }

    /// An expression over values that are not in the clear would compute on ciphertext.
    fn compute(&self, expr: &Expr, inputs: &[Facts]) -> Outcome<Facts> {
        match inputs.iter().find(|input| input.form != Form::Clear) {
            None => Ok(Facts::computed(self.lowest, inputs, &written(expr))),
            Some(protected) => {
                let what = protected.path.join(" → ");
                let message = format!("`{}` computes on {what}, which arrives {}", written(expr), protected.form);
                Err(Box::new(
                    Problem::new(Code::ProtectedUse, message)
                        .at(self.place_in(expr))
                        .help("pass the column on as it is, or ask whether it IS NULL"),
                ))
            }
        }
    }

    fn case(&self, case: &Case, expr: &Expr, facts: &dyn Fn(&Expr) -> Outcome<Facts>) -> Outcome<Facts> {
        let conditions = case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when));
        let values = case.when_then_expr.iter().map(|(_, then)| then).chain(case.else_expr.iter());
        let mut inputs = values.map(|value| facts(value)).collect::<Outcome<Vec<_>>>()?;
        for condition in conditions {
            inputs.push(facts(condition)?.into_condition());
        }
        self.compute(expr, &inputs)
    }

    fn column(&self, column: &Column, input: &LogicalPlan, columns: &[Facts]) -> Outcome<Facts> {
        let index = input.schema().index_of_column(column).ok();
        match index.and_then(|index| columns.get(index)) {
            Some(facts) => Ok(facts.clone()),
            None => Err(Box::new(Problem::new(
                Code::UnknownSqlColumn,
                format!("column `{}` is not among the columns of its input", column.name),
            ))),
        }
    }

    fn refuse_expression(&self, expr: &Expr, what: &str) -> Box<Problem> {
        let keyword = match expr {
            Expr::Exists(_) => "EXISTS",
            Expr::InSubquery(_) => "IN",
            Expr::SetComparison(_) => "SELECT",
            _ => "",
        };
        Box::new(
            Problem::new(Code::UngovernedExpression, format!("{what} is not governed by this version"))
                .at(self.places.word(&[keyword]).or_else(|| self.place_in(expr)))
                .help("`docs/sql.md` lists the expressions and functions that are"),
        )
    }

    /// The place of the first column in an expression: the planner keeps no other places.
    fn place_in(&self, expr: &Expr) -> Option<Range<usize>> {
        let column = expr.column_refs().into_iter().min()?;
        self.places.word(&[&column.name.to_ascii_uppercase()])
    }
}

fn written(expr: &Expr) -> String {
    expr.human_display().to_string()
}
