//! A set of row ids that never grows beyond its cap: past that, it is the range that covers it, and says so.
//!
//! ```text
//! {3, 5, 9}                          [3, 5, 9]
//! more than the cap, from 3 to 9000  [null, 3, 9000]     some rows of 3..=9000, which ones was not kept
//! ```
//! Both are lists of bigint, in Arrow and in Spark SQL alike. A null first element is what marks a covering range: row
//! ids are never null.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, ListBuilder, PrimitiveBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{DataFusionError, Result};

/// The most row ids that are kept of one source for one output row.
pub const PROVENANCE_IDS_PER_GROUP_MAX: usize = 1_000;

/// The most row ids that are kept of one source for one row of a window, each of which has the rows of its partition.
pub const PROVENANCE_IDS_PER_WINDOW_ROW_MAX: usize = 100;

/// The rows of one source that an output row was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSet {
    /// Exactly these, ascending, each once.
    Rows(Vec<i64>),
    /// Some of those from the first to the last, both included.
    Covering {
        /// The first.
        first: i64,
        /// The last.
        last: i64,
    },
}

impl RowSet {
    /// Reads the list at a place of a column of lists; null is the empty set.
    pub fn read(lists: &ListArray, index: usize) -> Result<Self> {
        if lists.is_null(index) {
            return Ok(Self::Rows(Vec::new()));
        }
        let list = lists.value(index);
        let ids = list.as_primitive_opt::<Int64Type>().ok_or_else(not_ids)?;
        match (ids.len(), ids.null_count()) {
            (_, 0) => Ok(Self::Rows(ids.values().to_vec())),
            (3, 1) if ids.is_null(0) => Ok(Self::Covering { first: ids.value(1), last: ids.value(2) }),
            _ => Err(not_ids()),
        }
    }
}

/// The type of a column of row sets.
pub(crate) fn row_set_type() -> DataType {
    DataType::List(Field::new_list_field(DataType::Int64, true).into())
}

/// A set that is being collected.
#[derive(Debug, Clone)]
pub(crate) struct Collected {
    ids_max: usize,
    ids: Vec<i64>,
    /// How many of the ids are known to be ascending and distinct.
    sorted: usize,
    covering: Option<(i64, i64)>,
}

impl Default for Collected {
    fn default() -> Self {
        Self::at_most(PROVENANCE_IDS_PER_GROUP_MAX)
    }
}

