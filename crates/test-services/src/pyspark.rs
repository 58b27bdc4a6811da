//! A Python with PySpark, installed once into the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::root;

/// What is installed.
const REQUIREMENTS: &str = "xtask/python/spark.txt";

/// One test at a time installs it.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The interpreter; `None`, with a word on standard error, where it or Java cannot be had and this is not CI.
///
/// # Panics
///
/// Where it cannot be had and `CI` is `true`.
pub fn pyspark() -> Option<PathBuf> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    match java().and_then(|()| installed()) {
        Ok(python) => Some(python),
        Err(why) if std::env::var("CI").as_deref() == Ok("true") => panic!("no PySpark: {why}"),
        Err(why) => {
            eprintln!("skipped: no PySpark: {why}");
            None
        }
    }
}

fn java() -> Result<(), String> {
    let named = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    run(Command::new(named.unwrap_or_else(|| "java".into())).arg("-version"))
}

fn installed() -> Result<PathBuf, String> {
    let wanted = fs::read_to_string(root().join(REQUIREMENTS)).map_err(|error| error.to_string())?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = target.join("pyspark");
    let (stamp, python) = (folder.join("requirements.txt"), folder.join("bin/python"));
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && python.exists() {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(root().join(REQUIREMENTS)))?;
    fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown} ended with {status}")),
        Err(error) => Err(format!("{shown} cannot be started: {error}")),
    }
}
