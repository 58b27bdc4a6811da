//! The policies of a project: what its YAML files and Ranger's documents say together, with the places it was said at.
//!
//! ```text
//! policies/*.yaml ─► Ranger's model ─┐
//! policies/*.json ───────────────────┴─► Sources ─► Engine, built once
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lockgate_model::{DatasetName, Mask};
use lockgate_policy::model::ServiceDef;
use lockgate_policy::{Engine, Options, Sources};

use crate::Span;

/// The most policies of a project, those in Ranger's documents included.
pub const POLICIES_MAX: usize = 100_000;
/// The most items of one YAML policy.
pub const POLICY_ITEMS_MAX: usize = 1_000;
/// The largest document of Ranger in a project, in bytes.
pub const POLICY_DOCUMENT_BYTES_MAX: usize = 32 << 20;
/// The kind of access that opens sealed values. Nothing implies it.
pub const UNSEAL_ACCESS: &str = "unseal";
/// The database of datasets whose name has no dot.
pub const DEFAULT_DATABASE: &str = "default";

/// The levels of datasets, each with the one above.
const DATASET_LEVELS: [(&str, &str); 3] = [("database", ""), ("table", "database"), ("column", "table")];

/// The policies of a project. Cheap to clone; what was built is shared.
#[derive(Debug, Clone, Default)]
pub struct Policies(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sources: Sources,
    options: Options,
    origins: BTreeMap<i64, PolicyOrigin>,
    /// Where the first file of policies begins; absent if there is none.
    first_file: Option<Span>,
    engine: OnceLock<Arc<Engine>>,
}

/// Where a policy was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOrigin {
    /// Its name.
    pub name: String,
    /// The place of its name, or the beginning of the document that has it.
    pub span: Span,
    /// The places of its parts; none for those of Ranger's documents.
    pub parts: BTreeMap<PolicyPart, Vec<Span>>,
}

/// A part of a policy that has several, in the order in which Ranger's policy has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyPart {
    /// `on` of each resource.
    On,
    /// Items of `allow`.
    Allow,
    /// Items of `deny`.
    Deny,
    /// Items of `mask`.
    Mask,
    /// Items of `rows`.
    Rows,
}

impl PolicyPart {
    /// The key in YAML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Mask => "mask",
            Self::Rows => "rows",
        }
    }
}

impl PolicyOrigin {
    /// The place of a part, counted from 0; that of the policy where the part's is not known.
    pub fn part(&self, part: PolicyPart, at: usize) -> Span {
        self.parts.get(&part).and_then(|spans| spans.get(at)).copied().unwrap_or(self.span)
    }
}

impl Policies {
    pub(crate) fn new(
        sources: Sources,
        options: Options,
        origins: BTreeMap<i64, PolicyOrigin>,
        first_file: Span,
    ) -> Self {
        let first_file = Some(first_file);
        Self(Arc::new(Inner { sources, options, origins, first_file, engine: OnceLock::new() }))
    }

    /// Whether the project has no file of policies. One that has a file is governed, even if the file has no policy.
    pub fn is_empty(&self) -> bool {
        self.0.first_file.is_none()
    }

    /// Where the first file of policies begins.
    pub fn first_file(&self) -> Option<Span> {
        self.0.first_file
    }

    /// All policies, roles, groups, zones, tags and shares, in Ranger's model.
    pub fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// How they decide.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// What decides; built at the first call.
    pub fn engine(&self) -> Arc<Engine> {
        let build = || Arc::new(Engine::new(&self.0.sources, self.0.options.clone()));
        Arc::clone(self.0.engine.get_or_init(build))
    }

    /// Where the policy of this number was written: `policy_id` of a decision or an explanation.
    pub fn origin(&self, policy_id: i64) -> Option<&PolicyOrigin> {
        self.0.origins.get(&policy_id)
    }

    /// The users that files name as members of a group, or know something of, each with their groups in order.
    pub fn users(&self) -> BTreeMap<&str, Vec<&str>> {
        let Some(store) = &self.0.sources.user_store else { return BTreeMap::new() };
        let mut users: BTreeMap<&str, Vec<&str>> =
            store.user_attr_mapping.keys().map(|user| (user.as_str(), Vec::new())).collect();
        for (user, groups) in &store.user_group_mapping {
            users.insert(user, groups.iter().map(String::as_str).collect());
        }
        users
    }
}

