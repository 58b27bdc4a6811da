//! What is refused, by which code, where, and with which advice.

use crate::support::{APPEND, CUSTOMERS, PROJECT, compile_files, compile_into, compile_sql, lines, pipeline};

fn refusal(sql: &str) -> String {
    let (project, compiled) = compile_sql(sql);
    assert!(compiled.plans.is_empty(), "{sql} compiled");
    lines(&project, &compiled).join("\n")
}

/// Every kind of plan node and expression outside the governed ones is refused by its name.
#[test]
fn nodes_and_expressions_that_are_not_governed_are_refused_by_name() {
    let cases = [
        ("SELECT count(*) AS n FROM customers", "LG111", "appended"),
        ("SELECT city FROM customers GROUP BY city", "LG111", "appended"),
        ("SELECT DISTINCT city FROM customers", "LG111", "appended"),
        ("SELECT city FROM customers UNION SELECT city FROM customers", "LG111", "appended"),
        ("SELECT city FROM customers LIMIT 5", "LG111", "appended"),
        ("SELECT a.id FROM customers a JOIN customers b ON a.id = b.id", "LG111", "appended"),
        ("SELECT a.id FROM customers a, customers b", "LG111", "appended"),
        ("SELECT row_number() OVER () AS n FROM customers", "LG111", "appended"),
        ("SELECT 1 AS one", "LG111", "appended"),
        ("SELECT * FROM (VALUES (1)) AS t(x)", "LG111", "appended"),
        ("SELECT id FROM customers WHERE id IN (SELECT id FROM customers)", "LG111", "appended"),
        ("SELECT id FROM customers WHERE EXISTS (SELECT 1 FROM customers)", "LG111", "appended"),
        ("SELECT (SELECT city FROM customers) AS x FROM customers", "LG111", "appended"),
        ("SELECT now() AS x FROM customers", "LG105", "now"),
        ("SELECT random() AS x FROM customers", "LG105", "random"),
        ("SELECT md5(city) AS x FROM customers", "LG105", "md5"),
        ("SELECT arrow_cast(city, 'Int8') AS x FROM customers", "LG105", "arrow_cast"),
        ("SELECT * FROM generate_series(1, 3)", "LG104", "generate_series"),
        ("WITH RECURSIVE t AS (SELECT id FROM customers UNION ALL SELECT id FROM t) SELECT id FROM t", "LG104", ""),
        ("INSERT INTO customers SELECT * FROM customers", "LG104", "INSERT"),
        ("COPY customers TO 'x.csv'", "LG104", "COPY"),
        ("EXPLAIN SELECT id FROM customers", "LG104", "EXPLAIN"),
        ("SET x = 1", "LG104", "SET"),
        ("DROP TABLE customers", "LG104", "DROP"),
        ("CREATE VIEW v AS SELECT 1", "LG104", "CREATE"),
        ("SELECT id FROM customers; SELECT id FROM customers", "LG104", "second statement"),
        ("SELECT id FROM information_schema.tables", "LG102", "information_schema.tables"),
        ("SELECT id FROM '/etc/passwd'", "LG102", "/etc/passwd"),
        ("SELECT __lockgate_rid FROM customers", "LG103", "__lockgate_rid"),
        ("SELECT lockgate_seal(city) AS x FROM customers", "LG105", "lockgate_seal"),
    ];
    for (sql, code, name) in cases {
        let refused = refusal(sql);
        assert!(refused.contains(code) && refused.contains(name), "{sql}: {refused}");
    }
}

#[test]
fn mistakes_are_placed_and_come_with_a_suggestion() {
    let cases = [
        ("SELEC id FROM customers", "LG101", 1),
        ("SELECT id FROM customer", "LG102", 16),
        ("SELECT id, emial FROM customers", "LG103", 12),
        ("SELECT id, lowr(email) AS x FROM customers", "LG105", 12),
        ("SELECT id, city AS id FROM customers", "LG206", 12),
        ("SELECT id, birth_date * birth_date AS x FROM customers", "LG106", 0),
        ("SELECT id AS lockgate_rid FROM customers", "LG206", 8),
    ];
    for (sql, code, column) in cases {
        let refused = refusal(sql);
        assert!(refused.contains(code), "{sql}: {refused}");
        if column > 0 {
            let place = format!("pipelines/daily.yaml:3:{}:", column + 2);
            assert!(refused.starts_with(&place), "{sql}: {refused}");
        }
    }
}

