//! Row ids travel through a plan in hidden columns of their own, one for each source relation.
//!
//! ```text
//! before                                  after
//! Aggregate: [c.city], [count(*)]         Aggregate: [c.city], [count(*), lockgate_rows(p0) AS p2, lockgate_rows(p1) AS p3]
//!   Inner Join: c.id = o.customer           Inner Join: c.id = o.customer
//!     SubqueryAlias: c                        SubqueryAlias: c
//!       TableScan: customers                    Projection: .., __lockgate_rid AS p0
//!     SubqueryAlias: o                            TableScan: customers [.., __lockgate_rid]
//!       TableScan: orders                     SubqueryAlias: o
//!                                               …
//! ```
//! The columns of the query keep their names and their order; hidden ones are never merged at a join.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue, TableReference, plan_err};
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Filter, Join, JoinType, Limit, LogicalPlan, Projection, Sort, Subquery,
    SubqueryAlias, TableScan, TableScanBuilder, Union, Unnest, Window, WindowFrame, WindowFunctionDefinition,
};
use lockgate_model::DatasetName;

use super::expression::{Subqueries, read_as_a_whole, whole_plan};
use super::row_set::row_set_type;
use super::rows_function::{rows_function, window_rows_function};
use crate::pin_condition::pin_conditions;
use crate::table::{ROW_ID, SchemaOnly, table_of};

/// A plan whose rows name their sources.
pub(crate) struct Carried {
    /// The plan; hidden columns are among its others.
    pub(crate) plan: LogicalPlan,
    /// The hidden columns.
    pub(crate) carriers: Vec<Carrier>,
    /// How its rows relate to rows of its sources.
    pub(crate) shape: RowShape,
}

/// A hidden column of row ids.
#[derive(Debug, Clone)]
pub(crate) struct Carrier {
    /// The column in the plan.
    pub(crate) column: Column,
    /// The relation whose rows it names, counted in the order of the SQL.
    pub(crate) source: usize,
    /// Whether it is one row or a set.
    pub(crate) holds: Holds,
}

/// What a hidden column holds in each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A row id, or null where the source contributed none.
    OneRow,
    /// A set, as a list.
    Rows,
}

impl Holds {
    fn data_type(self) -> DataType {
        match self {
            Self::OneRow => DataType::Int64,
            Self::Rows => row_set_type(),
        }
    }
}

/// How the rows of a plan relate to the rows of its sources, from the simplest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowShape {
    /// Each is made from one source row, whatever the other rows are: new rows of a source give new rows and change
    /// none.
    RowByRow,
    /// Each is made from one source row; which ones there are depends on others as well.
    OneSource,
    /// Each may be made from several rows, or from none.
    Many,
}

/// A relation that a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRelation {
    /// The dataset.
    pub dataset: DatasetName,
    /// Whether its rows are named for each row of the output. If not, it is read as a whole: it decides which rows there
    /// are or in what order, and all of its rows count for all of the output.
    pub is_listed: bool,
}

/// Makes every row of a plan that classification accepted name its sources. Also gives the relations in the order of
/// their numbers.
pub(crate) fn carry(plan: &LogicalPlan) -> Result<(Carried, Vec<SourceRelation>)> {
    let mut carrying = Carrying::default();
    let carried = carrying.plan(plan)?;
    let carried = Carried { plan: pin_conditions(carried.plan)?, ..carried };
    Ok((carried, carrying.relations))
}

/// The numbering of relations and hidden columns.
#[derive(Debug, Default)]
pub(super) struct Carrying {
    pub(super) relations: Vec<SourceRelation>,
    columns: usize,
}

