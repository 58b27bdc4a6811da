//! A run begins with a value for every parameter that it needs, each of its type and none that leads out of a store.
//!
//! ```text
//! --param date=2026-11-01 ─┐
//! default: 2026-01-01 ─────┴─► customers/2026-11-01/*.csv
//! --param date=../secret ── refused: no date; and a text with `/` cannot stand in a path
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::source::quotable;
use crate::{Code, Dataset, Diagnostic, Diagnostics, ParamType, Pipeline, suggest};

/// The longest value of a parameter, in bytes.
pub const PARAM_VALUE_BYTES_MAX: usize = 1_024;

/// Gives the value of each parameter of a run: as given, or else its default.
///
/// `used_by` are the datasets that the pipeline reads; a parameter of theirs that the pipeline does not declare is
/// text without a default. Fails with LG030 for a parameter without a value, LG031 for a given one that nothing knows,
/// and LG032 for a value that is not of its type (a date is strictly YYYY-MM-DD), is longer than
/// [`PARAM_VALUE_BYTES_MAX`], or cannot stand in a path where it is to.
pub fn bind_params(
    pipeline: &Pipeline,
    given: &BTreeMap<String, String>,
    used_by: &[&Dataset],
) -> Result<BTreeMap<String, String>, Diagnostics> {
    bind(pipeline, given, used_by, Unnamed::Defaults)
}

/// Gives the value of each parameter that was given: any other stands for every value. Fails as [`bind_params`] does, but for
/// LG030.
pub fn bind_given_params(
    pipeline: &Pipeline,
    given: &BTreeMap<String, String>,
    used_by: &[&Dataset],
) -> Result<BTreeMap<String, String>, Diagnostics> {
    bind(pipeline, given, used_by, Unnamed::StandForAny)
}

/// What becomes of parameters that are not given.
#[derive(Clone, Copy)]
enum Unnamed {
    Defaults,
    StandForAny,
}

fn bind(
    pipeline: &Pipeline,
    given: &BTreeMap<String, String>,
    used_by: &[&Dataset],
    unnamed: Unnamed,
) -> Result<BTreeMap<String, String>, Diagnostics> {
    let mut found = Diagnostics::new();
    let in_paths: BTreeSet<&str> = used_by.iter().flat_map(|dataset| dataset.parameters()).collect();
    let known: BTreeSet<&str> = pipeline.params.keys().map(String::as_str).chain(in_paths.iter().copied()).collect();
    for name in given.keys().filter(|name| !known.contains(name.as_str())) {
        found.push(unknown(pipeline, name, &known));
    }
    let mut bound = BTreeMap::new();
    for name in known {
        let declared = pipeline.params.get(name);
        let param_type = declared.map_or(ParamType::Text, |param| param.param_type);
        let default = declared.and_then(|param| param.default.as_ref()).map(|default| &default.value);
        let value = match (given.get(name), unnamed) {
            (Some(value), _) => value,
            (None, Unnamed::StandForAny) => continue,
            (None, Unnamed::Defaults) => match default {
                Some(value) => value,
                None => {
                    found.push(missing(pipeline, name, param_type, used_by));
                    continue;
                }
            },
        };
        let in_path = in_paths.contains(name);
        let fault = value_fault(param_type, value).or_else(|| in_path.then(|| path_fault(value)).flatten());
        match fault {
            None => {
                bound.insert(name.to_owned(), value.clone());
            }
            Some(fault) => found.push(invalid(pipeline, name, value, param_type, fault)),
        }
    }
    if found.is_empty() { Ok(bound) } else { Err(found) }
}

fn unknown(pipeline: &Pipeline, name: &str, known: &BTreeSet<&str>) -> Diagnostic {
    let message = format!("the pipeline `{}` has no parameter `{}`", pipeline.name.value, quotable(name));
    let mut diagnostic = Diagnostic::new(Code::UnknownParameter, pipeline.name.span, message);
    let none = || "it takes no parameters".to_owned();
    diagnostic.help = Some(suggest::help(name, "the parameters are", known.iter().copied()).unwrap_or_else(none));
    diagnostic
}

