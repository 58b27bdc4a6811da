//! Lineage by names alone: every statement, in each dialect, and the same answers as the governed compiler's.

use std::collections::BTreeSet;

use lockgate_plan::{NamedTable, NamedTables, SqlDialect, StatementLineage, lineage_of_query, lineage_of_statement};

use crate::classification::{kind, project};

fn tables() -> NamedTables {
    let table = |name: &str, columns: &str| NamedTable {
        name: name.to_owned(),
        columns: columns.split(' ').map(str::to_owned).collect(),
    };
    NamedTables::new(vec![
        table("t", "a b c"),
        table("u", "a d e"),
        table("sales.orders", "id customer_id amount placed tags"),
        table("customers", "id name email phone birth_date gender city score notes"),
        table("orders_out", "id total day"),
    ])
}

fn outline(lineage: &StatementLineage) -> String {
    let columns = lineage.columns.iter().map(|column| {
        let inputs = column.inputs.iter().map(|input| {
            let mask = if input.masking { "*" } else { "" };
            format!(" {}.{}:{}{mask}", input.table, input.column, kind(input.kind))
        });
        format!("{}{}", column.column, inputs.collect::<String>())
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    lineage.table.as_ref().map_or(columns.clone(), |table| format!("{table}({columns})"))
}

fn read(sql: &str, dialect: SqlDialect) -> String {
    match lineage_of_statement(sql, dialect, &tables()) {
        Ok(lineage) => outline(&lineage),
        Err(problem) => format!("refused at {:?}: {}", problem.at, problem.message),
    }
}

fn holds(dialect: SqlDialect, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, read(sql, dialect)))
        .filter(|(_, expected, found)| found != *expected)
        .map(|(sql, expected, found)| format!("{sql}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn queries() {
    holds(
        SqlDialect::Generic,
        &[
            ("SELECT * FROM t", "a t.a:id, b t.b:id, c t.c:id"),
            (
                "SELECT x.*, d FROM t x JOIN u USING (a)",
                "a t.a:id t.a:join u.a:join, b t.a:join t.b:id u.a:join, c t.a:join t.c:id u.a:join, d t.a:join u.a:join u.d:id",
            ),
            ("SELECT CASE WHEN b > 1 THEN a ELSE a + b END AS x FROM t", "x t.a:tr t.b:tr t.b:cond"),
            (
                "SELECT coalesce(a, b) AS x, nullif(a, b) AS y FROM t",
                "x t.a:tr t.a:cond t.b:tr t.b:cond, y t.a:tr t.a:cond t.b:cond",
            ),
            (
                "SELECT a, sum(b) AS s, count(c) AS n, count(*) AS m FROM t GROUP BY a",
                "a t.a:id t.a:group, s t.a:group t.b:agg, n t.a:group t.c:agg*, m t.a:group",
            ),
            ("SELECT 2 * sum(b + 3) AS s FROM t HAVING max(c) > 1", "s t.b:agg t.c:filter"),
            ("SELECT md5(a) AS x, concat(a, md5(a)) AS y FROM t", "x t.a:tr*, y t.a:tr"),
            (
                "SELECT rank() OVER (PARTITION BY b ORDER BY c) AS r, lag(a, 1) OVER w AS l, sum(a) OVER w AS s FROM t WINDOW w AS (ORDER BY c)",
                "r t.b:window t.c:window, l t.a:tr t.c:window, s t.a:agg t.c:window",
            ),
            ("SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE d = 1)", "a t.a:id t.a:filter u.a:filter u.d:filter"),
            (
                "SELECT a, (SELECT max(d) FROM u WHERE u.a = t.a) AS m FROM t",
                "a t.a:id, m t.a:filter u.a:filter u.d:agg",
            ),
            ("SELECT a FROM t UNION SELECT d FROM u", "a t.a:id u.d:id"),
            ("SELECT a FROM t EXCEPT SELECT d FROM u", "a t.a:id t.a:join u.d:join"),
            (
                "WITH x AS (SELECT a AS k FROM t WHERE b = 1), y(z) AS (SELECT k + 1 FROM x) SELECT z FROM y ORDER BY z",
                "z t.a:tr t.a:sort t.b:filter",
            ),
            (
                "WITH RECURSIVE r(n, p) AS (SELECT a, b FROM t UNION ALL SELECT r.p, u.d FROM r JOIN u ON u.a = r.n) SELECT n FROM r",
                "n t.a:id t.a:join t.b:id t.b:join u.a:join u.d:id u.d:join",
            ),
            ("SELECT x.v FROM sales.orders o, unnest(o.tags) AS x(v)", "v sales.orders.tags:tr"),
            ("SELECT id FROM orders", "id sales.orders.id:id"),
            (
                "SELECT o.id AS \"Id\", m FROM orders o, LATERAL (SELECT max(d) AS m FROM u WHERE a = o.id) x",
                "Id sales.orders.id:id sales.orders.id:filter u.a:filter, m sales.orders.id:filter u.a:filter u.d:agg",
            ),
            (
                "SELECT a AS x, x + 1 AS y FROM t GROUP BY 1 ORDER BY 2",
                "x t.a:id t.a:group t.a:sort, y t.a:tr t.a:group t.a:sort",
            ),
            ("SELECT string_agg(a, ',' ORDER BY b) FILTER (WHERE c > 1) AS s FROM t", "s t.a:agg t.b:sort t.c:cond"),
            ("SELECT DISTINCT a FROM t LIMIT 3", "a t.a:id"),
            (
                "SELECT my_function(t.a, b) AS f FROM t FULL JOIN u ON t.a = u.a AND u.d > 2",
                "f t.a:tr t.a:join t.b:tr u.a:join u.d:join",
            ),
            ("VALUES (1, 2)", "column1, column2"),
        ],
    );
}

#[test]
fn statements_that_write() {
    holds(
        SqlDialect::Postgres,
        &[
            (
                "INSERT INTO orders_out SELECT id, sum(amount), placed::date FROM sales.orders GROUP BY id, placed",
                "orders_out(id sales.orders.id:id sales.orders.id:group sales.orders.placed:group, total sales.orders.amount:agg sales.orders.id:group sales.orders.placed:group, day sales.orders.id:group sales.orders.placed:tr sales.orders.placed:group)",
            ),
            ("INSERT INTO t (c, a) VALUES (1, 2), (DEFAULT, 3)", "t(c, a)"),
            (
                "INSERT INTO t (a, b) SELECT a, d FROM u ON CONFLICT (a) DO UPDATE SET b = t.b + EXCLUDED.b WHERE t.c > 0",
                "t(a t.c:cond u.a:id, b t.b:tr t.c:cond u.d:id u.d:tr)",
            ),
            ("WITH x AS (SELECT a FROM u) INSERT INTO t (a) SELECT a FROM x", "t(a u.a:id)"),
            (
                "CREATE TABLE new_t AS SELECT a, upper(b) AS b FROM t WHERE c = 1",
                "new_t(a t.a:id t.c:filter, b t.b:tr t.c:filter)",
            ),
            ("CREATE VIEW v (x, y) AS SELECT a, b FROM t", "v(x t.a:id, y t.b:id)"),
            (
                "UPDATE t SET b = u.d + 1, c = DEFAULT FROM u WHERE u.a = t.a",
                "t(b t.a:filter u.a:filter u.d:tr, c t.a:filter u.a:filter)",
            ),
            (
                "UPDATE t SET (b, c) = (SELECT d, e FROM u WHERE u.a = t.a)",
                "t(b t.a:filter u.a:filter u.d:id, c t.a:filter u.a:filter u.e:id)",
            ),
            (
                "DELETE FROM t USING u WHERE t.a = u.a",
                "t(a t.a:filter u.a:filter, b t.a:filter u.a:filter, c t.a:filter u.a:filter)",
            ),
            (
                "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED AND u.e > 0 THEN UPDATE SET b = u.d WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (a, b) VALUES (u.a, upper(u.d))",
                "t(b t.a:join u.a:join u.d:id u.d:tr u.e:cond, a t.a:join u.a:id u.a:join u.e:cond)",
            ),
            ("SELECT a INTO copy FROM t", "copy(a t.a:id)"),
            (
                "SELECT count(*), a::text, lower(b) FROM t GROUP BY a, b",
                "count t.a:group t.b:group, a t.a:tr t.a:group t.b:group, lower t.a:group t.b:tr t.b:group",
            ),
        ],
    );
}

#[test]
fn spark() {
    holds(
        SqlDialect::Spark,
        &[
            ("SELECT `a`, w FROM t LATERAL VIEW explode(split(b, ' ')) x AS w", "a t.a:id, w t.b:tr"),
            ("SELECT p, v FROM t LATERAL VIEW OUTER posexplode(b) x AS p, v", "p t.b:tr, v t.b:tr"),
            (
                "SELECT a FROM t QUALIFY row_number() OVER (PARTITION BY b ORDER BY c) = 1",
                "a t.a:id t.b:filter t.c:filter",
            ),
            ("SELECT if(b > 1, a, c) AS X, sha2(a, 256) AS h FROM t", "X t.a:tr t.b:cond t.c:tr, h t.a:tr*"),
            ("SELECT a FROM t LEFT ANTI JOIN u ON t.a = u.a", "a t.a:id t.a:join u.a:join"),
            ("SELECT collect_list(a) AS l, transform(collect_list(b), x -> x + 1) AS m FROM t", "l t.a:agg, m t.b:agg"),
            ("INSERT OVERWRITE TABLE t PARTITION (c = 'x') SELECT a, d FROM u", "t(a u.a:id, b u.d:id)"),
            ("SELECT * EXCEPT (b) FROM t", "a t.a:id, c t.c:id"),
            (
                "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
                "t(a t.a:join u.a:id u.a:join)",
            ),
            ("INSERT INTO t BY NAME SELECT d AS c, a FROM u", "t(c u.d:id, a u.a:id)"),
            ("SELECT a FROM t DISTRIBUTE BY b SORT BY c", "a t.a:id t.c:sort"),
            ("SELECT a FROM t CLUSTER BY b", "a t.a:id t.b:sort"),
            ("CREATE TABLE q USING parquet AS SELECT a FROM t", "q(a t.a:id)"),
            ("SELECT \"a\" AS x FROM t", "x"),
            ("SELECT a FROM t UNION ALL BY NAME SELECT d AS a FROM u", "a t.a:id u.d:id"),
        ],
    );
}

#[test]
fn what_is_wrong_is_placed() {
    for (sql, expected) in [
        ("SELECT x FROM t", "refused at Some(7..8): there is no column `x`"),
        ("SELECT a FROM t, u", "refused at Some(7..8): `a` could be a column of more than one table"),
        ("SELECT a FROM nowhere", "refused at Some(14..21): there is no table `nowhere` in the catalog"),
        ("UPDATE t SET z = 1", "refused at Some(13..14): table `t` has no column `z`"),
        ("DROP TABLE t", "lineage does not read `DROP TABLE`"),
        ("SELECT a FROM t PIVOT (sum(b) FOR c IN (1, 2))", "lineage does not read PIVOT"),
        ("SELECT a FROM t; SELECT b FROM t", "a second statement follows"),
        ("SELEC a", "the SQL does not parse"),
        ("SELECT a FROM t UNION SELECT a, d FROM u", "both sides must have as many"),
        ("SELECT a FROM t JOIN u USING (b)", "`b` is not a column of both sides"),
        ("INSERT INTO t (a) SELECT a, d FROM u", "2 values are inserted into 1 columns"),
    ] {
        let found = read(sql, SqlDialect::Generic);
        assert!(found.contains(expected), "{sql}: {found}");
    }
}

#[test]
fn long_chains_are_read_and_deep_ones_refused() {
    let chain = |terms: usize| format!("SELECT {} AS x FROM t", vec!["a"; terms].join(" + "));
    assert_eq!(read(&chain(2_000), SqlDialect::Generic), "x t.a:tr");
    let unions = vec!["SELECT a FROM t"; 500].join(" UNION ALL ");
    assert_eq!(read(&unions, SqlDialect::Generic), "a t.a:id");
    let casts = |depth: usize| format!("SELECT a{} AS x FROM t", "::text".repeat(depth));
    assert_eq!(read(&casts(400), SqlDialect::Generic), "x t.a:tr");
    assert!(read(&casts(600), SqlDialect::Generic).contains("nests deeper"));
    let stars = |stars: usize| format!("SELECT {} FROM t", vec!["*"; stars].join(", "));
    assert!(!read(&stars(533), SqlDialect::Generic).contains("refused"));
    assert!(read(&stars(534), SqlDialect::Generic).contains("the most is 1600"));
    let from = |copies: usize| {
        let relations: Vec<_> = (0..copies).map(|copy| format!("t t{copy}")).collect();
        format!("SELECT t0.a FROM {}", relations.join(", "))
    };
    let most = lockgate_plan::SCOPE_COLUMNS_MAX / 3;
    assert_eq!(read(&from(most), SqlDialect::Generic), "a t.a:id");
    assert!(read(&from(most + 1), SqlDialect::Generic).contains("the most is 16384"));
}

/// Whoever asks by names gets what the governed compiler says, where both read a query.
#[test]
fn both_readers_agree() {
    let project = project();
    let tables = NamedTables::new(
        project
            .datasets
            .values()
            .map(|dataset| NamedTable {
                name: dataset.name.value.to_string(),
                columns: dataset.columns.iter().map(|column| column.name.value.to_string()).collect(),
            })
            .collect(),
    );
    for sql in [
        "SELECT * FROM orders",
        "SELECT c.city, count(o.amount) AS n FROM customers c JOIN orders o ON c.id = o.customer_id GROUP BY c.city HAVING sum(o.amount) > 3",
        "SELECT id, amount, name FROM orders JOIN customers USING (id)",
        "SELECT amount, email FROM customers NATURAL JOIN orders",
        "SELECT CASE WHEN email LIKE 'a%' THEN city WHEN score > 1 THEN name END AS x FROM customers",
        "SELECT CASE city WHEN 'Bern' THEN score ELSE 0 END AS x FROM customers",
        "SELECT coalesce(city, name) AS a, nullif(city, name) AS b, nvl2(city, name, email) AS c FROM customers",
        "SELECT city FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE card = '1')",
        "SELECT city FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
        "SELECT (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.id) AS m FROM customers c",
        "SELECT id IN (SELECT customer_id FROM orders) AS has FROM customers",
        "SELECT city FROM customers WHERE score > ANY (SELECT amount FROM orders)",
        "SELECT row_number() OVER (PARTITION BY city ORDER BY email) AS n FROM customers",
        "SELECT sum(score) OVER w AS s, lag(name) OVER w AS l FROM customers WINDOW w AS (PARTITION BY city ORDER BY id)",
        "SELECT first_value(name) OVER (ORDER BY id) AS f, count(*) AS n FROM customers GROUP BY name, id",
        "SELECT sum(score) FILTER (WHERE email LIKE 'a%') AS s, count(DISTINCT city) AS n FROM customers",
        "SELECT string_agg(city, ',' ORDER BY email) AS s FROM customers",
        "SELECT city, grouping(city) AS g, sum(score) AS s FROM customers GROUP BY ROLLUP (city, score)",
        "SELECT DISTINCT ON (city) score FROM customers ORDER BY city, id",
        "SELECT city FROM customers UNION SELECT card FROM orders UNION ALL SELECT name FROM customers",
        "SELECT id FROM customers INTERSECT SELECT customer_id FROM orders",
        "SELECT id FROM customers EXCEPT SELECT customer_id FROM orders",
        "WITH t AS (SELECT id, email FROM customers WHERE score > 1) SELECT upper(email) AS e FROM t ORDER BY id LIMIT 3",
        "SELECT x FROM (VALUES (1), (2)) AS t(x)",
        "SELECT unnest(string_to_array(email, '@')) AS part, city FROM customers",
        "SELECT c.city, l.m FROM customers c, LATERAL (SELECT max(card) AS m FROM orders WHERE customer_id = c.id) l",
        "SELECT c.city FROM customers c LEFT ANTI JOIN orders o ON c.id = o.customer_id",
        "SELECT CAST(score AS varchar) || city AS x, -score AS y, score BETWEEN 1 AND id AS z FROM customers",
        "SELECT extract(year FROM birth_date) AS y, substring(name FROM 1 FOR 2) AS s, trim(city) AS t FROM customers",
    ] {
        let governed = lineage_of_query(&project, sql, jiff::Timestamp::UNIX_EPOCH)
            .unwrap_or_else(|problems| panic!("{sql}: {problems:?}"));
        let named = lineage_of_statement(sql, SqlDialect::Generic, &tables).unwrap_or_else(|p| panic!("{sql}: {p:?}"));
        let of_governed: Vec<(String, BTreeSet<String>)> = governed
            .columns
            .iter()
            .map(|column| {
                let all = column.sources.iter().chain(&governed.rows);
                let written = all.map(|s| format!("{}.{}:{} {}", s.dataset, s.column, kind(s.kind), s.masking));
                (column.name.clone(), written.collect())
            })
            .collect();
        let of_named: Vec<(String, BTreeSet<String>)> = named
            .columns
            .iter()
            .map(|column| {
                let written =
                    column.inputs.iter().map(|i| format!("{}.{}:{} {}", i.table, i.column, kind(i.kind), i.masking));
                (column.column.clone(), written.collect())
            })
            .collect();
        assert_eq!(of_named, of_governed, "{sql}");
    }
}
