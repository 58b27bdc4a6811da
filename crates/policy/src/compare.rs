//! What changes between two sets of policies: found by asking both in every case that they tell apart, not by trying
//! requests at random.
//!
//! ```text
//! values at a level ─► one text for each combination of values that a text can match ─► the next level, …
//! names in policies ─► those that are treated alike are one ─► all combinations that differ
//!                                                              both engines are asked: what differs
//! ```
//! **What it proves**, at the given time, if [`Comparison::is_complete`]: of every request for one kind of access of the
//! services, by any user in any groups, or with any stated roles and nothing else, owner or not, for any resource of any
//! depth, with any stated tags that are found on the resource itself, the answers (allowed or not, mask, filter) differ
//! if and only if a [`Change`] is about it. It is about the requests whose names include the principal's and none of its
//! exceptions', and whose resource is to all policies of its type what the change's example is.
//!
//! **What it does not prove** is in [`Comparison::open`] where it can matter: conditions and schedules (a request has
//! them met or not), variable parts of values and texts, what is shared by datasets. Beyond that: requests for any access
//! or for several kinds at once, tags found above or below a resource, auditing, and which policy decides.

mod regions;
#[cfg(test)]
mod tests;
mod who;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::{Engine, Options, Sources};
use crate::matcher::Values;
use crate::model::{Policy, PolicyItem, PolicyType};
use crate::request::{CURRENT_USER, PUBLIC_GROUP, RESOURCE_OWNER, Request, ResourceTag, TagData};
use crate::resource::MatchType;
use regions::{Region, Regions};
pub use who::{Alike, COMPARED_NAMES_MAX, Principal};
use who::{Atom, Class, Kind};

/// How many cases are asked for at most: resources, principals and kinds of access together.
pub const COMPARED_CASES_MAX: usize = 1_000_000;
/// Who stands for anybody whom no policy names.
const ANYBODY: &str = "¤anybody";

/// An access that is decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whether it is allowed, masked or filtered otherwise.
    pub kind: PolicyType,
    /// Who.
    pub principal: Principal,
    /// The resource, by level, as policies write it.
    pub resource: Vec<(String, String)>,
    /// One of the resources that are meant.
    pub example: Vec<(String, String)>,
    /// The kind of access.
    pub access: String,
    /// What was decided.
    pub before: String,
    /// What is decided now.
    pub after: String,
    /// Who is meant by one of these as well is not meant here.
    pub except: Vec<Principal>,
}

/// The difference of two sets of policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What is decided otherwise.
    pub changes: Vec<Change>,
    /// What can't be compared without a request, and why; and limits that were reached.
    pub open: Vec<String>,
    /// Whether everything was compared that can be: no limit was reached.
    pub is_complete: bool,
}

/// Compares what two sets of policies decide at a time.
pub fn compare(before: &Sources, after: &Sources, at: Timestamp) -> Comparison {
    compare_within(before, after, at, COMPARED_CASES_MAX)
}

/// The same with at most so many cases.
fn compare_within(before: &Sources, after: &Sources, at: Timestamp, most: usize) -> Comparison {
    let sides = [Side::new(before), Side::new(after)];
    let mut found = Comparison { is_complete: true, ..Comparison::default() };
    let mut changes = BTreeSet::new();
    let mut cases = most;
    for kind in PolicyType::ALL {
        Comparer { sides: &sides, kind, at, most, cases: &mut cases, found: &mut found, changes: &mut changes }.run();
    }
    found.changes = changes.into_iter().collect();
    found.open.sort_unstable();
    found.open.dedup();
    found
}

/// One of the two sets.
struct Side<'s> {
    sources: &'s Sources,
    engine: Engine,
    policies: Vec<&'s Policy>,
    on_tags: Vec<Policy>,
    /// The roles of users and groups who have any.
    roles: BTreeMap<(Kind, String), Vec<String>>,
}

