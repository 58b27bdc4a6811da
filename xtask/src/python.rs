//! The Python environment of tests and measurements, made once and kept in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes the environment of tests, or finds it as it was made from the same requirements; gives its interpreter.
pub(crate) fn environment(root: &Path) -> Result<PathBuf, String> {
    environment_of(root, "requirements.txt", "python")
}

/// Makes an environment from a file of requirements, in a folder of the target folder.
pub(crate) fn environment_of(root: &Path, requirements: &str, folder: &str) -> Result<PathBuf, String> {
    let requirements = root.join("xtask/python").join(requirements);
    let wanted = fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let target = crate::target(root);
    let folder = target.join(folder);
    let (stamp, interpreter) = (folder.join("requirements.txt"), folder.join("bin/python"));
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && interpreter.exists() {
        return Ok(interpreter);
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
    Ok(interpreter)
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown} ended with {status}")),
        Err(error) => Err(format!("{shown} cannot be started: {error}")),
    }
}
