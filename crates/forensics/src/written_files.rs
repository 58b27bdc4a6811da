//! Rows of a dataset of encrypted files, found with the project's own keys.

use std::sync::Arc;

use jiff::Timestamp;
use lockgate_connect::{FileKeys, ParquetError, ParquetTable, SELECTED_ROWS_MAX};
use lockgate_crypto::SystemRandom;
use lockgate_model::{Failure, FailureKind, RowId};
use lockgate_plan::RowCondition;
use lockgate_trust::{KeyStore, Keyring, Site};

use crate::trace::Selection;

/// The keys that open what this project's pipelines wrote.
pub(crate) fn own_keys(project: &Site) -> Result<Arc<FileKeys>, Failure> {
    let store = KeyStore::open(project)?;
    let keyring =
        Keyring::open(project.name.clone(), store, project.ledger_place()?, Arc::new(SystemRandom), Timestamp::now())?;
    Ok(Arc::new(keyring.file_keys()?.into_iter().collect()))
}

/// The ids of the selected rows, rising.
pub(crate) fn select(
    table: &ParquetTable,
    selection: &Selection,
    failed: impl Fn(ParquetError) -> Failure,
) -> Result<Vec<RowId>, Failure> {
    let invalid = |text: &str, reason: String| Failure::new(FailureKind::Invalid, format!("`{text}`: {reason}"));
    let columns = table.columns();
    let (wanted, condition) = match selection {
        Selection::Row(row) => (&[][..], Wanted::Row(*row)),
        Selection::Where(text) => {
            let named: Vec<_> = columns.iter().map(|column| (column.name.clone(), column.value_type)).collect();
            let condition = RowCondition::parse(text, &named).map_err(|reason| invalid(text, reason))?;
            (columns.as_slice(), Wanted::Rows(text, condition))
        }
    };
    let mut selected = Vec::new();
    for scanned in table.scan(wanted).map_err(&failed)? {
        let scanned = scanned.map_err(&failed)?;
        match &condition {
            Wanted::Row(row) => selected.extend(scanned.row_ids.iter().filter(|id| *id == row)),
            Wanted::Rows(text, condition) => {
                let holds = condition.select(&scanned.columns).map_err(|reason| invalid(text, reason))?;
                let ids = scanned.row_ids.iter().zip(&holds).filter(|(_, holds)| *holds == Some(true));
                selected.extend(ids.map(|(id, _)| *id));
            }
        }
        if selected.len() > SELECTED_ROWS_MAX {
            let message = format!("more than {SELECTED_ROWS_MAX} rows are selected");
            return Err(Failure::new(FailureKind::Invalid, message).with_help("narrow the condition"));
        }
    }
    selected.sort_unstable();
    Ok(selected)
}

/// Which rows are looked for, and what that takes.
enum Wanted<'a> {
    Row(RowId),
    Rows(&'a str, RowCondition),
}
