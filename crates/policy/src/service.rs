//! A service definition, prepared: levels as a forest, kinds of access with what they imply.
//!
//! ```text
//! database ─► table ─► column        A resource, of a policy or of a request, names the levels from a root down to
//!         └─► udf                    somewhere, without a gap: a chain. Two resources can have to do with each other
//! url                                only if one's chain begins with the other's.
//! ```

use std::collections::BTreeMap;

use crate::matcher::LevelOptions;
use crate::model::{AccessTypeDef, Policy, PolicyDelta, PolicyItem, PolicyType, ResourceDef, ServiceDef};

/// The number of a level in its forest.
pub(crate) type LevelId = u16;

/// One level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) name: Box<str>,
    pub(crate) parent: Option<LevelId>,
    pub(crate) options: LevelOptions,
    pub(crate) recursive: bool,
}

/// The levels that policies of one type have.
#[derive(Debug)]
pub(crate) struct Levels(Box<[Level]>);

impl Levels {
    fn new(defs: &[ResourceDef]) -> Self {
        let parent = |def: &ResourceDef| {
            let at = defs.iter().position(|other| !def.parent.is_empty() && other.name == def.parent);
            at.and_then(|at| LevelId::try_from(at).ok())
        };
        let level = |def: &ResourceDef| Level {
            name: def.name.as_str().into(),
            parent: parent(def),
            options: LevelOptions::of(def),
            recursive: def.recursive_supported.unwrap_or(false),
        };
        Self(defs.iter().map(level).collect())
    }

    pub(crate) fn get(&self, id: LevelId) -> Option<&Level> {
        self.0.get(usize::from(id))
    }

    pub(crate) fn find(&self, name: &str) -> Option<LevelId> {
        let at = self.0.iter().position(|level| &*level.name == name)?;
        LevelId::try_from(at).ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Level> {
        self.0.iter()
    }

    /// Whether a resource that names this many levels names all that there are down to its last one: nothing lies below.
    pub(crate) fn is_leaf(&self, count: usize, request: &crate::request::Request<'_>) -> bool {
        let last = request.resource.iter().filter_map(|(name, _)| self.find(name)).find(|id| self.depth(*id) == count);
        last.is_some_and(|last| !self.0.iter().any(|level| level.parent == Some(last)))
    }

    fn depth(&self, id: LevelId) -> usize {
        let mut depth = 0;
        let mut next = Some(id);
        while let Some(level) = next.and_then(|id| self.get(id)).filter(|_| depth <= self.0.len()) {
            depth += 1;
            next = level.parent;
        }
        depth
    }

    /// Whether these are the first of other levels: a resource of these is then the same of those.
    fn lead(&self, others: &Self) -> bool {
        let same = |(own, other): (&Level, &Level)| own.name == other.name && own.parent == other.parent;
        self.0.len() <= others.0.len() && self.0.iter().zip(&others.0).all(same)
    }

    /// Whether all levels of a resource are among these.
    pub(crate) fn have(&self, elements: &[crate::resource::TargetElement<'_>]) -> bool {
        elements.iter().all(|element| usize::from(element.level) < self.0.len())
    }

    /// Whether levels are a chain in this order: each one's parent is the one before it.
    pub(crate) fn are_chain(&self, ids: impl Iterator<Item = LevelId>) -> bool {
        let mut above = None;
        for id in ids {
            if self.get(id).is_none_or(|level| level.parent != above) {
                return false;
            }
            above = Some(id);
        }
        true
    }

    /// The levels of a resource from its root downwards, if it names exactly those of a chain.
    pub(crate) fn chain<'n>(&self, names: impl ExactSizeIterator<Item = &'n str>) -> Option<Vec<LevelId>> {
        let count = names.len();
        if count == 0 {
            return Some(Vec::new());
        }
        let mut ids = Vec::with_capacity(count);
        for name in names {
            ids.push(self.find(name)?);
        }
        ids.iter().find_map(|leaf| self.up(*leaf, count, |id| ids.contains(&id)))
    }

    /// The chain that ends in `leaf`, if it has `count` levels that are all `wanted`.
    fn up(&self, leaf: LevelId, count: usize, wanted: impl Fn(LevelId) -> bool) -> Option<Vec<LevelId>> {
        let mut chain = Vec::with_capacity(count);
        let mut next = Some(leaf);
        while let Some(id) = next {
            if chain.len() == count || !wanted(id) {
                return None;
            }
            chain.push(id);
            next = self.get(id)?.parent;
        }
        chain.reverse();
        (chain.len() == count).then_some(chain)
    }
}

/// A service definition, prepared.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: Box<str>,
    access: Levels,
    mask: Levels,
    filter: Levels,
    /// The names of the kinds of access, as the definition lists them.
    pub(crate) access_types: Vec<String>,
    /// What each kind of access gives as well, itself left out; markers included.
    implied: BTreeMap<String, Vec<String>>,
    pub(crate) denies: bool,
    /// Whether the levels of masks and those of filters are the first ones of those for access.
    leading_levels: (bool, bool),
}

