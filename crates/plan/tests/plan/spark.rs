//! Spark SQL: what is written for each case, what Lockgate makes of the text, and what Spark makes of it.
//!
//! `spark/cases/*.md` pair SQL with the text, or with why there is none. Where there is one, three results are compared, rows
//! and row ids: that of the governed plan, that of the text as Lockgate reads it, and that of the text on PySpark.
//! `LOCKGATE_SPARK_WRITE=1` writes the texts anew.

mod cases;
pub(crate) mod pyspark;
pub(crate) mod results;
mod world;

use std::fs;

use lockgate_plan::{Governed, Plan, SparkSql};

use crate::naive::spark as generated;
use cases::{Case, Expected};
use pyspark::{Answer, Statement};
use results::{Outcome, run_plan, run_text};

#[test]
fn each_case_is_written_as_it_stands_in_the_table() {
    let project = world::project();
    for file in cases::files() {
        let cases = cases::read(&file);
        let written: Vec<Expected> = cases.iter().map(|case| world::write(&project, case)).collect();
        if std::env::var_os("LOCKGATE_SPARK_WRITE").is_some() {
            fs::write(&file, cases::rewrite(&file, &written)).unwrap();
            continue;
        }
        for (case, written) in cases.iter().zip(written) {
            assert_eq!(case.expected.as_ref(), Some(&written), "{} in {}", case.name, file.display());
        }
    }
}

#[tokio::test]
async fn a_text_that_is_read_again_gives_the_rows_and_row_ids_of_the_plan() {
    for (case, plan, text) in written_cases() {
        let own = run_plan(&plan, case.is_ordered).await;
        // Lockgate's own fence is the barrier, which a text that is read again does not have.
        if !case.is_fenced {
            assert_eq!(own, run_text(&text, case.is_ordered).await, "{}\n{}", case.name, text.query);
        }
        assert_eq!(matches!(own, Outcome::Failed), case.fails, "{}", case.name);
    }
}

#[tokio::test]
async fn spark_gives_the_rows_and_row_ids_of_the_plan() {
    let Some(spark) = pyspark::find() else { return };
    let mut sets = vec![("cases".to_owned(), world::tables())];
    let mut asked = Vec::new();
    for (case, plan, text) in written_cases() {
        let own = run_plan(&plan, case.is_ordered).await;
        let statement = Statement { sql: text.query, is_ordered: case.is_ordered, set: "cases".to_owned() };
        asked.push(Asked { told: case.name.clone(), own, is_stricter: case.is_stricter, statement });
        for (relation, rows) in text.whole {
            let own = results::whole(&plan, relation).await;
            let statement = Statement { sql: rows, is_ordered: false, set: "cases".to_owned() };
            let told = format!("{}: rows of relation {relation}", case.name);
            asked.push(Asked { told, own, is_stricter: false, statement });
        }
    }
    for world in generated::worlds(GENERATED_WORLDS_ON_SPARK) {
        sets.push((world.name(), world.tables()));
        for query in world.queries() {
            let Some(own) = results::run_over(&query.plan, &world.rows()).await else { continue };
            let own = Outcome::Rows(own);
            let statement = Statement { sql: query.text.query, is_ordered: false, set: world.name() };
            asked.push(Asked { told: query.told, own, is_stricter: false, statement });
        }
    }
    let answers = spark.ask(&sets, asked.iter().map(|asked| &asked.statement));
    assert_eq!(answers.len(), asked.len());
    let wrong = asked.iter().zip(&answers).filter(|(asked, answer)| !asked.is_right(answer));
    let wrong: Vec<String> = wrong.map(|(asked, answer)| asked.tell(answer)).collect();
    println!("{} statements on Spark", asked.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), asked.len(), wrong.join("\n\n"));
}

/// How many worlds of the naive interpreter's tests Spark is asked about.
const GENERATED_WORLDS_ON_SPARK: u64 = 2;

/// A statement, and what it must give.
struct Asked {
    told: String,
    own: Outcome,
    is_stricter: bool,
    statement: Statement,
}

impl Asked {
    fn is_right(&self, answer: &Answer) -> bool {
        match (&self.own, answer) {
            (Outcome::Failed, Answer::Error(_)) => true,
            (Outcome::Rows(_), Answer::Error(_)) => self.is_stricter,
            (Outcome::Rows(own), Answer::Rows(rows)) => !self.is_stricter && own == rows,
            (Outcome::Failed, Answer::Rows(_)) => false,
        }
    }

    fn tell(&self, answer: &Answer) -> String {
        let said = match answer {
            Answer::Error(said) => said.clone(),
            Answer::Rows(rows) => format!("{rows:?}"),
        };
        format!("{}\n{}\n  here:  {:?}\n  Spark: {said}", self.told, self.statement.sql, self.own)
    }
}

/// The cases that have a text.
fn written_cases() -> Vec<(Case, Governed<Plan>, SparkSql)> {
    let project = world::project();
    let cases = cases::files().into_iter().flat_map(|file| cases::read(&file));
    let written = cases.filter(|case| matches!(case.expected, Some(Expected::Text(_))));
    let compiled = written.map(|case| {
        let plan = world::compile(&project, &case);
        let text = plan.spark_sql().unwrap_or_else(|error| panic!("{}: {error}", case.name));
        (case, plan, text)
    });
    compiled.collect()
}

/// Spark's names are the same in either case.
#[test]
fn a_dataset_with_columns_that_differ_in_case_alone_is_refused() {
    let case = |columns: &str| {
        let catalog =
            format!("dataset: t\nat: {{ store: landing, path: 't/*.csv', format: csv }}\ncolumns:\n{columns}");
        let policies = "policies:\n  - policy: p\n    on: { datasets: [t] }\n    allow: [{ users: [anna], access: \
                        [select] }]\n";
        let project = world::project_of(&[("catalog/t.yaml", &catalog), ("policies/p.yaml", policies)]);
        let sql = "```sql\nSELECT a FROM t\n```\n";
        world::write(&project, &cases::read_text(sql, "here")[0])
    };
    assert!(matches!(case("  a: { type: text }\n  b: { type: text }\n"), Expected::Text(_)));
    let refused = "`t`, two columns of which differ in case alone,".to_owned();
    assert_eq!(case("  a: { type: text }\n  A: { type: text }\n"), Expected::Refused(refused));
}
