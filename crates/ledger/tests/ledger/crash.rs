//! A failure between any two writes leaves a log that opens, verifies, and takes the same entries again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockgate_ledger::{Checkpoint, Lease, LedgerError, LedgerStore, LedgerWriter, verify};
use object_store::memory::InMemory;

use crate::failing::failing;
use crate::support::{ORIGIN, create, entries, entry, key, open, verifier};

async fn verified(memory: &Arc<InMemory>, seen: &Checkpoint) -> Checkpoint {
    let whole = LedgerStore::over(memory.clone());
    verify(&whole, &verifier(), Some(seen), &mut |_, _| Ok(())).await.unwrap().checkpoint
}

/// Entries with an attachment, as a run commits them.
async fn commit(store: &LedgerStore, numbers: Range<usize>) -> Result<Checkpoint, LedgerError> {
    let mut writer = LedgerWriter::open(store.clone(), Lease::in_memory(), ORIGIN, key().verifying_key()).await?;
    let attachment = writer.put_attachment("manifest", vec![7; 1000]).await?;
    let batch: Vec<_> = numbers.map(|number| entry(number, vec![attachment.clone()])).collect();
    Ok(writer.append(&batch, &key()).await?.0)
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_and_the_same_batch_is_taken_again() {
    // The batch completes a bundle and a tile and begins the next ones.
    let (before, batch) = (0..200, 200..330);
    for writes_first in [false, true] {
        let mut failures = 0;
        for puts in 0.. {
            let memory = Arc::new(InMemory::new());
            let whole = LedgerStore::over(memory.clone());
            let (acknowledged, _) = create(&whole).await.append(&entries(before.clone()), &key()).await.unwrap();
            let outcome = commit(&LedgerStore::over(failing(&memory, puts, writes_first)), batch.clone()).await;

            let now = verified(&memory, &acknowledged).await;
            if outcome.is_ok() {
                assert_eq!(now.size, 330);
                break;
            }
            failures += 1;
            if now.size == 330 {
                assert!(writes_first, "after {puts} puts");
                assert_eq!(open(&whole).await.size(), 330, "the checkpoint was durable, and opening shows it");
                continue;
            }
            assert_eq!(now, acknowledged, "after {puts} puts");
            assert_eq!(commit(&whole, batch.clone()).await.unwrap().size, 330);
            assert_eq!(verified(&memory, &acknowledged).await.size, 330, "after {puts} puts");
        }
        assert_eq!(failures, 7, "an attachment, two bundles, three tiles and the checkpoint");
    }
}

#[tokio::test]
async fn a_ledger_that_was_not_begun_can_be_begun_again() {
    for writes_first in [false, true] {
        let memory = Arc::new(InMemory::new());
        let store = LedgerStore::over(failing(&memory, 0, writes_first));
        assert!(LedgerWriter::create(store, Lease::in_memory(), ORIGIN, &key()).await.is_err());
        let whole = LedgerStore::over(memory.clone());
        let writer = if writes_first { open(&whole).await } else { create(&whole).await };
        assert_eq!(writer.size(), 0);
    }
}

#[tokio::test]
async fn a_writer_that_does_not_know_whether_its_checkpoint_was_kept_appends_nothing_more() {
    for writes_first in [false, true] {
        let memory = Arc::new(InMemory::new());
        create(&LedgerStore::over(memory.clone())).await;
        // A bundle and a tile are written, and the checkpoint is not acknowledged.
        let store = failing(&memory, 2, writes_first);
        let mut writer = open(&LedgerStore::over(store.clone())).await;
        assert!(matches!(writer.append(&entries(0..3), &key()).await, Err(LedgerError::Storage { .. })));
        store.puts_left.store(i64::MAX, Ordering::SeqCst);
        // Other entries at the same size would be signed beside the first: a fork of our own making.
        assert!(matches!(writer.append(&entries(5..8), &key()).await, Err(LedgerError::Uncertain)));
        drop(writer);
        assert_eq!(open(&LedgerStore::over(memory)).await.size(), if writes_first { 3 } else { 0 });
    }
}

#[tokio::test]
async fn a_writer_goes_on_after_a_failed_append() {
    let memory = Arc::new(InMemory::new());
    create(&LedgerStore::over(memory.clone())).await;
    let store = failing(&memory, 1, false);
    let mut writer = open(&LedgerStore::over(store.clone())).await;
    assert!(writer.append(&entries(0..3), &key()).await.is_err());
    assert_eq!(writer.size(), 0);
    store.puts_left.store(i64::MAX, Ordering::SeqCst);
    writer.append(&entries(5..7), &key()).await.unwrap();
    let verified = verify(&LedgerStore::over(memory), &verifier(), None, &mut |_, _| Ok(())).await.unwrap();
    assert_eq!(verified.checkpoint.size, 2);
}
