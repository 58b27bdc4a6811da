//! `query`: rows as somebody sees them, and an entry in the ledger before the first of them is shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lockgate_model::{Failure, FailureKind};
use lockgate_plan::CompiledQuery;
use lockgate_run::{QueryOutcome, QueryRequest, ShownBatch, ShownRows, ShownSource};
use serde_json::{Map, Value, json};

use crate::cli::{QueryArgs, RowFormat};
use crate::output::thousands;
use crate::{context, interrupt, output};

/// The key, or the column, of what a row was made from.
const SOURCES: &str = "lockgate_sources";

pub(crate) fn query(dir: Option<&Path>, args: &QueryArgs) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let params = context::params(&args.params)?;
    let asker = context::asker(&project, &args.principal, &args.groups, args.purpose.as_ref())?;
    let CompiledQuery { plan, authorizations } = context::query(&project, &args.sql, &asker)?;
    if args.provenance && plan.columns().iter().any(|column| column.name.as_str() == SOURCES) {
        let message = format!("the query has a column `{SOURCES}`, the name under which sources are shown");
        return Err(Failure::new(FailureKind::Invalid, message).with_help("name it otherwise with AS"));
    }
    let stop = interrupt::flag()?;
    let request = QueryRequest {
        project: &project,
        sql: &args.sql,
        plan: &plan,
        asker: &asker,
        authorizations: &authorizations,
        params,
        provenance: args.provenance,
        stop: Arc::clone(&stop),
        duration_max: Duration::from_secs(args.timeout_s),
        random: context::random(),
        now: asker.at,
    };
    let runtime = context::runtime()?;
    let names: Vec<String> = plan.columns().iter().map(|column| column.name.to_string()).collect();
    let mut writer = Rows { format: args.format, names, provenance: args.provenance, begun: false };
    let outcome = lockgate_run::query(&request, runtime.handle(), &mut |batch| writer.write(&batch))?;
    writer.end()?;
    tell(&outcome, args);
    Ok(if stop.load(Ordering::Relaxed) { interrupt::EXIT_CODE } else { 0 })
}

fn tell(outcome: &QueryOutcome, args: &QueryArgs) {
    let principal = &args.principal;
    let ledger = &outcome.ledger;
    let rows = thousands(outcome.rows);
    let mut text = format!("{rows} rows shown to {principal}: access {} in {}", outcome.access, ledger.origin);
    if outcome.unreadable > 0 {
        text.push_str(&format!("\n{} records could not be read and are left out", thousands(outcome.unreadable)));
    }
    if args.provenance && !outcome.whole.is_empty() {
        let whole: Vec<_> = outcome.whole.iter().map(place).collect();
        text.push_str(&format!("\nall rows also depend on {}", whole.join(" ")));
    }
    output::note(&text);
}

/// Writes rows as they come.
struct Rows {
    format: RowFormat,
    names: Vec<String>,
    provenance: bool,
    begun: bool,
}

