//! An OpenLineage event that is due is on the disk before the run goes on, and stays there until its server has it.
//!
//! ```text
//! run ─► START, RUNNING, COMPLETE or FAIL ─► .lockgate/openlineage/<transport>/<event>.json ─► http, file, console
//!  │                                               └─ what could not be sent is sent by the next run
//!  └─ a marker while it lasts: whose run is gone without an end is told of as ABORT by the next one
//! ```
//! Nothing here fails a run or holds it up: what goes wrong is told of on standard error, and at the end of a command the
//! events that are left have [`CLOSE_TIMEOUT`] to go.

mod configured;
mod describe;
mod marker;
mod spool;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use jiff::Timestamp;
use lockgate_crypto::{Random, SystemRandom};
use lockgate_model::Failure;
use lockgate_openlineage::{Dataset, EventType, Facets, Job, JobEvent, Run, RunEvent, error_message, uuid_v7};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{Pipeline, Project};
use lockgate_run::{RunOutcome, Take};
use lockgate_trust::Site;

use crate::output;
use describe::Description;
use marker::Marker;
use spool::Spool;

/// How long a command waits for its last events to be sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a pipeline reads and writes, as an event that belongs to no run.
pub(crate) fn of_pipeline(project: &Project, pipeline: &Pipeline, plan: &Governed<Plan>) -> JobEvent {
    let description = Description::of(project, pipeline, plan, &BTreeMap::new(), &Take::New);
    let namespace = project.lineage.as_ref().and_then(|lineage| lineage.namespace.clone());
    let job = Job {
        namespace: namespace.unwrap_or_else(|| project.name.to_string()),
        name: description.job.clone(),
        facets: description.job_facets.clone(),
    };
    JobEvent::new(Timestamp::now().to_string(), job, description.inputs(None), vec![description.output(None)])
}

/// Tells of runs.
pub(crate) struct Events {
    wake: Sender<()>,
    done: Receiver<()>,
    spool: Spool,
    namespace: String,
}

impl Events {
    /// Begins, if anything is configured. What is wrong with the configuration is told of, and nothing is sent.
    pub(crate) fn open(site: &Site) -> Option<Self> {
        let settings = match configured::settings(site) {
            Ok(settings) if settings.transports.is_empty() => return None,
            Ok(settings) => settings,
            Err(why) => {
                output::note(&format!("no lineage is sent: {why}"));
                return None;
            }
        };
        let namespace = settings.namespace.unwrap_or_else(|| site.name.to_string());
        let spool = Spool::new(site, settings.transports);
        for abort in marker::abandoned(spool.folder()) {
            spool.keep(&abort);
        }
        let (wake, woken) = channel();
        let (finished, done) = channel();
        let (sending, site) = (spool.clone(), site.clone());
        std::thread::spawn(move || {
            sending.send_as_woken(&site, &woken);
            // Nobody waits where the command is gone already.
            let _ = finished.send(());
        });
        Some(Self { wake, done, spool, namespace })
    }

    /// Tells that a run begins.
    pub(crate) fn start<'e>(
        &'e self,
        site: &Site,
        pipeline: &Pipeline,
        plan: &Governed<Plan>,
        params: &BTreeMap<String, String>,
        take: &Take,
    ) -> Option<RunEvents<'e>> {
        let mut random = [0; 10];
        if SystemRandom.fill(&mut random).is_err() {
            output::note("no lineage of this run is sent: the system gave no random bytes for its id");
            return None;
        }
        let now = Timestamp::now().as_millisecond().try_into().unwrap_or_default();
        let description = Description::of(site, pipeline, plan, params, take);
        let run = RunEvents { events: self, run_id: uuid_v7(now, random), description, marker: None };
        let abort = run.event(EventType::Abort, Facets::default(), None);
        let marker = Marker::place(self.spool.folder(), &run.run_id, &abort);
        run.tell(EventType::Start);
        Some(RunEvents { marker, ..run })
    }

    /// Waits a little for what is left to be sent.
    pub(crate) fn close(self) {
        drop(self.wake);
        if self.done.recv_timeout(CLOSE_TIMEOUT).is_err() || self.spool.has_waiting() {
            output::note("lineage events wait in .lockgate/openlineage, and are sent by the next run");
        }
    }
}

/// Tells of one run.
pub(crate) struct RunEvents<'e> {
    events: &'e Events,
    run_id: String,
    description: Description,
    marker: Option<Marker>,
}

impl RunEvents<'_> {
    /// Its inputs are known, and rows flow.
    pub(crate) fn running(&self) {
        self.tell(EventType::Running);
    }

    /// It came to its end.
    pub(crate) fn end(self, outcome: &Result<RunOutcome, Failure>) {
        let event = match outcome {
            Ok(outcome) => {
                let facets = self.description.outcome_facets(outcome);
                self.event(EventType::Complete, facets, Some(outcome))
            }
            Err(failure) => self.event(EventType::Fail, Facets::from_iter([error_message(&failure.message)]), None),
        };
        self.keep(&event);
        if let Some(marker) = self.marker {
            marker.remove();
        }
    }

    fn tell(&self, event_type: EventType) {
        self.keep(&self.event(event_type, Facets::default(), None));
    }

    fn keep(&self, event: &RunEvent) {
        match serde_json::to_string(event) {
            Ok(text) => self.events.spool.keep(&text),
            Err(error) => output::note(&format!("a lineage event cannot be written: {error}")),
        }
        // The thread that sends ends only after this.
        let _ = self.events.wake.send(());
    }

    fn event(&self, event_type: EventType, more: Facets, outcome: Option<&RunOutcome>) -> RunEvent {
        let description = &self.description;
        let run = Run { run_id: self.run_id.clone(), facets: description.run_facets.clone().with(more) };
        let job = Job {
            namespace: self.events.namespace.clone(),
            name: description.job.clone(),
            facets: description.job_facets.clone(),
        };
        let inputs: Vec<Dataset> = description.inputs(outcome);
        let outputs = vec![description.output(outcome)];
        RunEvent::new(event_type, Timestamp::now().to_string(), run, job, inputs, outputs)
    }
}
