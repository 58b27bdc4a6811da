//! Expressions.

use std::sync::Arc;

use super::super::context::{ContextMethod, Macro, macro_named, method_named, property_named};
use super::super::limits::ScriptRefusal;
use super::super::pattern::pattern;
use super::super::syntax::{Argument, Expression, ExpressionKind, Function, Global, Operation, Operator, Statement};
use super::super::token::TokenKind;
use super::Parser;

/// How tightly an operator binds its operands, and what it is.
fn binary(kind: &TokenKind) -> Option<(u8, Operator)> {
    Some(match kind {
        TokenKind::Sign(sign) => match *sign {
            "==" => (1, Operator::Equal),
            "!=" => (1, Operator::NotEqual),
            "===" => (1, Operator::StrictlyEqual),
            "!==" => (1, Operator::StrictlyNotEqual),
            "<" => (2, Operator::Less),
            "<=" => (2, Operator::LessOrEqual),
            ">" => (2, Operator::Greater),
            ">=" => (2, Operator::GreaterOrEqual),
            "+" => (3, Operator::Add),
            "-" => (3, Operator::Subtract),
            "*" => (4, Operator::Multiply),
            "/" => (4, Operator::Divide),
            "%" => (4, Operator::Remainder),
            _ => return None,
        },
        TokenKind::Name(name) if &**name == "in" => (2, Operator::In),
        _ => return None,
    })
}

/// `=` and the operators before it.
fn assignment(kind: &TokenKind) -> Option<Option<Operator>> {
    match kind {
        TokenKind::Sign("=") => Some(None),
        TokenKind::Sign("+=") => Some(Some(Operator::Add)),
        TokenKind::Sign("-=") => Some(Some(Operator::Subtract)),
        TokenKind::Sign("*=") => Some(Some(Operator::Multiply)),
        TokenKind::Sign("/=") => Some(Some(Operator::Divide)),
        TokenKind::Sign("%=") => Some(Some(Operator::Remainder)),
        _ => None,
    }
}

/// How deep what an expression consists of is.
pub(super) fn depth_below(kind: &ExpressionKind) -> usize {
    use ExpressionKind as E;
    let deepest = |expressions: &[Expression]| expressions.iter().map(|part| part.depth).max().unwrap_or(0);
    match kind {
        E::Undefined | E::Null | E::Bool(_) | E::Number(_) | E::Text(_) | E::Variable { .. } | E::Global(_) => 0,
        E::List(parts) | E::ContextCall(_, parts) | E::Function(_, parts) => deepest(parts),
        E::Operation(operation) => match operation {
            Operation::Not(value)
            | Operation::Negate(value)
            | Operation::ToNumber(value)
            | Operation::TypeOf(value) => value.depth,
            Operation::Binary(_, left, right) => left.depth.max(right.depth),
            Operation::And(parts) | Operation::Or(parts) => deepest(parts),
        },
        E::Map(entries) => entries.iter().map(|(_, value)| value.depth).max().unwrap_or(0),
        E::Assign { value, .. } | E::AssignResult(value) => value.depth,
        E::Member(value, _) | E::PatternTest(_, value) => value.depth,
        E::Index(left, right) => left.depth.max(right.depth),
        E::Choice(condition, left, right) => condition.depth.max(left.depth).max(right.depth),
        E::Call { target, arguments, .. } => {
            let argument = |argument: &Argument| match argument {
                Argument::Value(value) => value.depth,
                Argument::Function { body, .. } => body_depth(body),
                Argument::Pattern { .. } => 0,
            };
            arguments.iter().map(argument).max().unwrap_or(0).max(target.depth)
        }
    }
}

