//! A path template names files below a store's root and can't name anything else.
//!
//! ```text
//! customers/{date}/*.csv ──bind date=2024-05-01──► customers/2024-05-01/*.csv ──match──► customers/2024-05-01/a.csv
//! ../{date}, /etc/*, a/**/b: refused by parse      date=../../etc, date=*: refused by bind
//! ```
//! `*` stands for any characters of one segment, none included; it doesn't match a `.` at a segment's beginning, so
//! that files which a writer hides until they are complete are left alone.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 1_024;
/// The longest value of a parameter, in bytes.
pub const PARAMETER_BYTES_MAX: usize = 256;

/// A relative path with parameters in braces and `*`, free of everything that could leave the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Vec<Part>>,
}

/// A template whose parameters have values: literal text and `*` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundPath {
    segments: Vec<Pattern>,
}

/// One segment of a [`BoundPath`]: the texts between its stars; a single text is a literal segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<String>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter(String),
    Star,
}

/// Why a text is no path template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{template}` is no path template: character {position}: {rule}")]
pub struct TemplateError {
    template: String,
    /// One-based, in characters.
    position: usize,
    rule: &'static str,
}

/// Why a template can't take these parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No value for a parameter.
    #[error("`{template}` needs the parameter `{parameter}`: give it with `--param {parameter}=VALUE`")]
    Missing {
        /// The template.
        template: String,
        /// The parameter without a value.
        parameter: String,
    },
    /// A value that could change which folders the path goes through.
    #[error(
        "the value of the parameter `{parameter}` can't stand in a path: it takes 1 to {PARAMETER_BYTES_MAX} bytes \
         without `/`, `\\`, `..`, `*`, `?`, brackets, braces and control characters"
    )]
    Value {
        /// The parameter.
        parameter: String,
    },
    /// Values that together make a segment `.` or `..`.
    #[error("`{template}` with these parameters has the segment `.` or `..`: change a parameter's value")]
    Dots {
        /// The template.
        template: String,
    },
}

impl FromStr for PathTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let error = |at: usize, rule| {
            let template = text.chars().take(TEMPLATE_BYTES_MAX).filter(|c| !c.is_control()).collect();
            let position = text.get(..at).map_or(1, |before| before.chars().count() + 1);
            TemplateError { template, position, rule }
        };
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(error(0, "it is longer than 1,024 bytes"));
        }
        if text.starts_with('/') {
            return Err(error(0, "a path is relative to its store's root: leave the `/` at the beginning out"));
        }
        let mut segments = Vec::new();
        let mut at = 0;
        for segment in text.split('/') {
            segments.push(parse_segment(segment).map_err(|(within, rule)| error(at + within, rule))?);
            at += segment.len() + 1;
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

impl PathTemplate {
    /// The names of the parameters, each once, in the order in which they first appear.
    pub fn parameters(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in self.segments.iter().flatten() {
            match part {
                Part::Parameter(name) if !names.contains(&name.as_str()) => names.push(name.as_str()),
                Part::Parameter(_) | Part::Literal(_) | Part::Star => {}
            }
        }
        names
    }

    /// Puts values in the place of the parameters. Values of parameters that the template doesn't have are left
    /// unused; a missing one, or one that could leave its segment, is an error that names the parameter.
    pub fn bind(&self, values: &BTreeMap<String, String>) -> Result<BoundPath, BindError> {
        if let Some(parameter) = self.parameters().into_iter().find(|name| !values.contains_key(*name)) {
            return Err(BindError::Missing { template: self.text.clone(), parameter: parameter.to_owned() });
        }
        self.bind_given(values)
    }

    /// As [`Self::bind`], with `*` in the place of parameters that have no value.
    pub fn bind_given(&self, values: &BTreeMap<String, String>) -> Result<BoundPath, BindError> {
        let mut segments = Vec::new();
        for parts in &self.segments {
            let mut pieces = vec![String::new()];
            for part in parts {
                let literal = match part {
                    Part::Literal(literal) => Some(literal),
                    Part::Parameter(name) => values.get(name).map(|value| checked(name, value)).transpose()?,
                    Part::Star => None,
                };
                match (literal, pieces.last_mut()) {
                    (Some(literal), Some(last)) => last.push_str(literal),
                    (Some(_), None) => {}
                    (None, _) => pieces.push(String::new()),
                }
            }
            if let [literal] = pieces.as_slice()
                && matches!(literal.as_str(), "." | "..")
            {
                return Err(BindError::Dots { template: self.text.clone() });
            }
            segments.push(Pattern(pieces));
        }
        Ok(BoundPath { segments })
    }
}

fn checked<'a>(name: &str, value: &'a String) -> Result<&'a String, BindError> {
    let forbidden = |c: char| c.is_control() || "/\\*?[]{}".contains(c);
    let allowed =
        (1..=PARAMETER_BYTES_MAX).contains(&value.len()) && !value.contains("..") && !value.contains(forbidden);
    if allowed { Ok(value) } else { Err(BindError::Value { parameter: name.to_owned() }) }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl BoundPath {
    /// The segments, from the root down; at least one.
    pub(crate) fn segments(&self) -> &[Pattern] {
        &self.segments
    }
}

