//! Comparison of texts as Ranger compares them, with and without letter case.

/// Whether letter case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Case {
    /// It does.
    Sensitive,
    /// It does not.
    Insensitive,
    /// It does for what begins with one of these quotes.
    Quoted(Box<str>),
}

impl Case {
    /// Whether letter case counts for this value.
    pub(crate) fn counts_for(&self, value: &str) -> bool {
        match self {
            Self::Sensitive => true,
            Self::Insensitive => false,
            Self::Quoted(quotes) => value.chars().next().is_some_and(|first| quotes.contains(first)),
        }
    }
}

fn fold(c: char) -> char {
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    if chars.next().is_none() { first } else { None }
}

/// Whether two characters are one but for letter case.
pub(crate) fn same_letter(a: char, b: char) -> bool {
    a == b || if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(&b) } else { fold(a) == fold(b) }
}

/// Writes `text` so that texts which differ in letter case only are written alike.
pub(crate) fn fold_into(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().map(fold));
    }
}

/// `text` without letter case.
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::new();
    fold_into(text, &mut out);
    out
}

/// Whether `a` is `b`.
pub(crate) fn equal(a: &str, b: &str, sensitive: bool) -> bool {
    if sensitive || (a.is_ascii() && b.is_ascii()) {
        return if sensitive { a == b } else { a.eq_ignore_ascii_case(b) };
    }
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if same_letter(a, b) => {}
            _ => return false,
        }
    }
}

/// Whether `text` begins with `start`.
pub(crate) fn starts_with(text: &str, start: &str, sensitive: bool) -> bool {
    if sensitive {
        return text.starts_with(start);
    }
    let mut chars = text.chars();
    start.chars().all(|wanted| chars.next().is_some_and(|c| same_letter(c, wanted)))
}

/// Whether `text` ends with `end`.
pub(crate) fn ends_with(text: &str, end: &str, sensitive: bool) -> bool {
    if sensitive {
        return text.ends_with(end);
    }
    let mut chars = text.chars().rev();
    end.chars().rev().all(|wanted| chars.next().is_some_and(|c| same_letter(c, wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_counts_where_it_is_meant_to() {
        assert!(equal("Größe", "GRÖßE", false) && !equal("Größe", "GRÖßE", true));
        assert!(equal("ſ", "S", false) && !equal("ß", "ss", false));
        assert!(starts_with("SALES_eu", "sales_", false) && !starts_with("SALES_eu", "sales_", true));
        assert!(ends_with("x_ÄRA", "_ära", false) && !ends_with("x_ÄRA", "_ära", true));
        assert!(!starts_with("a", "ab", false) && !ends_with("b", "ab", false) && !equal("a", "ab", false));
    }

    #[test]
    fn folded_texts_are_equal_exactly_if_the_texts_are_but_for_letter_case() {
        for (a, b) in [("ABC", "abc"), ("ÄÖ", "äö"), ("ſ", "s"), ("a", "b"), ("ß", "ẞ")] {
            assert_eq!(folded(a) == folded(b), equal(a, b, false), "{a} {b}");
        }
    }

    #[test]
    fn quotes_make_letter_case_count() {
        let case = Case::Quoted("\"'".into());
        assert!(
            case.counts_for("\"Name\"") && case.counts_for("'x") && !case.counts_for("Name") && !case.counts_for("")
        );
    }
}
