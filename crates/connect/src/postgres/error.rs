//! What can be wrong with a server or a table, and whose problem it is. PostgreSQL's own messages quote values, so only
//! their five-letter states get through.

use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, RowId, RunId, ValueType};
use tokio_postgres::error::SqlState;

use super::source::SourceProblem;
use crate::{Fault, TableDifference};

/// Why a database can't be written or read. After an error inside a transaction nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No credential could be had.
    #[error("{0}")]
    Login(Failure),
    /// The server refused the credential, twice.
    #[error(
        "the server {at} refused the login of `{user}`: its password or certificate is not the one the server expects, \
         or no rule of pg_hba.conf admits it with TLS; a fresh credential was fetched and refused as well"
    )]
    LoginRefused {
        /// The server.
        at: String,
        /// The role.
        user: String,
    },
    /// The server's certificate, or the lack of one.
    #[error("the server {at} is not trusted: {reason}; nothing was sent to it")]
    Tls {
        /// The server.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// Nobody answers.
    #[error("the server {at} can't be reached: {reason}; check the address and that PostgreSQL runs there")]
    Unreachable {
        /// The server.
        at: String,
        /// What the system says.
        reason: String,
    },
    /// The server starts or stops.
    #[error("the server starts up or shuts down and takes no connections yet; run again")]
    Starting,
    /// The connection broke while it was used.
    #[error("the connection to the server was lost; the server rolls back what was not committed: run again")]
    Lost,
    /// The session was ended at the server.
    #[error(
        "the server ended the session: it was shut down, or the role was dropped or its lease revoked; nothing of the \
         run is kept: run again"
    )]
    Ended,
    /// No such database.
    #[error("there is no database `{database}` on the server: create it, or correct the store")]
    NoDatabase {
        /// The database.
        database: String,
    },
    /// No such schema.
    #[error(
        "there is no schema `{schema}` in the database: `CREATE SCHEMA \"{schema}\" AUTHORIZATION <role>` makes it"
    )]
    NoSchema {
        /// The schema.
        schema: String,
    },
    /// The role may not.
    #[error(
        "the role may not do what the run needs (SQLSTATE 42501): grant it USAGE and CREATE on the schema, TEMPORARY on \
         the database, and ownership of the tables that it writes; docs/operations.md lists the grants"
    )]
    NotPermitted,
    /// Another program holds a lock.
    #[error("the table is locked by another program for more than {0} s: end that program's transaction and run again")]
    Locked(u32),
    /// No room.
    #[error("there is no room left on the server's disk: free space there and run again")]
    Full,
    /// A name that PostgreSQL would cut.
    #[error(
        "`{name}` is longer than the {most} bytes that PostgreSQL keeps of a name: shorten it, or rename it with AS"
    )]
    NameTooLong {
        /// The name.
        name: String,
        /// The most.
        most: usize,
    },
    /// More columns than a table can have.
    #[error("{0} columns are more than the 1,599 that a PostgreSQL table has room for beside the row id")]
    TooManyColumns(usize),
    /// The table is not the one that the pipeline describes.
    #[error(
        "the table `{dataset}` is not what the pipeline writes: {}; change the pipeline or the table",
        .differences.iter().map(TableDifference::to_string).collect::<Vec<_>>().join("; ")
    )]
    TableDiffers {
        /// The table.
        dataset: DatasetName,
        /// Everything that differs.
        differences: Vec<TableDifference>,
    },
    /// `lockgate_runs` is somebody else's table.
    #[error("the table {table} has other columns than Lockgate gives it: rename it, or use another schema")]
    Bookkeeping {
        /// The table.
        table: String,
    },
    /// The run's token is there already.
    #[error("the run `{run}` is committed already, as commit {commit_ordinal}: there is nothing to repeat")]
    AlreadyCommitted {
        /// The run.
        run: RunId,
        /// Its commit.
        commit_ordinal: u32,
    },
    /// No further commit can be numbered.
    #[error("the table `{dataset}` has had as many commits as row ids can number")]
    Ordinal {
        /// The table.
        dataset: DatasetName,
    },
    /// A batch that doesn't belong to the table: a defect of the calling program.
    #[error("a batch for `{dataset}` does not fit it: {reason}; please report this")]
    Batch {
        /// The table.
        dataset: DatasetName,
        /// What doesn't fit.
        reason: String,
    },
    /// A key that finds no row.
    #[error("row {row_id} has no value in the key column `{column}`: a merge needs one in every row")]
    NullKey {
        /// The key column.
        column: ColumnName,
        /// The row.
        row_id: RowId,
    },
    /// A value that PostgreSQL can't hold.
    #[error(
        "row {row_id}: the value of the column `{column}` can't be stored as {value_type}: PostgreSQL's text holds no NUL \
         character"
    )]
    Value {
        /// The column.
        column: ColumnName,
        /// Its type.
        value_type: ValueType,
        /// The row.
        row_id: RowId,
    },
    /// A rule of the table.
    #[error("a row breaks the constraint `{constraint}` of the table: nothing of the run is kept")]
    Constraint {
        /// The constraint's name.
        constraint: String,
    },
    /// A value that a column's type doesn't take.
    #[error(
        "a value can't be converted to its column's type (SQLSTATE {state}); the value is not shown: check the columns \
         of other types than the pipeline's, such as uuid, json and enums"
    )]
    Conversion {
        /// PostgreSQL's state.
        state: String,
    },
    /// No such table.
    #[error("there is no table `{dataset}` with row ids in the database")]
    NoTable {
        /// The table.
        dataset: DatasetName,
    },
    /// No such column.
    #[error("the table `{dataset}` has no column `{column}` that can be read")]
    NoColumn {
        /// The table.
        dataset: DatasetName,
        /// The column.
        column: String,
    },
    /// A stored value that is not of its column's type.
    #[error("the table `{dataset}` holds something else than {expected} in the column `{column}`")]
    Cell {
        /// The table.
        dataset: DatasetName,
        /// The column.
        column: String,
        /// What it should hold.
        expected: String,
    },
    /// A condition that can't be used.
    #[error("the condition `{expression}` can't be used: {reason}")]
    Condition {
        /// The condition.
        expression: String,
        /// Why.
        reason: String,
    },
    /// A condition that selects too much.
    #[error("the condition `{expression}` selects more than {most} rows: narrow it")]
    TooManyRows {
        /// The condition.
        expression: String,
        /// The most.
        most: usize,
    },
    /// Whether the last statement took effect is not known.
    #[error(
        "the connection was lost while the run was committed, and the server could not be asked whether it was: run \
         again, which asks it"
    )]
    CommitUnknown,
    /// A table that others write.
    #[error(transparent)]
    Source(#[from] SourceProblem),
    /// Rows that make no batch: a defect of this program.
    #[error("the rows that were read don't make a batch: {reason}; please report this")]
    SourceBatch {
        /// What the batch lacks.
        reason: String,
    },
    /// Something else that PostgreSQL reports.
    #[error(
        "the server failed with SQLSTATE {state}: see PostgreSQL's list of error codes; nothing of the run is kept"
    )]
    Failed {
        /// Its state.
        state: String,
    },
}

