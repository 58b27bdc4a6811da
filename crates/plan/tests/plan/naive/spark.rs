//! Generated queries as Spark SQL: the text, read again, gives the rows and row ids of the plan.

use lockgate_plan::{Binding, Governed, Plan, SparkError, SparkSql, compile_query};

use super::ast::{Type, Value, World};
use super::compare::{PRINCIPAL, Rows, project};
use super::generate::{Random, query, world};
use super::{QUERIES_PER_WORLD, number, render};
use crate::spark::pyspark::SparkTable;
use crate::spark::results::{run_over, run_sorted};
use crate::support::asker;

/// How many queries are written where nothing else is said; some are refused.
const CASES: u64 = 400;

/// A generated world, and the queries that are asked of it.
pub(crate) struct Generated {
    seed: u64,
    world: World,
}

/// A query that is governed and has a text.
pub(crate) struct Written {
    pub(crate) told: String,
    pub(crate) plan: Governed<Plan>,
    pub(crate) text: SparkSql,
}

/// The worlds of the first seeds.
pub(crate) fn worlds(count: u64) -> impl Iterator<Item = Generated> {
    let first = number("LOCKGATE_NAIVE_SEED", 0);
    (first..first + count).map(|seed| Generated { seed, world: world(&mut Random::new(seed)) })
}

impl Generated {
    pub(crate) fn name(&self) -> String {
        format!("seed{}", self.seed)
    }

    pub(crate) fn rows(&self) -> impl Binding + '_ {
        Rows { world: &self.world }
    }

    pub(crate) fn queries(&self) -> Vec<Written> {
        let mut random = Random::new(self.seed);
        let world = world(&mut random);
        let project = project(&world);
        let asker = asker(PRINCIPAL);
        let write = |number| {
            let sql = render::query(&query(&mut random, &world));
            let plan = compile_query(&project, &sql, &asker).ok()?.plan;
            let told = format!("LOCKGATE_NAIVE_SEED={}, query {number}: {sql}", self.seed);
            match plan.spark_sql() {
                Ok(text) => Some(Written { told, plan, text }),
                Err(SparkError::Unequal(_)) => None,
                Err(error @ SparkError::Differs(_)) => panic!("{told}: {error}\n{}", plan.draw()),
            }
        };
        (0..QUERIES_PER_WORLD).filter_map(write).collect()
    }

    pub(crate) fn tables(&self) -> Vec<SparkTable> {
        let table = |(number, table): (usize, &super::ast::Table)| {
            let spark = |value_type: &Type| match value_type {
                Type::Int => "BIGINT".to_owned(),
                Type::Text => "STRING".to_owned(),
            };
            let text = |value: &Value| match value {
                Value::Null => None,
                Value::Int(value) => Some(value.to_string()),
                Value::Text(value) => Some(value.clone()),
                Value::Bool(_) => panic!("a column of booleans"),
            };
            SparkTable {
                name: table.name.clone(),
                columns: table.columns.iter().map(|(name, own)| (name.clone(), spark(own))).collect(),
                rows: table.rows.iter().map(|row| row.iter().map(text).collect()).collect(),
                first_id: (number as i64) << 40,
            }
        };
        self.world.tables.iter().enumerate().map(table).collect()
    }
}

#[tokio::test]
async fn generated_texts_give_the_rows_and_row_ids_of_their_plans() {
    let asked = number("LOCKGATE_SPARK_CASES", CASES);
    let mut written = 0;
    for world in worlds(asked.div_ceil(QUERIES_PER_WORLD)) {
        for query in world.queries() {
            let Some(own) = run_over(&query.plan, &world.rows()).await else { continue };
            let read = run_sorted(&query.text.bind(&world.rows()).unwrap()).await;
            let read = read.unwrap_or_else(|error| panic!("{}: {error}\n{}", query.told, query.text.query));
            assert_eq!(own, read, "{}\n{}\n{}", query.told, query.plan.draw(), query.text.query);
            written += 1;
        }
    }
    println!("{written} of {asked} generated queries are written in Spark SQL");
    assert!(written >= asked / 2, "only {written} of {asked} generated queries are written");
}
