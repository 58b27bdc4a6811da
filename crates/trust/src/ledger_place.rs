//! Where a project's ledger lies, and with it the key table and quarantines: whoever holds the ledger's lease changes them,
//! and in a bucket nobody else can.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockgate_crypto::Random;
use lockgate_ledger::{Lease, LedgerError, LedgerStore, Revision};
use lockgate_project::LedgerLocation;

use crate::durable_file::write_durably;
use crate::error::TrustError;
use crate::network::Network;
use crate::s3::refusal_of;
use crate::site::Site;

/// The log's newest checkpoint: a ledger that has one was begun.
const CHECKPOINT: &str = "checkpoint";
/// A checkpoint that is longer is none.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// The place of a ledger.
#[derive(Debug, Clone)]
pub struct LedgerPlace(Kind);

#[derive(Clone)]
enum Kind {
    Folder(PathBuf),
    Bucket { shown: String, store: LedgerStore, network: Arc<Network> },
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Bucket { shown, .. } => f.debug_tuple("Bucket").field(shown).finish(),
        }
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Folder(folder) => write!(f, "{}", folder.display()),
            Kind::Bucket { shown, .. } => f.write_str(shown),
        }
    }
}

/// What lies beside a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its content.
    pub content: Vec<u8>,
    /// Which content it is; absent in a folder, where the lease alone keeps others out.
    pub revision: Option<Revision>,
}

impl Site {
    /// The place of the project's ledger; nothing is made there yet.
    pub fn ledger_place(&self) -> Result<LedgerPlace, TrustError> {
        Ok(LedgerPlace(match &self.ledger.at {
            LedgerLocation::Folder(folder) => Kind::Folder(folder.clone()),
            LedgerLocation::Bucket(location) => {
                let bucket = self.bucket(location)?;
                let store = LedgerStore::over(bucket.below(&location.prefix)).with_refusal_of(refusal_of);
                Kind::Bucket { shown: location.to_string(), store, network: self.network()? }
            }
        }))
    }
}

impl LedgerPlace {
    /// A folder.
    pub fn folder(folder: &Path) -> Self {
        Self(Kind::Folder(folder.to_path_buf()))
    }

    /// The folder, where it is one.
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Folder(folder) => Some(folder),
            Kind::Bucket { .. } => None,
        }
    }

    /// Whether a ledger was begun here.
    pub fn is_begun(&self) -> Result<bool, TrustError> {
        Ok(self.read(CHECKPOINT, CHECKPOINT_BYTES_MAX)?.is_some())
    }

    /// Whether there are parts of a log, though perhaps no checkpoint over them.
    pub fn has_tiles(&self) -> Result<bool, TrustError> {
        match &self.0 {
            Kind::Folder(folder) => Ok(folder.join("tile").exists()),
            Kind::Bucket { store, network, .. } => Ok(network.wait(store.has_tiles())?),
        }
    }

    /// The ledger's objects. Makes the folder where there is none.
    pub fn store(&self) -> Result<LedgerStore, TrustError> {
        match &self.0 {
            Kind::Folder(folder) => Ok(LedgerStore::local(folder)?),
            Kind::Bucket { store, .. } => Ok(store.clone()),
        }
    }

    /// The right to write here; fails while another process has it. `doing` tells others who has it.
    pub fn lease(&self, doing: &str, random: &dyn Random) -> Result<Lease, TrustError> {
        match &self.0 {
            Kind::Folder(folder) => Ok(Lease::local(folder, doing)?),
            Kind::Bucket { store, network, .. } => Ok(network.wait(Lease::shared(store, doing, random))?),
        }
    }

    /// What lies here under a name, if anything does. Fails beyond `bytes_max`.
    pub fn read(&self, name: &str, bytes_max: u64) -> Result<Option<Beside>, TrustError> {
        match &self.0 {
            Kind::Folder(folder) => {
                let path = folder.join(name);
                let failed = |source| TrustError::File { path: path.clone(), verb: "read", source };
                match fs::metadata(&path).map(|metadata| metadata.len()) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Ok(size) if size > bytes_max => {
                        let reason = format!("it is longer than {bytes_max} bytes");
                        Err(TrustError::Damaged { path, reason })
                    }
                    Ok(_) | Err(_) => {
                        let content = fs::read(&path).map_err(failed)?;
                        Ok(Some(Beside { content, revision: None }))
                    }
                }
            }
            Kind::Bucket { store, network, .. } => {
                let found = network.wait(store.read(name, bytes_max))?;
                Ok(found.map(|(content, revision)| Beside { content, revision: Some(revision) }))
            }
        }
    }

    /// Replaces what lies here under a name, durably and whole, readable by its owner alone; gives its revision. In a
    /// bucket it fails if what is there is not of the revision `present`.
    pub fn write(
        &self,
        name: &str,
        content: Vec<u8>,
        present: Option<&Revision>,
    ) -> Result<Option<Revision>, TrustError> {
        match &self.0 {
            Kind::Folder(folder) => {
                let path = folder.join(name);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(|source| TrustError::File {
                        path: parent.to_path_buf(),
                        verb: "made",
                        source,
                    })?;
                }
                write_durably(&path, &content, 0o600)?;
                Ok(None)
            }
            Kind::Bucket { store, network, .. } => {
                let revision = network.wait(store.replace(name, content, present))?;
                let changed = || LedgerError::Overtaken(format!("`{name}` is another one than was read"));
                Ok(Some(revision.ok_or_else(changed)?))
            }
        }
    }

    /// How messages name what lies here under a name.
    pub fn shown(&self, name: &str) -> String {
        match &self.0 {
            Kind::Folder(folder) => folder.join(name).display().to_string(),
            Kind::Bucket { shown, .. } => format!("{shown}/{name}"),
        }
    }
}
