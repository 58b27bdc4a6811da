//! What a run reads, numbered: files by their digest, commits of a table by their record's digest, tables of others by the
//! digest of their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::ArrayRef;
use lockgate_connect::{
    BindError, BoundPath, CommittedRun, CsvOptions, FileKeys, FileStore, PathTemplate, PostgresSource, RecordPosition,
    StoredFile, open_files, parse_value,
};
use lockgate_crypto::{Secret, sha256};
use lockgate_evidence::{Input, Manifest};
use lockgate_model::{
    ColumnName, Compression, DatasetName, Failure, FailureKind, InputOrdinal, TextEncoding, ValueFormat,
};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{
    Column, CsvDialect, Dataset, DatasetFormat, DatasetSource, FileSource, ParquetOptions, WriteMode,
};
use lockgate_trust::Site;

use crate::commit_record::CommitRecord;
use crate::failures;
use crate::sink::WrittenTable;
use crate::source_table::list_table;

/// One input with the way to it.
#[derive(Debug, Clone)]
pub(crate) struct RunInput {
    pub(crate) entry: Input,
    pub(crate) source: Source,
}

/// The way to an input.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File {
        store: FileStore,
        file: StoredFile,
        format: FileFormat,
        partitions: Partitions,
        taken: Taken,
    },
    /// Records of a file that is gone.
    Kept {
        kept: Arc<Kept>,
        files: Arc<TextFiles>,
        partitions: Partitions,
    },
    Commit {
        table: WrittenTable,
        ordinal: InputOrdinal,
    },
    /// A table that others write.
    Table(Arc<PostgresSource>),
}

/// Columns whose values stand in a file's path, each with its one value.
pub(crate) type Partitions = Vec<(ColumnName, ArrayRef)>;

/// Which records of a file are taken.
#[derive(Debug, Clone)]
pub(crate) enum Taken {
    All,
    /// Those of these numbers, of a file that has so many.
    Rows {
        rows: Arc<BTreeSet<u64>>,
        of: u64,
    },
}

/// Records that were kept, as a file of their own, with their places in the file that they come from.
pub(crate) struct Kept {
    pub(crate) text: Secret<Vec<u8>>,
    pub(crate) positions: Vec<RecordPosition>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("records", &self.positions.len()).finish_non_exhaustive()
    }
}

/// How a file is read.
#[derive(Clone)]
pub(crate) enum FileFormat {
    Text(Arc<TextFiles>),
    Parquet(Arc<FileKeys>),
}

/// How text files of a dataset are read.
pub(crate) struct TextFiles {
    pub(crate) records: TextRecords,
    pub(crate) compression: Compression,
    pub(crate) encoding: TextEncoding,
    pub(crate) formats: BTreeMap<ColumnName, ValueFormat>,
}

/// How text holds records.
pub(crate) enum TextRecords {
    Csv(CsvOptions),
    JsonLines,
}

impl std::fmt::Debug for TextFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextFiles").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FileFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::Parquet(_) => f.write_str("Parquet"),
        }
    }
}

/// The values of parameters in the paths of files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PathValues<'a> {
    /// Each must have one.
    All(&'a BTreeMap<String, String>),
    /// One without a value stands for any.
    Given(&'a BTreeMap<String, String>),
}

impl PathValues<'_> {
    fn bind(self, template: &PathTemplate) -> Result<BoundPath, BindError> {
        match self {
            Self::All(values) => template.bind(values),
            Self::Given(values) => template.bind_given(values),
        }
    }
}

