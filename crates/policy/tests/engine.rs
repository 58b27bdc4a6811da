//! What an engine does besides what Ranger's test files can say: options, limits, defects, explanations.

use lockgate_policy::model::{PolicyType, ServicePolicies};
use lockgate_policy::{
    CLOSED_FILTER, Decision, Engine, INDEX_PLACES_MAX, Mode, Options, RESOURCE_LEVELS_MAX, Request, RowFilters,
    Sources, Step, Values, json,
};

const SERVICE: &str = r#"{"name": "s", "resources": [{"name": "db"}, {"name": "table", "parent": "db"}],
    "accessTypes": [{"name": "read"}], "rowFilterDef": {"resources": [{"name": "db"}, {"name": "table"}]},
    "policyConditions": [{"name": "expression", "evaluator": "RangerScriptConditionEvaluator"}]}"#;

fn engine(policies: &str, options: Options) -> Engine {
    let text = format!(r#"{{"serviceDef": {SERVICE}, "policies": [{policies}]}}"#);
    let policies: ServicePolicies = json::read(&text).unwrap();
    Engine::new(&Sources { policies, ..Sources::default() }, options)
}

fn filter(id: i64, priority: i32, group: &str, expression: &str) -> String {
    format!(
        r#"{{"id": {id}, "name": "p{id}", "policyType": 2, "policyPriority": {priority},
            "resources": {{"db": {{"values": ["d"]}}, "table": {{"values": ["t"]}}}},
            "rowFilterPolicyItems": [{{"accesses": [{{"type": "read"}}], "groups": ["{group}"],
                "rowFilterInfo": {{"filterExpr": "{expression}"}}}}]}}"#
    )
}

fn ask<T>(resource: &[(&str, &str)], groups: &[&str], call: impl FnOnce(&Request<'_>) -> T) -> T {
    let resource: Vec<_> = resource.iter().map(|(name, value)| (*name, Values::One(value))).collect();
    call(&Request { resource: &resource, access: "read", user: Some("u"), groups, ..Request::default() })
}

#[test]
fn the_first_filter_counts_or_all_of_them() {
    let policies = [filter(1, 0, "g", "a = 1"), filter(2, 0, "g", "b = 2"), filter(3, 0, "h", "c = 3")].join(",");
    let decide = |row_filters, groups: &[&str]| {
        let engine = engine(&policies, Options { row_filters, ..Options::default() });
        ask(&[("db", "d"), ("table", "t")], groups, |request| {
            engine.row_filter(request).filter.map(|filter| filter.into_owned())
        })
    };
    assert_eq!(decide(RowFilters::First, &["g"]).as_deref(), Some("a = 1"));
    assert_eq!(decide(RowFilters::All, &["g"]).as_deref(), Some("(a = 1) AND (b = 2)"));
    assert_eq!(decide(RowFilters::All, &["g", "h"]).as_deref(), Some("(a = 1) AND (b = 2) AND (c = 3)"));
    assert_eq!(decide(RowFilters::All, &["h"]).as_deref(), Some("c = 3"));
    assert_eq!(decide(RowFilters::All, &["x"]), None);
}

#[test]
fn of_all_filters_those_of_a_lower_priority_do_not_count() {
    let policies = [filter(1, 1, "g", "a = 1"), filter(2, 0, "g", "b = 2")].join(",");
    let engine = engine(&policies, Options { row_filters: RowFilters::All, ..Options::default() });
    ask(&[("db", "d"), ("table", "t")], &["g"], |request| {
        assert_eq!(engine.row_filter(request).filter.as_deref(), Some("a = 1"));
    });
}

#[test]
fn a_filter_whose_expression_fails_lets_no_row_through() {
    let policy = filter(1, 0, "g", "a = ${{no_such_thing.at_all}}");
    let decide = |mode| {
        let engine = engine(&policy, Options { mode, ..Options::default() });
        ask(&[("db", "d"), ("table", "t")], &["g"], |request| {
            engine.row_filter(request).filter.map(|filter| filter.into_owned())
        })
    };
    assert_eq!(decide(Mode::Closed).as_deref(), Some(CLOSED_FILTER));
    assert_eq!(decide(Mode::Compat).as_deref(), Some("a = "));
}

fn values(count: usize) -> String {
    let list: Vec<String> = (0..count).map(|at| format!("\"v{at}\"")).collect();
    format!(
        r#"{{"id": 1, "resources": {{"db": {{"values": [{}]}}, "table": {{"values": ["t", "u"]}}}},
            "policyItems": [{{"accesses": [{{"type": "read"}}], "groups": ["public"]}}]}}"#,
        list.join(",")
    )
}

#[test]
fn policies_with_many_values_are_found_whichever_side_of_the_limit_they_are() {
    for count in [INDEX_PLACES_MAX / 2, INDEX_PLACES_MAX, INDEX_PLACES_MAX + 1] {
        let engine = engine(&values(count), Options::default());
        let last = format!("v{}", count - 1);
        for (db, table, expected) in
            [(last.as_str(), "u", true), ("v0", "t", true), ("v0", "x", false), ("x", "t", false)]
        {
            let allowed = ask(&[("db", db), ("table", table)], &[], |request| engine.access(request).is_allowed);
            assert_eq!(allowed, expected, "{count} {db} {table}");
        }
    }
}

