//! The test command: each step must pass before the next; cargo's own result lines come last.

use std::path::Path;

use crate::{cargo, python};

/// `(what it is, arguments of cargo, how to mend it)`.
const STEPS: &[(&str, &[&str], &str)] = &[
    ("formatting", &["fmt", "--all", "--check"], "run `cargo fmt --all`"),
    (
        "clippy",
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        "mend what clippy names; commit Cargo.lock if it changed",
    ),
    (
        "tests",
        &["test", "--workspace", "--locked", "--no-fail-fast"],
        "the failures are listed above; run one crate's with `cargo test -p CRATE`",
    ),
];

/// Names the Python with PyArrow to the tests that read and write with it.
const PYTHON_VARIABLE: &str = "LOCKGATE_TEST_PYTHON";

pub(crate) fn test(root: &Path) -> Result<(), String> {
    let python = python::environment(root);
    if let Err(why) = &python {
        eprintln!("xtask: no Python for the tests: {why}");
    }
    for (name, args, mend) in STEPS {
        eprintln!("== {name}: cargo {}", args.join(" "));
        let mut command = cargo(root);
        command.args(*args);
        if let Ok(python) = &python {
            command.env(PYTHON_VARIABLE, python);
        }
        let status = command.status();
        let status = status.map_err(|error| format!("cargo cannot be started: {error}"))?;
        if !status.success() {
            return Err(format!("{name} failed: {mend}"));
        }
    }
    Ok(())
}
