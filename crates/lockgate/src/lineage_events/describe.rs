//! What is said of a run's job and datasets: before it runs from the project, afterwards from its outcome, too.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::DatasetName;
use lockgate_openlineage::{
    ColumnInput, Dataset as Described, DatasetId, Facet, Facets, LockgateRun, ProtectedColumn, SchemaField, TagField,
    column_lineage, data_quality_assertions, data_source, dataset_version, input_statistics, job_type,
    lifecycle_state_change, nominal_time, output_statistics, parent, processing_engine, schema, sql, storage, tags,
};
use lockgate_plan::{Dependence, Governed, OutputColumn, Plan, Table};
use lockgate_project::{Dataset, DatasetFormat, DatasetSource, ParamType, Pipeline, Project, StoreLocation, WriteMode};
use lockgate_run::{InputOutcome, RunOutcome, Take};

/// What does not change while a run lasts.
pub(super) struct Description {
    pub(super) job: String,
    pub(super) job_facets: Facets,
    pub(super) run_facets: Facets,
    runs_as: String,
    inputs: Vec<Input>,
    output: (DatasetId, Vec<Facet>),
}

struct Input {
    id: DatasetId,
    facets: Vec<Facet>,
    /// Which of a run's inputs are its own: the store, and how their paths begin.
    taken_from: Option<(String, String)>,
}

impl Description {
    pub(super) fn of(
        project: &Project,
        pipeline: &Pipeline,
        plan: &Governed<Plan>,
        params: &BTreeMap<String, String>,
        take: &Take,
    ) -> Self {
        let output = output_id(project, pipeline);
        Self {
            job: pipeline.name.value.to_string(),
            job_facets: [sql(&pipeline.sql.value), job_type()].into_iter().collect(),
            run_facets: run_facets(pipeline, params),
            runs_as: pipeline.runs_as.value.to_string(),
            inputs: plan.reads().map(|table| input(project, table)).collect(),
            output: (output.clone(), output_facets(project, pipeline, plan, take, &output)),
        }
    }

    /// The inputs; after a run with what was read.
    pub(super) fn inputs(&self, outcome: Option<&RunOutcome>) -> Vec<Described> {
        let only = self.inputs.len() == 1;
        let input = |input: &Input| {
            let mut facets = input.facets.clone();
            let mut input_facets = Vec::new();
            if let Some(outcome) = outcome {
                let read: Vec<&InputOutcome> = outcome.inputs.iter().filter(|one| only || input.took(one)).collect();
                let rows = read.iter().map(|one| one.rows).sum();
                let files = u64::try_from(read.len()).unwrap_or(u64::MAX);
                input_facets.push(input_statistics(rows, only.then_some(outcome.bytes_read), files));
                if only {
                    input_facets.push(data_quality_assertions(outcome.rows_quarantined));
                }
                let digests: Vec<String> = read.iter().map(|one| one.sha256.to_string()).collect();
                if !digests.is_empty() {
                    facets.push(dataset_version(&digests.join(",")));
                }
            }
            Described {
                id: input.id.clone(),
                facets: facets.into_iter().collect(),
                input_facets: input_facets.into_iter().collect(),
                output_facets: Facets::default(),
            }
        };
        self.inputs.iter().map(input).collect()
    }

    /// The output; after a run with what was written.
    pub(super) fn output(&self, outcome: Option<&RunOutcome>) -> Described {
        let (id, mut facets) = self.output.clone();
        let version = outcome.and_then(|outcome| outcome.run.as_ref());
        facets.extend(version.map(|run| dataset_version(run.as_str())));
        Described {
            id,
            facets: facets.into_iter().collect(),
            input_facets: Facets::default(),
            output_facets: outcome.map(|outcome| output_statistics(outcome.rows_written)).into_iter().collect(),
        }
    }

