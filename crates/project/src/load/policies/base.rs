//! What YAML policies are added to: the documents' service, or Hive's levels, masks and kinds of access.

use std::collections::BTreeMap;

use lockgate_policy::model::{
    AccessTypeDef, DataMaskDef, Policy, ResourceDef, ServiceDef, ServicePolicies, TagPolicies,
};
use lockgate_policy::{Document, Sources};

use super::conditions;
use crate::policies::{PolicyOrigin, UNSEAL_ACCESS};
use crate::{FileId, SourceFiles, Span};

/// The name of the service that YAML policies belong to where no document names one.
const SERVICE: &str = "lockgate";
/// The name of the service of tags.
const TAG_SERVICE: &str = "lockgate_tag";

/// A service like Hive without policies. Masks and filters take patterns, other than in Hive's own definition.
pub(super) fn built_in() -> Sources {
    let mut sources = Sources::default();
    // An export without policies has the definition that is built in; nothing of it can be unknown.
    if sources.add(Document::Export(Vec::new())).is_err() {
        return sources;
    }
    let policies = &mut sources.policies;
    policies.service_name = SERVICE.to_owned();
    let def = &mut policies.service_def;
    let masked = def.data_mask_def.resources.iter_mut().chain(&mut def.row_filter_def.resources);
    masked.for_each(|level| level.matcher_options.clear());
    sources
}

/// Adds the kind of access that opens sealed values, where the service has none.
pub(super) fn add_unseal(policies: &mut ServicePolicies) {
    add_access(&mut policies.service_def);
    if let Some(tags) = &mut policies.tag_policies {
        let kind = policies.service_def.name.clone();
        if !tags.service_def.access_types.iter().any(|def| def.name == format!("{kind}:{UNSEAL_ACCESS}")) {
            add_access(&mut tags.service_def);
        }
    }
}

fn add_access(def: &mut ServiceDef) {
    if !def.access_types.iter().any(|access| access.name.eq_ignore_ascii_case(UNSEAL_ACCESS)) {
        def.access_types.push(AccessTypeDef { name: UNSEAL_ACCESS.to_owned(), ..AccessTypeDef::default() });
    }
}

/// Adds the conditions that YAML can name, and a service of tags: without one, the tags of a request are not looked at.
pub(super) fn prepare_for_yaml(policies: &mut ServicePolicies) {
    let def = tag_service_def(&policies.service_def);
    let tags = policies.tag_policies.get_or_insert_with(|| TagPolicies {
        service_name: TAG_SERVICE.to_owned(),
        service_def: def,
        ..TagPolicies::default()
    });
    tags.service_def.policy_conditions.extend(conditions::definitions());
    policies.service_def.policy_conditions.extend(conditions::definitions());
}

/// The definition of tags on the columns of a service.
fn tag_service_def(component: &ServiceDef) -> ServiceDef {
    let level = || ResourceDef { name: "tag".to_owned(), level: 1, ..ResourceDef::default() };
    ServiceDef {
        name: "tag".to_owned(),
        resources: vec![level()],
        access_types: component.access_types.clone(),
        policy_conditions: component.policy_conditions.clone(),
        data_mask_def: DataMaskDef { resources: vec![level()], ..component.data_mask_def.clone() },
        ..ServiceDef::default()
    }
}

/// What a document is of; an export and what a plugin downloads are both policies.
pub(super) fn kind_of(document: &Document) -> &'static str {
    match document {
        Document::Policies(_) | Document::Export(_) => "policies",
        Document::Tags(_) => "tags",
        Document::Roles(_) => "roles",
        Document::UserStore(_) => "users",
        Document::Shares(_) => "shares",
    }
}

/// The policies of a document by their numbers, each at its name in the text.
pub(super) fn origins_of(document: &Document, file: FileId, files: &SourceFiles) -> BTreeMap<i64, PolicyOrigin> {
    let policies: Vec<_> = match document {
        Document::Policies(policies) => {
            let of_tags = policies.tag_policies.iter().flat_map(|tags| &tags.policies);
            let of_zones = policies.security_zones.values().flat_map(|zone| &zone.policies);
            policies.policies.iter().chain(of_tags).chain(of_zones).collect()
        }
        Document::Export(policies) => policies.iter().collect(),
        Document::Tags(_) | Document::Roles(_) | Document::UserStore(_) | Document::Shares(_) => Vec::new(),
    };
    let places = names_in(files.text(file));
    let origin = |policy: &Policy| {
        let at = places.get(policy.name.as_str()).copied().unwrap_or_default();
        let end = if at == 0 { 0 } else { at + policy.name.len() };
        let span = Span { file, start: at, end };
        (policy.id(), PolicyOrigin { name: policy.name.clone(), span, parts: BTreeMap::new() })
    };
    policies.into_iter().map(origin).collect()
}

/// Where each text stands that follows a member `name`, the first time.
fn names_in(text: &str) -> BTreeMap<&str, usize> {
    let mut places = BTreeMap::new();
    for (at, found) in text.match_indices("name") {
        let after = at + found.len();
        let Some(rest) = text.get(after..) else { continue };
        let value = rest.trim_start_matches(['"', '\'', ' ', '\t', '\r', '\n', ':']);
        let start = after + (rest.len() - value.len());
        let quote = text.get(..start).and_then(|before| before.chars().next_back());
        if let Some(quote @ ('"' | '\'')) = quote
            && let Some((name, _)) = value.split_once(quote)
        {
            places.entry(name).or_insert(start);
        }
    }
    places
}

/// A number for a part of a YAML policy that depends on its name alone, beyond those that Ranger gives and exact as a
/// number of JSON (FNV-1a, 51 bits).
pub(super) fn policy_id(name: &str, policy_type: i32) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = name.bytes().chain(policy_type.to_le_bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    i64::try_from(hash & ((1 << 51) - 1) | 1 << 51).unwrap_or(i64::MAX)
}
