//! Parses a script and resolves its names; what can't be run safely or is not known is refused here, with its place.

mod expression;
mod function;
mod scope;

use std::sync::Arc;
use std::sync::LazyLock;

use regex::Regex;

use super::limits::{SCRIPT_BYTES_MAX, SCRIPT_DEPTH_MAX, ScriptRefusal};
use super::syntax::{Expression, ExpressionKind, Statement};
use super::token::{Token, TokenKind, tokens};
use scope::Scopes;

/// A parsed script.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    pub(super) slots: usize,
}

/// What opens a statement in JavaScript and is not supported.
const REFUSED_STATEMENTS: &[&str] = &[
    "break", "class", "continue", "debugger", "do", "export", "for", "function", "import", "switch", "throw", "try",
    "while", "with", "async",
];

pub(super) fn program(source: &str) -> Result<Program, ScriptRefusal> {
    if source.len() > SCRIPT_BYTES_MAX {
        let what = format!("a script of {} bytes is too long; at most {SCRIPT_BYTES_MAX} are read", source.len());
        return Err(ScriptRefusal::new(what, source, 0));
    }
    let source = split_brackets(source);
    if source.len() > SCRIPT_BYTES_MAX {
        let what = format!("with its double brackets replaced, the script is longer than {SCRIPT_BYTES_MAX} bytes");
        return Err(ScriptRefusal::new(what, &source, 0));
    }
    let tokens = tokens(&source)?;
    let mut parser = Parser { source: &source, tokens, at: 0, nesting: 0, scopes: Scopes::default() };
    let mut statements = Vec::new();
    while parser.peek() != &TokenKind::End {
        parser.statement(&mut statements)?;
    }
    let statements = parser.scopes.with_hoisted(statements);
    Ok(Program { statements, slots: parser.scopes.slots() })
}

