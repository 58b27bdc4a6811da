//! One session of PySpark that runs every statement.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::results::Table;

/// An interpreter that has PySpark.
pub(crate) struct Spark {
    python: PathBuf,
}

/// A table for Spark; its values as texts, its row ids in a row from the first.
#[derive(Debug, Clone)]
pub(crate) struct SparkTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) first_id: i64,
}

/// A statement, and the set of tables that it is about.
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) is_ordered: bool,
    pub(crate) set: String,
}

/// What Spark says.
#[derive(Debug)]
pub(crate) enum Answer {
    Rows(Table),
    Error(String),
}

/// PySpark; `None`, with a word on standard error, where it cannot be had and this is not CI.
pub(crate) fn find() -> Option<Spark> {
    lockgate_test_services::pyspark().map(|python| Spark { python })
}

impl Spark {
    pub(crate) fn ask<'s>(
        &self,
        sets: &[(String, Vec<SparkTable>)],
        statements: impl Iterator<Item = &'s Statement>,
    ) -> Vec<Answer> {
        let folder = std::env::temp_dir().join(format!("lockgate-spark-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let table = |table: &SparkTable| json!({ "name": table.name, "columns": table.columns, "rows": table.rows, "first_id": table.first_id });
        let sets: Vec<Value> = sets
            .iter()
            .map(|(name, tables)| json!({ "name": name, "tables": tables.iter().map(table).collect::<Vec<_>>() }))
            .collect();
        let statement = |statement: &Statement| json!({ "sql": statement.sql, "ordered": statement.is_ordered, "set": statement.set });
        let statements: Vec<Value> = statements.map(statement).collect();
        let job = json!({ "sets": sets, "statements": statements });
        fs::write(folder.join("job.json"), job.to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/spark/execute.py");
        let ended = Command::new(&self.python).arg(script).arg(&folder).env("TZ", "UTC").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{}", said.lines().rev().take(20).collect::<Vec<_>>().join("\n"));
        let answers = fs::read_to_string(folder.join("answers.json")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let answers: Vec<Value> = serde_json::from_str(&answers).unwrap();
        answers.iter().map(answer).collect()
    }
}

fn answer(answer: &Value) -> Answer {
    if let Some(error) = answer["error"].as_str() {
        return Answer::Error(error.to_owned());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let types = answer["types"].as_array().unwrap().iter().map(|name| text(name).unwrap()).collect();
    let row = |row: &Value| row.as_array().unwrap().iter().map(text).collect();
    Answer::Rows(Table { types, rows: answer["rows"].as_array().unwrap().iter().map(row).collect() })
}
