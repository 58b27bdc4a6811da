//! Documents as Ranger hands them out, told apart by what they have, put together to what an engine decides by.
//!
//! ```text
//! serviceDef          ─► the policies of a service, as its plugin downloads them
//! policies            ─► an export of policies, without the definition of their service
//! resourceToTagIds    ─► tags        rangerRoles ─► roles     userAttrMapping ─► users     dshids ─► shares
//! ```

use serde::Deserialize;
use serde_json::Value;

use crate::definitions::{service_definition, tag_definition};
use crate::engine::Sources;
use crate::json::{ReadError, read};
use crate::model::{Policy, Roles, ServiceDef, ServiceGdsInfo, ServicePolicies, ServiceTags, TagPolicies, UserStore};

/// The kind of service that tags are.
const TAG_SERVICE: &str = "tag";

/// A document.
#[derive(Debug, Clone)]
pub enum Document {
    /// The policies of a service.
    Policies(Box<ServicePolicies>),
    /// Policies without their service.
    Export(Vec<Policy>),
    /// Tags of resources.
    Tags(ServiceTags),
    /// Roles.
    Roles(Roles),
    /// What is known of users and groups.
    UserStore(UserStore),
    /// What is shared.
    Shares(Box<ServiceGdsInfo>),
}

/// Why a document can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is none of those that are known.
    #[error("this is no document of Ranger: it has none of the members by which they are told apart")]
    Unknown,
    /// An export whose service is not known.
    #[error("the export has policies of a service of kind `{0}`, whose definition is not known")]
    NoDefinition(String),
    /// An export of another kind of service than the definition that came with it.
    #[error("the export has policies of a service of kind `{kind}`, and the definition is that of `{given}`")]
    OtherDefinition {
        /// The kind of the export's service.
        kind: String,
        /// The kind that the definition is of.
        given: String,
    },
    /// An export of several services.
    #[error("the export has policies of several services: {0}")]
    SeveralServices(String),
}

#[derive(Deserialize)]
struct Export {
    policies: Vec<Policy>,
}

impl Document {
    /// Reads a document.
    pub fn read(text: &str) -> Result<Self, DocumentError> {
        let shape: Value = read(text)?;
        let has = |names: &[&str]| names.iter().any(|name| shape.get(name).is_some());
        Ok(if has(&["serviceDef"]) {
            Self::Policies(read(text)?)
        } else if has(&["dshids", "dataShares"]) {
            Self::Shares(read(text)?)
        } else if has(&["rangerRoles"]) {
            Self::Roles(read(text)?)
        } else if has(&["userAttrMapping", "userGroupMapping"]) {
            Self::UserStore(read(text)?)
        } else if has(&["resourceToTagIds", "serviceResources"]) {
            Self::Tags(read(text)?)
        } else if has(&["policies"]) {
            Self::Export(read::<Export>(text)?.policies)
        } else {
            return Err(DocumentError::Unknown);
        })
    }

    /// What a plugin of the export's service would download: its policies with a definition of the service. A document
    /// that is no export has what it needs, and stays as it is.
    pub fn with_definition(self, definition: ServiceDef) -> Result<Self, DocumentError> {
        match self {
            Self::Export(policies) => {
                let given = |kind: &str| match kind == definition.name {
                    true => Ok(definition.clone()),
                    false => {
                        Err(DocumentError::OtherDefinition { kind: kind.to_owned(), given: definition.name.clone() })
                    }
                };
                Ok(Self::Policies(Box::new(of_export(policies, given)?)))
            }
            Self::Policies(_) | Self::Tags(_) | Self::Roles(_) | Self::UserStore(_) | Self::Shares(_) => Ok(self),
        }
    }
}

impl Sources {
    /// Adds a document; one of the same kind takes the place of what was there.
    pub fn add(&mut self, document: Document) -> Result<(), DocumentError> {
        match document {
            Document::Policies(policies) => self.policies = *policies,
            Document::Export(policies) => self.policies = of_export(policies, built_in)?,
            Document::Tags(tags) => self.tags = Some(tags),
            Document::Roles(roles) => self.roles = roles,
            Document::UserStore(users) => self.user_store = Some(users),
            Document::Shares(shares) => self.gds = Some(*shares),
        }
        Ok(())
    }
}

/// The definition of a kind of service that is known without being given.
fn built_in(kind: &str) -> Result<ServiceDef, DocumentError> {
    let known = service_definition(kind).ok_or_else(|| DocumentError::NoDefinition(kind.to_owned()))?;
    Ok(known?)
}

