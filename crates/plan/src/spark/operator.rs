//! Operators that give the same in Spark, by the types of their operands.
//!
//! ```text
//! bigint / bigint     a DIV b: Spark's `/` makes a double of it
//! decimal / decimal   refused: Spark keeps another scale
//! double = double     refused: -0.0 and 0.0 are one value in Spark and two here
//! ```

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::literal::{is_text, spark_type};
use super::relation::{Printer, Scope};
use super::{Outcome, SparkError};

const DECIMAL_PRECISION_MAX: u8 = 38;

impl Printer {
    pub(super) fn binary(&mut self, binary: &BinaryExpr, scope: Scope<'_>) -> Outcome<String> {
        let BinaryExpr { left, op, right } = binary;
        let types = (left.get_type(scope.schema)?, right.get_type(scope.schema)?);
        let sign = sign(binary, &types, scope.schema)?;
        let (left, right) = (self.expression(left, scope)?, self.expression(right, scope)?);
        let text = format!("({left} {sign} {right})");
        // DIV of integers is a bigint.
        Ok(if *op == Operator::Divide && types.0 == DataType::Int32 { format!("CAST({text} AS INT)") } else { text })
    }
}

fn sign(binary: &BinaryExpr, types: &(DataType, DataType), schema: &DFSchema) -> Outcome<&'static str> {
    let BinaryExpr { left, op, right } = binary;
    let refuse = || {
        let (left, right) = types;
        Err(SparkError::unequal(format!("`{op}` of the types `{left}` and `{right}`")))
    };
    let is_number = matches!(types.0, DataType::Int32 | DataType::Int64 | DataType::Float64) && types.0 == types.1;
    let is_integer = is_number && types.0 != DataType::Float64;
    Ok(match op {
        Operator::Eq => comparison("=", left, right, schema)?,
        Operator::NotEq => comparison("<>", left, right, schema)?,
        Operator::Lt => comparison("<", left, right, schema)?,
        Operator::LtEq => comparison("<=", left, right, schema)?,
        Operator::Gt => comparison(">", left, right, schema)?,
        Operator::GtEq => comparison(">=", left, right, schema)?,
        Operator::IsDistinctFrom => comparison("IS DISTINCT FROM", left, right, schema)?,
        Operator::IsNotDistinctFrom => comparison("IS NOT DISTINCT FROM", left, right, schema)?,
        Operator::And => "AND",
        Operator::Or => "OR",
        Operator::Plus if is_number || is_same_decimal(binary, types, schema)? => "+",
        Operator::Minus if is_number || is_same_decimal(binary, types, schema)? => "-",
        Operator::Multiply if is_number || is_same_decimal(binary, types, schema)? => "*",
        Operator::Divide if is_integer => "DIV",
        Operator::Divide if is_number => "/",
        Operator::Modulo if is_integer => "%",
        Operator::StringConcat if is_text(&types.0) && is_text(&types.1) => "||",
        _ => return refuse(),
    })
}

/// Whether Spark gives the result of an operator on decimals the type that it has here.
fn is_same_decimal(binary: &BinaryExpr, types: &(DataType, DataType), schema: &DFSchema) -> Outcome<bool> {
    let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = types else { return Ok(false) };
    let digits = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
    let (precision, scale) = match binary.op {
        Operator::Plus | Operator::Minus => {
            let scale = *s1.max(s2);
            (digits(*p1, *s1).max(digits(*p2, *s2)) + i16::from(scale) + 1, i16::from(scale))
        }
        Operator::Multiply => (i16::from(*p1) + i16::from(*p2) + 1, i16::from(*s1) + i16::from(*s2)),
        _ => return Ok(false),
    };
    if precision > i16::from(DECIMAL_PRECISION_MAX) {
        return Ok(false);
    }
    let given = Expr::BinaryExpr(binary.clone()).get_type(schema)?;
    Ok(matches!(given, DataType::Decimal128(p, s) if (i16::from(p), i16::from(s)) == (precision, scale)))
}

/// A comparison of values of one type.
pub(super) fn comparison<'s>(sign: &'s str, left: &Expr, right: &Expr, schema: &DFSchema) -> Outcome<&'s str> {
    let (of_left, of_right) = (left.get_type(schema)?, right.get_type(schema)?);
    let is_one_type =
        of_left == of_right || is_text(&of_left) && is_text(&of_right) || of_left.is_null() || of_right.is_null();
    if !is_one_type {
        return Err(SparkError::unequal(format!("`{sign}` of the types `{of_left}` and `{of_right}`")));
    }
    if of_left == DataType::Float64 {
        // Of a column, whose values are as they were read, only what lies on either side of a number that is not zero.
        let (column, number) = if matches!(left, Expr::Literal(_, _)) { (right, left) } else { (left, right) };
        if !(matches!(column, Expr::Column(_)) && is_number_but_zero(number)) {
            return Err(SparkError::unequal(format!(
                "`{sign}` of doubles, except of a column and a number that is not zero,"
            )));
        }
        return Ok(sign);
    }
    if !of_left.is_null() {
        must_compare(left, schema, &format!("`{sign}`"))?;
    }
    Ok(sign)
}

fn is_number_but_zero(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Float64(Some(number)), _) if *number != 0.0 && number.is_finite())
}

/// Whether equal values and their order are the same in Spark.
pub(super) fn must_compare(expr: &Expr, schema: &DFSchema, by: &str) -> Outcome<()> {
    let data_type = expr.get_type(schema)?;
    match data_type {
        DataType::Float64 => Err(SparkError::unequal(format!("{by} of doubles"))),
        DataType::List(_) => Err(SparkError::unequal(format!("{by} of lists"))),
        other => spark_type(&other).map(drop),
    }
}
