//! Queries as SQL, and tables and policies as the files of a project.

use super::ast::{
    Access, Aggregate, Comparison, Expr, From, JoinKind, Mask, Predicate, Query, Select, SetOperation, Table, Type,
    Value, WindowKind, World,
};

pub(super) fn query(query: &Query) -> String {
    match query {
        Query::Select(select) => self::select(select),
        Query::Set(operation, left, right) => {
            let operation = match operation {
                SetOperation::UnionAll => "UNION ALL",
                SetOperation::Union => "UNION",
                SetOperation::Intersect => "INTERSECT",
                SetOperation::Except => "EXCEPT",
            };
            format!("({}) {operation} ({})", self::query(left), self::query(right))
        }
    }
}

fn select(select: &Select) -> String {
    let items: Vec<_> = select.items.iter().enumerate().map(|(i, item)| format!("{} AS c{i}", expr(item))).collect();
    let mut sql = format!(
        "SELECT {}{} FROM {}",
        if select.distinct { "DISTINCT " } else { "" },
        items.join(", "),
        from(&select.from)
    );
    if let Some(filter) = &select.filter {
        sql.push_str(&format!(" WHERE {}", predicate(filter)));
    }
    if let Some(keys) = select.group_by.as_ref().filter(|keys| !keys.is_empty()) {
        sql.push_str(&format!(" GROUP BY {}", keys.iter().map(expr).collect::<Vec<_>>().join(", ")));
    }
    if let Some(having) = &select.having {
        sql.push_str(&format!(" HAVING {}", predicate(having)));
    }
    if let Some(limit) = select.limit {
        sql.push_str(&format!(" ORDER BY c0 LIMIT {limit}"));
    }
    sql
}

fn from(relation: &From) -> String {
    match relation {
        From::Table { table, alias } => format!("t{table} AS {alias}"),
        From::Subquery { query, alias } => format!("({}) AS {alias}", self::query(query)),
        From::Values { alias, rows } => {
            let row = |row: &Vec<Value>| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", "));
            let columns: Vec<_> = (0..rows[0].len()).map(|i| format!("c{i}")).collect();
            let rows: Vec<_> = rows.iter().map(row).collect();
            format!("(VALUES {}) AS {alias}({})", rows.join(", "), columns.join(", "))
        }
        From::Join { kind: JoinKind::Cross, left, right, .. } => format!("{} CROSS JOIN {}", from(left), from(right)),
        From::Join { kind, left, right, on } => {
            let kind = match kind {
                JoinKind::Inner | JoinKind::Cross => "JOIN",
                JoinKind::Left => "LEFT JOIN",
                JoinKind::Right => "RIGHT JOIN",
                JoinKind::Full => "FULL JOIN",
            };
            format!("{} {kind} {} ON {}", from(left), from(right), predicate(on))
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Int(value) => format!("CAST({value} AS BIGINT)"),
        other => other.to_string(),
    }
}

fn expr(expression: &Expr) -> String {
    match expression {
        Expr::Column(column) if column.relation.is_empty() => column.column.clone(),
        Expr::Column(column) => format!("{}.{}", column.relation, column.column),
        Expr::Literal(value) => literal(value),
        Expr::Add(left, right) => format!("({} + {})", expr(left), expr(right)),
        Expr::Concat(left, right) => format!("({} || {})", expr(left), expr(right)),
        Expr::Coalesce(left, right) => format!("coalesce({}, {})", expr(left), expr(right)),
        Expr::Case(when, then, otherwise) => {
            format!("CASE WHEN {} THEN {} ELSE {} END", predicate(when), expr(then), expr(otherwise))
        }
        Expr::Scalar(query) => format!("({})", self::query(query)),
        Expr::CountAll => "count(*)".into(),
        Expr::Aggregate(aggregate, inner) => match aggregate {
            Aggregate::Count => format!("count({})", expr(inner)),
            Aggregate::CountDistinct => format!("count(DISTINCT {})", expr(inner)),
            Aggregate::Sum => format!("sum({})", expr(inner)),
            Aggregate::Min => format!("min({})", expr(inner)),
            Aggregate::Max => format!("max({})", expr(inner)),
        },
        Expr::Window(kind, partition_by) => {
            let partition = match partition_by.is_empty() {
                true => String::new(),
                false => format!("PARTITION BY {}", partition_by.iter().map(expr).collect::<Vec<_>>().join(", ")),
            };
            match kind {
                WindowKind::Count => format!("count(*) OVER ({partition})"),
                WindowKind::Sum(inner) => format!("sum({}) OVER ({partition})", expr(inner)),
                WindowKind::RowNumber(by) => {
                    format!("CAST(row_number() OVER ({partition} ORDER BY {}) AS BIGINT)", expr(by))
                }
            }
        }
    }
}

