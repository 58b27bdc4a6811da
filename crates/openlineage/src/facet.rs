//! The facets, each as its schema has it; what a facet may not lack cannot be left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::naming::DatasetId;

/// Who says it.
pub const PRODUCER: &str = concat!("https://github.com/lockgate/lockgate/tree/v", env!("CARGO_PKG_VERSION"));
/// Where the schema of Lockgate's own facet is published.
pub const LOCKGATE_RUN_FACET_SCHEMA: &str = concat!(
    "https://raw.githubusercontent.com/lockgate/lockgate/v",
    env!("CARGO_PKG_VERSION"),
    "/docs/formats/lockgate-run-facet.json#/$defs/LockgateRunFacet"
);

/// One facet and the key that it goes under.
#[derive(Debug, Clone, PartialEq)]
pub struct Facet {
    pub(crate) key: &'static str,
    pub(crate) value: Value,
}

/// A facet of the specification: `SchemaDatasetFacet`, `1-2-0`.
fn facet(key: &'static str, schema: &str, version: &str, fields: Value) -> Facet {
    with_schema(key, &format!("https://openlineage.io/spec/facets/{version}/{schema}.json#/$defs/{schema}"), fields)
}

fn with_schema(key: &'static str, schema_url: &str, fields: Value) -> Facet {
    let mut value = Map::new();
    value.insert("_producer".into(), PRODUCER.into());
    value.insert("_schemaURL".into(), schema_url.into());
    if let Value::Object(fields) = fields {
        value.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Facet { key, value: Value::Object(value) }
}

/// The run that started this one.
pub fn parent(run_id: &str, namespace: &str, name: &str) -> Facet {
    let fields = json!({ "run": { "runId": run_id }, "job": { "namespace": namespace, "name": name } });
    facet("parent", "ParentRunFacet", "1-2-0", fields)
}

/// The time for which the run was meant, in RFC 3339.
pub fn nominal_time(start: &str) -> Facet {
    facet("nominalTime", "NominalTimeRunFacet", "1-0-1", json!({ "nominalStartTime": start }))
}

/// The engine, by name and version.
pub fn processing_engine(name: &str, version: &str) -> Facet {
    let fields = json!({ "name": name, "version": version, "openlineageAdapterVersion": env!("CARGO_PKG_VERSION") });
    facet("processing_engine", "ProcessingEngineRunFacet", "1-1-1", fields)
}

/// Why the run failed; a message without values of the data.
pub fn error_message(message: &str) -> Facet {
    let fields = json!({ "message": message, "programmingLanguage": "RUST" });
    facet("errorMessage", "ErrorMessageRunFacet", "1-0-1", fields)
}

/// The job's SQL, as its author wrote it.
pub fn sql(query: &str) -> Facet {
    facet("sql", "SQLJobFacet", "1-1-0", json!({ "query": query, "dialect": "lockgate" }))
}

/// A pipeline that runs to its end.
pub fn job_type() -> Facet {
    let fields = json!({ "processingType": "BATCH", "integration": "LOCKGATE", "jobType": "PIPELINE" });
    facet("jobType", "JobTypeJobFacet", "2-0-4", fields)
}

/// A column as `schema` states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaField {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_text: String,
}

/// The columns, in order.
pub fn schema(fields: &[SchemaField]) -> Facet {
    let numbered = fields
        .iter()
        .zip(1_u32..)
        .map(|(field, position)| json!({ "name": field.name, "type": field.type_text, "ordinal_position": position }));
    facet("schema", "SchemaDatasetFacet", "1-2-0", json!({ "fields": numbered.collect::<Vec<_>>() }))
}

/// Where the dataset is.
pub fn data_source(namespace: &str) -> Facet {
    // `file` alone is a namespace and no URI.
    let uri = if namespace.contains("://") { namespace.to_owned() } else { format!("{namespace}://") };
    facet("dataSource", "DatasourceDatasetFacet", "1-0-1", json!({ "name": namespace, "uri": uri }))
}

/// What became of the dataset as a whole: `OVERWRITE`, for example.
pub fn lifecycle_state_change(change: &str) -> Facet {
    let fields = json!({ "lifecycleStateChange": change });
    facet("lifecycleStateChange", "LifecycleStateChangeDatasetFacet", "1-0-1", fields)
}

/// The version of the dataset.
pub fn dataset_version(version: &str) -> Facet {
    facet("version", "DatasetVersionDatasetFacet", "1-0-1", json!({ "datasetVersion": version }))
}

