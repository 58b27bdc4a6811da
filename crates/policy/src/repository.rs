//! Policies of one kind of place: a service outside of zones, a zone, or tags. In order, and found by resource.

mod relevant;

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::audit::AuditRule;
use crate::engine::Mode;
use crate::index::{Builder, Index, Lookup, Reach};
use crate::matcher::Bindings;
use crate::model::{ConditionDef, Policy, PolicyDelta, PolicyType};
use crate::names::Names;
use crate::policy::{Context, Prepared};
use crate::resource::{ResourceSet, Target, TargetElement};
use crate::service::Service;
use crate::short::Short;
use relevant::Mark;
pub(crate) use relevant::{Asker, Relevant};

/// Prepared policies with what finds them.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) service: Arc<Service>,
    pub(crate) conditions: Arc<[ConditionDef]>,
    /// The numbers of all policies, those that are disabled included.
    ids: Vec<i64>,
    policies: Vec<Arc<Prepared>>,
    lookup: Lookup,
    access: Ordered,
    mask: Ordered,
    filter: Ordered,
    pub(crate) audit: Vec<AuditRule>,
}

/// The policies of one type.
#[derive(Debug, Default)]
struct Ordered {
    /// In the order of evaluation.
    policies: Vec<Arc<Prepared>>,
    /// Their places in the order of their names.
    by_name: Vec<u32>,
    index: Index<Mark>,
}

impl Repository {
    pub(crate) fn new(
        service: Arc<Service>,
        conditions: Arc<[ConditionDef]>,
        (policies, lookup): (&[Policy], Lookup),
        (mode, zone): (Mode, &TimeZone),
        names: &mut Names,
    ) -> Self {
        let context = Context { service: &service, conditions: &conditions, mode, zone };
        let prepared = policies.iter().filter_map(|policy| Prepared::new(policy, &context, names)).map(Arc::new);
        let prepared: Vec<_> = prepared.collect();
        let ids = policies.iter().map(Policy::id).collect();
        Self::with(service, conditions, ids, (prepared, lookup))
    }

    fn with(
        service: Arc<Service>,
        conditions: Arc<[ConditionDef]>,
        ids: Vec<i64>,
        (policies, lookup): (Vec<Arc<Prepared>>, Lookup),
    ) -> Self {
        let of_kind = |kind| policies.iter().filter(|policy| policy.kind == kind).cloned().collect();
        let ordered = |kind| Ordered::new(of_kind(kind), lookup);
        Self {
            access: ordered(PolicyType::Access),
            mask: ordered(PolicyType::DataMask),
            filter: ordered(PolicyType::RowFilter),
            service,
            conditions,
            ids,
            policies,
            lookup,
            audit: Vec::new(),
        }
    }

    /// The same with changes. Policies that did not change are shared.
    pub(crate) fn changed(&self, deltas: &[&PolicyDelta], (mode, zone): (Mode, &TimeZone), names: &mut Names) -> Self {
        let context = Context { service: &self.service, conditions: &self.conditions, mode, zone };
        let (mut ids, mut policies) = (self.ids.clone(), self.policies.clone());
        for delta in deltas {
            let Some(policy) = &delta.policy else { continue };
            if delta.change_type != Some(PolicyDelta::ADDED) {
                ids.retain(|id| *id != policy.id());
                policies.retain(|other| other.id != policy.id());
            }
            if delta.change_type != Some(PolicyDelta::DELETED) {
                ids.push(policy.id());
                policies.extend(Prepared::new(policy, &context, names).map(Arc::new));
            }
        }
        // Rules about auditing do not come with changes; they are prepared anew from the same settings by the caller.
        Self::with(Arc::clone(&self.service), Arc::clone(&self.conditions), ids, (policies, self.lookup))
    }

