//! Only plans in which each row is made from one source row carry a row id; the others are refused by name.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use lockgate_project::Code;

use crate::problem::Problem;
use crate::sql::Places;

/// Refuses the first node or expression of a plan that makes a row of several, or of none.
pub(crate) fn refuse_others(plan: &LogicalPlan, places: &Places) -> Result<(), Box<Problem>> {
    let mut open = vec![plan];
    while let Some(node) = open.pop() {
        if let Some((what, keywords)) = beyond_one_row(node) {
            return Err(refuse(places, what, keywords));
        }
        for expr in node.expressions() {
            if let Some((what, keyword)) = subquery_in(&expr) {
                return Err(Box::new(
                    Problem::new(Code::UngovernedExpression, format!("{what} is not governed by this version"))
                        .at(places.word(&[keyword]))
                        .help("`docs/sql.md` lists the expressions and functions that are"),
                ));
            }
        }
        open.extend(node.inputs());
    }
    Ok(())
}

pub(super) fn refuse(places: &Places, what: &str, keywords: &[&str]) -> Box<Problem> {
    let message = format!("{what} is not governed by this version");
    Box::new(
        Problem::new(Code::UngovernedStatement, message)
            .at(places.word(keywords))
            .label("refused, since its rows could not be traced or protected")
            .help("a pipeline takes SELECT with expressions, WHERE, subqueries in FROM, WITH and UNION ALL"),
    )
}

fn beyond_one_row(node: &LogicalPlan) -> Option<(&'static str, &'static [&'static str])> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_) => None,
        LogicalPlan::EmptyRelation(_) => Some(("a SELECT without FROM", &["SELECT"])),
        LogicalPlan::Window(_) => Some(("a window function", &["OVER"])),
        LogicalPlan::Aggregate(_) => Some(("an aggregate", &["GROUP", "HAVING"])),
        LogicalPlan::Sort(_) => Some(("ORDER BY", &["ORDER"])),
        LogicalPlan::Join(_) => Some(("a join", &["JOIN"])),
        LogicalPlan::Subquery(_) => Some(("a subquery", &["LATERAL"])),
        LogicalPlan::Limit(_) => Some(("LIMIT", &["LIMIT", "OFFSET", "FETCH"])),
        LogicalPlan::Values(_) => Some(("VALUES", &["VALUES"])),
        LogicalPlan::Distinct(_) => Some(("DISTINCT", &["DISTINCT", "UNION"])),
        LogicalPlan::Unnest(_) => Some(("UNNEST", &["UNNEST"])),
        LogicalPlan::Repartition(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::RecursiveQuery(_) => Some(("a statement other than SELECT", &[])),
    }
}

fn subquery_in(expr: &Expr) -> Option<(&'static str, &'static str)> {
    let mut found = None;
    // The closure does not fail.
    let _ = expr.apply(|inner| {
        found = match inner {
            Expr::Exists(_) => Some(("EXISTS", "EXISTS")),
            Expr::InSubquery(_) => Some(("IN with a subquery", "IN")),
            Expr::SetComparison(_) => Some(("ANY or ALL with a subquery", "SELECT")),
            Expr::ScalarSubquery(_) => Some(("a scalar subquery", "SELECT")),
            _ => None,
        };
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}
