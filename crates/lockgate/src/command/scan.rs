//! `scan`: which columns hold personal or payment data, and where in texts it stands. Values never leave it.

pub(super) mod sample;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use lockgate_connect::{LocalStore, PathTemplate};
use lockgate_model::{BUILT_IN_TAGS, Failure, FailureKind, Lattice, Level};
use lockgate_project::{Dataset, Project, StoreLocation};
use lockgate_scan::{ColumnFinding, TEXT_BYTES_MAX, TagFinding, scan_column, scan_text};
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Format, ScanArgs};
use crate::{context, output};

/// Files of one dataset that are looked at.
const FILES_MAX: usize = 16;

#[derive(Serialize)]
struct Line<'a> {
    dataset: &'a str,
    column: &'a str,
    tags: &'a [TagFinding],
    level: &'a str,
    evidence: Vec<&'a str>,
}

pub(crate) fn scan(dir: Option<&Path>, args: &ScanArgs) -> Result<u8, Failure> {
    if let Some(path) = &args.text {
        return scan_texts(path);
    }
    let project = match dir.is_some() || args.what.iter().any(|what| !Path::new(what).exists()) || args.what.is_empty()
    {
        true => Some(context::load(dir)?),
        false => None,
    };
    let levels = Levels::new(of_site(&project));
    let mut table =
        vec![vec!["dataset".to_owned(), "column".to_owned(), "level".to_owned(), "tags and evidence".to_owned()]];
    for (dataset, files) in selected(of_site(&project), &args.what)? {
        for (column, mut found) in columns(&files, args.rows)? {
            found.tags.retain(|tag| tag.confidence >= args.min_confidence);
            let level = levels.of(&found.tags);
            match args.format {
                Format::Json => {
                    let evidence = found.tags.iter().map(|tag| tag.evidence.as_str()).collect();
                    let line = Line { dataset: &dataset, column: &column, tags: &found.tags, level, evidence };
                    let text = serde_json::to_string(&line)
                        .map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
                    output::print(&(text + "\n"))?;
                }
                Format::Text => {
                    let said = found
                        .tags
                        .iter()
                        .map(|tag| format!("{} {:.0}%: {}", tag.tag, tag.confidence * 100.0, tag.evidence));
                    table.push(vec![dataset.clone(), column, level.to_owned(), said.collect::<Vec<_>>().join("; ")]);
                }
            }
        }
    }
    if args.format == Format::Text {
        output::print(&output::table(&table, 0))?;
    }
    Ok(0)
}

/// The levels that tags imply, in the project's words or else the default ones.
struct Levels {
    lattice: Lattice,
    /// The level of a column without tags.
    base: Level,
    of_tag: BTreeMap<String, Level>,
}

impl Levels {
    fn new(project: Option<&Project>) -> Self {
        match project {
            Some(Project { lattice, default_level, tags, .. }) => Self {
                base: default_level.unwrap_or(lattice.lowest()),
                of_tag: tags.iter().map(|(tag, level)| (tag.to_string(), *level)).collect(),
                lattice: lattice.clone(),
            },
            None => {
                let lattice = Lattice::default();
                let tags = BUILT_IN_TAGS.iter();
                Self {
                    base: lattice.level("internal").unwrap_or(lattice.lowest()),
                    of_tag: tags.filter_map(|(tag, least)| Some(((*tag).to_owned(), lattice.level(least)?))).collect(),
                    lattice,
                }
            }
        }
    }

    fn of(&self, tags: &[TagFinding]) -> &str {
        let levels = tags.iter().filter_map(|tag| self.of_tag.get(tag.tag).copied());
        self.lattice.name(levels.fold(self.base, Level::join))
    }
}

/// What is to be looked at: datasets by name, files by path; without either all datasets of files.
fn of_site(opened: &Option<context::Opened>) -> Option<&Project> {
    opened.as_ref().map(|opened| -> &Project { opened })
}

