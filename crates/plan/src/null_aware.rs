//! `x IN (SELECT ..)` is planned where the engine keeps its third value, and refused elsewhere.
//!
//! ```text
//! WHERE x NOT IN (SELECT ..) AND ..    kept: a null among the values leaves no row
//! WHERE x IN (SELECT ..) OR ..         kept: unknown and false are alike, since neither keeps the row
//! WHERE x NOT IN (SELECT ..) OR ..     refused: DataFusion 55.2 takes unknown for false, and NOT makes it true
//! SELECT x IN (SELECT ..)              refused, for the same reason
//! WHERE 'a' NOT IN (SELECT ..)         refused likewise
//! ```

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use lockgate_project::Code;

use crate::problem::Problem;
use crate::sql::Places;

/// Refuses the first IN or NOT IN of a plan whose unknown would be taken for false.
pub(crate) fn refuse_lost_nulls(plan: &LogicalPlan, places: &Places) -> std::result::Result<(), Box<Problem>> {
    if !loses_nulls(plan) {
        return Ok(());
    }
    Err(Box::new(Problem::new(Code::UngovernedExpression, LOST).at(places.word(&["IN"])).help(INSTEAD)))
}

/// What is wrong with such an IN.
pub(crate) const LOST: &str = "IN with a subquery is not governed here: a null would be taken for a difference";
const INSTEAD: &str = "write it as a condition of its own, joined by AND, or use EXISTS or NOT EXISTS with `=`";

/// Whether an IN or NOT IN of a plan has an unknown that would be taken for false.
pub(crate) fn loses_nulls(plan: &LogicalPlan) -> bool {
    let mut is_lost = false;
    let walked = plan.apply_with_subqueries(|node| {
        is_lost |= match node {
            LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate).into_iter().any(in_conjunct),
            other => other.expressions().iter().any(anywhere),
        };
        Ok(if is_lost { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    is_lost || walked.is_err()
}

/// A part of a WHERE that AND joins: it may be IN or NOT IN itself.
fn in_conjunct(expr: &Expr) -> bool {
    match expr {
        // A constant that is compared with nulls is planned as one that is not.
        Expr::InSubquery(within) if within.negated && within.expr.column_refs().is_empty() => true,
        Expr::InSubquery(within) => anywhere(&within.expr),
        other => in_disjunct(other),
    }
}

/// Below AND and OR, where unknown and false are alike, IN may stand but not NOT IN.
fn in_disjunct(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            in_disjunct(left) || in_disjunct(right)
        }
        Expr::InSubquery(within) if !within.negated => anywhere(&within.expr),
        other => anywhere(other),
    }
}

fn anywhere(expr: &Expr) -> bool {
    let is_in = |part: &Expr| Ok(matches!(part, Expr::InSubquery(_) | Expr::SetComparison(_)));
    let found: Result<bool> = expr.exists(is_in);
    found.unwrap_or(true)
}
