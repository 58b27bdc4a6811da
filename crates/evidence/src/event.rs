//! The bodies of ledger entries, typed: one variant for each kind that this version writes.
//!
//! No variant has room for a value from the data, a secret or a key.

use std::collections::BTreeMap;

use crate::access::{AccessIntent, AccessResult};
use lockgate_model::{ColumnName, DatasetName, DomainName, InputOrdinal, PipelineName, RunId, Sha256Digest, StoreName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident $body:ident $kind:literal)*) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $variant($body),)*
        }

        impl Event {
            /// The kind of the ledger entry that carries it.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// The body of the ledger entry.
            pub fn to_body(&self) -> Result<Map<String, Value>, serde_json::Error> {
                match self { $(Self::$variant(body) => to_map(body),)* }
            }

            /// Reads an entry back; `None` for a kind that this version does not write. Unknown keys are refused.
            pub fn from_body(kind: &str, body: &Map<String, Value>) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($kind => Some(from_map(body).map(Self::$variant)),)*
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// A project began its ledger.
    ProjectCreate ProjectCreate "project"
    /// A key was made.
    KeyCreate KeyCreate "key.create"
    /// A key was followed by a new one.
    KeyRotate KeyRotate "key.rotate"
    /// Keys were wrapped anew under another version of the key-encryption key.
    KeyRewrap KeyRewrap "key.rewrap"
    /// A key was destroyed.
    KeyShred KeyShred "key.shred"
    /// The sealed values of one person were made unreadable.
    SubjectErase SubjectErase "subject.erase"
    /// A run is about to write.
    RunIntent RunIntent "run.intent"
    /// A run has written.
    RunCommit RunCommit "run.commit"
    /// A run has written nothing and ended.
    RunAbort RunAbort "run.abort"
    /// A dataset has a new version.
    DatasetVersion DatasetVersion "dataset.version"
    /// Somebody is about to be shown rows.
    AccessIntent AccessIntent "access.intent"
    /// What somebody was shown.
    AccessResult AccessResult "access.result"
}

fn to_map(body: &impl Serialize) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::to_value(body).and_then(serde_json::from_value)
}

fn from_map<T: DeserializeOwned>(body: &Map<String, Value>) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(body.clone()))
}

/// The first entry of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectCreate {
    /// The checkpoint's origin.
    pub origin: String,
    /// The key that checkpoints are verified with, in the text form of C2SP signed-note.
    pub verifier_key: String,
    /// The version of the program.
    pub lockgate: String,
}

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum KeyScope {
    /// The key-encryption key of the project.
    Kek,
    /// Sealed values of one column.
    Column {
        /// The dataset.
        dataset: DatasetName,
        /// Its column.
        column: ColumnName,
    },
    /// Tokens and format-preserving encryption of one domain.
    Domain {
        /// The domain.
        domain: DomainName,
    },
    /// The names of a dataset's subjects in the key table.
    Subjects {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The encrypted files of a dataset, their columns of one level.
    Files {
        /// The dataset.
        dataset: DatasetName,
        /// The level's name.
        level: String,
    },
}

/// One key, by id and without its material.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReference {
    /// Its id; for a key-encryption key `kek-` and its version.
    pub key: String,
    /// What it is for.
    pub scope: KeyScope,
    /// As the rule table names it.
    pub algorithm: String,
    /// The version of the key-encryption key that wraps it; its own version for a key-encryption key.
    pub kek_version: u32,
    /// The digest of the wrapped key; absent for a key-encryption key.
    pub wrapped_sha256: Option<Sha256Digest>,
}

/// A key was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCreate {
    /// The new key.
    pub key: KeyReference,
    /// Why.
    pub because: String,
}

/// A key was followed by a new one; values under the old key stay readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotate {
    /// The new key.
    pub key: KeyReference,
    /// The id of the key that it follows.
    pub follows: String,
    /// Why.
    pub because: String,
}

/// Keys were wrapped anew; none changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRewrap {
    /// The version of the key-encryption key that wraps them now.
    pub kek_version: u32,
    /// The digest of each wrapped key, by key id.
    pub wrapped_sha256: BTreeMap<String, Sha256Digest>,
}

/// A key was destroyed, and everything under it can no longer be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyShred {
    /// The key's id.
    pub key: String,
    /// What it was for.
    pub scope: KeyScope,
    /// Why, in the words of whoever ordered it.
    pub because: String,
}

/// The salt of one person was destroyed: no value that was sealed for that person opens any more, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectErase {
    /// The dataset that declares the subject.
    pub dataset: DatasetName,
    /// The person, as a token under the dataset's key of subjects.
    pub subject: String,
    /// Why, in the words of whoever ordered it.
    pub because: String,
    /// The sealed values of that person that were found, by dataset and column.
    pub copies: Vec<ErasedCopies>,
}

/// Sealed values of one person in one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedCopies {
    /// The dataset that they lie in.
    pub dataset: DatasetName,
    /// The store.
    pub store: StoreName,
    /// The column.
    pub column: ColumnName,
    /// How many there are.
    pub values: u64,
    /// How many of them opened before.
    pub opened_before: u64,
    /// How many opened afterwards: none.
    pub opened_after: u64,
}

/// A run is about to write: what and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunIntent {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The dataset that it writes.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// The parameters that it was given.
    pub params: BTreeMap<String, String>,
    /// How many inputs it reads.
    pub inputs: u32,
}

/// A run has written; the sink holds its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCommit {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The dataset that it wrote.
    pub dataset: DatasetName,
    /// The number of this commit of the dataset: the upper part of its rows' ids.
    pub commit: InputOrdinal,
    /// Records read, broken ones included.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Records set aside.
    pub rows_quarantined: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// The digest of the file that keeps the records set aside; absent where there are none.
    pub quarantine_sha256: Option<Sha256Digest>,
}

/// A run ended without having written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAbort {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The kind of failure, never its text: that could hold a value.
    pub reason: String,
}

/// A dataset has a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetVersion {
    /// The dataset.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// The number of this version's commit.
    pub commit: InputOrdinal,
    /// The run that wrote it.
    pub run: RunId,
    /// The digest of the record that the sink keeps with the commit.
    pub record_sha256: Sha256Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_and_refuse_unknown_keys() {
        let event = Event::KeyShred(KeyShred {
            key: "ab".into(),
            scope: KeyScope::Column { dataset: "a.b".parse().unwrap(), column: "email".parse().unwrap() },
            because: "asked".into(),
        });
        let mut body = event.to_body().unwrap();
        assert_eq!(Event::from_body(event.kind(), &body).unwrap().unwrap(), event);
        body.insert("extra".into(), Value::Null);
        assert!(Event::from_body(event.kind(), &body).unwrap().is_err());
        assert!(Event::from_body("run.unknown", &body).is_none());
    }
}
