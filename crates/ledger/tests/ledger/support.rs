//! Small logs to test with.

use lockgate_crypto::{Secret, SigningKey};
use lockgate_ledger::{Attachment, Entry, Kind, Lease, LedgerStore, LedgerWriter, VerifierKey};
use serde_json::{Map, Value};

pub(crate) const ORIGIN: &str = "lockgate/retail";

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(Secret::new([7; 32])).unwrap()
}

pub(crate) fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, key().verifying_key())
}

pub(crate) fn entry(number: usize, attachments: Vec<Attachment>) -> Entry {
    Entry {
        kind: Kind::RunAbort,
        at: "2026-11-01T00:00:00Z".parse().unwrap(),
        project: "retail".parse().unwrap(),
        principal: None,
        body: Map::from_iter([("n".to_owned(), Value::from(number))]),
        attachments,
    }
}

pub(crate) fn entries(numbers: std::ops::Range<usize>) -> Vec<Entry> {
    numbers.map(|number| entry(number, Vec::new())).collect()
}

pub(crate) async fn create(store: &LedgerStore) -> LedgerWriter {
    LedgerWriter::create(store.clone(), Lease::in_memory(), ORIGIN, &key()).await.unwrap()
}

pub(crate) async fn open(store: &LedgerStore) -> LedgerWriter {
    LedgerWriter::open(store.clone(), Lease::in_memory(), ORIGIN, key().verifying_key()).await.unwrap()
}
