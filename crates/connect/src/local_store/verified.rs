//! A read that says at its end whether it read what was recorded.

use std::io::{self, Read};

use lockgate_crypto::Sha256Hasher;
use lockgate_model::Sha256Digest;

use super::{READ_BYTES, SourceError};

/// A file that is hashed while it is read. Nothing that was read may be used before [`finish`](Self::finish)
/// succeeded.
pub struct VerifiedRead {
    file: Box<dyn Read + Send>,
    path: String,
    expected: Sha256Digest,
    hasher: Sha256Hasher,
    bytes: u64,
}

impl VerifiedRead {
    pub(crate) fn new(file: Box<dyn Read + Send>, path: String, expected: Sha256Digest) -> Self {
        Self { file, path, expected, hasher: Sha256Hasher::new(), bytes: 0 }
    }

    /// Reads what is left and compares the digest of everything with the expected one; gives the number of bytes.
    pub fn finish(mut self) -> Result<u64, SourceError> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SourceError::Unreadable { path: self.path, source }),
            }
        }
        if self.hasher.finish() == self.expected {
            Ok(self.bytes)
        } else {
            Err(SourceError::Changed { path: self.path })
        }
    }
}

impl Read for VerifiedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}
