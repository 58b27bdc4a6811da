//! One world of tables and policies, and queries asked of both.

use std::iter::Sum;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::collect;
use lockgate_model::{ColumnName, DatasetName};
use lockgate_plan::{
    Binding, CompiledQuery, OutputColumn, Protector, RowSet, Table, Unsealer, compile_query, engine_session,
};
use lockgate_project::Project;

use crate::support::asker;

use super::ast::{Query, Sources, Value, World};
use super::evaluate::{Row, rows, visible_ids};
use super::generate::{Random, query, world as generated};
use super::render;

pub(super) const PRINCIPAL: &str = "anna";

/// What became of the queries.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) asked: u64,
    /// Those that are governed, with equal rows and sources.
    pub(super) compared: u64,
    pub(super) with_rows: u64,
    /// Rows that were made from several source rows.
    pub(super) joined_rows: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            asked: a.asked + b.asked,
            compared: a.compared + b.compared,
            with_rows: a.with_rows + b.with_rows,
            joined_rows: a.joined_rows + b.joined_rows,
        })
    }
}

/// Asks generated queries of the world of a seed.
pub(super) fn world(seed: u64, queries: u64) -> Counts {
    let mut random = Random::new(seed);
    let world = generated(&mut random);
    let project = project(&world);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ask = |number| {
        let query = query(&mut random, &world);
        let told = format!("LOCKGATE_NAIVE_SEED={seed}, query {number}");
        runtime.block_on(ask(&project, &world, &query, &told))
    };
    (0..queries).map(ask).sum()
}

pub(super) fn project(world: &World) -> Project {
    let settings = "version: 1\nproject: naive\nstores:\n  landing: { at: 'file://./landing' }\nkeys:\n  default: \
                    { local: ./keys }\nledger: { at: 'file://./ledger' }\n";
    let mut files = vec![("lockgate.yaml".to_owned(), settings.to_owned())];
    files.extend(world.tables.iter().map(|table| (format!("catalog/{}.yaml", table.name), render::catalog(table))));
    files.push(("policies/generated.json".to_owned(), render::policies(world, PRINCIPAL)));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let loaded = Project::from_files(Path::new("/nowhere"), &files, &|_| None);
    loaded.unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics)).0
}

async fn ask(project: &Project, world: &World, query: &Query, told: &str) -> Counts {
    let sql = render::query(query);
    let asker = asker(PRINCIPAL);
    let asked = Counts { asked: 1, ..Counts::default() };
    let compiled = match compile_query(project, &sql, &asker) {
        Ok(compiled) => compiled,
        Err(refused) => {
            if std::env::var_os("LOCKGATE_NAIVE_VERBOSE").is_some() {
                let lines: Vec<_> = refused.diagnostics.iter().map(|d| d.line(&refused.sources)).collect();
                println!("{told}: refused: {lines:?}\n  {sql}");
            }
            return asked;
        }
    };
    let (found, whole) = match run(&compiled, world).await {
        Ok(found) => found,
        Err(DataFusionError::NotImplemented(_)) => return asked,
        Err(error) => panic!("{told}: {error}\n{sql}\n{world:?}"),
    };
    let mut expected = rows(world, query);
    let mut found = found;
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{told}\n{sql}\n{}\n{world:?}", compiled.plan.draw());
    for (table, passed) in whole {
        let visible = visible_ids(world, table);
        assert!(passed.is_subset(&visible), "{told}: rows {passed:?} of t{table} passed, {visible:?} may\n{sql}");
    }
    let joined_rows = expected.iter().filter(|row| row.sources.len() > 1).count() as u64;
    Counts { compared: 1, with_rows: u64::from(!expected.is_empty()), joined_rows, ..asked }
}

type Passed = Vec<(usize, Sources)>;

async fn run(compiled: &CompiledQuery, world: &World) -> Result<(Vec<Row>, Passed)> {
    let plan = &compiled.plan;
    let bound = plan.bind(&Rows { world })?;
    let context = engine_session()?;
    let physical = context.state().create_physical_plan(bound.logical()).await?;
    let batches = collect(physical, context.task_ctx()).await?;
    let mut rows = Vec::new();
    for batch in &batches {
        let shown = batch.num_columns() - bound.sources().len();
        for row in 0..batch.num_rows() {
            let values = batch.columns()[..shown].iter().map(|column| value(column, row)).collect();
            let sources = batch.columns()[shown..].iter().flat_map(|column| sources(column, row)).collect();
            rows.push(Row { values, sources });
        }
    }
    let passed = bound.passed().iter().map(|(relation, passed)| {
        let dataset = plan.relations()[*relation].dataset.as_str();
        let table = dataset.trim_start_matches('t').parse().unwrap();
        (table, passed.ranges().into_iter().flat_map(|(first, last)| first..=last).collect())
    });
    Ok((rows, passed.collect()))
}

fn value(column: &ArrayRef, row: usize) -> Value {
    match column.data_type() {
        _ if column.is_null(row) => Value::Null,
        DataType::Int64 => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        other => panic!("a column of {other}"),
    }
}

fn sources(column: &ArrayRef, row: usize) -> Vec<i64> {
    match column.data_type() {
        _ if column.is_null(row) => Vec::new(),
        DataType::Int64 => vec![column.as_primitive::<Int64Type>().value(row)],
        _ => match RowSet::read(column.as_list::<i32>(), row).unwrap() {
            RowSet::Rows(ids) => ids,
            RowSet::Covering { .. } => panic!("so few rows are covered by a range"),
        },
    }
}

pub(super) struct Rows<'a> {
    pub(super) world: &'a World,
}

impl Binding for Rows<'_> {
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        let number = self.world.tables.iter().position(|own| own.name == table.dataset.as_str()).unwrap();
        let own = &self.world.tables[number];
        let mut columns: Vec<ArrayRef> = Vec::new();
        for field in schema.fields() {
            let Some(index) = own.columns.iter().position(|(name, _)| name == field.name()) else {
                let ids = (0..own.rows.len()).map(|row| ((number as i64) << 40) + row as i64);
                columns.push(Arc::new(ids.collect::<Int64Array>()));
                continue;
            };
            let values = own.rows.iter().map(|row| &row[index]);
            columns.push(match field.data_type() {
                DataType::Int64 => Arc::new(
                    values
                        .map(|value| match value {
                            Value::Int(value) => Some(*value),
                            _ => None,
                        })
                        .collect::<Int64Array>(),
                ),
                _ => Arc::new(
                    values
                        .map(|value| match value {
                            Value::Text(value) => Some(value.as_str()),
                            _ => None,
                        })
                        .collect::<StringArray>(),
                ),
            });
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn protector(&self, _: &OutputColumn) -> Result<Arc<dyn Protector>> {
        panic!("a query protects nothing")
    }

    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>> {
        panic!("`{dataset}.{column}` is not sealed")
    }
}