    /// What Lockgate's own facet says of a run that is done; nothing where nothing was new.
    pub(super) fn outcome_facets(&self, outcome: &RunOutcome) -> Facets {
        let Some(run) = &outcome.run else { return Facets::default() };
        let column = |column: &lockgate_run::ColumnOutcome| ProtectedColumn {
            name: column.name.to_string(),
            level: column.level.clone(),
            protection: column.protection.to_string(),
            rule: column.rule.clone(),
        };
        let facet = LockgateRun {
            run: run.to_string(),
            runs_as: self.runs_as.clone(),
            ledger: outcome.ledger.origin.clone(),
            ledger_size: outcome.ledger.size,
            ledger_root: outcome.ledger.root.clone(),
            columns: outcome.columns.iter().map(column).collect(),
        };
        [facet.facet()].into_iter().collect()
    }
}

impl Input {
    fn took(&self, one: &InputOutcome) -> bool {
        self.taken_from.as_ref().is_some_and(|(store, path)| one.store.as_str() == store && one.path.starts_with(path))
    }
}

fn run_facets(pipeline: &Pipeline, params: &BTreeMap<String, String>) -> Facets {
    let mut facets = vec![processing_engine("Lockgate", env!("CARGO_PKG_VERSION"))];
    // `namespace/job/run`, as Airflow gives it to what it starts.
    let started_by = std::env::var("OPENLINEAGE_PARENT_ID").unwrap_or_default();
    if let Some((job, run)) = started_by.rsplit_once('/')
        && let Some((namespace, name)) = job.rsplit_once('/')
    {
        facets.push(parent(run, namespace, name));
    }
    let dates = pipeline.params.iter().filter(|(_, param)| param.param_type == ParamType::Date);
    let given = |(name, param): (&String, &lockgate_project::Param)| {
        params.get(name).cloned().or_else(|| param.default.as_ref().map(|default| default.value.clone()))
    };
    if let Some(date) = dates.filter_map(given).next().and_then(|date| date.parse::<jiff::civil::Date>().ok()) {
        facets.push(nominal_time(&format!("{date}T00:00:00Z")));
    }
    facets.into_iter().collect()
}

fn input(project: &Project, table: &Table) -> Input {
    let id = dataset_id(project, &table.dataset);
    let columns = table
        .columns
        .iter()
        .map(|column| SchemaField { name: column.name.to_string(), type_text: column.value_type.to_string() });
    let level_and_tags = table.columns.iter().flat_map(|column| {
        of_column(column.name.as_str(), project.lattice.name(column.level), column.tags.iter().map(|tag| tag.as_str()))
    });
    let mut facets = vec![
        data_source(&id.namespace),
        schema(&columns.collect::<Vec<_>>()),
        tags(&level_and_tags.collect::<Vec<_>>()),
    ];
    let declared = project.datasets.get(&table.dataset);
    facets.extend(declared.and_then(format_of).map(|format| storage("file", Some(format))));
    let taken_from = declared.and_then(|dataset| match &dataset.source {
        DatasetSource::Files(files) => {
            Some((dataset.store.value.to_string(), DatasetId::fixed_part(files.path.value.as_str())))
        }
        DatasetSource::Table(_) => None,
    });
    Input { id, facets, taken_from }
}

fn output_facets(
    project: &Project,
    pipeline: &Pipeline,
    plan: &Governed<Plan>,
    take: &Take,
    id: &DatasetId,
) -> Vec<Facet> {
    let stored = || plan.columns().iter().filter(|column| column.is_stored());
    let columns =
        stored().map(|column| SchemaField { name: column.name.to_string(), type_text: column.stored_type.to_string() });
    let known = stored().flat_map(|column| {
        of_column(column.name.as_str(), project.lattice.name(column.level), column.tags.iter().map(|tag| tag.as_str()))
    });
    let of = |source: &Dependence| ColumnInput {
        dataset: dataset_id(project, &source.dataset),
        field: source.column.to_string(),
        type_text: source.kind.type_str(),
        subtype: source.kind.as_str(),
        masking: source.masking,
    };
    let lineage = |column: &OutputColumn| -> (String, Vec<ColumnInput>) {
        (column.name.to_string(), column.sources().iter().map(of).collect())
    };
    let rows: BTreeSet<ColumnInput> = plan.filters().iter().map(of).collect();
    let fields: Vec<_> = stored().map(lineage).collect();
    let mut facets = vec![
        data_source(&id.namespace),
        schema(&columns.collect::<Vec<_>>()),
        column_lineage(&fields, &rows.into_iter().collect::<Vec<_>>()),
        tags(&known.collect::<Vec<_>>()),
    ];
    match (&pipeline.into.mode, take) {
        (WriteMode::Replace, _) | (_, Take::Everything) => facets.push(lifecycle_state_change("OVERWRITE")),
        (WriteMode::Append | WriteMode::Merge { .. }, Take::New | Take::Requarantined { .. }) => {}
    }
    match project.stores.get(&pipeline.into.store.value).map(|store| &store.location) {
        Some(StoreLocation::Files(_) | StoreLocation::S3(_)) => facets.push(storage("file", Some("parquet"))),
        Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => {}
    }
    facets
}

