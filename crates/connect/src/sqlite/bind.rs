//! Puts the rows of a batch into a statement, each value exactly or not at all.

use std::fmt::Write;

use rusqlite::Statement;
use rusqlite::types::Null;

use crate::calendar;
use crate::cells::{Cells, TypedBatch};

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

/// Binds a cell to the statement's parameter for its column; `text` is scratch space.
pub(super) fn bind(
    batch: &TypedBatch<'_>,
    column: usize,
    row: usize,
    statement: &mut Statement<'_>,
    text: &mut String,
) -> Result<(), BindFailure> {
    let place = column + 1;
    let Some(cells) = batch.value(column, row) else {
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
        Cells::Date(array) => calendar::write_date(array.value(row), text).then_some(()).ok_or(BindFailure::Value)?,
        Cells::Timestamp(array) => {
            calendar::write_timestamp(array.value(row), text).then_some(()).ok_or(BindFailure::Value)?;
        }
    }
    Ok(statement.raw_bind_parameter(place, text.as_str())?)
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
