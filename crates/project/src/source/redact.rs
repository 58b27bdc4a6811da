//! A secret that somebody wrote into a file is never shown: its bytes become `*`, and no other byte moves.
//!
//! ```text
//! passphrase: env:KEY_PASSPHRASE      shown, it is a reference
//! passphrase: hunter2                 passphrase: *******
//! at: "postgresql://etl:hunter2@db"   at: "postgresql://***********@db"
//! ```
//! This reads lines, not YAML, so that a file that is no YAML is treated the same.

use std::ops::Range;

/// What follows these keys is a secret unless it is a reference.
const SECRET_KEYS: &[&str] = &["passphrase", "password", "secret", "token", "credential", "credentials"];

/// How a reference to a secret begins.
const REFERENCES: &[&str] = &["env:", "file:", "vault:", "vault-db:", "aws-sm:", "${env:"];

/// The text with every written-out secret replaced by as many `*` as it has bytes.
pub(super) fn redacted(text: &str) -> String {
    let mut hidden = Vec::new();
    let mut offset = 0;
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        block = block.filter(|key_indent| line.trim().is_empty() || indent > *key_indent);
        if block.is_some() {
            hidden.push(offset + indent..offset + line.trim_end().len());
        } else {
            for value in secret_values(line) {
                match line.get(value.clone()).unwrap_or_default() {
                    "" | "|" | ">" => block = Some(indent),
                    marker if marker.starts_with(['|', '>']) => block = Some(indent),
                    _ => {
                        // A value that the line does not end goes on in the lines that are indented further.
                        let goes_on = line.get(value.end..).unwrap_or_default().trim().is_empty();
                        block = block.or(goes_on.then_some(indent));
                        hidden.push(offset + value.start..offset + value.end);
                    }
                }
            }
        }
        hidden.extend(user_information(line).map(|range| offset + range.start..offset + range.end));
        offset += line.len();
    }
    blot_out(text, &hidden)
}

fn blot_out(text: &str, hidden: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        for byte in bytes.get_mut(range.clone()).unwrap_or_default() {
            *byte = b'*';
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| "*".repeat(text.len()))
}

/// Where values of secret keys stand in a line, without their quotes; references are left out.
fn secret_values(line: &str) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    for (colon, _) in line.match_indices(':') {
        let before = line.get(..colon).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
        let key = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
        let after = line.get(colon + 1..).unwrap_or_default();
        let spaces = after.len() - after.trim_start().len();
        let quoted_key = line.get(..colon).unwrap_or_default().trim_end().ends_with(['"', '\'']);
        if !SECRET_KEYS.contains(&key.to_ascii_lowercase().as_str()) || (spaces == 0 && !quoted_key) {
            continue;
        }
        let value = after.trim();
        let start = colon + 1 + spaces;
        let (start, length) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..).unwrap_or_default();
                (start + 1, inner.rfind(quote).unwrap_or(inner.len()))
            }
            Some('|' | '>') | None => (start.min(line.len()), value.len()),
            Some(_) => (start, value.split([',', '}']).next().unwrap_or_default().trim_end().len()),
        };
        let range = start..start + length;
        let shown = line.get(range.clone()).unwrap_or_default();
        if !REFERENCES.iter().any(|reference| shown.starts_with(reference)) {
            values.push(range);
        }
    }
    values
}

/// Where `user:password` stands in the URLs of a line.
fn user_information(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    line.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = line.get(start..)?;
        let authority = rest.split(['/', ' ', '"', '\'', ',', '}']).next().unwrap_or_default();
        let end = authority.rfind('@')?;
        authority.get(..end)?.contains(':').then_some(start..start + end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_out_secrets_are_hidden_and_nothing_moves() {
        for (text, shown) in [
            ("passphrase: hunter2\n", "passphrase: *******\n"),
            ("{ local: \"./k\", passphrase: hunter2, x: 1 }", "{ local: \"./k\", passphrase: *******, x: 1 }"),
            ("{ passphrase: \"a,b\" }", "{ passphrase: \"***\" }"),
            ("\"passphrase\":\"ab\"", "\"passphrase\":\"**\""),
            ("Password: é\n", "Password: **\n"),
            (
                "k:\n  passphrase: |\n    hunter2\n    more\n  x: 1",
                "k:\n  passphrase: |\n    *******\n    ****\n  x: 1",
            ),
            ("k:\n  passphrase:\n    hunter2\n  x: 1", "k:\n  passphrase:\n    *******\n  x: 1"),
            ("k:\n  secret: \"ab\n    cd\"\n  x: 1", "k:\n  secret: \"**\n    ***\n  x: 1"),
            ("k:\n  secret: ab\n    cd\n  x: 1", "k:\n  secret: **\n    **\n  x: 1"),
            ("at: postgresql://etl:pw@db/x", "at: postgresql://******@db/x"),
        ] {
            assert_eq!(redacted(text), shown, "{text}");
        }
    }

    #[test]
    fn references_and_other_values_are_shown() {
        for text in [
            "passphrase: env:KEY",
            "passphrase: \"file:./x\"",
            "passphrase: ${env:KEY}",
            "with: token(domain: customer)",
            "at: file://./a@b",
            "sql: SELECT 1",
            "sql: SELECT a::text FROM secret",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
