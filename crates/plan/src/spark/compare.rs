//! What was written, read again, must have the plan's columns and touch the same columns of the same tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, TableScan};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use lockgate_model::{Mask, Protection};

use super::literal::is_text;
use super::references::subquery_of;
use super::{Outcome, SparkError, typed};
use crate::protect_function::ProtectFunction;
use crate::table::{ROW_ID, Reading, planned_here};

/// Fails if the text that `read` was read from does not say `plan`.
pub(super) fn compare(plan: &LogicalPlan, read: &LogicalPlan) -> Outcome<()> {
    let read = typed(read)?;
    let (own, given) = (plan.schema().fields(), read.schema().fields());
    if own.len() != given.len() {
        return Err(SparkError::Differs(format!("{} columns instead of {}", given.len(), own.len())));
    }
    for (own, given) in own.iter().zip(given) {
        if own.name() != given.name() {
            return Err(SparkError::Differs(format!("column `{}` instead of `{}`", given.name(), own.name())));
        }
        if !is_one_type(own.data_type(), given.data_type()) {
            let (is, should_be) = (given.data_type(), own.data_type());
            return Err(SparkError::Differs(format!("column `{}` is `{is}` instead of `{should_be}`", own.name())));
        }
    }
    let (own, given) = (touched(&unguarded(plan)?)?, touched(&read)?);
    match own.symmetric_difference(&given).next() {
        None => Ok(()),
        Some((table, column)) if own.contains(&(table.clone(), column.clone())) => {
            Err(SparkError::Differs(format!("`{table}.{column}` is not read")))
        }
        Some((table, column)) => Err(SparkError::Differs(format!("`{table}.{column}` is read"))),
    }
}

/// Fails if the text is something else than row ids.
pub(super) fn must_be_row_ids(read: &LogicalPlan) -> Outcome<()> {
    match read.schema().fields().as_ref() {
        [field] if field.name() == ROW_ID && *field.data_type() == DataType::Int64 => Ok(()),
        _ => Err(SparkError::Differs("the rows of a relation are no row ids".into())),
    }
}

fn is_one_type(a: &DataType, b: &DataType) -> bool {
    a == b || is_text(a) && is_text(b)
}

/// The plan with what is behind each guard in the guard's place, and nothing read for what is masked to null.
fn unguarded(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let opened = plan.clone().transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) => open(scan).map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    });
    let nulled = opened.data()?.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(without_nulled)?.update_data(|expr| name.restore(expr)))
        })
    });
    nulled.data()
}

fn without_nulled(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else { return Ok(Transformed::no(expr)) };
    match call.func.inner().downcast_ref::<ProtectFunction>().map(ProtectFunction::protection) {
        Some(Protection::Mask(Mask::Null)) => {
            let null = ScalarValue::try_new_null(&call.func.return_type(&[])?)?;
            Ok(Transformed::yes(Expr::Literal(null, None)))
        }
        _ => Ok(Transformed::no(expr)),
    }
}

fn open(scan: TableScan) -> Result<LogicalPlan> {
    let Some(source) = planned_here(&scan.source) else {
        return Err(DataFusionError::Plan(format!("`{}` was not planned here", scan.table_name)));
    };
    let Some(guard) = &source.table.guard else { return Ok(LogicalPlan::TableScan(scan)) };
    let inside = guard.plan.schema().columns();
    let shown = match source.reading {
        Reading::WithRowIds => inside.len(),
        Reading::Plain | Reading::AsAWhole(_) => inside.len().saturating_sub(1),
    };
    let columns = inside.into_iter().take(shown).map(|column: Column| {
        let name = column.name.clone();
        Expr::Column(column).alias(name)
    });
    let plan = LogicalPlanBuilder::from(guard.plan.clone()).project(columns)?.build()?;
    Ok(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(plan), scan.table_name)?))
}

/// The columns of tables that a plan cannot do without.
fn touched(plan: &LogicalPlan) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    find_touched(plan, &mut found)?;
    Ok(found)
}

/// Each subquery by itself, since the optimizer leaves those within others as they are.
fn find_touched(plan: &LogicalPlan, found: &mut BTreeSet<(String, String)>) -> Result<()> {
    let optimizer = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
    let pruned = optimizer.optimize(plan.clone(), &OptimizerContext::new(), |_, _| {})?;
    pruned.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(source) = planned_here(&scan.source)
        {
            let columns = scan.projected_schema.fields().iter();
            found.extend(columns.map(|field| (source.table.dataset.to_string(), field.name().clone())));
        }
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                subquery_of(part).map_or(Ok(()), |subquery| find_touched(subquery, found))?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}
