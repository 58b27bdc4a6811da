//! The values of a policy at one level, and whether a value of a resource is among them.
//!
//! ```text
//! resource "sales_eu" ─► equals, starts, ends, wildcard, path (dearest last) ─► excludes ─► Itself | Child | Prefix | None
//! ```

mod expansion;
mod shape;
mod text;
mod value;
mod wildcard;

pub(crate) use expansion::{Bindings, Delimiters, Unbound};
pub(crate) use shape::told_apart;
pub use shape::{SHAPE_CHARS_MAX, SHAPE_STATES_MAX};
pub(crate) use text::{Case, fold_into, folded};
pub(crate) use value::{Form, ValueMatcher};
pub(crate) use wildcard::{Wildcard, has_wildcard};

use std::collections::BTreeMap;

use crate::model::{PolicyResource, ResourceDef, Text};
use crate::script::Template;

/// What counts as a match at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ElementScope {
    /// The value itself.
    #[default]
    Itself,
    /// Also the folder of what is meant.
    ItselfOrChild,
    /// Also a beginning of what is meant.
    ItselfOrPrefix,
}

/// How a value matches at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementMatch {
    None,
    Itself,
    Child,
    Prefix,
}

impl ElementMatch {
    pub(crate) fn counts_in(self, scope: ElementScope) -> bool {
        match self {
            Self::None => false,
            Self::Itself => true,
            Self::Child => scope == ElementScope::ItselfOrChild,
            Self::Prefix => scope == ElementScope::ItselfOrPrefix,
        }
    }
}

/// One value of a resource, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// One.
    One(&'a str),
    /// Several; it is enough that one matches.
    Many(&'a [&'a str]),
}

impl<'a> Values<'a> {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (one, many) = match *self {
            Self::One(value) => (Some(value), [].as_slice()),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many.iter().copied())
    }

    /// Whether everything at the level is asked for.
    fn is_everything(&self) -> bool {
        matches!(self, Self::One("" | "*"))
    }
}

/// How the values of a level are matched: the class and its options.
#[derive(Debug, Clone)]
pub(crate) struct LevelOptions {
    kind: LevelKind,
    wildcards: bool,
    case: Case,
    separator: char,
    delimiters: Option<Delimiters>,
    expressions: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LevelKind {
    Plain,
    Path,
    Url,
}

fn flag(options: &BTreeMap<String, Text>, name: &str, default: bool) -> bool {
    options.get(name).map_or(default, |text| text.as_str().eq_ignore_ascii_case("true"))
}

fn letter(options: &BTreeMap<String, Text>, name: &str, default: char) -> char {
    options.get(name).and_then(|text| text.as_str().chars().next()).unwrap_or(default)
}

impl LevelOptions {
    /// What a definition says; an unknown class is as the default one.
    pub(crate) fn of(def: &ResourceDef) -> Self {
        let options = &def.matcher_options;
        let kind = match def.matcher.rsplit('.').next() {
            Some("RangerPathResourceMatcher") => LevelKind::Path,
            Some("RangerURLResourceMatcher") => LevelKind::Url,
            _ => LevelKind::Plain,
        };
        let case = if !flag(options, "ignoreCase", true) {
            Case::Sensitive
        } else if flag(options, "quotedCaseSensitive", false) && kind != LevelKind::Path {
            Case::Quoted(options.get("quoteChars").map_or("\"", Text::as_str).into())
        } else {
            Case::Insensitive
        };
        let delimiters = Delimiters {
            start: letter(options, "tokenDelimiterStart", '{'),
            end: letter(options, "tokenDelimiterEnd", '}'),
            escape: letter(options, "tokenDelimiterEscape", '\\'),
            prefix: options.get("tokenDelimiterPrefix").map_or("", Text::as_str).into(),
        };
        Self {
            kind,
            wildcards: flag(options, "wildCard", true),
            case,
            separator: letter(options, "pathSeparatorChar", '/'),
            delimiters: (flag(options, "replaceTokens", true) && delimiters.are_distinct()).then_some(delimiters),
            expressions: flag(options, "replaceReqExpressions", true),
        }
    }

