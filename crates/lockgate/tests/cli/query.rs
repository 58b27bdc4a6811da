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
fn a_project_may_take_nobody_s_word_for_who_asks() {
    let site = governed();
    for (identity, code) in [("local", 0), ("none", 3), ("anybody", 2)] {
        site.write("lockgate.yaml", format!("{}identity: {identity}\n", crate::support::PROJECT));
        site.lockgate(&["query", "SELECT id FROM customers", "--as", "sam"]).exits(code);
    }
}

#[test]
fn a_query_that_takes_too_long_ends_and_is_told_to_the_ledger() {
    let site = governed();
    let args = ["query", "SELECT id FROM customers", "--as", "olga", "--timeout", "0"];
    let said = site.lockgate(&args).exits(1);
    assert!(said.err.contains("longer than 0 s") && said.out.is_empty(), "{}{}", said.out, said.err);
    let verified = site.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert_eq!(verified["accesses"], 1);
}

const UNSEALING: &str = "\
policies:
  - policy: the job reads and writes
    on: { datasets: ['*', '*.*'] }
    allow: [{ users: [svc-etl], access: [select] }]
  - policy: analysts read customers
    on: { datasets: [analytics.customers, marts.names] }
    allow: [{ users: [anna, olga, ines], access: [select] }]
    mask: [{ users: [ines], columns: [name], with: 'show_first: 4' }]
  - policy: names are opened
    on: { datasets: [analytics.customers, marts.names], columns: [name, born] }
    allow: [{ users: [olga, ines, walter], access: [unseal] }]
";

/// The customers with sealed names and birth dates, and a table that another pipeline made of them.
fn sealed() -> Site {
    let site = Site::new();
    site.replace("lockgate.yaml", "'mask(date_to_year)'", "seal");
    site.write("policies/customers.yaml", UNSEALING);
    site.write(
        "pipelines/names.yaml",
        "pipeline: names\nsql: SELECT id, name AS called, born FROM analytics.customers WHERE id < 3\n\
         into: { dataset: marts.names, store: warehouse, mode: merge, key: [id] }\nruns_as: svc-etl\n",
    );
    site.replace("policies/customers.yaml", "columns: [name, born]", "columns: [name, called, born]");
    site.lockgate(&["run", "daily"]).exits(0);
    site.lockgate(&["run", "names"]).exits(0);
    site
}

