//! What can be wrong with a source, and whose problem it is.

use std::io;

use crate::Fault;

/// Why files can't be listed, read or written. Paths are relative to the store's root unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Configuration: a store's root is something else than a folder.
    #[error("`{path}` is no folder: point the store at one")]
    NoFolder {
        /// The root as it was given.
        path: String,
    },
    /// Unreachable: the system refuses access, or the file is gone.
    #[error("`{path}` can't be read: {source}; check that it is there and that this user may read it")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Unreachable: the service refuses, or does not answer.
    #[error("`{path}` can't be written: {source}; check that these credentials may write there")]
    Unwritable {
        /// The object.
        path: String,
        /// What was said.
        source: io::Error,
    },
    /// Full: an object is copied to this machine before it is read, and there is no room.
    #[error(
        "`{path}` can't be copied into {folder} before it is read: {source}; make room, or name another folder in TMPDIR"
    )]
    NotCopied {
        /// The object.
        path: String,
        /// The folder for temporary files.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
    /// Data: a link leads out of the store.
    #[error("`{path}` is, or lies behind, a link that leaves the store: copy the file into the store instead")]
    OutsideRoot {
        /// The link.
        path: String,
    },
    /// Data: a name that no manifest can hold.
    #[error("`{path}` matches, but its name is not UTF-8: rename the file")]
    NameNotUtf8 {
        /// The name with the unreadable bytes replaced.
        path: String,
    },
    /// Data or configuration: the pattern is too wide.
    #[error("`{pattern}` matches more than {most} files or folders: narrow it with a parameter")]
    TooManyFiles {
        /// The pattern.
        pattern: String,
        /// How many it may match.
        most: usize,
    },
    /// Refused: an object is not encrypted as the project demands.
    #[error("`{path}` is refused: {reason}")]
    Encryption {
        /// The object.
        path: String,
        /// What is wrong, and who controls the key.
        reason: String,
    },
    /// Data: the content is not what was recorded.
    #[error("`{path}` changed while it was read: run again once its writer is done")]
    Changed {
        /// The file.
        path: String,
    },
}

impl SourceError {
    /// Whose problem it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoFolder { .. } | Self::TooManyFiles { .. } => Fault::Configuration,
            Self::NotCopied { source, .. } if source.kind() == io::ErrorKind::StorageFull => Fault::Full,
            Self::Unreadable { .. } | Self::Unwritable { .. } | Self::NotCopied { .. } => Fault::Unreachable,
            Self::Encryption { .. } => Fault::Refused,
            Self::OutsideRoot { .. } | Self::NameNotUtf8 { .. } | Self::Changed { .. } => Fault::Data,
        }
    }
}
