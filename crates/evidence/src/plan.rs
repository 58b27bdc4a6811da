//! What a run did to each column, and why, as it stood when the run began.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::{
    ColumnName, DatasetName, Form, PipelineName, PrincipalName, Protection, StoreName, TagName, ValueType,
};
use serde::{Deserialize, Serialize};

use crate::{Document, attachment};

/// A governed plan in words. Two runs of an unchanged pipeline have equal records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// Format version, 1.
    pub v: u8,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Who it runs as.
    pub runs_as: PrincipalName,
    /// The SQL as written.
    pub sql: String,
    /// Where the rows go.
    pub sink: SinkRecord,
    /// The columns of the query in order, dropped ones included.
    pub columns: Vec<ColumnRecord>,
    /// The source columns that decide which rows are there.
    pub filters: Vec<LineageRecord>,
    /// The datasets that are read, each with the form and level of its columns.
    pub sources: BTreeMap<DatasetName, BTreeMap<ColumnName, SourceColumnRecord>>,
    /// The governed plan, one node a line.
    pub governed_plan: String,
}

/// A column of a dataset as the plan found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceColumnRecord {
    /// The form in which its values arrive.
    pub form: Form,
    /// The name of its level.
    pub level: String,
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkRecord {
    /// The dataset that is written.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// `append`, `replace` or `merge`.
    pub mode: String,
    /// The columns that rows are merged by; empty in other modes.
    pub key: Vec<ColumnName>,
    /// The name of the highest level that the store may receive in the clear.
    pub clearance: String,
}

/// One column of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRecord {
    /// Its name.
    pub name: ColumnName,
    /// The type in which it is stored.
    #[serde(rename = "type")]
    pub stored_type: ValueType,
    /// The name of its level before protection.
    pub level: String,
    /// What it is.
    pub tags: BTreeSet<TagName>,
    /// The form in which it is stored.
    pub form: Form,
    /// What was done to it; absent where it passed as it was.
    pub protection: Option<Protection>,
    /// The rule that chose the protection.
    pub rule: Option<String>,
    /// Why, in a sentence.
    pub because: String,
    /// How the level arrived, step by step.
    pub path: Vec<String>,
    /// What it was computed from.
    pub lineage: Vec<LineageRecord>,
    /// The column whose value each sealed value is bound to.
    pub bound_to: Option<ColumnName>,
    /// The dataset whose subjects can be erased from the sealed column; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erase_by: Option<DatasetName>,
}

/// One column-level dependence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageRecord {
    /// The dataset that was read.
    pub dataset: DatasetName,
    /// Its column.
    pub column: ColumnName,
    /// `IDENTITY`, `TRANSFORMATION`, `CONDITIONAL` or `FILTER`, as OpenLineage names them.
    pub kind: String,
}

impl Document for PlanRecord {
    const NAME: &'static str = attachment::PLAN;
}
