//! One question for each kind of data: is this value one, and how surely, by itself?

pub(crate) mod contact;
pub(crate) mod credential;
pub(crate) mod identity;
pub(crate) mod payment;
pub(crate) mod person;
pub(crate) mod place;

/// How surely a value is of a kind, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    /// It is not.
    No,
    /// Its form allows it; much else has that form.
    Possible,
    /// A checksum or a list says so; other values pass by chance.
    Likely,
    /// It proves itself.
    Certain,
}

/// The decimal digits of a text that has nothing else but these separators; `None` otherwise.
pub(crate) fn digits_of(text: &str, separators: &[char]) -> Option<Vec<u32>> {
    text.chars().filter(|c| !separators.contains(c)).map(|c| c.to_digit(10)).collect()
}