impl fmt::Display for BoundPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            write!(f, "{slash}{}", segment.0.join("*"))?;
        }
        Ok(())
    }
}

impl Pattern {
    /// The text of a segment without a star.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [literal] => Some(literal),
            _ => None,
        }
    }

    /// Whether a file's or folder's name matches; a star at the beginning does not stand for the dot of a hidden file.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let is_hidden =
            self.literal().is_none() && self.0.first().is_some_and(String::is_empty) && name.starts_with('.');
        !is_hidden && matches_texts(&self.0, name)
    }
}

/// Whether a name matches a pattern in which `*` stands for any characters.
pub fn matches_stars(pattern: &str, name: &str) -> bool {
    matches_texts(&pattern.split('*').collect::<Vec<_>>(), name)
}

/// Whether a name is these texts with anything between them, in time linear in the name for each.
fn matches_texts(texts: &[impl AsRef<str>], name: &str) -> bool {
    let (Some((first, rest)), Some(last)) = (texts.split_first(), texts.last()) else { return false };
    if rest.is_empty() {
        return name == first.as_ref();
    }
    let Some(mut middle) = name.strip_prefix(first.as_ref()).and_then(|rest| rest.strip_suffix(last.as_ref())) else {
        return false;
    };
    // The leftmost place for each text leaves the most room for those after it.
    for text in rest.iter().take(rest.len() - 1).map(AsRef::as_ref) {
        match middle.find(text) {
            Some(found) => middle = &middle[found + text.len()..],
            None => return false,
        }
    }
    true
}

