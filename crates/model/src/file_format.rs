//! How files and the values in them are written: one set of words for the catalog that declares them and the readers that
//! follow it.

use schemars::JsonSchema;
use serde::Deserialize;

/// The most texts that stand for null in one dataset.
pub const NULL_TOKENS_MAX: usize = 16;
/// The longest format of a column's values, in bytes.
pub const VALUE_FORMAT_BYTES_MAX: usize = 64;

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As the first bytes of each file say.
    Auto,
    /// Not.
    None,
    /// gzip (RFC 1952), one member or several.
    Gzip,
    /// Zstandard (RFC 8878), one frame or several.
    Zstd,
}

/// How text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TextEncoding {
    /// UTF-8; records that are not are set aside.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, its order by the byte order mark, little-endian without one.
    #[serde(rename = "utf-16")]
    Utf16,
    /// UTF-16, little-endian.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big-endian.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// ISO 8859-1: each byte is the code point.
    #[serde(rename = "latin-1")]
    Latin1,
    /// Windows-1252.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// How a column's values are written, where that is not the usual way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFormat {
    /// Dates, as `strptime` reads them.
    Date(String),
    /// Points in time, as `strptime` reads them; without an offset in UTC.
    Timestamp(String),
    /// Numbers with this sign before the decimals, and perhaps one between thousands.
    Number {
        /// Before the decimals.
        decimal: char,
        /// Between thousands.
        group: Option<char>,
    },
    /// Booleans by these two words, whatever their case.
    Boolean {
        /// For true.
        yes: String,
        /// For false.
        no: String,
    },
}
