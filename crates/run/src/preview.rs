//! What a run would read and write, found without opening a file, a key, the ledger or the sink.

use std::collections::BTreeMap;

use lockgate_model::{DatasetName, Failure, PipelineName, StoreName};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{Pipeline, bind_params};
use lockgate_trust::Site;
use serde::Serialize;

use crate::inputs::{PathValues, list_stored};
use crate::outcome::ColumnOutcome;
use crate::pipeline::bound_params;
use crate::plan_record::plan_record;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The dataset that it would write.
    pub dataset: DatasetName,
    /// The store that it lies in.
    pub store: StoreName,
    /// `append`, `replace` or `merge`.
    pub mode: String,
    /// The value of each parameter.
    pub params: BTreeMap<String, String>,
    /// The files that it would look at; those that the sink has already would be skipped.
    pub inputs: Vec<PreviewInput>,
    /// The columns that it would write, dropped ones included.
    pub columns: Vec<ColumnOutcome>,
}

/// A file, a table that others write, or a dataset that another pipeline writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewInput {
    /// The dataset.
    pub dataset: DatasetName,
    /// The file's path in its store, or the table's name; absent for a dataset that a pipeline writes.
    pub path: Option<String>,
    /// The file's size; absent for a table, which is not asked for it.
    pub bytes: Option<u64>,
    /// The pipeline that writes the dataset.
    pub written_by: Option<PipelineName>,
}

/// Says what a run of a pipeline would do. Fails as the run would on parameters and on files that are not there.
pub fn preview(
    project: &Site,
    pipeline: &Pipeline,
    plan: &Governed<Plan>,
    params: &BTreeMap<String, String>,
) -> Result<Preview, Failure> {
    let params = bound_params(project, pipeline, plan, params, bind_params)?;
    let mut inputs = Vec::new();
    for table in plan.reads() {
        let dataset = table.dataset.clone();
        match project.datasets.get(&dataset) {
            Some(declared) => {
                let Some(source) = declared.files() else {
                    let path = declared.table().map(|table| table.name.value.to_string());
                    inputs.push(PreviewInput { dataset, path, bytes: None, written_by: None });
                    continue;
                };
                let (_, files) = list_stored(project, declared, source, PathValues::All(&params), false)?;
                inputs.extend(files.into_iter().map(|file| PreviewInput {
                    dataset: dataset.clone(),
                    path: Some(file.path),
                    bytes: Some(file.bytes),
                    written_by: None,
                }));
            }
            None => {
                let written_by = project.producer(&dataset).map(|producer| producer.name.value.clone());
                inputs.push(PreviewInput { dataset, path: None, bytes: None, written_by });
            }
        }
    }
    let record = plan_record(project, pipeline, plan);
    Ok(Preview {
        pipeline: record.pipeline.clone(),
        dataset: record.sink.dataset.clone(),
        store: record.sink.store.clone(),
        mode: record.sink.mode.clone(),
        params,
        inputs,
        columns: record.columns.iter().map(ColumnOutcome::of).collect(),
    })
}
