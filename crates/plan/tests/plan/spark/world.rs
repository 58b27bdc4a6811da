//! The project of the cases, its rows, and what is compiled of it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use lockgate_plan::{Binding, Governed, OutputColumn, Plan, Protector, SparkError, Table, Unsealer, compile_query};
use lockgate_project::Project;

use crate::support::asker;

use super::cases::{Case, Expected};
use super::pyspark::SparkTable;

const PROJECT: &str = "version: 1\nproject: spark\nstores:\n  landing: { at: 'file://./landing' }\nkeys:\n  default: { \
                       local: ./keys }\nledger: { at: 'file://./ledger' }\n";

/// Columns with their types here and in Spark.
type Columns = &'static [(&'static str, &'static str, &'static str)];

const PEOPLE: Columns = &[
    ("id", "bigint", "BIGINT"),
    ("name", "text", "STRING"),
    ("email", "text", "STRING"),
    ("phone", "text", "STRING"),
    ("ssn", "text", "STRING"),
    ("born", "date", "DATE"),
    ("seen", "timestamp", "TIMESTAMP"),
    ("city", "text", "STRING"),
    ("country", "text", "STRING"),
    ("score", "integer", "INT"),
    ("ratio", "double", "DOUBLE"),
    ("balance", "decimal(10, 2)", "DECIMAL(10, 2)"),
    ("active", "boolean", "BOOLEAN"),
];

const PEOPLE_ROWS: &[&[&str]] = &[
    &[
        "1",
        "Ada Lovelace",
        "ada@example.com",
        "+44 7700 900123",
        "123-45",
        "1815-12-10",
        "2024-02-29T23:59:59.999999Z",
        "Bern",
        "CH",
        "10",
        "1.5",
        "12.50",
        "true",
    ],
    &[
        "2",
        "Zoë Ångström Ⅷ",
        "zoe@example.org",
        "0041 44",
        "",
        "1969-12-31",
        "1969-12-31T23:59:59.5Z",
        "Zürich",
        "CH",
        "-7",
        "-2.25",
        "-0.01",
        "false",
    ],
    &["3", "山田 太郎 ٤", "∅", "∅", "∅", "∅", "∅", "∅", "DE", "∅", "∅", "∅", "∅"],
    &[
        "4",
        "Grace Hopper",
        "grace@example.com",
        "555-0100",
        "987-65",
        "1906-12-09",
        "1901-01-01T00:00:00Z",
        "Oslo",
        "NO",
        "3",
        "1000000.125",
        "99999999.99",
        "true",
    ],
    &[
        "5",
        "ΣΟΦΟΣ straße",
        "sigma@example.com",
        "abc",
        "x'y\\z",
        "2000-02-29",
        "2020-07-04T12:30:00Z",
        "bern",
        "DE",
        "2147483647",
        "0.1",
        "0.00",
        "∅",
    ],
    &[
        "6",
        "",
        "ada@example.com",
        "12",
        "a%b_c",
        "0001-01-01",
        "2020-07-04T12:30:00Z",
        "B%rn",
        "∅",
        "10",
        "-1000.0",
        "7.25",
        "false",
    ],
    &[
        "7",
        " tab\tand space ",
        "q",
        "7 7",
        "∅",
        "9999-12-31",
        "2021-01-03T00:00:00Z",
        "Bonn",
        "DE",
        "10",
        "3.0",
        "7.25",
        "true",
    ],
];

const ORDERS: Columns = &[
    ("id", "bigint", "BIGINT"),
    ("person", "bigint", "BIGINT"),
    ("item", "text", "STRING"),
    ("amount", "bigint", "BIGINT"),
    ("price", "decimal(8, 2)", "DECIMAL(8, 2)"),
    ("at", "timestamp", "TIMESTAMP"),
];

const ORDERS_ROWS: &[&[&str]] = &[
    &["10", "1", "tea", "3", "4.50", "2024-01-01T00:00:00Z"],
    &["11", "1", "tea", "-3", "0.05", "2024-03-31T01:59:59Z"],
    &["12", "2", "salt", "7", "∅", "2023-12-31T23:59:59.999999Z"],
    &["13", "∅", "salt", "2", "1.00", "∅"],
    &["14", "9", "∅", "5", "123456.78", "2022-05-01T10:00:00Z"],
    &["15", "5", "oil", "9223372036854775807", "2.00", "2022-05-01T10:00:00Z"],
    &["16", "5", "oil", "∅", "2.00", "2022-05-01T10:00:00Z"],
    &["17", "5", "oil", "0", "2.00", "2022-05-01T10:00:00Z"],
];

const VISITS: Columns = &[("person", "bigint", "BIGINT"), ("page", "text", "STRING"), ("n", "integer", "INT")];

const VISITS_ROWS: &[&[&str]] = &[&["1", "/a", "1"], &["1", "/a", "1"], &["3", "/b", "∅"], &["∅", "/c", "4"]];

const ENTITLEMENTS: Columns = &[("who", "text", "STRING"), ("country", "text", "STRING")];

const ENTITLEMENTS_ROWS: &[&[&str]] = &[&["anna", "CH"], &["anna", "DE"], &["ben", "NO"], &["anna", "∅"]];

const TABLES: &[(&str, Columns, &[&[&str]])] = &[
    ("people", PEOPLE, PEOPLE_ROWS),
    ("orders", ORDERS, ORDERS_ROWS),
    ("sales.visits", VISITS, VISITS_ROWS),
    ("entitlements", ENTITLEMENTS, ENTITLEMENTS_ROWS),
    ("numbers", &[("n", "bigint", "BIGINT")], &[]),
];

