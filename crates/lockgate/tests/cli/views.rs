//! Views of a project: names for queries, which give nobody a right.

use serde_json::{Value, json};

use crate::support::Site;

const POLICIES: &str = "\
policies:
  - policy: the job and olga read everything
    on: { datasets: ['*', '*.*'] }
    allow: [{ users: [svc-etl, olga], access: [select] }]
  - policy: sam sees a part
    on: { datasets: [customers], columns: [id, name, city] }
    allow: [{ users: [sam], access: [select] }]
    mask: [{ users: [sam], columns: [name], with: redact }]
  - policy: sam sees London
    on: { datasets: [customers] }
    rows: [{ users: [sam], where: \"city = 'London'\" }]
";

fn site() -> Site {
    let site = Site::new();
    site.write("policies/customers.yaml", POLICIES);
    site.write("views/named.yaml", "view: named\nsql: SELECT id, name, city FROM customers WHERE name IS NOT NULL\n");
    site.write(
        "views/cities.yaml",
        "view: marts.cities\nsql: SELECT city, count(*) AS people FROM named GROUP BY city\n",
    );
    site.write("views/births.yaml", "view: births\nsql: SELECT id, born FROM customers\n");
    site
}

fn rows(site: &Site, sql: &str, principal: &str) -> Value {
    site.lockgate(&["query", sql, "--as", principal, "--format", "json"]).exits(0).json()
}

#[test]
fn a_view_shows_what_its_asker_sees_of_its_tables() {
    let site = site();
    site.lockgate(&["check"]).exits(0);
    let named = "SELECT n.id, n.name FROM named n ORDER BY id";
    assert_eq!(rows(&site, named, "sam"), json!([{ "id": 1, "name": "Xxx Xxxxxxxx" }]));
    assert_eq!(rows(&site, named, "olga").as_array().unwrap().len(), 3);
    // Through a second view, and beside the table itself.
    let joined = "SELECT v.people FROM marts.cities v JOIN customers c ON c.city = v.city";
    assert_eq!(rows(&site, joined, "sam"), json!([{ "people": 1 }]));
    let traced = site.lockgate(&["query", named, "--as", "olga", "--provenance", "--format", "json"]).exits(0).json();
    assert_eq!(traced[1]["lockgate_sources"][0]["path"], "customers/2026-11-01/a.csv");
    // The name of a common table expression comes first, as it does before a table's.
    assert_eq!(rows(&site, "WITH named AS (SELECT 7 AS id) SELECT id FROM named", "sam"), json!([{ "id": 7 }]));
    let ledger: String =
        site.files(".lockgate/ledger").into_values().map(|file| String::from_utf8_lossy(&file).into_owned()).collect();
    assert!(ledger.contains(r#"{"column":"name","mask":"MASK","shown":"masked"}"#), "{ledger}");
}

#[test]
fn a_view_that_names_what_its_asker_does_not_see_is_not_there() {
    let site = site();
    let told = |name: &str, principal: &str| {
        let sql = format!("SELECT id FROM {name}");
        site.lockgate(&["query", &sql, "--as", principal]).exits(2).err.replace(name, "NAME")
    };
    assert_eq!(told("births", "sam"), told("absent", "sam"));
    assert_eq!(told("births", "eve"), told("absent", "eve"));
    assert_eq!(rows(&site, "SELECT count(*) AS n FROM births", "olga"), json!([{ "n": 3 }]));
}

#[test]
fn pipelines_read_views_and_run_after_what_feeds_them() {
    let site = site();
    site.write(
        "views/loaded.yaml",
        "view: loaded\nsql: >-\n  SELECT c.city, count(*) AS people FROM analytics.customers c GROUP BY c.city\n",
    );
    site.write(
        "pipelines/cities.yaml",
        "pipeline: cities\nsql: SELECT city, people FROM loaded\n\
         into: { dataset: marts.people, store: warehouse, mode: replace }\nruns_as: svc-etl\n",
    );
    let outcomes = site.lockgate(&["run", "cities", "daily", "--format", "json"]).exits(0).json();
    let order: Vec<_> = outcomes.as_array().unwrap().iter().map(|outcome| &outcome["pipeline"]).collect();
    assert_eq!(order, ["daily", "cities"]);
    let sql = "SELECT people FROM marts.people WHERE city = 'London'";
    assert_eq!(rows(&site, sql, "olga"), json!([{ "people": 1 }]));
    let lineage = site.lockgate(&["lineage", "marts.people.people"]).exits(0).out;
    assert!(lineage.contains("analytics.customers"), "{lineage}");
}

#[test]
fn what_is_wrong_with_a_view_is_placed_in_its_file() {
    for (name, view, code, told) in [
        ("a", "view: a\nsql: SELECT absent FROM customers\n", "LG103", "views/a.yaml:2"),
        ("b", "view: b\nsql: SELECT random() AS x FROM customers\n", "LG105", "views/b.yaml:2"),
        ("c", "view: c\nsql: SELECT c.id FROM c\n", "LG033", "reads itself"),
        ("customers", "view: customers\nsql: SELECT 1 AS x\n", "LG0", "the name of a dataset"),
        ("d", "view: named\nsql: SELECT 1 AS x\n", "LG0", "declared twice"),
        (
            "g",
            "view: g\nsql: SELECT id FROM customers WHERE (id IN (SELECT id FROM customers)) IS NULL\n",
            "LG105",
            "g.yaml:2",
        ),
        ("h", "view: h\nsql: SELECT id FROM customers WHERE born > true\n", "LG1", "views/h.yaml:2"),
        ("e", "view: e\nsql: ''\n", "LG010", "`sql` is empty"),
        ("f", "view: f\nsql: SELECT 1 AS x\nrows: 3\n", "LG0", "rows"),
    ] {
        let site = site();
        site.write(&format!("views/{name}.yaml"), view);
        let found = site.lockgate(&["check"]);
        assert!(found.code != 0 && found.out.contains(code), "{name}: {}{}", found.out, found.err);
        assert!(found.out.contains(told), "{name}: {}", found.out);
    }
    // Views of views that double with each one.
    let site = site();
    site.write("views/v0.yaml", "view: v0\nsql: SELECT a.id FROM customers a, customers b\n");
    for level in 1..30 {
        let below = level - 1;
        let view = format!("view: v{level}\nsql: SELECT a.id FROM v{below} a, v{below} b\n");
        site.write(&format!("views/v{level}.yaml"), view);
    }
    let found = site.lockgate(&["check"]);
    assert!(found.code != 0 && found.out.contains("LG108") && found.out.contains("views/v6.yaml"), "{}", found.out);
}
