//! One process writes a ledger at a time. In a folder the operating system ends the lease when the process ends, however it
//! ends; in a bucket [`shared_lease`](crate::shared_lease) says when.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};
use lockgate_crypto::Random;

use crate::shared_lease::SharedLease;
use crate::{LedgerError, LedgerStore};

/// The file that is locked, within the ledger's folder.
const LOCK_FILE: &str = "writer.lock";
/// How much of a holder's description is shown.
const HOLDER_BYTES_MAX: u64 = 512;
/// How often, and how long apart, whoever holds a lease is asked for before it counts as silent.
const HOLDER_ATTEMPTS: u32 = 50;
const HOLDER_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The right to write a ledger; given back when dropped.
#[derive(Debug)]
pub struct Lease(Held);

#[derive(Debug)]
enum Held {
    /// The locked file and its folder; the lock ends with the file.
    Folder { _file: File, folder: PathBuf },
    /// An object that is changed by its holder alone.
    Shared(SharedLease),
    /// Nothing: no other process can reach the ledger.
    Memory,
}

impl Lease {
    /// Takes the lease of a ledger in a folder; `holder` tells others who has it. Fails at once if another process has
    /// it, naming that one.
    pub fn local(folder: &Path, holder: &str) -> Result<Self, LedgerError> {
        let failed = |reason: std::io::Error| LedgerError::Storage {
            object: LOCK_FILE.into(),
            verb: "written",
            reason: reason.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(LOCK_FILE);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let other = holder_of(&mut file).unwrap_or_else(|| "it does not say who it is".into());
                return Err(LedgerError::Held(other));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            let since = Timestamp::now();
            let since = since.round(Unit::Second).unwrap_or(since);
            file.write_all(format!("process {}, {holder}, since {since}\n", std::process::id()).as_bytes())
        };
        write(&mut file).map_err(failed)?;
        Ok(Self(Held::Folder { _file: file, folder: folder.to_path_buf() }))
    }

    /// Takes the lease of a ledger in a store that several machines can reach, which must have conditional puts. Fails at
    /// once while another process is known to have it, and waits half a minute for one that may be gone. Must be called on
    /// a runtime, which renews it.
    pub async fn shared(store: &LedgerStore, holder: &str, random: &dyn Random) -> Result<Self, LedgerError> {
        SharedLease::take(store, holder, random).await.map(|lease| Self(Held::Shared(lease)))
    }

    /// The lease of a ledger in memory, which no other process can reach.
    pub const fn in_memory() -> Self {
        Self(Held::Memory)
    }

    /// Fails if another process may have taken the lease over, which only one that several machines can reach allows.
    pub(crate) async fn ensure(&self) -> Result<(), LedgerError> {
        match &self.0 {
            Held::Shared(lease) => lease.ensure().await,
            Held::Folder { .. } | Held::Memory => Ok(()),
        }
    }

    pub(crate) fn as_shared(&self) -> Option<&SharedLease> {
        match &self.0 {
            Held::Shared(lease) => Some(lease),
            Held::Folder { .. } | Held::Memory => None,
        }
    }

    /// Whether this lease may be of the ledger in a folder: it is not of another.
    pub(crate) fn may_be_of(&self, folder: &Path) -> bool {
        match &self.0 {
            Held::Folder { folder: held, .. } => match (held.canonicalize(), folder.canonicalize()) {
                (Ok(held), Ok(folder)) => held == folder,
                (Ok(_), Err(_)) | (Err(_), _) => false,
            },
            Held::Shared(_) => false,
            Held::Memory => true,
        }
    }
}

/// Who holds a lease; waits a moment for one who has taken it and not yet said so.
fn holder_of(file: &mut File) -> Option<String> {
    for _ in 0..HOLDER_ATTEMPTS {
        let mut other = String::new();
        file.rewind().ok()?;
        (&mut *file).take(HOLDER_BYTES_MAX).read_to_string(&mut other).ok()?;
        // A description that is longer is cut, and so has no end.
        if other.ends_with('\n') || other.len() as u64 == HOLDER_BYTES_MAX {
            return Some(other.trim().to_owned());
        }
        std::thread::sleep(HOLDER_PAUSE);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_by_the_name_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lease::local(folder.path(), "run daily_customers").unwrap();
        let refused = Lease::local(folder.path(), "keys rotate").unwrap_err();
        assert!(
            refused.to_string().contains(&format!("process {}, run daily_customers", std::process::id())),
            "{refused}"
        );
        assert!(refused.to_string().contains(", since 2"), "{refused}");
        drop(first);
        assert!(Lease::local(folder.path(), "keys rotate").is_ok());
    }

    #[test]
    fn what_a_holder_says_of_itself_is_cut_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let max = usize::try_from(HOLDER_BYTES_MAX).unwrap();
        let shown = |length: usize| {
            let _first = Lease::local(folder.path(), &"x".repeat(length)).unwrap();
            let LedgerError::Held(other) = Lease::local(folder.path(), "second").unwrap_err() else { panic!() };
            (std::fs::read_to_string(folder.path().join(LOCK_FILE)).unwrap().trim().to_owned(), other)
        };
        let around = shown(1).0.len() - 1;
        let (whole, other) = shown(max - around);
        assert_eq!((other.len(), &other), (max, &whole));
        assert_eq!(shown(max - around + 1).1.len(), max);
    }
}
