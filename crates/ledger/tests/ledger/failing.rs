//! A store in memory that stops taking anything.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Lets so many puts through, and then none.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: Arc<InMemory>,
    pub(crate) puts_left: AtomicI64,
    /// Whether the first put that fails has written all the same.
    writes_first: bool,
    /// Whether it puts what was to be put on a condition only.
    ignores_conditions: bool,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.ignores_conditions {
            options.mode = PutMode::Overwrite;
        }
        let left = self.puts_left.fetch_sub(1, Ordering::SeqCst);
        if left <= 0 {
            if left == 0 && self.writes_first {
                self.inner.put_opts(location, payload, options).await?;
            }
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

pub(crate) fn failing(inner: &Arc<InMemory>, puts_left: i64, writes_first: bool) -> Arc<Failing> {
    let puts_left = AtomicI64::new(puts_left);
    Arc::new(Failing { inner: inner.clone(), puts_left, writes_first, ignores_conditions: false })
}

/// A store that keeps to no condition.
pub(crate) fn unconditional(inner: &Arc<InMemory>) -> Arc<Failing> {
    let puts_left = AtomicI64::new(i64::MAX);
    Arc::new(Failing { inner: inner.clone(), puts_left, writes_first: false, ignores_conditions: true })
}
