//! Evaluates a request: zones, tags, policies on tags, policies on resources, shares; then the rules about auditing.
//!
//! ```text
//! super user? ─► policies on tags ─► policies on resources, the higher priority first ─► shares ─► Decision
//!                  a denial stands      unless one of a higher priority allows
//! ```

mod answer;
mod policies;

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::acl::Acls;
use crate::decision::{CLOSED_FILTER, CLOSED_MASK, Decision, Mask};
use crate::engine::{AuditMode, Engine, Mode, Named, RowFilters};
use crate::explain::{Explanation, PolicyOutcome, PolicyStep, Silent, Sink, Step};
use crate::facts::{Facts, FoundTag, RoleNames};
use crate::gds::Shared;
use crate::matcher::{ElementScope, Values};
use crate::model::PolicyType;
use crate::names::Symbol;
use crate::policy::{OutcomeItem, Prepared};
use crate::repository::Repository;
use crate::request::{Request, SUPER_USER_ACCESS};
use crate::resource::{MatchType, Target, TargetElement};
use crate::service::Levels;
use crate::short::Short;
use crate::verdict::{Caller, Found, Question};
use crate::wanted::{PerAccess, Wanted};

/// How deep a resource of a service can be; a request that names more levels matches nothing.
pub const RESOURCE_LEVELS_MAX: usize = 16;

/// What is known of the answer while policies are looked at.
#[derive(Debug, Clone)]
pub(crate) struct State<'e> {
    determined: bool,
    allowed: bool,
    audit_determined: bool,
    audited: bool,
    audit_policy: i64,
    policy: Option<&'e Prepared>,
    priority: i32,
    outcome: Option<&'e OutcomeItem>,
    evaluated: u32,
    /// Whether there were policies on resources to ask.
    asked: bool,
}

impl<'e> State<'e> {
    fn take_access(&mut self, other: &Self) {
        self.determined = other.determined;
        self.allowed = other.allowed;
        self.policy = other.policy;
        self.priority = other.priority;
        self.outcome = other.outcome;
        self.evaluated = other.evaluated;
    }

    fn take_audit(&mut self, other: &Self) {
        self.audit_determined = other.audit_determined;
        self.audited = other.audited;
        self.audit_policy = other.audit_policy;
    }

    fn take_found(&mut self, found: Found<'e>) {
        self.determined = found.determined;
        self.allowed = found.allowed;
        self.policy = found.policy;
        self.priority = found.policy.map_or(0, |policy| policy.priority);
        self.outcome = found.outcome;
    }

    /// Notes the policy that says that the access is audited, unless that is known already.
    fn audit_by(&mut self, policy: Option<i64>) {
        if let Some(policy) = policy.filter(|_| !self.audit_determined) {
            self.set_audited(true);
            self.audit_policy = policy;
        }
    }

    fn set_audited(&mut self, audited: bool) {
        self.audited = audited;
        self.audit_determined = true;
    }
}

/// The levels of a resource with what is asked for at each, from the root downwards.
pub(crate) type Elements<'c> = Short<TargetElement<'c>, 4>;

/// A resource as levels of a service have it; nothing, if they do not.
pub(crate) fn elements_of<'c>(levels: &Levels, request: &Request<'c>) -> Option<Elements<'c>> {
    if request.resource.len() > RESOURCE_LEVELS_MAX {
        return None;
    }
    let mut elements = Elements::default();
    for (name, values) in request.resource {
        let scope = request.element_scopes.iter().find(|(other, _)| other == name);
        let scope = scope.map_or(ElementScope::Itself, |(_, scope)| *scope);
        elements.push(TargetElement { level: levels.find(name)?, values: *values, scope });
    }
    if levels.are_chain(elements.iter().map(|element| element.level)) {
        return Some(elements);
    }
    let chain = levels.chain(request.resource.iter().map(|(name, _)| *name))?;
    chain.into_iter().map(|level| elements.iter().find(|element| element.level == level).copied()).collect()
}

impl Named {
    fn names(&self, caller: &Caller, with_roles: bool) -> bool {
        let some = |list: &[Symbol], of: &[Symbol]| of.iter().any(|symbol| list.binary_search(symbol).is_ok());
        caller.user.is_some_and(|user| self.users.binary_search(&user).is_ok())
            || some(&self.groups, &caller.groups)
            || (with_roles && some(&self.roles, &caller.roles))
    }
}

/// Everything about a request that all policies share.
pub(crate) struct Run<'e, 'c> {
    pub(crate) engine: &'e Engine,
    pub(crate) facts: Facts<'c>,
    pub(crate) caller: &'c Caller,
    pub(crate) wanted: &'c Wanted<'c>,
    pub(crate) target: Target<'c>,
    kind: PolicyType,
}

