//! `init --from`: a project that loads given files, every column with its type, its tags, and what protects it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lockgate_model::{BUILT_IN_TAGS, ColumnName, DatasetName, Failure, FailureKind, NAME_BYTES_MAX, TextEncoding};

use super::infer::{Format, FoundColumn, FoundFile, infer};

/// A file of the project that is written.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) content: String,
}

/// A dataset that was made from a file.
pub(super) struct Loaded {
    pub(super) pipeline: String,
    pub(super) path: PathBuf,
    pub(super) found: FoundFile,
}

/// The files of a project that loads `files`, and what each of those was found to hold.
pub(super) fn project(name: &str, files: &[PathBuf]) -> Result<(Vec<Written>, Vec<Loaded>), Failure> {
    let mut stores: Vec<(String, PathBuf)> = Vec::new();
    let mut taken = BTreeSet::new();
    let (mut written, mut loaded) = (Vec::new(), Vec::new());
    for path in files {
        let found = infer(path)?;
        if found.columns.is_empty() {
            let message = format!("{} has no column that could be declared", path.display());
            return Err(Failure::new(FailureKind::Failed, message));
        }
        let (folder, file) = place(path)?;
        let store = match stores.iter().find(|(_, known)| *known == folder) {
            Some((store, _)) => store.clone(),
            None => {
                let number = stores.len() + 1;
                let store = if number == 1 { "landing".to_owned() } else { format!("landing_{number}") };
                stores.push((store.clone(), folder));
                store
            }
        };
        let dataset = dataset_name(&file, &mut taken)?;
        written.push(Written {
            name: format!("catalog/{dataset}.yaml"),
            content: catalog(&dataset, &store, &file, &found),
        });
        let pipeline = format!("load_{dataset}");
        written.push(Written {
            name: format!("pipelines/{pipeline}.yaml"),
            content: pipeline_file(&dataset, &found.columns),
        });
        loaded.push(Loaded { pipeline, path: path.clone(), found });
    }
    let tags: BTreeSet<&str> =
        loaded.iter().flat_map(|one| &one.found.columns).flat_map(|c| &c.tags).map(|tag| tag.tag).collect();
    written.insert(0, Written { name: "lockgate.yaml".into(), content: settings(name, &stores, &tags) });
    written.push(Written { name: ".gitignore".into(), content: ".lockgate/\n/data/warehouse.db*\n".into() });
    Ok((written, loaded))
}

/// The folder of a file, and its name within it, as a project can have them.
fn place(path: &Path) -> Result<(PathBuf, String), Failure> {
    let refused = |what: &str| {
        Failure::new(FailureKind::Invalid, format!("{} {what}", path.display()))
            .with_help("rename it, or link to it under another name")
    };
    let absolute = std::fs::canonicalize(path)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("{} cannot be read: {error}", path.display())))?;
    let file = absolute.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let (Some(file), Some(folder)) = (file, absolute.parent()) else { return Err(refused("is no file")) };
    let is_plain = |text: &str| !text.contains(['{', '}', '*', '$', '\\']) && !text.contains(char::is_control);
    match folder.to_str() {
        Some(text) if is_plain(text) && is_plain(&file) => Ok((folder.to_path_buf(), file)),
        _ => Err(refused("has characters in its path that mean something else in a project")),
    }
}

/// A name that no other dataset has, made from a file's.
fn dataset_name(file: &str, taken: &mut BTreeSet<String>) -> Result<DatasetName, Failure> {
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or("data");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut name: String = stem.chars().map(plain).take(NAME_BYTES_MAX / 2).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert_str(0, "data_");
    }
    let base = name.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{base}_{number}");
    }
    name.parse().map_err(|error| Failure::new(FailureKind::Bug, format!("{error}")))
}

