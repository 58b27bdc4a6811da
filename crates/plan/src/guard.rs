//! No row leaves a guarded table before the policy's filter, and no value before its mask.
//!
//! ```text
//! Projection: id, city, lockgate_mask(email) AS email, __lockgate_rid      what SQL sees
//!   Filter: country = 'CH'                                                 the policy's rows
//!     TableScan: customers [every column, __lockgate_rid]                  what there is
//! ```
//! To the engine a guarded table is a leaf: what is inside is planned by itself, and nothing of the query moves into it
//! but comparisons of a clear column with a literal ([`crate::leak_proof`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use lockgate_model::{ColumnName, DatasetName};

use crate::table::{SealedColumn, Table, table_of};

/// What stands between the rows of a table and whoever asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The visible columns and the row id, over the policy's filter, over the whole table.
    pub(crate) plan: LogicalPlan,
    /// For each visible column, whether comparisons with it may be evaluated inside.
    pub(crate) is_comparable: Vec<bool>,
    /// What gets past it.
    pub(crate) facts: GuardedTableFacts,
    /// The sealed columns that are opened for whoever asks.
    pub(crate) unsealed: BTreeMap<ColumnName, SealedColumn>,
    /// Whether the policy looks at other rows than the one that it decides of.
    pub(crate) has_subqueries: bool,
}

impl Guard {
    /// The tables that are read behind the guard, those that the policy's own subqueries name included.
    pub(crate) fn tables(&self) -> Result<BTreeMap<DatasetName, Arc<Table>>> {
        scanned_tables(&self.plan)
    }
}

/// What of a table gets past its guards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuardedTableFacts {
    /// Whether rows are held back.
    pub has_row_filter: bool,
    /// The columns that are seen as they are.
    pub clear_columns: BTreeSet<ColumnName>,
}

/// The guarded tables that a plan scans.
pub(crate) fn guarded_tables(plan: &LogicalPlan) -> Result<BTreeMap<DatasetName, GuardedTableFacts>> {
    let mut found = BTreeMap::new();
    for_each_guard(plan, &mut |table, guard| {
        found.insert(table.dataset.clone(), guard.facts.clone());
        Ok(())
    })?;
    Ok(found)
}

/// The datasets that the policies' own subqueries read.
pub(crate) fn read_by_policies(plan: &LogicalPlan) -> Result<BTreeSet<DatasetName>> {
    let mut found = BTreeSet::new();
    for_each_guard(plan, &mut |_, guard| {
        guard.plan.apply(|node| {
            node.apply_subqueries(|subquery| {
                found.extend(scanned_tables(subquery)?.into_keys());
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(())
    })?;
    Ok(found)
}

fn for_each_guard(plan: &LogicalPlan, each: &mut dyn FnMut(&Table, &Guard) -> Result<()>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = table_of(&scan.source)
            && let Some(guard) = &table.guard
        {
            each(&table, guard)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Whether an expression of a plan holds a subquery.
pub(crate) fn has_subqueries(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        node.apply_subqueries(|_| {
            found = true;
            Ok(TreeNodeRecursion::Stop)
        })
    })?;
    Ok(found)
}

/// The sealed columns that are opened for whoever asks, of the tables that a plan scans.
pub(crate) fn unsealed_columns(plan: &LogicalPlan) -> Result<BTreeMap<(DatasetName, ColumnName), SealedColumn>> {
    let mut found = BTreeMap::new();
    for_each_guard(plan, &mut |table, guard| {
        let of_table =
            |(column, sealed): (&ColumnName, &SealedColumn)| ((table.dataset.clone(), column.clone()), sealed.clone());
        found.extend(guard.unsealed.iter().map(of_table));
        Ok(())
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
