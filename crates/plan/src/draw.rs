//! A governed plan for people: one node a line, what policies put before a table drawn below it.

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use crate::table::table_of;

/// Draws a plan. What cannot be walked is said in its place.
pub(crate) fn draw(plan: &LogicalPlan) -> String {
    let mut lines = String::new();
    if let Err(error) = node(plan, 0, &mut lines) {
        lines.push_str(&format!("({})\n", error.strip_backtrace()));
    }
    lines.truncate(lines.trim_end().len());
    lines
}

fn node(plan: &LogicalPlan, depth: usize, lines: &mut String) -> Result<()> {
    let indent = "  ".repeat(depth);
    let guard = match plan {
        LogicalPlan::TableScan(scan) => table_of(&scan.source).and_then(|table| table.guard.clone()),
        _ => None,
    };
    match &guard {
        Some(_) => lines.push_str(&format!("{indent}Barrier: {}\n", plan.display())),
        None => lines.push_str(&format!("{indent}{}\n", plan.display())),
    }
    plan.apply_subqueries(|subquery| {
        node(subquery, depth + 1, lines)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    for input in plan.inputs() {
        node(input, depth + 1, lines)?;
    }
    match guard {
        Some(guard) => node(&guard.plan, depth + 1, lines),
        None => Ok(()),
    }
}
