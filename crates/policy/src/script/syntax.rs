//! The syntax of an accepted script: names are resolved, and nothing in it has to be refused any more.

use std::sync::Arc;

use regex::Regex;

use super::context::ContextMethod;
use super::method::Method;

/// A statement.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    /// `let x;`, and `var x;` not at all: it is undefined from the start.
    Declare { slot: usize, value: Option<Expression> },
    /// An expression, whose value is the script's if it is the last one.
    Expression(Expression),
    /// `if (a) … else if (b) … else …`
    If { arms: Vec<(Expression, Vec<Self>)>, otherwise: Vec<Self> },
    /// `{ … }`
    Block(Vec<Self>),
    /// `return x;`, in a function only.
    Return(Option<Expression>),
}

/// An expression and how deep it is.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) depth: usize,
    pub(super) kind: ExpressionKind,
}

#[derive(Debug, Clone)]
pub(super) enum ExpressionKind {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    List(Vec<Expression>),
    Map(Vec<(Arc<str>, Expression)>),
    /// A variable of the script.
    Variable {
        slot: usize,
        name: Arc<str>,
    },
    /// `USER`, `TAG`, `REQ` and the like.
    Global(Global),
    /// `ctx.isAccessedBefore('expiry')`, `ctx.user`, and a macro.
    ContextCall(ContextMethod, Vec<Expression>),
    /// `String(x)`, `Object.keys(x)`
    Function(Function, Vec<Expression>),
    Assign {
        slot: usize,
        name: Arc<str>,
        operator: Option<Operator>,
        value: Box<Expression>,
    },
    /// `ctx.result = x`
    AssignResult(Box<Expression>),
    Member(Box<Expression>, Arc<str>),
    Index(Box<Expression>, Box<Expression>),
    Call {
        target: Box<Expression>,
        method: Method,
        arguments: Vec<Argument>,
    },
    /// `/x/.test(y)`
    PatternTest(Arc<Regex>, Box<Expression>),
    Operation(Operation),
    Choice(Box<Expression>, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Not(Box<Expression>),
    Negate(Box<Expression>),
    ToNumber(Box<Expression>),
    TypeOf(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// The first that is false, or the last.
    And(Vec<Expression>),
    /// The first that is true, or the last.
    Or(Vec<Expression>),
}

/// What a method is called with.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    Value(Expression),
    /// `x => x == 'a'`, `function(x) { return x == 'a'; }`
    Function {
        parameters: Vec<usize>,
        body: Vec<Statement>,
    },
    Pattern {
        regex: Arc<Regex>,
        global: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    StrictlyEqual,
    StrictlyNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

/// The functions that are there without an object to call them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    ToText,
    ToNumber,
    ToBoolean,
    ParseInt,
    ParseFloat,
    IsNaN,
    IsArray,
    Keys,
    Values,
    Json,
}

/// What Ranger puts into the scope of every script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    Context,
    Request,
    Resource,
    User,
    GroupNames,
    Groups,
    GroupAttributes,
    RoleNames,
    Tag,
    Tags,
    TagNames,
    JavaTag,
    JavaTagAttributes,
}

impl Global {
    pub(super) const COUNT: usize = 13;

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "_ctx" => Self::Context,
            "REQ" => Self::Request,
            "RES" => Self::Resource,
            "USER" => Self::User,
            "UGNAMES" => Self::GroupNames,
            "UG" => Self::Groups,
            "UGA" => Self::GroupAttributes,
            "URNAMES" => Self::RoleNames,
            "TAG" => Self::Tag,
            "TAGS" => Self::Tags,
            "TAGNAMES" => Self::TagNames,
            "tag" => Self::JavaTag,
            "tagAttr" => Self::JavaTagAttributes,
            _ => return None,
        })
    }
}
