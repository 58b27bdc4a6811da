//! What `compare` lists is what differs: every request of a small world is asked of both sets.

use jiff::Timestamp;
use lockgate_policy::model::{PolicyType, Roles, ServicePolicies};
use lockgate_policy::{
    Alike, Change, Engine, MatchType, Options, Principal, Request, ResourceTag, Sources, TagData, Values, compare,
};
use serde_json::{Value, json};

use crate::random::Random;

/// Which worlds are looked at.
const SEEDS: std::ops::Range<u64> = 0..30;
const USERS: [&str; 3] = ["u1", "u2", "u3"];
const GROUPS: [&str; 3] = ["g1", "g2", "g3"];
const ROLES: [&str; 2] = ["r1", "r2"];
const DATABASES: [&str; 6] = ["a", "b", "ab", "ba", "AB", "xa"];
const TABLES: [&str; 3] = ["t", "tu", "x"];
const TAGS: [&str; 2] = ["PII", "PCI"];
const ACCESSES: [&str; 2] = ["read", "write"];
const VALUES: [&str; 9] = ["a", "b", "?a", "b?", "a*", "*b*", "*a*", "*", "ab"];

fn resource(random: &mut Random) -> Value {
    let level = |random: &mut Random, of: &[&str]| {
        let values: Vec<&str> = (0..=random.below(2)).map(|_| random.one(of)).collect();
        json!({ "values": values, "isExcludes": random.chance(12) })
    };
    let mut resource = json!({ "db": level(random, &VALUES) });
    if random.chance(75) {
        resource["table"] = level(random, &["t", "t*", "*u", "*", "u"]);
    }
    resource
}

fn item(random: &mut Random, prefix: &str) -> Value {
    let mut users = random.some(&USERS[..2], 1);
    if random.chance(10) {
        users.push(random.one(&["{OWNER}", "{USER}"]));
    }
    let mut groups = random.some(&GROUPS[..2], 1);
    if random.chance(10) {
        groups.push("public");
    }
    json!({
        "users": users, "groups": groups, "roles": random.some(&ROLES, 1),
        "accesses": [{ "type": format!("{prefix}{}", random.one(&ACCESSES)) }],
    })
}

fn policy(random: &mut Random, id: i64, prefix: &str) -> Value {
    let kind = if prefix.is_empty() { random.one(&[0, 0, 0, 1, 2]) } else { 0 };
    let mut policy = json!({
        "id": id, "name": format!("p{id}"), "policyType": kind, "policyPriority": i64::from(random.chance(15)),
        "resources": resource(random),
    });
    if !prefix.is_empty() {
        policy["resources"] = json!({ "tag": { "values": [random.one(&["PII", "P*", "P*I", "*", "PCI"])] } });
    }
    let items = |random: &mut Random, percent: usize| -> Vec<Value> {
        if random.chance(percent) { vec![item(random, prefix)] } else { Vec::new() }
    };
    match kind {
        0 => {
            policy["policyItems"] = items(random, 80).into();
            policy["denyPolicyItems"] = items(random, 30).into();
            policy["allowExceptions"] = items(random, 15).into();
            policy["denyExceptions"] = items(random, 15).into();
            policy["isDenyAllElse"] = random.chance(4).into();
        }
        1 => {
            let mut mask = item(random, "");
            mask["dataMaskInfo"] = json!({ "dataMaskType": random.one(&["MASK", "MASK_NONE", "MASK_HASH"]) });
            policy["dataMaskPolicyItems"] = json!([mask]);
        }
        _ => {
            let mut filter = item(random, "");
            filter["rowFilterInfo"] = json!({ "filterExpr": random.one(&["a = 1", "", "b = 2"]) });
            policy["rowFilterPolicyItems"] = json!([filter]);
        }
    }
    policy
}

