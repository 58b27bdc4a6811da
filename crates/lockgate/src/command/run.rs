//! `run`: runs a pipeline and says what became of every row and column.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lockgate_model::{Failure, FailureKind};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{Pipeline, Project};
use lockgate_run::{ColumnOutcome, Preview, PreviewInput, RunOutcome, RunRequest, RunStatus, Take, preview};
use lockgate_trust::Site;
use tokio::runtime::Handle;

use crate::cli::{Format, RunArgs};
use crate::lineage_events::{Events, RunEvents};
use crate::output::thousands;
use crate::progress::Bar;
use crate::{context, output};

/// How many records that were set aside are listed.
const LISTED_MAX: usize = 20;

pub(crate) fn run(dir: Option<&Path>, args: &RunArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let runtime = context::runtime()?;
    let Job { take, pipelines, params } = Job::of(&project, args, runtime.handle())?;
    let selected = context::pipelines(&project, &pipelines, &args.select)?;
    let given = share_out(&project, &selected, params)?;
    if args.dry_run {
        return dry_run(&project, &selected, &given, args.format);
    }
    let events = Events::open(&project);
    let done = run_all(&project, &selected, given, &take, args, events.as_ref(), runtime.handle());
    if let Some(events) = events {
        events.close();
    }
    done.map(|()| 0)
}

/// Runs the pipelines one after another, and says what became of each.
fn run_all(
    project: &Site,
    selected: &[(&Pipeline, Governed<Plan>)],
    given: Vec<BTreeMap<String, String>>,
    take: &Take,
    args: &RunArgs,
    events: Option<&Events>,
    runtime: &Handle,
) -> Result<(), Failure> {
    let mut outcomes = Vec::new();
    for ((pipeline, plan), params) in selected.iter().zip(given) {
        let told = events.and_then(|events| events.start(project, pipeline, plan, &params, take));
        let outcome = run_one(project, (pipeline, plan), take, params, args, told.as_ref(), runtime);
        if let Some(told) = told {
            told.end(&outcome);
        }
        let outcome = outcome?;
        match (args.format, selected.len()) {
            (Format::Text, _) => output::print(&text(project, &outcome))?,
            (Format::Json, 1) => output::print_json(&outcome)?,
            (Format::Json, _) => outcomes.push(outcome),
        }
    }
    if !outcomes.is_empty() {
        output::print_json(&outcomes)?;
    }
    Ok(())
}

/// Says what each pipeline would do.
fn dry_run(
    project: &Site,
    selected: &[(&Pipeline, Governed<Plan>)],
    given: &[BTreeMap<String, String>],
    format: Format,
) -> Result<u8, Failure> {
    let previews =
        selected.iter().zip(given).map(|((pipeline, plan), params)| preview(project, pipeline, plan, params));
    let previews = previews.collect::<Result<Vec<_>, _>>()?;
    match format {
        Format::Json => output::print_json(&previews)?,
        Format::Text => {
            let text = previews.iter().map(preview_text).collect::<Vec<_>>().join("\n");
            output::print(&format!("{text}\nnothing was read, written or unlocked\n"))?;
        }
    }
    Ok(0)
}

fn preview_text(preview: &Preview) -> String {
    let mut text =
        format!("{}: would {} into {} in store {}\n", preview.pipeline, preview.mode, preview.dataset, preview.store);
    for (name, value) in &preview.params {
        text.push_str(&format!("  with {name}={value}\n"));
    }
    text.push_str("\ninputs; those that are in already would be skipped\n");
    let input = |input: &PreviewInput| match (&input.path, input.bytes, &input.written_by) {
        (Some(path), Some(bytes), _) => {
            vec![input.dataset.to_string(), path.clone(), format!("{} bytes", thousands(bytes))]
        }
        (Some(path), None, _) => vec![input.dataset.to_string(), path.clone(), "a table".to_owned()],
        (_, _, Some(pipeline)) => vec![input.dataset.to_string(), format!("what pipeline {pipeline} wrote")],
        _ => vec![input.dataset.to_string()],
    };
    text.push_str(&output::table(&preview.inputs.iter().map(input).collect::<Vec<_>>(), 2));
    text.push_str(&columns(&preview.columns));
    text
}

/// What a command line asks for.
struct Job {
    take: Take,
    pipelines: Vec<String>,
    params: BTreeMap<String, String>,
}

impl Job {
    fn of(project: &Site, args: &RunArgs, runtime: &Handle) -> Result<Self, Failure> {
        let Some(run) = &args.requarantined else {
            return Ok(Self {
                take: if args.full_refresh { Take::Everything } else { Take::New },
                pipelines: args.pipelines.clone(),
                params: context::params(&args.params)?,
            });
        };
        let run = context::run_id(run)?;
        let (pipeline, params) = lockgate_forensics::intended(project, &run, runtime)?;
        Ok(Self {
            take: Take::Requarantined { run, mended: args.mended },
            pipelines: vec![pipeline.to_string()],
            params,
        })
    }
}

