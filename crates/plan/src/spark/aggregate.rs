//! The allow-list of aggregates, and sets of row ids.
//!
//! ```text
//! lockgate_rows(id)     CASE WHEN no id THEN NULL WHEN more than the cap THEN array(NULL, min, max) ELSE array_sort(..) END
//! lockgate_rows(list)   the same of the lists' elements; one list that is a covering range makes one of all
//! ```
//! The whole set of a group is in memory before it is capped; Spark has no aggregate that stops at a cap.

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::literal::spark_type;
use super::operator::must_compare;
use super::relation::{Printer, Scope};
use super::{Outcome, SparkError};
use crate::provenance::{PROVENANCE_IDS_PER_GROUP_MAX, ROWS};

impl Printer {
    /// An expression of an aggregate's node.
    pub(super) fn aggregate_call(&mut self, expr: &Expr, scope: Scope<'_>) -> Outcome<String> {
        let plain = expr.clone().unalias();
        let Expr::AggregateFunction(call) = &plain else {
            return Err(SparkError::unequal("an aggregate that is no function"));
        };
        let (name, params) = (call.func.name(), &call.params);
        let [argument] = params.args.as_slice() else {
            return Err(SparkError::unequal(format!("`{name}` of other than one argument")));
        };
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(SparkError::unequal(format!("`{name}` with an order or a treatment of nulls")));
        }
        if name == ROWS {
            let text = self.expression(argument, scope)?;
            return Ok(match argument.get_type(scope.schema)? {
                DataType::Int64 => rows_of_ids(&text),
                _ => rows_of_lists(&text),
            });
        }
        must_aggregate(call, argument, scope)?;
        let distinct = if params.distinct { "DISTINCT " } else { "" };
        let mut text = format!("{name}({distinct}{})", self.expression(argument, scope)?);
        if let Some(filter) = &params.filter {
            text.push_str(&format!(" FILTER (WHERE {})", self.expression(filter, scope)?));
        }
        Ok(text)
    }
}

/// Refuses by its name what is not equal in Spark.
fn must_aggregate(call: &AggregateFunction, argument: &Expr, scope: Scope<'_>) -> Outcome<()> {
    let name = call.func.name();
    let of = argument.get_type(scope.schema)?;
    let is_allowed = match name {
        "count" => true,
        "sum" => match of {
            DataType::Int64 => true,
            DataType::Float64 => !call.params.distinct,
            DataType::Decimal128(precision, _) => precision <= 28,
            _ => false,
        },
        "avg" => of == DataType::Float64 && !call.params.distinct,
        "min" | "max" => of != DataType::Float64,
        "bool_and" | "bool_or" => of == DataType::Boolean,
        _ => return Err(SparkError::unequal(format!("`{name}`"))),
    };
    if !is_allowed {
        return Err(SparkError::unequal(format!("`{name}` of the type `{of}`")));
    }
    let compares = call.params.distinct || matches!(name, "min" | "max");
    if compares {
        must_compare(argument, scope.schema, &format!("`{name}`"))?;
    }
    spark_type(&Expr::AggregateFunction(call.clone()).get_type(scope.schema)?).map(drop)
}

fn rows_of_ids(id: &str) -> String {
    let set = format!("collect_set({id})");
    format!(
        "CASE WHEN (count({id}) = 0L) THEN CAST(NULL AS ARRAY<BIGINT>)\n  \
         WHEN (size({set}) > {PROVENANCE_IDS_PER_GROUP_MAX}) THEN array(CAST(NULL AS BIGINT), min({id}), max({id}))\n  \
         ELSE array_sort({set}) END"
    )
}

fn rows_of_lists(list: &str) -> String {
    let set = format!("array_distinct(flatten(collect_list({list})))");
    let is_covering = format!("bool_or((({list} IS NOT NULL) AND (element_at({list}, 1) IS NULL)))");
    format!(
        "CASE WHEN (count({list}) = 0L) THEN CAST(NULL AS ARRAY<BIGINT>)\n  \
         WHEN ({is_covering} OR (size({set}) > {PROVENANCE_IDS_PER_GROUP_MAX})) \
         THEN array(CAST(NULL AS BIGINT), min(array_min({list})), max(array_max({list})))\n  \
         ELSE array_sort({set}) END"
    )
}
