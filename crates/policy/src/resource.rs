//! The resources of a policy (or zone, or tag, or share) and how a requested resource relates to them.
//!
//! ```text
//! policy     sales / orders / *            request
//! Itself                                   sales / orders / price
//! ItselfAndBelow                           sales / orders            (what is missing is `*` in the policy)
//! Below      sales / orders / price        sales / orders            (the policy is about a part)
//! Above      sales                         sales / orders            (the request is about a part)
//! ```

use std::collections::BTreeMap;

use crate::matcher::{Bindings, ElementMatcher, ElementScope, Values};
use crate::model::PolicyResource;
use crate::service::{LevelId, Levels};

/// How a requested resource relates to the resources of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchType {
    /// It is among them.
    Itself,
    /// It is among them with everything below it.
    ItselfAndBelow,
    /// It lies below one of them.
    Above,
    /// One of them lies below it.
    Below,
    /// Nothing of this.
    None,
}

impl Default for TargetElement<'_> {
    fn default() -> Self {
        Self { level: 0, values: Values::One(""), scope: ElementScope::Itself }
    }
}

impl MatchType {
    /// As Ranger names it.
    pub fn ranger_name(self) -> &'static str {
        match self {
            Self::Itself => "SELF",
            Self::ItselfAndBelow => "SELF_AND_ALL_DESCENDANTS",
            Self::Above => "ANCESTOR",
            Self::Below => "DESCENDANT",
            Self::None => "NONE",
        }
    }

    /// From Ranger's name.
    pub fn from_ranger_name(name: &str) -> Option<Self> {
        [Self::Itself, Self::ItselfAndBelow, Self::Above, Self::Below, Self::None]
            .into_iter()
            .find(|found| found.ranger_name() == name)
    }

    /// Whether it is the resource itself.
    pub(crate) fn is_itself(self) -> bool {
        matches!(self, Self::Itself | Self::ItselfAndBelow)
    }
}

/// A requested resource, its levels found: from the root downwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The levels with what is asked for at each; nothing if they are not those of a chain.
    pub(crate) elements: Option<&'a [TargetElement<'a>]>,
}

/// What is asked for at one level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetElement<'a> {
    pub(crate) level: LevelId,
    pub(crate) values: Values<'a>,
    pub(crate) scope: ElementScope,
}

/// One resource of a policy: values at each level of a chain.
#[derive(Debug)]
pub(crate) struct ResourceSet {
    /// Absent if the levels are not those of a chain; it never matches then.
    chain: Option<Box<[(LevelId, ElementMatcher)]>>,
    /// The place after the last level that does not match everything.
    narrow: usize,
    is_empty: bool,
}

impl ResourceSet {
    /// The resource with these values by level.
    pub(crate) fn new(levels: &Levels, resources: &BTreeMap<String, PolicyResource>) -> Self {
        let chain = if resources.is_empty() { None } else { levels.chain(resources.keys().map(String::as_str)) };
        let matcher = |id: LevelId| {
            let level = levels.get(id)?;
            Some((id, ElementMatcher::new(&level.options, resources.get(&*level.name)?)))
        };
        let chain: Option<Box<[_]>> = chain.and_then(|ids| ids.into_iter().map(matcher).collect());
        let narrow = chain
            .as_deref()
            .unwrap_or_default()
            .iter()
            .rposition(|(_, matcher)| !matcher.is_any())
            .map_or(0, |at| at + 1);
        Self { chain, narrow, is_empty: resources.is_empty() }
    }

    /// Whether it names no level at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The levels with their values.
    pub(crate) fn chain(&self) -> Option<&[(LevelId, ElementMatcher)]> {
        self.chain.as_deref()
    }

