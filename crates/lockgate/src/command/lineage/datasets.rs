//! The lineage of the project's datasets, through all pipelines that lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind};
use lockgate_plan::{Compiled, Dependence, NamedTable, NamedTables};
use lockgate_project::nearest;

use super::{InputJson, OutputJson, below, branch};
use crate::context;

/// Every column that a pipeline writes, with what it depends on.
pub(super) struct Graph {
    /// By dataset, in the order of the pipelines; columns in their order.
    written: Vec<(DatasetName, Vec<WrittenColumn>)>,
    /// The columns of every dataset.
    columns: BTreeMap<DatasetName, Vec<ColumnName>>,
}

/// A column that a pipeline writes, and on what it depends.
type WrittenColumn = (ColumnName, BTreeSet<Dependence>);

/// A column of a dataset.
pub(super) type Place = (DatasetName, ColumnName);

impl Graph {
    /// Of the project in `dir`. Pipelines with errors are told of and left out.
    pub(super) fn load(dir: Option<&Path>) -> Result<Self, Failure> {
        let project = context::load(dir)?;
        let Compiled { order, plans, diagnostics, .. } = lockgate_plan::compile(&project, context::now());
        context::tell(&diagnostics, &project.sources);
        let catalog = project.datasets.values().map(|dataset| {
            let columns = dataset.columns.iter().map(|column| column.name.value.clone());
            (dataset.name.value.clone(), columns.collect::<Vec<_>>())
        });
        let mut graph = Self { written: Vec::new(), columns: catalog.collect() };
        for name in &order {
            let (Some(plan), Some(pipeline)) = (plans.get(name), project.pipelines.get(name)) else { continue };
            let dataset = pipeline.into.dataset.value.clone();
            let stored = || plan.columns().iter().filter(|column| column.is_stored());
            let columns = stored().map(|column| {
                let rows = plan.filters().iter().cloned();
                (column.name.clone(), column.sources().into_iter().chain(rows).collect())
            });
            graph.written.push((dataset.clone(), columns.collect()));
            graph.columns.insert(dataset, stored().map(|column| column.name.clone()).collect());
        }
        Ok(graph)
    }

    /// All datasets, as SQL may name them.
    pub(super) fn tables(&self) -> NamedTables {
        let table = |(dataset, columns): (&DatasetName, &Vec<ColumnName>)| NamedTable {
            name: dataset.to_string(),
            columns: columns.iter().map(ToString::to_string).collect(),
        };
        NamedTables::new(self.columns.iter().map(table).collect())
    }

    /// The columns that are asked for: of everything that is written, of one dataset, or one.
    pub(super) fn wanted(&self, of: Option<&str>) -> Result<Vec<Place>, Failure> {
        let all = |dataset: &DatasetName, columns: &[ColumnName]| -> Vec<Place> {
            columns.iter().map(|column| (dataset.clone(), column.clone())).collect()
        };
        let Some(of) = of else {
            let written = self.written.iter().flat_map(|(dataset, columns)| {
                columns.iter().map(move |(column, _)| (dataset.clone(), column.clone()))
            });
            return Ok(written.collect());
        };
        if let Some((dataset, columns)) = self.columns.iter().find(|(dataset, _)| dataset.as_str() == of) {
            return Ok(all(dataset, columns));
        }
        let split = of.rsplit_once('.');
        let found = split.and_then(|(dataset, column)| {
            let (dataset, columns) = self.columns.iter().find(|(name, _)| name.as_str() == dataset)?;
            Some((dataset, columns, column))
        });
        let Some((dataset, columns, column)) = found else {
            let near = nearest(of, self.columns.keys().map(DatasetName::as_str));
            let known: Vec<_> = self.columns.keys().map(DatasetName::as_str).collect();
            return Err(Failure::new(FailureKind::Invalid, format!("there is no dataset `{of}`")).with_help(
                match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the project has {}", known.join(", ")),
                },
            ));
        };
        match columns.iter().find(|name| name.as_str() == column) {
            Some(name) => Ok(vec![(dataset.clone(), name.clone())]),
            None => {
                let known: Vec<_> = columns.iter().map(ColumnName::as_str).collect();
                let message = format!("dataset `{dataset}` has no column `{column}`");
                Err(Failure::new(FailureKind::Invalid, message).with_help(format!("it has {}", known.join(", "))))
            }
        }
    }

    fn sources(&self, place: &Place) -> Vec<&Dependence> {
        let columns = self.written.iter().filter(|(dataset, _)| *dataset == place.0).flat_map(|(_, columns)| columns);
        columns.filter(|(column, _)| *column == place.1).flat_map(|(_, sources)| sources).collect()
    }

    /// These columns and all that they depend on, each once.
    pub(super) fn upstream(&self, wanted: &[Place]) -> Vec<OutputJson> {
        let mut open: Vec<Place> = wanted.iter().rev().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut outputs = Vec::new();
        while let Some(place) = open.pop() {
            if !seen.insert(place.clone()) {
                continue;
            }
            let sources = self.sources(&place);
            open.extend(sources.iter().map(|source| (source.dataset.clone(), source.column.clone())));
            if sources.is_empty() && !wanted.contains(&place) {
                continue;
            }
            let inputs: BTreeSet<InputJson> = sources.into_iter().map(input).collect();
            let (dataset, column) = place;
            outputs.push(OutputJson {
                table: Some(dataset.to_string()),
                column: column.to_string(),
                inputs: inputs.into_iter().collect(),
            });
        }
        outputs
    }

    /// Each column with the columns that it depends on below it, down to those that no pipeline writes. What was shown
    /// above is not shown again.
    pub(super) fn tree(&self, wanted: &[Place]) -> String {
        let mut text = String::new();
        let mut shown = BTreeSet::new();
        for place in wanted {
            text.push_str(&format!("{}.{}\n", place.0, place.1));
            self.branches(place, "", &mut shown, &mut text);
        }
        text
    }

    fn branches(&self, place: &Place, prefix: &str, shown: &mut BTreeSet<Place>, text: &mut String) {
        // Pipelines do not feed one another in circles, so the tree ends; a column that feeds many is followed once.
        let first = shown.insert(place.clone());
        let sources = self.sources(place);
        if !first {
            if !sources.is_empty() {
                text.push_str(&branch(prefix, true, "… as above"));
            }
            return;
        }
        for (index, source) in sources.iter().enumerate() {
            let is_last = index + 1 == sources.len();
            text.push_str(&branch(prefix, is_last, &input(source).written()));
            let next = (source.dataset.clone(), source.column.clone());
            self.branches(&next, &below(prefix, is_last), shown, text);
        }
    }
}

fn input(source: &Dependence) -> InputJson {
    InputJson::new(source.dataset.to_string(), source.column.to_string(), source.kind, source.masking)
}
