//! Tags and the resources that have them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PolicyResource, Text};
use crate::validity::ValiditySchedule;

/// The tags of a service's resources (`ServiceTags`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceTags {
    /// The service.
    pub service_name: String,
    /// How often it was changed.
    pub tag_version: Option<i64>,
    /// The kinds of tags.
    pub tag_definitions: BTreeMap<String, TagDef>,
    /// The tags, by number.
    pub tags: BTreeMap<String, Tag>,
    /// The resources that have tags.
    pub service_resources: Vec<ServiceResource>,
    /// The numbers of the tags of each resource.
    pub resource_to_tag_ids: BTreeMap<String, Vec<i64>>,
}

/// A kind of tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TagDef {
    /// Its name.
    pub name: String,
}

/// A tag.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tag {
    /// Its kind, which is its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Text>,
    /// Options; `TAG_VALIDITY_PERIODS` holds validity periods as a text.
    pub options: BTreeMap<String, Text>,
    /// When it counts.
    pub validity_periods: Vec<ValiditySchedule>,
}

/// A resource that has tags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceResource {
    /// Its number.
    pub id: Option<i64>,
    /// What it is, by level.
    pub resource_elements: BTreeMap<String, PolicyResource>,
}
