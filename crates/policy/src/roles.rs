//! Who has which roles, those that roles give included.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Roles;
use crate::names::{Names, Symbol, SymbolMap};
use crate::request::PUBLIC_GROUP;
use crate::short::Short;

/// The roles of each user and group.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleTable {
    users: SymbolMap<Box<[Symbol]>>,
    groups: SymbolMap<Box<[Symbol]>>,
    everybody: Box<[Symbol]>,
}

impl RoleTable {
    /// Follows roles through roles.
    pub(crate) fn new(roles: &Roles, names: &mut Names) -> Self {
        let mut given: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for role in &roles.ranger_roles {
            for member in &role.roles {
                given.entry(&member.name).or_default().insert(&role.name);
            }
        }
        let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for role in &roles.ranger_roles {
            let all = reachable(&role.name, &given);
            for (members, table) in [(&role.users, &mut users), (&role.groups, &mut groups)] {
                for member in members {
                    table.entry(&member.name).or_default().extend(&all);
                }
            }
        }
        let mut table = |found: BTreeMap<&str, BTreeSet<&str>>| -> SymbolMap<Box<[Symbol]>> {
            let numbered = |(member, roles): (&str, BTreeSet<&str>)| {
                (names.intern(member), roles.into_iter().map(|role| names.intern(role)).collect())
            };
            found.into_iter().map(numbered).collect()
        };
        let (users, groups) = (table(users), table(groups));
        let everybody = names.find(PUBLIC_GROUP).and_then(|public| groups.get(&public).cloned()).unwrap_or_default();
        Self { users, groups, everybody }
    }

    /// Whether nobody has a role.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// The roles of a user in groups, sorted.
    pub(crate) fn roles_of(&self, user: Option<Symbol>, groups: &[Symbol]) -> Short<Symbol, 8> {
        let own = user.and_then(|user| self.users.get(&user)).into_iter();
        let by_group = groups.iter().filter_map(|group| self.groups.get(group));
        let all = own.chain(by_group).chain(std::iter::once(&self.everybody));
        let mut roles: Short<Symbol, 8> = all.flat_map(|roles| roles.iter().copied()).collect();
        roles.sort_distinct_by_key(|role| *role);
        roles
    }
}

fn reachable<'a>(role: &'a str, given: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([role]);
    let mut open = vec![role];
    while let Some(role) = open.pop() {
        for next in given.get(role).into_iter().flatten() {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, RoleMember};

    #[test]
    fn roles_come_from_groups_and_roles_even_in_circles() {
        let role = |name: &str, users: &[&str], groups: &[&str], roles: &[&str]| {
            let members = |names: &[&str]| names.iter().map(|name| RoleMember::named(name)).collect();
            Role { name: name.to_owned(), users: members(users), groups: members(groups), roles: members(roles) }
        };
        let ranger_roles = vec![
            role("analyst", &["anna"], &[], &[]),
            role("reader", &[], &["staff"], &["analyst", "writer"]),
            role("writer", &[], &[], &["reader"]),
            role("guest", &[], &["public"], &[]),
        ];
        let mut names = Names::default();
        let table = RoleTable::new(&Roles { ranger_roles, role_version: None }, &mut names);
        let roles = |user: &str, groups: &[&str]| {
            let groups: Vec<_> = groups.iter().filter_map(|group| names.find(group)).collect();
            let mut roles: Vec<_> =
                table.roles_of(names.find(user), &groups).iter().map(|role| names.text(*role)).collect();
            roles.sort_unstable();
            roles
        };
        assert_eq!(roles("anna", &[]), ["analyst", "guest", "reader", "writer"]);
        assert_eq!(roles("ben", &["staff"]), ["guest", "reader", "writer"]);
        assert_eq!(roles("carl", &[]), ["guest"]);
    }
}
