//! The test command: each step must pass before the next; cargo's own result lines come last.

use std::path::Path;

use crate::services::{self, SERVICES_VARIABLE, Services};
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
    let services = match Services::start(root, &services::folder(root)) {
        Ok(services) => Some(services),
        Err(why) if std::env::var_os("CI").is_some() => return Err(format!("no services for the tests: {why}")),
        Err(why) => {
            eprintln!("xtask: no services for the tests, which skip those that need them: {why}");
            None
        }
    };
    for (name, args, mend) in STEPS {
        eprintln!("== {name}: cargo {}", args.join(" "));
        let mut command = cargo(root);
        command.args(*args);
        if let Ok(python) = &python {
            command.env(PYTHON_VARIABLE, python);
        }
        if let Some(services) = &services {
            command.env(SERVICES_VARIABLE, services.file());
        }
        let status = command.status();
        let status = status.map_err(|error| format!("cargo cannot be started: {error}"))?;
        if !status.success() {
            return Err(format!("{name} failed: {mend}"));
        }
    }
    Ok(())
}
