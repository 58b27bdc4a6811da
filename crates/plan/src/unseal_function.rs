//! The function by which a guarded table shows sealed values to whoever may have them opened: it opens nothing until a
//! query gives it the keys.
//!
//! It is volatile, so that no optimizer rule evaluates it on rows that a policy's filter has not passed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, ValueType};

use crate::table::{SealedColumn, arrow_type};

/// Opens a column of sealed values with keys that it holds.
///
/// `subjects`, if values are bound to a subject, has as many values as `values`. The result has as many values, each
/// exactly as it was sealed; null stays null, and what is of an erased subject or of a shredded key becomes null. Fails for
/// a value that was altered, or was sealed for another place.
pub trait Unsealer: fmt::Debug + Send + Sync {
    /// Opens one batch.
    fn unseal(&self, values: &StringArray, subjects: Option<&ArrayRef>) -> Result<StringArray, Failure>;
}

/// The opening of one column as a scalar function of the sealed value and, if bound, the subject.
#[derive(Debug)]
pub(crate) struct UnsealFunction {
    pub(crate) dataset: DatasetName,
    pub(crate) column: ColumnName,
    value_type: ValueType,
    signature: Signature,
    unsealer: Option<Arc<dyn Unsealer>>,
}

impl UnsealFunction {
    /// Without keys: for a plan that is not run yet.
    pub(crate) fn unbound(dataset: DatasetName, column: ColumnName, sealed: &SealedColumn) -> Self {
        let signature = Signature::variadic_any(Volatility::Volatile);
        Self { dataset, column, value_type: sealed.value_type, signature, unsealer: None }
    }

    /// The same opening with its keys.
    pub(crate) fn bind(&self, unsealer: Arc<dyn Unsealer>) -> Self {
        Self {
            dataset: self.dataset.clone(),
            column: self.column.clone(),
            value_type: self.value_type,
            signature: self.signature.clone(),
            unsealer: Some(unsealer),
        }
    }

    fn identity(&self) -> (&DatasetName, &ColumnName, ValueType, Option<*const ()>) {
        let unsealer = self.unsealer.as_ref().map(|unsealer| Arc::as_ptr(unsealer).cast::<()>());
        (&self.dataset, &self.column, self.value_type, unsealer)
    }
}

impl PartialEq for UnsealFunction {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for UnsealFunction {}

impl Hash for UnsealFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl ScalarUDFImpl for UnsealFunction {
    fn name(&self) -> &str {
        "lockgate_unseal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrow_type(self.value_type))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let (Some(unsealer), Some((values, subjects))) = (&self.unsealer, columns.split_first()) else {
            return internal_err!("no keys were bound for `{}.{}`", self.dataset, self.column);
        };
        let opened = unsealer.unseal(as_string_array(values)?, subjects.first());
        let opened: ArrayRef = Arc::new(opened.map_err(|failure| DataFusionError::External(Box::new(failure)))?);
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let typed = cast_with_options(&opened, &arrow_type(self.value_type), &strict).map_err(|_| {
            let message = format!("an opened value of `{}.{}` is no {}", self.dataset, self.column, self.value_type);
            let help = "the pipeline that wrote it was changed since: write the dataset anew with `lockgate run --full-refresh`";
            DataFusionError::External(Box::new(Failure::new(FailureKind::Failed, message).with_help(help)))
        })?;
        Ok(ColumnarValue::Array(typed))
    }
}
