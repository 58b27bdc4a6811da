//! Calls of methods, and the functions that some of them take.

use std::sync::Arc;

use super::super::limits::ScriptRefusal;
use super::super::method::Method;
use super::super::pattern::pattern;
use super::super::syntax::{Argument, Expression, ExpressionKind, Statement};
use super::super::token::TokenKind;
use super::Parser;

impl Parser<'_> {
    /// At the parenthesis behind `.name`.
    pub(super) fn method_call(
        &mut self,
        target: Expression,
        name: &Arc<str>,
        offset: usize,
    ) -> Result<Expression, ScriptRefusal> {
        let Some(method) = Method::named(name) else {
            return Err(self.refuse_at(format!("the method `{name}` is not supported"), offset));
        };
        self.expect_sign("(")?;
        let mut arguments = Vec::new();
        while !self.take_sign(")") {
            let argument = self.argument(method, name, arguments.is_empty())?;
            arguments.push(argument);
            if !self.is_sign(")") {
                self.expect_sign(",")?;
            }
        }
        if method.takes_function() && !matches!(arguments.first(), Some(Argument::Function { .. })) {
            return Err(self.refuse_at(format!("`{name}` needs a function as its first argument"), offset));
        }
        self.node(ExpressionKind::Call { target: Box::new(target), method, arguments }, offset)
    }

    fn argument(&mut self, method: Method, name: &str, is_first: bool) -> Result<Argument, ScriptRefusal> {
        if let TokenKind::Pattern { pattern: text, flags } = self.peek().clone()
            && is_first
            && method.takes_pattern()
            && !matches!(self.peek_at(1), TokenKind::Sign("."))
        {
            let (regex, global) = pattern(&text, &flags).map_err(|what| self.refuse(what))?;
            self.advance();
            return Ok(Argument::Pattern { regex, global });
        }
        if self.is_function() {
            if !is_first || !method.takes_function() {
                return Err(self.refuse(format!("a function is not supported as an argument of `{name}`")));
            }
            return self.nested(Self::function_argument);
        }
        Ok(Argument::Value(self.expression()?))
    }

    /// Whether `x =>`, `(x, y) =>` or `function` comes next.
    fn is_function(&self) -> bool {
        if self.is_word("function") || matches!(self.peek_at(1), TokenKind::Sign("=>")) {
            return true;
        }
        if !self.is_sign("(") {
            return false;
        }
        // Parameters are names and commas, nothing else.
        let mut ahead = 1;
        while matches!(self.peek_at(ahead), TokenKind::Name(_) | TokenKind::Sign(",")) {
            ahead += 1;
        }
        matches!(self.peek_at(ahead), TokenKind::Sign(")")) && matches!(self.peek_at(ahead + 1), TokenKind::Sign("=>"))
    }

    fn function_argument(&mut self) -> Result<Argument, ScriptRefusal> {
        self.scopes.open_function();
        let is_arrow = !self.is_word("function");
        if !is_arrow {
            self.advance();
            if !self.is_sign("(") {
                return Err(self.refuse("a function with a name is not supported"));
            }
        }
        let parameters = self.parameters()?;
        if is_arrow {
            self.expect_sign("=>")?;
        }
        let statements = if is_arrow && !self.is_sign("{") {
            vec![Statement::Return(Some(self.expression()?))]
        } else {
            self.block()?
        };
        let body = self.scopes.with_hoisted(statements);
        self.scopes.close();
        Ok(Argument::Function { parameters, body })
    }

    fn parameters(&mut self) -> Result<Vec<usize>, ScriptRefusal> {
        let mut parameters = Vec::new();
        let in_parentheses = self.take_sign("(");
        while !(in_parentheses && self.take_sign(")")) {
            let offset = self.offset();
            let name = self.take_name()?;
            parameters.push(self.scopes.declare(&name, false).map_err(|what| self.refuse_at(what, offset))?);
            if !in_parentheses {
                break;
            }
            if !self.is_sign(")") {
                self.expect_sign(",")?;
            }
        }
        Ok(parameters)
    }
}
