//! A name for a query.

use lockgate_model::DatasetName;

use crate::yaml::Positions;
use crate::{At, Span};

/// A name for a query. It holds no rows and gives no rights: whoever reads it sees of its tables what the policies let them
/// see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name, among those of the datasets.
    pub name: At<DatasetName>,
    /// The query, and where the whole of it stands.
    pub sql: At<String>,
    pub(crate) sql_positions: Option<Positions>,
}

impl View {
    /// Where `length` bytes of the query from `offset` on stand in the file, as [`Pipeline::sql_span`] says it.
    pub fn sql_span(&self, offset: usize, length: usize) -> Span {
        place_in(&self.sql, self.sql_positions.as_ref(), offset, length)
    }
}

/// Where `length` bytes of a query from `offset` on stand in its file.
pub(crate) fn place_in(sql: &At<String>, positions: Option<&Positions>, offset: usize, length: usize) -> Span {
    match positions {
        None => sql.span,
        Some(positions) => {
            let range = positions.whole(offset..offset.saturating_add(length));
            Span { file: sql.span.file, start: range.start, end: range.end }
        }
    }
}
