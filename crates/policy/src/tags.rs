//! The tags of resources: found by resource, inherited downwards.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::facts::FoundTag;
use crate::index::{Builder, Index, Reach};
use crate::matcher::Bindings;
use crate::model::{PolicyType, ServiceTags, Tag};
use crate::request::{Request, TagData};
use crate::resource::{MatchType, ResourceSet, Target};
use crate::service::Service;
use crate::short::Short;
use crate::validity::{Schedule, ValiditySchedule};

/// The option of a tag that holds validity periods.
const VALIDITY_OPTION: &str = "TAG_VALIDITY_PERIODS";

/// The tags of a service's resources.
#[derive(Debug)]
pub(crate) struct TagStore {
    tags: Vec<TagData>,
    resources: Vec<TaggedResource>,
    index: Index<u32>,
}

#[derive(Debug)]
struct TaggedResource {
    set: ResourceSet,
    tags: Box<[usize]>,
}

impl TagData {
    /// A tag as Ranger writes it; `zone` is the one in which its schedules recur.
    pub fn new(tag: &Tag, zone: &TimeZone) -> Self {
        let option = tag.options.get(VALIDITY_OPTION).map(|text| text.as_str());
        let from_option: Vec<ValiditySchedule> =
            option.and_then(|text| crate::json::read(text).ok()).unwrap_or_default();
        let validity = tag.validity_periods.iter().chain(&from_option);
        let validity = validity.map(|schedule| Schedule::in_server_zone(schedule, zone)).collect();
        Self { kind: tag.kind.clone(), attributes: tag.attributes.clone(), validity }
    }
}

impl TagStore {
    pub(crate) fn new(tags: &ServiceTags, service: &Service, zone: &TimeZone) -> Self {
        let mut numbers: BTreeMap<i64, usize> = BTreeMap::new();
        let mut data = Vec::new();
        for (id, tag) in &tags.tags {
            if let Ok(id) = id.parse() {
                numbers.insert(id, data.len());
                data.push(TagData::new(tag, zone));
            }
        }
        let mut store = Self { tags: data, resources: Vec::new(), index: Index::default() };
        let mut index = Builder::default();
        for resource in &tags.service_resources {
            let ids = resource.id.and_then(|id| tags.resource_to_tag_ids.get(&id.to_string()));
            let places: Box<[usize]> = ids.into_iter().flatten().filter_map(|id| numbers.get(id).copied()).collect();
            // The first type of policy that has these levels.
            let names = || resource.resource_elements.keys().map(String::as_str);
            let levels = PolicyType::ALL.iter().map(|kind| service.levels(*kind));
            let Some(levels) = levels.into_iter().find(|levels| levels.chain(names()).is_some()) else { continue };
            let set = ResourceSet::new(levels, &resource.resource_elements);
            index.insert(&set, u32::try_from(store.resources.len()).unwrap_or(u32::MAX));
            store.resources.push(TaggedResource { set, tags: places });
        }
        store.index = index.finish();
        store
    }

    /// The tags of a requested resource, each once.
    pub(crate) fn find<'e>(
        &'e self,
        request: &Request<'_>,
        target: Target<'_>,
        bindings: &dyn Bindings,
        found: &mut Vec<FoundTag<'e>>,
    ) {
        let mut pairs: Vec<(usize, MatchType)> = Vec::new();
        match target.elements {
            Some([]) if request.is_any() => {
                pairs.extend((0..self.tags.len()).map(|tag| (tag, MatchType::Below)));
            }
            Some(elements) => {
                let mut places: Short<(u32, Option<MatchType>), 8> = Short::default();
                let reach = Reach { below: request.reaches_below(), above: true };
                self.index.find(elements, reach, |place, proved| places.push((*place, proved)));
                for (place, proved) in &*places {
                    let Some(resource) = self.resources.get(*place as usize) else { continue };
                    let match_type = proved.unwrap_or_else(|| resource.set.match_type(target, bindings));
                    let counts = match match_type {
                        MatchType::Itself | MatchType::ItselfAndBelow | MatchType::Above => true,
                        MatchType::Below => request.reaches_below(),
                        MatchType::None => false,
                    };
                    if counts {
                        pairs.extend(resource.tags.iter().map(|tag| (*tag, match_type)));
                    }
                }
            }
            None => {}
        }
        pairs.sort_unstable();
        pairs.dedup();
        let tag =
            |(place, match_type): (usize, MatchType)| self.tags.get(place).map(|data| FoundTag { data, match_type });
        found.extend(pairs.into_iter().filter_map(tag));
    }
}
