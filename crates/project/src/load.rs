//! A project is loaded whole or refused whole, with everything that is wrong in any of its files.
//!
//! ```text
//! lockgate.yaml ──► Settings (levels, tags, stores, keys) ─┐
//! catalog/*.yaml ─────────────────────────────────────────┼─► Project
//! pipelines/*.yaml ───────────────────────────────────────┘
//! policies/*.yaml, policies/*.json ─► Policies ────────────┘
//! ```

mod dataset;
mod files;
mod pipeline;
mod policies;
mod settings;
mod view;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use lockgate_model::{DatasetName, PipelineName, StoreName};
use lockgate_policy::Document;
use serde::de::DeserializeOwned;

use self::files::{Content, InputFile, Kind};
use self::policies::DocumentFile;
use self::settings::Settings;
use crate::raw::{DatasetFile, PipelineFile, PoliciesFile, ProjectFile, ViewFile};
use crate::source::{FileId, quotable};
use crate::yaml::{self, Context, Node};
use crate::{
    At, Code, Dataset, DatasetSource, Diagnostic, Diagnostics, Pipeline, Policies, Project, SourceFiles,
    SourceTableName, Span, Store, StoreLocation, View,
};

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "lockgate.yaml";
/// The folder of datasets.
pub const CATALOG_DIR: &str = "catalog";
/// The folder of pipelines.
pub const PIPELINES_DIR: &str = "pipelines";
/// The folder of views, within a project.
pub const VIEWS_DIR: &str = "views";
/// The folder of policies: YAML files, and Ranger's documents in JSON.
pub const POLICIES_DIR: &str = "policies";
/// The most files of a project's catalog, pipelines and policies together.
pub const PROJECT_FILES_MAX: usize = 2_000;

/// Why a project was not loaded: at least one error, with the files that it points into.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The files, for showing it.
    pub sources: SourceFiles,
}

/// The nearest folder, `start` or one above it, that has a `lockgate.yaml`.
pub fn find_root(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf)
}

impl Project {
    /// Reads the project in a folder. `env` gives the values of environment variables. Warnings come with the project;
    /// with one error or more there is none. Files are read in the order of their names, so the outcome is the same
    /// everywhere.
    pub fn load(dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Diagnostics), Rejected> {
        Self::from_input(dir, files::read(dir), env)
    }

    /// The same for files that are not on disk: pairs of a path relative to the project, such as
    /// `catalog/customers.yaml`, and the file's bytes.
    pub fn from_files(
        root: &Path,
        files: &[(&str, &[u8])],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Diagnostics), Rejected> {
        Self::from_input(root, files::given(files), env)
    }

    fn from_input(
        root: &Path,
        input: Vec<InputFile>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Diagnostics), Rejected> {
        let mut loader = Loader { root, sources: SourceFiles::new(), found: Diagnostics::new() };
        let project = loader.project(input, env);
        match project {
            Some(mut project) if !loader.found.has_errors() => {
                project.sources = loader.sources;
                Ok((project, loader.found))
            }
            Some(_) | None => Err(Rejected { diagnostics: loader.found, sources: loader.sources }),
        }
    }
}

struct Loader<'a> {
    root: &'a Path,
    sources: SourceFiles,
    found: Diagnostics,
}

/// A file whose text was parsed.
struct Parsed {
    file: FileId,
    kind: Kind,
    node: Node,
}

