//! What is found in policies without a request: each finding, and the nearest case in which it is not made.

use std::fmt::Write as _;

use lockgate_project::{CHECKED_REQUESTS_MAX, Project, check_policies, to_sarif};

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

/// The one finding of a policy, without its place, which is that of the name.
fn one(rest: &str) -> String {
    one_at(rest, "p\n")
}

/// The one finding of a policy, without its place, which is where a part of the file begins.
fn one_at(rest: &str, part: &str) -> String {
    let found = policy(rest);
    assert_eq!(found.len(), 1, "{rest}: {found:?}");
    let text = format!("policies:\n  - policy: p\n    {rest}\n");
    let before = &text[..text.find(&format!(" {part}")).expect("the part is there") + 1];
    let (line, column) = (before.lines().count(), before.lines().last().unwrap().len() + 1);
    let place = format!("policies/a.yaml:{line}:{column}: ");
    found[0].strip_prefix(&place).unwrap_or_else(|| panic!("{} is not at {place}", found[0])).to_owned()
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
        one_at(&format!("on: {{ datasets: [customers], except_columns: ['*'] }}\n    {ALLOW}"), "{ datasets"),
        "LG402 warning: the policy `p` fits nothing: it excludes every column"
    );
    let also = "on: { datasets: [customers, analytics.customers] }\n    also_on: [{ datasets: [customers], except_columns: ['*'] }]";
    let found = policy(&format!("{also}\n    {ALLOW}"));
    assert_eq!(
        found,
        ["policies/a.yaml:4:15: LG402 warning: the policy `p` fits nothing: it excludes every column"],
        "the second `on` is the third resource"
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
    for (rest, part, expected) in [
        (
            "allow: [{ users: [a], access: [select] }, { users: [a], access: [select] }]\n    deny_all_else: true",
            "{ users: [a], access: [select] }]\n    deny_all_else",
            "item 2 of `allow` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "deny: [{ users: [a], access: [select] }, { users: [a], access: [select] }]\n    enabled: true",
            "{ users: [a], access: [select] }]\n    enabled",
            "item 2 of `deny` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "mask: [{ groups: [public], with: hash }, { users: [a], with: clear }]",
            "{ users: [a], with: clear }",
            "item 2 of `mask` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "mask: [{ users: [c], with: hash, columns: [email] }, { groups: [public], with: hash, columns: [name] }, { users: [a], with: clear, columns: [name] }]",
            "{ users: [a], with: clear",
            "item 2 of `mask` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "rows: [{ users: [a, b], where: x = 1 }, { users: [b], where: x = 2 }]",
            "{ users: [b]",
            "item 2 of `rows` in the policy `p` decides nothing: item 1 does for all whom it names",
        ),
        (
            "allow: [{ users: [c], access: [all] }, { users: [a], access: [select] }]\n    deny: [{ users: [a, b], access: [select, update] }]",
            "{ users: [a], access",
            "item 2 of `allow` in the policy `p` allows nothing: item 1 of `deny` denies it to all whom it names",
        ),
    ] {
        assert_eq!(one_at(&format!("{on}{rest}"), part), format!("LG403 warning: {expected}"));
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

#[test]
fn roles_and_groups_that_no_file_declares() {
    let names = "policies:
  - policy: p
    on: { datasets: [customers] }
    allow: [{ users: [kim], access: [update] }, { roles: [supprt], groups: [helpdesk, public], access: [select] }]
    allow_except: [{ groups: [other], access: [select] }]
    rows: [{ roles: [supprt], where: a = 1 }]
";
    let with = |declared: &str| found(&[("policies/a.yaml", names), ("policies/b.yaml", declared)]);
    let role = |place: &str| {
        format!(
            "policies/a.yaml:{place}: LG404 warning: the policy `p` names the role `supprt`, which no file declares"
        )
    };
    let roles = [role("4:49"), role("6:12")];
    assert_eq!(with("roles: { support: { users: [sam] } }\n"), roles, "groups come from elsewhere");
    let group = |place: &str, name: &str| {
        format!(
            "policies/a.yaml:{place}: LG404 warning: the policy `p` names the group `{name}`, which no file declares"
        )
    };
    assert_eq!(
        with("groups: { clerks: [kim] }\n"),
        [group("2:13", "other"), group("4:49", "helpdesk")],
        "roles come from elsewhere"
    );
    assert_eq!(with("users: { kim: { dept: sales } }\n"), [""; 0], "nothing is declared");
    let all = "roles: { supprt: { users: [sam] } }\ngroups: { helpdesk: [kim], other: [kim] }\n";
    assert_eq!(with(all), [""; 0]);
    let json = r#"{"rangerRoles": [{"name": "support"}]}"#;
    assert_eq!(found(&[("policies/a.yaml", names), ("policies/roles.json", json)]), roles);
    let store = r#"{"userGroupMapping": {}, "groupAttrMapping": {"helpdesk": {}}}"#;
    assert_eq!(found(&[("policies/a.yaml", names), ("policies/users.json", store)]), [group("2:13", "other")]);
    let tags = "roles: { support: { users: [sam] } }\npolicies: [{ policy: t, on: { tags: [pii.name] }, deny: [{ roles: [r], access: [select] }] }]\n";
    assert_eq!(
        found(&[("policies/a.yaml", tags)]),
        ["policies/a.yaml:2:58: LG404 warning: the policy `t` names the role `r`, which no file declares"]
    );
}

#[test]
fn as_many_requests_are_made_up_as_the_limit() {
    // Each of the five columns is asked for once, and the one with a tag for each user as well; it is the last one.
    let catalog = CUSTOMERS.replace(", tags: [pii.name]", "").replace(", tags: [pii.email]", "");
    let catalog = catalog.replace("signup_date: { type: date }", "signup_date: { type: date, tags: [pii.email] }");
    let with = |users: usize| {
        let mut names = String::from("\"u0\"");
        for n in 1..users {
            write!(names, ",\"u{n}\"").unwrap();
        }
        let export = format!(
            r#"{{"policies": [{{"id": 1, "name": "p", "serviceType": "hive", "resources": {{"database": {{"values": ["default"]}},
              "table": {{"values": ["customers"]}}, "column": {{"values": ["*"]}}}},
              "policyItems": [{{"accesses": [{{"type": "select"}}], "users": [{names}]}}]}}]}}"#
        );
        let deny = "policies: [{ policy: t, on: { tags: [pii.email] }, deny: [{ users: [u0], access: [select] }] }]";
        found(&[("catalog/customers.yaml", &catalog), ("policies/a.json", &export), ("policies/b.yaml", deny)])
    };
    let contradiction = "policies/a.json:1:34: LG407 warning: the policy `p` lets the user `u0` read `customers.signup_date`, which `t` denies by the column's tag";
    assert_eq!(with(CHECKED_REQUESTS_MAX - 5), [contradiction]);
    assert_eq!(
        with(CHECKED_REQUESTS_MAX - 4),
        [
            "policies/b.yaml:1:1: LG408 warning: 1 columns were not compared with the policies: that would take more than 100000 requests"
        ]
    );
}

