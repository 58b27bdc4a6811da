//! Results in one written form, here and on Spark: a text for each value, exact.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::collect;
use lockgate_plan::{Binding, Bound, Governed, Plan, SparkSql, engine_session};

use super::world::Rows;

/// What became of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The types and the rows, sorted where their order does not count.
    Rows(Table),
    Failed,
}

/// Types by Spark's names, and rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) types: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

pub(crate) async fn run_plan(plan: &Governed<Plan>, is_ordered: bool) -> Outcome {
    outcome(plan.bind(&Rows), is_ordered).await
}

pub(crate) async fn run_text(text: &SparkSql, is_ordered: bool) -> Outcome {
    outcome(text.bind(&Rows), is_ordered).await
}

/// The rows that passed the barrier of a relation that is read as a whole.
pub(crate) async fn whole(plan: &Governed<Plan>, relation: usize) -> Outcome {
    let bound = plan.bind(&Rows).unwrap();
    run(&bound).await.unwrap();
    let ranges = bound.passed().get(&relation).map(|passed| passed.ranges()).unwrap_or_default();
    let mut ids: Vec<i64> = ranges.into_iter().flat_map(|(first, last)| first..=last).collect();
    ids.sort_by_key(ToString::to_string);
    let rows = ids.into_iter().map(|id| vec![Some(id.to_string())]).collect();
    Outcome::Rows(Table { types: vec!["bigint".into()], rows })
}

async fn outcome(bound: Result<Governed<Bound>>, is_ordered: bool) -> Outcome {
    let bound = bound.unwrap();
    let table = if is_ordered { run(&bound).await } else { run_sorted(&bound).await };
    table.map_or(Outcome::Failed, Outcome::Rows)
}

pub(crate) async fn run(bound: &Governed<Bound>) -> Result<Table> {
    let context = engine_session()?;
    let physical = context.state().create_physical_plan(bound.logical()).await?;
    let types = physical.schema().fields().iter().map(|field| spark_type(field.data_type())).collect();
    let batches = collect(physical, context.task_ctx()).await?;
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| written(column, row)).collect())
    });
    Ok(Table { types, rows: rows.collect() })
}

/// A plan over some rows, sorted; `None` for a correlated subquery that the engine does not execute.
pub(crate) async fn run_over(plan: &Governed<Plan>, rows: &dyn Binding) -> Option<Table> {
    match run_sorted(&plan.bind(rows).unwrap()).await {
        Err(DataFusionError::NotImplemented(_)) => None,
        result => Some(result.unwrap()),
    }
}

pub(crate) async fn run_sorted(bound: &Governed<Bound>) -> Result<Table> {
    let mut table = run(bound).await?;
    table.rows.sort();
    Ok(table)
}

fn spark_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "string".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Int32 => "int".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(item) => format!("array<{}>", spark_type(item.data_type())),
        other => panic!("a column of {other}"),
    }
}

fn written(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Float64 => format!("{:016x}", column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(row);
            let ids = list.as_primitive::<Int64Type>().iter();
            let ids: Vec<String> = ids.map(|id| id.map_or_else(|| "null".into(), |id| id.to_string())).collect();
            format!("[{}]", ids.join(", "))
        }
        _ => arrow::util::display::array_value_to_string(column, row).unwrap(),
    })
}