    /// Whether requests decide what its values are.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.chain.iter().flatten().any(|(_, matcher)| matcher.is_dynamic())
    }

    /// How a requested resource relates to it.
    pub(crate) fn match_type(&self, target: Target<'_>, bindings: &dyn Bindings) -> MatchType {
        let Some(elements) = target.elements else { return MatchType::None };
        if self.is_empty && elements.is_empty() {
            return MatchType::Itself;
        }
        let Some(chain) = self.chain() else { return MatchType::None };
        let levels_agree = chain.iter().zip(elements).all(|((id, _), element)| *id == element.level);
        if !levels_agree {
            return MatchType::None;
        }
        let mut found = if elements.is_empty() { MatchType::Itself } else { MatchType::None };
        for (at, (_, matcher)) in chain.iter().enumerate() {
            let element = elements.get(at);
            if element.is_none() && !matcher.is_any() {
                continue;
            }
            let scope = element.map_or(ElementScope::Itself, |element| element.scope);
            if !matcher.is_match(element.map(|element| element.values), scope, bindings) {
                return MatchType::None;
            }
            found = MatchType::Itself;
        }
        match found {
            MatchType::Itself if elements.len() > chain.len() => MatchType::Above,
            MatchType::Itself if elements.len() < chain.len() => {
                if elements.len() >= self.narrow {
                    MatchType::ItselfAndBelow
                } else {
                    MatchType::Below
                }
            }
            found => found,
        }
    }

    /// Whether Ranger's tree of policies leads to it from a requested resource, be it a match or not.
    pub(crate) fn is_reached(&self, target: Target<'_>) -> bool {
        let (Some(elements), Some(chain)) = (target.elements, self.chain()) else { return false };
        let mut levels = chain.iter().zip(elements);
        levels.all(|((id, matcher), element)| *id == element.level && matcher.is_reached(element.values))
    }

    /// Whether each value of `resources` matches, and what is not named is everything: the stricter comparison that
    /// Ranger makes for resources that are accessed together.
    pub(crate) fn covers(
        &self,
        levels: &Levels,
        resources: &BTreeMap<&str, Values<'_>>,
        bindings: &dyn Bindings,
    ) -> bool {
        let matcher_of = |name: &str| {
            let id = levels.find(name)?;
            self.chain.iter().flatten().find(|(level, _)| *level == id).map(|(_, matcher)| matcher)
        };
        if resources.keys().any(|name| matcher_of(name).is_none()) {
            return false;
        }
        levels.iter().all(|level| match (matcher_of(&level.name), resources.get(&*level.name)) {
            (Some(matcher), Some(values)) => {
                values.iter().all(|value| matcher.is_match(Some(Values::One(value)), ElementScope::Itself, bindings))
            }
            (Some(matcher), None) => matcher.is_any(),
            (None, values) => values.is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::Unbound;
    use crate::model::{PolicyType, ResourceDef, ServiceDef};
    use crate::service::Service;

    fn service() -> Service {
        let def = |name: &str, parent: &str| ResourceDef {
            name: name.to_owned(),
            parent: parent.to_owned(),
            ..ResourceDef::default()
        };
        Service::new(&ServiceDef {
            resources: vec![def("db", ""), def("table", "db"), def("column", "table"), def("udf", "db")],
            ..ServiceDef::default()
        })
    }

    fn resources(values: &[(&str, &[&str])]) -> BTreeMap<String, PolicyResource> {
        let level = |(name, values): &(&str, &[&str])| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            ((*name).to_owned(), PolicyResource { values, ..PolicyResource::default() })
        };
        values.iter().map(level).collect()
    }

    fn match_type(policy: &[(&str, &[&str])], request: &[(&str, &'static str)]) -> MatchType {
        let service = service();
        let levels = service.levels(PolicyType::Access);
        let elements: Option<Vec<_>> = levels.chain(request.iter().map(|(name, _)| *name)).map(|ids| {
            let element = |(id, (_, value)): (LevelId, &(&str, &'static str))| TargetElement {
                level: id,
                values: Values::One(value),
                scope: ElementScope::Itself,
            };
            ids.into_iter().zip(request).map(element).collect()
        });
        ResourceSet::new(levels, &resources(policy)).match_type(Target { elements: elements.as_deref() }, &Unbound)
    }

    #[test]
    fn a_request_relates_to_a_policy_in_one_of_five_ways() {
        let star: &[&str] = &["*"];
        let (d, t, c): (&[&str], &[&str], &[&str]) = (&["d"], &["t"], &["c"]);
        for (policy, request, expected) in [
            (vec![("db", d), ("table", t)], vec![("db", "d"), ("table", "t")], MatchType::Itself),
            (vec![("db", d), ("table", t)], vec![("db", "d"), ("table", "u")], MatchType::None),
            (vec![("db", d), ("table", star)], vec![("db", "d")], MatchType::ItselfAndBelow),
            (vec![("db", d), ("table", t)], vec![("db", "d")], MatchType::Below),
            (vec![("db", d), ("table", t), ("column", star)], vec![("db", "d")], MatchType::Below),
            (vec![("db", d)], vec![("db", "d"), ("table", "t")], MatchType::Above),
            (vec![("db", d), ("udf", c)], vec![("db", "d"), ("table", "t")], MatchType::None),
            (vec![("db", d), ("column", c)], vec![("db", "d")], MatchType::None),
            (vec![("db", d)], vec![("db", "d"), ("column", "c")], MatchType::None),
            (vec![("db", d)], vec![], MatchType::Below),
            (vec![], vec![], MatchType::Itself),
            (vec![], vec![("db", "d")], MatchType::None),
        ] {
            assert_eq!(match_type(&policy, &request), expected, "{policy:?} {request:?}");
        }
    }

    #[test]
    fn ranger_s_names_are_known() {
        for found in [MatchType::Itself, MatchType::ItselfAndBelow, MatchType::Above, MatchType::Below, MatchType::None]
        {
            assert_eq!(MatchType::from_ranger_name(found.ranger_name()), Some(found));
        }
        assert_eq!(MatchType::from_ranger_name("self"), None);
    }
}
