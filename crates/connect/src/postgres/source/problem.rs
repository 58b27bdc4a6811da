//! Why a table that others write cannot be read, and what mends it. No value of it is told.

use lockgate_model::{ColumnName, ValueType};
use lockgate_project::SourceTableName;

use super::SOURCE_ROW_BYTES_MAX;
use crate::Fault;
use crate::postgres::statements::quoted;

/// What is the matter with a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// It is not there.
    #[error(
        "there is no table `{table}` in the database{}: correct `table` in the catalog",
        .near.as_ref().map(|near| format!(" (is it `{near}`?)")).unwrap_or_default()
    )]
    NoTable {
        /// Its name.
        table: SourceTableName,
        /// One that is there.
        near: Option<String>,
    },
    /// It is something else.
    #[error("`{table}` is {what}")]
    Kind {
        /// Its name.
        table: SourceTableName,
        /// What it is, and what to do.
        what: &'static str,
    },
    /// Its rows have no order.
    #[error(
        "the table `{table}` has no primary key, so nothing puts its rows in an order that stays: declare `key: [..]` in the \
         catalog, columns whose values no two rows have in common"
    )]
    NoKey {
        /// Its name.
        table: SourceTableName,
    },
    /// A column of its key has values that are not put in order.
    #[error(
        "a column of the key of the table `{table}` has a type whose values have no order: declare a `key: [..]` of others"
    )]
    KeyWithoutOrder {
        /// Its name.
        table: SourceTableName,
    },
    /// The transaction that holds the moment was ended.
    #[error(
        "the moment as of which the table `{table}` was digested is gone: the server was restarted, or ended the session that \
         held it; run again"
    )]
    MomentGone {
        /// Its name.
        table: SourceTableName,
    },
    /// Its rows have no one order.
    #[error(
        "the rows {} and {row} of the table `{table}`, in the order of its key, have the same key: declare a `key: [..]` whose \
         values no two rows have in common",
        .row - 1
    )]
    KeyNotUnique {
        /// Its name.
        table: SourceTableName,
        /// The zero-based number of the second of the two.
        row: u64,
    },
    /// It is not what the catalog says.
    #[error(
        "the table `{table}` is not what the catalog says: {}; correct the dataset's columns, or the table",
        .differences.iter().map(SourceDifference::to_string).collect::<Vec<_>>().join("; ")
    )]
    Differs {
        /// Its name.
        table: SourceTableName,
        /// Everything that differs.
        differences: Vec<SourceDifference>,
    },
    /// The role may not look into the schema.
    #[error(
        "the role `{role}` may not use the schema of `{table}`: `GRANT USAGE ON SCHEMA {} TO {}`",
        quoted(.table.schema()), quoted(.role)
    )]
    MayNotUse {
        /// Its name.
        table: SourceTableName,
        /// The role.
        role: String,
    },
    /// The role may not read it.
    #[error(
        "the role `{role}` may not read {} `{table}`: `GRANT SELECT{} ON {}.{} TO {}`",
        if .columns.is_empty() { "the table".to_owned() } else { format!("the columns {} of", .columns.join(", ")) },
        column_list(.columns), quoted(.table.schema()), quoted(.table.table()), quoted(.role)
    )]
    MayNotSelect {
        /// Its name.
        table: SourceTableName,
        /// The role.
        role: String,
        /// The columns; none for the whole table.
        columns: Vec<String>,
    },
    /// The server would hide rows.
    #[error(
        "row security hides rows of the table `{table}` from the role `{role}`, so what is read would not be the table: let the \
         role bypass it, or read a view over the rows that are meant"
    )]
    RowSecurity {
        /// Its name.
        table: SourceTableName,
        /// The role.
        role: String,
    },
    /// Texts are of no known encoding.
    #[error("the database has the encoding SQL_ASCII, so nobody can say what its texts are: read it from one in UTF8")]
    NoEncoding,
    /// A row is too long to hold.
    #[error(
        "row {row} of the table `{table}`, in the order of its key, has {bytes} bytes, more than the {SOURCE_ROW_BYTES_MAX} that \
         a row may have: leave its longest column out of the catalog"
    )]
    RowTooLong {
        /// Its name.
        table: SourceTableName,
        /// Its zero-based number.
        row: u64,
        /// Its size.
        bytes: usize,
    },
}

impl SourceProblem {
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::NoTable { .. }
            | Self::Kind { .. }
            | Self::NoKey { .. }
            | Self::KeyWithoutOrder { .. }
            | Self::Differs { .. }
            | Self::NoEncoding => Fault::Configuration,
            Self::MomentGone { .. } => Fault::Unreachable,
            Self::MayNotUse { .. } | Self::MayNotSelect { .. } | Self::RowSecurity { .. } => Fault::Denied,
            Self::KeyNotUnique { .. } | Self::RowTooLong { .. } => Fault::Data,
        }
    }
}

fn column_list(columns: &[String]) -> String {
    match columns.is_empty() {
        true => String::new(),
        false => format!(" ({})", columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")),
    }
}

/// In what a table is not what the catalog says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceDifference {
    /// A column is not there.
    #[error("it has no column `{column}`{}", .near.as_ref().map(|near| format!(" (is it `{near}`?)")).unwrap_or_default())]
    Missing {
        /// Its name.
        column: ColumnName,
        /// One that is there.
        near: Option<String>,
    },
    /// A column's values are no values of the declared type.
    #[error("its column `{column}` has the type `{found}`, which is no {declared}: declare `type: {fitting}`")]
    Type {
        /// Its name.
        column: ColumnName,
        /// Its type in the table.
        found: String,
        /// Its type in the catalog.
        declared: ValueType,
        /// The type to declare.
        fitting: &'static str,
    },
}
