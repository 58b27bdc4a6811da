//! Items that decide nothing, because one before them, or a denial, decides for everybody whom they name.
//!
//! Decided on the lists of one policy alone: names are compared as they are written, who is in which group is not asked,
//! and an item that has conditions shadows nothing.

use lockgate_policy::model::{Policy, PolicyItem, ServiceDef};
use lockgate_policy::{CURRENT_USER, PUBLIC_GROUP};

use super::{Checks, knows_access};
use crate::{Code, Diagnostic, PolicyPart};

impl Checks<'_> {
    /// Reports items without effect.
    pub(super) fn items(&mut self, policy: &Policy, def: &ServiceDef) {
        let masks: Vec<&PolicyItem> = policy.data_mask_policy_items.iter().map(|mask| &mask.item).collect();
        let rows: Vec<&PolicyItem> = policy.row_filter_policy_items.iter().map(|filter| &filter.item).collect();
        let allow: Vec<&PolicyItem> = policy.policy_items.iter().collect();
        let deny: Vec<&PolicyItem> = policy.deny_policy_items.iter().collect();
        for (part, items) in [
            (PolicyPart::Allow, &allow),
            (PolicyPart::Deny, &deny),
            (PolicyPart::Mask, &masks),
            (PolicyPart::Rows, &rows),
        ] {
            self.unknown_accesses(policy, def, part, items);
            for (at, item) in items.iter().enumerate() {
                if let Some(first) = items.iter().take(at).position(|earlier| covers(earlier, item)) {
                    let message = format!(
                        "item {} of `{}` in the policy `{}` decides nothing: item {} does for all whom it names",
                        at + 1,
                        part.as_str(),
                        policy.name,
                        first + 1
                    );
                    let help = "remove it, or move it before the other";
                    self.report_part(Code::PolicyShadowed, policy.id(), (part, at), message, help);
                }
            }
        }
        if !def.denies_and_exceptions() || !policy.deny_exceptions.is_empty() {
            return;
        }
        for (at, item) in allow.iter().enumerate() {
            if let Some(first) = deny.iter().position(|denial| covers(denial, &without_delegation(item))) {
                let message = format!(
                    "item {} of `allow` in the policy `{}` allows nothing: item {} of `deny` denies it to all whom it names",
                    at + 1,
                    policy.name,
                    first + 1
                );
                let help = "remove one of the two, or add `deny_except`";
                self.report_part(Code::PolicyShadowed, policy.id(), (PolicyPart::Allow, at), message, help);
            }
        }
    }

    /// Reports policies that say what another one says.
    pub(super) fn equal(&mut self, policies: &[&Policy]) {
        let content = |policy: &Policy| Policy { id: None, name: String::new(), version: None, ..policy.clone() };
        let mut seen: std::collections::BTreeMap<String, &Policy> = std::collections::BTreeMap::new();
        for policy in policies {
            // What two policies are compared by is their whole text, so that a hundred thousand are compared at once.
            let Ok(text) = serde_json::to_string(&content(policy)) else { continue };
            let Some(first) = seen.get(&text).copied() else {
                seen.insert(text, policy);
                continue;
            };
            let (Some(origin), Some(other)) = (self.origin(policy.id()), self.origin(first.id())) else { continue };
            let message = format!("the policy `{}` says what `{}` says", policy.name, first.name);
            let diagnostic = Diagnostic::new(Code::PolicyShadowed, origin.span, message)
                .with_label(other.span, "said here")
                .with_help("remove one of the two");
            self.found.push(diagnostic);
        }
    }

    fn unknown_accesses(&mut self, policy: &Policy, def: &ServiceDef, part: PolicyPart, items: &[&PolicyItem]) {
        for (at, item) in items.iter().enumerate() {
            // `hdfs:read` is for another service, and no mistake.
            let own = |name: &str| !name.contains(':') || name.starts_with(&format!("{}:", def.name));
            let unknown = |name: &str| own(name) && !knows_access(def, name);
            let fits_nothing = !item.accesses.is_empty() && item.accesses.iter().all(|access| unknown(&access.kind));
            if let Some(first) = item.accesses.first().filter(|_| fits_nothing && !item.delegate_admin) {
                let message = format!(
                    "item {} of `{}` in the policy `{}` never fits: the service has no access `{}`",
                    at + 1,
                    part.as_str(),
                    policy.name,
                    first.kind
                );
                let help = "name an access that the service has";
                self.report_part(Code::PolicyNeverFits, policy.id(), (part, at), message, help);
            }
        }
    }
}

fn without_delegation(item: &PolicyItem) -> PolicyItem {
    PolicyItem { delegate_admin: false, ..item.clone() }
}

/// Whether an item without conditions fits whenever another does.
fn covers(wide: &PolicyItem, narrow: &PolicyItem) -> bool {
    let within = |few: &[String], many: &[String]| few.iter().all(|name| many.contains(name));
    let is_anybody =
        wide.groups.iter().any(|group| group == PUBLIC_GROUP) || wide.users.iter().any(|user| user == CURRENT_USER);
    let names_somebody = !(narrow.users.is_empty() && narrow.groups.is_empty() && narrow.roles.is_empty());
    let whom = is_anybody
        || within(&narrow.users, &wide.users)
            && within(&narrow.groups, &wide.groups)
            && within(&narrow.roles, &wide.roles);
    let accesses = narrow
        .accesses
        .iter()
        .filter(|access| access.is_allowed)
        .all(|access| wide.accesses.iter().any(|other| other.is_allowed && other.kind == access.kind));
    let has_access = narrow.accesses.iter().any(|access| access.is_allowed);
    wide.conditions.is_empty()
        && names_somebody
        && has_access
        && whom
        && accesses
        && (wide.delegate_admin || !narrow.delegate_admin)
}
