//! An object that is made once, whoever tries: the service decides, and a put that nobody answered is no loss.

use std::io;

use bytes::Bytes;
use lockgate_trust::refusal_of;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::{BucketStore, told};
use crate::SourceError;

/// How often an object that is still not there is put again. Each put and each read is repeated by itself while the
/// service fails, with pauses that grow and are spread at random, until its own deadline.
const PUTS_MAX: usize = 5;

/// What became of an object that was to be made.
#[derive(Debug)]
pub(crate) enum Creation {
    /// It is there, with this content.
    Made,
    /// Another one is there.
    Taken,
    /// It was sent, and nobody says whether it arrived.
    Unknown(io::Error),
}

impl BucketStore {
    /// Whether the service creates an object once. One that does not know the condition would overwrite it each time, and
    /// say that all is well; an object of that name stays. A put that is not answered is made once more.
    pub(crate) fn creates_once(&self, path: &str) -> Result<bool, SourceError> {
        use object_store::Error::{AlreadyExists, Generic};
        let location = self.location(path)?;
        let (mut taken, mut was_unanswered) = (0, false);
        while taken < 2 {
            let put = self.objects.put_opts(&location, PutPayload::new(), PutOptions::from(PutMode::Create));
            match self.runtime.block_on(put) {
                Ok(_) => taken += 1,
                Err(AlreadyExists { .. }) => return Ok(true),
                Err(error) => match refusal_of(&error) {
                    Some(reason) => return Err(SourceError::Encryption { path: path.to_owned(), reason }),
                    None if matches!(error, Generic { .. }) && !was_unanswered => was_unanswered = true,
                    None => return Err(self.not_written(path, error)),
                },
            }
        }
        Ok(false)
    }

    /// Makes an object unless there is one.
    ///
    /// Where the service says that there is one, or says nothing, the object is read: what was put may have arrived
    /// although its answer did not, and then it is ours. Contents must differ from writer to writer.
    pub(crate) fn create(&self, path: &str, content: Bytes) -> Result<Creation, SourceError> {
        use object_store::Error::{AlreadyExists, NotFound, PermissionDenied, Unauthenticated};
        let location = self.location(path)?;
        let options = PutOptions::from(PutMode::Create);
        let mut unanswered: Option<io::Error> = None;
        for _ in 0..PUTS_MAX {
            let payload = PutPayload::from_bytes(content.clone());
            match self.runtime.block_on(self.objects.put_opts(&location, payload, options.clone())) {
                Ok(_) => return Ok(Creation::Made),
                Err(error) => {
                    if let Some(reason) = refusal_of(&error) {
                        return Err(SourceError::Encryption { path: path.to_owned(), reason });
                    }
                    let is_denied = matches!(error, PermissionDenied { .. } | Unauthenticated { .. } | NotFound { .. });
                    if is_denied && unanswered.is_none() {
                        return Err(self.not_written(path, error));
                    }
                    // Others may be at it at this moment (409): then nothing of ours is on its way.
                    if !matches!(error, AlreadyExists { .. }) || unanswered.is_some() {
                        unanswered = Some(told(error));
                    }
                }
            }
            let read = async { self.objects.get(&location).await?.bytes().await };
            match self.runtime.block_on(read) {
                Ok(found) if found == content => return Ok(Creation::Made),
                Ok(_) => return Ok(Creation::Taken),
                Err(NotFound { .. }) => {}
                Err(error) => {
                    return match refusal_of(&error) {
                        // It is there, and not as ours would be.
                        Some(reason) => Err(SourceError::Encryption { path: path.to_owned(), reason }),
                        None => Ok(Creation::Unknown(unanswered.unwrap_or_else(|| told(error)))),
                    };
                }
            }
        }
        let at_it = || io::Error::other("others are writing it over and over");
        Ok(Creation::Unknown(unanswered.unwrap_or_else(at_it)))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::Mutex;

    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutResult, Result,
    };

    use super::*;

