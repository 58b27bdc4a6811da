//! A column of a file becomes a column of its declared type, value by value exactly, or the row is told apart.

use arrow::array::{Array, ArrayRef, BooleanArray, make_array, new_null_array};
use arrow::compute::kernels::cmp::neq;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use lockgate_model::ValueType;

use crate::arrow_type::arrow_type;

/// The declared type that holds every value of a type in a file, if there is one.
pub(super) fn natural_type(found: &DataType) -> Option<ValueType> {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(ValueType::Text),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(ValueType::Text),
        DataType::Dictionary(_, values) => natural_type(values),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            Some(ValueType::Integer)
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Some(ValueType::BigInt),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(ValueType::Double),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            u8::try_from(*scale).ok().map(|scale| ValueType::Decimal { precision: *precision, scale })
        }
        DataType::Boolean => Some(ValueType::Boolean),
        DataType::Date32 | DataType::Date64 => Some(ValueType::Date),
        DataType::Timestamp(_, _) => Some(ValueType::Timestamp),
        _ => None,
    }
}

/// Whether values of a type in a file are of the declared kind; each may still not fit.
pub(super) fn is_of_kind(found: &DataType, declared: ValueType) -> bool {
    let Some(natural) = natural_type(found) else {
        return matches!((found, declared), (DataType::Decimal256(_, _), ValueType::Decimal { .. }));
    };
    match declared {
        ValueType::Text => natural == ValueType::Text,
        ValueType::BigInt | ValueType::Integer => matches!(natural, ValueType::BigInt | ValueType::Integer),
        ValueType::Double => natural == ValueType::Double || natural == ValueType::Integer,
        ValueType::Decimal { .. } => {
            matches!(natural, ValueType::Decimal { .. } | ValueType::BigInt | ValueType::Integer)
        }
        ValueType::Boolean => natural == ValueType::Boolean,
        ValueType::Date => natural == ValueType::Date,
        ValueType::Timestamp => natural == ValueType::Timestamp,
    }
}

/// Values in the declared type; true in the second part where a value does not fit it exactly.
pub(super) fn fit(values: &ArrayRef, declared: ValueType) -> Option<(ArrayRef, Option<BooleanArray>)> {
    let wanted = arrow_type(declared);
    if *values.data_type() == wanted {
        return Some((values.clone(), None));
    }
    let values = match values.data_type() {
        DataType::Dictionary(_, inner) => &cast_with_options(values, inner, &OPTIONS).ok()?,
        _ => values,
    };
    // Points in time are kept in UTC whatever their zone; without one they are taken as UTC and not shifted.
    let (plain, between) = match (values.data_type(), &wanted) {
        (DataType::Timestamp(unit, _), DataType::Timestamp(wanted_unit, _)) => {
            (&relabelled(values, DataType::Timestamp(*unit, None))?, DataType::Timestamp(*wanted_unit, None))
        }
        _ => (values, wanted.clone()),
    };
    let fitted = cast_with_options(plain, &between, &OPTIONS).ok()?;
    let back = cast_with_options(&fitted, plain.data_type(), &OPTIONS).ok()?;
    let fitted = if between == wanted { fitted } else { relabelled(&fitted, wanted)? };
    // A value that was lost is null now, and comparing with null gives null.
    let lost = (0..plain.len()).map(|row| Some(plain.is_valid(row) && back.is_null(row)));
    let lost: BooleanArray = lost.collect();
    let differs = neq(plain, &back).ok()?;
    let misfit = (0..plain.len()).map(|row| Some(lost.value(row) || (differs.is_valid(row) && differs.value(row))));
    let misfit: BooleanArray = misfit.collect();
    Some((fitted, (misfit.true_count() > 0).then_some(misfit)))
}

/// The same numbers under another name of their type.
fn relabelled(values: &ArrayRef, data_type: DataType) -> Option<ArrayRef> {
    values.to_data().into_builder().data_type(data_type).build().ok().map(make_array)
}

/// A column that a file does not have.
pub(super) fn absent(declared: ValueType, rows: usize) -> ArrayRef {
    new_null_array(&arrow_type(declared), rows)
}

const OPTIONS: CastOptions<'static> =
    CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Decimal128Array, Int64Array, StringArray, TimestampNanosecondArray, UInt64Array};

    use super::*;

    fn misfits(values: ArrayRef, declared: &str) -> Vec<bool> {
        let (fitted, misfit) = fit(&values, declared.parse().unwrap()).unwrap();
        assert_eq!(*fitted.data_type(), arrow_type(declared.parse().unwrap()));
        (0..values.len()).map(|row| misfit.as_ref().is_some_and(|misfit| misfit.value(row))).collect()
    }

    #[test]
    fn values_fit_exactly_or_are_told_apart() {
        let ints = Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::from(i32::MAX) + 1)]));
        assert_eq!(misfits(ints.clone(), "integer"), [false, false, true]);
        assert_eq!(misfits(ints, "decimal(38, 0)"), [false, false, false]);
        let large = Arc::new(UInt64Array::from(vec![u64::MAX, 7]));
        assert_eq!(misfits(large, "bigint"), [true, false]);
        let decimals = Decimal128Array::from(vec![1_230, 1_234]).with_precision_and_scale(10, 3).unwrap();
        assert_eq!(misfits(Arc::new(decimals), "decimal(10, 2)"), [false, true]);
        let nanos = Arc::new(TimestampNanosecondArray::from(vec![1_000, 1_001]));
        assert_eq!(misfits(nanos, "timestamp"), [false, true]);
        let bytes = Arc::new(BinaryArray::from(vec![&b"abc"[..], &b"\xff"[..]]));
        assert_eq!(misfits(bytes, "text"), [false, true]);
        let text = Arc::new(StringArray::from(vec!["x"]));
        assert_eq!(misfits(text, "text"), [false]);
    }

    #[test]
    fn kinds_are_kept_apart() {
        for (found, declared, fits) in [
            (DataType::Int32, "bigint", true),
            (DataType::Int64, "double", false),
            (DataType::Int32, "double", true),
            (DataType::Utf8, "bigint", false),
            (DataType::Int64, "text", false),
            (DataType::Date32, "timestamp", false),
            (DataType::Boolean, "integer", false),
        ] {
            assert_eq!(is_of_kind(&found, declared.parse().unwrap()), fits, "{found} as {declared}");
        }
    }
}
