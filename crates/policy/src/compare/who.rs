//! Who can be told apart: names that policies treat alike are one, and what follows from several of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many combinations of names are asked for at one resource at most; those of fewer names come first.
pub const COMPARED_NAMES_MAX: usize = 1024;

/// Names of which each is treated alike.
pub type Alike = Vec<String>;

/// Who asks, and how what is asked for is tagged: of each list of names, one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// The user; whom no policy names, if empty.
    pub users: Alike,
    /// The groups.
    pub groups: Vec<Alike>,
    /// The roles, where they are stated and do not come from users and groups.
    pub roles: Vec<Alike>,
    /// Whether the user owns the resource.
    pub owns: bool,
    /// The tags of the resource.
    pub tags: Vec<Alike>,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |kind: &str, alike: &Alike| (!alike.is_empty()).then(|| format!("{kind} {}", alike.join(" or ")));
        let all = |kind: &'static str, list: &'_ [Alike]| {
            list.iter().filter_map(|alike| one(kind, alike)).collect::<Vec<_>>()
        };
        let mut parts: Vec<String> = one("user", &self.users).into_iter().collect();
        parts.extend(all("group", &self.groups));
        parts.extend(all("role", &self.roles));
        if parts.is_empty() {
            parts.push("anybody".to_owned());
        }
        if self.owns {
            parts.push("the owner".to_owned());
        }
        parts.extend(all("tag", &self.tags));
        f.write_str(&parts.join(" and "))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Group,
    Role,
    Owner,
    Tag,
}

/// Names that are treated alike, with what they meet: places in policies that name them.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) kind: Kind,
    pub(super) names: Alike,
    pub(super) meets: BTreeSet<u32>,
}

/// Puts names together that meet the same.
pub(super) fn atoms(met: BTreeMap<(Kind, String), BTreeSet<u32>>) -> Vec<Atom> {
    let mut alike: BTreeMap<(Kind, BTreeSet<u32>), Alike> = BTreeMap::new();
    for ((kind, name), meets) in met {
        if !meets.is_empty() {
            alike.entry((kind, meets)).or_default().push(name);
        }
    }
    alike.into_iter().map(|((kind, meets), names)| Atom { kind, names, meets }).collect()
}

/// Some names together, none of which adds nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Class {
    pub(super) atoms: Vec<usize>,
    pub(super) meets: BTreeSet<u32>,
}

impl Class {
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.atoms.iter().all(|atom| other.atoms.contains(atom))
    }

    /// The same with all names that may be added and add nothing.
    pub(super) fn with_what_adds_nothing(&self, atoms: &[Atom]) -> Self {
        let fits = |atom: &Atom| {
            let own = self.atoms.iter().filter_map(|at| atoms.get(*at));
            atom.meets.is_subset(&self.meets) && own.clone().all(|own| go_together(own.kind, atom.kind))
        };
        let more = atoms.iter().enumerate().filter(|(at, atom)| self.atoms.contains(at) || fits(atom));
        Self { atoms: more.map(|(at, _)| at).collect(), meets: self.meets.clone() }
    }

    pub(super) fn principal(&self, atoms: &[Atom]) -> Principal {
        let mut principal = Principal::default();
        for atom in self.atoms.iter().filter_map(|at| atoms.get(*at)) {
            match atom.kind {
                Kind::User => principal.users.clone_from(&atom.names),
                Kind::Group => principal.groups.push(atom.names.clone()),
                Kind::Role => principal.roles.push(atom.names.clone()),
                Kind::Owner => principal.owns = true,
                Kind::Tag => principal.tags.push(atom.names.clone()),
            }
        }
        principal
    }
}

/// Whether names can be one's together: there is one user, and stated roles are those of nobody who is named.
fn go_together(a: Kind, b: Kind) -> bool {
    use Kind::{Group, Owner, Role, User};
    !matches!((a, b), (User, User) | (Role, User | Group | Owner) | (User | Group | Owner, Role))
}

/// All combinations that differ in what they meet, the fewest names first; and whether these are all.
pub(super) fn classes(atoms: &[Atom]) -> (Vec<Class>, bool) {
    let mut classes = vec![Class::default()];
    let mut done = 0;
    while let Some(class) = classes.get(done).cloned() {
        done += 1;
        let first = class.atoms.last().map_or(0, |last| last + 1);
        for (at, atom) in atoms.iter().enumerate().skip(first) {
            let fits = |own: &usize| atoms.get(*own).is_some_and(|own| go_together(own.kind, atom.kind));
            if !class.atoms.iter().all(fits) {
                continue;
            }
            let more = Class {
                atoms: class.atoms.iter().copied().chain([at]).collect(),
                meets: class.meets.union(&atom.meets).copied().collect(),
            };
            let adds = |own: &usize| {
                let others = more.atoms.iter().filter(|other| *other != own).filter_map(|other| atoms.get(*other));
                let without: BTreeSet<u32> = others.flat_map(|other| other.meets.iter().copied()).collect();
                without != more.meets
            };
            if more.atoms.iter().all(adds) {
                if classes.len() >= COMPARED_NAMES_MAX {
                    return (classes, false);
                }
                classes.push(more);
            }
        }
    }
    (classes, true)
}

/// Whether two classes can be those of one request.
pub(super) fn are_together(a: &Class, b: &Class, atoms: &[Atom]) -> bool {
    a.atoms.iter().all(|one| {
        b.atoms.iter().all(|other| {
            one == other || matches!((atoms.get(*one), atoms.get(*other)), (Some(one), Some(other)) if go_together(one.kind, other.kind))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(met: &[(Kind, &str, &[u32])]) -> Vec<String> {
        let met = met.iter().map(|(kind, name, meets)| ((*kind, (*name).to_owned()), meets.iter().copied().collect()));
        let atoms = atoms(met.collect());
        classes(&atoms).0.iter().map(|class| class.principal(&atoms).to_string()).collect()
    }

    #[test]
    fn names_that_meet_the_same_are_one_and_what_adds_nothing_is_left_out() {
        use Kind::{Group, Role, User};
        let told = found(&[(User, "anna", &[1]), (User, "berta", &[1]), (Group, "g", &[1, 2]), (Group, "h", &[3])]);
        let expected = [
            "anybody",
            "user anna or berta",
            "group g",
            "group h",
            "user anna or berta and group h",
            "group g and group h",
        ];
        assert_eq!(told, expected);
        assert_eq!(
            found(&[(User, "a", &[1]), (User, "b", &[2]), (Role, "r", &[3])]),
            ["anybody", "user a", "user b", "role r"]
        );
    }

    #[test]
    fn too_many_combinations_are_said() {
        let groups =
            |count: u32| atoms((0..count).map(|at| ((Kind::Group, at.to_string()), BTreeSet::from([at]))).collect());
        let (classes_of_ten, whole) = classes(&groups(10));
        assert_eq!((classes_of_ten.len(), whole), (COMPARED_NAMES_MAX, true));
        assert!(!classes(&groups(11)).1);
    }
}
