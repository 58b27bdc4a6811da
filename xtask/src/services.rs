//! The real services that tests run against: started on loopback before, ended after, whatever the tests said.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the file that says where the services are to the tests.
pub(crate) const SERVICES_VARIABLE: &str = "LOCKGATE_TEST_SERVICES";

/// Services that were started; dropping this ends them.
pub(crate) struct Services {
    root: PathBuf,
    folder: PathBuf,
}

impl Services {
    /// Starts all of them, installing what is missing.
    pub(crate) fn start(root: &Path, folder: &Path) -> Result<Self, String> {
        up(root, folder)?;
        Ok(Self { root: root.to_path_buf(), folder: folder.to_path_buf() })
    }

    /// Puts the example's files and secrets where they belong; gives the variables that its project expands.
    pub(crate) fn prepare_example(&self, landing: &Path) -> Result<Vec<(String, String)>, String> {
        let mut python = Command::new("python3");
        python.arg(self.root.join("xtask/services/services.py")).arg("example").arg(&self.folder).arg(landing);
        let done = python.output().map_err(|error| format!("python3 cannot be started: {error}"))?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(said.lines().filter_map(pair).collect())
    }

    /// The file that says where they are.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("services.json")
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Err(why) = down(&self.root, &self.folder) {
            eprintln!("xtask: the services in {} may still run: {why}", self.folder.display());
        }
    }
}

/// Where they are kept unless somebody says otherwise.
pub(crate) fn folder(root: &Path) -> PathBuf {
    folder_named(root, "run")
}

/// Where services of their own are kept, beside the others.
pub(crate) fn folder_named(root: &Path, name: &str) -> PathBuf {
    crate::target(root).join("services").join(name)
}

/// Starts services and leaves them running.
pub(crate) fn up(root: &Path, folder: &Path) -> Result<(), String> {
    script(root, "up", folder)
}

/// Ends what `up` started.
pub(crate) fn down(root: &Path, folder: &Path) -> Result<(), String> {
    script(root, "down", folder)
}

fn script(root: &Path, verb: &str, folder: &Path) -> Result<(), String> {
    let mut python = Command::new("python3");
    python.arg(root.join("xtask/services/services.py")).arg(verb).arg(folder);
    match python.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("they could not be started or ended; the reason stands above".into()),
        Err(error) => Err(format!("python3 cannot be started: {error}")),
    }
}
