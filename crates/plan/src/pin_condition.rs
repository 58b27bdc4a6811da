//! A condition that names no column stays where it was written.
//!
//! ```text
//! Filter: 4 <= (SELECT count(*) FROM t)         one row or none
//!   Aggregate: [], [max(x)]
//! ```
//! DataFusion 55.2 moves such a condition below the aggregate, which then gives a row for no rows. Pinned to a column of its
//! input, `lockgate_pin(4 <= (..), max(x))`, it moves only with that column.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Filter, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Pins the conditions of a plan, those of its subqueries included.
pub(crate) fn pin_conditions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let pinned = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(filter) => {
            let predicate = pin_condition(filter.predicate.clone(), &filter.input)?;
            Filter::try_new(predicate, filter.input).map(LogicalPlan::Filter).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(pinned.data)
}

/// Pins the parts of a condition that name no column of their input and hold a scalar subquery.
fn pin_condition(condition: Expr, input: &LogicalPlan) -> Result<Expr> {
    let Some(column) = input.schema().columns().into_iter().next() else { return Ok(condition) };
    let mut parts = Vec::new();
    for part in split_conjunction(&condition) {
        let is_free = part.column_refs().is_empty() && has_scalar_subquery(part)?;
        parts.push(match is_free {
            true => pin_function().call(vec![part.clone(), Expr::Column(column.clone())]),
            false => part.clone(),
        });
    }
    Ok(conjunction(parts).unwrap_or(condition))
}

/// Whether a part holds a scalar subquery and no other: those become joins, which stay where they are.
fn has_scalar_subquery(expr: &Expr) -> Result<bool> {
    let is_scalar = expr.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_))))?;
    let is_other = |part: &Expr| Ok(matches!(part, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)));
    Ok(is_scalar && !expr.exists(is_other)?)
}

/// Whether a function is the pin: its first argument is the condition.
pub(crate) fn is_pin(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<Pin>().is_some()
}

fn pin_function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Pin { signature: Signature::any(2, Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Pin {
    signature: Signature,
}

impl ScalarUDFImpl for Pin {
    fn name(&self) -> &str {
        "lockgate_pin"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [condition, _] => Ok(condition.clone()),
            _ => plan_err!("a condition is pinned to one column"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.into_iter().next() {
            Some(condition) => Ok(condition),
            None => plan_err!("a condition is pinned to one column"),
        }
    }
}
