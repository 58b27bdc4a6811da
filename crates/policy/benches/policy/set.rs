//! The set that is measured: policies over 100 databases of 50 tables of 20 columns, with tags, from a fixed seed.
//!
//! 85% of the policies give access, 10% mask and 5% filter. Half of the requests are about a resource that some policy
//! was written for, the others about any.

use serde_json::{Value, json};

use crate::random::Random;

const DATABASES: usize = 100;
const TABLES: usize = 50;
const COLUMNS: usize = 20;
const USERS: usize = 500;
const GROUPS: usize = 100;
const ROLES: usize = 50;
const TAGS: usize = 100;
const TAGGED_RESOURCES: usize = 5_000;
const SEED: u64 = 20_251_125;
/// 2025-11-25
const AT: i64 = 1_764_028_800_000;
const ACCESSES: &[&str] = &["select", "update", "create", "drop", "alter", "index", "lock", "read", "write"];
const MASKS: &[&str] = &["MASK", "MASK_HASH", "MASK_NULL", "MASK_SHOW_LAST_4", "MASK_NONE"];

/// Ranger's documents, and requests.
pub(crate) struct Set {
    pub(crate) service: Value,
    pub(crate) tags: Value,
    pub(crate) roles: Value,
    pub(crate) requests: Vec<Value>,
}

pub(crate) fn make(policies: usize, requests: usize) -> Set {
    let mut maker = Maker { random: Random::new(SEED) };
    let policies: Vec<Value> = (1..=policies).map(|id| maker.policy(id)).collect();
    let tag_policies: Vec<Value> = (0..TAGS).map(|tag| maker.tag_policy(tag, 1_000_000 + tag)).collect();
    let (tags, roles) = (maker.tags(), maker.roles());
    let groups: Vec<Vec<String>> = (0..USERS).map(|_| maker.some("g", GROUPS, 3)).collect();
    let requests = (0..requests).map(|_| maker.request(&policies, &groups)).collect();
    let enricher = json!([{
        "itemId": 1, "name": "TagEnricher", "enricher": "org.apache.ranger.plugin.contextenricher.RangerTagEnricher",
        "enricherOptions": {
            "tagRetrieverClassName": "org.apache.ranger.plugin.contextenricher.RangerFileBasedTagRetriever",
            "tagRefresherPollingInterval": 3_600_000, "serviceTagsFileName": "/tags.json",
        },
    }]);
    let service = json!({
        "serviceName": "measured", "policyVersion": 1, "serviceDef": service_def(), "policies": policies,
        "tagPolicies": { "serviceName": "measured_tag", "serviceDef": tag_def(&enricher), "policies": tag_policies },
    });
    Set { service, tags, roles, requests }
}

struct Maker {
    random: Random,
}

impl Maker {
    fn some(&mut self, prefix: &str, of: usize, most: usize) -> Vec<String> {
        let count = 1 + self.random.below(most);
        (0..count).map(|_| format!("{prefix}{}", self.random.below(of))).collect()
    }

    /// A value of a level: a name, a beginning or everything.
    fn value(&mut self, prefix: &str, of: usize, (beginnings, all): (usize, usize)) -> Value {
        let chance = self.random.below(100);
        let name = self.random.below(of);
        let value = if chance < all {
            "*".to_owned()
        } else if chance < all + beginnings {
            format!("{prefix}{}*", name / 10)
        } else {
            format!("{prefix}{name}")
        };
        json!({ "values": [value], "isExcludes": false, "isRecursive": false })
    }

    fn item(&mut self, accesses: &[&str]) -> Value {
        let accesses: Vec<Value> = accesses.iter().map(|name| json!({ "type": name, "isAllowed": true })).collect();
        let roles = if self.random.chance(20) { self.some("r", ROLES, 1) } else { Vec::new() };
        json!({
            "users": self.some("u", USERS, 3), "groups": self.some("g", GROUPS, 2), "roles": roles, "accesses": accesses,
        })
    }

