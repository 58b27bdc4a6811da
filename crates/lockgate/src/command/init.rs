//! `init`: a small project that runs.

use std::fs;
use std::path::Path;

use lockgate_model::{Failure, FailureKind, ProjectName};

use crate::output;

const FILES: &[(&str, &str)] = &[
    ("lockgate.yaml", include_str!("init/lockgate.yaml")),
    ("catalog/customers.yaml", include_str!("init/customers.yaml")),
    ("pipelines/daily_customers.yaml", include_str!("init/daily_customers.yaml")),
    ("data/landing/customers/2026-11-01/customers.csv", include_str!("init/customers.csv")),
    (".gitignore", ".lockgate/\n/data/warehouse.db*\n"),
];

/// The name that the template's project has.
const TEMPLATE_NAME: &str = "project: demo";

pub(crate) fn init(dir: &Path) -> Result<u8, Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", path.display()))
    };
    if let Some((taken, _)) = FILES.iter().find(|(name, _)| dir.join(name).exists()) {
        return Err(Failure::new(FailureKind::Invalid, format!("{} is there already", dir.join(taken).display()))
            .with_help("nothing was written; choose another folder"));
    }
    let name = project_name(dir);
    for (file, content) in FILES {
        let path = dir.join(file);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let content = match &name {
            Some(name) => content.replace(TEMPLATE_NAME, &format!("project: {name}")),
            None => (*content).to_owned(),
        };
        fs::write(&path, content).map_err(|error| failed(&path, error))?;
        output::note(&format!("wrote {}", path.display()));
    }
    output::print(&format!("next: lockgate run daily_customers --project {}\n", dir.display()))?;
    Ok(0)
}

/// The folder's name, if it can be a project's.
fn project_name(dir: &Path) -> Option<ProjectName> {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    absolute.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())
}
