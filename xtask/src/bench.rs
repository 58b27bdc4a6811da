//! Times the program, built for release, beside `sqlite3 .import` and PyArrow on the same files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cargo, python};

/// How often each case is run; the median counts.
const REPEATS: &str = "3";
/// The sizes of the files, in rows.
const ROWS: [&str; 2] = ["1000000", "10000000"];

/// `rows` are the sizes instead of the usual ones.
pub(crate) fn run(root: &Path, rows: &[&str]) -> Result<(), String> {
    if let Some(wrong) = rows.iter().find(|rows| rows.parse::<u64>().is_err()) {
        return Err(format!("`{wrong}` is no number of rows"));
    }
    let built = cargo(root).args(["build", "--release", "-p", "lockgate"]).status();
    if !built.map_err(|error| format!("cargo cannot be started: {error}"))?.success() {
        return Err("lockgate could not be built".to_owned());
    }
    let sqlite = Command::new("sqlite3").arg("--version").output();
    sqlite.map_err(|error| format!("sqlite3 is needed beside it (`apt-get install sqlite3`): {error}"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let interpreter = python::environment(root)?;
    let mut script = Command::new(&interpreter);
    script.arg(root.join("xtask/python/bench.py")).arg(target.join("release/lockgate")).arg(target.join("bench"));
    script.arg(REPEATS).args(if rows.is_empty() { &ROWS[..] } else { rows });
    let measured = script.status().map_err(|error| format!("{} cannot be started: {error}", interpreter.display()))?;
    if measured.success() { Ok(()) } else { Err("the measurement failed".to_owned()) }
}