/// A text as YAML writes any text: JSON's strings are some of its own.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn settings(name: &str, stores: &[(String, PathBuf)], tags: &BTreeSet<&str>) -> String {
    let mut yaml = format!(
        "# What this project is, where its data lies, and what is done to a column where it may not be seen in the clear.\n\
         version: 1\nproject: {name}\nstores:\n"
    );
    for (store, folder) in stores {
        let _ = writeln!(yaml, "  {store}: {{ at: {} }}", quoted(&format!("file://{}", folder.display())));
    }
    yaml.push_str(
        "  warehouse: { at: \"sqlite://./data/warehouse.db\", clearance: internal }\n\
         keys:\n  default: { local: ./.lockgate/keys }\nledger: { at: \"file://./.lockgate/ledger\" }\n\
         protect: # what exceeds the clearance of a sink is protected by the first rule that matches\n",
    );
    if tags.contains("pii.email") {
        yaml.push_str("  - { tag: pii.email, with: \"token(domain: email)\" } # equal addresses stay equal\n");
    }
    let levels: BTreeSet<&str> = BUILT_IN_TAGS.iter().map(|(_, level)| *level).collect();
    for level in levels {
        let _ = writeln!(yaml, "  - {{ level: {level}, with: seal }}");
    }
    yaml
}

fn catalog(dataset: &DatasetName, store: &str, file: &str, found: &FoundFile) -> String {
    let mut yaml = format!("dataset: {dataset}\nat:\n  store: {store}\n  path: {}\n", quoted(file));
    match &found.format {
        Format::JsonLines => yaml.push_str("  format: jsonl\n"),
        Format::Parquet => yaml.push_str("  format: parquet\n"),
        Format::Csv { dialect, encoding } => {
            yaml.push_str("  format: csv\n");
            let mut options = Vec::new();
            if !dialect.header {
                options.push("header: false".to_owned());
            }
            if dialect.delimiter != b',' {
                options.push(format!("delimiter: {}", quoted(&char::from(dialect.delimiter).to_string())));
            }
            match encoding {
                TextEncoding::Utf8 => {}
                TextEncoding::Utf16 | TextEncoding::Utf16Le | TextEncoding::Utf16Be => {
                    options.push("encoding: utf-16".into())
                }
                TextEncoding::Latin1 => options.push("encoding: latin-1".into()),
                TextEncoding::Windows1252 => options.push("encoding: windows-1252".into()),
            }
            if !found.null_tokens.is_empty() {
                let tokens: Vec<String> =
                    std::iter::once("").chain(found.null_tokens.iter().copied()).map(quoted).collect();
                options.push(format!("null_tokens: [{}]", tokens.join(", ")));
            }
            if !options.is_empty() {
                let _ = writeln!(yaml, "  csv: {{ {} }}", options.join(", "));
            }
        }
    }
    yaml.push_str("columns:\n");
    for FoundColumn { name, value_type, tags } in &found.columns {
        let tags: Vec<&str> = tags.iter().map(|tag| tag.tag).collect();
        let tags = if tags.is_empty() { String::new() } else { format!(", tags: [{}]", tags.join(", ")) };
        let _ = writeln!(yaml, "  {}: {{ type: {}{tags} }}", quoted(name.as_str()), quoted(&value_type.to_string()));
    }
    yaml
}

fn pipeline_file(dataset: &DatasetName, columns: &[FoundColumn]) -> String {
    let identifier = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    // Tables do not tell upper case from lower in names of columns; files do.
    let mut taken = BTreeSet::new();
    let column = |column: &FoundColumn| {
        let name: &ColumnName = &column.name;
        let mut output = name.as_str().to_owned();
        while !taken.insert(output.to_lowercase()) {
            output.push('_');
        }
        match output == name.as_str() {
            true => identifier(&output),
            false => format!("{} AS {}", identifier(name.as_str()), identifier(&output)),
        }
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!(
        "pipeline: load_{dataset}\nsql: |\n  SELECT\n    {}\n  FROM {}\ninto: {{ dataset: warehouse.{dataset}, store: warehouse }}\nruns_as: svc-etl\n",
        columns.join(",\n    "),
        identifier(dataset.as_str())
    )
}
