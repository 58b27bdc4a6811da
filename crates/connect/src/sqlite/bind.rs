//! Puts the rows of a batch into a statement, each value exactly or not at all.

use std::fmt::Write;

use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use lockgate_model::ValueType;
use rusqlite::Statement;
use rusqlite::types::Null;

use super::spec::TableSpec;
use crate::arrow_type::arrow_type;
use crate::calendar;

/// The arrays of a batch, known to be of a spec's types.
pub(super) struct BoundBatch<'a>(Vec<Cells<'a>>);

enum Cells<'a> {
    Text(&'a StringArray),
    BigInt(&'a Int64Array),
    Integer(&'a Int32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8),
    Boolean(&'a BooleanArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
}

/// Why a cell was not bound.
pub(super) enum BindFailure {
    /// The value can't be stored exactly.
    Value,
    /// SQLite refused it.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for BindFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl<'a> BoundBatch<'a> {
    /// Fails, saying what differs, unless the batch has the spec's columns in the spec's order with the types that
    /// `arrow_type` gives them.
    pub(super) fn new(batch: &'a RecordBatch, spec: &TableSpec) -> Result<Self, String> {
        let schema = batch.schema_ref();
        if schema.fields().len() != spec.columns().len() {
            return Err(format!("it has {} columns instead of {}", schema.fields().len(), spec.columns().len()));
        }
        let mut cells = Vec::with_capacity(spec.columns().len());
        for ((column, field), array) in spec.columns().iter().zip(schema.fields()).zip(batch.columns()) {
            if field.name() != column.name.as_str() {
                return Err(format!("it has a column `{}` in the place of `{}`", field.name(), column.name));
            }
            let expected = arrow_type(column.value_type);
            if *array.data_type() != expected {
                return Err(format!("its column `{}` is {} instead of {expected}", column.name, array.data_type()));
            }
            cells.push(Cells::new(array.as_ref(), column.value_type));
        }
        Ok(Self(cells))
    }

    /// Whether a cell is null.
    pub(super) fn is_null(&self, column: usize, row: usize) -> bool {
        self.0.get(column).is_none_or(|cells| cells.array().is_null(row))
    }

    /// Binds a cell to the statement's parameter for its column; `text` is scratch space.
    pub(super) fn bind(
        &self,
        column: usize,
        row: usize,
        statement: &mut Statement<'_>,
        text: &mut String,
    ) -> Result<(), BindFailure> {
        let place = column + 1;
        let Some(cells) = self.0.get(column).filter(|cells| cells.array().is_valid(row)) else {
            return Ok(statement.raw_bind_parameter(place, Null)?);
        };
        text.clear();
        match cells {
            Cells::Text(array) => return Ok(statement.raw_bind_parameter(place, array.value(row))?),
            Cells::BigInt(array) => return Ok(statement.raw_bind_parameter(place, array.value(row))?),
            Cells::Integer(array) => return Ok(statement.raw_bind_parameter(place, array.value(row))?),
            Cells::Boolean(array) => return Ok(statement.raw_bind_parameter(place, array.value(row))?),
            Cells::Double(array) => {
                let value = array.value(row);
                // SQLite would keep NaN as null.
                return if value.is_nan() {
                    Err(BindFailure::Value)
                } else {
                    Ok(statement.raw_bind_parameter(place, value)?)
                };
            }
            Cells::Decimal(array, scale) => write_decimal(array.value(row), *scale, text),
            Cells::Date(array) => {
                calendar::write_date(array.value(row), text).then_some(()).ok_or(BindFailure::Value)?
            }
            Cells::Timestamp(array) => {
                calendar::write_timestamp(array.value(row), text).then_some(()).ok_or(BindFailure::Value)?;
            }
        }
        Ok(statement.raw_bind_parameter(place, text.as_str())?)
    }
}

impl<'a> Cells<'a> {
    /// The array must be of the type's Arrow type.
    fn new(array: &'a dyn Array, value_type: ValueType) -> Self {
        match value_type {
            ValueType::Text => Self::Text(array.as_string()),
            ValueType::BigInt => Self::BigInt(array.as_primitive::<Int64Type>()),
            ValueType::Integer => Self::Integer(array.as_primitive::<Int32Type>()),
            ValueType::Double => Self::Double(array.as_primitive::<Float64Type>()),
            ValueType::Decimal { scale, .. } => Self::Decimal(array.as_primitive::<Decimal128Type>(), scale),
            ValueType::Boolean => Self::Boolean(array.as_boolean()),
            ValueType::Date => Self::Date(array.as_primitive::<Date32Type>()),
            ValueType::Timestamp => Self::Timestamp(array.as_primitive::<TimestampMicrosecondType>()),
        }
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Text(array) => array,
            Self::BigInt(array) => array,
            Self::Integer(array) => array,
            Self::Double(array) => array,
            Self::Decimal(array, _) => array,
            Self::Boolean(array) => array,
            Self::Date(array) => array,
            Self::Timestamp(array) => array,
        }
    }
}

/// Writes a decimal with all digits of its scale: `-0.50`.
fn write_decimal(value: i128, scale: u8, text: &mut String) {
    let sign = if value < 0 { "-" } else { "" };
    let unit = 10u128.pow(u32::from(scale));
    let (whole, fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    // Writing to a text can't fail.
    let _ = match scale {
        0 => write!(text, "{sign}{whole}"),
        scale => write!(text, "{sign}{whole}.{fraction:0width$}", width = usize::from(scale)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_with_their_scale() {
        for (value, scale, expected) in [
            (0, 2, "0.00"),
            (-50, 2, "-0.50"),
            (123456, 2, "1234.56"),
            (7, 0, "7"),
            (-7, 0, "-7"),
            (10i128.pow(38) - 1, 38, "0.99999999999999999999999999999999999999"),
        ] {
            let mut text = String::new();
            write_decimal(value, scale, &mut text);
            assert_eq!(text, expected);
        }
    }
}
