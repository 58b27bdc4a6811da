//! The bytes of a project's files, bounded in size and number, in an order that does not depend on the file system.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::{CATALOG_DIR, PIPELINES_DIR, POLICIES_DIR, PROJECT_FILE, PROJECT_FILES_MAX, VIEWS_DIR};
use crate::policies::POLICY_DOCUMENT_BYTES_MAX;
use crate::source::PROJECT_FILE_BYTES_MAX;

/// What a file is for, by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Project,
    Dataset,
    Pipeline,
    View,
    Policy,
    /// A document of Ranger.
    PolicyDocument,
    Unknown,
}

impl Kind {
    /// Whether files of this kind are read and count towards the limit.
    pub(super) const fn is_read(self) -> bool {
        match self {
            Self::Project | Self::Dataset | Self::Pipeline | Self::View | Self::Policy | Self::PolicyDocument => true,
            Self::Unknown => false,
        }
    }

    /// The largest file of this kind, in bytes.
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::Project | Self::Dataset | Self::Pipeline | Self::View | Self::Policy | Self::Unknown => {
                PROJECT_FILE_BYTES_MAX
            }
            Self::PolicyDocument => POLICY_DOCUMENT_BYTES_MAX,
        }
    }
}

/// What a file holds, or why that is not known.
pub(super) enum Content {
    Text(String),
    Unreadable(String),
    TooLarge,
    NotUtf8(usize),
}

impl Content {
    fn new(bytes: Vec<u8>, kind: Kind) -> Self {
        if bytes.len() > kind.bytes_max() {
            return Self::TooLarge;
        }
        String::from_utf8(bytes).map_or_else(|error| Self::NotUtf8(error.utf8_error().valid_up_to()), Self::Text)
    }

    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Unreadable(_) | Self::TooLarge | Self::NotUtf8(_) => "",
        }
    }
}

pub(super) struct InputFile {
    /// Relative to the project, with `/`.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) content: Content,
}

/// Reads the files of a project's folder: first `lockgate.yaml`, then each folder by name.
pub(super) fn read(root: &Path) -> Vec<InputFile> {
    let mut files = vec![InputFile {
        path: PROJECT_FILE.to_owned(),
        kind: Kind::Project,
        content: read_file(&root.join(PROJECT_FILE), Kind::Project),
    }];
    for folder in [CATALOG_DIR, PIPELINES_DIR, VIEWS_DIR, POLICIES_DIR] {
        let mut names = match file_names(&root.join(folder)) {
            Ok(names) => names,
            Err(why) => {
                let kind = kind_of(&format!("{folder}/unreadable.yaml"));
                files.push(InputFile { path: folder.to_owned(), kind, content: Content::Unreadable(why) });
                continue;
            }
        };
        names.sort();
        for name in names {
            let path = format!("{folder}/{name}");
            let kind = if root.join(&path).is_dir() { Kind::Unknown } else { kind_of(&path) };
            let over = files.len() > PROJECT_FILES_MAX;
            let content =
                if kind.is_read() && !over { read_file(&root.join(&path), kind) } else { Content::Text(String::new()) };
            files.push(InputFile { path, kind, content });
        }
    }
    files
}

/// Takes files that are not on disk, in the order in which [`read`] would give them.
pub(super) fn given(files: &[(&str, &[u8])]) -> Vec<InputFile> {
    let mut input: Vec<InputFile> = files
        .iter()
        .map(|(path, bytes)| {
            let kind = kind_of(path);
            InputFile { path: (*path).to_owned(), kind, content: Content::new(bytes.to_vec(), kind) }
        })
        .collect();
    if !input.iter().any(|file| file.kind == Kind::Project) {
        let content = Content::Unreadable("no such file".to_owned());
        input.push(InputFile { path: PROJECT_FILE.to_owned(), kind: Kind::Project, content });
    }
    input.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    input
}

fn kind_of(path: &str) -> Kind {
    let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    match path.split_once('/') {
        None if path == PROJECT_FILE => Kind::Project,
        Some((CATALOG_DIR, _)) if is_yaml => Kind::Dataset,
        Some((PIPELINES_DIR, _)) if is_yaml => Kind::Pipeline,
        Some((VIEWS_DIR, _)) if is_yaml => Kind::View,
        Some((POLICIES_DIR, _)) if is_yaml => Kind::Policy,
        Some((POLICIES_DIR, _)) if path.ends_with(".json") => Kind::PolicyDocument,
        None | Some(_) => Kind::Unknown,
    }
}

/// The names in a folder without hidden ones; none if there is no such folder.
fn file_names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

fn read_file(path: &Path, kind: Kind) -> Content {
    let read = || {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        let bound = u64::try_from(kind.bytes_max() + 1).unwrap_or(u64::MAX);
        fs::File::open(path)?.take(bound).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .map_or_else(|error: std::io::Error| Content::Unreadable(error.to_string()), |bytes| Content::new(bytes, kind))
}
