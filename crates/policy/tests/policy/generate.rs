//! Makes services, policies, tags, zones, roles and requests at random: few names, so that they meet often.

use serde_json::{Value, json};

use crate::random::Random;

/// What an engine is made of, and what it is asked.
pub(crate) struct Case {
    pub(crate) service: Value,
    pub(crate) roles: Value,
    /// Attributes, by user.
    pub(crate) users: Value,
    pub(crate) requests: Vec<Value>,
}

const USERS: [&str; 4] = ["u1", "u2", "u3", "u4"];
const GROUPS: [&str; 3] = ["g1", "g2", "g3"];
const ROLES: [&str; 4] = ["r1", "r2", "r3", "r4"];
const ACCESSES: [&str; 5] = ["select", "update", "create", "drop", "all"];
const TAGS: [&str; 3] = ["PII", "PCI", "TEMP"];
const SCRIPTS: [&str; 4] =
    ["IS_IN_ROLE('r1')", "USER._name == 'u1'", "ctx.result = IS_IN_ANY_GROUP;", "USER.dept == 'db1'"];
/// 2024-01-01 to 2026-01-01, in milliseconds.
const TIMES: std::ops::Range<i64> = 1_704_067_200_000..1_767_225_600_000;

pub(crate) struct Generator {
    random: Random,
    next_id: i64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), next_id: 1 }
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.random.chance(percent)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        self.random.one(of)
    }

    fn some<T: Copy>(&mut self, of: &[T], most: usize) -> Vec<T> {
        self.random.some(of, most)
    }

    pub(crate) fn case(&mut self, requests: usize) -> Case {
        let is_path = self.chance(25);
        let has_tags = self.chance(60);
        let has_zones = self.chance(30);
        let ignores_case = self.chance(70);
        let mut service =
            json!({ "serviceName": "s", "policyVersion": 1, "serviceDef": service_def(is_path, ignores_case) });
        let most = if self.chance(25) { 60 } else { 12 };
        let policies = self.random.below(most);
        service["policies"] = (0..policies).map(|_| self.policy(is_path, false, "")).collect();
        if has_zones {
            let mut zones = json!({});
            for name in ["z1", "z2"] {
                zones[name] = self.zone(name, is_path);
            }
            service["securityZones"] = zones;
        }
        if has_tags {
            let zone_names: &[&str] = if has_zones { &["", "", "z1", "z2"] } else { &[""] };
            let policies = self.random.below(6);
            let policies: Vec<Value> = (0..policies)
                .map(|_| {
                    let zone = self.one(zone_names);
                    self.policy(is_path, true, zone)
                })
                .collect();
            service["tagPolicies"] = json!({ "serviceName": "t", "serviceDef": tag_def(), "policies": policies });
            service["tagPolicies"]["serviceConfig"] = self.audit_filters(is_path, true);
        }
        service["serviceConfig"] = self.audit_filters(is_path, false);
        let roles = self.roles();
        let users = self.users();
        let requests = (0..requests).map(|_| self.request(is_path, has_tags)).collect();
        Case { service, roles, users, requests }
    }

    fn zone(&mut self, name: &str, is_path: bool) -> Value {
        let resource = if is_path {
            json!({ "path": [self.one(&["/a", "/a/b", "/b/*", "/home"])] })
        } else {
            let mut resource = json!({ "database": [self.one(&["db1", "db2", "db*"])] });
            if self.chance(50) {
                resource["table"] = json!([self.one(&["t1", "t*", "*"])]);
            }
            resource
        };
        let policies = self.random.below(5);
        let policies: Vec<Value> = (0..policies).map(|_| self.policy(is_path, false, name)).collect();
        json!({
            "zoneName": name, "resources": [resource], "policies": policies,
            "containsAssociatedTagService": self.chance(50),
        })
    }

    fn values(&mut self, of: &[&str]) -> Value {
        let mut values = self.some(of, 2);
        if values.is_empty() {
            values.push(self.one(of));
        }
        json!({ "values": values, "isExcludes": self.chance(8), "isRecursive": false })
    }

    fn resources(&mut self, is_path: bool, is_tag: bool) -> Value {
        if is_tag {
            return json!({ "tag": self.values(&["PII", "PCI", "P*", "TEMP", "*", "P*X", "P?I", "*I", "pii"]) });
        }
        if is_path {
            let mut path = self.values(&[
                "/",
                "/a",
                "/a/b",
                "/a/b/c",
                "/a/*",
                "/b/*/d",
                "*",
                "/home/{USER}",
                "/A/b",
                "/?/b",
                "/${{USER.dept}}/b",
            ]);
            path["isRecursive"] = self.chance(50).into();
            return json!({ "path": path });
        }
        let mut resources = json!({ "database": self.values(&["db1", "db2", "DB1", "db*", "*", "*1", "d?1", "{USER}", "${{USER.dept}}"]) });
        if self.chance(15) {
            resources["udf"] = self.values(&["f1", "*"]);
        } else if self.chance(85) {
            resources["table"] = self.values(&["t1", "t2", "t*", "*", "*", "T1", "*2", "t?"]);
            if self.chance(85) {
                resources["column"] = self.values(&["c1", "c2", "c*", "*", "*", "C1"]);
            }
        }
        resources
    }

    fn item(&mut self, is_tag: bool, kind: i64) -> Value {
        let mut users = self.some(&USERS, 2);
        if self.chance(5) {
            users.push("{USER}");
        }
        if self.chance(5) {
            users.push("{OWNER}");
        }
        let mut groups = self.some(&GROUPS, 1);
        if self.chance(12) {
            groups.push("public");
        }
        let mut accesses = if kind == 0 { self.some(&ACCESSES, 2) } else { vec!["select"] };
        if accesses.is_empty() {
            accesses.push("select");
        }
        let prefix = if is_tag { "hive:" } else { "" };
        let accesses: Vec<Value> =
            accesses.iter().map(|name| json!({ "type": format!("{prefix}{name}"), "isAllowed": true })).collect();
        let mut conditions = Vec::new();
        if self.chance(12) {
            let script = if is_tag && self.chance(50) { "TAG.score > 1" } else { self.one(&SCRIPTS) };
            conditions.push(json!({ "type": "expression", "values": [script] }));
        }
        json!({ "users": users, "groups": groups, "roles": self.some(&ROLES, 1), "accesses": accesses, "conditions": conditions, "delegateAdmin": self.chance(10) })
    }

    fn items(&mut self, is_tag: bool, percent: usize) -> Vec<Value> {
        if !self.chance(percent) {
            return Vec::new();
        }
        let count = 1 + self.random.below(2);
        (0..count).map(|_| self.item(is_tag, 0)).collect()
    }

    fn policy(&mut self, is_path: bool, is_tag: bool, zone: &str) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let kind = if is_path { 0 } else { self.one(&[0, 0, 0, 1, 2]) };
        let kind = if is_tag && kind == 2 { 1 } else { kind };
        let resources = self.resources(is_path, is_tag);
        let additional: Vec<Value> = if self.chance(10) { vec![self.resources(is_path, is_tag)] } else { Vec::new() };
        let mut policy = json!({
            "id": id, "name": format!("policy-{id:04}"), "service": "s", "policyType": kind, "version": 1,
            "isEnabled": self.chance(95), "isAuditEnabled": self.chance(80),
            "policyPriority": i64::from(self.chance(15)), "zoneName": zone,
            "resources": resources, "additionalResources": additional,
            "validitySchedules": self.schedules(12),
        });
        if self.chance(6) {
            policy["conditions"] = json!([{ "type": "expression", "values": [self.one(&SCRIPTS)] }]);
        }
        match kind {
            0 => {
                policy["policyItems"] = self.items(is_tag, 85).into();
                policy["denyPolicyItems"] = self.items(is_tag, 25).into();
                policy["allowExceptions"] = self.items(is_tag, 15).into();
                policy["denyExceptions"] = self.items(is_tag, 15).into();
                policy["isDenyAllElse"] = self.chance(5).into();
            }
            1 => policy["dataMaskPolicyItems"] = self.masks(is_tag),
            _ => policy["rowFilterPolicyItems"] = self.filters(),
        }
        if kind != 0 {
            // It makes nothing denied, and comes first.
            policy["isDenyAllElse"] = self.chance(10).into();
        }
        policy
    }

    fn masks(&mut self, is_tag: bool) -> Value {
        let count = 1 + self.random.below(2);
        let prefix = if is_tag { "hive:" } else { "" };
        let mask = |generator: &mut Self| {
            let mut item = generator.item(is_tag, 1);
            let name = generator.one(&["MASK", "MASK_HASH", "MASK_NONE", "CUSTOM"]);
            item["dataMaskInfo"] = json!({ "dataMaskType": format!("{prefix}{name}") });
            if name == "CUSTOM" {
                item["dataMaskInfo"]["valueExpr"] =
                    generator.one(&["upper({col})", "'x'", "f('${{USER.dept}}')"]).into();
            }
            item
        };
        (0..count).map(|_| mask(self)).collect()
    }

    fn filters(&mut self) -> Value {
        let count = 1 + self.random.below(2);
        let filter = |generator: &mut Self| {
            let mut item = generator.item(false, 2);
            item["rowFilterInfo"] =
                json!({ "filterExpr": generator.one(&["a = 1", "b = 2", "c = 3", "", "d = '${{USER.dept}}'"]) });
            item
        };
        (0..count).map(|_| filter(self)).collect()
    }

    fn schedules(&mut self, percent: usize) -> Value {
        if !self.chance(percent) {
            return json!([]);
        }
        let (start, end) =
            (self.one(&["2024/06/01 00:00:00", "", "2025/03/01 12:00:00"]), self.one(&["", "2025/06/01 00:00:00"]));
        json!([{ "startTime": start, "endTime": end, "timeZone": "GMT" }])
    }

    fn roles(&mut self) -> Value {
        let members = |names: Vec<&str>| -> Vec<Value> {
            names.into_iter().map(|name| json!({ "name": name, "isAdmin": false })).collect()
        };
        let mut roles = Vec::new();
        for (index, name) in ROLES.iter().enumerate() {
            // A role belongs to earlier ones only, so that there is no circle.
            let within = self.some(&ROLES[..index], 1);
            roles.push(json!({
                "id": index, "name": name, "users": members(self.some(&USERS, 1)), "groups": members(self.some(&GROUPS, 1)),
                "roles": members(within),
            }));
        }
        json!({ "serviceName": "s", "roleVersion": 1, "rangerRoles": roles })
    }

    fn users(&mut self) -> Value {
        let mut users = json!({});
        for user in USERS {
            if self.chance(60) {
                users[user]["dept"] = self.one(&["db1", "a", "b"]).into();
            }
        }
        users
    }

    /// Rules about auditing, as a setting that holds JSON.
    fn audit_filters(&mut self, is_path: bool, is_tag: bool) -> Value {
        if !self.chance(25) {
            return json!({});
        }
        let mut filters = Vec::new();
        for _ in 0..=self.random.below(3) {
            let mut filter = json!({ "isAudited": self.chance(50) });
            if self.chance(50) {
                filter["accessResult"] = self.one(&["ALLOWED", "DENIED"]).into();
            }
            if self.chance(50) {
                filter["accessTypes"] = json!(self.some(&["select", "update"], 2));
            }
            if self.chance(60) {
                filter["resources"] = self.resources(is_path, is_tag);
            }
            let names = self.one(&["users", "groups", "roles", ""]);
            match names {
                "users" => filter["users"] = json!([self.one(&USERS)]),
                "groups" => filter["groups"] = json!([self.one(&["g1", "g2", "public"])]),
                "roles" => filter["roles"] = json!([self.one(&ROLES)]),
                _ => {}
            }
            filters.push(filter);
        }
        json!({ "ranger.plugin.audit.filters": Value::Array(filters).to_string() })
    }

    fn request(&mut self, is_path: bool, has_tags: bool) -> Value {
        let mut resource = json!({});
        let mut kind = "access";
        if is_path {
            resource["path"] =
                self.one(&["/", "/a", "/a/b", "/a/b/c/d", "/b/x/d", "/home/u1", "/home/u2/x", "/A/B"]).into();
        } else {
            kind = self.one(&["access", "access", "mask", "filter"]);
            resource["database"] = self.one(&["db1", "db2", "db3", "DB1", "u1"]).into();
            if kind == "access" && self.chance(10) {
                resource["udf"] = "f1".into();
            } else if kind != "access" || self.chance(85) {
                resource["table"] = self.one(&["t1", "t2", "T1", "x2"]).into();
                if kind == "mask" || (kind == "access" && self.chance(80)) {
                    resource["column"] = self.one(&["c1", "c2", "C1", "d"]).into();
                }
            }
        }
        let access = match kind {
            "access" => self.one(&["select", "select", "select", "update", "create", "drop", "_any", "_admin"]),
            _ => "select",
        };
        let mut request = json!({
            "kind": kind, "resource": resource, "access": access, "user": self.one(&USERS), "groups": self.some(&GROUPS, 2),
            "at": self.time(),
        });
        if self.chance(40) {
            request["owner"] = self.one(&USERS).into();
        }
        if !is_path && self.chance(15) {
            request["scope"] = "SELF_OR_DESCENDANTS".into();
        }
        if has_tags {
            let tags = self.some(&TAGS, 2);
            // Tags come in no order, so that what they say must not depend on it.
            let score = self.one(&["1", "2"]);
            request["tags"] = tags.into_iter().map(|tag| self.tag(tag, score)).collect();
        }
        request
    }

    fn time(&mut self) -> i64 {
        let length = usize::try_from(TIMES.end - TIMES.start).expect("a length");
        TIMES.start + i64::try_from(self.random.below(length)).expect("a time")
    }

    fn tag(&mut self, name: &str, score: &str) -> Value {
        json!({
            "type": name, "matchType": self.one(&["SELF", "SELF", "ANCESTOR", "SELF_AND_ALL_DESCENDANTS"]),
            "attributes": { "score": score }, "validityPeriods": self.schedules(15),
        })
    }
}

