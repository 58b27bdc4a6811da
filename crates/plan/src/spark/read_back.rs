//! What was written, read by a parser and planned over tables without guards: its own words must say the plan.
//!
//! The functions are Spark's, by Spark's names, each as Lockgate computes it; a run of PySpark in the tests shows that Spark
//! computes the same. A name that is not written is not read either.

mod collect;
mod functions;

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{DFSchema, TableReference, not_impl_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, PlannerResult, RawBinaryExpr, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, BinaryExpr, Expr, HigherOrderUDF, LogicalPlan, Operator, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::{self, ArrayElemTypeDef, BinaryOperator, ExactNumberInfo, TimezoneInfo};
use datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use lockgate_model::DatasetName;

use super::{Outcome, SparkError};
use crate::provenance::row_set_type;
use crate::sql::parser_options;
use crate::table::{SchemaOnly, Table};

/// The longest text that is written, in bytes.
pub(super) const SPARK_SQL_BYTES_MAX: usize = 1024 * 1024;
/// How deep expressions and subqueries of a text may nest.
pub(super) const SPARK_SQL_DEPTH_MAX: usize = 200;

/// Plans a text over raw tables, whose last column is the row id.
pub(super) fn read(text: &str, tables: &BTreeMap<DatasetName, Arc<Table>>) -> Outcome<LogicalPlan> {
    if text.len() > SPARK_SQL_BYTES_MAX {
        return Err(SparkError::unequal(format!("a text of more than {SPARK_SQL_BYTES_MAX} bytes")));
    }
    let unread = |error: ParserError| match error {
        ParserError::RecursionLimitExceeded => {
            SparkError::unequal(format!("a text that nests more than {SPARK_SQL_DEPTH_MAX} levels deep"))
        }
        ParserError::ParserError(_) | ParserError::TokenizerError(_) => {
            SparkError::Differs(format!("it does not parse ({error})"))
        }
    };
    let parser = Parser::new(&SparkText).with_recursion_limit(SPARK_SQL_DEPTH_MAX);
    let statements = parser.try_with_sql(text).and_then(|mut parser| parser.parse_statements()).map_err(unread)?;
    let [statement] = statements.as_slice() else {
        return Err(SparkError::Differs("it is not one statement".into()));
    };
    let catalog = SparkCatalog::new(tables);
    Ok(SqlToRel::new_with_options(&catalog, parser_options()).sql_statement_to_plan(statement.clone())?)
}

/// The part of Spark's syntax that is written.
#[derive(Debug)]
struct SparkText;

impl Dialect for SparkText {
    /// `array(..)` is a function there, and not a subquery.
    fn dialect(&self) -> TypeId {
        TypeId::of::<DatabricksDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_ascii_alphanumeric() || ch == '_'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    /// `a DIV b`, always between parentheses.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &ast::Expr,
        _precedence: u8,
    ) -> Option<Result<ast::Expr, ParserError>> {
        parser.parse_keyword(Keyword::DIV).then(|| {
            let (left, right) = (Box::new(expr.clone()), Box::new(parser.parse_expr()?));
            Ok(ast::Expr::BinaryOp { left, op: BinaryOperator::MyIntegerDivide, right })
        })
    }
}

/// What a text may name: raw tables and Spark's functions.
struct SparkCatalog<'a> {
    tables: &'a BTreeMap<DatasetName, Arc<Table>>,
    options: ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl<'a> SparkCatalog<'a> {
    fn new(tables: &'a BTreeMap<DatasetName, Arc<Table>>) -> Self {
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(SparkOperators)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        Self { tables, options: ConfigOptions::default(), planners }
    }
}

impl ContextProvider for SparkCatalog<'_> {
    fn get_table_source(&self, name: TableReference) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let parts = [name.catalog(), name.schema(), Some(name.table())];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(".");
        match self.tables.get(text.as_str()) {
            Some(table) => Ok(Arc::new(SchemaOnly::with_row_ids(Arc::clone(table)))),
            None => plan_err!("it names the table `{text}`"),
        }
    }

    fn get_table_function_source(&self, name: &str, _: Vec<Expr>) -> datafusion::common::Result<Arc<dyn TableSource>> {
        not_impl_err!("table function `{name}`")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(SparkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::aggregate(name)
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// DIV is the division of integers.
#[derive(Debug)]
struct SparkOperators;

impl ExprPlanner for SparkOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> datafusion::common::Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::MyIntegerDivide {
            return Ok(PlannerResult::Original(expr));
        }
        let division = BinaryExpr::new(Box::new(expr.left), Operator::Divide, Box::new(expr.right));
        Ok(PlannerResult::Planned(Expr::BinaryExpr(division)))
    }
}

/// Spark's names of types.
#[derive(Debug)]
struct SparkTypes;

impl TypePlanner for SparkTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> datafusion::common::Result<Option<FieldRef>> {
        let data_type = match sql_type {
            ast::DataType::String(None) => DataType::Utf8,
            ast::DataType::BigInt(None) => DataType::Int64,
            ast::DataType::Int(None) => DataType::Int32,
            ast::DataType::Double(ExactNumberInfo::None) => DataType::Float64,
            ast::DataType::Boolean => DataType::Boolean,
            ast::DataType::Date => DataType::Date32,
            ast::DataType::Timestamp(None, TimezoneInfo::None) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            ast::DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
                match (u8::try_from(*precision), i8::try_from(*scale)) {
                    (Ok(precision), Ok(scale)) => DataType::Decimal128(precision, scale),
                    _ => return plan_err!("it names the type `{sql_type}`"),
                }
            }
            ast::DataType::Array(ArrayElemTypeDef::AngleBracket(item)) if **item == ast::DataType::BigInt(None) => {
                row_set_type()
            }
            other => return plan_err!("it names the type `{other}`"),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Outcome<()> {
        read(text, &BTreeMap::new()).map(drop)
    }

    #[test]
    fn a_text_has_at_most_so_many_bytes() {
        let shortest = "SELECT 1L AS `x`";
        let longest = format!("{shortest}{}", " ".repeat(SPARK_SQL_BYTES_MAX - shortest.len()));
        assert_eq!(reads(&longest), Ok(()));
        assert!(matches!(reads(&format!("{longest} ")), Err(SparkError::Unequal(_))));
    }

    #[test]
    fn a_text_nests_at_most_so_many_levels() {
        let nested = |levels: usize| format!("SELECT {}1L{} AS `x`", "(".repeat(levels), ")".repeat(levels));
        assert_eq!(reads(&nested(SPARK_SQL_DEPTH_MAX / 2)), Ok(()));
        assert!(matches!(reads(&nested(SPARK_SQL_DEPTH_MAX + 1)), Err(SparkError::Unequal(_))));
    }

    #[test]
    fn names_that_are_not_written_are_not_read() {
        for text in [
            "SELECT now() AS `x`",
            "SELECT 1L AS `x` FROM `t`",
            "SELECT CAST(1 AS TINYINT) AS `x`",
            "SELECT 1; SELECT 2",
        ] {
            assert!(matches!(reads(text), Err(SparkError::Differs(_))), "{text}");
        }
    }
}
