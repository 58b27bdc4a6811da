//! What every kind of node and expression makes of levels, forms and lineage, and what is refused.

use std::path::Path;

use lockgate_plan::{Dependence, DependenceKind, lineage_of_query};
use lockgate_project::Project;

use crate::support::{APPEND, CUSTOMERS, PROJECT, pipeline};

const ORDERS: &str = "\
dataset: orders
at: { store: landing, path: 'orders/*.csv', format: csv }
columns:
  id: { type: bigint }
  customer_id: { type: bigint }
  amount: { type: integer }
  card: { type: text, level: restricted }
";

pub(crate) fn project() -> Project {
    let files = [
        ("lockgate.yaml", PROJECT.as_bytes()),
        ("catalog/customers.yaml", CUSTOMERS.as_bytes()),
        ("catalog/orders.yaml", ORDERS.as_bytes()),
    ];
    Project::from_files(Path::new("/nowhere"), &files, &|_| None)
        .unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics))
        .0
}

pub(crate) fn kind(kind: DependenceKind) -> &'static str {
    match kind {
        DependenceKind::Identity => "id",
        DependenceKind::Transformation => "tr",
        DependenceKind::Aggregation => "agg",
        DependenceKind::Conditional => "cond",
        DependenceKind::Filter => "filter",
        DependenceKind::Join => "join",
        DependenceKind::GroupBy => "group",
        DependenceKind::Sort => "sort",
        DependenceKind::Window => "window",
    }
}

fn sources<'a>(sources: impl IntoIterator<Item = &'a Dependence>) -> String {
    let source = |s: &Dependence| {
        let dataset = s.dataset.as_str();
        format!("{}.{}:{}", dataset.get(..1).unwrap_or_default(), s.column, kind(s.kind))
    };
    sources.into_iter().map(source).collect::<Vec<_>>().join(" ")
}

/// `name level sources` of each column, then `/` and what all rows depend on.
fn outline(project: &Project, sql: &str) -> String {
    let lineage = match lineage_of_query(project, sql, jiff::Timestamp::UNIX_EPOCH) {
        Ok(lineage) => lineage,
        Err(problems) => return format!("refused: {}", problems[0].message),
    };
    let columns = lineage.columns.iter().map(|column| {
        let level = project.lattice.name(column.level);
        format!("{} {level} {}", column.name, sources(&column.sources)).trim_end().to_owned()
    });
    let rows = match lineage.rows.is_empty() {
        true => String::new(),
        false => format!(" / {}", sources(&lineage.rows)),
    };
    format!("{}{rows}", columns.collect::<Vec<_>>().join(", "))
}