fn missing(pipeline: &Pipeline, name: &str, param_type: ParamType, used_by: &[&Dataset]) -> Diagnostic {
    let example = match param_type {
        ParamType::Date => "2026-11-01",
        ParamType::BigInt => "1",
        ParamType::Text if name == "date" => "2026-11-01",
        ParamType::Text => "VALUE",
    };
    let help = format!("give it with `--param {name}={example}`, or a `default` under `params` of the pipeline");
    let user = used_by.iter().find(|dataset| dataset.parameters().any(|used| used == name));
    let used = user.and_then(|dataset| Some((dataset, dataset.files()?)));
    let (span, label) = match (used, pipeline.params.get(name)) {
        (Some((dataset, files)), _) => (files.path.span, format!("the path of `{}` needs it", dataset.name.value)),
        (None, Some(param)) => (param.span, "declared here".to_owned()),
        (None, None) => (pipeline.name.span, String::new()),
    };
    let message = format!("the parameter `{name}` of `{}` has no value", pipeline.name.value);
    Diagnostic::new(Code::MissingParameter, span, message).labelled(label).with_help(help)
}

fn invalid(pipeline: &Pipeline, name: &str, value: &str, param_type: ParamType, fault: &str) -> Diagnostic {
    let span = pipeline.params.get(name).map_or(pipeline.name.span, |param| param.span);
    let message = format!("the value `{}` of the parameter `{name}` {fault}", quotable(value));
    let help = match param_type {
        ParamType::Date => "write the date as in `2026-11-01`".to_owned(),
        ParamType::BigInt => "write a whole number of at most 64 bits, such as `42`".to_owned(),
        ParamType::Text => "write one plain word; in a path it stands for a part of a name".to_owned(),
    };
    Diagnostic::new(Code::InvalidParameter, span, message).with_help(help)
}

/// What is wrong with a value of a type, if anything is.
pub(crate) fn value_fault(param_type: ParamType, value: &str) -> Option<&'static str> {
    if value.len() > PARAM_VALUE_BYTES_MAX {
        return Some("is longer than 1024 bytes");
    }
    match param_type {
        ParamType::Text => value.chars().any(char::is_control).then_some("has control characters"),
        ParamType::Date => (!is_date(value)).then_some("is no date of the form YYYY-MM-DD"),
        ParamType::BigInt => {
            let plain = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
            (!plain).then_some("is no whole number of 64 bits in its plain form")
        }
    }
}

fn is_date(value: &str) -> bool {
    let shape = value.len() == 10
        && value.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape && value.parse::<jiff::civil::Date>().is_ok()
}

/// What keeps a value from standing in a path, if anything does: it would lead elsewhere, or match more files.
fn path_fault(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty, and it stands in a path");
    }
    if value.starts_with('.') {
        return Some("begins with `.`, and it stands in a path");
    }
    let special = |c: char| c.is_control() || "/\\*?[]{}".contains(c);
    value.contains(special).then_some("has one of `/ \\ * ? [ ] { }`, and it stands in a path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_type() {
        use ParamType::{BigInt, Date, Text};
        for (param_type, value, allowed) in [
            (Date, "2026-11-01", true),
            (Date, "2024-02-29", true),
            (Date, "2026-02-29", false),
            (Date, "2026-1-1", false),
            (Date, "20261101", false),
            (Date, "2026-11-01T00", false),
            (BigInt, "9223372036854775807", true),
            (BigInt, "9223372036854775808", false),
            (BigInt, "+1", false),
            (BigInt, "007", false),
            (Text, "any text", true),
            (Text, "a\nb", false),
        ] {
            assert_eq!(value_fault(param_type, value).is_none(), allowed, "{value}");
        }
        assert!(value_fault(Text, &"x".repeat(PARAM_VALUE_BYTES_MAX)).is_none());
        assert!(value_fault(Text, &"x".repeat(PARAM_VALUE_BYTES_MAX + 1)).is_some());
    }

    #[test]
    fn nothing_in_a_path_leads_elsewhere() {
        for (value, allowed) in [
            ("eu-1", true),
            ("2026-11-01", true),
            ("a.b", true),
            ("", false),
            ("..", false),
            ("a/b", false),
            ("*", false),
        ] {
            assert_eq!(path_fault(value).is_none(), allowed, "{value}");
        }
    }
}
