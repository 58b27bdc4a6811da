//! Names of persons that are known, by `data/README.md`.

use std::collections::HashSet;
use std::sync::LazyLock;

static GIVEN: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("../data/given_names.txt").lines().collect());
static SURNAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("../data/surnames.txt").lines().collect());

/// Names that are more often something else.
const ORDINARY: &[&str] = &[
    "an",
    "and",
    "as",
    "at",
    "be",
    "berlin",
    "best",
    "bill",
    "black",
    "blue",
    "brown",
    "by",
    "china",
    "cost",
    "day",
    "do",
    "early",
    "east",
    "else",
    "ever",
    "every",
    "florida",
    "france",
    "free",
    "gold",
    "gray",
    "green",
    "grey",
    "he",
    "hi",
    "high",
    "home",
    "hours",
    "house",
    "i",
    "in",
    "india",
    "is",
    "it",
    "january",
    "june",
    "lake",
    "last",
    "less",
    "little",
    "london",
    "long",
    "love",
    "low",
    "man",
    "many",
    "march",
    "mark",
    "may",
    "me",
    "mercury",
    "my",
    "iban",
    "back",
    "carry",
    "article",
    "treaty",
    "section",
    "chapter",
    "phone",
    "address",
    "name",
    "email",
    "mount",
    "royal",
    "saint",
    "santa",
    "rue",
    "via",
    "calle",
    "republic",
    "states",
    "united",
    "kingdom",
    "market",
    "bank",
    "church",
    "college",
    "university",
    "monday",
    "friday",
    "april",
    "august",
    "moon",
    "more",
    "new",
    "no",
    "north",
    "ocean",
    "of",
    "old",
    "on",
    "only",
    "or",
    "orange",
    "page",
    "paris",
    "park",
    "price",
    "real",
    "red",
    "rich",
    "river",
    "sale",
    "san",
    "sea",
    "see",
    "silver",
    "so",
    "south",
    "st",
    "star",
    "street",
    "summer",
    "sun",
    "sunday",
    "the",
    "time",
    "to",
    "true",
    "union",
    "us",
    "van",
    "virginia",
    "way",
    "we",
    "west",
    "white",
    "will",
    "winter",
    "wood",
    "yes",
    "you",
    "young",
    "york",
];

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

fn known(names: &HashSet<&str>, word: &str) -> bool {
    let word = bare(word);
    names.contains(word.as_str()) || (word.contains('-') && word.split('-').all(|part| names.contains(part)))
}

/// Whether a word is a given name.
pub(crate) fn is_given(word: &str) -> bool {
    known(&GIVEN, word)
}

/// Whether a word is a surname.
pub(crate) fn is_surname(word: &str) -> bool {
    known(&SURNAMES, word)
}

/// Whether a word is most often something else than a name.
pub(crate) fn is_ordinary(word: &str) -> bool {
    ORDINARY.contains(&bare(word).as_str())
}

/// Whether a word is a name and seldom anything else.
pub(crate) fn is_telling(word: &str) -> bool {
    !is_ordinary(word) && (is_given(word) || is_surname(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_languages_are_known_and_ordinary_words_are_not_telling() {
        for name in ["Ada", "JÜRGEN", "Svetlana", "Jean-Pierre", "Mehmet", "Giulia"] {
            assert!(is_given(name), "{name}");
        }
        for name in ["Smith", "Müller", "García", "Nguyen", "Kowalski"] {
            assert!(is_surname(name), "{name}");
        }
        for word in ["The", "Summer", "and", "keyboard", "xylophone"] {
            assert!(!is_telling(word), "{word}");
        }
    }
}
