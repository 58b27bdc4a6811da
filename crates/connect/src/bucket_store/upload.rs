//! One object, written in parts of which some are on their way: it is there whole, under the right key, or not at all.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinHandle;

use super::BucketStore;
use crate::SourceError;

/// The size of a part, which is the least that S3 takes, and how many are on their way beside the one that is being filled:
/// together the memory that an upload takes.
const PART_BYTES: usize = 5 * 1024 * 1024;
const PARTS_AHEAD: usize = 2;
/// S3 takes no more parts of one object.
const PARTS_MAX: u64 = 10_000;
/// The largest object that can be written, in bytes.
pub(crate) const OBJECT_BYTES_MAX: u64 = PARTS_MAX * PART_BYTES as u64;
/// How long an upload that is given up may take to be forgotten by the service.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

impl BucketStore {
    /// Begins an object. Nothing of it is there before [`ObjectUpload::finish`].
    pub(crate) fn upload(&self, path: &str) -> Result<ObjectUpload, SourceError> {
        Ok(ObjectUpload {
            location: self.location(path)?,
            store: self.clone(),
            path: path.to_owned(),
            part: Vec::new(),
            upload: None,
            ahead: VecDeque::new(),
            bytes: 0,
        })
    }
}

/// An object that is being written. Dropping it gives the upload up.
pub(crate) struct ObjectUpload {
    store: BucketStore,
    path: String,
    location: Path,
    /// What is not on its way yet.
    part: Vec<u8>,
    /// Begun with the first full part.
    upload: Option<Box<dyn MultipartUpload>>,
    ahead: VecDeque<JoinHandle<object_store::Result<()>>>,
    bytes: u64,
}

impl ObjectUpload {
    /// Makes the object, and asks for it: how long it is, and with that under which key, since not every service tells
    /// the key of an upload in parts before.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.upload {
            None => {
                let payload = PutPayload::from(std::mem::take(&mut self.part));
                let put = self.store.runtime.block_on(self.store.objects.put(&self.location, payload));
                put.map_err(|error| self.failed(error))?;
            }
            Some(_) => {
                if !self.part.is_empty() {
                    self.send()?;
                }
                self.wait_until_ahead(0)?;
                if let Some(upload) = &mut self.upload {
                    let completed = self.store.runtime.block_on(upload.complete());
                    completed.map_err(|error| self.failed(error))?;
                }
                self.upload = None;
            }
        }
        let found = self.store.find(&self.path).map_err(io::Error::other)?;
        match found.map(|found| found.bytes) {
            Some(bytes) if bytes == self.bytes => Ok(()),
            found => {
                let found = found.map_or_else(|| "nothing".to_owned(), |bytes| format!("{bytes} bytes"));
                let source = io::Error::other(format!("{} bytes were sent, and {found} arrived", self.bytes));
                Err(io::Error::other(SourceError::Unwritable { path: self.path.clone(), source }))
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        self.wait_until_ahead(PARTS_AHEAD - 1)?;
        if self.upload.is_none() {
            let begun = self.store.runtime.block_on(self.store.objects.put_multipart(&self.location));
            self.upload = Some(begun.map_err(|error| self.failed(error))?);
        }
        if let Some(upload) = &mut self.upload {
            let part = PutPayload::from(std::mem::take(&mut self.part));
            self.ahead.push_back(self.store.runtime.spawn(upload.put_part(part)));
        }
        Ok(())
    }

    /// Waits until at most so many parts are on their way.
    fn wait_until_ahead(&mut self, most: usize) -> io::Result<()> {
        while self.ahead.len() > most {
            let Some(part) = self.ahead.pop_front() else { return Ok(()) };
            let sent = self.store.runtime.block_on(part);
            sent.map_err(io::Error::other)?.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: object_store::Error) -> io::Error {
        io::Error::other(self.store.not_written(&self.path, error))
    }
}

impl Write for ObjectUpload {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.part.capacity() < PART_BYTES {
            self.part.reserve_exact(PART_BYTES - self.part.len());
        }
        let taken = buffer.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(buffer.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        if self.part.len() == PART_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    /// Parts have one size: nothing is sent before it is reached, or the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectUpload {
    fn drop(&mut self) {
        self.ahead.iter().for_each(JoinHandle::abort);
        if let Some(mut upload) = self.upload.take() {
            // Where even this fails, the bucket's rule for uploads that were given up clears the parts away.
            let aborted = async { tokio::time::timeout(ABORT_TIMEOUT, upload.abort()).await };
            let _ = self.store.runtime.block_on(aborted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn an_object_of_any_length_is_there_whole_when_it_is_finished_and_not_before() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let objects = Arc::new(InMemory::new());
        let handle = runtime.handle().clone();
        let store = BucketStore::new(Arc::clone(&objects) as _, ("b", "p"), handle);
        for length in [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 4 * PART_BYTES + 7] {
            let content: Vec<u8> = (0..length).map(|at| (at / 1_000 % 251) as u8).collect();
            let mut upload = store.upload("file").unwrap();
            content.chunks(300_007).for_each(|chunk| upload.write_all(chunk).unwrap());
            assert!(store.find("file").unwrap().is_none(), "{length}");
            upload.finish().unwrap();
            assert_eq!(store.read("file", length as u64).unwrap().unwrap(), content, "{length}");
            assert!(length == 0 || store.read("file", length as u64 - 1).unwrap().is_none(), "longer than the limit");
            store.delete(vec!["file".to_owned()]).unwrap();
            // One that is given up is nowhere.
            let mut upload = store.upload("file").unwrap();
            upload.write_all(&content).unwrap();
            drop(upload);
            assert!(store.find("file").unwrap().is_none(), "{length}");
        }
    }
}
