//! Conditions of YAML policies become Ranger's, under names that no service has: `if.ip`, as they are written.

use std::collections::BTreeMap;

use lockgate_policy::model::{ConditionDef, ConditionUse, ServicePolicies, Text};

use super::{Checker, entries, texts};
use crate::Code;
use crate::policies::split;
use crate::raw::{ConditionsEntry, Texts};
use crate::yaml::{Checked, Entries};

const KINDS: [(&str, &str); 11] = [
    ("if.ip", "RangerIpMatcher"),
    ("if.time_of_day", "RangerTimeOfDayMatcher"),
    ("if.expression", "RangerScriptConditionEvaluator"),
    ("if.action", "RangerActionMatcher"),
    ("if.together", "RangerHiveResourcesAccessedTogetherCondition"),
    ("if.not_together", "RangerHiveResourcesNotAccessedTogetherCondition"),
    ("if.all_tags", "RangerTagsAllPresentConditionEvaluator"),
    ("if.any_tag", "RangerAnyOfExpectedTagsPresentConditionEvaluator"),
    ("if.no_tag", "RangerNoneOfExpectedTagsPresentConditionEvaluator"),
    ("if.cluster", "RangerAccessedFromClusterCondition"),
    ("if.not_cluster", "RangerAccessedNotFromClusterCondition"),
];

/// The conditions that YAML can name, but for those about facts of the request, which are defined when they are used.
pub(super) fn definitions() -> impl Iterator<Item = ConditionDef> {
    KINDS.iter().map(|(name, evaluator)| definition(name, evaluator, BTreeMap::new()))
}

fn definition(name: &str, evaluator: &str, evaluator_options: BTreeMap<String, Text>) -> ConditionDef {
    ConditionDef { name: name.to_owned(), evaluator: evaluator.to_owned(), evaluator_options }
}

/// What an `if` says. What is wrong is reported; what it needs is defined in the services.
pub(super) fn compile(
    entry: Option<&Checked<ConditionsEntry>>,
    services: &mut ServicePolicies,
    checker: &mut Checker<'_>,
) -> Vec<ConditionUse> {
    let Some(Checked { range, value: Some(entry) }) = entry else { return Vec::new() };
    let mut used = Vec::new();
    let mut add = |kind: &str, values: Vec<String>| used.push(ConditionUse { kind: kind.to_owned(), values });
    let plain: [(&str, &str, &Option<Texts>); 8] = [
        ("if.ip", "address", &entry.ip),
        ("if.action", "operation", &entry.action),
        ("if.all_tags", "tag", &entry.all_tags),
        ("if.any_tag", "tag", &entry.any_tag),
        ("if.no_tag", "tag", &entry.no_tag),
        ("if.cluster", "cluster", &entry.cluster),
        ("if.not_cluster", "cluster", &entry.not_cluster),
        ("if.time_of_day", "time", &entry.time_of_day),
    ];
    for (kind, what, list) in plain {
        let Some(list) = list else { continue };
        let values = texts(list, what, checker);
        add(kind, if kind == "if.time_of_day" { times(list, checker) } else { values });
    }
    for (kind, list) in [("if.together", &entry.together), ("if.not_together", &entry.not_together)] {
        if let Some(list) = list {
            texts(list, "column", checker);
            add(kind, columns(list, checker));
        }
    }
    if let Some(expression) = &entry.expression {
        add("if.expression", expression.value.iter().cloned().collect());
        if expression.value.as_ref().is_some_and(|text| text.trim().is_empty()) {
            let help = "write what must hold, or remove the key".to_owned();
            checker.report(Code::InvalidValue, &expression.range, "the expression is empty", Some(help));
        }
    }
    let context = [("RangerContextAttributeValueInCondition", "if.context", &entry.context)];
    let not_context = [("RangerContextAttributeValueNotInCondition", "if.not_context", &entry.not_context)];
    for (evaluator, key, facts) in context.into_iter().chain(not_context) {
        used.extend(of_context(evaluator, key, facts.as_ref(), services, checker));
    }
    if used.is_empty() {
        let help = "say what must hold, or remove `if`".to_owned();
        checker.report(Code::InvalidValue, range, "`if` has no condition", Some(help));
    }
    used
}

fn of_context(
    evaluator: &str,
    key: &str,
    facts: Option<&Checked<Entries<Vec<Checked<String>>>>>,
    services: &mut ServicePolicies,
    checker: &mut Checker<'_>,
) -> Vec<ConditionUse> {
    let mut used = Vec::new();
    for (name, values) in entries(facts) {
        let Some(fact) = &name.value else { continue };
        let kind = format!("{key}.{fact}");
        let options = BTreeMap::from([("attributeName".to_owned(), Text(fact.clone()))]);
        let of_tags = services.tag_policies.iter_mut().map(|tags| &mut tags.service_def);
        for def in std::iter::once(&mut services.service_def).chain(of_tags) {
            if !def.policy_conditions.iter().any(|known| known.name == kind) {
                def.policy_conditions.push(definition(&kind, evaluator, options.clone()));
            }
        }
        used.push(ConditionUse { kind, values: texts(values, "text", checker) });
    }
    used
}

/// `09:00-18:00` as Ranger writes it.
fn times(list: &Texts, checker: &mut Checker<'_>) -> Vec<String> {
    let mut read = Vec::new();
    for value in list.value.iter().flatten() {
        let Some(text) = &value.value else { continue };
        match text.split_once('-').and_then(|(start, end)| Some(format!("{}-{}", clock(start)?, clock(end)?))) {
            Some(range) => read.push(range),
            None => {
                let message = format!("`{}` is no time of day", checker.quote(&value.range));
                let help = "write from when to when: `09:00-18:00`".to_owned();
                checker.report(Code::InvalidValue, &value.range, message, Some(help));
            }
        }
    }
    read
}

fn clock(text: &str) -> Option<String> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let half = if hour < 12 { "am" } else { "pm" };
    let shown = if hour % 12 == 0 { 12 } else { hour % 12 };
    (hour < 24 && minute < 60).then(|| format!("{shown}:{minute:02}{half}"))
}

/// `customers.email` as database, table and column.
fn columns(list: &Texts, checker: &mut Checker<'_>) -> Vec<String> {
    let mut read = Vec::new();
    for value in list.value.iter().flatten() {
        let Some(text) = &value.value else { continue };
        let parts = text.rsplit_once('.').map(|(dataset, column)| (split(dataset), column));
        match parts.filter(|((database, table), column)| {
            !database.contains('.') && ![*database, *table, *column].iter().any(|part| part.is_empty())
        }) {
            Some(((database, table), column)) => read.push(format!("{database}.{table}.{column}")),
            None => {
                let message = format!("`{}` is no column of a dataset", checker.quote(&value.range));
                let help = "write `DATASET.COLUMN`; the dataset's name has at most one dot here".to_owned();
                checker.report(Code::InvalidValue, &value.range, message, Some(help));
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn clocks_of_24_hours_become_those_of_12() {
        for (text, expected) in [("00:00", "12:00am"), ("9:05", "9:05am"), ("12:30", "12:30pm"), ("23:59", "11:59pm")] {
            assert_eq!(clock(text).as_deref(), Some(expected), "{text}");
        }
        assert!(["24:00", "9:60", "9", "9am", ""].iter().all(|text| clock(text).is_none()));
    }
}
