//! What is done to a value before it leaves for a place that may not see it, and the form it is in afterwards.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::DomainName;

/// The fewest digits that format-preserving encryption takes: SP 800-38G r1 wants a domain of 1,000,000 or more.
pub const FPE_DIGITS_MIN: usize = 6;

/// The form a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it was read.
    Clear,
    /// Partly or wholly hidden, not to be undone.
    Masked,
    /// Replaced by a token that is equal for equal values of one domain.
    Tokenized,
    /// Encrypted; whoever may unwrap the key can open it.
    Sealed,
    /// Absent.
    Dropped,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clear => "clear",
            Self::Masked => "masked",
            Self::Tokenized => "tokenized",
            Self::Sealed => "sealed",
            Self::Dropped => "dropped",
        })
    }
}

/// How a mask hides a value: the kinds of Apache Ranger (its `MASK`, `MASK_SHOW_FIRST_4`, `MASK_SHOW_LAST_4`,
/// `MASK_HASH`, `MASK_NULL`, `MASK_DATE_SHOW_YEAR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mask {
    /// Upper-case letters become `X`, lower-case `x`, digits `n`; the rest stays.
    Redact,
    /// The first characters stay, the rest is redacted.
    ShowFirst(u8),
    /// The last characters stay, the rest is redacted.
    ShowLast(u8),
    /// The SHA-256 digest in hexadecimal. Unkeyed: who can guess a value can confirm it.
    Hash,
    /// Nothing is left.
    Null,
    /// A date keeps its year and becomes the first of January.
    DateToYear,
}

/// What is done to a column, as written after `with:` in a project's `protect` list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Authenticated encryption of each value.
    Seal,
    /// A token under the domain's key.
    Token {
        /// Where equal values stay equal.
        domain: DomainName,
    },
    /// Format-preserving encryption of the digits under the domain's key.
    Fpe {
        /// Where equal values stay equal.
        domain: DomainName,
    },
    /// A mask.
    Mask(Mask),
    /// The column is left out.
    Drop,
}

impl Protection {
    /// The form that values are in afterwards. Format-preserving encryption is undone by who may use the key, so its
    /// values count as sealed.
    pub const fn form(&self) -> Form {
        match self {
            Self::Seal | Self::Fpe { .. } => Form::Sealed,
            Self::Token { .. } => Form::Tokenized,
            Self::Mask(_) => Form::Masked,
            Self::Drop => Form::Dropped,
        }
    }

    /// Whether a key is needed to apply it.
    pub const fn is_keyed(&self) -> bool {
        match self {
            Self::Seal | Self::Token { .. } | Self::Fpe { .. } => true,
            Self::Mask(_) | Self::Drop => false,
        }
    }
}

/// The text names no protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no protection: it takes seal, token(domain: NAME), fpe(domain: NAME), drop, or mask(KIND) with KIND \
     one of redact, show_first: N, show_last: N, hash, null, date_to_year"
)]
pub struct ProtectionError {
    text: String,
}

impl FromStr for Protection {
    type Err = ProtectionError;

    fn from_str(text: &str) -> Result<Self, ProtectionError> {
        parse(text).ok_or_else(|| ProtectionError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Protection> {
    let (name, argument) = match text.trim().split_once('(') {
        Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')')?.trim())),
        None => (text.trim(), None),
    };
    let domain = || argument?.strip_prefix("domain")?.trim_start().strip_prefix(':')?.trim().parse().ok();
    match (name, argument) {
        ("seal", None) => Some(Protection::Seal),
        ("drop", None) => Some(Protection::Drop),
        ("token", Some(_)) => Some(Protection::Token { domain: domain()? }),
        ("fpe", Some(_)) => Some(Protection::Fpe { domain: domain()? }),
        ("mask", Some(kind)) => parse_mask(kind).map(Protection::Mask),
        _ => None,
    }
}

fn parse_mask(kind: &str) -> Option<Mask> {
    if let Some((name, count)) = kind.split_once(':') {
        let count = count.trim().parse().ok()?;
        return match name.trim() {
            "show_first" => Some(Mask::ShowFirst(count)),
            "show_last" => Some(Mask::ShowLast(count)),
            _ => None,
        };
    }
    match kind {
        "redact" => Some(Mask::Redact),
        "hash" => Some(Mask::Hash),
        "null" => Some(Mask::Null),
        "date_to_year" => Some(Mask::DateToYear),
        _ => None,
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redact => f.write_str("redact"),
            Self::ShowFirst(count) => write!(f, "show_first: {count}"),
            Self::ShowLast(count) => write!(f, "show_last: {count}"),
            Self::Hash => f.write_str("hash"),
            Self::Null => f.write_str("null"),
            Self::DateToYear => f.write_str("date_to_year"),
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal => f.write_str("seal"),
            Self::Token { domain } => write!(f, "token(domain: {domain})"),
            Self::Fpe { domain } => write!(f, "fpe(domain: {domain})"),
            Self::Mask(kind) => write!(f, "mask({kind})"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

impl Serialize for Protection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Protection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Protection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Protection".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "seal, token(domain: NAME), fpe(domain: NAME), drop, or mask(redact | show_first: N | show_last: N | hash | null | date_to_year)",
            "examples": ["seal", "token(domain: customer)", "mask(show_last: 4)"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protection_reads_back_from_its_text() {
        for text in [
            "seal",
            "token(domain: customer)",
            "fpe(domain: card)",
            "drop",
            "mask(redact)",
            "mask(show_first: 2)",
            "mask(show_last: 4)",
            "mask(hash)",
            "mask(null)",
            "mask(date_to_year)",
        ] {
            assert_eq!(text.parse::<Protection>().unwrap().to_string(), text);
        }
        assert_eq!("token( domain:x )".parse::<Protection>().unwrap().to_string(), "token(domain: x)");
        for wrong in [
            "",
            "Seal",
            "seal()",
            "token",
            "token()",
            "token(x)",
            "token(domain: )",
            "mask",
            "mask(first)",
            "mask(show_last: 300)",
            "drop ",
        ] {
            assert_eq!(wrong.parse::<Protection>().is_ok(), wrong.trim() == "drop", "{wrong}");
        }
    }
}
