//! The methods of texts: JavaScript's, and those of Java's `String` that scripts written for Nashorn use.

use regex::Captures;

use super::super::limits::{SCRIPT_LIST_ITEMS_MAX, SCRIPT_TEXT_BYTES_MAX, ScriptFault};
use super::super::run::Run;
use super::super::syntax::Argument;
use super::super::value::{Value, count, is_space};
use super::list::{from, to};
use super::{Method, argument};

/// None if a text has no such method.
pub(super) fn call(
    run: &mut Run<'_>,
    text: &str,
    method: Method,
    arguments: &[Argument],
    values: &[Value],
) -> Result<Option<Value>, ScriptFault> {
    run.spend_bytes(text.len())?;
    if let Some(Argument::Pattern { regex, global }) = arguments.first() {
        run.spend_pattern(regex, text)?;
        return with_pattern(run, text, method, (regex, *global), values).map(Some);
    }
    let first = argument(values, 0);
    Ok(Some(match method {
        Method::IsEmpty => Value::Bool(text.is_empty()),
        Method::ToLowerCase => run.new_text(text.to_lowercase())?,
        Method::ToUpperCase => run.new_text(text.to_uppercase())?,
        Method::Trim => Value::text(text.trim_matches(is_space)),
        Method::ToText => Value::text(text),
        Method::Equals => Value::Bool(matches!(&first, Value::Text(other) if **other == *text)),
        Method::EqualsIgnoreCase => {
            Value::Bool(matches!(&first, Value::Text(other) if other.to_lowercase() == text.to_lowercase()))
        }
        Method::Contains | Method::Includes => {
            let sought = run.text_of(&first)?;
            let start = if method == Method::Includes { start_of(&argument(values, 1)) } else { 0 };
            Value::Bool(rest_from(text, start).contains(&*sought))
        }
        Method::StartsWith => {
            let sought = run.text_of(&first)?;
            Value::Bool(rest_from(text, start_of(&argument(values, 1))).starts_with(&*sought))
        }
        Method::EndsWith if values.len() < 2 => Value::Bool(text.ends_with(&*run.text_of(&first)?)),
        Method::IndexOf => {
            let (sought, start) = (run.text_of(&first)?, start_of(&argument(values, 1)));
            let rest = rest_from(text, start);
            let before = text.len() - rest.len();
            position(text, rest.find(&*sought).map(|at| before + at))
        }
        Method::LastIndexOf if values.len() < 2 => position(text, text.rfind(&*run.text_of(&first)?)),
        Method::CharAt => {
            let unit = usize::try_from(first.to_index(SCRIPT_TEXT_BYTES_MAX))
                .ok()
                .map(|at| part(text, at, at.saturating_add(1)));
            Value::text(&unit.unwrap_or_default())
        }
        Method::Slice => {
            let length = units(text);
            run.new_text(part(text, from(&first, length), to(&argument(values, 1), length)))?
        }
        Method::Substr => {
            let length = units(text);
            let start = from(&first, length);
            let wanted = argument(values, 1);
            let wanted = if matches!(wanted, Value::Undefined) { length } else { start_of(&wanted) };
            run.new_text(part(text, start, start.saturating_add(wanted)))?
        }
        Method::Substring => {
            let length = units(text);
            let (start, end) = (start_of(&first).min(length), argument(values, 1));
            let end = if matches!(end, Value::Undefined) { length } else { start_of(&end).min(length) };
            run.new_text(part(text, start.min(end), start.max(end)))?
        }
        Method::Concat => {
            let mut out = text.to_owned();
            for value in values {
                out.push_str(&run.text_of(value)?);
                run.check_text(out.len())?;
            }
            run.new_text(out)?
        }
        Method::Replace => {
            let (sought, by) = (run.text_of(&first)?, run.text_of(&argument(values, 1))?);
            if by.contains('$') {
                return Err(ScriptFault::thrown("`$` in a replacement is supported with a pattern only"));
            }
            run.new_text(text.replacen(&*sought, &by, 1))?
        }
        Method::Split => split(run, text, &first, &argument(values, 1))?,
        _ => return Ok(None),
    }))
}

