//! A project whose names all refer to something: what every other part of Lockgate reads instead of files.
//!
//! What can be referred to later carries its span, so that the compiler and the runner point into the same files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use lockgate_model::{
    ColumnName, Compression, DatasetName, Lattice, Level, PipelineName, PrincipalName, ProjectName, Protection,
    StoreName, TagName, TextEncoding, ValueFormat, ValueType,
};

use crate::view::{View, place_in};
use crate::yaml::Positions;
use crate::{
    AwsSettings, KeyService, OAuthClient, Policies, PostgresLocation, S3Location, SourceFiles, SourceTable, Span,
    TlsSettings, VaultSettings,
};

/// The most columns of one dataset.
pub const COLUMNS_PER_DATASET_MAX: usize = 2_000;

/// The longest time that a pipeline may be expected to take, in seconds: a week.
pub const EXPECTED_DURATION_S_MAX: u32 = 604_800;

/// The longest path of a dataset, a store or a key folder, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A project that was read whole and holds together.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name, part of every key's context.
    pub name: ProjectName,
    /// Its folder, where relative paths begin.
    pub root: PathBuf,
    /// Its files, for messages.
    pub sources: SourceFiles,
    /// Its levels.
    pub lattice: Lattice,
    /// The level of a column that nothing gives one; absent if the levels have no `internal` and none was named, in
    /// which case every column has a level of its own.
    pub default_level: Option<Level>,
    /// The places that hold datasets.
    pub stores: BTreeMap<StoreName, Store>,
    /// The key services.
    pub keys: KeyServices,
    /// How connections are secured, where they do not say it themselves.
    pub tls: TlsSettings,
    /// The Vault server.
    pub vault: Option<VaultSettings>,
    /// Clients of authorization servers, by name.
    pub oauth: BTreeMap<String, OAuthClient>,
    /// What AWS services have in common.
    pub aws: AwsSettings,
    /// Where the ledger lies.
    pub ledger: LedgerConfig,
    /// Where OpenLineage events go, if the project says so.
    pub lineage: Option<LineageSettings>,
    /// Every tag that has a level, built-in ones included: the least level that it implies.
    pub tags: BTreeMap<TagName, Level>,
    /// What is done to columns above a sink's clearance; the first match wins.
    pub protect: Vec<ProtectRule>,
    /// The datasets of the catalog.
    pub datasets: BTreeMap<DatasetName, Dataset>,
    /// The pipelines.
    pub pipelines: BTreeMap<PipelineName, Pipeline>,
    /// Names for queries.
    pub views: BTreeMap<DatasetName, View>,
    /// Who may see what.
    pub policies: Policies,
    /// Whose word is taken for who asks a query.
    pub identity: Identity,
}

/// Where OpenLineage events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageSettings {
    /// The server or the file.
    pub to: LineageTarget,
    /// The client of [`Project::oauth`] whose token is shown to the server.
    pub oauth: Option<String>,
    /// The namespace of jobs, where it is not the project's name.
    pub namespace: Option<String>,
}

/// What takes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineageTarget {
    /// A server, by the whole URL to which events are posted.
    Server(String),
    /// A file, which gets a line for each event.
    File(PathBuf),
}

/// Whose word is taken for who asks a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// That of whoever runs the program on this machine.
    #[default]
    Local,
    /// Nobody's.
    None,
}

/// A place that holds datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub name: StoreName,
    /// Where it is.
    pub location: StoreLocation,
    /// The highest level that it may receive in the clear. A store that names none has the lowest level.
    pub clearance: Level,
    /// Where the file says `clearance:`; absent if it does not.
    pub clearance_span: Option<Span>,
    /// Where its name stands.
    pub span: Span,
}

/// Where a store is. Relative paths of the file were joined to the project's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder of files.
    Files(PathBuf),
    /// A SQLite database in one file.
    Sqlite(PathBuf),
    /// A prefix of a bucket.
    S3(S3Location),
    /// A database on a server.
    Postgres(PostgresLocation),
}

/// The key services of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyServices {
    /// The one that is used where none is named.
    pub default: KeySettings,
    /// The others, by name.
    pub others: BTreeMap<String, KeySettings>,
}

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The service that holds the key-encryption key.
    pub service: KeyService,
    /// The folder, joined to the project's: of the keys themselves where the service is local, of what the service wrapped
    /// where it is another.
    pub path: PathBuf,
    /// Where the passphrase is kept; without it the keys have none.
    pub passphrase: Option<SecretRef>,
    /// Where the service's name stands.
    pub span: Span,
}

/// Where a secret is kept; never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable of this name.
    Env(String),
    /// In a file at this path, joined to the project's folder.
    File(PathBuf),
    /// In a field of what Vault keeps at a path.
    Vault {
        /// The path of the API, such as `secret/data/etl`.
        path: String,
        /// The field.
        field: String,
    },
    /// In AWS Secrets Manager.
    AwsSecretsManager {
        /// The secret's name or ARN.
        name: String,
        /// The field, where the secret is a JSON object.
        field: Option<String>,
    },
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Vault { path, field } => write!(f, "vault:{path}#{field}"),
            Self::AwsSecretsManager { name, field: None } => write!(f, "aws-sm:{name}"),
            Self::AwsSecretsManager { name, field: Some(field) } => write!(f, "aws-sm:{name}#{field}"),
        }
    }
}

