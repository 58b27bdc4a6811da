//! Each node of a plan as a SELECT, or a refusal by the node's name.
//!
//! ```text
//! Projection: city, __lockgate_rid_1          SELECT `r2`.`city` AS `city`, `r2`.`__lockgate_rid` AS `__lockgate_rid_1`
//!   Barrier                                   FROM (
//!     Projection: mask(city), __lockgate_rid    SELECT .. AS `city`, `r1`.`__lockgate_rid` AS `__lockgate_rid`
//!       Filter: country = 'CH'                  FROM `customers` AS `r1`
//!         TableScan: customers                  WHERE (`r1`.`country` = 'CH') AND (monotonically_increasing_id() >= 0L)
//!                                             ) AS `r2`
//! Window, DISTINCT ON, UNNEST, ..             refused
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, JoinType, NullEquality};
use datafusion::logical_expr::{
    Aggregate, Distinct, EmptyRelation, Expr, FetchType, Filter, Join, Limit, LogicalPlan, Projection, SkipType, Sort,
    TableScan, Union, Values,
};

use super::block::{Block, column_of, indented, quoted};
use super::literal::plain_name;
use super::operator::must_compare;
use super::references::{Needed, references};
use super::{Outcome, SparkError, typed};
use crate::table::{ROW_ID, Reading, SchemaOnly, planned_here};

/// Always true. Spark moves no condition of a query below it and no policy's condition above it, since it is not
/// deterministic.
pub(super) const FENCE: &str = "(monotonically_increasing_id() >= 0L)";

/// Writes a plan.
#[derive(Default)]
pub(super) struct Printer {
    aliases: usize,
    /// The queries around the subquery at hand, the nearest last.
    pub(super) outer: Vec<(DFSchemaRef, Vec<Option<String>>)>,
    /// The tables that are read as a whole, by the numbers of their relations.
    whole: BTreeMap<usize, Arc<crate::table::Table>>,
}

/// The columns that an expression may name.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) schema: &'s DFSchema,
    pub(super) columns: &'s [Option<String>],
    /// Whether EXISTS and IN may stand here: Spark takes them in WHERE.
    pub(super) subqueries: Subqueries,
}

/// Which subqueries may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subqueries {
    /// All that are governed.
    All,
    /// Those that give one value.
    Scalar,
    /// None.
    None,
}

impl Printer {
    /// The whole statement.
    pub(super) fn query(&mut self, plan: &LogicalPlan) -> Outcome<String> {
        let all = (0..plan.schema().fields().len()).collect();
        let block = self.relation(plan, &all)?;
        let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        names.iter().try_for_each(|name| plain_name(name))?;
        Ok(block.text(&names, "SELECT"))
    }

