//! What a mask leaves of a value: after Apache Ranger's mask types, on whole columns. Null stays null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimeUnit};
use arrow::error::ArrowError;
use lockgate_crypto::sha256;
use lockgate_model::{Mask, ValueType};

/// The type of what a mask leaves, or `None` if the mask does not fit values of this type.
pub(crate) fn masked_type(mask: Mask, value_type: ValueType) -> Option<ValueType> {
    match (mask, value_type) {
        (Mask::Null, any) => Some(any),
        (Mask::Hash, _) => Some(ValueType::Text),
        (Mask::Redact | Mask::ShowFirst(_) | Mask::ShowLast(_), ValueType::Text) => Some(ValueType::Text),
        (Mask::DateToYear, ValueType::Date) => Some(ValueType::Date),
        (Mask::DateToYear, ValueType::Timestamp) => Some(ValueType::Timestamp),
        (Mask::Redact | Mask::ShowFirst(_) | Mask::ShowLast(_) | Mask::DateToYear, _) => None,
    }
}

/// Masks a column. Fails where [`masked_type`] says `None`.
pub(crate) fn mask_column(mask: Mask, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match mask {
        Mask::Null => Ok(new_null_array(values.data_type(), values.len())),
        Mask::Redact => map_text(values, |text| text.chars().map(redacted).collect()),
        Mask::ShowFirst(count) => {
            let first = usize::from(count);
            let shown = |(index, c)| if index < first { c } else { redacted(c) };
            map_text(values, |text| text.chars().enumerate().map(shown).collect())
        }
        Mask::ShowLast(count) => map_text(values, |text| {
            let hidden = text.chars().count().saturating_sub(usize::from(count));
            text.chars().enumerate().map(|(index, c)| if index < hidden { redacted(c) } else { c }).collect()
        }),
        Mask::Hash => map_text(&cast(values, &DataType::Utf8)?, |text| sha256(text.as_bytes()).to_string()),
        Mask::DateToYear => date_to_year(values),
    }
}

/// Ranger's redaction: upper case to `X`, lower case to `x`, digits to `n`. Letters without case, which most of the
/// world's scripts have, become `x` too; Ranger would show them.
fn redacted(c: char) -> char {
    if c.is_uppercase() {
        'X'
    } else if c.is_numeric() {
        'n'
    } else if c.is_alphabetic() {
        'x'
    } else {
        c
    }
}

fn map_text(values: &ArrayRef, map: impl Fn(&str) -> String) -> Result<ArrayRef, ArrowError> {
    let texts = cast(values, &DataType::Utf8)?;
    let masked: StringArray = texts.as_string::<i32>().iter().map(|text| text.map(&map)).collect();
    Ok(Arc::new(masked))
}

fn date_to_year(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let dates = cast(values, &DataType::Date32)?;
    let first_of_year = |days: i32| -> Option<i32> {
        let year = Date32Type::to_naive_date_opt(days)?.format("%Y").to_string().parse().ok()?;
        let epoch = jiff::civil::date(1970, 1, 1);
        let first = jiff::civil::Date::new(year, 1, 1).ok()?;
        Some(first.since((jiff::Unit::Day, epoch)).ok()?.get_days())
    };
    let days: Date32Array =
        dates.as_primitive::<Date32Type>().iter().map(|days| days.and_then(first_of_year)).collect();
    match values.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = |days: Option<i32>| days.map(|days| i64::from(days) * 86_400_000_000);
            let stamps: TimestampMicrosecondArray = days.iter().map(micros).collect();
            Ok(Arc::new(stamps.with_timezone_opt(zone.clone())))
        }
        _ => Ok(Arc::new(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: Mask, text: &str) -> String {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some(text), None]));
        let out = mask_column(mask, &column).unwrap();
        assert!(out.is_null(1), "null stays null");
        out.as_string::<i32>().value(0).to_owned()
    }

    #[test]
    fn text_masks_show_what_they_say_and_no_more() {
        for (mask, text, expected) in [
            (Mask::Redact, "Ada Lovelace 1815", "Xxx Xxxxxxxx nnnn"),
            (Mask::Redact, "山田 太郎", "xx xx"),
            (Mask::Redact, "٤٢", "nn"),
            (Mask::ShowLast(4), "+44 7700 900123", "+nn nnnn nn0123"),
            (Mask::ShowLast(4), "abc", "abc"),
            (Mask::ShowFirst(2), "Zoë", "Zox"),
            (Mask::ShowFirst(0), "Zoë", "Xxx"),
            (Mask::Hash, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(masked(mask, text), expected, "{mask} of {text}");
        }
    }

    #[test]
    fn a_date_keeps_its_year_before_and_after_1970() {
        for (date, expected) in
            [("1969-12-31", "1969-01-01"), ("2024-02-29", "2024-01-01"), ("0001-07-01", "0001-01-01")]
        {
            let text: ArrayRef = Arc::new(StringArray::from(vec![date]));
            let out = mask_column(Mask::DateToYear, &cast(&text, &DataType::Date32).unwrap()).unwrap();
            assert_eq!(cast(&out, &DataType::Utf8).unwrap().as_string::<i32>().value(0), expected);
        }
    }

    #[test]
    fn masks_that_do_not_fit_a_type_are_known_before_a_run() {
        assert_eq!(masked_type(Mask::ShowLast(4), ValueType::BigInt), None);
        assert_eq!(masked_type(Mask::DateToYear, ValueType::Text), None);
        assert_eq!(masked_type(Mask::Null, ValueType::BigInt), Some(ValueType::BigInt));
        assert_eq!(masked_type(Mask::Hash, ValueType::Date), Some(ValueType::Text));
    }
}