fn run_one(
    project: &Site,
    (pipeline, plan): (&Pipeline, &Governed<Plan>),
    take: &Take,
    params: BTreeMap<String, String>,
    args: &RunArgs,
    told: Option<&RunEvents<'_>>,
    runtime: &Handle,
) -> Result<RunOutcome, Failure> {
    let bar = Arc::new(Bar::new());
    let announced = Arc::clone(&bar);
    let request = RunRequest {
        project,
        pipeline,
        plan,
        take: take.clone(),
        params,
        max_quarantined: args.max_quarantined,
        progress: Arc::clone(&bar) as Arc<dyn lockgate_run::Progress>,
        announce: &move |bytes| {
            announced.announce(bytes);
            if let Some(told) = told {
                told.running();
            }
        },
        random: context::random(),
        now: context::now(),
    };
    let outcome = lockgate_run::run(&request, runtime);
    bar.clear();
    let outcome = outcome?;
    if let Some(recovered) = &outcome.recovered {
        output::note(recovered);
    }
    Ok(outcome)
}

/// The parameters of each pipeline. One pipeline gets all of them and refuses those that it does not know; of several
/// each gets those that it knows, and one that none knows is refused.
fn share_out(
    project: &Site,
    selected: &[(&Pipeline, Governed<Plan>)],
    params: BTreeMap<String, String>,
) -> Result<Vec<BTreeMap<String, String>>, Failure> {
    if selected.len() == 1 {
        return Ok(vec![params]);
    }
    let knows = |(pipeline, plan): &(&Pipeline, Governed<Plan>), name: &str| {
        let mut datasets = plan.reads().filter_map(|table| project.datasets.get(&table.dataset));
        pipeline.params.contains_key(name) || datasets.any(|dataset| dataset.parameters().any(|known| known == name))
    };
    if let Some(unknown) = params.keys().find(|name| !selected.iter().any(|one| knows(one, name))) {
        let message = format!("none of the pipelines has a parameter `{unknown}`");
        return Err(Failure::new(FailureKind::Invalid, message).with_help("remove it, or correct its name"));
    }
    let of_one = |one: &(&Pipeline, Governed<Plan>)| {
        params.iter().filter(|(name, _)| knows(one, name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Ok(selected.iter().map(of_one).collect())
}

fn text(project: &Project, outcome: &RunOutcome) -> String {
    let mut text = match (&outcome.run, outcome.status) {
        (Some(run), RunStatus::Committed) => format!("run {run} of {}: committed\n\n", outcome.pipeline),
        _ => format!(
            "{}: nothing new; every input is in {} already, and nothing was changed\n\n",
            outcome.pipeline, outcome.dataset
        ),
    };
    if outcome.status == RunStatus::Committed {
        text.push_str(&counts(project, outcome));
        text.push_str(&columns(&outcome.columns));
    }
    let ledger = &outcome.ledger;
    text.push_str(&format!(
        "ledger      {} with {} entries, root {}\n",
        ledger.origin,
        thousands(ledger.size),
        ledger.root
    ));
    text.push_str(&next(project, outcome));
    text
}

fn counts(project: &Project, outcome: &RunOutcome) -> String {
    let files = outcome.inputs.len();
    let mut text = format!(
        "read        {} records, {} bytes, from {files} {}\nwritten     {} rows into {} in store {}\nset aside   {} records\n",
        thousands(outcome.rows_read),
        thousands(outcome.bytes_read),
        if files == 1 { "input" } else { "inputs" },
        thousands(outcome.rows_written),
        outcome.dataset,
        outcome.store,
        thousands(outcome.rows_quarantined),
    );
    for row in outcome.quarantined.iter().take(LISTED_MAX) {
        let place = row.line.map_or_else(|| format!(" record {}", row.row), |line| line.to_string());
        text.push_str(&format!("            {}:{place}: {}\n", row.path, row.reason));
    }
    if outcome.quarantined.len() > LISTED_MAX {
        text.push_str(&format!("            and {} more\n", outcome.quarantined.len() - LISTED_MAX));
    }
    if let (Some(run), false) = (&outcome.run, outcome.quarantined.is_empty()) {
        let at = project.root.display();
        text.push_str(&format!(
            "            kept whole and sealed: lockgate trace --quarantine {run} --project {at}\n"
        ));
    }
    text
}

fn columns(columns: &[ColumnOutcome]) -> String {
    let row = |column: &ColumnOutcome| {
        vec![column.name.to_string(), column.done.clone(), column.level.clone(), column.because.clone()]
    };
    format!("\ncolumns\n{}\n", output::table(&columns.iter().map(row).collect::<Vec<_>>(), 2))
}

fn next(project: &Project, outcome: &RunOutcome) -> String {
    let at = project.root.display();
    match outcome.status {
        RunStatus::Committed => format!(
            "next        lockgate trace {} --row {} --project {at}\n            lockgate verify --project {at}\n",
            outcome.dataset, outcome.first_row
        ),
        RunStatus::NothingNew => format!("next        lockgate verify --project {at}\n"),
    }
}
