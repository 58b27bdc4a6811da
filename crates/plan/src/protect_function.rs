//! The function by which a governed plan protects a column: it does nothing until a run gives it the key.
//!
//! It is volatile, so that no optimizer rule evaluates it twice, merges two calls or computes it ahead of time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use lockgate_model::{ColumnName, Protection};

use crate::mask::mask_column;

/// Protects a column of values with a key that it holds.
///
/// `values` are in the column's type; `subjects`, if the protection binds to a subject, has as many values. The
/// result is text with as many values; null stays null. Fails with a sentence that holds no value.
pub trait Protector: fmt::Debug + Send + Sync {
    /// Protects one batch.
    fn protect(&self, values: &ArrayRef, subjects: Option<&ArrayRef>) -> Result<ArrayRef, String>;
}

/// One output column's protection as a scalar function of the value and, if bound, the subject.
#[derive(Debug)]
pub(crate) struct ProtectFunction {
    column: ColumnName,
    protection: Protection,
    returns: DataType,
    signature: Signature,
    protector: Option<Arc<dyn Protector>>,
}

impl ProtectFunction {
    /// Without a key: for a plan that is not run yet.
    pub(crate) fn unbound(column: ColumnName, protection: Protection, returns: DataType) -> Self {
        let signature = Signature::variadic_any(Volatility::Volatile);
        Self { column, protection, returns, signature, protector: None }
    }

    /// The same protection with its key.
    pub(crate) fn bind(&self, protector: Arc<dyn Protector>) -> Self {
        let unbound = Self::unbound(self.column.clone(), self.protection.clone(), self.returns.clone());
        Self { protector: Some(protector), ..unbound }
    }

    pub(crate) fn column(&self) -> &ColumnName {
        &self.column
    }

    pub(crate) fn protection(&self) -> &Protection {
        &self.protection
    }

    fn identity(&self) -> (&ColumnName, &Protection, &DataType, Option<*const ()>) {
        let protector = self.protector.as_ref().map(|protector| Arc::as_ptr(protector).cast::<()>());
        (&self.column, &self.protection, &self.returns, protector)
    }
}

impl PartialEq for ProtectFunction {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for ProtectFunction {}

impl Hash for ProtectFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl ScalarUDFImpl for ProtectFunction {
    fn name(&self) -> &str {
        match self.protection {
            Protection::Seal => "lockgate_seal",
            Protection::Token { .. } => "lockgate_token",
            Protection::Fpe { .. } => "lockgate_fpe",
            Protection::Mask(_) => "lockgate_mask",
            Protection::Drop => "lockgate_drop",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some((values, subjects)) = columns.split_first() else {
            return exec_err!("protecting `{}` takes a value", self.column);
        };
        let protected = match (&self.protection, &self.protector) {
            (Protection::Mask(mask), _) => mask_column(*mask, values)?,
            (Protection::Drop, _) => return exec_err!("`{}` is dropped and has no values", self.column),
            (Protection::Seal | Protection::Token { .. } | Protection::Fpe { .. }, Some(protector)) => protector
                .protect(values, subjects.first())
                .map_err(|reason| DataFusionError::Execution(format!("protecting `{}`: {reason}", self.column)))?,
            (Protection::Seal | Protection::Token { .. } | Protection::Fpe { .. }, None) => {
                return exec_err!("no key was bound for `{}`", self.column);
            }
        };
        Ok(ColumnarValue::Array(protected))
    }
}
