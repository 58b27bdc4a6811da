//! What changes between two sets of policies: found by asking both wherever a policy that changed can matter, not by
//! trying requests at random.
//!
//! ```text
//! policies that changed ─► their regions, cut by the regions of all others ─► one resource of each region
//!                      ─► the users, groups and roles they name            ─► both engines are asked: what differs
//! ```
//! Users, groups and roles are asked for one by one: who is in which group is not known here. What depends on the request
//! (conditions, times, variable parts of values) can't be compared so, and is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::{Engine, Options, Sources};
use crate::matcher::{ElementMatcher, ElementScope, Unbound, Values};
use crate::model::{Policy, PolicyItem, PolicyResource, PolicyType, ServiceDef};
use crate::request::{CURRENT_USER, PUBLIC_GROUP, RESOURCE_OWNER, Request};
use crate::service::Service;

/// Into how many regions the resources of one policy are cut at most.
pub const COMPARED_REGIONS_MAX: usize = 4096;
/// What stands for any text.
const ANY_TEXT: &str = "¤";
/// Who stands for anybody whom no policy names.
const ANYBODY: &str = "¤anybody";

/// Who gains or loses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A role.
    Role(String),
    /// Whom no policy names.
    Anybody,
}

/// An access that is decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Who.
    pub principal: Principal,
    /// The resource, by level, as policies write it.
    pub resource: Vec<(String, String)>,
    /// The kind of access.
    pub access: String,
    /// What was decided.
    pub before: String,
    /// What is decided now.
    pub after: String,
}

/// The difference of two sets of policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What is decided otherwise.
    pub changes: Vec<Change>,
    /// What can't be compared without a request, and why.
    pub open: Vec<String>,
}

/// Compares what two sets of policies decide at a time.
pub fn compare(before: &Sources, after: &Sources, at: Timestamp) -> Comparison {
    let def = &after.policies.service_def;
    let (old, new) = (policies(before), policies(after));
    let same_surroundings = surroundings(before) == surroundings(after);
    let changed = if same_surroundings { difference(&old, &new) } else { old.iter().chain(&new).copied().collect() };
    let all: Vec<&Policy> = old.iter().chain(&new).copied().collect();
    let engines = [before, after].map(|sources| Engine::new(sources, Options::default()));
    let mut comparer = Comparer { engines, service: Service::new(def), def, all, at, found: Comparison::default() };
    let mut changes = BTreeSet::new();
    for policy in changed {
        comparer.policy(policy, &mut changes);
    }
    comparer.found.changes = changes.into_iter().collect();
    comparer.found.open.sort_unstable();
    comparer.found.open.dedup();
    comparer.found
}

fn policies(sources: &Sources) -> Vec<&Policy> {
    let of_zones = sources.policies.security_zones.values().flat_map(|zone| &zone.policies);
    sources.policies.policies.iter().chain(of_zones).filter(|policy| policy.is_enabled).collect()
}

/// Everything that decides besides the policies on resources.
fn surroundings(sources: &Sources) -> impl PartialEq + use<> {
    let mut sources = sources.clone();
    sources.policies.policies.clear();
    sources.policies.policy_version = None;
    for zone in sources.policies.security_zones.values_mut() {
        zone.policies.clear();
    }
    let policies = sources.policies;
    (policies, sources.roles, sources.tags, sources.user_store, sources.gds)
}

/// A policy without what does not decide.
fn content(policy: &Policy) -> Policy {
    Policy { id: None, version: None, ..policy.clone() }
}

