//! Resources that fit nothing: everything excluded, names that no dataset, column or tag has.

use std::collections::BTreeMap;

use lockgate_policy::model::{Policy, PolicyResource, PolicyType};

use super::Checks;
use crate::policies::{PolicyResource as Names, policy_resource};
use crate::{Code, Dataset, PolicyPart, Project, nearest};

type Resource = BTreeMap<String, PolicyResource>;

/// A dataset of the project: its resource, and its columns where the catalog says them.
struct Known<'p> {
    names: Names,
    dataset: Option<&'p Dataset>,
}

impl Checks<'_> {
    /// Reports resources that can never fit. A policy of several is reported for each.
    pub(super) fn resources(&mut self, policy: &Policy) {
        self.fits_nothing(policy);
        self.names(policy);
    }

    fn fits_nothing(&mut self, policy: &Policy) {
        let takes_patterns = policy.kind() == Some(PolicyType::Access) || !self.is_imported(policy.id());
        for (at, resource) in std::iter::once(&policy.resources).chain(&policy.additional_resources).enumerate() {
            let nothing = resource.iter().find(|(_, r)| r.is_excludes && r.values.iter().any(|value| value == "*"));
            if let Some((level, _)) = nothing.filter(|_| takes_patterns) {
                let message = format!("the policy `{}` fits nothing: it excludes every {level}", policy.name);
                self.report_part(Code::PolicyNeverFits, policy.id(), (PolicyPart::On, at), message, "exclude less");
            }
        }
    }

    /// Reports tags that nothing gives a level, which no column of the project can have, and policies on no tag.
    pub(super) fn tags(&mut self, policy: &Policy) {
        self.fits_nothing(policy);
        let known = &self.project.tags;
        let mut unknown: Vec<(String, Option<&str>)> = Vec::new();
        for resource in std::iter::once(&policy.resources).chain(&policy.additional_resources) {
            for value in resource.get("tag").iter().flat_map(|tags| &tags.values).filter(|value| is_plain(value)) {
                if !known.keys().any(|tag| tag.as_str().eq_ignore_ascii_case(value)) {
                    unknown.push((value.clone(), nearest(value, known.keys().map(lockgate_model::TagName::as_str))));
                }
            }
        }
        for (tag, near) in unknown {
            let message = format!("the policy `{}` is on the tag `{tag}`, which no column can have", policy.name);
            let help = did_you_mean(near, "declare the tag in `lockgate.yaml`: `tags: { TAG: LEVEL }`");
            self.report_unless_imported(Code::PolicyNamesUnknown, policy.id(), message, &help);
        }
    }

    /// Reports datasets and columns that are not there.
    fn names(&mut self, policy: &Policy) {
        let all = known(self.project);
        let mut findings: Vec<(String, String)> = Vec::new();
        // Columns with the datasets that they may be of; nothing where that is open.
        let mut named: BTreeMap<&str, Option<Vec<&Dataset>>> = BTreeMap::new();
        for resource in std::iter::once(&policy.resources).chain(&policy.additional_resources) {
            let (fitting, unknown) = fitting(resource, &all);
            // Imported policies speak of more datasets than the project has.
            for dataset in unknown.iter().filter(|_| !self.is_imported(policy.id())) {
                let message = format!(
                    "the policy `{}` is on the dataset `{dataset}`, which is neither in the catalog nor written by a pipeline",
                    policy.name
                );
                let near = nearest(dataset, self.project.datasets.keys().map(lockgate_model::DatasetName::as_str));
                findings.push((message, did_you_mean(near, "correct the name, or remove it")));
            }
            for column in resource.get("column").iter().flat_map(|columns| &columns.values).filter(|c| is_plain(c)) {
                let datasets = named.entry(column).or_insert_with(|| Some(Vec::new()));
                *datasets = datasets.take().zip(fitting.clone()).map(|(all, more)| [all, more].concat());
            }
        }
        findings
            .extend(named.iter().filter_map(|(column, datasets)| unknown_column(policy, column, datasets.as_ref()?)));
        for (message, help) in findings {
            self.report_unless_imported(Code::PolicyNamesUnknown, policy.id(), message, &help);
        }
    }
}

fn known(project: &Project) -> Vec<Known<'_>> {
    let catalog = project.datasets.values().map(|dataset| (&dataset.name.value, Some(dataset)));
    let outputs = project.pipelines.values().map(|pipeline| (&pipeline.into.dataset.value, None));
    catalog.chain(outputs).map(|(name, dataset)| Known { names: policy_resource(name), dataset }).collect()
}

/// The datasets of the catalog that a resource names, if it names no others, and the names that no dataset has.
fn fitting<'p>(resource: &Resource, all: &[Known<'p>]) -> (Option<Vec<&'p Dataset>>, Vec<String>) {
    let (Some(databases), Some(tables)) = (resource.get("database"), resource.get("table")) else {
        return (None, Vec::new());
    };
    if databases.is_excludes || tables.is_excludes {
        return (None, Vec::new());
    }
    let (mut fitting, mut unknown) = (Some(Vec::new()), Vec::new());
    for (database, table) in databases.values.iter().flat_map(|d| tables.values.iter().map(move |t| (d, t))) {
        let is_meant = |known: &&Known<'_>| {
            known.names.database.eq_ignore_ascii_case(database) && known.names.table.eq_ignore_ascii_case(table)
        };
        let is_named = is_plain(database) && is_plain(table);
        match all.iter().find(is_meant).filter(|_| is_named) {
            Some(known) => {
                fitting = fitting.zip(known.dataset).map(|(mut datasets, dataset)| {
                    datasets.push(dataset);
                    datasets
                });
            }
            None => {
                fitting = None;
                unknown.extend(is_named.then(|| shown(database, table)));
            }
        }
    }
    (fitting, unknown)
}

/// What is said of a column that none of the datasets has; nothing if there is no dataset.
fn unknown_column(policy: &Policy, column: &str, datasets: &[&Dataset]) -> Option<(String, String)> {
    let columns = datasets.iter().flat_map(|dataset| &dataset.columns);
    let names: Vec<&str> = columns.map(|column| column.name.value.as_str()).collect();
    if datasets.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(column)) {
        return None;
    }
    let of: Vec<&str> = datasets.iter().map(|dataset| dataset.name.value.as_str()).collect();
    let message =
        format!("the policy `{}` names the column `{column}`, which `{}` has not", policy.name, of.join("`, `"));
    let near = nearest(column, names.iter().copied());
    Some((message, did_you_mean(near, &format!("the columns are: {}", names.join(", ")))))
}

fn did_you_mean(near: Option<&str>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}

/// Whether a value is a name: no pattern, and nothing that a request decides.
fn is_plain(value: &str) -> bool {
    !value.contains(['*', '?', '{', '}', '$'])
}

fn shown(database: &str, table: &str) -> String {
    let names = Names { database: database.to_owned(), table: table.to_owned() };
    names.dataset().map_or_else(|| format!("{database}.{table}"), |name| name.to_string())
}
