//! A policy's own SQL, the condition of a row filter or the expression of a mask, over the whole table: what the asker may
//! see has no part in it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{DFSchema, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use lockgate_model::ColumnName;

use crate::sql::{Catalog, SQL_BYTES_MAX, SQL_DEPTH_MAX, Tables, parser_options};
use crate::table::{SchemaOnly, Table};

/// What stands for the masked column in the expression of a mask.
const MASKED_COLUMN: &str = "{col}";

/// The condition of a row filter. The reason, if it can't be evaluated, names columns and is for whoever keeps the
/// policies.
pub(crate) fn row_filter(text: &str, table: &Arc<Table>, tables: &Tables) -> Result<Expr, String> {
    let expr = policy_expression(text, table, tables)?;
    match type_of(&expr, table)? {
        DataType::Boolean => Ok(expr),
        other => Err(format!("`{text}` is no condition: it has the type {other}")),
    }
}

/// The expression that stands in the place of a masked column.
pub(crate) fn custom_mask(
    text: &str,
    column: &ColumnName,
    table: &Arc<Table>,
    tables: &Tables,
) -> Result<Expr, String> {
    let quoted = format!("\"{}\"", column.as_str().replace('"', "\"\""));
    policy_expression(&text.replace(MASKED_COLUMN, &quoted), table, tables)
}

/// The whole table of a policy's expression, to be filtered and projected.
pub(crate) fn whole_table(table: &Arc<Table>) -> Result<LogicalPlan, String> {
    let source = Arc::new(SchemaOnly::with_row_ids(Arc::clone(table)));
    LogicalPlanBuilder::scan(name_of(table), source, None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| error.strip_backtrace())
}

/// The name of a table in the plans of policies.
pub(crate) fn name_of(table: &Table) -> TableReference {
    TableReference::bare(table.dataset.as_str())
}

fn schema_of(table: &Arc<Table>) -> Result<DFSchema, String> {
    let visible = SchemaOnly::visible(Arc::clone(table));
    let schema: Arc<Schema> = datafusion::logical_expr::TableSource::schema(&visible);
    DFSchema::try_from_qualified_schema(name_of(table), &schema).map_err(|error| error.strip_backtrace())
}

fn type_of(expr: &Expr, table: &Arc<Table>) -> Result<DataType, String> {
    expr.get_type(&schema_of(table)?).map_err(|error| error.strip_backtrace())
}

fn policy_expression(text: &str, table: &Arc<Table>, tables: &Tables) -> Result<Expr, String> {
    if text.len() > SQL_BYTES_MAX {
        return Err(format!("its SQL is {} bytes long; the most is {SQL_BYTES_MAX}", text.len()));
    }
    let parsed = Parser::new(&GenericDialect {})
        .with_recursion_limit(SQL_DEPTH_MAX)
        .try_with_sql(text)
        .and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&Token::EOF)?;
            Ok(expr)
        })
        .map_err(|error| error.to_string())?;
    let catalog = Catalog::new(tables);
    let planner = SqlToRel::new_with_options(&catalog, parser_options());
    let expr = planner
        .sql_to_expr(parsed, &schema_of(table)?, &mut PlannerContext::new())
        .map_err(|error| error.find_root().strip_backtrace())?;
    check_types(&expr, table)?;
    Ok(expr)
}

/// What has no type that fits is found now, and not while rows are read.
fn check_types(expr: &Expr, table: &Arc<Table>) -> Result<(), String> {
    let plan =
        LogicalPlanBuilder::from(whole_table(table)?).project([expr.clone()]).and_then(LogicalPlanBuilder::build);
    plan.and_then(|plan| Analyzer::new().execute_and_check(plan, &ConfigOptions::default(), |_, _| {}))
        .map(drop)
        .map_err(|error| error.find_root().strip_backtrace())
}
