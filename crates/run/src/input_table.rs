//! The inputs of one table as the engine scans them: of Parquet files, row groups in which no row can meet the query's
//! conditions are not read.
//!
//! A pipeline reads everything nonetheless: what it sets aside and counts must not depend on its conditions.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use lockgate_connect::RowGroups;
use lockgate_model::ColumnName;

use crate::inputs::Partitions;
use crate::reading::TableReader;

/// The inputs of one table.
#[derive(Debug)]
pub(crate) struct InputTable {
    pub(crate) reader: TableReader,
    /// Whether rows that meet no condition may be left out before they are read.
    pub(crate) prunes: bool,
}

#[async_trait]
impl TableProvider for InputTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.reader.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: the engine evaluates them on every row that is read.
        let verdict = match self.prunes {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(vec![verdict; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut reader = self.reader.clone();
        if let Some(condition) = conjunction(filters.iter().cloned()).filter(|_| self.prunes) {
            let schema = DFSchema::try_from(self.schema())?;
            let condition = state.create_physical_expr(condition, &schema)?;
            // A condition that statistics say nothing about leaves nothing out.
            let pruning = PruningPredicateBuilder::new().with_file_schema(self.schema()).try_build(condition);
            reader.condition = pruning.ok().map(Arc::new);
        }
        let stream = StreamingTable::try_new(self.schema(), vec![Arc::new(reader)])?;
        stream.scan(state, projection, &[], limit).await
    }
}

/// Says of each row group whether one of its rows may meet the condition.
pub(crate) fn wanted_row_groups(
    condition: &PruningPredicate,
    groups: &RowGroups<'_>,
    partitions: &Partitions,
) -> Vec<bool> {
    condition.prune(&Statistics { groups, partitions }).unwrap_or_default()
}

struct Statistics<'a> {
    groups: &'a RowGroups<'a>,
    partitions: &'a Partitions,
}

impl Statistics<'_> {
    fn bounds(&self, column: &Column) -> Option<(ArrayRef, ArrayRef)> {
        let name: ColumnName = column.name.parse().ok()?;
        match self.partitions.iter().find(|(partition, _)| *partition == name) {
            // The value in the file's path is that of all of its rows.
            Some((_, value)) => {
                let value = take(value, &UInt32Array::from(vec![0; self.num_containers()]), None).ok()?;
                Some((Arc::clone(&value), value))
            }
            None => self.groups.bounds(&name),
        }
    }
}

impl PruningStatistics for Statistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column).map(|(smallest, _)| smallest)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column).map(|(_, largest)| largest)
    }

    fn num_containers(&self) -> usize {
        self.groups.rows().len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let name: ColumnName = column.name.parse().ok()?;
        match self.partitions.iter().any(|(partition, _)| *partition == name) {
            true => Some(Arc::new(UInt64Array::from(vec![0; self.num_containers()]))),
            false => self.groups.null_counts(&name).map(|counts| Arc::new(counts) as ArrayRef),
        }
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.groups.rows()))
    }

    fn contained(&self, _: &Column, _: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
