//! Who may use a resource through shares, told for everybody at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gds, Party};
use crate::acl::{Acls, Telling};
use crate::engine::Engine;
use crate::evaluate::Run;
use crate::model::PolicyType;
use crate::names::{Names, Symbol};

impl Gds {
    /// Who has which access to the requested resource.
    pub(crate) fn acls(&self, run: &Run<'_, '_>, zones: &[&str]) -> Acls {
        let mut acls = Acls::default();
        let by_share = self.shared_resources(run, zones, PolicyType::Access);
        for share_id in self.shares_in_order(by_share.keys().copied()) {
            let Some(share) = self.shares.get(&share_id).filter(|share| share.counts(&run.facts)) else { continue };
            for thing in by_share.get(&share_id).into_iter().flatten().filter(|thing| thing.covers(run)) {
                let conditional = share.is_conditional() || thing.is_conditional();
                self.add_share(&mut acls, share_id, &thing.accesses, conditional, run);
            }
        }
        acls.finish();
        acls
    }

    fn add_share(&self, acls: &mut Acls, share: i64, accesses: &[String], conditional: bool, run: &Run<'_, '_>) {
        let at = run.facts.request.at;
        for member in self.in_datasets.iter().filter(|member| member.inner == share) {
            let Some(dataset) = self.datasets.get(&member.outer).filter(|dataset| dataset.is_active(at)) else {
                continue;
            };
            let conditional = conditional || member.schedule.is_some();
            acls.datasets.insert(dataset.name.clone());
            add_party(acls, dataset, accesses, conditional, run);
            for member in self.in_projects.iter().filter(|project| project.inner == member.outer) {
                let Some(project) = self.projects.get(&member.outer).filter(|project| project.is_active(at)) else {
                    continue;
                };
                acls.projects.insert(project.name.clone());
                add_party(acls, project, accesses, conditional || member.schedule.is_some(), run);
            }
        }
    }

    /// The resources of shares, of datasets, and of projects, by number.
    fn resources_of(&self, parts: &Parts<'_>, at: jiff::Timestamp) -> BTreeSet<i64> {
        let in_dataset = |share: i64, dataset: i64| {
            self.in_datasets.iter().any(|m| m.inner == share && m.outer == dataset && m.is_active(at))
        };
        let in_project = |share: i64, project: i64| {
            let datasets = self.in_projects.iter().filter(|m| m.outer == project && m.is_active(at)).map(|m| m.inner);
            datasets.into_iter().any(|dataset| in_dataset(share, dataset))
        };
        let wanted = |share: i64| {
            parts.shares.contains(&share)
                || parts.datasets.iter().any(|dataset| in_dataset(share, *dataset))
                || parts.projects.iter().any(|project| in_project(share, *project))
        };
        self.resources.iter().filter(|thing| wanted(thing.share)).map(|thing| thing.id).collect()
    }
}

impl Engine {
    /// The datasets that somebody of these may use, by number.
    pub fn datasets_of(&self, who: &Principals<'_>) -> BTreeSet<i64> {
        self.gds.as_ref().map(|gds| parties_of(&gds.datasets, who, &self.names)).unwrap_or_default()
    }

    /// The projects that somebody of these may use, by number.
    pub fn projects_of(&self, who: &Principals<'_>) -> BTreeSet<i64> {
        self.gds.as_ref().map(|gds| parties_of(&gds.projects, who, &self.names)).unwrap_or_default()
    }

    /// The resources of shares, of datasets, and of projects, by number.
    pub fn resources_of(&self, parts: &Parts<'_>, at: jiff::Timestamp) -> BTreeSet<i64> {
        self.gds.as_ref().map(|gds| gds.resources_of(parts, at)).unwrap_or_default()
    }
}

/// Users, groups and roles.
#[derive(Debug, Clone, Copy, Default)]
pub struct Principals<'p> {
    /// Users.
    pub users: &'p [String],
    /// Groups.
    pub groups: &'p [String],
    /// Roles.
    pub roles: &'p [String],
}

/// Shares, datasets and projects, by number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'p> {
    /// Shares.
    pub shares: &'p [i64],
    /// Datasets.
    pub datasets: &'p [i64],
    /// Projects.
    pub projects: &'p [i64],
}

fn parties_of(parties: &BTreeMap<i64, Party>, who: &Principals<'_>, names: &Names) -> BTreeSet<i64> {
    let named = |list: &[Symbol], some: &[String]| {
        some.iter().any(|name| names.find(name).is_some_and(|symbol| list.contains(&symbol)))
    };
    let names_some = |party: &Party| {
        party.policies.iter().any(|policy| {
            let all = &policy.gate.who;
            named(&all.users, who.users) || named(&all.groups, who.groups) || named(&all.roles, who.roles)
        })
    };
    parties.iter().filter(|(_, party)| names_some(party)).map(|(id, _)| *id).collect()
}

fn add_party(acls: &mut Acls, party: &Party, accesses: &[String], conditional: bool, run: &Run<'_, '_>) {
    let telling = Telling { names: &run.engine.names, service: &run.engine.service };
    for policy in &party.policies {
        acls.add_policy(policy, conditional, Some(accesses), &telling);
    }
}
