//! Types, values and names as Spark writes them.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

use super::{Outcome, SparkError};

/// A type that is the same in Spark.
pub(super) fn spark_type(data_type: &DataType) -> Outcome<String> {
    Ok(match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) if *scale >= 0 => format!("DECIMAL({precision}, {scale})"),
        text if is_text(text) => "STRING".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => "TIMESTAMP".into(),
        DataType::List(item) if *item.data_type() == DataType::Int64 => "ARRAY<BIGINT>".into(),
        other => return Err(SparkError::unequal(format!("a value of the type `{other}`"))),
    })
}

/// Whether it is text, whatever Arrow keeps it in.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A value with its type, so that Spark finds no other one for it.
pub(super) fn literal(value: &ScalarValue) -> Outcome<String> {
    let data_type = value.data_type();
    if data_type.is_null() {
        return Ok("NULL".into());
    }
    let spark = spark_type(&data_type)?;
    if value.is_null() {
        return Ok(format!("CAST(NULL AS {spark})"));
    }
    let is_plain_year = |text: &str| text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
    Ok(match value {
        ScalarValue::Boolean(Some(value)) => if *value { "TRUE" } else { "FALSE" }.into(),
        ScalarValue::Int64(Some(value)) => match value {
            // Its digits alone are no bigint.
            &i64::MIN => format!("CAST('{value}' AS BIGINT)"),
            0.. => format!("{value}L"),
            _ => format!("({value}L)"),
        },
        ScalarValue::Int32(Some(value)) => format!("CAST({value} AS INT)"),
        ScalarValue::Float64(Some(value)) if value.is_finite() => format!("CAST('{value:?}' AS DOUBLE)"),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            text_literal(text)?
        }
        ScalarValue::Decimal128(Some(_), _, _) => format!("CAST('{}' AS {spark})", written(value)?),
        ScalarValue::Date32(Some(_)) => match written(value)? {
            day if is_plain_year(&day) => format!("DATE '{day}'"),
            _ => return Err(SparkError::unequal("a date before the year 1 or after 9999")),
        },
        ScalarValue::TimestampMicrosecond(Some(_), _) => match written(value)? {
            instant if is_plain_year(&instant) => format!("CAST('{instant}' AS TIMESTAMP)"),
            _ => return Err(SparkError::unequal("an instant before the year 1 or after 9999")),
        },
        _ => return Err(SparkError::unequal(format!("a literal of the type `{data_type}`"))),
    })
}

fn written(value: &ScalarValue) -> Outcome<String> {
    match value.cast_to(&DataType::Utf8)? {
        ScalarValue::Utf8(Some(text)) => Ok(text),
        _ => Err(SparkError::Differs("a literal has no text".into())),
    }
}

/// A text in quotes. Spark reads `\` as the beginning of an escape, and `${..}` as a variable of the session.
pub(super) fn text_literal(text: &str) -> Outcome<String> {
    no_variable(text)?;
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => return Err(SparkError::unequal("a text with a control character")),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    Ok(quoted)
}

/// A name that means itself between backticks.
pub(super) fn plain_name(name: &str) -> Outcome<()> {
    no_variable(name)
}

fn no_variable(text: &str) -> Outcome<()> {
    if text.contains("${") {
        return Err(SparkError::unequal("`${`, which Spark takes for a variable,"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_literal_and_no_line_of_its_own() {
        assert_eq!(text_literal("it's \\ a\nb").unwrap(), r"'it\'s \\ a\nb'");
        assert!(text_literal("${env:HOME}").is_err() && text_literal("$ {a}").is_ok());
        assert!(text_literal("a\0b").is_err());
    }

    #[test]
    fn a_value_keeps_its_type() {
        for (value, expected) in [
            (ScalarValue::Int64(Some(i64::MIN)), "CAST('-9223372036854775808' AS BIGINT)"),
            (ScalarValue::Int64(Some(-3)), "(-3L)"),
            (ScalarValue::Int64(Some(i64::MAX)), "9223372036854775807L"),
            (ScalarValue::Int32(Some(4)), "CAST(4 AS INT)"),
            (ScalarValue::Float64(Some(1e300)), "CAST('1e300' AS DOUBLE)"),
            (ScalarValue::Decimal128(Some(1250), 10, 2), "CAST('12.50' AS DECIMAL(10, 2))"),
            (ScalarValue::Date32(Some(-1)), "DATE '1969-12-31'"),
            (ScalarValue::Utf8(None), "CAST(NULL AS STRING)"),
        ] {
            assert_eq!(literal(&value).unwrap(), expected);
        }
        for refused in
            [ScalarValue::Float64(Some(f64::NAN)), ScalarValue::Date32(Some(4_000_000)), ScalarValue::UInt8(Some(1))]
        {
            assert!(literal(&refused).is_err(), "{refused}");
        }
    }
}