    fn items(&mut self, most: usize) -> Vec<Value> {
        let count = 1 + self.random.below(most);
        (0..count)
            .map(|_| {
                let mut accesses = self.random.some(ACCESSES, 3);
                accesses.push("select");
                self.item(&accesses)
            })
            .collect()
    }

    fn policy(&mut self, id: usize) -> Value {
        let mut policy = json!({
            "id": id, "name": format!("policy {id}"), "service": "measured", "version": 1, "isEnabled": true,
            "isAuditEnabled": true, "policyPriority": usize::from(self.random.chance(2)),
            "resources": { "database": self.value("db", DATABASES, (3, 1)), "table": self.value("t", TABLES, (10, 10)) },
        });
        match id % 20 {
            0 => {
                policy["policyType"] = 2.into();
                let mut item = self.item(&["select"]);
                item["rowFilterInfo"] = json!({ "filterExpr": format!("region = {}", self.random.below(50)) });
                policy["rowFilterPolicyItems"] = json!([item]);
            }
            1 | 2 => {
                policy["policyType"] = 1.into();
                policy["resources"]["column"] = self.value("c", COLUMNS, (5, 5));
                let mut item = self.item(&["select"]);
                item["dataMaskInfo"] = json!({ "dataMaskType": self.random.one(MASKS) });
                policy["dataMaskPolicyItems"] = json!([item]);
            }
            _ => {
                policy["policyType"] = 0.into();
                policy["resources"]["column"] = self.value("c", COLUMNS, (10, 50));
                policy["policyItems"] = self.items(3).into();
                if self.random.chance(10) {
                    policy["denyPolicyItems"] = self.items(1).into();
                }
            }
        }
        policy
    }

    fn tag_policy(&mut self, tag: usize, id: usize) -> Value {
        let mut policy = json!({
            "id": id, "name": format!("tag policy {tag}"), "service": "measured_tag", "version": 1, "isEnabled": true,
            "isAuditEnabled": true, "resources": { "tag": { "values": [format!("TAG{tag}")] } },
        });
        match tag % 10 {
            0 => policy["denyPolicyItems"] = json!([self.item(&["hive:update"])]),
            1 => {
                policy["policyType"] = 1.into();
                let mut item = self.item(&["hive:select"]);
                item["dataMaskInfo"] = json!({ "dataMaskType": "hive:MASK_HASH" });
                policy["dataMaskPolicyItems"] = json!([item]);
            }
            _ => policy["policyItems"] = json!([self.item(&["hive:select"])]),
        }
        policy
    }

    fn tags(&mut self) -> Value {
        let name = |tag: usize| format!("TAG{tag}");
        let definitions: serde_json::Map<String, Value> =
            (0..TAGS).map(|tag| ((tag + 1).to_string(), json!({ "id": tag + 1, "name": name(tag) }))).collect();
        let tags: serde_json::Map<String, Value> =
            (0..TAGS).map(|tag| ((tag + 1).to_string(), json!({ "id": tag + 1, "type": name(tag) }))).collect();
        let mut resources = Vec::new();
        let mut of_resource = serde_json::Map::new();
        for id in 1..=TAGGED_RESOURCES {
            let mut elements = json!({
                "database": { "values": [format!("db{}", self.random.below(DATABASES))] },
                "table": { "values": [format!("t{}", self.random.below(TABLES))] },
            });
            if self.random.chance(80) {
                elements["column"] = json!({ "values": [format!("c{}", self.random.below(COLUMNS))] });
            }
            resources.push(json!({ "id": id, "serviceName": "measured", "resourceElements": elements }));
            of_resource.insert(id.to_string(), json!([1 + self.random.below(TAGS)]));
        }
        json!({
            "op": "add_or_update", "tagModel": "resource_private", "serviceName": "measured", "tagVersion": 1,
            "tagDefinitions": definitions, "tags": tags, "serviceResources": resources, "resourceToTagIds": of_resource,
        })
    }

