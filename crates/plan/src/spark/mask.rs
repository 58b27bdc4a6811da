//! What a mask leaves of a value, in Spark's functions: the same as [`crate::mask`].
//!
//! ```text
//! redact      letters that are not upper case, digits, upper case, one after the other
//! show_last   the redacted beginning, then the end as it is
//! hash        sha2(.., 256)
//! ```
//! Characters that Java's Unicode tables do not know yet count as letters, since some of them are.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, ExprSchemable};
use lockgate_model::{Mask, Protection};

use super::literal::{is_text, spark_type, text_literal};
use super::relation::{Printer, Scope};
use super::{Outcome, SparkError};
use crate::protect_function::ProtectFunction;

/// Patterns and what stands for each character that matches; none of the later ones matches what an earlier one put in.
const REDACTIONS: &[(&str, &str)] = &[
    (r"[\p{IsAlphabetic}\p{Cn}&&[^\p{IsUppercase}\p{N}]]", "x"),
    (r"[\p{N}&&[^\p{IsUppercase}]]", "n"),
    (r"\p{IsUppercase}", "X"),
];

impl Printer {
    pub(super) fn protection(
        &mut self,
        function: &ProtectFunction,
        args: &[Expr],
        scope: Scope<'_>,
    ) -> Outcome<String> {
        let (Protection::Mask(mask), [value]) = (function.protection(), args) else {
            return Err(SparkError::unequal(format!("`{}` of column `{}`", function.protection(), function.column())));
        };
        let data_type = value.get_type(scope.schema)?;
        let refuse = || Err(SparkError::unequal(format!("`{mask}` of the type `{data_type}`")));
        let text = match mask {
            Mask::Null => return Ok(format!("CAST(NULL AS {})", spark_type(&data_type)?)),
            Mask::Hash => {
                let text = self.cast(value, &DataType::Utf8, false, scope)?;
                return Ok(format!("sha2({text}, 256)"));
            }
            Mask::Redact | Mask::ShowFirst(_) | Mask::ShowLast(_) | Mask::DateToYear => {
                self.expression(value, scope)?
            }
        };
        match mask {
            Mask::Redact if is_text(&data_type) => redacted(&text),
            Mask::ShowFirst(count) if is_text(&data_type) => {
                let rest = redacted(&format!("substr({text}, {})", u32::from(*count) + 1))?;
                Ok(format!("(left({text}, {count}) || {rest})"))
            }
            Mask::ShowLast(count) if is_text(&data_type) => {
                let hidden = format!("greatest((char_length({text}) - {count}), 0)");
                let rest = redacted(&format!("left({text}, {hidden})"))?;
                Ok(format!("({rest} || right({text}, {count}))"))
            }
            Mask::DateToYear if data_type == DataType::Date32 => Ok(format!("trunc({text}, 'YEAR')")),
            Mask::DateToYear if matches!(data_type, DataType::Timestamp(_, _)) => {
                Ok(format!("date_trunc('YEAR', {text})"))
            }
            Mask::Redact | Mask::ShowFirst(_) | Mask::ShowLast(_) | Mask::DateToYear | Mask::Hash | Mask::Null => {
                refuse()
            }
        }
    }
}

fn redacted(text: &str) -> Outcome<String> {
    REDACTIONS.iter().try_fold(text.to_owned(), |text, (pattern, stands_for)| {
        Ok(format!("regexp_replace({text}, {}, '{stands_for}')", text_literal(pattern)?))
    })
}
