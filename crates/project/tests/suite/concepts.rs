//! Each pair of `docs/policies.md`, YAML and Ranger's JSON: both are loaded, and both decide what is written here.

use lockgate_policy::{Document, Sources};
use lockgate_project::Project;
use serde_json::{Map, Value, json};

use crate::base::{load, shown};
use crate::policies::{ASK, Ask, decide, project};

const PAGE: &str = include_str!("../../../../docs/policies.md");

/// The requests of each pair, with what is decided.
const CONCEPTS: [(&str, &[(Ask<'_>, &str)]); 16] = [
    (
        "Access",
        &[
            (ASK, "yes"),
            (Ask { user: "lea", groups: &["helpdesk"], ..ASK }, "yes"),
            (Ask { user: "kim", groups: &["helpdesk"], ..ASK }, "no"),
            (Ask { access: "update", ..ASK }, "no"),
            (Ask { dataset: "sales.customers", ..ASK }, "no"),
            (Ask { user: "eve", ..ASK }, "no"),
        ],
    ),
    (
        "Denials and exceptions from them",
        &[
            (ASK, "yes"),
            (Ask { groups: &["helpdesk"], ..ASK }, "no"),
            (Ask { user: "kim", groups: &["helpdesk"], ..ASK }, "yes"),
        ],
    ),
    (
        "Everybody else is denied",
        &[(ASK, "yes"), (Ask { user: "eve", ..ASK }, "no"), (Ask { user: "eve", dataset: "orders", ..ASK }, "yes")],
    ),
    ("Priority", &[(ASK, "yes"), (Ask { user: "eve", ..ASK }, "no")]),
    (
        "Excluded values",
        &[
            (Ask { dataset: "sales.orders", column: "city", ..ASK }, "yes"),
            (Ask { dataset: "sales.orders", column: "email", ..ASK }, "no"),
            (Ask { dataset: "sales.secret", column: "city", ..ASK }, "no"),
            (Ask { dataset: "orders", column: "city", ..ASK }, "no"),
        ],
    ),
    (
        "Several resources",
        &[
            (Ask { column: "name", ..ASK }, "yes"),
            (Ask { column: "city", ..ASK }, "no"),
            (Ask { dataset: "sales.orders", column: "city", ..ASK }, "yes"),
            (Ask { dataset: "sales.orders", column: "name", ..ASK }, "no"),
        ],
    ),
    (
        "Tags",
        &[
            (ASK, "yes"),
            (Ask { tags: &["pci.pan"], ..ASK }, "yes"),
            (Ask { user: "eve", tags: &["pci.pan"], ..ASK }, "no"),
            (Ask { user: "eve", tags: &["pii.email"], ..ASK }, "yes MASK_HASH"),
        ],
    ),
    (
        "Kinds of masks",
        &[
            (Ask { column: "id", ..ASK }, "yes MASK"),
            (Ask { column: "name", ..ASK }, "yes MASK_SHOW_FIRST_4"),
            (Ask { column: "phone", ..ASK }, "yes MASK_SHOW_LAST_4"),
            (Ask { column: "email", ..ASK }, "yes MASK_HASH"),
            (Ask { column: "card", ..ASK }, "yes MASK_NULL"),
            (Ask { column: "born", ..ASK }, "yes MASK_DATE_SHOW_YEAR"),
            (Ask { column: "city", ..ASK }, "yes MASK_NONE"),
            (Ask { column: "zip", ..ASK }, "yes"),
        ],
    ),
    ("A mask of one's own", &[(Ask { column: "name", ..ASK }, "yes CUSTOM left({col}, 1)"), (ASK, "yes")]),
    (
        "Row filters",
        &[
            (ASK, "yes where city = 'Bern'"),
            (Ask { groups: &["helpdesk"], ..ASK }, "yes where city = 'Bern'"),
            (Ask { user: "kim", groups: &["helpdesk"], ..ASK }, "yes where city = 'Graz'"),
            (Ask { user: "eve", ..ASK }, "yes"),
        ],
    ),
    (
        "Roles, groups and what is known of users",
        &[
            (ASK, "yes"),
            (Ask { user: "kim", ..ASK }, "yes"),
            (Ask { user: "lea", ..ASK }, "yes"),
            (Ask { user: "eve", ..ASK }, "no"),
            (Ask { user: "eve", groups: &["helpdesk"], ..ASK }, "yes"),
        ],
    ),
    (
        "Anybody, and the owner",
        &[
            (Ask { user: "eve", column: "city", ..ASK }, "yes"),
            (Ask { user: "eve", column: "name", ..ASK }, "yes"),
            (Ask { user: "eve", ..ASK }, "no"),
            (Ask { user: "olga", ..ASK }, "yes"),
        ],
    ),
    (
        "Validity and recurrence",
        &[
            (ASK, "yes"),
            (Ask { at: "2026-11-25T07:59:59Z", ..ASK }, "no"),
            (Ask { at: "2026-11-25T18:30:00Z", ..ASK }, "no"),
            // A Saturday.
            (Ask { at: "2026-11-28T12:00:00Z", ..ASK }, "no"),
            (Ask { at: "2025-11-25T12:00:00Z", ..ASK }, "no"),
        ],
    ),
    (
        "Conditions",
        &[
            (Ask { column: "id", address: Some("10.0.3.4"), ..ASK }, "yes"),
            (Ask { column: "id", address: Some("10.1.3.4"), ..ASK }, "no"),
            (Ask { column: "id", ..ASK }, "no"),
            (Ask { column: "name", ..ASK }, "yes"),
            (Ask { column: "name", at: "2026-11-25T18:30:00Z", ..ASK }, "no"),
            (ASK, "yes"),
            (Ask { user: "eve", ..ASK }, "no"),
            (Ask { column: "card", together: &["card", "city"], ..ASK }, "yes"),
            (Ask { column: "card", together: &["card", "name"], ..ASK }, "no"),
            (Ask { column: "phone", together: &["phone", "id"], ..ASK }, "yes"),
            (Ask { column: "phone", together: &["phone", "city"], ..ASK }, "no"),
            (Ask { column: "city", action: Some("QUERY"), ..ASK }, "yes"),
            (Ask { column: "city", action: Some("EXPORT"), ..ASK }, "no"),
            (Ask { column: "born", cluster: Some("east"), ..ASK }, "yes"),
            (Ask { column: "born", cluster: Some("west"), ..ASK }, "no"),
            (Ask { column: "zip", cluster: Some("west"), ..ASK }, "yes"),
            (Ask { column: "zip", cluster: Some("east"), ..ASK }, "no"),
            (Ask { column: "a", tags: &["x", "y"], ..ASK }, "yes"),
            (Ask { column: "a", tags: &["x"], ..ASK }, "no"),
            (Ask { column: "b", tags: &["y"], ..ASK }, "yes"),
            (Ask { column: "b", ..ASK }, "no"),
            (Ask { column: "c", ..ASK }, "yes"),
            (Ask { column: "c", tags: &["x"], ..ASK }, "no"),
            (Ask { column: "d", context: &[("purpose", "support"), ("region", "us")], ..ASK }, "yes"),
            (Ask { column: "d", context: &[("purpose", "support"), ("region", "eu")], ..ASK }, "no"),
            (Ask { column: "d", context: &[("purpose", "sales"), ("region", "us")], ..ASK }, "no"),
        ],
    ),
    (
        "Security zones",
        &[
            (Ask { user: "eve", ..ASK }, "yes"),
            (Ask { user: "eve", dataset: "sales.orders", ..ASK }, "no"),
            (Ask { dataset: "sales.orders", ..ASK }, "yes"),
        ],
    ),
    (
        "Auditing, and policies that are switched off",
        &[
            (ASK, "yes unaudited"),
            (Ask { dataset: "sales.orders", ..ASK }, "yes"),
            (Ask { user: "kim", dataset: "sales.orders", ..ASK }, "no"),
        ],
    ),
];

/// The block of a section that begins with a fence.
fn block<'t>(text: &'t str, fence: &str) -> &'t str {
    text.split_once(fence).unwrap_or_else(|| panic!("no {fence} in {text}")).1.split_once("\n```").unwrap().0
}

/// What Hive's plugin downloads, and the tags' part of it: the definitions alone.
fn definitions() -> Value {
    let mut sources = Sources::default();
    let tagged = r#"{"policies": [{"id": 1, "service": "tags", "serviceType": "tag"}]}"#;
    sources.add(Document::read(tagged).unwrap()).unwrap();
    let mut downloaded = serde_json::to_value(&sources.policies).unwrap();
    downloaded["tagPolicies"]["policies"] = json!([]);
    downloaded
}

/// Gives policies numbers, and the resource that the page names its text.
fn complete(policies: &mut Value, customers: &Value, next: &mut i64) {
    for policy in policies.as_array_mut().into_iter().flatten() {
        *next += 1;
        policy["id"] = json!(*next);
        if policy["resources"] == "customers" {
            policy["resources"] = customers.clone();
        }
    }
}

/// The project whose policies are those of a JSON block.
fn imported(text: &str) -> Project {
    let Value::Object(mut said) = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")) else {
        panic!("no object: {text}")
    };
    let customers: Value = serde_json::from_str(block(PAGE, "```json customers\n")).unwrap();
    let mut take =
        |names: &[&str]| -> Map<String, Value> { names.iter().filter_map(|name| said.remove_entry(*name)).collect() };
    let roles = take(&["rangerRoles"]);
    let users = take(&["userGroupMapping", "userAttrMapping"]);
    let mut downloaded = definitions();
    let mut next = 0;
    for (name, value) in take(&["policies", "tagPolicies", "securityZones", "serviceDef"]) {
        match (name.as_str(), value) {
            ("tagPolicies", value) => downloaded["tagPolicies"]["policies"] = value["policies"].clone(),
            ("serviceDef", value) => downloaded["serviceDef"]["policyConditions"] = value["policyConditions"].clone(),
            (name, value) => downloaded[name] = value,
        }
    }
    assert!(said.is_empty(), "not looked at: {said:?}");
    complete(&mut downloaded["policies"], &customers, &mut next);
    complete(&mut downloaded["tagPolicies"]["policies"], &customers, &mut next);
    for zone in downloaded["securityZones"].as_object_mut().into_iter().flatten() {
        complete(&mut zone.1["policies"], &customers, &mut next);
    }
    let documents = [
        ("policies/hive.json", downloaded.to_string()),
        ("policies/roles.json", Value::from(roles).to_string()),
        ("policies/users.json", Value::from(users).to_string()),
    ];
    let files: Vec<(&str, &str)> =
        documents.iter().filter(|(_, text)| text != "{}").map(|(path, text)| (*path, text.as_str())).collect();
    load(&files).unwrap_or_else(|rejected| panic!("{}", shown(&rejected))).0
}

#[test]
fn yaml_and_ranger_s_json_decide_alike() {
    let section = PAGE.split_once("\n## Each concept in YAML").unwrap().1.split_once("\n## ").unwrap().0;
    let pairs: Vec<(&str, &str)> = section.split("\n### ").skip(1).map(|pair| pair.split_once('\n').unwrap()).collect();
    let titles: Vec<&str> = pairs.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, CONCEPTS.map(|(title, _)| title));
    for ((title, pair), (_, requests)) in pairs.iter().zip(CONCEPTS) {
        let (yaml, json) = (project(block(pair, "```yaml\n")), imported(block(pair, "```json\n")));
        for (at, (ask, expected)) in requests.iter().enumerate() {
            assert_eq!(decide(&yaml, ask), *expected, "{title}, request {at}, YAML");
            assert_eq!(decide(&json, ask), *expected, "{title}, request {at}, JSON");
        }
    }
}
