//! A YAML file of another program, as JSON: with this crate's limits, and nothing expanded.

use std::cell::RefCell;

use serde_json::{Map, Value as Json};

use crate::yaml::{self, Context, Node, Value};
use crate::{Diagnostics, SourceFiles};

/// Reads a file. Plain `true` and `false` are truth values, an empty value is null, everything else is text.
///
/// # Errors
///
/// What is no YAML, or beyond the limits, with its place.
pub fn yaml_value(path: &str, text: &str) -> Result<Json, (Diagnostics, SourceFiles)> {
    let mut sources = SourceFiles::new();
    let file = sources.add(path, text);
    let context = Context { file, sources: &sources, env: &|_| None, problems: RefCell::new(Vec::new()) };
    let value = yaml::parse(text, &context).map(|node| json(&node));
    let problems = context.problems.into_inner();
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        Some(_) | None => Err((problems.into_iter().collect(), sources)),
    }
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(scalar) => match (scalar.plain, scalar.text.as_str()) {
            (true, "true" | "True") => Json::Bool(true),
            (true, "false" | "False") => Json::Bool(false),
            (true, "" | "~" | "null") => Json::Null,
            (_, text) => Json::String(text.to_owned()),
        },
        Value::Sequence(items) => Json::Array(items.iter().map(json).collect()),
        Value::Mapping(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.node))).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_say() {
        let text = "transport:\n  type: file\n  append: true\n  n: 5\n  s: 'true'\n  l: [a, ~]\n";
        let expected =
            json!({ "transport": { "type": "file", "append": true, "n": "5", "s": "true", "l": ["a", null] } });
        assert_eq!(yaml_value("x.yml", text).unwrap(), expected);
        assert!(yaml_value("x.yml", "a: [").is_err() && yaml_value("x.yml", "a: 1\na: 2").is_err());
    }
}
