//! What `--resource` names: a dataset of the project, a column of it with its tags, or levels with values.
//!
//! ```text
//! analytics.customers        ─► a dataset that is there          ─► analytics / customers
//! customers.email            ─► a column of one that is there    ─► default / customers / email, and its tags
//! hr.people, hr.people.pay   ─► neither is there: as policies could know them
//! refused: `customers.emial`; the catalog says that there is none
//! ```

use lockgate_model::{DatasetName, Failure, FailureKind};
use lockgate_policy::model::{ResourceDef, ServiceDef};
use lockgate_policy::{MatchType, ResourceTag, TagData};
use lockgate_project::{Column, Dataset, Project, nearest, policy_resource};

use crate::output;

/// The level of columns.
pub(super) const COLUMN: &str = "column";

/// A resource as a request has it.
pub(super) struct Asked {
    /// The levels with their values, from the highest.
    pub(super) levels: Vec<(String, String)>,
    /// The tags of the column, where the catalog says them.
    pub(super) tags: Option<Vec<ResourceTag>>,
}

/// The resource that a text names in a project.
pub(super) fn in_project(text: &str, project: &Project) -> Result<Asked, Failure> {
    if text.contains('=') {
        return by_levels(text, &project.policies.sources().policies.service_def);
    }
    let name = |text: &str| text.parse::<DatasetName>().ok();
    let is_known = |name: &DatasetName| project.datasets.contains_key(name) || is_written(name, project);
    let of_column = text.rsplit_once('.').and_then(|(dataset, column)| Some((name(dataset)?, column)));
    let whole = name(text);
    if let Some(dataset) = whole.as_ref().filter(|dataset| is_known(dataset)) {
        return Ok(Asked { levels: levels(dataset, None), tags: Some(Vec::new()) });
    }
    if let Some((dataset, column)) = of_column.as_ref().filter(|(dataset, _)| is_known(dataset)) {
        return of_known(dataset, column, project);
    }
    // A dataset that only policies know: with two dots the last part is a column, as Ranger's levels have it.
    match (of_column.filter(|_| text.matches('.').count() > 1), whole) {
        (Some((dataset, column)), _) => Ok(Asked { levels: levels(&dataset, Some(column)), tags: None }),
        (None, Some(dataset)) => Ok(Asked { levels: levels(&dataset, None), tags: None }),
        (None, None) => Err(unclear(text, "it is no name of a dataset or column")),
    }
}

fn is_written(dataset: &DatasetName, project: &Project) -> bool {
    project.pipelines.values().any(|pipeline| pipeline.into.dataset.value == *dataset)
}

/// A column of a dataset that the project has.
fn of_known(dataset: &DatasetName, column: &str, project: &Project) -> Result<Asked, Failure> {
    let Some(found) = project.datasets.get(dataset) else {
        output::note(&format!(
            "note: `{dataset}` is written by a pipeline, so the catalog has no tags of its columns: policies on tags are left out"
        ));
        return Ok(Asked { levels: levels(dataset, Some(column)), tags: None });
    };
    let known = find(found, column).ok_or_else(|| no_column(found, column))?;
    let tag = |kind: String| ResourceTag { tag: TagData { kind, ..TagData::default() }, match_type: MatchType::Itself };
    let tags = known.tags.iter().map(|name| tag(name.value.to_string())).collect();
    Ok(Asked { levels: levels(dataset, Some(known.name.value.as_str())), tags: Some(tags) })
}

fn find<'p>(dataset: &'p Dataset, column: &str) -> Option<&'p Column> {
    dataset.columns.iter().find(|known| known.name.value.as_str() == column)
}

fn no_column(dataset: &Dataset, column: &str) -> Failure {
    let names: Vec<&str> = dataset.columns.iter().map(|column| column.name.value.as_str()).collect();
    let help = match nearest(column, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names.join(", ")),
    };
    let message = format!("`{}` has no column `{column}`", dataset.name.value);
    Failure::new(FailureKind::Invalid, message).with_help(help)
}

fn levels(dataset: &DatasetName, column: Option<&str>) -> Vec<(String, String)> {
    let resource = policy_resource(dataset);
    let table = [("database", resource.database), ("table", resource.table)];
    let column = column.map(|column| (COLUMN, column.to_owned()));
    table.into_iter().chain(column).map(|(level, value)| (level.to_owned(), value)).collect()
}

/// The levels of a service's resource with their values.
pub(super) fn by_levels(text: &str, service: &ServiceDef) -> Result<Asked, Failure> {
    if text.contains('=') {
        let pair = |part: &str| part.split_once('=').map(|(level, value)| (level.trim().to_owned(), value.to_owned()));
        let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
        let levels = pairs.ok_or_else(|| unclear(text, "each part must be LEVEL=VALUE"))?;
        return Ok(Asked { levels, tags: None });
    }
    let mut levels = Vec::new();
    let child_of = |parent: &str| service.resources.iter().find(|level| level.parent == parent);
    let mut next: Option<&ResourceDef> = child_of("");
    for value in text.split('.') {
        let level = next.ok_or_else(|| unclear(text, "the service has fewer levels"))?;
        levels.push((level.name.clone(), value.to_owned()));
        next = child_of(&level.name).filter(|child| child.name != level.name);
    }
    Ok(Asked { levels, tags: None })
}

fn unclear(text: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Invalid, format!("`{text}` is no resource of the service: {why}"))
        .with_help("say it as `sales.orders.price`, or as `database=sales,table=orders`")
}
