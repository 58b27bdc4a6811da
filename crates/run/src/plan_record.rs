//! The governed plan in the words of the evidence.

use std::collections::BTreeMap;

use lockgate_evidence::{ColumnRecord, LineageRecord, PlanRecord, SinkRecord, SourceColumnRecord};
use lockgate_plan::{Dependence, Governed, OutputColumn, Plan, Table};
use lockgate_project::{Pipeline, Project, WriteMode};

pub(crate) fn plan_record(project: &Project, pipeline: &Pipeline, plan: &Governed<Plan>) -> PlanRecord {
    let lattice = &project.lattice;
    let clearance = project.stores.get(&pipeline.into.store.value).map_or(lattice.lowest(), |store| store.clearance);
    let (mode, key) = match &pipeline.into.mode {
        WriteMode::Append => ("append", Vec::new()),
        WriteMode::Replace => ("replace", Vec::new()),
        WriteMode::Merge { key } => ("merge", key.iter().map(|column| column.value.clone()).collect()),
    };
    let column = |column: &OutputColumn| ColumnRecord {
        name: column.name.clone(),
        stored_type: column.stored_type,
        level: lattice.name(column.level).to_owned(),
        tags: column.tags.clone(),
        form: column.form,
        protection: column.protection.clone(),
        rule: column.rule.clone(),
        because: column.because.clone(),
        path: column.path.clone(),
        lineage: column.lineage.iter().map(lineage).collect(),
        bound_to: column.bound_to.clone(),
        erase_by: column.bound_to.as_ref().and(column.erase_by.clone()),
    };
    let source = |table: &Table| {
        let columns = table.columns.iter().map(|column| {
            let level = lattice.name(column.level).to_owned();
            (column.name.clone(), SourceColumnRecord { form: column.form, level })
        });
        (table.dataset.clone(), columns.collect::<BTreeMap<_, _>>())
    };
    PlanRecord {
        v: 1,
        pipeline: pipeline.name.value.clone(),
        runs_as: pipeline.runs_as.value.clone(),
        sql: pipeline.sql.value.clone(),
        sink: SinkRecord {
            dataset: pipeline.into.dataset.value.clone(),
            store: pipeline.into.store.value.clone(),
            mode: mode.to_owned(),
            key,
            clearance: lattice.name(clearance).to_owned(),
        },
        columns: plan.columns().iter().map(column).collect(),
        filters: plan.filters().iter().map(lineage).collect(),
        sources: plan.reads().map(source).collect(),
        governed_plan: plan.draw(),
    }
}

fn lineage(dependence: &Dependence) -> LineageRecord {
    let kind = dependence.kind.as_str();
    LineageRecord { dataset: dependence.dataset.clone(), column: dependence.column.clone(), kind: kind.to_owned() }
}
