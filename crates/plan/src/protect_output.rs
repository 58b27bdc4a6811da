//! No column reaches a sink above the sink's clearance: it is protected by the first matching rule, or refused.
//!
//! ```text
//! before                         after                                       (warehouse: clearance internal)
//! Projection: id, name, email    Projection: id, lockgate_seal(name, id) AS name, lockgate_token(email) AS email, rid
//!   TableScan: customers           Projection: id, name, email, rid
//!                                    TableScan: customers
//! ```
//! Refused: a column that no rule matches; a rule that does not fit the column's type; a sealed column without the
//! subject that it must be bound to; a merge key that would differ from run to run.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, ScalarUDF};
use lockgate_model::{ColumnName, Form, Lattice, Level, Protection, ValueType};
use lockgate_project::{Code, ProtectRule};

use crate::facts::Facts;
use crate::mask::masked_type;
use crate::output_column::OutputColumn;
use crate::problem::Problem;
use crate::protect_function::ProtectFunction;
use crate::provenance::{Carried, Carrier};
use crate::table::{arrow_type, value_type};

/// Where the output goes, as far as protection depends on it.
#[derive(Debug, Clone)]
pub(crate) struct Sink<'a> {
    pub(crate) store: &'a str,
    pub(crate) clearance: Level,
    /// Everything that the sink stores is encrypted under a key for each level.
    pub(crate) encrypts: bool,
    pub(crate) key: &'a [ColumnName],
    pub(crate) lattice: &'a Lattice,
    pub(crate) rules: &'a [ProtectRule],
}

/// One column of the query before protection.
pub(crate) struct Candidate {
    pub(crate) name: ColumnName,
    pub(crate) data_type: DataType,
    pub(crate) facts: Facts,
    /// Its place in the SQL.
    pub(crate) at: Option<std::ops::Range<usize>>,
}

