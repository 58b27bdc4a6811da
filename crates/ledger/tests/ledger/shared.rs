//! A ledger that several machines can reach: one writer at a time, and what one committed the next one finishes.

use std::ops::Range;
use std::sync::Arc;

use lockgate_crypto::SystemRandom;
use lockgate_ledger::{Checkpoint, Lease, LedgerError, LedgerStore, LedgerWriter, verify};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::failing::{failing, unconditional};
use crate::support::{ORIGIN, entries, entry, key, verifier};

async fn lease(store: &LedgerStore) -> Result<Lease, LedgerError> {
    Lease::shared(store, "a test", &SystemRandom).await
}

async fn open(store: &LedgerStore) -> Result<LedgerWriter, LedgerError> {
    LedgerWriter::open(store.clone(), lease(store).await?, ORIGIN, key().verifying_key()).await
}

async fn begin(store: &LedgerStore) -> Result<LedgerWriter, LedgerError> {
    LedgerWriter::create(store.clone(), lease(store).await?, ORIGIN, &key()).await
}

/// What a writer leaves whose process was killed.
async fn kill(memory: &InMemory) {
    let path = Path::from("writer.lock");
    let Some(mut record) = record(memory).await else { return };
    let instance = record["instance"].as_str().unwrap().to_owned();
    let machine = instance.rsplitn(3, '/').last().unwrap();
    record["instance"] = format!("{machine}/4194305/1").into();
    memory.put(&path, serde_json::to_vec(&record).unwrap().into()).await.unwrap();
}

/// Waits until a writer that was dropped has given its lease back.
async fn released(memory: &InMemory) {
    while record(memory).await.is_some_and(|record| !record["holder"].is_null()) {
        tokio::task::yield_now().await;
    }
}

async fn record(memory: &InMemory) -> Option<Value> {
    let found = memory.get(&Path::from("writer.lock")).await.ok()?;
    Some(serde_json::from_slice(&found.bytes().await.unwrap()).unwrap())
}

async fn committed(memory: &InMemory) -> Option<String> {
    record(memory).await?["checkpoint"].as_str().map(str::to_owned)
}

async fn commit(store: &LedgerStore, numbers: Range<usize>) -> Result<Checkpoint, LedgerError> {
    let mut writer = open(store).await?;
    let attachment = writer.put_attachment("manifest", vec![7; 1000]).await?;
    let batch: Vec<_> = numbers.map(|number| entry(number, vec![attachment.clone()])).collect();
    Ok(writer.append(&batch, &key()).await?.0)
}

async fn verified(memory: &Arc<InMemory>, seen: &Checkpoint) -> Checkpoint {
    let whole = LedgerStore::over(memory.clone());
    verify(&whole, &verifier(), Some(seen), &mut |_, _| Ok(())).await.unwrap().checkpoint
}

#[tokio::test]
async fn what_was_committed_is_finished_by_the_next_writer_and_nothing_else_is_kept() {
    let (before, batch) = (0..200, 200..330);
    for writes_first in [false, true] {
        let mut finished = 0;
        for puts in 0.. {
            let memory = Arc::new(InMemory::new());
            let whole = LedgerStore::over(memory.clone());
            let mut writer = begin(&whole).await.unwrap();
            let (acknowledged, _) = writer.append(&entries(before.clone()), &key()).await.unwrap();
            drop(writer);
            released(&memory).await;
            let was_committed = committed(&memory).await;
            let outcome = commit(&LedgerStore::over(failing(&memory, puts, writes_first)), batch.clone()).await;
            kill(&memory).await;

            // Before anybody writes again a reader sees one of the two, whole.
            let public = verified(&memory, &acknowledged).await.size;
            assert!(public == 200 || public == 330, "{public}");
            let is_committed = committed(&memory).await != was_committed;
            let size = open(&LedgerStore::over(memory.clone())).await.unwrap().size();
            assert_eq!(size, if is_committed { 330 } else { 200 }, "after {puts} puts");
            if outcome.is_ok() {
                assert_eq!((public, finished > 0), (330, true));
                break;
            }
            finished += usize::from(is_committed && public == 200);
            kill(&memory).await;
            if !is_committed {
                commit(&LedgerStore::over(memory.clone()), batch.clone()).await.unwrap();
            }
            assert_eq!(verified(&memory, &acknowledged).await.size, 330, "after {puts} puts");
            let staged = memory.list_with_delimiter(Some(&Path::from("staged"))).await.unwrap();
            assert!(staged.objects.is_empty(), "nothing is left staged: {:?}", staged.objects);
        }
    }
}

