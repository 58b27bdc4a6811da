//! Names that were checked when they entered; a name type never holds an empty, oversized or unprintable text.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of any kind, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Columns that Lockgate adds to a plan or a table begin with this; nobody else's may.
pub const RESERVED_COLUMN_PREFIX: &str = "__lockgate";

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct NameError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

impl NameError {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(NAME_BYTES_MAX).collect(), rule }
    }
}

const PLAIN_RULE: &str = "it takes 1 to 128 ASCII letters, digits, `_` and `-`, and begins with a letter or `_`";
const DOTTED_RULE: &str =
    "it takes plain names (ASCII letters, digits, `_`, `-`) joined by single dots, 128 bytes at most";
const COLUMN_RULE: &str =
    "it takes 1 to 128 bytes without control characters, and `__lockgate` at the beginning is reserved";

fn is_plain(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && text.len() <= NAME_BYTES_MAX
}

fn is_dotted(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && text.split('.').all(is_plain)
}

fn is_column(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && !text.chars().any(char::is_control)
        && !text.to_ascii_lowercase().starts_with(RESERVED_COLUMN_PREFIX)
}

fn is_run_id(text: &str) -> bool {
    text.len() == 26
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z') && !matches!(b, b'i' | b'l' | b'o' | b'u'))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $accepts:path, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $accepts(text) { Ok(Self(text.to_owned())) } else { Err(NameError::new($kind, text, $rule)) }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX, "description": $rule })
            }
        }
    };
}

name!(
    /// A project; part of every key's context, so two projects' values never open under one another.
    ProjectName, "project name", is_plain, PLAIN_RULE
);
name!(
    /// A store of a project: a place that holds datasets.
    StoreName, "store name", is_plain, PLAIN_RULE
);
name!(
    /// A dataset: a named table, file set or topic, such as `customers` or `analytics.customers`.
    DatasetName, "dataset name", is_dotted, DOTTED_RULE
);
name!(
    /// A column of a dataset. Any printable text, since the headers of real exports are any text.
    ColumnName, "column name", is_column, COLUMN_RULE
);
name!(
    /// A pipeline.
    PipelineName, "pipeline name", is_plain, PLAIN_RULE
);
name!(
    /// A person or a service.
    PrincipalName, "principal name", is_dotted, DOTTED_RULE
);
name!(
    /// What a column is: `pii.email`, `pci.pan`.
    TagName, "tag", is_dotted, DOTTED_RULE
);
name!(
    /// The domain of a token: equal values join inside it and nowhere else.
    DomainName, "domain name", is_plain, PLAIN_RULE
);
name!(
    /// One execution of a pipeline: 26 characters of Crockford base 32 in lower case, ordered by time (a ULID).
    RunId, "run id", is_run_id, "it takes 26 characters of Crockford base 32 in lower case, as `run` prints them"
);

impl DatasetName {
    /// The parts between the dots, first to last; at least one.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl RunId {
    /// Makes the id of a run that begins at `unix_ms` milliseconds since 1970, with 80 bits of the caller's randomness.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let random = random.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        let bits = (u128::from(unix_ms) & ((1 << 48) - 1)) << 80 | random;
        let digit = |place: u32| ALPHABET.get((bits >> (place * 5) & 31) as usize).copied().map_or('0', char::from);
        Self((0..26).rev().map(digit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_accept_what_their_rule_says() {
        for (text, plain, dotted, column) in [
            ("customers", true, true, true),
            ("analytics.customers", false, true, true),
            ("svc-etl", true, true, true),
            ("_x1", true, true, true),
            ("", false, false, false),
            ("1x", false, false, true),
            ("a..b", false, false, true),
            ("a b", false, false, true),
            ("tabs\there", false, false, false),
            ("prénom", false, false, true),
            ("__lockgate_rid", true, true, false),
            ("__LOCKGATE_x", true, true, false),
        ] {
            assert_eq!(text.parse::<StoreName>().is_ok(), plain, "{text}");
            assert_eq!(text.parse::<DatasetName>().is_ok(), dotted, "{text}");
            assert_eq!(text.parse::<ColumnName>().is_ok(), column, "{text}");
        }
    }

    #[test]
    fn a_name_is_refused_from_its_first_byte_too_many() {
        assert!("x".repeat(NAME_BYTES_MAX).parse::<PipelineName>().is_ok());
        assert!("x".repeat(NAME_BYTES_MAX + 1).parse::<PipelineName>().is_err());
        assert!("x".repeat(NAME_BYTES_MAX + 1).parse::<ColumnName>().is_err());
    }

    #[test]
    fn run_ids_are_ordered_by_time_and_read_back() {
        let earlier = RunId::new(1_000, [255; 10]);
        let later = RunId::new(1_001, [0; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.as_str().parse::<RunId>().unwrap(), earlier);
        assert_eq!(RunId::new(0, [0; 10]).as_str(), "0".repeat(26));
        assert!("0000000000000000000000000l".parse::<RunId>().is_err());
    }
}
