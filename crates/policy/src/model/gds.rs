//! Governed data sharing: resources in shares, shares in datasets, datasets in projects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataMaskInfo, Policy, PolicyResource, RowFilterInfo, ServiceDef};
use crate::validity::ValiditySchedule;

/// All that is shared of a service (`ServiceGdsInfo`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceGdsInfo {
    /// The service.
    pub service_name: String,
    /// The shares.
    pub data_shares: Vec<DataShare>,
    /// The resources in them.
    pub resources: Vec<SharedResource>,
    /// The datasets.
    pub datasets: Vec<Dataset>,
    /// The projects.
    pub projects: Vec<Project>,
    /// Which share is in which dataset.
    pub dshids: Vec<DataShareInDataset>,
    /// Which dataset is in which project.
    pub dips: Vec<DatasetInProject>,
    /// The definition that the policies of datasets and projects follow.
    pub gds_service_def: Option<ServiceDef>,
    /// How often it was changed.
    pub gds_version: Option<i64>,
}

/// A share: resources of one zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataShare {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The zone of its resources.
    pub zone_name: String,
    /// A condition on requests.
    pub condition_expr: Option<String>,
    /// What is shared of resources that do not say it.
    pub default_access_types: Vec<String>,
}

/// A resource in a share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SharedResource {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: Option<String>,
    /// The share.
    pub data_share_id: i64,
    /// What it is, by level.
    pub resource: BTreeMap<String, PolicyResource>,
    /// The level below of which only a part is shared.
    pub sub_resource_type: String,
    /// That part.
    pub sub_resource: Option<PolicyResource>,
    /// The masks of that part.
    pub sub_resource_masks: Vec<ShareMask>,
    /// A condition on requests.
    pub condition_expr: Option<String>,
    /// What is shared.
    pub access_types: Option<Vec<String>>,
    /// The rows that are shared.
    pub row_filter: Option<RowFilterInfo>,
}

/// A mask of a part of a shared resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ShareMask {
    /// The part.
    pub values: Vec<String>,
    /// The mask.
    pub mask_info: DataMaskInfo,
}

/// A dataset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dataset {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it counts.
    pub validity_schedule: Option<ValiditySchedule>,
    /// Who may use it.
    pub policies: Vec<Policy>,
}

/// A project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it counts.
    pub validity_schedule: Option<ValiditySchedule>,
    /// Who may use it.
    pub policies: Vec<Policy>,
}

/// A share in a dataset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataShareInDataset {
    /// The share.
    pub data_share_id: i64,
    /// The dataset.
    pub dataset_id: i64,
    /// Whether it was agreed to.
    pub status: ShareStatus,
    /// When it counts.
    pub validity_schedule: Option<ValiditySchedule>,
}

/// A dataset in a project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DatasetInProject {
    /// The dataset.
    pub dataset_id: i64,
    /// The project.
    pub project_id: i64,
    /// Whether it was agreed to.
    pub status: ShareStatus,
    /// When it counts.
    pub validity_schedule: Option<ValiditySchedule>,
}

/// How far a share is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ShareStatus {
    /// Not asked for.
    #[default]
    None,
    /// Asked for.
    Requested,
    /// Agreed to, not yet in use.
    Granted,
    /// Refused.
    Denied,
    /// In use.
    Active,
}
