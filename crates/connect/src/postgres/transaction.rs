//! A run that is being written: its rows stream in, and become visible together with its token.

use bytes::Bytes;
use futures::SinkExt;
use lockgate_model::{InputOrdinal, RowId, RunId};
use tokio_postgres::CopyInSink;

use super::encode::{CopyBuffer, NotStorable};
use super::error::{PostgresError, failed};
use super::existing::Cast;
use super::server::{PostgresServer, Session};
use super::statements::{self, STAGING, TableName};
use crate::cells::TypedBatch;
use crate::sqlite::{COMMIT_RECORD_BYTES_MAX, CommittedRun, TableSpec, WriteMode};
use arrow::array::RecordBatch;

/// A run's transaction. Dropping it keeps nothing.
pub struct PostgresTransaction<'a> {
    server: &'a PostgresServer,
    session: &'a Session,
    table: &'a TableName,
    spec: TableSpec,
    run: RunId,
    ordinal: InputOrdinal,
    /// Present while rows are taken.
    copy: Option<(std::pin::Pin<Box<CopyInSink<Bytes>>>, CopyBuffer)>,
    /// The columns that are converted when the waiting rows are moved.
    casts: Vec<Cast>,
    staged: bool,
    rows: u64,
    last: Option<RowId>,
    committed: bool,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn begin(
        server: &'a PostgresServer,
        session: &'a Session,
        table: &'a TableName,
        spec: &TableSpec,
        run: &RunId,
        ordinal: InputOrdinal,
        casts: Vec<Cast>,
    ) -> Result<Self, PostgresError> {
        let staged = spec.mode() == WriteMode::Merge || !casts.is_empty();
        let target = if staged { STAGING.to_owned() } else { table.quoted() };
        if staged {
            session.execute(&statements::create_staging(spec))?;
        }
        let sql = statements::copy_into(&target, spec);
        let copy = session.wait(session.client.copy_in(&sql)).map_err(|error| failed(&error))?;
        Ok(Self {
            server,
            session,
            table,
            spec: spec.clone(),
            run: run.clone(),
            ordinal,
            copy: Some((Box::pin(copy), CopyBuffer::new())),
            casts,
            staged,
            rows: 0,
            last: None,
            committed: false,
        })
    }

    /// The commit that this becomes, the upper part of its rows' ids.
    pub fn commit_ordinal(&self) -> InputOrdinal {
        self.ordinal
    }

    /// Writes rows with their ids, which must rise and be of this commit.
    pub fn write(&mut self, batch: &RecordBatch, row_ids: &[RowId]) -> Result<(), PostgresError> {
        let misfit = |reason: String| PostgresError::Batch { dataset: self.spec.dataset().clone(), reason };
        if row_ids.len() != batch.num_rows() {
            return Err(misfit(format!("{} row ids for {} rows", row_ids.len(), batch.num_rows())));
        }
        let cells = TypedBatch::new(batch, &self.spec).map_err(misfit)?;
        let keys: Vec<usize> = (self.spec.columns().iter().enumerate())
            .filter_map(|(index, column)| self.spec.is_key(&column.name).then_some(index))
            .collect();
        let Some((copy, buffer)) = &mut self.copy else { return Err(misfit("it comes after the end".into())) };
        for (row, &row_id) in row_ids.iter().enumerate() {
            if row_id.input() != self.ordinal || self.last.is_some_and(|last| last >= row_id) {
                let reason = format!("the row id {row_id} is not of this commit or not above the one before it");
                return Err(PostgresError::Batch { dataset: self.spec.dataset().clone(), reason });
            }
            self.last = Some(row_id);
            let name = |index: usize| self.spec.columns().get(index);
            if let Some(column) = keys.iter().find(|key| cells.is_null(**key, row)).and_then(|key| name(*key)) {
                return Err(PostgresError::NullKey { column: column.name.clone(), row_id });
            }
            if let Err(NotStorable { column }) = buffer.push(&cells, row, row_id) {
                let Some(column) = name(column) else { continue };
                let (column, value_type) = (column.name.clone(), column.value_type);
                return Err(PostgresError::Value { column, value_type, row_id });
            }
            if let Some(bytes) = buffer.full() {
                self.session.wait(copy.send(bytes)).map_err(|error| failed(&error))?;
            }
        }
        self.rows += row_ids.len() as u64;
        Ok(())
    }

    /// Does all of a commit that takes long: every row is where it belongs, and nobody else sees it. No rows are taken after
    /// it.
    pub fn prepare(&mut self) -> Result<(), PostgresError> {
        let Some((mut copy, buffer)) = self.copy.take() else { return Ok(()) };
        let finishing = async {
            copy.send(buffer.finish()).await?;
            copy.as_mut().finish().await
        };
        self.session.wait(finishing).map_err(|error| failed(&error))?;
        match self.staged {
            true => self.session.execute(&statements::move_staged(self.table, &self.spec, &self.casts)),
            false => Ok(()),
        }
    }

    /// Makes everything visible and durable, with the run's token and its record.
    ///
    /// Where the connection breaks at the very end, the server is asked whether it had committed.
    pub fn commit(mut self, record: &str) -> Result<CommittedRun, PostgresError> {
        if record.len() > COMMIT_RECORD_BYTES_MAX {
            let reason = format!("its record is longer than {COMMIT_RECORD_BYTES_MAX} bytes");
            return Err(PostgresError::Batch { dataset: self.spec.dataset().clone(), reason });
        }
        self.prepare()?;
        let (ordinal, rows) = (i64::from(self.ordinal.get()), i64::try_from(self.rows).unwrap_or(i64::MAX));
        let dataset = self.spec.dataset().as_str();
        self.session
            .query(&statements::insert_run(self.table), &[&self.run.as_str(), &dataset, &ordinal, &rows, &record])?;
        let committed = CommittedRun {
            run: self.run.clone(),
            dataset: self.spec.dataset().clone(),
            commit_ordinal: self.ordinal,
            rows: self.rows,
            record: record.to_owned(),
        };
        match self.session.execute("COMMIT") {
            Ok(()) => {}
            Err(lost) if lost.is_lost() => self.ask_whether_committed(lost)?,
            Err(error) => return Err(error),
        }
        self.committed = true;
        Ok(committed)
    }

    /// The lock on the schema is held until the lost session has ended either way, so the answer is final.
    fn ask_whether_committed(&self, lost: PostgresError) -> Result<(), PostgresError> {
        let asked = || -> Result<bool, PostgresError> {
            let session = self.server.connect()?;
            session.execute("BEGIN")?;
            session.execute(&statements::lock(self.table))?;
            Ok(super::committed(&session, self.table, &self.run)?.is_some())
        };
        match asked() {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost),
            Err(_) => Err(PostgresError::CommitUnknown),
        }
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        // Ending the copy without its end makes the server forget it.
        drop(self.copy.take());
        if !self.committed {
            // Where even this fails, the server rolls back when the connection closes.
            let _ = self.session.execute("ROLLBACK");
        }
    }
}
