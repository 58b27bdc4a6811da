//! Tables, policies and queries from a seed.

use super::ast::{
    Access, Aggregate, ColumnName, Comparison, Expr, From, JoinKind, Mask, Predicate, Query, Select, SetOperation,
    Table, Type, Value, WindowKind, World,
};

/// Numbers from a seed (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const TEXTS: &[&str] = &["", "a", "Bern", "Oslo 12", "x-9-Y", "zz zz zz"];

pub(super) fn world(random: &mut Random) -> World {
    let tables: Vec<Table> = (0..2 + random.below(2)).map(|number| table(random, number)).collect();
    let access = (0..tables.len()).map(|number| access(random, &tables, number)).collect();
    World { tables, access }
}

fn table(random: &mut Random, number: usize) -> Table {
    let mut columns = vec![("id".to_owned(), Type::Int)];
    for index in 0..2 + random.below(3) {
        let value_type = if random.percent(50) { Type::Int } else { Type::Text };
        columns.push((format!("k{index}"), value_type));
    }
    let rows = (0..random.below(8)).map(|row| {
        let mut values = vec![Value::Int(row as i64 + 1)];
        values.extend(columns[1..].iter().map(|(_, value_type)| match random.percent(20) {
            true => Value::Null,
            false => literal(random, *value_type),
        }));
        values
    });
    let rows = rows.collect();
    Table { name: format!("t{number}"), columns, rows }
}

fn literal(random: &mut Random, value_type: Type) -> Value {
    match value_type {
        Type::Int => Value::Int(random.below(5) as i64),
        Type::Text => Value::Text((*random.pick(TEXTS)).to_owned()),
    }
}

fn access(random: &mut Random, tables: &[Table], number: usize) -> Access {
    let table = &tables[number];
    let mut columns = vec![Some(None)];
    for _ in &table.columns[1..] {
        columns.push(match random.below(10) {
            0 => None,
            1 => Some(Some(Mask::Null)),
            2 => Some(Some(Mask::Redact)),
            3 => Some(Some(Mask::ShowLast4)),
            4 => Some(Some(*random.pick(&[Mask::ShowFirst4, Mask::Custom]))),
            _ => Some(None),
        });
    }
    let filter = random.percent(60).then(|| {
        let own = table
            .columns
            .iter()
            .map(|(name, value_type)| (ColumnName { relation: String::new(), column: name.clone() }, *value_type));
        let mut generator = Generator { random, tables, access: None, aliases: 0 };
        let scope = Scope { columns: own.collect(), outer: Vec::new() };
        let condition = generator.predicate(&scope, 2, Subqueries::None);
        match generator.random.percent(25) {
            true => Predicate::And(Box::new(condition), Box::new(generator.entitlement(&scope))),
            false => condition,
        }
    });
    Access { columns, filter }
}

/// A query over what the principal sees.
pub(super) fn query(random: &mut Random, world: &World) -> Query {
    let mut generator = Generator { random, tables: &world.tables, access: Some(&world.access), aliases: 0 };
    let types = generator.types();
    generator.query(&types, 2)
}

struct Scope {
    columns: Vec<(ColumnName, Type)>,
    /// Columns of the queries outside.
    outer: Vec<(ColumnName, Type)>,
}

/// Which subqueries a condition may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subqueries {
    None,
    Any,
}

struct Generator<'a> {
    random: &'a mut Random,
    tables: &'a [Table],
    /// Absent for the conditions of policies, which see everything.
    access: Option<&'a [Access]>,
    aliases: usize,
}

