//! Runs a bound plan into a sink's transaction, row by row with its provenance.

use std::str::FromStr;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::common::Result as EngineResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use lockgate_model::{Failure, FailureKind, RowId};
use lockgate_plan::{Bound, Governed, engine_session};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};

use crate::failures;
use crate::reading::BATCHES_AHEAD;
use crate::row_sources::{RowSources, SourceColumns};
use crate::sink::SinkTransaction;

/// How many records may be set aside before a run is given up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxQuarantined {
    /// So many.
    Rows(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl Default for MaxQuarantined {
    /// One of a hundred.
    fn default() -> Self {
        Self::Percent(1.0)
    }
}

impl FromStr for MaxQuarantined {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a number of records nor a percentage such as `1%`");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Rows).map_err(|_| wrong()),
        }
    }
}

impl MaxQuarantined {
    /// Refuses a run in which more was set aside.
    pub(crate) fn check(self, quarantined: u64, read: u64) -> Result<(), Failure> {
        let (exceeded, limit) = match self {
            Self::Rows(most) => (quarantined > most, format!("{most} records")),
            Self::Percent(most) => (quarantined as f64 * 100.0 > most * read as f64, format!("{most}% of the records")),
        };
        if !exceeded {
            return Ok(());
        }
        let message = format!("{quarantined} of {read} records would be set aside, more than the limit of {limit}");
        Err(Failure::new(FailureKind::Failed, message)
            .with_help("nothing was written; mend the files, or raise the limit with `--max-quarantined N|P%`"))
    }
}

/// What executing a plan gave.
pub(crate) struct Executed {
    pub(crate) provenance: RowSources,
    /// The engine's time, waiting for records included.
    pub(crate) protecting: Duration,
    /// The sink's time.
    pub(crate) writing: Duration,
}

/// Executes a plan and writes its rows. The engine sees governed plans only.
pub(crate) fn execute(
    runtime: &Handle,
    plan: &Governed<Bound>,
    is_row_wise: bool,
    store: &str,
    transaction: &mut SinkTransaction<'_>,
) -> Result<Executed, Failure> {
    let batches = start(runtime, plan)?;
    // The engine protects the next batches on a thread of its own while these are written.
    let (sender, mut protected) = channel(BATCHES_AHEAD);
    let engine = runtime.spawn(protect(batches, sender));
    let mut provenance = RowSources::of(is_row_wise);
    let mut writing = Duration::ZERO;
    while let Some(batch) = protected.blocking_recv() {
        let batch = batch.map_err(|error| failures::engine(&error))?;
        let began = Instant::now();
        write_batch(&batch, plan.sources(), store, transaction, &mut provenance)?;
        writing += began.elapsed();
    }
    // Without this a panic in the engine would look like the end of the rows. What it said may hold a value.
    let protecting = runtime.block_on(engine).map_err(|_| failures::bug("the engine ended before its rows did"))?;
    Ok(Executed { provenance, protecting, writing })
}

/// Starts a plan on the engine. It gives batches once they are asked for.
pub(crate) fn start(runtime: &Handle, plan: &Governed<Bound>) -> Result<SendableRecordBatchStream, Failure> {
    let context = engine_session().map_err(|error| failures::engine(&error))?;
    let physical = runtime
        .block_on(context.state().create_physical_plan(plan.logical()))
        .map_err(|error| failures::engine(&error))?;
    let _entered = runtime.enter();
    execute_stream(physical, context.task_ctx()).map_err(|error| failures::engine(&error))
}

/// Drives the engine and hands its batches on; gives the time that it took, without waiting for whoever takes them.
async fn protect(mut batches: SendableRecordBatchStream, sender: Sender<EngineResult<RecordBatch>>) -> Duration {
    let mut protecting = Duration::ZERO;
    loop {
        let began = Instant::now();
        let next = batches.next().await;
        protecting += began.elapsed();
        let Some(batch) = next else { return protecting };
        if sender.send(batch).await.is_err() {
            // The run has ended and wants no more rows.
            return protecting;
        }
    }
}

fn write_batch(
    batch: &RecordBatch,
    sources: &[usize],
    store: &str,
    transaction: &mut SinkTransaction<'_>,
    provenance: &mut RowSources,
) -> Result<(), Failure> {
    let (columns, sources) = SourceColumns::split(batch, sources)?;
    let mut ids = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let id = RowId::new(transaction.commit_ordinal(), provenance.rows());
        ids.push(id.map_err(|error| Failure::new(FailureKind::Failed, error.to_string()))?);
        provenance.push(&sources, row)?;
    }
    transaction.write(store, &columns, &ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_on_both_sides() {
        for (limit, quarantined, read, within) in [
            ("1%", 1, 100, true),
            ("1%", 2, 100, false),
            ("0", 0, 5, true),
            ("0", 1, 5, false),
            ("3", 3, 3, true),
            ("100%", 3, 3, true),
            ("0.5 %", 1, 200, true),
        ] {
            let limit: MaxQuarantined = limit.parse().unwrap();
            assert_eq!(limit.check(quarantined, read).is_ok(), within, "{limit:?} {quarantined}/{read}");
        }
        for wrong in ["", "-1", "101%", "x", "1 %%"] {
            assert!(wrong.parse::<MaxQuarantined>().is_err(), "{wrong}");
        }
    }
}
