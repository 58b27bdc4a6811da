//! Personal data in free text: where it stands, which kind it is, and how sure that is.
//!
//! Places are Unicode code points from 0, the end exclusive, as Python and JavaScript's iterators count them.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use crate::detect::{Match, contact, credential, identity, payment, place};
use crate::names::{is_given, is_ordinary, is_surname, is_telling};

/// The longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// The first code point.
    pub start: usize,
    /// The code point after the last.
    pub end: usize,
    /// One of the tags that every project knows.
    pub tag: &'static str,
    /// From 0 to 1.
    pub score: f64,
}

/// A pattern that proposes, and a check that decides: the score, 0 for no.
struct Rule {
    tag: &'static str,
    pattern: Option<Regex>,
    score: fn(&str) -> f64,
}

macro_rules! rules {
    ($($tag:literal $pattern:expr => $score:expr;)*) => {
        static RULES: LazyLock<Vec<Rule>> =
            LazyLock::new(|| vec![$(Rule { tag: $tag, pattern: Regex::new($pattern).ok(), score: $score },)*]);
    };
}

/// A number in groups, or one that begins with letters: what national and tax numbers look like.
const NUMBER: &str = r"\b(?:[0-9]+(?:[ ./+-](?:[0-9]+[A-Z]?|[0-9A-Z]))*(?:[A-Z][0-9]{3}[0-9A-Z])?|[A-Z]{1,6}[0-9][0-9A-Z]{5,16}|[A-Z]{2} ?(?:[0-9]{2} ?){3}[A-D])\b";

fn certain(found: Match, score: f64) -> f64 {
    if found == Match::Certain { score } else { 0.0 }
}

rules! {
    "pii.email" r"[\p{L}0-9._%+'-]+@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)+" => |text| certain(contact::email(text), 0.99);
    "auth.credential" credential::PATTERN => |text| certain(credential::credential(text), 0.97);
    "auth.credential" r#"(?i)\b(?:password|passwd|pwd|passwort|api[ _-]?key|secret|access token)\b\s*(?:is|:|=|lautet)\s*["']?([^\s"',;]{6,})"# => |_| 0.8;
    "fin.iban" r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[0-9A-Z]{2,4}){3,8}\b" => |text| certain(payment::iban(text), 0.99);
    "pci.pan" r"\b[0-9](?:[ -]?[0-9]){12,18}\b" => |text| match payment::card(text) {
        Match::Certain => 0.98,
        Match::Likely => 0.93,
        Match::Possible | Match::No => 0.0,
    };
    "pii.ip" r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b|\b(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4})(?:::?[0-9A-Fa-f]{1,4})*\b|\b[0-9A-Fa-f]{1,4}::(?:[0-9A-Fa-f]{1,4}:)*[0-9A-Fa-f]{1,4}\b" => |text| match contact::ip(text) {
        Match::Certain => 0.95,
        Match::Possible => 0.4,
        Match::Likely | Match::No => 0.0,
    };
    "pii.national_id" NUMBER => |text| match identity::national_id(text).0 {
        Match::Certain => 0.9,
        Match::Likely => 0.45,
        Match::Possible | Match::No => 0.0,
    };
    "pii.tax_id" NUMBER => |text| match identity::tax_id(text).0 {
        Match::Certain => 0.85,
        Match::Likely | Match::Possible | Match::No => 0.0,
    };
    "pii.phone" r"(?:\+|\b00|\(\+?)?[0-9(][0-9 ()./\u{a0}-]{5,20}[0-9](?:\s?(?:x|ext\.?)\s?[0-9]{1,6})?\b" => |text| match contact::phone(text) {
        Match::Certain => 0.95,
        Match::Likely => 0.85,
        Match::Possible => 0.5,
        Match::No => 0.0,
    };
    "pii.address" place::STREET => |text| if reads_on(text) { 0.0 } else { 0.8 };
    "pii.address" r"\b\p{Lu}[\p{L}.'’-]+(?:\s+[\p{L}.'’-]+){0,4}\s+[0-9]{1,5}[a-zA-Z]?,\s+\p{Lu}[\p{L}-]+" => |text| if reads_on(text) || begins_with_month(text) { 0.0 } else { 0.6 };
    "pii.birth_date" r"(?i)(?:\b(?:born|date of birth|dob|birth ?date|birthday|geboren|geburtsdatum|né|née|nacido|nacida|nato|nata)\b)[^0-9\n]{0,20}((?:[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4})|(?:[0-9]{4}-[0-9]{2}-[0-9]{2})|(?:[0-9]{1,2}(?:st|nd|rd|th|\.)?\s+\p{L}{3,9}\.?,?\s+[0-9]{4})|(?:\p{L}{3,9}\s+[0-9]{1,2}(?:st|nd|rd|th)?,?\s+[0-9]{4}))" => |_| 0.92;
    "pii.name" r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Mme|Señora?|Sra?|Sig)\b\.?\s+)((?:\p{Lu}[\p{L}'’-]+)(?:\s+\p{Lu}[\p{L}'’-]+){0,3})" => |_| 0.9;
    "pii.name" r"(?i:\b(?:my name is|i am called|this is|i'm|ich heiße|mein name ist|je m'appelle|me llamo|mi chiamo|regards|sincerely|dear|hi|hello|contact|attn:?|signed)\b[,:]?\s+)((?:\p{Lu}[\p{L}'’-]+)(?:\s+\p{Lu}[\p{L}.'’-]+){0,3})" => |text| introduced(text);
    "pii.name" r"\b\p{Lu}[\p{L}'’-]+(?:\s+(?:\p{Lu}\.|(?:von|van|der|de|da|di|del|la|bin|al)\b|\p{Lu}[\p{L}'’-]+)){1,4}" => |text| full_name(text);
}

