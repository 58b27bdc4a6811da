//! Shares and the resources in them.

use crate::condition::{Condition, Verdict, all_hold, plain_match};
use crate::evaluate::{Run, elements_of};
use crate::facts::Facts;
use crate::matcher::ElementMatcher;
use crate::model::{DataMaskInfo, DataShare, PolicyResource, PolicyType, SharedResource};
use crate::resource::{MatchType, ResourceSet, Target};
use crate::service::Service;

/// A share.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) name: String,
    pub(crate) zone: String,
    condition: Option<Condition>,
}

impl Share {
    pub(crate) fn new(share: &DataShare) -> Self {
        Self {
            name: share.name.clone(),
            zone: share.zone_name.trim().to_owned(),
            condition: Condition::script(share.condition_expr.as_deref()),
        }
    }

    /// Whether its condition holds; what can't be decided does not.
    pub(crate) fn counts(&self, facts: &Facts<'_>) -> bool {
        holds(self.condition.as_ref(), facts)
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.condition.is_some()
    }
}

fn holds(condition: Option<&Condition>, facts: &Facts<'_>) -> bool {
    condition.is_none_or(|condition| all_hold(std::slice::from_ref(condition), facts).0 == Verdict::Holds)
}

/// A resource in a share.
#[derive(Debug)]
pub(crate) struct SharedThing {
    pub(crate) id: i64,
    pub(crate) share: i64,
    name: Option<String>,
    level_count: usize,
    condition: Option<Condition>,
    /// With the part of it that is shared.
    set: ResourceSet,
    /// Without; for filters, which are about the whole. Absent where filters do not have these levels.
    whole: Option<ResourceSet>,
    /// Whether masks have these levels.
    is_maskable: bool,
    pub(crate) accesses: Vec<String>,
    masks: Vec<(ElementMatcher, DataMaskInfo)>,
    filter: Option<String>,
}

impl SharedThing {
    pub(crate) fn new(resource: &SharedResource, share: &DataShare, service: &Service) -> Self {
        let mut levels_of = resource.resource.clone();
        let part = resource.sub_resource.as_ref().filter(|part| !part.values.is_empty());
        if let Some(part) = part.filter(|_| !resource.sub_resource_type.trim().is_empty()) {
            levels_of.insert(resource.sub_resource_type.clone(), part.clone());
        }
        let access = service.levels(PolicyType::Access);
        let has = |kind, names: &mut dyn ExactSizeIterator<Item = &str>| service.levels(kind).chain(names).is_some();
        let is_maskable = has(PolicyType::DataMask, &mut levels_of.keys().map(String::as_str));
        let is_filterable = has(PolicyType::RowFilter, &mut resource.resource.keys().map(String::as_str));
        let mask_levels = service.levels(PolicyType::DataMask);
        let mask_level = mask_levels.find(&resource.sub_resource_type).and_then(|id| mask_levels.get(id));
        let mask = |mask: &crate::model::ShareMask| {
            let values = PolicyResource { values: mask.values.clone(), ..PolicyResource::default() };
            mask_level.map(|level| (ElementMatcher::new(&level.options, &values), mask.mask_info.clone()))
        };
        let accesses = resource.access_types.as_ref().unwrap_or(&share.default_access_types);
        let filter = resource.row_filter.as_ref().and_then(|filter| filter.filter_expr.clone());
        Self {
            id: resource.id,
            share: resource.data_share_id,
            name: resource.name.clone(),
            level_count: resource.resource.len(),
            condition: Condition::script(resource.condition_expr.as_deref()),
            set: ResourceSet::new(access, &levels_of),
            whole: is_filterable.then(|| ResourceSet::new(access, &resource.resource)),
            is_maskable,
            accesses: super::expanded(accesses, service),
            masks: if is_maskable { resource.sub_resource_masks.iter().filter_map(mask).collect() } else { Vec::new() },
            filter: filter.filter(|filter| !filter.trim().is_empty()),
        }
    }

    /// In which order resources are looked at.
    pub(crate) fn order(&self) -> (Option<&str>, usize, i64) {
        (self.name.as_deref(), self.level_count, self.id)
    }

    /// Whether a request is about it.
    pub(crate) fn is_allowed(&self, run: &Run<'_, '_>, kind: PolicyType) -> bool {
        let facts = &run.facts;
        let set = match kind {
            PolicyType::Access => Some(&self.set),
            PolicyType::DataMask => self.is_maskable.then_some(&self.set),
            PolicyType::RowFilter => self.whole.as_ref(),
        };
        let Some(set) = set else { return false };
        let for_access = match super::wants(run.wanted, facts) {
            None => !self.accesses.is_empty(),
            Some(access) => self.accesses.iter().any(|other| other == access),
        };
        if !for_access || !holds(self.condition.as_ref(), facts) {
            return false;
        }
        match self.match_type(set, run) {
            MatchType::Itself | MatchType::ItselfAndBelow => true,
            MatchType::Below => facts.request.reaches_below(),
            MatchType::Above | MatchType::None => false,
        }
    }

    fn match_type(&self, set: &ResourceSet, run: &Run<'_, '_>) -> MatchType {
        let levels = run.engine.service.levels(PolicyType::Access);
        let elements = elements_of(levels, run.facts.request);
        set.match_type(Target { elements: elements.as_deref() }, &run.facts)
    }

    /// Whether a resource is among what is shared, whatever the access.
    pub(crate) fn covers(&self, run: &Run<'_, '_>) -> bool {
        holds(self.condition.as_ref(), &run.facts) && self.match_type(&self.set, run).is_itself()
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.condition.is_some()
    }

    /// The mask of a part.
    pub(crate) fn mask(&self, part: &str) -> Option<&DataMaskInfo> {
        self.masks.iter().find(|(matcher, _)| plain_match(matcher, part)).map(|(_, info)| info)
    }

    /// The rows that are shared; nothing, if all are.
    pub(crate) fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}