    /// What becomes of a put.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Put {
        /// It is done, and answered.
        Done,
        /// It is done, and not answered.
        Unanswered,
        /// It does not arrive.
        Lost,
        /// The service says that others are at it.
        Conflict,
        /// The service forbids it.
        Denied,
        /// The service does not know the condition.
        Unconditional,
    }

    /// A store that does to its puts what it is told, one after another.
    #[derive(Debug)]
    struct Faulty {
        objects: InMemory,
        puts: Mutex<Vec<Put>>,
        is_unreadable: bool,
    }

    impl fmt::Display for Faulty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Faulty")
        }
    }

    fn silence() -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: "it does not answer".into() }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Faulty {
        async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
            let put = self.puts.lock().unwrap().pop().unwrap_or(Put::Done);
            match put {
                Put::Done => self.objects.put_opts(location, payload, options).await,
                Put::Unanswered => self.objects.put_opts(location, payload, options).await.and(Err(silence())),
                Put::Unconditional => self.objects.put(location, payload).await,
                Put::Lost => Err(silence()),
                Put::Conflict => {
                    Err(object_store::Error::AlreadyExists { path: location.to_string(), source: "409".into() })
                }
                Put::Denied => {
                    Err(object_store::Error::PermissionDenied { path: location.to_string(), source: "403".into() })
                }
            }
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            if self.is_unreadable { Err(silence()) } else { self.objects.get_opts(location, options).await }
        }

        async fn put_multipart_opts(
            &self,
            at: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.objects.put_multipart_opts(at, options).await
        }

        fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.objects.delete_stream(at)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.objects.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.objects.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.objects.copy_opts(from, to, options).await
        }
    }

    #[test]
    fn a_service_that_overwrites_what_is_there_is_found_out() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for (puts, known) in [
            (&[Put::Done][..], "Ok(true)"),
            (&[Put::Unconditional; 2], "Ok(false)"),
            (&[Put::Unanswered], "Ok(true)"),
            (&[Put::Lost], "Ok(true)"),
            (&[Put::Unconditional, Put::Lost, Put::Unconditional], "Ok(false)"),
            (&[Put::Lost, Put::Lost], "Err(Unwritable"),
            (&[Put::Denied], "Err(Unwritable"),
        ] {
            let puts = Mutex::new(puts.to_vec());
            let faulty = Arc::new(Faulty { objects: InMemory::new(), puts, is_unreadable: false });
            let store = BucketStore::new(faulty, ("b", "p"), runtime.handle().clone());
            let found = format!("{:?}", store.creates_once("once"));
            assert!(found.starts_with(known), "{known}: {found}");
        }
    }

    #[test]
    fn a_put_that_nobody_answered_is_found_out_about() {
        use Put::{Conflict, Denied, Done, Lost, Unanswered};
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for (puts, there, is_unreadable, becomes) in [
            (&[Done][..], None, false, "Ok(Made)"),
            (&[Unanswered], None, false, "Ok(Made)"),
            (&[Lost, Lost, Done], None, false, "Ok(Made)"),
            (&[Conflict, Done], None, false, "Ok(Made)"),
            (&[Lost, Conflict, Unanswered], None, false, "Ok(Made)"),
            (&[Done], Some("another's"), false, "Ok(Taken)"),
            (&[Lost, Done], Some("another's"), false, "Ok(Taken)"),
            (&[Lost; 5], None, false, "Ok(Unknown"),
            (&[Conflict; 5], None, false, "Ok(Unknown"),
            (&[Unanswered], None, true, "Ok(Unknown"),
            (&[Denied], None, false, "Err(Unwritable"),
            (&[Lost, Denied, Denied, Denied, Denied], None, false, "Ok(Unknown"),
        ] {
            let objects = InMemory::new();
            if let Some(there) = there {
                runtime.block_on(objects.put(&Path::from("p/commit"), there.into())).unwrap();
            }
            let puts = Mutex::new(puts.iter().rev().copied().collect());
            let faulty = Arc::new(Faulty { objects, puts, is_unreadable });
            let handle = runtime.handle().clone();
            let store = BucketStore::new(Arc::clone(&faulty) as _, ("b", "p"), handle);
            let made = format!("{:?}", store.create("commit", Bytes::from_static(b"ours")));
            assert!(made.starts_with(becomes), "{faulty:?}: {made}");
            if becomes == "Ok(Made)" {
                let found = runtime.block_on(async {
                    faulty.objects.get(&Path::from("p/commit")).await.unwrap().bytes().await.unwrap()
                });
                assert_eq!(found, "ours", "{faulty:?}");
            }
        }
    }
}
