//! No row leaves a guarded table before the policy's filter, and no value before its mask.
//!
//! ```text
//! Projection: id, city, lockgate_mask(email) AS email, __lockgate_rid      what SQL sees
//!   Filter: country = 'CH'                                                 the policy's rows
//!     TableScan: customers [every column, __lockgate_rid]                  what there is
//! ```
//! To the engine a guarded table is a leaf: what is inside is planned by itself, and nothing of the query moves into it
//! but comparisons of a clear column with a literal ([`crate::leak_proof`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use lockgate_model::{ColumnName, DatasetName};

use crate::table::{SealedColumn, Table, table_of};

/// What stands between the rows of a table and whoever asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The visible columns and the row id, over the policy's filter, over the whole table.
    pub(crate) plan: LogicalPlan,
    /// For each visible column, whether it is the table's own value, unchanged.
    pub(crate) is_clear: Vec<bool>,
    /// The sealed columns that are opened for whoever asks.
    pub(crate) unsealed: BTreeMap<ColumnName, SealedColumn>,
}

impl Guard {
    /// The tables that are read behind the guard, those that the policy's own subqueries name included.
    pub(crate) fn tables(&self) -> Result<BTreeMap<DatasetName, Arc<Table>>> {
        scanned_tables(&self.plan)
    }
}

/// The sealed columns that are opened for whoever asks, of the tables that a plan scans.
pub(crate) fn unsealed_columns(plan: &LogicalPlan) -> Result<BTreeMap<(DatasetName, ColumnName), SealedColumn>> {
    let mut found = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = table_of(&scan.source)
        {
            let unsealed = table.guard.iter().flat_map(|guard| &guard.unsealed);
            found.extend(unsealed.map(|(column, sealed)| ((table.dataset.clone(), column.clone()), sealed.clone())));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The tables that a plan scans, those of its subqueries included.
pub(crate) fn scanned_tables(plan: &LogicalPlan) -> Result<BTreeMap<DatasetName, Arc<Table>>> {
    let mut found = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = table_of(&scan.source).ok_or_else(|| {
                DataFusionError::Internal(format!("scan of `{}` was not planned here", scan.table_name))
            })?;
            match &table.guard {
                Some(guard) => found.extend(guard.tables()?),
                None => drop(found.insert(table.dataset.clone(), table)),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
