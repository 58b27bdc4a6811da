//! Cases that comparing with Ranger's engine brought up, each as small as it could be made: what Ranger answers, freshly
//! started, is what both the engine and the naive evaluator answer.

use lockgate_policy::Mode;
use serde_json::{Value, json};

use crate::agree::{answer, engine, naive};
use crate::generate::{Case, service_def, tag_def};
use crate::naive::Answer;

/// An item for one kind of access; `who` is a group, or nobody.
fn item(who: &[&str], access: &str) -> Value {
    json!([{ "groups": who, "accesses": [{ "type": access }] }])
}

fn policy(id: i64, priority: i64, values: &[&str], recursive: bool) -> Value {
    json!({
        "id": id, "name": format!("p{id}"), "policyType": 0, "policyPriority": priority,
        "resources": { "path": { "values": values, "isRecursive": recursive } },
    })
}

fn with(mut policy: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        policy[*name] = value.clone();
    }
    policy
}

/// What tags decide for everybody: by the policy 9.
fn tag_policy(items: &str) -> Value {
    let items = (items, item(&["public"], "hive:select"));
    with(json!({ "id": 9, "name": "p9", "policyType": 0, "resources": { "tag": { "values": ["*"] } } }), &[items])
}

fn case(policies: Vec<Value>, tag_policy: &Value) -> Case {
    let request = json!({
        "kind": "access", "access": "select", "user": "u1", "groups": ["g1"], "at": 1_750_000_000_000_i64,
        "resource": { "path": "/a/b" }, "tags": [{ "type": "PII", "matchType": "SELF", "validityPeriods": [], "attributes": {} }],
    });
    let service = json!({
        "serviceName": "s", "serviceDef": service_def(true, true), "policies": policies,
        "tagPolicies": { "serviceName": "t", "serviceDef": tag_def(), "policies": [tag_policy] },
    });
    Case { service, roles: json!({ "rangerRoles": [] }), users: json!({}), requests: vec![request] }
}

fn both_say(case: &Case, allowed: bool, policy: i64, why: &str) {
    let request = &case.requests[0];
    let expected = Answer::Access { allowed, audited: true, policy };
    assert_eq!(answer(&engine(case, Mode::Compat), request), expected, "{why}");
    assert_eq!(naive(case, request), expected, "naive: {why}");
}

#[test]
fn what_tags_deny_stays_denied_by_the_first_policy_of_a_higher_priority_with_items() {
    let denies = tag_policy("denyPolicyItems");
    let allows = with(policy(2, 1, &["/a/b"], false), &[("policyItems", item(&["g1"], "select"))]);
    both_say(&case(vec![allows.clone()], &denies), true, 2, "a higher priority allows");
    let of_nobody = |values: &[&str]| with(policy(1, 1, values, true), &[("denyPolicyItems", item(&[], "select"))]);
    both_say(&case(vec![of_nobody(&["/"]), allows.clone()], &denies), false, 9, "one that is tried before does not");
    both_say(&case(vec![of_nobody(&["/x"]), allows.clone()], &denies), true, 2, "one about something else");
    let everywhere = policy(1, 1, &["*"], true);
    both_say(&case(vec![everywhere, allows], &denies), true, 2, "one without items");
}

#[test]
fn a_policy_that_denies_as_well_lifts_a_denial_of_tags_only_if_another_is_reached() {
    let denies = tag_policy("denyPolicyItems");
    let more = [("policyItems", item(&["g1"], "select")), ("denyPolicyItems", item(&["g2"], "drop"))];
    let lifts = with(policy(1, 1, &["/a/b"], false), &more);
    both_say(&case(vec![lifts.clone()], &denies), false, 1, "it is the only one");
    for (value, recursive, allowed) in [
        ("/a", true, true),
        ("/a", false, false),
        ("/a/?c", false, true),
        ("/b", true, false),
        ("/a/{USER}", false, true),
    ] {
        let other = policy(2, 0, &[value], recursive);
        both_say(&case(vec![lifts.clone(), other], &denies), allowed, 1, value);
    }
    let excluding =
        with(policy(2, 0, &[], false), &[("resources", json!({ "path": { "values": ["/a/b"], "isExcludes": true } }))]);
    both_say(&case(vec![lifts.clone(), excluding], &denies), true, 1, "what is excluded is reached");
    let over =
        with(policy(2, 0, &["/a"], true), &[("validitySchedules", json!([{ "endTime": "2024/01/01 00:00:00" }]))]);
    both_say(&case(vec![lifts, over], &denies), false, 1, "what is over is not looked at");
}

#[test]
fn what_tags_allow_ends_at_the_first_policy_that_is_reached() {
    let allows = tag_policy("policyItems");
    let denies = with(policy(1, 1, &["/a/b"], false), &[("denyPolicyItems", item(&["g1"], "select"))]);
    both_say(&case(vec![denies.clone()], &allows), false, 1, "a higher priority denies");
    // Policies that deny are tried first, so that only a still higher priority comes before.
    for (value, recursive, allowed) in
        [("/", true, true), ("/", false, false), ("/a/b", true, true), ("/a/b/", true, false)]
    {
        let before = policy(2, 2, &[value], recursive);
        both_say(&case(vec![denies.clone(), before], &allows), allowed, if allowed { 9 } else { 1 }, value);
    }
}

