//! What the engine answers for the columns of the catalog: to anybody, and to those whom policies name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockgate_model::TagName;
use lockgate_policy::model::{Policy, PolicyItem};
use lockgate_policy::{Decision, Engine, MatchType, Request, ResourceTag, TagData, Values};

use super::Checks;
use crate::policies::policy_resource;
use crate::{At, Code, Column, Dataset, Diagnostic};

/// The most requests that are made up for one check of a project; columns beyond are not asked for.
pub const CHECKED_REQUESTS_MAX: usize = 100_000;

/// The access that is asked for.
const SELECT: &str = "select";
/// A user whom no policy can name.
const NOBODY: &str = "\u{a4}nobody";

/// Somebody who is asked for, alone: without the groups and roles that they may have besides.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    User(String),
    Group(String),
    Role(String),
}

/// A column with its tags, as a request has them.
struct Asked {
    resource: [(&'static str, String); 3],
    tags: Vec<ResourceTag>,
    shown: String,
}

impl Checks<'_> {
    /// Reports what anybody sees in the clear of the highest level, and what tag policies take back.
    pub(super) fn columns(&mut self, now: Timestamp) {
        let project = self.project;
        let engine = project.policies.engine();
        let levels = project.lattice.names().count();
        let highest = project.lattice.names().last().and_then(|name| project.lattice.level(name));
        let whom = self.named();
        let (mut requests, mut skipped) = (0, 0);
        for dataset in project.datasets.values() {
            for column in &dataset.columns {
                let asked = Asked::new(dataset, column);
                requests += 1 + if asked.tags.is_empty() { 0 } else { whom.len() };
                if requests > CHECKED_REQUESTS_MAX {
                    skipped += 1;
                    continue;
                }
                if levels > 1 && Some(column.level) == highest {
                    self.clear_to_anybody(&engine, &asked, now);
                }
                if !asked.tags.is_empty() {
                    whom.iter().for_each(|who| self.against_tags(&engine, &asked, who, now));
                }
            }
        }
        if let Some(span) = project.policies.first_file().filter(|_| skipped > 0) {
            let message = format!(
                "{skipped} columns were not compared with the policies: that would take more than {CHECKED_REQUESTS_MAX} \
                 requests"
            );
            let help = "give rights to roles and groups rather than to each user, or split the project";
            self.found.push(Diagnostic::new(Code::ColumnsNotCompared, span, message).with_help(help));
        }
    }

    fn clear_to_anybody(&mut self, engine: &Engine, asked: &Asked, now: Timestamp) {
        let values = asked.values();
        let request = asked.request(&values, &asked.tags, now);
        let access = engine.access(&request);
        let mask = engine.mask(&request).mask;
        if access.is_allowed && mask.is_none_or(|mask| mask.is_clear()) {
            let name = access.policy_name.unwrap_or_default();
            let message = format!(
                "the policy `{name}` lets anybody read `{}` in the clear, which is of the highest level",
                asked.shown
            );
            let help = "allow it to a role or group that needs it, or add a mask for `groups: [public]`";
            self.report(Code::RestrictedToAnybody, access.policy_id, message, help);
        }
    }

    /// Asks with the column's tags and without: where both are decided, and differently, policies contradict one another.
    fn against_tags(&mut self, engine: &Engine, asked: &Asked, who: &Who, now: Timestamp) {
        let values = asked.values();
        let (mut groups, mut roles) = (Vec::new(), Vec::new());
        let (mut user, shown) = (NOBODY, who.to_string());
        match who {
            Who::User(name) => user = name,
            Who::Group(name) => groups.push(name.as_str()),
            Who::Role(name) => roles.push(name.as_str()),
        }
        let with =
            Request { user: Some(user), groups: &groups, roles: &roles, ..asked.request(&values, &asked.tags, now) };
        let without = Request { tags: Some(&[]), ..with };
        let (tagged, plain) = (engine.access(&with), engine.access(&without));
        if plain.is_allowed && tagged.is_determined && !tagged.is_allowed && is_by(&tagged, &plain) {
            self.contradiction(&plain, &tagged, &format!("lets {shown} read `{}`", asked.shown), "denies");
        }
        let (tagged, plain) = (engine.mask(&with), engine.mask(&without));
        let is_masked = tagged.mask.as_ref().is_some_and(|mask| !mask.is_clear());
        let is_clear = plain.mask.as_ref().is_some_and(lockgate_policy::Mask::is_clear);
        if is_masked && is_clear && is_by(&tagged, &plain) {
            self.contradiction(&plain, &tagged, &format!("shows {shown} `{}` unmasked", asked.shown), "masks");
        }
    }

    fn contradiction(&mut self, plain: &Decision<'_>, tagged: &Decision<'_>, what: &str, against: &str) {
        let (name, other) = (plain.policy_name.unwrap_or_default(), tagged.policy_name.unwrap_or_default());
        let message = format!("the policy `{name}` {what}, which `{other}` {against} by the column's tag");
        let help = "the policy on the tag decides: change one of the two, or give this one `priority: override`";
        self.report(Code::PolicyContradictsTag, plain.policy_id, message, help);
    }

    /// Whom policies on datasets allow something, or show something unmasked.
    fn named(&self) -> BTreeSet<Who> {
        let policies = &self.project.policies.sources().policies;
        let of_zones = policies.security_zones.values().flat_map(|zone| &zone.policies);
        let items = |policy: &'_ Policy| -> Vec<PolicyItem> {
            let masks = policy.data_mask_policy_items.iter().map(|mask| mask.item.clone());
            policy.policy_items.iter().cloned().chain(masks).collect()
        };
        let mut all = BTreeSet::new();
        for item in policies.policies.iter().chain(of_zones).flat_map(items) {
            all.extend(item.users.into_iter().map(Who::User));
            all.extend(item.groups.into_iter().map(Who::Group));
            all.extend(item.roles.into_iter().map(Who::Role));
        }
        all
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(name) => write!(f, "the user `{name}`"),
            Self::Group(name) => write!(f, "the group `{name}`"),
            Self::Role(name) => write!(f, "the role `{name}`"),
        }
    }
}

impl Asked {
    fn new(dataset: &Dataset, column: &Column) -> Self {
        let names = policy_resource(&dataset.name.value);
        let name = column.name.value.as_str();
        let tag = |tag: &At<TagName>| ResourceTag {
            tag: TagData { kind: tag.value.to_string(), attributes: BTreeMap::new(), validity: Vec::new() },
            match_type: MatchType::Itself,
        };
        Self {
            resource: [("database", names.database), ("table", names.table), ("column", name.to_owned())],
            tags: column.tags.iter().map(tag).collect(),
            shown: format!("{}.{name}", dataset.name.value),
        }
    }

    fn values(&self) -> Vec<(&str, Values<'_>)> {
        self.resource.iter().map(|(level, value)| (*level, Values::One(value.as_str()))).collect()
    }

    fn request<'a>(
        &'a self,
        values: &'a [(&'a str, Values<'a>)],
        tags: &'a [ResourceTag],
        at: Timestamp,
    ) -> Request<'a> {
        Request { resource: values, access: SELECT, user: Some(NOBODY), tags: Some(tags), at, ..Request::default() }
    }
}

/// Whether two policies decided, and not one of them both times.
fn is_by(tagged: &Decision<'_>, plain: &Decision<'_>) -> bool {
    tagged.policy_id != -1 && plain.policy_id != -1 && tagged.policy_id != plain.policy_id
}
