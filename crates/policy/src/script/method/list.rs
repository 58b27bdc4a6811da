//! The methods of lists.

use super::super::limits::{SCRIPT_TEXT_BYTES_MAX, ScriptFault};
use super::super::run::Run;
use super::super::syntax::Argument;
use super::super::value::{Origin, ScriptList, Value, count, whole_number};
use super::{Method, argument};

/// None if a list of that origin has no such method.
pub(super) fn call(
    run: &mut Run<'_>,
    list: &ScriptList,
    method: Method,
    arguments: &[Argument],
    values: &[Value],
) -> Result<Option<Value>, ScriptFault> {
    run.spend(list.items.len())?;
    match list.origin {
        Origin::Java => Ok(java(run, list, method, values)),
        Origin::Script => script(run, list, method, arguments, values),
    }
}

/// The methods of Java's lists and sets.
fn java(run: &Run<'_>, list: &ScriptList, method: Method, values: &[Value]) -> Option<Value> {
    let sought = argument(values, 0);
    let position = |value: &Value| list.items.iter().position(|item| item.strictly_equals(value));
    Some(match method {
        Method::Contains => Value::Bool(position(&sought).is_some()),
        Method::IndexOf => position(&sought).map_or(Value::Number(-1.0), count),
        Method::Size => count(list.items.len()),
        Method::IsEmpty => Value::Bool(list.items.is_empty()),
        Method::Get => {
            let index = usize::try_from(sought.to_index(SCRIPT_TEXT_BYTES_MAX)).ok()?;
            list.items.get(index)?.clone()
        }
        Method::ToText => {
            let texts: Vec<_> = list.items.iter().map(|item| run.text_of(item)).collect::<Result<_, _>>().ok()?;
            let bytes: usize = texts.iter().map(|text| text.len() + 2).sum();
            run.check_text(bytes).ok()?;
            Value::text(&format!("[{}]", texts.join(", ")))
        }
        _ => return None,
    })
}

/// The methods of JavaScript's arrays, and Ranger's `intersects`.
fn script(
    run: &mut Run<'_>,
    list: &ScriptList,
    method: Method,
    arguments: &[Argument],
    values: &[Value],
) -> Result<Option<Value>, ScriptFault> {
    let sought = argument(values, 0);
    let same = |left: &Value, right: &Value| {
        // `includes` finds NaN, which equals nothing.
        let not_a_number = |value: &Value| matches!(value, Value::Number(number) if number.is_nan());
        left.strictly_equals(right) || (not_a_number(left) && not_a_number(right))
    };
    let found = |position: Option<usize>| position.map_or(Value::Number(-1.0), count);
    Ok(Some(match method {
        Method::Includes => {
            let start = from(&argument(values, 1), list.items.len());
            Value::Bool(list.items.iter().skip(start).any(|item| same(item, &sought)))
        }
        Method::IndexOf => {
            let start = from(&argument(values, 1), list.items.len());
            let position = list.items.iter().skip(start).position(|item| item.strictly_equals(&sought));
            found(position.map(|position| position + start))
        }
        Method::LastIndexOf if values.len() < 2 => {
            found(list.items.iter().rposition(|item| item.strictly_equals(&sought)))
        }
        Method::Join => {
            let absent = matches!(sought, Value::Undefined);
            let separator = if absent { ",".into() } else { run.text_of(&sought)? };
            return join(run, list, &separator).map(Some);
        }
        Method::Slice => {
            let start = from(&sought, list.items.len());
            let end = to(&argument(values, 1), list.items.len());
            let items = list.items.iter().take(end).skip(start).cloned().collect();
            run.new_list(items)?
        }
        Method::Concat => {
            let mut items = list.items.clone();
            for value in values {
                match value {
                    Value::List(other) if other.origin == Origin::Script => {
                        run.spend(other.items.len())?;
                        items.extend(other.items.iter().cloned());
                    }
                    other => items.push(other.clone()),
                }
            }
            run.new_list(items)?
        }
        Method::Intersects => return intersects(run, list, &sought).map(Some),
        Method::Some | Method::Every | Method::Filter | Method::Map | Method::Find => {
            return with_function(run, list, method, arguments.first());
        }
        _ => return Ok(None),
    }))
}

/// Where a part starts: counted from the end where negative.
pub(super) fn from(index: &Value, length: usize) -> usize {
    let index = index.to_index(SCRIPT_TEXT_BYTES_MAX);
    if index < 0 {
        length.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(index).unwrap_or(usize::MAX).min(length)
    }
}

/// Where a part ends: at the end if nothing is said.
pub(super) fn to(index: &Value, length: usize) -> usize {
    if matches!(index, Value::Undefined) { length } else { from(index, length) }
}

fn join(run: &mut Run<'_>, list: &ScriptList, separator: &str) -> Result<Value, ScriptFault> {
    let mut out = String::new();
    for (index, item) in list.items.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        if !item.is_nothing() {
            out.push_str(&run.text_of(item)?);
        }
        run.check_text(out.len())?;
    }
    run.new_text(out)
}

/// Whether an item is in the other list, or in the other text.
fn intersects(run: &mut Run<'_>, list: &ScriptList, other: &Value) -> Result<Value, ScriptFault> {
    if other.is_nothing() || list.items.is_empty() {
        return Ok(Value::Bool(false));
    }
    match other {
        Value::List(other) => {
            run.spend(list.items.len().saturating_mul(other.items.len()))?;
            let is_in = |item| other.items.iter().any(|known| known.strictly_equals(item));
            Ok(Value::Bool(list.items.iter().any(is_in)))
        }
        Value::Text(text) => {
            for item in &list.items {
                run.spend_bytes(text.len())?;
                if text.contains(&*run.text_of(item)?) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        other => Err(ScriptFault::thrown(format!("`intersects` needs a list and not {}", other.kind()))),
    }
}

fn with_function(
    run: &mut Run<'_>,
    list: &ScriptList,
    method: Method,
    function: Option<&Argument>,
) -> Result<Option<Value>, ScriptFault> {
    let Some(Argument::Function { parameters, body }) = function else {
        return Ok(None);
    };
    let mut kept = Vec::new();
    for (index, item) in list.items.iter().enumerate() {
        run.spend(1)?;
        let index = i64::try_from(index).map_or(f64::INFINITY, whole_number);
        let value = run.call_function(parameters, body, [item.clone(), Value::Number(index)])?;
        match (method, value.is_truthy()) {
            (Method::Some, true) => return Ok(Some(Value::Bool(true))),
            (Method::Every, false) => return Ok(Some(Value::Bool(false))),
            (Method::Find, true) => return Ok(Some(item.clone())),
            (Method::Filter, true) => kept.push(item.clone()),
            (Method::Map, _) => kept.push(value),
            _ => {}
        }
    }
    Ok(Some(match method {
        Method::Some => Value::Bool(false),
        Method::Every => Value::Bool(true),
        Method::Find => Value::Undefined,
        _ => run.new_list(kept)?,
    }))
}