/// Two sets that share most of their policies.
fn pair(random: &mut Random) -> [(Value, Value); 2] {
    let level = |name: &str, parent: &str, ignores_case: bool| json!({ "name": name, "parent": parent, "matcherOptions": { "ignoreCase": ignores_case } });
    let ignores_case = random.chance(60);
    let levels = json!([level("db", "", ignores_case), level("table", "db", ignores_case)]);
    let accesses = |prefix: &str| ACCESSES.map(|name| json!({ "name": format!("{prefix}{name}") }));
    let def = json!({
        "name": "h", "resources": levels, "accessTypes": accesses(""),
        "dataMaskDef": { "resources": levels }, "rowFilterDef": { "resources": levels },
    });
    let tag_def = json!({ "name": "tag", "resources": [level("tag", "", false)], "accessTypes": accesses("h:") });
    let shared: Vec<Value> =
        (0..random.below(5)).map(|at| policy(random, i64::try_from(at).expect("few"), "")).collect();
    let tagged: Vec<Value> =
        (0..random.below(3)).map(|at| policy(random, 50 + i64::try_from(at).expect("few"), "h:")).collect();
    let (has_tags, has_zones) = (random.chance(40), random.chance(25));
    let roles = |random: &mut Random| {
        let of = |random: &mut Random, names: &[&str]| -> Vec<Value> {
            random.some(names, 1).iter().map(|name| json!({ "name": name })).collect()
        };
        let roles: Vec<Value> = ROLES
            .iter()
            .map(|role| json!({ "name": role, "users": of(random, &USERS), "groups": of(random, &GROUPS) }))
            .collect();
        json!({ "rangerRoles": roles })
    };
    let all_roles = roles(random);
    let zone = json!([{ "db": [random.one(&["a*", "b", "?a"])] }]);
    let in_zone = policy(random, 90, "");
    [0, 1].map(|_| {
        let mut policies = shared.clone();
        if random.chance(50) && !policies.is_empty() {
            policies.swap_remove(random.below(policies.len()));
        }
        if random.chance(70) {
            policies.push(policy(random, 20, ""));
        }
        let mut service = json!({ "serviceName": "s", "serviceDef": def, "policies": policies });
        if has_tags {
            let mut tagged = tagged.clone();
            if random.chance(25) {
                tagged.push(policy(random, 60, "h:"));
            }
            service["tagPolicies"] = json!({ "serviceName": "t", "serviceDef": tag_def, "policies": tagged });
        }
        if has_zones {
            service["securityZones"] = json!({ "z": { "resources": zone, "policies": [in_zone] } });
        }
        (service, if random.chance(85) { all_roles.clone() } else { roles(random) })
    })
}

/// One request of the world.
struct Case<'c> {
    resource: Vec<(&'static str, &'static str)>,
    access: &'static str,
    user: &'static str,
    owns: bool,
    groups: &'c [&'static str],
    roles: &'c [&'static str],
    tags: &'c [&'static str],
}

