//! What was shown: the source rows behind it for the ledger, and how they are told to whoever asked.
//!
//! The ledger has every row id. Whoever asked is told places only where these tell nothing of what the policies hide:
//! ```text
//! customers/eu.csv:7       no row and no column of the path is hidden
//! customers #3             a row filter or a hidden column stands between: the third source row that was shown
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_evidence::{AccessedRange, AccessedRows, SetKind, SourceRange};
use lockgate_model::{DatasetName, Failure, InputOrdinal, ROWS_PER_INPUT_MAX, RowId};
use lockgate_plan::{Governed, Plan};
use lockgate_project::Project;

use crate::failures;
use crate::inputs::RunInput;
use crate::reading::Findings;

/// Source rows of a row that was shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShownSource {
    /// The dataset.
    pub dataset: DatasetName,
    /// Which rows.
    pub rows: ShownRows,
    /// Whether the row was made from all of them. If not, from some of them.
    pub is_exact: bool,
}

/// Source rows as they are told to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShownRows {
    /// Where they are.
    At {
        /// The store of the input.
        store: String,
        /// The path of the file, or the name of the table.
        path: String,
        /// The first row in it, from zero.
        first: u64,
        /// The last.
        last: u64,
    },
    /// By their numbers in this answer, from one: the same number is the same row.
    Numbered {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Some rows.
    Some,
}

/// How the sources of shown rows are told.
pub(crate) struct Telling<'a> {
    inputs: &'a [RunInput],
    /// The datasets whose places are not told.
    hidden: BTreeSet<DatasetName>,
    findings: Arc<Findings>,
    numbers: BTreeMap<RowId, u64>,
}

impl<'a> Telling<'a> {
    pub(crate) fn new(
        project: &Project,
        plan: &Governed<Plan>,
        inputs: &'a [RunInput],
        findings: Arc<Findings>,
    ) -> Self {
        let tells_places = |dataset: &DatasetName| {
            let partitions = project.datasets.get(dataset).into_iter().flat_map(|dataset| dataset.partition_columns());
            let mut partitions = partitions.map(|(column, _)| &column.name.value);
            plan.guarded()
                .get(dataset)
                .is_none_or(|seen| !seen.has_row_filter && partitions.all(|column| seen.clear_columns.contains(column)))
        };
        let hidden = plan.relations().iter().map(|relation| &relation.dataset).filter(|dataset| !tells_places(dataset));
        Self { inputs, hidden: hidden.cloned().collect(), findings, numbers: BTreeMap::new() }
    }

    /// Source rows by the names of their inputs.
    pub(crate) fn tell(&mut self, ranges: &[SourceRange]) -> Result<Vec<ShownSource>, Failure> {
        let mut found = BTreeSet::new();
        for range in ranges {
            let is_exact = match range.kind {
                SetKind::Each | SetKind::All => true,
                SetKind::Some | SetKind::Whole => false,
            };
            let (from, to) = (range.first.input().get(), range.last.input().get());
            for input in from..=to {
                let first = if input == from { range.first.row() } else { 0 };
                let last = if input == to { range.last.row() } else { ROWS_PER_INPUT_MAX };
                self.tell_rows(input, first, last, is_exact, &mut found)?;
            }
        }
        Ok(joined(found))
    }

    fn tell_rows(
        &mut self,
        input: u32,
        first: u64,
        last: u64,
        is_exact: bool,
        found: &mut BTreeSet<ShownSource>,
    ) -> Result<(), Failure> {
        let of_input = usize::try_from(input).ok().and_then(|input| self.inputs.get(input));
        let entry = &of_input.ok_or_else(|| failures::bug("a row of an input that is not there"))?.entry;
        let dataset = entry.dataset.clone();
        if !self.hidden.contains(&dataset) {
            // A range that passes over an input ends where its rows end.
            let ordinal = InputOrdinal::new(input).map_err(failures::bug)?;
            let end = self.findings.rows_of(ordinal).and_then(|rows| rows.checked_sub(1));
            let last = end.map_or(last, |end| last.min(end));
            let rows = ShownRows::At { store: entry.store.to_string(), path: entry.path.clone(), first, last };
            found.insert(ShownSource { dataset, rows, is_exact });
        } else if is_exact {
            for row in first..=last {
                let row = RowId::new(InputOrdinal::new(input).map_err(failures::bug)?, row);
                let next = self.numbers.len() as u64 + 1;
                let number = *self.numbers.entry(row.map_err(failures::bug)?).or_insert(next);
                found.insert(ShownSource {
                    dataset: dataset.clone(),
                    rows: ShownRows::Numbered { first: number, last: number },
                    is_exact,
                });
            }
        } else {
            found.insert(ShownSource { dataset, rows: ShownRows::Some, is_exact });
        }
        Ok(())
    }
}

