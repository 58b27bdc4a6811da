//! Roles and groups that no file declares, where files declare some.
//!
//! A project that declares no role, or no group, gets them from elsewhere: nothing is said of their names then. One that
//! declares some may still get others from elsewhere, so that a finding is a warning.

use std::collections::BTreeSet;

use lockgate_policy::model::{Policy, PolicyItem};
use lockgate_policy::{PUBLIC_GROUP, Sources};

use super::Checks;
use crate::policies::PolicyPart;
use crate::{Code, Diagnostic, Severity, nearest};

/// The roles and groups that the files of a project declare; empty where they declare none.
pub(super) struct Declared<'p> {
    roles: BTreeSet<&'p str>,
    groups: BTreeSet<&'p str>,
}

impl<'p> Declared<'p> {
    pub(super) fn new(sources: &'p Sources) -> Self {
        let roles = sources.roles.ranger_roles.iter().map(|role| role.name.as_str()).collect();
        let users = sources.user_store.iter();
        let groups = users.flat_map(|store| {
            let of_users = store.user_group_mapping.values().flatten();
            of_users.chain(store.group_attr_mapping.keys()).map(String::as_str)
        });
        Self { roles, groups: groups.collect() }
    }
}

impl Checks<'_> {
    /// Reports roles and groups that are not declared, each once for a policy, at the first item that names it.
    pub(super) fn principals(&mut self, policy: &Policy, declared: &Declared<'_>) {
        let mut reported = BTreeSet::new();
        for (part, at, item) in items(policy) {
            for (kind, names, known) in
                [("role", &item.roles, &declared.roles), ("group", &item.groups, &declared.groups)]
            {
                for name in names {
                    let is_declared = known.is_empty() || known.contains(name.as_str()) || name == PUBLIC_GROUP;
                    if !is_declared && reported.insert((kind, name)) {
                        self.undeclared(policy, (part, at), (kind, name), known);
                    }
                }
            }
        }
    }

    fn undeclared(
        &mut self,
        policy: &Policy,
        (part, at): (Option<PolicyPart>, usize),
        (kind, name): (&str, &str),
        known: &BTreeSet<&str>,
    ) {
        let Some(origin) = self.origin(policy.id()) else { return };
        let span = part.map_or(origin.span, |part| origin.part(part, at));
        let message = format!("the policy `{}` names the {kind} `{name}`, which no file declares", policy.name);
        let help = nearest(name, known.iter().copied()).map_or_else(
            || format!("declare it under `{kind}s`, if it is not given from elsewhere"),
            |near| format!("did you mean `{near}`?"),
        );
        let mut diagnostic = Diagnostic::new(Code::PolicyNamesUnknown, span, message).with_help(help);
        diagnostic.severity = Severity::Warning;
        self.found.push(diagnostic);
    }
}

/// All items of a policy, with where they are; of exceptions the place is that of the policy.
fn items(policy: &Policy) -> Vec<(Option<PolicyPart>, usize, &PolicyItem)> {
    let masks: Vec<&PolicyItem> = policy.data_mask_policy_items.iter().map(|mask| &mask.item).collect();
    let rows: Vec<&PolicyItem> = policy.row_filter_policy_items.iter().map(|filter| &filter.item).collect();
    let lists = [
        (Some(PolicyPart::Allow), policy.policy_items.iter().collect()),
        (Some(PolicyPart::Deny), policy.deny_policy_items.iter().collect()),
        (Some(PolicyPart::Mask), masks),
        (Some(PolicyPart::Rows), rows),
        (None, policy.allow_exceptions.iter().chain(&policy.deny_exceptions).collect::<Vec<_>>()),
    ];
    lists
        .into_iter()
        .flat_map(|(part, list)| list.into_iter().enumerate().map(move |(at, item)| (part, at, item)))
        .collect()
}
