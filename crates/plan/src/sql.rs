//! SQL text becomes one unoptimised plan over the project's tables, or a list of what is wrong and where.
//!
//! Unoptimised, because what is governed must be what the author wrote: optimised plans have lost names, and unparsing
//! them gives wrong SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, SchemaError, TableReference, not_impl_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{self, SelectItem, SetExpr, Spanned, Statement};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};
use lockgate_model::DatasetName;
use lockgate_project::Code;

use crate::chain_limit::{refuse_long_chains, refuse_many_relations, refuse_many_scans};
use crate::functions::{allowed_aggregates, allowed_functions, allowed_window_functions};
use crate::problem::Problem;
use crate::table::{SchemaOnly, Table};
use crate::views::{PlannedViews, Views, names_through_views};

/// The longest SQL text, in bytes.
pub const SQL_BYTES_MAX: usize = 256 * 1024;
/// How deep expressions and queries may nest.
pub const SQL_DEPTH_MAX: usize = 64;

/// The tables that SQL may name.
pub(crate) type Tables = BTreeMap<DatasetName, Arc<Table>>;

/// One parsed and resolved query.
pub(crate) struct Query {
    pub(crate) plan: LogicalPlan,
    /// Where each output column is written, if the first SELECT lists them one by one.
    pub(crate) items: Vec<Option<Range<usize>>>,
    pub(crate) places: Places,
}

/// Finds places in the SQL's text.
pub(crate) struct Places {
    words: Vec<(String, Range<usize>)>,
}

impl Places {
    fn new(sql: &str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
        let words = tokens.into_iter().filter_map(|token| match &token.token {
            Token::Word(word) => Some((word.value.to_ascii_uppercase(), range_of(sql, token.span)?)),
            _ => None,
        });
        Self { words: words.collect() }
    }

    /// The first of these words in the text.
    pub(crate) fn word(&self, any_of: &[&str]) -> Option<Range<usize>> {
        self.words.iter().find(|(word, _)| any_of.contains(&word.as_str())).map(|(_, range)| range.clone())
    }
}

/// Which of these datasets the SQL names, itself or through views; none if it does not parse, which planning reports.
pub(crate) fn tables_read(sql: &str, among: &BTreeSet<DatasetName>, views: &Views) -> Vec<DatasetName> {
    let named = names_through_views(sql, views);
    among.iter().filter(|dataset| named.contains(dataset.as_str())).cloned().collect()
}

/// The tables that the SQL names, as it names them.
pub(crate) fn names_in(sql: &str) -> BTreeSet<String> {
    let Ok(statement) = parse_one(sql) else { return BTreeSet::new() };
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
    let named = resolve_table_references(&statement, true).map(|(tables, _)| tables).unwrap_or_default();
    named.iter().map(dotted).collect()
}

/// Parses and resolves one SELECT over the tables and the views of them.
pub(crate) fn plan_query(sql: &str, tables: &Tables, views: &Views) -> Result<Query, Vec<Problem>> {
    let statement = parse_one(sql).map_err(|problem| vec![*problem])?;
    refuse_many_relations(&statement).map_err(|problem| vec![*problem])?;
    let places = Places::new(sql);
    let problems = doubled_names(&statement, sql);
    if !problems.is_empty() {
        return Err(problems);
    }
    let items = select_items(&statement, sql);
    let catalog = Catalog::new(tables, views);
    let plan = SqlToRel::new_with_options(&catalog, parser_options())
        .sql_statement_to_plan(statement)
        .map_err(|error| problems_of(&error, sql, tables))?;
    refuse_many_scans(&plan).map_err(|problem| vec![*problem])?;
    Ok(Query { plan, items, places })
}

/// How SQL is planned: with places, and with the one type of text that tables have.
pub(crate) fn parser_options() -> ParserOptions {
    ParserOptions::new().with_collect_spans(true).with_map_string_types_to_utf8view(false)
}

/// Parses SQL of a dialect, within the limits.
pub(crate) fn parse_statements(sql: &str, dialect: &dyn Dialect) -> Result<Vec<Statement>, Box<Problem>> {
    parse_rewritten(sql, dialect, |tokens| tokens)
}

/// Parses SQL whose tokens are rewritten before; their places are kept.
pub(crate) fn parse_rewritten(
    sql: &str,
    dialect: &dyn Dialect,
    rewrite: impl FnOnce(Vec<TokenWithSpan>) -> Vec<TokenWithSpan>,
) -> Result<Vec<Statement>, Box<Problem>> {
    if sql.len() > SQL_BYTES_MAX {
        let message = format!("the SQL is {} bytes long; the most is {SQL_BYTES_MAX}", sql.len());
        return Err(Box::new(Problem::new(Code::SqlLimit, message)));
    }
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location().map_err(ParserError::from);
    let parsed = tokens.and_then(|tokens| {
        let parser = Parser::new(dialect).with_recursion_limit(SQL_DEPTH_MAX);
        parser.with_tokens_with_locations(rewrite(tokens)).parse_statements()
    });
    parsed.map_err(|error| Box::new(syntax_problem(&error, sql)))
}

