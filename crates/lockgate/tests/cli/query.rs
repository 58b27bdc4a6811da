//! Queries of principals: each sees what the policies grant, and the ledger keeps what each was shown.

use lockgate_crypto::sha256;
use serde_json::{Value, json};

use crate::support::Site;

const POLICIES: &str = "\
roles:
  support: { users: [sam] }
policies:
  - policy: support reads customers
    on: { datasets: [customers], columns: [id, name, email, city] }
    allow: [{ roles: [support], access: [select] }]
    mask: [{ roles: [support], columns: [name], with: redact }]
  - policy: support sees customers of a city
    on: { datasets: [customers] }
    rows: [{ roles: [support], where: \"city IS NOT NULL\" }]
  - policy: the job reads and writes
    on: { datasets: ['*', '*.*'] }
    allow: [{ users: [svc-etl, olga], access: [select] }]
  - policy: e-mail addresses are hashed for support
    on: { tags: [pii.email] }
    mask: [{ roles: [support], with: hash }]
";

fn governed() -> Site {
    let site = Site::new();
    site.write("policies/customers.yaml", POLICIES);
    site
}

fn rows(site: &Site, sql: &str, principal: &str) -> Value {
    site.lockgate(&["query", sql, "--as", principal, "--format", "json"]).exits(0).json()
}

#[test]
fn each_principal_sees_the_rows_and_values_that_policies_grant() {
    let site = governed();
    let all = "SELECT * FROM customers ORDER BY id";
    assert_eq!(
        rows(&site, all, "sam"),
        json!([
            { "id": 1, "name": "Xxx Xxxxxxxx", "city": "London",
              "email": sha256(b"Ada@Example.com") },
            { "id": 2, "name": "Xxxxxx, Xxxxx", "city": "New\nYork",
              "email": sha256(b"grace@example.org") },
        ])
    );
    let olga = rows(&site, all, "olga");
    assert_eq!((olga.as_array().unwrap().len(), &olga[0]["name"]), (3, &json!("Ada Lovelace")));
    assert_eq!(olga[0]["born"], "1815-12-10");
}

#[test]
fn what_is_hidden_and_what_is_not_there_read_the_same() {
    let site = governed();
    let told = |sql: &str, principal: &str| site.lockgate(&["query", sql, "--as", principal]).exits(2).err;
    let hidden = told("SELECT born FROM customers", "sam");
    assert_eq!(hidden.replace("born", "gone"), told("SELECT gone FROM customers", "sam"));
    let stranger = told("SELECT id FROM customers", "eve");
    assert_eq!(stranger.replace("customers", "elsewhere"), told("SELECT id FROM elsewhere", "eve"));
    assert!(stranger.contains("LG102"), "{stranger}");
}

#[test]
fn a_filter_on_a_masked_column_sees_the_masked_value() {
    let site = governed();
    assert_eq!(rows(&site, "SELECT id FROM customers WHERE name = 'Ada Lovelace'", "sam"), json!([]));
    assert_eq!(rows(&site, "SELECT id FROM customers WHERE name = 'Xxx Xxxxxxxx'", "sam"), json!([{ "id": 1 }]));
    assert_eq!(
        rows(&site, "SELECT count(*) AS n, max(name) AS name FROM customers", "sam"),
        json!([{ "n": 2, "name": "Xxxxxx, Xxxxx" }])
    );
}

#[test]
fn every_row_of_a_query_names_its_sources() {
    let site = governed();
    let sql = "SELECT a.id FROM customers a JOIN customers b ON a.id = b.id + 1 ORDER BY a.id";
    let shown = site.lockgate(&["query", sql, "--as", "olga", "--provenance", "--format", "json"]).exits(0).json();
    let record = |row: u64| {
        json!({ "dataset": "customers", "store": "landing", "path": "customers/2026-11-01/a.csv",
                "first_row": row, "last_row": row, "exact": true })
    };
    assert_eq!(
        shown,
        json!([
            { "id": 2, "lockgate_sources": [record(0), record(1)] },
            { "id": 3, "lockgate_sources": [record(1), record(2)] },
        ])
    );
}

#[test]
fn the_ledger_has_who_was_shown_which_columns_and_how_many_rows_before_and_after() {
    let site = governed();
    let args = ["query", "SELECT email FROM customers WHERE id = 1", "--as", "sam", "--purpose", "ticket 7"];
    let shown = site.lockgate(&args).exits(0);
    assert!(shown.err.contains("1 rows shown to sam"), "{}", shown.err);
    let verified = site.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert_eq!((&verified["entries"]["access.intent"], &verified["entries"]["access.result"]), (&json!(1), &json!(1)));
    assert_eq!(verified["accesses"], 1);
    let ledger: String = site
        .files(".lockgate/ledger")
        .into_values()
        .map(|content| String::from_utf8_lossy(&content).into_owned())
        .collect();
    assert!(ledger.contains("\"purpose\":\"ticket 7\"") && ledger.contains("\"principal\":\"sam\""), "{ledger}");
    assert!(ledger.contains(r#"{"column":"email","mask":"MASK_HASH","shown":"masked"}"#), "{ledger}");
    for secret in ["id = 1", "ada@example.com", "Ada@Example.com"] {
        assert!(!ledger.contains(secret), "the ledger holds `{secret}`");
    }
}

#[test]
fn without_policies_nobody_may_ask() {
    let site = Site::new();
    let refused = site.lockgate(&["query", "SELECT id FROM customers", "--as", "sam"]).exits(3);
    assert!(refused.err.contains("LG112") && refused.err.contains("policies/"), "{}", refused.err);
}

#[test]
fn an_explained_query_says_what_policies_decided_and_shows_nobody_a_row() {
    let site = governed();
    let args = ["explain", "--sql", "SELECT name FROM customers", "--as", "sam"];
    let explained = site.lockgate(&args).exits(0).out;
    for part in ["customers.name", "masked: MASK", "support reads customers", "hidden", "Barrier: TableScan"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    assert!(!site.path(".lockgate/ledger").exists(), "nothing was shown, so nothing was written");
}

#[test]
fn a_pipeline_runs_with_the_rights_of_its_principal() {
    let site = governed();
    site.replace("policies/customers.yaml", "users: [svc-etl, olga]", "users: [olga]");
    let refused = site.lockgate(&["run", "daily"]).exits(3);
    assert!(refused.err.contains("LG114") && refused.err.contains("svc-etl"), "{}", refused.err);
    site.replace("policies/customers.yaml", "users: [olga]", "users: [olga, svc-etl]");
    site.lockgate(&["run", "daily"]).exits(0);
    assert_eq!(rows(&site, "SELECT count(*) AS n FROM analytics.customers", "olga"), json!([{ "n": 3 }]));
}

#[test]
fn rows_of_joins_and_aggregates_are_traced_to_all_of_their_records_and_down_again() {
    let site = governed();
    site.write("landing/orders.csv", "id,customer,total\n10,1,5\n11,1,7\n12,2,9\n");
    site.write(
        "catalog/orders.yaml",
        "dataset: orders\nat: { store: landing, path: orders.csv, format: csv }\ncolumns:\n  id: { type: bigint }\n  \
         customer: { type: bigint }\n  total: { type: bigint }\n",
    );
    site.write(
        "pipelines/cities.yaml",
        "pipeline: cities\nsql: >\n  SELECT c.city, sum(o.total) AS total FROM analytics.customers c JOIN orders o ON o.customer = \
         c.id\n  GROUP BY c.city\ninto: { dataset: marts.cities, store: warehouse, mode: replace }\nruns_as: svc-etl\n",
    );
    site.lockgate(&["run", "--select", "+cities"]).exits(0);
    let traced =
        site.lockgate(&["trace", "marts.cities", "--where", "city = 'London'", "--format", "json"]).exits(0).json();
    let sources = traced["rows"][0]["sources"].as_array().unwrap();
    let places: Vec<_> = sources
        .iter()
        .map(|source| (source["path"].as_str().unwrap(), source["row"].as_u64().unwrap(), source["last_row"].as_u64()))
        .collect();
    assert_eq!(places, [("customers/2026-11-01/a.csv", 0, None), ("orders.csv", 0, Some(1))]);
    let down = ["trace", "orders", "--down", "--file", "orders.csv", "--row", "1", "--format", "json"];
    let down = site.lockgate(&down).exits(0).json();
    assert_eq!(
        (&down["made"][0]["dataset"], &down["made"][0]["row"]),
        (&json!("marts.cities"), &traced["rows"][0]["row"])
    );
    let down =
        ["trace", "customers", "--down", "--file", "customers/2026-11-01/a.csv", "--row", "0", "--format", "json"];
    let made = site.lockgate(&down).exits(0).json();
    let datasets: Vec<_> = made["made"].as_array().unwrap().iter().map(|made| made["dataset"].clone()).collect();
    assert_eq!(datasets, [json!("analytics.customers"), json!("marts.cities")]);
    site.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_query_is_explained_in_spark_sql_or_refused_by_the_name_of_what_differs() {
    let site = governed();
    let explain = |sql: &str| site.lockgate(&["explain", "--sql", sql, "--as", "sam", "--dialect", "spark"]);
    let text = explain("SELECT id, name, email FROM customers").exits(0).out;
    for part in
        ["-- __lockgate_rid_1: row ids of customers\n", "IS NOT NULL", "regexp_replace(", "sha2(", "`__lockgate_rid`"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = ["explain", "--sql", "SELECT count(*) AS n FROM customers", "--as", "sam", "--dialect", "spark"];
    let json = site.lockgate(&[&json[..], &["--format", "json"]].concat()).exits(0).json();
    assert_eq!(json["sources"], json!([{ "column": "__lockgate_rid_2", "relation": 0, "dataset": "customers" }]));
    let refused = explain("SELECT initcap(name) AS name FROM customers").exits(3).err;
    assert!(refused.contains("`initcap` is not known to give the same in Spark"), "{refused}");
    assert!(!site.path(".lockgate").exists(), "explaining changes nothing");
}

#[test]
fn a_pipeline_that_seals_is_not_written_in_spark_sql() {
    let refused = Site::new().lockgate(&["explain", "daily", "--dialect", "spark"]).exits(3).err;
    assert!(refused.contains("is not known to give the same in Spark"), "{refused}");
}