fn body_depth(body: &[Statement]) -> usize {
    let depth = |statement: &Statement| match statement {
        Statement::Declare { value, .. } | Statement::Return(value) => value.as_ref().map_or(0, |value| value.depth),
        Statement::Expression(value) => value.depth,
        Statement::Block(body) => body_depth(body),
        Statement::If { arms, otherwise } => {
            let arm = |(condition, body): &(Expression, Vec<Statement>)| condition.depth.max(body_depth(body));
            arms.iter().map(arm).max().unwrap_or(0).max(body_depth(otherwise))
        }
    };
    1 + body.iter().map(depth).max().unwrap_or(0)
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression, ScriptRefusal> {
        self.nested(Self::assignment)
    }

    fn assignment(&mut self) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        if let TokenKind::Name(name) = self.peek()
            && let Some(operator) = assignment(self.peek_at(1))
        {
            let name = name.clone();
            self.advance();
            self.advance();
            let value = Box::new(self.expression()?);
            let slot = match self.scopes.resolve(&name) {
                Some((slot, true)) => slot,
                Some((_, false)) => return Err(self.refuse_at(format!("`{name}` is constant"), offset)),
                None if operator.is_some() => return Err(self.unknown(&name, offset)),
                None => self.scopes.declare_by_assignment(&name).map_err(|what| self.refuse_at(what, offset))?,
            };
            return self.node(ExpressionKind::Assign { slot, name, operator, value }, offset);
        }
        let left = self.choice()?;
        match (assignment(self.peek()), &left.kind) {
            (None, _) => Ok(left),
            (Some(None), ExpressionKind::ContextCall(ContextMethod::Result, _)) => {
                self.advance();
                let value = Box::new(self.expression()?);
                self.node(ExpressionKind::AssignResult(value), offset)
            }
            _ => Err(self.refuse("only variables and `ctx.result` can be assigned to")),
        }
    }

    fn choice(&mut self) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        let condition = self.or()?;
        if !self.take_sign("?") {
            return Ok(condition);
        }
        let left = self.expression()?;
        self.expect_sign(":")?;
        let right = self.expression()?;
        self.node(ExpressionKind::Choice(Box::new(condition), Box::new(left), Box::new(right)), offset)
    }

    fn or(&mut self) -> Result<Expression, ScriptRefusal> {
        self.chain("||", Self::and, Operation::Or)
    }

    fn and(&mut self) -> Result<Expression, ScriptRefusal> {
        self.chain("&&", |parser| parser.binary(1), Operation::And)
    }

    /// As many operands as there are, side by side: a long chain is not a deep one.
    fn chain(
        &mut self,
        sign: &str,
        operand: impl Fn(&mut Self) -> Result<Expression, ScriptRefusal>,
        operation: impl Fn(Vec<Expression>) -> Operation,
    ) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        let first = operand(self)?;
        if !self.is_sign(sign) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take_sign(sign) {
            operands.push(operand(self)?);
        }
        self.node(ExpressionKind::Operation(operation(operands)), offset)
    }

    fn binary(&mut self, least: u8) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        let mut left = self.unary()?;
        while let Some((binds, operator)) = binary(self.peek()).filter(|(binds, _)| *binds >= least) {
            self.advance();
            let right = self.binary(binds + 1)?;
            left = self.node(
                ExpressionKind::Operation(Operation::Binary(operator, Box::new(left), Box::new(right))),
                offset,
            )?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        let operation: fn(Box<Expression>) -> Operation = match self.peek() {
            TokenKind::Sign("!") => Operation::Not,
            TokenKind::Sign("-") => Operation::Negate,
            TokenKind::Sign("+") => Operation::ToNumber,
            TokenKind::Name(name) if &**name == "typeof" => Operation::TypeOf,
            TokenKind::Name(name) if matches!(&**name, "new" | "delete" | "void" | "await" | "yield" | "function") => {
                return Err(self.refuse(format!("`{name}` is not supported here")));
            }
            _ => return self.postfix(),
        };
        self.advance();
        let operand = self.nested(Self::unary)?;
        self.node(ExpressionKind::Operation(operation(Box::new(operand))), offset)
    }

    fn postfix(&mut self) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        let mut value = self.primary()?;
        loop {
            if self.take_sign(".") {
                let name_offset = self.offset();
                let name = self.take_name()?;
                value = if self.is_sign("(") {
                    self.method_call(value, &name, name_offset)?
                } else {
                    self.node(ExpressionKind::Member(Box::new(value), name), offset)?
                };
            } else if self.take_sign("[") {
                let index = self.expression()?;
                self.expect_sign("]")?;
                value = self.node(ExpressionKind::Index(Box::new(value), Box::new(index)), offset)?;
            } else if self.is_sign("(") {
                return Err(self.refuse("only methods and known functions can be called"));
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        match self.peek().clone() {
            TokenKind::Name(name) => {
                self.advance();
                self.name(name, offset)
            }
            TokenKind::Number(number) => {
                self.advance();
                self.node(ExpressionKind::Number(number), offset)
            }
            TokenKind::Text(text) => {
                self.advance();
                self.node(ExpressionKind::Text(text), offset)
            }
            TokenKind::Pattern { pattern: text, flags } => {
                let (regex, _) = pattern(&text, &flags).map_err(|what| self.refuse(what))?;
                self.advance();
                if !(self.take_sign(".") && self.is_word("test")) {
                    return Err(
                        self.refuse_at("a pattern is supported with `.test(..)` and as an argument only", offset)
                    );
                }
                self.advance();
                let tested = self.one_argument("test")?;
                self.node(ExpressionKind::PatternTest(regex, Box::new(tested)), offset)
            }
            TokenKind::Sign("(") => {
                self.advance();
                let inner = self.expression()?;
                if self.is_sign(",") {
                    return Err(self.refuse("the comma operator is not supported"));
                }
                self.expect_sign(")")?;
                Ok(inner)
            }
            TokenKind::Sign("[") => {
                self.advance();
                let items = self.expressions("]")?;
                self.node(ExpressionKind::List(items), offset)
            }
            TokenKind::Sign("{") => self.map(offset),
            _ => Err(self.refuse(format!("{} is not supported here", self.found()))),
        }
    }

    /// `{ a: 1, 'b': 2 }`
    fn map(&mut self, offset: usize) -> Result<Expression, ScriptRefusal> {
        self.advance();
        let mut entries: Vec<(Arc<str>, Expression)> = Vec::new();
        while !self.take_sign("}") {
            let name = match self.peek() {
                TokenKind::Name(name) | TokenKind::Text(name) => name.clone(),
                _ => return Err(self.refuse(format!("{} is not supported as the name of an entry", self.found()))),
            };
            self.advance();
            self.expect_sign(":")?;
            entries.push((name, self.expression()?));
            if !self.is_sign("}") {
                self.expect_sign(",")?;
            }
        }
        self.node(ExpressionKind::Map(entries), offset)
    }

    /// Expressions with commas between them and `end` behind them; one more comma does no harm.
    pub(super) fn expressions(&mut self, end: &str) -> Result<Vec<Expression>, ScriptRefusal> {
        let mut expressions = Vec::new();
        while !self.take_sign(end) {
            expressions.push(self.expression()?);
            if !self.is_sign(end) {
                self.expect_sign(",")?;
            }
        }
        Ok(expressions)
    }

    fn one_argument(&mut self, name: &str) -> Result<Expression, ScriptRefusal> {
        let offset = self.offset();
        self.expect_sign("(")?;
        let mut arguments = self.expressions(")")?.into_iter();
        match (arguments.next(), arguments.next()) {
            (Some(argument), None) => Ok(argument),
            _ => Err(self.refuse_at(format!("`{name}` takes one argument"), offset)),
        }
    }

    fn unknown(&self, name: &str, offset: usize) -> ScriptRefusal {
        self.refuse_at(format!("`{name}` is not known"), offset)
    }

    fn name(&mut self, name: Arc<str>, offset: usize) -> Result<Expression, ScriptRefusal> {
        let kind = match &*name {
            "true" => ExpressionKind::Bool(true),
            "false" => ExpressionKind::Bool(false),
            "null" => ExpressionKind::Null,
            "undefined" => ExpressionKind::Undefined,
            "NaN" => ExpressionKind::Number(f64::NAN),
            "Infinity" => ExpressionKind::Number(f64::INFINITY),
            "ctx" => return self.context(offset),
            _ => match (macro_named(&name), self.scopes.resolve(&name), Global::named(&name)) {
                (Some(stands_for), ..) => return self.stands_for(stands_for, &name, offset),
                (None, Some((slot, _)), _) => ExpressionKind::Variable { slot, name },
                (None, None, Some(global)) => ExpressionKind::Global(global),
                (None, None, None) => return self.function(&name, offset),
            },
        };
        self.node(kind, offset)
    }

    fn stands_for(&mut self, stands_for: Macro, name: &str, offset: usize) -> Result<Expression, ScriptRefusal> {
        match stands_for {
            Macro::Method(method) => self.context_call(method, name, offset),
            Macro::Value { method, negated } => {
                let method =
                    method_named(method).map(|(method, ..)| method).ok_or_else(|| self.unknown(name, offset))?;
                let value = self.node(ExpressionKind::ContextCall(method, Vec::new()), offset)?;
                if negated {
                    self.node(ExpressionKind::Operation(Operation::Not(Box::new(value))), offset)
                } else {
                    Ok(value)
                }
            }
        }
    }

    /// Behind `ctx`.
    fn context(&mut self, offset: usize) -> Result<Expression, ScriptRefusal> {
        if !self.take_sign(".") {
            return Err(self.refuse_at("`ctx` is supported with a method or property only", offset));
        }
        let name_offset = self.offset();
        let name = self.take_name()?;
        if self.is_sign("(") {
            return self.context_call(&name, &format!("ctx.{name}"), name_offset);
        }
        match property_named(&name) {
            Some(method) => self.node(ExpressionKind::ContextCall(method, Vec::new()), offset),
            None => Err(self.refuse_at(format!("`ctx.{name}` is not known"), name_offset)),
        }
    }

    /// `written` is how the author calls it.
    fn context_call(&mut self, name: &str, written: &str, offset: usize) -> Result<Expression, ScriptRefusal> {
        let Some((method, least, most)) = method_named(name) else {
            return Err(self.unknown(written, offset));
        };
        if !self.take_sign("(") {
            return Err(self.refuse(format!("`(` is missing behind `{written}`")));
        }
        let arguments = self.expressions(")")?;
        if !(least..=most).contains(&arguments.len()) {
            let what = format!("`{written}` takes {least} to {most} arguments and not {}", arguments.len());
            return Err(self.refuse_at(what, offset));
        }
        self.node(ExpressionKind::ContextCall(method, arguments), offset)
    }

    /// `String(x)`, `JSON.stringify(x)`
    fn function(&mut self, name: &str, offset: usize) -> Result<Expression, ScriptRefusal> {
        let mut written = name.to_owned();
        if matches!(name, "Object" | "Array" | "JSON" | "Number") && self.is_sign(".") {
            self.advance();
            written = format!("{name}.{}", self.take_name()?);
        }
        let function = match &*written {
            "String" => Function::ToText,
            "Number" => Function::ToNumber,
            "Boolean" => Function::ToBoolean,
            "parseInt" | "Number.parseInt" => Function::ParseInt,
            "parseFloat" | "Number.parseFloat" => Function::ParseFloat,
            "isNaN" => Function::IsNaN,
            "Array.isArray" => Function::IsArray,
            "Object.keys" => Function::Keys,
            "Object.values" => Function::Values,
            "JSON.stringify" | "J" => Function::Json,
            _ => return Err(self.unknown(&written, offset)),
        };
        if !self.is_sign("(") {
            return Err(self.refuse(format!("`(` is missing behind `{written}`")));
        }
        let argument = self.one_argument(&written)?;
        self.node(ExpressionKind::Function(function, vec![argument]), offset)
    }
}