/// `numbers` has more rows than a set of row ids keeps.
const NUMBERS: usize = 1_500;

fn rows_of(name: &str, rows: &[&[&str]]) -> Vec<Vec<Option<String>>> {
    if name == "numbers" {
        return (0..NUMBERS).map(|number| vec![Some(number.to_string())]).collect();
    }
    let value = |text: &&str| (*text != "∅").then(|| (*text).to_owned());
    rows.iter().map(|row| row.iter().map(value).collect()).collect()
}

/// What anna sees is filtered and masked, what ben sees is filtered by a plain condition; root sees everything.
const POLICIES: &str = r#"
policies:
  - policy: people
    on: { datasets: [people] }
    allow: [{ users: [anna, ben, root], access: [select] }]
    mask:
      - { users: [anna], columns: [name], with: redact }
      - { users: [anna], columns: [email], with: hash }
      - { users: [anna], columns: [phone], with: "show_last: 4" }
      - { users: [anna], columns: [ssn], with: "null" }
      - { users: [anna], columns: [born, seen], with: date_to_year }
      - { users: [anna], columns: [city], with: "show_first: 4" }
      - { users: [anna], columns: [balance], sql: "CASE WHEN {col} > 10 THEN CAST(10 AS DECIMAL(10, 2)) ELSE {col} END" }
    rows:
      - { users: [anna], where: "country IN (SELECT country FROM entitlements WHERE who = 'anna')" }
      - { users: [ben], where: "country = 'DE' OR id = 6" }
  - policy: orders
    on: { datasets: [orders] }
    allow: [{ users: [anna, ben, root], access: [select] }]
    rows: [{ users: [anna], where: "amount < 1000 AND id <> 17" }]
  - policy: visits
    on: { datasets: [sales.visits, numbers] }
    allow: [{ users: [anna, ben, root], access: [select] }]
"#;

pub(super) fn project() -> Project {
    let catalog = |(name, columns, _): &(&str, Columns, &[&[&str]])| {
        let columns: String = columns.iter().map(|(name, own, _)| format!("  {name}: {{ type: '{own}' }}\n")).collect();
        let text = format!(
            "dataset: {name}\nat: {{ store: landing, path: '{name}/*.csv', format: csv }}\ncolumns:\n{columns}"
        );
        (format!("catalog/{name}.yaml"), text)
    };
    let mut files: Vec<(String, String)> = TABLES.iter().map(catalog).collect();
    files.push(("policies/all.yaml".to_owned(), POLICIES.to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    project_of(&files)
}

/// A project of these files and the settings.
pub(super) fn project_of(files: &[(&str, &str)]) -> Project {
    let mut all = vec![("lockgate.yaml", PROJECT.as_bytes())];
    all.extend(files.iter().map(|(path, text)| (*path, text.as_bytes())));
    let loaded = Project::from_files(Path::new("/nowhere"), &all, &|_| None);
    loaded.unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics)).0
}

pub(super) fn compile(project: &Project, case: &Case) -> Governed<Plan> {
    let asker = asker(&case.principal);
    match compile_query(project, &case.sql, &asker) {
        Ok(compiled) => compiled.plan,
        Err(refused) => {
            let lines: Vec<_> = refused.diagnostics.iter().map(|d| d.line(&refused.sources)).collect();
            panic!("{}: {}\n{}", case.name, lines.join("; "), case.sql)
        }
    }
}

pub(super) fn write(project: &Project, case: &Case) -> Expected {
    match compile(project, case).spark_sql() {
        Ok(text) => {
            let whole = text.whole.iter().map(|(relation, rows)| format!("\n-- rows of relation {relation}\n{rows}"));
            Expected::Text(format!("{}{}", text.query, whole.collect::<String>()))
        }
        Err(SparkError::Unequal(what)) => Expected::Refused(what),
        Err(error @ SparkError::Differs(_)) => panic!("{}: {error}", case.name),
    }
}

/// The rows as Spark gets them.
pub(super) fn tables() -> Vec<SparkTable> {
    let table = |(number, (name, columns, rows)): (usize, &(&str, Columns, &[&[&str]]))| {
        let columns: Vec<(String, String)> =
            columns.iter().map(|(name, _, spark)| ((*name).to_owned(), (*spark).to_owned())).collect();
        let rows = rows_of(name, rows);
        SparkTable { name: (*name).to_owned(), columns, rows, first_id: (number as i64) << 40 }
    };
    TABLES.iter().enumerate().map(table).collect()
}

/// The rows as Lockgate gets them.
pub(super) struct Rows;

impl Binding for Rows {
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        let number = TABLES.iter().position(|(name, _, _)| *name == table.dataset.as_str()).unwrap();
        let (name, own, rows) = TABLES[number];
        let rows = rows_of(name, rows);
        let column = |field: &Arc<arrow::datatypes::Field>| -> ArrayRef {
            let Some(index) = own.iter().position(|(name, _, _)| name == field.name()) else {
                return Arc::new(
                    (0..rows.len()).map(|row| ((number as i64) << 40) + row as i64).collect::<Int64Array>(),
                );
            };
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row[index].clone()).collect::<StringArray>());
            cast(&texts, field.data_type()).unwrap()
        };
        let batch = RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect())?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn protector(&self, _: &OutputColumn) -> Result<Arc<dyn Protector>> {
        panic!("a query protects nothing")
    }

    fn unsealer(
        &self,
        dataset: &lockgate_model::DatasetName,
        column: &lockgate_model::ColumnName,
    ) -> Result<Arc<dyn Unsealer>> {
        panic!("`{dataset}.{column}` is not sealed")
    }
}
