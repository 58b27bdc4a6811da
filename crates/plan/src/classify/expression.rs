//! What each expression makes of the columns that it names.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::logical_expr::expr::{Case, InList, InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Subquery};
use lockgate_model::Form;
use lockgate_project::Code;

use super::{Classifier, Outcome, Scope, Selection, written};
use crate::facts::Facts;
use crate::functions::{is_allowed, is_choice};
use crate::problem::Problem;

impl Classifier<'_> {
    /// Exhaustive: an expression that is not governed is refused by its name.
    pub(super) fn expression(&mut self, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        match expr {
            Expr::Alias(alias) => self.expression(&alias.expr, scope),
            Expr::Column(column) => self.column(column, scope),
            Expr::OuterReferenceColumn(_, column) => self.outer_column(column),
            Expr::Literal(_, _) => Ok(Facts::constant(self.lowest)),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                let inner = self.expression(inner, scope)?;
                Ok(Facts { form: Form::Clear, ..Facts::computed(self.lowest, &[inner], &written(expr)) })
            }
            Expr::BinaryExpr(binary) => self.binary(binary, expr, scope),
            Expr::Like(like) | Expr::SimilarTo(like) => self.computed(expr, &[&like.expr, &like.pattern], scope),
            Expr::Not(inner)
            | Expr::IsTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Negative(inner) => self.computed(expr, &[inner], scope),
            Expr::Between(between) => self.computed(expr, &[&between.expr, &between.low, &between.high], scope),
            Expr::Case(case) => self.case(case, expr, scope),
            Expr::Cast(cast) => self.computed(expr, &[&cast.expr], scope),
            Expr::TryCast(cast) => self.computed(expr, &[&cast.expr], scope),
            Expr::InList(InList { expr: tested, list, .. }) => {
                let operands: Vec<&Expr> = std::iter::once(tested.as_ref()).chain(list).collect();
                let operands = self.all(&operands, scope)?;
                self.compare(expr, &operands)
            }
            Expr::ScalarFunction(call) if is_choice(&call.func) => self.choice(call, expr, scope),
            Expr::ScalarFunction(call) if is_allowed(&call.func) => {
                self.computed(expr, &call.args.iter().collect::<Vec<_>>(), scope)
            }
            Expr::ScalarFunction(call) => Err(self.refuse_expression(expr, &format!("`{}`", call.func.name()))),
            Expr::AggregateFunction(call) => self.aggregate_call(call, expr, scope),
            Expr::WindowFunction(call) => self.window_call(call, expr, scope),
            Expr::Exists(exists) => {
                let (_, conditions) = self.subquery(&exists.subquery, scope)?;
                Ok(self.clear(Facts::computed(self.lowest, &conditions, "EXISTS")))
            }
            Expr::InSubquery(InSubquery { expr: tested, subquery, .. })
            | Expr::SetComparison(SetComparison {
                expr: tested, subquery, op: Operator::Eq | Operator::NotEq, ..
            }) => {
                let (operands, conditions) = self.with_subquery(tested, subquery, scope)?;
                Ok(self.compare(expr, &operands)?.chosen_by(&conditions))
            }
            Expr::SetComparison(SetComparison { expr: tested, subquery, .. }) => {
                let (operands, conditions) = self.with_subquery(tested, subquery, scope)?;
                Ok(self.compute(expr, &operands)?.chosen_by(&conditions))
            }
            Expr::ScalarSubquery(subquery) => {
                let (columns, conditions) = self.subquery(subquery, scope)?;
                match columns.into_iter().next() {
                    Some(value) => Ok(value.without_subject().chosen_by(&conditions)),
                    None => Err(self.refuse_expression(expr, "a scalar subquery without a column")),
                }
            }
            Expr::ScalarVariable(_, _) => Err(self.refuse_expression(expr, "a variable")),
            #[expect(deprecated, reason = "the match is exhaustive, and the planner still has this variant")]
            Expr::Wildcard { .. } => Err(self.refuse_expression(expr, "an unexpanded `*`")),
            Expr::GroupingSet(_) => Err(self.refuse_expression(expr, "a grouping set")),
            Expr::Placeholder(_) => Err(self.refuse_expression(expr, "a placeholder")),
            Expr::Unnest(_) => Err(self.refuse_expression(expr, "UNNEST")),
            Expr::HigherOrderFunction(_) => Err(self.refuse_expression(expr, "a higher-order function")),
            Expr::Lambda(_) => Err(self.refuse_expression(expr, "a lambda")),
            Expr::LambdaVariable(_) => Err(self.refuse_expression(expr, "a lambda's variable")),
        }
    }

    fn all(&mut self, exprs: &[&Expr], scope: Scope<'_>) -> Outcome<Vec<Facts>> {
        exprs.iter().map(|expr| self.expression(expr, scope)).collect()
    }

    fn computed(&mut self, expr: &Expr, operands: &[&Expr], scope: Scope<'_>) -> Outcome<Facts> {
        let inputs = self.all(operands, scope)?;
        self.compute(expr, &inputs)
    }

    /// An expression over values that are not in the clear would compute on ciphertext.
    pub(super) fn compute(&self, expr: &Expr, inputs: &[Facts]) -> Outcome<Facts> {
        match inputs.iter().find(|input| input.form != Form::Clear) {
            None => Ok(Facts::computed(self.lowest, inputs, &written(expr))),
            Some(protected) => {
                let what = protected.path.join(" → ");
                let message = format!("`{}` computes on {what}, which arrives {}", written(expr), protected.form);
                Err(self.protected_use(message, expr, "pass the column on as it is, or ask whether it IS NULL"))
            }
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let operands = self.all(&[&binary.left, &binary.right], scope)?;
        match binary.op {
            Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                self.compare(expr, &operands)
            }
            _ => self.compute(expr, &operands),
        }
    }

    /// Whether values are equal can be asked of values of one form, unless they are sealed.
    fn compare(&self, expr: &Expr, operands: &[Facts]) -> Outcome<Facts> {
        let first = operands.first().map_or(Form::Clear, |operand| operand.form);
        if let Some(other) = operands.iter().find(|operand| operand.form != first) {
            let message = format!(
                "`{}` compares a value that arrives {first} with one that arrives {}: they are never equal",
                written(expr),
                other.form
            );
            return Err(self.protected_use(message, expr, "compare values of one form"));
        }
        if let Some(operand) = operands.first() {
            self.must_compare(operand, expr, "the condition")?;
        }
        Ok(self.clear(Facts::computed(self.lowest, operands, &written(expr))))
    }

    fn clear(&self, facts: Facts) -> Facts {
        Facts { form: Form::Clear, ..facts }
    }

    fn case(&mut self, case: &Case, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let mut values = Vec::new();
        for value in case.when_then_expr.iter().map(|(_, then)| then).chain(case.else_expr.iter()) {
            values.push(self.expression(value, scope)?);
        }
        let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
        let mut conditions = Vec::new();
        match &case.expr {
            // `CASE a WHEN b` asks whether they are equal.
            Some(tested) => {
                let tested: Vec<&Expr> = std::iter::once(tested.as_ref()).chain(whens).collect();
                let tested = self.all(&tested, scope)?;
                conditions.push(self.compare(expr, &tested)?);
            }
            None => {
                for when in whens {
                    let condition = self.expression(when, scope)?;
                    conditions.push(self.compute(when, &[condition])?);
                }
            }
        }
        self.choose(expr, values, conditions)
    }

    /// A function that gives one of its arguments, by asking whether others are NULL or equal.
    fn choice(&mut self, call: &ScalarFunction, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let arguments = self.expressions(&call.args, scope)?;
        let (values, tested) = match (call.func.name(), arguments.as_slice()) {
            ("nullif", [value, _]) => {
                self.compare(expr, &arguments)?;
                (vec![value.clone()], arguments.clone())
            }
            ("nvl2", [tested, values @ ..]) => (values.to_vec(), vec![tested.clone()]),
            _ => (arguments.clone(), arguments),
        };
        let conditions = tested.into_iter().map(|facts| self.clear(facts)).collect();
        self.choose(expr, values, conditions)
    }

    /// One of these values, unchanged: protected ones may be chosen among if all are protected alike. Sealed ones may
    /// not, since each opens under the name of its own column only.
    fn choose(&self, expr: &Expr, values: Vec<Facts>, conditions: Vec<Facts>) -> Outcome<Facts> {
        let form = values.iter().map(|value| value.form).max().unwrap_or(Form::Clear);
        let differs = |value: &&Facts| value.form != form && !value.sources.is_empty();
        match form {
            Form::Clear => {}
            Form::Masked | Form::Tokenized if !values.iter().any(|value| differs(&value)) => {}
            Form::Masked | Form::Tokenized | Form::Sealed | Form::Dropped => {
                self.compute(expr, &values)?;
            }
        }
        Ok(Facts::computed(self.lowest, &values, &written(expr)).chosen_by(&conditions))
    }

    fn column(&self, column: &Column, scope: Scope<'_>) -> Outcome<Facts> {
        let index = scope.schema.index_of_column(column).ok();
        index.and_then(|index| scope.columns.get(index)).cloned().ok_or_else(|| no_column(column))
    }

    fn outer_column(&self, column: &Column) -> Outcome<Facts> {
        let found = self.outer.iter().rev().find_map(|(schema, columns)| {
            let index = schema.index_of_column(column).ok()?;
            columns.get(index).cloned()
        });
        found.map(Facts::without_subject).ok_or_else(|| no_column(column))
    }

    /// The columns of a subquery in an expression, and what its rows were selected by, as conditions.
    fn subquery(&mut self, subquery: &Subquery, scope: Scope<'_>) -> Outcome<(Vec<Facts>, Vec<Facts>)> {
        self.outer.push((Arc::new(scope.schema.clone()), scope.columns.to_vec()));
        let around = std::mem::take(&mut self.selections);
        let columns = self.plan(&subquery.subquery);
        let within = std::mem::replace(&mut self.selections, around);
        self.outer.pop();
        Ok((columns?, within.iter().map(Selection::as_condition).collect()))
    }

    fn with_subquery(
        &mut self,
        tested: &Expr,
        subquery: &Subquery,
        scope: Scope<'_>,
    ) -> Outcome<(Vec<Facts>, Vec<Facts>)> {
        let tested = self.expression(tested, scope)?;
        let (columns, conditions) = self.subquery(subquery, scope)?;
        Ok((std::iter::once(tested).chain(columns).collect(), conditions))
    }

    pub(super) fn refuse_expression(&self, expr: &Expr, what: &str) -> Box<Problem> {
        Box::new(
            Problem::new(Code::UngovernedExpression, format!("{what} is not governed by this version"))
                .at(self.place_in(expr))
                .help("`docs/sql.md` lists the expressions and functions that are"),
        )
    }
}

fn no_column(column: &Column) -> Box<Problem> {
    let message = format!("column `{}` is not among the columns of its input", column.name);
    Box::new(Problem::new(Code::UnknownSqlColumn, message))
}
