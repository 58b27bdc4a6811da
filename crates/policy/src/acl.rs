//! Who has which access to a resource, told for everybody at once and without a request: what can't be told without one
//! is conditional.
//!
//! Ranger's summaries: policies add up by priority, a denial is final, and what everybody has is not repeated for each.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Engine;
use crate::evaluate::elements_of;
use crate::facts::{FoundTag, RoleNames};
use crate::matcher::{Bindings, Unbound};
use crate::model::PolicyType;
use crate::names::{Names, Symbol};
use crate::policy::{Item, Outcome, Prepared};
use crate::request::{ADMIN_ACCESS, CURRENT_USER, PUBLIC_GROUP, Request, ResourceScope};
use crate::resource::{MatchType, ResourceSet, Target};
use crate::service::Service;

/// What somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclResult {
    /// Denied.
    Denied,
    /// Not said.
    Undetermined,
    /// Allowed.
    Allowed,
    /// It depends on the request.
    Conditional,
}

impl AclResult {
    /// Ranger's number.
    pub fn number(self) -> i32 {
        match self {
            Self::Denied => -1,
            Self::Undetermined => 0,
            Self::Allowed => 1,
            Self::Conditional => 2,
        }
    }

    /// The sum of what two items say, within bounds.
    fn plus(self, other: Self, low: Self, high: Self) -> Self {
        let sum = (self.number() + other.number()).clamp(low.number(), high.number());
        match sum {
            ..=-1 => Self::Denied,
            0 => Self::Undetermined,
            _ => Self::Allowed,
        }
    }
}

/// What somebody has, and by which policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclEntry {
    /// What.
    pub result: AclResult,
    /// Whether policies of lower priority can't change it.
    pub is_final: bool,
    /// The policy.
    pub policy_id: i64,
}

/// What somebody has, by name and kind of access.
pub type AclTable = BTreeMap<String, BTreeMap<String, AclEntry>>;

/// A mask or filter in a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclOutcome {
    /// The users it is for.
    pub users: BTreeSet<String>,
    /// The groups.
    pub groups: BTreeSet<String>,
    /// The roles.
    pub roles: BTreeSet<String>,
    /// The kinds of access.
    pub accesses: BTreeSet<String>,
    /// The kind of mask, of a mask.
    pub mask: Option<String>,
    /// The expression of the mask or filter.
    pub expression: Option<String>,
    /// Whether it depends on the request.
    pub is_conditional: bool,
}

/// Who has which access to a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acls {
    /// By user.
    pub users: AclTable,
    /// By group.
    pub groups: AclTable,
    /// By role.
    pub roles: AclTable,
    /// The masks.
    pub masks: Vec<AclOutcome>,
    /// The filters.
    pub filters: Vec<AclOutcome>,
    /// The datasets that have the resource.
    pub datasets: BTreeSet<String>,
    /// Their projects.
    pub projects: BTreeSet<String>,
}

/// What one policy says of somebody.
#[derive(Debug, Clone, Copy)]
struct Said(AclResult);

type Summary = BTreeMap<String, BTreeMap<String, Said>>;

#[derive(Debug, Default)]
struct PolicySummary {
    users: Summary,
    groups: Summary,
    roles: Summary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Allow,
    AllowException,
    Deny,
    DenyException,
}

/// What summaries need to tell names.
pub(crate) struct Telling<'t> {
    pub(crate) names: &'t Names,
    pub(crate) service: &'t Service,
}

impl Telling<'_> {
    fn access(&self, symbol: Symbol) -> String {
        let text = self.names.text(symbol);
        let own = self.service.access_types.iter().find(|name| name.eq_ignore_ascii_case(text));
        own.map_or(text, String::as_str).to_owned()
    }

    fn texts(&self, symbols: &[Symbol]) -> BTreeSet<String> {
        symbols.iter().map(|symbol| self.names.text(*symbol).to_owned()).collect()
    }
}

fn depends(item: &Item) -> bool {
    !item.conditions.is_empty()
}

fn spoils(items: &[Item]) -> bool {
    items.iter().any(|item| !item.conditions.is_empty() || (!item.who.groups.is_empty() && !item.who.public))
}

fn names_everybody(items: &[Item]) -> bool {
    items.iter().any(|item| item.who.public || item.who.any_user)
}

/// Whether everybody is meant, but for some whom exceptions name: that can't be told one by one.
fn is_tangled(items: &[Item], exceptions: &[Item]) -> bool {
    !exceptions.is_empty() && names_everybody(items) && !names_everybody(exceptions)
}

