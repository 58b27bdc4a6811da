//! `explain --dialect spark`: the governed plan as Spark SQL. Nothing is read, and nothing runs.

use lockgate_model::{Failure, FailureKind};
use lockgate_plan::{Governed, Plan, SparkError, SparkSql};
use serde_json::json;

use crate::cli::Format;
use crate::output;

/// Prints the plan; fails by naming what is not known to be equal in Spark.
pub(super) fn print(plan: &Governed<Plan>, format: Format) -> Result<(), Failure> {
    let sql = plan.spark_sql().map_err(failure)?;
    match format {
        Format::Text => output::print(&text(plan, &sql)),
        Format::Json => output::print_json(&document(plan, &sql)),
    }
}

fn failure(error: SparkError) -> Failure {
    match error {
        SparkError::Unequal(_) => Failure::new(FailureKind::Refused, error.to_string())
            .with_help("`docs/spark.md` lists what is written; `lockgate query` and `lockgate run` execute the rest"),
        SparkError::Differs(_) => Failure::new(FailureKind::Bug, error.to_string()),
    }
}

fn dataset(plan: &Governed<Plan>, relation: usize) -> &str {
    plan.relations().get(relation).map_or("", |relation| relation.dataset.as_str())
}

/// Statements with what each is for before it, as `spark-sql -f` takes them.
fn text(plan: &Governed<Plan>, sql: &SparkSql) -> String {
    let mut text = String::new();
    for (column, relation) in &sql.sources {
        text.push_str(&format!("-- {column}: row ids of {}\n", dataset(plan, *relation)));
    }
    text.push_str(&format!("{};\n", sql.query));
    for (relation, rows) in &sql.whole {
        let name = dataset(plan, *relation);
        text.push_str(&format!("\n-- row ids of {name}, which is read as a whole\n{rows};\n"));
    }
    text
}

fn document(plan: &Governed<Plan>, sql: &SparkSql) -> serde_json::Value {
    let source = |(column, relation): &(String, usize)| json!({ "column": column, "relation": relation, "dataset": dataset(plan, *relation) });
    let whole = |(relation, rows): &(usize, String)| json!({ "relation": relation, "dataset": dataset(plan, *relation), "sql": rows });
    json!({
        "sql": sql.query,
        "sources": sql.sources.iter().map(source).collect::<Vec<_>>(),
        "whole": sql.whole.iter().map(whole).collect::<Vec<_>>(),
    })
}
