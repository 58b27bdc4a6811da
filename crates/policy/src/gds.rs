//! Governed data sharing: resources in shares, shares in datasets, datasets in projects; who may use a dataset or a
//! project may use what is in it.
//!
//! ```text
//! resource ─► share ──(agreed, valid)─► dataset ──(agreed, valid)─► project
//!                                          │ policies                  │ policies
//!                                          └──────────────┬────────────┘
//!                                     allowed by any; masks and filters of what is allowed
//! ```

mod acl;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::decision::Mask;
use crate::engine::Mode;
use crate::evaluate::{Run, elements_of};
use crate::explain::Silent;
use crate::facts::Facts;
use crate::model::{AccessTypeDef, Policy, PolicyType, ResourceDef, ServiceDef, ServiceGdsInfo, ShareStatus};
use crate::names::Names;
use crate::policy::{Context, Prepared};
use crate::resource::MatchType;
use crate::service::Service;
use crate::validity::{Schedule, ValiditySchedule};
use crate::verdict::Question;
use crate::wanted::{PerAccess, Wanted};
use share::{Share, SharedThing};

pub use acl::{Parts, Principals};

/// What is shared of a service, prepared.
#[derive(Debug)]
pub(crate) struct Gds {
    shares: BTreeMap<i64, Share>,
    resources: Vec<SharedThing>,
    datasets: BTreeMap<i64, Party>,
    projects: BTreeMap<i64, Party>,
    in_datasets: Vec<Membership>,
    in_projects: Vec<Membership>,
}

/// A dataset or project.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) name: String,
    schedule: Option<Schedule>,
    pub(crate) policies: Vec<Prepared>,
}

/// That a share is in a dataset, or a dataset in a project.
#[derive(Debug)]
struct Membership {
    inner: i64,
    outer: i64,
    schedule: Option<Schedule>,
}

/// What shares give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared<'e> {
    /// Whether access is allowed.
    pub is_allowed: bool,
    /// Whether it is to be audited.
    pub is_audited: bool,
    /// The policy that allows it, or -1.
    pub policy_id: i64,
    /// Its version.
    pub policy_version: Option<i64>,
    /// The mask.
    pub mask: Option<Mask<'e>>,
    /// The filters; `None` in Ranger's words is that nothing is filtered.
    pub filters: Vec<&'e str>,
    /// The datasets that have the resource.
    pub datasets: BTreeSet<String>,
    /// Their projects.
    pub projects: BTreeSet<String>,
    /// The datasets that allow it.
    pub allowed_by_datasets: BTreeSet<String>,
    /// The projects that allow it.
    pub allowed_by_projects: BTreeSet<String>,
}

impl Party {
    fn new(
        name: &str,
        schedule: Option<&ValiditySchedule>,
        policies: &[Policy],
        context: &Context<'_>,
        names: &mut Names,
    ) -> Self {
        Self {
            name: name.to_owned(),
            schedule: schedule.map(|schedule| Schedule::in_server_zone(schedule, context.zone)),
            policies: policies.iter().filter_map(|policy| Prepared::new(policy, context, names)).collect(),
        }
    }

    pub(crate) fn is_active(&self, at: jiff::Timestamp) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.is_applicable(at))
    }
}

impl Membership {
    fn new(
        (inner, outer): (i64, i64),
        status: ShareStatus,
        schedule: Option<&ValiditySchedule>,
        zone: &TimeZone,
    ) -> Option<Self> {
        (status == ShareStatus::Active).then(|| Self {
            inner,
            outer,
            schedule: schedule.map(|schedule| Schedule::in_server_zone(schedule, zone)),
        })
    }

    fn is_active(&self, at: jiff::Timestamp) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.is_applicable(at))
    }
}

