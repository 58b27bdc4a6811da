//! Every column that a statement puts out is listed with all the columns that it depends on, and how.
//!
//! ```text
//! INSERT INTO report (day, total)                     day    ◄── orders.placed  TRANSFORMATION
//! SELECT date(placed), sum(amount)                           ◄── orders.city    FILTER
//! FROM orders WHERE city = 'Bern' GROUP BY 1                 ◄── orders.placed  GROUP_BY
//!                                                     total  ◄── orders.amount  AGGREGATION …
//! SELECT … FROM orders PIVOT (…)                      refused by its name
//! ```
//! This reads the SQL of three dialects by names alone: functions and types need not be known, and nothing is governed by
//! it. What the pipelines of a project do is told by `classify`; a test holds the two together where both read a query.
//! The kinds of dependences are those of OpenLineage's column lineage facet 1-2-0, decided as its Spark integration
//! decides them.

mod call;
mod expression;
mod flow;
mod from;
mod query;
mod scope;
mod spark_tokens;
mod statement;
mod write;

use std::ops::Range;

use datafusion::sql::sqlparser::ast::{self, DataType, Spanned};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect, SparkSqlDialect};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use lockgate_project::Code;

use crate::classify::OUTPUT_COLUMNS_MAX;
use crate::facts::DependenceKind;
use crate::problem::Problem;
use crate::sql::{SQL_DEPTH_MAX, parse_rewritten, range_of};
use flow::Flow;
use query::Output;

/// The most columns that the relations of one FROM may have together.
pub const SCOPE_COLUMNS_MAX: usize = 16_384;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlDialect {
    /// PostgreSQL.
    Postgres,
    /// Spark SQL, with Hive's and Databricks' additions.
    Spark,
    /// What most databases understand.
    Generic,
}

/// The tables that a statement may name, each with its columns in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedTables {
    tables: Vec<NamedTable>,
}

/// A table: its name, with dots between the parts, and the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTable {
    /// `orders`, or `sales.orders`.
    pub name: String,
    /// In order.
    pub columns: Vec<String>,
}

/// What a statement puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLineage {
    /// The table that it writes; `None` for a query.
    pub table: Option<String>,
    /// The columns that it puts out, in order.
    pub columns: Vec<OutputLineage>,
}

/// One column that a statement puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLineage {
    /// Its name.
    pub column: String,
    /// On what it depends, each source once for each kind.
    pub inputs: Vec<InputLineage>,
}

/// A column of a table on which an output depends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputLineage {
    /// The table, as the catalog names it.
    pub table: String,
    /// The column, as the catalog names it.
    pub column: String,
    /// How.
    pub kind: DependenceKind,
    /// A function lies between that hides the value: a hash, a mask, a count.
    pub masking: bool,
}

impl NamedTables {
    /// The tables in the order in which they are found.
    pub fn new(tables: Vec<NamedTable>) -> Self {
        Self { tables }
    }

    /// The table that a name of one or more parts means: the same name, or the only one that ends in it.
    fn find(&self, parts: &[&str]) -> Option<&NamedTable> {
        let written = parts.join(".");
        let exactly = |table: &&NamedTable| table.name.eq_ignore_ascii_case(&written);
        if let Some(found) = self.tables.iter().find(exactly) {
            return Some(found);
        }
        let ending = format!(".{}", written.to_ascii_lowercase());
        let start = |table: &NamedTable| format!(".{}", table.name.to_ascii_lowercase());
        let mut ends = self.tables.iter().filter(|table| {
            table.name.to_ascii_lowercase().ends_with(&ending)
                || format!(".{written}").to_ascii_lowercase().ends_with(&start(table))
        });
        ends.next().filter(|_| ends.next().is_none())
    }
}

impl SqlDialect {
    fn parser(self) -> Box<dyn Dialect> {
        match self {
            Self::Postgres => Box::new(PostgreSqlDialect {}),
            Self::Spark => Box::new(SparkSqlDialect {}),
            Self::Generic => Box::new(GenericDialect {}),
        }
    }
}

/// Whether a dialect has a type of this spelling; one that is not known is as good as text, since lineage reads names.
pub fn is_type(text: &str, dialect: SqlDialect) -> bool {
    let dialect = dialect.parser();
    let parser = Parser::new(dialect.as_ref()).with_recursion_limit(SQL_DEPTH_MAX).try_with_sql(text);
    let Ok(mut parser) = parser else { return false };
    let parsed = parser.parse_data_type();
    parsed.is_ok_and(|found| !matches!(found, DataType::Custom(..))) && parser.peek_token().token == Token::EOF
}

