//! Nothing leaves this crate for an engine unless every column was classified and, where its sink demands it, protected.
//!
//! SQL over a project's catalog becomes a [`Governed`] plan: levels and tags flow through its expressions, what exceeds
//! the sink's clearance is protected by the project's rules, and every row keeps the id of its source row.
//!
//! ```text
//! SQL ─► unoptimised plan ─► classified ─► protected ─► Governed<Plan> ─bind(rows, keys)─► Governed<Bound> ─► engine
//!          └─ refused by name: a node or expression that is not governed
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo
    )
)]

mod authorize;
mod barrier;
mod chain_limit;
mod classify;
mod compile;
mod demands;
mod draw;
mod engine;
mod facts;
mod functions;
mod governed;
mod guard;
mod leak_proof;
mod lineage;
mod mask;
mod null_aware;
mod output_column;
mod pin_condition;
mod policy_expression;
mod problem;
mod protect_function;
mod protect_output;
mod provenance;
mod query;
mod row_condition;
mod see;
mod spark;
mod sql;
mod sql_lineage;
mod table;
mod unseal_function;
mod views;

pub use authorize::{Asker, Authorization, ColumnAccess, PolicyReference};
pub use barrier::PassedRows;
pub use chain_limit::{SQL_OPERATORS_MAX, SQL_RELATIONS_MAX};
pub use classify::OUTPUT_COLUMNS_MAX;
pub use compile::{Compiled, ROW_ID_COLUMN, compile};
pub use engine::{ENGINE_MEMORY_BYTES_MAX, engine_session};
pub use facts::{Dependence, DependenceKind};
pub use functions::{ALLOWED_AGGREGATES, ALLOWED_FUNCTIONS, ALLOWED_WINDOW_FUNCTIONS};
pub use governed::{Binding, Bound, Governed, Plan};
pub use guard::GuardedTableFacts;
pub use lineage::{ColumnLineage, QueryLineage, lineage_of_query};
pub use output_column::OutputColumn;
pub use problem::Problem;
pub use protect_function::Protector;
pub use provenance::{
    PROVENANCE_IDS_PER_GROUP_MAX, PROVENANCE_IDS_PER_WINDOW_ROW_MAX, RowSet, RowShape, SourceRelation,
};
pub use query::{CompiledQuery, RefusedQuery, compile_query};
pub use row_condition::RowCondition;
pub use spark::{SPARK_FUNCTIONS, SparkError, SparkSql};
pub use sql::{SQL_BYTES_MAX, SQL_DEPTH_MAX};
pub use sql_lineage::{
    InputLineage, NamedTable, NamedTables, OutputLineage, SCOPE_COLUMNS_MAX, SqlDialect, StatementLineage, is_type,
    lineage_of_statement,
};
pub use table::{SealedColumn, Table, TableColumn, arrow_type};
pub use unseal_function::Unsealer;
