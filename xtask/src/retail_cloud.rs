//! The cloud example: all services on loopback, the daily job on them, and the trace of a row.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::services::{self, Services};

/// Starts the services, runs the example in a copy of its own, traces a row, and ends the services.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let services = Services::start(root, &services::folder_named(root, "retail-cloud"))?;
    let place = crate::target(root).join("retail-cloud");
    let _ = fs::remove_dir_all(&place);
    copy(&root.join("examples/retail-cloud"), &place).map_err(|error| error.to_string())?;
    let variables = services.prepare_example(&root.join("examples/retail/data/landing"))?;
    let project = place.to_string_lossy().into_owned();
    for args in [
        &["doctor"][..],
        &["run", "daily_customers"],
        &["trace", "analytics.customers", "--where", "id = 4711"],
        &["verify"],
    ] {
        eprintln!("== lockgate {}", args.join(" "));
        let mut lockgate = cargo(root);
        lockgate.args(["run", "--quiet", "--"]).args(args).args(["--project", &project]);
        succeed(lockgate.envs(variables.iter().map(|(name, value)| (name, value))))?;
    }
    Ok(())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|name| *name != ".lockgate") else { continue };
        match path.is_dir() {
            true => copy(&path, &to.join(name))?,
            false => drop(fs::copy(&path, to.join(name))?),
        }
    }
    Ok(())
}