impl Engine {
    /// Decides on access.
    pub fn access<'e>(&'e self, request: &Request<'_>) -> Decision<'e> {
        self.evaluate(request, PolicyType::Access)
    }

    /// Finds the mask of a column.
    pub fn mask<'e>(&'e self, request: &Request<'_>) -> Decision<'e> {
        self.evaluate(request, PolicyType::DataMask)
    }

    /// Finds the row filter of a table.
    pub fn row_filter<'e>(&'e self, request: &Request<'_>) -> Decision<'e> {
        self.evaluate(request, PolicyType::RowFilter)
    }

    /// Evaluates the policies of a type.
    pub fn evaluate<'e>(&'e self, request: &Request<'_>, kind: PolicyType) -> Decision<'e> {
        self.run(request, kind, &mut Silent)
    }

    /// The same, with how it came about.
    pub fn explain<'e>(&'e self, request: &Request<'_>, kind: PolicyType) -> (Decision<'e>, Explanation) {
        let mut explanation = Explanation::default();
        let decision = self.run(request, kind, &mut explanation);
        (decision, explanation)
    }

    pub(crate) fn caller(&self, request: &Request<'_>) -> Caller {
        let user = request.user.and_then(|user| self.names.find(user));
        let groups: Short<Symbol, 8> = request.groups.iter().filter_map(|group| self.names.find(group)).collect();
        let roles = if !request.roles.is_empty() {
            request.roles.iter().filter_map(|role| self.names.find(role)).collect()
        } else if self.roles.is_empty() {
            Short::default()
        } else {
            self.roles.roles_of(user, &groups)
        };
        let owns = request.user.is_some() && request.user == request.owner;
        Caller { user, is_named: request.user.is_some(), owns, groups, roles }
    }

    fn role_names<'c>(&'c self, request: &Request<'c>, caller: &'c Caller) -> RoleNames<'c> {
        if request.roles.is_empty() {
            RoleNames::Known(&self.names, &caller.roles)
        } else {
            RoleNames::Stated(request.roles)
        }
    }

    pub(crate) fn facts<'c>(&'c self, request: &'c Request<'c>, roles: RoleNames<'c>) -> Facts<'c> {
        Facts {
            request,
            surroundings: &self.surroundings,
            service: &self.service,
            roles,
            tags: &[],
            tag: None,
            zone: None,
            resource_text: OnceCell::new(),
        }
    }

    /// The tags of the requested resource: those that the request states, and those that are known. Ranger takes those that are
    /// known alone, where any are.
    pub(crate) fn tags_of<'c>(&'c self, facts: &Facts<'c>, target: Target<'_>) -> Vec<FoundTag<'c>> {
        let mut found = Vec::new();
        if let Some(store) = &self.tags {
            store.find(facts.request, target, facts, &mut found);
        }
        let takes_stated = self.tags.is_none() || self.options.mode == Mode::Closed;
        if let Some(tags) = facts.request.tags.filter(|_| takes_stated) {
            found.extend(tags.iter().map(|tag| FoundTag { data: &tag.tag, match_type: tag.match_type }));
        }
        found
    }

    /// Whether anything that is evaluated for a request can depend on the tags of its resource.
    fn asks_for_tags<S: Sink>(&self, kind: PolicyType, sink: &S) -> bool {
        let by_policies = |tags: &Repository| sink.listens() || self.reads_tags || tags.has_any(kind);
        self.tag_repository.as_deref().is_some_and(by_policies)
    }

    fn run<'e, S: Sink>(&'e self, request: &Request<'_>, kind: PolicyType, sink: &mut S) -> Decision<'e> {
        let caller = self.caller(request);
        let wanted = Wanted::new(request, &self.service.access_types, &self.names);
        if let Some(why) = self.refusal(request, &wanted) {
            sink.note(|| Step::Refused { why: why.clone() });
            return self.closed(kind, why);
        }
        let roles = self.role_names(request, &caller);
        let mut facts = self.facts(request, roles);
        let whole = elements_of(self.service.levels(PolicyType::Access), request);
        let own = if self.service.has_leading_levels(kind) {
            None
        } else {
            Some(elements_of(self.service.levels(kind), request))
        };
        let elements = match &own {
            Some(own) => own.as_deref(),
            None => whole.as_deref().filter(|whole| self.service.levels(kind).have(whole)),
        };
        let (target, whole) = (Target { elements }, Target { elements: whole.as_deref() });
        let tags = if self.asks_for_tags(kind, sink) { self.tags_of(&facts, whole) } else { Vec::new() };
        facts.tags = &tags;
        let run = Run { engine: self, facts, caller: &caller, wanted: &wanted, target, kind };
        let zones = self.zone_matcher.zones(whole);
        let (state, zone) = run.in_zones(&zones, sink);
        let mut decision = run.decision(&state, zone);
        if kind == PolicyType::RowFilter && self.options.row_filters == RowFilters::All {
            run.add_filters(&mut decision, zone);
        }
        run.add_shares(&mut decision, &zones, sink);
        decision.is_determined |= state.asked && !decision.is_allowed && !self.options.has_fallback;
        run.audit(&mut decision, whole, zone);
        decision
    }

    fn with_run<'e, T>(&'e self, request: &Request<'_>, call: impl for<'c> FnOnce(&Run<'e, 'c>, &[&'e str]) -> T) -> T {
        let caller = self.caller(request);
        let wanted = Wanted::new(request, &self.service.access_types, &self.names);
        let roles = self.role_names(request, &caller);
        let elements = elements_of(self.service.levels(PolicyType::Access), request);
        let target = Target { elements: elements.as_deref() };
        let facts = self.facts(request, roles);
        let run = Run { engine: self, facts, caller: &caller, wanted: &wanted, target, kind: PolicyType::Access };
        call(&run, &self.zone_matcher.zones(target))
    }

    /// What shares alone give for a request, or nothing if no dataset has the resource.
    pub fn shared<'e>(&'e self, request: &Request<'_>) -> Option<Shared<'e>> {
        let gds = self.gds.as_deref()?;
        self.with_run(request, |run, zones| gds.evaluate(run, zones))
    }

    /// Who has which access to the requested resource through shares alone.
    pub fn share_acls(&self, request: &Request<'_>) -> Acls {
        let Some(gds) = self.gds.as_deref() else { return Acls::default() };
        self.with_run(request, |run, zones| gds.acls(run, zones))
    }

    /// Why a request can't be decided at all.
    fn refusal(&self, request: &Request<'_>, wanted: &Wanted<'_>) -> Option<String> {
        if self.options.mode == Mode::Compat {
            return None;
        }
        let supplied = |name: &&String| request.tags.is_none() || !name.to_ascii_lowercase().contains("tag");
        if let Some(name) = self.missing.iter().find(supplied) {
            return Some(format!("what `{name}` looks up is not there"));
        }
        let unknown = wanted.unknown_access(&self.service.access_types, Mode::Closed)?;
        Some(format!("the service has no access type `{unknown}`"))
    }

    /// The answer to what can't be decided: nothing is given away.
    fn closed<'e>(&'e self, kind: PolicyType, why: String) -> Decision<'e> {
        let mask = Mask { kind: Some(CLOSED_MASK), condition: None, value: None };
        Decision {
            is_allowed: kind != PolicyType::Access,
            is_determined: true,
            is_audited: true,
            policy_id: -1,
            policy_name: None,
            policy_version: None,
            audit_policy_id: -1,
            zone: None,
            priority: 0,
            mask: (kind == PolicyType::DataMask).then_some(mask),
            filter: (kind == PolicyType::RowFilter).then_some(Cow::Borrowed(CLOSED_FILTER)),
            refused: Some(why.into()),
            evaluated: 0,
        }
    }
}

