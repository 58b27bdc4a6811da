//! Python with PyArrow, where a test needs a reader or writer that is not ours.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::in_ci;

/// Names the interpreter of an environment that has PyArrow and cryptography; `cargo xtask test` makes one.
const VARIABLE: &str = "LOCKGATE_TEST_PYTHON";

/// The interpreter; `None`, said why, where there is none and nobody demands one.
pub(crate) fn interpreter() -> Option<String> {
    let found = std::env::var(VARIABLE).ok();
    assert!(found.is_some() || !in_ci(), "{VARIABLE} is not set: run `cargo xtask test`, which makes the environment");
    if found.is_none() {
        eprintln!("skipped: {VARIABLE} names no Python with PyArrow; `cargo xtask test` makes one");
    }
    found
}

/// Runs a script; asserts that it succeeds.
pub(crate) fn run(python: &str, script: &str, args: &[&str]) -> String {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python");
    let Output { status, stdout, stderr } =
        Command::new(python).args(["-c", script]).args(args).env("PYTHONPATH", clients).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