impl<'s> Side<'s> {
    fn new(sources: &'s Sources) -> Self {
        let engine = Engine::new(sources, Options::default());
        let of_zones = sources.policies.security_zones.values().flat_map(|zone| &zone.policies);
        let policies = sources.policies.policies.iter().chain(of_zones).filter(|policy| policy.is_enabled).collect();
        let component = &sources.policies.service_def.name;
        let on_tags = sources.policies.tag_policies.iter().flat_map(|tags| &tags.policies);
        let on_tags =
            on_tags.filter(|policy| policy.is_enabled).filter_map(|policy| policy.seen_by(component)).collect();
        let mut roles = BTreeMap::new();
        for role in &sources.roles.ranger_roles {
            for (kind, members) in [(Kind::User, &role.users), (Kind::Group, &role.groups)] {
                for member in members {
                    let symbol = engine.names.find(&member.name);
                    let (user, groups): (_, &[_]) =
                        if kind == Kind::User { (symbol, &[]) } else { (None, symbol.as_slice()) };
                    let held = engine.roles.roles_of(user, groups);
                    let held = held.iter().map(|role| engine.names.text(*role).to_owned()).collect();
                    roles.insert((kind, member.name.clone()), held);
                }
            }
        }
        Self { sources, engine, policies, on_tags, roles }
    }

    /// Whether an item is about a kind of access.
    fn grants(&self, item: &PolicyItem, access: &str, is_on_tags: bool) -> bool {
        let of_tags = self.engine.tag_repository.as_ref().filter(|_| is_on_tags);
        let service = of_tags.map_or(&self.engine.service, |repository| &repository.service);
        item.accesses.iter().filter(|own| own.is_allowed).any(|own| {
            own.kind.eq_ignore_ascii_case(access)
                || service.implied_by(&own.kind).any(|implied| implied.eq_ignore_ascii_case(access))
        })
    }

    /// Everything that decides besides the policies on resources.
    fn surroundings(&self) -> impl PartialEq + use<'s> {
        let mut sources = self.sources.clone();
        sources.policies.policies.clear();
        sources.policies.policy_version = None;
        for zone in sources.policies.security_zones.values_mut() {
            zone.policies.clear();
        }
        if let Some(tags) = &mut sources.policies.tag_policies {
            tags.policies.iter_mut().for_each(|policy| *policy = content(policy));
        }
        let policies = sources.policies;
        (policies, sources.roles, sources.tags, sources.user_store, sources.gds)
    }
}

fn sets(policy: &Policy) -> impl Iterator<Item = &BTreeMap<String, crate::model::PolicyResource>> {
    std::iter::once(&policy.resources).chain(&policy.additional_resources)
}

fn items(policy: &Policy) -> impl Iterator<Item = &PolicyItem> {
    let masks = policy.data_mask_policy_items.iter().map(|item| &item.item);
    let filters = policy.row_filter_policy_items.iter().map(|item| &item.item);
    let access = [&policy.policy_items, &policy.deny_policy_items, &policy.allow_exceptions, &policy.deny_exceptions];
    access.into_iter().flatten().chain(masks).chain(filters)
}

/// A policy without what does not decide.
fn content(policy: &Policy) -> Policy {
    Policy { id: None, version: None, is_audit_enabled: true, ..policy.clone() }
}

