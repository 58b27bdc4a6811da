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
    /// The policies that can have to do with it, each with its side.
    pub(super) policies: Vec<(usize, &'p Policy)>,
}

/// A resource of a policy, a zone or a tag.
#[derive(Clone)]
struct Set<'p> {
    side: usize,
    /// Absent for zones and tags.
    policy: Option<&'p Policy>,
    levels: BTreeMap<String, PolicyResource>,
}

/// A value of a policy of a side, with whether it is recursive.
type Named<'v> = (usize, &'v str, bool);
/// The values that match.
type Matched<'v> = BTreeSet<Named<'v>>;

/// Visits the regions where a changed policy can matter, or all.
pub(super) struct Regions<'p> {
    sides: &'p [Side<'p>; 2],
    kind: PolicyType,
    changed: Option<&'p [&'p Policy]>,
    /// Limits that were reached.
    pub(super) limits: Vec<String>,
}

/// A part of a level: an example, as policies write it, and which sets go on.
struct Cell<'p> {
    written: String,
    example: String,
    alive: Vec<Set<'p>>,
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
            let set =
                |policy, levels: &BTreeMap<String, PolicyResource>| Set { side: at, policy, levels: levels.clone() };
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

    /// Whether an alive set is that of a policy that changed.
    fn matters(&self, alive: &[Set<'p>]) -> bool {
        self.changed.is_none_or(|changed| {
            alive
                .iter()
                .filter_map(|set| set.policy)
                .any(|policy| changed.iter().any(|other| std::ptr::eq(*other, policy)))
        })
    }

    fn below(
        &mut self,
        resource: &[(String, String)],
        example: &[(String, String)],
        parent: Option<&str>,
        alive: Vec<Set<'p>>,
        visit: &mut impl FnMut(&Region<'p>),
    ) {
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
        for level in next {
            for cell in self.cells(level, example.len(), &alive) {
                if !self.matters(&cell.alive) {
                    continue;
                }
                let with = |list: &[(String, String)], value: &str| {
                    let one = (level.to_owned(), value.to_owned());
                    list.iter().cloned().chain([one]).collect::<Vec<_>>()
                };
                let (resource, example) = (with(resource, &cell.written), with(example, &cell.example));
                let policies = cell.alive.iter().filter_map(|set| Some((set.side, set.policy?)));
                let region = Region { resource, example, policies: policies.collect() };
                visit(&region);
                self.below(&region.resource, &region.example, Some(level), cell.alive, visit);
            }
        }
    }

    /// The parts of a level that the alive sets tell apart.
    fn cells(&mut self, level: &str, depth: usize, alive: &[Set<'p>]) -> Vec<Cell<'p>> {
        let options = |side: usize| {
            self.levels(side).and_then(|levels| levels.get(levels.find(level)?)).map(|level| &level.options)
        };
        let has_tags = self.sides.iter().any(|side| !side.on_tags.is_empty());
        let mut values: BTreeMap<Named<'_>, ElementMatcher> = BTreeMap::new();
        let mut shapes = BTreeSet::new();
        for set in alive {
            let (Some(options), Some(resource)) = (options(set.side), set.levels.get(level)) else { continue };
            for value in &resource.values {
                shapes.extend(options.shapes(value, resource.is_recursive, has_tags));
                values.entry((set.side, value, resource.is_recursive)).or_insert_with(|| {
                    let alone = PolicyResource { values: vec![value.clone()], is_excludes: false, ..resource.clone() };
                    ElementMatcher::new(options, &alone)
                });
            }
        }
        let Some(examples) = told_apart(&shapes) else {
            self.limits.push(format!("the values of `{level}` are too many, or too long, to be told apart"));
            return Vec::new();
        };
        let matches: Vec<(String, Matched<'_>)> = examples
            .into_iter()
            .map(|example| {
                let is_match = |matcher: &ElementMatcher| {
                    matcher.is_match(Some(Values::One(&example)), ElementScope::Itself, &Unbound)
                };
                let matched = values.iter().filter(|(_, matcher)| is_match(matcher)).map(|(value, _)| *value).collect();
                (example, matched)
            })
            .collect();
        let goes_on = |set: &Set<'p>, example: &str| {
            let Some(resource) = set.levels.get(level) else {
                // A zone or a tag of what is above counts below as well, and so does a policy for what is not asked yet.
                return set.policy.is_none() && set.levels.len() <= depth;
            };
            let Some(options) = options(set.side) else { return false };
            let matcher = ElementMatcher::new(options, resource);
            let value = Values::One(example);
            matcher.is_match(Some(value), ElementScope::Itself, &Unbound) || (has_tags && matcher.is_reached(value))
        };
        let cell = |(example, matched): &(String, Matched<'_>)| Cell {
            written: written(matched, &matches),
            example: example.clone(),
            alive: alive.iter().filter(|set| goes_on(set, example)).cloned().collect(),
        };
        matches.iter().map(cell).collect()
    }
}

/// How many values are named that a part of a level leaves out.
const EXCEPTIONS_SHOWN: usize = 5;

/// A part of a level as policies write it: `a*`, `a* except ab*`.
fn written(matched: &Matched<'_>, all: &[(String, Matched<'_>)]) -> String {
    let texts =
        |set: &Matched<'_>| -> BTreeSet<String> { set.iter().map(|(_, value, _)| (*value).to_owned()).collect() };
    let own = texts(matched);
    let cells: Vec<BTreeSet<String>> = all.iter().map(|(_, set)| texts(set)).collect();
    let covers = |a: &String, b: &String| cells.iter().filter(|cell| cell.contains(b)).all(|cell| cell.contains(a));
    // What covers another value says less; of two that cover each other the first stays.
    let narrow = |value: &&String| {
        !own.iter().any(|other| other != *value && covers(value, other) && (!covers(other, value) || other < *value))
    };
    let narrowest: Vec<&String> = own.iter().filter(narrow).collect();
    let within: Vec<&BTreeSet<String>> =
        cells.iter().filter(|cell| narrowest.iter().all(|value| cell.contains(*value))).collect();
    let left_out: BTreeSet<&String> =
        within.iter().flat_map(|cell| cell.iter()).filter(|value| !own.contains(*value)).collect();
    let widest = |value: &&&String| {
        !left_out
            .iter()
            .any(|other| other != *value && covers(other, value) && (!covers(value, other) || other < *value))
    };
    let left_out: Vec<&str> = left_out.iter().filter(widest).map(|value| value.as_str()).collect();
    let mut text = narrowest.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(" and ");
    if text.is_empty() {
        text.push('*');
    }
    if let Some(named) = left_out.get(..left_out.len().min(EXCEPTIONS_SHOWN)).filter(|named| !named.is_empty()) {
        text.push_str(&format!(" except {}", named.join(", ")));
        if left_out.len() > named.len() {
            text.push_str(&format!(" and {} more", left_out.len() - named.len()));
        }
    }
    text
}

/// Examples of tags that policies tell apart, with the places of the policies that count for each.
pub(super) fn tags(
    sides: &[Side<'_>; 2],
    policies: &[(usize, &Policy)],
    open: &mut Vec<String>,
) -> Vec<(String, BTreeSet<u32>)> {
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
    let Some(examples) = told_apart(&shapes.flatten().collect()) else {
        open.push("the tags of policies are too many, or too long, to be told apart".to_owned());
        return Vec::new();
    };
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
    examples
        .into_iter()
        .map(|example| {
            let meets = meets(&example);
            (example, meets)
        })
        .collect()
}
