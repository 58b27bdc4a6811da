//! What is as large as it may be is written and verified; a byte more is refused.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_ledger::{
    BUNDLE_BYTES_MAX, CHECKPOINT_BYTES_MAX, ENTRY_BYTES_MAX, Entry, LedgerError, LedgerReader, LedgerStore, TILE_WIDTH,
    verify,
};
use serde_json::Value;

use crate::support::{create, entries, entry, key, verifier};

/// An entry of so many bytes.
fn long_entry(bytes: usize) -> Entry {
    let of = |text: usize| {
        let mut entry = entry(0, Vec::new());
        entry.body.insert("x".into(), Value::from("x".repeat(text)));
        entry
    };
    of(bytes - of(0).to_bytes().unwrap().len())
}

#[tokio::test]
async fn a_bundle_of_the_longest_entries_is_verified_and_a_longer_one_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(folder.path()).unwrap();
    let longest = vec![long_entry(ENTRY_BYTES_MAX); usize::try_from(TILE_WIDTH).unwrap()];
    create(&store).await.append(&longest, &key()).await.unwrap();
    verify(&store, &verifier(), None, &mut |_, _| Ok(())).await.unwrap();
    let bundle = folder.path().join("tile/entries/000");
    let mut content = fs::read(&bundle).unwrap();
    assert_eq!(content.len() as u64, BUNDLE_BYTES_MAX);
    content.push(0);
    fs::write(&bundle, content).unwrap();
    let found = verify(&store, &verifier(), None, &mut |_, _| Ok(())).await.unwrap_err().to_string();
    assert!(found.contains("`tile/entries/000`") && found.contains("16777473 bytes long"), "{found}");
}

#[tokio::test]
async fn an_entry_that_is_too_long_is_refused_before_anything_is_written() {
    let store = LedgerStore::in_memory();
    let mut writer = create(&store).await;
    let refused = writer.append(&[entry(0, Vec::new()), long_entry(ENTRY_BYTES_MAX + 1)], &key()).await;
    assert!(matches!(refused, Err(LedgerError::Entry(_))), "{refused:?}");
    let (checkpoint, _) = writer.append(&entries(0..2), &key()).await.unwrap();
    assert_eq!(checkpoint.size, 2);
}

#[tokio::test]
async fn a_checkpoint_is_read_up_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(folder.path()).unwrap();
    let (_, signed) = create(&store).await.append(&entries(0..2), &key()).await.unwrap();
    let max = usize::try_from(CHECKPOINT_BYTES_MAX).unwrap();
    // A witness's signature line, filled up to the byte: the blob in steps of four, the name in between.
    let witnessed = |bytes: usize| {
        let left = bytes - signed.len() - "—  \n".len();
        let (name, blob) = ("w".repeat(4 + left % 4), STANDARD.encode(vec![0; (left / 4 - 1) * 3]));
        let note = format!("{signed}— {name} {blob}\n");
        assert_eq!(note.len(), bytes);
        note
    };
    for (bytes, is_read) in [(max - 1, true), (max, true), (max + 1, false)] {
        fs::write(folder.path().join("checkpoint"), witnessed(bytes)).unwrap();
        let opened = LedgerReader::open(store.clone(), verifier()).await;
        assert_eq!(opened.is_ok(), is_read, "{bytes}: {:?}", opened.err());
    }
}
