//! A condition over one table's columns, for finding rows: it computes from the columns with allowed functions, and reads
//! nothing else.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use lockgate_model::{ColumnName, ValueType};

use crate::functions::allowed_functions;
use crate::sql::SQL_BYTES_MAX;
use crate::table::arrow_type;

/// A condition, checked against the columns that it is asked of.
#[derive(Debug)]
pub struct RowCondition {
    expression: Arc<dyn PhysicalExpr>,
}

impl RowCondition {
    /// Reads an SQL expression; fails, saying why, if it is none, is no condition, or names what is not there.
    pub fn parse(text: &str, columns: &[(ColumnName, ValueType)]) -> Result<Self, String> {
        if text.len() > SQL_BYTES_MAX {
            return Err(format!("it is longer than {SQL_BYTES_MAX} bytes"));
        }
        let fields = columns.iter().map(|(name, value_type)| Field::new(name.as_str(), arrow_type(*value_type), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let schema = DFSchema::try_from(schema).map_err(|error| error.strip_backtrace())?;
        let state = SessionStateBuilder::new().with_scalar_functions(allowed_functions());
        let defaults = datafusion::execution::SessionStateDefaults::default_expr_planners();
        let context = SessionContext::new_with_state(state.with_expr_planners(defaults).build());
        let said = |error: datafusion::common::DataFusionError| {
            let text = error.find_root().strip_backtrace();
            text.lines().next().unwrap_or_default().to_owned()
        };
        let expression = context.parse_sql_expr(text, &schema).map_err(said)?;
        let expression = context.create_physical_expr(expression, &schema).map_err(said)?;
        match expression.data_type(schema.as_arrow()).map_err(said)? {
            DataType::Boolean | DataType::Null => Ok(Self { expression }),
            other => Err(format!("it is no condition but of type {other}")),
        }
    }

    /// The rows for which it holds; null counts as not. Fails without naming a value.
    pub fn select(&self, batch: &RecordBatch) -> Result<BooleanArray, String> {
        let failed = |_| "it can't be computed for every row".to_owned();
        let values = self.expression.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
        let values = values.map_err(failed)?;
        Ok(match values.as_boolean_opt() {
            Some(values) => values.iter().map(|value| Some(value == Some(true))).collect(),
            None => BooleanArray::from(vec![false; batch.num_rows()]),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn columns() -> Vec<(ColumnName, ValueType)> {
        vec![("id".parse().unwrap(), ValueType::BigInt), ("City".parse().unwrap(), ValueType::Text)]
    }

    fn batch() -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("City", DataType::Utf8, true)]);
        let ids = Int64Array::from(vec![Some(1), Some(2), None]);
        let cities = StringArray::from(vec![Some("Ulm"), None, Some("Köln")]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(cities)]).unwrap()
    }

    #[test]
    fn rows_are_selected_by_what_is_true_of_them() {
        for (text, expected) in [
            ("id = 1", [true, false, false]),
            ("id IN (1, 2) AND \"City\" IS NULL", [false, true, false]),
            ("\"City\" LIKE 'K%' OR id > 1", [false, true, true]),
            ("NULL", [false; 3]),
        ] {
            let selected = RowCondition::parse(text, &columns()).unwrap().select(&batch()).unwrap();
            assert_eq!(selected, BooleanArray::from(expected.to_vec()), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_on_these_columns_is_refused() {
        for wrong in ["", "id =", "nobody = 1", "id + 1", "id IN (SELECT 1)", "random() > 0.5", "id = 1; DROP TABLE x"]
        {
            assert!(RowCondition::parse(wrong, &columns()).is_err(), "{wrong}");
        }
        let division = RowCondition::parse("1 / (id - 1) > 0", &columns()).unwrap();
        assert_eq!(division.select(&batch()).unwrap_err(), "it can't be computed for every row");
    }
}