/// The policies that are in one of two lists only.
fn difference<'p>(old: &[&'p Policy], new: &[&'p Policy]) -> Vec<&'p Policy> {
    let mut left: BTreeMap<&str, Vec<(&'p Policy, Policy)>> = BTreeMap::new();
    for policy in old {
        left.entry(&policy.name).or_default().push((policy, content(policy)));
    }
    let mut changed = Vec::new();
    for policy in new {
        let same = left.get_mut(policy.name.as_str()).and_then(|list| {
            let wanted = content(policy);
            let at = list.iter().position(|(_, content)| *content == wanted)?;
            Some(list.swap_remove(at))
        });
        if same.is_none() {
            changed.push(*policy);
        }
    }
    changed.extend(left.into_values().flatten().map(|(policy, _)| policy));
    changed
}

struct Comparer<'s> {
    engines: [Engine; 2],
    service: Service,
    def: &'s ServiceDef,
    all: Vec<&'s Policy>,
    at: Timestamp,
    found: Comparison,
}

/// A part of the resources: at each level the values that it must match.
type Region = Vec<(String, Vec<PolicyResource>)>;

fn sets(policy: &Policy) -> impl Iterator<Item = &BTreeMap<String, PolicyResource>> {
    std::iter::once(&policy.resources).chain(&policy.additional_resources)
}

fn items(policy: &Policy) -> impl Iterator<Item = &PolicyItem> {
    let masks = policy.data_mask_policy_items.iter().map(|item| &item.item);
    let filters = policy.row_filter_policy_items.iter().map(|item| &item.item);
    policy
        .policy_items
        .iter()
        .chain(&policy.deny_policy_items)
        .chain(&policy.allow_exceptions)
        .chain(&policy.deny_exceptions)
        .chain(masks)
        .chain(filters)
}

fn means_everybody(policy: &Policy) -> bool {
    let anybody = |item: &PolicyItem| {
        item.groups.iter().any(|group| group == PUBLIC_GROUP)
            || item.users.iter().any(|user| user == CURRENT_USER || user == RESOURCE_OWNER)
    };
    policy.is_deny_all_else || items(policy).any(anybody)
}

fn principals(policy: &Policy) -> impl Iterator<Item = Principal> {
    items(policy).flat_map(|item| {
        let special = |name: &&String| !matches!(name.as_str(), PUBLIC_GROUP | CURRENT_USER | RESOURCE_OWNER);
        let users = item.users.iter().filter(special).cloned().map(Principal::User);
        let groups = item.groups.iter().filter(special).cloned().map(Principal::Group);
        users.chain(groups).chain(item.roles.iter().cloned().map(Principal::Role))
    })
}

impl<'s> Comparer<'s> {
    fn policy(&mut self, policy: &Policy, changes: &mut BTreeSet<Change>) {
        let Some(kind) = policy.kind() else { return };
        let name = format!("policy {} `{}`", policy.id(), policy.name);
        let conditional = !policy.conditions.is_empty() || items(policy).any(|item| !item.conditions.is_empty());
        if conditional || !policy.validity_schedules.is_empty() {
            self.found.open.push(format!("{name} has conditions or times, which only a request can meet"));
        }
        let everybody = means_everybody(policy);
        for set in sets(policy) {
            if set.values().flat_map(|resource| &resource.values).any(|value| value.contains('{')) {
                self.found.open.push(format!("{name} has values with variable parts"));
            }
            let (regions, near) = self.regions(kind, set);
            if regions.len() >= COMPARED_REGIONS_MAX {
                self.found.open.push(format!("{name} is cut into more regions than are compared"));
            }
            let mut who: BTreeSet<Principal> = principals(policy).collect();
            if everybody {
                who.insert(Principal::Anybody);
                who.extend(near.iter().flat_map(|policy| principals(policy)));
            }
            for region in &regions {
                self.region(kind, region, &who, changes);
            }
        }
    }

    fn matcher(&self, kind: PolicyType, level: &str, resource: &PolicyResource) -> Option<ElementMatcher> {
        let levels = self.service.levels(kind);
        let level = levels.find(level).and_then(|id| levels.get(id))?;
        Some(ElementMatcher::new(&level.options, resource))
    }

    /// A value that matches all of these, if there is one among those that can be made of them.
    fn value(&self, kind: PolicyType, level: &str, all: &[PolicyResource]) -> Option<String> {
        let matchers: Vec<ElementMatcher> =
            all.iter().map(|resource| self.matcher(kind, level, resource)).collect::<Option<_>>()?;
        let matches = |value: &String| {
            let value = Some(Values::One(value));
            matchers.iter().all(|matcher| matcher.is_match(value, ElementScope::Itself, &Unbound))
        };
        let texts: Vec<&str> = all
            .iter()
            .filter(|resource| !resource.is_excludes)
            .flat_map(|resource| resource.values.iter().map(String::as_str))
            .collect();
        let filled = |text: &str| text.replace(['*', '?'], ANY_TEXT);
        let start = |text: &str| text.split(['*', '?']).next().unwrap_or_default().to_owned();
        let end = |text: &str| text.rsplit(['*', '?']).next().unwrap_or_default().to_owned();
        let single = texts.iter().map(|text| filled(text)).chain([ANY_TEXT.to_owned()]);
        let pairs = texts.iter().flat_map(|a| texts.iter().map(move |b| format!("{}{ANY_TEXT}{}", start(a), end(b))));
        single.chain(pairs).find(matches)
    }

    /// The regions of a set of resources, cut by those of all policies, and the policies that cut it.
    fn regions(&self, kind: PolicyType, set: &BTreeMap<String, PolicyResource>) -> (Vec<Region>, Vec<&'s Policy>) {
        let one_by_one = |resource: &PolicyResource| -> Vec<PolicyResource> {
            if resource.is_excludes {
                return vec![resource.clone()];
            }
            let one = |value: &String| PolicyResource { values: vec![value.clone()], ..resource.clone() };
            resource.values.iter().map(one).collect()
        };
        let split = |set: &BTreeMap<String, PolicyResource>| {
            let mut regions: Vec<Region> = vec![Vec::new()];
            for (level, resource) in set {
                let parts = one_by_one(resource);
                let with = |region: &Region, part: &PolicyResource| {
                    let mut region = region.clone();
                    region.push((level.clone(), vec![part.clone()]));
                    region
                };
                regions = regions.iter().flat_map(|region| parts.iter().map(|part| with(region, part))).collect();
                regions.truncate(COMPARED_REGIONS_MAX);
            }
            regions
        };
        let mut regions = split(set);
        let mut known: BTreeSet<Vec<String>> = regions.iter().filter_map(|region| self.values(kind, region)).collect();
        let mut near = Vec::new();
        for policy in &self.all {
            let cuts: Vec<Region> = sets(policy).flat_map(split).collect();
            for cut in cuts {
                let mut more = Vec::new();
                for region in &regions {
                    let Some(part) = intersection(region, &cut) else { continue };
                    let Some(values) = self.values(kind, &part) else { continue };
                    near.push(*policy);
                    if known.insert(values) {
                        more.push(part);
                    }
                }
                regions.extend(more);
                if regions.len() >= COMPARED_REGIONS_MAX {
                    return (regions, near);
                }
            }
        }
        (regions, near)
    }

    /// One resource of a region, if it has any.
    fn values(&self, kind: PolicyType, region: &Region) -> Option<Vec<String>> {
        region.iter().map(|(level, all)| self.value(kind, level, all)).collect()
    }

    fn region(&self, kind: PolicyType, region: &Region, who: &BTreeSet<Principal>, changes: &mut BTreeSet<Change>) {
        let Some(values) = self.values(kind, region) else { return };
        let resource: Vec<(&str, Values<'_>)> =
            region.iter().zip(&values).map(|((level, _), value)| (level.as_str(), Values::One(value))).collect();
        let written = || -> Vec<(String, String)> {
            let shown = |(level, value): (&(String, Vec<PolicyResource>), &String)| {
                (level.0.clone(), value.replace(ANY_TEXT, "*"))
            };
            region.iter().zip(&values).map(shown).collect()
        };
        for principal in who {
            for access in &self.def.access_types {
                let [before, after] = self
                    .engines
                    .each_ref()
                    .map(|engine| decide(engine, kind, &resource, principal, &access.name, self.at));
                if before != after {
                    let (principal, access) = (principal.clone(), access.name.clone());
                    changes.insert(Change { principal, resource: written(), access, before, after });
                }
            }
        }
    }
}

/// What two regions have in common; nothing, if they are about other levels.
fn intersection(region: &Region, cut: &Region) -> Option<Region> {
    let (short, long) = if region.len() <= cut.len() { (region, cut) } else { (cut, region) };
    let mut part = long.clone();
    for (level, all) in short {
        let (_, into) = part.iter_mut().find(|(other, _)| other == level)?;
        into.extend(all.iter().filter(|resource| !into.contains(resource)).cloned().collect::<Vec<_>>());
    }
    Some(part)
}

fn decide(
    engine: &Engine,
    kind: PolicyType,
    resource: &[(&str, Values<'_>)],
    principal: &Principal,
    access: &str,
    at: Timestamp,
) -> String {
    let (user, groups, roles): (&str, Vec<&str>, Vec<&str>) = match principal {
        Principal::User(user) => (user, Vec::new(), Vec::new()),
        Principal::Group(group) => (ANYBODY, vec![group], Vec::new()),
        Principal::Role(role) => (ANYBODY, Vec::new(), vec![role]),
        Principal::Anybody => (ANYBODY, Vec::new(), Vec::new()),
    };
    let request =
        Request { resource, access, user: Some(user), groups: &groups, roles: &roles, at, ..Request::default() };
    let decision = engine.evaluate(&request, kind);
    match kind {
        PolicyType::Access => if decision.is_allowed { "allowed" } else { "denied" }.to_owned(),
        PolicyType::DataMask => decision.mask.as_ref().map_or_else(
            || "clear".to_owned(),
            |mask| {
                format!("{} {}", mask.kind.unwrap_or_default(), mask.value.as_deref().unwrap_or_default())
                    .trim()
                    .to_owned()
            },
        ),
        PolicyType::RowFilter => decision.filter.map_or_else(|| "all rows".to_owned(), |filter| filter.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServicePolicies;

    fn sources(policies: &str) -> Sources {
        let text = format!(
            r#"{{"serviceDef": {{"name": "s", "resources": [{{"name": "db"}}, {{"name": "table", "parent": "db"}}],
                "accessTypes": [{{"name": "read"}}, {{"name": "write"}}],
                "rowFilterDef": {{"resources": [{{"name": "db"}}, {{"name": "table"}}]}}}}, "policies": [{policies}]}}"#
        );
        let policies: ServicePolicies = crate::json::read(&text).unwrap();
        Sources { policies, ..Sources::default() }
    }

    fn policy(id: i64, db: &str, table: &str, rest: &str) -> String {
        format!(
            r#"{{"id": {id}, "name": "p{id}", "resources": {{"db": {{"values": ["{db}"]}}, "table": {{"values": ["{table}"]}}}}, {rest}}}"#
        )
    }

    fn allow(access: &str, who: &str) -> String {
        format!(r#""policyItems": [{{"accesses": [{{"type": "{access}"}}], {who}}}]"#)
    }

    fn told(before: &[String], after: &[String]) -> Vec<String> {
        let [before, after] = [before, after].map(|policies| sources(&policies.join(",")));
        let found = compare(&before, &after, Timestamp::UNIX_EPOCH);
        let line = |change: &Change| {
            let resource: Vec<&str> = change.resource.iter().map(|(_, value)| value.as_str()).collect();
            let (who, resource) = (&change.principal, resource.join("."));
            format!("{who:?} {} {resource}: {} → {}", change.access, change.before, change.after)
        };
        found.changes.iter().map(line).chain(found.open).collect()
    }

    const ANNA: &str = r#""users": ["anna"]"#;
    const CLERKS: &str = r#""groups": ["clerks"]"#;
    const PUBLIC: &str = r#""groups": ["public"]"#;

    #[test]
    fn who_is_named_anew_gains_and_who_is_no_longer_loses() {
        let before = [policy(1, "a", "*", &allow("read", ANNA))];
        let after = [policy(1, "a", "*", &allow("read", CLERKS))];
        let expected = [r#"User("anna") read a.*: allowed → denied"#, r#"Group("clerks") read a.*: denied → allowed"#];
        assert_eq!(told(&before, &after), expected);
        assert!(told(&before, &before).is_empty());
    }

    #[test]
    fn numbers_and_policies_without_effect_are_no_difference() {
        let before = [policy(1, "a", "*", &allow("read", ANNA))];
        assert!(told(&before, &[before[0].replacen("\"id\": 1", "\"id\": 7", 1)]).is_empty());
        let covered = [before[0].clone(), policy(2, "a", "t", &allow("read", ANNA))];
        assert!(told(&before, &covered).is_empty(), "anna could read it before");
    }

    #[test]
    fn regions_of_other_policies_are_asked_as_well() {
        let other = policy(1, "ab*", "t", &allow("read", ANNA));
        let before = [other.clone()];
        let denies = r#""denyPolicyItems": [{"accesses": [{"type": "read"}], "groups": ["public"]}]"#;
        let after = [other, policy(2, "a*", "*", denies)];
        assert_eq!(told(&before, &after), [r#"User("anna") read ab*.t: allowed → denied"#]);
    }

    #[test]
    fn anybody_gains_by_public() {
        let after = [policy(1, "a", "*", &allow("write", PUBLIC))];
        assert_eq!(told(&[], &after), ["Anybody write a.*: denied → allowed"]);
    }

    #[test]
    fn filters_are_compared_and_conditions_are_left_open() {
        let filter = |text: &str| {
            let item = format!(
                r#""rowFilterPolicyItems": [{{"accesses": [{{"type": "read"}}], {ANNA}, "rowFilterInfo": {{"filterExpr": "{text}"}}}}]"#
            );
            policy(1, "a", "t", &format!(r#""policyType": 2, {item}"#))
        };
        assert_eq!(told(&[filter("x = 1")], &[filter("x = 2")]), [r#"User("anna") read a.t: x = 1 → x = 2"#]);
        let conditional = format!(
            r#""policyItems": [{{"accesses": [{{"type": "read"}}], {ANNA}, "conditions": [{{"type": "c", "values": ["1"]}}]}}]"#
        );
        let open = told(&[], &[policy(3, "a", "t", &conditional)]);
        assert_eq!(open, ["policy 3 `p3` has conditions or times, which only a request can meet"]);
    }
}