#[test]
fn a_policy_on_tags_without_items_that_is_not_audited_is_left_out() {
    let deny_all_else = |audited: bool| {
        let policy = with(tag_policy("policyItems"), &[("policyItems", json!([])), ("isDenyAllElse", true.into())]);
        with(policy, &[("isAuditEnabled", audited.into())])
    };
    let allows = with(policy(1, 0, &["/a/b"], false), &[("policyItems", item(&["g1"], "select"))]);
    both_say(&case(vec![allows.clone()], &deny_all_else(true)), false, 9, "it denies");
    both_say(&case(vec![allows], &deny_all_else(false)), true, 1, "it is left out");
}

#[test]
fn a_mask_of_tags_stays_where_ranger_keeps_it() {
    let info = |mask: &str| json!({ "dataMaskType": mask });
    let mask = |id: i64, priority: i64, resources: Value, access: &str, group: &str, mask: &str| {
        json!({
            "id": id, "name": format!("p{id}"), "policyType": 1, "policyPriority": priority, "resources": resources,
            "dataMaskPolicyItems": [{ "groups": [group], "accesses": [{ "type": access }], "dataMaskInfo": info(mask) }],
        })
    };
    let column = |database: &str, exclude: bool| {
        json!({
            "database": { "values": [database], "isExcludes": exclude }, "table": { "values": ["t1"] }, "column": { "values": ["c1"] },
        })
    };
    let by_tag = mask(9, 0, json!({ "tag": { "values": ["*"] } }), "hive:select", "public", "hive:MASK");
    let unmasks = mask(2, 1, column("db1", false), "select", "g1", "MASK_NONE");
    // It is tried first, and is not about the column.
    let before = mask(1, 1, column("db*", true), "select", "public", "MASK_HASH");
    for (policies, expected) in [(vec![unmasks.clone()], None), (vec![unmasks, before], Some("MASK"))] {
        let mut case = case(policies, &by_tag);
        case.service["serviceDef"] = service_def(false, true);
        let request = &mut case.requests[0];
        request["kind"] = "mask".into();
        request["resource"] = json!({ "database": "db1", "table": "t1", "column": "c1" });
        let policy = if expected.is_some() { 9 } else { 2 };
        let expected = Answer::Mask { mask: expected.map(str::to_owned), value: None, audited: true, policy };
        for mode in [Mode::Compat, Mode::Closed] {
            assert_eq!(answer(&engine(&case, mode), &case.requests[0]), expected, "{mode:?}");
        }
        assert_eq!(naive(&case, &case.requests[0]), expected, "naive");
    }
}

#[test]
fn of_masks_of_tags_that_may_deny_as_well_the_first_stays() {
    let mask = |id: i64, mask: &str, deny_all_else: bool| {
        json!({
            "id": id, "name": format!("p{id}"), "policyType": 1, "isDenyAllElse": deny_all_else,
            "resources": { "tag": { "values": ["*"] } }, "dataMaskPolicyItems": [{
                "groups": ["public"], "accesses": [{ "type": "hive:select" }], "dataMaskInfo": { "dataMaskType": mask },
            }],
        })
    };
    for (second, policy, expected) in [(true, 8, "MASK_HASH"), (false, 9, "MASK")] {
        let mut case = case(Vec::new(), &mask(8, "hive:MASK_HASH", true));
        case.service["serviceDef"] = service_def(false, true);
        case.service["tagPolicies"]["policies"].as_array_mut().expect("policies").push(mask(9, "hive:MASK", second));
        case.requests[0]["kind"] = "mask".into();
        case.requests[0]["resource"] = json!({ "database": "db1", "table": "t1", "column": "c1" });
        let expected = Answer::Mask { mask: Some(expected.to_owned()), value: None, audited: true, policy };
        assert_eq!(answer(&engine(&case, Mode::Compat), &case.requests[0]), expected);
        assert_eq!(naive(&case, &case.requests[0]), expected, "naive");
    }
}

#[test]
fn the_first_rule_about_auditing_counts_whichever_tag_it_is_about() {
    let rule = |tag: &str, audited: bool| json!({ "resources": { "tag": { "values": [tag] } }, "isAudited": audited });
    let tag = |name: &str| json!({ "type": name, "matchType": "SELF", "validityPeriods": [], "attributes": {} });
    for (first, audited) in [("PCI", false), ("P*I", true), ("Q", true)] {
        let mut case = case(Vec::new(), &tag_policy("policyItems"));
        let rules = json!([rule(first, audited), rule("PII", !audited), rule("*", audited)]).to_string();
        case.service["tagPolicies"]["serviceConfig"] = json!({ "ranger.plugin.audit.filters": rules });
        case.requests[0]["tags"] = json!([tag("PII"), tag("PCI")]);
        let is_audited = if first == "Q" { !audited } else { audited };
        let expected = Answer::Access { allowed: true, audited: is_audited, policy: 9 };
        assert_eq!(answer(&engine(&case, Mode::Compat), &case.requests[0]), expected, "{first}");
        assert_eq!(naive(&case, &case.requests[0]), expected, "naive: {first}");
    }
}
