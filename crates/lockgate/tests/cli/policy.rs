//! Policies of Apache Ranger: tested, imported, explained and compared.

use crate::support::Site;

const SERVICE: &str = r#""serviceDef": {"name": "hive", "resources": [{"name": "database"}, {"name": "table", "parent": "database"},
        {"name": "column", "parent": "table"}],
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
    assert!(
        may.starts_with("anna may select sales.orders, by policy 1 `orders` version 3 (policies/shop.json:5)\n"),
        "{may}"
    );
    assert!(may.contains("rows with open = 1, by policy 2 `clerks` (policies/shop.json:7)\n"), "{may}");
    let may_not = ask("berta", &["--why-not"]);
    assert!(may_not.starts_with("berta may not select sales.orders, since no policy says so\n"), "{may_not}");
    assert!(may_not.contains("policy 1 `orders`, if it allowed `select` to berta"), "{may_not}");
    // Another document is not written over the first.
    site.write("export/shop.json", policies("\"berta\""));
    let refused = site.lockgate(&["policy", "import", &at(&site, "export/shop.json")]).exits(2);
    assert!(refused.err.contains("policy diff"), "{}", refused.err);
    let unclear = ["policy", "explain", "--resource", "a..c", "--access", "select", "--user", "anna"];
    assert!(site.lockgate(&unclear).exits(2).err.contains("no name of a dataset"));
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

const YAML: &str = r#"groups:
  helpdesk: [kim]
policies:
  - policy: helpdesk reads customers
    on: { datasets: [customers, analytics.customers] }
    allow: [{ groups: [helpdesk], access: [select] }]
    mask: [{ groups: [public], columns: [city], with: hash }]
    rows: [{ groups: [helpdesk], where: "city = 'Bern'" }]
  - policy: cards are for nobody
    on: { tags: [pci.pan] }
    deny: [{ groups: [public], access: [select] }]
"#;

const EXPORT: &str = r#"{"policies": [{"id": 7, "name": "orders", "service": "h", "serviceType": "hive",
  "resources": {"database": {"values": ["default"]}, "table": {"values": ["customers"]}, "column": {"values": ["born"]}},
  "policyItems": [{"accesses": [{"type": "select"}], "users": ["olga"]}]}]}"#;

/// What is said of somebody who wants to read a resource.
fn explained(site: &Site, user: &str, resource: &str, more: &[&str]) -> String {
    let base = ["policy", "explain", "--access", "select", "--user", user, "--resource", resource];
    site.lockgate(&[base.as_slice(), more].concat()).exits(0).out
}

#[test]
fn explain_decides_by_the_projects_yaml_and_documents_together() {
    let site = Site::new();
    let base = ["policy", "explain", "--access", "select", "--user", "kim", "--resource", "customers"];
    assert!(site.lockgate(&base).exits(2).err.contains("the project has no policies"));
    site.write("policies/a.json", EXPORT);
    site.write("policies/b.yaml", YAML);
    // Kim is in a group of the YAML file.
    let email = explained(&site, "kim", "customers.email", &[]);
    assert!(email.starts_with("kim may select customers.email, by policy "), "{email}");
    assert!(email.lines().next().unwrap().ends_with(" `helpdesk reads customers` (policies/b.yaml:4)"), "{email}");
    assert!(email.contains("the resource has the tag `pii.email`"), "{email}");
    assert!(email.contains("\nrows with city = 'Bern', by policy "), "{email}");
    assert!(!email.contains("masked with"), "{email}");
    let city = explained(&site, "kim", "analytics.customers.city", &[]);
    assert!(city.contains("\nmasked with MASK_HASH, by policy "), "{city}");
    let card = explained(&site, "kim", "customers.card", &[]);
    assert!(card.starts_with("kim may not select customers.card, by policy "), "{card}");
    assert!(card.lines().next().unwrap().ends_with(" `cards are for nobody` (policies/b.yaml:9)"), "{card}");
    let levels = explained(&site, "kim", "database=analytics,table=customers", &[]);
    assert!(levels.starts_with("kim may select "), "{levels}");
    for resource in ["customers", "analytics.customers"] {
        assert!(explained(&site, "kim", resource, &[]).starts_with(&format!("kim may select {resource}, ")));
        assert!(explained(&site, "eve", resource, &[]).starts_with(&format!("eve may not select {resource}, ")));
        let given = explained(&site, "eve", resource, &["--group", "helpdesk"]);
        assert!(given.starts_with(&format!("eve may select {resource}, ")), "{given}");
    }
    // The document of Ranger is in the same set.
    let born = explained(&site, "olga", "customers.born", &[]);
    assert!(born.starts_with("olga may select customers.born, by policy 7 `orders` (policies/a.json:1)\n"), "{born}");
    // With documents alone, neither the project's policies nor its groups count.
    let alone = explained(&site, "kim", "default.customers.born", &["--policies", &at(&site, "policies/a.json")]);
    assert!(alone.starts_with("kim may not select default.customers.born, since no policy says so\n"), "{alone}");
    let alone = explained(&site, "olga", "default.customers.born", &["--policies", &at(&site, "policies/a.json")]);
    assert!(alone.starts_with("olga may select default.customers.born, by policy 7 `orders`\n"), "{alone}");
}

