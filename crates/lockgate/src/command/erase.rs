//! `erase`: makes the sealed values of one person unreadable, wherever their copies lie.

use std::path::Path;

use lockgate_evidence::ErasedCopies;
use lockgate_model::{DatasetName, Failure, FailureKind};
use lockgate_run::{EraseOutcome, EraseRequest, RemainingColumn};

use super::keys::confirm;
use crate::cli::{EraseArgs, Format};
use crate::{context, output};

pub(crate) fn erase(dir: Option<&Path>, args: &EraseArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let dataset: DatasetName =
        args.dataset.parse().map_err(|error| Failure::new(FailureKind::Invalid, format!("{error}")))?;
    if !args.yes {
        confirm("the person's key", &args.subject)?;
    }
    let compiled = lockgate_plan::compile(&project, context::now());
    if let Some(broken) = project.pipelines.keys().find(|name| !compiled.plans.contains_key(*name)) {
        // Tables of a pipeline that does not compile could not be looked at.
        let message = format!("pipeline `{broken}` has errors, so it is not known which values its table has");
        return Err(Failure::new(FailureKind::Invalid, message).with_help("`lockgate check` shows them"));
    }
    let runtime = context::runtime()?;
    let request = EraseRequest {
        project: &project,
        plans: &compiled.plans,
        dataset: &dataset,
        subject: &args.subject,
        because: &args.because,
        random: context::random(),
        now: context::now(),
    };
    let outcome = lockgate_run::erase(&request, runtime.handle())?;
    match args.format {
        Format::Json => output::print_json(&outcome)?,
        Format::Text => output::print(&text(&outcome))?,
    }
    Ok(0)
}

fn text(outcome: &EraseOutcome) -> String {
    let when = if outcome.erased_before { "had been erased before" } else { "is erased" };
    let mut text = format!("a subject of {} {when}; the ledger names it {}\n", outcome.dataset, outcome.subject);
    let copy = |copy: &ErasedCopies| {
        vec![
            format!("{}.{}", copy.dataset, copy.column),
            format!("store {}", copy.store),
            format!("{} sealed", copy.values),
            format!("{} opened before", copy.opened_before),
            format!("{} open now", copy.opened_after),
        ]
    };
    text.push_str(&output::table(&outcome.copies.iter().map(copy).collect::<Vec<_>>(), 2));
    if !outcome.remaining.is_empty() {
        text.push_str("not reached, since it is not sealed:\n");
        let column = |column: &RemainingColumn| {
            vec![
                format!("{}.{}", column.dataset, column.column),
                format!("store {}", column.store),
                column.form.to_string(),
            ]
        };
        text.push_str(&output::table(&outcome.remaining.iter().map(column).collect::<Vec<_>>(), 2));
    }
    text.push_str("not reached either: the files and tables that were loaded, and what runs set aside of them\n");
    let ledger = &outcome.ledger;
    text.push_str(&format!("ledger {} has {} entries, root {}\n", ledger.origin, ledger.size, ledger.root));
    text
}
