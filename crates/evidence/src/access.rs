//! What somebody was shown: which columns in which form, decided by which policies, and which rows of which inputs.
//!
//! ```text
//! access.intent   before the first row goes out: who, what for, digests of query and plan, columns, policies, the inputs
//! access.result   afterwards: how it ended, how many rows went out, and the set of source rows behind them
//! ```
//! An intent without a result counts as every row of its inputs. Neither has room for the query's text, which may hold
//! values.

use std::collections::BTreeMap;

use lockgate_model::{ColumnName, DatasetName, RowId, RunId, Sha256Digest};
use serde::{Deserialize, Serialize};

use crate::SetKind;
use crate::segment::{SegmentError, read, write};

/// Somebody is about to be shown rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessIntent {
    /// The id of this access.
    pub access: RunId,
    /// What it is for, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The groups that the asker was taken to be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The digest of the query as it was written.
    pub query_sha256: Sha256Digest,
    /// The digest of the governed plan, drawn as `explain` draws it.
    pub plan_sha256: Sha256Digest,
    /// The columns that the query reads, by dataset.
    pub columns: BTreeMap<DatasetName, Vec<AccessedColumn>>,
    /// Every policy that allowed, masked or filtered.
    pub policies: Vec<DecidingPolicy>,
}

/// A column as somebody was shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessedColumn {
    /// The column.
    pub column: ColumnName,
    /// The form of its values.
    pub shown: ShownAs,
    /// The kind of mask, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
}

/// The form in which values went to the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownAs {
    /// As they are.
    Clear,
    /// By a mask, of the policy or of an earlier stage.
    Masked,
    /// As tokens.
    Tokenized,
    /// Sealed.
    Sealed,
    /// Sealed where they rest, and opened for the asker.
    Unsealed,
}

/// A policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecidingPolicy {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// How an access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessOutcome {
    /// All rows went out.
    Complete,
    /// Whoever took the rows stopped.
    Stopped,
    /// It failed; rows may have gone out before.
    Failed,
}

/// What somebody was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessResult {
    /// The access.
    pub access: RunId,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// The rows that went out.
    pub rows: u64,
    /// How many different source rows are behind them, at least.
    pub source_rows: u64,
    /// Whether the source rows are known one by one; if not, some ranges cover more than was shown.
    pub is_exact: bool,
}

const COLUMNS: [&str; 4] = ["kind", "relation", "first", "last"];

/// The source rows behind what was shown: ranges of row ids, by relation of the query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessedRows {
    /// Ascending by relation and first row.
    pub ranges: Vec<AccessedRange>,
}

/// Source rows that are next to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessedRange {
    /// The relation in the query, by its number.
    pub relation: u32,
    /// [`SetKind::All`], or [`SetKind::Some`] for a range that covers more than was shown, or [`SetKind::Whole`] for rows
    /// that decided what was shown.
    pub kind: SetKind,
    /// The first.
    pub first: RowId,
    /// The last.
    pub last: RowId,
}

impl AccessedRows {
    /// Whether every row in it was behind what was shown.
    pub fn is_exact(&self) -> bool {
        self.ranges.iter().all(|range| range.kind != SetKind::Some)
    }

    /// How many different rows, at least: of a range that covers more than was shown, its two ends are known.
    pub fn rows(&self) -> u64 {
        let mut known: Vec<(i64, i64)> = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let (first, last) = (range.first.to_i64(), range.last.to_i64());
            match range.kind {
                SetKind::Each | SetKind::All | SetKind::Whole => known.push((first, last)),
                SetKind::Some => known.extend([(first, first), (last, last)]),
            }
        }
        known.sort_unstable();
        let (mut rows, mut end) = (0_u64, -1_i64);
        for (first, last) in known {
            let new = last.saturating_sub(first.max(end.saturating_add(1))).saturating_add(1);
            rows = rows.saturating_add(u64::try_from(new).unwrap_or(0));
            end = end.max(last);
        }
        rows
    }

    /// The segment's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SegmentError> {
        let column = |value: fn(&AccessedRange) -> i64| self.ranges.iter().map(value).collect();
        let columns = [
            column(|range| range.kind.number()),
            column(|range| i64::from(range.relation)),
            column(|range| range.first.to_i64()),
            column(|range| range.last.to_i64()),
        ];
        write(COLUMNS, columns)
    }

    /// Reads a segment; refuses another order, and numbers that no row has.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SegmentError> {
        let [kinds, relations, firsts, lasts] = read(COLUMNS, bytes)?;
        let mut ranges: Vec<AccessedRange> = Vec::with_capacity(kinds.len());
        for (index, (((kind, relation), first), last)) in
            kinds.into_iter().zip(relations).zip(firsts).zip(lasts).enumerate()
        {
            let range = || {
                Some(AccessedRange {
                    relation: u32::try_from(relation).ok()?,
                    kind: SetKind::of(kind)?,
                    first: RowId::from_i64(first).ok()?,
                    last: RowId::from_i64(last).ok()?,
                })
            };
            let order = |range: &AccessedRange| (range.relation, range.first);
            let is_of_an_access = |kind| match kind {
                SetKind::Each => false,
                SetKind::All | SetKind::Some | SetKind::Whole => true,
            };
            let range = range().filter(|range| range.first <= range.last && is_of_an_access(range.kind));
            let range = range.filter(|range| ranges.last().is_none_or(|before| order(before) <= order(range)));
            ranges.push(range.ok_or(SegmentError::OutOfOrder(index))?);
        }
        Ok(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::InputOrdinal;

    use super::*;

    fn id(input: u32, row: u64) -> RowId {
        RowId::new(InputOrdinal::new(input).unwrap(), row).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were_written_and_in_no_other_order() {
        let range = |relation, kind, first, last| AccessedRange { relation, kind, first, last };
        let rows = AccessedRows {
            ranges: vec![
                range(0, SetKind::All, id(0, 3), id(0, 9)),
                range(0, SetKind::Some, id(1, 0), id(2, 4)),
                range(1, SetKind::Whole, id(3, 0), id(3, 0)),
            ],
        };
        assert_eq!(AccessedRows::from_bytes(rows.to_bytes().unwrap()).unwrap(), rows);
        assert_eq!((rows.rows(), rows.is_exact()), (7 + 2 + 1, false));
        let backwards = AccessedRows { ranges: rows.ranges.iter().rev().copied().collect() };
        assert!(AccessedRows::from_bytes(backwards.to_bytes().unwrap()).is_err());
        let empty = AccessedRows::default();
        assert_eq!(AccessedRows::from_bytes(empty.to_bytes().unwrap()).unwrap(), empty);
    }
}
