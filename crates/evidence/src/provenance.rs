//! Which source row each output row of a run came from, as ranges.
//!
//! ```text
//! output_row  count  input  row
//!          0   3104      0    0      rows 0..3104 of the output are rows 0..3104 of input 0
//!       3104    911      0 3106      two records of input 0 were set aside or filtered out
//! ```
//! Every output row is in exactly one range: a row-wise pipeline makes each row from one.

use lockgate_model::{InputOrdinal, ROWS_PER_INPUT_MAX, RowId};

use crate::segment::{SegmentError, read, write};

const COLUMNS: [&str; 4] = ["output_row", "count", "input", "row"];

/// The source of one output row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceRow {
    /// Which input of the run, by the manifest's numbering.
    pub input: InputOrdinal,
    /// The zero-based record in it.
    pub row: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    output_row: i64,
    count: i64,
    input: i64,
    row: i64,
}

/// Collects the sources of output rows in their order.
#[derive(Debug, Default)]
pub struct ProvenanceBuilder {
    ranges: Vec<Range>,
    rows: i64,
}

impl ProvenanceBuilder {
    /// The next output row came from this row.
    pub fn push(&mut self, source: RowId) {
        let (input, row) = (i64::from(source.input().get()), source.row() as i64);
        match self.ranges.last_mut() {
            Some(last) if last.input == input && last.row + last.count == row => last.count += 1,
            _ => self.ranges.push(Range { output_row: self.rows, count: 1, input, row }),
        }
        self.rows += 1;
    }

    /// The rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// The segment's bytes.
    pub fn finish(self) -> Result<Vec<u8>, SegmentError> {
        let column = |value: fn(&Range) -> i64| self.ranges.iter().map(value).collect();
        write(COLUMNS, [column(|r| r.output_row), column(|r| r.count), column(|r| r.input), column(|r| r.row)])
    }
}

/// The sources of a run's output rows.
#[derive(Debug)]
pub struct ProvenanceSegment {
    ranges: Vec<Range>,
    rows: u64,
}

impl ProvenanceSegment {
    /// Reads a segment; refuses gaps, overlaps and numbers that no row id has.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SegmentError> {
        let [output_rows, counts, inputs, rows] = read(COLUMNS, bytes)?;
        let mut ranges = Vec::with_capacity(output_rows.len());
        let mut next = 0i64;
        let columns = output_rows.into_iter().zip(counts).zip(inputs).zip(rows);
        for (index, (((output_row, count), input), row)) in columns.enumerate() {
            let fits = u32::try_from(input).is_ok_and(|input| InputOrdinal::new(input).is_ok())
                && row.checked_add(count).is_some_and(|end| row >= 0 && end <= ROWS_PER_INPUT_MAX as i64);
            if output_row != next || count < 1 || !fits {
                return Err(SegmentError::OutOfOrder(index));
            }
            next = output_row.checked_add(count).ok_or(SegmentError::OutOfOrder(index))?;
            ranges.push(Range { output_row, count, input, row });
        }
        Ok(Self { ranges, rows: next as u64 })
    }

    /// How many output rows it covers: all from 0 to this, exclusive.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The source of an output row; `None` beyond the last.
    pub fn source(&self, output_row: u64) -> Option<SourceRow> {
        let wanted = i64::try_from(output_row).ok()?;
        let after = self.ranges.partition_point(|range| range.output_row <= wanted);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        let offset = wanted - range.output_row;
        if offset >= range.count {
            return None;
        }
        let input = InputOrdinal::new(u32::try_from(range.input).ok()?).ok()?;
        Some(SourceRow { input, row: u64::try_from(range.row + offset).ok()? })
    }

    /// The output rows that were made from a row, as ranges of first and last.
    pub fn outputs(&self, source: SourceRow) -> Vec<(u64, u64)> {
        let (input, row) = (i64::from(source.input.get()), i64::try_from(source.row).unwrap_or(i64::MAX));
        let holds = |range: &&Range| range.input == input && (range.row..range.row + range.count).contains(&row);
        let output = |range: &Range| u64::try_from(range.output_row + (row - range.row)).ok();
        self.ranges.iter().filter(holds).filter_map(output).map(|row| (row, row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(input: u32, row: u64) -> RowId {
        RowId::new(InputOrdinal::new(input).unwrap(), row).unwrap()
    }

    #[test]
    fn every_output_row_finds_its_source_and_neighbours_collapse() {
        let sources: Vec<_> =
            (0..1000).map(|row| id(0, row)).chain([id(0, 1002), id(2, 5), id(2, 6), id(1, 0)]).collect();
        let mut builder = ProvenanceBuilder::default();
        sources.iter().for_each(|source| builder.push(*source));
        assert_eq!(builder.ranges.len(), 4);
        let segment = ProvenanceSegment::from_bytes(builder.finish().unwrap()).unwrap();
        assert_eq!(segment.rows(), 1004);
        for (row, source) in sources.iter().enumerate() {
            let found = segment.source(row as u64).unwrap();
            assert_eq!((found.input, found.row), (source.input(), source.row()));
        }
        assert_eq!(segment.source(1004), None);
        let input = |input| InputOrdinal::new(input).unwrap();
        assert_eq!(segment.outputs(SourceRow { input: input(2), row: 6 }), [(1002, 1002)]);
        assert_eq!(segment.outputs(SourceRow { input: input(0), row: 1001 }), []);
    }

    #[test]
    fn an_empty_run_has_an_empty_segment() {
        let segment = ProvenanceSegment::from_bytes(ProvenanceBuilder::default().finish().unwrap()).unwrap();
        assert_eq!((segment.rows(), segment.source(0)), (0, None));
    }

    #[test]
    fn gaps_overlaps_and_negative_numbers_are_refused() {
        let segment = |rows: &[[i64; 4]]| {
            let column = |index: usize| rows.iter().map(|row| row[index]).collect();
            ProvenanceSegment::from_bytes(write(COLUMNS, [column(0), column(1), column(2), column(3)]).unwrap())
        };
        assert!(segment(&[[0, 2, 0, 0], [2, 1, 0, 9]]).is_ok());
        for wrong in [
            [[0, 2, 0, 0], [3, 1, 0, 9]],
            [[0, 2, 0, 0], [1, 1, 0, 9]],
            [[0, 2, 0, 0], [2, 0, 0, 9]],
            [[0, 2, 0, 0], [2, 1, -1, 9]],
            [[0, 2, 0, 0], [2, 1, 0, -1]],
            [[0, 2, 0, 0], [2, i64::MAX, 0, 1]],
        ] {
            assert!(matches!(segment(&wrong), Err(SegmentError::OutOfOrder(1))), "{wrong:?}");
        }
        assert!(ProvenanceSegment::from_bytes(b"PAR1 not at all".to_vec()).is_err());
        assert!(matches!(ProvenanceSegment::from_bytes(write(["a"], [vec![1]]).unwrap()), Err(SegmentError::Columns)));
    }
}