/// Writes `[[x]]` as `x.split(",")` and `[[x,'|']]` as `x.split("|")`, as Ranger does before JavaScript sees it.
fn split_brackets(source: &str) -> std::borrow::Cow<'_, str> {
    static BRACKETS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"\[\[([}{$"a-zA-Z0-9_.\[\]]+)(,['"](.+?)['"])*\]\]"#).ok());
    match &*BRACKETS {
        Some(brackets) if source.contains("[[") && source.contains("]]") => {
            brackets.replace_all(source, |found: &regex::Captures<'_>| {
                let text = |group| found.get(group).map(|text| text.as_str());
                format!("{}.split(\"{}\")", text(1).unwrap_or_default(), text(3).unwrap_or(","))
            })
        }
        _ => source.into(),
    }
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
    scopes: Scopes,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &TokenKind {
        self.tokens.get(self.at + ahead).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.source.len(), |token| token.offset)
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), TokenKind::Sign(found) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Name(found) if &**found == word)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), ScriptRefusal> {
        if self.take_sign(sign) {
            Ok(())
        } else {
            Err(self.refuse(format!("`{sign}` is missing before {}", self.found())))
        }
    }

    fn take_name(&mut self) -> Result<Arc<str>, ScriptRefusal> {
        match self.peek() {
            TokenKind::Name(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.refuse(format!("a name is missing before {}", self.found()))),
        }
    }

    /// What stands here, for messages.
    fn found(&self) -> String {
        match self.peek() {
            TokenKind::Name(name) => format!("`{name}`"),
            TokenKind::Sign(sign) => format!("`{sign}`"),
            TokenKind::Number(_) => "a number".to_owned(),
            TokenKind::Text(_) => "a text".to_owned(),
            TokenKind::Pattern { .. } => "a pattern".to_owned(),
            TokenKind::End => "the end".to_owned(),
        }
    }

    fn refuse(&self, what: impl Into<String>) -> ScriptRefusal {
        self.refuse_at(what, self.offset())
    }

    fn refuse_at(&self, what: impl Into<String>, offset: usize) -> ScriptRefusal {
        ScriptRefusal::new(what, self.source, offset)
    }

    /// Parses something nested, no deeper than is allowed.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ScriptRefusal>) -> Result<T, ScriptRefusal> {
        if self.nesting >= SCRIPT_DEPTH_MAX {
            return Err(self.too_deep(self.offset()));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    fn too_deep(&self, offset: usize) -> ScriptRefusal {
        self.refuse_at(format!("nested deeper than {SCRIPT_DEPTH_MAX}"), offset)
    }

    fn statement(&mut self, out: &mut Vec<Statement>) -> Result<(), ScriptRefusal> {
        self.nested(|parser| parser.bare_statement(out))
    }

    fn bare_statement(&mut self, out: &mut Vec<Statement>) -> Result<(), ScriptRefusal> {
        if self.take_sign(";") {
            return Ok(());
        }
        if self.is_sign("{") {
            out.push(Statement::Block(self.block()?));
            return Ok(());
        }
        if let TokenKind::Name(name) = self.peek() {
            match &**name {
                "var" | "const" => return self.declaration(out),
                // `let` is a name where no name follows.
                "let" if matches!(self.peek_at(1), TokenKind::Name(_)) => return self.declaration(out),
                "if" => {
                    let statement = self.if_statement()?;
                    out.push(statement);
                    return Ok(());
                }
                "return" => return self.return_statement(out),
                word if REFUSED_STATEMENTS.contains(&word) => {
                    return Err(self.refuse(format!("`{word}` is not supported")));
                }
                _ => {}
            }
        }
        let expression = self.expression()?;
        out.push(Statement::Expression(expression));
        self.end_of_statement()
    }

    fn end_of_statement(&mut self) -> Result<(), ScriptRefusal> {
        let begins_line = self.tokens.get(self.at).is_some_and(|token| token.begins_line);
        if self.take_sign(";") || self.is_sign("}") || self.peek() == &TokenKind::End || begins_line {
            return Ok(());
        }
        if self.is_sign(",") {
            return Err(self.refuse("the comma operator is not supported"));
        }
        let signs = ["&", "|", "^", "<<", ">>", ">>>", "**", "??", "++", "--", "=>"];
        match self.peek() {
            TokenKind::Sign(sign) if signs.contains(sign) => {
                Err(self.refuse(format!("`{sign}` is not supported here")))
            }
            _ => Err(self.refuse(format!("`;` is missing before {}", self.found()))),
        }
    }

    fn block(&mut self) -> Result<Vec<Statement>, ScriptRefusal> {
        self.expect_sign("{")?;
        self.scopes.open_block();
        let mut statements = Vec::new();
        while !self.take_sign("}") {
            if self.peek() == &TokenKind::End {
                return Err(self.refuse("`}` is missing before the end"));
            }
            self.statement(&mut statements)?;
        }
        self.scopes.close();
        Ok(statements)
    }

    /// What is run if a condition holds: a block or one statement.
    fn branch(&mut self) -> Result<Vec<Statement>, ScriptRefusal> {
        if self.is_sign("{") {
            return self.block();
        }
        if self.is_word("const") || (self.is_word("let") && matches!(self.peek_at(1), TokenKind::Name(_))) {
            return Err(self.refuse("a declaration needs a block around it here"));
        }
        let mut statements = Vec::new();
        self.statement(&mut statements)?;
        Ok(statements)
    }

    fn if_statement(&mut self) -> Result<Statement, ScriptRefusal> {
        let mut arms = Vec::new();
        loop {
            self.advance();
            self.expect_sign("(")?;
            let condition = self.expression()?;
            self.expect_sign(")")?;
            arms.push((condition, self.branch()?));
            if !self.is_word("else") {
                return Ok(Statement::If { arms, otherwise: Vec::new() });
            }
            self.advance();
            if !self.is_word("if") {
                let otherwise = self.branch()?;
                return Ok(Statement::If { arms, otherwise });
            }
        }
    }

    fn return_statement(&mut self, out: &mut Vec<Statement>) -> Result<(), ScriptRefusal> {
        if !self.scopes.in_function() {
            return Err(self.refuse("`return` is not supported outside of a function"));
        }
        self.advance();
        let begins_line = self.tokens.get(self.at).is_some_and(|token| token.begins_line);
        let ends = begins_line || self.is_sign(";") || self.is_sign("}") || self.peek() == &TokenKind::End;
        let value = if ends { None } else { Some(self.expression()?) };
        out.push(Statement::Return(value));
        self.end_of_statement()
    }

    fn declaration(&mut self, out: &mut Vec<Statement>) -> Result<(), ScriptRefusal> {
        let kind = self.take_name()?;
        loop {
            let offset = self.offset();
            let name = self.take_name()?;
            // The name is not yet known in its own value; `var x = x || 1` means an earlier `x`.
            let value = if self.take_sign("=") { Some(self.expression()?) } else { None };
            let slot = match &*kind {
                "var" => self.scopes.declare_var(&name),
                _ => self.scopes.declare(&name, &*kind == "const"),
            };
            let slot = slot.map_err(|what| self.refuse_at(what, offset))?;
            match (&*kind, value) {
                ("const", None) => return Err(self.refuse_at(format!("`{name}` needs a value"), offset)),
                // It is there from the start of the function.
                ("var", None) => {}
                (_, value) => out.push(Statement::Declare { slot, value }),
            }
            if !self.take_sign(",") {
                return self.end_of_statement();
            }
        }
    }

    fn node(&self, kind: ExpressionKind, offset: usize) -> Result<Expression, ScriptRefusal> {
        let depth = 1 + expression::depth_below(&kind);
        if depth > SCRIPT_DEPTH_MAX {
            return Err(self.too_deep(offset));
        }
        Ok(Expression { depth, kind })
    }
}
