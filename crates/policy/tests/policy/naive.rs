//! A second engine, written to be read and not to be fast: it walks all policies of Ranger's JSON in order.
//!
//! It shares no code with the crate, so that both are unlikely to have the same mistake. What it does not know
//! (conditions other than the four scripts of the generator, datasets, audit filters) the generator does not make.

mod resource;
mod tags;
mod value;

use serde_json::Value;

use resource::{Match, is_found, match_type};
pub(crate) use value::Who;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Access { allowed: bool, audited: bool, policy: i64 },
    Mask { mask: Option<String>, value: Option<String>, policy: i64 },
    Filter { filter: Option<String>, policy: i64 },
}

/// A list that may be absent.
pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn texts<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    list(value, name).iter().filter_map(Value::as_str).collect()
}

fn flag(value: &Value, name: &str, absent: bool) -> bool {
    value[name].as_bool().unwrap_or(absent)
}

/// Everything that one decision needs.
pub(crate) struct Question<'q> {
    pub(crate) service: &'q Value,
    pub(crate) request: &'q Value,
    pub(crate) who: Who<'q>,
}

/// The state of a decision; Ranger's result object.
#[derive(Debug, Clone)]
struct State {
    allowed: bool,
    determined: bool,
    audited: bool,
    audit_determined: bool,
    policy: i64,
    priority: i64,
    /// The item whose mask or filter counts.
    item: Option<Value>,
    /// The tags deny, and nothing of a higher priority allowed since.
    denied_by_tags: bool,
}

impl State {
    fn deny(&mut self, policy: &Value) {
        self.allowed = false;
        self.determined = true;
        self.decided_by(policy);
    }

    /// Whether an allow of the policy would count: an earlier one stays unless it is outranked.
    fn may_be_allowed_by(&self, policy: &Value) -> bool {
        !self.allowed || priority(policy) > self.priority
    }

    fn allow(&mut self, policy: &Value, item: &Value) {
        if self.may_be_allowed_by(policy) {
            self.allowed = true;
            self.denied_by_tags = false;
            self.item = Some(item.clone());
            self.decided_by(policy);
        }
    }

    fn decided_by(&mut self, policy: &Value) {
        self.policy = policy["id"].as_i64().unwrap_or(-1);
        self.priority = priority(policy);
    }
}

fn priority(policy: &Value) -> i64 {
    policy["policyPriority"].as_i64().unwrap_or(0)
}

/// The definition, the policies and what is asked of them.
pub(super) struct Repository<'q> {
    def: &'q Value,
    policies: Vec<&'q Value>,
}

fn kind_number(kind: &str) -> i64 {
    match kind {
        "mask" => 1,
        "filter" => 2,
        _ => 0,
    }
}

