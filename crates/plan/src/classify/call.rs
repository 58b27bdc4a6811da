//! Aggregates and window functions: what they make of many rows.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionDefinition};
use lockgate_model::Form;

use super::{Classifier, Outcome, Scope, written};
use crate::facts::{DependenceKind, Facts};
use crate::functions::{is_allowed_aggregate, is_allowed_window};

/// What an aggregate or window function does with its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Whether they are there.
    Count,
    /// How many different ones there are.
    CountDistinct,
    /// The value of one row becomes that of another.
    Move,
    /// Anything else.
    Compute,
}

impl Classifier<'_> {
    pub(super) fn aggregate_call(&mut self, call: &AggregateFunction, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let name = call.func.name();
        if !is_allowed_aggregate(&call.func) {
            return Err(self.refuse_expression(expr, &format!("`{name}`")));
        }
        let params = &call.params;
        let inputs = self.expressions(&params.args, scope)?;
        if name == "grouping" {
            // It tells which grouping a row belongs to, whatever its arguments hold.
            return Ok(Facts::constant(self.lowest));
        }
        let value = self.over_rows(expr, &inputs, use_of(name, params.distinct), true)?;
        let mut conditions = Vec::new();
        if let Some(filter) = &params.filter {
            let condition = self.expression(filter, scope)?;
            conditions.push(self.compute(filter, &[condition])?);
        }
        let mut order = Vec::new();
        for key in &params.order_by {
            let facts = self.expression(&key.expr, scope)?;
            self.must_order(&facts, &key.expr)?;
            order.push(facts.into_indirect(DependenceKind::Sort));
        }
        Ok(value.chosen_by(&conditions).chosen_by(&order))
    }

    pub(super) fn window_call(&mut self, call: &WindowFunction, expr: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let (allowed, is_aggregate) = match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => (is_allowed_aggregate(function), true),
            WindowFunctionDefinition::WindowUDF(function) => (is_allowed_window(function), false),
        };
        let name = call.fun.name();
        if !allowed || name == "grouping" {
            return Err(self.refuse_expression(expr, &format!("window function `{name}`")));
        }
        let params = &call.params;
        let inputs = self.expressions(&params.args, scope)?;
        let value = self.over_rows(expr, &inputs, use_of(name, params.distinct), is_aggregate)?;
        let mut window = Vec::new();
        let mut is_of_one_subject = inputs.is_empty() || !value.needs_subject;
        for key in &params.partition_by {
            let facts = self.expression(key, scope)?;
            self.must_compare(&facts, key, "PARTITION BY")?;
            is_of_one_subject |= facts.is_subject && value.needs_subject_of.is_subset(&facts.subject_of);
            window.push(facts.into_indirect(DependenceKind::Window));
        }
        for key in &params.order_by {
            let facts = self.expression(&key.expr, scope)?;
            self.must_order(&facts, &key.expr)?;
            window.push(facts.into_indirect(DependenceKind::Window));
        }
        let mut conditions = Vec::new();
        if let Some(filter) = &params.filter {
            let condition = self.expression(filter, scope)?;
            conditions.push(self.compute(filter, &[condition])?);
        }
        let mut value = value.chosen_by(&window).chosen_by(&conditions);
        if !is_of_one_subject {
            // The value may come from the rows of other persons, and so no column is its subject.
            self.scans += 1;
            value.needs_subject_of.insert(self.scans);
        }
        Ok(value)
    }

    fn over_rows(&self, expr: &Expr, inputs: &[Facts], what: Use, is_aggregate: bool) -> Outcome<Facts> {
        let form = match what {
            Use::Count => Form::Clear,
            Use::CountDistinct => {
                for input in inputs {
                    self.must_compare(input, expr, "DISTINCT")?;
                }
                Form::Clear
            }
            Use::Move => match inputs.iter().map(|input| input.form).max() {
                Some(form @ (Form::Masked | Form::Tokenized)) => form,
                // A sealed value opens in its own row only.
                Some(Form::Clear | Form::Sealed | Form::Dropped) | None => self.compute(expr, inputs)?.form,
            },
            Use::Compute => self.compute(expr, inputs)?.form,
        };
        let facts = match is_aggregate {
            true => Facts::aggregated(self.lowest, inputs, &written(expr)),
            false => Facts::computed(self.lowest, inputs, &written(expr)),
        };
        let facts = Facts { form, ..facts };
        Ok(match what {
            Use::Count | Use::CountDistinct => facts.hidden(),
            Use::Move | Use::Compute => facts,
        })
    }
}

fn use_of(name: &str, distinct: bool) -> Use {
    match (name, distinct) {
        ("count", false) => Use::Count,
        ("count", true) => Use::CountDistinct,
        ("lag" | "lead" | "first_value" | "last_value" | "nth_value", _) => Use::Move,
        _ => Use::Compute,
    }
}
