//! Builds a column from texts or numbers, each of the column's type or refused.
//!
//! Text is staged first and appended second, so that a record whose last field is wrong is in no column.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use lockgate_model::ValueType;

use crate::arrow_type::arrow_type;
use crate::{calendar, values};

/// A column of the batch that is being built.
pub(crate) enum ColumnBuilder {
    Text(StringBuilder, bool),
    BigInt(Staged<Int64Type>),
    Integer(Staged<Int32Type>),
    Double(Staged<Float64Type>),
    Decimal(Staged<Decimal128Type>, u8, u8),
    Boolean(BooleanBuilder, Option<bool>),
    Date(Staged<Date32Type>),
    Timestamp(Staged<TimestampMicrosecondType>),
}

/// A builder and the value of the record that is being read.
pub(crate) struct Staged<T: ArrowPrimitiveType> {
    builder: PrimitiveBuilder<T>,
    value: Option<T::Native>,
}

impl ColumnBuilder {
    pub(crate) fn new(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Text => Self::Text(StringBuilder::new(), false),
            ValueType::BigInt => Self::BigInt(Staged::new(value_type)),
            ValueType::Integer => Self::Integer(Staged::new(value_type)),
            ValueType::Double => Self::Double(Staged::new(value_type)),
            ValueType::Decimal { precision, scale } => Self::Decimal(Staged::new(value_type), precision, scale),
            ValueType::Boolean => Self::Boolean(BooleanBuilder::new(), None),
            ValueType::Date => Self::Date(Staged::new(value_type)),
            ValueType::Timestamp => Self::Timestamp(Staged::new(value_type)),
        }
    }

    /// Takes the field of the record at hand, `None` for null; `false` if it is not of the column's type.
    #[must_use]
    pub(crate) fn stage(&mut self, field: Option<&str>) -> bool {
        match self {
            Self::Text(_, present) => {
                *present = field.is_some();
                true
            }
            Self::BigInt(staged) => staged.stage(field, values::bigint),
            Self::Integer(staged) => staged.stage(field, values::integer),
            Self::Double(staged) => staged.stage(field, values::double),
            Self::Decimal(staged, precision, scale) => {
                staged.stage(field, |text| values::decimal(text, *precision, *scale))
            }
            Self::Boolean(_, value) => {
                *value = field.and_then(values::boolean);
                field.is_none() || value.is_some()
            }
            Self::Date(staged) => staged.stage(field, |text| calendar::parse_date(text.as_bytes())),
            Self::Timestamp(staged) => staged.stage(field, |text| calendar::parse_timestamp(text.as_bytes())),
        }
    }

    /// Appends what was staged; `field` is the same as before.
    pub(crate) fn append(&mut self, field: &str) {
        match self {
            Self::Text(builder, true) => builder.append_value(field),
            Self::Text(builder, false) => builder.append_null(),
            Self::BigInt(staged) => staged.append(),
            Self::Integer(staged) => staged.append(),
            Self::Double(staged) => staged.append(),
            Self::Decimal(staged, _, _) => staged.append(),
            Self::Boolean(builder, value) => builder.append_option(*value),
            Self::Date(staged) => staged.append(),
            Self::Timestamp(staged) => staged.append(),
        }
    }

    /// Appends a whole number; `false`, with nothing appended, if the column's type doesn't have it. Booleans are 0
    /// and 1.
    #[must_use]
    pub(crate) fn append_integer(&mut self, number: i64) -> bool {
        match self {
            Self::BigInt(staged) => staged.builder.append_value(number),
            Self::Integer(staged) => match i32::try_from(number) {
                Ok(number) => staged.builder.append_value(number),
                Err(_) => return false,
            },
            Self::Boolean(builder, _) => match number {
                0 | 1 => builder.append_value(number == 1),
                _ => return false,
            },
            Self::Text(..) | Self::Double(_) | Self::Decimal(..) | Self::Date(_) | Self::Timestamp(_) => return false,
        }
        true
    }

    /// Appends a number of a column of doubles; `false`, with nothing appended, for any other column.
    #[must_use]
    pub(crate) fn append_double(&mut self, number: f64) -> bool {
        match self {
            Self::Double(staged) => staged.builder.append_value(number),
            Self::Text(..)
            | Self::BigInt(_)
            | Self::Integer(_)
            | Self::Decimal(..)
            | Self::Boolean(..)
            | Self::Date(_)
            | Self::Timestamp(_) => return false,
        }
        true
    }

    /// The column so far; the next batch begins empty.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder, _) => Arc::new(builder.finish()),
            Self::BigInt(staged) => Arc::new(staged.builder.finish()),
            Self::Integer(staged) => Arc::new(staged.builder.finish()),
            Self::Double(staged) => Arc::new(staged.builder.finish()),
            Self::Decimal(staged, _, _) => Arc::new(staged.builder.finish()),
            Self::Boolean(builder, _) => Arc::new(builder.finish()),
            Self::Date(staged) => Arc::new(staged.builder.finish()),
            Self::Timestamp(staged) => Arc::new(staged.builder.finish()),
        }
    }
}

impl<T: ArrowPrimitiveType> Staged<T> {
    fn new(value_type: ValueType) -> Self {
        Self { builder: PrimitiveBuilder::new().with_data_type(arrow_type(value_type)), value: None }
    }

    fn stage(&mut self, field: Option<&str>, parse: impl Fn(&str) -> Option<T::Native>) -> bool {
        self.value = field.and_then(parse);
        field.is_none() || self.value.is_some()
    }

    fn append(&mut self) {
        self.builder.append_option(self.value);
    }
}

/// Whether a text is a value of a type, as files are read.
pub fn is_value(value_type: ValueType, text: &str) -> bool {
    match value_type {
        ValueType::Text => true,
        ValueType::BigInt => values::bigint(text).is_some(),
        ValueType::Integer => values::integer(text).is_some(),
        ValueType::Double => values::double(text).is_some(),
        ValueType::Decimal { precision, scale } => values::decimal(text, precision, scale).is_some(),
        ValueType::Boolean => values::boolean(text).is_some(),
        ValueType::Date => calendar::parse_date(text.as_bytes()).is_some(),
        ValueType::Timestamp => calendar::parse_timestamp(text.as_bytes()).is_some(),
    }
}

/// One value as a column of one row, `None` for null; absent where the text is no value of the type.
pub fn parse_value(value_type: ValueType, text: Option<&str>) -> Option<ArrayRef> {
    let mut builder = ColumnBuilder::new(value_type);
    if !builder.stage(text) {
        return None;
    }
    builder.append(text.unwrap_or_default());
    Some(builder.finish())
}
