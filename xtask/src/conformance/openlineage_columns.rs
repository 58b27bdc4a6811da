//! Column lineage of the statements of OpenLineage's compatibility scenarios: exactly the columns and the inputs that the
//! expected events name, none missing and none more.
//!
//! What an expected event calls an input is a column whose value, or whose test in a CASE, makes the value.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Tally, files};

/// For each column of the output: table and column of each input.
type Columns = BTreeMap<String, BTreeSet<(String, String)>>;

/// The files of expected events that were held against the program.
pub(super) fn run(program: &Path, scenario: &Path, tally: &mut Tally) -> Result<Vec<PathBuf>, String> {
    let mut held = Vec::new();
    for expected in files(scenario, "column_lineage_event.json") {
        let statement = expected.with_file_name("sql_event.json");
        let (event, sql) = (read(&expected)?, read(&statement)?);
        let name = event["job"]["name"].as_str().unwrap_or_default().to_owned();
        let wanted = expected_columns(&event)?;
        match told_columns(program, &sql["job"]["facets"]["sql"], &wanted) {
            Ok(told) if told == wanted => tally.passed += 1,
            Ok(told) => {
                tally.failed += 1;
                println!("openlineage: {name}: FAILED: expected {wanted:?}, told {told:?}");
            }
            Err(why) => {
                tally.failed += 1;
                println!("openlineage: {name}: FAILED: {why}");
            }
        }
        held.extend([expected, statement]);
    }
    Ok(held)
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is missing in {value}"))
}

fn expected_columns(event: &Value) -> Result<Columns, String> {
    let fields = &event["outputs"][0]["facets"]["columnLineage"]["fields"];
    let fields = fields.as_object().ok_or("the expected event has no column lineage")?;
    let mut columns = Columns::new();
    for (column, lineage) in fields {
        let inputs = lineage["inputFields"].as_array().ok_or_else(|| format!("`{column}` has no inputs"))?;
        let inputs = inputs.iter().map(|input| Ok((text(input, "name")?, text(input, "field")?)));
        columns.insert(column.clone(), inputs.collect::<Result<_, String>>()?);
    }
    Ok(columns)
}

fn told_columns(program: &Path, sql: &Value, wanted: &Columns) -> Result<Columns, String> {
    let (statement, dialect) = (text(sql, "query")?, text(sql, "dialect")?);
    let catalog = std::env::temp_dir().join(format!("lockgate-tables-{}.json", std::process::id()));
    fs::write(&catalog, catalog_of(&statement, wanted).to_string()).map_err(|error| error.to_string())?;
    let mut lineage = Command::new(program);
    lineage.args(["lineage", "--format", "json", "--sql", &statement, "--dialect", &dialect, "--catalog"]);
    let said = lineage.arg(&catalog).output().map_err(|error| error.to_string());
    let _ = fs::remove_file(&catalog);
    let said = said?;
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).into_owned());
    }
    let told: Value = serde_json::from_slice(&said.stdout).map_err(|error| error.to_string())?;
    let mut columns = Columns::new();
    for output in told["outputs"].as_array().ok_or("no outputs are told")? {
        let inputs = output["inputs"].as_array().ok_or("no inputs are told")?;
        let makes = |input: &&Value| input["type"] == "DIRECT" || input["subtype"] == "CONDITIONAL";
        let inputs = inputs.iter().filter(makes).map(|input| Ok((text(input, "table")?, text(input, "column")?)));
        columns.insert(text(output, "column")?, inputs.collect::<Result<_, String>>()?);
    }
    Ok(columns)
}

/// The tables that the events name, each with every word of the statement as a column: no schema lies beside them, and where
/// there are several the statements qualify their columns.
fn catalog_of(statement: &str, wanted: &Columns) -> Value {
    let words = statement.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let names: BTreeSet<&str> = words.collect();
    let columns: Vec<Value> = names.into_iter().map(|name| json!({ "name": name, "type": "text" })).collect();
    let tables: BTreeSet<&String> = wanted.values().flatten().map(|(table, _)| table).collect();
    let tables = tables.into_iter().map(|table| (table.clone(), json!({ "columns": columns })));
    json!({ "tables": tables.collect::<serde_json::Map<String, Value>>() })
}
