//! The interpreter: nested loops over rows in vectors, each row with the row ids that it was made from.

use std::collections::BTreeMap;

use super::ast::{
    Aggregate, ColumnName, Comparison, Expr, From, JoinKind, Mask, Predicate, Query, Select, SetOperation, Sources,
    Table, Type, Value, WindowKind, World,
};

/// How many bits of a row id are the row's.
const ROW_BITS: u32 = 40;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) values: Vec<Value>,
    pub(super) sources: Sources,
}

struct Relation {
    columns: Vec<ColumnName>,
    rows: Vec<Row>,
}

/// The row that an expression is evaluated for, and those of the queries outside.
#[derive(Clone, Copy)]
struct Scope<'a> {
    columns: &'a [ColumnName],
    values: &'a [Value],
    outer: Option<&'a Scope<'a>>,
}

/// The rows of a query, in no order.
pub(super) fn rows(world: &World, query: &Query) -> Vec<Row> {
    Evaluator { world, raw: false }.query(query, None)
}

/// The ids of the rows of a table that its filter lets through.
pub(super) fn visible_ids(world: &World, table: usize) -> Sources {
    let evaluator = Evaluator { world, raw: false };
    evaluator.scan(table, "x").rows.iter().flat_map(|row| row.sources.clone()).collect()
}

struct Evaluator<'a> {
    world: &'a World,
    /// Whether tables are read as they are: so the conditions of policies read them.
    raw: bool,
}

