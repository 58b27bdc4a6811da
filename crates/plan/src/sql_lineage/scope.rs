//! Which column a name means: the nearest query that has it decides, and two that fit are an error.

use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{Ident, NamedWindowDefinition};
use lockgate_project::Code;

use super::flow::Flow;
use super::{Outcome, Reader};
use crate::facts::DependenceKind;
use crate::problem::Problem;
use crate::sql::range_of;

/// A column that a FROM offers.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// The parts of the name or alias of its relation; none for a column that USING merged.
    pub(super) relation: Rc<[String]>,
    pub(super) name: String,
    pub(super) flow: Flow,
    /// USING has merged it: only its qualified name means it.
    pub(super) is_merged: bool,
}

/// What an expression may name.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) columns: &'s [ScopeColumn],
    /// Outputs of the same SELECT that later ones may name.
    pub(super) aliases: &'s [(String, Flow)],
    pub(super) windows: &'s [NamedWindowDefinition],
    pub(super) outer: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    pub(super) fn of(columns: &'s [ScopeColumn], outer: Option<&'s Scope<'s>>) -> Self {
        Self { columns, aliases: &[], windows: &[], outer }
    }
}

pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

pub(super) fn ends_with(relation: &[String], qualifier: &[&Ident]) -> bool {
    let Some(skipped) = relation.len().checked_sub(qualifier.len()) else { return false };
    relation.iter().skip(skipped).zip(qualifier).all(|(part, wanted)| same(part, &wanted.value))
}

impl Reader<'_> {
    /// The flow of `column`, `relation.column`, `schema.relation.column`, or of a field of one of these.
    pub(super) fn named(&self, parts: &[&Ident], scope: &Scope<'_>) -> Outcome<Flow> {
        let mut around = Some(scope);
        while let Some(scope) = around {
            if let Some(flow) = self.named_in(parts, scope)? {
                return Ok(flow);
            }
            around = scope.outer;
        }
        Err(self.unknown_column(parts, scope))
    }

    fn named_in(&self, parts: &[&Ident], scope: &Scope<'_>) -> Outcome<Option<Flow>> {
        for at in (0..parts.len()).rev() {
            let (Some(name), Some(qualifier)) = (parts.get(at), parts.get(..at)) else { continue };
            let fits = |column: &&ScopeColumn| {
                same(&column.name, &name.value)
                    && match qualifier {
                        [] => !column.is_merged,
                        _ => !column.relation.is_empty() && ends_with(&column.relation, qualifier),
                    }
            };
            let mut found = scope.columns.iter().filter(fits);
            let Some(first) = found.next() else { continue };
            if found.next().is_some() {
                return Err(self.ambiguous(parts));
            }
            let is_field = at + 1 < parts.len();
            let flow = first.flow.clone();
            return Ok(Some(if is_field { flow.computed(DependenceKind::Transformation) } else { flow }));
        }
        if let [name] = parts
            && let Some((_, flow)) = scope.aliases.iter().find(|(alias, _)| same(alias, &name.value))
        {
            return Ok(Some(flow.clone()));
        }
        Ok(self.whole_row(parts, scope))
    }

    /// A relation named like a value is all of its columns.
    fn whole_row(&self, parts: &[&Ident], scope: &Scope<'_>) -> Option<Flow> {
        let of_it = |column: &&ScopeColumn| !column.relation.is_empty() && ends_with(&column.relation, parts);
        let mut columns = scope.columns.iter().filter(of_it).peekable();
        columns.peek()?;
        let row = columns.fold(Flow::default(), |row, column| row.and(&column.flow));
        Some(row.computed(DependenceKind::Transformation))
    }

    fn ambiguous(&self, parts: &[&Ident]) -> Box<Problem> {
        let written = written(parts);
        let problem =
            Problem::new(Code::AmbiguousName, format!("`{written}` could be a column of more than one table"));
        Box::new(problem.at(self.place_of(parts)).help("write the table's name or alias before it"))
    }

    fn unknown_column(&self, parts: &[&Ident], scope: &Scope<'_>) -> Box<Problem> {
        let name = parts.last().map_or("", |part| part.value.as_str());
        let near = lockgate_project::nearest(name, scope.columns.iter().map(|column| column.name.as_str()));
        let help = match near.filter(|near| !same(near, name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "look for it among the columns of the tables in the catalog".to_owned(),
        };
        let problem = Problem::new(Code::UnknownSqlColumn, format!("there is no column `{}`", written(parts)));
        Box::new(problem.at(self.place_of(parts)).help(help))
    }

    pub(super) fn place_of(&self, parts: &[&Ident]) -> Option<std::ops::Range<usize>> {
        let start = range_of(self.sql, parts.first()?.span)?.start;
        Some(start..range_of(self.sql, parts.last()?.span)?.end)
    }
}

fn written(parts: &[&Ident]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
}
