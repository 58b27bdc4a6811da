//! Diagnostics as SARIF 2.1.0 (OASIS standard), which code review shows beside the lines of a change.

use serde_json::{Value, json};

use crate::{Code, Diagnostic, Diagnostics, Label, Severity, SourceFiles};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with a rule for each code that occurs and a result for each diagnostic. Places are relative to the
/// project's folder; lines and columns count from 1, columns in characters (section 3.14.17, `unicodeCodePoints`).
pub fn to_sarif(diagnostics: &Diagnostics, sources: &SourceFiles) -> Value {
    let mut codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort();
    codes.dedup();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(diagnostic, &codes, sources)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lockgate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().copied().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": code.explanation() },
        "helpUri": code.help_uri(),
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result(diagnostic: &Diagnostic, codes: &[Code], sources: &SourceFiles) -> Value {
    let text = match &diagnostic.help {
        Some(help) => format!("{}. Help: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let primary: Vec<Value> = diagnostic.labels.iter().take(1).map(|label| location(label, None, sources)).collect();
    let related: Vec<Value> =
        diagnostic.labels.iter().zip(0u32..).skip(1).map(|(label, id)| location(label, Some(id), sources)).collect();
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.severity),
        "message": { "text": text },
        "locations": primary,
    });
    if let Some(object) = result.as_object_mut()
        && !related.is_empty()
    {
        object.insert("relatedLocations".to_owned(), Value::Array(related));
    }
    result
}

fn location(label: &Label, id: Option<u32>, sources: &SourceFiles) -> Value {
    let (start_line, start_column) = sources.line_column(label.span);
    let (end_line, end_column) = sources.end_line_column(label.span);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(sources.path(label.span.file)) },
            "region": {
                "startLine": start_line,
                "startColumn": start_column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        },
    });
    if let Some(object) = location.as_object_mut() {
        if let Some(id) = id {
            object.insert("id".to_owned(), id.into());
        }
        if !label.text.is_empty() {
            object.insert("message".to_owned(), json!({ "text": label.text }));
        }
    }
    location
}

/// A relative path as a URI reference (RFC 3986, section 4.2).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(uri("catalog/a b%é.yaml"), "catalog/a%20b%25%C3%A9.yaml");
    }
}