/// The database and the table that policies know a dataset by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyResource {
    /// What is before the last dot of the dataset's name; [`DEFAULT_DATABASE`] if there is no dot.
    pub database: String,
    /// What is after it.
    pub table: String,
}

/// The resource of a dataset. `x` and `default.x` are one resource.
pub fn policy_resource(dataset: &DatasetName) -> PolicyResource {
    let (database, table) = split(dataset.as_str());
    PolicyResource { database: database.to_owned(), table: table.to_owned() }
}

impl PolicyResource {
    /// The name of the dataset, without [`DEFAULT_DATABASE`]; none if the two make no name of a dataset.
    pub fn dataset(&self) -> Option<DatasetName> {
        match self.database.as_str() {
            DEFAULT_DATABASE => self.table.parse().ok(),
            database => format!("{database}.{}", self.table).parse().ok(),
        }
    }
}

/// Whether policies of a service can be about datasets: it has the levels database, table and column.
pub fn has_dataset_levels(def: &ServiceDef) -> bool {
    let has =
        |(name, parent): (&str, &str)| def.resources.iter().any(|level| level.name == name && level.parent == parent);
    DATASET_LEVELS.into_iter().all(has)
}

/// The database and the table of a name, or of a pattern for names.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((DEFAULT_DATABASE, name))
}

/// What a policy does to the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyMask {
    /// Nothing: `MASK_NONE`.
    Clear,
    /// One of the masks that `protect` has as well, and it means the same.
    BuiltIn(Mask),
    /// An expression of its own: `CUSTOM`.
    Custom,
}

const RANGER_MASKS: [(&str, PolicyMask); 8] = [
    ("MASK", PolicyMask::BuiltIn(Mask::Redact)),
    ("MASK_SHOW_FIRST_4", PolicyMask::BuiltIn(Mask::ShowFirst(4))),
    ("MASK_SHOW_LAST_4", PolicyMask::BuiltIn(Mask::ShowLast(4))),
    ("MASK_HASH", PolicyMask::BuiltIn(Mask::Hash)),
    ("MASK_NULL", PolicyMask::BuiltIn(Mask::Null)),
    ("MASK_DATE_SHOW_YEAR", PolicyMask::BuiltIn(Mask::DateToYear)),
    ("MASK_NONE", PolicyMask::Clear),
    ("CUSTOM", PolicyMask::Custom),
];

impl PolicyMask {
    /// What Ranger's name of a mask means here; none for a mask that a service defined for itself.
    pub fn from_ranger_name(kind: &str) -> Option<Self> {
        RANGER_MASKS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, mask)| *mask)
    }

    /// Ranger's name; none for a number of characters that Ranger has no mask for.
    pub fn ranger_name(self) -> Option<&'static str> {
        RANGER_MASKS.iter().find(|(_, mask)| *mask == self).map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_and_its_resource_lead_to_one_another() {
        for (dataset, database, table) in [
            ("customers", "default", "customers"),
            ("analytics.customers", "analytics", "customers"),
            ("eu.sales.orders", "eu.sales", "orders"),
        ] {
            let name: DatasetName = dataset.parse().unwrap();
            let resource = policy_resource(&name);
            assert_eq!((resource.database.as_str(), resource.table.as_str()), (database, table));
            assert_eq!(resource.dataset(), Some(name));
        }
        assert_eq!(policy_resource(&"default.x".parse().unwrap()), policy_resource(&"x".parse().unwrap()));
        assert_eq!(PolicyResource { database: "a b".into(), table: "x".into() }.dataset(), None);
    }

    #[test]
    fn masks_have_one_name_for_one_meaning() {
        for (name, mask) in RANGER_MASKS {
            assert_eq!((PolicyMask::from_ranger_name(name), mask.ranger_name()), (Some(mask), Some(name)));
        }
        assert_eq!(PolicyMask::from_ranger_name("MASK_ROT13"), None);
        assert_eq!(PolicyMask::BuiltIn(Mask::ShowFirst(5)).ranger_name(), None);
    }
}