#[test]
fn sealed_values_are_opened_for_those_who_hold_the_grant() {
    let site = sealed();
    let names = "SELECT id, name, born FROM analytics.customers WHERE id = 1";
    let of = |principal: &str| rows(&site, names, principal)[0].clone();
    assert!(of("anna")["name"].as_str().unwrap().starts_with("lg1."), "{}", of("anna"));
    assert_eq!(of("olga"), json!({ "id": 1, "name": "Ada Lovelace", "born": "1815-12-10" }));
    assert_eq!(of("ines")["name"], "Ada Xxxxxxxx", "a mask hides what was opened");
    site.lockgate(&["query", names, "--as", "walter"]).exits(2);
    // An opened value has the type that it had: sealed text has no year, and no order.
    let born = "SELECT id FROM analytics.customers WHERE born < DATE '1900-01-01'";
    assert_eq!(rows(&site, born, "olga"), json!([{ "id": 1 }]));
    site.lockgate(&["query", born, "--as", "anna"]).exits(3);
    // What a second pipeline passed on is opened with the keys of the first.
    let passed = "SELECT called FROM marts.names ORDER BY called";
    assert_eq!(rows(&site, passed, "olga"), json!([{ "called": "Ada Lovelace" }, { "called": "Hopper, Grace" }]));
    let ledger = site.lockgate(&["query", passed, "--as", "olga"]).exits(0);
    assert!(ledger.err.contains("2 rows shown to olga"), "{}", ledger.err);
    let ledger: String =
        site.files(".lockgate/ledger").into_values().map(|file| String::from_utf8_lossy(&file).into_owned()).collect();
    assert!(ledger.contains(r#"{"column":"called","shown":"unsealed"}"#), "{ledger}");
    let explained = site.lockgate(&["explain", "--sql", names, "--as", "olga"]).exits(0).out;
    assert!(explained.contains("lockgate_unseal(") && explained.contains("names are opened"), "{explained}");
}

#[test]
fn a_sealed_value_opens_in_its_own_row_and_column_alone() {
    let site = sealed();
    let names = "SELECT id, name FROM analytics.customers ORDER BY id";
    let database = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    let put = |sql: &str| database.execute(sql, []).unwrap();
    put("CREATE TABLE kept AS SELECT * FROM \"analytics.customers\"");
    for (moved, of_another) in [
        ("UPDATE \"analytics.customers\" SET name = (SELECT name FROM kept WHERE id = 2) WHERE id = 1", "another row"),
        ("UPDATE \"analytics.customers\" SET name = born WHERE id = 1", "another column"),
        ("UPDATE \"analytics.customers\" SET name = 'Ada Lovelace' WHERE id = 1", "not a sealed value"),
    ] {
        put(moved);
        let told = site.lockgate(&["query", names, "--as", "olga"]).exits(5);
        assert!(told.err.contains("analytics.customers.name") && told.err.contains(of_another), "{}", told.err);
        assert!(!told.out.contains("Ada"), "{}", told.out);
        // Rows that were not touched, and columns that are not opened, are still there.
        rows(&site, "SELECT name FROM analytics.customers WHERE id = 2", "anna");
        rows(&site, "SELECT id FROM analytics.customers", "olga");
        put("UPDATE \"analytics.customers\" SET name = (SELECT name FROM kept WHERE id = 1) WHERE id = 1");
    }
    assert_eq!(rows(&site, names, "olga")[0]["name"], "Ada Lovelace");
}

#[test]
fn what_was_shredded_is_gone_for_everybody() {
    let site = sealed();
    let keys = site.lockgate(&["keys", "list", "--format", "json"]).exits(0).json();
    let keys = keys.as_array().cloned().unwrap_or_else(|| keys["keys"].as_array().unwrap().clone());
    let key = keys.iter().find(|key| key["scope"] == "analytics.customers.name").unwrap();
    site.lockgate(&["keys", "shred", key["key"].as_str().unwrap(), "--yes", "--because", "asked for"]).exits(0);
    assert_eq!(
        rows(&site, "SELECT name, born FROM analytics.customers WHERE id = 1", "olga"),
        json!([{ "name": null, "born": "1815-12-10" }])
    );
}

/// A table whose rows a policy decides by another, which lies in a file of each day.
fn opted_out() -> Site {
    let site = Site::new();
    site.write(
        "catalog/optouts.yaml",
        "dataset: optouts\nat: { store: landing, path: 'optouts/{date}.csv', format: csv }\ncolumns:\n  id: { type: bigint }\n",
    );
    site.write("landing/optouts/2026-11-01.csv", "id\n2\n");
    site.write("landing/optouts/2020-01-01.csv", "id\n99\n");
    site.write(
        "policies/customers.yaml",
        "policies:\n  - policy: whoever opted out is not there\n    on: { datasets: [customers] }\n    \
         allow: [{ users: [sam, svc-etl], access: [select] }]\n    rows:\n      - users: [sam, svc-etl]\n        \
         where: \"NOT EXISTS (SELECT 1 FROM optouts o WHERE o.id = customers.id)\"\n",
    );
    site
}

#[test]
fn what_a_policy_reads_is_not_for_the_asker_to_choose() {
    let site = opted_out();
    let ids = |args: &[&str]| {
        let ask = ["query", "SELECT id FROM customers ORDER BY id", "--as", "sam", "--format", "json"];
        site.lockgate(&[&ask, args].concat()).exits(0).json()
    };
    let visible = json!([{ "id": 1 }, { "id": 3 }]);
    assert_eq!(ids(&[]), visible);
    assert_eq!(ids(&["--param", "date=2026-11-01"]), visible);
    // No file of the table itself is of that day, and the asker is not told so: the rows could be hidden.
    assert_eq!(ids(&["--param", "date=2020-01-01"]), json!([]));
    std::fs::remove_dir_all(site.path("landing/optouts")).unwrap();
    let told = site.lockgate(&["query", "SELECT id FROM customers", "--as", "sam"]).exits(1);
    assert!(told.out.is_empty() && !told.err.contains("optouts"), "{}{}", told.out, told.err);
}

#[test]
fn what_a_policy_decides_by_other_rows_is_decided_anew_with_every_run() {
    let site = opted_out();
    site.lockgate(&["run", "daily"]).exits(0);
    assert_eq!(site.rows().keys().copied().collect::<Vec<_>>(), [1, 3]);
    site.write("landing/customers/2026-11-02/b.csv", "id,name,email,card,born,city\n2,a,b@c.de,,,x\n4,d,e@f.de,,,y\n");
    site.lockgate(&["run", "daily", "--param", "date=2026-11-02"]).exits(0);
    assert_eq!(site.rows().keys().copied().collect::<Vec<_>>(), [1, 3, 4], "the second run sees who opted out as well");
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: append");
    let refused = site.lockgate(&["check"]).exits(2);
    assert!(refused.out.contains("LG111"), "{}{}", refused.out, refused.err);
}

#[test]
fn sources_tell_nothing_of_what_is_hidden() {
    let site = opted_out();
    let sql = "SELECT id FROM customers ORDER BY id";
    let shown = site.lockgate(&["query", sql, "--as", "sam", "--provenance", "--format", "json"]).exits(0).json();
    let source =
        |number: u64| json!([{ "dataset": "customers", "first_number": number, "last_number": number, "exact": true }]);
    assert_eq!(shown, json!([{ "id": 1, "lockgate_sources": source(1) }, { "id": 3, "lockgate_sources": source(2) }]));
    let text = site.lockgate(&["query", sql, "--as", "sam", "--provenance"]).exits(0);
    assert!(text.out.contains("customers#2") && !text.out.contains(".csv"), "{}", text.out);
    let all = site.lockgate(&["query", "SELECT count(*) AS n FROM customers", "--as", "sam", "--provenance"]).exits(0);
    assert!(all.out.contains("customers#1-2"), "{}", all.out);
    let named = "SELECT id AS lockgate_sources FROM customers";
    site.lockgate(&["query", named, "--as", "sam", "--provenance"]).exits(2);
    site.lockgate(&["query", named, "--as", "sam"]).exits(0);
}

#[test]
fn what_was_read_as_a_whole_is_told_once() {
    let site = governed();
    let sql = "SELECT id FROM customers WHERE id = (SELECT max(c.id) FROM customers c)";
    let shown = site.lockgate(&["query", sql, "--as", "olga", "--provenance"]).exits(0);
    assert!(shown.err.contains("all rows also depend on customers/2026-11-01/a.csv:~0-2"), "{}", shown.err);
    assert!(!site.lockgate(&["query", sql, "--as", "olga"]).exits(0).err.contains("depend on"));
}

#[test]
fn a_hidden_table_that_a_pipeline_writes_and_a_missing_one_read_the_same() {
    let site = governed();
    site.lockgate(&["run", "daily"]).exits(0);
    let told = |table: &str| {
        let sql = format!("SELECT id FROM {table}");
        site.lockgate(&["query", &sql, "--as", "sam"]).exits(2).err.replace(table, "TABLE")
    };
    let (hidden, missing) = (told("analytics.customers"), told("analytics.customersx"));
    let length = |text: &str| text.replace('^', "");
    assert_eq!(length(&hidden), length(&missing));
}

#[test]
fn broken_records_of_a_table_are_counted_for_those_who_see_all_of_it() {
    let site = governed();
    site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\nno number,a,b,c,d,e\n");
    let told = |principal: &str| site.lockgate(&["query", "SELECT id FROM customers", "--as", principal]).exits(0).err;
    assert!(told("olga").contains("1 records could not be read"), "{}", told("olga"));
    assert!(!told("sam").contains("could not be read"), "{}", told("sam"));
}

#[test]
fn an_interrupted_query_tells_the_ledger_what_it_showed() {
    let site = governed();
    let lines: String = (0..200_000).map(|id| format!("{id},n,e,c,,city{id}\n")).collect();
    site.write("landing/customers/2026-11-01/b.csv", format!("id,name,email,card,born,city\n{lines}"));
    // Nobody reads on, so that the query waits.
    let mut command = site.command(&["query", "SELECT id, city FROM customers", "--as", "olga", "--format", "ndjson"]);
    let mut query = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut out = std::io::BufReader::new(query.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.contains("\"id\":"), "{line}");
    let interrupt = std::process::Command::new("kill").args(["-INT", &query.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert_eq!(query.wait().unwrap().code(), Some(130));
    let verified = site.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert_eq!((&verified["accesses"], &verified["open_accesses"]), (&json!(1), &json!(0)));
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
