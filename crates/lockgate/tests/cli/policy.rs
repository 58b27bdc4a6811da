//! Policies of Apache Ranger: tested, imported, explained and compared.

use crate::support::Site;

const SERVICE: &str = r#""serviceDef": {"name": "hive", "resources": [{"name": "database"}, {"name": "table", "parent": "database"}],
    "accessTypes": [{"name": "select"}, {"name": "drop"}],
    "rowFilterDef": {"resources": [{"name": "database"}, {"name": "table"}]}}"#;

/// Policies that let these users read `sales.orders`, and one that filters its rows for clerks.
fn policies(users: &str) -> String {
    format!(
        r#"{{"serviceName": "shop", {SERVICE}, "policies": [
            {{"id": 1, "name": "orders", "version": 3, "resources": {{"database": {{"values": ["sales"]}}, "table": {{"values": ["orders"]}}}},
              "policyItems": [{{"accesses": [{{"type": "select"}}], "users": [{users}]}}]}},
            {{"id": 2, "name": "clerks", "policyType": 2,
              "resources": {{"database": {{"values": ["sales"]}}, "table": {{"values": ["orders"]}}}},
              "rowFilterPolicyItems": [{{"accesses": [{{"type": "select"}}], "groups": ["clerks"], "rowFilterInfo": {{"filterExpr": "open = 1"}}}}]}},
            {{"id": 3, "name": "gone", "isEnabled": false, "resources": {{"database": {{"values": ["*"]}}}}}}]}}"#
    )
}

fn test_file(allowed: bool) -> String {
    format!(
        r#"{{"serviceName": "shop", {SERVICE}, "policies": [{{"id": 1, "name": "orders", // a comment
              "resources": {{"database": {{"values": ["sales"]}}}},
              "policyItems": [{{"accesses": [{{"type": "select"}}], "users": ["anna"],
                  "conditions": [{{"type": "unheard-of", "values": ["x"]}}]}}]}}],
            "tests": [{{"name": "anna reads", "request": {{"resource": {{"elements": {{"database": "sales"}}}}, "accessType": "select", "user": "anna"}},
                "result": {{"isAllowed": {allowed}, "isAudited": true}}}},]}}"#
    )
}

/// The place of a file of the project, as an argument.
fn at(site: &Site, name: &str) -> String {
    site.path(name).to_str().unwrap().to_owned()
}

#[test]
fn test_counts_what_passed_and_tells_what_failed() {
    let site = Site::new();
    site.write("cases/test_a.json", test_file(true));
    site.write("cases/other.json", "not a test");
    let compat = site.lockgate(&["policy", "test", "--compat", &at(&site, "cases")]).exits(0);
    assert_eq!(compat.out, "1 passed, 0 failed\n");
    // What Ranger leaves out because it does not know it can't be decided.
    let closed = site.lockgate(&["policy", "test", &at(&site, "cases/test_a.json")]).exits(1);
    assert!(closed.out.ends_with("0 passed, 1 failed\n"), "{}", closed.out);
    for part in ["anna reads", "expected\n    allowed", "actual\n    denied", "condition `unheard-of`"] {
        assert!(closed.out.contains(part), "{part}: {}", closed.out);
    }
    site.write("cases/test_a.json", "{");
    site.lockgate(&["policy", "test", &at(&site, "cases/test_a.json")]).exits(2);
}

#[test]
fn import_keeps_the_document_and_explain_decides_by_it() {
    let site = Site::new();
    site.write("export/shop.json", policies("\"anna\""));
    let imported = site.lockgate(&["policy", "import", &at(&site, "export/shop.json")]).exits(0);
    assert!(imported.out.contains("3 policies"), "{}", imported.out);
    assert!(imported.out.contains("policy 3 `gone`  is disabled"), "{}", imported.out);
    assert_eq!(std::fs::read_to_string(site.path("policies/shop.json")).unwrap(), policies("\"anna\""));
    let ask = |user: &str, more: &[&str]| {
        let base = ["policy", "explain", "--resource", "sales.orders", "--access", "select", "--user", user];
        site.lockgate(&[base.as_slice(), more].concat()).exits(0).out
    };
    let may = ask("anna", &["--group", "clerks"]);
    assert!(may.starts_with("anna may select sales.orders, by policy 1 `orders` version 3\n"), "{may}");
    assert!(may.contains("rows with open = 1, by policy 2 `clerks`"), "{may}");
    let may_not = ask("berta", &["--why-not"]);
    assert!(may_not.starts_with("berta may not select sales.orders, since no policy says so\n"), "{may_not}");
    assert!(may_not.contains("policy 1 `orders`, if it allowed `select` to berta"), "{may_not}");
    // Another document is not written over the first.
    site.write("export/shop.json", policies("\"berta\""));
    let refused = site.lockgate(&["policy", "import", &at(&site, "export/shop.json")]).exits(2);
    assert!(refused.err.contains("policy diff"), "{}", refused.err);
    let unclear = ["policy", "explain", "--resource", "a.b.c", "--access", "select", "--user", "anna"];
    assert!(site.lockgate(&unclear).exits(2).err.contains("fewer levels"));
}

#[test]
fn diff_lists_who_gains_and_who_loses() {
    let site = Site::new();
    site.write("old.json", policies("\"anna\""));
    site.write("new.json", policies("\"berta\""));
    let same = site.lockgate(&["policy", "diff", &at(&site, "old.json"), &at(&site, "old.json")]).exits(0);
    assert_eq!(same.out, "0 differences\n");
    let found = site
        .lockgate(&["policy", "diff", &at(&site, "old.json"), &at(&site, "new.json"), "--format", "json"])
        .exits(1)
        .json();
    assert_eq!(found["changes"].as_array().map(Vec::len), Some(2));
    let first = &found["changes"][0];
    assert_eq!((&first["principal"], &first["after"]), (&"user anna".into(), &"denied".into()));
    assert_eq!(first["resource"], "database=sales,table=orders");
}
