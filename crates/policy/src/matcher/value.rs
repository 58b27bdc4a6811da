//! One value of a policy at one level, as a pattern for the values of resources.

use std::borrow::Cow;

use super::expansion::{Bindings, Delimiters};
use super::text::{self, Case};
use super::wildcard::{Wildcard, has_wildcard};
use super::{ElementMatch, ElementScope};
use crate::script::Template;

/// How a value matches.
#[derive(Debug)]
pub(crate) enum Form {
    /// It is the value.
    Equals,
    /// It begins with it: `sales_*`.
    StartsWith,
    /// It ends with it: `*_tmp`.
    EndsWith,
    /// It is as the wildcards say; prepared where the value has no variable parts.
    Wildcard(Option<Wildcard>),
    /// It is the path or below it.
    Below,
    /// It, or a path above it, is as the wildcards say.
    BelowWildcard(Option<Wildcard>),
    /// The same of an address with a scheme.
    BelowUrlWildcard(Option<Wildcard>),
}

/// How matching of a value is set up.
#[derive(Debug)]
pub(crate) struct ValueMatcher {
    pub(crate) form: Form,
    /// The value, of `StartsWith` and `EndsWith` without its wildcard.
    pub(crate) text: Box<str>,
    pub(crate) case: Case,
    /// What separates the parts of paths; absent where the level has no paths.
    pub(crate) separator: Option<char>,
    /// Tokens in the value.
    pub(crate) tokens: Option<Box<Delimiters>>,
    /// Expressions in the value; an error if they are refused.
    pub(crate) template: Option<Box<Result<Template, crate::script::ScriptRefusal>>>,
}

