//! A file that was written here is whole and survives a loss of power, or the one before it is still there.
//!
//! ```text
//! write beside ─► sync ─► rename over ─► sync the folder, and those above it up to the ledger's ─► done
//!        a crash before the rename leaves the old file; after it, the new one, whose content is on the disk already
//! ```
//! The object store's library renames too, but syncs neither file nor folder: after a loss of power the new name may
//! stand over an empty file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells files apart that are being written at once. A file left by a crash is overwritten when its number comes again.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Replaces the file `object` within `folder`, making the folders between them.
pub(super) fn write(folder: &Path, object: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(object);
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    let beside = parent.join(format!(".{}.new", WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = written {
        // What could not be written is of no use, and if it can't be removed either, the first error says why.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    for place in parent.ancestors().take_while(|place| place.starts_with(folder)) {
        File::open(place)?.sync_all()?;
    }
    Ok(())
}

/// Makes a folder that survives a loss of power. Does nothing if it is there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => File::open(above)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        for content in [&b"longer than the next"[..], b"short", b""] {
            write(&folder, "c/d/e", content).unwrap();
            assert_eq!(fs::read(folder.join("c/d/e")).unwrap(), content);
            assert_eq!(fs::read_dir(folder.join("c/d")).unwrap().count(), 1);
        }
        fs::create_dir_all(folder.join("c/d/taken/by a folder")).unwrap();
        assert!(write(&folder, "c/d/taken", b"x").is_err());
        assert_eq!(fs::read_dir(folder.join("c/d")).unwrap().count(), 2, "the file beside it was removed");
        fs::write(place.path().join("file"), "").unwrap();
        assert!(make_folder(&place.path().join("file/below")).is_err());
    }
}
