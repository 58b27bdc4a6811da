//! Gives a governed plan the rows of its inputs and the keys of its columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result};
use lockgate_connect::SourceColumn;
use lockgate_model::{ColumnName, DatasetName, InputOrdinal};
use lockgate_plan::{Binding, OutputColumn, Protector, Table, TableColumn, Unsealer};

use crate::input_table::InputTable;
use crate::inputs::RunInput;
use crate::reading::{Findings, Progress, TableReader};

/// The rows and keys of one run.
pub(crate) struct RunBinding<'a> {
    pub(crate) inputs: &'a [RunInput],
    pub(crate) protectors: BTreeMap<ColumnName, Arc<dyn Protector>>,
    pub(crate) unsealers: BTreeMap<(DatasetName, ColumnName), Arc<dyn Unsealer>>,
    /// Whether rows that meet none of the plan's conditions may be left out before they are read.
    pub(crate) prunes: bool,
    /// The datasets of which nobody may be told why they can't be read.
    pub(crate) hidden: BTreeSet<DatasetName>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) progress: Arc<dyn Progress>,
}

impl Binding for RunBinding<'_> {
    fn rows(&self, table: &Table, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
        let ordinal = |index: usize| {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            InputOrdinal::new(index).map_err(|error| DataFusionError::Execution(error.to_string()))
        };
        let of_table = |(index, input): (usize, &RunInput)| {
            (input.entry.dataset == table.dataset).then(|| Ok((ordinal(index)?, input.clone())))
        };
        let column = |column: &TableColumn| SourceColumn {
            name: column.name.clone(),
            value_type: column.value_type,
            nullable: column.nullable,
            format: None,
        };
        let reader = TableReader {
            schema,
            columns: table.columns.iter().map(column).collect(),
            inputs: self.inputs.iter().enumerate().filter_map(of_table).collect::<Result<_>>()?,
            findings: Arc::clone(&self.findings),
            progress: Arc::clone(&self.progress),
            is_hidden: self.hidden.contains(&table.dataset),
            condition: None,
        };
        Ok(Arc::new(InputTable { reader, prunes: self.prunes }))
    }

    fn unsealer(&self, dataset: &DatasetName, column: &ColumnName) -> Result<Arc<dyn Unsealer>> {
        let unsealer = self.unsealers.get(&(dataset.clone(), column.clone())).map(Arc::clone);
        unsealer.ok_or_else(|| DataFusionError::Internal(format!("no keys were prepared for `{dataset}.{column}`")))
    }

    fn protector(&self, column: &OutputColumn) -> Result<Arc<dyn Protector>> {
        let protector = self.protectors.get(&column.name).map(Arc::clone);
        protector.ok_or_else(|| DataFusionError::Internal(format!("no key was prepared for `{}`", column.name)))
    }
}
