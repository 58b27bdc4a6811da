//! What is decided for each column.

use crate::support::{APPEND, PROJECT, compile_files, compile_into, compile_sql, lines, outline, pipeline, plan_of};

/// Every expression is as restricted as what it depends on.
#[test]
fn levels_and_tags_flow_through_expressions() {
    let cases = [
        ("city", "internal [] clear"),
        ("'x'", "public [] clear"),
        ("score + 1", "internal [] clear"),
        ("email", "confidential [pii.email] token(domain: customer)"),
        ("lower(email)", "confidential [pii.email] token(domain: customer)"),
        ("name || ' ' || city", "confidential [pii.name] seal"),
        ("name || ' ' || email", "confidential [pii.email pii.name] token(domain: customer)"),
        ("concat(city, name)", "confidential [pii.name] seal"),
        ("coalesce(city, name)", "confidential [pii.name] seal"),
        ("nullif(city, email)", "confidential [pii.email] token(domain: customer)"),
        ("CASE WHEN score > 1 THEN email ELSE city END", "confidential [pii.email] token(domain: customer)"),
        ("CASE WHEN email LIKE '%.org' THEN 1 ELSE 0 END", "confidential [pii.email] token(domain: customer)"),
        ("CASE email WHEN 'a' THEN city ELSE 'b' END", "confidential [pii.email] token(domain: customer)"),
        ("email = 'a'", "confidential [pii.email] token(domain: customer)"),
        ("email IS NULL", "confidential [pii.email] token(domain: customer)"),
        ("NOT (email IN ('a', city))", "confidential [pii.email] token(domain: customer)"),
        ("city IN ('a', email)", "confidential [pii.email] token(domain: customer)"),
        ("city BETWEEN 'a' AND email", "confidential [pii.email] token(domain: customer)"),
        ("character_length(email)", "confidential [pii.email] token(domain: customer)"),
        ("substr(city, 1, character_length(email))", "confidential [pii.email] token(domain: customer)"),
        ("CAST(birth_date AS text) || name", "confidential [pii.birth_date pii.name] seal"),
        ("extract(year FROM birth_date) || name", "confidential [pii.birth_date pii.name] seal"),
        ("email SIMILAR TO 'a%'", "confidential [pii.email] token(domain: customer)"),
        ("phone", "confidential [pii.phone] mask(show_last: 4)"),
        ("birth_date", "confidential [pii.birth_date] mask(date_to_year)"),
        ("gender", "confidential [pii.gender] drop"),
    ];
    for (expression, expected) in cases {
        let (project, compiled) = compile_sql(&format!("SELECT id, {expression} AS x FROM customers"));
        let lines = lines(&project, &compiled);
        let plan = compiled.plans.get("daily").unwrap_or_else(|| panic!("{expression}: {lines:?}"));
        assert_eq!(outline(&project, &plan.columns()[1]), format!("x: {expected}"), "{expression}");
    }
}

#[test]
fn levels_flow_through_subqueries_aliases_with_and_union_all() {
    for sql in [
        "SELECT id, x FROM (SELECT id, upper(name) AS x FROM customers) AS t",
        "WITH t AS (SELECT id, name AS y FROM customers) SELECT id, y AS x FROM t",
        "SELECT id, city AS x FROM customers UNION ALL SELECT id, name FROM customers",
        "SELECT id, name AS x FROM customers UNION ALL SELECT id, city FROM customers",
        "SELECT c.id, c.name AS x FROM customers AS c WHERE c.city = 'Bern'",
    ] {
        let plan = plan_of(sql);
        let column = &plan.columns()[1];
        assert_eq!(column.protection.as_ref().unwrap().to_string(), "seal", "{sql}");
        assert_eq!(column.bound_to.as_ref().unwrap().as_str(), "id", "{sql}");
    }
}

#[test]
fn the_path_of_a_level_names_each_step() {
    let plan = plan_of("SELECT id, upper(trim(name)) AS loud FROM customers");
    insta::assert_snapshot!(plan.columns()[1].path.join(" → "), @"`customers.name` (tag pii.name) → `btrim(customers.name)` → `upper(btrim(customers.name))`");
    insta::assert_snapshot!(plan.columns()[1].because, @"confidential exceeds the clearance internal of `warehouse`");
}

