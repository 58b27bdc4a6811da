//! What a condition may touch while SQLite computes it: one table, and functions that compute from their arguments.

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// The functions that a condition may call: they compute from their arguments and touch nothing.
const FUNCTIONS: &[&str] = &[
    "abs",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "date",
    "datetime",
    "format",
    "glob",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "julianday",
    "length",
    "like",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "octet_length",
    "printf",
    "quote",
    "replace",
    "round",
    "rtrim",
    "sign",
    "strftime",
    "substr",
    "substring",
    "time",
    "trim",
    "typeof",
    "unicode",
    "unixepoch",
    "upper",
];

/// While the guard is in place, statements can read one table and call [`FUNCTIONS`], and nothing else.
pub(super) fn guard(connection: &mut Connection, table: &str) -> rusqlite::Result<()> {
    let table = table.to_owned();
    connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
        AuthAction::Select => Authorization::Allow,
        AuthAction::Read { table_name, .. } if table_name == table => Authorization::Allow,
        AuthAction::Function { function_name }
            if FUNCTIONS.iter().any(|allowed| allowed.eq_ignore_ascii_case(function_name)) =>
        {
            Authorization::Allow
        }
        // Everything else that SQLite knows or will know.
        _ => Authorization::Deny,
    }))
}

/// Takes the guard away.
pub(super) fn unguard(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
}
