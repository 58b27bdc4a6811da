//! A pipeline's file becomes a query with its places, an output in a store that can hold it, and typed parameters.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::{ColumnName, StoreName};

use super::settings::Settings;
use super::{Checker, is_word};
use crate::params::value_fault;
use crate::raw::{ModeChoice, OutputEntry, ParamEntry, ParamTypeChoice, PipelineFile};
use crate::yaml::{AnyScalar, Checked, Node, Positions, Value};
use crate::{At, Code, EXPECTED_DURATION_S_MAX, Output, Param, ParamType, Pipeline, WriteMode};

/// Checks one pipeline; what is wrong is reported. `node` is the file it was read from.
pub(super) fn check(
    raw: PipelineFile,
    node: &Node,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Pipeline> {
    let name = raw.pipeline.value.map(|name| checker.at(name, &raw.pipeline.range));
    if raw.sql.value.as_ref().is_some_and(|sql| sql.trim().is_empty()) {
        let help = "write the query that makes the output's rows".to_owned();
        checker.report(Code::InvalidValue, &raw.sql.range, "`sql` is empty", Some(help));
    }
    let sql = raw.sql.value.map(|sql| checker.at(sql, &raw.sql.range));
    let span = checker.span(&raw.into.range);
    let output = raw.into.value.and_then(|into| {
        let store = check_store(&into.store, settings, checker);
        let dataset = into.dataset.value.clone().map(|dataset| checker.at(dataset, &into.dataset.range));
        let mode = check_mode(&into, checker);
        Some(Output { dataset: dataset?, store: store?, mode: mode?, span })
    });
    let runs_as = raw.runs_as.value.map(|principal| checker.at(principal, &raw.runs_as.range));
    let expected_duration_s = raw.expected_duration_s.map(|expected| check_duration(&expected, checker));
    let mut params = BTreeMap::new();
    for (name, entry) in raw.params.and_then(|params| params.value).map(|params| params.0).unwrap_or_default() {
        if let Some((name, param)) = check_param(&name, entry, checker) {
            params.insert(name, param);
        }
    }
    let sql_positions = sql_positions(node);
    Some(Pipeline {
        name: name?,
        sql: sql?,
        into: output?,
        runs_as: runs_as?,
        expected_duration_s: match expected_duration_s {
            None => None,
            Some(expected) => Some(expected?),
        },
        params,
        sql_positions,
    })
}

fn check_duration(expected: &Checked<u32>, checker: &mut Checker<'_>) -> Option<u32> {
    let seconds = expected.value?;
    let fits = (1..=EXPECTED_DURATION_S_MAX).contains(&seconds);
    if !fits {
        let message = format!("`{seconds}` is no number of seconds that a run may be expected to take");
        let help = format!("write 1 to {EXPECTED_DURATION_S_MAX}, which is a week");
        checker.report(Code::InvalidValue, &expected.range, message, Some(help));
    }
    fits.then_some(seconds)
}

pub(super) fn sql_positions(node: &Node) -> Option<Positions> {
    match &node.value {
        Value::Mapping(entries) => {
            entries.iter().find(|entry| entry.key == "sql").and_then(|entry| match &entry.node.value {
                Value::Scalar(scalar) => scalar.positions.clone(),
                Value::Sequence(_) | Value::Mapping(_) => None,
            })
        }
        Value::Scalar(_) | Value::Sequence(_) => None,
    }
}

fn check_store(name: &Checked<String>, settings: &Settings, checker: &mut Checker<'_>) -> Option<At<StoreName>> {
    let store = settings.store(name, checker)?;
    Some(checker.at(store.name.clone(), &name.range))
}

fn check_mode(into: &OutputEntry, checker: &mut Checker<'_>) -> Option<WriteMode> {
    let mode = match &into.mode {
        None => ModeChoice::Append,
        Some(mode) => mode.value?,
    };
    let name = match mode {
        ModeChoice::Append => "append",
        ModeChoice::Replace => "replace",
        ModeChoice::Merge => return check_merge(into, checker),
    };
    if let Some(key) = &into.key {
        let message = format!("`mode: {name}` takes no `key`");
        let help = "remove `key`, or write `mode: merge`".to_owned();
        checker.report(Code::MergeKey, &key.range, message, Some(help));
        return None;
    }
    match mode {
        ModeChoice::Replace => Some(WriteMode::Replace),
        ModeChoice::Append | ModeChoice::Merge => Some(WriteMode::Append),
    }
}

fn check_merge(into: &OutputEntry, checker: &mut Checker<'_>) -> Option<WriteMode> {
    let help = || Some("name the columns by which a row is recognised: `key: [id]`".to_owned());
    let Some(key) = &into.key else {
        let range = into.mode.as_ref().map_or(&into.dataset.range, |mode| &mode.range);
        checker.report(Code::MergeKey, range, "`mode: merge` needs a `key`", help());
        return None;
    };
    let columns = key.value.as_ref()?;
    if columns.is_empty() {
        checker.report(Code::MergeKey, &key.range, "`key` names no column", help());
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut names: Vec<Option<At<ColumnName>>> = Vec::new();
    for column in columns {
        if let Some(name) = &column.value
            && !seen.insert(name)
        {
            let message = format!("the column `{}` is in `key` twice", checker.quote(&column.range));
            checker.report(Code::MergeKey, &column.range, message, Some("remove one of the two".to_owned()));
        }
        names.push(column.value.clone().map(|name| checker.at(name, &column.range)));
    }
    names.into_iter().collect::<Option<Vec<_>>>().map(|key| WriteMode::Merge { key })
}

fn check_param(
    name: &Checked<String>,
    entry: Checked<ParamEntry>,
    checker: &mut Checker<'_>,
) -> Option<(String, Param)> {
    let text = name.value.clone()?;
    let named = is_word(&text);
    if !named {
        let message = format!("`{}` is no name of a parameter", checker.quote(&name.range));
        let help = "it takes ASCII letters, digits and `_`, and does not begin with a digit".to_owned();
        checker.report(Code::InvalidValue, &name.range, message, Some(help));
    }
    let entry = entry.value?;
    let param_type = match entry.param_type.value? {
        ParamTypeChoice::Text => ParamType::Text,
        ParamTypeChoice::Date => ParamType::Date,
        ParamTypeChoice::Bigint => ParamType::BigInt,
    };
    let default = match entry.default {
        None => None,
        Some(default) => {
            let AnyScalar(value) = default.value?;
            if let Some(fault) = value_fault(param_type, &value) {
                let shown = checker.quote(&default.range);
                let message = format!("the default `{shown}` of the parameter `{text}` {fault}");
                let help = format!("write a value of type {}", param_type.as_str());
                checker.report(Code::InvalidParameter, &default.range, message, Some(help));
                return None;
            }
            Some(checker.at(value, &default.range))
        }
    };
    let description = entry.description.and_then(|description| description.value);
    named.then(|| (text, Param { param_type, default, description, span: checker.span(&name.range) }))
}
