//! Finds the policies that may match a resource, without looking at the others.
//!
//! A tree with a level of the service at each step. A step is taken by the value itself, by each of the few beginnings
//! and ends of it that policies name there, and always by `*`. The texts of a request are looked up once per level; each
//! step is then one lookup of a number. What the tree gives is a little more than what matches (letter case, excluded
//! values, variable parts); where the steps taken prove a match, it says so, else the caller looks.
//!
//! ```text
//! database    sales ──────────┬── *            sales*──┐
//! table       orders ──┬── *  └── orders …             …      cost: the policies that match, not those that there are
//! column      price    …
//! ```

mod build;
mod keys;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::matcher::ElementScope;
use crate::names::NameHasher;
use crate::resource::{MatchType, TargetElement};
use crate::service::LevelId;
pub(crate) use build::Builder;
pub use build::INDEX_PLACES_MAX;
pub(crate) use keys::Lookup;
use keys::{Asked, KeyId, Texts};

/// Which policies are found besides those that match the resource itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reach {
    /// Those about a part of it.
    pub(crate) below: bool,
    /// Those about what it is a part of.
    pub(crate) above: bool,
}

/// The tree; what is found are the marks that were put in.
#[derive(Debug)]
pub(crate) struct Index<M> {
    texts: Vec<(LevelId, Texts)>,
    nodes: Vec<Node>,
    steps: Vec<Step>,
    /// From a step by the number of a text to a node.
    edges: HashMap<u64, u32, BuildHasherDefault<NameHasher>>,
    /// All nodes that steps lead to, step by step.
    children: Vec<u32>,
    ends: Vec<End<M>>,
}

/// No node, no step.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    /// What ends here: places in the list of ends.
    ends: (u32, u32),
    /// The first of its steps.
    step: u32,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    level: LevelId,
    /// A bit for each kind of text by which there are edges.
    kinds: u8,
    always: u32,
    /// The next step of the same node, for another level.
    next: u32,
    children: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
struct End<M> {
    mark: M,
    /// Whether the steps that lead here prove a match, of a request whose values are plain.
    proves: bool,
}

fn edge(step: u32, key: KeyId) -> u64 {
    (u64::from(step) << 32) | u64::from(key.0)
}

impl<M> Default for Index<M> {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            nodes: Vec::new(),
            steps: Vec::new(),
            edges: HashMap::default(),
            children: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl<M: Copy> Index<M> {
    fn children(&self, step: &Step) -> &[u32] {
        self.children.get(step.children.0 as usize..step.children.1 as usize).unwrap_or_default()
    }

    /// Visits the marks of what may match; some more than once. With a mark comes how the resource relates to what was
    /// put in, where that is proved.
    pub(crate) fn find(&self, elements: &[TargetElement<'_>], reach: Reach, visit: impl FnMut(&M, Option<MatchType>)) {
        if self.nodes.is_empty() {
            return;
        }
        let asked = Asked::new(&self.texts, elements);
        Search { index: self, asked, elements, reach, visit }.walk(0, 0);
    }
}

struct Search<'s, M, V> {
    index: &'s Index<M>,
    asked: Asked,
    elements: &'s [TargetElement<'s>],
    reach: Reach,
    visit: V,
}

impl<M: Copy, V: FnMut(&M, Option<MatchType>)> Search<'_, M, V> {
    fn end(&mut self, node: &Node, relation: Option<MatchType>) {
        let (start, end) = (node.ends.0 as usize, node.ends.1 as usize);
        for found in self.index.ends.get(start..end).unwrap_or_default() {
            (self.visit)(&found.mark, relation.filter(|_| found.proves && self.asked.is_plain));
        }
    }

    /// The step of a node for a level, with its number.
    fn step(&self, node: &Node, level: LevelId) -> Option<(u32, Step)> {
        let mut number = node.step;
        while let Some(step) = self.index.steps.get(number as usize) {
            if step.level == level {
                return Some((number, *step));
            }
            number = step.next;
        }
        None
    }

    fn walk(&mut self, node: u32, depth: usize) {
        let index = self.index;
        let Some(node) = index.nodes.get(node as usize) else { return };
        let Some(element) = self.elements.get(depth) else {
            self.walk_below(node, Some(MatchType::Itself));
            return;
        };
        if self.reach.above {
            self.end(node, Some(MatchType::Above));
        }
        let Some((number, step)) = self.step(node, element.level) else { return };
        if element.scope != ElementScope::Itself {
            for child in index.children(&step) {
                self.walk(*child, depth + 1);
            }
            return;
        }
        if step.always != NONE {
            self.walk(step.always, depth + 1);
        }
        if step.kinds == 0 {
            return;
        }
        let mut at = self.asked.start_of(depth);
        while let Some(key) = self.asked.key(depth, at) {
            at += 1;
            if key.is_among(step.kinds)
                && let Some(child) = index.edges.get(&edge(number, key))
            {
                self.walk(*child, depth + 1);
            }
        }
    }

    /// What ends here, what goes on with `*` only, and what is below, if that is wanted.
    fn walk_below(&mut self, node: &Node, relation: Option<MatchType>) {
        let index = self.index;
        self.end(node, relation);
        let mut next = node.step;
        while let Some(step) = index.steps.get(next as usize) {
            let children = if self.reach.below { index.children(step) } else { std::slice::from_ref(&step.always) };
            for child in children {
                let on = relation.filter(|_| *child == step.always).map(|_| MatchType::ItselfAndBelow);
                if let Some(node) = index.nodes.get(*child as usize) {
                    self.walk_below(node, on);
                }
            }
            next = step.next;
        }
    }
}
