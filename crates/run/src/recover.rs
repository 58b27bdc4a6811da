//! A run that was killed is settled before anything else is done: from the sink's record if it has one, else as aborted.

use lockgate_evidence::{Event, RunAbort, RunIntent};
use lockgate_model::Failure;
use lockgate_trust::Site;

use crate::commit_record::CommitRecord;
use crate::failures;
use crate::journal::Journal;
use crate::pipeline::commit_events;
use crate::sink::Sink;

/// Settles the last run if it has an intent and nothing else. Says what was done.
pub(crate) fn settle_interrupted(project: &Site, journal: &mut Journal) -> Result<Option<String>, Failure> {
    let Some(Event::RunIntent(intent)) = journal.last_run_event()? else { return Ok(None) };
    match committed(project, &intent)? {
        Some(record) => {
            let events = commit_events(&record, &intent.store)?;
            journal.append(events)?;
            Ok(Some(format!(
                "run {} had been interrupted after its rows were written; the ledger has it now",
                intent.run
            )))
        }
        None => {
            let abort =
                RunAbort { run: intent.run.clone(), pipeline: intent.pipeline, reason: "interrupted".to_owned() };
            journal.append(vec![(Event::RunAbort(abort), Vec::new())])?;
            Ok(Some(format!("run {} had been interrupted before its rows were written; it is aborted", intent.run)))
        }
    }
}

fn committed(project: &Site, intent: &RunIntent) -> Result<Option<CommitRecord>, Failure> {
    let Some(sink) = Sink::open_existing(project, &intent.store, &intent.dataset)? else { return Ok(None) };
    let Some(found) = sink.committed(&intent.store, &intent.run)? else { return Ok(None) };
    serde_json::from_str(&found.record).map(Some).map_err(failures::bug)
}
