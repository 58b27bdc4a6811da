//! A second engine, written to be read and not to be fast: it walks all policies of Ranger's JSON in order.
//!
//! It shares no code with the crate, so that both are unlikely to have the same mistake. What it does not know
//! (conditions other than the scripts of the generator, datasets) the generator does not make.

mod resource;
mod tags;
mod value;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use resource::{Match, is_found, match_type};
pub(crate) use value::Who;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Access { allowed: bool, audited: bool, policy: i64 },
    Mask { mask: Option<String>, value: Option<String>, audited: bool, policy: i64 },
    Filter { filter: Option<String>, audited: bool, policy: i64 },
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

/// Asks for any kind of access.
const ANY: &str = "_any";
/// Asks for the right to pass rights on.
const ADMIN: &str = "_admin";

/// Everything that one decision needs.
pub(crate) struct Question<'q> {
    pub(crate) service: &'q Value,
    pub(crate) request: &'q Value,
    pub(crate) who: Who<'q>,
}

/// What a policy says of one kind of access.
#[derive(Debug, Clone)]
struct Word {
    allowed: bool,
    policy: i64,
    priority: i64,
    /// The item whose mask or filter counts.
    item: Option<Value>,
}

impl Word {
    fn new(allowed: bool, policy: &Value, item: Option<&Value>) -> Self {
        let id = policy["id"].as_i64().unwrap_or(-1);
        Self { allowed, policy: id, priority: priority(policy), item: item.cloned() }
    }

    /// Whether it takes the place of an earlier one.
    fn replaces(&self, old: &Self, is_access: bool, is_any: bool) -> bool {
        match (old.allowed, self.allowed) {
            (true, false) => self.priority >= old.priority,
            (true, true) if !is_access => self.priority >= old.priority,
            (false, true) if is_any => self.priority >= old.priority,
            (true, true) | (false, _) => self.priority > old.priority,
        }
    }
}

/// The state of a decision; Ranger's result object, and what it keeps in the request's context.
#[derive(Debug, Clone)]
struct State {
    word: Word,
    determined: bool,
    audited: bool,
    audit_determined: bool,
    /// The last word on each kind of access.
    words: BTreeMap<&'static str, Word>,
}

impl State {
    fn allowed(&self) -> bool {
        self.word.allowed
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
        let zones = self.zones();
        let mut state = match zones.as_slice() {
            [] => self.in_zone(None),
            [zone] => self.in_zone(*zone),
            // Several: each for any access, until one allows it; else none.
            several if self.access() == ANY => {
                let mut states = several.iter().map(|zone| self.in_zone(*zone)).collect::<Vec<_>>();
                let at = states.iter().position(State::allowed).unwrap_or(states.len() - 1);
                states.swap_remove(at)
            }
            _ => self.in_zone(None),
        };
        if let Some(says) = self.audit_filters_say(&state) {
            state.audited = says;
        }
        self.answer_of(&state)
    }

    fn in_zone(&self, zone: Option<&'q str>) -> State {
        let policies = match zone {
            Some(zone) => list(&self.service["securityZones"][zone], "policies"),
            None => list(self.service, "policies"),
        };
        let repository = Repository { def: &self.service["serviceDef"], policies: self.of_kind(policies) };
        let nothing_at_all = list(self.service, "policies").is_empty() && self.service["tagPolicies"].is_null();
        let mut state = State {
            word: Word { allowed: false, policy: -1, priority: 0, item: None },
            determined: false,
            audited: nothing_at_all,
            audit_determined: nothing_at_all,
            words: BTreeMap::new(),
        };
        self.tags_decide(zone, &mut state);
        if !policies.is_empty() {
            self.resources_decide(&repository, &mut state);
        }
        state
    }

    /// The policies of the resource, which may override those of its tags.
    fn resources_decide(&self, repository: &Repository<'q>, state: &mut State) {
        let denied_by_tags = state.determined && !state.allowed();
        let allowed_by_tags = state.determined && state.allowed();
        state.determined = false;
        for policy in self.in_order(repository) {
            if !self.is_now(list(policy, "validitySchedules")) {
                continue;
            }
            if denied_by_tags {
                state.determined |= state.word.priority >= priority(policy);
            } else if state.allowed() {
                let outranked = if self.kind() == "access" {
                    state.word.priority > priority(policy)
                } else {
                    state.word.priority >= priority(policy)
                };
                state.determined |= outranked;
            }
            let found = policy_match(repository.def, policy, &self.who);
            self.policy_decides(repository.def, policy, (&self.who, found), state);
            if state.allowed() && !has_deny(policy) {
                state.determined = true;
            }
            if state.determined && state.audit_determined {
                break;
            }
        }
        if !state.determined {
            if denied_by_tags {
                state.word.allowed = false;
            } else if allowed_by_tags {
                state.word.allowed = true;
            }
        }
        state.determined = true;
    }