impl Service {
    pub(crate) fn new(def: &ServiceDef) -> Self {
        let masked = merged(&def.resources, &def.data_mask_def.resources);
        let filtered = merged(&def.resources, &def.row_filter_def.resources);
        let (access, mask, filter) = (Levels::new(&def.resources), Levels::new(&masked), Levels::new(&filtered));
        Self {
            name: def.name.as_str().into(),
            leading_levels: (mask.lead(&access), filter.lead(&access)),
            access,
            mask,
            filter,
            access_types: def.access_types.iter().map(|def| def.name.clone()).collect(),
            implied: implied_grants(def),
            denies: def.denies_and_exceptions(),
        }
    }

    /// The levels for policies of a type.
    pub(crate) fn levels(&self, kind: PolicyType) -> &Levels {
        match kind {
            PolicyType::Access => &self.access,
            PolicyType::DataMask => &self.mask,
            PolicyType::RowFilter => &self.filter,
        }
    }

    /// Whether the levels for policies of a type are the first ones of those for access, with the same numbers.
    pub(crate) fn has_leading_levels(&self, kind: PolicyType) -> bool {
        match kind {
            PolicyType::Access => true,
            PolicyType::DataMask => self.leading_levels.0,
            PolicyType::RowFilter => self.leading_levels.1,
        }
    }

    /// What a kind of access gives as well.
    pub(crate) fn implied_by(&self, access: &str) -> impl Iterator<Item = &str> {
        let found = self.implied.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(access));
        found.flat_map(|(_, grants)| grants.iter().map(String::as_str))
    }
}

/// The levels of masks or filters: the definition's own, with what is said anew.
fn merged(base: &[ResourceDef], changes: &[ResourceDef]) -> Vec<ResourceDef> {
    let merge = |change: &ResourceDef| {
        let Some(base) = base.iter().find(|base| base.name == change.name) else { return change.clone() };
        let mut def = base.clone();
        if change.recursive_supported.is_some() {
            def.recursive_supported = change.recursive_supported;
        }
        if !change.matcher.is_empty() {
            def.matcher.clone_from(&change.matcher);
        }
        def.matcher_options.extend(change.matcher_options.clone());
        def
    };
    changes.iter().map(merge).collect()
}

/// The kinds of access that stand for all of a category.
const MARKERS: [(&str, &str); 5] =
    [("_CREATE", "CREATE"), ("_READ", "READ"), ("_UPDATE", "UPDATE"), ("_DELETE", "DELETE"), ("_MANAGE", "MANAGE")];
/// The kind of access that stands for all.
const MARKER_ALL: &str = "_ALL";

