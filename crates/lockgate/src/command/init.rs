//! `init`: a small project that runs, or one that loads given files.

mod from;
mod infer;

use std::fs;
use std::path::{Path, PathBuf};

use lockgate_model::{Failure, FailureKind, ProjectName};

use self::from::{Loaded, Written};
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

pub(crate) fn init(dir: &Path, from: &[PathBuf]) -> Result<u8, Failure> {
    let name = project_name(dir);
    if !from.is_empty() {
        return init_from(dir, name.as_ref().map_or("demo", ProjectName::as_str), from);
    }
    let named = |content: &str| match &name {
        Some(name) => content.replace(TEMPLATE_NAME, &format!("project: {name}")),
        None => content.to_owned(),
    };
    let files: Vec<Written> =
        FILES.iter().map(|(file, content)| Written { name: (*file).to_owned(), content: named(content) }).collect();
    write(dir, &files)?;
    output::print(&format!("next: lockgate run daily_customers --project {}\n", dir.display()))?;
    Ok(0)
}

/// Writes a project that loads files, and says what they were found to hold.
fn init_from(dir: &Path, name: &str, from: &[PathBuf]) -> Result<u8, Failure> {
    let (files, loaded) = from::project(name, from)?;
    write(dir, &files)?;
    let mut pipelines = Vec::new();
    for Loaded { pipeline, path, found } in &loaded {
        let mut rows = vec![vec!["column".to_owned(), "type".to_owned(), "found to be".to_owned()]];
        for column in &found.columns {
            let told =
                column.tags.iter().map(|tag| format!("{} {:.0}%: {}", tag.tag, tag.confidence * 100.0, tag.evidence));
            rows.push(vec![
                column.name.to_string(),
                column.value_type.to_string(),
                told.collect::<Vec<_>>().join("; "),
            ]);
        }
        output::print(&format!("{}\n{}\n", path.display(), output::table(&rows, 2)))?;
        if found.broken > 0 {
            output::note(&format!("{}: {} of {} records cannot be read", path.display(), found.broken, found.rows));
        }
        for column in &found.left_out {
            output::note(&format!(
                "{}: a column is left out, since its name `{}` cannot be declared",
                path.display(),
                column.escape_debug()
            ));
        }
        pipelines.push(pipeline.as_str());
    }
    output::print(&format!("next: lockgate run {} --project {}\n", pipelines.join(" "), dir.display()))?;
    Ok(0)
}

/// Writes the files of a project; nothing that is there already is replaced.
fn write(dir: &Path, files: &[Written]) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(taken) = files.iter().find(|file| dir.join(&file.name).exists()) {
        return Err(Failure::new(
            FailureKind::Invalid,
            format!("{} is there already", dir.join(&taken.name).display()),
        )
        .with_help("nothing was written; choose another folder"));
    }
    for file in files {
        let path = dir.join(&file.name);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        fs::write(&path, &file.content).map_err(|error| failed(&path, error))?;
        output::note(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// The folder's name, if it can be a project's.
fn project_name(dir: &Path) -> Option<ProjectName> {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    absolute.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())
}