impl Rows {
    /// Says whether there is anybody who reads on.
    fn write(&mut self, batch: &ShownBatch) -> Result<bool, Failure> {
        if batch.rows.num_rows() == 0 {
            return Ok(true);
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        let text = match self.format {
            RowFormat::Text => output::table(&self.cells(batch, is_first, "∅")?, 0),
            RowFormat::Csv => self.csv(batch, is_first)?,
            RowFormat::Ndjson => self.objects(batch)?.iter().map(|row| format!("{row}\n")).collect(),
            RowFormat::Json => {
                let rows: Vec<String> = self.objects(batch)?.iter().map(|row| format!("  {row}")).collect();
                let opening = if is_first { "[" } else { "," };
                format!("{opening}\n{}", rows.join(",\n"))
            }
        };
        output::try_print(&text)
    }

    fn end(&self) -> Result<(), Failure> {
        match (self.format, self.begun) {
            (RowFormat::Json, true) => output::print("\n]\n"),
            (RowFormat::Json, false) => output::print("[]\n"),
            (RowFormat::Text, false) => output::print(&output::table(&[self.header()], 0)),
            (RowFormat::Csv, false) => output::print(&csv_text(&[self.header()])?),
            (RowFormat::Text | RowFormat::Csv | RowFormat::Ndjson, _) => Ok(()),
        }
    }

    fn header(&self) -> Vec<String> {
        self.names.iter().cloned().chain(self.provenance.then(|| SOURCES.to_owned())).collect()
    }

    fn cells(&self, batch: &ShownBatch, with_header: bool, null: &str) -> Result<Vec<Vec<String>>, Failure> {
        let mut rows = if with_header { vec![self.header()] } else { Vec::new() };
        let options = FormatOptions::default().with_null(null);
        let columns = batch.rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
        for row in 0..batch.rows.num_rows() {
            let mut cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            if let Some(sources) = batch.sources.get(row) {
                cells.push(sources.iter().map(place).collect::<Vec<_>>().join(" "));
            }
            rows.push(cells);
        }
        Ok(rows)
    }

    fn csv(&self, batch: &ShownBatch, with_header: bool) -> Result<String, Failure> {
        csv_text(&self.cells(batch, with_header, "")?)
    }

    fn objects(&self, batch: &ShownBatch) -> Result<Vec<Value>, Failure> {
        (0..batch.rows.num_rows()).map(|row| self.object(&batch.rows, batch.sources.get(row), row)).collect()
    }

    fn object(&self, rows: &RecordBatch, sources: Option<&Vec<ShownSource>>, row: usize) -> Result<Value, Failure> {
        let mut object = Map::new();
        for (name, column) in self.names.iter().zip(rows.columns()) {
            object.insert(name.clone(), json_value(column, row)?);
        }
        if let Some(sources) = sources {
            object.insert(SOURCES.to_owned(), sources.iter().map(source_json).collect());
        }
        Ok(Value::Object(object))
    }
}

/// Numbers and booleans are themselves; everything else, decimals included, is text, so that nothing is rounded.
fn json_value(column: &ArrayRef, row: usize) -> Result<Value, Failure> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options).map_err(unwritable)?;
            Value::String(formatter.value(row).to_string())
        }
    })
}

fn source_json(source: &ShownSource) -> Value {
    let ShownSource { dataset, rows, is_exact } = source;
    match rows {
        ShownRows::At { store, path, first, last } => json!({
            "dataset": dataset, "store": store, "path": path, "first_row": first, "last_row": last, "exact": is_exact
        }),
        ShownRows::Numbered { first, last } => json!({
            "dataset": dataset, "first_number": first, "last_number": last, "exact": is_exact
        }),
        ShownRows::Some => json!({ "dataset": dataset, "exact": is_exact }),
    }
}

/// `customers/eu.csv:12`, or `customers/eu.csv:12-40` for several, with `~` where it was made from some of them. Where places
/// would tell of what is hidden: `customers#3`, the third source row that was shown, or `customers~`.
fn place(source: &ShownSource) -> String {
    let some = if source.is_exact { "" } else { "~" };
    match &source.rows {
        ShownRows::At { path, first, last, .. } if first == last => format!("{path}:{some}{first}"),
        ShownRows::At { path, first, last, .. } => format!("{path}:{some}{first}-{last}"),
        ShownRows::Numbered { first, last } if first == last => format!("{}#{first}", source.dataset),
        ShownRows::Numbered { first, last } => format!("{}#{first}-{last}", source.dataset),
        ShownRows::Some => format!("{}{some}", source.dataset),
    }
}

fn csv_text(rows: &[Vec<String>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(unwritable)?;
    }
    let bytes = writer.into_inner().map_err(|error| unwritable(error.error()))?;
    String::from_utf8(bytes).map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Bug, format!("rows cannot be written: {error}"))
}
