//! Governed plans on the engine: what comes out is protected, and every row has the id of its source.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use lockgate_model::{ColumnName, DatasetName};
use lockgate_plan::{Binding, OutputColumn, Protector, Table, Unsealer};

use crate::support::plan_of;

/// Two customers; row ids 7 and 9.
struct Rows;

#[derive(Debug)]
struct Bracket(String);

impl Protector for Bracket {
    fn protect(&self, values: &ArrayRef, subjects: Option<&ArrayRef>) -> Result<ArrayRef, String> {
        let values = values.as_string::<i32>();
        let subjects = subjects.map(|subjects| subjects.as_primitive::<Int64Type>());
        let bracket = |row: usize| {
            let subject = subjects.map(|subjects| subjects.value(row).to_string()).unwrap_or_default();
            values.is_valid(row).then(|| format!("{}[{subject}]", self.0))
        };
        Ok(Arc::new((0..values.len()).map(bracket).collect::<StringArray>()))
    }
}

impl Binding for Rows {
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        assert_eq!(table.dataset.as_str(), "customers");
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "id" => Arc::new(Int64Array::from(vec![1, 2])),
                "name" => Arc::new(StringArray::from(vec![Some("Ada"), None])),
                "email" => Arc::new(StringArray::from(vec!["a@example.com", "b@example.com"])),
                "phone" => Arc::new(StringArray::from(vec!["+44 1234", "0041 99"])),
                "city" => Arc::new(StringArray::from(vec!["Bern", "Oslo"])),
                "score" => Arc::new(Int32Array::from(vec![3, 0])),
                "__lockgate_rid" => Arc::new(Int64Array::from(vec![7, 9])),
                _ => new_null_array(field.data_type(), 2),
            }
        });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn protector(&self, column: &OutputColumn) -> Result<Arc<dyn Protector>> {
        Ok(Arc::new(Bracket(column.protection.as_ref().unwrap().to_string())))
    }

    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>> {
        panic!("`{dataset}.{column}` is not sealed")
    }
}

async fn rows_of(sql: &str) -> Result<Vec<String>> {
    let plan = plan_of(sql);
    let bound = plan.bind(&Rows)?;
    let sources = bound.sources().len();
    let context = SessionContext::new();
    let physical = context.state().create_physical_plan(bound.logical()).await?;
    let batches = collect(physical, context.task_ctx()).await?;
    let show = |batch: &RecordBatch| -> Vec<String> {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| arrow::compute::cast(c, &arrow::datatypes::DataType::Utf8).unwrap())
            .collect();
        let cell = |column: &ArrayRef, row: usize| {
            if column.is_null(row) { "∅".to_owned() } else { column.as_string::<i32>().value(row).to_owned() }
        };
        let (shown, hidden) = columns.split_at(columns.len() - sources);
        let row = |row: usize| {
            let ids = hidden.iter().map(|c| cell(c, row)).filter(|id| id != "∅").collect::<Vec<_>>().join(" ");
            shown.iter().map(|c| cell(c, row)).chain([ids]).collect::<Vec<_>>().join(" | ")
        };
        (0..batch.num_rows()).map(row).collect()
    };
    Ok(batches.iter().flat_map(show).collect())
}

#[tokio::test]
async fn protected_values_and_row_ids_come_out() {
    let rows = rows_of("SELECT id, name, lower(email) AS email, phone, gender, city FROM customers").await.unwrap();
    assert_eq!(
        rows,
        [
            "1 | seal[1] | token(domain: customer)[] | +nn 1234 | Bern | 7",
            "2 | ∅ | token(domain: customer)[] | nnn1 99 | Oslo | 9",
        ]
    );
}

#[tokio::test]
async fn filters_and_union_all_keep_the_row_ids_of_their_sources() {
    assert_eq!(rows_of("SELECT city FROM customers WHERE score < 2").await.unwrap(), ["Oslo | 9"]);
    let mut rows =
        rows_of("SELECT city FROM customers UNION ALL SELECT city FROM customers WHERE id = 1").await.unwrap();
    rows.sort();
    assert_eq!(rows, ["Bern | 7", "Bern | 7", "Oslo | 9"]);
}

#[tokio::test]
async fn a_failing_expression_fails_the_query() {
    assert!(rows_of("SELECT 10 / score AS x FROM customers").await.is_err());
}
