//! A table of YAML policies and what they decide.

use std::collections::BTreeMap;

use lockgate_model::DatasetName;
use lockgate_policy::{Engine, MatchType, Request, ResourceTag, TagData, Values};
use lockgate_project::{POLICIES_MAX, POLICY_ITEMS_MAX, Project, policy_resource};

use crate::base::{LOCKGATE, lines, load, shown};

/// Who asks for what.
pub(crate) struct Ask<'a> {
    pub(crate) user: &'a str,
    pub(crate) groups: &'a [&'a str],
    pub(crate) dataset: &'a str,
    pub(crate) column: &'a str,
    pub(crate) access: &'a str,
    pub(crate) tags: &'a [&'a str],
    pub(crate) address: Option<&'a str>,
    pub(crate) at: &'a str,
    pub(crate) context: &'a [(&'a str, &'a str)],
    pub(crate) action: Option<&'a str>,
    pub(crate) cluster: Option<&'a str>,
    /// The columns of the dataset that are read at once.
    pub(crate) together: &'a [&'a str],
}

pub(crate) const ASK: Ask<'_> = Ask {
    user: "sam",
    groups: &[],
    dataset: "customers",
    column: "email",
    access: "select",
    tags: &[],
    address: None,
    at: "2026-11-25T12:00:00Z",
    context: &[],
    action: None,
    cluster: None,
    together: &[],
};

pub(crate) fn project(text: &str) -> Project {
    load(&[("policies/a.yaml", text)]).unwrap_or_else(|rejected| panic!("{}", shown(&rejected))).0
}

/// What is decided: `no`, or `yes` with the mask and the rows, and whether nothing of it is audited.
pub(crate) fn decide(project: &Project, ask: &Ask<'_>) -> String {
    let engine = project.policies.engine();
    let resource = policy_resource(&ask.dataset.parse().unwrap());
    let column = [
        ("database", Values::One(&resource.database)),
        ("table", Values::One(&resource.table)),
        ("column", Values::One(ask.column)),
    ];
    let tag = |kind: &&str| ResourceTag {
        tag: TagData { kind: (*kind).to_owned(), ..TagData::default() },
        match_type: MatchType::Itself,
    };
    let tags: Vec<ResourceTag> = ask.tags.iter().map(tag).collect();
    let mut groups = project.policies.users().remove(ask.user).unwrap_or_default();
    groups.extend(ask.groups);
    let context: BTreeMap<String, String> =
        ask.context.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let together: Vec<_> =
        ask.together.iter().map(|name| BTreeMap::from([column[0], column[1], ("column", Values::One(name))])).collect();
    let request = Request {
        resource: &column,
        action: ask.action,
        cluster_name: ask.cluster,
        together: (!together.is_empty()).then_some(&together),
        access: ask.access,
        user: Some(ask.user),
        groups: &groups,
        tags: Some(&tags),
        client_address: ask.address,
        owner: Some("olga"),
        at: ask.at.parse().unwrap(),
        context: Some(&context),
        ..Request::default()
    };
    describe(&engine, &request, &column[..2])
}

fn describe(engine: &Engine, request: &Request<'_>, table: &[(&str, Values<'_>)]) -> String {
    let access = engine.access(request);
    if !access.is_allowed {
        return "no".to_owned();
    }
    let unaudited = if access.is_audited { "" } else { " unaudited" };
    let mask = engine.mask(request);
    let mask = mask.mask.map(|mask| format!(" {} {}", mask.kind.unwrap_or_default(), mask.value.unwrap_or_default()));
    let rows = engine.row_filter(&Request { resource: table, ..*request });
    let rows = rows.filter.map(|filter| format!(" where {filter}"));
    format!("yes{}{}{unaudited}", mask.unwrap_or_default().trim_end(), rows.unwrap_or_default())
}

const SUPPORT: &str = r#"
roles:
  support: { users: [sam], groups: [helpdesk], roles: [lead] }
  lead: { users: [lea] }
groups:
  helpdesk: [kim]
policies:
  - policy: support reads customers
    on: { datasets: [customers] }
    allow: [{ roles: [support], access: [select] }]
    mask:
      - { roles: [lead], columns: [email], with: clear }
      - { roles: [support], columns: [email], with: hash }
      - { groups: [public], columns: [name], with: "null" }
      - { groups: [public], columns: [phone], sql: "left({col}, 3)" }
    rows: [{ users: [sam], where: "country = 'CH'" }]
"#;

