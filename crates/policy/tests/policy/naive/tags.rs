//! The policies of the tags that a resource has.

use serde_json::{Value, json};

use super::resource::{Match, is_found};
use super::value::order;
use super::{Question, State, flag, has_deny, has_items, list, resource_sets};

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
            // What the lookup of the tag finds counts: nothing compares further.
            let resource = json!({ "tag": tag["type"] });
            let who = self.who.of_tag(tag, &resource);
            let found = |policy: &&&Value| resource_sets(policy).any(|set| is_found(&service["serviceDef"], set, &who));
            let now = |policy: &&&Value| self.is_now(list(policy, "validitySchedules"));
            for policy in policies.iter().filter(now).filter(found) {
                candidates.push((tag, policy));
            }
        }
        self.sort(&service["serviceDef"], &mut candidates);
        for (tag, policy) in candidates {
            let resource = json!({ "tag": tag["type"] });
            let who = self.who.of_tag(tag, &resource);
            let mut copy = state.clone();
            self.policy_decides(&service["serviceDef"], policy, (&who, Match::Same), &mut copy);
            if copy.allowed() && !has_deny(policy) {
                copy.determined = true;
            }
            if copy.audited {
                (state.audited, state.audit_determined) = (copy.audited, copy.audit_determined);
            }
            state.words = copy.words.clone();
            if !state.determined && (copy.determined || (!state.allowed() && copy.allowed())) {
                *state = State { audited: state.audited, audit_determined: state.audit_determined, ..copy };
            }
            if state.determined && state.audit_determined {
                break;
            }
        }
        state.determined |= state.allowed();
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
