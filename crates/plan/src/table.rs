//! What the compiler knows of a dataset before any of it is read: columns with type, level, tags and form.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::logical_expr::TableSource;
use lockgate_model::{ColumnName, DatasetName, Form, Level, TagName, ValueType};

use crate::guard::Guard;

/// A dataset as SQL may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, also in SQL.
    pub dataset: DatasetName,
    /// Its columns in order.
    pub columns: Vec<TableColumn>,
    /// The column that names the person a row is about, where sealed values are bound to it.
    pub subject: Option<ColumnName>,
    /// The dataset whose declared subjects these are, where they can be erased.
    pub erase_by: Option<DatasetName>,
    /// What stands between its rows and whoever asks; absent where every row and value may be seen.
    pub(crate) guard: Option<Arc<Guard>>,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: ColumnName,
    /// The type of its values; text wherever the form is not clear.
    pub value_type: ValueType,
    /// Whether values may be absent.
    pub nullable: bool,
    /// Its classification.
    pub level: Level,
    /// What it is.
    pub tags: BTreeSet<TagName>,
    /// Why it has this level, for people: ``tag `pii.email` ``.
    pub because: String,
    /// The form its values arrive in.
    pub form: Form,
    /// What it takes to open its values, where the form is sealed.
    pub sealed: Option<SealedColumn>,
    /// Whether a policy's mask stands in the place of the value. SQL may compute with it as with any value.
    pub is_masked: bool,
}

/// What it takes to open the values of a sealed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedColumn {
    /// The columns under whose keys the values were sealed. A value under any other key was put there by somebody.
    pub sealed_for: BTreeSet<(DatasetName, ColumnName)>,
    /// The type of the values before they were sealed.
    pub value_type: ValueType,
    /// The column of the same table whose value each is bound to.
    pub bound_to: Option<ColumnName>,
    /// The dataset whose subjects' own keys they are under, where they can be erased.
    pub erase_by: Option<DatasetName>,
}

/// The column that carries row ids through a plan; no user's SQL can name it, since the prefix is reserved.
pub(crate) const ROW_ID: &str = "__lockgate_rid";

/// The Arrow type that carries values of a column type.
pub fn arrow_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Text => DataType::Utf8,
        ValueType::BigInt => DataType::Int64,
        ValueType::Integer => DataType::Int32,
        ValueType::Double => DataType::Float64,
        ValueType::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
        ValueType::Boolean => DataType::Boolean,
        ValueType::Date => DataType::Date32,
        ValueType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The column type that carries values of an Arrow type, or `None` for a type that no sink stores.
pub(crate) fn value_type(data_type: &DataType) -> Option<ValueType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(ValueType::Text),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Some(ValueType::BigInt),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            Some(ValueType::Integer)
        }
        DataType::Float32 | DataType::Float64 => Some(ValueType::Double),
        DataType::Decimal128(precision, scale) => {
            Some(ValueType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? })
        }
        DataType::Boolean => Some(ValueType::Boolean),
        DataType::Date32 => Some(ValueType::Date),
        DataType::Timestamp(_, _) => Some(ValueType::Timestamp),
        _ => None,
    }
}

/// Gives the planner a table's schema and nothing to read: the plan is bound to data only after it is governed.
pub(crate) struct SchemaOnly {
    pub(crate) table: Arc<Table>,
    pub(crate) reading: Reading,
    schema: SchemaRef,
}

/// What a scan has to do with provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Nothing: another scan of the same rows names them, or a policy reads them.
    Plain,
    /// Its rows carry their ids.
    WithRowIds,
    /// The rows that it let through are recorded under this number of a relation, and count for all rows of the output.
    AsAWhole(usize),
}

impl SchemaOnly {
    /// The table as SQL sees it.
    pub(crate) fn visible(table: Arc<Table>) -> Self {
        let schema = Arc::new(Schema::new(visible_fields(&table)));
        Self { table, reading: Reading::Plain, schema }
    }

    /// The table with its row ids.
    pub(crate) fn with_row_ids(table: Arc<Table>) -> Self {
        let schema = schema_with_row_ids(&table);
        Self { table, reading: Reading::WithRowIds, schema }
    }

    /// The table as SQL sees it, read as a whole.
    pub(crate) fn read_as_a_whole(table: Arc<Table>, relation: usize) -> Self {
        Self { reading: Reading::AsAWhole(relation), ..Self::visible(table) }
    }
}

fn visible_fields(table: &Table) -> Vec<Field> {
    let field = |column: &TableColumn| Field::new(column.name.as_str(), arrow_type(column.value_type), column.nullable);
    table.columns.iter().map(field).collect()
}

/// The schema that a provider of this table must have: its columns in order, then the row id.
pub(crate) fn schema_with_row_ids(table: &Table) -> SchemaRef {
    let mut fields = visible_fields(table);
    fields.push(Field::new(ROW_ID, DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

impl TableSource for SchemaOnly {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The table behind a scan that this crate planned.
pub(crate) fn table_of(source: &Arc<dyn TableSource>) -> Option<Arc<Table>> {
    planned_here(source).map(|source| Arc::clone(&source.table))
}

/// The source of a scan that this crate planned.
pub(crate) fn planned_here(source: &Arc<dyn TableSource>) -> Option<&SchemaOnly> {
    let source: &dyn Any = source.as_ref();
    source.downcast_ref::<SchemaOnly>()
}
