//! Which kinds of access are asked for: one, any, or several in groups.

use crate::engine::Mode;
use crate::matcher::folded;
use crate::names::{Names, Symbol, hash_set_order, string_hash};
use crate::request::Request;

/// One kind of access that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedAccess<'c> {
    pub(crate) text: &'c str,
    /// Its number with its letter case, and without.
    pub(crate) exact: Option<Symbol>,
    pub(crate) folded: Option<Symbol>,
}

/// The kinds of access that are asked for.
#[derive(Debug)]
pub(crate) struct Wanted<'c> {
    first: WantedAccess<'c>,
    more: Vec<WantedAccess<'c>>,
    /// Of each group, one must be allowed; places in [`Self::list`], absent for what is not in it.
    pub(crate) groups: Vec<Group>,
    /// Whether all of [`Self::list`] count as allowed unless denied.
    pub(crate) all_lenient: bool,
    /// Whether any kind of access is enough.
    pub(crate) any: bool,
    /// The request's own kind of access.
    pub(crate) own: WantedAccess<'c>,
}

/// Kinds of access of which one is enough.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) members: Vec<Option<usize>>,
    /// Whether it counts as allowed unless it is denied.
    pub(crate) lenient: bool,
}

fn wanted<'c>(text: &'c str, names: &Names) -> WantedAccess<'c> {
    let exact = names.find(text);
    let folded = if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        exact
    } else {
        names.find(&folded(text))
    };
    WantedAccess { text, exact, folded }
}

impl<'c> Wanted<'c> {
    /// What a request asks for; `all` are the service's kinds of access.
    pub(crate) fn new(request: &Request<'c>, all: &'c [String], names: &Names) -> Self {
        let own = wanted(request.access, names);
        let mut result =
            Self { first: own, more: Vec::new(), groups: Vec::new(), all_lenient: false, any: request.is_any(), own };
        let mut groups: Vec<Vec<&str>> = Vec::new();
        if result.any {
            let hashes: Vec<i32> = all.iter().map(|name| string_hash(name)).collect();
            let ordered = hash_set_order(&hashes).into_iter().filter_map(|at| all.get(at));
            let ordered: Vec<&'c str> = ordered.map(String::as_str).collect();
            result.more = ordered.iter().map(|text| wanted(text, names)).collect();
            if !request.ignore_deny_below {
                groups = ordered.iter().map(|text| vec![*text]).collect();
            }
        } else {
            result.more = sorted(request.accesses.all).into_iter().map(|text| wanted(text, names)).collect();
            groups = request.accesses.groups.iter().map(|group| sorted(group)).collect();
        }
        if groups.is_empty() && result.more.is_empty() {
            return result;
        }
        result.set_groups(groups, request.accesses.allowed_unless_denied);
        result
    }

    fn set_groups(&mut self, groups: Vec<Vec<&str>>, lenient: &[&str]) {
        let hash = |group: &Vec<&str>| group.iter().fold(0_i32, |sum, text| sum.wrapping_add(string_hash(text)));
        let hashes: Vec<i32> = groups.iter().map(hash).collect();
        let is_lenient = |texts: &[&str]| !lenient.is_empty() && texts.iter().all(|text| lenient.contains(text));
        let place = |text: &&str| self.list().iter().position(|access| access.text == *text);
        let ordered = hash_set_order(&hashes).into_iter().filter_map(|at| groups.get(at));
        let ordered: Vec<Group> = ordered
            .map(|group| Group { members: group.iter().map(place).collect(), lenient: is_lenient(group) })
            .collect();
        let texts: Vec<&str> = self.list().iter().map(|access| access.text).collect();
        self.all_lenient = is_lenient(&texts);
        self.groups = ordered;
    }

    /// The kinds of access, in the order in which they are looked at.
    pub(crate) fn list(&self) -> &[WantedAccess<'c>] {
        if self.more.is_empty() { std::slice::from_ref(&self.first) } else { &self.more }
    }

    /// Whether one kind of access is asked for, and nothing else.
    pub(crate) fn is_one(&self) -> bool {
        self.more.len() < 2 && self.groups.is_empty() && !self.all_lenient && !self.any
    }

    /// Whether a kind of access that is asked for is none of the service's.
    pub(crate) fn unknown_access(&self, all: &[String], mode: Mode) -> Option<&'c str> {
        let special = |text: &str| text.starts_with('_');
        let known = |text: &str| all.iter().any(|name| name.eq_ignore_ascii_case(text));
        let mut texts = self.list().iter().map(|access| access.text);
        texts.find(|text| mode == Mode::Closed && !special(text) && !known(text))
    }
}

fn sorted<'c>(texts: &[&'c str]) -> Vec<&'c str> {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Something for each kind of access that is asked for; without memory of its own if it is one.
#[derive(Debug)]
pub(crate) struct PerAccess<T> {
    first: Option<T>,
    more: Vec<Option<T>>,
}

impl<T: Copy> PerAccess<T> {
    pub(crate) fn new(count: usize) -> Self {
        Self { first: None, more: if count > 1 { vec![None; count] } else { Vec::new() } }
    }

    pub(crate) fn get(&self, at: usize) -> Option<T> {
        if self.more.is_empty() { self.first } else { self.more.get(at).copied().flatten() }
    }

    pub(crate) fn set(&mut self, at: usize, value: T) {
        if self.more.is_empty() {
            self.first = Some(value);
        } else if let Some(slot) = self.more.get_mut(at) {
            *slot = Some(value);
        }
    }
}
