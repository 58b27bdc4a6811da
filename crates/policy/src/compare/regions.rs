//! The resources that policies tell apart, and the tags: one example for each combination of values.

use std::collections::{BTreeMap, BTreeSet};

use super::{Side, sets};
use crate::matcher::{ElementMatcher, ElementScope, LevelOptions, Unbound, Values, told_apart};
use crate::model::{Policy, PolicyResource, PolicyType};
use crate::service::Levels;

/// Resources that all policies treat alike.
pub(super) struct Region<'p> {
    /// The resource as policies write it.
    pub(super) resource: Vec<(String, String)>,
    pub(super) example: Vec<(String, String)>,
    /// The policies that match it, each with its side.
    pub(super) policies: Vec<(usize, &'p Policy)>,
}

/// A resource of a policy, a zone or a tag.
#[derive(Clone)]
struct Set<'p> {
    side: usize,
    /// Absent for zones and tags.
    policy: Option<&'p Policy>,
    levels: BTreeMap<String, PolicyResource>,
    /// Whether it matches so far, and is not only reached by how its values begin.
    matches: bool,
}

/// Visits the regions where a changed policy can matter, or all.
pub(super) struct Regions<'p> {
    sides: &'p [Side<'p>; 2],
    kind: PolicyType,
    changed: Option<&'p [&'p Policy]>,
    /// Limits that were reached.
    pub(super) limits: Vec<String>,
}