fn holds(cases: &[(&str, &str)]) {
    let project = project();
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, outline(&project, sql)))
        .filter(|(_, expected, found)| found != *expected)
        .map(|(sql, expected, found)| format!("{sql}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn joins_keep_both_sides_apart() {
    holds(&[
        (
            "SELECT a.city, b.city AS other FROM customers a JOIN customers b ON a.id = b.id",
            "city internal c.city:id, other internal c.city:id / c.id:join",
        ),
        (
            "SELECT c.email, o.amount FROM customers c LEFT JOIN orders o ON c.id = o.customer_id AND o.amount > 3",
            "email confidential c.email:id, amount internal o.amount:id / c.id:join o.amount:join o.customer_id:join",
        ),
        (
            "SELECT o.card FROM customers c FULL JOIN orders o USING (id)",
            "card restricted o.card:id / c.id:join o.id:join",
        ),
        ("SELECT amount FROM customers NATURAL JOIN orders", "amount internal o.amount:id / c.id:join o.id:join"),
        ("SELECT c.city FROM customers c, orders o", "city internal c.city:id"),
        (
            "SELECT c.city FROM customers c LEFT SEMI JOIN orders o ON c.id = o.customer_id",
            "city internal c.city:id / c.id:join o.customer_id:join",
        ),
        (
            "SELECT o.amount FROM customers c RIGHT ANTI JOIN orders o ON c.id = o.customer_id",
            "amount internal o.amount:id / c.id:join o.customer_id:join",
        ),
        (
            "SELECT c.city, l.m FROM customers c, LATERAL (SELECT max(card) AS m FROM orders WHERE customer_id = c.id) l",
            "city internal c.city:id, m restricted o.card:agg / c.id:filter o.customer_id:filter",
        ),
    ]);
}

#[test]
fn aggregates_are_as_restricted_as_what_they_count_and_where() {
    holds(&[
        ("SELECT count(*) AS n FROM customers", "n public"),
        (
            "SELECT city, count(email) AS n FROM customers GROUP BY city HAVING max(score) > 3",
            "city internal c.city:id, n confidential c.email:agg / c.city:group c.score:filter",
        ),
        (
            "SELECT sum(score) FILTER (WHERE email LIKE 'a%') AS s FROM customers",
            "s confidential c.email:cond c.score:agg",
        ),
        ("SELECT string_agg(city, ',' ORDER BY email) AS s FROM customers", "s confidential c.city:agg c.email:sort"),
        ("SELECT count(DISTINCT city) + 1 AS n FROM customers", "n internal c.city:agg"),
        (
            "SELECT city, grouping(city) AS g, sum(score) AS s FROM customers GROUP BY ROLLUP (city)",
            "city internal c.city:id, g public, s internal c.score:agg / c.city:group",
        ),
        (
            "SELECT city, score FROM customers GROUP BY GROUPING SETS ((city), (score), ())",
            "city internal c.city:id, score internal c.score:id / c.city:group c.score:group",
        ),
        (
            "SELECT city, score, max(id) AS m FROM customers GROUP BY CUBE (city, score)",
            "city internal c.city:id, score internal c.score:id, m internal c.id:agg / c.city:group c.score:group",
        ),
        ("SELECT DISTINCT city FROM customers", "city internal c.city:id"),
        (
            "SELECT DISTINCT ON (city) score FROM customers ORDER BY city, id",
            "score internal c.score:id / c.city:group c.city:sort c.id:sort",
        ),
    ]);
}

#[test]
fn windows_tell_of_their_keys() {
    holds(&[
        ("SELECT row_number() OVER (ORDER BY email) AS n FROM customers", "n confidential c.email:window"),
        (
            "SELECT sum(score) OVER w AS s FROM customers WINDOW w AS (PARTITION BY city ORDER BY id ROWS 2 PRECEDING)",
            "s internal c.city:window c.id:window c.score:agg",
        ),
        (
            "SELECT lag(email, 1) OVER (PARTITION BY city ORDER BY id) AS e FROM customers",
            "e confidential c.city:window c.email:tr c.id:window",
        ),
    ]);
}

#[test]
fn subqueries_pass_on_what_selects_in_them() {
    holds(&[
        (
            "SELECT city FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE card = '1')",
            "city internal c.city:id / c.id:filter o.card:filter o.customer_id:filter",
        ),
        (
            "SELECT city FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
            "city internal c.city:id / c.id:filter o.customer_id:filter",
        ),
        (
            "SELECT (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.id AND o.card <> '') AS m FROM customers c",
            "m restricted c.id:filter o.amount:agg o.card:filter o.customer_id:filter",
        ),
        (
            "SELECT id IN (SELECT customer_id FROM orders) AS has FROM customers",
            "has internal c.id:tr o.customer_id:tr",
        ),
        (
            "SELECT EXISTS (SELECT 1 FROM orders o WHERE o.card = c.city) AS x FROM customers c",
            "x restricted c.city:filter o.card:filter",
        ),
        (
            "SELECT city FROM customers WHERE score > ANY (SELECT amount FROM orders)",
            "city internal c.city:id / c.score:filter o.amount:filter",
        ),
        (
            "WITH t AS (SELECT id, email FROM customers WHERE score > 1) SELECT upper(email) AS e FROM t ORDER BY id LIMIT 3",
            "e confidential c.email:tr / c.id:sort c.score:filter",
        ),
    ]);
}

#[test]
fn set_operations_values_and_lists() {
    holds(&[
        ("SELECT city AS x FROM customers UNION SELECT card FROM orders", "x restricted c.city:id o.card:id"),
        (
            "SELECT id FROM customers INTERSECT SELECT customer_id FROM orders",
            "id internal c.id:id / c.id:join o.customer_id:join",
        ),
        (
            "SELECT id FROM customers EXCEPT ALL SELECT customer_id FROM orders",
            "id internal c.id:id / c.id:join o.customer_id:join",
        ),
        ("SELECT x FROM (VALUES (1), (2)) AS t(x)", "x public"),
        ("SELECT 1 AS one", "one public"),
        ("SELECT unnest(string_to_array(email, '@')) AS part FROM customers", "part confidential c.email:tr"),
        (
            "SELECT unnest(make_array(score, id)) AS n, city FROM customers",
            "n internal c.id:tr c.score:tr, city internal c.city:id",
        ),
        (
            "SELECT CASE WHEN email LIKE 'a%' THEN city ELSE 'x' END AS x FROM customers",
            "x confidential c.city:tr c.email:cond",
        ),
    ]);
}

#[test]
fn what_is_not_governed_is_refused_by_name() {
    let project = project();
    for (sql, name) in [
        ("SELECT random() AS x FROM customers", "random"),
        ("SELECT approx_distinct(city) AS x FROM customers", "approx_distinct"),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t", "recursive"),
        ("SELECT * FROM generate_series(1, 3)", "generate_series"),
        ("SELECT array_filter(make_array(1), x -> x > 1) AS x FROM customers", "array_filter"),
        ("EXPLAIN SELECT id FROM customers", "EXPLAIN"),
        ("SELECT @x AS x FROM customers", "x"),
        ("SELECT $1 AS x FROM customers", "placeholder"),
    ] {
        let found = outline(&project, sql);
        assert!(found.starts_with("refused: ") && found.contains(name), "{sql}: {found}");
    }
}

/// What a pipeline wrote protected: `name` sealed, `email` a token, `phone` masked.
#[test]
fn protected_values_are_passed_on_compared_and_counted_and_not_computed_with() {
    let daily = pipeline("SELECT id, name, email, phone, city, score FROM customers", APPEND);
    let files = [
        ("lockgate.yaml", PROJECT.as_bytes()),
        ("catalog/customers.yaml", CUSTOMERS.as_bytes()),
        ("pipelines/daily.yaml", daily.as_bytes()),
    ];
    let (project, _) = Project::from_files(Path::new("/nowhere"), &files, &|_| None).unwrap();
    let forms = |sql: &str| match lineage_of_query(&project, sql, jiff::Timestamp::UNIX_EPOCH) {
        Ok(lineage) => lineage.columns.iter().map(|column| column.form.to_string()).collect::<Vec<_>>().join(" "),
        Err(problems) => format!("refused: {}", problems[0].message),
    };
    let t = "analytics.customers";
    for (sql, expected) in [
        (format!("SELECT name, email, phone FROM {t}"), "sealed tokenized masked"),
        (format!("SELECT email, count(*) AS n FROM {t} GROUP BY email"), "tokenized clear"),
        (format!("SELECT count(name) AS n, count(DISTINCT email) AS m FROM {t}"), "clear clear"),
        (format!("SELECT a.id FROM {t} a JOIN {t} b ON a.email = b.email"), "clear"),
        (format!("SELECT a.name FROM {t} a WHERE email IN (SELECT email FROM {t})"), "sealed"),
        (format!("SELECT email = phone AS x FROM {t}"), "refused: "),
        (format!("SELECT DISTINCT email FROM {t}"), "tokenized"),
        (format!("SELECT coalesce(a.email, b.email) AS e FROM {t} a FULL JOIN {t} b ON a.id = b.id"), "tokenized"),
        (format!("SELECT CASE WHEN score > 1 THEN phone END AS p FROM {t}"), "masked"),
        (format!("SELECT lag(email) OVER (PARTITION BY email ORDER BY id) AS e FROM {t}"), "tokenized"),
        (format!("SELECT id FROM {t} ORDER BY phone"), "clear"),
        (format!("SELECT (SELECT max(score) FROM {t}) AS x, name FROM {t}"), "clear sealed"),
    ] {
        let found = forms(&sql);
        assert!(found == expected || (expected == "refused: " && found.starts_with(expected)), "{sql}: {found}");
    }
    for (sql, said) in [
        (format!("SELECT DISTINCT name FROM {t}"), "DISTINCT compares"),
        (format!("SELECT count(*) AS n FROM {t} GROUP BY name"), "GROUP BY compares"),
        (format!("SELECT count(DISTINCT name) AS n FROM {t}"), "DISTINCT compares"),
        (format!("SELECT min(email) AS m FROM {t}"), "computes on"),
        (format!("SELECT max(name) AS m FROM {t}"), "computes on"),
        (format!("SELECT string_agg(phone, ',') AS m FROM {t}"), "computes on"),
        (format!("SELECT id FROM {t} ORDER BY email"), "orders rows"),
        (format!("SELECT rank() OVER (ORDER BY name) AS r FROM {t}"), "orders rows"),
        (format!("SELECT rank() OVER (PARTITION BY name) AS r FROM {t}"), "PARTITION BY compares"),
        (format!("SELECT a.id FROM {t} a JOIN {t} b ON a.name = b.name"), "the condition compares"),
        (format!("SELECT a.id FROM {t} a JOIN {t} b ON a.email = b.city"), "they are never equal"),
        (format!("SELECT coalesce(name, 'x') AS n FROM {t}"), "computes on"),
        (format!("SELECT coalesce(email, city) AS n FROM {t}"), "computes on"),
        (format!("SELECT lead(name) OVER (ORDER BY id) AS n FROM {t}"), "computes on"),
        (format!("SELECT name FROM {t} UNION SELECT name FROM {t}"), "DISTINCT compares"),
        (format!("SELECT email FROM {t} UNION ALL SELECT city FROM {t}"), "in one branch"),
    ] {
        let found = forms(&sql);
        assert!(found.starts_with("refused: ") && found.contains(said), "{sql}: {found}");
    }
}
