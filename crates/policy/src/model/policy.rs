//! A policy: which resources, who, which access, under which conditions, with which mask or filter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::validity::ValiditySchedule;

/// Ranger's number of the policies that decide about auditing.
pub const AUDIT_POLICY: i32 = 3;

/// What a policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyType {
    /// Who may.
    Access,
    /// What is masked.
    DataMask,
    /// Which rows are seen.
    RowFilter,
}

impl PolicyType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Access, Self::DataMask, Self::RowFilter];

    /// From Ranger's number.
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Access),
            1 => Some(Self::DataMask),
            2 => Some(Self::RowFilter),
            _ => None,
        }
    }
}

/// A policy (`RangerPolicy`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Policy {
    /// Its number.
    pub id: Option<i64>,
    /// The service it belongs to.
    pub service: String,
    /// The kind of that service.
    pub service_type: Option<String>,
    /// Its name.
    pub name: String,
    /// 0 access, 1 mask, 2 filter, 3 audit.
    pub policy_type: Option<i32>,
    /// 0 normal, 1 override.
    pub policy_priority: Option<i32>,
    /// How often it was changed.
    pub version: Option<i64>,
    /// The security zone it belongs to.
    pub zone_name: Option<String>,
    /// Whether it counts at all.
    pub is_enabled: bool,
    /// Whether accesses that it covers are audited.
    pub is_audit_enabled: bool,
    /// Whether what no item allows is denied.
    pub is_deny_all_else: bool,
    /// The resources, by level.
    pub resources: BTreeMap<String, PolicyResource>,
    /// Further resources.
    pub additional_resources: Vec<BTreeMap<String, PolicyResource>>,
    /// Conditions of the whole policy.
    pub conditions: Vec<ConditionUse>,
    /// When it counts.
    pub validity_schedules: Vec<ValiditySchedule>,
    /// Who is allowed.
    pub policy_items: Vec<PolicyItem>,
    /// Who is denied.
    pub deny_policy_items: Vec<PolicyItem>,
    /// Whom `policy_items` do not cover.
    pub allow_exceptions: Vec<PolicyItem>,
    /// Whom `deny_policy_items` do not cover.
    pub deny_exceptions: Vec<PolicyItem>,
    /// Who sees what masked.
    pub data_mask_policy_items: Vec<DataMaskItem>,
    /// Who sees which rows.
    pub row_filter_policy_items: Vec<RowFilterItem>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            id: None,
            service: String::new(),
            service_type: None,
            name: String::new(),
            policy_type: None,
            policy_priority: None,
            version: None,
            zone_name: None,
            is_enabled: true,
            is_audit_enabled: true,
            is_deny_all_else: false,
            resources: BTreeMap::new(),
            additional_resources: Vec::new(),
            conditions: Vec::new(),
            validity_schedules: Vec::new(),
            policy_items: Vec::new(),
            deny_policy_items: Vec::new(),
            allow_exceptions: Vec::new(),
            deny_exceptions: Vec::new(),
            data_mask_policy_items: Vec::new(),
            row_filter_policy_items: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether it belongs to no security zone.
    pub fn is_outside_zones(&self) -> bool {
        self.zone_name.as_deref().is_none_or(|zone| zone.trim().is_empty())
    }

    /// Its number, or -1 as Ranger has it for none.
    pub fn id(&self) -> i64 {
        self.id.unwrap_or(-1)
    }

    /// What it decides; nothing for audit policies and for numbers that Ranger does not have.
    pub fn kind(&self) -> Option<PolicyType> {
        PolicyType::from_number(self.policy_type.unwrap_or(0))
    }
}

/// The values of a policy at one level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyResource {
    /// Names and patterns.
    pub values: Vec<String>,
    /// Whether everything but the values is meant.
    pub is_excludes: bool,
    /// Whether what is below the values is meant as well.
    pub is_recursive: bool,
}

/// Who, which access, under which conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyItem {
    /// The kinds of access.
    pub accesses: Vec<Access>,
    /// The users; `{USER}` is anybody, `{OWNER}` who owns the resource.
    pub users: Vec<String>,
    /// The groups; `public` is anybody.
    pub groups: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// All of which must hold.
    pub conditions: Vec<ConditionUse>,
    /// Whether the right may be passed on.
    pub delegate_admin: bool,
}

/// One kind of access in an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Access {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it counts.
    pub is_allowed: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self { kind: String::new(), is_allowed: true }
    }
}

/// A condition with the values that it is to be evaluated for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConditionUse {
    /// The name of the condition in the service definition.
    #[serde(rename = "type")]
    pub kind: String,
    /// The values.
    pub values: Vec<String>,
}

/// Who sees what masked, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataMaskItem {
    /// Who, which access, under which conditions.
    #[serde(flatten)]
    pub item: PolicyItem,
    /// The mask.
    pub data_mask_info: Option<DataMaskInfo>,
}

/// A mask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataMaskInfo {
    /// Its kind: `MASK_HASH`, `CUSTOM`, `MASK_NONE`.
    pub data_mask_type: Option<String>,
    /// A condition, which no engine is known to use.
    pub condition_expr: Option<String>,
    /// The expression of a custom mask.
    pub value_expr: Option<String>,
}

/// Who sees which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RowFilterItem {
    /// Who, which access, under which conditions.
    #[serde(flatten)]
    pub item: PolicyItem,
    /// The filter.
    pub row_filter_info: Option<RowFilterInfo>,
}

/// A filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RowFilterInfo {
    /// The condition that a row must meet.
    pub filter_expr: Option<String>,
}