pub(crate) fn parse_one(sql: &str) -> Result<Statement, Box<Problem>> {
    refuse_long_chains(&Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default())?;
    let mut statements = parse_statements(sql, &GenericDialect {})?.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) if query.with.as_ref().is_some_and(|with| with.recursive) => {
            let at = query.with.as_ref().and_then(|with| range_of(sql, with.with_token.0.span));
            Err(Box::new(
                Problem::new(Code::UngovernedStatement, "a recursive query is not governed")
                    .at(at)
                    .help("write WITH without RECURSIVE; `docs/sql.md` lists what is governed"),
            ))
        }
        (Some(statement @ Statement::Query(_)), None) => Ok(statement),
        (Some(Statement::Query(_)), Some(second)) => Err(Box::new(
            Problem::new(Code::UngovernedStatement, "a pipeline has one SELECT, and here a second statement follows")
                .at(range_of(sql, second.span()))
                .help("put it into a pipeline of its own"),
        )),
        (Some(other), _) => {
            let verb = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            Err(Box::new(
                Problem::new(Code::UngovernedStatement, format!("`{verb}` is not governed: a pipeline is one SELECT"))
                    .at(range_of(sql, other.span()))
                    .help("write a SELECT; where its rows go is said under `into:`"),
            ))
        }
        (None, _) => {
            let message = "there is no SQL here: a pipeline is one SELECT";
            Err(Box::new(Problem::new(Code::SqlSyntax, message)))
        }
    }
}

fn syntax_problem(error: &ParserError, sql: &str) -> Problem {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return Problem::new(Code::SqlLimit, format!("the SQL nests deeper than {SQL_DEPTH_MAX} levels"))
                .help("split the query, or flatten its expressions");
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
    };
    let (message, location) = match text.rsplit_once(" at Line: ") {
        Some((message, place)) => (message, place.split_once(", Column: ")),
        None => (text.as_str(), None),
    };
    let at = location.and_then(|(line, column)| {
        let location = Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? };
        let start = offset_of(sql, location)?;
        Some(start..word_end(sql, start))
    });
    Problem::new(Code::SqlSyntax, format!("the SQL does not parse: {message}")).at(at)
}

fn word_end(sql: &str, start: usize) -> usize {
    let rest = sql.get(start..).unwrap_or_default();
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    start + length.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// Output columns of one name, which the planner would call ambiguous.
fn doubled_names(statement: &Statement, sql: &str) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let name_of = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(ast::Expr::Identifier(column)) => Some(column.value.clone()),
        SelectItem::UnnamedExpr(ast::Expr::CompoundIdentifier(parts)) => parts.last().map(|part| part.value.clone()),
        _ => None,
    };
    let doubled = |item: &SelectItem| {
        let name = name_of(item)?;
        (!seen.insert(name.to_lowercase())).then(|| {
            Problem::new(Code::OutputColumns, format!("two columns of the output are named `{name}`"))
                .at(range_of(sql, item.span()))
                .help("rename one of them with AS")
        })
    };
    first_select(statement).into_iter().flatten().filter_map(doubled).collect()
}

/// The items of the first SELECT, if each is one column.
fn first_select(statement: &Statement) -> Option<&[SelectItem]> {
    let Statement::Query(query) = statement else { return None };
    let mut body = query.body.as_ref();
    let select = loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            SetExpr::Select(select) => break select,
            _ => return None,
        }
    };
    let is_star = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _));
    (!select.projection.iter().any(is_star)).then_some(select.projection.as_slice())
}

fn select_items(statement: &Statement, sql: &str) -> Vec<Option<Range<usize>>> {
    first_select(statement).into_iter().flatten().map(|item| range_of(sql, item.span())).collect()
}

/// The bytes that a span of the parser covers.
pub(crate) fn range_of(sql: &str, span: Span) -> Option<Range<usize>> {
    let start = offset_of(sql, span.start)?;
    let end = offset_of(sql, span.end)?;
    (start <= end).then_some(start..end)
}

/// The byte at a one-based line and column, columns counted in characters.
fn offset_of(sql: &str, location: Location) -> Option<usize> {
    let line_index = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column_index = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let line_start = match line_index.checked_sub(1) {
        None => 0,
        Some(newlines_before) => sql.match_indices('\n').nth(newlines_before)?.0 + 1,
    };
    let line = sql.get(line_start..)?;
    let in_line = line.char_indices().nth(column_index).map_or(line.len(), |(offset, _)| offset);
    Some(line_start + in_line)
}

fn problems_of(error: &DataFusionError, sql: &str, tables: &Tables) -> Vec<Problem> {
    match error {
        DataFusionError::Collection(errors) => {
            errors.iter().flat_map(|error| problems_of(error, sql, tables)).collect()
        }
        DataFusionError::Context(_, inner) => problems_of(inner, sql, tables),
        DataFusionError::Shared(inner) => problems_of(inner, sql, tables),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let at = diagnostic.span.and_then(|span| {
                let location = |l: datafusion::common::Location| Location { line: l.line, column: l.column };
                range_of(sql, Span { start: location(span.start), end: location(span.end) })
            });
            problems_of(inner, sql, tables).into_iter().map(|problem| problem.at(at.clone())).collect()
        }
        other => vec![problem_of(other, sql, tables)],
    }
}

