//! The columns of a query, and by what its rows were filtered, joined, grouped and ordered.

use datafusion::sql::sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, LateralView, ObjectName, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Value, Values,
    WildcardAdditionalOptions, With,
};
use lockgate_project::Code;

use super::flow::Flow;
use super::scope::{Scope, ScopeColumn, ends_with, same};
use super::{Outcome, Reader, parts_of};
use crate::facts::DependenceKind;
use crate::problem::Problem;
use crate::sql::range_of;

/// One column that a query puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputColumn {
    pub(super) name: String,
    pub(super) flow: Flow,
}

/// What a query puts out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Output {
    pub(super) columns: Vec<OutputColumn>,
    /// What every row depends on.
    pub(super) rows: Flow,
}

/// What a query does to the rows of its body.
struct Tail<'q> {
    order_by: Vec<&'q OrderByExpr>,
}

impl Reader<'_> {
    pub(super) fn query(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        self.deeper(|reader| {
            let around = reader.ctes.len();
            let outcome = reader.query_with(query, outer);
            reader.ctes.truncate(around);
            outcome
        })
    }

    fn query_with(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        if let Some(with) = &query.with {
            self.named_queries(with, outer)?;
        }
        if let Some(operator) = query.pipe_operators.first() {
            return Err(self.refuse(&format!("the pipe operator `|> {operator}`"), query));
        }
        let tail = Tail { order_by: order_of(query) };
        self.body(&query.body, outer, &tail)
    }

    /// Adds the queries of a WITH to those in force.
    pub(super) fn named_queries(&mut self, with: &With, outer: Option<&Scope<'_>>) -> Outcome<()> {
        for cte in &with.cte_tables {
            let output = if with.recursive { self.recursive(cte, outer)? } else { self.query(&cte.query, outer)? };
            let output = self.renamed(output, cte.alias.columns.iter().map(|column| &column.name));
            self.ctes.push((cte.alias.name.value.clone(), output));
        }
        Ok(())
    }

    /// A query over itself is read until it depends on nothing more.
    fn recursive(&mut self, cte: &Cte, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        let SetExpr::SetOperation { left, .. } = cte.query.body.as_ref() else { return self.query(&cte.query, outer) };
        let names = || cte.alias.columns.iter().map(|column| &column.name);
        let nothing = Tail { order_by: Vec::new() };
        let mut known = self.body(left, outer, &nothing)?;
        loop {
            let itself = self.renamed(known.clone(), names());
            self.ctes.push((cte.alias.name.value.clone(), itself));
            let next = self.query(&cte.query, outer);
            self.ctes.pop();
            let next = next?;
            if next == known {
                return Ok(known);
            }
            // Each round adds a dependence, of which there are finitely many.
            known = next;
        }
    }

    /// The output under the names of an alias; those beyond the alias's list keep theirs.
    pub(super) fn renamed<'n>(&self, mut output: Output, names: impl Iterator<Item = &'n Ident>) -> Output {
        for (column, name) in output.columns.iter_mut().zip(names) {
            column.name = self.folded(name);
        }
        output
    }

    fn body(&mut self, body: &SetExpr, outer: Option<&Scope<'_>>, tail: &Tail<'_>) -> Outcome<Output> {
        match body {
            SetExpr::Select(select) => self.select(select, outer, &tail.order_by),
            SetExpr::Query(query) => {
                let output = self.query(query, outer)?;
                self.ordered(output, tail, outer)
            }
            SetExpr::SetOperation { .. } => {
                let output = self.deeper(|reader| reader.set_operations(body, outer))?;
                self.ordered(output, tail, outer)
            }
            SetExpr::Values(values) => {
                let output = self.values(values, outer)?;
                self.ordered(output, tail, outer)
            }
            SetExpr::Table(table) => {
                let name = [&table.schema_name, &table.table_name].into_iter().flatten();
                let name = ObjectName::from(name.map(Ident::new).collect::<Vec<_>>());
                let output = self.table(&name)?;
                self.ordered(output, tail, outer)
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(self.refuse("a statement that writes inside of a query", body))
            }
        }
    }

    /// `a UNION b UNION c …` is as deep as it is long, and is followed in a loop.
    fn set_operations(&mut self, body: &SetExpr, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        let mut steps = Vec::new();
        let mut first = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            steps.push((op, set_quantifier, right));
            first = left;
        }
        let nothing = Tail { order_by: Vec::new() };
        let mut all = self.body(first, outer, &nothing)?;
        for (operator, quantifier, right) in steps.into_iter().rev() {
            let next = self.body(right, outer, &nothing)?;
            all = self.set_operation(all, next, *operator, *quantifier, right)?;
        }
        Ok(all)
    }

    fn set_operation(
        &self,
        left: Output,
        mut right: Output,
        operator: SetOperator,
        quantifier: SetQuantifier,
        at: &SetExpr,
    ) -> Outcome<Output> {
        let by_name =
            matches!(quantifier, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName);
        if by_name {
            let position =
                |column: &OutputColumn| left.columns.iter().position(|other| same(&other.name, &column.name));
            right.columns.sort_by_key(|column| position(column).unwrap_or(usize::MAX));
        }
        if left.columns.len() != right.columns.len() {
            let (left, right) = (left.columns.len(), right.columns.len());
            let message = format!("{operator} of {left} columns with {right}: both sides must have as many");
            return Err(Box::new(Problem::new(Code::SqlType, message).at(self.place(at))));
        }
        let mut rows = left.rows.and(&right.rows);
        let columns = left.columns.into_iter().zip(right.columns).map(|(left, right)| match operator {
            SetOperator::Union => OutputColumn { flow: left.flow.and(&right.flow), ..left },
            // A row is there because an equal one is, or is not, on the other side.
            SetOperator::Intersect | SetOperator::Except | SetOperator::Minus => {
                let keys = left.flow.clone().and(&right.flow).into_indirect(DependenceKind::Join);
                rows = std::mem::take(&mut rows).and(&keys);
                left
            }
        });
        let columns = columns.collect();
        Ok(Output { columns, rows })
    }

    fn values(&mut self, values: &Values, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        let nothing = Scope::of(&[], outer);
        let mut columns: Vec<OutputColumn> = Vec::new();
        for row in &values.rows {
            for (index, value) in row.content.iter().enumerate() {
                let flow = if is_default(value) { Flow::default() } else { self.expression(value, &nothing)? };
                match columns.get_mut(index) {
                    Some(column) => column.flow = std::mem::take(&mut column.flow).and(&flow),
                    None => {
                        let prefix = if self.dialect == super::SqlDialect::Spark { "col" } else { "column" };
                        columns.push(OutputColumn { name: format!("{prefix}{}", index + 1), flow });
                    }
                }
            }
        }
        self.within_limit(columns.len())?;
        Ok(Output { columns, rows: Flow::default() })
    }

    fn ordered(&mut self, mut output: Output, tail: &Tail<'_>, outer: Option<&Scope<'_>>) -> Outcome<Output> {
        let keys =
            self.keys(tail.order_by.iter().map(|key| &key.expr), &output.columns, &Scope::of(&[], outer), true)?;
        output.rows = output.rows.and(&keys.into_indirect(DependenceKind::Sort));
        Ok(output)
    }

    fn select(&mut self, select: &Select, outer: Option<&Scope<'_>>, order_by: &[&OrderByExpr]) -> Outcome<Output> {
        if !select.connect_by.is_empty() {
            return Err(self.refuse("CONNECT BY", select));
        }
        let (mut columns, mut rows) = self.relations(&select.from, outer)?;
        for view in &select.lateral_views {
            let added = self.lateral_view(view, &columns, outer)?;
            columns.extend(added);
        }
        let scope = Scope { windows: &select.named_window, ..Scope::of(&columns, outer) };
        let outputs = self.projection(select, &scope)?;
        let aliases: Vec<(String, Flow)> =
            outputs.iter().map(|column| (column.name.clone(), column.flow.clone())).collect();
        let scope = Scope { aliases: &aliases, ..scope };
        for condition in [&select.prewhere, &select.selection, &select.having, &select.qualify].into_iter().flatten() {
            rows = rows.and(&self.expression(condition, &scope)?.into_indirect(DependenceKind::Filter));
        }
        let grouped = self.group_keys(select, &outputs, &scope)?;
        rows = rows.and(&grouped.into_indirect(DependenceKind::GroupBy));
        let sorted: Vec<&Expr> = order_by.iter().copied().chain(&select.sort_by).map(|key| &key.expr).collect();
        let sorted = self.keys(sorted.into_iter().chain(&select.cluster_by), &outputs, &scope, true)?;
        // DISTRIBUTE BY says where rows are, and neither which nor in what order; its names must be right all the same.
        self.keys(&select.distribute_by, &outputs, &scope, true)?;
        rows = rows.and(&sorted.into_indirect(DependenceKind::Sort));
        Ok(Output { columns: outputs, rows })
    }

    fn group_keys(&mut self, select: &Select, outputs: &[OutputColumn], scope: &Scope<'_>) -> Outcome<Flow> {
        let mut keys = match &select.group_by {
            GroupByExpr::Expressions(exprs, _) => self.keys(exprs, outputs, scope, false)?,
            // Every output that aggregates nothing.
            GroupByExpr::All(_) => {
                let is_key = |flow: &Flow| {
                    !flow.clone().into_iter().any(|(source, _)| source.kind == DependenceKind::Aggregation)
                };
                let keys = outputs.iter().map(|column| &column.flow).filter(|flow| is_key(flow));
                keys.fold(Flow::default(), |all, one| all.and(one))
            }
        };
        if let Some(Distinct::On(exprs)) = &select.distinct {
            keys = keys.and(&self.keys(exprs, outputs, scope, true)?);
        }
        Ok(keys)
    }

    /// Keys may be numbers or names of outputs. ORDER BY looks for outputs first, GROUP BY for columns.
    fn keys<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        outputs: &[OutputColumn],
        scope: &Scope<'_>,
        outputs_first: bool,
    ) -> Outcome<Flow> {
        let mut keys = Flow::default();
        for expr in exprs {
            let output = match expr {
                Expr::Value(value) => match &value.value {
                    Value::Number(number, _) => {
                        let index = number.to_string().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                        index.and_then(|index| outputs.get(index))
                    }
                    _ => None,
                },
                Expr::Identifier(name) if outputs_first => {
                    outputs.iter().find(|output| same(&output.name, &name.value))
                }
                _ => None,
            };
            let flow = match output {
                Some(output) => output.flow.clone(),
                None => {
                    let aliases: Vec<_> = outputs.iter().map(|out| (out.name.clone(), out.flow.clone())).collect();
                    self.expression(expr, &Scope { aliases: &aliases, ..*scope })?
                }
            };
            keys = keys.and(&flow);
        }
        Ok(keys)
    }

    fn lateral_view(
        &mut self,
        view: &LateralView,
        columns: &[ScopeColumn],
        outer: Option<&Scope<'_>>,
    ) -> Outcome<Vec<ScopeColumn>> {
        let flow = self.computed([&view.lateral_view], &Scope::of(columns, outer))?;
        let relation: std::rc::Rc<[String]> =
            parts_of(&view.lateral_view_name).iter().map(|part| part.value.clone()).collect();
        let names: Vec<String> = match view.lateral_col_alias.as_slice() {
            [] => super::from::generated_names(&view.lateral_view),
            names => names.iter().map(|name| self.folded(name)).collect(),
        };
        let column = |name: String| ScopeColumn {
            relation: std::rc::Rc::clone(&relation),
            name,
            flow: flow.clone(),
            is_merged: false,
        };
        Ok(names.into_iter().map(column).collect())
    }

    fn projection(&mut self, select: &Select, scope: &Scope<'_>) -> Outcome<Vec<OutputColumn>> {
        let mut outputs: Vec<OutputColumn> = Vec::new();
        for item in &select.projection {
            // Later items may name earlier ones, where no column has that name.
            let earlier: Vec<(String, Flow)> =
                outputs.iter().map(|column| (column.name.clone(), column.flow.clone())).collect();
            let scope = Scope { aliases: &earlier, ..*scope };
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let flow = self.expression(expr, &scope)?;
                    outputs.push(OutputColumn { name: self.implied_name(expr), flow });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let flow = self.expression(expr, &scope)?;
                    outputs.push(OutputColumn { name: self.folded(alias), flow });
                }
                SelectItem::ExprWithAliases { expr, aliases } => {
                    let flow = self.expression(expr, &scope)?;
                    outputs.extend(
                        aliases.iter().map(|alias| OutputColumn { name: self.folded(alias), flow: flow.clone() }),
                    );
                }
                SelectItem::Wildcard(options) => outputs.extend(self.star(None, options, &scope)?),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    outputs.extend(self.star(Some(name), options, &scope)?);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
                    return Err(self.refuse(&format!("`{item}`"), item));
                }
            }
            self.within_limit(outputs.len())?;
        }
        Ok(outputs)
    }

    /// The columns that a star stands for: of everything, or of one relation.
    fn star(
        &mut self,
        of: Option<&ObjectName>,
        options: &WildcardAdditionalOptions,
        scope: &Scope<'_>,
    ) -> Outcome<Vec<OutputColumn>> {
        if options.opt_ilike.is_some() || options.opt_rename.is_some() || options.opt_alias.is_some() {
            let at = range_of(self.sql, options.wildcard_token.0.span);
            return Err(self.refuse_at("a `*` with ILIKE, RENAME or an alias", at));
        }
        let qualifier = of.map(parts_of);
        let is_meant = |column: &&ScopeColumn| match &qualifier {
            None => !column.is_merged,
            Some(parts) => !column.relation.is_empty() && ends_with(&column.relation, parts),
        };
        let found: Vec<&ScopeColumn> = scope.columns.iter().filter(is_meant).collect();
        if let (true, Some(parts)) = (found.is_empty(), &qualifier) {
            let message = format!(
                "there is no table `{}` in this FROM",
                parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".")
            );
            return Err(Box::new(Problem::new(Code::UnknownTable, message).at(self.place_of(parts))));
        }
        let left_out = left_out(options);
        let mut outputs = Vec::new();
        for column in found {
            if left_out.iter().any(|name| same(name, &column.name)) {
                continue;
            }
            let replaced = options.opt_replace.iter().flat_map(|replace| &replace.items);
            let replaced = replaced.into_iter().find(|item| same(&item.column_name.value, &column.name));
            let flow = match replaced {
                Some(item) => self.expression(&item.expr, scope)?,
                None => column.flow.clone(),
            };
            outputs.push(OutputColumn { name: column.name.clone(), flow });
        }
        Ok(outputs)
    }
}

fn left_out(options: &WildcardAdditionalOptions) -> Vec<String> {
    use datafusion::sql::sqlparser::ast::ExcludeSelectItem;
    let mut names: Vec<String> = Vec::new();
    if let Some(except) = &options.opt_except {
        names.push(except.first_element.value.clone());
        names.extend(except.additional_elements.iter().map(|name| name.value.clone()));
    }
    let last = |name: &ObjectName| parts_of(name).last().map(|part| part.value.clone());
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names.extend(last(name)),
        Some(ExcludeSelectItem::Multiple(all)) => names.extend(all.iter().filter_map(last)),
        None => {}
    }
    names
}

fn order_of(query: &Query) -> Vec<&OrderByExpr> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(keys)) => keys.iter().collect(),
        Some(OrderByKind::All(_)) | None => Vec::new(),
    }
}

/// `DEFAULT` in the place of a value.
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}
