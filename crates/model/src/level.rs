//! Classification levels: a totally ordered lattice that a project may rename or extend.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most levels a project may declare.
pub const LEVELS_MAX: usize = 32;

/// How a level's data must travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportSecurity {
    /// TLS with the server's certificate verified.
    Tls,
    /// TLS with both sides' certificates verified.
    Mtls,
}

/// What a level demands of the places that its data goes through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelRules {
    /// The least security in transit; `None` demands nothing.
    pub transport: Option<TransportSecurity>,
    /// Whether values must be sealed where they are stored, even where readers may see them in the clear.
    pub sealed_at_rest: bool,
    /// Whether the key-encryption key must be one that the project's owner controls.
    pub customer_managed_key: bool,
    /// After how many days a column key starts a new period; `None` is never.
    pub rotate_days: Option<u32>,
}

/// One level of a [`Lattice`]; ordered by restriction. Comparing levels of two lattices has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The more restricted of two.
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The levels of a project, least restricted first, each with what it demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lattice(Vec<(String, LevelRules)>);

/// Why a list of levels is no lattice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LatticeError {
    /// No level at all.
    #[error("a project needs at least one level")]
    Empty,
    /// More than [`LEVELS_MAX`].
    #[error("{0} levels are more than the {LEVELS_MAX} a project may declare")]
    TooMany(usize),
    /// Two levels of one name.
    #[error("level `{0}` is declared twice")]
    Twice(String),
}

impl Default for Lattice {
    /// Public < Internal < Confidential < Restricted, with the demands that DESIGN gives them.
    fn default() -> Self {
        use TransportSecurity::{Mtls, Tls};
        let rules = |transport, sealed, rotate_days| LevelRules {
            transport,
            sealed_at_rest: sealed,
            customer_managed_key: sealed,
            rotate_days,
        };
        Self(vec![
            ("public".into(), rules(None, false, None)),
            ("internal".into(), rules(Some(Tls), false, None)),
            ("confidential".into(), rules(Some(Tls), true, None)),
            ("restricted".into(), rules(Some(Mtls), true, Some(90))),
        ])
    }
}

impl Lattice {
    /// Takes the levels, least restricted first.
    pub fn new(levels: Vec<(String, LevelRules)>) -> Result<Self, LatticeError> {
        if levels.is_empty() {
            return Err(LatticeError::Empty);
        }
        if levels.len() > LEVELS_MAX {
            return Err(LatticeError::TooMany(levels.len()));
        }
        let mut seen = std::collections::BTreeSet::new();
        match levels.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((twice, _)) => Err(LatticeError::Twice(twice.clone())),
            None => Ok(Self(levels)),
        }
    }

    /// The level of that name, if the project has it.
    pub fn level(&self, name: &str) -> Option<Level> {
        self.0.iter().zip(0u8..).find(|((known, _), _)| known == name).map(|(_, index)| Level(index))
    }

    /// The least restricted level.
    pub const fn lowest(&self) -> Level {
        Level(0)
    }

    /// The name of a level of this lattice; `?` for a level of another.
    pub fn name(&self, level: Level) -> &str {
        self.0.get(usize::from(level.0)).map_or("?", |(name, _)| name)
    }

    /// What a level demands: the union of its own demands and those of every level below it, so that a more
    /// restricted level is never handled more loosely.
    pub fn rules(&self, level: Level) -> LevelRules {
        self.0.iter().take(usize::from(level.0) + 1).fold(LevelRules::default(), |all, (_, own)| LevelRules {
            transport: all.transport.max(own.transport),
            sealed_at_rest: all.sealed_at_rest || own.sealed_at_rest,
            customer_managed_key: all.customer_managed_key || own.customer_managed_key,
            rotate_days: match (all.rotate_days, own.rotate_days) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        })
    }

    /// The names, least restricted first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl fmt::Display for Lattice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(" < "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_lattice_is_ordered_and_named() {
        let lattice = Lattice::default();
        assert_eq!(lattice.to_string(), "public < internal < confidential < restricted");
        let level = |name| lattice.level(name).unwrap();
        assert!(level("public") < level("internal") && level("confidential") < level("restricted"));
        assert_eq!(level("public").join(level("restricted")), level("restricted"));
        assert_eq!(lattice.level("Public"), None);
    }

    #[test]
    fn a_level_inherits_the_demands_below_it() {
        let strict = LevelRules { sealed_at_rest: true, rotate_days: Some(30), ..LevelRules::default() };
        let lattice = Lattice::new(vec![
            ("low".into(), LevelRules::default()),
            ("middle".into(), strict),
            ("high".into(), LevelRules { rotate_days: Some(90), ..LevelRules::default() }),
        ])
        .unwrap();
        let high = lattice.rules(lattice.level("high").unwrap());
        assert!(high.sealed_at_rest);
        assert_eq!(high.rotate_days, Some(30));
        assert!(!lattice.rules(lattice.lowest()).sealed_at_rest);
    }

    #[test]
    fn empty_doubled_and_oversized_lattices_are_refused() {
        let levels = |n: usize| (0..n).map(|i| (format!("l{i}"), LevelRules::default())).collect::<Vec<_>>();
        assert_eq!(Lattice::new(vec![]), Err(LatticeError::Empty));
        assert!(Lattice::new(levels(LEVELS_MAX)).is_ok());
        assert_eq!(Lattice::new(levels(LEVELS_MAX + 1)), Err(LatticeError::TooMany(LEVELS_MAX + 1)));
        let twice = vec![("a".into(), LevelRules::default()), ("a".into(), LevelRules::default())];
        assert_eq!(Lattice::new(twice), Err(LatticeError::Twice("a".into())));
    }
}