/// The markers of a definition: what it says, or what its categories give.
pub(crate) fn marker_access_types(def: &ServiceDef) -> Vec<AccessTypeDef> {
    if !def.marker_access_types.is_empty() {
        return def.marker_access_types.clone();
    }
    let is_marker = |name: &str| name == MARKER_ALL || MARKERS.iter().any(|(marker, _)| *marker == name);
    let own: Vec<_> =
        def.access_types.iter().filter(|def| !def.name.trim().is_empty() && !is_marker(&def.name)).collect();
    let marker = |name: &str, grants: Vec<String>| AccessTypeDef {
        name: name.to_owned(),
        implied_grants: grants,
        category: String::new(),
    };
    let of_category = |category: &str| {
        own.iter().filter(|def| def.category.eq_ignore_ascii_case(category)).map(|def| def.name.clone()).collect()
    };
    let mut markers: Vec<_> = MARKERS.iter().map(|(name, category)| marker(name, of_category(category))).collect();
    markers.push(marker(MARKER_ALL, own.iter().map(|def| def.name.clone()).collect()));
    markers
}

fn implied_grants(def: &ServiceDef) -> BTreeMap<String, Vec<String>> {
    let mut implied: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for access in def.access_types.iter().chain(&marker_access_types(def)) {
        if !access.implied_grants.is_empty() {
            implied.entry(access.name.clone()).or_default().extend(access.implied_grants.iter().cloned());
        }
    }
    implied
}

/// The definition of a service of tags, for the tags of a service of one kind: `hive:select` becomes `select`, and what
/// belongs to other kinds is left out.
pub(crate) fn tag_service_def(def: &ServiceDef, component: &str) -> ServiceDef {
    let own = |def: &AccessTypeDef| {
        let name = own_name(&def.name, component)?;
        let grants = def.implied_grants.iter();
        let prefixed = name != def.name;
        let implied_grants = if prefixed {
            grants.filter_map(|grant| component_name(grant, component)).map(str::to_owned).collect()
        } else {
            grants.cloned().collect()
        };
        Some(AccessTypeDef { name: name.to_owned(), implied_grants, category: def.category.clone() })
    };
    ServiceDef {
        access_types: def.access_types.iter().filter_map(own).collect(),
        marker_access_types: def.marker_access_types.iter().filter_map(own).collect(),
        ..def.clone()
    }
}

fn component_name<'a>(name: &'a str, component: &str) -> Option<&'a str> {
    name.strip_prefix(component)?.strip_prefix(':')
}

/// A name without the component's prefix; nothing, if it belongs to another component.
pub(crate) fn own_name<'a>(name: &'a str, component: &str) -> Option<&'a str> {
    component_name(name, component).or_else(|| (!name.contains(':')).then_some(name))
}

impl Policy {
    /// A policy on tags, for the tags of a service of one kind: access types and masks without the kind's prefix, those
    /// of other kinds left out. Nothing, if nothing is left of it.
    pub(crate) fn seen_by(&self, component: &str) -> Option<Self> {
        let mut policy = self.clone();
        let lists = [
            &mut policy.policy_items,
            &mut policy.deny_policy_items,
            &mut policy.allow_exceptions,
            &mut policy.deny_exceptions,
        ];
        for list in lists {
            list.retain_mut(|item| is_seen_by(item, component));
        }
        policy.row_filter_policy_items.retain_mut(|filter| is_seen_by(&mut filter.item, component));
        policy.data_mask_policy_items.retain_mut(|mask| {
            let kind = mask.data_mask_info.as_mut().and_then(|info| info.data_mask_type.as_mut());
            let own_mask = match kind {
                Some(kind) => match own_name(kind, component).map(str::to_owned) {
                    Some(own) => {
                        *kind = own;
                        true
                    }
                    None => false,
                },
                None => true,
            };
            is_seen_by(&mut mask.item, component) && own_mask
        });
        let has_items = !policy.policy_items.is_empty()
            || !policy.deny_policy_items.is_empty()
            || !policy.allow_exceptions.is_empty()
            || !policy.deny_exceptions.is_empty()
            || !policy.data_mask_policy_items.is_empty()
            || !policy.row_filter_policy_items.is_empty();
        (policy.is_audit_enabled || has_items).then_some(policy)
    }
}