#[test]
fn a_resource_with_too_many_levels_matches_nothing() {
    let chain = |count: usize| -> (String, Vec<(String, &'static str)>) {
        let level = |at: usize| {
            let parent = at.checked_sub(1).map(|above| format!("l{above}")).unwrap_or_default();
            format!(r#"{{"name": "l{at}", "parent": "{parent}"}}"#)
        };
        let levels: Vec<String> = (0..count).map(level).collect();
        let values: Vec<String> = (0..count).map(|at| format!(r#""l{at}": {{"values": ["*"]}}"#)).collect();
        let text = format!(
            r#"{{"serviceDef": {{"name": "s", "resources": [{}], "accessTypes": [{{"name": "read"}}]}},
                "policies": [{{"id": 1, "resources": {{{}}},
                    "policyItems": [{{"accesses": [{{"type": "read"}}], "groups": ["public"]}}]}}]}}"#,
            levels.join(","),
            values.join(",")
        );
        (text, (0..count).map(|at| (format!("l{at}"), "v")).collect())
    };
    for (count, expected) in [(RESOURCE_LEVELS_MAX, true), (RESOURCE_LEVELS_MAX + 1, false)] {
        let (text, resource) = chain(count);
        let policies: ServicePolicies = json::read(&text).unwrap();
        let engine = Engine::new(&Sources { policies, ..Sources::default() }, Options::default());
        let resource: Vec<(&str, &str)> = resource.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(ask(&resource, &[], |request| engine.access(request).is_allowed), expected, "{count} levels");
    }
}

#[test]
fn what_can_never_be_decided_is_told() {
    let engine = engine(
        r#"{"id": 7, "name": "odd", "resources": {"db": {"values": ["d"]}}, "policyItems": [
            {"accesses": [{"type": "read"}], "users": ["u"], "conditions": [{"type": "expression", "values": ["while (true) {}"]}]},
            {"accesses": [{"type": "read"}], "users": ["v"], "conditions": [{"type": "weather", "values": ["rain"]}]}]},
           {"id": 8, "resources": {"db": {"values": ["d"]}}, "policyItems": []}"#,
        Options::default(),
    );
    let defects = engine.defects();
    assert_eq!(defects.len(), 2, "{defects:?}");
    assert!(defects.iter().all(|defect| (defect.policy_id, defect.policy_name.as_str()) == (7, "odd")));
    assert!(defects.iter().any(|defect| defect.what.contains("weather")), "{defects:?}");
}

#[test]
fn enrichers_that_nothing_replaces_are_told_and_refuse_every_request() {
    let text = r#"{"serviceDef": {"name": "s", "resources": [{"name": "db"}], "accessTypes": [{"name": "read"}],
        "contextEnrichers": [{"name": "Weather", "enricher": "com.example.Weather"}]},
        "policies": [{"id": 1, "resources": {"db": {"values": ["*"]}},
            "policyItems": [{"accesses": [{"type": "read"}], "groups": ["public"]}]}]}"#;
    for (mode, expected) in [(Mode::Compat, true), (Mode::Closed, false)] {
        let policies: ServicePolicies = json::read(text).unwrap();
        let engine = Engine::new(&Sources { policies, ..Sources::default() }, Options { mode, ..Options::default() });
        assert_eq!(engine.missing_enrichers(), ["Weather"]);
        let decision: Decision<'_> = ask(&[("db", "d")], &[], |request| engine.access(request));
        assert_eq!(decision.is_allowed, expected, "{mode:?}");
        assert_eq!(decision.refused.is_some(), !expected);
    }
}

#[test]
fn an_explanation_names_the_policies_and_what_they_lack() {
    let engine = engine(
        r#"{"id": 1, "name": "first", "policyPriority": 1, "resources": {"db": {"values": ["d"]}, "table": {"values": ["t"]}}, "policyItems": [
               {"accesses": [{"type": "read"}], "users": ["other"]},
               {"accesses": [{"type": "read"}], "groups": ["g"], "conditions": [{"type": "expression", "values": ["false"]}]}]},
           {"id": 2, "name": "second", "resources": {"db": {"values": ["d"]}, "table": {"values": ["*"]}}, "policyItems": [
               {"accesses": [{"type": "read"}], "groups": ["g"]}]}"#,
        Options::default(),
    );
    let text = ask(&[("db", "d"), ("table", "t")], &["g"], |request| {
        let (decision, explanation) = engine.explain(request, PolicyType::Access);
        assert_eq!((decision.is_allowed, decision.policy_id), (true, 2));
        let policies = explanation.steps.iter().filter(|step| matches!(step, Step::Policy(_))).count();
        assert_eq!(policies, 2);
        explanation.to_string()
    });
    for part in [
        "policy 1 `first`: allow 1 for `read` is not about who asks",
        "allow 2 for `read` condition `expression` does not hold",
        "policy 2 `second`: allow 1 for `read` matches",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_denial_is_left_open_for_a_service_that_asks_elsewhere() {
    let policy = r#"{"id": 1, "resources": {"db": {"values": ["d"]}}, "policyItems": []}"#;
    for has_fallback in [false, true] {
        let engine = engine(policy, Options { has_fallback, ..Options::default() });
        let decision = ask(&[("db", "d")], &[], |request| engine.access(request));
        assert_eq!((decision.is_allowed, decision.is_determined), (false, !has_fallback));
    }
}