/// Where the ledger lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    /// Its folder or its bucket.
    pub at: LedgerLocation,
    /// Where `at` stands.
    pub span: Span,
}

/// Where a ledger is, and with it the key table and quarantines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerLocation {
    /// A folder, joined to the project's.
    Folder(PathBuf),
    /// A prefix of a bucket, which several machines may share.
    Bucket(S3Location),
}

impl fmt::Display for LedgerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket(place) => write!(f, "{place}"),
        }
    }
}

/// One rule of `protect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectRule {
    /// The columns that it is for.
    pub matches: RuleMatch,
    /// What is done to them.
    pub protection: Protection,
    /// Where the rule stands.
    pub span: Span,
    /// How messages name it, such as `protect[0]: tag pii.email`.
    pub text: String,
}

/// The columns that a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleMatch {
    /// Those with a tag.
    Tag(TagName),
    /// Those of exactly a level.
    Level(Level),
    /// Those with a tag and of exactly a level.
    Both {
        /// The tag.
        tag: TagName,
        /// The level.
        level: Level,
    },
}

impl RuleMatch {
    /// Whether a column of this level and these tags is one of them.
    pub fn covers<'a>(&self, level: Level, tags: impl IntoIterator<Item = &'a TagName>) -> bool {
        let mut tags = tags.into_iter();
        match self {
            Self::Tag(tag) => tags.any(|own| own == tag),
            Self::Level(wanted) => level == *wanted,
            Self::Both { tag, level: wanted } => level == *wanted && tags.any(|own| own == tag),
        }
    }
}

/// A dataset of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its name.
    pub name: At<DatasetName>,
    /// The store that holds it.
    pub store: At<StoreName>,
    /// Its rows in the store.
    pub source: DatasetSource,
    /// The column that names the person a row is about.
    pub subject: Option<At<ColumnName>>,
    /// What sealed values of its columns are bound to.
    pub bind: Bind,
    /// Whether sealed values are under a key of their subject's own, which `lockgate erase` destroys.
    pub erase_by_subject: bool,
    /// Its columns, in the order of the file; each name once.
    pub columns: Vec<Column>,
}

impl Dataset {
    /// Its files, where it is files.
    pub const fn files(&self) -> Option<&FileSource> {
        match &self.source {
            DatasetSource::Files(files) => Some(files),
            DatasetSource::Table(_) => None,
        }
    }

    /// Its table, where it is one.
    pub const fn table(&self) -> Option<&SourceTable> {
        match &self.source {
            DatasetSource::Files(_) => None,
            DatasetSource::Table(table) => Some(table),
        }
    }

    /// The parameters that its path needs, each once, in order of appearance; a table has none.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.files().into_iter().flat_map(|files| files.path.value.parameters())
    }

    /// The columns whose values stand in the path, as in `day={date}/*.parquet`: a folder `NAME=VALUE` for a declared
    /// column. Each with the zero-based folder of the path.
    pub fn partition_columns(&self) -> impl Iterator<Item = (&Column, usize)> {
        let path = self.files().map_or("", |files| files.path.value.as_str());
        path.split('/').enumerate().filter_map(|(place, folder)| Some((self.column(folder.split_once('=')?.0)?, place)))
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.value.as_str() == name)
    }
}

/// What holds the rows of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatasetSource {
    /// Files.
    Files(FileSource),
    /// A table that others write.
    Table(SourceTable),
}

/// Files of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// Where they are in the store.
    pub path: At<PathTemplate>,
    /// How they are written.
    pub format: DatasetFormat,
}

/// How the files of a dataset are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatasetFormat {
    /// Comma-separated values.
    Csv(CsvDialect),
    /// A JSON object on each line, so compressed.
    JsonLines(Compression),
    /// Apache Parquet.
    Parquet(ParquetOptions),
}

/// How CSV files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvDialect {
    /// Whether the first record names the columns.
    pub header: bool,
    /// Between fields.
    pub delimiter: u8,
    /// Around fields, if fields are quoted.
    pub quote: Option<u8>,
    /// Before a character that loses its meaning.
    pub escape: Option<u8>,
    /// The texts that stand for null; absent for the usual one.
    pub null: Option<Vec<String>>,
    /// How text is encoded.
    pub encoding: TextEncoding,
    /// How the files are compressed.
    pub compression: Compression,
}

/// How Parquet files that others encrypted are opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Where each key is kept, by the id that files name.
    pub keys: BTreeMap<String, SecretRef>,
    /// The prefix that every file was written with.
    pub aad_prefix: Option<String>,
}

