//! `trace`: where rows came from.

use std::path::Path;

use lockgate_forensics::{
    KeyColumn, MadeRow, Origin, Quarantine, QuarantinedPlace, Selection, SourceRecord, SourceState, Trace, TraceDown,
    TracedRow,
};
use lockgate_model::{DatasetName, Failure, FailureKind, RowId, RunId};
use lockgate_trust::Site;

use crate::cli::{Format, TraceArgs};
use crate::{context, output};

pub(crate) fn trace(dir: Option<&Path>, args: &TraceArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
    if let Some(run) = &args.quarantine {
        return list_quarantine(&project, &context::run_id(run)?, args.format);
    }
    let dataset = args.dataset.as_ref().ok_or_else(|| invalid("say which dataset".into()))?;
    let dataset: DatasetName = dataset.parse().map_err(|error| invalid(format!("{error}")))?;
    let selection = match (&args.condition, args.row) {
        (Some(condition), _) => Selection::Where(condition.clone()),
        (None, Some(row)) => Selection::Row(RowId::from_i64(row).map_err(|error| invalid(error.to_string()))?),
        (None, None) => return Err(invalid("say which rows, with `--where SQL` or `--row ID`".into())),
    };
    let runtime = context::runtime()?;
    if args.down {
        let origin = match (&args.file, args.row) {
            (Some(path), Some(row)) => {
                let row = u64::try_from(row).map_err(|_| invalid("a record's number is not negative".into()))?;
                Origin::Record { path: path.clone(), row }
            }
            _ => Origin::Rows(selection),
        };
        let down = lockgate_forensics::trace_down(&project, &dataset, &origin, runtime.handle())?;
        match args.format {
            Format::Json => output::print_json(&down)?,
            Format::Text => output::print(&down_text(&down))?,
        }
        return Ok(0);
    }
    let trace = lockgate_forensics::trace(&project, &dataset, &selection, runtime.handle())?;
    match args.format {
        Format::Json => output::print_json(&trace)?,
        Format::Text => output::print(&text(&trace))?,
    }
    if trace.rows.is_empty() {
        return Err(Failure::new(FailureKind::Failed, format!("no row of `{dataset}` is selected")).with_help(
            "values that are sealed or tokenized do not compare with clear ones; select by a clear column",
        ));
    }
    // Tables change every day, files that have landed should not.
    let is_changed_file = |source: &&SourceRecord| source.state == SourceState::Changed && source.table.is_none();
    let changed = trace.rows.iter().flat_map(|row| &row.sources).find(is_changed_file);
    match changed {
        None => Ok(0),
        Some(source) => Err(Failure::new(
            FailureKind::Failed,
            format!(
                "`{}` in store `{}` is not what was read: its SHA-256 is another one now",
                source.path, source.store
            ),
        )
        .with_help("the trace above holds for the file as it was; find that one by its SHA-256")),
    }
}

fn down_text(down: &TraceDown) -> String {
    if down.made.is_empty() {
        return format!("no pipeline has made anything from these rows of {}\n", down.dataset);
    }
    let row = |made: &MadeRow| {
        let some = if made.is_covering { "  from some rows of a range that it is in" } else { "" };
        vec![made.dataset.to_string(), format!("row {}", made.row), format!("by run {}{some}", made.run)]
    };
    output::table(&down.made.iter().map(row).collect::<Vec<_>>(), 0)
}

fn list_quarantine(project: &Site, run: &RunId, format: Format) -> Result<u8, Failure> {
    let runtime = context::runtime()?;
    let found = lockgate_forensics::quarantine(project, run, runtime.handle())?;
    match format {
        Format::Json => output::print_json(&found)?,
        Format::Text => output::print(&quarantine_text(project, &found))?,
    }
    Ok(0)
}

fn quarantine_text(project: &Site, found: &Quarantine) -> String {
    let mut text = format!("run {} of {} set {} records aside\n", found.run, found.pipeline, found.records.len());
    let row = |record: &QuarantinedPlace| {
        let line = record.line.map_or_else(|| format!("record {}", record.row), |line| format!("line {line}"));
        vec![record.path.clone(), line, record.reason.clone()]
    };
    text.push_str(&output::table(&found.records.iter().map(row).collect::<Vec<_>>(), 2));
    match (&found.requarantined_by, found.records.is_empty()) {
        (_, true) => {}
        (Some(run), false) => text.push_str(&format!("run {run} has taken them since\n")),
        (None, false) => text.push_str(&format!(
            "mend the catalog, then: lockgate run --requarantined {} --project {}\nor mend the lines in their files, and add --mended\n",
            found.run,
            project.root.display()
        )),
    }
    text
}

fn text(trace: &Trace) -> String {
    trace.rows.iter().map(|row| row_text(trace, row)).collect::<Vec<_>>().join("\n")
}

fn table_source_text(source: &SourceRecord) -> String {
    let state = match source.state {
        SourceState::Unchanged => "the table still has the rows that were read",
        SourceState::Changed => "the table has changed since, so its rows may have other numbers now",
        SourceState::Gone => "the table is no longer there, or cannot be read",
    };
    let column = |column: &KeyColumn| match &column.value {
        Some(value) => format!("{} = {value}", column.name),
        None => column.name.to_string(),
    };
    let key = source.key.iter().map(column).collect::<Vec<_>>().join(", ");
    let at = source.table.as_ref().map_or_else(String::new, |table| {
        format!(", server {}, database {}, snapshot {}", table.server, table.database, table.snapshot)
    });
    format!(
        "  made from   table {} in store {}, row {} in the order of its key ({key})\n              of dataset {}{at}\n              \
         SHA-256 {} of its rows\n              {state}\n",
        source.path, source.store, source.row, source.dataset, source.sha256
    )
}

fn row_text(trace: &Trace, row: &TracedRow) -> String {
    let mut text = format!("{} row {}, written by run {}\n", trace.dataset, row.row, row.run);
    for source in &row.sources {
        if source.table.is_some() {
            text.push_str(&table_source_text(source));
            continue;
        }
        let line = source.line.map_or_else(|| "an unknown line".to_owned(), |line| format!("line {line}"));
        let records = match source.last_row {
            None => format!("record {}", source.row),
            Some(last) if source.is_covering => format!("some of the records {} to {last}", source.row),
            Some(last) => format!("records {} to {last}", source.row),
        };
        let state = match source.state {
            SourceState::Unchanged => "the file is still there, unchanged",
            SourceState::Changed => "THE FILE HAS CHANGED SINCE",
            SourceState::Gone => "the file is no longer there",
        };
        let version = source.version.as_ref().map_or_else(String::new, |version| format!(", version {version}"));
        text.push_str(&format!(
            "  made from   {} in store {}{version}, {line} ({records})\n              of dataset {}, SHA-256 {}\n              {state}\n",
            source.path, source.store, source.dataset, source.sha256
        ));
    }
    for (dataset, rows) in &row.decided_by {
        text.push_str(&format!("  decided by  {dataset} as a whole: {} rows\n", output::thousands(*rows)));
    }
    for stage in &row.stages {
        text.push_str(&format!("  stage       {}\n", stage.stage));
        let cells = |column: &lockgate_forensics::StageColumn| {
            let key = column.key.as_ref().map_or_else(String::new, |key| format!("key {key}"));
            vec![column.name.to_string(), column.protection.to_string(), key]
        };
        text.push_str(&output::table(&stage.columns.iter().map(cells).collect::<Vec<_>>(), 14));
    }
    text
}
