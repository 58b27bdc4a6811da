//! Every column type has exactly one Arrow type, on the way in and on the way out.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lockgate_model::{ColumnName, ValueType};

/// The Arrow type in which values of a column type travel: timestamps are microseconds in UTC, decimals are exact.
pub fn arrow_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Text => DataType::Utf8,
        ValueType::BigInt => DataType::Int64,
        ValueType::Integer => DataType::Int32,
        ValueType::Double => DataType::Float64,
        // A scale is at most 38 and so never turns negative.
        ValueType::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
        ValueType::Boolean => DataType::Boolean,
        ValueType::Date => DataType::Date32,
        ValueType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The schema of nullable columns of these names and types, in this order.
pub(crate) fn schema_of<'a>(columns: impl IntoIterator<Item = (&'a ColumnName, ValueType)>) -> SchemaRef {
    let field = |(name, value_type): (&ColumnName, ValueType)| Field::new(name.as_str(), arrow_type(value_type), true);
    Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_type_has_its_arrow_type() {
        for (text, expected) in [
            ("text", DataType::Utf8),
            ("bigint", DataType::Int64),
            ("integer", DataType::Int32),
            ("double", DataType::Float64),
            ("decimal(38, 38)", DataType::Decimal128(38, 38)),
            ("boolean", DataType::Boolean),
            ("date", DataType::Date32),
            ("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ] {
            assert_eq!(arrow_type(text.parse().unwrap()), expected, "{text}");
        }
    }
}
