//! The type of a column's values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most digits a decimal may have (Arrow's Decimal128).
const DECIMAL_PRECISION_MAX: u8 = 38;

/// The type of a column's values, under the names that SQL gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// UTF-8 text.
    Text,
    /// A 64-bit signed integer.
    BigInt,
    /// A 32-bit signed integer.
    Integer,
    /// An IEEE 754 double.
    Double,
    /// A decimal of `precision` digits, `scale` of them after the point.
    Decimal {
        /// All digits, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant, in microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// The text names no column type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no column type: it takes text, bigint, integer, double, decimal(precision, scale), boolean, date or timestamp"
)]
pub struct ValueTypeError(String);

impl FromStr for ValueType {
    type Err = ValueTypeError;

    fn from_str(text: &str) -> Result<Self, ValueTypeError> {
        let decimal = || {
            let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            ((1..=DECIMAL_PRECISION_MAX).contains(&precision) && scale <= precision)
                .then_some(Self::Decimal { precision, scale })
        };
        match text {
            "text" => Ok(Self::Text),
            "bigint" => Ok(Self::BigInt),
            "integer" => Ok(Self::Integer),
            "double" => Ok(Self::Double),
            "boolean" => Ok(Self::Boolean),
            "date" => Ok(Self::Date),
            "timestamp" => Ok(Self::Timestamp),
            other => decimal().ok_or_else(|| ValueTypeError(other.to_owned())),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::BigInt => f.write_str("bigint"),
            Self::Integer => f.write_str("integer"),
            Self::Double => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl Serialize for ValueType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ValueType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ValueType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ValueType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^(text|bigint|integer|double|boolean|date|timestamp|decimal\(\s*\d+\s*,\s*\d+\s*\))$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_from_its_name() {
        for text in ["text", "bigint", "integer", "double", "decimal(38, 38)", "boolean", "date", "timestamp"] {
            assert_eq!(text.parse::<ValueType>().unwrap().to_string(), text);
        }
        for wrong in ["", "TEXT", "varchar", "decimal", "decimal(0,0)", "decimal(39,0)", "decimal(5,6)", "decimal(5)"] {
            assert!(wrong.parse::<ValueType>().is_err(), "{wrong}");
        }
    }
}