#[test]
fn lineage_tells_identity_transformation_and_condition_apart() {
    let plan = plan_of("SELECT id, CASE WHEN score > 3 THEN upper(name) END AS x FROM customers WHERE city = 'Bern'");
    let lineage = |index: usize| {
        let dependences = plan.columns()[index].lineage.iter();
        dependences.map(|d| format!("{} {:?}", d.column, d.kind)).collect::<Vec<_>>()
    };
    assert_eq!(lineage(0), ["id Identity"]);
    assert_eq!(lineage(1), ["name Transformation", "score Conditional"]);
    let filters: Vec<_> = plan.filters().iter().map(|d| d.column.as_str()).collect();
    assert_eq!(filters, ["city"]);
}

#[test]
fn the_governed_plan_carries_row_ids_and_protections() {
    let plan = plan_of("SELECT id, name FROM customers WHERE city = 'Bern'");
    assert_eq!(
        plan.draw().lines().map(str::trim).collect::<Vec<_>>(),
        [
            "Projection: customers.id AS id, lockgate_seal(customers.name, customers.id) AS name, \
             __lockgate_rid_1 AS __lockgate_rid_1",
            "Projection: customers.id, customers.name, __lockgate_rid_1",
            "Filter: customers.city = Utf8(\"Bern\")",
            "Projection: customers.id, customers.name, customers.email, customers.phone, customers.birth_date, \
             customers.gender, customers.city, customers.score, customers.notes, \
             customers.__lockgate_rid AS __lockgate_rid_1",
            "TableScan: customers",
        ]
    );
}

#[test]
fn where_the_sink_is_cleared_a_level_that_rests_sealed_is_sealed_all_the_same() {
    let (project, compiled) =
        compile_into("SELECT id, name, city FROM customers", "{ dataset: a.b, store: vault, mode: append }");
    let columns = compiled.plans["daily"].columns();
    assert_eq!(outline(&project, &columns[1]), "name: confidential [pii.name] seal");
    assert_eq!(columns[1].rule.as_deref(), Some("levels.confidential: at_rest: sealed"));
    assert_eq!(outline(&project, &columns[2]), "city: internal [] clear");
}

#[test]
fn a_filter_above_the_clearance_is_a_warning_that_says_so() {
    let (project, compiled) = compile_sql("SELECT id, city FROM customers WHERE email LIKE '%.org'");
    assert_eq!(compiled.plans.len(), 1);
    assert_eq!(
        lines(&project, &compiled),
        [
            "pipelines/daily.yaml:3:40: LG205 warning: rows are selected by `customers.email LIKE %.org`, which is confidential"
        ]
    );
}

/// A later pipeline reads what an earlier one wrote: protected values pass on, and are not computed with.
#[test]
fn outputs_of_pipelines_are_tables_with_their_forms() {
    let first = pipeline("SELECT id, name, email, city FROM customers", APPEND);
    let second = |sql: &str| {
        format!("pipeline: second\nsql: {sql}\ninto: {{ dataset: b, store: warehouse }}\nruns_as: svc-etl\n")
    };
    let passed = second("SELECT id, name, email, upper(city) AS city FROM analytics.customers");
    let (project, compiled) = compile_files(PROJECT, &[("pipelines/a.yaml", &first), ("pipelines/b.yaml", &passed)]);
    assert!(compiled.diagnostics.is_empty(), "{:?}", lines(&project, &compiled));
    let forms: Vec<_> = compiled.plans["second"].columns().iter().map(|c| c.form.to_string()).collect();
    assert_eq!(forms, ["clear", "sealed", "tokenized", "clear"]);

    for (sql, code) in [
        ("SELECT id, lower(name) AS x FROM analytics.customers", "LG207"),
        ("SELECT id, email || 'x' AS x FROM analytics.customers", "LG207"),
        ("SELECT name FROM analytics.customers", "LG202"),
    ] {
        let (project, compiled) =
            compile_files(PROJECT, &[("pipelines/a.yaml", &first), ("pipelines/b.yaml", &second(sql))]);
        let lines = lines(&project, &compiled);
        assert!(lines.len() == 1 && lines[0].contains(code), "{sql}: {lines:?}");
    }
}
