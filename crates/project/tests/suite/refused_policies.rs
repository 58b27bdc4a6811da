//! A table of bad files of policies and what is said of them.

use crate::base::{lines, said};

fn policies(text: &str) -> String {
    said(&[("policies/a.yaml", text)])
}

/// The line of what is said of one policy on customers.
fn rest(rest: &str) -> Vec<String> {
    let text = format!("policies:\n  - policy: p\n    on: {{ datasets: [customers] }}\n{rest}\n");
    lines(&[("policies/a.yaml", &text)])
}

#[test]
fn keys() {
    insta::assert_snapshot!(policies("policy:\n  - x\n"), @r#"
    error[LG012]: unknown key `policy`
     --> policies/a.yaml:1:1
      |
    1 | policy:
      | ^^^^^^
      |
      = help: did you mean `policies`?

    error[LG008]: `policy[0]` is the text `x`, and a mapping with the keys `policy`, `enabled`, `audit`, `priority`, `zone`, `on`, `also_on`, `valid`, `if`, `allow`, `allow_except`, `deny`, `deny_except`, `deny_all_else`, `mask`, `rows` is expected
     --> policies/a.yaml:2:5
      |
    2 |   - x
      |     ^
      |
      = help: write a mapping with the keys `policy`, `enabled`, `audit`, `priority`, `zone`, `on`, `also_on`, `valid`, `if`, `allow`, `allow_except`, `deny`, `deny_except`, `deny_all_else`, `mask`, `rows` here

    2 errors
    "#);
}

#[test]
fn values() {
    insta::assert_debug_snapshot!([
        "    alow: [{ users: [a], access: [select] }]",
        "    allow: [{ users: [a], access: [selct] }]",
        "    allow: [{ access: [select] }]",
        "    allow: [{ users: [], access: [select] }]",
        "    allow: [{ users: [a, a], access: [select] }]",
        "    allow: []",
        "    allow: [{ users: [' '], access: [select] }]",
        "    enabled: true",
        "    allow_except: [{ users: [a], access: [select] }]\n    deny: [{ users: [a], access: [select] }]",
        "    mask: [{ users: [a], with: rot13 }]",
        "    mask: [{ users: [a], with: 'show_first: 5' }]",
        "    mask: [{ users: [a], with: null }]",
        "    mask: [{ users: [a] }]",
        "    mask: [{ users: [a], with: hash, sql: x }]",
        "    mask: [{ users: [a], columns: [x], with: hash }, { users: [b], columns: ['*'], with: hash }]",
        "    rows: [{ users: [a], where: ' ' }]",
        "    zone: nowhere\n    deny_all_else: true",
        "    valid: [{ from: 2026-13-01 }]\n    deny_all_else: true",
        "    valid: [{ from: 2026-02-01, until: 2026-01-01 }]\n    deny_all_else: true",
        "    valid: [{ from: 2026-02-01, time_zone: Mars/Olympus }]\n    deny_all_else: true",
        "    valid: [{}]\n    deny_all_else: true",
        "    valid: [{ every: [{ hour: '25', for: { hours: 1 } }] }]\n    deny_all_else: true",
        "    if: {}\n    deny_all_else: true",
        "    if: { time_of_day: [morning] }\n    deny_all_else: true",
        "    if: { together: [email] }\n    deny_all_else: true",
        "    if: { expression: '' }\n    deny_all_else: true",
    ].map(rest), @r#"
    [
        [
            "policies/a.yaml:4:5: LG012 error: unknown key `alow` in `policies[0]`",
        ],
        [
            "policies/a.yaml:4:36: LG010 error: there is no access `selct`",
        ],
        [
            "policies/a.yaml:4:13: LG009 error: it is not said whom this is for",
        ],
        [
            "policies/a.yaml:4:22: LG010 error: the list is empty",
        ],
        [
            "policies/a.yaml:4:26: LG010 error: the user `a` is in the list twice",
        ],
        [
            "policies/a.yaml:4:12: LG010 error: the list is empty",
        ],
        [
            "policies/a.yaml:4:23: LG010 error: a user without a name",
        ],
        [
            "policies/a.yaml:2:5: LG009 error: the policy decides nothing",
        ],
        [
            "policies/a.yaml:4:19: LG010 error: `allow_except` has no `allow` to be an exception from",
        ],
        [
            "policies/a.yaml:4:32: LG010 error: `rot13` is no mask of a policy",
        ],
        [
            "policies/a.yaml:4:32: LG010 error: `show_first: 5` is no mask of a policy",
        ],
        [
            "policies/a.yaml:4:32: LG008 error: `policies[0].mask[0].with` is empty, and text is expected",
        ],
        [
            "policies/a.yaml:4:12: LG009 error: it is not said how the values are masked",
        ],
        [
            "policies/a.yaml:4:43: LG010 error: a mask has `with` or `sql`, not both",
        ],
        [
            "policies/a.yaml:4:77: LG010 error: a column is in the `columns` of two masks, and which counts would not be plain",
        ],
        [
            "policies/a.yaml:4:33: LG010 error: `where` is empty",
        ],
        [
            "policies/a.yaml:4:11: LG010 error: there is no zone `nowhere`",
        ],
        [
            "policies/a.yaml:4:21: LG010 error: `2026-13-01` is no time",
        ],
        [
            "policies/a.yaml:4:13: LG010 error: `until` is not later than `from`",
        ],
        [
            "policies/a.yaml:4:44: LG010 error: there is no time zone `Mars/Olympus`",
        ],
        [
            "policies/a.yaml:4:13: LG010 error: this is no time at which a policy can count: startTime,endTime,recurrences: empty values",
        ],
        [
            "policies/a.yaml:4:13: LG010 error: this is no time at which a policy can count: hour: incorrect value: 25. Valid range: (0-23)",
        ],
        [
            "policies/a.yaml:4:9: LG010 error: `if` has no condition",
        ],
        [
            "policies/a.yaml:4:25: LG010 error: `morning` is no time of day",
        ],
        [
            "policies/a.yaml:4:22: LG010 error: `email` is no column of a dataset",
        ],
        [
            "policies/a.yaml:4:23: LG010 error: the expression is empty",
        ],
    ]
    "#);
}

#[test]
fn resources() {
    let on = |on: &str| {
        lines(&[("policies/a.yaml", &format!("policies:\n  - policy: p\n    on: {on}\n    deny_all_else: true\n"))])
    };
    insta::assert_debug_snapshot!([
        "{ columns: [a] }",
        "{ datasets: [a], tags: [b] }",
        "{ datasets: [a], columns: [b], except_columns: [c] }",
        "{ datasets: [a], except_datasets: [a] }",
        "{ datasets: [] }",
        "{ datasets: [a] }\n    also_on: [{ tags: [b] }]",
    ].map(on), @r#"
    [
        [
            "policies/a.yaml:3:9: LG009 error: it is not said what the policy is on",
        ],
        [
            "policies/a.yaml:3:9: LG010 error: a policy is on tags or on datasets, not on both",
        ],
        [
            "policies/a.yaml:3:56: LG010 error: `columns` and `except_columns` together say two things",
        ],
        [
            "policies/a.yaml:3:44: LG010 error: `a` is not taken out of a whole database",
        ],
        [
            "policies/a.yaml:3:21: LG010 error: the list is empty",
        ],
        [
            "policies/a.yaml:3:9: LG010 error: a policy is on tags or on datasets, not on both",
        ],
    ]
    "#);
    insta::assert_debug_snapshot!(lines(&[("policies/a.yaml", "policies:
  - { policy: p, on: { tags: [x] }, rows: [{ users: [a], where: b = 1 }] }
  - { policy: q, on: { tags: [x] }, mask: [{ users: [a], columns: [b], with: hash }] }
  - { policy: r, on: { datasets: [x], columns: [y] }, rows: [{ users: [a], where: b = 1 }] }
")]), @r#"
    [
        "policies/a.yaml:2:43: LG010 error: a policy on tags cannot select rows",
        "policies/a.yaml:3:67: LG010 error: a mask of a policy on tags names columns",
        "policies/a.yaml:4:61: LG010 error: rows are selected for a whole dataset, and this policy is on some columns of it",
    ]
    "#);
}

#[test]
fn names_are_declared_once() {
    let text = "roles: { lead: { users: [a] } }\nzones: { z: { datasets: ['*'] } }\ngroups: { g: [a] }\nusers: { a: { b: c } }\n\
                policies: [{ policy: p, on: { datasets: [x] }, deny_all_else: true }]\n";
    insta::assert_debug_snapshot!(lines(&[("policies/a.yaml", text), ("policies/b.yaml", text)]), @r#"
    [
        "policies/b.yaml:1:10: LG023 error: the role `lead` is declared twice",
        "policies/b.yaml:2:10: LG023 error: the zone `z` is declared twice",
        "policies/b.yaml:3:11: LG023 error: the group `g` is declared twice",
        "policies/b.yaml:4:10: LG023 error: the user `a` is declared twice",
        "policies/b.yaml:5:22: LG023 error: the policy `p` is declared twice",
    ]
    "#);
}

#[test]
fn documents() {
    let hdfs = r#"{"serviceDef": {"name": "hdfs", "resources": [{"name": "path"}]}, "policies": []}"#;
    let zone = r#"{"serviceDef": {"resources": [{"name": "database"}, {"name": "table", "parent": "database"}, {"name": "column", "parent": "table"}]},
        "securityZones": {"z": {}}}"#;
    insta::assert_debug_snapshot!([
        lines(&[("policies/a.json", "{}")]),
        lines(&[("policies/a.json", "{")]),
        lines(&[("policies/a.json", hdfs)]),
        lines(&[("policies/a.json", r#"{"policies": [{"serviceType": "weather"}]}"#)]),
        lines(&[("policies/a.json", r#"{"policies": []}"#), ("policies/b.json", zone)]),
        lines(&[("policies/a.json", r#"{"rangerRoles": [{"name": "lead"}]}"#), ("policies/b.yaml", "roles: { lead: {} }")]),
        lines(&[("policies/a.json", zone), ("policies/b.yaml", "zones: { z: { datasets: [x] } }")]),
        lines(&[("policies/a.json", r#"{"policies": []}"#), ("policies/b.yaml",
            "policies: [{ policy: p, on: { datasets: ['*'] }, mask: [{ users: [a], columns: [b], with: hash }] }]")]),
        lines(&[("policies/a.txt", "")]),
    ], @r#"
    [
        [
            "policies/a.json:1:1: LG036 error: `policies/a.json` is no document of policies: this is no document of Ranger: it has none of the members by which they are told apart",
        ],
        [
            "policies/a.json:1:1: LG036 error: `policies/a.json` is no document of policies: 1:2: a name is missing",
        ],
        [
            "policies/a.json:1:1: LG036 error: `policies/a.json` cannot be used: its service has no levels database, table and column",
        ],
        [
            "policies/a.json:1:1: LG036 error: `policies/a.json` cannot be used: the export has policies of a service of kind `weather`, whose definition is not known",
        ],
        [
            "policies/b.json:1:1: LG023 error: `policies/b.json` is a second document of policies",
        ],
        [
            "policies/b.yaml:1:10: LG023 error: the role `lead` is in a document of Ranger as well",
        ],
        [
            "policies/b.yaml:1:10: LG023 error: the zone `z` is in a document of Ranger as well",
        ],
        [
            "policies/b.yaml:1:22: LG010 error: the service of the imported policies takes no pattern such as `*` for masks",
            "policies/b.yaml:1:22: LG010 error: the service of the imported policies takes no pattern such as `*` for masks",
        ],
        [
            "policies/a.txt:1:1: LG029 warning: `policies/a.txt` is not read",
        ],
    ]
    "#);
}
