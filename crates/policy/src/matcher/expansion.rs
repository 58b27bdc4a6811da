//! Parts of a policy's value that a request decides: `{USER}`, and `${{..}}` expressions.

use std::borrow::Cow;

use crate::script::Template;

/// What a request has for the variable parts of values.
pub(crate) trait Bindings {
    /// The value of `{name}`; nothing, if the token is to stay as it is.
    fn token(&self, name: &str) -> Option<Cow<'_, str>>;

    /// A text with its expressions evaluated; nothing, if they are to stay as they are.
    fn expand(&self, template: &Template) -> Option<String>;

    /// Whether what is put in are wildcards.
    fn is_anything(&self) -> bool {
        false
    }
}

/// No request: everything stays as it is.
pub(crate) struct Unbound;

impl Bindings for Unbound {
    fn token(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn expand(&self, _template: &Template) -> Option<String> {
        None
    }
}

/// How tokens are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delimiters {
    pub(crate) start: char,
    pub(crate) end: char,
    pub(crate) escape: char,
    pub(crate) prefix: Box<str>,
}

impl Delimiters {
    /// Whether tokens can be told from the text around them at all.
    pub(crate) fn are_distinct(&self) -> bool {
        self.escape != self.start
            && self.escape != self.end
            && !self.prefix.contains([self.escape, self.start, self.end])
    }

    /// Whether a value may have a token, or an escape.
    pub(crate) fn occur_in(&self, value: &str) -> bool {
        value.contains(self.escape) || (value.contains(self.start) && value.contains(self.end))
    }

    /// The value with its tokens replaced and its escapes resolved.
    pub(crate) fn replace(&self, value: &str, bindings: &dyn Bindings) -> String {
        let mut out = String::with_capacity(value.len());
        let mut token: Option<String> = None;
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            if c == self.escape {
                let target = token.as_mut().unwrap_or(&mut out);
                target.extend(chars.next());
                continue;
            }
            match token.take() {
                None if c == self.start && chars.as_str().starts_with(&*self.prefix) => {
                    chars = chars.as_str().strip_prefix(&*self.prefix).unwrap_or_default().chars();
                    token = Some(String::new());
                }
                None => out.push(c),
                Some(name) if c == self.end => match bindings.token(&name) {
                    Some(text) => out.push_str(&text),
                    None => self.put_back(&name, true, &mut out),
                },
                Some(mut name) => {
                    name.push(c);
                    token = Some(name);
                }
            }
        }
        if let Some(name) = token {
            self.put_back(&name, false, &mut out);
        }
        out
    }

    fn put_back(&self, name: &str, closed: bool, out: &mut String) {
        out.push(self.start);
        out.push_str(&self.prefix);
        out.push_str(name);
        if closed {
            out.push(self.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct User;

    impl Bindings for User {
        fn token(&self, name: &str) -> Option<Cow<'_, str>> {
            (name == "USER").then_some("anna".into())
        }

        fn expand(&self, _template: &Template) -> Option<String> {
            None
        }
    }

    fn braces(prefix: &str) -> Delimiters {
        Delimiters { start: '{', end: '}', escape: '\\', prefix: prefix.into() }
    }

    #[test]
    fn tokens_are_replaced_where_they_have_a_value() {
        for (prefix, value, expected) in [
            ("", "/home/{USER}/x", "/home/anna/x"),
            ("", "{USER}{USER}", "annaanna"),
            ("", "{OTHER}", "{OTHER}"),
            ("", "\\{USER}", "{USER}"),
            ("", "{US\\ER}", "anna"),
            ("", "{USER", "{USER"),
            ("t:", "{t:USER}_{USER}", "anna_{USER}"),
            ("", "a\\", "a"),
        ] {
            assert_eq!(braces(prefix).replace(value, &User), expected, "{value}");
        }
    }

    #[test]
    fn delimiters_must_be_distinct() {
        assert!(braces("").are_distinct());
        assert!(!Delimiters { escape: '{', ..braces("") }.are_distinct());
        assert!(!braces("a}").are_distinct());
    }
}
