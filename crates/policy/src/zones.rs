//! Security zones: to which of them a resource belongs.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{Builder, Index, Reach};
use crate::matcher::Unbound;
use crate::model::{PolicyType, SecurityZone};
use crate::names::{hash_set_order_from, string_hash};
use crate::resource::{MatchType, ResourceSet, Target};
use crate::service::Service;

/// Finds the zones of resources.
#[derive(Debug, Default)]
pub(crate) struct ZoneMatcher {
    resources: Vec<(ResourceSet, Box<str>)>,
    index: Index<u32>,
    with_tags: BTreeSet<Box<str>>,
}

impl ZoneMatcher {
    pub(crate) fn new(zones: &BTreeMap<String, SecurityZone>, service: &Service) -> Self {
        let levels = service.levels(PolicyType::Access);
        let recursive =
            |name: &str| levels.find(name).and_then(|id| levels.get(id)).is_some_and(|level| level.recursive);
        let (mut matcher, mut index) = (Self::default(), Builder::default());
        for (name, zone) in zones {
            for resources in zone.policy_resources(recursive) {
                let set = ResourceSet::new(levels, &resources);
                index.insert(&set, u32::try_from(matcher.resources.len()).unwrap_or(u32::MAX));
                matcher.resources.push((set, name.as_str().into()));
            }
            if zone.contains_associated_tag_service {
                matcher.with_tags.insert(name.as_str().into());
            }
        }
        matcher.index = index.finish();
        matcher
    }

    /// Whether a zone has tag policies of its own, so that others do not count in it.
    pub(crate) fn has_tag_policies(&self, zone: &str) -> bool {
        self.with_tags.contains(zone)
    }

    /// The zones that a resource, or a part of it, belongs to, in the order in which Ranger asks them. The empty name is
    /// what is outside of zones.
    pub(crate) fn zones(&self, target: Target<'_>) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let Some(elements) = target.elements else { return found };
        if self.resources.is_empty() || elements.is_empty() {
            return found;
        }
        self.index.find(elements, Reach { below: true, above: true }, |place, proved| {
            let Some((set, name)) = self.resources.get(*place as usize) else { return };
            match proved.unwrap_or_else(|| set.match_type(target, &Unbound)) {
                MatchType::None => return,
                MatchType::Below => found.push(""),
                MatchType::Itself | MatchType::ItselfAndBelow | MatchType::Above => {}
            }
            found.push(&**name);
        });
        found.sort_unstable();
        found.dedup();
        if found.len() > 1 {
            let reached = self.resources.iter().filter(|(set, _)| set.is_reached(target)).count();
            let hashes: Vec<i32> = found.iter().map(|name| string_hash(name)).collect();
            let order = hash_set_order_from(&hashes, reached);
            return order.into_iter().filter_map(|at| found.get(at).copied()).collect();
        }
        found
    }
}
