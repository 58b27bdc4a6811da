//! `policy import`: takes over a document of Ranger, unchanged, and says what of it has no effect here. An export of a
//! service that is not known becomes what the service's plugin would download.

use std::fs;
use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_policy::model::{AUDIT_POLICY, Policy, ServiceDef, ServicePolicies};
use lockgate_policy::{Document, DocumentError, Engine, Options, Sources, json};
use lockgate_project::has_dataset_levels;

use super::FOLDER;
use crate::{context, output};

pub(super) fn import(dir: Option<&Path>, export: &Path, definition: Option<&Path>) -> Result<u8, Failure> {
    let folder = context::root(dir)?.join(FOLDER);
    let (document, text) = read(export, definition)?;
    let findings = findings(&document).map_err(|error| unusable(export, &error))?;
    let name = export.file_stem().map_or_else(|| "policies".into(), |name| name.to_string_lossy().into_owned());
    let target = folder.join(format!("{name}.json"));
    match fs::read_to_string(&target) {
        Ok(present) if present != text => {
            let message = format!("{} is there already, and is another document", target.display());
            return Err(Failure::new(FailureKind::Invalid, message)
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
    Ok(0)
}

/// The document, and the text that is kept of it: its own, or with a definition what a plugin would download.
fn read(export: &Path, definition: Option<&Path>) -> Result<(Document, String), Failure> {
    let text = super::read(export)?;
    let document = Document::read(&text).map_err(|error| unusable(export, &error))?;
    let (document, text) = match (definition, document) {
        (None, document) => (document, text),
        (Some(definition), document @ Document::Export(_)) => with_definition(export, document, definition)?,
        (Some(_), _) => {
            let message = format!("{} is no export of policies, so it needs no definition", export.display());
            return Err(Failure::new(FailureKind::Invalid, message).with_help("import it without `--service-def`"));
        }
    };
    check_levels(export, &document)?;
    Ok((document, text))
}

fn with_definition(export: &Path, document: Document, definition: &Path) -> Result<(Document, String), Failure> {
    let service: ServiceDef = json::read(&super::read(definition)?).map_err(|error| unusable(definition, &error))?;
    if service.name.is_empty() || service.resources.is_empty() {
        let message =
            format!("{} is no definition of a service: it has no `name` or no `resources`", definition.display());
        let help = "take it from Ranger: `GET /service/plugins/definitions/name/NAME`";
        return Err(Failure::new(FailureKind::Invalid, message).with_help(help));
    }
    let document = document.with_definition(service).map_err(|error| unusable(export, &error))?;
    let Document::Policies(policies) = &document else {
        return Err(Failure::new(FailureKind::Bug, "an export with a definition is no document of policies"));
    };
    let text = serde_json::to_string_pretty(policies).map_err(|error| unusable(export, &error))?;
    Ok((document, text + "\n"))
}

/// A service without columns cannot say who sees which of them; a project with its policies would not load.
fn check_levels(export: &Path, document: &Document) -> Result<(), Failure> {
    let service = match document {
        Document::Policies(policies) => policies.service_def.clone(),
        Document::Export(_) => {
            let mut sources = Sources::default();
            sources.add(document.clone()).map_err(|error| match error {
                DocumentError::NoDefinition(_) => unusable(export, &error)
                    .with_help("give the definition that Ranger has of it with `--service-def FILE`"),
                error => unusable(export, &error),
            })?;
            sources.policies.service_def
        }
        Document::Tags(_) | Document::Roles(_) | Document::UserStore(_) | Document::Shares(_) => return Ok(()),
    };
    if has_dataset_levels(&service) {
        return Ok(());
    }
    let levels: Vec<&str> = service.resources.iter().map(|level| level.name.as_str()).collect();
    let message = format!(
        "{}: datasets cannot be governed by policies of the service `{}`, whose levels are `{}`",
        export.display(),
        service.name,
        levels.join("`, `")
    );
    let help = "import policies of a service with the levels `database`, `table` and `column`, such as Hive's; \
                `lockgate policy explain --policies FILE` decides by others without a project";
    Err(Failure::new(FailureKind::Invalid, message).with_help(help))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Invalid, format!("{}: {error}", path.display()))
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