impl ValueMatcher {
    /// Whether a request decides what the value is.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.tokens.is_some() || self.template.is_some()
    }

    /// Whether an expression in the value is refused, and why.
    pub(crate) fn refusal(&self) -> Option<&crate::script::ScriptRefusal> {
        self.template.as_deref().and_then(|template| template.as_ref().err())
    }

    /// In which order the values of a level are tried.
    pub(crate) fn priority(&self) -> u8 {
        let base = match self.form {
            Form::Equals => 1,
            Form::StartsWith | Form::EndsWith => 3,
            Form::Wildcard(_) => 5,
            Form::Below | Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => 7,
        };
        let insensitive = u8::from(!matches!(self.case, Case::Sensitive));
        base + insensitive + if self.is_dynamic() { 8 } else { 0 }
    }

    /// Whether a value begins as this one does before its first wildcard or variable part: whether Ranger's tree of
    /// policies leads to it.
    pub(crate) fn is_reached(&self, value: &str) -> bool {
        let is_special = |c: char| {
            let of_token = |tokens: &Delimiters| [tokens.start, tokens.end, tokens.escape].contains(&c);
            self.tokens.as_deref().is_some_and(of_token) || (self.template.is_some() && c == '$')
        };
        let is_wildcard = |c: char| c == '*' || c == '?';
        let start = match self.form {
            Form::EndsWith => "",
            Form::Wildcard(_) | Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => {
                self.text.split(|c| is_wildcard(c) || is_special(c)).next().unwrap_or_default()
            }
            Form::Equals | Form::StartsWith | Form::Below => self.text.split(is_special).next().unwrap_or_default(),
        };
        let sensitive = matches!(self.case, Case::Sensitive);
        if matches!(self.form, Form::Equals) && start.len() == self.text.len() {
            return text::equal(value, start, sensitive);
        }
        text::starts_with(value, start, sensitive)
    }

    fn expanded<'a>(&'a self, bindings: &dyn Bindings) -> Cow<'a, str> {
        let mut value = Cow::Borrowed(&*self.text);
        if let Some(Ok(template)) = self.template.as_deref()
            && let Some(text) = bindings.expand(template)
        {
            value = Cow::Owned(text);
        }
        if let Some(tokens) = &self.tokens {
            value = Cow::Owned(tokens.replace(&value, bindings));
        }
        value
    }

    /// How a resource's value matches.
    pub(crate) fn match_value(&self, value: &str, scope: ElementScope, bindings: &dyn Bindings) -> ElementMatch {
        if self.refusal().is_some() {
            return ElementMatch::None;
        }
        let wanted = self.expanded(bindings);
        let sensitive = self.case.counts_for(value);
        if bindings.is_anything() && self.is_dynamic() {
            return if self.could_match(value, &wanted, sensitive) { ElementMatch::Itself } else { ElementMatch::None };
        }
        if self.is_match(value, &wanted, sensitive) {
            return ElementMatch::Itself;
        }
        match scope {
            ElementScope::ItselfOrPrefix if self.is_prefix(value, &wanted, sensitive) => ElementMatch::Prefix,
            ElementScope::ItselfOrChild if self.is_child(value, &wanted, sensitive) => ElementMatch::Child,
            _ => ElementMatch::None,
        }
    }

    /// Whether a value matches if the variable parts are wildcards.
    fn could_match(&self, value: &str, wanted: &str, sensitive: bool) -> bool {
        let pattern = match self.form {
            Form::Equals | Form::Wildcard(_) => wanted.to_owned(),
            Form::EndsWith => format!("*{wanted}"),
            Form::StartsWith | Form::Below | Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => format!("{wanted}*"),
        };
        Wildcard::new(&pattern).matches(value, sensitive)
    }

    fn is_match(&self, value: &str, wanted: &str, sensitive: bool) -> bool {
        let separator = self.separator.unwrap_or('/');
        let prepared = |wildcard: &Option<Wildcard>, run: &dyn Fn(&Wildcard) -> bool| match wildcard {
            Some(wildcard) => run(wildcard),
            None => run(&Wildcard::new(wanted)),
        };
        match &self.form {
            Form::Equals => text::equal(value, wanted, sensitive),
            Form::StartsWith => text::starts_with(value, wanted, sensitive),
            Form::EndsWith => text::ends_with(value, wanted, sensitive),
            Form::Wildcard(wildcard) => prepared(wildcard, &|wildcard| wildcard.matches(value, sensitive)),
            Form::Below => is_below(value, wanted, separator, sensitive),
            Form::BelowWildcard(wildcard) => {
                prepared(wildcard, &|wildcard| is_below_wildcard(value, wanted, wildcard, separator, sensitive))
            }
            Form::BelowUrlWildcard(wildcard) => {
                prepared(wildcard, &|wildcard| is_below_url_wildcard(value, wildcard, separator, sensitive))
            }
        }
    }

    /// Whether the resource's value is a beginning of what the policy's value means.
    fn is_prefix(&self, value: &str, wanted: &str, sensitive: bool) -> bool {
        match self.form {
            Form::Equals | Form::StartsWith => text::starts_with(wanted, value, sensitive),
            Form::EndsWith => true,
            Form::Wildcard(_) | Form::Below | Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => {
                Wildcard::new(wanted).matches_prefix(value, sensitive)
            }
        }
    }

    /// Whether the resource's value is the folder of what the policy's value means; for paths only.
    fn is_child(&self, value: &str, wanted: &str, sensitive: bool) -> bool {
        let Some(separator) = self.separator else { return false };
        let wanted = match self.form {
            Form::Below => wanted.strip_suffix(separator).unwrap_or(wanted),
            Form::BelowUrlWildcard(_) => return false,
            _ => wanted,
        };
        let Some((folder, _)) = wanted.rsplit_once(separator) else { return false };
        let value = value.strip_suffix(separator).unwrap_or(value);
        match self.form {
            Form::Equals | Form::Below | Form::BelowUrlWildcard(_) => text::equal(value, folder, sensitive),
            Form::StartsWith => text::starts_with(value, folder, sensitive),
            Form::EndsWith => text::ends_with(value, folder, sensitive),
            Form::Wildcard(_) => Wildcard::new(folder).matches(value, sensitive),
            Form::BelowWildcard(_) => is_below_wildcard(value, folder, &Wildcard::new(folder), separator, sensitive),
        }
    }
}

fn is_below(value: &str, wanted: &str, separator: char, sensitive: bool) -> bool {
    if wanted.is_empty() {
        // What a request made empty is no folder, not even the root.
        return false;
    }
    let folder = wanted.strip_suffix(separator).unwrap_or(wanted);
    if text::equal(value, folder, sensitive) {
        return true;
    }
    // The separator follows the folder: both are compared in one go over the characters.
    let mut chars = value.chars();
    let begins = folder
        .chars()
        .all(|wanted| chars.next().is_some_and(|c| if sensitive { c == wanted } else { text::same_letter(c, wanted) }));
    begins && chars.next() == Some(separator)
}

