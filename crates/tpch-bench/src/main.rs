//! TPC-H under policy beside plain DataFusion: the same tables in memory, the same engine, one thread.
//!
//! ```text
//! plain      the query over views that filter and mask as the policies do, written by hand
//! governed   the query as compiled for a principal, its sources left out
//! sources    the same with the source rows of every row of the result
//! ```
//! Run by `cargo xtask bench tpch`, which generates the tables; takes their folder and how often each case is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use jiff::Timestamp;
use lockgate_model::{ColumnName, DatasetName};
use lockgate_plan::{
    Asker, Binding, Bound, CompiledQuery, Governed, OutputColumn, Protector, Table, Unsealer, compile_query,
};
use lockgate_project::Project;

mod queries;

/// What anna sees: line items up to a day that leaves out a few, and customers with two columns masked.
const POLICIES: &str = "policies:
  - policy: anna reads everything
    on: { datasets: ['*'] }
    allow: [{ users: [anna], access: [select] }]
  - policy: line items
    on: { datasets: [lineitem] }
    rows: [{ users: [anna], where: \"l_shipdate < DATE '1998-11-01'\" }]
  - policy: customers
    on: { datasets: [customer] }
    mask: [{ users: [anna], columns: [c_name], sql: \"upper({col})\" }]
  - policy: their numbers
    on: { datasets: [customer] }
    mask: [{ users: [anna], columns: [c_phone], sql: \"substr({col}, 1, 2)\" }]
";
const VIEWS: [&str; 2] = [
    "CREATE VIEW lineitem AS SELECT * FROM raw_lineitem WHERE l_shipdate < DATE '1998-11-01'",
    "CREATE VIEW customer AS SELECT c_custkey, upper(c_name) AS c_name, c_address, c_nationkey, substr(c_phone, 1, 2) AS \
     c_phone, c_acctbal, c_mktsegment, c_comment FROM raw_customer",
];
const SETTINGS: &str = "version: 1\nproject: tpch\nstores:\n  landing: { at: 'file://./landing' }\nkeys:\n  default: { local: \
                        ./keys }\nledger: { at: 'file://./ledger' }\n";

/// The tables, each column with its type.
const TABLES: [(&str, &str); 8] = [
    ("region", "r_regionkey bigint, r_name text, r_comment text"),
    ("nation", "n_nationkey bigint, n_name text, n_regionkey bigint, n_comment text"),
    (
        "supplier",
        "s_suppkey bigint, s_name text, s_address text, s_nationkey bigint, s_phone text, s_acctbal decimal, s_comment text",
    ),
    (
        "customer",
        "c_custkey bigint, c_name text, c_address text, c_nationkey bigint, c_phone text, c_acctbal decimal, c_mktsegment \
         text, c_comment text",
    ),
    (
        "part",
        "p_partkey bigint, p_name text, p_mfgr text, p_brand text, p_type text, p_size bigint, p_container text, \
         p_retailprice decimal, p_comment text",
    ),
    ("partsupp", "ps_partkey bigint, ps_suppkey bigint, ps_availqty bigint, ps_supplycost decimal, ps_comment text"),
    (
        "orders",
        "o_orderkey bigint, o_custkey bigint, o_orderstatus text, o_totalprice decimal, o_orderdate date, o_orderpriority \
         text, o_clerk text, o_shippriority bigint, o_comment text",
    ),
    (
        "lineitem",
        "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber bigint, l_quantity decimal, l_extendedprice \
         decimal, l_discount decimal, l_tax decimal, l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate \
         date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text",
    ),
];

fn columns(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(", ").map(|column| column.trim().split_once(' ').unwrap())
}

fn data_type(name: &str) -> DataType {
    match name {
        "bigint" => DataType::Int64,
        "decimal" => DataType::Decimal128(15, 2),
        "date" => DataType::Date32,
        _ => DataType::Utf8,
    }
}

/// The rows of the tables, with and without row ids.
struct World {
    tables: BTreeMap<&'static str, (Arc<MemTable>, Arc<MemTable>)>,
    project: Project,
}

impl World {
    async fn read(folder: &Path) -> Result<Self> {
        let reader = SessionContext::new();
        let mut tables = BTreeMap::new();
        for (name, text) in TABLES {
            let fields: Vec<Field> =
                columns(text).map(|(name, kind)| Field::new(name, data_type(kind), true)).collect();
            let schema = Arc::new(Schema::new(fields));
            let path = folder.join(format!("{name}.csv")).display().to_string();
            let rows = reader.read_csv(path, CsvReadOptions::new().schema(&schema)).await?.collect().await?;
            let mut next = 0;
            let mut with_ids: Vec<RecordBatch> = Vec::new();
            let id = Field::new("__lockgate_rid", DataType::Int64, false);
            let with_id: SchemaRef = Arc::new(Schema::new([schema.fields().to_vec(), vec![Arc::new(id)]].concat()));
            for batch in &rows {
                let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(next..next + batch.num_rows() as i64));
                next += batch.num_rows() as i64;
                let columns = [batch.columns().to_vec(), vec![ids]].concat();
                with_ids.push(RecordBatch::try_new(Arc::clone(&with_id), columns)?);
            }
            let plain = Arc::new(MemTable::try_new(schema, vec![rows])?);
            tables.insert(name, (plain, Arc::new(MemTable::try_new(with_id, vec![with_ids])?)));
        }
        Ok(Self { tables, project: project() })
    }

    /// What plain DataFusion is asked.
    async fn plain(&self) -> Result<SessionContext> {
        let context = session();
        for (name, (rows, _)) in &self.tables {
            let is_view = VIEWS.iter().any(|view| view.contains(&format!("raw_{name}")));
            let name = if is_view { format!("raw_{name}") } else { (*name).to_owned() };
            context.register_table(name.as_str(), Arc::clone(rows) as Arc<dyn TableProvider>)?;
        }
        for view in VIEWS {
            context.sql(view).await?;
        }
        Ok(context)
    }
}

impl Binding for World {
    fn rows(&self, table: &Table, _: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::clone(&self.tables[table.dataset.as_str()].1) as Arc<dyn TableProvider>)
    }

    fn protector(&self, _: &OutputColumn) -> Result<Arc<dyn Protector>> {
        panic!("a query protects nothing")
    }

    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>> {
        panic!("`{dataset}.{column}` is not sealed")
    }
}

fn project() -> Project {
    let catalog = |(name, text): (&str, &str)| {
        let column = |(name, kind): (&str, &str)| {
            let kind = if kind == "decimal" { "'decimal(15,2)'" } else { kind };
            format!("  {name}: {{ type: {kind} }}\n")
        };
        let columns: String = columns(text).map(column).collect();
        let text =
            format!("dataset: {name}\nat: {{ store: landing, path: {name}.csv, format: csv }}\ncolumns:\n{columns}");
        (format!("catalog/{name}.yaml"), text)
    };
    let mut files = vec![("lockgate.yaml".to_owned(), SETTINGS.to_owned())];
    files.extend(TABLES.map(catalog));
    files.push(("policies/anna.yaml".to_owned(), POLICIES.to_owned()));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let loaded = Project::from_files(Path::new("/nowhere"), &files, &|_| None);
    loaded.unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics)).0
}

/// The same engine for all.
fn session() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1))
}

