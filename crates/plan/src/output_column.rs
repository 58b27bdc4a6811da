//! The outcome of compilation for one column, in the words that `explain`, `run` and the ledger use.

use std::collections::BTreeSet;

use lockgate_model::{ColumnName, DatasetName, Form, Level, Protection, TagName, ValueType};

use crate::facts::{Dependence, DependenceKind};

/// One column of a pipeline's output: what it is, what is done to it and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name in the sink.
    pub name: ColumnName,
    /// The type of its values before protection.
    pub value_type: ValueType,
    /// The type in which the sink stores it, after protection.
    pub stored_type: ValueType,
    /// Its classification before protection.
    pub level: Level,
    /// What it is.
    pub tags: BTreeSet<TagName>,
    /// The form in which it reaches the sink.
    pub form: Form,
    /// What is done to it; `None` where the sink may have it as it arrives.
    pub protection: Option<Protection>,
    /// The rule that chose the protection, as the project's file places it; `None` without a protection.
    pub rule: Option<String>,
    /// Why, in one sentence.
    pub because: String,
    /// How the level arrived, step by step.
    pub path: Vec<String>,
    /// The source columns that it depends on.
    pub lineage: Vec<Dependence>,
    /// The output column to whose value each sealed value is bound.
    pub bound_to: Option<ColumnName>,
    /// Whether the value is still the source's subject, unchanged, so that later stages may bind to it.
    pub is_subject: bool,
    /// Whether a value sealed from this one is to be bound to a subject.
    pub needs_subject: bool,
    /// The dataset whose subjects the rows are about, where they can be erased: sealed values are under a key of their
    /// subject's own.
    pub erase_by: Option<DatasetName>,
}

impl OutputColumn {
    /// On what its value in the sink depends: where a protection lies between, the value is hidden.
    pub fn sources(&self) -> BTreeSet<Dependence> {
        let hides = self.protection.is_some();
        let source = |source: &Dependence| match hides && source.kind.is_direct() {
            true => {
                Dependence { kind: source.kind.max(DependenceKind::Transformation), masking: true, ..source.clone() }
            }
            false => source.clone(),
        };
        self.lineage.iter().map(source).collect()
    }

    /// Whether the sink has a column for it.
    pub fn is_stored(&self) -> bool {
        match self.form {
            Form::Clear | Form::Masked | Form::Tokenized | Form::Sealed => true,
            Form::Dropped => false,
        }
    }
}