impl<'p> Regions<'p> {
    pub(super) fn new(sides: &'p [Side<'p>; 2], kind: PolicyType, changed: Option<&'p [&'p Policy]>) -> Self {
        Self { sides, kind, changed, limits: Vec::new() }
    }

    fn levels(&self, side: usize) -> Option<&'p Levels> {
        self.sides.get(side).map(|side| side.engine.service.levels(self.kind))
    }

    pub(super) fn each(&mut self, visit: &mut impl FnMut(&Region<'p>)) {
        let mut all = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            let policies = side.policies.iter().filter(|policy| policy.kind() == Some(self.kind));
            let set = |policy, levels: &BTreeMap<String, PolicyResource>| Set {
                side: at,
                policy,
                levels: levels.clone(),
                matches: true,
            };
            all.extend(policies.flat_map(|policy| sets(policy).map(move |levels| set(Some(*policy), levels))));
            let levels = side.engine.service.levels(PolicyType::Access);
            let recursive =
                |name: &str| levels.find(name).and_then(|id| levels.get(id)).is_some_and(|level| level.recursive);
            let zones = side.sources.policies.security_zones.values();
            all.extend(zones.flat_map(|zone| zone.policy_resources(recursive)).map(|levels| set(None, &levels)));
            let tagged = side.sources.tags.iter().flat_map(|tags| &tags.service_resources);
            all.extend(tagged.map(|resource| set(None, &resource.resource_elements)));
        }
        self.below(&[], &[], None, all, visit);
    }

    /// Whether a set is that of a policy that changed.
    fn is_changed(&self, set: &Set<'p>) -> bool {
        let is_own =
            |policy: &Policy| self.changed.is_none_or(|all| all.iter().any(|other| std::ptr::eq(*other, policy)));
        set.policy.is_some_and(is_own)
    }

    /// The levels below one: those that alive sets have, or all.
    fn next_levels(&self, parent: Option<&str>, alive: &[Set<'p>]) -> BTreeSet<&'p str> {
        let mut next: BTreeSet<&'p str> = BTreeSet::new();
        for side in 0..2 {
            let Some(levels) = self.levels(side) else { continue };
            let name_of = |id| levels.get(id).map(|level: &'p crate::service::Level| &*level.name);
            let children =
                levels.iter().filter(|level| level.parent.and_then(name_of) == parent).map(|level| &*level.name);
            let wanted =
                |level: &&str| self.changed.is_none() || alive.iter().any(|set| set.levels.contains_key(*level));
            next.extend(children.filter(wanted));
        }
        next
    }

    fn below(
        &mut self,
        resource: &[(String, String)],
        example: &[(String, String)],
        parent: Option<&str>,
        alive: Vec<Set<'p>>,
        visit: &mut impl FnMut(&Region<'p>),
    ) {
        for level in self.next_levels(parent, &alive) {
            let Some(parts) = self.parts(level, &alive) else {
                self.limits.push(format!("the values of `{level}` are too many, or too long, to be told apart"));
                continue;
            };
            let matchers: Vec<Option<ElementMatcher>> = alive.iter().map(|set| self.matcher(set, level)).collect();
            for (at, one) in parts.examples.iter().enumerate() {
                let value = Values::One(one);
                // How a set goes on: matching, or only reached.
                let goes_on = |set: &Set<'p>, matcher: &Option<ElementMatcher>| match matcher {
                    Some(matcher) => {
                        let matches = set.matches && matcher.is_match(Some(value), ElementScope::Itself, &Unbound);
                        (matches || (self.has_tags() && matcher.is_reached(value))).then_some(matches)
                    }
                    // A zone or a tag of what is above counts below as well.
                    None => (set.policy.is_none() && set.levels.len() <= example.len()).then_some(set.matches),
                };
                let both = || alive.iter().zip(&matchers);
                if self.changed.is_some()
                    && !both().any(|(set, matcher)| self.is_changed(set) && goes_on(set, matcher).is_some())
                {
                    continue;
                }
                let on = |(set, matcher)| Some(Set { matches: goes_on(set, matcher)?, ..set.clone() });
                let on: Vec<Set<'p>> = both().filter_map(on).collect();
                let with = |list: &[(String, String)], value: String| {
                    list.iter().cloned().chain([(level.to_owned(), value)]).collect::<Vec<_>>()
                };
                let (resource, example) = (with(resource, parts.written(at)), with(example, one.clone()));
                let is_about = |set: &&Set<'p>| set.matches && self.is_about(set, &example);
                let policies = on.iter().filter(is_about).filter_map(|set| Some((set.side, set.policy?))).collect();
                let matters = self.changed.is_none()
                    || self.has_tags()
                    || on.iter().filter(is_about).any(|set| self.is_changed(set));
                let region = Region { resource, example, policies };
                if matters {
                    visit(&region);
                }
                self.below(&region.resource, &region.example, Some(level), on, visit);
            }
        }
    }

    /// Whether a set that matches so far is about a resource that names these levels: the others are everything.
    fn is_about(&self, set: &Set<'p>, example: &[(String, String)]) -> bool {
        let missing = set.levels.keys().filter(|level| example.iter().all(|(own, _)| own != *level));
        let is_any =
            |level: &String| self.matcher(set, level).is_some_and(|matcher| matcher.is_any() && !matcher.excludes());
        missing.into_iter().all(is_any)
    }

    fn has_tags(&self) -> bool {
        self.sides.iter().any(|side| !side.on_tags.is_empty())
    }

    fn options(&self, side: usize, level: &str) -> Option<&'p LevelOptions> {
        let levels = self.levels(side)?;
        levels.get(levels.find(level)?).map(|level| &level.options)
    }

    fn matcher(&self, set: &Set<'p>, level: &str) -> Option<ElementMatcher> {
        Some(ElementMatcher::new(self.options(set.side, level)?, set.levels.get(level)?))
    }

    /// The parts of a level that the alive sets tell apart; nothing, if they are too many.
    fn parts(&self, level: &str, alive: &[Set<'p>]) -> Option<Parts> {
        let mut values: BTreeMap<(usize, &str, bool), ElementMatcher> = BTreeMap::new();
        let mut shapes = BTreeSet::new();
        for set in alive {
            let (Some(options), Some(resource)) = (self.options(set.side, level), set.levels.get(level)) else {
                continue;
            };
            for value in &resource.values {
                shapes.extend(options.shapes(value, resource.is_recursive, self.has_tags()));
                values.entry((set.side, value, resource.is_recursive)).or_insert_with(|| {
                    let alone = PolicyResource { values: vec![value.clone()], is_excludes: false, ..resource.clone() };
                    ElementMatcher::new(options, &alone)
                });
            }
        }
        let examples = told_apart(&shapes)?;
        let mut of_values: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for ((_, value, _), matcher) in &values {
            let is_match =
                |(_, one): &(usize, &String)| matcher.is_match(Some(Values::One(one)), ElementScope::Itself, &Unbound);
            let matched = examples.iter().enumerate().filter(is_match).map(|(at, _)| at);
            of_values.entry((*value).to_owned()).or_default().extend(matched);
        }
        Some(Parts { examples, of_values })
    }
}

/// The parts of a level: an example of each, and of each value the parts that it matches.
struct Parts {
    examples: Vec<String>,
    of_values: BTreeMap<String, BTreeSet<usize>>,
}

/// How many values are named that a part of a level leaves out.
const EXCEPTIONS_SHOWN: usize = 5;

/// How many values are compared with one another to name only the widest.
const EXCEPTIONS_COMPARED: usize = 200;

impl Parts {
    /// A part as policies write it: `a*`, `a* except ab*`.
    fn written(&self, part: usize) -> String {
        let own = || self.of_values.iter().filter(|(_, parts)| parts.contains(&part));
        // Of two values that match the same parts the first stays.
        let is_less = |a: (&String, &BTreeSet<usize>), b: (&String, &BTreeSet<usize>)| {
            a.0 != b.0 && a.1.is_subset(b.1) && (a.1.len() < b.1.len() || a.0 < b.0)
        };
        let narrowest: Vec<(&String, &BTreeSet<usize>)> =
            own().filter(|value| !own().any(|other| is_less(other, *value))).collect();
        let is_within = |at: &usize| narrowest.iter().all(|(_, parts)| parts.contains(at));
        let others = self.of_values.iter().filter(|(_, parts)| !parts.contains(&part));
        let left_out: Vec<(&String, &BTreeSet<usize>)> =
            others.filter(|(_, parts)| parts.iter().any(&is_within)).collect();
        let is_covered = |value: (&String, &BTreeSet<usize>)| {
            left_out.iter().any(|other| {
                other.0 != value.0 && value.1.is_subset(other.1) && (value.1.len() < other.1.len() || other.0 < value.0)
            })
        };
        let few = left_out.len() <= EXCEPTIONS_COMPARED;
        let widest: Vec<&str> =
            left_out.iter().filter(|value| !few || !is_covered(**value)).map(|(value, _)| value.as_str()).collect();
        let mut text = narrowest.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join(" and ");
        if text.is_empty() {
            text.push('*');
        }
        if let Some(named) = widest.get(..widest.len().min(EXCEPTIONS_SHOWN)).filter(|named| !named.is_empty()) {
            text.push_str(&format!(" except {}", named.join(", ")));
            if widest.len() > named.len() {
                text.push_str(&format!(" and {} more", widest.len() - named.len()));
            }
        }
        text
    }
}

/// Examples of tags that policies tell apart, with the places of the policies that count for each; nothing, if they are
/// too many.
pub(super) fn tags(sides: &[Side<'_>; 2], policies: &[(usize, &Policy)]) -> Option<Vec<(String, BTreeSet<u32>)>> {
    let options = |side: usize| -> Option<&LevelOptions> {
        let levels = sides.get(side)?.engine.tag_repository.as_ref()?.service.levels(PolicyType::Access);
        levels.get(levels.find("tag")?).map(|level| &level.options)
    };
    let resources = policies.iter().flat_map(|(side, policy)| {
        sets(policy).filter_map(move |set| set.get("tag")).map(move |resource| (*side, resource))
    });
    let shapes = resources.filter_map(|(side, resource)| {
        let options = options(side)?;
        Some(resource.values.iter().flat_map(move |value| options.shapes(value, resource.is_recursive, true)))
    });
    let examples = told_apart(&shapes.flatten().collect())?;
    let is_reached = |example: &str, (side, policy): &(usize, &Policy)| {
        let Some(options) = options(*side) else { return false };
        let value = Values::One(example);
        sets(policy)
            .filter_map(|set| set.get("tag"))
            .any(|resource| ElementMatcher::new(options, resource).is_reached(value))
    };
    let sure = |example: &str, (side, policy): &(usize, &Policy)| {
        let Some(options) = options(*side) else { return false };
        let value = Some(Values::One(example));
        sets(policy)
            .filter_map(|set| set.get("tag"))
            .any(|resource| ElementMatcher::new(options, resource).is_match(value, ElementScope::Itself, &Unbound))
    };
    let meets = |example: &str| {
        let places = (0_u32..).zip(policies);
        places
            .flat_map(|(place, policy)| {
                let reached = is_reached(example, policy).then_some(2 * place);
                reached.into_iter().chain(sure(example, policy).then_some(2 * place + 1))
            })
            .collect()
    };
    Some(
        examples
            .into_iter()
            .map(|example| {
                let meets = meets(&example);
                (example, meets)
            })
            .collect(),
    )
}
