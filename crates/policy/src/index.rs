//! Finds the policies that may match a resource, without looking at the others.
//!
//! A tree with a level of the service at each step. A step is taken by the value itself (a hash lookup), by each of the
//! few lengths that prefixes and suffixes have there (a hash lookup each), and always by `*`. What the tree gives is a
//! little more than what matches (letter case, excluded values, variable parts): the caller looks at each.
//!
//! ```text
//! database    sales ──────────┬── *            sales*──┐
//! table       orders ──┬── *  └── orders …             …      cost: the policies that match, not those that there are
//! column      price    …
//! ```

use std::borrow::Cow;

use crate::matcher::{ElementMatcher, ElementScope, Form, ValueMatcher, fold_into, folded};
use crate::names::{ByHash, hash_of};
use crate::resource::{ResourceSet, TargetElement};
use crate::service::LevelId;

/// In how many places of the tree one resource of a policy may stand; beyond, a level is taken as `*`.
pub const INDEX_PLACES_MAX: usize = 256;

/// Which policies are found besides those that match the resource itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reach {
    /// Those about a part of it.
    pub(crate) below: bool,
    /// Those about what it is a part of.
    pub(crate) above: bool,
}

/// The tree; what is found are the numbers that were put in.
#[derive(Debug, Default)]
pub(crate) struct Index {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// What ends here.
    ends: Vec<u32>,
    steps: Vec<(LevelId, Step)>,
}

/// Texts are known by their hashes alone: two with one hash are found together, and the caller looks at each.
#[derive(Debug, Default)]
struct Step {
    always: Option<Box<Node>>,
    exact: ByHash<Node>,
    prefixes: Parts,
    suffixes: Parts,
}

#[derive(Debug, Default)]
struct Parts {
    lengths: Vec<usize>,
    nodes: ByHash<Node>,
}

/// How a value is found.
enum Key {
    Always,
    Exact(String),
    Prefix(String),
    Suffix(String),
}

fn key_of(value: &ValueMatcher) -> Key {
    if value.is_dynamic() {
        return Key::Always;
    }
    let text = folded(&value.text);
    let wildcard = |c| c == '*' || c == '?';
    let (start, end) = match value.form {
        Form::Equals => return Key::Exact(text),
        Form::StartsWith => (text.as_str(), ""),
        Form::EndsWith => ("", text.as_str()),
        Form::Below => (text.strip_suffix(value.separator.unwrap_or('/')).unwrap_or(&text), ""),
        Form::Wildcard(_) => {
            (text.split(wildcard).next().unwrap_or_default(), text.rsplit(wildcard).next().unwrap_or_default())
        }
        Form::BelowWildcard(_) | Form::BelowUrlWildcard(_) => (text.split(wildcard).next().unwrap_or_default(), ""),
    };
    match (start, end) {
        ("", "") => Key::Always,
        ("", end) => Key::Suffix(end.to_owned()),
        (start, _) => Key::Prefix(start.to_owned()),
    }
}

fn keys_of(matcher: &ElementMatcher, places: usize) -> Vec<Key> {
    if matcher.is_any() || matcher.excludes() || matcher.values().len() * places > INDEX_PLACES_MAX {
        return vec![Key::Always];
    }
    matcher.values().iter().map(key_of).collect()
}

impl Index {
    /// Puts a resource in, to be found as `number`.
    pub(crate) fn insert(&mut self, resource: &ResourceSet, number: u32) {
        if let Some(chain) = resource.chain() {
            self.root.insert(chain, number, 1);
        }
    }

    /// Appends the numbers of what may match; some may be found twice.
    pub(crate) fn find(&self, elements: &[TargetElement<'_>], reach: Reach, found: &mut Vec<u32>) {
        self.root.find(elements, reach, found);
    }
}

impl Parts {
    fn node(&mut self, text: &str) -> &mut Node {
        if let Err(at) = self.lengths.binary_search(&text.len()) {
            self.lengths.insert(at, text.len());
        }
        self.nodes.entry(hash_of(text)).or_default()
    }
}

impl Step {
    fn node(&mut self, key: &Key) -> &mut Node {
        match key {
            Key::Always => self.always.get_or_insert_default(),
            Key::Exact(text) => self.exact.entry(hash_of(text)).or_default(),
            Key::Prefix(text) => self.prefixes.node(text),
            Key::Suffix(text) => self.suffixes.node(text),
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let maps = [&self.exact, &self.prefixes.nodes, &self.suffixes.nodes];
        self.always.as_deref().into_iter().chain(maps.into_iter().flat_map(|map| map.values()))
    }

    fn for_value(&self, value: &str, mut visit: impl FnMut(&Node)) {
        let value = without_case(value);
        if let Some(node) = self.exact.get(&hash_of(&value)) {
            visit(node);
        }
        for length in &self.prefixes.lengths {
            if let Some(node) = value.get(..*length).and_then(|start| self.prefixes.nodes.get(&hash_of(start))) {
                visit(node);
            }
        }
        for length in &self.suffixes.lengths {
            let end = value.len().checked_sub(*length).and_then(|at| value.get(at..));
            if let Some(node) = end.and_then(|end| self.suffixes.nodes.get(&hash_of(end))) {
                visit(node);
            }
        }
    }
}

/// A value as the tree has it.
fn without_case(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    fold_into(value, &mut out);
    Cow::Owned(out)
}

impl Node {
    fn insert(&mut self, chain: &[(LevelId, ElementMatcher)], number: u32, places: usize) {
        let Some(((level, matcher), rest)) = chain.split_first() else {
            self.ends.push(number);
            return;
        };
        let keys = keys_of(matcher, places);
        if !self.steps.iter().any(|(id, _)| id == level) {
            self.steps.push((*level, Step::default()));
        }
        for (_, step) in self.steps.iter_mut().filter(|(id, _)| id == level) {
            for key in &keys {
                step.node(key).insert(rest, number, places * keys.len());
            }
        }
    }

    fn find(&self, elements: &[TargetElement<'_>], reach: Reach, found: &mut Vec<u32>) {
        let Some((element, rest)) = elements.split_first() else {
            self.find_below(reach.below, found);
            return;
        };
        if reach.above {
            found.extend_from_slice(&self.ends);
        }
        let Some((_, step)) = self.steps.iter().find(|(level, _)| *level == element.level) else { return };
        if element.scope != ElementScope::Itself {
            step.nodes().for_each(|node| node.find(rest, reach, found));
            return;
        }
        if let Some(node) = &step.always {
            node.find(rest, reach, found);
        }
        for value in element.values.iter() {
            step.for_value(value, |node| node.find(rest, reach, found));
        }
    }

    /// What ends here, what goes on with `*` only, and what is below, if that is wanted.
    fn find_below(&self, below: bool, found: &mut Vec<u32>) {
        found.extend_from_slice(&self.ends);
        for (_, step) in &self.steps {
            if below {
                step.nodes().for_each(|node| node.find_below(below, found));
            } else if let Some(node) = &step.always {
                node.find_below(below, found);
            }
        }
    }
}
