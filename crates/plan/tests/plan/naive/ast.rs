//! Tables, policies and queries as plain data.

use std::collections::BTreeSet;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "'{value}'"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Text,
}

/// A dataset: `id` is its first column, and its row number.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Type)>,
    pub(super) rows: Vec<Vec<Value>>,
}

/// What stands in the place of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    Null,
    Redact,
    ShowLast4,
    ShowFirst4,
    /// `coalesce(col, …)` of the column's type.
    Custom,
}

/// What the principal may see of a table.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// By column: hidden, clear, or masked.
    pub(super) columns: Vec<Option<Option<Mask>>>,
    /// Over the table as it is, its columns without a qualifier.
    pub(super) filter: Option<Predicate>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) tables: Vec<Table>,
    pub(super) access: Vec<Access>,
}

#[derive(Debug, Clone)]
pub(super) enum Query {
    Select(Box<Select>),
    Set(SetOperation, Box<Query>, Box<Query>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperation {
    UnionAll,
    Union,
    Intersect,
    Except,
}

#[derive(Debug, Clone)]
pub(super) struct Select {
    pub(super) distinct: bool,
    pub(super) items: Vec<Expr>,
    pub(super) from: From,
    pub(super) filter: Option<Predicate>,
    /// `None` for a query without aggregates.
    pub(super) group_by: Option<Vec<Expr>>,
    pub(super) having: Option<Predicate>,
    /// By the first item, which is unique then, and so many rows.
    pub(super) limit: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum From {
    Table { table: usize, alias: String },
    Subquery { query: Query, alias: String },
    Join { kind: JoinKind, left: Box<From>, right: Box<From>, on: Predicate },
    Values { alias: String, rows: Vec<Vec<Value>> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnName {
    /// Empty in the conditions of policies.
    pub(super) relation: String,
    pub(super) column: String,
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Column(ColumnName),
    Literal(Value),
    Add(Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Coalesce(Box<Expr>, Box<Expr>),
    Case(Box<Predicate>, Box<Expr>, Box<Expr>),
    /// One value: an aggregate over a table, its rows chosen by a condition that may refer to the row outside.
    Scalar(Box<Query>),
    CountAll,
    Aggregate(Aggregate, Box<Expr>),
    /// `sum` or `count` over a partition, or the number in it by a unique column.
    Window(WindowKind, Vec<Expr>),
}

#[derive(Debug, Clone)]
pub(super) enum WindowKind {
    Count,
    Sum(Box<Expr>),
    RowNumber(Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone)]
pub(super) enum Predicate {
    True,
    Compare(Comparison, Expr, Expr),
    IsNull(Expr),
    InList(Expr, Vec<Value>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    In { value: Expr, query: Query, negated: bool },
    Exists { query: Query, negated: bool },
}

/// The row ids that a row was made from.
pub(super) type Sources = BTreeSet<i64>;