/// Policies with the definition of their service. Which resources a zone has is not in an export: policies of zones are
/// left out, since outside of their zone they would mean something else.
fn of_export(
    policies: Vec<Policy>,
    definition: impl FnOnce(&str) -> Result<ServiceDef, DocumentError>,
) -> Result<ServicePolicies, DocumentError> {
    let kind = |policy: &Policy| policy.service_type.clone().unwrap_or_else(|| "hive".to_owned());
    let (of_tags, own): (Vec<_>, Vec<_>) =
        policies.into_iter().filter(Policy::is_outside_zones).partition(|policy| kind(policy) == TAG_SERVICE);
    let mut services: Vec<(String, String)> = own.iter().map(|policy| (policy.service.clone(), kind(policy))).collect();
    services.sort_unstable();
    services.dedup();
    let (name, kind) = match services.as_slice() {
        [] => (String::new(), "hive".to_owned()),
        [one] => one.clone(),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            return Err(DocumentError::SeveralServices(names.join(", ")));
        }
    };
    let service_def = definition(&kind)?;
    let tag_policies = (!of_tags.is_empty()).then(|| TagPolicies {
        service_name: of_tags.first().map(|policy| policy.service.clone()).unwrap_or_default(),
        service_def: tag_definition(&service_def),
        policies: of_tags,
        ..TagPolicies::default()
    });
    Ok(ServicePolicies { service_name: name, service_def, policies: own, tag_policies, ..ServicePolicies::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Options};
    use crate::matcher::Values;
    use crate::request::Request;

    #[test]
    fn documents_are_told_apart_by_what_they_have() {
        for (text, expected) in [
            (r#"{"serviceName": "s", "serviceDef": {}, "policies": []}"#, "Policies"),
            (r#"{"policies": []}"#, "Export"),
            (r#"{"tags": {}, "resourceToTagIds": {}}"#, "Tags"),
            (r#"{"rangerRoles": []}"#, "Roles"),
            (r#"{"userAttrMapping": {}}"#, "UserStore"),
            (r#"{"datasets": [], "dshids": []}"#, "Shares"),
        ] {
            assert!(format!("{:?}", Document::read(text).unwrap()).starts_with(expected), "{text}");
        }
        assert!(matches!(Document::read("{}"), Err(DocumentError::Unknown)));
        assert!(matches!(Document::read("{"), Err(DocumentError::Read(_))));
    }

    fn policy(service: &str, kind: &str, resource: &str, access: &str) -> String {
        format!(
            r#"{{"id": 1, "service": "{service}", "serviceType": "{kind}", "resources": {{{resource}: {{"values": ["x"]}}}},
                "policyItems": [{{"accesses": [{{"type": "{access}"}}], "users": ["anna"]}}]}}"#
        )
    }

    fn add(policies: &[String]) -> Result<Sources, DocumentError> {
        let mut sources = Sources::default();
        sources.add(Document::read(&format!(r#"{{"policies": [{}]}}"#, policies.join(",")))?)?;
        Ok(sources)
    }

    #[test]
    fn an_export_gets_the_definition_of_its_service() {
        let own = policy("a", "hive", "\"database\"", "select");
        let sources = add(&[own.clone(), policy("t", "tag", "\"tag\"", "hive:select")]).unwrap();
        assert_eq!(sources.policies.tag_policies.as_ref().map(|tags| tags.policies.len()), Some(1));
        let engine = Engine::new(&sources, Options::default());
        let resource = [("database", Values::One("x"))];
        let request = Request { resource: &resource, access: "select", user: Some("anna"), ..Request::default() };
        assert!(engine.access(&request).is_allowed);
        assert!(matches!(add(&[policy("a", "weather", "\"x\"", "see")]), Err(DocumentError::NoDefinition(_))));
        let other = policy("b", "hive", "\"database\"", "select");
        assert!(matches!(add(&[own.clone(), other]), Err(DocumentError::SeveralServices(_))));
        let zoned = own.replacen("\"id\": 1", "\"id\": 1, \"zoneName\": \"z\"", 1);
        assert!(add(&[zoned]).unwrap().policies.policies.is_empty());
        let weather = format!(r#"{{"policies": [{}]}}"#, policy("a", "weather", "\"x\"", "see"));
        let with = |name: &str| {
            let definition = ServiceDef { name: name.to_owned(), ..ServiceDef::default() };
            Document::read(&weather).unwrap().with_definition(definition)
        };
        assert!(matches!(with("weather"), Ok(Document::Policies(found)) if found.service_def.name == "weather"));
        assert!(matches!(with("hive"), Err(DocumentError::OtherDefinition { .. })));
    }
}
