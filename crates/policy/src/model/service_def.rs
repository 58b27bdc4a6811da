//! What a kind of service has: levels of resources, kinds of access, masks, conditions and enrichers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Text;

/// The definition of a kind of service (`RangerServiceDef`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceDef {
    /// Its kind: `hive`.
    pub name: String,
    /// The levels of its resources.
    pub resources: Vec<ResourceDef>,
    /// Its kinds of access.
    pub access_types: Vec<AccessTypeDef>,
    /// Kinds of access that stand for several, where they are not to follow from the categories.
    pub marker_access_types: Vec<AccessTypeDef>,
    /// The conditions that policies may have.
    pub policy_conditions: Vec<ConditionDef>,
    /// What is looked up before a request is decided.
    pub context_enrichers: Vec<EnricherDef>,
    /// What may be masked, and how.
    pub data_mask_def: DataMaskDef,
    /// What may be filtered.
    pub row_filter_def: RowFilterDef,
    /// Options: `enableDenyAndExceptionsInPolicies`.
    pub options: BTreeMap<String, Text>,
}

/// One level of resources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceDef {
    /// Its name: `table`.
    pub name: String,
    /// Its place among the levels.
    pub level: i32,
    /// The level above, or nothing.
    pub parent: String,
    /// Whether resources may end here although there are levels below.
    pub is_valid_leaf: Option<bool>,
    /// Whether policies may cover everything below a path.
    pub recursive_supported: Option<bool>,
    /// The class that matches values.
    pub matcher: String,
    /// How it does.
    pub matcher_options: BTreeMap<String, Text>,
}

/// One kind of access.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccessTypeDef {
    /// Its name: `select`.
    pub name: String,
    /// What it gives as well.
    pub implied_grants: Vec<String>,
    /// `CREATE`, `READ`, `UPDATE`, `DELETE`, `MANAGE`, which the markers `_CREATE` and so on gather.
    pub category: String,
}

/// A condition that policies may have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConditionDef {
    /// The name that policies use.
    pub name: String,
    /// The class that evaluates it.
    pub evaluator: String,
    /// How it does.
    pub evaluator_options: BTreeMap<String, Text>,
}

/// What is looked up before a request is decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnricherDef {
    /// Its name.
    pub name: String,
    /// The class that looks up.
    pub enricher: String,
    /// Where and how it does.
    pub enricher_options: BTreeMap<String, Text>,
}

/// What may be masked, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataMaskDef {
    /// The masks.
    pub mask_types: Vec<MaskTypeDef>,
    /// The kinds of access that are masked.
    pub access_types: Vec<AccessTypeDef>,
    /// The levels that are masked; what they leave out is as in the definition's own levels.
    pub resources: Vec<ResourceDef>,
}

/// One kind of mask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MaskTypeDef {
    /// Its name: `MASK_HASH`.
    pub name: String,
    /// The expression that masks, with `{col}` for the column.
    pub transformer: String,
}

/// What may be filtered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RowFilterDef {
    /// The kinds of access that are filtered.
    pub access_types: Vec<AccessTypeDef>,
    /// The levels that are filtered.
    pub resources: Vec<ResourceDef>,
}

impl ServiceDef {
    /// Whether policies may deny, and except.
    pub fn denies_and_exceptions(&self) -> bool {
        let option = self.options.get("enableDenyAndExceptionsInPolicies");
        option.is_none_or(|text| text.as_str().is_empty() || text.as_str().eq_ignore_ascii_case("true"))
    }
}