/// Numbers that follow one another as one.
fn joined(sources: BTreeSet<ShownSource>) -> Vec<ShownSource> {
    let mut all: Vec<ShownSource> = Vec::with_capacity(sources.len());
    for source in sources {
        if let (ShownRows::Numbered { first, last }, Some(before)) = (&source.rows, all.last_mut())
            && before.dataset == source.dataset
            && let ShownRows::Numbered { last: end, .. } = &mut before.rows
            && *end + 1 == *first
        {
            *end = *last;
        } else {
            all.push(source);
        }
    }
    all
}

/// Ranges that are collected before they are brought in order the first time.
const UNSETTLED_MAX: usize = 65_536;

/// The source rows behind what went out so far.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) rows: u64,
    listed: BTreeMap<(u32, SetKind), Listed>,
}

#[derive(Default)]
struct Listed {
    ranges: Vec<(RowId, RowId)>,
    /// How many there were when they were last brought in order.
    settled: usize,
}

impl Shown {
    pub(crate) fn add(&mut self, range: SourceRange) {
        let kind = match range.kind {
            SetKind::Each | SetKind::All => SetKind::All,
            SetKind::Some => SetKind::Some,
            SetKind::Whole => SetKind::Whole,
        };
        let listed = self.listed.entry((range.relation, kind)).or_default();
        match listed.ranges.last_mut() {
            Some((first, last)) if (*first..=*last).contains(&range.first) => *last = range.last.max(*last),
            Some((_, last)) if last.to_i64() + 1 == range.first.to_i64() => *last = range.last,
            _ => listed.ranges.push((range.first, range.last)),
        }
        if listed.ranges.len() > 2 * listed.settled.max(UNSETTLED_MAX) {
            listed.settle();
        }
    }

    pub(crate) fn whole(&mut self, (relation, first, last): (u32, RowId, RowId)) {
        self.add(SourceRange { relation, kind: SetKind::Whole, first, last });
    }

    pub(crate) fn accessed(mut self) -> AccessedRows {
        let mut all = Vec::new();
        for ((relation, kind), listed) in &mut self.listed {
            listed.settle();
            let range = |(first, last): &(RowId, RowId)| AccessedRange {
                relation: *relation,
                kind: *kind,
                first: *first,
                last: *last,
            };
            all.extend(listed.ranges.iter().map(range));
        }
        all.sort_unstable_by_key(|range| (range.relation, range.first));
        AccessedRows { ranges: all }
    }
}

impl Listed {
    /// Brings the ranges in order, those together that touch.
    fn settle(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, before| {
            let touches = next.0.to_i64() <= before.1.to_i64().saturating_add(1);
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        self.settled = self.ranges.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_shown_again_and_again_take_no_more_room() {
        let id = |row: u64| RowId::new(InputOrdinal::new(0).unwrap(), row).unwrap();
        let mut shown = Shown::default();
        for _ in 0..10 {
            for row in 0..50_000 {
                let range = SourceRange { relation: 0, kind: SetKind::All, first: id(2 * row), last: id(2 * row) };
                shown.add(range);
            }
        }
        let kept = shown.listed.values().next().unwrap().ranges.len();
        assert!(kept <= 2 * UNSETTLED_MAX, "{kept}");
        let accessed = shown.accessed();
        assert_eq!(accessed.ranges.len(), 50_000);
        assert_eq!(accessed.rows(), 50_000);
    }
}