#[test]
fn explain_names_columns_that_are_not_there_and_takes_datasets_that_only_policies_know() {
    let site = Site::new();
    site.write("policies/b.yaml", YAML);
    let base = ["policy", "explain", "--access", "select", "--user", "kim", "--resource"];
    let wrong = site.lockgate(&[base.as_slice(), &["customers.emial"]].concat()).exits(2);
    for part in ["`customers` has no column `emial`", "did you mean `email`?"] {
        assert!(wrong.err.contains(part), "{part}: {}", wrong.err);
    }
    for resource in ["hr", "hr.people", "hr.people.pay"] {
        let text = explained(&site, "kim", resource, &[]);
        assert!(text.starts_with(&format!("kim may not select {resource}, since no policy says so\n")), "{text}");
    }
    let written = site.lockgate(&[base.as_slice(), &["analytics.customers.city"]].concat()).exits(0);
    assert!(written.err.contains("written by a pipeline"), "{}", written.err);
}

/// What `check` finds in the project's policies: LG114 is about a pipeline that may not read, and not about them.
fn found_in_policies(site: &Site) -> Vec<String> {
    let checked = site.lockgate(&["check", "--format", "json"]).json();
    let findings = checked["findings"].as_array().unwrap().clone();
    findings.iter().map(ToString::to_string).filter(|finding| !finding.contains("LG114")).collect()
}

#[test]
fn an_imported_export_is_loaded_and_decides() {
    let site = Site::new();
    site.write("export/hive.json", EXPORT);
    site.lockgate(&["policy", "import", &at(&site, "export/hive.json")]).exits(0);
    assert_eq!(found_in_policies(&site), [""; 0]);
    assert!(explained(&site, "olga", "customers.born", &[]).contains("(policies/hive.json:1)"));
    assert!(explained(&site, "olga", "customers.city", &[]).starts_with("olga may not "));
    assert!(explained(&site, "eve", "customers.born", &[]).starts_with("eve may not "));
}

const LAKE: &str = r#"{"name": "lake", "label": "Lake", // as Ranger has it
    "resources": [{"name": "database", "level": 10}, {"name": "table", "parent": "database", "level": 20},
        {"name": "column", "parent": "table", "level": 30}],
    "accessTypes": [{"name": "select"}, {"name": "peek"}]}"#;

#[test]
fn an_export_of_another_service_takes_its_definition() {
    let site = Site::new();
    let export = EXPORT.replace("\"serviceType\": \"hive\"", "\"serviceType\": \"lake\"").replace("select", "peek");
    site.write("export/lake.json", &export);
    site.write("lake-def.json", LAKE);
    let (from, definition) = (at(&site, "export/lake.json"), at(&site, "lake-def.json"));
    let unknown = site.lockgate(&["policy", "import", &from]).exits(2);
    for part in ["kind `lake`", "--service-def FILE"] {
        assert!(unknown.err.contains(part), "{part}: {}", unknown.err);
    }
    site.lockgate(&["policy", "import", &from, "--service-def", &definition]).exits(0);
    site.lockgate(&["policy", "import", &from, "--service-def", &definition]).exits(0);
    assert_eq!(found_in_policies(&site), [""; 0]);
    let peek = |user: &str| {
        let args = ["policy", "explain", "--access", "peek", "--user", user, "--resource", "customers.born"];
        site.lockgate(&args).exits(0).out
    };
    assert!(peek("olga").starts_with("olga may peek customers.born, by policy 7 `orders` (policies/lake.json:"));
    assert!(peek("eve").starts_with("eve may not peek "));
    // A definition of another kind, one that is none, and one that nothing needs.
    for (definition, from, expected) in [
        (LAKE.replace("\"lake\"", "\"pond\""), export.as_str(), "definition is that of `pond`"),
        ("{}".to_owned(), export.as_str(), "no definition of a service"),
        (LAKE.to_owned(), r#"{"rangerRoles": []}"#, "needs no definition"),
    ] {
        site.write("def.json", definition);
        site.write("export/other.json", from);
        let args = ["policy", "import", &at(&site, "export/other.json"), "--service-def", &at(&site, "def.json")];
        let refused = site.lockgate(&args).exits(2);
        assert!(refused.err.contains(expected), "{expected}: {}", refused.err);
        assert!(!site.path("policies/other.json").exists());
    }
}

#[test]
fn a_service_without_columns_is_not_imported() {
    let site = Site::new();
    let files = LAKE.replace("{\"name\": \"column\"", "{\"name\": \"field\"");
    site.write("def.json", &files);
    site.write("export/lake.json", EXPORT.replace("\"serviceType\": \"hive\"", "\"serviceType\": \"lake\""));
    site.write("export/plugin.json", format!(r#"{{"serviceName": "l", "serviceDef": {files}, "policies": []}}"#));
    let (export, plugin, def) = (at(&site, "export/lake.json"), at(&site, "export/plugin.json"), at(&site, "def.json"));
    for args in [&["policy", "import", &export, "--service-def", &def][..], &["policy", "import", &plugin][..]] {
        let refused = site.lockgate(args).exits(2);
        assert!(
            refused.err.contains("service `lake`, whose levels are `database`, `table`, `field`"),
            "{}",
            refused.err
        );
    }
    assert!(!site.path("policies").exists());
}