impl Collected {
    pub(crate) fn at_most(ids_max: usize) -> Self {
        Self { ids_max, ids: Vec::new(), sorted: 0, covering: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.covering.is_none()
    }

    pub(crate) fn insert(&mut self, id: i64) {
        if let Some((first, last)) = &mut self.covering {
            *first = id.min(*first);
            *last = id.max(*last);
            return;
        }
        // Most inputs are in order, and a join repeats the row before.
        match self.ids.last() {
            Some(last) if *last == id => return,
            Some(last) if *last < id && self.sorted == self.ids.len() => self.sorted += 1,
            None => self.sorted = 1,
            Some(_) => {}
        }
        self.ids.push(id);
        if self.ids.len() > 2 * self.ids_max || self.sorted > self.ids_max {
            self.settle();
        }
    }

    fn cover(&mut self, first: i64, last: i64) {
        let (known_first, known_last) = match self.covering {
            Some(known) => known,
            None => {
                let ids = std::mem::take(&mut self.ids);
                (ids.iter().min().copied().unwrap_or(first), ids.iter().max().copied().unwrap_or(last))
            }
        };
        self.covering = Some((known_first.min(first), known_last.max(last)));
    }

    /// Sorts what is there, and gives the ids up for their range where they are too many.
    fn settle(&mut self) {
        if self.covering.is_some() {
            return;
        }
        if self.sorted < self.ids.len() {
            self.ids.sort_unstable();
            self.ids.dedup();
            self.sorted = self.ids.len();
        }
        if self.ids.len() > self.ids_max
            && let (Some(first), Some(last)) = (self.ids.first().copied(), self.ids.last().copied())
        {
            self.cover(first, last);
            self.ids = Vec::new();
        }
    }

    /// Adds the values of a column at a row: one id, or a set of them.
    pub(crate) fn add(&mut self, column: &ArrayRef, row: usize) -> Result<()> {
        if column.is_null(row) {
            return Ok(());
        }
        if let Some(ids) = column.as_primitive_opt::<Int64Type>() {
            self.insert(ids.value(row));
            return Ok(());
        }
        match RowSet::read(column.as_list_opt::<i32>().ok_or_else(not_ids)?, row)? {
            RowSet::Rows(ids) => ids.into_iter().for_each(|id| self.insert(id)),
            RowSet::Covering { first, last } => self.cover(first, last),
        }
        Ok(())
    }

    /// The set, settled.
    pub(crate) fn finish(mut self) -> RowSet {
        self.settle();
        match self.covering {
            Some((first, last)) => RowSet::Covering { first, last },
            None => RowSet::Rows(self.ids),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.ids.capacity() * size_of::<i64>()
    }
}

/// A column of the sets; null where nothing was collected.
pub(crate) fn row_sets(sets: impl Iterator<Item = Collected>) -> ListArray {
    let mut lists = ListBuilder::new(PrimitiveBuilder::<Int64Type>::new());
    for set in sets {
        if set.is_empty() {
            lists.append_null();
            continue;
        }
        match set.finish() {
            RowSet::Rows(ids) => lists.values().append_slice(&ids),
            RowSet::Covering { first, last } => {
                lists.values().append_null();
                lists.values().append_slice(&[first, last]);
            }
        }
        lists.append(true);
    }
    lists.finish()
}

fn not_ids() -> DataFusionError {
    DataFusionError::Internal("a column of provenance holds something else than row ids".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(ids: impl IntoIterator<Item = i64>) -> Collected {
        let mut set = Collected::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }

    #[test]
    fn ids_are_ascending_and_each_is_there_once() {
        assert_eq!(collected([5, 3, 3, 9, 5]).finish(), RowSet::Rows(vec![3, 5, 9]));
        assert_eq!(collected([]).finish(), RowSet::Rows(vec![]));
    }

    #[test]
    fn a_set_of_the_most_is_exact_and_one_more_is_covered() {
        let max = PROVENANCE_IDS_PER_GROUP_MAX as i64;
        assert_eq!(collected(0..max).finish(), RowSet::Rows((0..max).collect()));
        assert_eq!(collected((0..max).rev().chain(0..max)).finish(), RowSet::Rows((0..max).collect()));
        assert_eq!(collected(0..=max).finish(), RowSet::Covering { first: 0, last: max });
        assert_eq!(collected((0..=max).rev()).finish(), RowSet::Covering { first: 0, last: max });
        assert_eq!(collected((0..=max).chain([7_000, -0])).finish(), RowSet::Covering { first: 0, last: 7_000 });
    }

    #[test]
    fn a_row_of_a_window_has_fewer() {
        let max = PROVENANCE_IDS_PER_WINDOW_ROW_MAX as i64;
        let of = |ids: std::ops::Range<i64>| {
            let mut set = Collected::at_most(PROVENANCE_IDS_PER_WINDOW_ROW_MAX);
            ids.for_each(|id| set.insert(id));
            set.finish()
        };
        assert_eq!(of(0..max), RowSet::Rows((0..max).collect()));
        assert_eq!(of(0..max + 1), RowSet::Covering { first: 0, last: max });
    }

    #[test]
    fn sets_are_merged_from_ids_and_from_sets() {
        let max = PROVENANCE_IDS_PER_GROUP_MAX as i64;
        let lists: ArrayRef =
            std::sync::Arc::new(row_sets([collected([4, 2]), collected([]), collected(10..=10 + max)].into_iter()));
        let mut set = collected([9]);
        set.add(&lists, 0).unwrap();
        set.add(&lists, 1).unwrap();
        assert_eq!(set.clone().finish(), RowSet::Rows(vec![2, 4, 9]));
        set.add(&lists, 2).unwrap();
        assert_eq!(set.finish(), RowSet::Covering { first: 2, last: 10 + max });
        assert!(lists.is_null(1));
    }
}
