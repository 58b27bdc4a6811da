//! On which columns a value depends, and how: each source once for each kind.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::facts::DependenceKind;

/// A column of a table, and how something depends on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) table: Rc<str>,
    pub(super) column: Rc<str>,
    pub(super) kind: DependenceKind,
}

/// The sources of a value; each with whether every way from it hides the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Flow(BTreeMap<Source, bool>);

impl Flow {
    /// The value of a column, unchanged.
    pub(super) fn column(table: &Rc<str>, column: &str) -> Self {
        let source = Source { table: Rc::clone(table), column: column.into(), kind: DependenceKind::Identity };
        Self([(source, false)].into())
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Source, bool)> {
        self.0.into_iter()
    }

    /// Both; a source that is seen unhidden on one way is not hidden.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (source, masking) in &other.0 {
            self.0.entry(source.clone()).and_modify(|all| *all &= masking).or_insert(*masking);
        }
        self
    }

    /// A value computed from this one: what is direct becomes this kind, unless it is further away already.
    pub(super) fn computed(self, at_least: DependenceKind) -> Self {
        self.map(|kind| if kind.is_direct() { kind.max(at_least) } else { kind })
    }

    /// Something that depends on this only by a choice, a key or an order.
    pub(super) fn into_indirect(self, kind: DependenceKind) -> Self {
        self.map(|_| kind)
    }

    /// The same seen as the condition that chooses a value.
    pub(super) fn into_condition(self) -> Self {
        self.map(|kind| if kind.is_direct() { DependenceKind::Conditional } else { kind })
    }

    /// A value that hides this one.
    pub(super) fn masked(mut self) -> Self {
        self.0.values_mut().for_each(|masking| *masking = true);
        self
    }

    fn map(self, map: impl Fn(DependenceKind) -> DependenceKind) -> Self {
        let mut mapped = Self::default();
        for (source, masking) in self.0 {
            let source = Source { kind: map(source.kind), ..source };
            mapped.0.entry(source).and_modify(|all| *all &= masking).or_insert(masking);
        }
        mapped
    }
}
