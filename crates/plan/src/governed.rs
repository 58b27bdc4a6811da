//! An engine takes `Governed` and nothing else, and only this crate can make one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, TableScan, TableScanBuilder};
use lockgate_model::{ColumnName, DatasetName, Form};

use crate::barrier::{GuardedTable, PassedRows};
use crate::draw::draw;
use crate::facts::Dependence;
use crate::guard::GuardedTableFacts;
use crate::output_column::OutputColumn;
use crate::pin_condition::pin_conditions;
use crate::protect_function::{ProtectFunction, Protector};
use crate::provenance::{Provenance, RowShape, SourceRelation};
use crate::table::{Reading, SealedColumn, Table, planned_here, schema_with_row_ids};
use crate::unseal_function::{UnsealFunction, Unsealer};

/// The proof that what it holds was classified and protected by this crate.
///
/// ```compile_fail
/// let forged = lockgate_plan::Governed { inner: 1 };
/// ```
#[derive(Debug)]
pub struct Governed<P> {
    inner: P,
}

/// A compiled query: its plan without data and without keys.
#[derive(Debug)]
pub struct Plan {
    pub(crate) logical: LogicalPlan,
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) filters: Vec<Dependence>,
    pub(crate) tables: BTreeMap<DatasetName, Arc<Table>>,
    pub(crate) unseals: BTreeMap<(DatasetName, ColumnName), SealedColumn>,
    pub(crate) guarded: BTreeMap<DatasetName, GuardedTableFacts>,
    pub(crate) read_by_policies: BTreeSet<DatasetName>,
    pub(crate) provenance: Provenance,
}

/// A compiled query with its data and keys, ready to execute.
#[derive(Debug)]
pub struct Bound {
    logical: LogicalPlan,
    sources: Vec<usize>,
    passed: BTreeMap<usize, Arc<PassedRows>>,
}

/// What a run gives to a plan before it executes.
pub trait Binding {
    /// The rows of a table, with exactly this schema: the table's columns, then the row id (bigint, never null).
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>>;

    /// What opens the values of a sealed column that whoever asks may unseal.
    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>>;

    /// The protector of an output column that is sealed, tokenized or format-preservingly encrypted.
    fn protector(&self, column: &OutputColumn) -> Result<Arc<dyn Protector>>;
}

impl Governed<Plan> {
    pub(crate) fn new(inner: Plan) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Plan {
        &self.inner
    }

    /// All columns of the query in order, dropped ones included.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.inner.columns
    }

    /// The columns that decide which rows are in the output.
    pub fn filters(&self) -> &[Dependence] {
        &self.inner.filters
    }

    /// The relations that the plan reads, in the order of the SQL: a dataset that is named twice is two of them.
    pub fn relations(&self) -> &[SourceRelation] {
        &self.inner.provenance.relations
    }

    /// How the rows of the output relate to rows of the relations.
    pub fn row_shape(&self) -> RowShape {
        self.inner.provenance.shape
    }

    /// The columns of a dataset that the output or the choice of its rows depends on, with the form of their values.
    pub fn columns_read(&self, dataset: &DatasetName) -> BTreeMap<ColumnName, Form> {
        let depends = self.inner.columns.iter().flat_map(|column| &column.lineage).chain(&self.inner.filters);
        let table = self.inner.tables.get(dataset);
        let form = |name: &ColumnName| {
            let column = table.and_then(|table| table.columns.iter().find(|column| column.name == *name));
            column.map_or(Form::Clear, |column| column.form)
        };
        depends
            .filter(|dependence| dependence.dataset == *dataset)
            .map(|dependence| (dependence.column.clone(), form(&dependence.column)))
            .collect()
    }

    /// Whether each row of the output is made from one source row, and no relation is read as a whole.
    pub fn is_row_wise(&self) -> bool {
        self.row_shape() <= RowShape::OneSource && self.relations().iter().all(|relation| relation.is_listed)
    }

    /// The tables that the plan reads, those behind policies' own subqueries included.
    pub fn reads(&self) -> impl Iterator<Item = &Table> {
        self.inner.tables.values().map(AsRef::as_ref)
    }

    /// The sealed columns that the plan opens, and what that takes.
    pub fn unseals(&self) -> &BTreeMap<(DatasetName, ColumnName), SealedColumn> {
        &self.inner.unseals
    }

    /// What of each guarded table gets through, of those that the query names.
    pub fn guarded(&self) -> &BTreeMap<DatasetName, GuardedTableFacts> {
        &self.inner.guarded
    }

    /// The datasets that the policies' own subqueries read: whole, whatever the query asks for.
    pub fn read_by_policies(&self) -> &BTreeSet<DatasetName> {
        &self.inner.read_by_policies
    }

    /// The plan, drawn for people: one node a line, with what policies put before each table.
    pub fn draw(&self) -> String {
        draw(&self.inner.logical)
    }

    /// Gives the plan its rows and keys. Fails if the binding lacks one.
    pub fn bind(&self, binding: &dyn Binding) -> Result<Governed<Bound>> {
        let passed = Mutex::new(BTreeMap::new());
        let logical = self.inner.logical.clone().transform_up_with_subqueries(|node| match node {
            LogicalPlan::TableScan(scan) => self.bind_scan(scan, binding, &passed).map(Transformed::yes),
            other => other.map_expressions(|expr| expr.transform_up(|expr| self.bind_expression(expr, binding))),
        });
        let sources = self.inner.provenance.carriers.iter().map(|carrier| carrier.source).collect();
        let passed = passed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Governed { inner: Bound { logical: logical.data()?, sources, passed } })
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

    fn bind_scan(
        &self,
        scan: TableScan,
        binding: &dyn Binding,
        passed: &Mutex<BTreeMap<usize, Arc<PassedRows>>>,
    ) -> Result<LogicalPlan> {
        let source = planned_here(&scan.source)
            .ok_or_else(|| DataFusionError::Internal(format!("scan of `{}` was not planned here", scan.table_name)))?;
        let table = &source.table;
        let recorder = match source.reading {
            Reading::Plain | Reading::WithRowIds => None,
            Reading::AsAWhole(relation) => {
                let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Arc::clone(passed.entry(relation).or_default()))
            }
        };
        let schema = schema_with_row_ids(table);
        let provider: Arc<dyn TableProvider> = match (&table.guard, recorder) {
            (None, None) => rows_of(table, binding)?,
            (None, Some(passed)) => {
                let rows = provider_as_source(rows_of(table, binding)?);
                let inside = LogicalPlan::TableScan(TableScanBuilder::new(scan.table_name.clone(), rows).build()?);
                let is_comparable = vec![true; table.columns.len()];
                Arc::new(GuardedTable { schema, inside, is_comparable, passed: Some(passed) })
            }
            (Some(guard), passed) => {
                let inside = guard.plan.clone().transform_up_with_subqueries(|node| match node {
                    LogicalPlan::TableScan(scan) => bind_raw_scan(scan, binding).map(Transformed::yes),
                    other => other.map_expressions(|expr| expr.transform_up(|expr| self.bind_unseal(expr, binding))),
                });
                Arc::new(GuardedTable {
                    schema,
                    inside: inside.data()?,
                    is_comparable: guard.is_comparable.clone(),
                    passed,
                })
            }
        };
        scan_of(scan.table_name, source.reading, table, provider)
    }

    /// Gives keys to what opens a column that the plan reads; what it does not read is never opened.
    fn bind_unseal(&self, expr: Expr, binding: &dyn Binding) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
        let Some(function) = call.func.inner().downcast_ref::<UnsealFunction>() else {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        };
        if !self.inner.unseals.contains_key(&(function.dataset.clone(), function.column.clone())) {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        let unsealer = binding.unsealer(&function.dataset, &function.column)?;
        call.func = Arc::new(ScalarUDF::new_from_impl(function.bind(unsealer)));
        Ok(Transformed::yes(Expr::ScalarFunction(call)))
    }
}

