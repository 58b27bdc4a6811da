//! The key table beside the ledger must be what the ledger's key entries lead to.

use std::collections::BTreeMap;

use lockgate_crypto::sha256;
use lockgate_evidence::Event;
use lockgate_model::Sha256Digest;
use lockgate_trust::{KeyState, KeyTable};

/// Compares the table with the entries; says what differs, by the key's id.
pub(crate) fn check_keys(table: &KeyTable, events: &[(u64, Event)]) -> Result<(), String> {
    let mut told: BTreeMap<&str, Option<Sha256Digest>> = BTreeMap::new();
    for (_, event) in events {
        match event {
            Event::KeyCreate(event) => drop(told.insert(&event.key.key, event.key.wrapped_sha256)),
            Event::KeyRotate(event) => drop(told.insert(&event.key.key, event.key.wrapped_sha256)),
            Event::KeyRewrap(event) => {
                told.extend(event.wrapped_sha256.iter().map(|(key, digest)| (key.as_str(), Some(*digest))));
            }
            Event::KeyShred(event) => drop(told.insert(&event.key, None)),
            Event::ProjectCreate(_)
            | Event::SubjectErase(_)
            | Event::RunIntent(_)
            | Event::RunCommit(_)
            | Event::RunAbort(_)
            | Event::DatasetVersion(_)
            | Event::AccessIntent(_)
            | Event::AccessResult(_) => {}
        }
    }
    // Key-encryption keys are in the key store, which a verifier does not have.
    told.retain(|key, _| !key.starts_with("kek-"));
    for key in &table.keys {
        let id = key.id.to_string();
        let held = key.wrapped.as_ref().map(|wrapped| sha256(wrapped.as_bytes()));
        match told.remove(id.as_str()) {
            None => return Err(format!("key {id} is in the table, and no entry tells of it")),
            Some(None) if held.is_some() || key.state != KeyState::Shredded => {
                return Err(format!("the ledger says that key {id} is destroyed, and the table still has it"));
            }
            Some(Some(_)) if held.is_none() => {
                return Err(format!("key {id} is gone from the table, and no entry says that it was destroyed"));
            }
            Some(digest) if digest != held => {
                return Err(format!("the wrapped key {id} is not the one that the ledger tells of"));
            }
            Some(_) => {}
        }
    }
    match told.keys().next() {
        Some(key) => Err(format!("the ledger tells of key {key}, and the table does not have it")),
        None => Ok(()),
    }
}
