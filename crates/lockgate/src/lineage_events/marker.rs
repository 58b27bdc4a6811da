//! A run that ended without saying so is found by its marker, which nobody holds any more.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lockgate_openlineage::RunEvent;

/// The folder of markers within the spool's.
const FOLDER: &str = "running";

/// Lies there, locked, while a run lasts. Its content is the event for the case that the run never ends.
pub(super) struct Marker {
    path: PathBuf,
    held: File,
}

impl Marker {
    /// Places it; without one, a run that is broken off is not told of.
    pub(super) fn place(spool: &Path, run_id: &str, abort: &RunEvent) -> Option<Self> {
        let text = serde_json::to_string(abort).ok()?;
        let folder = spool.join(FOLDER);
        fs::create_dir_all(&folder).ok()?;
        let path = folder.join(format!("{run_id}.json"));
        let mut held = OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
        held.lock().ok()?;
        held.write_all(text.as_bytes()).ok()?;
        Some(Self { path, held })
    }

    pub(super) fn remove(self) {
        // One that stays is taken for a run that was broken off; its end was told before, and stands.
        let _ = fs::remove_file(&self.path);
        drop(self.held);
    }
}

/// The events of runs that were broken off; each is given once.
pub(super) fn abandoned(spool: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(spool.join(FOLDER)).into_iter().flatten().flatten() {
        let Ok(held) = File::open(entry.path()) else { continue };
        if held.try_lock().is_err() {
            continue;
        }
        // One without a whole event had not begun.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if fs::remove_file(entry.path()).is_ok() && serde_json::from_str::<serde_json::Value>(&text).is_ok() {
            found.push(text);
        }
    }
    found
}