#[test]
fn roles_groups_masks_and_rows() {
    let project = project(SUPPORT);
    let at = |user, column| decide(&project, &Ask { user, column, ..ASK });
    assert_eq!(at("sam", "email"), "yes MASK_HASH where country = 'CH'");
    assert_eq!(at("kim", "email"), "yes MASK_HASH", "by group");
    assert_eq!(at("lea", "email"), "yes MASK_NONE", "a role that gives the role; the first mask counts");
    assert_eq!(at("sam", "name"), "yes MASK_NULL where country = 'CH'");
    assert_eq!(at("kim", "phone"), "yes CUSTOM left({col}, 3)");
    assert_eq!(at("kim", "city"), "yes");
    assert_eq!(at("eve", "city"), "no");
    assert_eq!(decide(&project, &Ask { access: "update", ..ASK }), "no");
    assert_eq!(decide(&project, &Ask { dataset: "sales.customers", ..ASK }), "no");
    assert_eq!(project.policies.users()["kim"], ["helpdesk"]);
}

#[test]
fn decisions_name_the_policy_and_its_place() {
    let project = project(SUPPORT);
    let engine = project.policies.engine();
    let resource = [("database", Values::One("default")), ("table", Values::One("customers"))];
    let request = Request { resource: &resource, access: "select", user: Some("sam"), ..Request::default() };
    let decision = engine.access(&request);
    assert_eq!(decision.policy_name, Some("support reads customers"));
    let origin = project.policies.origin(decision.policy_id).unwrap();
    assert_eq!(origin.name, "support reads customers");
    assert_eq!(project.sources.path(origin.span.file), "policies/a.yaml");
    assert_eq!(project.sources.line_column(origin.span), (8, 13));
    let others: Vec<_> =
        project.policies.sources().policies.policies.iter().map(lockgate_policy::model::Policy::id).collect();
    assert!(others.iter().all(|id| project.policies.origin(*id).is_some()) && others.len() == 5, "{others:?}");
    let moved = self::project(
        &SUPPORT.replace("policies:\n", "policies:\n  - { policy: x, on: { datasets: [y] }, deny_all_else: true }\n"),
    );
    assert!(others.iter().all(|id| moved.policies.origin(*id).is_some()), "ids do not depend on what stands before");
}

/// One policy with `on` and the rest of it.
fn policy(on: &str, rest: &str) -> Project {
    project(&format!("policies:\n  - policy: p\n    on: {on}\n    {rest}\n"))
}

const ANYBODY: &str = "allow: [{ groups: [public], access: [select] }]";

#[test]
fn datasets_columns_patterns_and_exceptions() {
    for (on, allowed, refused) in [
        (
            "{ datasets: [customers, sales.orders] }",
            &["customers.a", "sales.orders.a"][..],
            &["orders.a", "sales.customers.a"][..],
        ),
        ("{ datasets: ['*'] }", &["customers.a", "eu.sales.orders.a"], &[]),
        ("{ datasets: ['sales.*'] }", &["sales.orders.a"], &["orders.a", "eu.sales.orders.a"]),
        ("{ datasets: ['cust*'] }", &["customers.a"], &["sales.customers.a", "orders.a"]),
        (
            "{ datasets: ['sales.*'], except_datasets: [sales.secret] }",
            &["sales.orders.a"],
            &["sales.secret.a", "secret.a"],
        ),
        ("{ datasets: ['*'], except_datasets: ['sales.*', 'hr.*'] }", &["customers.a"], &["sales.orders.a", "hr.x.a"]),
        (
            "{ datasets: [customers], columns: [a, 'b?'] }",
            &["customers.a", "customers.b1"],
            &["customers.b", "customers.c"],
        ),
        ("{ datasets: [customers], except_columns: [email] }", &["customers.a"], &["customers.email"]),
        (
            "{ datasets: [a], columns: [x] }\n    also_on: [{ datasets: [b], columns: [y] }]",
            &["a.x", "b.y"],
            &["a.y", "b.x"],
        ),
    ] {
        let project = policy(on, ANYBODY);
        let may = |name: &str| {
            let (dataset, column) = name.rsplit_once('.').unwrap();
            decide(&project, &Ask { dataset, column, ..ASK }) == "yes"
        };
        for name in allowed {
            assert!(may(name), "{on} {name}");
        }
        for name in refused {
            assert!(!may(name), "{on} {name}");
        }
    }
}