/// For whom inputs are listed, and by which values of the parameters in their paths.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads<'a> {
    /// A pipeline of the project: every parameter has a value, and whoever runs it may know why something is not there.
    Pipeline(&'a BTreeMap<String, String>),
    /// The same, to make its table anew: a parameter without a value stands for any.
    Refresh(&'a BTreeMap<String, String>),
    /// Somebody who asks: parameters that are given narrow what is asked for. Of what the policies hide nothing is told,
    /// not even that it is not there.
    Asker(&'a BTreeMap<String, String>),
}

/// Lists and digests everything that a plan reads. What policies read is read whole: nobody's parameters choose what they
/// see.
pub(crate) fn list_inputs(
    project: &Site,
    plan: &Governed<Plan>,
    reads: Reads<'_>,
    keys: &Arc<FileKeys>,
) -> Result<Vec<RunInput>, Failure> {
    let nothing = BTreeMap::new();
    let mut inputs = Vec::new();
    for table in plan.reads() {
        let by_policy = plan.read_by_policies().contains(&table.dataset);
        let is_guarded = plan.guarded().contains_key(&table.dataset);
        let params = match (by_policy, reads) {
            (true, _) => PathValues::Given(&nothing),
            (false, Reads::Pipeline(params)) => PathValues::All(params),
            (false, Reads::Refresh(params) | Reads::Asker(params)) => PathValues::Given(params),
        };
        let listed = match project.datasets.get(&table.dataset) {
            Some(dataset) => match &dataset.source {
                // Whether files of these parameters are there could tell of rows that are hidden.
                DatasetSource::Files(files) => {
                    let may_be_none = matches!(reads, Reads::Asker(_)) && is_guarded && !by_policy;
                    list_files(project, dataset, files, params, may_be_none)
                }
                DatasetSource::Table(table) => list_table(project, dataset, table).map(|input| vec![input]),
            },
            None => list_commits(project, &table.dataset, keys),
        };
        match (listed, reads) {
            (Ok(listed), _) => inputs.extend(listed),
            (Err(failure), Reads::Asker(_)) if by_policy || is_guarded => {
                return Err(failures::behind_a_policy(failure.kind));
            }
            (Err(failure), _) => return Err(failure),
        }
    }
    Ok(inputs)
}

/// The files of a dataset; at least one, unless there may be none.
pub(crate) fn list_stored(
    project: &Site,
    dataset: &Dataset,
    files: &FileSource,
    params: PathValues<'_>,
    may_be_none: bool,
) -> Result<(FileStore, Vec<StoredFile>), Failure> {
    let store_name = &dataset.store.value;
    let configuration =
        |error: String| Failure::new(FailureKind::Invalid, format!("dataset `{}`: {error}", dataset.name.value));
    let template: PathTemplate = files.path.value.as_str().parse().map_err(|e| configuration(format!("{e}")))?;
    let bound = params.bind(&template).map_err(|error| configuration(error.to_string()))?;
    let failed = |error| failures::source(store_name.as_str(), &error);
    let store = open_files(project, store_name)?;
    let files = store.list(&bound).map_err(failed)?;
    if files.is_empty() && !may_be_none {
        let message = format!("no file matches `{bound}` in store `{store_name}` ({})", project.place_of(store_name));
        return Err(Failure::new(FailureKind::Failed, message)
            .with_help("check the parameters and that the files have arrived; nothing was written"));
    }
    Ok((store, files))
}

fn list_files(
    project: &Site,
    dataset: &Dataset,
    source: &FileSource,
    params: PathValues<'_>,
    may_be_none: bool,
) -> Result<Vec<RunInput>, Failure> {
    let (store, files) = list_stored(project, dataset, source, params, may_be_none)?;
    let store_name = &dataset.store.value;
    let failed = |error| failures::source(store_name.as_str(), &error);
    let format = file_format(project, dataset, source)?;
    let input = |file: StoredFile| {
        let entry = Input {
            dataset: dataset.name.value.clone(),
            store: store_name.clone(),
            path: file.path.clone(),
            sha256: store.digest(&file).map_err(failed)?,
            version: file.version().map(str::to_owned),
            bytes: file.bytes,
            rows: None,
            rows_quarantined: None,
            commit: None,
            table: None,
            requarantined: None,
        };
        let partitions = partitions_of(dataset, &file.path)?;
        let source = Source::File { store: store.clone(), file, format: format.clone(), partitions, taken: Taken::All };
        Ok(RunInput { entry, source })
    };
    files.into_iter().map(input).collect()
}

/// The file at a path of a dataset's store, if it is there.
pub(crate) fn find_file(
    project: &Site,
    dataset: &Dataset,
    path: &str,
) -> Result<Option<(FileStore, StoredFile)>, Failure> {
    let name = &dataset.store.value;
    let failed = |error| failures::source(name.as_str(), &error);
    let store = open_files(project, name)?;
    let found = store.find(path).map_err(failed)?;
    Ok(found.map(|file| (store, file)))
}

/// How the files of a dataset are read.
pub(crate) fn file_format(site: &Site, dataset: &Dataset, files: &FileSource) -> Result<FileFormat, Failure> {
    Ok(match &files.format {
        DatasetFormat::Csv(dialect) => {
            let options = csv_options(dialect).map_err(|error| {
                Failure::new(FailureKind::Invalid, format!("dataset `{}`: {error}", dataset.name.value))
            })?;
            FileFormat::Text(text_files(dataset, TextRecords::Csv(options), dialect.compression, dialect.encoding))
        }
        DatasetFormat::JsonLines(compression) => {
            FileFormat::Text(text_files(dataset, TextRecords::JsonLines, *compression, TextEncoding::Utf8))
        }
        DatasetFormat::Parquet(options) => FileFormat::Parquet(Arc::new(declared_keys(site, dataset, options)?)),
    })
}

/// A dataset's dialect as the reader takes it.
fn csv_options(dialect: &CsvDialect) -> Result<CsvOptions, String> {
    let null = dialect.null.clone().unwrap_or_else(|| vec![String::new()]);
    let mut options = CsvOptions::new(dialect.delimiter, dialect.quote, null).map_err(|error| error.to_string())?;
    if !dialect.header {
        options = options.without_header();
    }
    if let Some(escape) = dialect.escape {
        options = options.with_escape(escape).map_err(|error| error.to_string())?;
    }
    Ok(options)
}

pub(crate) fn text_files(
    dataset: &Dataset,
    records: TextRecords,
    compression: Compression,
    encoding: TextEncoding,
) -> Arc<TextFiles> {
    let format = |column: &Column| Some((column.name.value.clone(), column.format.clone()?));
    let formats = dataset.columns.iter().filter_map(format).collect();
    Arc::new(TextFiles { records, compression, encoding, formats })
}

/// The keys that a dataset declares for files that others encrypted.
fn declared_keys(site: &Site, dataset: &Dataset, options: &ParquetOptions) -> Result<FileKeys, Failure> {
    let mut keys = FileKeys::default();
    for (id, reference) in &options.keys {
        let refused = |reason: String| {
            Failure::new(FailureKind::Invalid, format!("dataset `{}`, key `{id}`: {reason}", dataset.name.value))
        };
        let text = site.secret(reference)?;
        let key = FileKeys::read_key(text.expose())
            .ok_or_else(|| refused("it is not 16, 24 or 32 bytes, nor `hex:` or `base64:` and so many".into()))?;
        keys.declare(id, key).map_err(|problem| refused(problem.to_string()))?;
    }
    if let Some(prefix) = &options.aad_prefix {
        keys.set_aad_prefix(prefix.as_bytes());
    }
    Ok(keys)
}

/// The values of the partition columns in a path, as Hive writes them: percent-encoded, with a name for null.
pub(crate) fn partitions_of(dataset: &Dataset, path: &str) -> Result<Partitions, Failure> {
    const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
    let folders: Vec<&str> = path.split('/').collect();
    let value = |(column, place): (&Column, usize)| {
        let name = &column.name.value;
        let text = folders.get(place).and_then(|folder| folder.split_once('=')).map(|(_, value)| value);
        let unreadable = || {
            let message =
                format!("`{path}`: the folder of column `{name}` holds no value of type {}", column.value_type);
            Failure::new(FailureKind::Failed, message).with_help("rename the folder, or correct the column's type")
        };
        let text = percent_decoded(text.ok_or_else(unreadable)?).ok_or_else(unreadable)?;
        let text = (text != NULL).then_some(text);
        if text.is_none() && !column.nullable {
            return Err(unreadable());
        }
        let value = parse_value(column.value_type, text.as_deref()).ok_or_else(unreadable)?;
        Ok((name.clone(), value))
    };
    dataset.partition_columns().map(value).collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn list_commits(project: &Site, dataset: &DatasetName, keys: &Arc<FileKeys>) -> Result<Vec<RunInput>, Failure> {
    let producer = project.producer(dataset).ok_or_else(|| failures::bug(format!("nobody writes `{dataset}`")))?;
    let store = &producer.into.store.value;
    let table = WrittenTable::find(project, store, keys)?;
    let commits = table
        .commits(store, dataset)
        .map_err(|failure| failure.with_help(format!("run pipeline `{}` first", producer.name.value)))?;
    let input = |commit: CommittedRun| RunInput {
        entry: Input {
            dataset: dataset.clone(),
            store: store.clone(),
            path: dataset.to_string(),
            sha256: sha256(commit.record.as_bytes()),
            version: None,
            bytes: 0,
            rows: None,
            rows_quarantined: None,
            commit: Some(commit.commit_ordinal),
            table: None,
            requarantined: None,
        },
        source: Source::Commit { table: table.clone(), ordinal: commit.commit_ordinal },
    };
    Ok(commits.into_iter().map(input).collect())
}

/// A commit of the sink, with what it had read.
pub(crate) struct PastCommit {
    pub(crate) record: CommitRecord,
    pub(crate) manifest: Manifest,
}

/// The inputs that the sink does not have yet.
///
/// A file that was appended is never appended again; one that was merged is merged again only by a changed plan; a
/// table is replaced if anything at all is different from the last time. A table of others can become what it was once, so
/// only the state of it that was read last counts as one that the sink has.
pub(crate) fn select_new(
    inputs: Vec<RunInput>,
    past: &[PastCommit],
    mode: &WriteMode,
    plan: lockgate_model::Sha256Digest,
) -> Vec<RunInput> {
    let identity = |input: &Input| (input.store.clone(), input.path.clone(), input.sha256, input.commit);
    let same_plan = |commit: &&PastCommit| commit.record.plan() == Some(plan);
    let all_of = |commit: &PastCommit| commit.manifest.inputs.iter().map(identity).collect::<Vec<_>>();
    // Whether the state of a table is the one that was read last, by any or by this plan.
    let was_last = |input: &Input, by_this_plan: bool| {
        let is_of_table = |read: &&Input| {
            read.table.is_some()
                && read.requarantined.is_none()
                && (&read.store, &read.path) == (&input.store, &input.path)
        };
        let of_commit = |commit: &PastCommit| {
            let found = commit.manifest.inputs.iter().find(is_of_table)?;
            Some(found.sha256 == input.sha256 && (!by_this_plan || same_plan(&commit)))
        };
        past.iter().rev().find_map(of_commit).unwrap_or(false)
    };
    match mode {
        WriteMode::Replace => {
            let wanted: Vec<_> = inputs.iter().map(|input| identity(&input.entry)).collect();
            let unchanged = past.last().filter(same_plan).is_some_and(|last| all_of(last) == wanted);
            if unchanged { Vec::new() } else { inputs }
        }
        WriteMode::Append => {
            let loaded: Vec<_> = past.iter().flat_map(all_of).collect();
            let is_new = |input: &RunInput| match input.entry.table {
                None => !loaded.contains(&identity(&input.entry)),
                Some(_) => !was_last(&input.entry, false),
            };
            inputs.into_iter().filter(is_new).collect()
        }
        WriteMode::Merge { .. } => {
            let loaded: Vec<_> = past.iter().filter(same_plan).flat_map(all_of).collect();
            let is_new = |input: &RunInput| match input.entry.table {
                None => !loaded.contains(&identity(&input.entry)),
                Some(_) => !was_last(&input.entry, true),
            };
            inputs.into_iter().filter(is_new).collect()
        }
    }
}
