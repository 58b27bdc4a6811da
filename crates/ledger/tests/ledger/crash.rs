//! A failure between any two writes leaves a log that opens, verifies, and takes the same entries again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::stream::BoxStream;
use lockgate_ledger::{LedgerStore, verify};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use crate::support::{create, entries, key, open, verifier};

/// Lets so many puts through, and then none.
#[derive(Debug)]
struct Failing {
    inner: Arc<InMemory>,
    puts_left: AtomicI64,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.puts_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(object_store::Error::Generic { store: "failing", source: "no more puts".into() });
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_and_the_same_batch_is_taken_again() {
    // The batch completes a bundle and a tile and begins the next ones.
    let (before, batch) = (0..200, 200..330);
    let mut failures = 0;
    for puts in 0.. {
        let memory = Arc::new(InMemory::new());
        let whole = LedgerStore::over(memory.clone());
        let (acknowledged, _) = create(&whole).await.append(&entries(before.clone()), &key()).await.unwrap();
        let failing = LedgerStore::over(Arc::new(Failing { inner: memory.clone(), puts_left: AtomicI64::new(puts) }));
        let outcome = open(&failing).await.append(&entries(batch.clone()), &key()).await;

        let verified = verify(&whole, &verifier(), Some(&acknowledged), &mut |_, _| Ok(())).await.unwrap();
        if outcome.is_ok() {
            assert_eq!(verified.checkpoint.size, 330);
            break;
        }
        assert_eq!(verified.checkpoint, acknowledged, "after {puts} puts");
        open(&whole).await.append(&entries(batch.clone()), &key()).await.unwrap();
        let verified = verify(&whole, &verifier(), Some(&acknowledged), &mut |_, _| Ok(())).await.unwrap();
        assert_eq!(verified.checkpoint.size, 330, "after {puts} puts");
        failures += 1;
    }
    assert!(failures >= 6, "bundles, tiles and the checkpoint each failed once: {failures}");
}

#[tokio::test]
async fn a_writer_goes_on_after_a_failed_append() {
    let memory = Arc::new(InMemory::new());
    create(&LedgerStore::over(memory.clone())).await;
    let store = Arc::new(Failing { inner: memory.clone(), puts_left: AtomicI64::new(1) });
    let mut writer = open(&LedgerStore::over(store.clone())).await;
    assert!(writer.append(&entries(0..3), &key()).await.is_err());
    assert_eq!(writer.size(), 0);
    store.puts_left.store(i64::MAX, Ordering::SeqCst);
    writer.append(&entries(5..7), &key()).await.unwrap();
    let verified = verify(&LedgerStore::over(memory), &verifier(), None, &mut |_, _| Ok(())).await.unwrap();
    assert_eq!(verified.checkpoint.size, 2);
}
