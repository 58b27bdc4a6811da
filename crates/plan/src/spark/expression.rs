//! Each expression as Spark writes it, every operation in parentheses, or a refusal by its name.

use datafusion::logical_expr::expr::{Case, InList, InSubquery, Like, ScalarFunction};
use datafusion::logical_expr::{Between, Expr, ExprSchemable, LogicalPlan};
use std::sync::Arc;

use super::literal::{is_text, literal, text_literal};
use super::operator::comparison;
use super::relation::{Printer, Scope, Subqueries};
use super::{Outcome, SparkError};
use crate::protect_function::ProtectFunction;

impl Printer {
    /// Exhaustive: an expression that is not known to be equal is refused by its name.
    pub(super) fn expression(&mut self, expr: &Expr, scope: Scope<'_>) -> Outcome<String> {
        match expr {
            Expr::Alias(alias) => self.expression(&alias.expr, scope),
            Expr::Column(column) => {
                let index = scope.schema.index_of_column(column)?;
                let text = scope.columns.get(index).cloned().flatten();
                text.ok_or_else(|| SparkError::Differs(format!("column `{}` was left out", column.name)))
            }
            Expr::OuterReferenceColumn(_, column) => {
                let (schema, columns) = self.outer.last().ok_or_else(|| too_far(&column.name))?;
                let index = schema.maybe_index_of_column(column).ok_or_else(|| too_far(&column.name))?;
                columns.get(index).cloned().flatten().ok_or_else(|| too_far(&column.name))
            }
            Expr::Literal(value, _) => literal(value),
            Expr::BinaryExpr(binary) => self.binary(binary, scope),
            Expr::Like(like) => self.like(like, scope),
            Expr::SimilarTo(_) => Err(SparkError::unequal("SIMILAR TO")),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.expression(inner, scope)?)),
            Expr::IsNotNull(inner) => self.is(inner, "IS NOT NULL", scope),
            Expr::IsNull(inner) => self.is(inner, "IS NULL", scope),
            Expr::IsTrue(inner) => self.is(inner, "IS TRUE", scope),
            Expr::IsFalse(inner) => self.is(inner, "IS FALSE", scope),
            Expr::IsUnknown(inner) => self.is(inner, "IS UNKNOWN", scope),
            Expr::IsNotTrue(inner) => self.is(inner, "IS NOT TRUE", scope),
            Expr::IsNotFalse(inner) => self.is(inner, "IS NOT FALSE", scope),
            Expr::IsNotUnknown(inner) => self.is(inner, "IS NOT UNKNOWN", scope),
            Expr::Negative(inner) => Ok(format!("(- {})", self.expression(inner, scope)?)),
            Expr::Between(between) => self.between(between, scope),
            Expr::Case(case) => self.case(case, scope),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), false, scope),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), true, scope),
            Expr::InList(list) => self.in_list(list, scope),
            Expr::ScalarFunction(call) => self.scalar_call(call, scope),
            Expr::AggregateFunction(call) => Err(SparkError::unequal(format!("`{}` here", call.func.name()))),
            Expr::WindowFunction(_) => Err(SparkError::unequal("a window (OVER)")),
            Expr::ScalarSubquery(subquery) => {
                if scope.subqueries == Subqueries::None {
                    return Err(SparkError::unequal("a subquery in ON, ORDER BY or an aggregate"));
                }
                let text = self.subquery(&subquery.subquery, scope)?;
                Ok(format!("({text})"))
            }
            Expr::Exists(exists) => {
                self.must_be_condition("EXISTS", scope)?;
                let not = if exists.negated { "NOT " } else { "" };
                Ok(format!("({not}EXISTS ({}))", self.subquery(&exists.subquery.subquery, scope)?))
            }
            Expr::InSubquery(within) => self.in_subquery(within, scope),
            Expr::SetComparison(_) => Err(SparkError::unequal("a comparison with ANY or ALL")),
            Expr::ScalarVariable(_, _) => Err(SparkError::unequal("a variable")),
            #[expect(deprecated, reason = "the match is exhaustive, and the planner still has this variant")]
            Expr::Wildcard { .. } => Err(SparkError::unequal("an unexpanded `*`")),
            Expr::GroupingSet(_) => Err(SparkError::unequal("a grouping set")),
            Expr::Placeholder(_) => Err(SparkError::unequal("a placeholder")),
            Expr::Unnest(_) => Err(SparkError::unequal("UNNEST")),
            Expr::HigherOrderFunction(_) => Err(SparkError::unequal("a higher-order function")),
            Expr::Lambda(_) | Expr::LambdaVariable(_) => Err(SparkError::unequal("a lambda")),
        }
    }

    fn is(&mut self, inner: &Expr, what: &str, scope: Scope<'_>) -> Outcome<String> {
        Ok(format!("({} {what})", self.expression(inner, scope)?))
    }

    fn like(&mut self, like: &Like, scope: Scope<'_>) -> Outcome<String> {
        let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
        let pattern = match text_of(pattern) {
            Some(pattern) if !pattern.contains('\\') && escape_char.is_none() => text_literal(&pattern)?,
            _ => return Err(SparkError::unequal("LIKE with an escape, or with a pattern that is no literal,")),
        };
        if *case_insensitive || !is_text(&expr.get_type(scope.schema)?) {
            return Err(SparkError::unequal("ILIKE, or LIKE of what is no text,"));
        }
        let not = if *negated { "NOT " } else { "" };
        Ok(format!("({} {not}LIKE {pattern})", self.expression(expr, scope)?))
    }

    fn between(&mut self, between: &Between, scope: Scope<'_>) -> Outcome<String> {
        let Between { expr, negated, low, high } = between;
        comparison("BETWEEN", expr, low, scope.schema)?;
        comparison("BETWEEN", expr, high, scope.schema)?;
        let not = if *negated { "NOT " } else { "" };
        let (low, high) = (self.expression(low, scope)?, self.expression(high, scope)?);
        Ok(format!("({} {not}BETWEEN {low} AND {high})", self.expression(expr, scope)?))
    }

    fn case(&mut self, case: &Case, scope: Scope<'_>) -> Outcome<String> {
        let mut text = String::from("CASE");
        if let Some(tested) = &case.expr {
            for (when, _) in &case.when_then_expr {
                comparison("CASE", tested, when, scope.schema)?;
            }
            text.push_str(&format!(" {}", self.expression(tested, scope)?));
        }
        for (when, then) in &case.when_then_expr {
            text.push_str(&format!(" WHEN {} THEN {}", self.expression(when, scope)?, self.expression(then, scope)?));
        }
        if let Some(otherwise) = &case.else_expr {
            text.push_str(&format!(" ELSE {}", self.expression(otherwise, scope)?));
        }
        text.push_str(" END");
        Ok(text)
    }

    fn in_list(&mut self, list: &InList, scope: Scope<'_>) -> Outcome<String> {
        for value in &list.list {
            comparison("IN", &list.expr, value, scope.schema)?;
        }
        let values = list.list.iter().map(|value| self.expression(value, scope)).collect::<Outcome<Vec<_>>>()?;
        let not = if list.negated { "NOT " } else { "" };
        Ok(format!("({} {not}IN ({}))", self.expression(&list.expr, scope)?, values.join(", ")))
    }

    fn scalar_call(&mut self, call: &ScalarFunction, scope: Scope<'_>) -> Outcome<String> {
        if let Some(function) = call.func.inner().downcast_ref::<ProtectFunction>() {
            return self.protection(function, &call.args, scope);
        }
        self.function(call, scope)
    }

    fn in_subquery(&mut self, within: &InSubquery, scope: Scope<'_>) -> Outcome<String> {
        self.must_be_condition("IN with a subquery", scope)?;
        let inside = within.subquery.subquery.schema();
        if let Some(column) = inside.columns().into_iter().next() {
            let (tested, given) = (within.expr.get_type(scope.schema)?, inside.field(0).data_type().clone());
            if tested != given && !(is_text(&tested) && is_text(&given)) {
                return Err(SparkError::unequal(format!("IN of the types `{tested}` and `{given}`")));
            }
            super::operator::must_compare(&Expr::Column(column), inside, "IN")?;
        }
        let not = if within.negated { "NOT " } else { "" };
        let tested = self.expression(&within.expr, scope)?;
        Ok(format!("({tested} {not}IN ({}))", self.subquery(&within.subquery.subquery, scope)?))
    }

    fn must_be_condition(&self, what: &str, scope: Scope<'_>) -> Outcome<()> {
        match scope.subqueries {
            Subqueries::All => Ok(()),
            Subqueries::Scalar | Subqueries::None => Err(SparkError::unequal(format!("{what} outside of WHERE"))),
        }
    }

    fn subquery(&mut self, plan: &LogicalPlan, scope: Scope<'_>) -> Outcome<String> {
        self.outer.push((Arc::new(scope.schema.clone()), scope.columns.to_vec()));
        let all = (0..plan.schema().fields().len()).collect();
        let block = self.relation(plan, &all);
        self.outer.pop();
        let block = block?;
        let names: Vec<String> = (1..=block.columns.len()).map(|number| format!("c{number}")).collect();
        Ok(super::block::indented(&format!("\n{}", block.text(&names, "SELECT"))))
    }
}

/// The text of a literal.
pub(super) fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        Expr::Cast(cast) if is_text(cast.field.data_type()) => text_of(&cast.expr),
        _ => None,
    }
}

fn too_far(column: &str) -> SparkError {
    SparkError::unequal(format!("column `{column}` of a query further out, named in a subquery,"))
}