/// The policies that are in one of the two sets only.
fn difference<'p>(sides: &'p [Side<'_>; 2]) -> Vec<&'p Policy> {
    let [old, new] = sides;
    let mut left: BTreeMap<&str, Vec<(&Policy, Policy)>> = BTreeMap::new();
    for policy in &old.policies {
        left.entry(&policy.name).or_default().push((policy, content(policy)));
    }
    let mut changed = Vec::new();
    for policy in &new.policies {
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

struct Comparer<'s, 'f> {
    sides: &'s [Side<'s>; 2],
    kind: PolicyType,
    at: Timestamp,
    most: usize,
    /// How many are left.
    cases: &'f mut usize,
    found: &'f mut Comparison,
    changes: &'f mut BTreeSet<Change>,
}

impl Comparer<'_, '_> {
    fn run(mut self) {
        let sides = self.sides;
        let [old, new] = sides;
        let everything = old.surroundings() != new.surroundings();
        let changed: Vec<&Policy> =
            difference(sides).into_iter().filter(|policy| policy.kind() == Some(self.kind)).collect();
        if !everything && changed.is_empty() {
            return;
        }
        if sides.iter().any(|side| side.sources.gds.is_some()) {
            self.found.open.push("what datasets share".to_owned());
        }
        let mut regions = Regions::new(sides, self.kind, (!everything).then_some(&changed));
        regions.each(&mut |region| self.region(region));
        for limit in regions.limits {
            self.stop(limit);
        }
    }

    fn stop(&mut self, limit: String) {
        self.found.is_complete = false;
        self.found.open.push(limit);
    }

    /// What depends on more than the names, the resource and the kind of access.
    fn note_open(&mut self, policy: &Policy) {
        let name = format!("policy {} `{}`", policy.id(), policy.name);
        let conditional = !policy.conditions.is_empty() || items(policy).any(|item| !item.conditions.is_empty());
        if conditional || !policy.validity_schedules.is_empty() {
            self.found.open.push(format!("{name} has conditions or times, which only a request can meet"));
        }
        let mut values = sets(policy).flat_map(BTreeMap::values).flat_map(|resource| &resource.values);
        let masks =
            policy.data_mask_policy_items.iter().filter_map(|item| item.data_mask_info.as_ref()?.value_expr.as_ref());
        let filters = policy
            .row_filter_policy_items
            .iter()
            .filter_map(|item| item.row_filter_info.as_ref()?.filter_expr.as_ref());
        let is_variable =
            values.any(|value| value.contains('{')) || masks.chain(filters).any(|text| text.contains("${{"));
        if is_variable {
            self.found.open.push(format!("{name} has values with variable parts"));
        }
    }

    fn region(&mut self, region: &Region<'_>) {
        if *self.cases == 0 && !self.found.is_complete {
            return;
        }
        let sides = self.sides;
        let kind = self.kind;
        let of_tags = |side: usize| {
            sides.get(side).into_iter().flat_map(|side| &side.on_tags).filter(move |policy| policy.kind() == Some(kind))
        };
        let on_tags: Vec<(usize, &Policy)> =
            (0..2).flat_map(|side| of_tags(side).map(move |policy| (side, policy))).collect();
        let tags = regions::tags(sides, &on_tags);
        if tags.is_none() {
            self.stop("the tags of policies are too many, or too long, to be told apart".to_owned());
        }
        let policies = || region.policies.iter().chain(&on_tags);
        policies().for_each(|(_, policy)| self.note_open(policy));
        let accesses = sides.iter().flat_map(|side| &side.sources.policies.service_def.access_types);
        let accesses: BTreeSet<&str> = accesses.map(|access| access.name.as_str()).collect();
        for access in accesses {
            let mut met: BTreeMap<(Kind, String), BTreeSet<u32>> = BTreeMap::new();
            let mut number = 0;
            for (at, (side, policy)) in policies().enumerate() {
                let Some(side) = sides.get(*side) else { continue };
                let is_on_tags = at >= region.policies.len();
                for item in items(policy).filter(|item| side.grants(item, access, is_on_tags)) {
                    number += 1;
                    meet(&mut met, side, item, number);
                }
            }
            for (tag, meets) in tags.iter().flatten() {
                met.insert((Kind::Tag, tag.clone()), meets.iter().map(|place| number + 1 + place).collect());
            }
            let atoms = who::atoms(met);
            let (classes, whole) = who::classes(&atoms);
            if !whole {
                let place = shown(&region.resource);
                self.stop(format!("more than {COMPARED_NAMES_MAX} combinations of names at {place}"));
            }
            let Some(left) = self.cases.checked_sub(classes.len()) else {
                *self.cases = 0;
                self.stop(format!("more than {} cases", self.most));
                return;
            };
            *self.cases = left;
            self.access(region, access, &atoms, &classes);
        }
    }

    fn access(&mut self, region: &Region<'_>, access: &str, atoms: &[Atom], classes: &[Class]) {
        let (sides, kind, at) = (self.sides, self.kind, self.at);
        let mut known: BTreeMap<BTreeSet<u32>, [String; 2]> = BTreeMap::new();
        let mut ask = |class: &Class, meets: &BTreeSet<u32>| {
            let decided = || {
                sides
                    .each_ref()
                    .map(|side| decide(&side.engine, kind, &region.example, &class.principal(atoms), access, at))
            };
            known.entry(meets.clone()).or_insert_with(decided).clone()
        };
        let answers: Vec<[String; 2]> = classes.iter().map(|class| ask(class, &class.meets)).collect();
        let mut told: Vec<(&Class, &[String; 2], Vec<&Class>)> = Vec::new();
        for (class, answer) in classes.iter().zip(&answers).filter(|(_, [before, after])| before != after) {
            // Also of who has further names that change nothing.
            let most = class.with_what_adds_nothing(atoms);
            let is_told = told.iter().any(|(other, same, except)| {
                other.is_within(class) && *same == answer && !except.iter().any(|except| except.is_within(&most))
            });
            if is_told {
                continue;
            }
            // With which other names it is another answer: the fewest.
            let mut except: Vec<&Class> = Vec::new();
            for other in classes.iter().filter(|other| who::are_together(class, other, atoms)) {
                let meets = class.meets.union(&other.meets).copied().collect();
                let both =
                    Class { atoms: class.atoms.iter().chain(&other.atoms).copied().collect(), ..Class::default() };
                let is_other = !except.iter().any(|less| less.is_within(&both)) && ask(&both, &meets) != *answer;
                if is_other {
                    except.push(other);
                }
            }
            told.push((class, answer, except));
        }
        for (class, [before, after], except) in told {
            let rest = |other: &Class| {
                let atoms_of = other.atoms.iter().copied().filter(|atom| !class.atoms.contains(atom)).collect();
                Class { atoms: atoms_of, ..Class::default() }.principal(atoms)
            };
            self.changes.insert(Change {
                kind: self.kind,
                principal: class.principal(atoms),
                resource: region.resource.clone(),
                example: region.example.clone(),
                access: access.to_owned(),
                before: before.clone(),
                after: after.clone(),
                except: except.into_iter().map(rest).collect(),
            });
        }
    }
}

fn shown(resource: &[(String, String)]) -> String {
    resource.iter().map(|(level, value)| format!("{level}={value}")).collect::<Vec<_>>().join(",")
}

/// Notes who is named by an item, be it by a role.
fn meet(met: &mut BTreeMap<(Kind, String), BTreeSet<u32>>, side: &Side<'_>, item: &PolicyItem, number: u32) {
    let mut add = |kind: Kind, name: &str| {
        met.entry((kind, name.to_owned())).or_default().insert(number);
    };
    for user in &item.users {
        match user.as_str() {
            CURRENT_USER => {}
            RESOURCE_OWNER => add(Kind::Owner, RESOURCE_OWNER),
            user => add(Kind::User, user),
        }
    }
    item.groups.iter().filter(|group| *group != PUBLIC_GROUP).for_each(|group| add(Kind::Group, group));
    item.roles.iter().for_each(|role| add(Kind::Role, role));
    for ((kind, name), held) in &side.roles {
        if held.iter().any(|role| item.roles.contains(role)) {
            add(*kind, name);
        }
    }
}

fn first(alike: &Alike) -> Option<&str> {
    alike.first().map(String::as_str)
}

fn decide(
    engine: &Engine,
    kind: PolicyType,
    resource: &[(String, String)],
    principal: &Principal,
    access: &str,
    at: Timestamp,
) -> String {
    let resource: Vec<(&str, Values<'_>)> =
        resource.iter().map(|(level, value)| (level.as_str(), Values::One(value))).collect();
    let user = first(&principal.users).unwrap_or(ANYBODY);
    let groups: Vec<&str> = principal.groups.iter().filter_map(first).collect();
    let roles: Vec<&str> = principal.roles.iter().filter_map(first).collect();
    let tag = |alike: &Alike| ResourceTag {
        tag: TagData { kind: first(alike).unwrap_or_default().to_owned(), ..TagData::default() },
        match_type: MatchType::Itself,
    };
    let tags: Vec<ResourceTag> = principal.tags.iter().map(tag).collect();
    let request = Request {
        resource: &resource,
        access,
        user: Some(user),
        owner: principal.owns.then_some(user),
        groups: &groups,
        roles: &roles,
        at,
        tags: Some(&tags),
        ..Request::default()
    };
    let decision = engine.evaluate(&request, kind);
    match kind {
        PolicyType::Access => if decision.is_allowed { "allowed" } else { "denied" }.to_owned(),
        PolicyType::DataMask => match decision.mask.filter(|mask| !mask.is_clear()) {
            None => "clear".to_owned(),
            Some(mask) => {
                let (kind, value) = (mask.kind.unwrap_or_default(), mask.value.as_deref().unwrap_or_default());
                format!("{kind} {value}").trim().to_owned()
            }
        },
        PolicyType::RowFilter => match decision.filter.filter(|filter| !filter.trim().is_empty()) {
            None => "all rows".to_owned(),
            Some(filter) => filter.into_owned(),
        },
    }
}
