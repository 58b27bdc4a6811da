//! Tables that others write as datasets.

use lockgate_project::{DatasetSource, KEY_COLUMNS_MAX};

use crate::base::{CUSTOMERS, DAILY, LOCKGATE, lines, load};

const AT: &str = "at: { store: landing, path: \"customers/{date}/*.csv\", format: csv }";

/// The base project with a store at `postgresql://`, and another place of the customers.
fn with(at: &str) -> [(&'static str, String); 2] {
    let crm = "  crm: { at: \"postgresql://db.example:5432/crm\", user: u, secret: \"env:CITY\", clearance: internal }\n  landing:";
    assert!(CUSTOMERS.contains(AT));
    [
        ("lockgate.yaml", LOCKGATE.replacen("  landing:", crm, 1)),
        ("catalog/customers.yaml", CUSTOMERS.replacen(AT, &format!("at: {{ {at} }}"), 1)),
    ]
}

fn said(at: &str) -> Vec<String> {
    let files = with(at);
    lines(&files.each_ref().map(|(path, text)| (*path, text.as_str())))
}

#[test]
fn a_table_with_or_without_a_key_is_a_dataset() {
    for (at, name, key) in [
        ("store: crm, table: customers", "public.customers", &[][..]),
        ("store: crm, table: sales.customers, key: [id, city]", "sales.customers", &["id", "city"]),
    ] {
        let files = with(at);
        let (project, said) = load(&files.each_ref().map(|(path, text)| (*path, text.as_str()))).unwrap();
        assert!(said.is_empty(), "{at}");
        let dataset = &project.datasets["customers"];
        let DatasetSource::Table(table) = &dataset.source else { panic!("{at}") };
        assert_eq!(table.name.value.to_string(), name);
        assert_eq!(table.key.iter().map(|column| column.as_str()).collect::<Vec<_>>(), key);
        assert_eq!((dataset.parameters().count(), dataset.partition_columns().count()), (0, 0));
    }
}

#[test]
fn what_is_no_table_and_what_does_not_go_with_one_is_refused() {
    for (at, wanted) in [
        ("store: landing, table: customers", "LG019 error: the store `landing` does not fit a `table`: it holds files"),
        (
            "store: warehouse, table: customers",
            "LG019 error: the store `warehouse` does not fit a `table`: tables of SQLite",
        ),
        ("store: crm, path: \"a.csv\", format: csv", "LG019 error: the store `crm` is a database and holds no files"),
        ("store: crm, table: \"a..\"", "LG026 error: `a..` names no table"),
        ("store: crm, table: t, format: csv", "LG010 error: `format` does not go with `table`"),
        ("store: crm, table: t, path: x", "LG010 error: `path` does not go with `table`"),
        ("store: crm, table: t, compression: gzip", "LG010 error: `compression` does not go with `table`"),
        ("store: crm, table: t, key: []", "LG010 error: `key` names 1 to 32 columns"),
        ("store: crm, table: t, key: [id, id]", "LG010 error: `key` names 1 to 32 columns"),
        ("store: landing, path: \"a.csv\", format: csv, key: [id]", "LG010 error: `key` does not go with files"),
        ("store: landing, format: csv", "LG009 error: the key `path` is missing in `at`"),
        ("store: landing, path: \"a.csv\"", "LG009 error: the key `format` is missing in `at`"),
    ] {
        let said = said(at);
        assert!(said.len() == 1 && said[0].contains(wanted), "{at}: {said:?}");
    }
    let files =
        with("store: crm, table: t").map(|(path, text)| (path, text.replace("type: date", "type: date, format: '%d'")));
    let said = lines(&files.each_ref().map(|(path, text)| (*path, text.as_str())));
    assert!(said.len() == 1 && said[0].contains("`format` does not go with `table`"), "{said:?}");
}

#[test]
fn a_key_may_have_as_many_columns_as_the_limit() {
    let key = |columns: usize| (0..columns).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ");
    assert_eq!(said(&format!("store: crm, table: t, key: [{}]", key(KEY_COLUMNS_MAX))), [""; 0]);
    assert_eq!(said(&format!("store: crm, table: t, key: [{}]", key(KEY_COLUMNS_MAX + 1))).len(), 1);
}

#[test]
fn a_table_that_a_pipeline_writes_is_no_strangers() {
    let mut files = with("store: crm, table: analytics.customers").to_vec();
    files.push(("pipelines/daily_customers.yaml", DAILY.replace("store: warehouse", "store: crm")));
    let said =
        |files: &[(&str, String)]| lines(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    let found = said(&files);
    assert!(
        found.len() == 1 && found[0].contains("LG023 error: the table `analytics.customers` is written by a pipeline"),
        "{found:?}"
    );
    // The same database under another name is no other one.
    let again = "  crb: { at: \"postgresql://db.example:5432/crm\", user: reader, secret: \"env:CITY\" }\n  landing:";
    files[0].1 = files[0].1.replacen("  landing:", again, 1);
    files[1].1 = files[1].1.replace("store: crm", "store: crb");
    assert_eq!(said(&files), found);
    files[0].1 = files[0].1.replace("5432/crm\", user: reader", "5432/others\", user: reader");
    assert_eq!(said(&files), [""; 0]);
    files[1].1 = files[1].1.replace("analytics.customers", "analytics.others").replace("store: crb", "store: crm");
    assert_eq!(said(&files), [""; 0]);
}