/// How the dataset is kept: the layer, and the format of its files.
pub fn storage(layer: &str, file_format: Option<&str>) -> Facet {
    let fields = json!({ "storageLayer": layer, "fileFormat": file_format });
    facet("storage", "StorageDatasetFacet", "1-0-1", fields)
}

/// A tag of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagField {
    /// What is said: `pii.email`, or `level`.
    pub key: String,
    /// `true`, or the level.
    pub value: String,
    /// The column.
    pub field: String,
}

/// What is known of columns.
pub fn tags(tags: &[TagField]) -> Facet {
    let tags =
        tags.iter().map(|tag| json!({ "key": tag.key, "value": tag.value, "field": tag.field, "source": "LOCKGATE" }));
    facet("tags", "TagsDatasetFacet", "1-0-0", json!({ "tags": tags.collect::<Vec<_>>() }))
}

/// A column on which an output depends, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnInput {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its name.
    pub field: String,
    /// `DIRECT` or `INDIRECT`.
    pub type_text: &'static str,
    /// `IDENTITY`, for example.
    pub subtype: &'static str,
    /// The value is hidden on the way.
    pub masking: bool,
}

/// On what each column depends, and on what all rows do.
pub fn column_lineage(fields: &[(String, Vec<ColumnInput>)], rows: &[ColumnInput]) -> Facet {
    let by_output = fields.iter().map(|(name, inputs)| (name.clone(), json!({ "inputFields": input_fields(inputs) })));
    let fields = json!({ "fields": by_output.collect::<Map<_, _>>(), "dataset": input_fields(rows) });
    facet("columnLineage", "ColumnLineageDatasetFacet", "1-2-0", fields)
}

/// Each column once, with all of its transformations.
fn input_fields(inputs: &[ColumnInput]) -> Vec<Value> {
    let mut by_field: BTreeMap<(&DatasetId, &str), Vec<Value>> = BTreeMap::new();
    for input in inputs {
        by_field.entry((&input.dataset, &input.field)).or_default().push(json!({
            "type": input.type_text,
            "subtype": input.subtype,
            "description": "",
            "masking": input.masking,
        }));
    }
    let field = |((dataset, field), transformations): ((&DatasetId, &str), Vec<Value>)| {
        json!({
            "namespace": dataset.namespace,
            "name": dataset.name,
            "field": field,
            "transformations": transformations,
        })
    };
    by_field.into_iter().map(field).collect()
}

/// What was read.
pub fn input_statistics(rows: u64, bytes: Option<u64>, files: u64) -> Facet {
    let fields = json!({ "rowCount": rows, "size": bytes, "fileCount": files });
    facet("inputStatistics", "InputStatisticsInputDatasetFacet", "1-0-0", fields)
}

/// What was written.
pub fn output_statistics(rows: u64) -> Facet {
    facet("outputStatistics", "OutputStatisticsOutputDatasetFacet", "1-0-2", json!({ "rowCount": rows }))
}

/// Whether every record of an input could be read; those that could not were set aside.
pub fn data_quality_assertions(records_set_aside: u64) -> Facet {
    let fields = json!({ "assertions": [{
        "assertion": "readable",
        "success": records_set_aside == 0,
        "severity": "warn",
        "name": "every_record_is_readable",
        "description": "Records that do not fit the catalog are set aside and not loaded.",
        "expected": "0",
        "actual": records_set_aside.to_string(),
    }] });
    facet("dataQualityAssertions", "DataQualityAssertionsDatasetFacet", "1-1-0", fields)
}

/// What Lockgate's own facet says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockgateRun {
    /// The run's id in the ledger.
    pub run: String,
    /// The principal with whose rights it ran.
    pub runs_as: String,
    /// The ledger's name.
    pub ledger: String,
    /// How many entries the ledger has since.
    pub ledger_size: u64,
    /// The root over them, in base64.
    pub ledger_root: String,
    /// What was done to each column.
    pub columns: Vec<ProtectedColumn>,
}

/// What was done to a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedColumn {
    /// Its name.
    pub name: String,
    /// Its level.
    pub level: String,
    /// The form in which it was written: `clear`, `masked`, `tokenized`, `sealed` or `dropped`.
    pub protection: String,
    /// The rule that chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl LockgateRun {
    /// The facet, as `docs/formats/openlineage-facet.md` describes it.
    pub fn facet(&self) -> Facet {
        let fields = serde_json::to_value(self).unwrap_or_default();
        with_schema("lockgate_run", LOCKGATE_RUN_FACET_SCHEMA, fields)
    }
}