    /// Whether there is any policy, be it disabled.
    pub(crate) fn has_policies(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Whether there is an enabled policy of a type.
    pub(crate) fn has_any(&self, kind: PolicyType) -> bool {
        !self.ordered(kind).policies.is_empty()
    }

    /// All policies that are enabled.
    pub(crate) fn policies(&self) -> &[Arc<Prepared>] {
        &self.policies
    }

    fn ordered(&self, kind: PolicyType) -> &Ordered {
        match kind {
            PolicyType::Access => &self.access,
            PolicyType::DataMask => &self.mask,
            PolicyType::RowFilter => &self.filter,
        }
    }

    /// The first policy from a place on that never denies, and is one that Ranger would look at for the resource.
    pub(crate) fn end_of_search(
        &self,
        kind: PolicyType,
        target: Target<'_>,
        place: usize,
        at: Timestamp,
    ) -> Option<usize> {
        let mut rest = self.ordered(kind).policies.iter().enumerate().skip(place);
        rest.find(|(_, policy)| !policy.has_deny && is_reached(policy, target, at)).map(|(place, _)| place)
    }

    /// Whether Ranger would look at any of the policies after a place for the resource.
    pub(crate) fn reaches_after(&self, kind: PolicyType, target: Target<'_>, place: usize, at: Timestamp) -> bool {
        self.ordered(kind).policies.iter().skip(place + 1).any(|policy| is_reached(policy, target, at))
    }

    /// The policies that may match a resource, in the order of evaluation.
    pub(crate) fn candidates<'e>(&'e self, kind: PolicyType, target: Target<'_>, below: bool) -> Candidates<'e> {
        let ordered = self.ordered(kind);
        let places = match target.elements {
            None => Places::ByName(&[]),
            Some([]) if kind == PolicyType::Access => Places::All,
            Some([]) => Places::ByName(&ordered.by_name),
            Some(elements) => Places::Listed(ordered.places(elements, below)),
        };
        Candidates { ordered, places, next: 0, place: 0 }
    }

    /// The policies on a tag, in the order of evaluation: those that Ranger's tree leads to, each with whether it really
    /// matches. Ranger compares no further.
    pub(crate) fn on_tag<'e>(
        &'e self,
        kind: PolicyType,
        tag: Target<'_>,
        bindings: &dyn Bindings,
    ) -> impl Iterator<Item = (&'e Prepared, bool)> {
        let reached = move |policy: &&Prepared| policy.resources.iter().any(|set| set.is_reached(tag));
        let matches = move |set: &ResourceSet| set.match_type(tag, bindings).is_itself();
        let candidates = self.candidates(kind, tag, false).filter(reached);
        candidates.map(move |policy| (policy, policy.resources.iter().any(matches)))
    }

    /// Those of [`Self::candidates`] that can count for who asks, in the order of evaluation.
    pub(crate) fn relevant<'e>(&'e self, kind: PolicyType, target: Target<'_>, asker: &Asker) -> Relevant<'e> {
        let ordered = self.ordered(kind);
        let mut relevant = Relevant::new(&ordered.policies);
        let reach = Reach { below: asker.below, above: false };
        ordered.index.find(target.elements.unwrap_or_default(), reach, |mark, proved| {
            relevant.add(mark, proved.is_some(), asker);
        });
        relevant.sort();
        relevant
    }
}

fn is_reached(policy: &Prepared, target: Target<'_>, at: Timestamp) -> bool {
    policy.is_valid_at(at) && policy.resources.iter().any(|set| set.is_reached(target))
}

impl PolicyDelta {
    /// The policy is new.
    pub const ADDED: i32 = 0;
    /// The policy was changed.
    pub const CHANGED: i32 = 1;
    /// The policy is gone.
    pub const DELETED: i32 = 2;
}

impl Ordered {
    fn new(mut policies: Vec<Arc<Prepared>>, lookup: Lookup) -> Self {
        policies.sort_by(|a, b| {
            let key = |policy: &Prepared| (Reverse(policy.priority), !policy.has_deny, policy.order);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let mut by_name: Vec<u32> = (0_u32..).take(policies.len()).collect();
        by_name.sort_by_key(|at| {
            let policy = policies.get(*at as usize);
            policy.map(|policy| (Reverse(policy.priority), !policy.has_deny, policy.name.clone()))
        });
        let mut index = Builder::new(lookup);
        for (place, policy) in (0_u32..).zip(&policies) {
            let mark = Mark::new(policy, place);
            for resource in &policy.resources {
                index.insert(resource, mark);
            }
        }
        Self { policies, by_name, index: index.finish() }
    }

    fn places(&self, elements: &[TargetElement<'_>], below: bool) -> Short<u32, 16> {
        let mut places = Short::default();
        self.index.find(elements, Reach { below, above: false }, |mark, _| places.push(mark.place));
        places.sort_distinct_by_key(|place| *place);
        places
    }
}

/// Policies in the order of evaluation.
pub(crate) struct Candidates<'e> {
    ordered: &'e Ordered,
    places: Places<'e>,
    next: usize,
    /// Where the last one stands among all.
    pub(crate) place: usize,
}

enum Places<'e> {
    All,
    ByName(&'e [u32]),
    Listed(Short<u32, 16>),
}

impl<'e> Iterator for Candidates<'e> {
    type Item = &'e Prepared;

    fn next(&mut self) -> Option<&'e Prepared> {
        let place = match &self.places {
            Places::All => self.next,
            Places::ByName(places) => *places.get(self.next)? as usize,
            Places::Listed(places) => *places.get(self.next)? as usize,
        };
        self.next += 1;
        self.place = place;
        self.ordered.policies.get(place).map(|policy| &**policy)
    }
}
