//! `JSON.stringify`

use super::limits::{FaultKind, ScriptFault};
use super::value::Value;

/// The text of a value; none for `undefined`, which has no text in JSON.
pub(super) fn json(value: &Value, most: usize) -> Result<Option<String>, ScriptFault> {
    let mut out = String::new();
    Ok(if write(value, &mut out, most)? { Some(out) } else { None })
}

fn quote(text: &str, out: &mut String) -> Result<(), ScriptFault> {
    let quoted = serde_json::to_string(text).map_err(|error| ScriptFault::thrown(error.to_string()))?;
    out.push_str(&quoted);
    Ok(())
}

/// Whether there was something to write.
fn write(value: &Value, out: &mut String, most: usize) -> Result<bool, ScriptFault> {
    match value {
        Value::Undefined => return Ok(false),
        Value::Null => out.push_str("null"),
        Value::Number(number) if !number.is_finite() => out.push_str("null"),
        Value::Text(text) => quote(text, out)?,
        Value::Bool(_) | Value::Number(_) | Value::Date(_) => {
            value.write(out, most);
        }
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if !write(item, out, most)? {
                    out.push_str("null");
                }
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (name, value) in &map.entries {
                let before = out.len();
                if !out.ends_with('{') {
                    out.push(',');
                }
                quote(name, out)?;
                out.push(':');
                if !write(value, out, most)? {
                    out.truncate(before);
                }
            }
            out.push('}');
        }
    }
    if out.len() > most { Err(ScriptFault::of(FaultKind::TextBytes)) } else { Ok(true) }
}
