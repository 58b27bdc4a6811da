//! What an asker may try in order to learn of rows and values that policies hide. Each attack is first shown to work on plain
//! DataFusion with a view that filters and masks as the policy does.
//!
//! The table has five accounts. Anna sees those of hers (1 and 2), and of their numbers only that there are some. The balance
//! of account 4 is 4, that of account 5 is a text that is no number.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionContext;
use lockgate_model::{ColumnName, DatasetName};
use lockgate_plan::{Binding, OutputColumn, Protector, Table, Unsealer, compile_query, engine_session};
use lockgate_project::Project;

use crate::support::asker;

const PROJECT: &str = "version: 1\nproject: bank\nstores:\n  landing: { at: 'file://./landing' }\nkeys:\n  default: { local: \
                       ./keys }\nledger: { at: 'file://./ledger' }\n";
const ACCOUNTS: &str = "dataset: accounts\nat: { store: landing, path: accounts.csv, format: csv }\ncolumns:\n  id: { type: \
                        bigint }\n  owner: { type: text }\n  number: { type: text }\n  note: { type: text }\n";
const POLICIES: &str = "policies:
  - policy: anna reads accounts
    on: { datasets: [accounts] }
    allow: [{ users: [anna], access: [select] }]
    mask: [{ users: [anna], columns: [number], with: redact }]
    rows: [{ users: [anna], where: \"owner = 'anna'\" }]
";
const VIEW: &str = "CREATE VIEW accounts AS SELECT id, owner, regexp_replace(number, '[0-9]', 'n', 'g') AS number, note \
                    FROM accounts_raw WHERE owner = 'anna'";

/// The text that only hidden rows hold.
const HIDDEN: &str = "swordfish";

struct Accounts;

fn batch(schema: &SchemaRef) -> RecordBatch {
    let text = |values: [&str; 5]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "id" => Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])) as ArrayRef,
        "owner" => text(["anna", "anna", "bob", "bob", "eve"]),
        "number" => text(["11-22", "33-44", "55-66", "77-88", "99-00"]),
        "note" => text(["1", "2", "3", "4", HIDDEN]),
        _ => Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4])),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

impl Binding for Accounts {
    fn rows(&self, _: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        let rows = batch(&schema);
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
    }

    fn protector(&self, _: &OutputColumn) -> Result<Arc<dyn Protector>> {
        panic!("a query protects nothing")
    }

    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>> {
        panic!("`{dataset}.{column}` is not sealed")
    }
}

/// What anna gets of plain DataFusion: rows, or the text of an error.
async fn plain(sql: &str) -> String {
    behind_view(VIEW, sql).await
}

async fn behind_view(view: &str, sql: &str) -> String {
    let context = SessionContext::new();
    let fields = ["owner", "number", "note"]
        .map(|name| arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Utf8, true));
    let id = arrow::datatypes::Field::new("id", arrow::datatypes::DataType::Int64, true);
    let schema = Arc::new(arrow::datatypes::Schema::new([vec![id], fields.to_vec()].concat()));
    let table = MemTable::try_new(Arc::clone(&schema), vec![vec![batch(&schema)]]).unwrap();
    context.register_table("accounts_raw", Arc::new(table)).unwrap();
    context.sql(view).await.unwrap();
    let answer = async { context.sql(sql).await?.collect().await };
    match answer.await {
        Ok(batches) => pretty_format_batches(&batches).unwrap().to_string(),
        Err(error) => format!("error: {error}"),
    }
}

/// What anna gets of Lockgate: rows, or the kind of error; and the physical plan.
async fn governed(sql: &str) -> (String, String) {
    governed_by(POLICIES, sql).await
}

/// As the policies with another row filter let it be seen.
async fn filtered_by(rows: &str, sql: &str) -> String {
    governed_by(&POLICIES.replace("owner = 'anna'", rows), sql).await.0
}

