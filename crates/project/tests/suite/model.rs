//! What a project that loads holds.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate_project::{
    Bind, Colour, LedgerLocation, Project, SecretRef, StoreLocation, WriteMode, bind_params, find_root, render,
};

use crate::base::{CUSTOMERS, DAILY, LOCKGATE, env, lines, load, project, said};

#[test]
fn the_example_of_the_design_loads_without_a_word() {
    let project = project();
    assert_eq!(said(&[]), "");
    assert_eq!(project.name.as_str(), "retail");
    assert_eq!(project.lattice.to_string(), "public < internal < confidential < restricted");
    let landing = &project.stores["landing"];
    assert_eq!(landing.location, StoreLocation::Files("/project/data/landing".into()));
    assert_eq!(landing.clearance, project.lattice.lowest(), "a store without a clearance has the lowest");
    assert_eq!(project.lattice.name(project.stores["warehouse"].clearance), "internal");
    assert_eq!(project.keys.default.path, Path::new("/project/.lockgate/keys"));
    assert_eq!(project.ledger.at, LedgerLocation::Folder("/project/.lockgate/ledger".into()));
    let rules: Vec<&str> = project.protect.iter().map(|rule| rule.text.as_str()).collect();
    assert_eq!(rules, ["protect[0]: tag pii.email", "protect[1]: tag pii.name", "protect[2]: level restricted"]);
    let pipeline = &project.pipelines["daily_customers"];
    assert!(matches!(&pipeline.into.mode, WriteMode::Merge { key } if key[0].value.as_str() == "id"));
    assert_eq!(project.producer(&"analytics.customers".parse().unwrap()).unwrap().name, pipeline.name);
}

#[test]
fn a_columns_level_is_the_highest_of_what_gives_it_one() {
    let text = "dataset: d\nat: { store: landing, path: x.csv, format: csv }\nlevel: public\ncolumns:
  a: { type: text }
  b: { type: text, tags: [pii.email, pci.pan] }
  c: { type: text, level: restricted, tags: [pii.email] }
  d: { type: text, tags: [hr.salary], nullable: false }
";
    let lockgate = LOCKGATE.replace("protect:", "tags: { hr.salary: restricted }\nprotect:");
    let (project, _) = load(&[("catalog/d.yaml", text), ("lockgate.yaml", &lockgate)]).unwrap();
    let levels = |dataset: &str| -> Vec<String> {
        let columns = &project.datasets[dataset].columns;
        columns
            .iter()
            .map(|c| format!("{} {} by {}", c.name.value, project.lattice.name(c.level), c.level_origin))
            .collect()
    };
    assert_eq!(
        levels("d"),
        [
            "a public by level of dataset d",
            "b restricted by tag pci.pan",
            "c restricted by level: restricted",
            "d restricted by tag hr.salary",
        ]
    );
    assert_eq!(levels("customers")[..2], ["id internal by default_level", "name confidential by tag pii.name"]);
    assert!(!project.datasets["d"].column("d").unwrap().nullable);
    assert_eq!((project.datasets["d"].bind, project.datasets["customers"].bind), (Bind::Column, Bind::Subject));
}

#[test]
fn variables_are_expanded_as_text_and_escaped_ones_are_not() {
    let text = CUSTOMERS.replace("customers/{date}/*.csv", "${env:CITY}/$${env:CITY}/x.csv");
    assert_eq!(lines(&[("catalog/customers.yaml", &text)]).len(), 1, "`$` and braces: not a path of parameters");
    let text = CUSTOMERS.replace("customers/{date}/*.csv", "${env:CITY}/x.csv");
    let (project, _) = load(&[("catalog/customers.yaml", &text)]).unwrap();
    assert_eq!(project.datasets["customers"].files().unwrap().path.value.as_str(), "Graz/x.csv");
    let daily = DAILY.replace("SELECT id", "SELECT '${env:YAML} $${x}' AS y, id");
    let (project, _) = load(&[("pipelines/daily_customers.yaml", &daily)]).unwrap();
    let sql = &project.pipelines["daily_customers"].sql.value;
    assert!(sql.starts_with("SELECT 'a: [b, {c: d}] # \"' ${x}' AS y, id"), "{sql}");
}

