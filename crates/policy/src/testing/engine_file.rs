//! Files with policies and requests.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::answers::AnsweredCase;
use super::request::{FileRequest, OwnedRequest};
use super::{CaseReport, TestRun};
use crate::decision::Decision;
use crate::definitions::library_file;
use crate::engine::{Engine, Options, Sources};
use crate::geo::Geolocation;
use crate::json::{ReadError, read};
use crate::model::{
    EnricherDef, Policy, PolicyDelta, PolicyType, Role, RoleMember, Roles, SecurityZone, ServiceDef, ServiceGdsInfo,
    ServicePolicies, ServiceTags, TagPolicies, Text, UserStore,
};

/// Date formats of the runner's configuration.
const DATE_FORMATS: &str = "abcd||xyz||yyyy/MM/dd'T'HH:mm:ss.SSS'Z'";
/// Trusted proxies of the runner's configuration.
const TRUSTED_PROXIES: [&str; 3] = ["255.255.255.255", "128.101.101.101", "128.101.101.99"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EngineFile {
    service_name: String,
    service_def: ServiceDef,
    policies: Vec<Policy>,
    tag_policy_info: Option<TagPolicyInfo>,
    security_zones: BTreeMap<String, SecurityZone>,
    #[serde(flatten)]
    roles: RoleLists,
    audit_mode: Option<String>,
    service_config: BTreeMap<String, Text>,
    super_users: Vec<String>,
    super_groups: Vec<String>,
    audit_excluded_users: Vec<String>,
    audit_excluded_groups: Vec<String>,
    audit_excluded_roles: Vec<String>,
    tests: Vec<FileCase>,
    updated_policies: Option<UpdatedPolicies>,
    updated_tests: Vec<FileCase>,
}

/// The roles of each member.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RoleLists {
    user_roles: BTreeMap<String, Vec<String>>,
    group_roles: BTreeMap<String, Vec<String>>,
    role_roles: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TagPolicyInfo {
    service_name: String,
    service_def: ServiceDef,
    service_config: BTreeMap<String, Text>,
    tag_policies: Vec<Policy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UpdatedPolicies {
    security_zones: BTreeMap<String, SecurityZone>,
    policy_deltas: Vec<PolicyDelta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileCase {
    name: String,
    request: FileRequest,
    result: Option<FileResult>,
    data_mask_result: Option<FileResult>,
    row_filter_result: Option<FileResult>,
    resource_access_info: Option<FileAccessInfo>,
    user_attributes: BTreeMap<String, BTreeMap<String, Text>>,
    group_attributes: BTreeMap<String, BTreeMap<String, Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileResult {
    is_allowed: bool,
    is_audited: bool,
    policy_id: i64,
    additional_info: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileAccessInfo {
    allowed_users: BTreeSet<String>,
    allowed_groups: BTreeSet<String>,
    denied_users: BTreeSet<String>,
    denied_groups: BTreeSet<String>,
}

pub(super) fn run(
    name: &str,
    text: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
    run: &TestRun<'_>,
) -> Result<Vec<CaseReport>, ReadError> {
    let mut file: EngineFile = read(text)?;
    let (tests, updated_tests) = (std::mem::take(&mut file.tests), std::mem::take(&mut file.updated_tests));
    let updated = file.updated_policies.take();
    let options = options(name, &file, run);
    let engine = Engine::new(&sources(file, resolve), options);
    let mut reports = run_cases(&engine, (name, "initial"), tests, run);
    if let Some(updated) = updated {
        let changes = ServicePolicies {
            policy_deltas: updated.policy_deltas,
            security_zones: updated.security_zones,
            ..ServicePolicies::default()
        };
        reports.extend(run_cases(&engine.update(&changes), (name, "updated"), updated_tests, run));
    }
    Ok(reports)
}

fn options(name: &str, file: &EngineFile, run: &TestRun<'_>) -> Options {
    // The runner has one file run in another zone.
    let pacific = name.contains("temporary").then(|| crate::dates::named_zone("PST"));
    let config = [
        ("super.users", &file.super_users),
        ("super.groups", &file.super_groups),
        ("audit.exclude.users", &file.audit_excluded_users),
        ("audit.exclude.groups", &file.audit_excluded_groups),
        ("audit.exclude.roles", &file.audit_excluded_roles),
    ];
    Options {
        mode: run.mode,
        time_zone: pacific,
        date_formats: DATE_FORMATS.to_owned(),
        trusted_proxies: TRUSTED_PROXIES.map(str::to_owned).into(),
        uses_forwarded_addresses: true,
        plugin_config: config.map(|(name, list)| (name.to_owned(), list.clone())).into(),
        ..Options::default()
    }
}

fn sources(file: EngineFile, resolve: &dyn Fn(&str) -> Option<String>) -> Sources {
    let mut sources = Sources { roles: roles(&file.roles), ..Sources::default() };
    let of_tags = file.tag_policy_info.iter().flat_map(|info| &info.service_def.context_enrichers);
    for enricher in of_tags.chain(&file.service_def.context_enrichers) {
        load(enricher, resolve, &mut sources);
    }
    sources.policies = ServicePolicies {
        service_name: file.service_name,
        policy_version: Some(100),
        service_def: file.service_def,
        audit_mode: file.audit_mode.clone(),
        policies: file.policies,
        tag_policies: file.tag_policy_info.map(|info| TagPolicies {
            service_name: info.service_name,
            service_def: info.service_def,
            audit_mode: file.audit_mode,
            policies: info.tag_policies,
            service_config: info.service_config,
        }),
        security_zones: file.security_zones,
        policy_deltas: Vec::new(),
        service_config: file.service_config,
    };
    sources
}

/// Reads what an enricher would have read; what is not there stays missing.
fn load(enricher: &EnricherDef, resolve: &dyn Fn(&str) -> Option<String>, sources: &mut Sources) {
    let option = |name: &str| enricher.enricher_options.get(name).map(Text::as_str);
    let text = |name: &str| option(name).and_then(resolve);
    match enricher.enricher.rsplit('.').next() {
        Some("RangerTagEnricher") => {
            sources.tags = text("serviceTagsFileName").and_then(|text| read::<ServiceTags>(&text).ok());
        }
        Some("RangerUserStoreEnricher") => {
            sources.user_store = text("userStoreFileName").and_then(|text| read::<UserStore>(&text).ok());
        }
        Some("RangerGdsEnricher") => {
            sources.gds = text("gdsInfoFileName").and_then(|text| read::<ServiceGdsInfo>(&text).ok());
        }
        Some("RangerFileBasedGeolocationProvider") => {
            let prefix = option("geolocation.meta.prefix").unwrap_or_default();
            let dotted = option("IPInDotFormat").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            let table = text("FilePath")
                .or_else(|| option("FilePath").and_then(library_file))
                .map(|text| Geolocation::read(&text, prefix, dotted));
            sources.geolocations.extend(table);
        }
        _ => {}
    }
}

/// Files list the roles of each member; here each role has its members.
pub(super) fn roles(file: &RoleLists) -> Roles {
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    type Members = fn(&mut Role) -> &mut Vec<RoleMember>;
    let members: [Members; 3] = [|role| &mut role.users, |role| &mut role.groups, |role| &mut role.roles];
    let lists = [&file.user_roles, &file.group_roles, &file.role_roles];
    for (map, members) in lists.into_iter().zip(members) {
        for (member, names) in map {
            for name in names {
                let role = roles.entry(name).or_insert_with(|| Role { name: name.clone(), ..Role::default() });
                members(role).push(RoleMember::named(member));
            }
        }
    }
    Roles { ranger_roles: roles.into_values().collect(), role_version: Some(-1) }
}

fn run_cases(engine: &Engine, (file, phase): (&str, &str), cases: Vec<FileCase>, run: &TestRun<'_>) -> Vec<CaseReport> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut reports = Vec::new();
    for case in cases {
        let count = seen.entry(case.name.clone()).or_default();
        let answered = AnsweredCase { file, phase, name: &case.name, nth: *count };
        *count += 1;
        let answer = |kind| run.answers.and_then(|answers| answers.policy_id(&answered, kind));
        let has_attributes = !case.user_attributes.is_empty() || !case.group_attributes.is_empty();
        let store = has_attributes.then(|| UserStore {
            user_attr_mapping: case.user_attributes.clone(),
            group_attr_mapping: case.group_attributes.clone(),
            ..UserStore::default()
        });
        let request = OwnedRequest::new(case.request.clone(), store, run.now);
        reports.push(run_case(engine, &case, &request, answer));
    }
    reports
}

/// What is compared of a decision.
type Describe = fn(&Decision<'_>) -> String;

fn run_case(
    engine: &Engine,
    case: &FileCase,
    request: &OwnedRequest,
    answer: impl Fn(PolicyType) -> Option<i64>,
) -> CaseReport {
    let mut report = CaseReport { name: case.name.clone(), failure: None };
    let mut compare = |kind, describe: Describe, expected: &FileResult| {
        let id = answer(kind);
        let with_id = |text: String, id: Option<i64>| id.map_or(text.clone(), |id| format!("{text}, answered by {id}"));
        let (actual, explanation) = request.with(|request| {
            let told = |decision: &Decision<'_>| with_id(describe(decision), id.map(|_| decision.policy_id));
            let (explained, explanation) = engine.explain(request, kind);
            let (explained, plain) = (told(&explained), told(&engine.evaluate(request, kind)));
            // To explain must not change the decision.
            let actual = if explained == plain { plain } else { format!("{plain}; explained: {explained}") };
            (actual, explanation)
        });
        let expected = with_id(expect(kind, expected), id);
        let compared = CaseReport::compare(&case.name, expected, actual, || explanation.to_string());
        report.failure = report.failure.take().or(compared.failure);
    };
    if let Some(expected) = &case.result {
        compare(PolicyType::Access, describe_access, expected);
    }
    if let Some(expected) = &case.data_mask_result {
        compare(PolicyType::DataMask, describe_mask, expected);
    }
    if let Some(expected) = &case.row_filter_result {
        compare(PolicyType::RowFilter, describe_filter, expected);
    }
    if let Some(expected) = &case.resource_access_info {
        let found = request.with(|request| engine.access_info(request));
        let expected =
            [&expected.allowed_users, &expected.allowed_groups, &expected.denied_users, &expected.denied_groups];
        let found = [&found.allowed_users, &found.allowed_groups, &found.denied_users, &found.denied_groups];
        let compared = CaseReport::compare(&case.name, format!("{expected:?}"), format!("{found:?}"), String::new);
        report.failure = report.failure.or(compared.failure);
    }
    report
}

fn info<'r>(result: &'r FileResult, name: &str) -> Option<&'r str> {
    result.additional_info.get(name).and_then(Value::as_str)
}

fn expect(kind: PolicyType, result: &FileResult) -> String {
    match kind {
        PolicyType::Access => access_text(result.is_allowed, result.is_audited),
        PolicyType::DataMask => mask_text(
            info(result, "maskType"),
            info(result, "maskCondition"),
            info(result, "maskedValue"),
            result.policy_id,
        ),
        PolicyType::RowFilter => filter_text(info(result, "filterExpr"), result.policy_id),
    }
}

fn access_text(allowed: bool, audited: bool) -> String {
    let word = if allowed { "allowed" } else { "denied" };
    format!("{word}, {}", if audited { "audited" } else { "not audited" })
}

fn mask_text(kind: Option<&str>, condition: Option<&str>, value: Option<&str>, policy: i64) -> String {
    format!("mask {kind:?}, condition {condition:?}, value {value:?}, policy {policy}")
}

fn filter_text(filter: Option<&str>, policy: i64) -> String {
    format!("filter {filter:?}, policy {policy}")
}

fn describe_access(decision: &Decision<'_>) -> String {
    access_text(decision.is_allowed, decision.is_audited)
}

fn describe_mask(decision: &Decision<'_>) -> String {
    let mask = decision.mask.as_ref();
    let (kind, condition) = (mask.and_then(|mask| mask.kind), mask.and_then(|mask| mask.condition));
    mask_text(kind, condition, mask.and_then(|mask| mask.value.as_deref()), decision.policy_id)
}

fn describe_filter(decision: &Decision<'_>) -> String {
    filter_text(decision.filter.as_deref(), decision.policy_id)
}
