//! What documents name without having it, because Ranger's own library has it: service definitions, and the sample of a
//! table of addresses.

use std::collections::BTreeMap;

use crate::json::{ReadError, read};
use crate::model::{AccessTypeDef, ConditionDef, DataMaskDef, ResourceDef, ServiceDef};

const HIVE: &str = include_str!("definitions/hive.json");

const GEOLOCATION_FILE: &str = "/etc/ranger/geo/geo.txt";
const GEOLOCATION: &str = include_str!("definitions/geo.csv");

/// A file that Ranger's library brings along.
pub(crate) fn library_file(path: &str) -> Option<String> {
    (path == GEOLOCATION_FILE).then(|| GEOLOCATION.to_owned())
}

/// The definition of a kind of service, if it is known here.
pub(crate) fn service_definition(kind: &str) -> Option<Result<ServiceDef, ReadError>> {
    (kind == "hive").then(|| read(HIVE))
}

/// The definition of tags as a kind of service sees them.
pub(crate) fn tag_definition(component: &ServiceDef) -> ServiceDef {
    let qualified = |name: &str| format!("{}:{name}", component.name);
    let access = |def: &AccessTypeDef| AccessTypeDef {
        name: qualified(&def.name),
        implied_grants: def.implied_grants.iter().map(|grant| qualified(grant)).collect(),
        category: def.category.clone(),
    };
    let condition = |name: &str, evaluator: &str| ConditionDef {
        name: name.to_owned(),
        evaluator: evaluator.to_owned(),
        evaluator_options: BTreeMap::new(),
    };
    let expires = ConditionDef {
        evaluator_options: BTreeMap::from([(
            "scriptTemplate".to_owned(),
            "ctx.isAccessedAfter('expiry_date');".into(),
        )]),
        ..condition("accessed-after-expiry", "RangerScriptTemplateConditionEvaluator")
    };
    let level = || ResourceDef { name: "tag".to_owned(), level: 1, ..ResourceDef::default() };
    ServiceDef {
        name: "tag".to_owned(),
        resources: vec![level()],
        access_types: component.access_types.iter().map(access).collect(),
        policy_conditions: vec![expires, condition("expression", "RangerScriptConditionEvaluator")],
        data_mask_def: DataMaskDef {
            access_types: component.data_mask_def.access_types.iter().map(access).collect(),
            resources: vec![level()],
            ..DataMaskDef::default()
        },
        ..ServiceDef::default()
    }
}
