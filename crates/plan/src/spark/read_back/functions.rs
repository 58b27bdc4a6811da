//! Spark's functions by their names there, each computed by one of Lockgate's.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    create_udf,
};
use lockgate_model::{Mask, Protection};

use super::collect::Collect;
use crate::functions::{allowed_aggregates, allowed_functions};
use crate::protect_function::ProtectFunction;

/// Functions that are the same under both names.
const SAME: &[(&str, &str)] = &[
    ("abs", "abs"),
    ("array", "make_array"),
    ("array_distinct", "array_distinct"),
    ("array_sort", "array_sort"),
    ("ascii", "ascii"),
    ("char_length", "character_length"),
    ("coalesce", "coalesce"),
    ("contains", "contains"),
    ("date_trunc", "date_trunc"),
    ("element_at", "array_element"),
    ("endswith", "ends_with"),
    ("flatten", "flatten"),
    ("greatest", "greatest"),
    ("instr", "strpos"),
    ("least", "least"),
    ("left", "left"),
    ("lower", "lower"),
    ("ltrim", "ltrim"),
    ("make_date", "make_date"),
    ("nullif", "nullif"),
    ("octet_length", "octet_length"),
    ("repeat", "repeat"),
    ("replace", "replace"),
    ("reverse", "reverse"),
    ("right", "right"),
    ("rtrim", "rtrim"),
    ("size", "cardinality"),
    ("split_part", "split_part"),
    ("startswith", "starts_with"),
    ("substr", "substr"),
    ("trim", "btrim"),
    ("upper", "upper"),
];

/// Functions of a date or instant, with the part that they take.
const PARTS: &[(&str, &str)] = &[
    ("dayofmonth", "day"),
    ("dayofyear", "doy"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("month", "month"),
    ("quarter", "quarter"),
    ("second", "second"),
    ("weekofyear", "week"),
    ("year", "year"),
];

/// A scalar function of Spark.
pub(super) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    // The planner asks for some of the syntax by the names that it has here: `trim(x)` and `substr(x, 1)`.
    let same = SAME.iter().find(|(spark, own)| *spark == name || *own == name && matches!(name, "btrim" | "substr"));
    if let Some((_, own)) = same {
        return own_function(own);
    }
    if let Some((_, part)) = PARTS.iter().find(|(spark, _)| *spark == name) {
        return Some(with(own_function("date_part")?, name, vec![(*part).into()], Vec::new()));
    }
    match name {
        "regexp_replace" => Some(with(own_function("regexp_replace")?, name, Vec::new(), vec!["g".into()])),
        "array_min" => Some(datafusion::functions_nested::min_max::array_min_udf()),
        "array_max" => Some(datafusion::functions_nested::min_max::array_max_udf()),
        "sha2" => masked(name, Mask::Hash, DataType::Utf8),
        "trunc" => masked(name, Mask::DateToYear, DataType::Date32),
        "monotonically_increasing_id" => {
            let first = |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(0))));
            Some(Arc::new(create_udf(name, Vec::new(), DataType::Int64, Volatility::Volatile, Arc::new(first))))
        }
        _ => None,
    }
}

/// An aggregate of Spark.
pub(super) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    match name {
        "collect_set" | "collect_list" => Some(Arc::new(AggregateUDF::new_from_impl(Collect::new(name)))),
        "count" | "sum" | "min" | "max" | "avg" | "bool_and" | "bool_or" => {
            allowed_aggregates().into_iter().find(|function| function.name() == name)
        }
        _ => None,
    }
}

fn own_function(name: &str) -> Option<Arc<ScalarUDF>> {
    allowed_functions().into_iter().find(|function| function.name() == name)
}

/// A mask, as the function that is written for it; further arguments say what the mask is.
fn masked(name: &str, mask: Mask, returns: DataType) -> Option<Arc<ScalarUDF>> {
    let function = ProtectFunction::unbound(name.parse().ok()?, Protection::Mask(mask), returns);
    Some(Arc::new(ScalarUDF::new_from_impl(function)))
}

fn with(inner: Arc<ScalarUDF>, name: &str, before: Vec<ScalarValue>, after: Vec<ScalarValue>) -> Arc<ScalarUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(WithArguments { name: name.to_owned(), inner, before, after, signature }))
}

/// A function that is called with further arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WithArguments {
    name: String,
    inner: Arc<ScalarUDF>,
    before: Vec<ScalarValue>,
    after: Vec<ScalarValue>,
    signature: Signature,
}

impl WithArguments {
    fn around<T>(&self, given: Vec<T>, of: impl Fn(&ScalarValue) -> T) -> Vec<T> {
        self.before.iter().map(&of).chain(given).chain(self.after.iter().map(&of)).collect()
    }
}

fn field_of(value: &ScalarValue) -> FieldRef {
    Arc::new(Field::new("literal", value.data_type(), false))
}

impl ScalarUDFImpl for WithArguments {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("`{}` says its type by its arguments", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let fields = self.around(args.arg_fields.to_vec(), field_of);
        let given = args.scalar_arguments.iter().map(|value| value.cloned()).collect();
        let values = self.around(given, |value| Some(value.clone()));
        let values: Vec<Option<&ScalarValue>> = values.iter().map(Option::as_ref).collect();
        self.inner.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &values })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arg_fields = self.around(args.arg_fields, field_of);
        let values = self.around(args.args, |value| ColumnarValue::Scalar(value.clone()));
        self.inner.invoke_with_args(ScalarFunctionArgs { args: values, arg_fields, ..args })
    }
}
