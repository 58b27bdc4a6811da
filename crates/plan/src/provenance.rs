//! Every row that a governed plan puts out names the source rows that it was made from.
//!
//! ```text
//! scan, filter, projection, sort, limit   a row keeps the row ids of the row that it was
//! join                                    both sides keep theirs, side by side; an unmatched side has none
//! aggregate, DISTINCT                     one capped set of row ids for each source
//! UNION                                   each branch has its own sources and none of the others
//! window                                  the rows of the partition
//! scalar subquery in SELECT               the rows that its value was made from, beside the others
//! subquery in a condition, semi, anti     its relations are read as a whole: named once, for all rows
//! ```
//! The definition is `docs/formats/provenance.md`. A node that is not listed is refused by its name.

mod carry;
mod expression;
mod row_set;
mod rows_function;

pub use carry::{RowShape, SourceRelation};
pub use row_set::{PROVENANCE_IDS_PER_GROUP_MAX, PROVENANCE_IDS_PER_WINDOW_ROW_MAX, RowSet};

pub(crate) use carry::{Carried, Carrier, carry};
pub(crate) use row_set::row_set_type;
pub(crate) use rows_function::ROWS;

/// What is known of the rows of a plan before it runs.
#[derive(Debug)]
pub(crate) struct Provenance {
    /// The relations, by number.
    pub(crate) relations: Vec<SourceRelation>,
    /// The hidden columns, in the order in which they end the output.
    pub(crate) carriers: Vec<Carrier>,
    /// How the rows of the output relate to rows of the relations.
    pub(crate) shape: RowShape,
}
