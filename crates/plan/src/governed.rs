//! An engine takes `Governed` and nothing else, and only this crate can make one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, TableScan, TableScanBuilder};
use lockgate_model::DatasetName;

use crate::facts::Dependence;
use crate::output_column::OutputColumn;
use crate::protect_function::{ProtectFunction, Protector};
use crate::table::{Table, schema_with_row_ids, table_of};

/// The proof that what it holds was classified and protected by this crate.
///
/// ```compile_fail
/// let forged = lockgate_plan::Governed { inner: 1 };
/// ```
#[derive(Debug)]
pub struct Governed<P> {
    inner: P,
}

/// A compiled pipeline: its plan without data and without keys.
#[derive(Debug)]
pub struct Plan {
    logical: LogicalPlan,
    columns: Vec<OutputColumn>,
    filters: Vec<Dependence>,
    tables: BTreeMap<DatasetName, Arc<Table>>,
}

/// A compiled pipeline with its data and keys, ready to execute.
#[derive(Debug)]
pub struct Bound {
    logical: LogicalPlan,
}

/// What a run gives to a plan before it executes.
pub trait Binding {
    /// The rows of a table, with exactly this schema: the table's columns, then the row id (bigint, never null).
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>>;

    /// The protector of an output column that is sealed, tokenized or format-preservingly encrypted.
    fn protector(&self, column: &OutputColumn) -> Result<Arc<dyn Protector>>;
}

impl Governed<Plan> {
    pub(crate) fn new(
        logical: LogicalPlan,
        columns: Vec<OutputColumn>,
        filters: Vec<Dependence>,
        tables: BTreeMap<DatasetName, Arc<Table>>,
    ) -> Self {
        Self { inner: Plan { logical, columns, filters, tables } }
    }

    /// All columns of the query in order, dropped ones included.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.inner.columns
    }

    /// The columns that decide which rows are in the output.
    pub fn filters(&self) -> &[Dependence] {
        &self.inner.filters
    }

    /// The tables that the plan reads.
    pub fn reads(&self) -> impl Iterator<Item = &Table> {
        self.inner.tables.values().map(AsRef::as_ref)
    }

    /// The plan, drawn for people: one node a line.
    pub fn draw(&self) -> String {
        self.inner.logical.display_indent().to_string()
    }

    /// Gives the plan its rows and keys. Fails if the binding lacks one.
    pub fn bind(&self, binding: &dyn Binding) -> Result<Governed<Bound>> {
        let logical = self.inner.logical.clone().transform_up(|node| match node {
            LogicalPlan::TableScan(scan) => bind_scan(scan, binding).map(Transformed::yes),
            other => other.map_expressions(|expr| expr.transform_up(|expr| self.bind_expression(expr, binding))),
        });
        Ok(Governed { inner: Bound { logical: logical.data()? } })
    }

    fn bind_expression(&self, expr: Expr, binding: &dyn Binding) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
        let Some(function) = call.func.inner().downcast_ref::<ProtectFunction>() else {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        };
        let column = self.inner.columns.iter().find(|column| &column.name == function.column());
        let column = column.ok_or_else(|| DataFusionError::Internal("a protected column is not an output".into()))?;
        if !column.protection.as_ref().is_some_and(|protection| protection.is_keyed()) {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        call.func = Arc::new(ScalarUDF::new_from_impl(function.bind(binding.protector(column)?)));
        Ok(Transformed::yes(Expr::ScalarFunction(call)))
    }
}

fn bind_scan(scan: TableScan, binding: &dyn Binding) -> Result<LogicalPlan> {
    let table = table_of(&scan.source)
        .ok_or_else(|| DataFusionError::Internal(format!("scan of `{}` was not planned here", scan.table_name)))?;
    let schema = schema_with_row_ids(&table);
    let provider = binding.rows(&table, Arc::clone(&schema))?;
    if provider.schema() != schema {
        return Err(DataFusionError::Internal(format!("the rows of `{}` have another schema", table.dataset)));
    }
    TableScanBuilder::new(scan.table_name, provider_as_source(provider)).build().map(LogicalPlan::TableScan)
}

impl Governed<Bound> {
    /// The plan for the engine. Its output is the stored columns in order, then the row id.
    pub fn logical(&self) -> &LogicalPlan {
        &self.inner.logical
    }
}
