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
    /// A mask or a protection lies between, and hides the value.
    pub masking: bool,
}

/// How a value depends on a source column, after OpenLineage's column lineage facet 1-2-0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DependenceKind {
    /// DIRECT: the value itself.
    Identity,
    /// DIRECT: computed from it.
    Transformation,
    /// DIRECT: computed from it in many rows.
    Aggregation,
    /// INDIRECT: chosen by a condition on it.
    Conditional,
    /// INDIRECT: the row is there because of it.
    Filter,
    /// INDIRECT: rows were put together by it.
    Join,
    /// INDIRECT: rows were merged by it.
    GroupBy,
    /// INDIRECT: rows were ordered, and perhaps limited, by it.
    Sort,
    /// INDIRECT: the rows that a window function sees were chosen or ordered by it.
    Window,
}

impl DependenceKind {
    /// Whether the value itself comes from the column, rather than from a choice that the column made.
    pub fn is_direct(self) -> bool {
        match self {
            Self::Identity | Self::Transformation | Self::Aggregation => true,
            Self::Conditional | Self::Filter | Self::Join | Self::GroupBy | Self::Sort | Self::Window => false,
        }
    }

    /// Its subtype in OpenLineage's column lineage facet: `IDENTITY`, `GROUP_BY`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Conditional => "CONDITIONAL",
            Self::Filter => "FILTER",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
        }
    }

    /// Its type in the same facet: `DIRECT` or `INDIRECT`.
    pub fn type_str(self) -> &'static str {
        if self.is_direct() { "DIRECT" } else { "INDIRECT" }
    }
}

/// One scan of a plan. Two scans of one table are two relations, whose rows have nothing to do with one another.
pub(crate) type ScanId = usize;

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
    /// The scans whose rows' subject this is, unchanged or known to be equal; empty unless `is_subject`.
    pub(crate) subject_of: BTreeSet<ScanId>,
    /// The scans to whose subject a value sealed from this one is to be bound; empty unless `needs_subject`.
    pub(crate) needs_subject_of: BTreeSet<ScanId>,
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
            subject_of: BTreeSet::new(),
            needs_subject_of: BTreeSet::new(),
            erase_by: BTreeSet::new(),
        }
    }

    /// What is known of a value that depends on both: as restricted as the more restricted, and everything that
    /// either is.
    pub(crate) fn join(mut self, other: &Self) -> Self {
        if other.level > self.level || self.path.is_empty() {
            self.path.clone_from(&other.path);
        }
        self.level = self.level.join(other.level);
        self.tags.extend(other.tags.iter().cloned());
        self.sources.extend(other.sources.iter().cloned());
        self.form = self.form.max(other.form);
        self.needs_subject |= other.needs_subject;
        self.needs_subject_of.extend(&other.needs_subject_of);
        self.erase_by.extend(other.erase_by.iter().cloned());
        self.without_subject()
    }

    /// The same value, no longer known to be the subject of any row.
    pub(crate) fn without_subject(mut self) -> Self {
        self.is_subject = false;
        self.subject_of.clear();
        self
    }

    /// The same value, known to be equal to `other` in every row that has a value of `other`'s scan.
    pub(crate) fn equal_to(mut self, other: &Self) -> Self {
        self.is_subject |= other.is_subject;
        self.subject_of.extend(&other.subject_of);
        self
    }

    /// What is known of a value computed from all of these by the expression that `written` shows.
    pub(crate) fn computed(lowest: Level, inputs: &[Self], written: &str) -> Self {
        let mut all = inputs.iter().fold(Self::constant(lowest), Self::join);
        if !all.path.is_empty() {
            all.path.push(format!("`{written}`"));
        }
        all.with_direct(DependenceKind::Transformation)
    }

    /// What is known of a value computed from all of these in many rows.
    pub(crate) fn aggregated(lowest: Level, inputs: &[Self], written: &str) -> Self {
        Self::computed(lowest, inputs, written).with_direct(DependenceKind::Aggregation)
    }

    /// Direct dependences become this kind unless they are further from the value already; indirect ones stay.
    fn with_direct(self, at_least: DependenceKind) -> Self {
        self.map_kinds(|kind| if kind.is_direct() { kind.max(at_least) } else { kind })
    }

    /// The same value seen as what chooses another, or the rows of others.
    pub(crate) fn into_indirect(self, kind: DependenceKind) -> Self {
        self.map_kinds(|_| kind)
    }

    /// The same value, all of whose direct dependences become indirect ones.
    pub(crate) fn into_condition(self) -> Self {
        self.map_kinds(|kind| if kind.is_direct() { DependenceKind::Conditional } else { kind })
    }

    /// The same value where these decided which it is: as restricted as they are, in its own form.
    pub(crate) fn chosen_by(self, conditions: &[Self]) -> Self {
        let form = self.form;
        let conditions = conditions.iter().cloned().map(Self::into_condition);
        let chosen = conditions.fold(self, |value, condition| value.join(&condition));
        Self { form, ..chosen }
    }

    /// A value that does not show those that it was computed from.
    pub(crate) fn hidden(mut self) -> Self {
        self.sources = self.sources.into_iter().map(|source| Dependence { masking: true, ..source }).collect();
        self
    }

    fn map_kinds(mut self, map: impl Fn(DependenceKind) -> DependenceKind) -> Self {
        let mapped = |source: Dependence| Dependence { kind: map(source.kind), ..source };
        self.sources = self.sources.into_iter().map(mapped).collect();
        self
    }

    /// What is known of a column whose rows come from either of two inputs.
    pub(crate) fn either(self, other: &Self) -> Self {
        if !(self.is_subject && other.is_subject) {
            return self.join(other);
        }
        let subject_of = self.subject_of.union(&other.subject_of).copied().collect();
        Self { is_subject: true, subject_of, ..self.join(other) }
    }
}
