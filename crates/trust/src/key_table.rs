//! Which keys there are, what each is for, and which data key was derived from which: ids and wrapped keys, nothing that
//! opens anything by itself.

use jiff::Timestamp;
use lockgate_crypto::{DekId, KeyContext, KeyId, WrappedKey, WriterId, sha256};
use lockgate_evidence::{Event, KeyReference, KeyScope};
use lockgate_ledger::Revision;
use lockgate_model::ProjectName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::TrustError;
use crate::ledger_place::LedgerPlace;

/// The table's name beside the log.
pub const KEY_TABLE_FILE: &str = "key-table.json";
/// The largest key table, in bytes.
pub const KEY_TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a column key or a domain key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Protects and opens.
    Active,
    /// Opens what it protected before.
    Retired,
    /// Destroyed: what it protected can no longer be read.
    Shredded,
}

/// A column key or a domain key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub scope: KeyScope,
    /// The period of its scope, from 1.
    pub period: u32,
    /// As the rule table names it.
    pub algorithm: String,
    /// When its period began.
    pub created: Timestamp,
    /// What it may be used for.
    pub state: KeyState,
    /// The version of the key-encryption key that wraps it.
    pub kek_version: u32,
    /// The wrapped key; absent once shredded.
    pub wrapped: Option<WrappedKey>,
}

impl KeyRecord {
    /// How the ledger names it.
    pub(crate) fn reference(&self) -> KeyReference {
        KeyReference {
            key: self.id.to_string(),
            scope: self.scope.clone(),
            algorithm: self.algorithm.clone(),
            kek_version: self.kek_version,
            wrapped_sha256: self.wrapped.as_ref().map(|wrapped| sha256(wrapped.as_bytes())),
        }
    }

    /// The context that it is wrapped for; a key-encryption key has none and is no record of this table.
    pub(crate) fn context(&self, project: &ProjectName) -> Result<KeyContext, TrustError> {
        let project = project.clone();
        match &self.scope {
            KeyScope::Column { dataset, column } => {
                Ok(KeyContext::Column { project, dataset: dataset.clone(), column: column.clone() })
            }
            KeyScope::Domain { domain } => Ok(KeyContext::Domain { project, domain: domain.clone() }),
            KeyScope::Files { dataset, level } => {
                Ok(KeyContext::Files { project, dataset: dataset.clone(), level: level.clone() })
            }
            KeyScope::Subjects { dataset } => Ok(KeyContext::Subjects { project, dataset: dataset.clone() }),
            KeyScope::Kek => Err(TrustError::Unknown(self.id.to_string())),
        }
    }
}

/// A data key: the column key that it is derived from, and by which writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DekRecord {
    /// Its id, which every sealed value carries.
    pub id: DekId,
    /// The column key.
    pub key: KeyId,
    /// Who sealed with it: a run.
    pub writer: WriterId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    kind: String,
    body: Map<String, Value>,
}

/// The key table of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTable {
    v: u8,
    /// Column keys and domain keys.
    pub keys: Vec<KeyRecord>,
    /// Data keys.
    pub deks: Vec<DekRecord>,
    /// The versions of the key-encryption key that were announced.
    pub(crate) keks: Vec<u32>,
    outbox: Vec<Pending>,
}

impl KeyTable {
    /// Reads the table of a ledger; one without a table has an empty one.
    pub fn load(ledger: &LedgerPlace) -> Result<Self, TrustError> {
        Ok(Self::load_revision(ledger)?.0)
    }

    /// The same, and which content it is.
    pub(crate) fn load_revision(ledger: &LedgerPlace) -> Result<(Self, Option<Revision>), TrustError> {
        let Some(found) = ledger.read(KEY_TABLE_FILE, KEY_TABLE_BYTES_MAX)? else {
            let empty = Self { v: 1, keys: Vec::new(), deks: Vec::new(), keks: Vec::new(), outbox: Vec::new() };
            return Ok((empty, None));
        };
        let damaged = |reason: String| TrustError::Damaged { path: ledger.shown(KEY_TABLE_FILE).into(), reason };
        let table: Self = serde_json::from_slice(&found.content).map_err(|error| damaged(error.to_string()))?;
        if table.v != 1 {
            return Err(damaged("it has another format version".into()));
        }
        Ok((table, found.revision))
    }

    /// Replaces the table of a ledger, durably, if it is still of that revision; gives the new one.
    pub(crate) fn save(
        &self,
        ledger: &LedgerPlace,
        present: Option<&Revision>,
    ) -> Result<Option<Revision>, TrustError> {
        let bytes = serde_json::to_vec(self).map_err(|error| TrustError::Damaged {
            path: ledger.shown(KEY_TABLE_FILE).into(),
            reason: error.to_string(),
        })?;
        ledger.write(KEY_TABLE_FILE, bytes, present)
    }

    /// Keeps an event until the ledger has it.
    pub(crate) fn announce(&mut self, event: &Event) -> Result<(), TrustError> {
        let body = event.to_body().map_err(|error| TrustError::Crypto(error.to_string()))?;
        self.outbox.push(Pending { kind: event.kind().to_owned(), body });
        Ok(())
    }

    /// The events that the ledger does not have yet.
    pub(crate) fn pending(&self) -> Result<Vec<Event>, String> {
        let read = |pending: &Pending| match Event::from_body(&pending.kind, &pending.body) {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(format!("its outbox has an event of the unknown kind `{}`", pending.kind)),
        };
        self.outbox.iter().map(read).collect()
    }

    /// Whether the ledger has every event.
    pub(crate) fn is_settled(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(crate) fn clear_outbox(&mut self) {
        self.outbox.clear();
    }
}
