//! The identity of one record in one dataset version.
//!
//! ```text
//!  63      40 39                 0
//! ┌──────────┬────────────────────┐
//! │ ordinal  │        row         │   an i64 that is never negative: the ordinal's top bit stays 0
//! └──────────┴────────────────────┘
//! ```
//! The ordinal numbers the inputs of a run (source row ids) or the commits of a table (`lockgate_rid`); the row is
//! zero-based within it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Ordinals run from 0 to this, exclusive: 24 bits of which the sign bit stays clear.
pub const INPUTS_PER_RUN_MAX: u32 = 1 << 23;
/// Rows of one input run from 0 to this, exclusive: 40 bits.
pub const ROWS_PER_INPUT_MAX: u64 = 1 << 40;

/// Which input of a run, or which commit of a table, a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputOrdinal(u32);

impl InputOrdinal {
    /// Fails at [`INPUTS_PER_RUN_MAX`].
    pub fn new(ordinal: u32) -> Result<Self, RowIdError> {
        if ordinal < INPUTS_PER_RUN_MAX { Ok(Self(ordinal)) } else { Err(RowIdError::Ordinal(ordinal)) }
    }

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// One record's identity: an input's ordinal (24 bits) and a zero-based row (40 bits), ordered by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(i64);

/// A part of a row id was out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowIdError {
    /// More inputs, or more commits, than a row id can number.
    #[error("input {0} is beyond the {INPUTS_PER_RUN_MAX} that one run can number: split the run")]
    Ordinal(u32),
    /// More rows than a row id can number.
    #[error("row {0} is beyond the {ROWS_PER_INPUT_MAX} that one input can number: split the file")]
    Row(u64),
    /// A stored number that no row id has.
    #[error("{0} is no row id: row ids are not negative")]
    Negative(i64),
}

impl RowId {
    /// Fails at [`ROWS_PER_INPUT_MAX`].
    pub fn new(input: InputOrdinal, row: u64) -> Result<Self, RowIdError> {
        if row >= ROWS_PER_INPUT_MAX {
            return Err(RowIdError::Row(row));
        }
        Ok(Self(i64::from(input.0) << 40 | row as i64))
    }

    /// Reads a stored row id; fails if it is negative.
    pub fn from_i64(bits: i64) -> Result<Self, RowIdError> {
        if bits < 0 { Err(RowIdError::Negative(bits)) } else { Ok(Self(bits)) }
    }

    /// The number as it is stored.
    pub const fn to_i64(self) -> i64 {
        self.0
    }

    /// The upper part.
    pub const fn input(self) -> InputOrdinal {
        InputOrdinal((self.0 >> 40) as u32)
    }

    /// The lower part, zero-based.
    pub const fn row(self) -> u64 {
        self.0 as u64 & (ROWS_PER_INPUT_MAX - 1)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.input().get(), self.row())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_from_both_sides_of_each_limit() {
        let last = InputOrdinal::new(INPUTS_PER_RUN_MAX - 1).unwrap();
        let id = RowId::new(last, ROWS_PER_INPUT_MAX - 1).unwrap();
        assert_eq!(id.to_i64(), i64::MAX);
        assert_eq!((id.input(), id.row()), (last, ROWS_PER_INPUT_MAX - 1));
        assert_eq!(RowId::from_i64(id.to_i64()), Ok(id));
        assert_eq!(InputOrdinal::new(INPUTS_PER_RUN_MAX), Err(RowIdError::Ordinal(INPUTS_PER_RUN_MAX)));
        assert_eq!(RowId::new(last, ROWS_PER_INPUT_MAX), Err(RowIdError::Row(ROWS_PER_INPUT_MAX)));
        assert_eq!(RowId::from_i64(-1), Err(RowIdError::Negative(-1)));
    }

    #[test]
    fn order_is_by_input_then_row() {
        let id = |input, row| RowId::new(InputOrdinal::new(input).unwrap(), row).unwrap();
        assert!(id(0, 9) < id(1, 0));
        assert!(id(1, 0) < id(1, 1));
    }
}
