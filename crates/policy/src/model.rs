//! Ranger's documents as it writes them: plain data, every absent part a default, nothing decided yet.
//!
//! Field names are Ranger's; what Ranger holds and nothing here needs is not read.

mod gds;
mod policy;
mod roles;
mod service_def;
mod service_policies;
mod tags;
mod text;
mod user_store;

pub use gds::{
    DataShare, DataShareInDataset, Dataset, DatasetInProject, Project, ServiceGdsInfo, ShareMask, ShareStatus,
    SharedResource,
};
pub use policy::{
    AUDIT_POLICY, Access, ConditionUse, DataMaskInfo, DataMaskItem, Policy, PolicyItem, PolicyResource, PolicyType,
    RowFilterInfo, RowFilterItem,
};
pub use roles::{Role, RoleMember, Roles};
pub use service_def::{
    AccessTypeDef, ConditionDef, DataMaskDef, EnricherDef, MaskTypeDef, ResourceDef, RowFilterDef, ServiceDef,
};
pub use service_policies::{AuditFilter, AuditedResult, PolicyDelta, SecurityZone, ServicePolicies, TagPolicies};
pub use tags::{ServiceResource, ServiceTags, Tag, TagDef};
pub use text::Text;
pub use user_store::UserStore;
