//! The policies of the tags that a resource has.

use serde_json::{Value, json};

use super::value::order;
use super::{Question, State, Who, flag, has_deny, has_items, list, priority};

/// How close a tagged resource is: the closest is tried first for masks.
const MATCH_TYPES: [&str; 4] = ["SELF", "SELF_AND_ALL_DESCENDANTS", "ANCESTOR", "DESCENDANT"];

impl Question<'_> {
    /// 2.4, TAGS: each tag with each policy, on a copy of the state that is merged back.
    pub(super) fn tags_decide(&self, zone: Option<&str>, state: &mut State) {
        let service = &self.service["tagPolicies"];
        if service.is_null() {
            return;
        }
        let zone_has_tags =
            zone.is_some_and(|zone| self.service["securityZones"][zone]["containsAssociatedTagService"] == true);
        let wanted_zone = zone.filter(|_| zone_has_tags).unwrap_or_default();
        // A policy without items that says nothing about auditing is left out when policies are loaded.
        let says = |policy: &&Value| flag(policy, "isAuditEnabled", true) || has_items(policy);
        let in_zone = |policy: &&Value| policy["zoneName"].as_str().unwrap_or_default() == wanted_zone;
        let policies: Vec<&Value> =
            self.of_kind(list(service, "policies")).into_iter().filter(in_zone).filter(says).collect();
        let mut candidates: Vec<(&Value, &Value)> = Vec::new();
        for tag in list(self.request, "tags").iter().filter(|tag| self.is_now(list(tag, "validityPeriods"))) {
            for policy in policies.iter().filter(|policy| self.is_now(list(policy, "validitySchedules"))) {
                candidates.push((tag, policy));
            }
        }
        self.sort(&service["serviceDef"], &mut candidates);
        for (tag, policy) in candidates {
            let resource = json!({ "tag": tag["type"] });
            let who = Who {
                resource: &resource,
                is_tag: true,
                score: tag["attributes"]["score"].as_str(),
                groups: self.who.groups.clone(),
                roles: self.who.roles.clone(),
                ..self.who
            };
            let mut copy = state.clone();
            copy.determined |= state.allowed && state.priority > priority(policy);
            self.policy_decides(&service["serviceDef"], policy, &who, &mut copy);
            if copy.allowed && !has_deny(policy) {
                copy.determined = true;
            }
            if copy.audited {
                (state.audited, state.audit_determined) = (copy.audited, copy.audit_determined);
            }
            if !state.determined && (copy.determined || (!state.allowed && copy.allowed)) {
                *state = State { audited: state.audited, audit_determined: state.audit_determined, ..copy };
            }
            if state.determined && state.audit_determined {
                break;
            }
        }
        state.determined |= state.allowed;
    }

    fn sort(&self, def: &Value, candidates: &mut [(&Value, &Value)]) {
        let name = |policy: &Value| policy["name"].as_str().unwrap_or_default().to_owned();
        let by_name = |policy: &Value| {
            let (priority, deny, _, _) = order(def, policy);
            (priority, deny, name(policy))
        };
        let closeness = |tag: &Value| MATCH_TYPES.iter().position(|known| tag["matchType"] == *known);
        match self.request["kind"].as_str() {
            Some("mask") => candidates.sort_by_key(|(tag, policy)| (closeness(tag), by_name(policy))),
            Some("filter") => candidates.sort_by_key(|(_, policy)| by_name(policy)),
            _ => candidates.sort_by_key(|(_, policy)| {
                let (priority, deny, order, _) = order(def, policy);
                (priority, deny, order, name(policy))
            }),
        }
    }
}
