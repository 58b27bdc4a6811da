//! The only predicates of a query that may be evaluated on rows that its asker may not see: they can't fail, take no time
//! that depends on a value's meaning, and are of clear columns.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether an expression is made of comparisons of a column with literals, each column among the clear ones.
pub(crate) fn is_leak_proof(expr: &Expr, is_clear: &dyn Fn(&str) -> bool) -> bool {
    let clear_column = |expr: &Expr| matches!(expr, Expr::Column(column) if is_clear(&column.name));
    let literal = |expr: &Expr| matches!(expr, Expr::Literal(_, _));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            is_leak_proof(left, is_clear) && is_leak_proof(right, is_clear)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compares(*op) && (clear_column(left) && literal(right) || literal(left) && clear_column(right))
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => clear_column(inner),
        Expr::InList(list) => clear_column(&list.expr) && list.list.iter().all(literal),
        Expr::Between(between) => clear_column(&between.expr) && literal(&between.low) && literal(&between.high),
        _ => false,
    }
}

/// Whether evaluating a policy's condition could fail on some row. Where it could, the engine must not evaluate anything of
/// the query before it: which rows make it fail would tell of them.
pub(crate) fn can_fail(condition: &Expr) -> bool {
    let any = |parts: &[&Expr]| parts.iter().any(|part| can_fail(part));
    match condition {
        Expr::Column(_) | Expr::Literal(_, _) => false,
        Expr::Not(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => can_fail(inner),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            !(compares(*op) || matches!(op, Operator::And | Operator::Or)) || any(&[left, right])
        }
        Expr::Between(between) => any(&[&between.expr, &between.low, &between.high]),
        Expr::InList(list) => can_fail(&list.expr) || list.list.iter().any(can_fail),
        // It is computed once, whatever the rows are.
        Expr::Cast(cast) => !matches!(cast.expr.as_ref(), Expr::Literal(_, _)),
        Expr::ScalarFunction(call) => !NEVER_FAIL.contains(&call.name()) || call.args.iter().any(can_fail),
        // Casts, arithmetic and patterns can; so can subqueries, which hold them.
        _ => true,
    }
}

/// Functions that have a value for every text.
const NEVER_FAIL: [&str; 7] = ["lower", "upper", "btrim", "ltrim", "rtrim", "starts_with", "ends_with"];

fn compares(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn a_condition_that_is_not_known_never_to_fail_can() {
        let upper = datafusion::functions::string::expr_fn::upper(col("city"));
        for never in [
            col("city").eq(lit("Bern")).or(col("city").is_null()).and(!col("is_open")),
            upper.clone().eq(lit("BERN")),
            col("city").in_list(vec![lit("Bern")], false),
            col("age").between(lit(1), lit(2)),
            lit(true),
        ] {
            assert!(!can_fail(&never), "{never}");
        }
        for may in [
            (lit(1) / col("age")).gt(lit(0)),
            datafusion::prelude::cast(col("city"), arrow::datatypes::DataType::Int64).eq(lit(1)),
            datafusion::functions::datetime::expr_fn::to_date(vec![col("city")]).is_null(),
            upper.like(lit("B%")),
            col("city").is_null().and((col("age") + lit(1)).gt(lit(0))),
        ] {
            assert!(can_fail(&may), "{may}");
        }
    }

    #[test]
    fn only_comparisons_of_clear_columns_with_literals_are_leak_proof() {
        let is_clear = |name: &str| name == "city";
        for yes in [
            col("city").eq(lit("Bern")),
            lit("Bern").lt(col("city")),
            col("city").is_null(),
            col("city").in_list(vec![lit("Bern"), lit("Oslo")], true),
            col("city").between(lit("A"), lit("B")),
            col("city").eq(lit("Bern")).or(col("city").eq(lit("Oslo")).and(col("city").is_not_null())),
        ] {
            assert!(is_leak_proof(&yes, &is_clear), "{yes}");
        }
        for no in [
            col("email").eq(lit("a@example.com")),
            col("city").eq(col("city")),
            col("city").like(lit("B%")),
            (lit(100) / (col("city") - lit(4))).gt(lit(0)),
            col("city").eq(lit("Bern")).or(col("email").is_null()),
            datafusion::prelude::cast(col("city"), arrow::datatypes::DataType::Int64).eq(lit(1)),
        ] {
            assert!(!is_leak_proof(&no, &is_clear), "{no}");
        }
    }
}