impl Carrying {
    pub(super) fn plan(&mut self, plan: &LogicalPlan) -> Result<Carried> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.subquery_alias(alias),
            LogicalPlan::Subquery(subquery) => {
                let carried = self.plan(&subquery.subquery)?;
                let subquery = Subquery { subquery: Arc::new(carried.plan), ..subquery.clone() };
                Ok(Carried { plan: LogicalPlan::Subquery(subquery), ..carried })
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => {
                let carried = self.plan(&limit.input)?;
                let limit = Limit { input: Arc::new(carried.plan), ..limit.clone() };
                let shape = carried.shape.max(RowShape::OneSource);
                Ok(Carried { plan: LogicalPlan::Limit(limit), shape, carriers: carried.carriers })
            }
            LogicalPlan::Unnest(unnest) => {
                let carried = self.plan(&unnest.input)?;
                let plan =
                    Unnest::try_new(Arc::new(carried.plan), unnest.exec_columns.clone(), unnest.options.clone())?;
                let shape = carried.shape.max(RowShape::OneSource);
                Ok(Carried { plan: LogicalPlan::Unnest(plan), shape, carriers: carried.carriers })
            }
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
                Ok(Carried { plan: plan.clone(), carriers: Vec::new(), shape: RowShape::Many })
            }
            LogicalPlan::Repartition(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::RecursiveQuery(_) => plan_err!("{} carries no row ids", plan.display()),
        }
    }

    /// A name that no other column of the plan has, and no user's SQL can write.
    pub(super) fn name(&mut self) -> String {
        self.columns += 1;
        format!("{ROW_ID}_{}", self.columns)
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Carried> {
        let Some(table) = table_of(&scan.source) else {
            return plan_err!("a scan of a table from elsewhere carries no row ids");
        };
        let source = self.relations.len();
        self.relations.push(SourceRelation { dataset: table.dataset.clone(), is_listed: true });
        // A policy that looks at other rows can let a row through later that it holds back now.
        let decided_by_others = table.guard.as_ref().is_some_and(|guard| guard.has_subqueries);
        let shape = if decided_by_others { RowShape::OneSource } else { RowShape::RowByRow };
        let with_ids = Arc::new(SchemaOnly::with_row_ids(table));
        let scan = LogicalPlan::TableScan(TableScanBuilder::new(scan.table_name.clone(), with_ids).build()?);
        let mut columns: Vec<Expr> = scan.schema().columns().into_iter().map(Expr::Column).collect();
        let name = self.name();
        let Some(id) = columns.pop() else { return plan_err!("a scan without columns carries no row ids") };
        columns.push(id.alias(&name));
        let plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(scan))?);
        let carrier = Carrier { column: Column::new_unqualified(name), source, holds: Holds::OneRow };
        Ok(Carried { plan, carriers: vec![carrier], shape })
    }

    fn subquery_alias(&mut self, alias: &SubqueryAlias) -> Result<Carried> {
        let Carried { plan, carriers, shape } = self.plan(&alias.input)?;
        let plan = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(plan), alias.alias.clone())?);
        let qualified = |carrier: Carrier| {
            let relation: Option<TableReference> = Some(alias.alias.clone());
            Carrier { column: Column::new(relation, carrier.column.name), ..carrier }
        };
        Ok(Carried { plan, carriers: carriers.into_iter().map(qualified).collect(), shape })
    }

    fn projection(&mut self, projection: &Projection) -> Result<Carried> {
        let input = self.plan(&projection.input)?;
        let Subqueries { expressions, carriers: inner, shape } = self.subqueries(&projection.expr)?;
        let shape = input.shape.max(shape);
        let mut all = expressions;
        let mut carriers = Vec::new();
        for carrier in input.carriers {
            all.push(Expr::Column(carrier.column.clone()));
            carriers.push(carrier);
        }
        for (value, carrier) in inner {
            all.push(value.alias(&carrier.column.name));
            carriers.push(carrier);
        }
        let plan = Projection::try_new(all, Arc::new(input.plan))?;
        Ok(Carried { plan: LogicalPlan::Projection(plan), carriers, shape })
    }

    fn filter(&mut self, filter: &Filter) -> Result<Carried> {
        let input = self.plan(&filter.input)?;
        let (predicate, depends) = self.condition(&filter.predicate)?;
        let plan = Filter::try_new(predicate, Arc::new(input.plan))?;
        let shape = input.shape.max(depends);
        Ok(Carried { plan: LogicalPlan::Filter(plan), shape, carriers: input.carriers })
    }

    /// A condition, its subqueries read as a whole.
    fn condition(&mut self, condition: &Expr) -> Result<(Expr, RowShape)> {
        let before = self.relations.len();
        let condition = read_as_a_whole(condition.clone(), &mut self.relations)?;
        let shape = if self.relations.len() == before { RowShape::RowByRow } else { RowShape::OneSource };
        Ok((condition, shape))
    }

    fn conditions(&mut self, conditions: &[Expr]) -> Result<Vec<Expr>> {
        conditions.iter().map(|condition| self.condition(condition).map(|(condition, _)| condition)).collect()
    }

    fn join(&mut self, join: &Join) -> Result<Carried> {
        let (left, right) = match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                (self.plan(&join.left)?, self.plan(&join.right)?)
            }
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                (self.plan(&join.left)?, self.whole(&join.right)?)
            }
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                (self.whole(&join.left)?, self.plan(&join.right)?)
            }
        };
        let on = join.on.iter().map(|(left, right)| Ok((self.condition(left)?.0, self.condition(right)?.0)));
        let on = on.collect::<Result<Vec<_>>>()?;
        let filter =
            join.filter.as_ref().map(|filter| Ok::<_, datafusion::common::DataFusionError>(self.condition(filter)?.0));
        let plan = Join::try_new(
            Arc::new(left.plan),
            Arc::new(right.plan),
            on,
            filter.transpose()?,
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let carriers = left.carriers.into_iter().chain(right.carriers).collect();
        let shape = match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => RowShape::Many,
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left.shape.max(RowShape::OneSource),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right.shape.max(RowShape::OneSource),
        };
        Ok(Carried { plan: LogicalPlan::Join(plan), carriers, shape })
    }

    /// A side of a join that only decides which rows of the other there are.
    fn whole(&mut self, plan: &LogicalPlan) -> Result<Carried> {
        let plan = whole_plan(plan.clone(), &mut self.relations)?;
        Ok(Carried { plan, carriers: Vec::new(), shape: RowShape::RowByRow })
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Carried> {
        let input = self.plan(&aggregate.input)?;
        let groups = self.conditions(&aggregate.group_expr)?;
        let aggregates = self.conditions(&aggregate.aggr_expr)?;
        self.group(input, groups, aggregates)
    }

    fn group(&mut self, input: Carried, groups: Vec<Expr>, mut aggregates: Vec<Expr>) -> Result<Carried> {
        let mut carriers = Vec::new();
        for carrier in input.carriers {
            let name = self.name();
            aggregates.push(rows_function().call(vec![Expr::Column(carrier.column)]).alias(&name));
            carriers.push(Carrier {
                column: Column::new_unqualified(name),
                source: carrier.source,
                holds: Holds::Rows,
            });
        }
        let plan = Aggregate::try_new(Arc::new(input.plan), groups, aggregates)?;
        Ok(Carried { plan: LogicalPlan::Aggregate(plan), carriers, shape: RowShape::Many })
    }

    fn distinct(&mut self, input: &Arc<LogicalPlan>) -> Result<Carried> {
        let groups = input.schema().columns().into_iter().map(Expr::Column).collect();
        let carried = self.plan(input)?;
        self.group(carried, groups, Vec::new())
    }

    fn distinct_on(&mut self, distinct: &DistinctOn) -> Result<Carried> {
        let input = self.plan(&distinct.input)?;
        let on = self.conditions(&distinct.on_expr)?;
        let Subqueries { expressions: mut selected, carriers: inner, .. } = self.subqueries(&distinct.select_expr)?;
        let mut carriers = Vec::new();
        for carrier in input.carriers {
            selected.push(Expr::Column(carrier.column.clone()));
            carriers.push(carrier);
        }
        for (value, carrier) in inner {
            selected.push(value.alias(&carrier.column.name));
            carriers.push(carrier);
        }
        let mut keys = distinct.sort_expr.clone();
        for key in keys.iter_mut().flatten() {
            key.expr = self.condition(&key.expr)?.0;
        }
        let plan = DistinctOn::try_new(on, selected, keys, Arc::new(input.plan))?;
        let shape = input.shape.max(RowShape::OneSource);
        Ok(Carried { plan: LogicalPlan::Distinct(Distinct::On(plan)), carriers, shape })
    }

    /// Every branch gets the hidden columns of all, null where they are another's.
    fn union(&mut self, union: &Union) -> Result<Carried> {
        let branches = union.inputs.iter().map(|input| self.plan(input)).collect::<Result<Vec<_>>>()?;
        let all: Vec<Carrier> = branches.iter().flat_map(|branch| branch.carriers.clone()).collect();
        let names: Vec<String> = all.iter().map(|_| self.name()).collect();
        let shape = branches.iter().map(|branch| branch.shape).max().unwrap_or(RowShape::Many);
        let mut inputs = Vec::new();
        let mut own_from = 0;
        for (branch, input) in branches.into_iter().zip(&union.inputs) {
            let own = own_from..own_from + branch.carriers.len();
            own_from = own.end;
            let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            for (index, (carrier, name)) in all.iter().zip(&names).enumerate() {
                let value = if own.contains(&index) {
                    Expr::Column(carrier.column.clone())
                } else {
                    Expr::Literal(ScalarValue::try_new_null(&carrier.holds.data_type())?, None)
                };
                columns.push(value.alias(name));
            }
            inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(branch.plan))?)));
        }
        let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let carriers = all
            .into_iter()
            .zip(names)
            .map(|(carrier, name)| Carrier { column: Column::new_unqualified(name), ..carrier });
        Ok(Carried { plan, carriers: carriers.collect(), shape })
    }

    /// Each row gets the rows of its partition, once for each way to partition. The planner makes a node for each way to
    /// sort: those of one SELECT lie directly on one another.
    fn window(&mut self, window: &Window) -> Result<Carried> {
        let mut nodes = vec![window];
        let mut below = &window.input;
        while let LogicalPlan::Window(next) = below.as_ref() {
            nodes.push(next);
            below = &next.input;
        }
        let input = self.plan(below)?;
        let mut plan = input.plan;
        let mut partitions: Vec<Vec<Expr>> = Vec::new();
        for node in nodes.into_iter().rev() {
            for expression in &node.window_expr {
                let Expr::WindowFunction(call) = expression.clone().unalias() else {
                    return plan_err!("a window without a window function carries no row ids");
                };
                if !partitions.contains(&call.params.partition_by) {
                    partitions.push(call.params.partition_by.clone());
                }
            }
            let expressions = self.conditions(&node.window_expr)?;
            plan = LogicalPlan::Window(Window::try_new(expressions, Arc::new(plan))?);
        }
        let mut carriers = Vec::new();
        // One node for each: all expressions of a node must sort alike.
        for partition in partitions {
            let mut rows = Vec::new();
            for carrier in &input.carriers {
                let name = self.name();
                rows.push(rows_of_partition(carrier, partition.clone()).alias(&name));
                carriers.push(Carrier {
                    column: Column::new_unqualified(name),
                    source: carrier.source,
                    holds: Holds::Rows,
                });
            }
            if !rows.is_empty() {
                plan = LogicalPlan::Window(Window::try_new(rows, Arc::new(plan))?);
            }
        }
        Ok(Carried { plan, carriers, shape: RowShape::Many })
    }

    fn sort(&mut self, sort: &Sort) -> Result<Carried> {
        let input = self.plan(&sort.input)?;
        let mut keys = sort.expr.clone();
        for key in &mut keys {
            key.expr = self.condition(&key.expr)?.0;
        }
        let shape = if sort.fetch.is_some() { input.shape.max(RowShape::OneSource) } else { input.shape };
        let plan = Sort { expr: keys, input: Arc::new(input.plan), fetch: sort.fetch };
        Ok(Carried { plan: LogicalPlan::Sort(plan), shape, carriers: input.carriers })
    }
}

fn rows_of_partition(carrier: &Carrier, partition_by: Vec<Expr>) -> Expr {
    let params = WindowFunctionParams {
        args: vec![Expr::Column(carrier.column.clone())],
        partition_by,
        order_by: Vec::new(),
        window_frame: WindowFrame::new(None),
        filter: None,
        null_treatment: None,
        distinct: false,
    };
    let fun = WindowFunctionDefinition::AggregateUDF(window_rows_function());
    Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
}
