//! The source rows of output rows that are made from several, or from none: joins, aggregates, DISTINCT, set operations,
//! windows.
//!
//! ```text
//! kind       output_row  count  relation       first        last
//! each (0)            0   3104         0           0        3103   output row i was made from row first + i
//! each (0)            0      1         1  2199023255        …      and from this row of another relation
//! all  (1)         3104      1         0           7          12   made from each of these rows
//! some (2)         3105      1         0           0      899999   made from some of these rows; which was not kept
//! whole (3)           0   3106         2           0          41   every output row depends on these rows, read as a whole
//! ```
//! `first` and `last` are source row ids of the run, so that a range may go over several inputs.

use lockgate_model::RowId;

use crate::segment::{SegmentError, read, write};

const COLUMNS: [&str; 6] = ["kind", "output_row", "count", "relation", "first", "last"];

/// How output rows relate to a range of source rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// One by one.
    Each,
    /// Each output row was made from all of them.
    All,
    /// Each output row was made from some of them: a range that covers what was not kept.
    Some,
    /// They were read as a whole, and decided which output rows there are or in what order.
    Whole,
}

impl SetKind {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Each => 0,
            Self::All => 1,
            Self::Some => 2,
            Self::Whole => 3,
        }
    }

    pub(crate) const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Each),
            1 => Some(Self::All),
            2 => Some(Self::Some),
            3 => Some(Self::Whole),
            _ => None,
        }
    }
}

/// Source rows of one output row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRange {
    /// The relation in the query, by its number.
    pub relation: u32,
    /// How they relate.
    pub kind: SetKind,
    /// The first row.
    pub first: RowId,
    /// The last row.
    pub last: RowId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    kind: SetKind,
    output_row: i64,
    count: i64,
    relation: i64,
    first: i64,
    last: i64,
}

/// Collects the sources of output rows in their order.
#[derive(Debug, Default)]
pub struct ProvenanceSetsBuilder {
    edges: Vec<Edge>,
    /// For each relation, the edge that the next row may continue.
    open: Vec<Option<usize>>,
    /// Where the edges begin that the row before began.
    previous: usize,
    rows: i64,
}

impl ProvenanceSetsBuilder {
    /// The next output row was made from a row of a relation. To be called once for each relation and row.
    pub fn push_row(&mut self, relation: u32, row: RowId) {
        let id = row.to_i64();
        let place = usize::try_from(relation).unwrap_or(usize::MAX);
        if self.open.len() <= place {
            self.open.resize(place + 1, None);
        }
        let continued = self.open.get(place).copied().flatten().and_then(|edge| self.edges.get_mut(edge));
        match continued {
            Some(edge) if edge.last + 1 == id && edge.output_row + edge.count == self.rows => {
                edge.last = id;
                edge.count += 1;
            }
            _ => {
                if let Some(open) = self.open.get_mut(place) {
                    *open = Some(self.edges.len());
                }
                let (kind, relation) = (SetKind::Each, i64::from(relation));
                self.edges.push(Edge { kind, output_row: self.rows, count: 1, relation, first: id, last: id });
            }
        }
    }

    /// The next output row was made from all, or from some, of a range.
    pub fn push_range(&mut self, range: SourceRange) {
        let SourceRange { relation, kind, first, last } = range;
        let (first, last) = (first.to_i64(), last.to_i64());
        self.edges.push(Edge { kind, output_row: self.rows, count: 1, relation: i64::from(relation), first, last });
    }

    /// The next output row has had all of its sources.
    pub fn end_row(&mut self) {
        // Rows of one window have the same sources: they are kept once, for so many rows.
        let begun = self.edges.iter().rev().take_while(|edge| edge.output_row == self.rows).count();
        let this = self.edges.len() - begun;
        let before = self.edges.get(self.previous..this).unwrap_or_default();
        let new = self.edges.get(this..).unwrap_or_default();
        let sources = |edge: &Edge| (edge.kind, edge.relation, edge.first, edge.last);
        let continues = |before: &Edge, new: &Edge| {
            new.kind != SetKind::Each
                && before.output_row + before.count == self.rows
                && sources(before) == sources(new)
        };
        let same = begun > 0 && before.len() == begun && before.iter().zip(new).all(|(a, b)| continues(a, b));
        if same {
            self.edges.truncate(this);
            self.edges.iter_mut().skip(self.previous).for_each(|edge| edge.count += 1);
        } else {
            self.previous = this;
        }
        self.rows += 1;
    }

