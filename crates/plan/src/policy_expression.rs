//! A policy's own SQL, the condition of a row filter or the expression of a mask, over the whole table: what the asker may
//! see has no part in it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{DFSchema, DataFusionError, Result as EngineResult, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use lockgate_model::ColumnName;

use crate::chain_limit::refuse_long_chains;
use crate::leak_proof::can_fail;
use crate::null_aware::{LOST, loses_nulls};
use crate::sql::{Catalog, SQL_BYTES_MAX, SQL_DEPTH_MAX, Tables, parser_options};
use crate::table::{SchemaOnly, Table};
use crate::views::Views;

/// What stands for the masked column in the expression of a mask.
const MASKED_COLUMN: &str = "{col}";

/// The condition of a row filter.
pub(crate) struct RowFilter {
    pub(crate) condition: Expr,
    /// Whether evaluating it could fail on some row.
    pub(crate) can_fail: bool,
}

/// The condition of a row filter. The reason, if it can't be evaluated, names columns and is for whoever keeps the
/// policies.
pub(crate) fn row_filter(text: &str, table: &Arc<Table>, tables: &Tables) -> Result<RowFilter, String> {
    let expr = policy_expression(text, table, tables)?;
    match type_of(&expr, table)? {
        DataType::Boolean => {}
        other => return Err(format!("`{text}` is no condition: it has the type {other}")),
    }
    let can_fail = match check_plan(whole_table(table)?.filter(expr.clone()))? {
        // With the casts that its types need.
        LogicalPlan::Filter(filter) => can_fail(&filter.predicate),
        _ => true,
    };
    Ok(RowFilter { condition: expr, can_fail })
}

/// The expression that stands in the place of a masked column.
pub(crate) fn custom_mask(
    text: &str,
    column: &ColumnName,
    table: &Arc<Table>,
    tables: &Tables,
) -> Result<Expr, String> {
    let quoted = format!("\"{}\"", column.as_str().replace('"', "\"\""));
    let expr = policy_expression(&text.replace(MASKED_COLUMN, &quoted), table, tables)?;
    check_plan(whole_table(table)?.project([expr.clone()]))?;
    Ok(expr)
}

/// The whole table of a policy's expression, to be filtered and projected.
pub(crate) fn whole_table(table: &Arc<Table>) -> Result<LogicalPlanBuilder, String> {
    let source = Arc::new(SchemaOnly::with_row_ids(Arc::clone(table)));
    LogicalPlanBuilder::scan(name_of(table), source, None).map_err(|error| error.strip_backtrace())
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
    let tokens =
        Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().map_err(|error| error.to_string())?;
    refuse_long_chains(&tokens).map_err(|problem| problem.message)?;
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(SQL_DEPTH_MAX);
    let mut parser = parser.with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr().and_then(|expr| parser.expect_token(&Token::EOF).map(|_| expr));
    let parsed = parsed.map_err(|error| error.to_string())?;
    // The names of views are not for policies: what they read is plain.
    let no_views = Views::new();
    let catalog = Catalog::new(tables, &no_views);
    let planner = SqlToRel::new_with_options(&catalog, parser_options());
    planner
        .sql_to_expr(parsed, &schema_of(table)?, &mut PlannerContext::new())
        .map_err(|error| error.find_root().strip_backtrace())
}

/// What has no type that fits, or what the engine would answer wrongly, is found now, and not while rows are read.
fn check_plan(plan: EngineResult<LogicalPlanBuilder>) -> Result<LogicalPlan, String> {
    let told = |error: DataFusionError| error.find_root().strip_backtrace();
    let plan = plan.and_then(LogicalPlanBuilder::build).map_err(told)?;
    if loses_nulls(&plan) {
        return Err(LOST.to_owned());
    }
    Analyzer::new().execute_and_check(plan, &ConfigOptions::default(), |_, _| {}).map_err(told)
}