    fn value_matcher(&self, value: &str, recursive: bool) -> ValueMatcher {
        let recursive = recursive && self.kind != LevelKind::Plain;
        let value = if recursive && self.wildcards && value.ends_with(self.separator) {
            format!("{value}*")
        } else {
            value.to_owned()
        };
        let (form, text) = if recursive { self.path_form(&value) } else { self.plain_form(&value) };
        let template = (self.expressions && Template::is_needed(&text)).then(|| Box::new(Template::parse(&text)));
        let tokens = self.delimiters.as_ref().filter(|tokens| tokens.occur_in(&text)).cloned().map(Box::new);
        let case = match (&self.case, recursive) {
            (Case::Quoted(_), true) => Case::Insensitive,
            (case, _) => case.clone(),
        };
        let separator =
            (self.kind == LevelKind::Path || (recursive && self.kind == LevelKind::Url)).then_some(self.separator);
        let mut matcher = ValueMatcher { form, text: text.into(), case, separator, tokens, template };
        if !matcher.is_dynamic() {
            let prepared = Wildcard::new(&matcher.text);
            match &mut matcher.form {
                Form::Wildcard(slot) | Form::BelowWildcard(slot) | Form::BelowUrlWildcard(slot) => {
                    *slot = Some(prepared);
                }
                _ => {}
            }
        }
        matcher
    }

    fn plain_form(&self, value: &str) -> (Form, String) {
        let stars = value.trim_start_matches(|c| c != '*').trim_end_matches(|c| c != '*');
        if !self.wildcards || !has_wildcard(value) {
            return (Form::Equals, value.to_owned());
        }
        if value.contains('?') || stars.contains(|c| c != '*') {
            return (Form::Wildcard(None), value.to_owned());
        }
        if let Some(end) = value.strip_prefix(stars) {
            (Form::EndsWith, end.to_owned())
        } else if let Some(start) = value.strip_suffix(stars) {
            (Form::StartsWith, start.to_owned())
        } else {
            (Form::Wildcard(None), value.to_owned())
        }
    }

    fn path_form(&self, value: &str) -> (Form, String) {
        if self.wildcards && value == "*" {
            return (Form::Equals, String::new());
        }
        let wildcard =
            if self.kind == LevelKind::Url { Form::BelowUrlWildcard(None) } else { Form::BelowWildcard(None) };
        let form = if self.wildcards && has_wildcard(value) { wildcard } else { Form::Below };
        (form, value.to_owned())
    }
}

/// The values of a policy at one level.
#[derive(Debug)]
pub(crate) struct ElementMatcher {
    values: Box<[ValueMatcher]>,
    excludes: bool,
    any: bool,
}

impl ElementMatcher {
    /// What a policy has at a level.
    pub(crate) fn new(options: &LevelOptions, resource: &PolicyResource) -> Self {
        let values = resource.values.iter().filter(|value| !value.is_empty());
        let mut values: Vec<_> = values.map(|value| options.value_matcher(value, resource.is_recursive)).collect();
        let any = values.is_empty() || values.iter().any(|value| value.text.is_empty());
        if any {
            values.clear();
        }
        values.sort_by_key(ValueMatcher::priority);
        Self { values: values.into(), excludes: resource.is_excludes, any }
    }

    /// Whether every value matches.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Whether everything but the values matches.
    pub(crate) fn excludes(&self) -> bool {
        self.excludes
    }

    /// Whether requests decide what the values are.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.values.iter().any(ValueMatcher::is_dynamic)
    }

    /// The values.
    pub(crate) fn values(&self) -> &[ValueMatcher] {
        &self.values
    }

    /// Whether a resource's values match.
    pub(crate) fn is_match(&self, values: Option<Values<'_>>, scope: ElementScope, bindings: &dyn Bindings) -> bool {
        self.match_values(values, scope, bindings).counts_in(scope)
    }

    /// Whether Ranger's tree of policies leads from a resource's values to those of the policy.
    pub(crate) fn is_reached(&self, values: Values<'_>) -> bool {
        let reaches = |value: &str| self.values.iter().any(|matcher| matcher.is_reached(value));
        self.any || self.excludes || values.iter().any(reaches)
    }

    fn match_values(&self, values: Option<Values<'_>>, scope: ElementScope, bindings: &dyn Bindings) -> ElementMatch {
        let everything = values.is_none_or(|values| values.is_everything());
        let found = if self.any {
            ElementMatch::Itself
        } else if everything && scope != ElementScope::ItselfOrPrefix {
            ElementMatch::None
        } else {
            self.find(values, scope, bindings)
        };
        match (self.excludes, found) {
            (false, found) => found,
            // Everything is asked for, and the policy excludes some of it: no.
            (true, found) if everything && !self.any => found,
            (true, ElementMatch::None) => ElementMatch::Itself,
            (true, _) => ElementMatch::None,
        }
    }

    fn find(&self, values: Option<Values<'_>>, scope: ElementScope, bindings: &dyn Bindings) -> ElementMatch {
        let mut found = ElementMatch::None;
        for matcher in &self.values {
            for value in values.unwrap_or(Values::Many(&[])).iter() {
                match matcher.match_value(value, scope, bindings) {
                    ElementMatch::None => {}
                    ElementMatch::Itself => return ElementMatch::Itself,
                    other => found = other,
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