pub(super) fn predicate(condition: &Predicate) -> String {
    match condition {
        Predicate::True => "true".into(),
        Predicate::Compare(comparison, left, right) => {
            let operator = match comparison {
                Comparison::Equal => "=",
                Comparison::NotEqual => "<>",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
            };
            format!("{} {operator} {}", expr(left), expr(right))
        }
        Predicate::IsNull(inner) => format!("{} IS NULL", expr(inner)),
        Predicate::InList(inner, values) => {
            format!("{} IN ({})", expr(inner), values.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Predicate::And(left, right) => format!("({} AND {})", predicate(left), predicate(right)),
        Predicate::Or(left, right) => format!("({} OR {})", predicate(left), predicate(right)),
        Predicate::Not(inner) => format!("NOT ({})", predicate(inner)),
        Predicate::In { value, query, negated } => {
            format!("{} {}IN ({})", expr(value), if *negated { "NOT " } else { "" }, self::query(query))
        }
        Predicate::Exists { query, negated } => {
            format!("{}EXISTS ({})", if *negated { "NOT " } else { "" }, self::query(query))
        }
    }
}

/// The catalog's file of a table.
pub(super) fn catalog(table: &Table) -> String {
    let mut text = format!(
        "dataset: {}\nat: {{ store: landing, path: '{}.csv', format: csv }}\ncolumns:\n",
        table.name, table.name
    );
    for (name, value_type) in &table.columns {
        let value_type = match value_type {
            Type::Int => "bigint",
            Type::Text => "text",
        };
        text.push_str(&format!("  {name}: {{ type: {value_type} }}\n"));
    }
    text
}

/// Ranger's documents: an access policy for each column that is seen, a mask for each that is masked, a filter for each
/// table that has one.
pub(super) fn policies(world: &World, principal: &str) -> String {
    let mut policies = Vec::new();
    for (table, access) in world.tables.iter().zip(&world.access) {
        for ((column, value_type), seen) in table.columns.iter().zip(&access.columns) {
            let Some(mask) = seen else { continue };
            policies.push(policy(policies.len(), 0, &table.name, Some(column), principal, ""));
            if let Some(mask) = mask {
                let info = match mask {
                    Mask::Null => r#"{"dataMaskType": "MASK_NULL"}"#.to_owned(),
                    Mask::Redact => r#"{"dataMaskType": "MASK"}"#.to_owned(),
                    Mask::ShowLast4 => r#"{"dataMaskType": "MASK_SHOW_LAST_4"}"#.to_owned(),
                    Mask::ShowFirst4 => r#"{"dataMaskType": "MASK_SHOW_FIRST_4"}"#.to_owned(),
                    Mask::Custom => {
                        let otherwise = match value_type {
                            Type::Int => "CAST(-1 AS BIGINT)",
                            Type::Text => "'none'",
                        };
                        format!(r#"{{"dataMaskType": "CUSTOM", "valueExpr": "coalesce({{col}}, {otherwise})"}}"#)
                    }
                };
                let item = format!(r#", "dataMaskInfo": {info}"#);
                policies.push(policy(policies.len(), 1, &table.name, Some(column), principal, &item));
            }
        }
        if let Access { filter: Some(filter), .. } = access {
            let text = predicate(filter).replace('\\', "\\\\").replace('"', "\\\"");
            let item = format!(r#", "rowFilterInfo": {{"filterExpr": "{text}"}}"#);
            policies.push(policy(policies.len(), 2, &table.name, None, principal, &item));
        }
    }
    format!(r#"{{"serviceName": "lockgate", "policies": [{}]}}"#, policies.join(",\n"))
}

fn policy(id: usize, kind: u8, table: &str, column: Option<&str>, principal: &str, item: &str) -> String {
    let column = column.map_or_else(String::new, |column| format!(r#", "column": {{"values": ["{column}"]}}"#));
    let items = ["policyItems", "dataMaskPolicyItems", "rowFilterPolicyItems"][usize::from(kind)];
    format!(
        r#"{{"id": {id}, "name": "p{id}", "service": "lockgate", "policyType": {kind}, "isEnabled": true,
            "resources": {{"database": {{"values": ["default"]}}, "table": {{"values": ["{table}"]}}{column}}},
            "{items}": [{{"users": ["{principal}"], "accesses": [{{"type": "select", "isAllowed": true}}]{item}}}]}}"#
    )
}
