//! Which variable a name means.

use std::sync::Arc;

use super::super::context::macro_named;
use super::super::syntax::{Expression, ExpressionKind, Statement};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Var,
    Let,
    Const,
}

#[derive(Debug, Default)]
struct Scope {
    is_function: bool,
    names: Vec<(Arc<str>, usize, Kind)>,
    /// What `var` declared here.
    hoisted: Vec<usize>,
}

/// The scopes around the place that is parsed; the script itself is the outermost.
#[derive(Debug)]
pub(super) struct Scopes {
    scopes: Vec<Scope>,
    outermost: Scope,
    slots: usize,
}

impl Default for Scopes {
    fn default() -> Self {
        Self { scopes: Vec::new(), outermost: Scope { is_function: true, ..Scope::default() }, slots: 0 }
    }
}

impl Scopes {
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    pub(super) fn open_block(&mut self) {
        self.scopes.push(Scope::default());
    }

    pub(super) fn open_function(&mut self) {
        self.scopes.push(Scope { is_function: true, ..Scope::default() });
    }

    pub(super) fn close(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn in_function(&self) -> bool {
        self.scopes.iter().any(|scope| scope.is_function)
    }

    /// The slot of a name, and whether it may be assigned to.
    pub(super) fn resolve(&self, name: &str) -> Option<(usize, bool)> {
        let scopes = self.scopes.iter().rev().chain([&self.outermost]);
        scopes
            .flat_map(|scope| &scope.names)
            .find(|(known, ..)| &**known == name)
            .map(|(_, slot, kind)| (*slot, *kind != Kind::Const))
    }

    fn innermost(&mut self) -> &mut Scope {
        self.scopes.last_mut().unwrap_or(&mut self.outermost)
    }

    fn function(&mut self) -> &mut Scope {
        self.scopes.iter_mut().rev().find(|scope| scope.is_function).unwrap_or(&mut self.outermost)
    }

    fn new_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    /// `let`, `const` and parameters.
    pub(super) fn declare(&mut self, name: &Arc<str>, is_const: bool) -> Result<usize, String> {
        check_name(name)?;
        if self.innermost().names.iter().any(|(known, ..)| known == name) {
            return Err(format!("`{name}` is declared twice"));
        }
        let slot = self.new_slot();
        let kind = if is_const { Kind::Const } else { Kind::Let };
        self.innermost().names.push((name.clone(), slot, kind));
        Ok(slot)
    }

    /// `var`, which belongs to the whole function and may be repeated.
    pub(super) fn declare_var(&mut self, name: &Arc<str>) -> Result<usize, String> {
        check_name(name)?;
        let own_scopes = self.scopes.iter().rev();
        let between = own_scopes.take_while(|scope| !scope.is_function).flat_map(|scope| &scope.names);
        if between.clone().any(|(known, ..)| known == name) {
            return Err(format!("`{name}` is declared twice"));
        }
        let in_function = self.in_function();
        match self.function().names.iter().find(|(known, ..)| known == name) {
            Some((_, slot, Kind::Var)) => Ok(*slot),
            // A parameter may be declared again, which changes nothing.
            Some((_, slot, Kind::Let)) if in_function => Ok(*slot),
            Some(_) => Err(format!("`{name}` is declared twice")),
            None => {
                let slot = self.new_slot();
                let function = self.function();
                function.names.push((name.clone(), slot, Kind::Var));
                function.hoisted.push(slot);
                Ok(slot)
            }
        }
    }

    /// The variable that an assignment to a name without a declaration makes: it is not there before.
    pub(super) fn declare_by_assignment(&mut self, name: &Arc<str>) -> Result<usize, String> {
        check_name(name)?;
        let slot = self.new_slot();
        self.outermost.names.push((name.clone(), slot, Kind::Var));
        Ok(slot)
    }

    /// The statements of the innermost function, with its `var`s undefined at the start.
    pub(super) fn with_hoisted(&mut self, statements: Vec<Statement>) -> Vec<Statement> {
        let hoisted = std::mem::take(&mut self.function().hoisted);
        let undefined = || Some(Expression { depth: 1, kind: ExpressionKind::Undefined });
        let declared = hoisted.into_iter().map(|slot| Statement::Declare { slot, value: undefined() });
        declared.chain(statements).collect()
    }
}

/// The names that have a meaning already and can't be given another one.
fn check_name(name: &str) -> Result<(), String> {
    const WORDS: &[&str] = &[
        "ctx",
        "if",
        "else",
        "return",
        "typeof",
        "in",
        "true",
        "false",
        "null",
        "undefined",
        "this",
        "new",
        "delete",
        "void",
        "instanceof",
        "case",
        "default",
        "catch",
        "finally",
        "enum",
        "extends",
        "super",
        "yield",
        "await",
    ];
    if WORDS.contains(&name) || super::REFUSED_STATEMENTS.contains(&name) || macro_named(name).is_some() {
        return Err(format!("`{name}` cannot be the name of a variable"));
    }
    Ok(())
}