/// Words of a sentence, which no address has between its parts.
fn reads_on(text: &str) -> bool {
    [" of ", " on ", " to ", " in ", " is ", " was ", " and ", " at ", " for ", " by "]
        .iter()
        .any(|word| text.contains(word))
}

fn begins_with_month(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    place::year_of_date(&format!("1-{first}-2000")).is_some()
}

/// A name after words that introduce one.
fn introduced(text: &str) -> f64 {
    let first = text.split_whitespace().next().unwrap_or_default();
    if is_telling(first) { 0.85 } else { 0.0 }
}

/// A given name and a surname.
fn full_name(text: &str) -> f64 {
    let parts: Vec<&str> = text
        .split_whitespace()
        .filter(|part| !part.ends_with('.') && part.chars().next().is_some_and(char::is_uppercase))
        .collect();
    let [first, .., last] = parts.as_slice() else { return 0.0 };
    match (is_given(first) && is_telling(first), is_surname(last) || is_given(last)) {
        (true, true) if is_telling(last) => 0.85,
        (true, _) => 0.6,
        (false, true) if is_surname(first) && is_given(last) && is_telling(first) => 0.7,
        (false, true) if parts.len() == 2 && is_telling(last) && !is_ordinary(first) => 0.5,
        (false, _) => 0.0,
    }
}

/// Finds what is in a text; parts of it do not overlap. Of two that would, the surer stays, then the longer.
pub fn scan_text(text: &str) -> Vec<Span> {
    let mut found: Vec<(usize, usize, &'static str, f64)> = Vec::new();
    for rule in RULES.iter() {
        let Some(pattern) = rule.pattern.as_ref() else { continue };
        for captures in pattern.captures_iter(text) {
            let Some(part) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            let trimmed = part.as_str().trim_end_matches([' ', '.', ',', ';', ':', '-', '(']);
            let score = (rule.score)(trimmed);
            if score > 0.0 {
                found.push((part.start(), part.start() + trimmed.len(), rule.tag, score));
            }
        }
    }
    found.sort_by(|a, b| b.3.total_cmp(&a.3).then((b.1 - b.0).cmp(&(a.1 - a.0))).then(a.0.cmp(&b.0)));
    let mut kept: Vec<(usize, usize, &'static str, f64)> = Vec::new();
    for candidate in found {
        if kept.iter().all(|other| candidate.1 <= other.0 || other.1 <= candidate.0) {
            kept.push(candidate);
        }
    }
    kept.sort_by_key(|span| span.0);
    in_code_points(text, &kept)
}

fn in_code_points(text: &str, spans: &[(usize, usize, &'static str, f64)]) -> Vec<Span> {
    let mut characters = text.char_indices().map(|(at, _)| at).enumerate().peekable();
    let mut count_at = |byte: usize| {
        while let Some((count, at)) = characters.peek() {
            if *at >= byte {
                return *count;
            }
            characters.next();
        }
        text.chars().count()
    };
    spans
        .iter()
        .map(|(start, end, tag, score)| Span { start: count_at(*start), end: count_at(*end), tag, score: *score })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let characters: Vec<char> = text.chars().collect();
        scan_text(text).iter().map(|span| (span.tag, characters[span.start..span.end].iter().collect())).collect()
    }

    #[test]
    fn parts_of_a_text_are_named_and_placed() {
        for (text, expected) in [
            ("Grüße an jürgen@example.org!", vec![("pii.email", "jürgen@example.org")]),
            (
                "Call +49 30 901820 or (212) 555-0123.",
                vec![("pii.phone", "+49 30 901820"), ("pii.phone", "(212) 555-0123")],
            ),
            ("Pay to DE89 3704 0044 0532 0130 00 today", vec![("fin.iban", "DE89 3704 0044 0532 0130 00")]),
            ("card 4111 1111 1111 1111, thanks", vec![("pci.pan", "4111 1111 1111 1111")]),
            ("from 203.0.113.7 at night", vec![("pii.ip", "203.0.113.7")]),
            ("SSN 078-05-1120", vec![("pii.national_id", "078-05-1120")]),
            (
                "My name is Ada Lovelace and I live at 12 Main Street.",
                vec![("pii.name", "Ada Lovelace"), ("pii.address", "12 Main Street")],
            ),
            ("born on 12.03.1985 in Ulm", vec![("pii.birth_date", "12.03.1985")]),
            ("password: hunter22!", vec![("auth.credential", "hunter22!")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(tag, part)| (tag, part.to_owned())).collect();
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(RULES.iter().all(|rule| rule.pattern.is_some()));
    }

    #[test]
    fn ordinary_text_has_nothing() {
        for text in [
            "",
            "The order of 12 items shipped on 2026-11-24.",
            "Version 1.2.3 is out.",
            "Invoice 2026-000123, total 1,234.56",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
