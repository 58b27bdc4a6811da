//! The arrays of a batch by the types of a table's columns: whoever holds them need not look at Arrow's types again.

use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use lockgate_model::ValueType;

use crate::arrow_type::arrow_type;
use crate::sqlite::TableSpec;

/// The arrays of a batch, known to be of a spec's types.
pub(crate) struct TypedBatch<'a>(Vec<Cells<'a>>);

/// One column of a batch.
pub(crate) enum Cells<'a> {
    Text(&'a StringArray),
    BigInt(&'a Int64Array),
    Integer(&'a Int32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8),
    Boolean(&'a BooleanArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
}

impl<'a> TypedBatch<'a> {
    /// Fails, saying what differs, unless the batch has the spec's columns in the spec's order with the types that
    /// `arrow_type` gives them.
    pub(crate) fn new(batch: &'a RecordBatch, spec: &TableSpec) -> Result<Self, String> {
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
    pub(crate) fn is_null(&self, column: usize, row: usize) -> bool {
        self.0.get(column).is_none_or(|cells| cells.array().is_null(row))
    }

    /// The column of a cell that holds a value; `None` for null.
    pub(crate) fn value(&self, column: usize, row: usize) -> Option<&Cells<'a>> {
        self.0.get(column).filter(|cells| cells.array().is_valid(row))
    }

    /// The columns in the spec's order.
    pub(crate) fn columns(&self) -> &[Cells<'a>] {
        &self.0
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

    pub(crate) fn array(&self) -> &dyn Array {
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