#[test]
fn a_level_that_no_rule_covers_is_refused_with_path_and_mend() {
    let (project, compiled) = compile_sql("SELECT id,\n       upper(notes) AS loud\nFROM customers");
    let diagnostic = compiled.diagnostics.iter().next().unwrap();
    assert_eq!(
        diagnostic.line(&project.sources),
        "pipelines/daily.yaml:4:10: LG201 error: column `loud` is confidential, store `warehouse` has the clearance \
         internal, and no rule under `protect` matches it"
    );
    assert_eq!(
        diagnostic.labels[0].text,
        "confidential by `customers.notes` (level: confidential) → `upper(customers.notes)`"
    );
    let help = diagnostic.help.as_deref().unwrap();
    assert!(help.contains("- { level: confidential, with: seal }"), "{help}");
}

#[test]
fn protections_that_could_not_be_undone_or_applied_are_refused() {
    let merge = |key: &str| format!("{{ dataset: a.b, store: warehouse, mode: merge, key: [{key}] }}");
    for (sql, into, code) in [
        ("SELECT name FROM customers", APPEND.to_owned(), "LG202"),
        ("SELECT id + 0 AS id, name FROM customers", APPEND.to_owned(), "LG202"),
        ("SELECT character_length(phone) AS x FROM customers", APPEND.to_owned(), "LG203"),
        ("SELECT id, name FROM customers", merge("name"), "LG204"),
        ("SELECT id, phone FROM customers", merge("phone"), "LG204"),
        ("SELECT id, city FROM customers", merge("score"), "LG204"),
    ] {
        let (project, compiled) = compile_into(sql, &into);
        let lines = lines(&project, &compiled);
        assert!(compiled.plans.is_empty() && lines.iter().any(|line| line.contains(code)), "{sql}: {lines:?}");
    }
    let (_, compiled) = compile_into("SELECT id, email FROM customers", &merge("email"));
    assert_eq!(compiled.plans.len(), 1, "a token can be merged by");
}

#[test]
fn a_dataset_that_binds_to_the_column_may_drop_its_subject() {
    let customers = CUSTOMERS.replace("subject: id\n", "subject: id\nbind: column\n");
    let daily = pipeline("SELECT name FROM customers", APPEND);
    let files = [
        ("lockgate.yaml", PROJECT.as_bytes()),
        ("catalog/customers.yaml", customers.as_bytes()),
        ("pipelines/daily.yaml", daily.as_bytes()),
    ];
    let (project, _) = lockgate_project::Project::from_files("/nowhere".as_ref(), &files, &|_| None).unwrap();
    let compiled = lockgate_plan::compile(&project, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(compiled.plans["daily"].columns()[0].bound_to, None);
}

#[test]
fn cycles_of_pipelines_are_refused() {
    let reads = |name: &str, from: &str, into: &str| {
        format!(
            "pipeline: {name}\nsql: SELECT id FROM {from}\ninto: {{ dataset: {into}, store: warehouse }}\nruns_as: x\n"
        )
    };
    let (a, b) = (reads("a", "two", "one"), reads("b", "one", "two"));
    let (project, compiled) = compile_files(PROJECT, &[("pipelines/a.yaml", &a), ("pipelines/b.yaml", &b)]);
    let lines = lines(&project, &compiled);
    assert!(lines.len() == 1 && lines[0].contains("LG033"), "{lines:?}");
}

#[test]
fn sql_beyond_its_limits_is_refused_on_one_side_of_each() {
    let text = |bytes: usize| {
        let sql = "SELECT id FROM customers --";
        format!("{sql}{}", "x".repeat(bytes - sql.len() - 1))
    };
    let nested = |depth: usize| format!("SELECT {}score{} AS x FROM customers", "(".repeat(depth), ")".repeat(depth));
    assert!(refusal(&text(lockgate_plan::SQL_BYTES_MAX + 1)).contains("LG108"));
    assert_eq!(compile_sql(&text(lockgate_plan::SQL_BYTES_MAX)).1.plans.len(), 1);
    assert!(refusal(&nested(lockgate_plan::SQL_DEPTH_MAX * 2)).contains("LG108"));
    assert_eq!(compile_sql(&nested(lockgate_plan::SQL_DEPTH_MAX / 4)).1.plans.len(), 1);
    let wide = |columns: usize| {
        let items: Vec<_> = (0..columns).map(|n| format!("score AS c{n}")).collect();
        format!("SELECT {} FROM customers", items.join(", "))
    };
    assert!(refusal(&wide(lockgate_plan::OUTPUT_COLUMNS_MAX + 1)).contains("LG108"));
    assert_eq!(compile_sql(&wide(lockgate_plan::OUTPUT_COLUMNS_MAX)).1.plans.len(), 1);
}