fn answer(engine: &Engine, case: &Case<'_>, kind: PolicyType) -> String {
    let tag = |name: &&str| ResourceTag {
        tag: TagData { kind: (*name).to_owned(), ..TagData::default() },
        match_type: MatchType::Itself,
    };
    let tags: Vec<ResourceTag> = case.tags.iter().map(tag).collect();
    let resource: Vec<(&str, Values<'_>)> =
        case.resource.iter().map(|(level, value)| (*level, Values::One(value))).collect();
    let decision = engine.evaluate(
        &Request {
            resource: &resource,
            access: case.access,
            user: Some(case.user),
            owner: case.owns.then_some(case.user),
            groups: case.groups,
            roles: case.roles,
            tags: Some(&tags),
            at: Timestamp::UNIX_EPOCH,
            ..Request::default()
        },
        kind,
    );
    match kind {
        PolicyType::Access => if decision.is_allowed { "allowed" } else { "denied" }.to_owned(),
        PolicyType::DataMask => match decision.mask {
            Some(mask) if !mask.is_clear() => mask.kind.unwrap_or_default().to_owned(),
            _ => "clear".to_owned(),
        },
        PolicyType::RowFilter => match decision.filter.as_deref() {
            None | Some("") => "all rows".to_owned(),
            Some(filter) => filter.to_owned(),
        },
    }
}

/// The resources of policies of a type, and of zones: values by level.
fn sets_of(services: &[(Value, Value); 2], kind: i64) -> Vec<Value> {
    let mut found = Vec::new();
    for (service, _) in services {
        let zone = &service["securityZones"]["z"];
        let policies = [&service["policies"], &zone["policies"]].into_iter().filter_map(Value::as_array).flatten();
        found.extend(policies.filter(|policy| policy["policyType"] == kind).map(|policy| policy["resources"].clone()));
        let of_zone = zone["resources"].as_array().into_iter().flatten();
        found.extend(of_zone.map(|resource| json!({ "db": { "values": resource["db"] } })));
    }
    found
}

fn tags_of(services: &[(Value, Value); 2]) -> Vec<Value> {
    let policies = services.iter().filter_map(|(service, _)| service["tagPolicies"]["policies"].as_array()).flatten();
    policies.map(|policy| policy["resources"].clone()).collect()
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn is_like(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) if is_like(rest, text) => true,
        (Some(('*', _)), Some((_, text))) => is_like(pattern, text),
        (Some((one, pattern)), Some((other, text))) => (*one == '?' || one == other) && is_like(pattern, text),
        _ => false,
    }
}

struct World {
    sets: Vec<Value>,
    tags: Vec<Value>,
    ignores_case: bool,
}

impl World {
    /// How a resource is related to one of a policy, level by level, as long as there is something in common: whether the
    /// policy's values match, and whether one of them begins like it.
    fn relation(&self, set: &Value, resource: &[(&str, &str)], ignores_case: bool) -> Vec<(bool, bool)> {
        let fold = |text: &str| if ignores_case { text.to_lowercase() } else { text.to_owned() };
        let mut found = Vec::new();
        for (level, value) in resource {
            let Some(values) = set[*level]["values"].as_array() else { break };
            let values: Vec<String> = values.iter().filter_map(Value::as_str).map(fold).collect();
            let value = fold(value);
            let excludes = set[*level]["isExcludes"] == true;
            let matches = values.iter().any(|pattern| is_like(&chars(pattern), &chars(&value))) != excludes;
            let begins = |pattern: &String| match pattern.find(['*', '?']) {
                Some(end) => value.starts_with(&pattern[..end]),
                None => *pattern == value,
            };
            let reached =
                !self.tags.is_empty() && (excludes || values.iter().any(|pattern| pattern == "*" || begins(pattern)));
            found.push((matches, reached));
            if !matches && !reached {
                break;
            }
        }
        found
    }

    fn are_alike(&self, a: &[(&str, &str)], b: &[(&str, &str)]) -> bool {
        let relation = |set, resource| self.relation(set, resource, self.ignores_case);
        self.sets.iter().all(|set| relation(set, a) == relation(set, b))
    }

    fn are_alike_tags(&self, a: &str, b: &str) -> bool {
        self.tags.iter().all(|set| self.relation(set, &[("tag", a)], false) == self.relation(set, &[("tag", b)], false))
    }

    fn has(&self, principal: &Principal, case: &Case<'_>) -> bool {
        let one = |alike: &Alike, of: &[&str]| alike.iter().any(|name| of.contains(&name.as_str()));
        let tagged =
            |alike: &Alike| alike.iter().any(|name| case.tags.iter().any(|tag| self.are_alike_tags(name, tag)));
        (principal.users.is_empty() || one(&principal.users, &[case.user]))
            && principal.groups.iter().all(|alike| one(alike, case.groups))
            && principal.roles.iter().all(|alike| one(alike, case.roles))
            && (!principal.owns || case.owns)
            && principal.tags.iter().all(tagged)
    }