#[test]
fn policies_on_tags_are_looked_at_as_those_on_datasets() {
    let on = "on: { tags: [pii.email] }";
    let with = |policies: &[&str]| {
        let entries: String = policies.iter().map(|policy| format!("  - {{ {policy} }}\n")).collect();
        found(&[("policies/a.yaml", &format!("policies:\n{entries}"))])
    };
    let deny = format!("{on}, deny: [{{ users: [a], access: [select] }}]");
    assert_eq!(
        with(&[&format!("policy: p, {deny}"), &format!("policy: q, {deny}")]),
        ["policies/a.yaml:3:15: LG403 warning: the policy `q` says what `p` says"]
    );
    assert_eq!(
        with(&[&format!("policy: p, {on}, mask: [{{ groups: [public], with: hash }}, {{ users: [a], with: clear }}]")]),
        [
            "policies/a.yaml:2:86: LG403 warning: item 2 of `mask` in the policy `p` decides nothing: item 1 does for all whom it names"
        ]
    );
    assert_eq!(
        with(&[&format!("policy: p, {deny}, valid: [{{ until: 2026-11-24 }}]")]),
        ["policies/a.yaml:2:15: LG406 warning: the policy `p` has expired on 2026-11-24 23:59:59"]
    );
    assert_eq!(with(&[&format!("policy: p, {deny}")]), [""; 0]);
}

#[test]
fn findings_are_written_as_sarif_with_the_place_of_the_item() {
    let text = "policies:
  - policy: p
    on: { datasets: [customers] }
    mask: [{ groups: [public], with: hash }, { users: [a], with: clear }]
";
    let project = project(&[("policies/a.yaml", text)]);
    let sarif = to_sarif(&check_policies(&project, NOW.parse().unwrap()), &project.sources);
    let run = &sarif["runs"][0];
    let rule = &run["tool"]["driver"]["rules"][0];
    assert_eq!((rule["id"].as_str(), rule["helpUri"].as_str()), (Some("LG403"), Some("docs/codes.md#lg403")));
    let result = &run["results"][0];
    assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("LG403"), Some("warning")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "policies/a.yaml");
    let region = &place["region"];
    assert_eq!((region["startLine"].as_u64(), region["startColumn"].as_u64()), (Some(4), Some(46)));
    assert_eq!((region["endLine"].as_u64(), region["endColumn"].as_u64()), (Some(4), Some(73)));
    assert_eq!(run["results"].as_array().map(Vec::len), Some(1));
}