#[test]
fn denials_exceptions_and_priorities() {
    for (rest, ask, expected) in [
        ("deny_all_else: true", ASK, "no"),
        ("allow: [{ users: ['{USER}'], access: [all] }]", ASK, "yes"),
        ("allow: [{ users: ['{OWNER}'], access: [select] }]", ASK, "no"),
        ("allow: [{ users: ['{OWNER}'], access: [select] }]", Ask { user: "olga", ..ASK }, "yes"),
        ("allow: [{ groups: [public], access: [all] }]", Ask { access: "unseal", ..ASK }, "no"),
        ("allow: [{ groups: [public], access: [unseal] }]", Ask { access: "unseal", ..ASK }, "yes"),
        (
            "allow: [{ groups: [public], access: [select] }]\n    allow_except: [{ users: [sam], access: [select] }]",
            ASK,
            "no",
        ),
        ("allow: [{ groups: [public], access: [select] }]\n    deny: [{ users: [sam], access: [select] }]", ASK, "no"),
        (
            "allow: [{ groups: [public], access: [select] }]\n    deny: [{ groups: [public], access: [select] }]\n    \
             deny_except: [{ users: [sam], access: [select] }]",
            ASK,
            "yes",
        ),
        ("allow: [{ groups: [public], access: [select] }]\n    enabled: false", ASK, "no"),
    ] {
        assert_eq!(decide(&policy("{ datasets: [customers] }", rest), &ask), expected, "{rest}");
    }
    let denied = "policies:
  - { policy: d, on: { datasets: [customers] }, deny: [{ groups: [public], access: [select] }] }
  - { policy: a, on: { datasets: [customers] }, allow: [{ groups: [public], access: [select] }], priority: override }
";
    assert_eq!(decide(&project(denied), &ASK), "yes");
    assert_eq!(decide(&project(&denied.replace(", priority: override", "")), &ASK), "no");
}

#[test]
fn tags() {
    let text = format!(
        "policies:
  - {{ policy: all, on: {{ datasets: ['*'] }}, {ANYBODY} }}
  - {{ policy: cards, on: {{ tags: ['pci.*'] }}, deny: [{{ groups: [public], access: [select] }}], deny_except: [{{ users: [sam], access: [select] }}] }}
  - {{ policy: mails, on: {{ tags: [pii.email] }}, mask: [{{ groups: [public], with: 'show_last: 4' }}] }}
  - {{ policy: names, on: {{ tags: [pii.name] }}, deny: [{{ users: [eve], access: [select] }}] }}
"
    );
    let project = project(&text);
    let at = |user, tags| decide(&project, &Ask { user, tags, ..ASK });
    assert_eq!(at("eve", &["pci.pan"]), "no");
    assert_eq!(at("sam", &["pci.pan"]), "yes");
    assert_eq!(at("sam", &["pii.email"]), "yes MASK_SHOW_LAST_4");
    assert_eq!(at("eve", &["pii.email"]), "yes MASK_SHOW_LAST_4");
    assert_eq!(at("eve", &["pii.name"]), "no");
    assert_eq!(at("eve", &[]), "yes");
}

#[test]
fn conditions() {
    let noon = "2026-11-25T12:00:00Z";
    for (condition, ask, expected) in [
        ("ip: ['10.0.*']", Ask { address: Some("10.0.3.4"), ..ASK }, "yes"),
        ("ip: ['10.0.*']", Ask { address: Some("10.1.3.4"), ..ASK }, "no"),
        ("ip: ['10.0.*']", ASK, "no"),
        ("time_of_day: ['09:00-17:30']", Ask { at: noon, ..ASK }, "yes"),
        ("time_of_day: ['09:00-11:59', '22:00-06:00']", Ask { at: noon, ..ASK }, "no"),
        ("time_of_day: ['22:00-06:00']", Ask { at: "2026-11-25T23:00:00Z", ..ASK }, "yes"),
        ("expression: \"USER.dept == 'sales'\"", ASK, "yes"),
        ("expression: \"USER.dept == 'hr'\"", ASK, "no"),
        ("all_tags: [a, b]", Ask { tags: &["a", "b"], ..ASK }, "yes"),
        ("all_tags: [a, b]", Ask { tags: &["a"], ..ASK }, "no"),
        ("any_tag: [a, b]", Ask { tags: &["b"], ..ASK }, "yes"),
        ("any_tag: [a, b]", ASK, "no"),
        ("no_tag: [a]", Ask { tags: &["a"], ..ASK }, "no"),
        ("no_tag: [a]", ASK, "yes"),
        ("context: { purpose: [support] }", Ask { context: &[("purpose", "support")], ..ASK }, "yes"),
        ("context: { purpose: [support] }", Ask { context: &[("purpose", "sales")], ..ASK }, "no"),
        ("not_context: { purpose: [sales] }", Ask { context: &[("purpose", "sales")], ..ASK }, "no"),
        ("together: [customers.name, customers.email]", ASK, "no"),
        ("action: [query]", ASK, "no"),
        ("cluster: [a]", ASK, "no"),
        ("not_cluster: [a]", ASK, "yes"),
    ] {
        let users = "users: { sam: { dept: sales } }\n";
        let item = format!(
            "{users}policies:\n  - {{ policy: p, on: {{ datasets: [customers] }}, allow: [{{ users: [sam], access: [select], if: {{ {condition} }} }}] }}\n"
        );
        assert_eq!(decide(&project(&item), &ask), expected, "{condition}");
        let whole = format!(
            "{users}policies:\n  - {{ policy: p, on: {{ datasets: [customers] }}, if: {{ {condition} }}, {ANYBODY} }}\n"
        );
        assert_eq!(decide(&project(&whole), &ask), expected, "{condition} of the policy");
    }
}