/// The definition that policies of datasets and projects follow, where none is given.
pub(crate) fn default_definition() -> ServiceDef {
    let level = |name: &str| ResourceDef {
        name: name.to_owned(),
        level: 1,
        matcher_options: [("wildCard", "false"), ("ignoreCase", "false")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect(),
        ..ResourceDef::default()
    };
    let access = |name: &str| AccessTypeDef { name: name.to_owned(), ..AccessTypeDef::default() };
    let condition = |name: &str, evaluator: &str| crate::model::ConditionDef {
        name: name.to_owned(),
        evaluator: evaluator.to_owned(),
        ..crate::model::ConditionDef::default()
    };
    ServiceDef {
        name: "gds".to_owned(),
        resources: vec![level("dataset-id"), level("project-id")],
        access_types: ["_CREATE", "_READ", "_UPDATE", "_DELETE", "_MANAGE", "_ALL"].map(access).into(),
        policy_conditions: vec![
            condition("expression", "RangerScriptConditionEvaluator"),
            condition("validitySchedule", "RangerValidityScheduleConditionEvaluator"),
        ],
        ..ServiceDef::default()
    }
}

/// The definition with what its markers imply in the service, and the service's own kinds of access.
fn definition_for(gds: Option<&ServiceDef>, service: &ServiceDef) -> ServiceDef {
    let mut def = gds.cloned().unwrap_or_else(default_definition);
    let markers = crate::service::marker_access_types(service);
    for access in &mut def.access_types {
        if let Some(marker) = markers.iter().find(|marker| marker.name == access.name) {
            access.implied_grants.extend(marker.implied_grants.iter().cloned());
        }
    }
    def.access_types.extend(service.access_types.iter().cloned());
    def
}

impl Gds {
    pub(crate) fn new(
        info: &ServiceGdsInfo,
        service_def: &ServiceDef,
        service: &Service,
        (mode, zone): (Mode, &TimeZone),
        names: &mut Names,
    ) -> Self {
        let def = definition_for(info.gds_service_def.as_ref(), service_def);
        let gds_service = Service::new(&def);
        let context = Context { service: &gds_service, conditions: &def.policy_conditions, mode, zone };
        let mut datasets = BTreeMap::new();
        for dataset in &info.datasets {
            let schedule = dataset.validity_schedule.as_ref();
            datasets.insert(dataset.id, Party::new(&dataset.name, schedule, &dataset.policies, &context, names));
        }
        let mut projects = BTreeMap::new();
        for project in &info.projects {
            let schedule = project.validity_schedule.as_ref();
            projects.insert(project.id, Party::new(&project.name, schedule, &project.policies, &context, names));
        }
        let mut gds = Self {
            shares: info.data_shares.iter().map(|share| (share.id, Share::new(share))).collect(),
            resources: Vec::new(),
            in_datasets: info
                .dshids
                .iter()
                .filter_map(|m| {
                    Membership::new((m.data_share_id, m.dataset_id), m.status, m.validity_schedule.as_ref(), zone)
                })
                .filter(|member| datasets.contains_key(&member.outer))
                .collect(),
            in_projects: info
                .dips
                .iter()
                .filter_map(|m| {
                    Membership::new((m.dataset_id, m.project_id), m.status, m.validity_schedule.as_ref(), zone)
                })
                .filter(|member| datasets.contains_key(&member.inner) && projects.contains_key(&member.outer))
                .collect(),
            datasets,
            projects,
        };
        // Shares that are in no dataset give nothing.
        let used: BTreeSet<i64> = gds.in_datasets.iter().map(|member| member.inner).collect();
        gds.shares.retain(|id, _| used.contains(id));
        for resource in &info.resources {
            if let Some(share) = info.data_shares.iter().find(|share| share.id == resource.data_share_id)
                && gds.shares.contains_key(&share.id)
            {
                gds.resources.push(SharedThing::new(resource, share, service));
            }
        }
        gds.resources.sort_by(|a, b| a.order().cmp(&b.order()));
        gds
    }

    /// What shares give for a request, or nothing if no dataset has the resource.
    pub(crate) fn evaluate<'e>(&'e self, run: &Run<'e, '_>, zones: &[&str]) -> Option<Shared<'e>> {
        if self.datasets.is_empty() {
            return None;
        }
        let mut shared = Shared { policy_id: -1, ..Shared::default() };
        self.evaluate_type(run, zones, PolicyType::Access, &mut shared);
        if shared.is_allowed {
            self.evaluate_type(run, zones, PolicyType::DataMask, &mut shared);
            self.evaluate_type(run, zones, PolicyType::RowFilter, &mut shared);
        }
        (!shared.datasets.is_empty()).then_some(shared)
    }

    fn evaluate_type<'e>(&'e self, run: &Run<'e, '_>, zones: &[&str], kind: PolicyType, shared: &mut Shared<'e>) {
        let facts = &run.facts;
        let at = facts.request.at;
        let by_share = self.shared_resources(run, zones, kind);
        // Datasets, by name, with the shares that bring the resource.
        let mut datasets: BTreeMap<(&str, i64), Vec<i64>> = BTreeMap::new();
        for share_id in self.shares_in_order(by_share.keys().copied()) {
            if !self.shares.get(&share_id).is_some_and(|share| share.counts(facts)) {
                continue;
            }
            for member in self.in_datasets.iter().filter(|member| member.inner == share_id && member.is_active(at)) {
                if let Some(dataset) = self.datasets.get(&member.outer).filter(|dataset| dataset.is_active(at)) {
                    datasets.entry((&dataset.name, member.outer)).or_default().push(share_id);
                }
            }
        }
        let mut projects: BTreeSet<(&str, i64)> = BTreeSet::new();
        for (name, id) in datasets.keys() {
            let Some(dataset) = self.datasets.get(id) else { continue };
            shared.datasets.insert((*name).to_owned());
            if self.party_allows(dataset, run, shared) {
                shared.allowed_by_datasets.insert((*name).to_owned());
            }
            for member in self.in_projects.iter().filter(|member| member.inner == *id && member.is_active(at)) {
                if let Some(project) = self.projects.get(&member.outer).filter(|project| project.is_active(at)) {
                    projects.insert((&project.name, member.outer));
                }
            }
        }
        for (name, id) in projects {
            let Some(project) = self.projects.get(&id) else { continue };
            shared.projects.insert(name.to_owned());
            if self.party_allows(project, run, shared) {
                shared.allowed_by_projects.insert(name.to_owned());
            }
        }
        if kind == PolicyType::Access || !shared.is_allowed {
            return;
        }
        datasets.retain(|(name, id), _| {
            shared.allowed_by_datasets.contains(*name) || self.is_in_some(*id, &shared.allowed_by_projects, at)
        });
        let things = datasets.into_values().flatten().map(|share| by_share.get(&share).cloned().unwrap_or_default());
        let things: Vec<Vec<&'e SharedThing>> = things.collect();
        if kind == PolicyType::DataMask {
            shared.mask = mask_of(&things, run);
        } else {
            shared.filters = filters_of(&things);
        }
    }

    fn is_in_some(&self, dataset: i64, projects: &BTreeSet<String>, at: jiff::Timestamp) -> bool {
        self.in_projects.iter().any(|member| {
            let name = self.projects.get(&member.outer).map(|project| &project.name);
            member.inner == dataset && member.is_active(at) && name.is_some_and(|name| projects.contains(name))
        })
    }

    fn shares_in_order(&self, ids: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_by_key(|id| (self.shares.get(id).map(|share| share.name.as_str()).unwrap_or_default(), *id));
        ids
    }

    /// The shared resources that match, by share.
    pub(crate) fn shared_resources<'e>(
        &'e self,
        run: &Run<'e, '_>,
        zones: &[&str],
        kind: PolicyType,
    ) -> BTreeMap<i64, Vec<&'e SharedThing>> {
        let is_ambiguous = zones.len() > 1 && !run.facts.request.is_any();
        let in_zone =
            |zone: &str| !is_ambiguous && if zones.is_empty() { zone.is_empty() } else { zones.contains(&zone) };
        let mut found: BTreeMap<i64, Vec<&SharedThing>> = BTreeMap::new();
        for thing in &self.resources {
            let zone_matches = self.shares.get(&thing.share).is_some_and(|share| in_zone(&share.zone));
            if zone_matches && thing.is_allowed(run, kind) {
                found.entry(thing.share).or_default().push(thing);
            }
        }
        found
    }

    /// Whether the policies of a dataset or project allow the access; notes the first that does.
    fn party_allows<'e>(&'e self, party: &'e Party, run: &Run<'e, '_>, shared: &mut Shared<'e>) -> bool {
        let question =
            Question { facts: &run.facts, caller: run.caller, wanted: run.wanted, mode: run.engine.options.mode };
        let mut results = PerAccess::new(run.wanted.list().len());
        let (mut allowed, mut audited) = (None, false);
        for policy in &party.policies {
            let (holds, doubtful) = question.conditions(policy, &mut Silent, &mut None);
            if !holds {
                continue;
            }
            audited |= policy.audited;
            if question.passes_gate(policy) {
                let (found, _) = question.items(policy, doubtful, MatchType::Itself, &mut results, &mut Silent);
                allowed = found.or(allowed);
            }
        }
        let allowed = allowed.filter(|found| found.allowed);
        if let Some(found) = allowed
            && !shared.is_allowed
        {
            shared.is_allowed = true;
            shared.policy_id = found.policy.map_or(-1, |policy| policy.id);
            shared.policy_version = found.policy.and_then(|policy| policy.version);
        }
        shared.is_audited |= audited;
        allowed.is_some()
    }
}