    /// The rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// The segment's bytes, with the rows of relations that were read as a whole.
    pub fn finish(mut self, whole: &[(u32, RowId, RowId)]) -> Result<Vec<u8>, SegmentError> {
        let all_rows = |(relation, first, last): &(u32, RowId, RowId)| Edge {
            kind: SetKind::Whole,
            output_row: 0,
            count: self.rows,
            relation: i64::from(*relation),
            first: first.to_i64(),
            last: last.to_i64(),
        };
        let whole: Vec<Edge> = whole.iter().map(all_rows).collect();
        self.edges.extend(whole);
        self.edges.sort_by_key(|edge| (edge.output_row, edge.relation, edge.first));
        let column = |value: fn(&Edge) -> i64| self.edges.iter().map(value).collect();
        let columns = [
            column(|e| e.kind.number()),
            column(|e| e.output_row),
            column(|e| e.count),
            column(|e| e.relation),
            column(|e| e.first),
            column(|e| e.last),
        ];
        write(COLUMNS, columns)
    }
}

/// The sources of a run's output rows.
#[derive(Debug)]
pub struct ProvenanceSets {
    edges: Vec<Edge>,
    /// For each edge, where the longest of it and those before it ends.
    ends: Vec<i64>,
}

impl ProvenanceSets {
    /// Reads a segment; refuses another order, and numbers that no row has.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SegmentError> {
        let [kinds, output_rows, counts, relations, firsts, lasts] = read(COLUMNS, bytes)?;
        let mut edges: Vec<Edge> = Vec::with_capacity(kinds.len());
        let mut ends = Vec::with_capacity(kinds.len());
        let columns = kinds.into_iter().zip(output_rows).zip(counts).zip(relations).zip(firsts).zip(lasts);
        for (index, (((((kind, output_row), count), relation), first), last)) in columns.enumerate() {
            let wrong = SegmentError::OutOfOrder(index);
            let Some(kind) = SetKind::of(kind) else { return Err(wrong) };
            let is_row = |id: i64| RowId::from_i64(id).is_ok();
            let least = if kind == SetKind::Whole { 0 } else { 1 };
            let fits = output_row >= 0
                && count >= least
                && u32::try_from(relation).is_ok()
                && is_row(first)
                && is_row(last)
                && first <= last
                && (kind != SetKind::Each || last - first == count - 1);
            let edge = Edge { kind, output_row, count, relation, first, last };
            let order = |edge: &Edge| (edge.output_row, edge.relation, edge.first);
            let follows = edges.last().is_none_or(|before| order(before) <= order(&edge));
            let Some(end) = output_row.checked_add(count).filter(|_| fits && follows) else { return Err(wrong) };
            ends.push(ends.last().copied().unwrap_or(0).max(end));
            edges.push(edge);
        }
        Ok(Self { edges, ends })
    }

    /// How many output rows there are at least: those without a source are not counted at the end.
    pub fn rows_at_least(&self) -> u64 {
        self.ends.last().and_then(|end| u64::try_from(*end).ok()).unwrap_or(0)
    }

    /// The sources of an output row, by relation. Empty for a row that was made from none.
    pub fn sources(&self, output_row: u64) -> Vec<SourceRange> {
        let Ok(wanted) = i64::try_from(output_row) else { return Vec::new() };
        let after = self.edges.partition_point(|edge| edge.output_row <= wanted);
        let before = self.edges.iter().zip(&self.ends).take(after).rev();
        let mut found: Vec<SourceRange> = before
            .take_while(|(_, end)| **end > wanted)
            .filter(|(edge, _)| edge.output_row + edge.count > wanted)
            .filter_map(|(edge, _)| edge.of(wanted))
            .collect();
        found.sort_unstable();
        found
    }

    /// The output rows that have a source row among theirs, as ranges of first and last, and whether only a covering range
    /// names it; those that depend on it as a whole are not among them.
    pub fn outputs(&self, row: RowId) -> Vec<(u64, u64, bool)> {
        let id = row.to_i64();
        let of = |edge: &Edge| {
            let named = (edge.first..=edge.last).contains(&id);
            let (first, last) = match edge.kind {
                SetKind::Each => (edge.output_row + id - edge.first, edge.output_row + id - edge.first),
                SetKind::All | SetKind::Some => (edge.output_row, edge.output_row.saturating_add(edge.count) - 1),
                SetKind::Whole => return None,
            };
            let is_covering = edge.kind == SetKind::Some;
            named.then_some((u64::try_from(first).ok()?, u64::try_from(last).ok()?, is_covering))
        };
        self.edges.iter().filter_map(of).collect()
    }
}