async fn governed_by(policies: &str, sql: &str) -> (String, String) {
    let files: [(&str, &[u8]); 3] = [
        ("lockgate.yaml", PROJECT.as_bytes()),
        ("catalog/accounts.yaml", ACCOUNTS.as_bytes()),
        ("policies/accounts.yaml", policies.as_bytes()),
    ];
    let (project, _) = Project::from_files(Path::new("/nowhere"), &files, &|_| None)
        .unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics));
    let asker = asker("anna");
    let compiled = match compile_query(&project, sql, &asker) {
        Ok(compiled) => compiled,
        Err(refused) => {
            let lines: Vec<_> = refused.diagnostics.iter().map(|d| d.line(&refused.sources)).collect();
            return (format!("refused: {}", lines.join("\n")), String::new());
        }
    };
    let context = engine_session().unwrap();
    let bound = compiled.plan.bind(&Accounts).unwrap();
    let physical = match context.state().create_physical_plan(bound.logical()).await {
        Ok(physical) => physical,
        Err(error) => return (format!("error: {}", kind(&error)), String::new()),
    };
    let drawn = displayable(physical.as_ref()).indent(true).to_string();
    let answer = match collect(physical, context.task_ctx()).await {
        Ok(batches) => {
            let shown = |batch: &RecordBatch| {
                let columns: Vec<usize> = (0..batch.num_columns() - bound.sources().len()).collect();
                batch.project(&columns).unwrap()
            };
            pretty_format_batches(&batches.iter().map(shown).collect::<Vec<_>>()).unwrap().to_string()
        }
        Err(error) => format!("error: {}", kind(&error)),
    };
    (answer, drawn)
}

/// Only the kind of an error goes to the surface.
fn kind(error: &datafusion::common::DataFusionError) -> &'static str {
    match error.find_root() {
        datafusion::common::DataFusionError::ArrowError(..) => "arrow",
        _ => "other",
    }
}

/// An attack that makes an error of a hidden row, or an answer that depends on it.
#[tokio::test]
async fn what_is_evaluated_on_hidden_rows_leaks_from_a_view_and_not_from_a_guarded_table() {
    for (attack, sql, leak) in [
        ("a division by zero on a hidden row", "SELECT id FROM accounts WHERE 100 / (id - 4) > -1000", "zero"),
        ("a cast that fails on a hidden value", "SELECT id FROM accounts WHERE CAST(note AS BIGINT) > 0", HIDDEN),
        (
            "a cast that is pushed through a join",
            "SELECT a.id FROM accounts a JOIN accounts b ON a.id = b.id WHERE CAST(b.note AS BIGINT) > 0",
            HIDDEN,
        ),
    ] {
        let told = plain(sql).await.to_lowercase();
        assert!(told.contains(leak), "{attack} does not leak from a view: {told}");
        let (answer, _) = governed(sql).await;
        assert!(!answer.contains("error") && !answer.contains("refused"), "{attack}: {answer}");
        assert!(!answer.to_lowercase().contains(leak), "{attack}: {answer}");
    }
}

/// The statement shows what is behind a view, or changes something; governed SQL has no such statement.
#[tokio::test]
async fn statements_that_look_behind_a_view_are_refused() {
    for (attack, sql, leak) in [
        ("EXPLAIN shows the filter", "EXPLAIN SELECT id FROM accounts", "anna"),
        ("EXPLAIN ANALYZE counts hidden rows", "EXPLAIN ANALYZE SELECT id FROM accounts", "(2/5)"),
        ("SET changes the engine", "SET datafusion.execution.batch_size = 1", ""),
        ("SHOW", "SHOW ALL", ""),
        ("DDL", "CREATE TABLE mine AS SELECT * FROM accounts_raw", ""),
        ("COPY writes files", "COPY (SELECT 1) TO '/tmp/lockgate-attack.csv'", ""),
        ("the table behind the view", "SELECT note FROM accounts_raw", HIDDEN),
        (
            "a user-defined name that shadows a table",
            "WITH accounts_raw AS (SELECT * FROM accounts) SELECT * FROM public.accounts_raw",
            HIDDEN,
        ),
        ("a quoted name", "SELECT * FROM \"accounts_raw\"", HIDDEN),
        ("a hidden column by name", "SELECT __lockgate_rid FROM accounts", ""),
        ("a hidden column by a quoted name", "SELECT \"__lockgate_rid\" FROM accounts", ""),
        ("a hidden function by name", "SELECT lockgate_mask(number) FROM accounts", ""),
        ("a variable", "SELECT @@version FROM accounts", ""),
        ("a volatile function", "SELECT random() FROM accounts", ""),
        ("a file", "SELECT * FROM '/etc/passwd'", ""),
        ("a table function", "SELECT * FROM generate_series(1, 3)", ""),
        ("metadata", "SELECT table_name FROM information_schema.tables", ""),
    ] {
        if !leak.is_empty() {
            let told = plain(sql).await;
            assert!(told.contains(leak), "{attack} does not leak from plain DataFusion: {told}");
        }
        let (answer, _) = governed(sql).await;
        assert!(answer.starts_with("refused"), "{attack}: {answer}");
        assert!(!answer.contains(HIDDEN), "{attack}: {answer}");
    }
}