/// The definition of a service of paths, or of tables.
pub(crate) fn service_def(is_path: bool, ignores_case: bool) -> Value {
    let level = |name: &str, parent: Option<&str>, number: i64, matcher: &str| {
        json!({
            "name": name, "parent": parent.unwrap_or_default(), "level": number, "mandatory": true,
            "recursiveSupported": is_path, "excludesSupported": true,
            "matcher": format!("org.apache.ranger.plugin.resourcematcher.{matcher}"),
            "matcherOptions": { "wildCard": true, "ignoreCase": ignores_case },
        })
    };
    let resources = if is_path {
        vec![level("path", None, 10, "RangerPathResourceMatcher")]
    } else {
        vec![
            level("database", None, 10, "RangerDefaultResourceMatcher"),
            level("table", Some("database"), 20, "RangerDefaultResourceMatcher"),
            level("udf", Some("database"), 20, "RangerDefaultResourceMatcher"),
            level("column", Some("table"), 30, "RangerDefaultResourceMatcher"),
        ]
    };
    let accesses: Vec<Value> = ACCESSES.iter().map(|name| access_type(name)).collect();
    json!({
        "name": "hive", "id": 3, "resources": resources, "accessTypes": accesses, "policyConditions": [script_condition()],
        "dataMaskDef": { "accessTypes": [access_type("select")], "resources": resources, "maskTypes": mask_types() },
        "rowFilterDef": { "accessTypes": [access_type("select")], "resources": resources },
        "options": { "enableDenyAndExceptionsInPolicies": "true" },
    })
}

