//! What was appended comes back, with proofs, across the boundaries of tiles and levels.

use lockgate_ledger::{
    Lease, LedgerError, LedgerReader, LedgerStore, LedgerWriter, check_consistency, check_inclusion, proof_file, verify,
};

use crate::support::{ORIGIN, create, entries, entry, key, open, verifier};

#[tokio::test]
async fn entries_come_back_whatever_the_batches_and_reopenings() {
    for batch in [1, 7, 256, 300] {
        let store = LedgerStore::in_memory();
        let mut writer = create(&store).await;
        let mut checkpoints = Vec::new();
        let mut size = 0;
        while size < 600 {
            checkpoints.push(writer.append(&entries(size..size + batch), &key()).await.unwrap().0);
            size += batch;
            drop(writer);
            writer = open(&store).await;
        }
        let reader = LedgerReader::open(store.clone(), verifier()).await.unwrap();
        assert_eq!(reader.checkpoint(), checkpoints.last().unwrap());
        for index in [0, 1, 255, 256, 511, 599] {
            assert_eq!(reader.entry(index).await.unwrap(), entry(index as usize, Vec::new()), "{index}, batch {batch}");
        }
        assert!(matches!(reader.entry(size as u64).await, Err(LedgerError::NoEntry(_))));
        let now = reader.checkpoint();
        for old in &checkpoints {
            let proof = reader.consistency_proof(old.size).await.unwrap();
            assert!(check_consistency(&proof, old.size, old.root, now.size, now.root), "{} of {}", old.size, now.size);
            // A whole verification each would take most of the tests' time.
            if old.size % 50 == 0 || old.size == batch as u64 {
                verify(&store, &verifier(), Some(old), &mut |_, _| Ok(())).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn proofs_hold_beyond_the_second_level_of_tiles() {
    let store = LedgerStore::in_memory();
    let mut writer = create(&store).await;
    let (old, _) = writer.append(&entries(0..65_537), &key()).await.unwrap();
    writer.append(&entries(65_537..65_900), &key()).await.unwrap();
    let reader = LedgerReader::open(store.clone(), verifier()).await.unwrap();
    let now = reader.checkpoint();
    for index in [0, 65_535, 65_536, 65_537, 65_899] {
        let (proof, leaf) = (reader.inclusion_proof(index).await.unwrap(), crate::foreign::leaf(index as usize));
        assert!(check_inclusion(&proof, index, leaf, now.size, now.root), "{index}");
        assert!(!check_inclusion(&proof, index ^ 1, leaf, now.size, now.root), "{index}");
    }
    let proof = reader.consistency_proof(old.size).await.unwrap();
    assert!(check_consistency(&proof, old.size, old.root, now.size, now.root));
    let verified = verify(&store, &verifier(), Some(&old), &mut |_, _| Ok(())).await.unwrap();
    assert_eq!(verified.checkpoint.size, 65_900);
}

#[tokio::test]
async fn a_proof_file_has_the_form_of_c2sp() {
    let store = LedgerStore::in_memory();
    create(&store).await.append(&entries(0..5), &key()).await.unwrap();
    let reader = LedgerReader::open(store, verifier()).await.unwrap();
    let file = proof_file(&reader, 4).await.unwrap();
    let (head, checkpoint) = file.split_once("\n\n").unwrap();
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 4"]);
    assert_eq!(lines.len(), 3, "one hash proves the last of five");
    assert_eq!(checkpoint, reader.signed_checkpoint());
}

#[tokio::test]
async fn attachments_are_kept_by_digest_and_a_ledger_is_made_once() {
    let store = LedgerStore::in_memory();
    let mut writer = create(&store).await;
    let attachment = writer.put_attachment("plan", b"content".to_vec()).await.unwrap();
    writer.append(&[entry(0, vec![attachment.clone()])], &key()).await.unwrap();
    assert_eq!(store.attachment(&attachment).await.unwrap(), b"content");
    drop(writer);
    let again = LedgerWriter::create(store, Lease::in_memory(), ORIGIN, &key()).await;
    assert!(matches!(again, Err(LedgerError::Exists)));
}

/// Holds the format still: Ed25519 signs the same text the same way everywhere.
#[tokio::test]
async fn the_checkpoint_of_known_entries_is_known() {
    let store = LedgerStore::in_memory();
    let (_, signed) = create(&store).await.append(&entries(0..3), &key()).await.unwrap();
    assert_eq!(signed, include_str!("../golden/checkpoint"));
}