/// The parts of one segment, or the byte within it and the rule that it breaks.
fn parse_segment(segment: &str) -> Result<Vec<Part>, (usize, &'static str)> {
    if segment.is_empty() {
        return Err((0, "a segment between two `/` can't be empty"));
    }
    if matches!(segment, "." | "..") {
        return Err((0, "the segments `.` and `..` are not allowed: a path stays below its store's root"));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = segment;
    while let Some(first) = rest.chars().next() {
        let at = segment.len() - rest.len();
        let length = match first {
            '*' if matches!(parts.last(), Some(Part::Star)) => {
                return Err((at, "`**` is not allowed: `*` stands for the characters of one segment"));
            }
            '*' => {
                parts.push(Part::Star);
                1
            }
            '{' => {
                let name = parameter_name(rest).ok_or((
                    at,
                    "a parameter is a name of ASCII letters, digits and `_` that begins with a letter, in braces: \
                     `{date}`",
                ))?;
                parts.push(Part::Parameter(name.to_owned()));
                name.len() + 2
            }
            '}' => return Err((at, "a `}` needs a `{` before it")),
            '?' | '[' | ']' | '\\' => {
                return Err((at, "`?`, `[`, `]` and `\\` are not allowed: `*` is the only wildcard"));
            }
            control if control.is_control() => return Err((at, "control characters are not allowed")),
            _ => {
                let special = |c: char| c.is_control() || "*{}?[]\\".contains(c);
                let length = rest.find(special).unwrap_or(rest.len());
                parts.push(Part::Literal(rest[..length].to_owned()));
                length
            }
        };
        rest = &rest[length..];
    }
    Ok(parts)
}

/// The name in a text that begins with `{name}`.
fn parameter_name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    (begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn bound(template: &str, pairs: &[(&str, &str)]) -> Result<BoundPath, BindError> {
        template.parse::<PathTemplate>().unwrap().bind(&values(pairs))
    }

    #[test]
    fn parameters_are_listed_once_and_bound() {
        let template: PathTemplate = "{region}/{date}/x-{region}-*.csv".parse().unwrap();
        assert_eq!(template.parameters(), ["region", "date"]);
        let bound = template.bind(&values(&[("date", "2024-05-01"), ("region", "eu"), ("unused", "/")])).unwrap();
        assert_eq!(bound.to_string(), "eu/2024-05-01/x-eu-*.csv");
        assert_eq!(
            template.bind(&values(&[("date", "2024-05-01")])).unwrap_err().to_string(),
            "`{region}/{date}/x-{region}-*.csv` needs the parameter `region`: give it with `--param region=VALUE`"
        );
    }

    #[test]
    fn a_wrong_template_is_refused_where_it_is_wrong() {
        for (text, position) in [
            ("", 1),
            ("/a", 1),
            ("a//b", 3),
            ("a/", 3),
            ("a/../b", 3),
            ("./a", 1),
            ("ü/**", 4),
            ("a/**/b", 4),
            ("a{b", 2),
            ("a}b", 2),
            ("{}", 1),
            ("{1a}", 1),
            ("{a-b}", 1),
            ("a/b?", 4),
            ("[a]", 1),
            ("a\\b", 2),
            ("a\0b", 2),
            ("a/b\n", 4),
        ] {
            let error = text.parse::<PathTemplate>().unwrap_err();
            assert_eq!(error.position, position, "{text:?}: {error}");
            assert!(!error.to_string().contains(['\0', '\n']), "{error}");
        }
        assert!("a".repeat(TEMPLATE_BYTES_MAX).parse::<PathTemplate>().is_ok());
        assert!("a".repeat(TEMPLATE_BYTES_MAX + 1).parse::<PathTemplate>().is_err());
    }

    #[test]
    fn a_value_can_not_leave_its_segment() {
        for wrong in ["", "a/b", "..", "a..b", "*", "a?", "[a]", "{a}", "a\\b", "a\0", "a\n"] {
            let error = bound("x/{p}/y.csv", &[("p", wrong)]).unwrap_err();
            assert_eq!(error, BindError::Value { parameter: "p".into() }, "{wrong:?}");
        }
        assert!(bound("{p}", &[("p", &"a".repeat(PARAMETER_BYTES_MAX))]).is_ok());
        assert!(bound("{p}", &[("p", &"a".repeat(PARAMETER_BYTES_MAX + 1))]).is_err());
        assert!(matches!(bound("{p}/y", &[("p", ".")]), Err(BindError::Dots { .. })));
        assert!(matches!(bound("{p}{p}/y", &[("p", ".")]), Err(BindError::Dots { .. })));
        assert!(matches!(bound(".{p}/y", &[("p", ".")]), Err(BindError::Dots { .. })));
        assert!(bound("{p}x/y", &[("p", ".")]).is_ok());
    }

    #[test]
    fn stars_match_within_one_segment() {
        for (pattern, name, matched) in [
            ("*.csv", "a.csv", true),
            ("*.csv", ".csv", false),
            ("*.csv", ".a.csv", false),
            (".*", ".a", true),
            ("*.csv", "a.csv.tmp", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("*", "anything", true),
            ("*", ".hidden", false),
            ("x", "x", true),
            ("x", "xx", false),
            ("*a*", "bab", true),
            ("a*aa*a", "aaaa", true),
            ("a*aa*a", "aaa", false),
        ] {
            let path = bound(pattern, &[]).unwrap();
            assert_eq!(path.segments()[0].matches(name), matched, "{pattern} {name}");
        }
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text, expected) in [
            ("daily", "daily", true),
            ("daily", "daily_x", false),
            ("daily*", "daily", true),
            ("*_x", "daily_x", true),
            ("d*l*x", "daily_x", true),
            ("d*l*y", "daily_x", false),
            ("*", "ä", true),
            ("", "x", false),
        ] {
            assert_eq!(matches_stars(pattern, text), expected, "{pattern} {text}");
        }
    }
}
