//! Whose subject a column is, across scans: a sealed value opens beside the subject of its own row only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_model::{Form, Lattice, ValueType};

use super::classify;
use crate::facts::Facts;
use crate::sql::{Tables, plan_query};
use crate::table::{Table, TableColumn};

fn tables() -> Tables {
    let lattice = Lattice::default();
    let table = |name: &str, columns: &[&str], subject: Option<&str>| {
        let column = |name: &&str| TableColumn {
            name: name.parse().unwrap(),
            value_type: if name.ends_with("id") { ValueType::BigInt } else { ValueType::Text },
            nullable: true,
            level: lattice.lowest(),
            tags: BTreeSet::new(),
            because: String::new(),
            form: Form::Clear,
            sealed: None,
            is_masked: false,
        };
        Table {
            dataset: name.parse().unwrap(),
            columns: columns.iter().map(column).collect(),
            subject: subject.map(|subject| subject.parse().unwrap()),
            erase_by: None,
            guard: None,
        }
    };
    let all = [
        table("customers", &["id", "name", "city"], Some("id")),
        table("orders", &["order_id", "customer_id", "text_of"], None),
    ];
    all.into_iter().map(|table| (table.dataset.clone(), Arc::new(table))).collect::<BTreeMap<_, _>>()
}

fn columns(sql: &str) -> Vec<Facts> {
    let query = plan_query(sql, &tables(), &crate::views::Views::new())
        .unwrap_or_else(|problems| panic!("{sql}: {problems:?}"));
    classify(&query.plan, Lattice::default().lowest(), &query.places).map(|found| found.columns).unwrap()
}

/// Whether the first column is the subject to which the second would be bound.
fn first_is_the_subject_of_the_second(sql: &str) -> bool {
    let columns = columns(sql);
    let (first, second) = (&columns[0], &columns[1]);
    assert_eq!(first.is_subject, !first.subject_of.is_empty(), "{sql}");
    assert!(second.needs_subject, "{sql}");
    first.is_subject && second.needs_subject_of.is_subset(&first.subject_of)
}

#[test]
fn a_subject_is_that_of_its_own_scan() {
    for (sql, expected) in [
        ("SELECT id, name FROM customers", true),
        ("SELECT a.id, a.name FROM customers a, customers b", true),
        ("SELECT a.id, b.name FROM customers a, customers b", false),
        ("SELECT a.id, b.name FROM customers a JOIN customers b ON a.id = b.id", true),
        ("SELECT a.id, b.name FROM customers a JOIN customers b ON a.id = b.id AND a.city < b.city", true),
        ("SELECT a.id, b.name FROM customers a JOIN customers b ON a.city = b.city", false),
        ("SELECT a.id, b.name FROM customers a JOIN customers b ON a.id = b.id OR a.city = b.city", false),
        ("SELECT id, b.name FROM customers a JOIN customers b USING (id)", true),
        ("SELECT o.customer_id, c.name FROM orders o JOIN customers c ON o.customer_id = c.id", true),
        ("SELECT o.customer_id, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer_id", true),
        ("SELECT o.customer_id, c.name FROM orders o RIGHT JOIN customers c ON c.id = o.customer_id", false),
        ("SELECT o.customer_id, c.name FROM orders o FULL JOIN customers c ON c.id = o.customer_id", false),
        ("SELECT o.text_of, c.name FROM orders o JOIN customers c ON o.text_of = c.name", false),
        ("SELECT id, min(name) FROM customers GROUP BY id", true),
        ("SELECT max(id), min(name) FROM customers", false),
        ("SELECT id, min(name) FROM customers GROUP BY ROLLUP (id)", false),
        ("SELECT a.id, a.name || b.name AS n FROM customers a, customers b", false),
        ("SELECT id, name FROM customers UNION ALL SELECT id, name FROM customers", true),
        ("SELECT id, name FROM customers UNION ALL SELECT a.id, b.name FROM customers a, customers b", false),
        ("SELECT id, (SELECT max(b.name) FROM customers b) AS n FROM customers", false),
        ("SELECT id, lag(name) OVER (ORDER BY id) AS n FROM customers", false),
        ("SELECT id, max(name) OVER () AS n FROM customers", false),
        ("SELECT id, lag(name) OVER (PARTITION BY id ORDER BY city) AS n FROM customers", true),
        ("SELECT id, rank() OVER (ORDER BY name) AS n FROM customers", true),
    ] {
        assert_eq!(first_is_the_subject_of_the_second(sql), expected, "{sql}");
    }
}
