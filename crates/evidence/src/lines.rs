//! On which line of its file each source record begins: kept with the run, so that it can be told when the file is gone.
//!
//! ```text
//! input  row   line
//!     0    0      2     after the header
//!     0  118    121     record 117 held a line break: from here on, line = row + 3
//! ```

use lockgate_model::RowId;

use crate::segment::{SegmentError, read, write};

const COLUMNS: [&str; 3] = ["input", "row", "line"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Break {
    input: i64,
    row: i64,
    line: i64,
}

/// Collects where records begin, in the order of inputs and rows.
#[derive(Debug, Default)]
pub struct LineIndexBuilder {
    breaks: Vec<Break>,
}

impl LineIndexBuilder {
    /// The next record begins on this one-based line.
    pub fn push(&mut self, record: RowId, line: u64) {
        let next = Break { input: i64::from(record.input().get()), row: record.row() as i64, line: line as i64 };
        let continues = |last: &Break| {
            last.input == next.input && last.line - last.row == next.line - next.row && last.row < next.row
        };
        if !self.breaks.last().is_some_and(continues) {
            self.breaks.push(next);
        }
    }

    /// The index's bytes.
    pub fn finish(self) -> Result<Vec<u8>, SegmentError> {
        let column = |value: fn(&Break) -> i64| self.breaks.iter().map(value).collect();
        write(COLUMNS, [column(|b| b.input), column(|b| b.row), column(|b| b.line)])
    }
}

/// Where the records of a run's inputs begin.
#[derive(Debug)]
pub struct LineIndex {
    breaks: Vec<Break>,
}

impl LineIndex {
    /// Reads an index; refuses one that is not in order.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SegmentError> {
        let [inputs, rows, lines] = read(COLUMNS, bytes)?;
        let breaks: Vec<_> =
            inputs.into_iter().zip(rows).zip(lines).map(|((input, row), line)| Break { input, row, line }).collect();
        let key = |b: &Break| (b.input, b.row);
        match breaks.iter().zip(breaks.iter().skip(1)).position(|(a, b)| key(a) >= key(b)) {
            Some(index) => Err(SegmentError::OutOfOrder(index + 1)),
            None if breaks.iter().any(|b| b.input < 0 || b.row < 0 || b.line < 1) => Err(SegmentError::OutOfOrder(0)),
            None => Ok(Self { breaks }),
        }
    }

    /// The one-based line on which a record begins; `None` for an input that has no lines.
    pub fn line(&self, record: RowId) -> Option<u64> {
        let wanted = (i64::from(record.input().get()), record.row() as i64);
        let after = self.breaks.partition_point(|b| (b.input, b.row) <= wanted);
        let found = self.breaks.get(after.checked_sub(1)?)?;
        if found.input != wanted.0 {
            return None;
        }
        u64::try_from(found.line.checked_add(wanted.1 - found.row)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockgate_model::InputOrdinal;

    fn id(input: u32, row: u64) -> RowId {
        RowId::new(InputOrdinal::new(input).unwrap(), row).unwrap()
    }

    #[test]
    fn lines_are_told_across_records_of_several_lines() {
        let lines = [(id(0, 0), 2), (id(0, 1), 3), (id(0, 2), 6), (id(0, 3), 7), (id(1, 0), 2), (id(1, 5), 7)];
        let mut builder = LineIndexBuilder::default();
        lines.iter().for_each(|(record, line)| builder.push(*record, *line));
        assert_eq!(builder.breaks.len(), 3);
        let index = LineIndex::from_bytes(builder.finish().unwrap()).unwrap();
        for (record, line) in lines {
            assert_eq!(index.line(record), Some(line), "{record}");
        }
        assert_eq!(index.line(id(2, 0)), None);
    }

    #[test]
    fn an_index_out_of_order_is_refused() {
        let bytes = write(COLUMNS, [vec![0, 0], vec![5, 5], vec![1, 2]]).unwrap();
        assert!(matches!(LineIndex::from_bytes(bytes), Err(SegmentError::OutOfOrder(1))));
    }
}
