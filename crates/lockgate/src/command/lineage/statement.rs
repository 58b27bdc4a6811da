//! The lineage of one statement over a list of tables, or over the project's datasets.

use std::io::Read;
use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_plan::{NamedTable, NamedTables, Problem, SQL_BYTES_MAX, SqlDialect, is_type, lineage_of_statement};
use lockgate_project::{Diagnostics, PROJECT_FILE_BYTES_MAX, SourceFiles, Span, table_list};

use super::datasets::Graph;
use super::{InputJson, OutputJson, below, branch};
use crate::cli::{LineageArgs, LineageDialect};
use crate::{context, output};

/// What the statement puts out.
pub(super) fn outputs(dir: Option<&Path>, sql: &str, args: &LineageArgs) -> Result<Vec<OutputJson>, Failure> {
    let dialect = match args.dialect {
        LineageDialect::Postgres => SqlDialect::Postgres,
        LineageDialect::Spark => SqlDialect::Spark,
        LineageDialect::Generic => SqlDialect::Generic,
    };
    let sql = if sql == "-" { from_standard_input()? } else { sql.to_owned() };
    let tables = match &args.catalog {
        Some(file) => listed(file, dialect)?,
        None => Graph::load(dir)?.tables(),
    };
    let lineage = lineage_of_statement(&sql, dialect, &tables).map_err(|problem| shown(&problem, &sql))?;
    let output = |column: lockgate_plan::OutputLineage| OutputJson {
        table: lineage.table.clone(),
        column: column.column,
        inputs: column
            .inputs
            .into_iter()
            .map(|input| InputJson::new(input.table, input.column, input.kind, input.masking))
            .collect(),
    };
    Ok(lineage.columns.into_iter().map(output).collect())
}

/// Each output with the columns that it depends on below it.
pub(super) fn tree(outputs: &[OutputJson]) -> String {
    let mut text = String::new();
    if let Some(table) = outputs.first().and_then(|output| output.table.as_ref()) {
        text.push_str(&format!("{table}\n"));
    }
    let has_table = !text.is_empty();
    for (index, output) in outputs.iter().enumerate() {
        let is_last = index + 1 == outputs.len();
        let prefix = if has_table {
            text.push_str(&branch("", is_last, &output.column));
            below("", is_last)
        } else {
            text.push_str(&format!("{}\n", output.column));
            String::new()
        };
        for (index, input) in output.inputs.iter().enumerate() {
            text.push_str(&branch(&prefix, index + 1 == output.inputs.len(), &input.written()));
        }
    }
    text
}

fn from_standard_input() -> Result<String, Failure> {
    let mut sql = String::new();
    let most = u64::try_from(SQL_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().lock().take(most).read_to_string(&mut sql).map_err(|error| {
        Failure::new(FailureKind::Invalid, format!("standard input cannot be read as SQL: {error}"))
    })?;
    Ok(sql)
}

fn listed(file: &Path, dialect: SqlDialect) -> Result<NamedTables, Failure> {
    let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
    let shown = file.display();
    let bytes = std::fs::metadata(file).map_err(|error| invalid(format!("{shown} cannot be read: {error}")))?.len();
    if bytes > u64::try_from(PROJECT_FILE_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(invalid(format!("{shown} is larger than {PROJECT_FILE_BYTES_MAX} bytes"))
            .with_help("list the tables that the statement names, and leave the others out"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| invalid(format!("{shown} cannot be read: {error}")))?;
    let (tables, unread) = table_list(&shown.to_string(), &text).map_err(|(problems, sources)| {
        context::tell(&problems, &sources);
        invalid(format!("{shown} is no list of tables")).with_help("`docs/lineage.md` shows its form")
    })?;
    for key in unread {
        output::note(&format!("note: the key `{key}` of {shown} is not read"));
    }
    let mut named = Vec::new();
    for table in tables {
        for column in table.columns.iter().filter(|column| !column.type_text.is_empty()) {
            if !is_type(&column.type_text, dialect) {
                let (table, column, found) = (&table.name, &column.name, &column.type_text);
                output::note(&format!(
                    "note: `{found}` of `{table}.{column}` is no type of this dialect: read as text"
                ));
            }
        }
        named.push(NamedTable { name: table.name, columns: table.columns.into_iter().map(|c| c.name).collect() });
    }
    Ok(NamedTables::new(named))
}

/// Shows what is wrong at its place in the SQL.
fn shown(problem: &Problem, sql: &str) -> Failure {
    let mut sources = SourceFiles::new();
    let file = sources.add("--sql", sql);
    let at = problem.at.clone().unwrap_or(0..sql.len());
    let span = Span { file, start: at.start, end: at.end };
    context::tell(&Diagnostics::from_iter([problem.diagnostic(span)]), &sources);
    Failure::new(FailureKind::Invalid, "the statement has no lineage that can be told")
}
