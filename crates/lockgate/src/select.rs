//! Which pipelines a `--select` means, as dbt's selection writes it.
//!
//! ```text
//! daily           the pipeline of that name, or the one that writes the dataset of that name
//! daily_*         all whose names fit
//! +report         and everything that feeds it, however far
//! customers+      and everything that it feeds
//! ```

use std::collections::{BTreeMap, BTreeSet};

use lockgate_connect::matches_stars;
use lockgate_model::{DatasetName, Failure, FailureKind, PipelineName};
use lockgate_project::Project;

/// The datasets of other pipelines that each pipeline reads.
pub(crate) type Reads = BTreeMap<PipelineName, Vec<DatasetName>>;

/// The pipelines that are meant; fails if a selection means none.
pub(crate) fn select(
    project: &Project,
    reads: &Reads,
    selections: &[String],
) -> Result<BTreeSet<PipelineName>, Failure> {
    let mut selected = BTreeSet::new();
    for selection in selections.iter().flat_map(|text| text.split([',', ' ']).filter(|part| !part.is_empty())) {
        let (feeding, rest) = match selection.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, selection),
        };
        let (fed, pattern) = match rest.strip_suffix('+') {
            Some(pattern) => (true, pattern),
            None => (false, rest),
        };
        let named = project.pipelines.values().filter(|pipeline| {
            matches_stars(pattern, pipeline.name.value.as_str())
                || matches_stars(pattern, pipeline.into.dataset.value.as_str())
        });
        let named: BTreeSet<PipelineName> = named.map(|pipeline| pipeline.name.value.clone()).collect();
        if named.is_empty() {
            let known: Vec<_> = project.pipelines.keys().map(PipelineName::as_str).collect();
            return Err(Failure::new(FailureKind::Invalid, format!("`{selection}` selects no pipeline"))
                .with_help(format!("the project has {}", known.join(", "))));
        }
        if feeding {
            selected.extend(closure(&named, |name| feeds_of(project, reads, name)));
        }
        if fed {
            selected.extend(closure(&named, |name| fed_by(project, reads, name)));
        }
        selected.extend(named);
    }
    Ok(selected)
}

/// The pipelines whose outputs one reads.
fn feeds_of(project: &Project, reads: &Reads, name: &PipelineName) -> Vec<PipelineName> {
    let datasets = reads.get(name).into_iter().flatten();
    datasets.filter_map(|dataset| project.producer(dataset)).map(|producer| producer.name.value.clone()).collect()
}

/// The pipelines that read what one writes.
fn fed_by(project: &Project, reads: &Reads, name: &PipelineName) -> Vec<PipelineName> {
    let Some(pipeline) = project.pipelines.get(name) else { return Vec::new() };
    let readers = reads.iter().filter(|(_, datasets)| datasets.contains(&pipeline.into.dataset.value));
    readers.map(|(reader, _)| reader.clone()).collect()
}

/// Everything that can be reached.
fn closure(from: &BTreeSet<PipelineName>, next: impl Fn(&PipelineName) -> Vec<PipelineName>) -> BTreeSet<PipelineName> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<PipelineName> = from.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let new = next(&name).into_iter().filter(|found| reached.insert(found.clone()));
        open.extend(new);
    }
    reached
}
