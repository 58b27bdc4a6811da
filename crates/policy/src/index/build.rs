//! Grows the tree, one resource after the other.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::keys::{Key, KeyId, Lookup, Texts, keys_of};
use super::{End, Index, NONE, Node, Step, edge};
use crate::matcher::ElementMatcher;
use crate::names::NameHasher;
use crate::resource::ResourceSet;
use crate::service::LevelId;

/// In how many places of the tree one resource of a policy may stand; beyond, a level is taken as `*`.
pub const INDEX_PLACES_MAX: usize = 256;

/// A tree that grows.
pub(crate) struct Builder<M> {
    lookup: Lookup,
    texts: Vec<(LevelId, Texts)>,
    nodes: Vec<Node>,
    steps: Vec<Step>,
    edges: HashMap<u64, u32, BuildHasherDefault<NameHasher>>,
    ends: Vec<(u32, End<M>)>,
}

impl<M> Default for Builder<M> {
    fn default() -> Self {
        let root = Node { ends: (0, 0), step: NONE };
        let (texts, steps, ends) = (Vec::new(), Vec::new(), Vec::new());
        Self { lookup: Lookup::default(), texts, nodes: vec![root], steps, edges: HashMap::default(), ends }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}

impl<M: Copy> Builder<M> {
    pub(crate) fn new(lookup: Lookup) -> Self {
        Self { lookup, ..Self::default() }
    }

    /// Puts a resource in; what is found is `mark`.
    pub(crate) fn insert(&mut self, resource: &ResourceSet, mark: M) {
        if let Some(chain) = resource.chain() {
            self.grow(0, chain, End { mark, proves: true }, 1);
        }
    }

    fn grow(&mut self, node: u32, chain: &[(LevelId, ElementMatcher)], end: End<M>, places: usize) {
        let Some(((level, matcher), rest)) = chain.split_first() else {
            self.ends.push((node, end));
            return;
        };
        let keys = keys_of(matcher, INDEX_PLACES_MAX / places, self.lookup);
        let step = self.step(node, *level);
        for (key, proves) in &keys {
            let child = match key {
                Key::Always => self.always(step),
                Key::Text(text, part) => match self.texts_of(*level).map(|texts| texts.key(text, *part)) {
                    Some(key) => self.child(step, key),
                    None => self.always(step),
                },
            };
            self.grow(child, rest, End { proves: end.proves && *proves, ..end }, places * keys.len());
        }
    }

    fn texts_of(&mut self, level: LevelId) -> Option<&mut Texts> {
        let at = self.texts.iter().position(|(id, _)| *id == level);
        let at = at.unwrap_or_else(|| {
            self.texts.push((level, Texts::default()));
            self.texts.len() - 1
        });
        self.texts.get_mut(at).map(|(_, texts)| texts)
    }

    /// The step of a node for a level; a new one becomes the first of the node.
    fn step(&mut self, node: u32, level: LevelId) -> u32 {
        let first = self.nodes.get(node as usize).map_or(NONE, |node| node.step);
        let mut at = first;
        while let Some(step) = self.steps.get(at as usize) {
            if step.level == level {
                return at;
            }
            at = step.next;
        }
        let made = number(self.steps.len());
        self.steps.push(Step { level, kinds: 0, always: NONE, next: first, children: (0, 0) });
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.step = made;
        }
        made
    }

    fn node(&mut self) -> u32 {
        let made = number(self.nodes.len());
        self.nodes.push(Node { ends: (0, 0), step: NONE });
        made
    }

    fn always(&mut self, step: u32) -> u32 {
        match self.steps.get(step as usize) {
            Some(found) if found.always != NONE => found.always,
            _ => {
                let made = self.node();
                if let Some(step) = self.steps.get_mut(step as usize) {
                    step.always = made;
                }
                made
            }
        }
    }

    fn child(&mut self, step: u32, key: KeyId) -> u32 {
        if let Some(child) = self.edges.get(&edge(step, key)) {
            return *child;
        }
        let made = self.node();
        self.edges.insert(edge(step, key), made);
        if let Some(step) = self.steps.get_mut(step as usize) {
            step.kinds |= key.kind();
        }
        made
    }

    /// The tree as it is asked: what belongs to one node lies together.
    pub(crate) fn finish(mut self) -> Index<M> {
        let mut edges: Vec<(u32, u32)> = Vec::with_capacity(self.edges.len());
        edges.extend(self.edges.iter().map(|(edge, child)| (number_of_step(*edge), *child)));
        let steps = (0_u32..).zip(&self.steps);
        edges.extend(steps.filter(|(_, step)| step.always != NONE).map(|(at, step)| (at, step.always)));
        edges.sort_unstable();
        for (step, range) in ranges(&edges, |(step, _)| *step) {
            if let Some(step) = self.steps.get_mut(step as usize) {
                step.children = range;
            }
        }
        self.ends.sort_by_key(|(node, _)| *node);
        for (node, range) in ranges(&self.ends, |(node, _)| *node) {
            if let Some(node) = self.nodes.get_mut(node as usize) {
                node.ends = range;
            }
        }
        self.edges.shrink_to_fit();
        self.nodes.shrink_to_fit();
        self.steps.shrink_to_fit();
        Index {
            texts: self.texts,
            nodes: self.nodes,
            steps: self.steps,
            edges: self.edges,
            children: edges.into_iter().map(|(_, child)| child).collect(),
            ends: self.ends.into_iter().map(|(_, end)| end).collect::<Box<[_]>>().into_vec(),
        }
    }
}

fn number_of_step(edge: u64) -> u32 {
    u32::try_from(edge >> 32).unwrap_or(NONE)
}

/// Where those of one owner lie in a sorted list.
fn ranges<T>(sorted: &[T], owner: impl Fn(&T) -> u32) -> Vec<(u32, (u32, u32))> {
    let mut start = 0;
    let groups = sorted.chunk_by(|a, b| owner(a) == owner(b));
    let range = |group: &[T]| {
        let range = (start, start + number(group.len()));
        start = range.1;
        group.first().map(|first| (owner(first), range))
    };
    groups.filter_map(range).collect()
}