/// Decides for every column; all problems are reported, not the first alone.
pub(crate) fn decide(candidates: &[Candidate], sink: &Sink<'_>) -> Result<Vec<OutputColumn>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut columns = Vec::new();
    for candidate in candidates {
        match decide_column(candidate, sink) {
            Ok(column) => columns.push(column),
            Err(problem) => problems.push(*problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    bind_to_subject(&mut columns, candidates, &mut problems);
    check_key(&columns, candidates, sink, &mut problems);
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

fn decide_column(candidate: &Candidate, sink: &Sink<'_>) -> Result<OutputColumn, Box<Problem>> {
    let Candidate { name, data_type, facts, at } = candidate;
    let Some(plain_type) = value_type(data_type) else {
        let message = format!("column `{name}` has the type {data_type}, which no sink stores");
        return Err(Box::new(Problem::new(Code::SqlType, message).at(at.clone()).help("cast it to a column type")));
    };
    let choice = choose(candidate, sink)?;
    let stored_type = match &choice.protection {
        None => plain_type,
        Some(protection) => protected_type(protection, plain_type)
            .ok_or_else(|| does_not_fit(candidate, protection, plain_type, &choice))?,
    };
    Ok(OutputColumn {
        name: name.clone(),
        value_type: plain_type,
        stored_type,
        level: facts.level,
        tags: facts.tags.clone(),
        form: choice.protection.as_ref().map_or(facts.form, Protection::form),
        protection: choice.protection,
        rule: choice.rule,
        because: choice.because,
        path: facts.path.clone(),
        lineage: facts.sources.iter().cloned().collect(),
        bound_to: None,
        is_subject: facts.is_subject,
        needs_subject: facts.needs_subject,
        erase_by: match facts.erase_by.len() {
            1 => facts.erase_by.first().cloned().flatten(),
            _ => None,
        },
    })
}

struct Choice {
    protection: Option<Protection>,
    rule: Option<String>,
    because: String,
}

fn choose(candidate: &Candidate, sink: &Sink<'_>) -> Result<Choice, Box<Problem>> {
    let facts = &candidate.facts;
    let level = sink.lattice.name(facts.level);
    let clearance = sink.lattice.name(sink.clearance);
    let as_it_is = |because| Ok(Choice { protection: None, rule: None, because });
    match facts.form {
        Form::Clear => {}
        Form::Sealed | Form::Tokenized => return as_it_is(format!("it arrives {} and stays so", facts.form)),
        Form::Masked | Form::Dropped => {}
    }
    if facts.level <= sink.clearance {
        let must_be_sealed = sink.lattice.rules(facts.level).sealed_at_rest && facts.form == Form::Clear;
        if must_be_sealed && sink.encrypts {
            return as_it_is(format!(
                "{level} is within the clearance of `{}`, whose files are encrypted under a key for this level",
                sink.store
            ));
        }
        if must_be_sealed {
            return Ok(Choice {
                protection: Some(Protection::Seal),
                rule: Some(format!("levels.{level}: at_rest: sealed")),
                because: format!(
                    "{level} is within the clearance of `{}`, and must be sealed where it rests",
                    sink.store
                ),
            });
        }
        return as_it_is(format!("{level} is within the clearance {clearance} of `{}`", sink.store));
    }
    match sink.rules.iter().find(|rule| rule.matches.covers(facts.level, &facts.tags)) {
        Some(rule) => Ok(Choice {
            protection: Some(rule.protection.clone()),
            rule: Some(rule.text.clone()),
            because: format!("{level} exceeds the clearance {clearance} of `{}`", sink.store),
        }),
        None => Err(no_rule(candidate, sink)),
    }
}

fn no_rule(candidate: &Candidate, sink: &Sink<'_>) -> Box<Problem> {
    let facts = &candidate.facts;
    let (level, clearance) = (sink.lattice.name(facts.level), sink.lattice.name(sink.clearance));
    let mend = match facts.tags.iter().next() {
        Some(tag) => format!("`- {{ tag: {tag}, with: seal }}`"),
        None => format!("`- {{ level: {level}, with: seal }}`"),
    };
    let message = format!(
        "column `{}` is {level}, store `{}` has the clearance {clearance}, and no rule under `protect` matches it",
        candidate.name, sink.store
    );
    Box::new(
        Problem::new(Code::NoRuleForLevel, message)
            .at(candidate.at.clone())
            .label(format!("{level} by {}", facts.path.join(" → ")))
            .help(format!("add {mend} under `protect` in lockgate.yaml, or leave the column out")),
    )
}

/// The type of protected values, or `None` if the protection does not fit the type.
fn protected_type(protection: &Protection, plain: ValueType) -> Option<ValueType> {
    match protection {
        Protection::Seal | Protection::Token { .. } => Some(ValueType::Text),
        Protection::Fpe { .. } => (plain == ValueType::Text).then_some(ValueType::Text),
        Protection::Mask(mask) => masked_type(*mask, plain),
        Protection::Drop => Some(plain),
    }
}

fn does_not_fit(candidate: &Candidate, protection: &Protection, plain: ValueType, choice: &Choice) -> Box<Problem> {
    let rule = choice.rule.as_deref().unwrap_or_default();
    let message = format!("`{protection}` of `{rule}` does not fit column `{}` of type {plain}", candidate.name);
    Box::new(
        Problem::new(Code::ProtectionDoesNotFit, message)
            .at(candidate.at.clone())
            .label(candidate.facts.path.join(" → "))
            .help("use seal or a token, or cast the column to text in the SQL"),
    )
}

/// Each sealed column whose sources name a subject is bound to the output column that still is the subject of the same rows:
/// of two scans of one dataset, each has a subject of its own.
fn bind_to_subject(columns: &mut [OutputColumn], candidates: &[Candidate], problems: &mut Vec<Problem>) {
    let clear_subjects: Vec<_> = columns
        .iter()
        .zip(candidates)
        .filter(|(column, candidate)| candidate.facts.is_subject && column.form == Form::Clear)
        .map(|(column, candidate)| (column.name.clone(), &candidate.facts.subject_of))
        .collect();
    for (column, candidate) in columns.iter_mut().zip(candidates) {
        let sealed_here = matches!(column.protection, Some(Protection::Seal));
        let passed_on = column.protection.is_none() && column.form == Form::Sealed;
        if !candidate.facts.needs_subject || !(sealed_here || passed_on) {
            continue;
        }
        if candidate.facts.erase_by.len() > 1 {
            let message = format!("sealed column `{}` mixes persons who can be erased with others", column.name);
            problems.push(
                Problem::new(Code::SubjectDropped, message)
                    .at(candidate.at.clone())
                    .label("its sources do not all name the subjects of one dataset with `erase_by: subject`")
                    .help("load each dataset by a pipeline of its own, or remove `erase_by`"),
            );
            continue;
        }
        let wanted = &candidate.facts.needs_subject_of;
        match clear_subjects.iter().find(|(_, subject_of)| wanted.is_subset(subject_of)) {
            Some((subject, _)) => column.bound_to = Some(subject.clone()),
            None => problems.push(
                Problem::new(
                    Code::SubjectDropped,
                    format!(
                        "sealed column `{}` could not be opened later: the output has no clear subject column",
                        column.name
                    ),
                )
                .at(candidate.at.clone())
                .label("sealed values are bound to the subject of their row")
                .help(
                    "select the dataset's subject column unchanged as well, or declare `bind: column` in the dataset",
                ),
            ),
        }
    }
}

/// Rows are merged by values that must be equal from run to run.
fn check_key(columns: &[OutputColumn], candidates: &[Candidate], sink: &Sink<'_>, problems: &mut Vec<Problem>) {
    for key in sink.key {
        let Some((column, candidate)) = columns.iter().zip(candidates).find(|(column, _)| &column.name == key) else {
            problems.push(
                Problem::new(
                    Code::KeyColumnNotStable,
                    format!("merge key `{key}` is not among the columns of the query"),
                )
                .help("select it, or change `key:` under `into:`"),
            );
            continue;
        };
        let stable = match &column.protection {
            None => column.form != Form::Sealed,
            Some(Protection::Token { .. } | Protection::Fpe { .. }) => true,
            Some(Protection::Seal | Protection::Mask(_) | Protection::Drop) => false,
        };
        if !stable {
            let message =
                format!("merge key `{key}` would be {} and could not be compared from run to run", column.form);
            problems.push(
                Problem::new(Code::KeyColumnNotStable, message)
                    .at(candidate.at.clone())
                    .help("merge by a column that stays clear, or protect this one with token(domain: NAME)"),
            );
        }
    }
}

/// Wraps a plan whose rows name their sources: every column in its protection, dropped columns left out, the hidden
/// columns last. `inputs` are the query's own columns in the plan.
pub(crate) fn protect_output(
    carried: &Carried,
    inputs: &[Column],
    columns: &[OutputColumn],
) -> Result<(LogicalPlan, Vec<Carrier>)> {
    let plan = &carried.plan;
    let subject_of = |column: &OutputColumn| {
        let name = column.bound_to.as_ref()?;
        let position = columns.iter().position(|other| &other.name == name)?;
        inputs.get(position).cloned().map(Expr::Column)
    };
    let mut expressions = Vec::new();
    for (column, input) in columns.iter().zip(inputs) {
        let value = Expr::Column(input.clone());
        let expression = match &column.protection {
            Some(Protection::Drop) => continue,
            None => value.cast_to(&arrow_type(column.stored_type), plan.schema())?,
            Some(protection) => {
                let returns = arrow_type(column.stored_type);
                let function = ProtectFunction::unbound(column.name.clone(), protection.clone(), returns);
                let arguments = std::iter::once(value).chain(subject_of(column)).collect();
                ScalarUDF::new_from_impl(function).call(arguments)
            }
        };
        expressions.push(expression.alias(column.name.as_str()));
    }
    let mut carriers = Vec::new();
    for carrier in &carried.carriers {
        expressions.push(Expr::Column(carrier.column.clone()).alias(&carrier.column.name));
        carriers.push(Carrier { column: Column::new_unqualified(&carrier.column.name), ..carrier.clone() });
    }
    let plan = Projection::try_new(expressions, Arc::new(plan.clone())).map(LogicalPlan::Projection)?;
    Ok((plan, carriers))
}
