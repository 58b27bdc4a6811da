//! The texts that policies name at a level, numbered, and which of them a request asks for.

use std::borrow::Cow;

use crate::matcher::{Case, ElementMatcher, ElementScope, Form, ValueMatcher, Values, fold_into, folded};
use crate::names::TextMap;
use crate::resource::TargetElement;
use crate::service::LevelId;
use crate::short::Short;

/// What a text is of a value that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Start,
    End,
}

/// The number of a text of a level with what it is of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeyId(pub(super) u32);

impl KeyId {
    fn new(number: u32, part: Part) -> Self {
        Self((number << 2) | part as u32)
    }

    pub(super) fn kind(self) -> u8 {
        1 << (self.0 & 3)
    }

    pub(super) fn is_among(self, kinds: u8) -> bool {
        self.kind() & kinds != 0
    }
}

/// How a value of a policy is found.
pub(super) enum Key {
    Always,
    Text(String, Part),
}

/// How the values of policies are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lookup {
    /// By what they match.
    #[default]
    Matches,
    /// By how they begin: what [`ResourceSet::is_reached`](crate::resource::ResourceSet::is_reached) says is found.
    Beginnings,
}

/// How the values of a policy at a level are found, each with whether finding it proves that it matches.
pub(super) fn keys_of(matcher: &ElementMatcher, most: usize, lookup: Lookup) -> Vec<(Key, bool)> {
    if matcher.is_any() || matcher.excludes() || matcher.values().len() > most {
        return vec![(Key::Always, matcher.is_any() && !matcher.excludes())];
    }
    let key = |value| match lookup {
        Lookup::Matches => key_of(value),
        Lookup::Beginnings => (beginning_of(value), false),
    };
    matcher.values().iter().map(key).collect()
}

fn beginning_of(value: &ValueMatcher) -> Key {
    let text = folded(&value.text);
    let start = match value.form {
        Form::EndsWith => "",
        Form::Equals | Form::StartsWith | Form::Below => &text,
        Form::Wildcard(_) | Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => {
            text.split(['*', '?']).next().unwrap_or_default()
        }
    };
    match value.form {
        _ if start.is_empty() || value.is_dynamic() => Key::Always,
        Form::Equals => Key::Text(text, Part::Whole),
        Form::StartsWith
        | Form::EndsWith
        | Form::Below
        | Form::Wildcard(_)
        | Form::BelowWildcard(_)
        | Form::BelowUrlWildcard(_) => Key::Text(start.to_owned(), Part::Start),
    }
}

fn key_of(value: &ValueMatcher) -> (Key, bool) {
    if value.is_dynamic() {
        return (Key::Always, false);
    }
    let text = folded(&value.text);
    let wildcard = |c| c == '*' || c == '?';
    // Of a request in plain lower case, where letter case makes no difference.
    let proves = value.text.is_ascii()
        && match value.case {
            Case::Sensitive => *value.text == *text,
            Case::Insensitive => true,
            Case::Quoted(_) => false,
        };
    let (start, end) = match value.form {
        Form::Equals => return (Key::Text(text, Part::Whole), proves),
        Form::StartsWith if !text.is_empty() => return (Key::Text(text, Part::Start), proves),
        Form::EndsWith if !text.is_empty() => return (Key::Text(text, Part::End), proves),
        Form::StartsWith | Form::EndsWith => return (Key::Always, false),
        Form::Below => (text.strip_suffix(value.separator.unwrap_or('/')).unwrap_or(&text), ""),
        Form::Wildcard(_) => {
            (text.split(wildcard).next().unwrap_or_default(), text.rsplit(wildcard).next().unwrap_or_default())
        }
        Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => (text.split(wildcard).next().unwrap_or_default(), ""),
    };
    let key = match (start, end) {
        ("", "") => Key::Always,
        ("", end) => Key::Text(end.to_owned(), Part::End),
        (start, _) => Key::Text(start.to_owned(), Part::Start),
    };
    (key, false)
}

/// The texts of a level, by their numbers; two texts are never taken for one.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: TextMap<u32>,
    /// The lengths of starts and ends, in bytes.
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn key(&mut self, text: &str, part: Part) -> KeyId {
        let lengths = match part {
            Part::Whole => None,
            Part::Start => Some(&mut self.starts),
            Part::End => Some(&mut self.ends),
        };
        if let Some(lengths) = lengths
            && let Err(at) = lengths.binary_search(&text.len())
        {
            lengths.insert(at, text.len());
        }
        if let Some(number) = self.numbers.get(text) {
            return KeyId::new(*number, part);
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX >> 2);
        self.numbers.insert(text, number);
        KeyId::new(number, part)
    }

    fn find(&self, value: &str, found: &mut impl FnMut(KeyId)) {
        let mut look_up = |text: Option<&str>, part| {
            if let Some(number) = text.and_then(|text| self.numbers.get(text)) {
                found(KeyId::new(*number, part));
            }
        };
        look_up(Some(value), Part::Whole);
        for length in self.starts.iter().take_while(|length| **length <= value.len()) {
            look_up(value.get(..*length), Part::Start);
        }
        for length in self.ends.iter().take_while(|length| **length <= value.len()) {
            look_up(value.get(value.len() - *length..), Part::End);
        }
    }
}

/// The texts that a request asks for, level by level.
pub(super) struct Asked {
    keys: Short<KeyId, 12>,
    /// Where the keys of each level end.
    ends: Short<u32, 4>,
    /// Whether all values are single ones in lower case that name something: then the steps of the tree can prove a match.
    pub(super) is_plain: bool,
}

impl Asked {
    pub(super) fn new(texts: &[(LevelId, Texts)], elements: &[TargetElement<'_>]) -> Self {
        let mut asked = Self { keys: Short::default(), ends: Short::default(), is_plain: true };
        for element in elements {
            let of_level = texts.iter().find(|(level, _)| *level == element.level);
            let is_one = matches!(element.values, Values::One(value) if !matches!(value, "" | "*"));
            asked.is_plain &= is_one && element.scope == ElementScope::Itself;
            for value in element.values.iter() {
                let value = without_case(value);
                asked.is_plain &= matches!(value, Cow::Borrowed(_));
                if let Some((_, texts)) = of_level {
                    texts.find(&value, &mut |key| asked.keys.push(key));
                }
            }
            asked.ends.push(u32::try_from(asked.keys.len()).unwrap_or(u32::MAX));
        }
        asked
    }

    /// Where the keys of a level begin.
    pub(super) fn start_of(&self, depth: usize) -> usize {
        depth.checked_sub(1).and_then(|above| self.ends.get(above)).map_or(0, |end| *end as usize)
    }

    /// The key at a place, if it is one of the level.
    pub(super) fn key(&self, depth: usize, at: usize) -> Option<KeyId> {
        let end = self.ends.get(depth)?;
        self.keys.get(..*end as usize)?.get(at).copied()
    }
}

/// A value as the tree has it; the same, if that is in lower case already.
fn without_case(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    fold_into(value, &mut out);
    Cow::Owned(out)
}
