//! The only predicates of a query that may be evaluated on rows that its asker may not see: they can't fail, take no time
//! that depends on a value's meaning, and are of one clear column.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether an expression is a comparison of one column with literals, and that column is among the clear ones.
pub(crate) fn is_leak_proof(expr: &Expr, is_clear: &dyn Fn(&str) -> bool) -> bool {
    let clear_column = |expr: &Expr| matches!(expr, Expr::Column(column) if is_clear(&column.name));
    let literal = |expr: &Expr| matches!(expr, Expr::Literal(_, _));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compares(*op) && (clear_column(left) && literal(right) || literal(left) && clear_column(right))
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => clear_column(inner),
        Expr::InList(list) => clear_column(&list.expr) && list.list.iter().all(literal),
        Expr::Between(between) => clear_column(&between.expr) && literal(&between.low) && literal(&between.high),
        _ => false,
    }
}

fn compares(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn only_comparisons_of_a_clear_column_with_literals_are_leak_proof() {
        let is_clear = |name: &str| name == "city";
        for yes in [
            col("city").eq(lit("Bern")),
            lit("Bern").lt(col("city")),
            col("city").is_null(),
            col("city").in_list(vec![lit("Bern"), lit("Oslo")], true),
            col("city").between(lit("A"), lit("B")),
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
