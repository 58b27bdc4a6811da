//! With which keys a run protected which column: ids, never keys.

use std::collections::BTreeMap;

use lockgate_model::ColumnName;
use serde::{Deserialize, Serialize};

use crate::{Document, attachment};

/// The keys that one run used, by output column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysUsed {
    /// Format version, 1.
    pub v: u8,
    /// One for each column that was sealed, tokenized or format-preservingly encrypted by the run.
    pub columns: BTreeMap<ColumnName, ColumnProtectionKey>,
    /// For encrypted files: the key of the level under which each column's part of every file is encrypted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<ColumnName, ColumnProtectionKey>,
}

/// The key of one column in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnProtectionKey {
    /// The column key, or the domain's key.
    pub key: String,
    /// The run's own data-encryption key; absent where the domain's key is used itself.
    pub dek: Option<String>,
    /// As the rule table names it.
    pub algorithm: String,
    /// The version of the key-encryption key that wrapped the key when the run began.
    pub kek_version: u32,
}

impl Document for KeysUsed {
    const NAME: &'static str = attachment::KEYS;
}
