//! The allow-list of scalar functions: each with the arguments for which Spark gives the same.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::expression::text_of;
use super::literal::{is_text, spark_type, text_literal};
use super::operator::comparison;
use super::relation::{Printer, Scope};
use super::{Outcome, SparkError};

/// The functions of governed SQL that are written in Spark SQL, sorted. `docs/spark.md` says with which arguments.
pub const SPARK_FUNCTIONS: &[&str] = &[
    "abs",
    "ascii",
    "btrim",
    "character_length",
    "coalesce",
    "concat",
    "contains",
    "date_part",
    "date_trunc",
    "ends_with",
    "greatest",
    "least",
    "left",
    "lower",
    "ltrim",
    "make_date",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "upper",
];

/// The longest text that `repeat` may ask for, in repetitions.
const REPEAT_MAX: i64 = 65_536;

/// Parts of a date or instant, with Spark's function for each.
const PARTS: &[(&str, &str)] = &[
    ("day", "dayofmonth"),
    ("doy", "dayofyear"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("month", "month"),
    ("quarter", "quarter"),
    ("second", "second"),
    ("week", "weekofyear"),
    ("year", "year"),
];

/// What instants are cut to.
const UNITS: &[&str] = &["year", "quarter", "month", "week", "day", "hour", "minute", "second"];

impl Printer {
    pub(super) fn function(&mut self, call: &ScalarFunction, scope: Scope<'_>) -> Outcome<String> {
        let name = call.func.name();
        let refuse = || Err(SparkError::unequal(format!("`{name}` with these arguments")));
        if SPARK_FUNCTIONS.binary_search(&name).is_err() {
            return Err(SparkError::unequal(format!("`{name}`")));
        }
        spark_type(&Expr::ScalarFunction(call.clone()).get_type(scope.schema)?)?;
        let types = call.args.iter().map(|arg| arg.get_type(scope.schema)).collect::<Result<Vec<_>, _>>()?;
        let texts = types.iter().all(is_text);
        match (name, call.args.as_slice()) {
            ("upper" | "lower" | "reverse" | "ltrim" | "rtrim" | "ascii" | "octet_length", [_]) if texts => {
                self.call(name, &call.args, scope)
            }
            ("btrim", [_]) if texts => self.call("trim", &call.args, scope),
            ("character_length", [_]) if texts => self.call("char_length", &call.args, scope),
            ("starts_with", [_, _]) if texts => self.call("startswith", &call.args, scope),
            ("ends_with", [_, _]) if texts => self.call("endswith", &call.args, scope),
            ("contains", [_, _]) if texts => self.call(name, &call.args, scope),
            ("strpos", [_, sought]) if texts && is_some_text(sought) => self.call("instr", &call.args, scope),
            ("replace", [_, sought, _]) if texts && is_some_text(sought) => self.call(name, &call.args, scope),
            ("concat", args) if texts && !args.is_empty() => self.concat(args, scope),
            ("abs", [_]) if matches!(types.first(), Some(number) if is_number(number)) => {
                self.call(name, &call.args, scope)
            }
            ("coalesce", [_, ..]) | ("nvl", [_, _]) => self.call("coalesce", &call.args, scope),
            ("nvl2", [tested, there, absent]) => {
                let (tested, there) = (self.expression(tested, scope)?, self.expression(there, scope)?);
                let absent = self.expression(absent, scope)?;
                Ok(format!("CASE WHEN ({tested} IS NOT NULL) THEN {there} ELSE {absent} END"))
            }
            ("nullif", [a, b]) => {
                comparison("nullif", a, b, scope.schema)?;
                self.call(name, &call.args, scope)
            }
            ("greatest" | "least", [first, _, ..]) => {
                for other in &call.args {
                    super::operator::must_compare(other, scope.schema, name)?;
                    comparison(name, first, other, scope.schema)?;
                }
                self.call(name, &call.args, scope)
            }
            ("make_date", [_, _, _]) if types.iter().all(|part| *part == DataType::Int32) => {
                self.call(name, &call.args, scope)
            }
            ("date_part", [part, value]) => self.date_part(part, value, scope),
            ("date_trunc", [unit, value]) => self.date_trunc(unit, value, scope),
            ("left" | "right" | "repeat" | "substr" | "split_part", [text, ..])
                if is_text(&text.get_type(scope.schema)?) =>
            {
                self.with_numbers(name, call, scope)
            }
            _ => refuse(),
        }
    }

    fn call(&mut self, name: &str, args: &[Expr], scope: Scope<'_>) -> Outcome<String> {
        let args = args.iter().map(|arg| self.expression(arg, scope)).collect::<Outcome<Vec<_>>>()?;
        Ok(format!("{name}({})", args.join(", ")))
    }

    /// Functions whose numbers are literals: negative ones mean something else in Spark.
    fn with_numbers(&mut self, name: &str, call: &ScalarFunction, scope: Scope<'_>) -> Outcome<String> {
        let refuse = || Err(SparkError::unequal(format!("`{name}` with these arguments")));
        let numbers: Vec<Option<i64>> = call.args.iter().skip(1).map(number_of).collect();
        let Some(text) = call.args.first() else { return refuse() };
        let text = self.expression(text, scope)?;
        let small = 0..=i64::from(i32::MAX);
        match (name, numbers.as_slice()) {
            ("left" | "right", [Some(count)]) if small.contains(count) => Ok(format!("{name}({text}, {count})")),
            ("repeat", [Some(count)]) if (0..=REPEAT_MAX).contains(count) => Ok(format!("repeat({text}, {count})")),
            ("substr", [Some(start)]) if *start >= 1 && small.contains(start) => Ok(format!("substr({text}, {start})")),
            ("substr", [Some(start), Some(length)])
                if *start >= 1 && small.contains(start) && small.contains(length) =>
            {
                Ok(format!("substr({text}, {start}, {length})"))
            }
            ("split_part", [None, Some(place)]) if *place >= 1 && small.contains(place) => {
                match call.args.get(1).and_then(text_of) {
                    Some(between) if !between.is_empty() => {
                        Ok(format!("split_part({text}, {}, {place})", text_literal(&between)?))
                    }
                    _ => refuse(),
                }
            }
            _ => refuse(),
        }
    }

    /// Here a null among the arguments is the empty text; in Spark it makes all of it null.
    fn concat(&mut self, args: &[Expr], scope: Scope<'_>) -> Outcome<String> {
        let part = |arg: &Expr| Ok(format!("coalesce({}, '')", self.expression(arg, scope)?));
        let parts = args.iter().map(part).collect::<Outcome<Vec<_>>>()?;
        Ok(format!("({})", parts.join(" || ")))
    }

    fn date_part(&mut self, part: &Expr, value: &Expr, scope: Scope<'_>) -> Outcome<String> {
        let refuse = |part: &str| Err(SparkError::unequal(format!("`date_part` of `{part}`")));
        let Some(part) = text_of(part).map(|part| part.to_ascii_lowercase()) else { return refuse("an expression") };
        let function = PARTS.iter().find(|(name, _)| *name == part);
        let is_of_day = matches!(part.as_str(), "hour" | "minute" | "second");
        match (function, value.get_type(scope.schema)?) {
            (Some((_, function)), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                self.call(function, std::slice::from_ref(value), scope)
            }
            (Some((_, function)), DataType::Date32) if !is_of_day => {
                self.call(function, std::slice::from_ref(value), scope)
            }
            _ => refuse(&part),
        }
    }

    fn date_trunc(&mut self, unit: &Expr, value: &Expr, scope: Scope<'_>) -> Outcome<String> {
        let unit = text_of(unit).map(|unit| unit.to_ascii_lowercase()).filter(|unit| UNITS.contains(&unit.as_str()));
        match (unit, value.get_type(scope.schema)?) {
            (Some(unit), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                Ok(format!("date_trunc('{}', {})", unit.to_ascii_uppercase(), self.expression(value, scope)?))
            }
            _ => Err(SparkError::unequal("`date_trunc` with these arguments")),
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64 | DataType::Float64)
}

/// Whether it is a literal that is not empty.
fn is_some_text(expr: &Expr) -> bool {
    text_of(expr).is_some_and(|text| !text.is_empty())
}

/// The number of a literal.
fn number_of(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        Expr::Literal(ScalarValue::Int32(number), _) => number.map(i64::from),
        Expr::Cast(cast) => number_of(&cast.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::ALLOWED_FUNCTIONS;

    #[test]
    fn the_list_is_sorted_and_part_of_what_is_governed() {
        assert!(SPARK_FUNCTIONS.is_sorted());
        let unknown: Vec<_> = SPARK_FUNCTIONS.iter().filter(|name| !ALLOWED_FUNCTIONS.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