fn is_seen_by(item: &mut PolicyItem, component: &str) -> bool {
    let had_accesses = !item.accesses.is_empty();
    item.accesses.retain_mut(|access| match own_name(&access.kind, component).map(str::to_owned) {
        Some(own) => {
            access.kind = own;
            true
        }
        None => false,
    });
    !had_accesses || !item.accesses.is_empty() || item.delegate_admin
}

impl PolicyDelta {
    /// The change as [`Policy::seen_by`] has it; of a policy of which nothing is left, that it is gone.
    pub(crate) fn seen_by(&self, component: &str) -> Option<Self> {
        let policy = self.policy.as_ref()?;
        Some(match policy.seen_by(component) {
            Some(seen) => Self { change_type: self.change_type, policy: Some(seen) },
            None => Self { change_type: Some(Self::DELETED), policy: Some(policy.clone()) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, parent: &str) -> ResourceDef {
        ResourceDef { name: name.to_owned(), parent: parent.to_owned(), ..ResourceDef::default() }
    }

    fn access(name: &str, category: &str, implied: &[&str]) -> AccessTypeDef {
        AccessTypeDef {
            name: name.to_owned(),
            category: category.to_owned(),
            implied_grants: implied.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn levels() -> Levels {
        Levels::new(&[
            resource("database", ""),
            resource("table", "database"),
            resource("column", "table"),
            resource("udf", "database"),
        ])
    }

    #[test]
    fn a_resource_is_a_chain_from_a_root_without_gaps() {
        let levels = levels();
        let chain = |names: &[&'static str]| levels.chain(names.iter().copied());
        assert_eq!(chain(&["column", "database", "table"]), Some(vec![0, 1, 2]));
        assert_eq!(chain(&["database", "udf"]), Some(vec![0, 3]));
        assert_eq!(chain(&["database"]), Some(vec![0]));
        for gap in [["database", "column"], ["table", "column"], ["table", "udf"], ["database", "other"]] {
            assert_eq!(chain(&gap), None, "{gap:?}");
        }
    }

    #[test]
    fn markers_gather_the_kinds_of_access_of_a_category() {
        let def = ServiceDef {
            access_types: vec![
                access("select", "READ", &[]),
                access("read", "READ", &[]),
                access("drop", "DELETE", &[]),
            ],
            ..ServiceDef::default()
        };
        let service = Service::new(&def);
        let implied = |name| service.implied_by(name).collect::<Vec<_>>();
        assert_eq!(implied("_READ"), ["select", "read"]);
        assert_eq!(implied("_DELETE"), ["drop"]);
        assert_eq!(implied("_ALL"), ["select", "read", "drop"]);
        assert!(implied("_MANAGE").is_empty() && implied("select").is_empty());
    }

    #[test]
    fn a_tag_service_is_seen_through_its_component() {
        let def = ServiceDef {
            access_types: vec![
                access("hive:select", "", &[]),
                access("hive:all", "", &["hive:select", "hdfs:read"]),
                access("hdfs:read", "", &[]),
            ],
            ..ServiceDef::default()
        };
        let seen = tag_service_def(&def, "hive");
        let names: Vec<_> = seen.access_types.iter().map(|def| def.name.as_str()).collect();
        assert_eq!(names, ["select", "all"]);
        assert_eq!(seen.access_types[1].implied_grants, ["select"]);
        assert_eq!(own_name("hdfs:read", "hive"), None);
    }

    #[test]
    fn masks_have_the_levels_that_they_name_with_options_of_their_own() {
        let mut change = resource("database", "");
        change.matcher_options.insert("wildCard".to_owned(), "false".into());
        let base = [resource("database", ""), resource("table", "database")];
        let merged = merged(&base, &[change, resource("table", "")]);
        assert_eq!(merged[1].parent, "database", "the parent stays");
        assert_eq!(merged[0].matcher_options["wildCard"].as_str(), "false");
    }
}