    /// Whether a change is about a request, as its documentation says.
    fn is_about(&self, change: &Change, case: &Case<'_>) -> bool {
        let example: Vec<(&str, &str)> =
            change.example.iter().map(|(level, value)| (level.as_str(), value.as_str())).collect();
        example.len() == case.resource.len()
            && self.are_alike(&example, &case.resource)
            && change.access == case.access
            && self.has(&change.principal, case)
            && !change.except.iter().any(|except| self.has(except, case))
    }
}

fn subsets(of: &[&'static str]) -> Vec<Vec<&'static str>> {
    (0..1_usize << of.len())
        .map(|bits| (0..of.len()).filter(|at| bits >> at & 1 == 1).map(|at| of[at]).collect())
        .collect()
}

fn check(seed: u64, differing: &mut usize) {
    let mut random = Random::new(seed);
    let sets = pair(&mut random);
    let sources = sets.each_ref().map(|(service, roles)| Sources {
        policies: serde_json::from_value::<ServicePolicies>(service.clone()).expect("policies"),
        roles: serde_json::from_value::<Roles>(roles.clone()).expect("roles"),
        ..Sources::default()
    });
    let engines = sources.each_ref().map(|sources| Engine::new(sources, Options::default()));
    let found = compare(&sources[0], &sources[1], Timestamp::UNIX_EPOCH);
    assert!(found.is_complete && found.open.is_empty(), "seed {seed}: {:?}", found.open);
    let ignores_case = sets[0].0["serviceDef"]["resources"][0]["matcherOptions"]["ignoreCase"] == true;
    let worlds = [0, 1, 2].map(|kind| World { sets: sets_of(&sets, kind), tags: tags_of(&sets), ignores_case });
    let mut resources: Vec<Vec<(&str, &str)>> = DATABASES.map(|db| vec![("db", db)]).to_vec();
    resources.extend(DATABASES.iter().flat_map(|db| TABLES.map(|table| vec![("db", *db), ("table", table)])));
    let tag_sets = if sets[0].0["tagPolicies"].is_null() { vec![Vec::new()] } else { subsets(&TAGS) };
    let group_sets = subsets(&GROUPS[..2]);
    // Who states roles says nothing else of himself.
    let mut people: Vec<(&str, bool, &[&str], &[&str])> =
        vec![("nobody", false, &[], &["r1"]), ("nobody", false, &[], &["r1", "r2"])];
    for groups in &group_sets {
        people.extend(
            USERS
                .iter()
                .flat_map(|user| [(*user, false, groups.as_slice(), [].as_slice()), (*user, true, groups, &[])]),
        );
    }
    for resource in resources {
        for tags in &tag_sets {
            for (access, kind, world) in [
                ("read", PolicyType::Access, &worlds[0]),
                ("write", PolicyType::Access, &worlds[0]),
                ("read", PolicyType::DataMask, &worlds[1]),
                ("read", PolicyType::RowFilter, &worlds[2]),
            ] {
                for (user, owns, groups, roles) in &people {
                    let case = Case { resource: resource.clone(), access, user, owns: *owns, groups, roles, tags };
                    let [before, after] = engines.each_ref().map(|engine| answer(engine, &case, kind));
                    let about =
                        found.changes.iter().filter(|change| change.kind == kind && world.is_about(change, &case));
                    let told: Vec<(&str, &str)> =
                        about.map(|change| (change.before.as_str(), change.after.as_str())).collect();
                    let is_told =
                        told.iter().all(|told| *told == (&before, &after)) && told.is_empty() == (before == after);
                    *differing += usize::from(before != after);
                    assert!(
                        is_told,
                        "seed {seed}: {:?} {access} {user} owns {owns} {groups:?} {roles:?} {tags:?}: {before} → {after}, told {told:?}\n{:#?}\n{}\n{}",
                        case.resource, found.changes, sets[0].0, sets[1].0
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_listed_is_what_differs() {
    let mut differing = 0;
    for seed in SEEDS {
        check(seed, &mut differing);
    }
    assert!(differing > 5_000, "{differing}");
}
