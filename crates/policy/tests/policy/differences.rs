//! Where closed mode differs from Ranger: each row of the table in `docs/policies.md` has its test here.

use jiff::Timestamp;
use lockgate_policy::model::{PolicyType, ServicePolicies};
use lockgate_policy::{
    CLOSED_FILTER, CLOSED_MASK, Decision, Engine, MatchType, Mode, Options, Request, ResourceTag, Sources, TagData,
    Values,
};
use serde_json::{Value, json};

/// A service of tables with the conditions that are used here, and one policy.
fn service(mut policy: Value) -> Value {
    let condition = |name: &str, class: &str| json!({ "name": name, "evaluator": format!("org.apache.ranger.plugin.conditionevaluator.{class}") });
    let level = json!({
        "name": "table", "level": 10, "matcher": "org.apache.ranger.plugin.resourcematcher.RangerDefaultResourceMatcher",
        "matcherOptions": { "wildCard": true, "ignoreCase": true },
    });
    policy["id"] = 7.into();
    policy["resources"] = json!({ "table": { "values": ["orders"] } });
    json!({
        "serviceName": "s", "policies": [policy], "serviceDef": {
            "name": "hive", "resources": [level], "accessTypes": [{ "name": "select" }, { "name": "update" }],
            "dataMaskDef": { "accessTypes": [{ "name": "select" }], "resources": [level], "maskTypes": [{ "name": "CUSTOM" }] },
            "rowFilterDef": { "accessTypes": [{ "name": "select" }], "resources": [level] },
            "policyConditions": [
                condition("ip", "RangerIpMatcher"), condition("script", "RangerScriptConditionEvaluator"),
                condition("own", "com.example.OwnCondition"),
            ],
        },
    })
}

fn item(more: Value) -> Value {
    let mut item = json!({ "groups": ["public"], "accesses": [{ "type": "select" }] });
    for (name, value) in more.as_object().into_iter().flatten() {
        item[name] = value.clone();
    }
    item
}