/// The first mask, unless something is shared without one.
fn mask_of<'e>(things: &[Vec<&'e SharedThing>], run: &Run<'e, '_>) -> Option<Mask<'e>> {
    let elements = elements_of(run.engine.service.levels(PolicyType::Access), run.facts.request);
    let deepest = elements.as_deref().unwrap_or_default().last();
    let leaf = deepest.and_then(|element| element.values.iter().next()).unwrap_or_default();
    let mut first = None;
    for thing in things.iter().flatten() {
        let mask = thing.mask(leaf)?;
        first = first.or(Some(mask));
    }
    first.map(|info| Mask {
        kind: info.data_mask_type.as_deref(),
        condition: info.condition_expr.as_deref(),
        value: info.value_expr.as_deref().map(std::borrow::Cow::Borrowed),
    })
}

/// All filters, unless something is shared without one.
fn filters_of<'e>(things: &[Vec<&'e SharedThing>]) -> Vec<&'e str> {
    let mut filters = Vec::new();
    for thing in things.iter().flatten() {
        match thing.filter() {
            Some(filter) if filters.contains(&filter) => {}
            Some(filter) => filters.push(filter),
            None => return Vec::new(),
        }
    }
    filters
}

/// For which kinds of access something is shared, with what they imply.
pub(crate) fn expanded(accesses: &[String], service: &Service) -> Vec<String> {
    let mut all: Vec<String> = accesses.to_vec();
    all.extend(accesses.iter().flat_map(|access| service.implied_by(access)).map(str::to_owned));
    all
}

/// What a request needs besides itself to be looked at by shares.
pub(crate) fn wants<'c>(wanted: &'c Wanted<'c>, facts: &Facts<'_>) -> Option<&'c str> {
    (!facts.request.is_any()).then_some(wanted.own.text)
}
