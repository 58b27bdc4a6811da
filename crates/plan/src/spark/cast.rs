//! Casts that give the same in Spark with `spark.sql.ansi.enabled`.
//!
//! A literal is cast here, and written in its new type.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::literal::{is_text, literal, spark_type};
use super::relation::{Printer, Scope};
use super::{Outcome, SparkError};

/// What may become of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is of the type already.
    Same,
    /// Each value has one.
    Total,
    /// A value that has none is an error, here and in Spark.
    Partial,
}

impl Printer {
    /// CAST, or TRY_CAST of what every value has.
    pub(super) fn cast(&mut self, inner: &Expr, to: &DataType, is_try: bool, scope: Scope<'_>) -> Outcome<String> {
        if let Expr::Literal(value, _) = inner.clone().unalias() {
            let Ok(cast) = value.cast_to(to) else {
                return Err(SparkError::unequal(format!("a literal that cannot be cast to `{to}`")));
            };
            return literal(&cast);
        }
        let from = inner.get_type(scope.schema)?;
        let verb = if is_try { "TRY_CAST" } else { "CAST" };
        let refuse = || Err(SparkError::unequal(format!("{verb} of the type `{from}` to `{to}`")));
        match kind(&from, to) {
            Some(Kind::Same) => self.expression(inner, scope),
            Some(Kind::Partial) if is_try => refuse(),
            Some(Kind::Total | Kind::Partial) => {
                Ok(format!("CAST({} AS {})", self.expression(inner, scope)?, spark_type(to)?))
            }
            None => refuse(),
        }
    }
}

/// The allow-list of casts.
fn kind(from: &DataType, to: &DataType) -> Option<Kind> {
    use DataType::{Boolean, Date32, Decimal128, Float64, Int32, Int64, Timestamp};
    let whole_digits = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
    match (from, to) {
        _ if from == to || is_text(from) && is_text(to) => Some(Kind::Same),
        (Int32, Int64) | (Int32 | Int64, Float64) => Some(Kind::Total),
        (Int64, Int32) => Some(Kind::Partial),
        (Int32, Decimal128(p, s)) if whole_digits(*p, *s) >= 10 => Some(Kind::Total),
        (Int64, Decimal128(p, s)) if whole_digits(*p, *s) >= 19 => Some(Kind::Total),
        (Decimal128(p1, s1), Decimal128(p2, s2)) if s2 >= s1 && whole_digits(*p2, *s2) >= whole_digits(*p1, *s1) => {
            Some(Kind::Total)
        }
        // Both numbers of the quotient are exact doubles, so it is rounded once.
        (Decimal128(p, s), Float64) if *p <= 15 && *s >= 0 => Some(Kind::Total),
        (Boolean, Int32 | Int64) => Some(Kind::Total),
        (Int32 | Int64 | Boolean | Date32, text) if is_text(text) => Some(Kind::Total),
        (Date32, Timestamp(_, Some(_))) | (Timestamp(_, Some(_)), Date32) => Some(Kind::Total),
        _ => None,
    }
}