/// A scan inside of a guard: the whole table, as the policy sees it.
fn bind_raw_scan(scan: TableScan, binding: &dyn Binding) -> Result<LogicalPlan> {
    match planned_here(&scan.source) {
        Some(source) if source.table.guard.is_none() => {
            let rows = rows_of(&source.table, binding)?;
            scan_of(scan.table_name, source.reading, &source.table, rows)
        }
        _ => Err(DataFusionError::Internal(format!("scan of `{}` was not planned here", scan.table_name))),
    }
}

fn rows_of(table: &Table, binding: &dyn Binding) -> Result<Arc<dyn TableProvider>> {
    let schema = schema_with_row_ids(table);
    let provider = binding.rows(table, Arc::clone(&schema))?;
    if provider.schema() != schema {
        return Err(DataFusionError::Internal(format!("the rows of `{}` have another schema", table.dataset)));
    }
    Ok(provider)
}

fn scan_of(
    name: TableReference,
    reading: Reading,
    table: &Table,
    provider: Arc<dyn TableProvider>,
) -> Result<LogicalPlan> {
    let projection = match reading {
        Reading::WithRowIds => None,
        Reading::Plain | Reading::AsAWhole(_) => Some((0..table.columns.len()).collect()),
    };
    let scan = TableScanBuilder::new(name, provider_as_source(provider)).with_projection(projection);
    scan.build().map(LogicalPlan::TableScan)
}

impl Governed<Bound> {
    /// What was written of a governed plan, read again over tables without guards: policies' filters and masks are in it.
    pub(crate) fn of_raw_tables(plan: &LogicalPlan, sources: Vec<usize>, binding: &dyn Binding) -> Result<Self> {
        let logical = plan.clone().transform_up_with_subqueries(|node| match node {
            LogicalPlan::TableScan(scan) => bind_raw_scan(scan, binding).map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        });
        let logical = pin_conditions(logical.data()?)?;
        Ok(Self { inner: Bound { logical, sources, passed: BTreeMap::new() } })
    }

    /// The plan for the engine. Its output is the columns of the query in order, those that are dropped left out, then one
    /// hidden column for each of [`Self::sources`].
    pub fn logical(&self) -> &LogicalPlan {
        &self.inner.logical
    }

    /// For each hidden column at the end of a batch, the relation whose rows it names: a bigint, null where it names none,
    /// or a list ([`crate::RowSet`]).
    pub fn sources(&self) -> &[usize] {
        &self.inner.sources
    }

    /// What was read of the relations that are read as a whole, by their numbers; complete once the plan has run.
    pub fn passed(&self) -> &BTreeMap<usize, Arc<PassedRows>> {
        &self.inner.passed
    }
}