impl PostgresError {
    /// How it ends a command.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Login(failure) => failure.kind,
            Self::Tls { .. } => FailureKind::Refused,
            other => other.fault().into(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Login(_)
            | Self::LoginRefused { .. }
            | Self::Tls { .. }
            | Self::Unreachable { .. }
            | Self::Starting
            | Self::Lost
            | Self::Ended
            | Self::CommitUnknown
            | Self::Locked(_) => Fault::Unreachable,
            Self::NoDatabase { .. }
            | Self::NoSchema { .. }
            | Self::NotPermitted
            | Self::NameTooLong { .. }
            | Self::TooManyColumns(_)
            | Self::TableDiffers { .. }
            | Self::Bookkeeping { .. }
            | Self::NoTable { .. }
            | Self::NoColumn { .. }
            | Self::Condition { .. }
            | Self::TooManyRows { .. } => Fault::Configuration,
            Self::Source(problem) => problem.fault(),
            Self::Full => Fault::Full,
            Self::Ordinal { .. }
            | Self::NullKey { .. }
            | Self::Value { .. }
            | Self::Constraint { .. }
            | Self::Conversion { .. }
            | Self::Cell { .. }
            | Self::Failed { .. } => Fault::Data,
            Self::AlreadyCommitted { .. } | Self::Batch { .. } | Self::SourceBatch { .. } => Fault::Defect,
        }
    }

    /// Whether the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost | Self::Ended)
    }
}

/// Tells failures of a statement apart by what there is to do about them.
pub(super) fn failed(error: &tokio_postgres::Error) -> PostgresError {
    let Some(database) = error.as_db_error() else {
        return match error.is_closed() || std::error::Error::source(error).is_some_and(|s| s.is::<std::io::Error>()) {
            true => PostgresError::Lost,
            false => PostgresError::Failed { state: "none: the answer was not of the expected kind".to_owned() },
        };
    };
    let state = database.code();
    let is = |states: &[SqlState]| states.contains(state);
    if is(&[SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]) {
        PostgresError::Ended
    } else if state.code().starts_with("08") {
        PostgresError::Lost
    } else if is(&[SqlState::INSUFFICIENT_PRIVILEGE]) {
        PostgresError::NotPermitted
    } else if is(&[SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED]) {
        PostgresError::Locked(super::LOCK_TIMEOUT_S)
    } else if is(&[SqlState::DISK_FULL]) {
        PostgresError::Full
    } else if state.code().starts_with("23") {
        let constraint = database.constraint().or(database.column()).unwrap_or("without a name").to_owned();
        PostgresError::Constraint { constraint }
    } else if state.code().starts_with("22") {
        PostgresError::Conversion { state: state.code().to_owned() }
    } else {
        PostgresError::Failed { state: state.code().to_owned() }
    }
}
