//! Only these functions exist in governed SQL: each gives the same answer for the same arguments, reads nothing else,
//! and writes nowhere.

use std::sync::Arc;

use datafusion::functions::all_default_functions;
use datafusion::logical_expr::{ScalarUDF, Volatility};

/// The names, sorted. A function outside this list is refused by name.
pub const ALLOWED_FUNCTIONS: &[&str] = &[
    "abs",
    "ascii",
    "btrim",
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
    "floor",
    "greatest",
    "initcap",
    "least",
    "left",
    "lower",
    "lpad",
    "ltrim",
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
    "strpos",
    "substr",
    "to_date",
    "to_timestamp",
    "translate",
    "trunc",
    "upper",
];

/// The allowed functions. A listed function that is volatile would be a mistake in the list and is left out.
pub(crate) fn allowed_functions() -> Vec<Arc<ScalarUDF>> {
    all_default_functions().into_iter().filter(|function| is_allowed(function)).collect()
}

/// Whether a planned call is to one of the allowed functions.
pub(crate) fn is_allowed(function: &ScalarUDF) -> bool {
    ALLOWED_FUNCTIONS.binary_search(&function.name()).is_ok() && function.signature().volatility != Volatility::Volatile
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
    fn functions_that_differ_from_call_to_call_or_look_around_are_absent() {
        for name in ["now", "random", "uuid", "current_date", "version", "input_file_name", "arrow_typeof"] {
            assert!(!ALLOWED_FUNCTIONS.contains(&name), "{name}");
        }
    }
}