#[test]
fn validity() {
    for (valid, at, expected) in [
        ("{ from: 2026-01-01, until: 2026-12-31 }", "2026-12-31T23:00:00Z", "yes"),
        ("{ until: 2026-12-31 }", "2027-01-01T00:00:00Z", "no"),
        ("{ until: '2026-12-31 18:00:00' }", "2026-12-31T19:00:00Z", "no"),
        ("{ from: 2026-06-01, time_zone: Europe/Zurich }", "2026-05-31T22:30:00Z", "yes"),
        ("{ from: 2026-06-01 }", "2026-05-31T22:30:00Z", "no"),
        ("{ every: [{ hour: '8', for: { hours: 4 } }] }", "2026-11-25T11:00:00Z", "yes"),
        ("{ every: [{ hour: '8', for: { hours: 4 } }] }", "2026-11-25T13:00:00Z", "no"),
        ("{ every: [{ day_of_week: '4', for: { days: 1 } }] }", "2026-11-25T13:00:00Z", "yes"),
        ("{ every: [{ day_of_week: '3', for: { hours: 20 } }] }", "2026-11-25T13:00:00Z", "no"),
        ("{ every: [{ day_of_month: '25', for: { days: 1 } }] }", "2026-11-25T13:00:00Z", "yes"),
        ("{ every: [{ day_of_month: '24', for: { hours: 20 } }] }", "2026-11-25T13:00:00Z", "no"),
    ] {
        let project = policy("{ datasets: [customers] }", &format!("valid: [{valid}]\n    {ANYBODY}"));
        assert_eq!(decide(&project, &Ask { at, ..ASK }), expected, "{valid} {at}");
    }
}

#[test]
fn zones_have_policies_of_their_own() {
    let text = format!(
        "zones: {{ sales: {{ datasets: ['sales.*'] }} }}
policies:
  - {{ policy: all, on: {{ datasets: ['*'] }}, {ANYBODY} }}
  - {{ policy: sales, zone: sales, on: {{ datasets: ['sales.*'] }}, allow: [{{ users: [sam], access: [select] }}] }}
  - {{ policy: tagged, zone: sales, on: {{ tags: [x] }}, deny: [{{ users: [sam], access: [select] }}] }}
"
    );
    let project = project(&text);
    let at = |user, dataset, tags| decide(&project, &Ask { user, dataset, tags, ..ASK });
    assert_eq!(at("eve", "customers", &[]), "yes");
    assert_eq!(at("eve", "sales.orders", &[]), "no");
    assert_eq!(at("sam", "sales.orders", &[]), "yes");
    assert_eq!(at("sam", "sales.orders", &["x"]), "no");
    assert_eq!(at("sam", "customers", &["x"]), "yes");
}

#[test]
fn settings_say_how_policies_decide() {
    let policies = "policies:
  - { policy: a, on: { datasets: [customers] }, allow: [{ users: [sam], access: [select] }], rows: [{ users: [sam], where: a = 1 }] }
  - { policy: b, on: { datasets: [customers] }, rows: [{ users: [sam], where: b = 2 }] }
";
    let with = |settings: &str| {
        let lockgate = format!("{LOCKGATE}policy: {settings}\n");
        load(&[("lockgate.yaml", &lockgate), ("policies/a.yaml", policies)])
            .unwrap_or_else(|r| panic!("{}", shown(&r)))
            .0
    };
    assert_eq!(decide(&with("{ row_filters: first }"), &ASK), "yes where a = 1");
    assert_eq!(decide(&with("{ row_filters: all }"), &ASK), "yes where (a = 1) AND (b = 2)");
    assert_eq!(decide(&with("{ super_users: [root] }"), &Ask { user: "root", ..ASK }), "yes");
    assert_eq!(decide(&with("{ super_groups: [ops] }"), &Ask { user: "x", groups: &["ops"], ..ASK }), "yes");
    assert_eq!(decide(&with("{ time_zone: UTC }"), &Ask { user: "root", ..ASK }), "no");
}

