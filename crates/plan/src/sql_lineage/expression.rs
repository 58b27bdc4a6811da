//! What each expression makes of the columns that it names.

use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, CaseWhen, CeilFloorKind, Expr, Ident, LambdaFunction, OrderByExpr, Query, Subscript,
};

use super::flow::Flow;
use super::scope::{Scope, ScopeColumn};
use super::{Outcome, Reader, parts_of};
use crate::facts::DependenceKind;

impl Reader<'_> {
    pub(super) fn expression(&mut self, expr: &Expr, scope: &Scope<'_>) -> Outcome<Flow> {
        self.deeper(|reader| reader.expression_at(expr, scope))
    }

    fn expression_at(&mut self, expr: &Expr, scope: &Scope<'_>) -> Outcome<Flow> {
        match expr {
            Expr::Identifier(name) => self.named(&[name], scope),
            Expr::CompoundIdentifier(parts) => self.named(&parts.iter().collect::<Vec<_>>(), scope),
            Expr::Nested(inner) => self.expression(inner, scope),
            Expr::Value(_) | Expr::TypedString(_) | Expr::Wildcard(_) => Ok(Flow::default()),
            Expr::QualifiedWildcard(name, _) => self.named(&parts_of(name), scope),
            Expr::BinaryOp { .. } => self.chain(expr, scope),
            Expr::Function(call) => self.call(call, scope),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope)
            }
            Expr::Subquery(query) => self.scalar_subquery(query, scope),
            Expr::Exists { subquery, .. } => Ok(self.query(subquery, Some(scope))?.rows),
            Expr::InSubquery { expr: tested, subquery, .. } => {
                let tested = self.expression(tested, scope)?.computed(DependenceKind::Transformation);
                let found = self.scalar_subquery(subquery, scope)?.computed(DependenceKind::Transformation);
                Ok(tested.and(&found))
            }
            Expr::Lambda(lambda) => self.lambda(lambda, scope),
            Expr::CompoundFieldAccess { root, access_chain } => {
                // A root that is a relation's name makes the first access its column.
                if let (Expr::Identifier(relation), Some(AccessExpr::Dot(Expr::Identifier(column)))) =
                    (root.as_ref(), access_chain.first())
                    && let Ok(flow) = self.named(&[relation, column], scope)
                {
                    let rest = self.accesses(access_chain.get(1..).unwrap_or_default(), scope)?;
                    return Ok(flow.computed(DependenceKind::Transformation).and(&rest));
                }
                let root = self.expression(root, scope)?.computed(DependenceKind::Transformation);
                Ok(root.and(&self.accesses(access_chain, scope)?))
            }
            Expr::MatchAgainst { columns, .. } => {
                let mut flow = Flow::default();
                for column in columns {
                    flow = flow.and(&self.named(&parts_of(column), scope)?);
                }
                Ok(flow.computed(DependenceKind::Transformation))
            }
            other => self.operands(other, scope),
        }
    }

    /// An operator of any other kind: a value computed from each of its operands.
    fn operands(&mut self, expr: &Expr, scope: &Scope<'_>) -> Outcome<Flow> {
        let Some(operands) = operands_of(expr) else { return Err(self.refuse(&format!("`{expr}`"), expr)) };
        self.computed(operands, scope)
    }

    pub(super) fn computed<'e>(
        &mut self,
        operands: impl IntoIterator<Item = &'e Expr>,
        scope: &Scope<'_>,
    ) -> Outcome<Flow> {
        let mut flow = Flow::default();
        for operand in operands {
            flow = flow.and(&self.expression(operand, scope)?);
        }
        Ok(flow.computed(DependenceKind::Transformation))
    }

    /// `a + b + c …` is as deep as it is long, and is followed in a loop.
    fn chain(&mut self, expr: &Expr, scope: &Scope<'_>) -> Outcome<Flow> {
        let mut flow = Flow::default();
        let mut rest = expr;
        while let Expr::BinaryOp { left, right, .. } = rest {
            flow = flow.and(&self.expression(right, scope)?);
            rest = left;
        }
        flow = flow.and(&self.expression(rest, scope)?);
        Ok(flow.computed(DependenceKind::Transformation))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Outcome<Flow> {
        let conditions = self.computed(operand.into_iter().chain(whens.iter().map(|when| &when.condition)), scope)?;
        let values = self.computed(whens.iter().map(|when| &when.result).chain(otherwise), scope)?;
        Ok(values.and(&conditions.into_condition()))
    }

    /// The first column of the rows that a subquery finds.
    pub(super) fn scalar_subquery(&mut self, query: &Query, scope: &Scope<'_>) -> Outcome<Flow> {
        let output = self.query(query, Some(scope))?;
        let value = output.columns.into_iter().map(|column| column.flow);
        Ok(value.fold(output.rows, |all, column| all.and(&column)))
    }

    fn lambda(&mut self, lambda: &LambdaFunction, scope: &Scope<'_>) -> Outcome<Flow> {
        let parameters: Vec<ScopeColumn> =
            lambda.params.iter().map(|parameter| without_source(&parameter.name)).collect();
        let inner = Scope::of(&parameters, Some(scope));
        self.expression(&lambda.body, &inner)
    }

    fn accesses(&mut self, chain: &[AccessExpr], scope: &Scope<'_>) -> Outcome<Flow> {
        let mut flow = Flow::default();
        for access in chain {
            let operands: Vec<&Expr> = match access {
                // A field of a value is a name of its own.
                AccessExpr::Dot(_) => Vec::new(),
                AccessExpr::Subscript(Subscript::Index { index }) => vec![index],
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    [lower_bound, upper_bound, stride].into_iter().flatten().collect()
                }
            };
            flow = flow.and(&self.computed(operands, scope)?);
        }
        Ok(flow)
    }

    pub(super) fn order_keys(&mut self, keys: &[OrderByExpr], scope: &Scope<'_>) -> Outcome<Flow> {
        self.computed(keys.iter().map(|key| &key.expr), scope)
    }

    /// The name of an output that has no alias.
    pub(super) fn implied_name(&self, expr: &Expr) -> String {
        match expr {
            Expr::Identifier(name) => self.folded(name),
            Expr::CompoundIdentifier(parts) => parts.last().map(|name| self.folded(name)).unwrap_or_default(),
            Expr::Nested(inner) => self.implied_name(inner),
            Expr::Cast { expr: inner, .. } if self.dialect == super::SqlDialect::Postgres => self.implied_name(inner),
            Expr::Function(call) if self.dialect == super::SqlDialect::Postgres => {
                parts_of(&call.name).last().map(|name| self.folded(name)).unwrap_or_default()
            }
            Expr::Case { .. } if self.dialect == super::SqlDialect::Postgres => "case".to_owned(),
            other => other.to_string(),
        }
    }
}

