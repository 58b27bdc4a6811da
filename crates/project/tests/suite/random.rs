//! Any bytes as files give a project or diagnostics, and both can be shown.

use lockgate_project::{Colour, render, to_sarif};
use proptest::prelude::*;

use crate::base::{CUSTOMERS, DAILY, LOCKGATE, load_bytes};

fn check(changes: &[(&str, &[u8])]) {
    match load_bytes(changes) {
        Ok((project, warnings)) => {
            assert!(!warnings.has_errors());
            for pipeline in project.pipelines.values() {
                for offset in 0..=pipeline.sql.value.len() {
                    let span = pipeline.sql_span(offset, 1);
                    assert!(span.start <= span.end && span.end <= project.sources.text(span.file).len());
                }
            }
        }
        Err(rejected) => {
            assert!(rejected.diagnostics.has_errors());
            for diagnostic in &rejected.diagnostics {
                assert!(!diagnostic.labels.is_empty(), "{diagnostic:?}");
                for label in &diagnostic.labels {
                    let length = rejected.sources.text(label.span.file).len();
                    assert!(label.span.start <= label.span.end && label.span.end <= length, "{diagnostic:?}");
                }
            }
            assert!(!render(&rejected.diagnostics, &rejected.sources, Colour::Never).is_empty());
            assert!(to_sarif(&rejected.diagnostics, &rejected.sources).is_object());
        }
    }
}

/// A valid file with some bytes replaced, removed or added.
fn altered(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "",
        " ",
        "\n",
        ":",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "|\n",
        ">\n",
        "&a ",
        "*a",
        "!!x ",
        "${env:",
        "${env:YAML}",
        "- ",
        "? ",
        "#",
        "\t",
        "\u{feff}",
        "é",
        "null",
        "1",
        "---\n",
        "%",
        "\0",
    ]);
    prop::collection::vec((0..text.len(), 0..6usize, pieces), 1..4).prop_map(|edits| {
        edits.into_iter().fold(text.as_bytes().to_vec(), |mut bytes, (at, removed, piece)| {
            let at = at.min(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
            bytes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(a: Vec<u8>, b: Vec<u8>, c: Vec<u8>) {
        check(&[("lockgate.yaml", &a)]);
        check(&[("catalog/customers.yaml", &b), ("pipelines/x.yaml", &c)]);
    }

    #[test]
    fn any_text(a: String, b: String) {
        check(&[("lockgate.yaml", a.as_bytes()), ("pipelines/daily_customers.yaml", b.as_bytes())]);
    }

    #[test]
    fn altered_files(a in altered(LOCKGATE), b in altered(CUSTOMERS), c in altered(DAILY)) {
        check(&[("lockgate.yaml", &a)]);
        check(&[("catalog/customers.yaml", &b), ("pipelines/daily_customers.yaml", &c)]);
    }
}