impl<'e: 'c, 'c> Run<'e, 'c> {
    fn question<'q>(&'q self, facts: &'q Facts<'q>) -> Question<'q> {
        Question { facts, caller: self.caller, wanted: self.wanted, mode: self.engine.options.mode }
    }

    fn in_zones<S: Sink>(&self, zones: &[&'e str], sink: &mut S) -> (State<'e>, Option<&'e str>) {
        let engine = self.engine;
        let any = self.facts.request.is_any();
        let mut zone = None;
        let mut state = if zones.is_empty() || (zones.len() > 1 && !any) {
            self.in_zone(None, &engine.repository, sink)
        } else {
            let mut last = self.fresh();
            for name in zones {
                let own = engine.zones.get(*name).filter(|_| !name.is_empty());
                zone = own.map(|_| *name);
                last = self.in_zone(zone, own.unwrap_or(&engine.repository), sink);
                if last.allowed {
                    break;
                }
            }
            last
        };
        if any && self.facts.request.resource.is_empty() && !state.allowed {
            for (name, repository) in &engine.zones {
                let found = self.in_zone(Some(name), repository, sink);
                if found.allowed {
                    (state, zone) = (found, Some(name.as_str()));
                    break;
                }
            }
        }
        (state, zone)
    }

    fn fresh(&self) -> State<'e> {
        let engine = self.engine;
        let mut state = State {
            determined: false,
            allowed: false,
            audit_determined: false,
            audited: false,
            audit_policy: -1,
            policy: None,
            priority: 0,
            outcome: None,
            evaluated: 0,
            asked: false,
        };
        match engine.audit_mode {
            AuditMode::All => state.set_audited(true),
            AuditMode::None => state.set_audited(false),
            AuditMode::ByPolicy => {
                if !engine.repository.has_policies() && engine.tag_repository.is_none() {
                    state.set_audited(true);
                }
            }
        }
        if engine.unaudited.names(self.caller, true) {
            state.set_audited(false);
        }
        state
    }

    fn in_zone<S: Sink>(&self, zone: Option<&'e str>, repository: &'e Repository, sink: &mut S) -> State<'e> {
        if let Some(name) = zone {
            sink.note(|| Step::Zone { name: name.to_owned() });
        }
        let facts = self.facts.in_zone(zone);
        let mut state = self.fresh();
        let is_super = self.engine.super_users.names(self.caller, false);
        if is_super || self.facts.request.access == SUPER_USER_ACCESS {
            state.allowed = is_super;
            state.determined = true;
            state.priority = i32::MAX;
            if is_super {
                sink.note(|| Step::SuperUser);
            }
        }
        let mut results = PerAccess::new(self.wanted.list().len());
        self.tag_policies(zone, &facts, &mut state, &mut results, sink);
        if repository.has_policies() {
            state.asked = true;
            self.resource_policies(repository, &facts, &mut state, &mut results, sink);
        }
        state
    }

    fn policy<S: Sink>(
        &self,
        policy: &'e Prepared,
        facts: &Facts<'_>,
        target: Target<'_>,
        state: &mut State<'e>,
        results: &mut PerAccess<Found<'e>>,
        sink: &mut S,
    ) {
        for set in &policy.resources {
            if state.determined && state.audit_determined && !sink.listens() {
                return;
            }
            let match_type = set.match_type(target, facts);
            self.policy_matched(policy, facts, match_type.into(), state, results, sink);
        }
    }

    fn policy_matched<S: Sink>(
        &self,
        policy: &'e Prepared,
        facts: &Facts<'_>,
        matched: Matched,
        state: &mut State<'e>,
        results: &mut PerAccess<Found<'e>>,
        sink: &mut S,
    ) {
        let question = self.question(facts);
        let is_matched = match matched.match_type {
            MatchType::Itself | MatchType::ItselfAndBelow => true,
            MatchType::Below => facts.request.reaches_below(),
            MatchType::Above => facts.tag.is_some(),
            MatchType::None => false,
        };
        if !is_matched {
            return;
        }
        let mut outcome = None;
        let (holds, mut doubtful) = question.conditions(policy, sink, &mut outcome);
        if !holds {
            if let Some(outcome) = outcome {
                sink.note(|| policy_step(policy, facts, outcome));
            }
            return;
        }
        doubtful |= !matched.is_sure && self.engine.options.mode == Mode::Closed;
        state.audit_by(policy.audited.then_some(policy.id));
        if state.determined {
            sink.note(|| policy_step(policy, facts, PolicyOutcome::Settled));
            return;
        }
        if !question.passes_gate(policy) {
            sink.note(|| policy_step(policy, facts, PolicyOutcome::NobodyFits));
            // Ranger sums up what was found so far all the same, if there are items: what tags deny stays denied by the
            // first policy that could lift it and does not.
            let found = question.composite(results).filter(|found| policy.has_items() && found.policy.is_some());
            if let Some(found) = found {
                state.take_found(found);
            }
            return;
        }
        let (found, steps) = question.items(policy, doubtful, matched.match_type, results, sink);
        sink.note(|| policy_step(policy, facts, PolicyOutcome::Items(steps)));
        if let Some(found) = found {
            state.take_found(found);
        }
    }
}

/// How a policy has to do with what is asked for.
#[derive(Debug, Clone, Copy)]
struct Matched {
    match_type: MatchType,
    /// Of a policy on tags: its values match the tag, and do not only begin as it does.
    is_sure: bool,
}

impl From<MatchType> for Matched {
    fn from(match_type: MatchType) -> Self {
        Self { match_type, is_sure: true }
    }
}

pub(crate) fn tag_element<'t>(levels: &Levels, tag: &'t str) -> Option<TargetElement<'t>> {
    let level = levels.find("tag")?;
    Some(TargetElement { level, values: Values::One(tag), scope: ElementScope::Itself })
}

fn policy_step(policy: &Prepared, facts: &Facts<'_>, outcome: PolicyOutcome) -> Step {
    let zone = if policy.zone.is_empty() { facts.zone } else { Some(&*policy.zone) };
    Step::Policy(PolicyStep {
        id: policy.id,
        name: policy.name.to_string(),
        version: policy.version,
        zone: zone.map(str::to_owned),
        tag: facts.tag.map(|tag| tag.data.kind.clone()),
        outcome,
    })
}