/// What is decided in each mode: Ranger's first.
fn decided<T>(service: &Value, access: &str, kind: PolicyType, told: impl Fn(&Decision<'_>) -> T) -> (T, T) {
    let resource = [("table", Values::One("orders"))];
    let at = Timestamp::from_second(1_764_000_000).expect("a time");
    let request = Request { resource: &resource, access, user: Some("anna"), at, ..Request::default() };
    let decide = |mode| {
        let policies: ServicePolicies = serde_json::from_value(service.clone()).expect("policies");
        let engine = Engine::new(&Sources { policies, ..Sources::default() }, Options { mode, ..Options::default() });
        told(&engine.evaluate(&request, kind))
    };
    (decide(Mode::Compat), decide(Mode::Closed))
}

fn allowed(service: &Value, access: &str) -> (bool, bool) {
    decided(service, access, PolicyType::Access, |decision| decision.is_allowed)
}

fn with_condition(kind: &str, value: &str) -> Value {
    json!({ "conditions": [{ "type": kind, "values": [value] }] })
}

#[test]
fn a_schedule_that_cannot_be_read() {
    let scheduled = |schedule: Value, items: &str| {
        let mut policy = json!({ "validitySchedules": [schedule] });
        policy[items] = json!([item(json!({}))]);
        service(policy)
    };
    let open = json!({ "startTime": "soon" });
    assert_eq!(allowed(&scheduled(open.clone(), "policyItems"), "select"), (true, false));
    assert_eq!(
        allowed(&scheduled(json!({ "startTime": "2018/01/12 14:32:00" }), "policyItems"), "select"),
        (true, true)
    );
    // A denial counts where its schedule would be passed over.
    let never = json!({ "recurrences": [{ "schedule": { "minute": "x", "hour": "1", "dayOfMonth": "1", "month": "1", "year": "2018" }, "interval": { "days": 1, "hours": 0, "minutes": 0 } }] });
    let mut both = scheduled(json!({}), "policyItems");
    let mut denial = scheduled(never, "denyPolicyItems")["policies"][0].clone();
    denial["id"] = 8.into();
    both["policies"][0]["validitySchedules"] = json!([]);
    both["policies"].as_array_mut().expect("policies").push(denial);
    assert_eq!(allowed(&both, "select"), (true, false));
}

#[test]
fn a_condition_of_an_unknown_kind() {
    let allows = service(json!({ "policyItems": [item(with_condition("own", "x"))] }));
    assert_eq!(allowed(&allows, "select"), (true, false));
    let denies =
        service(json!({ "policyItems": [item(json!({}))], "denyPolicyItems": [item(with_condition("own", "x"))] }));
    assert_eq!(allowed(&denies, "select"), (false, false));
}

#[test]
fn an_address_that_is_not_known() {
    let allows = service(json!({ "policyItems": [item(with_condition("ip", "10.0.0.*"))] }));
    assert_eq!(allowed(&allows, "select"), (true, false));
}

#[test]
fn a_script_that_fails_or_is_refused() {
    let denies = |script: &str| {
        let deny = item(with_condition("script", script));
        service(json!({ "policyItems": [item(json!({}))], "denyPolicyItems": [deny] }))
    };
    for script in ["USER.a.b == 'x'", "while (true) {}", "ctx.result = 'yes'"] {
        assert_eq!(
            allowed(&denies(script), "select"),
            (true, false),
            "{script}: a deny counts though it can't be decided"
        );
    }
    let sets_and_fails =
        service(json!({ "policyItems": [item(with_condition("script", "ctx.result = true; USER.a.b"))] }));
    assert_eq!(allowed(&sets_and_fails, "select"), (true, false));
}

#[test]
fn a_date_in_a_script_that_is_none() {
    let script = "IS_ACCESS_TIME_AFTER('tomorrow')";
    let allows = service(json!({ "policyItems": [item(with_condition("script", script))] }));
    assert_eq!(allowed(&allows, "select"), (true, false));
}

#[test]
fn a_letter_case_that_matches_nothing() {
    let denies = service(json!({ "policyItems": [item(json!({}))], "denyPolicyItems": [item(json!({}))] }));
    assert_eq!(allowed(&denies, "SELECT"), (false, false));
    let filters = service(json!({
        "policyType": 2, "rowFilterPolicyItems": [item(json!({ "rowFilterInfo": { "filterExpr": "a = 1" } }))],
    }));
    let filter = |decision: &Decision<'_>| decision.filter.as_deref().map(str::to_owned);
    let (ranger, closed) = decided(&filters, "SELECT", PolicyType::RowFilter, filter);
    assert_eq!((ranger.as_deref(), closed.as_deref()), (None, Some("a = 1")));
}

#[test]
fn an_access_type_that_the_service_has_not() {
    let filters = service(json!({
        "policyType": 2, "rowFilterPolicyItems": [item(json!({ "rowFilterInfo": { "filterExpr": "a = 1" } }))],
    }));
    let filter = |decision: &Decision<'_>| decision.filter.as_deref().map(str::to_owned);
    let (ranger, closed) = decided(&filters, "read", PolicyType::RowFilter, filter);
    assert_eq!((ranger.as_deref(), closed.as_deref()), (None, Some(CLOSED_FILTER)));
}

#[test]
fn an_expression_without_a_value() {
    let filters = service(json!({
        "policyType": 2,
        "rowFilterPolicyItems": [item(json!({ "rowFilterInfo": { "filterExpr": "dept <> '${{USER.dept}}'" } }))],
    }));
    let filter = |decision: &Decision<'_>| decision.filter.as_deref().map(str::to_owned);
    let (ranger, closed) = decided(&filters, "select", PolicyType::RowFilter, filter);
    assert_eq!((ranger.as_deref(), closed.as_deref()), (Some("dept <> ''"), Some(CLOSED_FILTER)));
    // What is no expression of the subset has no value either.
    let refused = service(json!({
        "policyType": 2,
        "rowFilterPolicyItems": [item(json!({ "rowFilterInfo": { "filterExpr": "a = '${{1 +}}' and b = '${{2}}'" } }))],
    }));
    let (ranger, closed) = decided(&refused, "select", PolicyType::RowFilter, filter);
    assert_eq!((ranger.as_deref(), closed.as_deref()), (Some("a = '' and b = ''"), Some(CLOSED_FILTER)));
    let masks = service(json!({
        "policyType": 1, "dataMaskPolicyItems": [item(json!({
            "dataMaskInfo": { "dataMaskType": "CUSTOM", "valueExpr": "f('${{USER.dept}}')" },
        }))],
    }));
    let mask = |decision: &Decision<'_>| decision.mask.as_ref().and_then(|mask| mask.kind).map(str::to_owned);
    let (ranger, closed) = decided(&masks, "select", PolicyType::DataMask, mask);
    assert_eq!((ranger.as_deref(), closed.as_deref()), (Some("CUSTOM"), Some(CLOSED_MASK)));
}

#[test]
fn tags_that_were_never_loaded() {
    let mut allows = service(json!({ "policyItems": [item(json!({}))] }));
    allows["tagPolicies"] = json!({ "serviceName": "t", "policies": [], "serviceDef": {
        "name": "tag", "resources": [{ "name": "tag", "level": 1 }], "contextEnrichers": [{
            "name": "TagEnricher", "enricher": "org.apache.ranger.plugin.contextenricher.RangerTagEnricher",
        }],
    } });
    assert_eq!(allowed(&allows, "select"), (true, false));
}

#[test]
fn a_denial_of_a_higher_priority_than_what_tags_allow() {
    // Ranger ends its search at the first policy that its tree leads to and that never denies, be it about the resource.
    let mut both = service(json!({ "policyPriority": 2, "denyPolicyItems": [item(json!({}))] }));
    both["policies"].as_array_mut().expect("policies").push(json!({
        "id": 8, "name": "elsewhere", "policyPriority": 3, "policyItems": [item(json!({}))],
        "resources": { "table": { "values": ["or*_old"] } },
    }));
    both["serviceDef"]["options"] = json!({ "enableDenyAndExceptionsInPolicies": "true" });
    both["tagPolicies"] = json!({
        "serviceName": "t",
        "serviceDef": { "name": "tag", "resources": [{ "name": "tag", "level": 1 }], "accessTypes": [{ "name": "hive:select" }] },
        "policies": [{ "id": 9, "name": "tagged", "resources": { "tag": { "values": ["PII"] } }, "policyItems": [
            { "groups": ["public"], "accesses": [{ "type": "hive:select" }] },
        ] }],
    });
    let resource = [("table", Values::One("orders"))];
    let tag = TagData { kind: "PII".to_owned(), ..TagData::default() };
    let tags = [ResourceTag { tag, match_type: MatchType::Itself }];
    let decide = |mode| {
        let policies: ServicePolicies = serde_json::from_value(both.clone()).expect("policies");
        let engine = Engine::new(&Sources { policies, ..Sources::default() }, Options { mode, ..Options::default() });
        let request = Request {
            resource: &resource,
            access: "select",
            user: Some("anna"),
            tags: Some(&tags),
            ..Request::default()
        };
        engine.access(&request).is_allowed
    };
    assert_eq!((decide(Mode::Compat), decide(Mode::Closed)), (true, false));
}

#[test]
fn a_policy_on_tags_that_only_begins_like_the_tag() {
    let decide = |value: &str, excludes: bool, items: &str| {
        let mut both =
            service(json!({ "policyItems": [{ "groups": ["public"], "accesses": [{ "type": "update" }] }] }));
        both["serviceDef"]["options"] = json!({ "enableDenyAndExceptionsInPolicies": "true" });
        let mut policy =
            json!({ "id": 9, "name": "tagged", "resources": { "tag": { "values": [value], "isExcludes": excludes } } });
        policy[items] = json!([
            { "groups": ["public"], "accesses": [{ "type": "hive:select" }, { "type": "hive:update" }] },
        ]);
        both["tagPolicies"] = json!({
            "serviceName": "t", "policies": [policy],
            "serviceDef": { "name": "tag", "resources": [{ "name": "tag", "level": 1 }],
                            "accessTypes": [{ "name": "hive:select" }, { "name": "hive:update" }],
                            "options": { "enableDenyAndExceptionsInPolicies": "true" } },
        });
        let policies: ServicePolicies = serde_json::from_value(both).expect("policies");
        let tag = TagData { kind: "PII".into(), attributes: Default::default(), validity: Vec::new() };
        let stated = [ResourceTag { tag, match_type: MatchType::Itself }];
        let resource = [("table", Values::One("orders"))];
        [("select", Mode::Compat), ("select", Mode::Closed), ("update", Mode::Compat), ("update", Mode::Closed)].map(
            |(access, mode)| {
                let sources = Sources { policies: policies.clone(), ..Sources::default() };
                let engine = Engine::new(&sources, Options { mode, ..Options::default() });
                let user = Some("anna");
                engine
                    .access(&Request { resource: &resource, access, user, tags: Some(&stated), ..Request::default() })
                    .is_allowed
            },
        )
    };
    // The policy on the resource allows to update, and that on the tag what is asked for, or denies it.
    for (value, excludes, allows, denies) in [
        ("PII", false, [true, true, true, true], [false; 4]),
        ("P*X", false, [true, false, true, true], [false; 4]),
        ("*X", false, [true, false, true, true], [false; 4]),
        ("PII", true, [true, false, true, true], [false; 4]),
        ("Q*X", false, [false, false, true, true], [false, false, true, true]),
        ("PI", false, [false, false, true, true], [false, false, true, true]),
    ] {
        assert_eq!(decide(value, excludes, "policyItems"), allows, "{value} {excludes} allows");
        assert_eq!(decide(value, excludes, "denyPolicyItems"), denies, "{value} {excludes} denies");
    }
}

#[test]
fn stated_tags_beside_loaded_ones() {
    let mut both = service(json!({ "policyItems": [item(json!({}))] }));
    both["serviceDef"]["options"] = json!({ "enableDenyAndExceptionsInPolicies": "true" });
    both["tagPolicies"] = json!({
        "serviceName": "t",
        "serviceDef": { "name": "tag", "resources": [{ "name": "tag", "level": 1 }], "accessTypes": [{ "name": "hive:select" }],
                        "options": { "enableDenyAndExceptionsInPolicies": "true" } },
        "policies": [{ "id": 9, "name": "tagged", "resources": { "tag": { "values": ["PII"] } }, "denyPolicyItems": [
            { "groups": ["public"], "accesses": [{ "type": "hive:select" }] },
        ] }],
    });
    let policies: ServicePolicies = serde_json::from_value(both).expect("policies");
    let tag = TagData { kind: "PII".into(), attributes: Default::default(), validity: Vec::new() };
    let stated = [ResourceTag { tag, match_type: MatchType::Itself }];
    let resource = [("table", Values::One("orders"))];
    let request = Request {
        resource: &resource,
        access: "select",
        user: Some("anna"),
        tags: Some(&stated),
        ..Request::default()
    };
    let decide = |mode, tags| {
        let sources = Sources { policies: policies.clone(), tags, ..Sources::default() };
        Engine::new(&sources, Options { mode, ..Options::default() }).access(&request).is_allowed
    };
    assert_eq!([Mode::Compat, Mode::Closed].map(|mode| decide(mode, None)), [false, false]);
    let loaded = || Some(lockgate_policy::model::ServiceTags::default());
    assert_eq!([Mode::Compat, Mode::Closed].map(|mode| decide(mode, loaded())), [true, false]);
}
