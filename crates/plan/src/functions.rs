//! Only these functions exist in governed SQL: each gives the same answer for the same arguments, reads nothing else,
//! and writes nowhere.

use std::sync::Arc;

use datafusion::functions::all_default_functions;
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::functions_nested::all_default_nested_functions;
use datafusion::functions_window::all_default_window_functions;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Volatility, WindowUDF};

/// The names, sorted. A function outside this list is refused by name.
pub const ALLOWED_FUNCTIONS: &[&str] = &[
    "abs",
    "array_append",
    "array_concat",
    "array_distinct",
    "array_element",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_length",
    "array_position",
    "array_remove",
    "array_slice",
    "array_sort",
    "array_to_string",
    "ascii",
    "btrim",
    "cardinality",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "date_part",
    "date_trunc",
    "ends_with",
    "flatten",
    "floor",
    "greatest",
    "initcap",
    "least",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "make_array",
    "make_date",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "overlay",
    "regexp_like",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "signum",
    "split_part",
    "starts_with",
    "string_to_array",
    "strpos",
    "substr",
    "to_date",
    "to_timestamp",
    "translate",
    "trunc",
    "upper",
];

/// The aggregates, sorted; all of them may be called with OVER, too, except `grouping`.
pub const ALLOWED_AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "median",
    "min",
    "nth_value",
    "stddev",
    "stddev_pop",
    "string_agg",
    "sum",
    "var",
    "var_pop",
];

/// The window functions that are not aggregates, sorted.
pub const ALLOWED_WINDOW_FUNCTIONS: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// Functions that give one of their arguments, unchanged, or NULL.
const CHOICES: &[&str] = &["coalesce", "nullif", "nvl", "nvl2"];

/// The allowed functions. A listed function that is volatile would be a mistake in the list and is left out.
pub(crate) fn allowed_functions() -> Vec<Arc<ScalarUDF>> {
    let all = all_default_functions().into_iter().chain(all_default_nested_functions());
    all.filter(|function| is_allowed(function)).collect()
}

/// The allowed aggregates.
pub(crate) fn allowed_aggregates() -> Vec<Arc<AggregateUDF>> {
    all_default_aggregate_functions().into_iter().filter(|function| is_allowed_aggregate(function)).collect()
}

/// The allowed window functions that are not aggregates.
pub(crate) fn allowed_window_functions() -> Vec<Arc<WindowUDF>> {
    all_default_window_functions().into_iter().filter(|function| is_allowed_window(function)).collect()
}

/// Whether a planned call is to one of the allowed functions.
pub(crate) fn is_allowed(function: &ScalarUDF) -> bool {
    listed(ALLOWED_FUNCTIONS, function.name(), function.signature().volatility)
}

/// Whether an allowed function gives one of its arguments, unchanged, or NULL.
pub(crate) fn is_choice(function: &ScalarUDF) -> bool {
    is_allowed(function) && CHOICES.contains(&function.name())
}

/// Whether a planned call is to one of the allowed aggregates.
pub(crate) fn is_allowed_aggregate(function: &AggregateUDF) -> bool {
    listed(ALLOWED_AGGREGATES, function.name(), function.signature().volatility)
}

/// Whether a planned call is to one of the allowed window functions.
pub(crate) fn is_allowed_window(function: &WindowUDF) -> bool {
    listed(ALLOWED_WINDOW_FUNCTIONS, function.name(), function.signature().volatility)
}

fn listed(list: &[&str], name: &str, volatility: Volatility) -> bool {
    list.binary_search(&name).is_ok() && volatility != Volatility::Volatile
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_name_on_it_exists() {
        assert!(ALLOWED_FUNCTIONS.is_sorted());
        let known: Vec<_> = allowed_functions().iter().map(|function| function.name().to_owned()).collect();
        let missing: Vec<_> = ALLOWED_FUNCTIONS.iter().filter(|name| !known.iter().any(|k| k == *name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_aggregates_and_window_functions_are_sorted_and_exist() {
        assert!(ALLOWED_AGGREGATES.is_sorted() && ALLOWED_WINDOW_FUNCTIONS.is_sorted());
        let aggregates: Vec<_> = allowed_aggregates().iter().map(|function| function.name().to_owned()).collect();
        let windows: Vec<_> = allowed_window_functions().iter().map(|function| function.name().to_owned()).collect();
        let missing = |list: &[&str], known: &[String]| -> Vec<String> {
            list.iter().filter(|name| !known.iter().any(|k| k == *name)).map(ToString::to_string).collect()
        };
        assert_eq!(missing(ALLOWED_AGGREGATES, &aggregates), Vec::<String>::new());
        assert_eq!(missing(ALLOWED_WINDOW_FUNCTIONS, &windows), Vec::<String>::new());
    }

    #[test]
    fn functions_that_differ_from_call_to_call_or_look_around_are_absent() {
        for name in ["now", "random", "uuid", "current_date", "version", "input_file_name", "arrow_typeof"] {
            assert!(!ALLOWED_FUNCTIONS.contains(&name), "{name}");
        }
    }
}
