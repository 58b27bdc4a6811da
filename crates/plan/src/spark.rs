//! A governed plan as Spark SQL that gives the same rows and the same row ids, or a refusal that names what would not.
//!
//! ```text
//! Governed<Plan> ─► typed (every cast written out) ─► text ─► read again ─► same names, types and columns? ─► SparkSql
//!                                                      │                        └─ no: a mistake of this program
//!                                                      └─ refused: what is not known to be equal in Spark
//! ```
//! A guarded table is a subquery: the policy's filter below, the masks above, and in the filter a condition that is always
//! true and that Spark's optimizer moves nothing past, since it is not deterministic. The text, what it asks of a cluster, and
//! what is equal are described in `docs/spark.md`.

mod aggregate;
mod block;
mod cast;
mod compare;
mod expression;
mod function;
mod literal;
mod mask;
mod operator;
mod read_back;
mod references;
mod relation;

use std::fmt;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, plan_err};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan};

use crate::compile::coerce_types;
use crate::governed::{Binding, Bound, Governed, Plan};
use crate::pin_condition::is_pin;
use relation::Printer;

pub use function::SPARK_FUNCTIONS;

/// A governed plan as Spark SQL.
#[derive(Debug)]
pub struct SparkSql {
    /// One SELECT: the columns of the query, then one column for each of [`Self::sources`].
    pub query: String,
    /// The columns of row ids at the end of the query, each with the number of its relation. A bigint, null where it names
    /// no row, or an array as in [`crate::RowSet`].
    pub sources: Vec<(String, usize)>,
    /// For each relation that is read as a whole, a SELECT of the ids of the rows that count for all of the output.
    pub whole: Vec<(usize, String)>,
    read: LogicalPlan,
}

/// Why a plan is not written as Spark SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SparkError {
    /// It holds something, named here, that is not known to give the same in Spark.
    Unequal(String),
    /// What was written reads as something else: a mistake of this program.
    Differs(String),
}

impl SparkError {
    fn unequal(what: impl Into<String>) -> Self {
        Self::Unequal(what.into())
    }
}

impl fmt::Display for SparkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unequal(what) => write!(f, "{what} is not known to give the same in Spark"),
            Self::Differs(how) => write!(f, "the Spark SQL does not say what the plan says: {how}"),
        }
    }
}

impl std::error::Error for SparkError {}

impl From<DataFusionError> for SparkError {
    fn from(error: DataFusionError) -> Self {
        let text = error.find_root().strip_backtrace();
        Self::Differs(text.lines().next().unwrap_or_default().to_owned())
    }
}

type Outcome<T> = Result<T, SparkError>;

impl Governed<Plan> {
    /// Writes the plan as Spark SQL, reads it again and compares. Fails by naming what is not known to be equal in Spark.
    pub fn spark_sql(&self) -> Result<SparkSql, SparkError> {
        let plan = self.inner();
        let typed = typed(&plan.logical)?;
        let mut printer = Printer::default();
        let query = printer.query(&typed)?;
        let whole = printer.whole()?;
        let read = read_back::read(&query, &plan.tables)?;
        compare::compare(&typed, &read)?;
        for (_, rows) in &whole {
            compare::must_be_row_ids(&read_back::read(rows, &plan.tables)?)?;
        }
        let sources = plan.provenance.carriers.iter().map(|carrier| (carrier.column.name.clone(), carrier.source));
        Ok(SparkSql { query, sources: sources.collect(), whole, read })
    }
}

impl SparkSql {
    /// The text as Lockgate reads it, over rows: what it gives is what the governed plan gives.
    pub fn bind(&self, binding: &dyn Binding) -> datafusion::common::Result<Governed<Bound>> {
        let sources = self.sources.iter().map(|(_, relation)| *relation).collect();
        Governed::of_raw_tables(&self.read, sources, binding)
    }
}

/// The plan with every cast that its types ask for written out, and without pins: Spark moves no condition below an
/// aggregate that gives a row for no rows.
fn typed(plan: &LogicalPlan) -> Outcome<LogicalPlan> {
    let typed = coerce_types(plan).map_err(|problem| SparkError::Differs(problem.message))?;
    let unpinned = typed.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            let predicate = predicate.transform_up(without_pin)?.data;
            Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, input)?)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(unpinned.data)
}

fn without_pin(expr: Expr) -> datafusion::common::Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::ScalarFunction(call) if is_pin(&call.func) => match call.args.into_iter().next() {
            Some(condition) => Transformed::yes(condition),
            None => return plan_err!("a pin without a condition"),
        },
        other => Transformed::no(other),
    })
}
