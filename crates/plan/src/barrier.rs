//! Nothing of a query is evaluated below the barrier, and the barrier sees every row that goes to the query.
//!
//! ```text
//! before (plain DataFusion, a view)          after
//! Filter: 100 / (id - 4) > 0 AND owner = me   Filter: 100 / (id - 4) > 0
//!   Scan                                        Barrier
//!                                                 Filter: owner = me
//!                                                   Scan
//! ```
//! As a leaf of the logical plan and as a physical node it takes no filter, no limit and no statistics through; where a
//! relation is read as a whole, the row ids that pass are recorded.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::leak_proof::is_leak_proof;

/// The row ids that passed a barrier, ascending ranges of them.
#[derive(Debug, Default)]
pub struct PassedRows {
    ranges: Mutex<Vec<(i64, i64)>>,
}

impl PassedRows {
    fn record(&self, batch: &RecordBatch) -> Result<()> {
        let column = batch.num_columns().checked_sub(1).map(|last| batch.column(last));
        let ids = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
        let ids = ids.ok_or_else(|| DataFusionError::Internal("a guarded table without row ids".into()))?;
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids.values() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *id => *last = *id,
                Some((first, last)) if (*first..=*last).contains(id) => {}
                _ => ranges.push((*id, *id)),
            }
        }
        Ok(())
    }

    /// The ranges, first and last id of each, ascending and apart.
    pub fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ranges.sort_unstable();
        let mut apart: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => apart.push((first, last)),
            }
        }
        apart
    }
}

/// A table whose inside the engine does not see.
#[derive(Debug)]
pub(crate) struct GuardedTable {
    /// The visible columns, then the row id.
    pub(crate) schema: SchemaRef,
    /// What gives them.
    pub(crate) inside: LogicalPlan,
    /// For each visible column, whether comparisons with it may be evaluated inside.
    pub(crate) is_comparable: Vec<bool>,
    /// Where the rows that pass are recorded, if they are to be.
    pub(crate) passed: Option<Arc<PassedRows>>,
}

impl GuardedTable {
    fn takes(&self, filter: &Expr) -> bool {
        let is_clear = |name: &str| {
            let index = self.schema.index_of(name).ok();
            index.and_then(|index| self.is_comparable.get(index)).copied().unwrap_or(false)
        };
        // Of a relation that is read as a whole, a row that the predicate rejects has been asked about as well.
        self.passed.is_none() && is_leak_proof(filter, &is_clear)
    }

    /// The inside with the predicates that may be evaluated there, over its own column names.
    fn inside_with(&self, filters: &[Expr]) -> Result<LogicalPlan> {
        let own_names = |filter: &Expr| {
            use datafusion::common::tree_node::{Transformed, TreeNode};
            let renamed = filter.clone().transform_up(|part| match part {
                Expr::Column(column) => {
                    let inside = self.inside.schema().columns().into_iter().find(|inside| inside.name == column.name);
                    let inside = inside.ok_or_else(|| {
                        DataFusionError::Internal("a predicate of a column that a guarded table has not".into())
                    })?;
                    Ok(Transformed::yes(Expr::Column(inside)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok::<_, DataFusionError>(renamed.data)
        };
        let taken = filters.iter().filter(|filter| self.takes(filter)).map(own_names).collect::<Result<Vec<_>>>()?;
        match conjunction(taken) {
            Some(predicate) => LogicalPlanBuilder::from(self.inside.clone()).filter(predicate)?.build(),
            None => Ok(self.inside.clone()),
        }
    }
}

#[async_trait]
impl TableProvider for GuardedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: the engine evaluates them again, above.
        let verdict = |filter: &&Expr| {
            if self.takes(filter) {
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(verdict).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let inside = self.inside_with(filters)?;
        let columns = inside.schema().columns();
        let row_id = columns.len().saturating_sub(1);
        let read = wanted.iter().copied().chain(self.passed.as_ref().map(|_| row_id));
        let read = read.map(|index| {
            let column = columns.get(index).cloned().map(Expr::Column);
            let name = self.schema.fields().get(index).map(|field| field.name().clone());
            column.zip(name).map(|(column, name)| column.alias(name))
        });
        let read: Option<Vec<Expr>> = read.collect();
        let read = read.ok_or_else(|| DataFusionError::Internal("a guarded table has fewer columns".into()))?;
        // A row id may stand twice, as a column that is wanted and as the one that is recorded.
        let read = read.into_iter().enumerate().map(|(place, column)| match place < wanted.len() {
            true => column,
            false => column.unalias().alias(PASSED),
        });
        let plan = LogicalPlanBuilder::from(inside).project(read)?.build()?;
        let input = state.create_physical_plan(&plan).await?;
        let schema = Arc::new(self.schema.project(wanted)?);
        Ok(Arc::new(BarrierExec::new(input, schema, self.passed.clone())))
    }
}

/// The column of the row ids that are recorded.
const PASSED: &str = "__lockgate_passed";

/// Passes batches on and nothing else.
#[derive(Debug, Clone)]
struct BarrierExec {
    input: Arc<dyn ExecutionPlan>,
    /// The columns of the input that go on: all, or all but the last.
    schema: SchemaRef,
    passed: Option<Arc<PassedRows>>,
    properties: Arc<PlanProperties>,
}

impl BarrierExec {
    fn new(input: Arc<dyn ExecutionPlan>, schema: SchemaRef, passed: Option<Arc<PassedRows>>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, schema, passed, properties: Arc::new(properties) }
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("BarrierExec")
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// None: to whatever rearranges the query's plan, this is a leaf. What is inside was planned by itself.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => Err(DataFusionError::Internal("a barrier is a leaf".into())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (schema, passed) = (Arc::clone(&self.schema), self.passed.clone());
        let kept: Vec<usize> = (0..schema.fields().len()).collect();
        let batches = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            if let Some(passed) = &passed {
                passed.record(&batch)?;
            }
            let columns = batch.project(&kept)?;
            Ok(columns.with_schema(Arc::clone(&schema))?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    /// What is known of the rows inside would tell of those that are hidden.
    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}