fn of_column<'t>(field: &str, level: &str, tags: impl Iterator<Item = &'t str>) -> Vec<TagField> {
    let tag = |key: &str, value: &str| TagField { key: key.into(), value: value.into(), field: field.into() };
    std::iter::once(tag("level", level)).chain(tags.map(|name| tag(name, "true"))).collect()
}

fn format_of(dataset: &Dataset) -> Option<&'static str> {
    match &dataset.source {
        DatasetSource::Files(files) => Some(match files.format {
            DatasetFormat::Csv(_) => "csv",
            DatasetFormat::JsonLines(_) => "json",
            DatasetFormat::Parquet(_) => "parquet",
        }),
        DatasetSource::Table(_) => None,
    }
}

/// The name of a dataset: of the catalog, or of the pipeline that writes it.
fn dataset_id(project: &Project, name: &DatasetName) -> DatasetId {
    if let Some(dataset) = project.datasets.get(name) {
        return declared_id(project, dataset);
    }
    let writer = project.pipelines.values().find(|pipeline| pipeline.into.dataset.value == *name);
    match writer {
        Some(pipeline) => output_id(project, pipeline),
        None => DatasetId { namespace: project.name.to_string(), name: name.to_string() },
    }
}

fn declared_id(project: &Project, dataset: &Dataset) -> DatasetId {
    let unknown = || DatasetId { namespace: project.name.to_string(), name: dataset.name.value.to_string() };
    let Some(store) = project.stores.get(&dataset.store.value) else { return unknown() };
    match (&store.location, &dataset.source) {
        (StoreLocation::Files(folder), DatasetSource::Files(files)) => {
            DatasetId::file(&absolute(&folder.join(DatasetId::fixed_part(files.path.value.as_str()))))
        }
        (StoreLocation::S3(place), DatasetSource::Files(files)) => {
            let path = DatasetId::fixed_part(files.path.value.as_str());
            DatasetId::s3(&place.bucket, &format!("{}/{path}", place.prefix))
        }
        (StoreLocation::Postgres(place), DatasetSource::Table(table)) => {
            let name = &table.name.value;
            DatasetId::postgres(&place.host, place.port, &place.database, name.schema(), name.table())
        }
        (StoreLocation::Sqlite(file), DatasetSource::Table(table)) => {
            DatasetId::sqlite(&absolute(file), table.name.value.table())
        }
        (StoreLocation::Files(_) | StoreLocation::S3(_), DatasetSource::Table(_))
        | (StoreLocation::Postgres(_) | StoreLocation::Sqlite(_), DatasetSource::Files(_)) => unknown(),
    }
}

fn output_id(project: &Project, pipeline: &Pipeline) -> DatasetId {
    let name = pipeline.into.dataset.value.as_str();
    match project.stores.get(&pipeline.into.store.value).map(|store| &store.location) {
        Some(StoreLocation::Files(folder)) => DatasetId::file(&absolute(&folder.join(name))),
        Some(StoreLocation::S3(place)) => DatasetId::s3(&place.bucket, &format!("{}/{name}", place.prefix)),
        Some(StoreLocation::Sqlite(file)) => DatasetId::sqlite(&absolute(file), name),
        Some(StoreLocation::Postgres(place)) => {
            // As the sink names it: what stands before the last dot is the schema.
            let (schema, table) = name.rsplit_once('.').unwrap_or(("public", name));
            DatasetId::postgres(&place.host, place.port, &place.database, schema, table)
        }
        None => DatasetId { namespace: project.name.to_string(), name: name.to_owned() },
    }
}

fn absolute(path: &std::path::Path) -> std::path::PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    whole.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