impl Generator<'_> {
    fn types(&mut self) -> Vec<Type> {
        (0..1 + self.random.below(3)).map(|_| *self.random.pick(&[Type::Int, Type::Text])).collect()
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("r{}", self.aliases)
    }

    fn query(&mut self, types: &[Type], depth: usize) -> Query {
        if depth > 0 && self.random.percent(20) {
            let operations =
                [SetOperation::UnionAll, SetOperation::Union, SetOperation::Intersect, SetOperation::Except];
            let operation = *self.random.pick(&operations);
            let left = self.query(types, depth - 1);
            let right = self.query(types, depth - 1);
            return Query::Set(operation, Box::new(left), Box::new(right));
        }
        Query::Select(Box::new(self.select(types, depth)))
    }

    fn select(&mut self, types: &[Type], depth: usize) -> Select {
        let (from, columns) = self.from(depth);
        let scope = Scope { columns, outer: Vec::new() };
        let filter = self.random.percent(60).then(|| self.predicate(&scope, 2, Subqueries::Any));
        let mut select =
            Select { distinct: false, items: Vec::new(), from, filter, group_by: None, having: None, limit: None };
        match self.random.below(10) {
            0..=2 => self.grouped(&mut select, types, &scope),
            3 => self.windowed(&mut select, types, &scope),
            4 => self.limited(&mut select, types, &scope),
            _ => {
                select.items = types.iter().map(|value_type| self.item(*value_type, &scope)).collect();
                select.distinct = self.random.percent(25);
            }
        }
        select
    }

    /// An expression, or a scalar subquery.
    fn item(&mut self, value_type: Type, scope: &Scope) -> Expr {
        match value_type == Type::Int && self.random.percent(15) {
            true => self.scalar(scope),
            false => self.expr(value_type, scope, 2),
        }
    }

    fn grouped(&mut self, select: &mut Select, types: &[Type], scope: &Scope) {
        let mut keys = Vec::new();
        for value_type in types {
            let key = self.random.percent(50);
            let item = match (key, value_type) {
                (true, _) => {
                    let key = self.column(*value_type, scope);
                    keys.push(key.clone());
                    key
                }
                (false, Type::Int) => self.aggregate(scope),
                (false, Type::Text) => {
                    let aggregate = *self.random.pick(&[Aggregate::Min, Aggregate::Max]);
                    Expr::Aggregate(aggregate, Box::new(self.expr(Type::Text, scope, 1)))
                }
            };
            select.items.push(item);
        }
        // A literal as a key would be read as the number of an item.
        keys.retain(|key| matches!(key, Expr::Column(_)));
        if keys.is_empty() && select.items.iter().all(|item| matches!(item, Expr::Column(_) | Expr::Literal(_))) {
            return;
        }
        select.group_by = Some(keys);
        select.having = self.random.percent(20).then(|| {
            let limit = Expr::Literal(Value::Int(self.random.below(3) as i64));
            Predicate::Compare(Comparison::Less, limit, Expr::CountAll)
        });
    }

    fn aggregate(&mut self, scope: &Scope) -> Expr {
        match self.random.below(5) {
            0 => Expr::CountAll,
            1 => Expr::Aggregate(Aggregate::CountDistinct, Box::new(self.column(Type::Int, scope))),
            2 => {
                let value_type = *self.random.pick(&[Type::Int, Type::Text]);
                Expr::Aggregate(Aggregate::Count, Box::new(self.expr(value_type, scope, 1)))
            }
            _ => {
                let aggregate = *self.random.pick(&[Aggregate::Sum, Aggregate::Min, Aggregate::Max]);
                Expr::Aggregate(aggregate, Box::new(self.expr(Type::Int, scope, 1)))
            }
        }
    }

    fn windowed(&mut self, select: &mut Select, types: &[Type], scope: &Scope) {
        let id = match &select.from {
            From::Table { alias, .. } => {
                Some(Expr::Column(ColumnName { relation: alias.clone(), column: "id".into() }))
            }
            From::Subquery { .. } | From::Join { .. } | From::Values { .. } => None,
        };
        for value_type in types {
            if *value_type == Type::Text || self.random.percent(40) {
                select.items.push(self.expr(*value_type, scope, 1));
                continue;
            }
            let keys = match self.random.percent(70) {
                true => {
                    let value_type = *self.random.pick(&[Type::Int, Type::Text]);
                    vec![self.column(value_type, scope)]
                }
                false => Vec::new(),
            };
            let keys = keys.into_iter().filter(|key| matches!(key, Expr::Column(_))).collect();
            let kind = match (self.random.below(3), &id) {
                (0, _) => WindowKind::Count,
                (1, Some(id)) => WindowKind::RowNumber(Box::new(id.clone())),
                _ => WindowKind::Sum(Box::new(self.expr(Type::Int, scope, 1))),
            };
            select.items.push(Expr::Window(kind, keys));
        }
    }

    /// The first rows by a unique first item.
    fn limited(&mut self, select: &mut Select, types: &[Type], scope: &Scope) {
        select.items = types.iter().map(|value_type| self.expr(*value_type, scope, 1)).collect();
        if let (From::Table { alias, .. }, Some(Type::Int)) = (&select.from, types.first()) {
            select.items[0] = Expr::Column(ColumnName { relation: alias.clone(), column: "id".into() });
            select.limit = Some(self.random.below(4));
        }
    }

    fn from(&mut self, depth: usize) -> (From, Vec<(ColumnName, Type)>) {
        match self.random.below(10) {
            0..=4 => self.table(),
            5 if depth > 0 => {
                let types = self.types();
                let query = self.query(&types, depth - 1);
                let alias = self.alias();
                let column = |(index, value_type): (usize, &Type)| {
                    (ColumnName { relation: alias.clone(), column: format!("c{index}") }, *value_type)
                };
                let columns = types.iter().enumerate().map(column).collect();
                (From::Subquery { query, alias }, columns)
            }
            6 => self.values(),
            _ if depth > 0 => self.join(depth),
            _ => self.table(),
        }
    }

    fn table(&mut self) -> (From, Vec<(ColumnName, Type)>) {
        let number = self.random.below(self.tables.len());
        let alias = self.alias();
        let is_seen = |index: usize| self.access.is_none_or(|access| access[number].columns[index].is_some());
        let seen = self.tables[number].columns.iter().enumerate().filter(|(index, _)| is_seen(*index));
        let column = |(_, (name, value_type)): (usize, &(String, Type))| {
            (ColumnName { relation: alias.clone(), column: name.clone() }, *value_type)
        };
        let columns = seen.map(column).collect();
        (From::Table { table: number, alias }, columns)
    }

    fn values(&mut self) -> (From, Vec<(ColumnName, Type)>) {
        let types = self.types();
        let alias = self.alias();
        let rows = (0..1 + self.random.below(3))
            .map(|_| types.iter().map(|value_type| literal(self.random, *value_type)).collect())
            .collect();
        let column = |(index, value_type): (usize, &Type)| {
            (ColumnName { relation: alias.clone(), column: format!("c{index}") }, *value_type)
        };
        let columns = types.iter().enumerate().map(column).collect();
        (From::Values { alias, rows }, columns)
    }

    fn join(&mut self, depth: usize) -> (From, Vec<(ColumnName, Type)>) {
        let (left, left_columns) = self.from(depth - 1);
        let (right, right_columns) = self.table();
        let kinds = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Cross];
        let mut kind = *self.random.pick(&kinds);
        let left_scope = Scope { columns: left_columns.clone(), outer: Vec::new() };
        let right_scope = Scope { columns: right_columns.clone(), outer: Vec::new() };
        let value_type = *self.random.pick(&[Type::Int, Type::Text]);
        let keys = (self.column(value_type, &left_scope), self.column(value_type, &right_scope));
        let on = match keys {
            (left @ Expr::Column(_), right @ Expr::Column(_)) => Predicate::Compare(Comparison::Equal, left, right),
            _ => {
                kind = JoinKind::Cross;
                Predicate::True
            }
        };
        let columns: Vec<_> = left_columns.into_iter().chain(right_columns).collect();
        let on = match kind == JoinKind::Inner && self.random.percent(30) {
            true => {
                let scope = Scope { columns: columns.clone(), outer: Vec::new() };
                Predicate::And(Box::new(on), Box::new(self.predicate(&scope, 1, Subqueries::None)))
            }
            false => on,
        };
        (From::Join { kind, left: Box::new(left), right: Box::new(right), on }, columns)
    }

    /// A column of a type, or a literal where there is none.
    fn column(&mut self, value_type: Type, scope: &Scope) -> Expr {
        let fitting: Vec<&ColumnName> =
            scope.columns.iter().filter(|(_, own)| *own == value_type).map(|(name, _)| name).collect();
        match fitting.is_empty() {
            true => Expr::Literal(literal(self.random, value_type)),
            false => Expr::Column((*self.random.pick(&fitting)).clone()),
        }
    }

    fn expr(&mut self, value_type: Type, scope: &Scope, depth: usize) -> Expr {
        if depth == 0 || self.random.percent(50) {
            return match self.random.percent(85) {
                true => self.column(value_type, scope),
                false => Expr::Literal(literal(self.random, value_type)),
            };
        }
        let pair = |this: &mut Self| {
            (Box::new(this.expr(value_type, scope, depth - 1)), Box::new(this.expr(value_type, scope, depth - 1)))
        };
        match self.random.below(3) {
            0 => {
                let (left, right) = pair(self);
                match value_type {
                    Type::Int => Expr::Add(left, right),
                    Type::Text => Expr::Concat(left, right),
                }
            }
            1 => {
                let (left, right) = pair(self);
                Expr::Coalesce(left, right)
            }
            _ => {
                let when = self.predicate(scope, depth - 1, Subqueries::None);
                let (then, otherwise) = pair(self);
                Expr::Case(Box::new(when), then, otherwise)
            }
        }
    }

    fn predicate(&mut self, scope: &Scope, depth: usize, subqueries: Subqueries) -> Predicate {
        let value_type = *self.random.pick(&[Type::Int, Type::Text]);
        if depth > 0 && self.random.percent(30) {
            let left = Box::new(self.predicate(scope, depth - 1, subqueries));
            let right = Box::new(self.predicate(scope, depth - 1, subqueries));
            return match self.random.below(3) {
                0 => Predicate::And(left, right),
                1 => Predicate::Or(left, right),
                _ => Predicate::Not(left),
            };
        }
        if subqueries == Subqueries::Any && self.random.percent(30) {
            return self.subquery_predicate(scope);
        }
        match self.random.below(6) {
            0 => Predicate::IsNull(self.expr(value_type, scope, 1)),
            1 => {
                let values = (0..1 + self.random.below(3)).map(|_| literal(self.random, value_type)).collect();
                Predicate::InList(self.expr(value_type, scope, 1), values)
            }
            _ => {
                let comparisons = [Comparison::Equal, Comparison::NotEqual, Comparison::Less, Comparison::LessOrEqual];
                let comparison = *self.random.pick(&comparisons);
                Predicate::Compare(comparison, self.expr(value_type, scope, 1), self.expr(value_type, scope, 1))
            }
        }
    }

    fn subquery_predicate(&mut self, scope: &Scope) -> Predicate {
        let negated = self.random.percent(40);
        let value_type = *self.random.pick(&[Type::Int, Type::Text]);
        match self.random.below(3) {
            0 => {
                let (from, columns) = self.table();
                let inner = Scope { columns, outer: Vec::new() };
                let item = self.column(value_type, &inner);
                let filter = self.random.percent(50).then(|| self.predicate(&inner, 1, Subqueries::None));
                Predicate::In { value: self.column(value_type, scope), query: plain(item, from, filter), negated }
            }
            1 => {
                let (from, filter) = self.correlated(scope);
                let item = Expr::Literal(Value::Int(1));
                Predicate::Exists { query: plain(item, from, Some(filter)), negated }
            }
            _ => {
                let scalar = self.scalar(scope);
                Predicate::Compare(Comparison::LessOrEqual, self.expr(Type::Int, scope, 1), scalar)
            }
        }
    }

    /// A table, and the rows of it that have something in common with the row outside.
    fn correlated(&mut self, scope: &Scope) -> (From, Predicate) {
        let (from, columns) = self.table();
        let inner = Scope { columns, outer: scope.columns.clone() };
        let value_type = *self.random.pick(&[Type::Int, Type::Text]);
        let outside = Scope { columns: inner.outer.clone(), outer: Vec::new() };
        let own = self.column(value_type, &inner);
        let outer = self.column(value_type, &outside);
        let joined = Predicate::Compare(Comparison::Equal, own, outer);
        let filter = match self.random.percent(40) {
            true => Predicate::And(Box::new(joined), Box::new(self.predicate(&inner, 1, Subqueries::None))),
            false => joined,
        };
        (from, filter)
    }

    /// One number: an aggregate over rows, which may depend on the row outside.
    fn scalar(&mut self, scope: &Scope) -> Expr {
        let (from, filter) = match self.random.percent(60) {
            true => {
                let (from, filter) = self.correlated(scope);
                (from, Some(filter))
            }
            false => (self.table().0, None),
        };
        let From::Table { table, alias } = &from else { panic!("a table") };
        let is_seen = |index: usize| self.access.is_none_or(|access| access[*table].columns[index].is_some());
        let columns = self.tables[*table].columns.iter().enumerate().filter(|(index, _)| is_seen(*index));
        let columns = columns
            .map(|(_, (name, value_type))| (ColumnName { relation: alias.clone(), column: name.clone() }, *value_type));
        let inner = Scope { columns: columns.collect(), outer: Vec::new() };
        let item = self.aggregate(&inner);
        let select = Select {
            distinct: false,
            items: vec![item],
            from,
            filter,
            group_by: Some(Vec::new()),
            having: None,
            limit: None,
        };
        Expr::Scalar(Box::new(Query::Select(Box::new(select))))
    }

    /// A condition of a policy that asks another table.
    fn entitlement(&mut self, scope: &Scope) -> Predicate {
        let (from, columns) = self.table();
        let inner = Scope { columns, outer: Vec::new() };
        let item = self.column(Type::Int, &inner);
        Predicate::In { value: self.column(Type::Int, scope), query: plain(item, from, None), negated: false }
    }
}

fn plain(item: Expr, from: From, filter: Option<Predicate>) -> Query {
    let items = vec![item];
    Query::Select(Box::new(Select { distinct: false, items, from, filter, group_by: None, having: None, limit: None }))
}