impl PolicySummary {
    fn new(policy: &Prepared, telling: &Telling<'_>) -> Self {
        let mut summary = Self::default();
        let (deny, allow) = (&policy.deny, &policy.allow);
        let deny_open = spoils(&deny.exceptions) || is_tangled(&deny.items, &deny.exceptions);
        let allow_open = spoils(&allow.exceptions) || is_tangled(&allow.items, &allow.exceptions);
        for (items, list, open) in [
            (&deny.items, List::Deny, deny_open),
            (&deny.exceptions, List::DenyException, false),
            (&allow.items, List::Allow, allow_open),
            (&allow.exceptions, List::AllowException, false),
        ] {
            let skipped = match list {
                List::DenyException => deny_open,
                List::AllowException => allow_open,
                List::Allow | List::Deny => false,
            };
            for item in items.iter().filter(|_| !skipped) {
                summary.add_item(item, list, open, telling);
            }
        }
        summary.finish(policy.deny_all_else, telling.service);
        summary
    }

    fn add_item(&mut self, item: &Item, list: List, open: bool, telling: &Telling<'_>) {
        let conditional = open || depends(item);
        let says = match list {
            List::Allow | List::Deny if conditional => AclResult::Conditional,
            List::AllowException | List::DenyException if conditional => return,
            List::Allow | List::DenyException => AclResult::Allowed,
            List::Deny | List::AllowException => AclResult::Denied,
        };
        let mut accesses: Vec<String> = item.accesses.iter().map(|access| telling.access(*access)).collect();
        if item.delegates {
            accesses.push(ADMIN_ACCESS.to_owned());
        }
        for access in &accesses {
            for user in telling.texts(&item.who.users).iter().filter(|user| *user != CURRENT_USER) {
                add(&mut self.users, user, access, says, list);
            }
            for group in telling.texts(&item.who.groups).iter().filter(|group| *group != PUBLIC_GROUP) {
                add(&mut self.groups, group, access, says, list);
            }
            if item.who.public || item.who.any_user {
                add(&mut self.groups, PUBLIC_GROUP, access, says, list);
            }
            for role in &telling.texts(&item.who.roles) {
                add(&mut self.roles, role, access, says, list);
            }
        }
    }

    fn finish(&mut self, deny_all_else: bool, service: &Service) {
        for (access, said) in self.groups.get(PUBLIC_GROUP).cloned().unwrap_or_default() {
            if !matches!(said.0, AclResult::Allowed | AclResult::Denied) {
                continue;
            }
            self.users.values_mut().for_each(|accesses| accesses.retain(|other, _| *other != access));
            let others = self.groups.iter_mut().filter(|(group, _)| *group != PUBLIC_GROUP);
            others.for_each(|(_, accesses)| accesses.retain(|other, _| *other != access));
        }
        self.users.retain(|_, accesses| !accesses.is_empty());
        self.groups.retain(|_, accesses| !accesses.is_empty());
        if deny_all_else {
            self.deny_rest(service);
        }
    }

    fn deny_rest(&mut self, service: &Service) {
        let all = || service.access_types.iter().filter(|access| !access.eq_ignore_ascii_case("all"));
        for accesses in self.users.values_mut().chain(self.groups.values_mut()) {
            for said in accesses.values_mut().filter(|said| said.0 == AclResult::Undetermined) {
                said.0 = AclResult::Denied;
            }
            for access in all() {
                accesses.entry(access.clone()).or_insert(Said(AclResult::Denied));
            }
        }
        for access in all() {
            let is_denied = |accesses: &BTreeMap<String, Said>| {
                accesses.get(access).is_some_and(|said| said.0 == AclResult::Denied)
            };
            let others = self.groups.iter().filter(|(group, _)| *group != PUBLIC_GROUP).map(|(_, accesses)| accesses);
            let result = if self.users.values().chain(others).all(is_denied) {
                AclResult::Denied
            } else {
                AclResult::Conditional
            };
            let public = self.groups.entry(PUBLIC_GROUP.to_owned()).or_default();
            public.entry(access.clone()).or_insert(Said(result));
        }
    }
}

fn add(summary: &mut Summary, name: &str, access: &str, says: AclResult, list: List) {
    if name.trim().is_empty() {
        return;
    }
    let accesses = summary.entry(name.to_owned()).or_default();
    let Some(said) = accesses.get_mut(access) else {
        if matches!(list, List::Allow | List::Deny) {
            accesses.insert(access.to_owned(), Said(says));
        }
        return;
    };
    use AclResult::{Allowed, Conditional, Denied, Undetermined};
    said.0 = match (says, said.0) {
        (Denied, Conditional) => Denied,
        (Denied, old) => old.plus(Denied, if list == List::Deny { Denied } else { Undetermined }, Allowed),
        (Allowed, Conditional) if list == List::Allow => Allowed,
        (Allowed, Conditional) => Conditional,
        (Allowed, old) => old.plus(Allowed, Denied, if list == List::Allow { Allowed } else { Undetermined }),
        (_, Undetermined) => says,
        (_, old) => old,
    };
}