    fn answer_of(&self, state: &State) -> Answer {
        let (policy, audited) = (state.word.policy, state.audited);
        let item = state.word.item.as_ref().filter(|_| state.allowed());
        let text = |value: &Value| value.as_str().map(|text| self.who.expanded(text));
        match self.kind() {
            "mask" => {
                let info = item.map(|item| &item["dataMaskInfo"]);
                let mask = info.and_then(|info| text(&info["dataMaskType"])).map(|mask| bare(&mask).to_owned());
                let mask = mask.filter(|mask| mask != "MASK_NONE");
                let value = info.filter(|_| mask.is_some()).and_then(|info| text(&info["valueExpr"]));
                Answer::Mask { mask, value, audited, policy }
            }
            "filter" => {
                let filter = item.and_then(|item| text(&item["rowFilterInfo"]["filterExpr"]));
                Answer::Filter { filter: filter.filter(|filter| !filter.is_empty()), audited, policy }
            }
            _ => Answer::Access { allowed: state.allowed(), audited, policy },
        }
    }

    /// The zones that the resource is in, what is outside of zones where it reaches beyond one first, then `z2`, then
    /// `z1`: the order of a Java set of these names that was made for two.
    fn zones(&self) -> Vec<Option<&'q str>> {
        let mut found = Vec::new();
        for (name, zone) in self.service["securityZones"].as_object().into_iter().flatten() {
            for found_as in list(zone, "resources").iter().map(|resource| self.zone_match(resource)) {
                match found_as {
                    Match::None => continue,
                    Match::Descendant => found.push(None),
                    Match::Same | Match::SameAndAllBelow | Match::Ancestor => {}
                }
                found.push(Some(name.as_str()));
            }
        }
        found.sort_unstable_by_key(|zone| (zone.is_some(), Reverse(*zone)));
        found.dedup();
        found
    }

    /// A zone's resource is a policy's resource whose values are bare lists, recursive where the level can be.
    fn zone_match(&self, resource: &Value) -> Match {
        let def = &self.service["serviceDef"];
        let is_recursive = |level: &String| {
            list(def, "resources").iter().any(|known| known["name"] == **level && known["recursiveSupported"] == true)
        };
        let levels = resource.as_object().into_iter().flatten();
        let policy = levels.map(|(level, values)| {
            (level.clone(), serde_json::json!({ "values": values, "isRecursive": is_recursive(level) }))
        });
        match_type(def, &Value::Object(policy.collect()), &self.who)
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
        let matches = match found {
            Match::Same | Match::SameAndAllBelow => true,
            Match::Descendant => self.access() == ANY || self.request["scope"] == "SELF_OR_DESCENDANTS",
            Match::Ancestor | Match::None => false,
        };
        if !matches || !list(policy, "conditions").iter().all(|condition| who.holds(condition)) {
            return;
        }
        if !state.audit_determined && flag(policy, "isAuditEnabled", true) {
            (state.audited, state.audit_determined) = (true, true);
        }
        let is_deny_all_else = flag(policy, "isDenyAllElse", false);
        if state.determined || !(has_items(policy) || is_deny_all_else) {
            return;
        }
        for &access in self.accesses() {
            let Some(word) = self.word(def, policy, (who, found), access) else { continue };
            let allowed = word.allowed;
            let stays = state
                .words
                .get(access)
                .is_some_and(|old| !word.replaces(old, self.kind() == "access", self.access() == ANY));
            if !stays {
                state.words.insert(access, word);
            }
            if allowed && self.access() == ANY {
                break;
            }
        }
        // All that was said so far is summed up, whether the policy said anything or not.
        let words: Vec<Option<&Word>> = self.accesses().iter().map(|access| state.words.get(access)).collect();
        let allows = words.iter().flatten().find(|word| word.allowed).copied();
        let denies = if words.iter().all(Option::is_some) { words.iter().flatten().next().copied() } else { None };
        if let Some(word) = allows.or(denies) {
            (state.determined, state.word) = (!word.allowed, word.clone());
        }
    }

    /// What one policy says of one kind of access.
    fn word(&self, def: &Value, policy: &Value, (who, found): (&Who<'_>, Match), access: &str) -> Option<Word> {
        let matches = |item: &&Value| item_matches(def, item, who, access);
        match self.kind() {
            "mask" => {
                list(policy, "dataMaskPolicyItems").iter().find(matches).map(|item| Word::new(true, policy, Some(item)))
            }
            "filter" => list(policy, "rowFilterPolicyItems")
                .iter()
                .find(matches)
                .map(|item| Word::new(true, policy, Some(item))),
            _ => {
                let group = |items: &str, exceptions: &str| {
                    list(policy, items).iter().any(|item| matches(&item))
                        && !list(policy, exceptions).iter().any(|item| matches(&item))
                };
                let denies = group("denyPolicyItems", "denyExceptions");
                let allows = !denies && group("policyItems", "allowExceptions");
                let denies = denies || (!allows && flag(policy, "isDenyAllElse", false));
                // A deny of something below the resource is not one of the resource.
                let counts = allows || (denies && found != Match::Descendant);
                counts.then(|| Word::new(allows, policy, None))
            }
        }
    }

    /// The kinds of access that are asked for: for any, all of the service in the order of a Java set.
    fn accesses(&self) -> &'static [&'static str] {
        if self.access() == ANY {
            return &["drop", "all", "select", "update", "create"];
        }
        match self.access() {
            "select" => &["select"],
            "update" => &["update"],
            "create" => &["create"],
            "drop" => &["drop"],
            ADMIN => &[ADMIN],
            other => panic!("{other} is not made by the generator"),
        }
    }

    /// 2.8: the first filter that is about the access decides; those about its tags come before.
    fn audit_filters_say(&self, state: &State) -> Option<bool> {
        let def = &self.service["serviceDef"];
        let tag_service = &self.service["tagPolicies"];
        let of_tags = audit_filters(tag_service);
        let tags = || list(self.request, "tags").iter().filter(|tag| self.is_now(list(tag, "validityPeriods")));
        let by_tags = of_tags.iter().find_map(|filter| {
            tags().find_map(|tag| {
                let resource = serde_json::json!({ "tag": tag["type"] });
                let who = self.who.of_tag(tag, &resource);
                let covers = |resources: &Value| is_found(&tag_service["serviceDef"], resources, &who);
                self.audit_filter_says(filter, state, covers)
            })
        });
        if by_tags.is_some() {
            return by_tags;
        }
        let covers = |resources: &Value| match match_type(def, resources, &self.who) {
            Match::Same | Match::SameAndAllBelow => true,
            Match::Descendant => self.access() == ANY || self.request["scope"] == "SELF_OR_DESCENDANTS",
            Match::Ancestor | Match::None => false,
        };
        audit_filters(self.service).iter().find_map(|filter| self.audit_filter_says(filter, state, covers))
    }

    fn audit_filter_says(&self, filter: &Value, state: &State, covers: impl Fn(&Value) -> bool) -> Option<bool> {
        let result = match filter["accessResult"].as_str() {
            Some("ALLOWED") => state.determined && state.allowed(),
            Some("DENIED") => state.determined && !state.allowed(),
            _ => true,
        };
        let accesses = texts(filter, "accessTypes");
        let access = accesses.is_empty() || accesses.contains(&self.access());
        let names_nobody = ["users", "groups", "roles"].iter().all(|who| list(filter, who).is_empty());
        let resources = &filter["resources"];
        let about = resources.is_null() || covers(resources);
        (result && access && about && (names_nobody || self.who.is_meant(filter))).then(|| filter["isAudited"] == true)
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

fn item_matches(def: &Value, item: &Value, who: &Who<'_>, access: &str) -> bool {
    let allows = match access {
        ADMIN => flag(item, "delegateAdmin", false),
        _ => granted(def, item).iter().any(|granted| granted.eq_ignore_ascii_case(access)),
    };
    allows
        && who.is_meant(item)
        && (access == ADMIN || list(item, "conditions").iter().all(|condition| who.holds(condition)))
}

/// A setting of a service that is a list as JSON.
fn audit_filters(service: &Value) -> Vec<Value> {
    let text = service["serviceConfig"]["ranger.plugin.audit.filters"].as_str().unwrap_or("[]");
    serde_json::from_str(text).expect("filters")
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