#[tokio::test]
async fn counts_bounds_orders_and_limits_know_visible_rows_alone() {
    for (sql, expected) in [
        ("SELECT count(*) AS n, min(id) AS least, max(id) AS most FROM accounts", "| 2 | 1     | 2    |"),
        ("SELECT id FROM accounts ORDER BY id DESC LIMIT 1", "| 2  |"),
        ("SELECT count(*) AS n FROM accounts WHERE number = '11-22'", "| 0 |"),
        ("SELECT count(*) AS n FROM accounts WHERE number = 'nn-nn'", "| 2 |"),
        ("SELECT a.number FROM accounts a JOIN (VALUES ('77-88')) AS v(x) ON a.number = v.x", "++"),
        ("SELECT (SELECT max(note) FROM accounts) AS most", "| 2    |"),
        ("SELECT id FROM accounts WHERE id IN (3, 4, 5)", "++"),
        ("SELECT count(*) AS n FROM accounts WHERE EXISTS (SELECT 1 FROM accounts b WHERE b.id = 4)", "| 0 |"),
    ] {
        let (answer, _) = governed(sql).await;
        assert!(answer.contains(expected), "{sql}: {answer}");
    }
}

/// The engine sees a leaf: no filter, limit or join filter of the query is below the barrier but what is leak-proof.
#[tokio::test]
async fn only_leak_proof_predicates_go_below_the_barrier() {
    let (_, plan) = governed("SELECT id FROM accounts WHERE length(note) > 2 OR id = 7 LIMIT 3").await;
    let below: String = plan.lines().skip_while(|line| !line.contains("BarrierExec")).collect();
    assert!(!below.is_empty() && !below.contains("FilterExec") && !below.contains("limit"), "{plan}");
    assert!(plan.contains("FilterExec"), "{plan}");
}

/// Which hidden rows make a policy's own condition fail must not show in which queries succeed.
#[tokio::test]
async fn a_policy_that_fails_on_a_row_fails_whatever_is_asked() {
    let fails = "abs(CAST(note AS BIGINT)) < 9";
    let (of_one, of_hidden) = ("SELECT id FROM accounts WHERE id = 1", "SELECT id FROM accounts WHERE id = 5");
    let view = format!("CREATE VIEW accounts AS SELECT * FROM accounts_raw WHERE {fails}");
    let told = behind_view(&view, of_one).await;
    assert!(told.contains("| 1  |"), "{told}");
    assert!(behind_view(&view, of_hidden).await.contains(HIDDEN), "it does not leak from a view");
    assert_eq!(filtered_by(fails, of_one).await, "error: arrow");
    assert_eq!(filtered_by(fails, of_hidden).await, "error: arrow");
}

