//! The statements that read a table: every value as text, rows in the order of the key, none longer than allowed.

use tokio_postgres::types::Type;

use super::described::FoundColumn;
use super::{SOURCE_ROW_BYTES_MAX, SourceRead};
use crate::postgres::statements::quoted;

/// Statements over one table.
pub(super) struct Query {
    /// Gives each row: its bytes, then its values as text.
    pub(super) copy: String,
    /// The types of what that gives.
    pub(super) types: Vec<Type>,
    /// How many values a row has.
    pub(super) columns: usize,
    /// Where the columns of the key are among them.
    pub(super) key: Vec<usize>,
    /// Gives the number and the key of the rows whose numbers are its parameter.
    pub(super) keys: String,
}

impl Query {
    /// The columns of the key must be among `found`.
    ///
    /// ```sql
    /// COPY (SELECT w.bytes, CASE WHEN w.bytes <= 16777216 THEN w.c0 END, …      -- a longer row is not sent
    ///       FROM (SELECT r.*, octet_length(c0) + … AS bytes                     -- needs no value to be decompressed
    ///             FROM (SELECT "id"::text AS c0, …, "id" AS k0 FROM "public"."customers" ORDER BY "id") r OFFSET 0) w
    ///       ORDER BY w.k0) TO STDOUT (FORMAT binary)                            -- the inner order is known: no second sort
    /// ```
    pub(super) fn new(read: &SourceRead, found: &[FoundColumn]) -> Self {
        let beside = read.key.iter().filter(|key| !read.columns.contains(key));
        let names: Vec<&str> = read.columns.iter().chain(beside).map(|name| name.as_str()).collect();
        let texts = names.iter().enumerate().map(|(at, name)| format!("{}::text AS c{at}", quoted(name)));
        let texts: Vec<_> = texts.collect();
        // By bytes where a collation could be changed by an update of the server's libraries; an index is in its own order.
        let ordered = |name: &str| {
            let by_bytes =
                found.iter().any(|column| column.name == name && column.has_collation && !column.in_primary_key);
            format!("{}{}", quoted(name), if by_bytes { " COLLATE \"C\"" } else { "" })
        };
        let key: Vec<String> = read.key.iter().map(|name| ordered(name.as_str())).collect();
        let keys = key.iter().enumerate().map(|(at, key)| format!("{key} AS k{at}")).collect::<Vec<_>>().join(", ");
        let table = format!("{}.{}", quoted(read.table.schema()), quoted(read.table.table()));
        let by = key.join(", ");
        let rows = format!("SELECT {}, {keys} FROM {table} ORDER BY {by}", texts.join(", "));
        let each =
            |text: fn(usize) -> String, between: &str| (0..names.len()).map(text).collect::<Vec<_>>().join(between);
        let bytes = each(|at| format!("coalesce(octet_length(r.c{at}), 0)::bigint"), " + ");
        let values = each(|at| format!("CASE WHEN w.bytes <= {SOURCE_ROW_BYTES_MAX} THEN w.c{at} END"), ", ");
        let outer = (0..key.len()).map(|at| format!("w.k{at}")).collect::<Vec<_>>().join(", ");
        let copy = format!(
            "COPY (SELECT w.bytes, {values} FROM (SELECT r.*, {bytes} AS bytes FROM ({rows}) r OFFSET 0) w ORDER BY {outer}) \
             TO STDOUT (FORMAT binary)"
        );
        let key_texts = read.key.iter().map(|name| format!(", {}::text", quoted(name.as_str()))).collect::<String>();
        Self {
            copy,
            types: std::iter::once(Type::INT8).chain(names.iter().map(|_| Type::TEXT)).collect(),
            columns: names.len(),
            key: read.key.iter().filter_map(|key| names.iter().position(|name| *name == key.as_str())).collect(),
            keys: format!(
                "SELECT * FROM (SELECT row_number() OVER (ORDER BY {by}) - 1 AS number{key_texts} FROM {table}) n \
                 WHERE number = ANY ($1) ORDER BY number"
            ),
        }
    }
}
