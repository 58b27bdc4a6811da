//! A view's file becomes a named query with its places.

use super::Checker;
use super::pipeline::sql_positions;
use crate::raw::ViewFile;
use crate::yaml::Node;
use crate::{Code, View};

/// Checks one view; what is wrong is reported. `node` is the file it was read from.
pub(super) fn check(raw: ViewFile, node: &Node, checker: &mut Checker<'_>) -> Option<View> {
    let name = raw.view.value.map(|name| checker.at(name, &raw.view.range));
    if raw.sql.value.as_ref().is_some_and(|sql| sql.trim().is_empty()) {
        let help = "write the query that the view's name stands for".to_owned();
        checker.report(Code::InvalidValue, &raw.sql.range, "`sql` is empty", Some(help));
    }
    let sql = raw.sql.value.map(|sql| checker.at(sql, &raw.sql.range));
    Some(View { name: name?, sql: sql?, sql_positions: sql_positions(node) })
}
