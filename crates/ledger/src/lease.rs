//! One process writes a ledger at a time; the operating system ends the lease when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};

use crate::LedgerError;

/// The file that is locked, within the ledger's folder.
const LOCK_FILE: &str = "writer.lock";
/// How much of a holder's description is shown.
const HOLDER_BYTES_MAX: u64 = 512;
/// How often, and how long apart, whoever holds a lease is asked for before it counts as silent.
const HOLDER_ATTEMPTS: u32 = 50;
const HOLDER_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The right to write a ledger; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    /// The locked file and its folder; the lock ends with the file.
    held: Option<(File, PathBuf)>,
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
        Ok(Self { held: Some((file, folder.to_path_buf())) })
    }

    /// The lease of a ledger in memory, which no other process can reach.
    pub const fn in_memory() -> Self {
        Self { held: None }
    }

    /// Whether this lease may be of the ledger in a folder: it is not of another.
    pub(crate) fn may_be_of(&self, folder: &Path) -> bool {
        match &self.held {
            Some((_, held)) => match (held.canonicalize(), folder.canonicalize()) {
                (Ok(held), Ok(folder)) => held == folder,
                (Ok(_), Err(_)) | (Err(_), _) => false,
            },
            None => true,
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
