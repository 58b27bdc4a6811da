use super::*;
use crate::model::ServicePolicies;

fn sources(policies: &str) -> Sources {
    let text = format!(
        r#"{{"serviceDef": {{"name": "s", "resources": [{{"name": "db"}}, {{"name": "table", "parent": "db"}}],
            "accessTypes": [{{"name": "read"}}, {{"name": "write"}}],
            "rowFilterDef": {{"resources": [{{"name": "db"}}, {{"name": "table"}}]}}}}, "policies": [{policies}]}}"#
    );
    let policies: ServicePolicies = crate::json::read(&text).unwrap();
    Sources { policies, ..Sources::default() }
}

fn policy(id: i64, db: &str, table: &str, rest: &str) -> String {
    format!(
        r#"{{"id": {id}, "name": "p{id}", "resources": {{"db": {{"values": ["{db}"]}}, "table": {{"values": ["{table}"]}}}}, {rest}}}"#
    )
}

fn allow(access: &str, who: &str) -> String {
    format!(r#""policyItems": [{{"accesses": [{{"type": "{access}"}}], {who}}}]"#)
}

fn line(change: &Change) -> String {
    let resource: Vec<&str> = change.resource.iter().map(|(_, value)| value.as_str()).collect();
    let except: Vec<String> = change.except.iter().map(|except| format!(", unless {except}")).collect();
    let (who, resource) = (&change.principal, resource.join("."));
    format!("{who}{} {} {resource}: {} → {}", except.concat(), change.access, change.before, change.after)
}

fn told(before: &[String], after: &[String]) -> Vec<String> {
    let [before, after] = [before, after].map(|policies| sources(&policies.join(",")));
    let found = compare(&before, &after, Timestamp::UNIX_EPOCH);
    assert!(found.is_complete);
    found.changes.iter().map(line).chain(found.open).collect()
}

const ANNA: &str = r#""users": ["anna"]"#;
const CLERKS: &str = r#""groups": ["clerks"]"#;
const PUBLIC: &str = r#""groups": ["public"]"#;

#[test]
fn who_is_named_anew_gains_and_who_is_no_longer_loses() {
    let before = [policy(1, "a", "t", &allow("read", ANNA))];
    let after = [policy(1, "a", "t", &allow("read", CLERKS))];
    let expected = [
        "group clerks, unless user anna read a.t: denied → allowed",
        "user anna, unless group clerks read a.t: allowed → denied",
    ];
    assert_eq!(told(&before, &after), expected);
    assert!(told(&before, &before).is_empty());
}

#[test]
fn a_resource_that_names_less_is_one_of_its_own() {
    let after = [policy(1, "a", "*", &allow("read", ANNA))];
    assert_eq!(told(&[], &after), ["user anna read a: denied → allowed", "user anna read a.*: denied → allowed"]);
}

#[test]
fn numbers_and_policies_without_effect_are_no_difference() {
    let before = [policy(1, "a", "*", &allow("read", ANNA))];
    assert!(told(&before, &[before[0].replacen("\"id\": 1", "\"id\": 7", 1)]).is_empty());
    let covered = [before[0].clone(), policy(2, "a", "t", &allow("read", ANNA))];
    assert!(told(&before, &covered).is_empty(), "anna could read it before");
}

#[test]
fn regions_of_other_policies_are_asked_as_well() {
    let other = policy(1, "ab*", "t", &allow("read", ANNA));
    let before = [other.clone()];
    let denies = r#""denyPolicyItems": [{"accesses": [{"type": "read"}], "groups": ["public"]}]"#;
    let after = [other, policy(2, "a*", "*", denies)];
    assert_eq!(told(&before, &after), ["user anna read ab*.t: allowed → denied"]);
}

#[test]
fn values_that_overlap_in_part_are_told_apart() {
    let first = policy(1, "?a", "t", &allow("read", PUBLIC));
    let after = [first.clone(), policy(2, "b?", "t", &allow("read", PUBLIC))];
    assert_eq!(told(&[first], &after), ["anybody read b? except ?a.t: denied → allowed"]);
    let first = policy(1, "*x*", "t", &allow("read", PUBLIC));
    let after = [first.clone(), policy(2, "*y*", "t", &allow("read", PUBLIC))];
    assert_eq!(told(&[first], &after), ["anybody read *y* except *x*.t: denied → allowed"]);
}

#[test]
fn anybody_gains_by_public_and_an_owner_by_owning() {
    let after = [policy(1, "a", "t", &allow("write", PUBLIC))];
    assert_eq!(told(&[], &after), ["anybody write a.t: denied → allowed"]);
    let after = [policy(1, "a", "t", &allow("write", r#""users": ["{OWNER}"]"#))];
    assert_eq!(told(&[], &after), ["anybody and the owner write a.t: denied → allowed"]);
}

#[test]
fn members_of_roles_are_asked() {
    let policies = [policy(1, "a", "t", &allow("read", r#""roles": ["reader"]"#))];
    let [before, mut after] = [&policies, &policies].map(|policies| sources(&policies.join(",")));
    after.roles = crate::json::read(r#"{"rangerRoles": [{"name": "reader", "users": [{"name": "anna"}]}]}"#).unwrap();
    let found = compare(&before, &after, Timestamp::UNIX_EPOCH);
    assert_eq!(found.changes.iter().map(line).collect::<Vec<_>>(), ["user anna read a.t: denied → allowed"]);
}

#[test]
fn filters_are_compared_and_conditions_are_left_open() {
    let filter = |text: &str| {
        let item = format!(
            r#""rowFilterPolicyItems": [{{"accesses": [{{"type": "read"}}], {ANNA}, "rowFilterInfo": {{"filterExpr": "{text}"}}}}]"#
        );
        policy(1, "a", "t", &format!(r#""policyType": 2, {item}"#))
    };
    assert_eq!(told(&[filter("x = 1")], &[filter("x = 2")]), ["user anna read a.t: x = 1 → x = 2"]);
    assert!(told(&[], &[filter("")]).is_empty(), "all rows are seen with and without it");
    let conditional = format!(
        r#""policyItems": [{{"accesses": [{{"type": "read"}}], {ANNA}, "conditions": [{{"type": "c", "values": ["1"]}}]}}]"#
    );
    let open = told(&[], &[policy(3, "a", "t", &conditional)]);
    assert_eq!(open, ["policy 3 `p3` has conditions or times, which only a request can meet"]);
    // That of a neighbour is open as well.
    let neighbour = policy(3, "a", "*", &conditional);
    let before = [neighbour];
    let open = told(&before, &[before[0].clone(), policy(1, "a", "t", &allow("write", ANNA))]);
    assert_eq!(
        open.last().map(String::as_str),
        Some("policy 3 `p3` has conditions or times, which only a request can meet")
    );
}

#[test]
fn limits_are_said() {
    let long = "a".repeat(crate::matcher::SHAPE_CHARS_MAX + 1);
    let found = compare(&sources(""), &sources(&policy(1, &long, "t", &allow("read", ANNA))), Timestamp::UNIX_EPOCH);
    assert!(!found.is_complete && found.open[0].contains("`db`"), "{:?}", found.open);
    // To read anybody and anna, to write anybody.
    let after = sources(&policy(1, "a", "t", &allow("read", ANNA)));
    let cases = |most| compare_within(&sources(""), &after, Timestamp::UNIX_EPOCH, most);
    assert!(cases(3).is_complete && !cases(2).is_complete);
    assert_eq!(cases(2).open, ["more than 2 cases"]);
    let groups: Vec<String> =
        (0..11).map(|at| policy(at, "a", "t", &allow("read", &format!(r#""groups": ["g{at}"]"#)))).collect();
    let found = compare(&sources(""), &sources(&groups.join(",")), Timestamp::UNIX_EPOCH);
    assert!(!found.is_complete && found.open[0].contains("combinations"), "{:?}", found.open);
}