    /// For each relation that is read as a whole, the ids of the rows that the policy lets through.
    pub(super) fn whole(&mut self) -> Outcome<Vec<(usize, String)>> {
        let tables = std::mem::take(&mut self.whole);
        let statement = |(relation, table): (usize, Arc<crate::table::Table>)| {
            let id = table.columns.len();
            let mut printer = Self::default();
            let block = printer.table(&table, true, &Needed::from([id]))?;
            let names: Vec<String> = (0..=id).map(|_| ROW_ID.to_owned()).collect();
            Ok((relation, block.text(&names, "SELECT")))
        };
        tables.into_iter().map(statement).collect()
    }

    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("r{}", self.aliases)
    }

    pub(super) fn relation(&mut self, plan: &LogicalPlan, needed: &Needed) -> Outcome<Block> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, needed),
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input, needed),
            LogicalPlan::Projection(projection) => self.projection(projection, needed),
            LogicalPlan::Filter(filter) => self.filter(filter, needed),
            LogicalPlan::Join(join) => self.join(join, needed),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, needed),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Union(union) => self.union(union, needed),
            LogicalPlan::Sort(sort) => self.sort(sort, needed),
            LogicalPlan::Limit(limit) => self.limit(limit, needed),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) => {
                let alias = self.alias();
                Ok(Block::of(format!("(SELECT 1 AS `one`) AS {}", quoted(&alias)), Vec::new(), Vec::new()))
            }
            LogicalPlan::EmptyRelation(_) => Err(SparkError::unequal("a relation without rows")),
            LogicalPlan::Distinct(Distinct::On(_)) => Err(SparkError::unequal("DISTINCT ON")),
            LogicalPlan::Window(_) => Err(SparkError::unequal("a window (OVER)")),
            LogicalPlan::Unnest(_) => Err(SparkError::unequal("UNNEST")),
            LogicalPlan::Subquery(_) => Err(SparkError::unequal("LATERAL")),
            LogicalPlan::Repartition(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::RecursiveQuery(_) => Err(SparkError::unequal(format!("`{}`", plan.display()))),
        }
    }

    fn scan(&mut self, scan: &TableScan, needed: &Needed) -> Outcome<Block> {
        let Some(source) = planned_here(&scan.source) else {
            return Err(SparkError::Differs(format!("`{}` was not planned here", scan.table_name)));
        };
        if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(SparkError::Differs(format!("the scan of `{}` has pushed-down parts", scan.table_name)));
        }
        let SchemaOnly { table, reading, .. } = source;
        let has_ids = match reading {
            Reading::Plain => false,
            Reading::WithRowIds => true,
            Reading::AsAWhole(relation) => {
                self.whole.insert(*relation, Arc::clone(table));
                false
            }
        };
        self.table(table, has_ids, needed)
    }

    /// A table as the policies leave it.
    fn table(&mut self, table: &crate::table::Table, has_ids: bool, needed: &Needed) -> Outcome<Block> {
        let mut names: Vec<String> = table.columns.iter().map(|column| column.name.to_string()).collect();
        names.extend(has_ids.then(|| ROW_ID.to_owned()));
        if let Some(guard) = &table.guard {
            let inside = typed(&guard.plan)?;
            let mut block = self.relation(&inside, needed)?;
            block.columns.truncate(names.len());
            block.names = names;
            if block.filters.is_empty() {
                return Ok(block);
            }
            // Above the policy's filter and apart from it: Spark makes a join of a subquery in a filter, and puts that join
            // above the other conditions beside it.
            let mut fenced = block.closed(&self.alias());
            fenced.filters.push(FENCE.to_owned());
            return Ok(fenced.closed(&self.alias()));
        }
        let lower: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        if lower.len() < names.len() {
            let dataset = &table.dataset;
            return Err(SparkError::unequal(format!("`{dataset}`, two columns of which differ in case alone,")));
        }
        let alias = self.alias();
        let parts: Vec<String> = table.dataset.as_str().split('.').map(quoted).collect();
        let column = |(index, name): (usize, &String)| -> Outcome<Option<String>> {
            if !needed.contains(&index) {
                return Ok(None);
            }
            plain_name(name)?;
            Ok(Some(column_of(&alias, name)))
        };
        let columns = names.iter().enumerate().map(column).collect::<Outcome<Vec<_>>>()?;
        Ok(Block::of(format!("{} AS {}", parts.join("."), quoted(&alias)), columns, names))
    }

    fn projection(&mut self, projection: &Projection, needed: &Needed) -> Outcome<Block> {
        let schema = projection.input.schema();
        let wanted = projection.expr.iter().enumerate().filter(|(index, _)| needed.contains(index));
        let below = references(wanted.map(|(_, expr)| expr), schema)?;
        let mut block = self.relation(&projection.input, &below)?;
        let is_name = |expr: &Expr| matches!(expr.clone().unalias_nested().data, Expr::Column(_));
        let are_names =
            projection.expr.iter().enumerate().all(|(index, expr)| !needed.contains(&index) || is_name(expr));
        // Names alone are put in another order where they are.
        if !block.is_plain && !are_names {
            block = block.closed(&self.alias());
        }
        let input = std::mem::take(&mut block.columns);
        let scope = Scope { schema, columns: &input, subqueries: Subqueries::Scalar };
        for (index, expr) in projection.expr.iter().enumerate() {
            let column = needed.contains(&index).then(|| self.expression(expr, scope));
            block.columns.push(column.transpose()?);
        }
        block.is_plain &= are_names;
        block.names = names_of(&projection.schema);
        Ok(block)
    }

    fn filter(&mut self, filter: &Filter, needed: &Needed) -> Outcome<Block> {
        let schema = filter.input.schema();
        let mut below = references([&filter.predicate], schema)?;
        below.extend(needed);
        let mut block = self.relation(&filter.input, &below)?;
        if !block.is_plain || block.is_cut() {
            block = block.closed(&self.alias());
        }
        let scope = Scope { schema, columns: &block.columns, subqueries: Subqueries::All };
        let condition = self.expression(&filter.predicate, scope)?;
        block.filters.push(condition);
        Ok(block)
    }

    fn sort(&mut self, sort: &Sort, needed: &Needed) -> Outcome<Block> {
        if sort.fetch.is_some() {
            return Err(SparkError::Differs("a sort has a pushed-down limit".into()));
        }
        let schema = sort.input.schema();
        let mut below = references(sort.expr.iter().map(|key| &key.expr), schema)?;
        below.extend(needed);
        let mut block = self.relation(&sort.input, &below)?;
        if !block.is_plain || block.is_cut() {
            block = block.closed(&self.alias());
        }
        let scope = Scope { schema, columns: &block.columns, subqueries: Subqueries::None };
        let mut order = Vec::new();
        for key in &sort.expr {
            if matches!(key.expr, Expr::Literal(_, _)) {
                return Err(SparkError::unequal("ORDER BY a literal"));
            }
            must_compare(&key.expr, schema, "ORDER BY")?;
            let direction = if key.asc { "ASC" } else { "DESC" };
            let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
            order.push(format!("{} {direction} NULLS {nulls}", self.expression(&key.expr, scope)?));
        }
        block.order = order;
        Ok(block)
    }

    fn limit(&mut self, limit: &Limit, needed: &Needed) -> Outcome<Block> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(SparkError::unequal("LIMIT of an expression"));
        };
        if skip.max(fetch.unwrap_or_default()) > i32::MAX as usize {
            return Err(SparkError::unequal("a LIMIT or OFFSET above 2147483647"));
        }
        let mut block = self.relation(&limit.input, needed)?;
        if block.is_cut() {
            block = block.closed(&self.alias());
        }
        block.limit = fetch;
        block.offset = skip;
        Ok(block)
    }

    fn distinct(&mut self, input: &LogicalPlan) -> Outcome<Block> {
        for column in input.schema().columns() {
            must_compare(&Expr::Column(column), input.schema(), "DISTINCT")?;
        }
        let all = (0..input.schema().fields().len()).collect();
        let mut block = self.relation(input, &all)?;
        if block.is_cut() || !block.order.is_empty() {
            block = block.closed(&self.alias());
        }
        Ok(block.closed_with(&self.alias(), "SELECT DISTINCT"))
    }

    fn union(&mut self, union: &Union, needed: &Needed) -> Outcome<Block> {
        let names = names_of(&union.schema);
        let numbered: Vec<String> = (1..=names.len()).map(|number| format!("c{number}")).collect();
        let mut texts = Vec::new();
        let mut columns = Vec::new();
        for input in &union.inputs {
            let mut block = self.relation(input, needed)?;
            if block.is_cut() || !block.order.is_empty() {
                block = block.closed(&self.alias());
            }
            // What is not needed in one branch is left out of all.
            for (index, column) in block.columns.iter_mut().enumerate() {
                *column = column.take().filter(|_| needed.contains(&index));
            }
            texts.push(block.text(&numbered, "SELECT"));
            columns = block.columns;
        }
        let mut block = Block::of_subquery(&texts.join("\nUNION ALL\n"), &self.alias(), &columns, numbered);
        block.names = names;
        Ok(block)
    }

    fn values(&mut self, values: &Values) -> Outcome<Block> {
        let nothing = DFSchema::empty();
        let scope = Scope { schema: &nothing, columns: &[], subqueries: Subqueries::None };
        let row = |row: &Vec<Expr>| -> Outcome<String> {
            let cells = row.iter().map(|cell| self.expression(cell, scope)).collect::<Outcome<Vec<_>>>()?;
            Ok(format!("({})", cells.join(", ")))
        };
        let rows = values.values.iter().map(row).collect::<Outcome<Vec<_>>>()?;
        let alias = self.alias();
        let names: Vec<String> = (1..=values.schema.fields().len()).map(|number| format!("c{number}")).collect();
        let columns = names.iter().map(|name| Some(column_of(&alias, name))).collect();
        let list: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let from = format!("(VALUES\n  {}) AS {}({})", rows.join(",\n  "), quoted(&alias), list.join(", "));
        Ok(Block::of(from, columns, names_of(&values.schema)))
    }

    fn join(&mut self, join: &Join, needed: &Needed) -> Outcome<Block> {
        let (left, right, verb, shows) = match join.join_type {
            JoinType::Inner if join.on.is_empty() && join.filter.is_none() => {
                (&join.left, &join.right, "CROSS JOIN", Shows::Both)
            }
            JoinType::Inner => (&join.left, &join.right, "INNER JOIN", Shows::Both),
            JoinType::Left => (&join.left, &join.right, "LEFT OUTER JOIN", Shows::Both),
            JoinType::Right => (&join.left, &join.right, "RIGHT OUTER JOIN", Shows::Both),
            JoinType::Full => (&join.left, &join.right, "FULL OUTER JOIN", Shows::Both),
            JoinType::LeftSemi => (&join.left, &join.right, "LEFT SEMI JOIN", Shows::Left),
            JoinType::LeftAnti => (&join.left, &join.right, "LEFT ANTI JOIN", Shows::Left),
            // Spark has these the other way round only.
            JoinType::RightSemi => (&join.right, &join.left, "LEFT SEMI JOIN", Shows::Left),
            JoinType::RightAnti => (&join.right, &join.left, "LEFT ANTI JOIN", Shows::Left),
            JoinType::LeftMark | JoinType::RightMark => return Err(SparkError::unequal("a mark join")),
        };
        if join.null_aware {
            return Err(SparkError::unequal("a null-aware join"));
        }
        let schema = left.schema().join(right.schema())?;
        let width = left.schema().fields().len();
        let keys = join.on.iter().flat_map(|(a, b)| [a, b]).chain(&join.filter);
        let mut below = references(keys, &schema)?;
        below.extend(needed);
        let of_left = below.iter().copied().filter(|index| *index < width).collect();
        let of_right = below.iter().filter_map(|index| index.checked_sub(width)).collect();
        let left = self.relation(left, &of_left)?;
        let left = if left.is_bare() { left } else { left.closed(&self.alias()) };
        let right = self.relation(right, &of_right)?;
        let right = if right.is_bare() && right.is_single { right } else { right.closed(&self.alias()) };
        let columns: Vec<Option<String>> = left.columns.iter().chain(&right.columns).cloned().collect();
        let on =
            self.join_condition(join, Scope { schema: &schema, columns: &columns, subqueries: Subqueries::None })?;
        let from = format!("{}\n{verb} {}{on}", left.from, right.from);
        let (columns, names) = match shows {
            Shows::Both => (columns, left.names.into_iter().chain(right.names).collect()),
            Shows::Left => (left.columns, left.names),
        };
        Ok(Block { is_single: false, ..Block::of(from, columns, names) })
    }

    fn join_condition(&mut self, join: &Join, scope: Scope<'_>) -> Outcome<String> {
        let equal = match join.null_equality {
            NullEquality::NullEqualsNothing => "=",
            NullEquality::NullEqualsNull => "IS NOT DISTINCT FROM",
        };
        let mut parts = Vec::new();
        for (a, b) in &join.on {
            must_compare(a, scope.schema, "a join")?;
            must_compare(b, scope.schema, "a join")?;
            parts.push(format!("({} {equal} {})", self.expression(a, scope)?, self.expression(b, scope)?));
        }
        if let Some(filter) = &join.filter {
            parts.push(self.expression(filter, scope)?);
        }
        Ok(match parts.is_empty() {
            true if join.join_type == JoinType::Inner => String::new(),
            true => "\n  ON TRUE".to_owned(),
            false => format!("\n  ON {}", indented(&parts.join(" AND "))),
        })
    }

    fn aggregate(&mut self, aggregate: &Aggregate, needed: &Needed) -> Outcome<Block> {
        let schema = aggregate.input.schema();
        let mut keys: Vec<&Expr> = Vec::new();
        for key in &aggregate.group_expr {
            if matches!(key, Expr::GroupingSet(_)) {
                return Err(SparkError::unequal("GROUPING SETS, CUBE or ROLLUP"));
            }
            must_compare(key, schema, "GROUP BY")?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let calls = aggregate.aggr_expr.iter().enumerate();
        let calls: Vec<&Expr> =
            calls.filter(|(index, _)| needed.contains(&(keys.len() + index))).map(|(_, call)| call).collect();
        let below = references(keys.iter().copied().chain(calls.iter().copied()), schema)?;
        let mut block = self.relation(&aggregate.input, &below)?;
        if !block.is_plain || block.is_cut() || !block.order.is_empty() {
            block = block.closed(&self.alias());
        }
        let width = block.columns.len();
        let groups = self.group_keys(&mut block, &keys, schema)?;
        let input = std::mem::take(&mut block.columns);
        let scope = Scope { schema, columns: input.get(..width).unwrap_or_default(), subqueries: Subqueries::None };
        block.columns =
            (0..keys.len()).map(|index| groups.get(index).filter(|_| needed.contains(&index)).cloned()).collect();
        for (index, call) in aggregate.aggr_expr.iter().enumerate() {
            let is_needed = needed.contains(&(keys.len() + index));
            block.columns.push(if is_needed { Some(self.aggregate_call(call, scope)?) } else { None });
        }
        if groups.is_empty() && block.columns.iter().all(Option::is_none) {
            // One row, however many there are.
            block.columns = vec![Some("count(1)".to_owned())];
            block.names = vec!["rows".to_owned()];
            let alias = self.alias();
            let closed = block.closed(&alias);
            return Ok(Block::of(closed.from, vec![None; aggregate.aggr_expr.len()], names_of(&aggregate.schema)));
        }
        block.names = names_of(&aggregate.schema);
        block.is_plain = false;
        if !groups.is_empty() {
            block.group = format!("\nGROUP BY {}", groups.join(", "));
        }
        Ok(block)
    }

    /// The keys as names of columns: a literal after GROUP BY would be the number of a column.
    fn group_keys(&mut self, block: &mut Block, keys: &[&Expr], schema: &DFSchema) -> Outcome<Vec<String>> {
        let width = block.columns.len();
        let columns = block.columns.clone();
        let scope = Scope { schema, columns: &columns, subqueries: Subqueries::Scalar };
        for key in keys {
            block.columns.push(Some(self.expression(key, scope)?));
            block.names.push(format!("key_{}", block.names.len() - width + 1));
        }
        if !keys.iter().all(|key| matches!(key, Expr::Column(_))) {
            block.is_plain = false;
            *block = block.closed(&self.alias());
        }
        Ok(block.columns.get(width..).unwrap_or_default().iter().flatten().cloned().collect())
    }
}

/// Whose columns a join has.
enum Shows {
    Both,
    Left,
}

fn names_of(schema: &DFSchema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}
