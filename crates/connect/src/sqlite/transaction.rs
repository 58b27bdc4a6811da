//! One run's writes: committed together with the run's token, or undone together.
//!
//! ```text
//! begin ─► write ─► write ─► commit(record)      table, rows and token appear at once
//!   │        └─ error: the transaction is lost, commit refuses
//!   └─ dropped: undone
//! ```

use std::path::PathBuf;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use lockgate_model::{InputOrdinal, RowId, RunId};
use rusqlite::{ErrorCode, Transaction};

use super::bind::{BindFailure, bind};
use super::error::{SinkError, failed};
use super::spec::{COMMIT_RECORD_BYTES_MAX, ROW_ID_COLUMN, RUNS_TABLE, TableSpec};
use super::{CommittedRun, statements};
use crate::cells::TypedBatch;

/// A transaction that is open. Dropping it undoes it.
pub struct SqliteTransaction<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) path: PathBuf,
    pub(super) waited: Duration,
    pub(super) spec: TableSpec,
    pub(super) run: RunId,
    pub(super) ordinal: InputOrdinal,
    pub(super) insert: String,
    pub(super) rows: u64,
    pub(super) last: Option<RowId>,
    pub(super) abandoned: bool,
}

impl SqliteTransaction<'_> {
    /// The commit that this becomes; the row ids written must be of it.
    pub fn commit_ordinal(&self) -> InputOrdinal {
        self.ordinal
    }

    /// The rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes rows: the spec's columns and nothing else, and for each row its id, rising, of this commit.
    ///
    /// Fails on a batch of another shape, a null in the merge key, a value that SQLite can't hold exactly, a row that
    /// breaks a rule of the table, and where the database can't be written. Any failure makes the whole transaction
    /// one that can only be dropped.
    pub fn write(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), SinkError> {
        if self.abandoned {
            return Err(SinkError::Abandoned);
        }
        self.abandoned = true;
        self.write_rows(batch, row_ids)?;
        self.abandoned = false;
        Ok(())
    }

    /// Makes everything written durable, with the run's token and `record`, which is kept as it is.
    pub fn commit(self, record: &str) -> Result<CommittedRun, SinkError> {
        if self.abandoned {
            return Err(SinkError::Abandoned);
        }
        if record.len() > COMMIT_RECORD_BYTES_MAX {
            return Err(SinkError::RecordTooLong(record.len()));
        }
        let (path, waited) = (self.path, self.waited);
        let failed = |error: rusqlite::Error| failed(&path, waited, &error);
        let sql = format!(
            "INSERT INTO {} (run, dataset, commit_ordinal, rows, record) VALUES (?1, ?2, ?3, ?4, ?5)",
            statements::quoted(RUNS_TABLE)
        );
        // Fewer rows than row ids: the conversion can't lose anything.
        let rows = self.rows as i64;
        let values = (self.run.as_str(), self.spec.dataset().as_str(), self.ordinal.get(), rows, record);
        self.transaction.execute(&sql, values).map_err(failed)?;
        self.transaction.commit().map_err(failed)?;
        Ok(CommittedRun {
            run: self.run,
            dataset: self.spec.dataset().clone(),
            commit_ordinal: self.ordinal,
            rows: self.rows,
            record: record.to_owned(),
        })
    }

    fn write_rows(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), SinkError> {
        let misfit = |reason| SinkError::Batch { dataset: self.spec.dataset().clone(), reason };
        let cells = TypedBatch::new(batch, &self.spec).map_err(misfit)?;
        if row_ids.len() != batch.num_rows() {
            return Err(misfit(format!("it has {} rows and {} row ids", batch.num_rows(), row_ids.len())));
        }
        let mut last = self.last;
        for row_id in row_ids {
            if row_id.input() != self.ordinal || last.is_some_and(|last| last >= *row_id) {
                return Err(misfit(format!(
                    "the row id {row_id} is not of this commit or not above the one before it"
                )));
            }
            last = Some(*row_id);
        }
        let refused = |error: rusqlite::Error, row_id: RowId| match error.sqlite_error() {
            Some(failure) if failure.code == ErrorCode::ConstraintViolation => {
                SinkError::Constraint { dataset: self.spec.dataset().clone(), row_id, rule: rule_of(&error) }
            }
            _ => failed(&self.path, self.waited, &error),
        };
        let mut statement =
            self.transaction.prepare_cached(&self.insert).map_err(|error| failed(&self.path, self.waited, &error))?;
        let mut text = String::new();
        for (row, &row_id) in row_ids.iter().enumerate() {
            for (index, column) in self.spec.columns().iter().enumerate() {
                if self.spec.is_key(&column.name) && cells.is_null(index, row) {
                    return Err(SinkError::NullKey { column: column.name.clone(), row_id });
                }
                bind(&cells, index, row, &mut statement, &mut text).map_err(|failure| match failure {
                    BindFailure::Sqlite(error) => refused(error, row_id),
                    BindFailure::Value => {
                        SinkError::Value { column: column.name.clone(), value_type: column.value_type, row_id }
                    }
                })?;
            }
            let place = self.spec.columns().len() + 1;
            statement
                .raw_bind_parameter(place, row_id.to_i64())
                .and_then(|()| statement.raw_execute())
                .map_err(|error| refused(error, row_id))?;
        }
        drop(statement);
        self.rows += row_ids.len() as u64;
        self.last = last;
        Ok(())
    }
}

/// The rule that a row breaks in SQLite's words, which name the columns or the rule and no value.
fn rule_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.replace(ROW_ID_COLUMN, "the row id"),
        other => other.sqlite_error().map_or_else(|| "a constraint".to_owned(), ToString::to_string),
    }
}