/// A position that is never negative.
fn start_of(value: &Value) -> usize {
    usize::try_from(value.to_index(SCRIPT_TEXT_BYTES_MAX)).unwrap_or(0)
}

/// How long a text is in UTF-16.
fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// A part of a text by positions in UTF-16.
fn part(text: &str, start: usize, end: usize) -> String {
    if text.is_ascii() {
        let end = end.min(text.len());
        return text.get(start.min(end)..end).unwrap_or_default().to_owned();
    }
    let units: Vec<u16> = text.encode_utf16().skip(start).take(end.saturating_sub(start)).collect();
    String::from_utf16_lossy(&units)
}

/// What is left from a position in UTF-16 on; from inside of a pair, what follows it.
fn rest_from(text: &str, start: usize) -> &str {
    let mut passed = 0;
    for (at, char) in text.char_indices() {
        if passed >= start {
            return text.get(at..).unwrap_or_default();
        }
        passed += char.len_utf16();
    }
    ""
}

/// A position in bytes as one in UTF-16, or -1.
fn position(text: &str, at: Option<usize>) -> Value {
    at.and_then(|at| text.get(..at)).map_or(Value::Number(-1.0), |before| count(units(before)))
}

/// How many parts `split` may give; JavaScript takes the number modulo 2^32.
fn limit(value: &Value) -> usize {
    if matches!(value, Value::Undefined) {
        return usize::MAX;
    }
    if value.to_number(SCRIPT_TEXT_BYTES_MAX).is_infinite() {
        return 0;
    }
    let limit = value.to_index(SCRIPT_TEXT_BYTES_MAX).rem_euclid(1 << 32);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn split(run: &mut Run<'_>, text: &str, by: &Value, most: &Value) -> Result<Value, ScriptFault> {
    let most = limit(most);
    if matches!(by, Value::Undefined) {
        return run.new_list(vec![Value::text(text)]);
    }
    let by = run.text_of(by)?;
    let enough = SCRIPT_LIST_ITEMS_MAX + 1;
    let parts: Vec<Value> = if by.is_empty() {
        text.encode_utf16().take(most.min(enough)).map(|unit| Value::text(&String::from_utf16_lossy(&[unit]))).collect()
    } else {
        text.split(&*by).take(most.min(enough)).map(Value::text).collect()
    };
    run.new_list(parts)
}

fn with_pattern(
    run: &mut Run<'_>,
    text: &str,
    method: Method,
    (regex, global): (&regex::Regex, bool),
    values: &[Value],
) -> Result<Value, ScriptFault> {
    let group = |found: &Captures<'_>, index: usize| {
        found.get(index).map_or(Value::Undefined, |part| Value::text(part.as_str()))
    };
    match method {
        Method::Match if global => {
            let mut found = Vec::new();
            for part in all_matches(regex, text).take(SCRIPT_LIST_ITEMS_MAX + 1) {
                spend_match(run, regex, text, &part)?;
                found.push(group(&part, 0));
            }
            if found.is_empty() { Ok(Value::Null) } else { run.new_list(found) }
        }
        Method::Match => match regex.captures(text) {
            Some(found) => {
                let groups = (0..found.len()).map(|index| group(&found, index)).collect();
                run.new_list(groups)
            }
            None => Ok(Value::Null),
        },
        Method::Search => Ok(position(text, regex.find(text).map(|found| found.start()))),
        Method::Replace => {
            let by = run.text_of(&argument(values, 1))?;
            replace(run, text, (regex, global), &by)
        }
        _ => {
            let most = limit(&argument(values, 1)).min(SCRIPT_LIST_ITEMS_MAX + 1);
            let parts = split_by_pattern(run, text, regex, most)?;
            run.new_list(parts)
        }
    }
}