fn problem_of(error: &DataFusionError, sql: &str, tables: &Tables) -> Problem {
    match error {
        DataFusionError::SchemaError(schema_error, _) => schema_problem(schema_error, sql),
        DataFusionError::SQL(parser_error, _) => syntax_problem(parser_error, sql),
        DataFusionError::NotImplemented(what) => {
            Problem::new(Code::UngovernedStatement, format!("this SQL is not governed: {what}"))
        }
        DataFusionError::Plan(text) => plan_problem(text, tables),
        other => Problem::new(Code::SqlType, first_line(&other.strip_backtrace())),
    }
}

fn plan_problem(text: &str, tables: &Tables) -> Problem {
    if let Some(name) = text.strip_prefix(UNKNOWN_TABLE) {
        let known: Vec<_> = tables.keys().map(|name| format!("`{name}`")).collect();
        return Problem::new(Code::UnknownTable, format!("there is no dataset `{name}`")).help(
            match lockgate_project::nearest(name, tables.keys().map(DatasetName::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there is no dataset to read".to_owned(),
                None => format!("the catalog has {}", known.join(", ")),
            },
        );
    }
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default();
        let near = lockgate_project::nearest(name, crate::functions::ALLOWED_FUNCTIONS.iter().copied());
        return Problem::new(Code::UngovernedExpression, format!("function `{name}` is not governed")).help(
            near.map_or_else(
                || "`docs/sql.md` lists the functions".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        );
    }
    Problem::new(Code::SqlType, first_line(text))
}

fn schema_problem(error: &SchemaError, _sql: &str) -> Problem {
    match error {
        SchemaError::AmbiguousReference { field } => {
            Problem::new(Code::AmbiguousName, format!("`{}` could be a column of more than one dataset", field.name))
                .help("write the dataset's name or alias before it")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Problem::new(Code::OutputColumns, format!("two columns are named `{name}`"))
                .help("rename one of them with AS")
        }
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<_> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let help = match lockgate_project::nearest(&field.name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.join(", ")),
            };
            Problem::new(Code::UnknownSqlColumn, format!("there is no column `{}`", field.name)).help(help)
        }
    }
}

fn first_line(text: &str) -> String {
    let text = text.strip_prefix("Error during planning: ").unwrap_or(text);
    text.lines().next().unwrap_or_default().to_owned()
}

const UNKNOWN_TABLE: &str = "lockgate: unknown dataset ";

fn dotted(name: &TableReference) -> String {
    match name {
        TableReference::Bare { table } => table.to_string(),
        TableReference::Partial { schema, table } => format!("{schema}.{table}"),
        TableReference::Full { catalog, schema, table } => format!("{catalog}.{schema}.{table}"),
    }
}

/// What the planner may look up: the project's tables and the allowed functions, and nothing else.
pub(crate) struct Catalog<'a> {
    tables: &'a Tables,
    views: PlannedViews<'a>,
    options: ConfigOptions,
    functions: Vec<Arc<ScalarUDF>>,
    aggregates: Vec<Arc<AggregateUDF>>,
    window_functions: Vec<Arc<WindowUDF>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
}

impl<'a> Catalog<'a> {
    pub(crate) fn new(tables: &'a Tables, views: &'a Views) -> Self {
        Self {
            tables,
            views: PlannedViews::new(views),
            options: ConfigOptions::default(),
            functions: allowed_functions(),
            aggregates: allowed_aggregates(),
            window_functions: allowed_window_functions(),
            expr_planners: SessionStateDefaults::default_expr_planners(),
        }
    }
}

impl ContextProvider for Catalog<'_> {
    fn get_table_source(&self, name: TableReference) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let text = dotted(&name);
        match self.tables.get(text.as_str()) {
            Some(table) => Ok(Arc::new(SchemaOnly::visible(Arc::clone(table)))),
            // A view that can't be planned over what the asker sees is not there either.
            None => match self.views.plan(&text, self) {
                Some(view) => Ok(view),
                None => plan_err!("{UNKNOWN_TABLE}{text}"),
            },
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        _: Vec<datafusion::logical_expr::Expr>,
    ) -> datafusion::common::Result<Arc<dyn TableSource>> {
        not_impl_err!("table function `{name}`")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let named = |f: &&Arc<ScalarUDF>| f.name() == name || f.aliases().iter().any(|alias| alias == name);
        self.functions.iter().find(named).map(Arc::clone)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let named = |f: &&Arc<AggregateUDF>| f.name() == name || f.aliases().iter().any(|alias| alias == name);
        self.aggregates.iter().find(named).map(Arc::clone)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        let named = |f: &&Arc<WindowUDF>| f.name() == name || f.aliases().iter().any(|alias| alias == name);
        self.window_functions.iter().find(named).map(Arc::clone)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.iter().map(|function| function.name().to_owned()).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.iter().map(|function| function.name().to_owned()).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.window_functions.iter().map(|function| function.name().to_owned()).collect()
    }
}
