//! Wildcards: `*` is any text, path separators included, `?` is one character.
//!
//! It is the algorithm of the Java library that Ranger uses, quirks included: `*?` matches a single character only.
//! Unlike there, no state is tried twice, so that the time is bounded by the product of the lengths.

use super::text::same_letter;

enum Token {
    Any,
    One,
    Text(Box<[char]>),
}

/// A pattern, split at its wildcards.
pub(crate) struct Wildcard {
    tokens: Box<[Token]>,
    text: Box<str>,
}

impl std::fmt::Debug for Wildcard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wildcard({})", self.text)
    }
}

impl Wildcard {
    /// A pattern.
    pub(crate) fn new(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut text = String::new();
        let mut previous = '\0';
        for c in pattern.chars() {
            if matches!(c, '*' | '?') {
                if !text.is_empty() {
                    tokens.push(Token::Text(text.drain(..).collect()));
                }
                if c == '?' {
                    tokens.push(Token::One);
                } else if previous != '*' {
                    tokens.push(Token::Any);
                }
            } else {
                text.push(c);
            }
            previous = c;
        }
        if !text.is_empty() || tokens.is_empty() {
            tokens.push(Token::Text(text.chars().collect()));
        }
        Self { tokens: tokens.into(), text: pattern.into() }
    }

    /// Whether `value` is as the pattern says.
    pub(crate) fn matches(&self, value: &str, sensitive: bool) -> bool {
        let chars: Vec<char> = value.chars().collect();
        Search { tokens: &self.tokens, value: &chars, sensitive, prefix: false }.run()
    }

    /// Whether `value` is a beginning of something that is as the pattern says.
    pub(crate) fn matches_prefix(&self, value: &str, sensitive: bool) -> bool {
        let chars: Vec<char> = value.chars().collect();
        Search { tokens: &self.tokens, value: &chars, sensitive, prefix: true }.run()
    }
}

/// Whether the pattern has wildcards at all.
pub(crate) fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

struct Search<'a> {
    tokens: &'a [Token],
    value: &'a [char],
    sensitive: bool,
    prefix: bool,
}

impl Search<'_> {
    fn run(&self) -> bool {
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut seen: Vec<bool> = Vec::new();
        let (mut token, mut at, mut any) = (0, 0, false);
        loop {
            (token, at, any) = self.advance(token, at, any, &mut open);
            let ends = token == self.tokens.len();
            let complete = at == self.value.len();
            if if self.prefix { ends || complete } else { ends && complete } {
                return true;
            }
            loop {
                let Some(next) = open.pop() else { return self.prefix && any };
                if seen.is_empty() {
                    seen.resize(self.tokens.len() * (self.value.len() + 1), false);
                }
                let state = seen.get_mut(next.0 * (self.value.len() + 1) + next.1);
                if let Some(state @ false) = state {
                    *state = true;
                    (token, at) = next;
                    any = true;
                    break;
                }
            }
        }
    }

    /// Goes on until the tokens end or one does not fit; where it may have to begin again is noted in `open`.
    fn advance(
        &self,
        mut token: usize,
        mut at: usize,
        mut any: bool,
        open: &mut Vec<(usize, usize)>,
    ) -> (usize, usize, bool) {
        while let Some(current) = self.tokens.get(token) {
            match current {
                Token::One => {
                    at += 1;
                    if at > self.value.len() {
                        return (token, at, any);
                    }
                    any = false;
                }
                Token::Any => {
                    any = true;
                    if token + 1 == self.tokens.len() {
                        at = self.value.len();
                    }
                }
                Token::Text(text) => {
                    let text = self.wanted(text, at);
                    let found = if any { self.find(text, at) } else { self.fits(text, at).then_some(at) };
                    let Some(found) = found else { return (token, usize::MAX, any) };
                    if any && let Some(again) = self.find(text, found + 1) {
                        open.push((token, again));
                    }
                    at = found + text.len();
                    any = false;
                }
            }
            token += 1;
        }
        (token, at, any)
    }

    /// As much of a text as the rest of the value can show.
    fn wanted<'t>(&self, text: &'t [char], at: usize) -> &'t [char] {
        let rest = self.value.len().saturating_sub(at);
        if self.prefix { text.get(..rest).unwrap_or(text) } else { text }
    }

    fn find(&self, text: &[char], from: usize) -> Option<usize> {
        let last = self.value.len().checked_sub(text.len())?;
        (from..=last).find(|at| self.fits(text, *at))
    }

    fn fits(&self, text: &[char], at: usize) -> bool {
        let Some(there) = self.value.get(at..at.saturating_add(text.len())) else { return false };
        there.iter().zip(text).all(|(a, b)| if self.sensitive { a == b } else { same_letter(*a, *b) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_ranger() {
        for (pattern, value, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*", "abc", true),
            ("/a/*/c", "/a/b/b/c", true),
            ("a*b*c", "aXbYbZc", true),
            ("*ab*ab", "ababab", true),
            ("a**c", "abc", true),
            ("abc", "abc", true),
            ("*", "", true),
            ("?", "", false),
            ("*?", "a", true),
            ("*?", "ab", false), // the library's quirk, which Ranger has
            ("x*äb", "xÄÄB", true),
        ] {
            assert_eq!(Wildcard::new(pattern).matches(value, false), expected, "{pattern} {value}");
        }
        assert!(!Wildcard::new("a*C").matches("abc", true));
    }

    #[test]
    fn a_beginning_of_what_matches_is_found() {
        for (pattern, value, expected) in [
            ("/a/*/c", "/a/", true),
            ("/a/*/c", "/a", true),
            ("/a/*/c", "/b", false),
            ("/a/?x", "/a/bx", true),
            ("/a/*", "/a/b/c", true),
            ("ab*", "a", true),
            ("ab*", "x", false),
        ] {
            assert_eq!(Wildcard::new(pattern).matches_prefix(value, true), expected, "{pattern} {value}");
        }
    }

    #[test]
    fn many_wildcards_take_bounded_time() {
        let pattern = "*a".repeat(40) + "b";
        let value = "a".repeat(2000);
        assert!(!Wildcard::new(&pattern).matches(&value, true));
    }
}