impl Evaluator<'_> {
    fn query(&self, query: &Query, outer: Option<&Scope<'_>>) -> Vec<Row> {
        match query {
            Query::Select(select) => self.select(select, outer),
            Query::Set(operation, left, right) => {
                let left = self.query(left, outer);
                let right = self.query(right, outer);
                let is_right = |row: &Row| right.iter().any(|other| other.values == row.values);
                match operation {
                    SetOperation::UnionAll => left.into_iter().chain(right).collect(),
                    SetOperation::Union => distinct(left.into_iter().chain(right).collect()),
                    // The right side decides, and is read as a whole.
                    SetOperation::Intersect => distinct(left.into_iter().filter(|row| is_right(row)).collect()),
                    SetOperation::Except => distinct(left.into_iter().filter(|row| !is_right(row)).collect()),
                }
            }
        }
    }

    fn select(&self, select: &Select, outer: Option<&Scope<'_>>) -> Vec<Row> {
        let Relation { columns, mut rows } = self.from(&select.from, outer);
        if let Some(filter) = &select.filter {
            rows.retain(|row| {
                self.holds(filter, &Scope { columns: &columns, values: &row.values, outer }) == Some(true)
            });
        }
        let mut shown = match &select.group_by {
            Some(keys) => self.grouped(select, keys, &columns, &rows, outer),
            None => self.row_wise(select, &columns, &rows, outer),
        };
        if select.distinct {
            shown = distinct(shown);
        }
        if let Some(limit) = select.limit {
            shown.sort_by(|a, b| a.values[0].cmp(&b.values[0]));
            shown.truncate(limit);
        }
        shown
    }

    fn row_wise(&self, select: &Select, columns: &[ColumnName], rows: &[Row], outer: Option<&Scope<'_>>) -> Vec<Row> {
        let scope_of = |row: &Row| -> Vec<Value> { row.values.clone() };
        let partition_of = |keys: &[Expr], row: &Row| -> Vec<Value> {
            let values = scope_of(row);
            let scope = Scope { columns, values: &values, outer };
            keys.iter().map(|key| self.value(key, &scope)).collect()
        };
        let windows: Vec<&Vec<Expr>> = select
            .items
            .iter()
            .filter_map(|item| match item {
                Expr::Window(_, partition_by) => Some(partition_by),
                _ => None,
            })
            .collect();
        let mut shown = Vec::new();
        for row in rows {
            let scope = Scope { columns, values: &row.values, outer };
            let mut sources = match windows.is_empty() {
                true => row.sources.clone(),
                false => Sources::new(),
            };
            for keys in &windows {
                let own = partition_of(keys, row);
                let same = rows.iter().filter(|other| partition_of(keys, other) == own);
                sources.extend(same.flat_map(|other| other.sources.clone()));
            }
            let mut values = Vec::new();
            for item in &select.items {
                match item {
                    Expr::Window(kind, keys) => {
                        let own = partition_of(keys, row);
                        let same: Vec<&Row> = rows.iter().filter(|other| partition_of(keys, other) == own).collect();
                        values.push(self.window(kind, &same, row, columns, outer));
                    }
                    _ => {
                        self.behind(item, &scope, &mut sources);
                        values.push(self.value(item, &scope));
                    }
                }
            }
            shown.push(Row { values, sources });
        }
        shown
    }

    fn window(
        &self,
        kind: &WindowKind,
        partition: &[&Row],
        row: &Row,
        columns: &[ColumnName],
        outer: Option<&Scope<'_>>,
    ) -> Value {
        let value = |expr: &Expr, row: &Row| self.value(expr, &Scope { columns, values: &row.values, outer });
        match kind {
            WindowKind::Count => Value::Int(partition.len() as i64),
            WindowKind::Sum(inner) => sum(partition.iter().map(|row| value(inner, row))),
            WindowKind::RowNumber(by) => {
                let own = value(by, row);
                Value::Int(partition.iter().filter(|other| value(by, other) <= own).count() as i64)
            }
        }
    }

    /// The sources of the values that scalar subqueries give.
    fn behind(&self, item: &Expr, scope: &Scope<'_>, sources: &mut Sources) {
        match item {
            Expr::Scalar(query) => {
                sources.extend(self.query(query, Some(scope)).into_iter().flat_map(|row| row.sources));
            }
            Expr::Add(left, right) | Expr::Concat(left, right) | Expr::Coalesce(left, right) => {
                self.behind(left, scope, sources);
                self.behind(right, scope, sources);
            }
            Expr::Case(_, then, otherwise) => {
                self.behind(then, scope, sources);
                self.behind(otherwise, scope, sources);
            }
            Expr::Column(_) | Expr::Literal(_) | Expr::CountAll | Expr::Aggregate(..) | Expr::Window(..) => {}
        }
    }

    fn grouped(
        &self,
        select: &Select,
        keys: &[Expr],
        columns: &[ColumnName],
        rows: &[Row],
        outer: Option<&Scope<'_>>,
    ) -> Vec<Row> {
        let mut groups: BTreeMap<Vec<Value>, Vec<&Row>> = BTreeMap::new();
        if keys.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        for row in rows {
            let scope = Scope { columns, values: &row.values, outer };
            let key = keys.iter().map(|key| self.value(key, &scope)).collect();
            groups.entry(key).or_default().push(row);
        }
        let nulls = vec![Value::Null; columns.len()];
        let mut shown = Vec::new();
        for group in groups.values() {
            let first = group.first().map_or(&nulls, |row| &row.values);
            let scope = Scope { columns, values: first, outer };
            let of_group = |expr: &Expr| self.group_value(expr, group, &scope);
            if let Some(having) = &select.having
                && self.group_holds(having, group, &scope) != Some(true)
            {
                continue;
            }
            let values = select.items.iter().map(of_group).collect();
            shown.push(Row { values, sources: group.iter().flat_map(|row| row.sources.clone()).collect() });
        }
        shown
    }

    fn group_value(&self, expr: &Expr, group: &[&Row], scope: &Scope<'_>) -> Value {
        let values = |inner: &Expr| -> Vec<Value> {
            group.iter().map(|row| self.value(inner, &Scope { values: &row.values, ..*scope })).collect()
        };
        match expr {
            Expr::CountAll => Value::Int(group.len() as i64),
            Expr::Aggregate(aggregate, inner) => {
                let present: Vec<Value> = values(inner).into_iter().filter(|value| *value != Value::Null).collect();
                match aggregate {
                    Aggregate::Count => Value::Int(present.len() as i64),
                    Aggregate::CountDistinct => {
                        Value::Int(present.iter().collect::<std::collections::BTreeSet<_>>().len() as i64)
                    }
                    Aggregate::Sum => sum(present.into_iter()),
                    Aggregate::Min => present.into_iter().min().unwrap_or(Value::Null),
                    Aggregate::Max => present.into_iter().max().unwrap_or(Value::Null),
                }
            }
            other => self.value(other, scope),
        }
    }

    fn group_holds(&self, condition: &Predicate, group: &[&Row], scope: &Scope<'_>) -> Option<bool> {
        match condition {
            Predicate::Compare(comparison, left, right) => {
                compare(*comparison, &self.group_value(left, group, scope), &self.group_value(right, group, scope))
            }
            other => self.holds(other, scope),
        }
    }

    fn from(&self, from: &From, outer: Option<&Scope<'_>>) -> Relation {
        match from {
            From::Table { table, alias } => self.scan(*table, alias),
            From::Subquery { query, alias } => {
                let rows = self.query(query, outer);
                let width = width(query);
                let column = |index| ColumnName { relation: alias.clone(), column: format!("c{index}") };
                Relation { columns: (0..width).map(column).collect(), rows }
            }
            From::Values { alias, rows } => {
                let column = |index| ColumnName { relation: alias.clone(), column: format!("c{index}") };
                let columns = (0..rows[0].len()).map(column).collect();
                let row = |values: &Vec<Value>| Row { values: values.clone(), sources: Sources::new() };
                Relation { columns, rows: rows.iter().map(row).collect() }
            }
            From::Join { kind, left, right, on } => {
                self.join(*kind, &self.from(left, outer), &self.from(right, outer), on, outer)
            }
        }
    }

    fn join(
        &self,
        kind: JoinKind,
        left: &Relation,
        right: &Relation,
        on: &Predicate,
        outer: Option<&Scope<'_>>,
    ) -> Relation {
        let columns: Vec<ColumnName> = left.columns.iter().chain(&right.columns).cloned().collect();
        let nulls =
            |relation: &Relation| Row { values: vec![Value::Null; relation.columns.len()], sources: Sources::new() };
        let both = |left: &Row, right: &Row| Row {
            values: left.values.iter().chain(&right.values).cloned().collect(),
            sources: left.sources.union(&right.sources).copied().collect(),
        };
        let mut rows = Vec::new();
        let mut matched = vec![false; right.rows.len()];
        for left_row in &left.rows {
            let mut is_matched = false;
            for (right_row, matched) in right.rows.iter().zip(&mut matched) {
                let row = both(left_row, right_row);
                let scope = Scope { columns: &columns, values: &row.values, outer };
                if kind == JoinKind::Cross || self.holds(on, &scope) == Some(true) {
                    is_matched = true;
                    *matched = true;
                    rows.push(row);
                }
            }
            if !is_matched && matches!(kind, JoinKind::Left | JoinKind::Full) {
                rows.push(both(left_row, &nulls(right)));
            }
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            let unmatched = right.rows.iter().zip(&matched).filter(|(_, matched)| !**matched);
            rows.extend(unmatched.map(|(row, _)| both(&nulls(left), row)));
        }
        Relation { columns, rows }
    }

    /// A table as the principal sees it.
    fn scan(&self, table: usize, alias: &str) -> Relation {
        let Table { columns, rows, .. } = &self.world.tables[table];
        let access = &self.world.access[table];
        let own: Vec<ColumnName> =
            columns.iter().map(|(name, _)| ColumnName { relation: String::new(), column: name.clone() }).collect();
        let is_seen = |index: &usize| self.raw || access.columns[*index].is_some();
        let seen: Vec<usize> = (0..columns.len()).filter(is_seen).collect();
        let filter = access.filter.as_ref().filter(|_| !self.raw);
        let policy = Evaluator { raw: true, ..*self };
        let mut shown = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let scope = Scope { columns: &own, values: row, outer: None };
            if filter.is_some_and(|filter| policy.holds(filter, &scope) != Some(true)) {
                continue;
            }
            let mask = |index: usize| if self.raw { None } else { access.columns[index].flatten() };
            let value = |index: &usize| masked(mask(*index), columns[*index].1, &row[*index]);
            let id = ((table as i64) << ROW_BITS) + number as i64;
            shown.push(Row { values: seen.iter().map(value).collect(), sources: [id].into() });
        }
        let column = |index: &usize| ColumnName { relation: alias.to_owned(), column: columns[*index].0.clone() };
        Relation { columns: seen.iter().map(column).collect(), rows: shown }
    }

    fn value(&self, expr: &Expr, scope: &Scope<'_>) -> Value {
        match expr {
            Expr::Column(column) => lookup(column, scope),
            Expr::Literal(value) => value.clone(),
            Expr::Add(left, right) => match (self.value(left, scope), self.value(right, scope)) {
                (Value::Int(left), Value::Int(right)) => Value::Int(left + right),
                _ => Value::Null,
            },
            Expr::Concat(left, right) => match (self.value(left, scope), self.value(right, scope)) {
                (Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
                _ => Value::Null,
            },
            Expr::Coalesce(left, right) => match self.value(left, scope) {
                Value::Null => self.value(right, scope),
                value => value,
            },
            Expr::Case(when, then, otherwise) => match self.holds(when, scope) {
                Some(true) => self.value(then, scope),
                Some(false) | None => self.value(otherwise, scope),
            },
            Expr::Scalar(query) => match self.query(query, Some(scope)).as_slice() {
                [] => Value::Null,
                [row] => row.values[0].clone(),
                rows => panic!("a scalar subquery of {} rows was generated", rows.len()),
            },
            Expr::CountAll | Expr::Aggregate(..) | Expr::Window(..) => panic!("{expr:?} outside of its place"),
        }
    }

    fn holds(&self, condition: &Predicate, scope: &Scope<'_>) -> Option<bool> {
        match condition {
            Predicate::True => Some(true),
            Predicate::Compare(comparison, left, right) => {
                compare(*comparison, &self.value(left, scope), &self.value(right, scope))
            }
            Predicate::IsNull(inner) => Some(self.value(inner, scope) == Value::Null),
            Predicate::InList(inner, values) => among(&self.value(inner, scope), values.iter()),
            Predicate::And(left, right) => match (self.holds(left, scope), self.holds(right, scope)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Predicate::Or(left, right) => match (self.holds(left, scope), self.holds(right, scope)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Predicate::Not(inner) => self.holds(inner, scope).map(|holds| !holds),
            Predicate::In { value, query, negated } => {
                let rows = self.query(query, Some(scope));
                let found = among(&self.value(value, scope), rows.iter().map(|row| &row.values[0]));
                found.map(|found| found != *negated)
            }
            Predicate::Exists { query, negated } => Some(self.query(query, Some(scope)).is_empty() == *negated),
        }
    }
}

fn lookup(column: &ColumnName, scope: &Scope<'_>) -> Value {
    match scope.columns.iter().position(|own| own == column) {
        Some(place) => scope.values[place].clone(),
        None => lookup(column, scope.outer.unwrap_or_else(|| panic!("{column:?} is nowhere"))),
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> Option<bool> {
    if *left == Value::Null || *right == Value::Null {
        return None;
    }
    Some(match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
    })
}

/// Whether a value is among others: unknown if it is not, and it or one of them is null.
fn among<'a>(value: &Value, others: impl Iterator<Item = &'a Value>) -> Option<bool> {
    let mut is_unknown = false;
    for other in others {
        match compare(Comparison::Equal, value, other) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => is_unknown = true,
        }
    }
    (!is_unknown).then_some(false)
}

fn sum(values: impl Iterator<Item = Value>) -> Value {
    let add = |sum: Value, value: Value| match (sum, value) {
        (Value::Null, value) => value,
        (sum, Value::Null) => sum,
        (Value::Int(sum), Value::Int(value)) => Value::Int(sum + value),
        (_, value) => panic!("the sum of {value:?} was generated"),
    };
    values.fold(Value::Null, add)
}

fn distinct(rows: Vec<Row>) -> Vec<Row> {
    let mut by_values: BTreeMap<Vec<Value>, Sources> = BTreeMap::new();
    for row in rows {
        by_values.entry(row.values).or_default().extend(row.sources);
    }
    by_values.into_iter().map(|(values, sources)| Row { values, sources }).collect()
}

fn width(query: &Query) -> usize {
    match query {
        Query::Select(select) => select.items.len(),
        Query::Set(_, left, _) => width(left),
    }
}

/// What a mask leaves, by the definition of Ranger's masks.
fn masked(mask: Option<Mask>, value_type: Type, value: &Value) -> Value {
    let redact = |c: char| match c {
        'A'..='Z' => 'X',
        'a'..='z' => 'x',
        '0'..='9' => 'n',
        other => other,
    };
    let text = |change: &dyn Fn(&str) -> String| match value {
        Value::Text(text) => Value::Text(change(text)),
        // The mask does not fit numbers, so nothing is left.
        Value::Int(_) | Value::Bool(_) | Value::Null => Value::Null,
    };
    match mask {
        None => value.clone(),
        Some(Mask::Null) => Value::Null,
        Some(Mask::Redact) => text(&|text| text.chars().map(redact).collect()),
        Some(Mask::ShowFirst4) => {
            text(&|text| text.chars().enumerate().map(|(i, c)| if i < 4 { c } else { redact(c) }).collect())
        }
        Some(Mask::ShowLast4) => text(&|text| {
            let hidden = text.chars().count().saturating_sub(4);
            text.chars().enumerate().map(|(i, c)| if i < hidden { redact(c) } else { c }).collect()
        }),
        Some(Mask::Custom) => match (value, value_type) {
            (Value::Null, Type::Int) => Value::Int(-1),
            (Value::Null, Type::Text) => Value::Text("none".into()),
            (value, _) => value.clone(),
        },
    }
}
