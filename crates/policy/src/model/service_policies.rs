//! The policies of a service as a plugin downloads them, with zones, tag policies and changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Policy, PolicyResource, ServiceDef, Text};

/// The policies of a service (`ServicePolicies`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePolicies {
    /// The service.
    pub service_name: String,
    /// How often they were changed.
    pub policy_version: Option<i64>,
    /// The definition of the service.
    pub service_def: ServiceDef,
    /// `audit-all`, `audit-none` or `audit-default`.
    pub audit_mode: Option<String>,
    /// The policies outside of zones.
    pub policies: Vec<Policy>,
    /// The policies on tags.
    pub tag_policies: Option<TagPolicies>,
    /// The zones, by name.
    pub security_zones: BTreeMap<String, SecurityZone>,
    /// What was changed, where only that is told.
    pub policy_deltas: Vec<PolicyDelta>,
    /// Settings of the service.
    pub service_config: BTreeMap<String, Text>,
}

/// The policies on tags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TagPolicies {
    /// The service of the tags.
    pub service_name: String,
    /// The definition of that service.
    pub service_def: ServiceDef,
    /// As of [`ServicePolicies`].
    pub audit_mode: Option<String>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// Settings of that service.
    pub service_config: BTreeMap<String, Text>,
}

/// A security zone: resources with policies of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityZone {
    /// Its name.
    pub zone_name: Option<String>,
    /// Its resources: for each, values by level.
    pub resources: Vec<BTreeMap<String, Vec<String>>>,
    /// Its policies.
    pub policies: Vec<Policy>,
    /// What was changed in them.
    pub policy_deltas: Vec<PolicyDelta>,
    /// Whether tag policies of the zone, and only those, count in it.
    pub contains_associated_tag_service: bool,
}

impl SecurityZone {
    /// Its resources as those of a policy; levels in `recursive` cover what is below.
    pub fn policy_resources(
        &self,
        recursive: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = BTreeMap<String, PolicyResource>> {
        self.resources.iter().map(move |resource| {
            let level = |(name, values): (&String, &Vec<String>)| {
                let resource =
                    PolicyResource { values: values.clone(), is_excludes: false, is_recursive: recursive(name) };
                (name.clone(), resource)
            };
            resource.iter().map(level).collect()
        })
    }
}

/// One change of the policies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyDelta {
    /// 0 added, 1 changed, 2 deleted.
    pub change_type: Option<i32>,
    /// The policy, in its new form; of a deleted one the number is enough.
    pub policy: Option<Policy>,
}

/// A rule about what is audited (`AuditFilter`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AuditFilter {
    /// The result that it is about; any, if absent.
    pub access_result: Option<AuditedResult>,
    /// The resources; any, if empty.
    pub resources: BTreeMap<String, PolicyResource>,
    /// The kinds of access; any, if these and the actions are empty.
    pub access_types: Vec<String>,
    /// The actions.
    pub actions: Vec<String>,
    /// The users; anybody, if these, the groups and the roles are empty.
    pub users: Vec<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether it is audited; without, the rule does nothing.
    pub is_audited: Option<bool>,
}

/// A result that a rule about auditing is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditedResult {
    /// Denied.
    Denied,
    /// Allowed.
    Allowed,
    /// No policy decided.
    NotDetermined,
}
