//! What values of policies cover, as shapes of texts: to find texts that they tell apart.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, LevelKind, LevelOptions};

/// In how many states texts are followed at one level at most.
pub const SHAPE_STATES_MAX: usize = 100_000;
/// How long a value can be whose shape is followed, in characters.
pub const SHAPE_CHARS_MAX: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Any,
    One,
    Is(char),
}

/// Texts that are alike: letters, `?` for one and `*` for any number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape(Vec<Part>);

impl LevelOptions {
    /// The shapes of a value: what it covers, and what its quirks tell apart. With `beginnings` also what begins like it.
    pub(crate) fn shapes(&self, value: &str, recursive: bool, beginnings: bool) -> Vec<Shape> {
        let fold = |c: char| match self.case {
            Case::Sensitive => c,
            Case::Insensitive | Case::Quoted(_) => c.to_lowercase().next().unwrap_or(c),
        };
        let part = |c: char| match c {
            '*' if self.wildcards => Part::Any,
            '?' if self.wildcards => Part::One,
            c => Part::Is(fold(c)),
        };
        let parts = |text: &str| -> Vec<Part> { text.chars().map(part).collect() };
        let mut all = vec![parts(value)];
        // A star before a question mark is one character only.
        if self.wildcards && value.contains("*?") {
            all.push(parts(&value.replace("*?", "?")));
        }
        if recursive && self.kind != LevelKind::Plain {
            let folder = parts(value.strip_suffix(self.separator).unwrap_or(value));
            let mut below = folder.clone();
            below.extend([Part::Is(fold(self.separator)), Part::Any]);
            all.extend([folder, below]);
        }
        if beginnings {
            let special =
                |c: &char| matches!(c, '*' | '?') || (self.delimiters.is_some() && matches!(c, '{' | '}' | '\\'));
            let mut start: Vec<Part> = value.chars().take_while(|c| !special(c) && *c != '$').map(part).collect();
            let is_whole = start.len() == value.chars().count() && !recursive;
            if !is_whole {
                start.push(Part::Any);
                all.push(start);
            }
        }
        all.into_iter().map(Shape).collect()
    }
}

/// Where a text stands in each shape that it may still have: bits for the parts that come next.
type State = Vec<(usize, u128)>;

impl Shape {
    /// The places with those behind stars, which may be empty.
    fn settled(&self, mut places: u128) -> u128 {
        for (at, part) in self.0.iter().enumerate() {
            if *part == Part::Any && places & (1 << at) != 0 {
                places |= 1 << (at + 1);
            }
        }
        places
    }

    fn after(&self, places: u128, c: char) -> u128 {
        let step = |(at, part): (usize, &Part)| match part {
            _ if places & (1 << at) == 0 => 0,
            Part::Any => 1 << at,
            Part::One => 1 << (at + 1),
            Part::Is(own) if *own == c => 1 << (at + 1),
            Part::Is(_) => 0,
        };
        self.settled(self.0.iter().enumerate().map(step).fold(0, |all, places| all | places))
    }

    fn ends(&self, places: u128) -> bool {
        places & (1 << self.0.len()) != 0
    }
}

/// Texts, one for each combination of shapes that a text can have, the empty one left out; nothing, if there are too many
/// states or a shape is too long.
pub(crate) fn told_apart(shapes: &BTreeSet<Shape>) -> Option<Vec<String>> {
    let shapes: Vec<&Shape> = shapes.iter().collect();
    if shapes.iter().any(|shape| shape.0.len() > SHAPE_CHARS_MAX) {
        return None;
    }
    let letters: BTreeSet<char> = shapes
        .iter()
        .flat_map(|shape| &shape.0)
        .filter_map(|part| if let Part::Is(c) = part { Some(*c) } else { None })
        .collect();
    // What no value names.
    let other = ('¤'..).find(|c| !letters.contains(c))?;
    let start: State = shapes.iter().enumerate().map(|(at, shape)| (at, shape.settled(1))).collect();
    let mut texts: BTreeMap<Vec<usize>, String> = BTreeMap::new();
    let mut seen: BTreeSet<State> = BTreeSet::from([start.clone()]);
    let mut open = vec![(start, String::new())];
    while !open.is_empty() {
        let mut next_open = Vec::new();
        for (state, text) in open {
            let mut next = BTreeSet::new();
            for (at, places) in &state {
                let parts = shapes.get(*at).map(|shape| shape.0.iter()).into_iter().flatten().enumerate();
                next.extend(parts.filter_map(|(place, part)| match part {
                    Part::Is(c) if places & (1 << place) != 0 => Some(*c),
                    _ => None,
                }));
            }
            for c in std::iter::once(other).chain(next) {
                let moved = |(at, places): &(usize, u128)| {
                    let places = shapes.get(*at)?.after(*places, c);
                    (places != 0).then_some((*at, places))
                };
                let state: State = state.iter().filter_map(moved).collect();
                let text = format!("{text}{c}");
                let has =
                    |(at, places): &(usize, u128)| shapes.get(*at).filter(|shape| shape.ends(*places)).map(|_| *at);
                texts.entry(state.iter().filter_map(has).collect()).or_insert_with(|| text.clone());
                if seen.insert(state.clone()) {
                    next_open.push((state, text));
                }
            }
            if seen.len() > SHAPE_STATES_MAX {
                return None;
            }
        }
        open = next_open;
    }
    Some(texts.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceDef;

    fn texts(values: &[&str], recursive: bool) -> Option<Vec<String>> {
        let matcher = if recursive { "RangerPathResourceMatcher" } else { "" };
        let options = LevelOptions::of(&ResourceDef { matcher: matcher.to_owned(), ..ResourceDef::default() });
        told_apart(&values.iter().flat_map(|value| options.shapes(value, recursive, false)).collect())
    }

    #[test]
    fn each_combination_of_values_has_a_text() {
        let sorted = |values: &[&str], recursive| {
            let mut texts = texts(values, recursive).unwrap();
            texts.sort_by_key(|text| (text.chars().count(), text.clone()));
            texts
        };
        assert_eq!(sorted(&["a"], false), ["a", "¤"]);
        assert_eq!(sorted(&["?a", "b?"], false), ["¤", "ba", "b¤", "¤a"]);
        assert_eq!(sorted(&["*x*", "*y*"], false), ["x", "y", "¤", "xy"]);
        assert_eq!(sorted(&["a*", "*"], false), ["a", "¤"]);
        assert_eq!(sorted(&["/a", "/a/b"], true), ["¤", "/a", "/a/", "/a/b", "/a/b/"]);
    }

    #[test]
    fn what_is_too_much_is_said() {
        let long = |chars: usize| "a".repeat(chars);
        assert!(texts(&[&long(SHAPE_CHARS_MAX)], false).is_some());
        assert!(texts(&[&long(SHAPE_CHARS_MAX + 1)], false).is_none());
        let stars = |count: usize| -> Vec<String> { (0..count).map(|at| format!("*{at:05}*")).collect() };
        let few = stars(4);
        assert_eq!(
            texts(&few.iter().map(String::as_str).collect::<Vec<_>>(), false).map(|texts| texts.len()),
            Some(16)
        );
        let many = stars(17);
        assert!(texts(&many.iter().map(String::as_str).collect::<Vec<_>>(), false).is_none());
    }
}