    fn roles(&mut self) -> Value {
        let members = |names: Vec<String>| -> Vec<Value> {
            names.into_iter().map(|name| json!({ "name": name, "isAdmin": false })).collect()
        };
        let mut roles = Vec::new();
        for role in 0..ROLES {
            let within = if role > 0 && self.random.chance(30) { self.some("r", role, 1) } else { Vec::new() };
            roles.push(json!({
                "id": role, "name": format!("r{role}"), "users": members(self.some("u", USERS, 4)),
                "groups": members(self.some("g", GROUPS, 2)), "roles": members(within),
            }));
        }
        json!({ "serviceName": "measured", "roleVersion": 1, "rangerRoles": roles })
    }

    fn request(&mut self, policies: &[Value], groups: &[Vec<String>]) -> Value {
        let kind = self.random.one(&["access", "access", "mask", "filter"]);
        let about = &policies[self.random.below(policies.len())]["resources"];
        let aimed = self.random.chance(50);
        let mut resource = json!({});
        let levels = [("database", "db", DATABASES), ("table", "t", TABLES), ("column", "c", COLUMNS)];
        for (level, prefix, of) in levels.into_iter().take(if kind == "filter" { 2 } else { 3 }) {
            let written = about[level]["values"][0].as_str().filter(|value| aimed && !value.contains('*'));
            let any = format!("{prefix}{}", self.random.below(of));
            resource[level] = written.map_or(any, str::to_owned).into();
        }
        let user = self.random.below(USERS);
        let access = if kind == "access" { self.random.one(&["select", "select", "update", "drop"]) } else { "select" };
        json!({
            "kind": kind, "resource": resource, "access": access, "user": format!("u{user}"), "groups": groups[user], "at": AT,
        })
    }
}

fn levels() -> Value {
    let level = |name: &str, parent: &str, number: usize| {
        json!({
            "name": name, "parent": parent, "level": number, "mandatory": true, "excludesSupported": true,
            "matcher": "org.apache.ranger.plugin.resourcematcher.RangerDefaultResourceMatcher",
            "matcherOptions": { "wildCard": true, "ignoreCase": true },
        })
    };
    json!([level("database", "", 10), level("table", "database", 20), level("column", "table", 30)])
}

fn named(names: impl IntoIterator<Item = String>) -> Vec<Value> {
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn service_def() -> Value {
    let filter_levels: Vec<Value> = levels().as_array().into_iter().flatten().take(2).cloned().collect();
    let select = json!([{ "name": "select" }]);
    let masks = named(MASKS.iter().map(|mask| (*mask).to_owned()));
    json!({
        "name": "hive", "id": 3, "resources": levels(),
        "accessTypes": named(ACCESSES.iter().map(|name| (*name).to_owned())),
        "dataMaskDef": { "accessTypes": select, "resources": levels(), "maskTypes": masks },
        "rowFilterDef": { "accessTypes": select, "resources": filter_levels },
        "options": { "enableDenyAndExceptionsInPolicies": "true" },
    })
}

fn tag_def(enricher: &Value) -> Value {
    let resources = json!([{
        "name": "tag", "level": 1, "parent": "", "mandatory": true,
        "matcher": "org.apache.ranger.plugin.resourcematcher.RangerDefaultResourceMatcher",
        "matcherOptions": { "wildCard": true, "ignoreCase": false },
    }]);
    let masks = named(MASKS.iter().map(|mask| format!("hive:{mask}")));
    json!({
        "name": "tag", "id": 100, "resources": resources, "contextEnrichers": enricher,
        "accessTypes": named(ACCESSES.iter().map(|name| format!("hive:{name}"))),
        "dataMaskDef": { "accessTypes": [{ "name": "hive:select" }], "resources": resources, "maskTypes": masks },
        "options": { "enableDenyAndExceptionsInPolicies": "true" },
    })
}