fn parts(path: &str, separator: char) -> impl Iterator<Item = &str> {
    path.split(separator).filter(|part| !part.is_empty())
}

/// Whether the path or one above it is as the wildcards say. The parts before the first wildcard are compared one by
/// one, and end the search where they differ.
fn is_below_wildcard(path: &str, pattern: &str, wildcard: &Wildcard, separator: char, sensitive: bool) -> bool {
    if path.is_empty() {
        return false;
    }
    let mut path_parts = parts(path, separator).peekable();
    if path_parts.peek().is_none() {
        return wildcard.matches(path, sensitive);
    }
    let mut above = String::with_capacity(path.len());
    if path.starts_with(separator) {
        above.push(separator);
    }
    let mut pattern_parts = parts(pattern, separator);
    let mut literal = true;
    let mut count = 0_usize;
    for part in path_parts {
        above.push_str(part);
        if literal {
            match pattern_parts.next() {
                Some(wanted) if !has_wildcard(wanted) => {
                    if !text::equal(part, wanted, sensitive) {
                        return false;
                    }
                }
                _ => literal = false,
            }
        }
        if !literal && wildcard.matches(&above, sensitive) {
            return true;
        }
        above.push(separator);
        count += 1;
    }
    if !literal {
        return false;
    }
    let pattern_parts: Vec<&str> = parts(pattern, separator).collect();
    pattern_parts.len() == count
        || (path.ends_with(separator) && pattern_parts.len() == count + 1 && pattern_parts.last() == Some(&"*"))
}

/// The same for an address with a scheme; what has none does not match.
fn is_below_url_wildcard(address: &str, wildcard: &Wildcard, separator: char, sensitive: bool) -> bool {
    let url = address.trim();
    if url.is_empty() || !url.contains("://") || url.contains(":///") {
        return false;
    }
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let path = rest.strip_prefix('/').unwrap_or(rest);
    let mut path_parts = parts(path, separator).peekable();
    if path_parts.peek().is_none() {
        return wildcard.matches(address, sensitive);
    }
    let mut above = format!("{scheme}://");
    if address.starts_with(separator) {
        above.push(separator);
    }
    for part in path_parts {
        above.push_str(part);
        if wildcard.matches(&above, sensitive) {
            return true;
        }
        above.push(separator);
    }
    if !url.ends_with(separator) {
        above.pop();
    }
    wildcard.matches(&above, sensitive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_itself_and_what_is_below() {
        for (value, expected) in [("/a/b", true), ("/a/b/c", true), ("/a/bc", false), ("/a", false), ("/A/B/c", true)] {
            for wanted in ["/a/b", "/a/b/"] {
                assert_eq!(is_below(value, wanted, '/', false), expected, "{value} {wanted}");
            }
        }
        assert!(!is_below("/A/b/c", "/a/b", '/', true));
        assert!(is_below("/a", "/", '/', true));
        assert!(!is_below("/a", "", '/', true));
    }

    #[test]
    fn wildcards_in_a_path_cover_what_is_below() {
        let below = |path: &str, pattern: &str| is_below_wildcard(path, pattern, &Wildcard::new(pattern), '/', false);
        for (path, pattern, expected) in [
            ("/a/x/b/c", "/a/*/b", true),
            ("/a/x/c", "/a/*/b", false),
            ("/a/b", "/a/*", true),
            ("/a", "/a/*", false),
            ("/a/", "/a/*", true),
            ("/b/x", "/a/*", false),
            ("/a/b1/c", "/a/b?", true),
            ("/", "/*", true),
            ("", "/*", false),
        ] {
            assert_eq!(below(path, pattern), expected, "{path} {pattern}");
        }
    }

    #[test]
    fn wildcards_in_an_address_need_a_scheme() {
        let below = |address: &str, pattern: &str| is_below_url_wildcard(address, &Wildcard::new(pattern), '/', true);
        for (address, pattern, expected) in [
            ("s3a://bucket/data/x", "s3a://bucket/da*", true),
            ("s3a://bucket/other", "s3a://bucket/da*", false),
            ("s3a://bucket", "s3a://*", true),
            ("/bucket/data", "/bucket/*", false),
            ("s3a:///bucket/data", "s3a:///*", false),
        ] {
            assert_eq!(below(address, pattern), expected, "{address} {pattern}");
        }
    }
}