#[test]
fn a_place_in_the_query_is_a_place_in_the_file() {
    for sql in [
        "sql: SELECT id, bad FROM customers\n",
        "sql: \"SELECT id, \\\"x\\\" ,\\\n  bad FROM customers\"\n",
        "sql: 'SELECT ''x'', bad\n  FROM customers'\n",
        "sql: |\n  SELECT 'é',\n    bad\n  FROM customers\n",
        "sql: >-\n  SELECT id,\n  bad\n\n  FROM customers\n",
        "sql: SELECT '${env:CITY}', '$${',\n  bad FROM customers\n",
    ] {
        let text = DAILY.replace("sql: SELECT id, name, email, city, signup_date FROM customers\n", sql);
        let (project, _) = load(&[("pipelines/daily_customers.yaml", &text)]).unwrap();
        let pipeline = &project.pipelines["daily_customers"];
        let span = pipeline.sql_span(pipeline.sql.value.find("bad").unwrap(), 3);
        assert_eq!(project.sources.quote(span), "bad", "{sql}");
        assert_eq!(project.sources.text(span.file).get(span.range()).unwrap(), "bad", "{sql}");
        let end = pipeline.sql_span(usize::MAX, 9);
        assert_eq!(end.start, end.end);
    }
}

#[test]
fn a_passphrase_is_a_reference() {
    for (text, expected) in [
        ("env:KEY_PASS", SecretRef::Env("KEY_PASS".into())),
        ("file:./pass", SecretRef::File("/project/pass".into())),
        ("file:/run/pass", SecretRef::File("/run/pass".into())),
    ] {
        let lockgate = LOCKGATE.replace("keys\" }", &format!("keys\", passphrase: \"{text}\" }}"));
        let (project, _) = load(&[("lockgate.yaml", &lockgate)]).unwrap();
        assert_eq!(project.keys.default.passphrase, Some(expected));
    }
}