/// A column that comes from nowhere.
pub(super) fn without_source(name: &Ident) -> ScopeColumn {
    ScopeColumn { relation: Rc::from([]), name: name.value.clone(), flow: Flow::default(), is_merged: false }
}

/// The operands of an expression that only computes; `None` for one that is not read.
fn operands_of(expr: &Expr) -> Option<Vec<&Expr>> {
    Some(match expr {
        Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::OuterJoin(inner)
        | Expr::Prior(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsNormalized { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::Prefixed { value: inner, .. }
        | Expr::JsonAccess { value: inner, .. }
        | Expr::Named { expr: inner, .. } => vec![inner],
        Expr::Ceil { expr: inner, field } | Expr::Floor { expr: inner, field } => match field {
            CeilFloorKind::DateTimeField(_) | CeilFloorKind::Scale(_) => vec![inner],
        },
        Expr::IsDistinctFrom(a, b)
        | Expr::IsNotDistinctFrom(a, b)
        | Expr::InUnnest { expr: a, array_expr: b, .. }
        | Expr::Like { expr: a, pattern: b, .. }
        | Expr::ILike { expr: a, pattern: b, .. }
        | Expr::SimilarTo { expr: a, pattern: b, .. }
        | Expr::RLike { expr: a, pattern: b, .. }
        | Expr::AnyOp { left: a, right: b, .. }
        | Expr::AllOp { left: a, right: b, .. }
        | Expr::AtTimeZone { timestamp: a, time_zone: b }
        | Expr::Position { expr: a, r#in: b } => vec![a, b],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(expr.as_ref()).chain(list).collect(),
        Expr::Convert { expr, styles, .. } => std::iter::once(expr.as_ref()).chain(styles).collect(),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                .into_iter()
                .flatten()
                .map(AsRef::as_ref)
                .collect()
        }
        Expr::Trim { trim_what, expr, trim_characters, .. } => {
            let what = trim_what.iter().map(AsRef::as_ref);
            what.chain([expr.as_ref()]).chain(trim_characters.iter().flatten()).collect()
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let what = [expr, overlay_what, overlay_from].into_iter().chain(overlay_for);
            what.map(AsRef::as_ref).collect()
        }
        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => sets.iter().flatten().collect(),
        Expr::Tuple(values) | Expr::Struct { values, .. } => values.iter().collect(),
        Expr::Dictionary(fields) => fields.iter().map(|field| field.value.as_ref()).collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| [entry.key.as_ref(), entry.value.as_ref()]).collect(),
        Expr::Array(array) => array.elem.iter().collect(),
        Expr::Interval(interval) => vec![&interval.value],
        Expr::MemberOf(member) => vec![&member.value, &member.array],
        _ => return None,
    })
}
