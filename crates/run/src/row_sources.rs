//! The source rows of output rows, taken from the hidden columns at the end of each batch.

use arrow::array::{Array, AsArray, Int64Array, ListArray, RecordBatch};
use arrow::datatypes::Int64Type;
use lockgate_evidence::{ProvenanceBuilder, ProvenanceSetsBuilder, SegmentError, SetKind, SourceRange, attachment};
use lockgate_model::{Failure, RowId};
use lockgate_plan::{PassedRows, RowSet};

use crate::failures;

/// The hidden columns of a batch, each with the number of its relation.
pub(crate) struct SourceColumns {
    columns: Vec<(u32, Sources)>,
}

enum Sources {
    OneRow(Int64Array),
    Rows(ListArray),
}

impl SourceColumns {
    /// Takes them off the end of a batch.
    pub(crate) fn split(batch: &RecordBatch, relations: &[usize]) -> Result<(RecordBatch, Self), Failure> {
        let shown = batch.num_columns().checked_sub(relations.len());
        let shown = shown.ok_or_else(|| failures::bug("a batch without its source columns"))?;
        let hidden = batch.columns().iter().skip(shown).zip(relations);
        let columns = hidden.map(|(column, relation)| {
            let relation = u32::try_from(*relation).map_err(failures::bug)?;
            if let Some(ids) = column.as_primitive_opt::<Int64Type>() {
                return Ok((relation, Sources::OneRow(ids.clone())));
            }
            let lists = column.as_list_opt::<i32>().ok_or_else(|| failures::bug("source rows that are no row ids"))?;
            Ok((relation, Sources::Rows(lists.clone())))
        });
        let columns = columns.collect::<Result<_, Failure>>()?;
        let kept: Vec<usize> = (0..shown).collect();
        Ok((batch.project(&kept).map_err(failures::bug)?, Self { columns }))
    }

    /// The source rows of a row, by relation.
    pub(crate) fn of_row(&self, row: usize, mut each: impl FnMut(u32, RowSet)) -> Result<(), Failure> {
        for (relation, sources) in &self.columns {
            match sources {
                Sources::OneRow(ids) if ids.is_null(row) => {}
                Sources::OneRow(ids) => each(*relation, RowSet::Rows(vec![ids.value(row)])),
                Sources::Rows(lists) => each(*relation, RowSet::read(lists, row).map_err(failures::bug)?),
            }
        }
        Ok(())
    }
}

/// Collects the source rows of all output rows.
pub(crate) enum RowSources {
    /// Each is made from one.
    RowWise(ProvenanceBuilder),
    Sets(ProvenanceSetsBuilder),
}

impl RowSources {
    pub(crate) fn of(is_row_wise: bool) -> Self {
        match is_row_wise {
            true => Self::RowWise(ProvenanceBuilder::default()),
            false => Self::Sets(ProvenanceSetsBuilder::default()),
        }
    }

    /// The rows so far.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Self::RowWise(builder) => builder.rows(),
            Self::Sets(builder) => builder.rows(),
        }
    }

    /// The next output row.
    pub(crate) fn push(&mut self, sources: &SourceColumns, row: usize) -> Result<(), Failure> {
        match self {
            Self::RowWise(builder) => {
                let mut ids = sources.columns.iter().filter_map(|(_, sources)| match sources {
                    Sources::OneRow(ids) if ids.is_valid(row) => Some(ids.value(row)),
                    Sources::OneRow(_) | Sources::Rows(_) => None,
                });
                match (ids.next(), ids.next()) {
                    (Some(id), None) => builder.push(row_id(id)?),
                    _ => return Err(failures::bug("a row of a row-wise plan that was not made from one row")),
                }
            }
            Self::Sets(builder) => {
                for (relation, sources) in &sources.columns {
                    match sources {
                        Sources::OneRow(ids) if ids.is_null(row) => {}
                        Sources::OneRow(ids) => builder.push_row(*relation, row_id(ids.value(row))?),
                        Sources::Rows(lists) => {
                            for range in ranges(*relation, &RowSet::read(lists, row).map_err(failures::bug)?)? {
                                builder.push_range(range);
                            }
                        }
                    }
                }
                builder.end_row();
            }
        }
        Ok(())
    }

    /// The name and the bytes of the segment, with what was read as a whole.
    pub(crate) fn finish(self, whole: &[(u32, RowId, RowId)]) -> Result<(&'static str, Vec<u8>), SegmentError> {
        match self {
            Self::RowWise(builder) => Ok((attachment::PROVENANCE, builder.finish()?)),
            Self::Sets(builder) => Ok((attachment::PROVENANCE_SETS, builder.finish(whole)?)),
        }
    }
}

/// The rows of relations that were read as a whole.
pub(crate) fn whole_rows<'a>(
    passed: impl IntoIterator<Item = (&'a usize, &'a std::sync::Arc<PassedRows>)>,
) -> Result<Vec<(u32, RowId, RowId)>, Failure> {
    let mut found = Vec::new();
    for (relation, passed) in passed {
        let relation = u32::try_from(*relation).map_err(failures::bug)?;
        for (first, last) in passed.ranges() {
            found.push((relation, row_id(first)?, row_id(last)?));
        }
    }
    Ok(found)
}

/// The rows of a set as ranges.
pub(crate) fn ranges(relation: u32, set: &RowSet) -> Result<Vec<SourceRange>, Failure> {
    let mut ranges: Vec<SourceRange> = Vec::new();
    match set {
        RowSet::Covering { first, last } => {
            let (first, last) = (row_id(*first)?, row_id(*last)?);
            ranges.push(SourceRange { relation, kind: SetKind::Some, first, last });
        }
        RowSet::Rows(ids) => {
            for id in ids {
                let id = row_id(*id)?;
                match ranges.last_mut() {
                    Some(range) if range.last.to_i64() + 1 == id.to_i64() => range.last = id,
                    _ => ranges.push(SourceRange { relation, kind: SetKind::All, first: id, last: id }),
                }
            }
        }
    }
    Ok(ranges)
}

pub(crate) fn row_id(id: i64) -> Result<RowId, Failure> {
    RowId::from_i64(id).map_err(failures::bug)
}
