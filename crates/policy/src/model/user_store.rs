//! What is known of users and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Text;

/// Attributes of users and groups, and who belongs where (`RangerUserStore`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UserStore {
    /// How often it was changed.
    pub user_store_version: Option<i64>,
    /// The attributes of each user.
    pub user_attr_mapping: BTreeMap<String, BTreeMap<String, Text>>,
    /// The attributes of each group.
    pub group_attr_mapping: BTreeMap<String, BTreeMap<String, Text>>,
    /// The groups of each user.
    pub user_group_mapping: BTreeMap<String, Vec<String>>,
}