#[tokio::test]
async fn a_ledger_that_was_begun_and_not_yet_to_be_seen_is_gone_on_with() {
    // Four of them take the lease and see that conditions are kept to.
    for puts in 0..8 {
        let memory = Arc::new(InMemory::new());
        let begun = begin(&LedgerStore::over(failing(&memory, puts, false))).await;
        kill(&memory).await;
        let whole = LedgerStore::over(memory.clone());
        let writer = match memory.head(&Path::from("checkpoint")).await {
            Ok(_) => open(&whole).await.unwrap(),
            Err(_) => begin(&whole).await.unwrap(),
        };
        assert_eq!((writer.size(), begun.is_ok()), (0, puts >= 7), "after {puts} puts");
        drop(writer);
        kill(&memory).await;
        assert!(matches!(begin(&LedgerStore::over(memory)).await.map(drop), Ok(()) | Err(LedgerError::Exists)));
    }
}

#[tokio::test]
async fn a_writer_that_was_overtaken_changes_nothing_more() {
    let memory = Arc::new(InMemory::new());
    let mut first = begin(&LedgerStore::over(memory.clone())).await.unwrap();
    first.append(&entries(0..3), &key()).await.unwrap();
    kill(&memory).await;
    let mut second = open(&LedgerStore::over(memory.clone())).await.unwrap();
    let overtaken = first.append(&entries(5..7), &key()).await;
    assert!(matches!(overtaken, Err(LedgerError::Overtaken(_))), "{overtaken:?}");
    assert!(matches!(first.append(&entries(5..7), &key()).await, Err(LedgerError::Uncertain)));
    assert!(matches!(first.ensure_held().await, Err(LedgerError::Overtaken(_))));
    let (checkpoint, _) = second.append(&entries(8..9), &key()).await.unwrap();
    second.ensure_held().await.unwrap();
    assert_eq!(verified(&memory, &checkpoint).await.size, 4);
}

#[tokio::test]
async fn a_rolled_back_checkpoint_is_noticed_by_the_next_writer() {
    let memory = Arc::new(InMemory::new());
    let whole = LedgerStore::over(memory.clone());
    let mut writer = begin(&whole).await.unwrap();
    let path = Path::from("checkpoint");
    let older = memory.get(&path).await.unwrap().bytes().await.unwrap();
    writer.append(&entries(0..3), &key()).await.unwrap();
    drop(writer);
    released(&memory).await;
    memory.put(&path, older.into()).await.unwrap();
    let opened = open(&LedgerStore::over(memory)).await.map(|writer| writer.size());
    assert!(matches!(&opened, Err(LedgerError::Damaged { object, .. }) if object == "checkpoint"), "{opened:?}");
}

#[tokio::test]
async fn a_store_that_keeps_to_no_condition_is_refused() {
    let memory = Arc::new(InMemory::new());
    for _ in 0..2 {
        let begun = begin(&LedgerStore::over(unconditional(&memory))).await.map(drop);
        assert!(matches!(begun, Err(LedgerError::Unconditional)), "{begun:?}");
        kill(&memory).await;
    }
    begin(&LedgerStore::over(memory)).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_was_never_counted_up_to_is_no_lease() {
    let memory = Arc::new(InMemory::new());
    drop(begin(&LedgerStore::over(memory.clone())).await.unwrap());
    released(&memory).await;
    let mut planted = record(&memory).await.unwrap();
    planted["turn"] = u64::MAX.into();
    memory.put(&Path::from("writer.lock"), serde_json::to_vec(&planted).unwrap().into()).await.unwrap();
    assert!(matches!(open(&LedgerStore::over(memory)).await.map(drop), Err(LedgerError::Damaged { .. })));
}
