//! `policy import`: takes over a document of Ranger, unchanged, and says what of it has no effect here.

use std::fs;
use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_policy::model::{AUDIT_POLICY, Policy, ServicePolicies};
use lockgate_policy::{Document, Engine, Options, Sources};

use super::FOLDER;
use crate::{context, output};

pub(super) fn import(dir: Option<&Path>, export: &Path) -> Result<u8, Failure> {
    let folder = context::root(dir)?.join(FOLDER);
    let text = super::read(export)?;
    let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
    let document = Document::read(&text).map_err(|error| invalid(format!("{}: {error}", export.display())))?;
    let findings = findings(&document).map_err(|error| invalid(format!("{}: {error}", export.display())))?;
    let name = export.file_stem().map_or_else(|| "policies".into(), |name| name.to_string_lossy().into_owned());
    let target = folder.join(format!("{name}.json"));
    match fs::read_to_string(&target) {
        Ok(present) if present != text => {
            return Err(invalid(format!("{} is there already, and is another document", target.display()))
                .with_help("`lockgate policy diff` shows what would change; remove it to import anew"));
        }
        Ok(_) | Err(_) => {}
    }
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&target, &text));
    written.map_err(|error| {
        Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", target.display()))
    })?;
    output::print(&format!("{}: {}\n", target.display(), summary(&document)))?;
    if !findings.is_empty() {
        output::print(&format!("without effect here, or other than in Ranger\n{}", output::table(&findings, 2)))?;
    }
    output::note("pipelines are not governed by policies yet: `lockgate run` refuses a project that has some (LG028)");
    Ok(0)
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}")
}

fn summary(document: &Document) -> String {
    match document {
        Document::Policies(policies) => {
            let of_tags = policies.tag_policies.as_ref().map_or(0, |tags| tags.policies.len());
            let of_zones: usize = policies.security_zones.values().map(|zone| zone.policies.len()).sum();
            let parts = [
                count(policies.policies.len(), "policies"),
                count(of_tags, "on tags"),
                format!("{of_zones} in {} zones", policies.security_zones.len()),
            ];
            parts.join(", ")
        }
        Document::Export(policies) => count(policies.len(), "exported policies"),
        Document::Tags(tags) => format!("{} tags of {} resources", tags.tags.len(), tags.service_resources.len()),
        Document::Roles(roles) => count(roles.ranger_roles.len(), "roles"),
        Document::UserStore(users) => count(users.user_attr_mapping.len(), "users with attributes"),
        Document::Shares(shares) => {
            format!("{} shares in {} datasets", shares.data_shares.len(), shares.datasets.len())
        }
    }
}

fn row(policy: &Policy, what: &str) -> Vec<String> {
    vec![format!("policy {} `{}`", policy.id.unwrap_or_default(), policy.name), what.to_owned()]
}

/// What has no effect: one row for each finding.
fn findings(document: &Document) -> Result<Vec<Vec<String>>, lockgate_policy::DocumentError> {
    let mut rows = Vec::new();
    if let Document::Export(policies) = document {
        let zoned = policies.iter().filter(|policy| !policy.is_outside_zones());
        rows.extend(zoned.map(|policy| row(policy, "belongs to a zone, whose resources an export does not say")));
    }
    let mut sources = Sources::default();
    sources.add(document.clone())?;
    rows.extend(all_policies(&sources.policies).filter_map(|policy| Some(row(policy, without_effect(policy)?))));
    let engine = Engine::new(&sources, Options::default());
    let defect = |defect: lockgate_policy::Defect| {
        vec![format!("policy {} `{}`", defect.policy_id, defect.policy_name), defect.what]
    };
    rows.extend(engine.defects().into_iter().map(defect));
    if matches!(document, Document::Policies(_)) {
        let missing = engine.missing_enrichers().iter();
        rows.extend(missing.map(|name| {
            vec![
                format!("enricher `{name}`"),
                "is not there: nothing is given away until it is imported as well".to_owned(),
            ]
        }));
    }
    Ok(rows)
}

fn all_policies(policies: &ServicePolicies) -> impl Iterator<Item = &Policy> {
    let of_tags = policies.tag_policies.iter().flat_map(|tags| &tags.policies);
    let of_zones = policies.security_zones.values().flat_map(|zone| &zone.policies);
    policies.policies.iter().chain(of_tags).chain(of_zones)
}

fn without_effect(policy: &Policy) -> Option<&'static str> {
    if !policy.is_enabled {
        return Some("is disabled");
    }
    match policy.policy_type {
        Some(AUDIT_POLICY) => Some("decides about auditing, which the rules of the service config do here"),
        Some(kind) if !(0..=2).contains(&kind) => Some("is of a type that is not known"),
        _ => None,
    }
}
