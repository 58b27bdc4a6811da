//! Measures `lockgate scan` on labelled data: columns and texts that Python packages make and ship.

use std::path::Path;
use std::process::Command;

use crate::{conformance, python};

/// The package whose labelled set is used; its dependencies, which are many, are not needed for that.
const LABELLED: &str = "presidio-evaluator==0.3.2";

pub(crate) fn run(root: &Path) -> Result<(), String> {
    let program = conformance::program(root)?;
    let python = python::environment(root)?;
    let started = |error: std::io::Error| format!("{} cannot be started: {error}", python.display());
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", LABELLED])
        .status()
        .map_err(started)?;
    if !installed.success() {
        return Err(format!("{LABELLED} cannot be installed"));
    }
    let packages = python.with_file_name("").join("../lib");
    let found = std::fs::read_dir(&packages).map_err(|error| error.to_string())?.flatten();
    let folder =
        found.map(|version| version.path().join("site-packages/presidio_evaluator")).find(|path| path.is_dir());
    let folder = folder.ok_or_else(|| format!("{LABELLED} is not where it was installed"))?;
    let script = root.join("xtask/python/scan_quality.py");
    let measured = Command::new(&python).arg(script).arg(program).arg(folder).status().map_err(started)?;
    if measured.success() { Ok(()) } else { Err("the measurement failed".to_owned()) }
}