impl Acls {
    /// Adds what a policy says; `targets` limits the kinds of access.
    pub(crate) fn add_policy(
        &mut self,
        policy: &Prepared,
        conditional: bool,
        targets: Option<&[String]>,
        telling: &Telling<'_>,
    ) {
        let conditional = conditional || !policy.conditions.is_empty() || !policy.schedules.is_empty();
        if policy.kind != PolicyType::Access {
            self.add_outcomes(policy, conditional, telling);
            return;
        }
        let summary = PolicySummary::new(policy, telling);
        let tables =
            [(&mut self.users, summary.users), (&mut self.groups, summary.groups), (&mut self.roles, summary.roles)];
        for (table, said) in tables {
            for (name, accesses) in said {
                for (access, Said(result)) in accesses {
                    if targets.is_some_and(|targets| !targets.contains(&access)) {
                        continue;
                    }
                    let result = match result {
                        _ if conditional => AclResult::Conditional,
                        AclResult::Undetermined => AclResult::Denied,
                        result => result,
                    };
                    set(table.entry(name.clone()).or_default(), &access, result, policy.id);
                }
            }
        }
    }

    fn add_outcomes(&mut self, policy: &Prepared, conditional: bool, telling: &Telling<'_>) {
        for outcome in &policy.outcomes {
            let item = &outcome.item;
            let (mask, expression) = match &outcome.outcome {
                Outcome::Mask { kind, value, .. } => (kind.as_deref(), value.as_ref().map(|value| &*value.text)),
                Outcome::Filter(expression) => (None, Some(&*expression.text)),
                Outcome::Nothing => continue,
            };
            let (mut users, mut groups) = (telling.texts(&item.who.users), telling.texts(&item.who.groups));
            if users.remove(CURRENT_USER) {
                groups.insert(PUBLIC_GROUP.to_owned());
            }
            let told = AclOutcome {
                users,
                groups,
                roles: telling.texts(&item.who.roles),
                accesses: item.accesses.iter().map(|access| telling.access(*access)).collect(),
                mask: mask.map(str::to_owned),
                expression: expression.map(str::to_owned),
                is_conditional: conditional || depends(item) || item.who.owner,
            };
            let list = if policy.kind == PolicyType::DataMask { &mut self.masks } else { &mut self.filters };
            list.push(told);
        }
    }

    /// What was said so far can't be changed by policies of lower priority; what everybody has is not repeated.
    pub(crate) fn finish(&mut self) {
        for (access, entry) in self.groups.get(PUBLIC_GROUP).cloned().unwrap_or_default() {
            if !matches!(entry.result, AclResult::Allowed | AclResult::Denied) {
                continue;
            }
            let others = self.groups.iter_mut().filter(|(group, _)| *group != PUBLIC_GROUP);
            for accesses in self.users.values_mut().chain(others.map(|(_, accesses)| accesses)) {
                if accesses.get(&access).is_some_and(|entry| !entry.is_final) {
                    accesses.remove(&access);
                }
            }
        }
        for table in [&mut self.users, &mut self.groups, &mut self.roles] {
            table.retain(|_, accesses| !accesses.is_empty());
            table.values_mut().flat_map(BTreeMap::values_mut).for_each(|entry| entry.is_final = true);
        }
    }
}

fn set(accesses: &mut BTreeMap<String, AclEntry>, access: &str, result: AclResult, policy_id: i64) {
    let is_denied = result == AclResult::Denied;
    match accesses.get_mut(access) {
        None => {
            accesses.insert(access.to_owned(), AclEntry { result, is_final: is_denied, policy_id });
        }
        // What depends on the request does not take away what does not.
        Some(entry) if entry.result == AclResult::Allowed && result == AclResult::Conditional => {}
        Some(entry) if !entry.is_final => *entry = AclEntry { result, is_final: is_denied, policy_id },
        Some(_) => {}
    }
}

/// What variable parts could be: anything.
struct Anything;

impl Bindings for Anything {
    fn token(&self, _name: &str) -> Option<std::borrow::Cow<'_, str>> {
        Some("*".into())
    }

    fn expand(&self, _template: &crate::script::Template) -> Option<String> {
        Some("*".to_owned())
    }

    fn is_anything(&self) -> bool {
        true
    }
}

