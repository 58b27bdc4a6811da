//! Who policies name for an access to a resource, whether or not they decide: Ranger's `RangerResourceAccessInfo`.

use std::collections::BTreeSet;

use crate::condition::{Verdict, all_hold};
use crate::engine::Engine;
use crate::evaluate::{elements_of, tag_element};
use crate::facts::{Facts, RoleNames};
use crate::model::PolicyType;
use crate::policy::{Item, Items, Prepared};
use crate::request::Request;
use crate::resource::{MatchType, Target};

/// The users and groups that policies name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessInfo {
    /// Users who are allowed, by some policy and denied by none.
    pub allowed_users: BTreeSet<String>,
    /// The same of groups.
    pub allowed_groups: BTreeSet<String>,
    /// Users who are denied.
    pub denied_users: BTreeSet<String>,
    /// The same of groups.
    pub denied_groups: BTreeSet<String>,
}

impl Engine {
    /// Who is named for the requested access; who asks does not count.
    pub fn access_info(&self, request: &Request<'_>) -> AccessInfo {
        let mut info = AccessInfo::default();
        let facts = self.facts(request, RoleNames::Stated(&[]));
        let elements = elements_of(self.service.levels(PolicyType::Access), request);
        let target = Target { elements: elements.as_deref() };
        let tags = if self.tag_repository.is_some() { self.tags_of(&facts, target) } else { Vec::new() };
        let zones = self.zone_matcher.zones(target);
        let zones: Vec<Option<&str>> = if zones.is_empty() {
            vec![None]
        } else {
            zones.into_iter().map(|zone| Some(zone).filter(|z| !z.is_empty())).collect()
        };
        for zone in zones {
            self.add_tag_info(&mut info, zone, &tags, &facts);
            let repository = zone.and_then(|zone| self.zones.get(zone)).unwrap_or(&self.repository);
            for policy in repository.candidates(PolicyType::Access, target, true) {
                for set in &policy.resources {
                    self.add_info(&mut info, policy, set.match_type(target, &facts), &facts);
                }
            }
            info.allowed_users.retain(|user| !info.denied_users.contains(user));
            info.allowed_groups.retain(|group| !info.denied_groups.contains(group));
        }
        info
    }

    fn add_tag_info<'c>(
        &self,
        info: &mut AccessInfo,
        zone: Option<&str>,
        tags: &[crate::facts::FoundTag<'c>],
        facts: &Facts<'c>,
    ) {
        let Some(repository) = &self.tag_repository else { return };
        let own_zone = zone.filter(|zone| self.zone_matcher.has_tag_policies(zone)).unwrap_or_default();
        for tag in tags {
            let element = tag_element(repository.service.levels(PolicyType::Access), &tag.data.kind);
            let target = Target { elements: element.as_ref().map(std::slice::from_ref) };
            let facts = facts.for_tag(*tag);
            let found = repository.on_tag(PolicyType::Access, target, &facts).map(|(policy, _)| policy);
            for policy in found.filter(|policy| *policy.zone == *own_zone) {
                self.add_info(info, policy, tag.match_type, &facts);
            }
        }
    }

    fn add_info(&self, info: &mut AccessInfo, policy: &Prepared, match_type: MatchType, facts: &Facts<'_>) {
        if match_type == MatchType::None {
            return;
        }
        let (users, groups) = self.named(&policy.allow, facts);
        info.allowed_users.extend(users);
        info.allowed_groups.extend(groups);
        if match_type != MatchType::Below {
            let (users, groups) = self.named(&policy.deny, facts);
            info.denied_users.extend(users);
            info.denied_groups.extend(groups);
        }
    }

    /// Whom items name, without those whom exceptions name.
    fn named(&self, items: &Items, facts: &Facts<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
        let request = facts.request;
        let access = self.names.find(&crate::matcher::folded(request.access));
        let is_about = |item: &&Item| {
            let about_access = if request.is_admin() {
                item.delegates
            } else {
                (request.is_any() && !item.accesses.is_empty())
                    || access.is_some_and(|access| item.accesses.binary_search(&access).is_ok())
            };
            about_access && all_hold(&item.conditions, facts).0 == Verdict::Holds
        };
        let all = |items: &[Item]| {
            let about: Vec<&Item> = items.iter().filter(is_about).collect();
            let texts = |symbols: &[crate::names::Symbol]| -> Vec<String> {
                symbols.iter().map(|symbol| self.names.text(*symbol).to_owned()).collect()
            };
            let users: BTreeSet<String> = about.iter().flat_map(|item| texts(&item.who.users)).collect();
            let groups: BTreeSet<String> = about.iter().flat_map(|item| texts(&item.who.groups)).collect();
            (users, groups)
        };
        let (users, groups) = all(&items.items);
        let (except_users, except_groups) = all(&items.exceptions);
        (&users - &except_users, &groups - &except_groups)
    }
}
