//! From a row to everything that was made from it, through all tables that pipelines wrote.
//!
//! ```text
//! eu.csv, record 714 ─► analytics.customers, row 711 of commit 2 ─► marts.cities, row 3 of commit 0
//!                                                               └► marts.people, row 711 of commit 5
//! ```
//! A row that depends on another only by a relation that was read as a whole was not made from it, and is not told.

use std::collections::BTreeMap;

use lockgate_model::{DatasetName, Failure, FailureKind, InputOrdinal, RowId, RunId};
use lockgate_trust::Site;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::commits::{Commits, damaged};
use crate::trace::{Selection, TRACED_ROWS_MAX, select};

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A record of a file, or a row of a table that others write, by its number from zero.
    Record {
        /// The file's path in its store, or the table's name.
        path: String,
        /// Its number, as `trace` tells it.
        row: u64,
    },
    /// Rows of a table that a pipeline wrote.
    Rows(Selection),
}

/// A row that was made from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadeRow {
    /// The dataset that it is in.
    pub dataset: DatasetName,
    /// Its `lockgate_rid`.
    pub row: i64,
    /// The run that wrote it.
    pub run: RunId,
    /// Whether it was made from some rows of a range that the row is in, so that it may not have been made from this one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_covering: bool,
}

/// Rows with everything that was made from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceDown {
    /// The dataset.
    pub dataset: DatasetName,
    /// What was made from its rows, by dataset and row. A row of a commit that was replaced or merged since is told as well.
    pub made: Vec<MadeRow>,
}

/// A row on the way: of a file or a table of others by its path, of a table that a pipeline wrote by its commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Record { dataset: DatasetName, path: String, row: u64 },
    Written { dataset: DatasetName, row: RowId },
}

/// Follows rows of a dataset to what was made from them.
pub fn trace_down(
    project: &Site,
    dataset: &DatasetName,
    origin: &Origin,
    runtime: &Handle,
) -> Result<TraceDown, Failure> {
    let begin: Vec<At> = match origin {
        Origin::Record { path, row } => {
            vec![At::Record { dataset: dataset.clone(), path: path.clone(), row: *row }]
        }
        Origin::Rows(selection) => {
            let rows = select(project, dataset, selection)?;
            rows.into_iter().map(|row| At::Written { dataset: dataset.clone(), row }).collect()
        }
    };
    let mut commits = Commits::find(project, runtime)?;
    let readers = Readers::of(&mut commits)?;
    let mut made: BTreeMap<(DatasetName, RowId), (RunId, bool)> = BTreeMap::new();
    // Whether what was seen may not have been made from it; a row that is seen again for certain is followed again.
    let mut seen: BTreeMap<At, bool> = begin.iter().map(|at| (at.clone(), false)).collect();
    let mut open: Vec<(At, bool)> = begin.into_iter().map(|at| (at, false)).collect();
    while let Some((at, may_be)) = open.pop() {
        for (reader, number, source) in readers.of_row(&at)? {
            let commit = commits.open(reader, number)?;
            for (first, last, is_covering) in commit.provenance.outputs(source) {
                let may_be = may_be || is_covering;
                for row in first..=last {
                    let row = RowId::new(number, row).map_err(damaged)?;
                    let known = made.entry((reader.clone(), row)).or_insert((commit.run.run.clone(), may_be));
                    known.1 &= may_be;
                    if made.len() > TRACED_ROWS_MAX {
                        let message = format!("more than {TRACED_ROWS_MAX} rows were made from it");
                        return Err(Failure::new(FailureKind::Failed, message).with_help("select fewer rows"));
                    }
                    let next = At::Written { dataset: reader.clone(), row };
                    let is_news = seen.get(&next).is_none_or(|before| *before && !may_be);
                    if is_news {
                        seen.insert(next.clone(), may_be);
                        open.push((next, may_be));
                    }
                }
            }
        }
    }
    let row = |((dataset, row), (run, is_covering)): ((DatasetName, RowId), (RunId, bool))| MadeRow {
        dataset,
        row: row.to_i64(),
        run,
        is_covering,
    };
    Ok(TraceDown { dataset: dataset.clone(), made: made.into_iter().map(row).collect() })
}

/// A commit that read something: the dataset that it wrote, its number, and the input that it read it as.
type Reader = (DatasetName, InputOrdinal, InputOrdinal);

/// Which commits read what, and as which input.
struct Readers {
    files: BTreeMap<(DatasetName, String), Vec<Reader>>,
    commits: BTreeMap<(DatasetName, InputOrdinal), Vec<Reader>>,
}

impl Readers {
    fn of(commits: &mut Commits) -> Result<Self, Failure> {
        let mut readers = Self { files: BTreeMap::new(), commits: BTreeMap::new() };
        for (dataset, number) in commits.all() {
            let commit = commits.open(&dataset, number)?;
            for (ordinal, input) in commit.manifest.inputs.iter().enumerate() {
                let ordinal = u32::try_from(ordinal).map_err(damaged)?;
                let reader = (dataset.clone(), number, InputOrdinal::new(ordinal).map_err(damaged)?);
                match input.commit {
                    Some(read) => readers.commits.entry((input.dataset.clone(), read)).or_default().push(reader),
                    None => {
                        let at = (input.dataset.clone(), input.path.clone());
                        readers.files.entry(at).or_default().push(reader);
                    }
                }
            }
        }
        Ok(readers)
    }

    /// The commits that read a row, and the row as each of them numbers it.
    fn of_row(&self, at: &At) -> Result<Vec<(&DatasetName, InputOrdinal, RowId)>, Failure> {
        let (readers, row) = match at {
            At::Record { dataset, path, row } => (self.files.get(&(dataset.clone(), path.clone())), *row),
            At::Written { dataset, row } => (self.commits.get(&(dataset.clone(), row.input())), row.row()),
        };
        let mut found = Vec::new();
        for (dataset, number, ordinal) in readers.into_iter().flatten() {
            found.push((dataset, *number, RowId::new(*ordinal, row).map_err(damaged)?));
        }
        Ok(found)
    }
}
