//! `policy`: policies of Apache Ranger, tested, explained, imported and compared.

mod diff;
mod explain;
mod import;
mod test;

use std::fs;
use std::path::{Path, PathBuf};

use lockgate_model::{Failure, FailureKind};
use lockgate_policy::{Document, Sources};

use crate::cli::PolicyCommand;

/// The folder of a project that has its policies.
const FOLDER: &str = "policies";
/// The longest document or test file, in bytes: a hundred thousand policies take about half of it.
const POLICY_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(crate) fn policy(dir: Option<&Path>, command: PolicyCommand) -> Result<u8, Failure> {
    match command {
        PolicyCommand::Test { files, compat } => test::test(&files, compat),
        PolicyCommand::Explain(args) => explain::explain(dir, &args),
        PolicyCommand::Import { export, service_def } => import::import(dir, &export, service_def.as_deref()),
        PolicyCommand::Diff { old, new, format } => diff::diff(&old, &new, format),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::new(FailureKind::Invalid, format!("{} cannot be read: {error}", path.display()));
    check_length(path, fs::metadata(path).map_err(failed)?.len())?;
    fs::read_to_string(path).map_err(failed)
}

fn check_length(path: &Path, bytes: u64) -> Result<(), Failure> {
    if bytes <= POLICY_FILE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("{} is {bytes} bytes long; at most {POLICY_FILE_BYTES_MAX} are read", path.display());
    Err(Failure::new(FailureKind::Invalid, message).with_help("split it, for instance by service"))
}

fn document(path: &Path) -> Result<Document, Failure> {
    Document::read(&read(path)?)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("{}: {error}", path.display())))
}

/// What documents have together.
fn sources(paths: &[PathBuf]) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    for path in paths {
        sources
            .add(document(path)?)
            .map_err(|error| Failure::new(FailureKind::Invalid, format!("{}: {error}", path.display())))?;
    }
    Ok(sources)
}

/// The documents in a folder, in the order of their names.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_refused_from_its_first_byte_too_many() {
        check_length(Path::new("p.json"), POLICY_FILE_BYTES_MAX).unwrap();
        let refused = check_length(Path::new("p.json"), POLICY_FILE_BYTES_MAX + 1).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Invalid);
    }
}
