//! Roles and who has them.

use serde::{Deserialize, Serialize};

/// All roles (`RangerRoles`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Roles {
    /// The roles.
    pub ranger_roles: Vec<Role>,
    /// How often they were changed.
    pub role_version: Option<i64>,
}

/// One role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The users who have it.
    pub users: Vec<RoleMember>,
    /// The groups whose members have it.
    pub groups: Vec<RoleMember>,
    /// The roles that give it.
    pub roles: Vec<RoleMember>,
}

/// Who has a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoleMember {
    /// The name of the user, group or role.
    pub name: String,
    /// Whether it may pass the role on.
    pub is_admin: bool,
}

impl RoleMember {
    /// A member without the right to pass the role on.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), is_admin: false }
    }
}