/// All matches as JavaScript finds them: an empty one may stand right behind another.
fn all_matches<'t>(regex: &'t regex::Regex, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let found = regex.captures_at(text, at.filter(|at| *at <= text.len())?)?;
        let whole = found.get(0)?;
        at = if whole.is_empty() {
            // The next place is behind the next character, and the last one behind the text.
            let next = text.get(whole.end()..).and_then(|rest| rest.chars().next());
            next.map(|char| whole.end() + char.len_utf8())
        } else {
            Some(whole.end())
        };
        Some(found)
    })
}

/// An empty match at either end splits nothing off, and groups stand between the parts, as in JavaScript.
fn split_by_pattern(
    run: &mut Run<'_>,
    text: &str,
    regex: &regex::Regex,
    most: usize,
) -> Result<Vec<Value>, ScriptFault> {
    let mut parts = Vec::new();
    let mut start = 0;
    if text.is_empty() {
        if !regex.is_match(text) {
            parts.push(Value::text(text));
        }
        parts.truncate(most);
        return Ok(parts);
    }
    for found in regex.captures_iter(text) {
        spend_match(run, regex, text, &found)?;
        let Some(whole) = found.get(0) else { continue };
        if whole.end() == start || whole.start() >= text.len() || parts.len() >= most {
            continue;
        }
        parts.push(Value::text(text.get(start..whole.start()).unwrap_or_default()));
        let groups = found.iter().skip(1);
        parts.extend(groups.map(|group| group.map_or(Value::Undefined, |group| Value::text(group.as_str()))));
        start = whole.end();
    }
    parts.push(Value::text(text.get(start..).unwrap_or_default()));
    parts.truncate(most);
    Ok(parts)
}

/// Each search for the next match may look at the whole rest of the text.
fn spend_match(run: &mut Run<'_>, regex: &regex::Regex, text: &str, found: &Captures<'_>) -> Result<(), ScriptFault> {
    let end = found.get(0).map_or(0, |whole| whole.end());
    run.spend_pattern(regex, text.get(end..).unwrap_or_default())
}

fn replace(
    run: &mut Run<'_>,
    text: &str,
    (regex, global): (&regex::Regex, bool),
    by: &str,
) -> Result<Value, ScriptFault> {
    let mut out = String::new();
    let mut start = 0;
    let most = if global { usize::MAX } else { 1 };
    for found in all_matches(regex, text).take(most) {
        let Some(whole) = found.get(0) else { continue };
        spend_match(run, regex, text, &found)?;
        out.push_str(text.get(start..whole.start()).unwrap_or_default());
        substitute(by, &found, &mut out)?;
        run.check_text(out.len())?;
        start = whole.end();
    }
    out.push_str(text.get(start..).unwrap_or_default());
    run.new_text(out)
}

/// `$&` is the match, `$1` a group, `$$` a dollar.
fn substitute(by: &str, found: &Captures<'_>, out: &mut String) -> Result<(), ScriptFault> {
    let mut rest = by;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let mut chars = after.chars();
        rest = chars.as_str();
        match chars.next() {
            Some('$') => out.push('$'),
            Some('&') => out.push_str(found.get(0).map_or("", |part| part.as_str())),
            Some(digit @ '1'..='9') => {
                let mut group = digit.to_digit(10).unwrap_or(0);
                let mut after_group = chars.clone();
                // Two digits are a group if there are so many.
                if let Some(second) = after_group.next().and_then(|second| second.to_digit(10))
                    && usize::try_from(group * 10 + second).is_ok_and(|both| both < found.len())
                {
                    group = group * 10 + second;
                    chars = after_group;
                }
                match usize::try_from(group) {
                    Ok(group) if group < found.len() => {
                        out.push_str(found.get(group).map_or("", |part| part.as_str()));
                    }
                    _ => {
                        out.push('$');
                        out.push(digit);
                    }
                }
            }
            Some('`' | '\'' | '<') => {
                return Err(ScriptFault::thrown("a replacement of this kind is not supported"));
            }
            _ => {
                out.push('$');
                continue;
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Ok(())
}
