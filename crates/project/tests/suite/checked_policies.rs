//! What is found in policies without a request: each finding, and the nearest case in which it is not made.

use lockgate_project::{Project, check_policies};

use crate::base::{CUSTOMERS, load, shown};

const NOW: &str = "2026-11-25T12:00:00Z";

fn project(files: &[(&str, &str)]) -> Project {
    load(files).unwrap_or_else(|rejected| panic!("{}", shown(&rejected))).0
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let project = project(files);
    check_policies(&project, NOW.parse().unwrap()).iter().map(|found| found.line(&project.sources)).collect()
}

/// What is found in one policy.
fn policy(rest: &str) -> Vec<String> {
    found(&[("policies/a.yaml", &format!("policies:\n  - policy: p\n    {rest}\n"))])
}

const ALLOW: &str = "allow: [{ roles: [r], access: [select] }]";

/// The one finding of a policy, without its place.
fn one(rest: &str) -> String {
    let found = policy(rest);
    assert_eq!(found.len(), 1, "{rest}: {found:?}");
    found[0].strip_prefix("policies/a.yaml:2:13: ").expect("the place of the name").to_owned()
}

fn nothing(rest: &str) {
    assert_eq!(policy(rest), [""; 0], "{rest}");
}

#[test]
fn a_policy_that_cannot_be_decided() {
    assert_eq!(
        one(
            "on: { datasets: [customers] }\n    allow: [{ roles: [r], access: [select], if: { expression: 'while (1) {}' } }]"
        ),
        "LG401 error: the policy `p` cannot be decided: condition `if.expression`: its script is refused: 1:1: `while` \
         is not supported"
    );
    nothing(
        "on: { datasets: [customers] }\n    allow: [{ roles: [r], access: [select], if: { expression: \"USER.a == 'b'\" } }]",
    );
}

#[test]
fn resources_that_fit_nothing() {
    assert_eq!(
        one(&format!("on: {{ datasets: [customers], except_columns: ['*'] }}\n    {ALLOW}")),
        "LG402 warning: the policy `p` fits nothing: it excludes every column"
    );
    nothing(&format!("on: {{ datasets: [customers], except_columns: [email] }}\n    {ALLOW}"));
}

#[test]
fn names_that_the_project_has_not() {
    for (on, expected) in [
        (
            "{ datasets: [custmers] }",
            "the policy `p` is on the dataset `custmers`, which is neither in the catalog nor written by a pipeline",
        ),
        (
            "{ datasets: [customers], columns: [emial] }",
            "the policy `p` names the column `emial`, which `customers` has not",
        ),
        ("{ tags: [pii.emial] }", "the policy `p` is on the tag `pii.emial`, which no column can have"),
    ] {
        assert_eq!(one(&format!("on: {on}\n    {ALLOW}")), format!("LG404 error: {expected}"));
    }
    for on in [
        "{ datasets: [customers, analytics.customers] }",
        "{ datasets: ['cust*'], columns: [emial] }",
        "{ datasets: [analytics.customers], columns: [emial] }",
        "{ datasets: [customers, analytics.customers], columns: [emial] }",
        "{ datasets: [CUSTOMERS], columns: [EMAIL, 'x*', '{USER}'] }",
        "{ datasets: ['*'], except_datasets: [nowhere.x, 'nowhere.*'] }",
        "{ tags: ['pii.*', pii.email] }",
    ] {
        if !on.contains("nowhere") {
            nothing(&format!("on: {on}\n    {ALLOW}"));
        }
    }
    nothing(&format!("on: {{ datasets: ['*'], except_datasets: ['nowhere.*'] }}\n    {ALLOW}"));
}

#[test]
fn items_that_decide_nothing() {
    let on = "on: { datasets: [customers] }\n    ";
    for (rest, expected) in [
        (
            "mask: [{ groups: [public], with: hash }, { users: [a], with: clear }]",
            "item 2 of `mask` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "rows: [{ users: [a, b], where: x = 1 }, { users: [b], where: x = 2 }]",
            "item 2 of `rows` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "allow: [{ users: [a], access: [select] }]\n    deny: [{ users: [a, b], access: [select, update] }]",
            "item 1 of `allow` in the policy `p` allows nothing: item 1 of `deny` denies it to all whom it names",
        ),
    ] {
        assert_eq!(one(&format!("{on}{rest}")), format!("LG403 warning: {expected}"));
    }
    for rest in [
        "mask: [{ groups: [public], with: hash, if: { ip: ['10.*'] } }, { users: [a], with: clear }]",
        "mask: [{ users: [a], with: clear }, { groups: [public], with: hash }]",
        "rows: [{ users: [a], where: x = 1 }, { groups: [a], where: x = 2 }]",
        "allow: [{ users: [a], access: [select, update] }]\n    deny: [{ users: [a], access: [select] }]",
        "allow: [{ users: [a], access: [select] }]\n    deny: [{ users: [a], access: [select] }]\n    deny_except: [{ roles: [r], access: [select] }]",
        "allow: [{ users: [a], access: [select] }, { users: [a], access: [select], delegate_admin: true }]",
    ] {
        nothing(&format!("{on}{rest}"));
    }
}

#[test]
fn equal_policies() {
    let text = format!(
        "policies:\n  - {{ policy: p, on: {{ datasets: [customers] }}, {ALLOW} }}\n  - {{ policy: q, on: {{ datasets: [customers] }}, {ALLOW} }}\n"
    );
    assert_eq!(
        found(&[("policies/a.yaml", &text)]),
        ["policies/a.yaml:3:15: LG403 warning: the policy `q` says what `p` says"]
    );
    let other = text.replacen("[r]", "[s]", 1);
    assert_eq!(found(&[("policies/a.yaml", &other)]), [""; 0]);
}

