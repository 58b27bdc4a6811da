//! What is known of one column of a plan: how restricted it is, what it is, where it came from.

use std::collections::BTreeSet;

use lockgate_model::{ColumnName, DatasetName, Form, Level, TagName};
use serde::{Deserialize, Serialize};

/// A column that a value was computed from, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependence {
    /// The dataset that was read.
    pub dataset: DatasetName,
    /// Its column.
    pub column: ColumnName,
    /// How the value depends on it.
    pub kind: DependenceKind,
}

/// How a value depends on a source column, after OpenLineage's column lineage facet 1-2-0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DependenceKind {
    /// DIRECT: the value itself.
    Identity,
    /// DIRECT: computed from it.
    Transformation,
    /// INDIRECT: chosen by a condition on it.
    Conditional,
    /// INDIRECT: the row is there because of it.
    Filter,
}

/// What is known of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) level: Level,
    pub(crate) tags: BTreeSet<TagName>,
    /// How the level arrived, step by step, for people. Empty for what depends on no column.
    pub(crate) path: Vec<String>,
    pub(crate) sources: BTreeSet<Dependence>,
    pub(crate) form: Form,
    /// In each row, this is the subject of that row's source, unchanged.
    pub(crate) is_subject: bool,
    /// A source of this value names a subject, so that sealing it binds to the row's subject.
    pub(crate) needs_subject: bool,
    /// For each source that names a subject: the dataset whose subjects can be erased, or that they cannot.
    pub(crate) erase_by: BTreeSet<Option<DatasetName>>,
}

impl Facts {
    /// What is known of a constant.
    pub(crate) fn constant(lowest: Level) -> Self {
        Self {
            level: lowest,
            tags: BTreeSet::new(),
            path: Vec::new(),
            sources: BTreeSet::new(),
            form: Form::Clear,
            is_subject: false,
            needs_subject: false,
            erase_by: BTreeSet::new(),
        }
    }

    /// What is known of a value that depends on both: as restricted as the more restricted, and everything that
    /// either is.
    fn join(mut self, other: &Self) -> Self {
        if other.level > self.level || self.path.is_empty() {
            self.path.clone_from(&other.path);
        }
        self.level = self.level.join(other.level);
        self.tags.extend(other.tags.iter().cloned());
        self.sources.extend(other.sources.iter().cloned());
        self.form = self.form.max(other.form);
        self.needs_subject |= other.needs_subject;
        self.erase_by.extend(other.erase_by.iter().cloned());
        self.is_subject = false;
        self
    }

    /// What is known of a value computed from all of these by the expression that `written` shows.
    pub(crate) fn computed(lowest: Level, inputs: &[Self], written: &str) -> Self {
        let mut all = inputs.iter().fold(Self::constant(lowest), Self::join);
        if !all.path.is_empty() {
            all.path.push(format!("`{written}`"));
        }
        let direct = |kind| match kind {
            DependenceKind::Identity | DependenceKind::Transformation => DependenceKind::Transformation,
            indirect @ (DependenceKind::Conditional | DependenceKind::Filter) => indirect,
        };
        all.sources =
            all.sources.into_iter().map(|source| Dependence { kind: direct(source.kind), ..source }).collect();
        all
    }

    /// The same value seen as the condition that chooses another.
    pub(crate) fn into_condition(mut self) -> Self {
        self.sources =
            self.sources.into_iter().map(|source| Dependence { kind: DependenceKind::Conditional, ..source }).collect();
        self
    }

    /// What is known of a column whose rows come from either of two inputs.
    pub(crate) fn either(self, other: &Self) -> Self {
        let is_subject = self.is_subject && other.is_subject;
        Self { is_subject, ..self.join(other) }
    }
}
