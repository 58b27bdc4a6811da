//! A suggestion is the nearest of the allowed words, or none if nothing is near.

/// How alike two words must be to be suggested, from 0 (nothing in common) to 1 (Jaro-Winkler).
const LIKENESS_MIN: f64 = 0.82;

/// How many words are compared; a project with more names gets no suggestion among the later ones.
const COMPARED_MAX: usize = 1_000;

/// The nearest of `allowed` to what was written, if any is near.
pub fn nearest<'a>(written: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    allowed
        .into_iter()
        .take(COMPARED_MAX)
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// "did you mean `x`?", or else what is allowed, or nothing if nothing is.
pub(crate) fn help<'a>(written: &str, kind: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// More words than these are not listed.
    const LISTED_MAX: usize = 12;
    let allowed: Vec<&str> = allowed.into_iter().collect();
    if let Some(near) = nearest(written, allowed.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let listed = allowed.iter().take(LISTED_MAX).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match allowed.len() {
        0 => None,
        1..=LISTED_MAX => Some(format!("{kind}: {listed}")),
        more => Some(format!("{kind}: {listed} and {} more", more - LISTED_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_listed() {
        assert_eq!(nearest("colums", ["columns", "dataset"]), Some("columns"));
        assert_eq!(nearest("Internal", ["internal", "public"]), Some("internal"));
        assert_eq!(nearest("zzz", ["columns"]), None);
        assert_eq!(help("zzz", "it takes", ["a", "b"]).unwrap(), "it takes: `a`, `b`");
        assert_eq!(help("zzz", "it takes", []), None);
        let after = |others: usize| nearest("columns", std::iter::repeat_n("zzz", others).chain(["columns"]));
        assert_eq!((after(COMPARED_MAX - 1), after(COMPARED_MAX)), (Some("columns"), None));
        let words: Vec<String> = (0..13).map(|n| format!("w{n}")).collect();
        assert!(help("zzz", "it takes", words.iter().map(String::as_str)).unwrap().ends_with("`w11` and 1 more"));
    }
}