#[test]
fn no_secret_is_shown() {
    for secret in ["passphrase: hunter2", "passphrase: \"${env:TOP_SECRET}\"", "passphrase: [hunter2]"] {
        let lockgate = LOCKGATE.replace("keys\" }", &format!("keys\", {secret} }}"));
        let said = said(&[("lockgate.yaml", &lockgate)]);
        assert!(!said.is_empty() && !said.contains("hunter2"), "{said}");
    }
    for (from, to) in [
        ("project: retail", "project: \"${env:TOP_SECRET}\""),
        ("\"file://./data/landing\"", "\"${env:TOP_SECRET}\""),
        ("\"file://./data/landing\"", "\"postgresql://etl:hunter2@db/x\""),
        ("clearance: internal", "clearance: \"${env:TOP_SECRET}\""),
        ("transport: tls }", "transport: \"${env:TOP_SECRET}\" }"),
        ("rotate_days: 90", "rotate_days: \"${env:TOP_SECRET}\""),
        ("with: seal", "with: \"${env:TOP_SECRET}\""),
        ("tag: pii.email", "tag: \"${env:TOP_SECRET}\""),
        ("version: 1", "version: \"${env:TOP_SECRET}\""),
    ] {
        let said = said(&[("lockgate.yaml", &LOCKGATE.replacen(from, to, 1))]);
        assert!(!said.is_empty() && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn parameters_come_from_the_command_or_from_a_default() {
    let params =
        "params:\n  date: { type: date }\n  region: { type: text, default: eu }\n  n: { type: bigint, default: 3 }\n";
    let (project, _) = load(&[("pipelines/daily_customers.yaml", &format!("{DAILY}{params}"))]).unwrap();
    let pipeline = &project.pipelines["daily_customers"];
    let used = [&project.datasets["customers"]];
    let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let bound = bind_params(pipeline, &given(&[("date", "2026-11-01")]), &used).unwrap();
    assert_eq!(bound, given(&[("date", "2026-11-01"), ("n", "3"), ("region", "eu")]));
    assert_eq!(used[0].files().unwrap().path.value.fill(&bound).unwrap(), "customers/2026-11-01/*.csv");
    let found = bind_params(pipeline, &given(&[("dat", "x"), ("n", "1.5"), ("region", "a/b")]), &used).unwrap_err();
    let lines: Vec<String> = found.iter().map(|d| d.line(&project.sources)).collect();
    insta::assert_debug_snapshot!(lines, @r#"
    [
        "catalog/customers.yaml:2:29: LG030 error: the parameter `date` of `daily_customers` has no value",
        "pipelines/daily_customers.yaml:1:11: LG031 error: the pipeline `daily_customers` has no parameter `dat`",
        "pipelines/daily_customers.yaml:8:3: LG032 error: the value `1.5` of the parameter `n` is no whole number of 64 bits in its plain form",
    ]
    "#);
    let undeclared = crate::base::project();
    let bound = bind_params(&undeclared.pipelines["daily_customers"], &given(&[("date", "today")]), &used).unwrap();
    assert_eq!(bound, given(&[("date", "today")]), "a parameter of a dataset that is not declared is text");
    let outside = bind_params(&undeclared.pipelines["daily_customers"], &given(&[("date", "../x")]), &used);
    assert!(outside.unwrap_err().has_errors());
}

#[test]
fn pipelines_come_after_those_that_they_read() {
    let pipeline = |name: &str, output: &str| {
        format!("pipeline: {name}\nsql: SELECT 1\ninto: {{ dataset: {output}, store: warehouse }}\nruns_as: svc-etl\n")
    };
    let files = [("a", "x"), ("b", "y"), ("c", "z")]
        .map(|(name, output)| (format!("pipelines/{name}.yaml"), pipeline(name, output)));
    let changes: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (project, _) = load(&changes).unwrap();
    let order = |reads: &[(&str, &[&str])]| {
        let reads = reads
            .iter()
            .map(|(name, read)| (name.parse().unwrap(), read.iter().map(|d| d.parse().unwrap()).collect()))
            .collect();
        project.dependency_order(&reads).map(|order| order.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(order(&[("a", &["y", "customers"]), ("b", &["z"])]).unwrap(), ["c", "b", "a", "daily_customers"]);
    let found =
        order(&[("a", &["y"]), ("b", &["z", "x"]), ("c", &["x"]), ("daily_customers", &["analytics.customers"])]);
    let messages: Vec<String> = found.unwrap_err().iter().map(|d| d.message.clone()).collect();
    insta::assert_debug_snapshot!(messages, @r#"
    [
        "pipelines read one another's outputs in a circle: a → b → a",
        "pipelines read one another's outputs in a circle: daily_customers → daily_customers",
    ]
    "#);
}

#[test]
fn a_project_is_found_above_and_read_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("catalog/deeper")).unwrap();
    std::fs::create_dir(root.join("pipelines")).unwrap();
    assert_eq!(find_root(&root.join("catalog")), None);
    let rejected = Project::load(root, &env).unwrap_err();
    assert!(
        rejected.diagnostics.iter().next().unwrap().line(&rejected.sources).starts_with("lockgate.yaml:1:1: LG001")
    );
    std::fs::write(root.join("lockgate.yaml"), LOCKGATE).unwrap();
    std::fs::write(root.join("catalog/customers.yml"), CUSTOMERS).unwrap();
    std::fs::write(root.join("catalog/.gitkeep"), "").unwrap();
    std::fs::write(root.join("pipelines/daily.yaml"), DAILY).unwrap();
    assert_eq!(find_root(&root.join("catalog")).unwrap(), root);
    let (project, warnings) = Project::load(root, &env).unwrap();
    assert_eq!(project.datasets.len(), 1);
    let lines: Vec<String> = warnings.iter().map(|d| d.line(&project.sources)).collect();
    assert_eq!(lines, ["catalog/deeper:1:1: LG029 warning: `catalog/deeper` is not read"]);
    std::fs::create_dir(root.join("policies")).unwrap();
    assert!(Project::load(root, &env).is_ok(), "an empty folder of policies says nothing");
    std::fs::write(root.join("policies/a.json"), "{}").unwrap();
    let rejected = Project::load(root, &env).unwrap_err();
    assert!(rejected.diagnostics.iter().any(|d| d.code.as_str() == "LG036"));
    std::fs::write(root.join("policies/a.json"), r#"{"rangerRoles": []}"#).unwrap();
    let (project, _) = Project::load(root, &env).unwrap();
    assert!(!project.policies.is_empty());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockgate.yaml"), LOCKGATE).unwrap();
    std::fs::create_dir(folder.path().join("catalog")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("catalog/a.yaml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("catalog/b.yaml")).unwrap();
    let rejected = Project::load(folder.path(), &env).unwrap_err();
    let codes: Vec<&str> = rejected.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["LG001", "LG001"]);
}

#[test]
fn no_text_of_a_file_acts_on_the_terminal() {
    for text in [
        CUSTOMERS.replace("  city:", "  \"ci\\e[31mty\":"),
        CUSTOMERS.replace("city", "ci\u{1b}[31mty"),
        CUSTOMERS.replace("subject: id", "subject: \"\\e[31m\""),
        CUSTOMERS.replace("columns:", "\"col\\e[31m\": 1\ncolumns:"),
    ] {
        let said = said(&[("catalog/customers.yaml", &text)]);
        assert!(!said.is_empty() && !said.contains('\u{1b}'), "{said}");
    }
    let rejected = load(&[("catalog/customers.yaml", "x: 1\n")]).unwrap_err();
    assert!(render(&rejected.diagnostics, &rejected.sources, Colour::Always).contains("\u{1b}["));
}