impl Edge {
    fn of(&self, output_row: i64) -> Option<SourceRange> {
        let id = |id: i64| RowId::from_i64(id).ok();
        let (first, last) = match self.kind {
            SetKind::Each => (self.first + output_row - self.output_row, self.first + output_row - self.output_row),
            SetKind::All | SetKind::Some | SetKind::Whole => (self.first, self.last),
        };
        let relation = u32::try_from(self.relation).ok()?;
        Some(SourceRange { relation, kind: self.kind, first: id(first)?, last: id(last)? })
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::InputOrdinal;

    use super::*;

    fn id(input: u32, row: u64) -> RowId {
        RowId::new(InputOrdinal::new(input).unwrap(), row).unwrap()
    }

    fn range(relation: u32, kind: SetKind, first: RowId, last: RowId) -> SourceRange {
        SourceRange { relation, kind, first, last }
    }

    #[test]
    fn each_output_row_finds_its_sources_and_neighbours_collapse() {
        let mut builder = ProvenanceSetsBuilder::default();
        for row in 0..1_000 {
            builder.push_row(0, id(0, row));
            builder.push_row(1, id(1, row / 2));
            builder.end_row();
        }
        builder.push_range(range(0, SetKind::All, id(0, 3), id(0, 9)));
        builder.push_range(range(1, SetKind::Some, id(1, 0), id(2, 7)));
        builder.end_row();
        builder.end_row();
        assert_eq!(builder.edges.iter().filter(|edge| edge.relation == 0).count(), 2);
        let segment = builder.finish(&[(2, id(3, 0), id(3, 41))]).unwrap();
        let sets = ProvenanceSets::from_bytes(segment).unwrap();
        let whole = range(2, SetKind::Whole, id(3, 0), id(3, 41));
        let of_700 =
            [range(0, SetKind::Each, id(0, 700), id(0, 700)), range(1, SetKind::Each, id(1, 350), id(1, 350)), whole];
        assert_eq!(sets.sources(700), of_700);
        let of_1000 = [range(0, SetKind::All, id(0, 3), id(0, 9)), range(1, SetKind::Some, id(1, 0), id(2, 7)), whole];
        assert_eq!(sets.sources(1_000), of_1000);
        assert_eq!(sets.sources(1_001), [whole]);
        assert_eq!(sets.sources(1_002), []);
        assert_eq!(sets.outputs(id(0, 5)), [(5, 5, false), (1_000, 1_000, false)]);
        assert_eq!(sets.outputs(id(1, 7)), [(14, 14, false), (15, 15, false), (1_000, 1_000, true)]);
        assert_eq!(sets.outputs(id(3, 7)), []);
    }

    #[test]
    fn another_order_and_numbers_that_no_row_has_are_refused() {
        let segment = |rows: &[[i64; 6]]| {
            let column = |index: usize| rows.iter().map(|row| row[index]).collect();
            let columns = [column(0), column(1), column(2), column(3), column(4), column(5)];
            ProvenanceSets::from_bytes(write(COLUMNS, columns).unwrap())
        };
        let right = [[0, 0, 2, 0, 5, 6], [1, 1, 1, 0, 5, 9]];
        assert!(segment(&right).is_ok());
        assert!(segment(&[right[1], right[0]]).is_err(), "backwards");
        for (place, value) in [(0, 4), (1, -1), (2, 0), (3, -1), (4, -1), (5, 4), (5, 7)] {
            let mut wrong = right[0];
            wrong[place] = value;
            assert!(matches!(segment(&[wrong]), Err(SegmentError::OutOfOrder(0))), "{wrong:?}");
        }
        assert!(segment(&[[1, i64::MAX, 1, 0, 0, 0]]).is_err(), "beyond all rows");
    }
}
