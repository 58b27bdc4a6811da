//! Policies of one kind of place: a service outside of zones, a zone, or tags. In order, and found by resource.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::audit::AuditRule;
use crate::engine::Mode;
use crate::index::{Index, Reach};
use crate::model::{ConditionDef, Policy, PolicyDelta, PolicyType};
use crate::names::Names;
use crate::policy::{Context, Prepared};
use crate::resource::{ResourceSet, Target, TargetElement};
use crate::service::Service;

/// Prepared policies with what finds them.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) service: Arc<Service>,
    pub(crate) conditions: Arc<[ConditionDef]>,
    /// The numbers of all policies, those that are disabled included.
    ids: Vec<i64>,
    policies: Vec<Arc<Prepared>>,
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
    /// The bits of whom each of them names.
    whom: Vec<u64>,
    index: Index,
}

impl Repository {
    pub(crate) fn new(
        service: Arc<Service>,
        conditions: Arc<[ConditionDef]>,
        policies: &[Policy],
        (mode, zone): (Mode, &TimeZone),
        names: &mut Names,
    ) -> Self {
        let context = Context { service: &service, conditions: &conditions, mode, zone };
        let prepared = policies.iter().filter_map(|policy| Prepared::new(policy, &context, names)).map(Arc::new);
        let prepared: Vec<_> = prepared.collect();
        let ids = policies.iter().map(Policy::id).collect();
        Self::with(service, conditions, ids, prepared, Vec::new())
    }

    fn with(
        service: Arc<Service>,
        conditions: Arc<[ConditionDef]>,
        ids: Vec<i64>,
        policies: Vec<Arc<Prepared>>,
        audit: Vec<AuditRule>,
    ) -> Self {
        let ordered = |kind| Ordered::new(policies.iter().filter(|policy| policy.kind == kind).cloned().collect());
        Self {
            access: ordered(PolicyType::Access),
            mask: ordered(PolicyType::DataMask),
            filter: ordered(PolicyType::RowFilter),
            service,
            conditions,
            ids,
            policies,
            audit,
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
        Self::with(Arc::clone(&self.service), Arc::clone(&self.conditions), ids, policies, Vec::new())
    }

    /// Whether there is any policy, be it disabled.
    pub(crate) fn has_policies(&self) -> bool {
        !self.ids.is_empty()
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

    /// Where among the policies the first stands that outranks a priority, never denies, and is one that Ranger would
    /// look at for the resource.
    pub(crate) fn first_reached(
        &self,
        kind: PolicyType,
        target: Target<'_>,
        priority: i32,
        at: Timestamp,
    ) -> Option<usize> {
        let mut higher = self.ordered(kind).policies.iter().take_while(|policy| policy.priority > priority);
        higher.position(|policy| {
            let is_reached = |set: &ResourceSet| set.is_reached(target);
            !policy.has_deny && policy.is_valid_at(at) && policy.resources.iter().any(is_reached)
        })
    }

    /// The policies that may match a resource, in the order of evaluation.
    pub(crate) fn candidates<'e>(&'e self, kind: PolicyType, target: Target<'_>, below: bool) -> Candidates<'e> {
        let ordered = self.ordered(kind);
        let places = match target.elements {
            None => Places::default(),
            Some([]) if kind == PolicyType::Access => Places::All { next: 0 },
            Some([]) => Places::Listed { places: ordered.by_name.clone(), next: 0 },
            Some(elements) => ordered.places(elements, below),
        };
        Candidates { ordered, places, place: 0 }
    }
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
    fn new(mut policies: Vec<Arc<Prepared>>) -> Self {
        policies.sort_by(|a, b| {
            let key = |policy: &Prepared| (Reverse(policy.priority), !policy.has_deny, policy.order);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let mut by_name: Vec<u32> = (0_u32..).take(policies.len()).collect();
        by_name.sort_by_key(|at| {
            let policy = policies.get(*at as usize);
            policy.map(|policy| (Reverse(policy.priority), !policy.has_deny, policy.name.clone()))
        });
        let mut index = Index::default();
        for (place, policy) in (0_u32..).zip(&policies) {
            for resource in &policy.resources {
                index.insert(resource, place);
            }
        }
        let whom = policies.iter().map(|policy| policy.gate.who.bits()).collect();
        Self { policies, by_name, whom, index }
    }

    fn places(&self, elements: &[TargetElement<'_>], below: bool) -> Places {
        let mut places = Vec::with_capacity(8);
        self.index.find(elements, Reach { below, above: false }, &mut places);
        places.sort_unstable();
        places.dedup();
        Places::Listed { places, next: 0 }
    }
}

/// Policies in the order of evaluation.
pub(crate) struct Candidates<'e> {
    ordered: &'e Ordered,
    places: Places,
    /// Where the last one stands among all.
    pub(crate) place: usize,
}

enum Places {
    All { next: usize },
    Listed { places: Vec<u32>, next: usize },
}

impl Default for Places {
    fn default() -> Self {
        Self::Listed { places: Vec::new(), next: 0 }
    }
}

impl<'e> Candidates<'e> {
    fn advance(&mut self) -> Option<usize> {
        let place = match &mut self.places {
            Places::All { next } => {
                *next += 1;
                *next - 1
            }
            Places::Listed { places, next } => {
                let place = *places.get(*next)? as usize;
                *next += 1;
                place
            }
        };
        self.place = place;
        Some(place)
    }

    /// The next one that may name somebody with these bits. The others are not even touched.
    pub(crate) fn next_for(&mut self, bits: u64) -> Option<&'e Prepared> {
        loop {
            let place = self.advance()?;
            if *self.ordered.whom.get(place)? & bits != 0 {
                return self.ordered.policies.get(place).map(|policy| &**policy);
            }
        }
    }
}

impl<'e> Iterator for Candidates<'e> {
    type Item = &'e Prepared;

    fn next(&mut self) -> Option<&'e Prepared> {
        let place = self.advance()?;
        self.ordered.policies.get(place).map(|policy| &**policy)
    }
}