#[test]
fn policies_that_end() {
    let until = |until: &str| format!("on: {{ datasets: [customers] }}\n    valid: [{until}]\n    {ALLOW}");
    for (valid, expected) in [
        ("{ until: 2026-12-25 }", None),
        ("{ until: 2026-12-24 }", Some("expires on 2026-12-24 23:59:59")),
        ("{ until: '2026-12-25 12:00:00' }", Some("expires on 2026-12-25 12:00:00")),
        ("{ until: '2026-12-25 12:00:01' }", None),
        ("{ until: 2026-11-24 }", Some("has expired on 2026-11-24 23:59:59")),
        ("{ until: 2026-11-24 }, { from: 2020-01-01 }", None),
        ("{ until: 2026-11-24 }, { until: 2027-11-24 }", None),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|expected| format!("policies/a.yaml:2:13: LG406 warning: the policy `p` {expected}"))
            .collect();
        assert_eq!(policy(&until(valid)), expected, "{valid}");
    }
}

#[test]
fn the_highest_level_in_the_clear_to_anybody() {
    let catalog = CUSTOMERS.replace("city:        { type: text }", "city:        { type: text, level: restricted }");
    let with = |policies: &str| found(&[("catalog/customers.yaml", &catalog), ("policies/a.yaml", policies)]);
    let open = "policies:\n  - policy: p\n    on: { datasets: [customers], columns: [city] }\n    allow: [{ groups: [public], access: [select] }]\n";
    let expected = "policies/a.yaml:2:13: LG405 error: the policy `p` lets anybody read `customers.city` in the clear, which is of the highest level";
    assert_eq!(with(open), [expected]);
    assert_eq!(with(&open.replace("groups: [public]", "users: ['{USER}']")), [expected]);
    assert_eq!(with(&format!("{open}    mask: [{{ users: [a], with: hash }}]\n")), [expected], "not for anybody");
    for closed in [
        format!("{open}    mask: [{{ groups: [public], with: hash }}]\n"),
        open.replace("groups: [public]", "groups: [staff]"),
        open.replace("columns: [city]", "columns: [email]"),
        open.replace("access: [select] ", "access: [select], if: { ip: ['10.*'] } "),
    ] {
        assert_eq!(with(&closed), [""; 0], "{closed}");
    }
}

#[test]
fn contradictions_of_tags() {
    let tags = "policies:
  - { policy: t, on: { tags: [pii.email] }, deny: [{ groups: [clerks], access: [select] }] }
  - { policy: m, on: { tags: [pii.name] }, mask: [{ roles: [support], with: hash }] }
";
    let with = |policies: &str| found(&[("policies/a.yaml", tags), ("policies/b.yaml", policies)]);
    let allow =
        "policies: [{ policy: p, on: { datasets: [customers] }, allow: [{ groups: [clerks], access: [select] }] }]";
    assert_eq!(
        with(allow),
        [
            "policies/b.yaml:1:22: LG407 warning: the policy `p` lets the group `clerks` read `customers.email`, which `t` denies by the column's tag"
        ]
    );
    let clear = "policies: [{ policy: p, on: { datasets: [customers], columns: [name] }, mask: [{ roles: [support], with: clear }] }]";
    assert_eq!(
        with(clear),
        [
            "policies/b.yaml:1:22: LG407 warning: the policy `p` shows the role `support` `customers.name` unmasked, which `m` masks by the column's tag"
        ]
    );
    for agreed in [
        allow.replace("{ datasets: [customers] },", "{ datasets: [customers] }, priority: override,"),
        allow.replace("[clerks]", "[staff]"),
        allow.replace("{ datasets: [customers] }", "{ datasets: [customers], columns: [city] }"),
        clear.replace("with: clear", "with: \"null\""),
    ] {
        assert_eq!(with(&agreed), [""; 0], "{agreed}");
    }
}

const EXPORT: &str = r#"{"policies": [{"id": 7, "name": "orders", "serviceType": "hive",
  "resources": {"database": {"values": ["default"]}, "table": {"values": ["customers"]}, "column": {"values": ["emial"]}},
  "policyItems": [{"accesses": [{"type": "selct"}], "groups": ["clerks"]}],
  "validitySchedules": [{"startTime": "2030/01/01 00:00:00", "endTime": "2029/01/01 00:00:00"}]}]}"#;

#[test]
fn imported_policies_are_warned_of() {
    let with = |text: &str| found(&[("policies/a.json", text)]);
    assert_eq!(
        with(EXPORT),
        [
            "policies/a.json:1:34: LG402 warning: item 1 of `allow` in the policy `orders` never fits: the service has no access `selct`",
            "policies/a.json:1:34: LG402 warning: the policy `orders` never counts: it ends before it begins",
            "policies/a.json:1:34: LG404 warning: the policy `orders` names the column `emial`, which `customers` has not",
        ]
    );
    let right = EXPORT.replace("emial", "email").replace("selct", "hdfs:read").replace("2029", "2031");
    assert_eq!(with(&right), [""; 0]);
    assert_eq!(with(&right.replace("[\"customers\"]", "[\"elsewhere\"]")), [""; 0], "another's dataset");
    let levels = with(&right.replace("\"table\"", "\"tabel\""));
    assert!(levels.len() == 1 && levels[0].contains("LG401"), "{levels:?}");
}
