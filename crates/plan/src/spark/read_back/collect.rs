//! `collect_set` and `collect_list`: the values of a group that are not null; none of them is the empty array.

use std::collections::BTreeSet;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Collect {
    name: String,
    signature: Signature,
}

impl Collect {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Collect {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [item] => Ok(DataType::List(Field::new_list_field(item.clone(), true).into())),
            _ => plan_err!("`{}` takes one argument", self.name),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let DataType::List(item) = args.return_field.data_type() else {
            return plan_err!("`{}` gives a list", self.name);
        };
        let is_set = self.name == "collect_set";
        Ok(Box::new(Values { item: item.data_type().clone(), is_set, seen: BTreeSet::new(), values: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, args.return_field.data_type().clone(), true))])
    }
}

#[derive(Debug)]
struct Values {
    item: DataType,
    is_set: bool,
    seen: BTreeSet<String>,
    values: Vec<ScalarValue>,
}

impl Values {
    fn add(&mut self, value: ScalarValue) {
        if value.is_null() || self.is_set && !self.seen.insert(value.to_string()) {
            return;
        }
        self.values.push(value);
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first() else { return Ok(()) };
        for row in 0..column.len() {
            self.add(ScalarValue::try_from_array(column, row)?);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::List(ScalarValue::new_list(&self.values, &self.item, true)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.iter().map(ScalarValue::size).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        use arrow::array::{Array, AsArray};
        let Some(lists) = states.first().and_then(|lists| lists.as_list_opt::<i32>()) else { return Ok(()) };
        for list in (0..lists.len()).filter(|row| lists.is_valid(*row)).map(|row| lists.value(row)) {
            self.update_batch(&[list])?;
        }
        Ok(())
    }
}
