//! The format stands still: what these files hold was written once and is written and read the same way ever after.

use std::path::PathBuf;

use lockgate_ledger::{Attachment, Checkpoint, Entry, Kind, VerifierKey};
use serde_json::{Map, Value};

use crate::support::verifier;

const ENTRY: &str = include_str!("../golden/entry.json");
const CHECKPOINT: &str = include_str!("../golden/checkpoint");
/// The public key of the checkpoint, as `ledger.vkey` holds it.
const VERIFIER_KEY: &str = "lockgate/retail+8002f81b+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

#[test]
fn an_entry_is_written_and_read_as_ever() {
    let entry = Entry {
        kind: Kind::RunCommit,
        at: "2026-11-01T06:30:00.25Z".parse().unwrap(),
        project: "retail".parse().unwrap(),
        principal: Some("svc-etl".parse().unwrap()),
        body: Map::from_iter([("rows".to_owned(), Value::from(3))]),
        attachments: vec![Attachment {
            name: "manifest".into(),
            sha256: lockgate_crypto::sha256(b"content"),
            bytes: 7,
        }],
    };
    assert_eq!(String::from_utf8(entry.to_bytes().unwrap()).unwrap(), ENTRY);
    assert_eq!(Entry::from_bytes(ENTRY.as_bytes()).unwrap(), entry);
}

/// That it is written so is `round_trip`'s to show.
#[test]
fn a_checkpoint_is_read_as_ever() {
    let key: VerifierKey = VERIFIER_KEY.parse().unwrap();
    assert_eq!(key, verifier());
    let checkpoint = Checkpoint::open(CHECKPOINT, &key).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("lockgate/retail", 3));
}

#[test]
fn the_page_shows_what_is_written() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/ledger.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(ENTRY), "docs/formats/ledger.md shows another entry");
    assert!(page.contains(CHECKPOINT), "docs/formats/ledger.md shows another checkpoint");
    assert!(page.contains(VERIFIER_KEY), "docs/formats/ledger.md shows another key");
    for kind in Kind::ALL {
        assert!(page.contains(&format!("`{kind}`")), "docs/formats/ledger.md does not name `{kind}`");
    }
}