fn selected(project: Option<&Project>, what: &[String]) -> Result<Vec<(String, Vec<PathBuf>)>, Failure> {
    if let (true, Some(project)) = (what.is_empty(), project) {
        let of_files = project.datasets.values().filter(|dataset| dataset.files().is_some());
        return of_files.map(|dataset| of_dataset(project, dataset)).collect();
    }
    let one = |name: &String| {
        if Path::new(name).is_file() {
            return Ok((dataset_of(Path::new(name)), vec![PathBuf::from(name)]));
        }
        let dataset = project.and_then(|project| Some((project, project.datasets.get(name.as_str())?)));
        let (project, dataset) = dataset.ok_or_else(|| {
            Failure::new(FailureKind::Invalid, format!("`{name}` is neither a file nor a dataset of the project"))
                .with_help("give a path to a file, or a name from the catalog")
        })?;
        of_dataset(project, dataset)
    };
    what.iter().map(one).collect()
}

/// A file's name without its endings.
pub(super) fn dataset_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').next().unwrap_or(&name).to_owned()
}

fn of_dataset(project: &Project, dataset: &Dataset) -> Result<(String, Vec<PathBuf>), Failure> {
    let name = dataset.name.value.to_string();
    let invalid = |error: String| Failure::new(FailureKind::Invalid, format!("dataset `{name}`: {error}"));
    let Some(files) = dataset.files() else {
        return Err(invalid("it is a table, and `scan` looks at files: give one with rows of it".to_owned()));
    };
    let Some(StoreLocation::Files(root)) = project.stores.get(&dataset.store.value).map(|store| &store.location) else {
        return Err(invalid("its store holds no files".to_owned()));
    };
    // Whatever the parameters are: a sample of all of its files.
    let mut pattern = files.path.value.as_str().to_owned();
    for parameter in dataset.parameters() {
        pattern = pattern.replace(&format!("{{{parameter}}}"), "*");
    }
    let template: PathTemplate = pattern.parse().map_err(|error| invalid(format!("{error}")))?;
    let bound = template.bind(&Default::default()).map_err(|error| invalid(error.to_string()))?;
    let files =
        LocalStore::new(root).and_then(|store| store.list(&bound)).map_err(|error| invalid(error.to_string()))?;
    if files.is_empty() {
        return Err(invalid(format!("no file matches `{bound}` in {}", root.display())));
    }
    Ok((name, files.into_iter().take(FILES_MAX).filter_map(|file| file.local().map(Into::into)).collect()))
}

fn columns(files: &[PathBuf], rows: usize) -> Result<Vec<(String, ColumnFinding)>, Failure> {
    let mut columns: Vec<sample::SampledColumn> = Vec::new();
    for file in files {
        for column in sample::sample(file, rows.div_ceil(files.len()))? {
            match columns.iter_mut().find(|known| known.name == column.name) {
                Some(known) => known.values.extend(column.values),
                None => columns.push(column),
            }
        }
    }
    let found = |column: sample::SampledColumn| {
        let values: Vec<&str> = column.values.iter().map(String::as_str).collect();
        let finding = scan_column(Some(&column.name), &values);
        (column.name, finding)
    };
    Ok(columns.into_iter().map(found).collect())
}

/// JSON lines `{id, text}` to JSON lines `{id, spans}`.
fn scan_texts(path: &Path) -> Result<u8, Failure> {
    let unreadable = sample::unreadable(path);
    let source: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(path).map_err(&unreadable)?)),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in source.lines().enumerate() {
        let line = line.map_err(&unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |what: &str| {
            Failure::new(FailureKind::Failed, format!("{}:{}: {what}", path.display(), number + 1))
                .with_help("each line is an object such as {\"id\": 1, \"text\": \"...\"}")
        };
        let mut object: serde_json::Map<String, Value> =
            serde_json::from_str(&line).map_err(|_| wrong("it is no JSON object"))?;
        let id = object.remove("id").ok_or_else(|| wrong("it has no `id`"))?;
        let Some(Value::String(text)) = object.get("text") else { return Err(wrong("it has no `text`")) };
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong(&format!("its text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        let found = serde_json::json!({ "id": id, "spans": scan_text(text) });
        match writeln!(out, "{found}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(0),
            outcome => outcome.map_err(&unreadable)?,
        }
    }
    out.flush().map_err(&unreadable)?;
    Ok(0)
}
