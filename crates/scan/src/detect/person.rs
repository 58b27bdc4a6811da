//! Names of persons, genders and what is told of their health.

use std::sync::LazyLock;

use regex::Regex;

use super::Match;
use crate::names::{is_given, is_surname, is_telling};

/// The most words of a name.
const NAME_WORDS_MAX: usize = 5;
/// Words that stand before, within and after names.
pub(crate) const PARTICLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "herr", "frau", "monsieur", "madame", "mme", "señor", "señora",
    "sr", "sra", "jr", "ii", "iii", "iv", "phd", "md", "dds", "dvm", "von", "van", "der", "den", "de", "da", "do",
    "dos", "del", "della", "di", "la", "le", "bin", "ibn", "al", "el", "univ", "ing", "dipl", "mag",
];

/// Whether a value is a person's name: two known parts prove it, one is possible.
pub(crate) fn name(value: &str) -> Match {
    let value = value.trim();
    let words: Vec<&str> = value.split([' ', '\u{a0}', ',']).filter(|word| !word.is_empty()).collect();
    let is_written_so = |c: char| c.is_alphabetic() || " .,'’-\u{a0}·".contains(c) || is_mark(c);
    if words.is_empty() || words.len() > NAME_WORDS_MAX || !value.chars().all(is_written_so) {
        return Match::No;
    }
    let parts: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !PARTICLES.contains(&word.trim_matches('.').to_lowercase().as_str()))
        .collect();
    let begins_upper = |word: &&str| word.chars().next().is_some_and(|c| c.is_uppercase() || !c.is_lowercase());
    let is_latin = value.chars().all(|c| !c.is_alphabetic() || c < '\u{250}');
    if !is_latin {
        return if parts.iter().any(|part| is_given(part) || is_surname(part)) {
            Match::Likely
        } else {
            Match::Possible
        };
    }
    if parts.is_empty() || parts.len() < words.len().div_ceil(3) {
        return Match::No;
    }
    let telling = parts.iter().filter(|part| is_telling(part)).count();
    let given = parts.iter().any(|part| is_given(part) && is_telling(part));
    let is_proper = parts.iter().all(begins_upper);
    match (parts.len(), telling) {
        (2..=4, 2..) if given && is_proper => Match::Certain,
        (2..=4, 1..) if given => Match::Likely,
        (1, 1) if is_proper => Match::Likely,
        (1..=4, _) if is_proper => Match::Possible,
        (_, 1..) => Match::Possible,
        _ => Match::No,
    }
}

fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// A word for a gender; single letters only with a header.
pub(crate) fn gender(value: &str) -> Match {
    const WORDS: &[&str] = &[
        "male",
        "female",
        "non-binary",
        "nonbinary",
        "agender",
        "genderfluid",
        "genderqueer",
        "bigender",
        "polygender",
        "männlich",
        "weiblich",
        "divers",
        "homme",
        "femme",
        "masculin",
        "féminin",
        "masculino",
        "femenino",
        "feminino",
        "hombre",
        "mujer",
        "maschio",
        "femmina",
        "man",
        "vrouw",
        "woman",
        "kvinna",
        "mężczyzna",
        "kobieta",
    ];
    let folded = value.trim().to_lowercase();
    match WORDS.contains(&folded.as_str()) {
        true => Match::Likely,
        false
            if matches!(
                folded.as_str(),
                "m" | "f" | "w" | "d" | "x" | "h" | "u" | "o" | "other" | "unknown" | "0" | "1" | "2" | "9"
            ) =>
        {
            Match::Possible
        }
        false => Match::No,
    }
}

/// An ICD-10 code with its point, a blood group, or words, which only a header makes health data.
pub(crate) fn health(value: &str) -> Match {
    static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{1,4}$").ok());
    let value = value.trim();
    if CODE.as_ref().is_some_and(|code| code.is_match(value)) {
        return Match::Likely;
    }
    let is_blood_group = matches!(value, "A+" | "A-" | "B+" | "B-" | "AB+" | "AB-" | "O+" | "O-" | "0+" | "0-");
    match (is_blood_group, value.chars().any(char::is_alphabetic)) {
        (true, _) => Match::Likely,
        (false, true) => Match::Possible,
        (false, false) => Match::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_graded() {
        for value in ["Ada Lovelace", "Dr. Jürgen Müller", "García, María", "JOHN SMITH", "Jean-Pierre Dupont"] {
            assert_eq!(name(value), Match::Certain, "{value}");
        }
        for value in ["Ada", "Smith"] {
            assert_eq!(name(value), Match::Likely, "{value}");
        }
        for value in [
            "",
            "SKU-123",
            "order 17",
            "https://x.org",
            "4 Main Street",
            "a@b.org",
            "cordless drill with case and bits",
        ] {
            assert_eq!(name(value), Match::No, "{value}");
        }
        for value in ["Wireless Keyboard", "Stainless Bottle"] {
            assert!(name(value) <= Match::Possible, "{value}");
        }
    }

    #[test]
    fn genders_and_codes_are_known() {
        assert_eq!((gender("Female"), gender("m"), gender("red")), (Match::Likely, Match::Possible, Match::No));
        assert_eq!((health("E11.9"), health("asthma"), health("12")), (Match::Likely, Match::Possible, Match::No));
    }
}
