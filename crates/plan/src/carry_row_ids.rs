//! Every row of a row-wise plan keeps the row id of the one source row that it was made from.
//!
//! ```text
//! before                              after
//! Projection: lower(email)            Projection: lower(email), c.__lockgate_rid
//!   Filter: city = 'Bern'               Filter: city = 'Bern'
//!     SubqueryAlias: c                    SubqueryAlias: c
//!       TableScan: customers                TableScan: customers [.., __lockgate_rid]
//! ```
//! The row id is always the last column. A join, an aggregate or a DISTINCT would make one row of several; such a plan
//! has no such column and is refused before this.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, SubqueryAlias, TableScanBuilder, Union};

use crate::table::{SchemaOnly, table_of};

/// Adds the row id as the last column of a plan that classification accepted.
pub(crate) fn carry_row_ids(plan: &LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let input = carry_row_ids(&projection.input)?;
            let mut expressions = projection.expr.clone();
            expressions.push(last_column(&input)?);
            Projection::try_new(expressions, Arc::new(input)).map(LogicalPlan::Projection)
        }
        LogicalPlan::Filter(filter) => {
            let input = carry_row_ids(&filter.input)?;
            Filter::try_new(filter.predicate.clone(), Arc::new(input)).map(LogicalPlan::Filter)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = carry_row_ids(&alias.input)?;
            SubqueryAlias::try_new(Arc::new(input), alias.alias.clone()).map(LogicalPlan::SubqueryAlias)
        }
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter().map(|input| carry_row_ids(input).map(Arc::new)).collect::<Result<_>>()?;
            Union::try_new_with_loose_types(inputs).map(LogicalPlan::Union)
        }
        LogicalPlan::TableScan(scan) => match table_of(&scan.source) {
            Some(table) => {
                let source = Arc::new(SchemaOnly::with_row_ids(table));
                TableScanBuilder::new(scan.table_name.clone(), source).build().map(LogicalPlan::TableScan)
            }
            None => plan_err!("a scan of a table from elsewhere carries no row ids"),
        },
        LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => plan_err!("{} carries no row ids", plan.display()),
    }
}

/// The row id's column of a plan that carries one.
pub(crate) fn last_column(plan: &LogicalPlan) -> Result<Expr> {
    let last = plan.schema().columns().pop();
    last.map(Expr::Column).ok_or_else(|| DataFusionError::Plan("a plan without columns carries no row ids".into()))
}