/// The engine answers some subqueries wrongly; a policy that would let rows through by one shows nothing.
#[tokio::test]
async fn subqueries_of_policies_mean_what_they_say() {
    let all = "SELECT count(*) AS n FROM accounts";
    let more_than_there_are = "EXISTS (SELECT max(id) FROM accounts HAVING 9 <= (SELECT count(*) FROM accounts))";
    let view = format!("CREATE VIEW accounts AS SELECT * FROM accounts_raw WHERE {more_than_there_are}");
    let view = view.replace("FROM accounts H", "FROM accounts_raw H").replace("FROM accounts))", "FROM accounts_raw))");
    assert!(behind_view(&view, all).await.contains("| 5 |"), "the engine has become right: remove the pin");
    assert!(filtered_by(more_than_there_are, all).await.contains("| 0 |"));
    assert!(filtered_by(&more_than_there_are.replace('9', "5"), all).await.contains("| 5 |"));
    // The asker's own query likewise: two rows are visible.
    let asked = "SELECT id FROM accounts WHERE EXISTS (SELECT max(a.id) FROM accounts a HAVING 3 <= (SELECT count(*) FROM \
                 accounts b))";
    assert!(!governed(asked).await.0.contains("| 1"), "{}", governed(asked).await.0);
    for lost in ["owner NOT IN (SELECT note FROM accounts) OR id = 1", "(owner IN (SELECT note FROM accounts)) IS NULL"]
    {
        assert!(filtered_by(lost, all).await.contains("LG113"), "{lost}");
    }
    // A policy that holds in no row of the asker's choosing: what it reads is the whole table.
    assert!(filtered_by("id = (SELECT max(a.id) FROM accounts a)", "SELECT id FROM accounts").await.contains("| 5  |"));
}

#[tokio::test]
async fn what_would_not_be_recorded_is_refused() {
    for (sql, code) in [
        ("WITH RECURSIVE accounts AS (SELECT * FROM accounts) SELECT * FROM accounts", "LG104"),
        ("WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 9) SELECT x FROM n", "LG104"),
        ("SELECT v.x FROM (VALUES ((SELECT max(note) FROM accounts))) AS v(x)", "LG104"),
    ] {
        let (answer, _) = governed(sql).await;
        assert!(answer.starts_with("refused") && answer.contains(code), "{sql}: {answer}");
    }
}

/// On a stack as the program's threads have.
#[test]
fn chains_are_as_long_as_they_may_be_or_refused() {
    let chains = || tokio::runtime::Runtime::new().unwrap().block_on(chains());
    std::thread::Builder::new().stack_size(8 << 20).spawn(chains).unwrap().join().unwrap();
}

async fn chains() {
    let or = |count: usize| format!("SELECT id FROM accounts WHERE {}", vec!["id = 1"; count].join(" OR "));
    let union = |count: usize| vec!["SELECT id FROM accounts"; count].join(" UNION ALL ");
    let joins = |count: usize| {
        let tables: Vec<_> = (0..count).map(|index| format!("accounts a{index}")).collect();
        format!("SELECT count(*) AS n FROM {}", tables.join(", "))
    };
    let plus = |count: usize| format!("SELECT id{} AS x FROM accounts", " + 1".repeat(count));
    for (text, most) in [
        (or(lockgate_plan::SQL_OPERATORS_MAX / 2), or(25_000)),
        (plus(lockgate_plan::SQL_OPERATORS_MAX), plus(25_000)),
        (union(lockgate_plan::SQL_RELATIONS_MAX / 2), union(12_000)),
        (joins(8), joins(12_000)),
        (joins(9), joins(lockgate_plan::SQL_RELATIONS_MAX + 1)),
    ] {
        let (answer, _) = governed(&text).await;
        assert!(!answer.contains("refused") && !answer.contains("error"), "{}: {answer}", &text[..60]);
        let (answer, _) = governed(&most).await;
        assert!(answer.starts_with("refused") && answer.contains("LG108"), "{}: {answer}", &most[..60]);
    }
}

#[tokio::test]
async fn texts_that_take_long_or_nest_deep_are_refused_or_end() {
    let deep = format!("SELECT {}1{} AS x FROM accounts", "(".repeat(500), ")".repeat(500));
    assert!(governed(&deep).await.0.starts_with("refused"), "deep");
    let wide =
        format!("SELECT {} FROM accounts", (0..2_000).map(|i| format!("id AS c{i}")).collect::<Vec<_>>().join(", "));
    assert!(governed(&wide).await.0.starts_with("refused"), "wide");
    // The pattern language has no backtracking, so that this ends.
    let slow = "SELECT count(*) AS n FROM accounts WHERE regexp_like(repeat(note, 5000), '(1+)+$')";
    assert!(governed(slow).await.0.contains("| 1 |"));
    let like = format!("SELECT count(*) AS n FROM accounts WHERE repeat(note, 5000) LIKE '{}x'", "%1".repeat(50));
    assert!(governed(&like).await.0.contains("| 0 |"));
}
