//! `lockgate_rows(id)`: the rows of a group, as one capped set.
//!
//! It takes row ids or sets of them, so that an aggregate over an aggregate keeps what the inner one kept. Null adds
//! nothing; a group without a row has null.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::row_set::{
    Collected, PROVENANCE_IDS_PER_GROUP_MAX, PROVENANCE_IDS_PER_WINDOW_ROW_MAX, row_set_type, row_sets,
};

/// The name of the function.
pub(crate) const ROWS: &str = "lockgate_rows";

/// The function for groups.
pub(crate) fn rows_function() -> Arc<AggregateUDF> {
    rows_at_most(PROVENANCE_IDS_PER_GROUP_MAX)
}

/// The function for the rows of a window, each of which gets the whole set.
pub(crate) fn window_rows_function() -> Arc<AggregateUDF> {
    rows_at_most(PROVENANCE_IDS_PER_WINDOW_ROW_MAX)
}

fn rows_at_most(ids_max: usize) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Rows { signature: Signature::any(1, Volatility::Immutable), ids_max }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rows {
    signature: Signature,
    ids_max: usize,
}

impl AggregateUDFImpl for Rows {
    fn name(&self) -> &str {
        ROWS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Int64] => Ok(row_set_type()),
            [lists] if *lists == row_set_type() => Ok(row_set_type()),
            _ => plan_err!("`{ROWS}` takes row ids"),
        }
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(Collected::at_most(self.ids_max))))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[rows]", arguments.name), row_set_type(), true))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        self.ids_max == PROVENANCE_IDS_PER_GROUP_MAX
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::default()))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }
}

#[derive(Debug)]
struct OneGroup(Collected);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let column = first(values)?;
        (0..column.len()).try_for_each(|row| self.0.add(column, row))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // A window asks for the value of one frame and goes on.
        Ok(ScalarValue::List(Arc::new(row_sets(std::iter::once(self.0.clone())))))
    }

    fn size(&self) -> usize {
        self.0.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[derive(Debug, Default)]
struct Groups {
    sets: Vec<Collected>,
    /// Kept up to date, since it is asked for with every batch.
    bytes: usize,
}

impl Groups {
    fn add(&mut self, group: usize, column: &ArrayRef, row: usize) -> Result<()> {
        let Some(set) = self.sets.get_mut(group) else { return Ok(()) };
        let before = set.bytes();
        set.add(column, row)?;
        self.bytes = (self.bytes + set.bytes()).saturating_sub(before);
        Ok(())
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_total: usize,
    ) -> Result<()> {
        let column = first(values)?;
        let new = groups_total.saturating_sub(self.sets.len());
        self.bytes += new * Collected::default().bytes();
        self.sets.resize_with(groups_total, Collected::default);
        for (row, group) in groups.iter().enumerate() {
            if is_taken(filter, row) {
                self.add(*group, column, row)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let emitted = emit_to.take_needed(&mut self.sets);
        self.bytes = self.sets.iter().map(Collected::bytes).sum();
        Ok(Arc::new(row_sets(emitted.into_iter())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<()> {
        self.update_batch(values, groups, None, groups_total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = first(values)?;
        let set_of = |row: usize| {
            let mut set = Collected::default();
            if is_taken(filter, row) {
                set.add(column, row)?;
            }
            Ok(set)
        };
        let sets = (0..column.len()).map(set_of).collect::<Result<Vec<_>>>()?;
        Ok(vec![Arc::new(row_sets(sets.into_iter()))])
    }

    fn size(&self) -> usize {
        self.bytes
    }
}

fn is_taken(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

fn first(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values.first().ok_or_else(|| DataFusionError::Internal(format!("`{ROWS}` was called without row ids")))
}
