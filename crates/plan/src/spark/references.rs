//! Which columns of its input a node needs, those that its subqueries name from inside included.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Columns by their places.
pub(super) type Needed = BTreeSet<usize>;

/// The columns of a schema that expressions name.
pub(super) fn references<'e>(expressions: impl IntoIterator<Item = &'e Expr>, schema: &DFSchema) -> Result<Needed> {
    let mut found = Needed::new();
    for expression in expressions {
        expression.apply(|part| {
            if let Expr::Column(column) = part {
                found.insert(schema.index_of_column(column)?);
            }
            if let Some(plan) = subquery_of(part) {
                outer_references(plan, schema, &mut found)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}

/// The plan of an expression that is a subquery.
pub(super) fn subquery_of(expression: &Expr) -> Option<&LogicalPlan> {
    match expression {
        Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        Expr::Exists(exists) => Some(&exists.subquery.subquery),
        Expr::InSubquery(within) => Some(&within.subquery.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery.subquery),
        _ => None,
    }
}

fn outer_references(plan: &LogicalPlan, schema: &DFSchema, found: &mut Needed) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part {
                    // One that is not there belongs to a query further out.
                    found.extend(schema.maybe_index_of_column(column));
                }
                Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}