impl Engine {
    /// Who has which access to the requested resource. Who asks, and for what, does not count.
    pub fn acls(&self, request: &Request<'_>) -> Acls {
        let mut acls = Acls::default();
        let facts = self.facts(request, RoleNames::Stated(&[]));
        let whole = elements_of(self.service.levels(PolicyType::Access), request);
        let whole = Target { elements: whole.as_deref() };
        let tags = if self.tag_repository.is_some() { self.tags_of(&facts, whole) } else { Vec::new() };
        let zones = self.zone_matcher.zones(whole);
        let zone = if let [zone] = zones.as_slice() { Some(*zone).filter(|zone| !zone.is_empty()) } else { None };
        for kind in PolicyType::ALL {
            let levels = self.service.levels(kind);
            let elements = elements_of(levels, request);
            let complete = |elements: &[_]| kind == PolicyType::Access || levels.is_leaf(elements.len(), request);
            if !elements.as_deref().is_some_and(complete) {
                continue;
            }
            let target = Target { elements: elements.as_deref() };
            self.add_acls(&mut acls, kind, target, zone, &tags, request);
        }
        acls
    }

    fn add_acls(
        &self,
        acls: &mut Acls,
        kind: PolicyType,
        target: Target<'_>,
        zone: Option<&str>,
        tags: &[FoundTag<'_>],
        request: &Request<'_>,
    ) {
        let telling = Telling { names: &self.names, service: &self.service };
        let repository = zone.and_then(|zone| self.zones.get(zone)).unwrap_or(&self.repository);
        // That any access is asked for does not reach policies about parts here.
        let below = request.scope == ResourceScope::ItselfOrBelow;
        let mut policies: Vec<(&Prepared, Option<bool>)> = Vec::new();
        self.add_tag_acls(&mut policies, kind, zone, tags, below);
        for policy in repository.candidates(kind, target, below) {
            let matches = |set: &ResourceSet, bindings: &dyn Bindings| {
                let found = set.match_type(target, bindings);
                found.is_itself() || (below && found != MatchType::None)
            };
            if policy.resources.iter().any(|set| matches(set, &Unbound)) {
                policies.push((policy, Some(false)));
            } else if policy.resources.iter().any(|set| set.is_dynamic() && matches(set, &Anything)) {
                policies.push((policy, Some(true)));
            }
        }
        policies.sort_by(|(a, _), (b, _)| {
            let key = |policy: &Prepared| (std::cmp::Reverse(policy.priority), !policy.has_deny, policy.order);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        if policies.is_empty() {
            return;
        }
        let mut priority = None;
        for (policy, conditional) in policies {
            if priority.is_some_and(|priority| priority != policy.priority) && kind == PolicyType::Access {
                acls.finish();
            }
            priority = Some(policy.priority);
            acls.add_policy(policy, conditional.unwrap_or(false), None, &telling);
        }
        acls.finish();
    }

    fn add_tag_acls<'e>(
        &'e self,
        policies: &mut Vec<(&'e Prepared, Option<bool>)>,
        kind: PolicyType,
        zone: Option<&str>,
        tags: &[FoundTag<'_>],
        below: bool,
    ) {
        let Some(repository) = &self.tag_repository else { return };
        let own_zone = zone.filter(|zone| self.zone_matcher.has_tag_policies(zone)).unwrap_or_default();
        let mut tags = tags.to_vec();
        tags.sort_by_key(|tag| tag.match_type);
        let mut seen = BTreeSet::new();
        for tag in &tags {
            let levels = repository.service.levels(kind);
            let element = crate::evaluate::tag_element(levels, &tag.data.kind);
            let target = Target { elements: element.as_ref().map(std::slice::from_ref) };
            let applies = match tag.match_type {
                MatchType::Itself | MatchType::ItselfAndBelow | MatchType::Above => true,
                MatchType::Below => below,
                MatchType::None => false,
            };
            let found = repository.on_tag(kind, target, &Unbound).filter(|(policy, _)| *policy.zone == *own_zone);
            for (policy, is_sure) in found {
                let is_doubtful = !is_sure && self.options.mode == crate::engine::Mode::Closed;
                let is_timed = !tag.data.validity.is_empty() || is_doubtful;
                if seen.insert(policy.id) && applies {
                    policies.push((policy, Some(is_timed)));
                } else if is_timed {
                    // One tag that counts for a time only is enough.
                    let found = policies.iter_mut().find(|(other, _)| other.id == policy.id);
                    found.into_iter().for_each(|(_, conditional)| *conditional = Some(true));
                }
            }
        }
    }
}