/// What a sealed value is bound to besides its project, dataset and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// The subject of its row: in another row it does not open.
    Subject,
    /// Nothing more.
    Column,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: At<ColumnName>,
    /// The type of its values.
    pub value_type: ValueType,
    /// What it is.
    pub tags: Vec<At<TagName>>,
    /// Its level: the highest of its own or its dataset's or the default one, and of those that its tags imply.
    pub level: Level,
    /// What gave it that level, such as `tag pii.email`, `level: restricted`, `level of dataset customers`,
    /// `default_level`.
    pub level_origin: String,
    /// Whether values may be absent.
    pub nullable: bool,
    /// How its values are written, where that is not the usual way.
    pub format: Option<ValueFormat>,
}

/// A path with parameters in braces, such as `customers/{date}/*.csv`: relative, and never out of its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    pub(crate) text: String,
    pub(crate) parameters: Vec<String>,
}

impl PathTemplate {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parameters, each once, in order of appearance.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(String::as_str)
    }

    /// The path with its parameters replaced; absent if one has no value. Take the values from
    /// [`bind_params`](crate::bind_params), which admits none that leads out of the store.
    pub fn fill(&self, values: &BTreeMap<String, String>) -> Option<String> {
        let mut filled = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(values.get(name)?);
            rest = behind;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: At<PipelineName>,
    /// The query, and where the whole of it stands.
    pub sql: At<String>,
    /// Where its rows go.
    pub into: Output,
    /// The principal with whose rights it runs.
    pub runs_as: At<PrincipalName>,
    /// How long a run is expected to take, in seconds, where the file says so.
    pub expected_duration_s: Option<u32>,
    /// The parameters of a run, by name.
    pub params: BTreeMap<String, Param>,
    pub(crate) sql_positions: Option<Positions>,
}

impl Pipeline {
    /// Where `length` bytes of the query from `offset` on stand in the file, whatever the notation: plain, quoted, a
    /// block. Where a notation cannot be followed, it is the place of the whole query.
    pub fn sql_span(&self, offset: usize, length: usize) -> Span {
        place_in(&self.sql, self.sql_positions.as_ref(), offset, length)
    }
}

/// Where the rows of a pipeline go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The dataset that the pipeline makes.
    pub dataset: At<DatasetName>,
    /// The store that holds it.
    pub store: At<StoreName>,
    /// How rows meet those that are there.
    pub mode: WriteMode,
    /// Where `into` stands.
    pub span: Span,
}

/// How rows meet those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteMode {
    /// Rows are added.
    Append,
    /// All rows that were there are replaced.
    Replace,
    /// Rows whose key is known are replaced, others added.
    Merge {
        /// The columns by which a row is recognised; at least one, each once.
        key: Vec<At<ColumnName>>,
    },
}

/// A parameter of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The type of its value.
    pub param_type: ParamType,
    /// Its value where none is given; of its type.
    pub default: Option<At<String>>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its name stands.
    pub span: Span,
}

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Text.
    Text,
    /// A date, YYYY-MM-DD.
    Date,
    /// A 64-bit signed integer.
    BigInt,
}

impl ParamType {
    /// As it is written in a file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Date => "date",
            Self::BigInt => "bigint",
        }
    }
}

impl Project {
    /// The pipeline that makes a dataset, if one does.
    pub fn producer(&self, dataset: &DatasetName) -> Option<&Pipeline> {
        self.pipelines.values().find(|pipeline| pipeline.into.dataset.value == *dataset)
    }

    /// Where a store is, as messages tell it.
    pub fn place_of(&self, store: &StoreName) -> String {
        match self.stores.get(store).map(|store| &store.location) {
            Some(StoreLocation::Files(path) | StoreLocation::Sqlite(path)) => path.display().to_string(),
            Some(StoreLocation::S3(place)) => place.to_string(),
            Some(StoreLocation::Postgres(place)) => format!("{}:{}/{}", place.host, place.port, place.database),
            None => "nowhere".to_owned(),
        }
    }

    /// A path of a file joined to the project's folder, unless it is absolute.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        resolve(&self.root, path)
    }
}

/// `path` in `root`, without a leading `./`; `path` itself if it is absolute.
pub(crate) fn resolve(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix(".").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_or_not_at_all() {
        let template =
            PathTemplate { text: "c/{date}/{x}-{date}.csv".into(), parameters: vec!["date".into(), "x".into()] };
        let values = BTreeMap::from([("date".to_owned(), "2026-11-01".to_owned()), ("x".to_owned(), "a".to_owned())]);
        assert_eq!(template.fill(&values).unwrap(), "c/2026-11-01/a-2026-11-01.csv");
        assert_eq!(template.fill(&BTreeMap::new()), None);
    }

    #[test]
    fn rules_cover_by_tag_by_level_or_by_both() {
        let lattice = Lattice::default();
        let (low, high) = (lattice.lowest(), lattice.level("restricted").unwrap());
        let tag: TagName = "pii.email".parse().unwrap();
        assert!(RuleMatch::Tag(tag.clone()).covers(low, [&tag]));
        assert!(!RuleMatch::Tag(tag.clone()).covers(low, []));
        assert!(RuleMatch::Level(high).covers(high, []) && !RuleMatch::Level(high).covers(low, [&tag]));
        let both = RuleMatch::Both { tag: tag.clone(), level: high };
        assert!(both.covers(high, [&tag]) && !both.covers(low, [&tag]) && !both.covers(high, []));
    }
}
