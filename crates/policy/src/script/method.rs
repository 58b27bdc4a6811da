//! The methods of texts, lists, maps and dates.

mod list;
mod text;

use super::limits::ScriptFault;
use super::run::Run;
use super::syntax::Argument;
use super::value::{Origin, ScriptMap, Value, count, whole_number};

/// The methods that some kind of value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    After,
    Before,
    CharAt,
    CompareTo,
    Concat,
    Contains,
    ContainsKey,
    EndsWith,
    Equals,
    EqualsIgnoreCase,
    Every,
    Filter,
    Find,
    Get,
    GetAttributes,
    GetMatchType,
    GetOrDefault,
    GetTime,
    GetType,
    HasOwnProperty,
    Includes,
    IndexOf,
    Intersects,
    IsEmpty,
    Join,
    KeySet,
    LastIndexOf,
    Map,
    Match,
    Replace,
    Search,
    Size,
    Slice,
    Some,
    Split,
    StartsWith,
    Substring,
    Substr,
    ToLowerCase,
    ToText,
    ToUpperCase,
    Trim,
    Values,
}

impl Method {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "after" => Self::After,
            "before" => Self::Before,
            "charAt" => Self::CharAt,
            "compareTo" => Self::CompareTo,
            "concat" => Self::Concat,
            "contains" => Self::Contains,
            "containsKey" => Self::ContainsKey,
            "endsWith" => Self::EndsWith,
            "equals" => Self::Equals,
            "equalsIgnoreCase" => Self::EqualsIgnoreCase,
            "every" => Self::Every,
            "filter" => Self::Filter,
            "find" => Self::Find,
            "get" => Self::Get,
            "getAttributes" => Self::GetAttributes,
            "getMatchType" => Self::GetMatchType,
            "getOrDefault" => Self::GetOrDefault,
            "getTime" => Self::GetTime,
            "getType" => Self::GetType,
            "hasOwnProperty" => Self::HasOwnProperty,
            "includes" => Self::Includes,
            "indexOf" => Self::IndexOf,
            "intersects" => Self::Intersects,
            "isEmpty" => Self::IsEmpty,
            "join" => Self::Join,
            "keySet" => Self::KeySet,
            "lastIndexOf" => Self::LastIndexOf,
            "map" => Self::Map,
            "match" => Self::Match,
            "replace" => Self::Replace,
            "search" => Self::Search,
            "size" => Self::Size,
            "slice" => Self::Slice,
            "some" => Self::Some,
            "split" => Self::Split,
            "startsWith" => Self::StartsWith,
            "substring" => Self::Substring,
            "substr" => Self::Substr,
            "toLowerCase" => Self::ToLowerCase,
            "toString" => Self::ToText,
            "toUpperCase" => Self::ToUpperCase,
            "trim" => Self::Trim,
            "values" => Self::Values,
            _ => return None,
        })
    }

    /// Whether its first argument is a function.
    pub(super) fn takes_function(self) -> bool {
        matches!(self, Self::Every | Self::Filter | Self::Find | Self::Map | Self::Some)
    }

    /// Whether its first argument may be a pattern.
    pub(super) fn takes_pattern(self) -> bool {
        matches!(self, Self::Match | Self::Replace | Self::Search | Self::Split)
    }
}

/// Calls a method on a value.
pub(super) fn call(
    run: &mut Run<'_>,
    target: &Value,
    method: Method,
    arguments: &[Argument],
) -> Result<Value, ScriptFault> {
    if target.is_nothing() {
        return Err(ScriptFault::thrown(format!("a method cannot be called on {}", target.kind())));
    }
    let values = run.arguments(arguments)?;
    let called = match target {
        Value::Text(text) => text::call(run, text, method, arguments, &values)?,
        Value::List(list) => list::call(run, list, method, arguments, &values)?,
        Value::Map(map) => map_call(run, map, method, &values)?,
        Value::Date(milliseconds) => date_call(*milliseconds, method, &values),
        _ => None,
    };
    match called {
        Some(value) => Ok(value),
        None if method == Method::ToText => Ok(Value::Text(run.text_of(target)?)),
        None => Err(ScriptFault::thrown(format!("{} has no method of that name", target.kind()))),
    }
}

fn argument(values: &[Value], index: usize) -> Value {
    values.get(index).cloned().unwrap_or(Value::Undefined)
}

/// What Java's collections take as a key: `null` is none that a script could have put there.
fn key(run: &Run<'_>, values: &[Value]) -> Result<Option<std::sync::Arc<str>>, ScriptFault> {
    let key = argument(values, 0);
    if key.is_nothing() { Ok(None) } else { run.text_of(&key).map(Some) }
}

fn map_call(
    run: &mut Run<'_>,
    map: &ScriptMap,
    method: Method,
    values: &[Value],
) -> Result<Option<Value>, ScriptFault> {
    if method == Method::HasOwnProperty {
        let name = run.text_of(&argument(values, 0))?;
        return Ok(Some(Value::Bool(map.value(&name).is_some())));
    }
    if map.origin == Origin::Script {
        return Ok(None);
    }
    let entry = |name: &str| map.value(name).cloned().unwrap_or(Value::Null);
    Ok(Some(match method {
        Method::Get => key(run, values)?.map_or(Value::Null, |key| entry(&key)),
        Method::GetOrDefault => match key(run, values)? {
            Some(key) if map.value(&key).is_some() => entry(&key),
            _ => argument(values, 1),
        },
        Method::ContainsKey => Value::Bool(key(run, values)?.is_some_and(|key| map.value(&key).is_some())),
        Method::Size => count(map.entries.len()),
        Method::IsEmpty => Value::Bool(map.entries.is_empty()),
        Method::KeySet => Value::texts(Origin::Java, map.entries.iter().map(|(name, _)| &**name)),
        Method::Values => Value::list(Origin::Java, map.entries.iter().map(|(_, value)| value.clone()).collect()),
        Method::GetType => entry("type"),
        Method::GetAttributes => entry("attributes"),
        Method::GetMatchType => entry("matchType"),
        _ => return Ok(None),
    }))
}

fn date_call(milliseconds: i64, method: Method, values: &[Value]) -> Option<Value> {
    let other = match argument(values, 0) {
        Value::Date(other) => Some(other),
        _ => None,
    };
    Some(match (method, other) {
        (Method::GetTime, _) => Value::Number(whole_number(milliseconds)),
        (Method::Before, Some(other)) => Value::Bool(milliseconds < other),
        (Method::After, Some(other)) => Value::Bool(milliseconds > other),
        (Method::CompareTo, Some(other)) => Value::Number(f64::from(milliseconds.cmp(&other) as i8)),
        (Method::Equals, other) => Value::Bool(other == Some(milliseconds)),
        _ => return None,
    })
}