fn asker() -> Asker {
    let principal = "anna".parse().unwrap();
    Asker { principal, groups: Vec::new(), purpose: None, address: None, at: Timestamp::UNIX_EPOCH }
}

fn compiled(world: &World, sql: &str) -> CompiledQuery {
    compile_query(&world.project, sql, &asker()).unwrap_or_else(|refused| {
        let lines: Vec<_> = refused.diagnostics.iter().map(|d| d.line(&refused.sources)).collect();
        panic!("{sql}\n{}", lines.join("\n"))
    })
}

/// The plan without its hidden columns, which the engine then has no reason to compute.
fn without_sources(bound: &Governed<Bound>) -> Result<LogicalPlan> {
    let plan = bound.logical().clone();
    let columns = plan.schema().columns();
    let visible = columns.len() - bound.sources().len();
    LogicalPlanBuilder::from(plan).project(columns.into_iter().take(visible).map(Expr::Column))?.build()
}

async fn run(context: &SessionContext, plan: &LogicalPlan) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let physical = context.state().create_physical_plan(&context.state().optimize(plan)?).await?;
    let rows: usize = collect(physical, context.task_ctx()).await?.iter().map(RecordBatch::num_rows).sum();
    Ok((began.elapsed(), rows))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

async fn measure(folder: &Path, repeats: usize) -> Result<()> {
    let world = World::read(folder).await?;
    let plain_context = world.plain().await?;
    println!("| query | rows | plain, ms | governed | with sources | planning, ms | compiling beyond it, ms |");
    println!("|---|---|---|---|---|---|---|");
    for (name, sql) in queries::QUERIES {
        let compiled = compiled(&world, sql);
        let bound = compiled.plan.bind(&world)?;
        let (mut plain, mut governed, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        let (mut planning, mut compiling) = (Vec::new(), Vec::new());
        let mut counts = Vec::new();
        for _ in 0..repeats {
            let began = Instant::now();
            let by_hand = plain_context.state().create_logical_plan(sql).await?;
            planning.push(began.elapsed());
            let began = Instant::now();
            self::compiled(&world, sql);
            compiling.push(began.elapsed());
            for (plan, context, times) in [
                (by_hand, &plain_context, &mut plain),
                (without_sources(&bound)?, &session(), &mut governed),
                (bound.logical().clone(), &session(), &mut sources),
            ] {
                let (elapsed, rows) = run(context, &plan).await?;
                times.push(elapsed);
                counts.push(rows);
            }
        }
        assert!(counts.windows(2).all(|two| two[0] == two[1]), "{name}: the results have {counts:?} rows");
        let [plain, governed, sources, planning, compiling] =
            [plain, governed, sources, planning, compiling].map(median);
        println!(
            "| {name} | {} | {plain:.1} | {:.2} | {:.2} | {planning:.2} | {:.2} |",
            counts.first().unwrap_or(&0),
            governed / plain,
            sources / governed,
            compiling - planning,
        );
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let (Some(folder), Some(repeats)) = (args.next().map(PathBuf::from), args.next().and_then(|n| n.parse().ok()))
    else {
        println!("run by `cargo xtask bench tpch`");
        return;
    };
    measure(&folder, repeats).await.unwrap_or_else(|error| panic!("{error}"));
}
