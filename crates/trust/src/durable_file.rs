//! A file is replaced whole and for good, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::TrustError;

/// Replaces a file's content: written beside it with these permission bits, synced, renamed over it, and the folder
/// synced. Whoever reads sees the old content or the new one.
pub fn write_durably(path: &Path, content: &[u8], mode: u32) -> Result<(), TrustError> {
    let failed = |source| TrustError::File { path: path.to_path_buf(), verb: "written", source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(failed)
}