/// Reads one statement.
///
/// # Errors
///
/// What does not parse, names a table or column that is not there or that could be two, and what is not read, with its
/// place in the SQL.
pub fn lineage_of_statement(
    sql: &str,
    dialect: SqlDialect,
    tables: &NamedTables,
) -> Result<StatementLineage, Box<Problem>> {
    let mut by_name = false;
    let mut statements = parse_rewritten(sql, dialect.parser().as_ref(), |tokens| match dialect {
        SqlDialect::Spark => {
            let (tokens, is_by_name) = spark_tokens::rewrite(tokens);
            by_name = is_by_name;
            tokens
        }
        SqlDialect::Postgres | SqlDialect::Generic => tokens,
    })?
    .into_iter();
    let Some(statement) = statements.next() else {
        return Err(Box::new(Problem::new(Code::SqlSyntax, "there is no SQL here")));
    };
    if let Some(second) = statements.next() {
        let problem = Problem::new(Code::UngovernedStatement, "a second statement follows, and one is read at a time");
        return Err(Box::new(problem.at(range_of(sql, second.span())).help("ask for each statement by itself")));
    }
    let mut reader = Reader { sql, dialect, tables, by_name, ctes: Vec::new(), depth: 0 };
    reader.statement(&statement)
}

/// Reads statements and keeps what is known while it does.
struct Reader<'a> {
    sql: &'a str,
    dialect: SqlDialect,
    tables: &'a NamedTables,
    /// An INSERT goes by the names of its columns.
    by_name: bool,
    /// The named queries in force, the nearest last.
    ctes: Vec<(String, Output)>,
    depth: usize,
}

type Outcome<T> = Result<T, Box<Problem>>;

/// How deep the tree of one statement is followed: what the parser lets through in one nesting may have several nodes.
const TREE_DEPTH_MAX: usize = SQL_DEPTH_MAX * 8;

impl Reader<'_> {
    fn place(&self, node: &impl Spanned) -> Option<Range<usize>> {
        range_of(self.sql, node.span())
    }

    /// What is not read is refused by its name: a dependence left out would be a wrong answer.
    fn refuse(&self, what: &str, node: &impl Spanned) -> Box<Problem> {
        self.refuse_at(what, self.place(node))
    }

    fn refuse_at(&self, what: &str, at: Option<Range<usize>>) -> Box<Problem> {
        let problem = Problem::new(Code::UngovernedStatement, format!("lineage does not read {what}"));
        Box::new(problem.at(at).help("write it with joins, subqueries or CASE, which it reads"))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth >= TREE_DEPTH_MAX {
            let problem = Problem::new(Code::SqlLimit, format!("the SQL nests deeper than {TREE_DEPTH_MAX} nodes"));
            return Err(Box::new(problem.help("split the query, or flatten its expressions")));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn within_limit(&self, columns: usize) -> Outcome<()> {
        if columns <= OUTPUT_COLUMNS_MAX {
            return Ok(());
        }
        let message = format!("a query has {columns} columns; the most is {OUTPUT_COLUMNS_MAX}");
        Err(Box::new(Problem::new(Code::SqlLimit, message)))
    }

    /// The name under which a column goes that is written without one: folded as the dialect folds it.
    fn folded(&self, ident: &ast::Ident) -> String {
        match (self.dialect, ident.quote_style) {
            (SqlDialect::Postgres | SqlDialect::Generic, None) => ident.value.to_lowercase(),
            (SqlDialect::Postgres | SqlDialect::Generic, Some(_)) | (SqlDialect::Spark, _) => ident.value.clone(),
        }
    }
}

/// The parts of a dotted name, and the last identifier.
fn parts_of(name: &ast::ObjectName) -> Vec<&ast::Ident> {
    name.0.iter().filter_map(|part| part.as_ident()).collect()
}

fn texts<'n>(parts: &[&'n ast::Ident]) -> Vec<&'n str> {
    parts.iter().map(|part| part.value.as_str()).collect()
}

fn inputs_of(flow: Flow) -> Vec<InputLineage> {
    let input = |(source, masking): (flow::Source, bool)| InputLineage {
        table: source.table.to_string(),
        column: source.column.to_string(),
        kind: source.kind,
        masking,
    };
    flow.into_iter().map(input).collect()
}