fn access_type(name: &str) -> Value {
    let implied: &[&str] = if name == "all" { &["select", "update", "create", "drop"] } else { &[] };
    json!({ "name": name, "impliedGrants": implied })
}

fn script_condition() -> Value {
    json!({
        "itemId": 1, "name": "expression",
        "evaluator": "org.apache.ranger.plugin.conditionevaluator.RangerScriptConditionEvaluator",
    })
}

fn mask_types() -> Vec<Value> {
    ["MASK", "MASK_HASH", "MASK_NONE", "CUSTOM"].iter().map(|name| json!({ "name": name })).collect()
}

/// The definition of tags, with the access types and masks of the service.
pub(crate) fn tag_def() -> Value {
    let prefixed = |name: &str| format!("hive:{name}");
    let accesses: Vec<Value> = ACCESSES
        .iter()
        .map(|name| {
            let implied: &[&str] = if *name == "all" { &["select", "update", "create", "drop"] } else { &[] };
            let implied: Vec<String> = implied.iter().map(|name| prefixed(name)).collect();
            json!({ "name": prefixed(name), "impliedGrants": implied })
        })
        .collect();
    let masks: Vec<Value> = mask_types()
        .iter()
        .map(|mask| json!({ "name": prefixed(mask["name"].as_str().unwrap_or_default()) }))
        .collect();
    let resources = json!([{
        "name": "tag", "level": 1, "parent": "", "mandatory": true, "excludesSupported": true,
        "matcher": "org.apache.ranger.plugin.resourcematcher.RangerDefaultResourceMatcher",
        "matcherOptions": { "wildCard": true, "ignoreCase": false },
    }]);
    json!({
        "name": "tag", "id": 100, "resources": resources, "accessTypes": accesses, "policyConditions": [script_condition()],
        "dataMaskDef": { "accessTypes": [{ "name": "hive:select" }], "resources": resources, "maskTypes": masks },
        "options": { "enableDenyAndExceptionsInPolicies": "true" },
    })
}
