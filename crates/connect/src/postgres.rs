//! PostgreSQL tables over verified TLS: a run's rows are all there, under the run's token, or none is.
//!
//! ```text
//! dataset analytics.customers ─► table "analytics"."customers" ( id, email, … , lockgate_rid )
//! run token                   ─► table "analytics"."lockgate_runs" ( run, dataset, commit_ordinal, rows, record )
//! append, replace             ─► binary COPY into the table itself, in the transaction that writes the token
//! merge, or a column of       ─► binary COPY into a temporary table, then INSERT … ON CONFLICT in the same transaction
//!   another type (uuid, json)
//! ```
//! Rows that are copied inside the transaction are seen by nobody before it commits, so only what must be compared or
//! converted goes through a temporary table. A dataset without a dot lies in the schema `public`. Nothing is ever sent
//! to a server that does not show a certificate for its name.

use lockgate_model::{DatasetName, InputOrdinal, RunId};
use tokio_postgres::types::Type;

use crate::sqlite::{CommittedRun, TableSpec};

pub use encode::BATCH_BYTES_MAX;
pub use error::PostgresError;
pub use server::{Logins, PostgresLogin, PostgresServer, ServerFacts, TlsConfigs};
pub use source::{
    PostgresRows, PostgresSource, RowKey, SOURCE_BATCH_BYTES_MAX, SOURCE_ROW_BYTES_MAX, SourceDifference,
    SourceProblem, SourceRead, TableDigest,
};
pub use table::{PostgresScan, PostgresTable};
pub use transaction::PostgresTransaction;

use error::failed;
use server::Session;
use statements::TableName;

mod encode;
mod error;
mod existing;
mod server;
mod source;
mod statements;
mod table;
mod transaction;

/// How long a lock that another program holds is waited for.
pub(crate) const LOCK_TIMEOUT_S: u32 = 10;

/// A dataset's table in a database that is written to.
pub struct PostgresSink {
    server: PostgresServer,
    session: Session,
    table: TableName,
}

impl PostgresSink {
    /// Connects, with a credential of its own.
    pub fn open(server: &PostgresServer, dataset: &DatasetName) -> Result<Self, PostgresError> {
        let table = TableName::new(dataset)?;
        Ok(Self { server: server.clone(), session: server.connect()?, table })
    }

    /// The commits of the dataset, first to last; none where nothing was ever written.
    pub fn commits(&self, dataset: &DatasetName) -> Result<Vec<CommittedRun>, PostgresError> {
        commits(&self.session, &self.table, dataset)
    }

    /// What a run committed into the schema. Waits until nobody writes there: the server may not have heard yet that the
    /// program of a run is gone, or may be committing what that sent last.
    pub fn committed(&self, run: &RunId) -> Result<Option<CommittedRun>, PostgresError> {
        self.session.execute("BEGIN")?;
        let found = self
            .session
            .execute(&statements::lock(&self.table))
            .and_then(|()| committed(&self.session, &self.table, run));
        self.session.execute("ROLLBACK")?;
        found
    }

    /// Begins a run's transaction: makes the table where there is none, or compares it with the spec; empties it where
    /// it is to be replaced. Other runs into the schema wait until the transaction ends.
    ///
    /// Fails, changing nothing, if the table differs, if the run is committed already, and where the role may not write.
    pub fn begin(&mut self, spec: &TableSpec, run: &RunId) -> Result<PostgresTransaction<'_>, PostgresError> {
        statements::check_names(spec)?;
        self.session.execute("BEGIN")?;
        let begun = self.begun(spec, run);
        if begun.is_err() {
            // Others wait for the lock; where even this fails, the connection is gone and the lock with it.
            let _ = self.session.execute("ROLLBACK");
        }
        begun
    }

    fn begun(&self, spec: &TableSpec, run: &RunId) -> Result<PostgresTransaction<'_>, PostgresError> {
        let (session, table) = (&self.session, &self.table);
        session.execute(&statements::lock(table))?;
        if existing::runs_table(session, table)?.is_none() {
            session.execute(&statements::create_runs(table))?;
        }
        if let Some(done) = committed(session, table, run)? {
            return Err(PostgresError::AlreadyCommitted {
                run: run.clone(),
                commit_ordinal: done.commit_ordinal.get(),
            });
        }
        let casts = match existing::compare(session, table, spec)? {
            None => {
                session.execute(&statements::create_table(table, spec))?;
                Vec::new()
            }
            Some(compared) if compared.differences.is_empty() => compared.casts,
            Some(compared) => {
                let differences = compared.differences;
                return Err(PostgresError::TableDiffers { dataset: spec.dataset().clone(), differences });
            }
        };
        let next = session.query_one(&statements::next_ordinal(table), &[&spec.dataset().as_str()])?;
        let next = next.try_get::<_, i64>(0).map_err(|error| failed(&error))?;
        let ordinal = u32::try_from(next).ok().and_then(|next| InputOrdinal::new(next).ok());
        let ordinal = ordinal.ok_or_else(|| PostgresError::Ordinal { dataset: spec.dataset().clone() })?;
        if spec.leaves_none() {
            session.execute(&statements::empty(table))?;
        }
        PostgresTransaction::begin(&self.server, session, table, spec, run, ordinal, casts)
    }
}

fn commits(session: &Session, table: &TableName, dataset: &DatasetName) -> Result<Vec<CommittedRun>, PostgresError> {
    if existing::runs_table(session, table)?.is_none() {
        return Ok(Vec::new());
    }
    let rows = session.query(&statements::commits(table), &[&dataset.as_str()])?;
    rows.iter().map(|row| commit_of(row, table)).collect()
}

fn committed(session: &Session, table: &TableName, run: &RunId) -> Result<Option<CommittedRun>, PostgresError> {
    if existing::runs_table(session, table)?.is_none() {
        return Ok(None);
    }
    let rows = session.query(&statements::committed(table), &[&run.as_str()])?;
    rows.first().map(|row| commit_of(row, table)).transpose()
}

fn commit_of(row: &tokio_postgres::Row, table: &TableName) -> Result<CommittedRun, PostgresError> {
    let bookkeeping = || PostgresError::Bookkeeping { table: table.runs() };
    let text = |place: usize| row.try_get::<_, String>(place).map_err(|_| bookkeeping());
    let number = |place: usize| row.try_get::<_, i64>(place).map_err(|_| bookkeeping());
    Ok(CommittedRun {
        run: text(0)?.parse().map_err(|_| bookkeeping())?,
        dataset: text(1)?.parse().map_err(|_| bookkeeping())?,
        commit_ordinal: u32::try_from(number(2)?)
            .ok()
            .and_then(|ordinal| InputOrdinal::new(ordinal).ok())
            .ok_or_else(bookkeeping)?,
        rows: u64::try_from(number(3)?).map_err(|_| bookkeeping())?,
        record: text(4)?,
    })
}

/// The types of the bookkeeping's columns, in their order.
const RUNS_COLUMNS: [(&str, Type); 5] = [
    ("run", Type::TEXT),
    ("dataset", Type::TEXT),
    ("commit_ordinal", Type::INT8),
    ("rows", Type::INT8),
    ("record", Type::TEXT),
];