impl Loader<'_> {
    fn project(&mut self, input: Vec<InputFile>, env: &dyn Fn(&str) -> Option<String>) -> Option<Project> {
        let too_many = input.iter().filter(|file| file.kind.is_read()).count() > PROJECT_FILES_MAX;
        let mut parsed = Vec::new();
        let mut documents = Vec::new();
        for file in input {
            let id = self.sources.add(&file.path, file.content.shown());
            if too_many && file.kind == Kind::Project {
                let message = format!("the project has more than {PROJECT_FILES_MAX} files");
                let help = "split it into several projects".to_owned();
                self.found.push(Diagnostic::new(Code::ProjectLimit, start_of(id), message).with_help(help));
            }
            if !too_many {
                let is_document = file.kind == Kind::PolicyDocument;
                let Some((kind, text)) = self.text(file, id) else { continue };
                if is_document {
                    documents.extend(self.document(id, &text));
                } else {
                    let node = self.with_context(id, env, |context| yaml::parse(&text, context));
                    parsed.extend(node.map(|node| Parsed { file: id, kind, node }));
                }
            }
        }
        let settings = self.settings(&parsed, env);
        let mut datasets = Vec::new();
        let mut pipelines = Vec::new();
        let mut views = Vec::new();
        let mut policy_files = Vec::new();
        for file in &parsed {
            match file.kind {
                Kind::Dataset => datasets.extend(self.dataset(file, settings.as_ref(), env)),
                Kind::Pipeline => pipelines.extend(self.pipeline(file, settings.as_ref(), env)),
                Kind::View => views.extend(self.view(file, env)),
                Kind::Policy => {
                    let raw: Option<PoliciesFile> = self.decode(file, env);
                    policy_files.extend(raw.map(|raw| (file.file, raw)));
                }
                Kind::Project | Kind::PolicyDocument | Kind::Unknown => {}
            }
        }
        let datasets = self.distinct_datasets(datasets);
        let pipelines = self.distinct_pipelines(pipelines, &datasets);
        if let Some(settings) = &settings {
            self.refuse_own_tables(&pipelines, &datasets, &settings.stores);
        }
        let views = self.distinct_views(views, &pipelines, &datasets);
        let policies = self.policies(documents, policy_files, settings.as_ref());
        settings?.into_project(self.root, datasets, pipelines, views, policies)
    }

    /// The text of a file, or a report of why it is not read.
    fn text(&mut self, file: InputFile, id: FileId) -> Option<(Kind, String)> {
        let problem = |code, message: String, help: &str| Diagnostic::new(code, start_of(id), message).with_help(help);
        let shown = quotable(&file.path);
        let text = match (file.kind, file.content) {
            (Kind::Unknown, _) => {
                let help = if file.path.starts_with(POLICIES_DIR) {
                    "only files ending in `.yaml`, `.yml` or `.json` are read here: rename or move it"
                } else {
                    "only files ending in `.yaml` or `.yml` are read here: rename or move it"
                };
                self.found.push(problem(Code::UnknownFile, format!("`{shown}` is not read"), help));
                return None;
            }
            (_, Content::Unreadable(why)) => {
                let message = format!("`{shown}` cannot be read: {}", quotable(&why));
                let help = if file.kind == Kind::Project {
                    "a project's folder has a `lockgate.yaml`; `lockgate init` writes one"
                } else {
                    "check that it is a file and that you may read it"
                };
                self.found.push(problem(Code::UnreadableFile, message, help));
                return None;
            }
            (_, Content::TooLarge) => {
                let message = format!("`{shown}` is larger than {} bytes", file.kind.bytes_max());
                self.found.push(problem(Code::FileTooLarge, message, "split it into several files"));
                return None;
            }
            (_, Content::NotUtf8(at)) => {
                let message = format!("`{shown}` is not UTF-8 from byte {at} on");
                self.found.push(problem(Code::NotUtf8, message, "save it in UTF-8"));
                return None;
            }
            (_, Content::Text(text)) => text,
        };
        Some((file.kind, text))
    }

    /// Reads a document of Ranger, or reports why it is none.
    fn document(&mut self, file: FileId, text: &str) -> Option<DocumentFile> {
        match Document::read(text) {
            Ok(document) => Some(DocumentFile { file, document }),
            Err(error) => {
                let shown = quotable(self.sources.path(file));
                let message = format!("`{shown}` is no document of policies: {error}");
                let help = "put what Ranger exports here, or what its plugin downloads";
                self.found.push(Diagnostic::new(Code::UnusablePolicyDocument, start_of(file), message).with_help(help));
                None
            }
        }
    }

    fn policies(
        &mut self,
        documents: Vec<DocumentFile>,
        files: Vec<(FileId, PoliciesFile)>,
        settings: Option<&Settings>,
    ) -> Policies {
        let options = settings.map(|settings| settings.policy_options.clone()).unwrap_or_default();
        let mut found = Vec::new();
        let policies = policies::compile(documents, files, options, &self.sources, &mut found);
        self.found.extend(found);
        policies
    }

    fn decode<T: DeserializeOwned>(&mut self, file: &Parsed, env: &dyn Fn(&str) -> Option<String>) -> Option<T> {
        self.with_context(file.file, env, |context| yaml::decode(&file.node, context))
    }

    fn with_context<T>(
        &mut self,
        file: FileId,
        env: &dyn Fn(&str) -> Option<String>,
        read: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let context = Context { file, sources: &self.sources, env, problems: RefCell::default() };
        let outcome = read(&context);
        self.found.extend(context.problems.into_inner());
        outcome
    }

    fn settings(&mut self, parsed: &[Parsed], env: &dyn Fn(&str) -> Option<String>) -> Option<Settings> {
        let file = parsed.iter().find(|file| file.kind == Kind::Project)?;
        let raw: ProjectFile = self.decode(file, env)?;
        let mut checker = Checker::new(file.file, &self.sources);
        let settings = Settings::check(raw, self.root, &mut checker);
        let found = checker.found;
        self.found.extend(found);
        Some(settings)
    }

    fn dataset(
        &mut self,
        file: &Parsed,
        settings: Option<&Settings>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Dataset> {
        let raw: DatasetFile = self.decode(file, env)?;
        let mut checker = Checker::new(file.file, &self.sources);
        let dataset = dataset::check(raw, settings?, &mut checker);
        let found = checker.found;
        self.found.extend(found);
        dataset
    }

    fn pipeline(
        &mut self,
        file: &Parsed,
        settings: Option<&Settings>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Pipeline> {
        let raw: PipelineFile = self.decode(file, env)?;
        let mut checker = Checker::new(file.file, &self.sources);
        let pipeline = pipeline::check(raw, &file.node, settings?, &mut checker);
        let found = checker.found;
        self.found.extend(found);
        pipeline
    }

    fn view(&mut self, file: &Parsed, env: &dyn Fn(&str) -> Option<String>) -> Option<View> {
        let raw: ViewFile = self.decode(file, env)?;
        let mut checker = Checker::new(file.file, &self.sources);
        let view = view::check(raw, &file.node, &mut checker);
        let found = checker.found;
        self.found.extend(found);
        view
    }

    /// The views, whose names are those of no dataset.
    fn distinct_views(
        &mut self,
        views: Vec<View>,
        pipelines: &BTreeMap<PipelineName, Pipeline>,
        datasets: &BTreeMap<DatasetName, Dataset>,
    ) -> BTreeMap<DatasetName, View> {
        let mut distinct: BTreeMap<DatasetName, View> = BTreeMap::new();
        for view in views {
            let name = &view.name.value;
            let written =
                pipelines.values().map(|pipeline| &pipeline.into.dataset).find(|output| output.value == *name);
            let dataset = datasets.get(name).map(|dataset| dataset.name.span).or(written.map(|output| output.span));
            if let Some(dataset) = dataset {
                let message = format!("the view `{}` has the name of a dataset", self.sources.quote(view.name.span));
                let diagnostic = Diagnostic::new(Code::DuplicateName, view.name.span, message)
                    .with_label(dataset, "the dataset")
                    .with_help("rename the view");
                self.found.push(diagnostic);
            }
            match distinct.get(name) {
                None => drop(distinct.insert(name.clone(), view)),
                Some(first) => self.found.push(twice("view", &view.name, first.name.span, &self.sources)),
            }
        }
        distinct
    }

    fn distinct_datasets(&mut self, datasets: Vec<Dataset>) -> BTreeMap<DatasetName, Dataset> {
        let mut distinct: BTreeMap<DatasetName, Dataset> = BTreeMap::new();
        for dataset in datasets {
            match distinct.get(&dataset.name.value) {
                None => {
                    distinct.insert(dataset.name.value.clone(), dataset);
                }
                Some(first) => {
                    let diagnostic = twice("dataset", &dataset.name, first.name.span, &self.sources);
                    self.found.push(diagnostic);
                }
            }
        }
        distinct
    }

    fn distinct_pipelines(
        &mut self,
        pipelines: Vec<Pipeline>,
        datasets: &BTreeMap<DatasetName, Dataset>,
    ) -> BTreeMap<PipelineName, Pipeline> {
        let mut distinct: BTreeMap<PipelineName, Pipeline> = BTreeMap::new();
        for pipeline in pipelines {
            let output = &pipeline.into.dataset;
            let producer = distinct.values().find(|other| other.into.dataset.value == output.value);
            if let Some(dataset) = datasets.get(&output.value) {
                let shown = self.sources.quote(output.span);
                let message = format!("the dataset `{shown}` is in the catalog, so no pipeline can write it");
                let diagnostic = Diagnostic::new(Code::DuplicateName, output.span, message)
                    .with_label(dataset.name.span, "in the catalog here")
                    .with_help("write into a dataset of another name, or take this one out of the catalog");
                self.found.push(diagnostic);
            } else if let Some(producer) = producer {
                let shown = self.sources.quote(output.span);
                let message = format!("the dataset `{shown}` is written by two pipelines");
                let diagnostic = Diagnostic::new(Code::DuplicateName, output.span, message)
                    .with_label(producer.into.dataset.span, "written here as well")
                    .with_help("give one of the two another dataset");
                self.found.push(diagnostic);
            }
            match distinct.get(&pipeline.name.value) {
                None => {
                    distinct.insert(pipeline.name.value.clone(), pipeline);
                }
                Some(first) => {
                    let diagnostic = twice("pipeline", &pipeline.name, first.name.span, &self.sources);
                    self.found.push(diagnostic);
                }
            }
        }
        distinct
    }

    /// A table that a pipeline writes is no stranger's: read as one, its rows would lose their levels and their origin.
    fn refuse_own_tables(
        &mut self,
        pipelines: &BTreeMap<PipelineName, Pipeline>,
        datasets: &BTreeMap<DatasetName, Dataset>,
        stores: &BTreeMap<StoreName, Store>,
    ) {
        for dataset in datasets.values() {
            let DatasetSource::Table(table) = &dataset.source else { continue };
            let writes = |pipeline: &&Pipeline| {
                let into = &pipeline.into;
                are_one_database(stores, &into.store.value, &dataset.store.value)
                    && SourceTableName::of_dataset(&into.dataset.value).as_ref() == Some(&table.name.value)
            };
            let Some(pipeline) = pipelines.values().find(writes) else { continue };
            let shown = self.sources.quote(table.name.span);
            let message =
                format!("the table `{shown}` is written by a pipeline, so the catalog cannot read it as another's");
            let diagnostic = Diagnostic::new(Code::DuplicateName, table.name.span, message)
                .with_label(pipeline.into.dataset.span, "written here")
                .with_help(format!("read `{}` in the SQL instead", pipeline.into.dataset.value));
            self.found.push(diagnostic);
        }
    }
}

/// Whether two stores are one, or one database under two names.
fn are_one_database(stores: &BTreeMap<StoreName, Store>, one: &StoreName, other: &StoreName) -> bool {
    let location = |name| stores.get(name).map(|store| &store.location);
    match (location(one), location(other)) {
        (Some(StoreLocation::Postgres(one)), Some(StoreLocation::Postgres(other))) => {
            (&one.host, one.port, &one.database) == (&other.host, other.port, &other.database)
        }
        _ => one == other,
    }
}

fn twice<T>(kind: &str, name: &At<T>, first: Span, sources: &SourceFiles) -> Diagnostic {
    let message = format!("the {kind} `{}` is declared twice", sources.quote(name.span));
    Diagnostic::new(Code::DuplicateName, name.span, message)
        .with_label(first, "first here")
        .with_help(format!("rename one of the two, or remove one {kind}"))
}

const fn start_of(file: FileId) -> Span {
    Span { file, start: 0, end: 0 }
}

/// Collects what is wrong in one file beyond its shape.
struct Checker<'a> {
    file: FileId,
    sources: &'a SourceFiles,
    found: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    const fn new(file: FileId, sources: &'a SourceFiles) -> Self {
        Self { file, sources, found: Vec::new() }
    }

    fn span(&self, range: &Range<usize>) -> Span {
        Span { file: self.file, start: range.start, end: range.end.max(range.start) }
    }

    /// What stands there; a reference to a variable as it is written, not as what it expands to.
    fn quote(&self, range: &Range<usize>) -> String {
        self.sources.quote(self.span(range))
    }

    fn at<T>(&self, value: T, range: &Range<usize>) -> At<T> {
        At { value, span: self.span(range) }
    }

    fn report(&mut self, code: Code, range: &Range<usize>, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic = Diagnostic::new(code, self.span(range), message);
        diagnostic.help = help;
        self.found.push(diagnostic);
    }
}

/// Whether a text is a word: ASCII letters, digits and `_`, not beginning with a digit, at most 128 bytes.
fn is_word(text: &str) -> bool {
    text.len() <= lockgate_model::NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
