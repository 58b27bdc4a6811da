//! How a decision came about: a list of steps, kept only if somebody asks.

use std::fmt;

use crate::resource::MatchType;

/// Takes the steps of an evaluation. [`Silent`] takes none, and costs nothing.
pub(crate) trait Sink {
    /// Notes a step; `step` is made only if it is kept.
    fn note(&mut self, step: impl FnOnce() -> Step);

    /// Whether steps are kept.
    fn listens(&self) -> bool;
}

/// Keeps nothing.
pub(crate) struct Silent;

impl Sink for Silent {
    fn note(&mut self, _step: impl FnOnce() -> Step) {}

    fn listens(&self) -> bool {
        false
    }
}

/// The steps of an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// In the order in which they were taken.
    pub steps: Vec<Step>,
}

impl Sink for Explanation {
    fn note(&mut self, step: impl FnOnce() -> Step) {
        self.steps.push(step());
    }

    fn listens(&self) -> bool {
        true
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing was evaluated.
    Refused {
        /// Why.
        why: String,
    },
    /// The policies of a zone are evaluated.
    Zone {
        /// Its name.
        name: String,
    },
    /// Who asks is a super user.
    SuperUser,
    /// The resource has a tag.
    Tag {
        /// Its kind.
        name: String,
        /// How the tagged resource relates to the requested one.
        match_type: MatchType,
        /// Whether it counts now.
        is_valid: bool,
    },
    /// A policy that covers the resource was looked at.
    Policy(PolicyStep),
    /// A dataset or project gives the resource.
    Shared {
        /// Through which datasets.
        datasets: Vec<String>,
        /// Through which projects.
        projects: Vec<String>,
    },
}

/// A policy that covers the resource, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStep {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<i64>,
    /// Its zone.
    pub zone: Option<String>,
    /// The tag that it is about.
    pub tag: Option<String>,
    /// What came of it.
    pub outcome: PolicyOutcome,
}

/// What came of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// It does not count now.
    NotNow,
    /// A condition of the policy does not hold.
    Condition {
        /// Which.
        kind: String,
        /// Why it can't be decided, if it can't.
        unknown: Option<String>,
    },
    /// Its items were looked at, for one kind of access each.
    Items(Vec<ItemStep>),
    /// It was settled before.
    Settled,
    /// It says nothing about who asks, or not for this kind of access.
    NobodyFits,
}

/// An item of a policy, and whether it matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemStep {
    /// The kind of access it was looked at for.
    pub access: String,
    /// Which list it is in.
    pub list: ItemList,
    /// Its place in the list, counted from 0.
    pub index: usize,
    /// What it lacks, or nothing if it matched.
    pub missing: Option<Missing>,
}

/// The lists of items that a policy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemList {
    /// Who is allowed.
    Allow,
    /// Whom that does not cover.
    AllowException,
    /// Who is denied.
    Deny,
    /// Whom that does not cover.
    DenyException,
    /// Who sees what masked, or which rows.
    Outcome,
    /// Everybody else is denied.
    DenyAllElse,
}

/// What an item lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It is not about who asks.
    Who,
    /// It is not about this kind of access.
    Access,
    /// A condition does not hold.
    Condition {
        /// Which.
        kind: String,
        /// Why it can't be decided, if it can't.
        unknown: Option<String>,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { why } => write!(f, "nothing was evaluated: {why}"),
            Self::Zone { name } => write!(f, "the resource is in zone `{name}`"),
            Self::SuperUser => f.write_str("who asks is a super user"),
            Self::Tag { name, match_type, is_valid } => {
                let relation = match match_type {
                    MatchType::Above => "what the resource is a part of has",
                    MatchType::Below => "a part of the resource has",
                    _ => "the resource has",
                };
                let now = if *is_valid { "" } else { ", which does not count now" };
                write!(f, "{relation} the tag `{name}`{now}")
            }
            Self::Policy(step) => step.fmt(f),
            Self::Shared { datasets, projects } => {
                write!(f, "shared through datasets {datasets:?} and projects {projects:?}")
            }
        }
    }
}

impl fmt::Display for PolicyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {} `{}`", self.id, self.name)?;
        if let Some(version) = self.version {
            write!(f, " version {version}")?;
        }
        if let Some(tag) = &self.tag {
            write!(f, " on tag `{tag}`")?;
        }
        f.write_str(": ")?;
        match &self.outcome {
            PolicyOutcome::NotNow => f.write_str("does not count now"),
            PolicyOutcome::Condition { kind, unknown } => write_condition(f, kind, unknown.as_deref()),
            PolicyOutcome::Settled => f.write_str("covers the resource; the decision was settled before"),
            PolicyOutcome::NobodyFits => f.write_str("covers the resource, but not who asks or not this access"),
            PolicyOutcome::Items(items) => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_str("; ")?;
                    }
                    item.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

fn write_condition(f: &mut fmt::Formatter<'_>, kind: &str, unknown: Option<&str>) -> fmt::Result {
    match unknown {
        Some(why) => write!(f, "condition `{kind}` can't be decided: {why}"),
        None => write!(f, "condition `{kind}` does not hold"),
    }
}

impl fmt::Display for ItemStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = match self.list {
            ItemList::Allow => "allow",
            ItemList::AllowException => "allow exception",
            ItemList::Deny => "deny",
            ItemList::DenyException => "deny exception",
            ItemList::Outcome => "item",
            ItemList::DenyAllElse => return write!(f, "denies `{}` to everybody else", self.access),
        };
        write!(f, "{list} {} for `{}` ", self.index + 1, self.access)?;
        match &self.missing {
            None => f.write_str("matches"),
            Some(Missing::Who) => f.write_str("is not about who asks"),
            Some(Missing::Access) => f.write_str("is not about this access"),
            Some(Missing::Condition { kind, unknown }) => write_condition(f, kind, unknown.as_deref()),
        }
    }
}
