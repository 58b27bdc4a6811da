//! Files with what is shared, and requests against it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::request::{FileRequest, OwnedRequest};
use super::{CaseReport, TestRun};
use crate::acl::{AclEntry, AclTable, Acls};
use crate::definitions::service_definition;
use crate::engine::{Engine, Options, Sources};
use crate::gds::{Parts, Principals, Shared};
use crate::json::{ReadError, read};
use crate::model::{SecurityZone, ServiceDef, ServiceGdsInfo, ServicePolicies};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ShareFile {
    service_type: String,
    service_def: Option<ServiceDef>,
    security_zones: BTreeMap<String, SecurityZone>,
    gds_info: Option<ServiceGdsInfo>,
    gds_info_filename: String,
    tests: Vec<ShareCase>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ShareCase {
    name: String,
    request: Option<FileRequest>,
    result: Option<ShareResult>,
    acls: Option<ShareAcls>,
    shared_with: Option<With>,
    datasets: Option<BTreeSet<i64>>,
    projects: Option<BTreeSet<i64>>,
    resource_ids: Option<BTreeSet<i64>>,
    data_share_id: Option<i64>,
    dataset_id: Option<i64>,
    project_id: Option<i64>,
    data_share_ids: Vec<i64>,
    dataset_ids: Vec<i64>,
    project_ids: Vec<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct With {
    users: Vec<String>,
    groups: Vec<String>,
    roles: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ShareResult {
    is_allowed: bool,
    is_audited: bool,
    policy_id: i64,
    policy_version: Option<i64>,
    mask_type: Option<String>,
    masked_value: Option<String>,
    mask_condition: Option<String>,
    row_filters: Vec<String>,
    datasets: BTreeSet<String>,
    projects: BTreeSet<String>,
    allowed_by_datasets: BTreeSet<String>,
    allowed_by_projects: BTreeSet<String>,
}

impl Default for ShareResult {
    fn default() -> Self {
        Self {
            is_allowed: false,
            is_audited: false,
            policy_id: -1,
            policy_version: None,
            mask_type: None,
            masked_value: None,
            mask_condition: None,
            row_filters: Vec::new(),
            datasets: BTreeSet::new(),
            projects: BTreeSet::new(),
            allowed_by_datasets: BTreeSet::new(),
            allowed_by_projects: BTreeSet::new(),
        }
    }
}

impl ShareResult {
    fn of(shared: &Shared<'_>) -> Self {
        let mask = shared.mask.as_ref();
        Self {
            is_allowed: shared.is_allowed,
            is_audited: shared.is_audited,
            policy_id: shared.policy_id,
            policy_version: shared.policy_version,
            mask_type: mask.and_then(|mask| mask.kind).map(str::to_owned),
            masked_value: mask.and_then(|mask| mask.value.as_deref()).map(str::to_owned),
            mask_condition: mask.and_then(|mask| mask.condition).map(str::to_owned),
            row_filters: shared.filters.iter().map(|filter| (*filter).to_owned()).collect(),
            datasets: shared.datasets.clone(),
            projects: shared.projects.clone(),
            allowed_by_datasets: shared.allowed_by_datasets.clone(),
            allowed_by_projects: shared.allowed_by_projects.clone(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ShareAcls {
    #[serde(rename = "userACLs")]
    users: Entries,
    #[serde(rename = "groupACLs")]
    groups: Entries,
    #[serde(rename = "roleACLs")]
    roles: Entries,
    datasets: BTreeSet<String>,
    projects: BTreeSet<String>,
}

type Entries = BTreeMap<String, BTreeMap<String, super::acls::FileEntry>>;

impl ShareAcls {
    fn of(acls: &Acls) -> Self {
        let entry = |(access, entry): (&String, &AclEntry)| (access.clone(), super::acls::FileEntry::of(entry));
        let table = |table: &AclTable| {
            table.iter().map(|(name, accesses)| (name.clone(), accesses.iter().map(entry).collect())).collect()
        };
        Self {
            users: table(&acls.users),
            groups: table(&acls.groups),
            roles: table(&acls.roles),
            datasets: acls.datasets.clone(),
            projects: acls.projects.clone(),
        }
    }
}

pub(super) fn run(
    text: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
    run: &TestRun<'_>,
) -> Result<Vec<CaseReport>, ReadError> {
    let file: ShareFile = read(text)?;
    let gds = match file.gds_info {
        Some(info) => Some(info),
        None => resolve(&file.gds_info_filename).map(|text| read(&text)).transpose()?,
    };
    let service_def = match file.service_def {
        Some(def) => def,
        None => service_definition(&file.service_type).transpose()?.unwrap_or_default(),
    };
    let policies = ServicePolicies { service_def, security_zones: file.security_zones, ..ServicePolicies::default() };
    let sources = Sources { policies, gds, ..Sources::default() };
    let engine = Engine::new(&sources, Options { mode: run.mode, ..Options::default() });
    Ok(file.tests.into_iter().map(|case| run_case(&engine, case, run)).collect())
}

fn run_case(engine: &Engine, case: ShareCase, run: &TestRun<'_>) -> CaseReport {
    let mut found = Vec::new();
    if let Some(request) = &case.request {
        let request = OwnedRequest::new(request.clone(), None, run.now);
        if let Some(expected) = &case.acls {
            let acls = request.with(|request| ShareAcls::of(&engine.share_acls(request)));
            found.push((format!("{expected:?}"), format!("{acls:?}")));
        } else {
            let shared = request.with(|request| engine.shared(request).map(|shared| ShareResult::of(&shared)));
            found.push((format!("{:?}", case.result), format!("{shared:?}")));
        }
    }
    if let Some(with) = &case.shared_with {
        let who = Principals { users: &with.users, groups: &with.groups, roles: &with.roles };
        if let Some(expected) = &case.datasets {
            found.push((format!("datasets {expected:?}"), format!("datasets {:?}", engine.datasets_of(&who))));
        }
        if let Some(expected) = &case.projects {
            found.push((format!("projects {expected:?}"), format!("projects {:?}", engine.projects_of(&who))));
        }
    }
    if let Some(expected) = &case.resource_ids {
        let list = |one: Option<i64>, many: &[i64]| one.into_iter().chain(many.iter().copied()).collect::<Vec<_>>();
        let shares = list(case.data_share_id, &case.data_share_ids);
        let datasets = list(case.dataset_id, &case.dataset_ids);
        let projects = list(case.project_id, &case.project_ids);
        let parts = Parts { shares: &shares, datasets: &datasets, projects: &projects };
        found
            .push((format!("resources {expected:?}"), format!("resources {:?}", engine.resources_of(&parts, run.now))));
    }
    let (expected, found): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    CaseReport::compare(&case.name, expected.join("\n"), found.join("\n"), String::new)
}
