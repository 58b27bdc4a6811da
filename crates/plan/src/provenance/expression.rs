//! Subqueries in expressions: what their values were made from, or which relations they read as a whole.
//!
//! A scalar subquery in SELECT gives a value, so the rows behind it are named beside the others, by a second subquery that
//! differs in what it selects:
//! ```text
//! (SELECT max(o.total) FROM orders o WHERE o.customer = c.id)
//! (SELECT lockgate_rows(o.__lockgate_rid) FROM orders o WHERE o.customer = c.id) AS __lockgate_rid_4
//! ```
//! Everywhere else (conditions, keys, EXISTS, IN) a subquery decides, by rows that are there and by rows that are not: its
//! relations count as a whole.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Subquery, SubqueryAlias, TableScanBuilder};

use super::carry::{Carrier, Carrying, RowShape, SourceRelation};
use crate::table::{ROW_ID, SchemaOnly, table_of};

/// Expressions with what the subqueries in them contribute.
pub(super) struct Subqueries {
    pub(super) expressions: Vec<Expr>,
    /// The rows behind each scalar subquery, by one more expression for each of its sources.
    pub(super) carriers: Vec<(Expr, Carrier)>,
    pub(super) shape: RowShape,
}

impl Carrying {
    /// The expressions of a SELECT list.
    pub(super) fn subqueries(&mut self, expressions: &[Expr]) -> Result<Subqueries> {
        let mut found = Subqueries { expressions: Vec::new(), carriers: Vec::new(), shape: RowShape::RowByRow };
        for expression in expressions {
            expression.apply(|part| {
                if let Expr::ScalarSubquery(subquery) = part {
                    found.carriers.extend(self.rows_behind(subquery)?);
                    found.shape = RowShape::Many;
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
            let before = self.relations.len();
            let whole = transform_subqueries(expression.clone(), &mut |subquery, is_value| {
                if is_value { Ok(subquery) } else { whole_subquery(subquery, &mut self.relations) }
            })?;
            if self.relations.len() > before {
                found.shape = found.shape.max(RowShape::OneSource);
            }
            found.expressions.push(whole);
        }
        Ok(found)
    }

    fn rows_behind(&mut self, subquery: &Subquery) -> Result<Vec<(Expr, Carrier)>> {
        let carried = self.plan(&subquery.subquery)?;
        let mut found = Vec::new();
        for carrier in carried.carriers {
            let column = vec![Expr::Column(carrier.column.clone())];
            let plan = Projection::try_new(column, Arc::new(carried.plan.clone()))?;
            let rows = subquery.with_plan(Arc::new(LogicalPlan::Projection(plan)));
            let name = self.name();
            let carrier = Carrier { column: Column::new_unqualified(name), ..carrier };
            found.push((Expr::ScalarSubquery(rows), carrier));
        }
        Ok(found)
    }
}

/// An expression whose subqueries are all read as a whole.
pub(super) fn read_as_a_whole(expression: Expr, relations: &mut Vec<SourceRelation>) -> Result<Expr> {
    transform_subqueries(expression, &mut |subquery, _| whole_subquery(subquery, relations))
}

fn whole_subquery(subquery: Subquery, relations: &mut Vec<SourceRelation>) -> Result<Subquery> {
    let plan = whole_plan(subquery.subquery.as_ref().clone(), relations)?;
    Ok(subquery.with_plan(Arc::new(plan)))
}

/// A plan all of whose relations, those of its subqueries included, are read as a whole.
pub(super) fn whole_plan(plan: LogicalPlan, relations: &mut Vec<SourceRelation>) -> Result<LogicalPlan> {
    let marked = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(Transformed::no(node)) };
        let Some(table) = table_of(&scan.source) else {
            return plan_err!("a scan of a table from elsewhere carries no row ids");
        };
        let relation = relations.len();
        relations.push(SourceRelation { dataset: table.dataset.clone(), is_listed: false });
        // Under a name of its own: the engine takes two subqueries that read alike for one, and would run the other.
        let source = Arc::new(SchemaOnly::read_as_a_whole(table, relation));
        let read = TableScanBuilder::new(format!("{ROW_ID}_whole_{relation}"), source).build()?;
        let named = SubqueryAlias::try_new(Arc::new(LogicalPlan::TableScan(read)), scan.table_name)?;
        Ok(Transformed::yes(LogicalPlan::SubqueryAlias(named)))
    })?;
    Ok(marked.data)
}

/// Rewrites each subquery of an expression; `true` for one that gives a value.
fn transform_subqueries(expression: Expr, rewrite: &mut dyn FnMut(Subquery, bool) -> Result<Subquery>) -> Result<Expr> {
    let rewritten = expression.transform_up(|part| {
        Ok(match part {
            Expr::ScalarSubquery(subquery) => Transformed::yes(Expr::ScalarSubquery(rewrite(subquery, true)?)),
            Expr::Exists(mut exists) => {
                exists.subquery = rewrite(exists.subquery, false)?;
                Transformed::yes(Expr::Exists(exists))
            }
            Expr::InSubquery(mut within) => {
                within.subquery = rewrite(within.subquery, false)?;
                Transformed::yes(Expr::InSubquery(within))
            }
            Expr::SetComparison(mut comparison) => {
                comparison.subquery = rewrite(comparison.subquery, false)?;
                Transformed::yes(Expr::SetComparison(comparison))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(rewritten.data)
}