impl<'q> Question<'q> {
    fn kind(&self) -> &'q str {
        self.request["kind"].as_str().expect("a kind")
    }

    fn access(&self) -> &'q str {
        self.request["access"].as_str().expect("an access type")
    }

    /// The enabled policies of this kind, out of `policies`.
    fn of_kind(&self, policies: &'q [Value]) -> Vec<&'q Value> {
        let number = kind_number(self.kind());
        let is_of_kind = |policy: &&Value| policy["policyType"].as_i64().unwrap_or(0) == number;
        policies.iter().filter(|policy| flag(policy, "isEnabled", true)).filter(is_of_kind).collect()
    }

    /// The answer; 2.4 from top to bottom.
    pub(crate) fn answer(&self) -> Answer {
        let zone = self.zone();
        let policies = match zone {
            Some(zone) => list(&self.service["securityZones"][zone], "policies"),
            None => list(self.service, "policies"),
        };
        let repository = Repository { def: &self.service["serviceDef"], policies: self.of_kind(policies) };
        let tag_policies = &self.service["tagPolicies"];
        let nothing_at_all = list(self.service, "policies").is_empty() && tag_policies.is_null();
        let mut state = State {
            allowed: false,
            determined: false,
            audited: nothing_at_all,
            audit_determined: nothing_at_all,
            policy: -1,
            priority: 0,
            item: None,
            denied_by_tags: false,
        };
        self.tags_decide(zone, &mut state);
        if policies.is_empty() {
            state.determined |= !state.allowed;
        } else {
            self.resources_decide(&repository, &mut state);
        }
        self.answer_of(&state)
    }

    /// The policies of the resource, which may override those of its tags.
    fn resources_decide(&self, repository: &Repository<'q>, state: &mut State) {
        let denied_by_tags = state.determined && !state.allowed;
        let allowed_by_tags = state.determined && state.allowed;
        state.determined = false;
        state.denied_by_tags = denied_by_tags;
        for policy in self.in_order(repository) {
            if !self.is_now(list(policy, "validitySchedules")) {
                continue;
            }
            if denied_by_tags {
                state.determined |= state.priority >= priority(policy);
            } else if state.allowed {
                let outranked = if self.kind() == "access" {
                    state.priority > priority(policy)
                } else {
                    state.priority >= priority(policy)
                };
                state.determined |= outranked;
            }
            let found = policy_match(repository.def, policy, &self.who);
            self.policy_decides(repository.def, policy, (&self.who, found), state);
            if state.allowed && !has_deny(policy) {
                state.determined = true;
            }
            if state.determined && state.audit_determined {
                break;
            }
        }
        if !state.determined {
            if denied_by_tags {
                state.allowed = false;
            } else if allowed_by_tags {
                state.allowed = true;
            }
        }
    }

    fn answer_of(&self, state: &State) -> Answer {
        let policy = state.policy;
        let item = state.item.as_ref().filter(|_| state.allowed);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self.kind() {
            "mask" => {
                let info = item.map(|item| &item["dataMaskInfo"]);
                let mask = info.and_then(|info| text(&info["dataMaskType"])).map(|mask| bare(&mask).to_owned());
                let mask = mask.filter(|mask| mask != "MASK_NONE");
                let value = info.filter(|_| mask.is_some()).and_then(|info| text(&info["valueExpr"]));
                Answer::Mask { mask, value, policy }
            }
            "filter" => {
                let filter = item.and_then(|item| text(&item["rowFilterInfo"]["filterExpr"]));
                Answer::Filter { filter: filter.filter(|filter| !filter.is_empty()), policy }
            }
            _ => Answer::Access { allowed: state.allowed, audited: state.audited, policy },
        }
    }

    /// The one zone that the resource is in; none if there are several, or if it reaches beyond the zone.
    fn zone(&self) -> Option<&'q str> {
        let zones = self.service["securityZones"].as_object()?;
        let mut found = Vec::new();
        for (name, zone) in zones {
            let matches = list(zone, "resources").iter().map(|resource| self.zone_match(resource));
            match matches.min().unwrap_or(Match::None) {
                Match::None => {}
                // What is in the zone is below the resource, which is not in it itself.
                Match::Descendant => return None,
                Match::Same | Match::SameAndAllBelow | Match::Ancestor => found.push(name.as_str()),
            }
        }
        match found.as_slice() {
            [zone] => Some(zone),
            _ => None,
        }
    }

    /// A zone's resource is a policy's resource whose values are bare lists.
    fn zone_match(&self, resource: &Value) -> Match {
        let levels = resource.as_object().into_iter().flatten();
        let policy = levels.map(|(level, values)| (level.clone(), serde_json::json!({ "values": values })));
        match_type(&self.service["serviceDef"], &Value::Object(policy.collect()), &self.who)
    }

    fn is_now(&self, schedules: &[Value]) -> bool {
        let at = self.request["at"].as_i64().expect("a time");
        schedules.is_empty() || schedules.iter().any(|schedule| value::is_now(schedule, at))
    }

    /// 2.5: what one policy says.
    fn policy_decides(&self, def: &Value, policy: &Value, (who, found): (&Who<'_>, Match), state: &mut State) {
        if state.determined && state.audit_determined {
            return;
        }
        let descendants_count = self.access() == "_any" || self.request["scope"] == "SELF_OR_DESCENDANTS";
        let matches = match found {
            Match::Same | Match::SameAndAllBelow => true,
            Match::Descendant => descendants_count,
            Match::Ancestor | Match::None => false,
        };
        // A deny of something below the resource is not one of the resource.
        let only_below = found == Match::Descendant;
        if !matches || !list(policy, "conditions").iter().all(|condition| who.holds(condition)) {
            return;
        }
        if !state.audit_determined && flag(policy, "isAuditEnabled", true) {
            (state.audited, state.audit_determined) = (true, true);
        }
        if state.determined {
            return;
        }
        let number = kind_number(self.kind());
        if number > 0 {
            let name = if number == 1 { "dataMaskPolicyItems" } else { "rowFilterPolicyItems" };
            if let Some(item) = list(policy, name).iter().find(|item| self.item_matches(def, item, who)) {
                state.allow(policy, item);
            }
            return;
        }
        let group = |items: &str, exceptions: &str| {
            let first = list(policy, items).iter().find(|item| self.item_matches(def, item, who))?;
            let excepted = list(policy, exceptions).iter().any(|item| self.item_matches(def, item, who));
            (!excepted).then_some(first)
        };
        let denies = group("denyPolicyItems", "denyExceptions").is_some();
        let allows = if denies { None } else { group("policyItems", "allowExceptions") };
        let denies = denies || (allows.is_none() && flag(policy, "isDenyAllElse", false));
        if denies && !only_below {
            state.deny(policy);
        } else if let Some(item) = allows {
            state.allow(policy, item);
        } else if state.denied_by_tags && has_items(policy) {
            // What was denied is summed up again, and settled.
            state.determined = true;
        }
    }

    fn item_matches(&self, def: &Value, item: &Value, who: &Who<'_>) -> bool {
        let access = self.access();
        let allows = access == "_any" || granted(def, item).iter().any(|granted| granted.eq_ignore_ascii_case(access));
        allows && who.is_meant(item) && list(item, "conditions").iter().all(|condition| who.holds(condition))
    }

    /// The policies that a lookup of the resource finds, in the order in which they are tried.
    fn in_order(&self, repository: &Repository<'q>) -> Vec<&'q Value> {
        let found = |policy: &&&Value| resource_sets(policy).any(|set| is_found(repository.def, set, &self.who));
        let mut policies: Vec<&Value> = repository.policies.iter().filter(found).copied().collect();
        policies.sort_by_key(|policy| value::order(repository.def, policy));
        policies
    }
}

/// How a policy is related to the resource: by the closest of its sets of resources.
fn policy_match(def: &Value, policy: &Value, who: &Who<'_>) -> Match {
    resource_sets(policy).map(|resources| match_type(def, resources, who)).min().unwrap_or(Match::None)
}

/// The resources of a policy and its further ones.
pub(super) fn resource_sets(policy: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(&policy["resources"]).chain(list(policy, "additionalResources"))
}

/// The lists of items that a policy can have.
const ITEMS: [&str; 6] = [
    "policyItems",
    "denyPolicyItems",
    "allowExceptions",
    "denyExceptions",
    "dataMaskPolicyItems",
    "rowFilterPolicyItems",
];

fn has_items(policy: &Value) -> bool {
    ITEMS.iter().any(|items| !list(policy, items).is_empty())
}

fn has_deny(policy: &Value) -> bool {
    !list(policy, "denyPolicyItems").is_empty() || flag(policy, "isDenyAllElse", false)
}

/// The name of an access type or mask without the service's, which tag policies put before it.
fn bare(name: &str) -> &str {
    name.strip_prefix("hive:").unwrap_or(name)
}

/// The access types that an item grants, with those that they imply.
pub(super) fn granted<'v>(def: &'v Value, item: &'v Value) -> Vec<&'v str> {
    let mut granted = Vec::new();
    for access in list(item, "accesses").iter().filter(|access| flag(access, "isAllowed", true)) {
        let Some(name) = access["type"].as_str() else { continue };
        granted.push(bare(name));
        let implying = list(def, "accessTypes").iter().find(|known| known["name"] == name);
        granted.extend(implying.into_iter().flat_map(|known| texts(known, "impliedGrants")).map(bare));
    }
    granted
}
