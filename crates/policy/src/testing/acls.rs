//! Files that tell who has which access to a resource.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::engine_file::{RoleLists, roles};
use super::request::{FileResource, Lists};
use super::{CaseReport, TestRun};
use crate::acl::{AclEntry, AclOutcome, AclTable, Acls};
use crate::engine::{Engine, Options, Sources};
use crate::json::{ReadError, read};
use crate::model::{DataMaskInfo, PolicyType, RowFilterInfo, ServicePolicies, ServiceTags, UserStore};
use crate::request::{ADMIN_ACCESS, ANY_ACCESS, Request};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AclFile {
    test_cases: Vec<AclGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AclGroup {
    name: String,
    service_policies: ServicePolicies,
    service_tags: Option<ServiceTags>,
    user_store: Option<UserStore>,
    #[serde(flatten)]
    roles: RoleLists,
    tests: Vec<AclCase>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AclCase {
    name: String,
    resource: FileResource,
    user_permissions: Permissions,
    group_permissions: Permissions,
    role_permissions: Permissions,
    data_masks: Vec<FileOutcome>,
    row_filters: Vec<FileOutcome>,
}

type Permissions = BTreeMap<String, BTreeMap<String, FileEntry>>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FileEntry {
    result: i32,
    is_final: bool,
}

impl FileEntry {
    pub(super) fn of(entry: &AclEntry) -> Self {
        Self { result: entry.result.number(), is_final: entry.is_final }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileOutcome {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    roles: BTreeSet<String>,
    access_types: BTreeSet<String>,
    mask_info: Option<DataMaskInfo>,
    filter_info: Option<RowFilterInfo>,
    is_conditional: bool,
}

pub(super) fn run(text: &str, run: &TestRun<'_>) -> Result<Vec<CaseReport>, ReadError> {
    let file: AclFile = read(text)?;
    let mut reports = Vec::new();
    for group in file.test_cases {
        let sources = Sources {
            policies: group.service_policies,
            roles: roles(&group.roles),
            tags: group.service_tags,
            user_store: group.user_store,
            ..Sources::default()
        };
        let engine = Engine::new(&sources, Options { mode: run.mode, ..Options::default() });
        for case in &group.tests {
            let report = run_case(&engine, case, run);
            reports.push(CaseReport { name: format!("{}: {}", group.name, case.name), ..report });
        }
    }
    Ok(reports)
}

fn run_case(engine: &Engine, case: &AclCase, run: &TestRun<'_>) -> CaseReport {
    let lists = Lists::of(&case.resource);
    let resource = lists.values(&case.resource);
    let owner = case.resource.owner_user.as_deref();
    let acls =
        engine.acls(&Request { resource: &resource, owner, access: ANY_ACCESS, at: run.now, ..Request::default() });
    let tables = [
        ("users", &case.user_permissions, &acls.users),
        ("groups", &case.group_permissions, &acls.groups),
        ("roles", &case.role_permissions, &acls.roles),
    ];
    let failures = tables.into_iter().map(|(what, expected, found)| {
        let found = told(found);
        compare(&case.name, what, expected, &found)
    });
    let found_masks = outcomes(&acls, PolicyType::DataMask);
    let found_filters = outcomes(&acls, PolicyType::RowFilter);
    let others = [
        compare_outcomes(&case.name, "masks", &case.data_masks, &found_masks),
        compare_outcomes(&case.name, "filters", &case.row_filters, &found_filters),
    ];
    let failure = failures.chain(others).find_map(|report| report.failure);
    CaseReport { name: case.name.clone(), failure }
}

fn told(table: &AclTable) -> Permissions {
    let entries = |accesses: &BTreeMap<String, AclEntry>| {
        let entry = |(access, entry): (&String, &AclEntry)| (access.clone(), FileEntry::of(entry));
        accesses.iter().filter(|(access, _)| *access != ADMIN_ACCESS).map(entry).collect()
    };
    let all = table.iter().map(|(name, accesses)| (name.clone(), entries(accesses)));
    all.filter(|(_, accesses): &(String, BTreeMap<_, _>)| !accesses.is_empty()).collect()
}

/// Ranger's runner leaves out of the comparison what it expects of those whom the engine does not name.
fn compare(name: &str, what: &str, expected: &Permissions, found: &Permissions) -> CaseReport {
    let named: Permissions = expected
        .iter()
        .filter(|(who, _)| found.contains_key(*who))
        .map(|(who, accesses)| (who.clone(), without_admin(accesses)))
        .collect();
    CaseReport::compare(name, format!("{what} {named:?}"), format!("{what} {found:?}"), || format!("{expected:?}"))
}

fn without_admin(accesses: &BTreeMap<String, FileEntry>) -> BTreeMap<String, FileEntry> {
    accesses
        .iter()
        .filter(|(access, _)| *access != ADMIN_ACCESS)
        .map(|(access, entry)| (access.clone(), *entry))
        .collect()
}

fn outcomes(acls: &Acls, kind: PolicyType) -> Vec<FileOutcome> {
    let list = if kind == PolicyType::DataMask { &acls.masks } else { &acls.filters };
    let outcome = |outcome: &AclOutcome| FileOutcome {
        users: outcome.users.clone(),
        groups: outcome.groups.clone(),
        roles: outcome.roles.clone(),
        access_types: outcome.accesses.clone(),
        mask_info: (kind == PolicyType::DataMask).then(|| DataMaskInfo {
            data_mask_type: outcome.mask.clone(),
            value_expr: outcome.expression.clone(),
            ..DataMaskInfo::default()
        }),
        filter_info: (kind == PolicyType::RowFilter).then(|| RowFilterInfo { filter_expr: outcome.expression.clone() }),
        is_conditional: outcome.is_conditional,
    };
    list.iter().map(outcome).collect()
}

/// Lists are compared where a case has them.
fn compare_outcomes(name: &str, what: &str, expected: &[FileOutcome], found: &[FileOutcome]) -> CaseReport {
    let sorted = |list: &[FileOutcome]| {
        let mut list = list.to_vec();
        list.sort_unstable_by_key(|outcome| format!("{outcome:?}"));
        list
    };
    if expected.is_empty() {
        return CaseReport { name: name.to_owned(), failure: None };
    }
    CaseReport::compare(
        name,
        format!("{what} {:?}", sorted(expected)),
        format!("{what} {:?}", sorted(found)),
        String::new,
    )
}