const EXPORT: &str = r#"{"policies": [{"id": 7, "name": "orders", "service": "hive1", "serviceType": "hive",
  "resources": {"database": {"values": ["default"]}, "table": {"values": ["orders"]}, "column": {"values": ["*"]}},
  "policyItems": [{"accesses": [{"type": "select"}, {"type": "all"}], "groups": ["clerks"]}]}]}"#;

#[test]
fn documents_of_ranger_and_yaml_are_one_set() {
    let yaml = "groups: { clerks: [kim] }
policies:
  - { policy: y, on: { datasets: [customers] }, allow: [{ groups: [clerks], access: [select, unseal] }], mask: [{ groups: [clerks], columns: [email], with: hash }] }
";
    let roles = r#"{"rangerRoles": [{"name": "lead", "users": [{"name": "lea"}]}]}"#;
    let files = [("policies/a.json", EXPORT), ("policies/b.yaml", yaml), ("policies/roles.json", roles)];
    let project = load(&files).unwrap_or_else(|rejected| panic!("{}", shown(&rejected))).0;
    let at = |dataset, access| decide(&project, &Ask { user: "kim", dataset, access, ..ASK });
    assert_eq!(at("orders", "select"), "yes");
    assert_eq!(at("orders", "unseal"), "no", "`all` of years ago does not open sealed values");
    assert_eq!(at("customers", "select"), "yes MASK_HASH");
    assert_eq!(at("customers", "unseal"), "yes");
    let origin = project.policies.origin(7).unwrap();
    assert_eq!((origin.name.as_str(), project.sources.line_column(origin.span)), ("orders", (1, 34)));
    assert_eq!(project.policies.sources().roles.ranger_roles[0].name, "lead");
    assert!(!project.policies.is_empty() && crate::base::project().policies.is_empty());
}

#[test]
fn a_name_of_any_dataset_leads_to_a_resource_and_back() {
    for name in ["x", "a.x", "a.b.x"] {
        let name: DatasetName = name.parse().unwrap();
        assert_eq!(policy_resource(&name).dataset(), Some(name));
    }
}

#[test]
fn a_list_may_have_as_many_items_as_the_limit() {
    let with = |items: usize| {
        let item = "      - { users: [sam], access: [select] }\n".repeat(items);
        let text = format!("policies:\n  - policy: p\n    on: {{ datasets: [customers] }}\n    allow:\n{item}");
        lines(&[("policies/a.yaml", &text)])
    };
    assert_eq!(with(POLICY_ITEMS_MAX), [""; 0]);
    assert!(with(POLICY_ITEMS_MAX + 1)[0].contains("LG034"));
}

#[test]
fn a_project_may_have_as_many_policies_as_the_limit() {
    let with = |policies: usize| {
        let text = format!(r#"{{"policies": [{}]}}"#, vec!["{}"; policies].join(","));
        lines(&[("policies/a.json", &text)])
    };
    assert_eq!(with(POLICIES_MAX), [""; 0]);
    assert!(with(POLICIES_MAX + 1)[0].contains("LG034"));
}

#[test]
fn a_document_may_be_as_large_as_the_limit() {
    let with = |bytes: usize| {
        let text = format!("{}{{\"rangerRoles\": []}}", " ".repeat(bytes - "{\"rangerRoles\": []}".len()));
        lines(&[("policies/a.json", &text)])
    };
    assert_eq!(with(lockgate_project::POLICY_DOCUMENT_BYTES_MAX), [""; 0]);
    assert!(with(lockgate_project::POLICY_DOCUMENT_BYTES_MAX + 1)[0].contains("LG002"));
}

#[test]
fn the_examples_of_the_page_decide_what_it_says() {
    let page = include_str!("../../../../docs/policies.md");
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let project = project(examples[0]);
    assert_eq!(decide(&project, &ASK), "yes MASK_HASH where city = 'Bern'");
    assert_eq!(decide(&project, &Ask { column: "name", ..ASK }), "yes CUSTOM left({col}, 1) where city = 'Bern'");
    assert_eq!(decide(&project, &Ask { tags: &["pci.pan"], ..ASK }), "no");
    let sales = Ask { dataset: "sales.orders", ..ASK };
    assert_eq!(decide(&project, &sales), "yes unaudited");
    assert_eq!(decide(&project, &Ask { user: "eve", ..sales }), "no");
}
