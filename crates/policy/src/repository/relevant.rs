//! The policies that can count for who asks, told from the others without touching those.
//!
//! ```text
//! index ─► mark ─► names who asks, and the access? ─► looked at, in order
//!                   no ─► is it audited for sure?  ─► the first of these
//!                          maybe ─► looked at as long as it is not known whether the access is audited
//! ```

use std::sync::Arc;

use crate::names::{AccessBits, WhoBits};
use crate::policy::Prepared;
use crate::short::Short;

/// What is known of a policy without touching it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    who: WhoBits,
    accesses: AccessBits,
    id: i64,
    /// Where it stands in the order of evaluation.
    pub(super) place: u32,
    flags: u32,
}

impl Mark {
    /// It says that accesses are audited.
    const AUDITED: u32 = 1;
    /// It counts at all times and under all conditions.
    const ALWAYS: u32 = 2;

    pub(super) fn new(policy: &Prepared, place: u32) -> Self {
        let flag = |holds: bool, flag| if holds { flag } else { 0 };
        Self {
            who: policy.gate.who.bits(),
            accesses: policy.gate.access_bits(),
            id: policy.id,
            place,
            flags: flag(policy.audited, Self::AUDITED)
                | flag(policy.schedules.is_empty() && policy.conditions.is_empty(), Self::ALWAYS),
        }
    }

    fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

/// Who asks for what, in bits.
pub(crate) struct Asker {
    pub(crate) who: WhoBits,
    pub(crate) accesses: AccessBits,
    /// Whether policies about parts of the resource count.
    pub(crate) below: bool,
    /// Whether it is known already if the access is audited.
    pub(crate) audit_is_known: bool,
}

/// Policies that can count for who asks, in the order of evaluation.
pub(crate) struct Relevant<'e> {
    policies: &'e [Arc<Prepared>],
    /// Places, each with two bits: [`STRANGER`], [`DOUBTFUL`].
    found: Short<u32, 24>,
    /// The first of the others that is about the resource and says that the access is audited.
    audits: Option<(u32, i64)>,
}

/// The policy does not name who asks, or not the access.
const STRANGER: u32 = 2;
/// It is not proved that the policy is about the resource.
const DOUBTFUL: u32 = 1;

/// One of them.
pub(crate) struct RelevantPolicy<'e> {
    pub(crate) policy: &'e Prepared,
    /// It can say only that the access is audited.
    pub(crate) is_stranger: bool,
    /// It is known to be about the resource.
    pub(crate) is_match: bool,
    /// The policy before it that says first that the access is audited.
    pub(crate) audits_before: Option<i64>,
}

impl<'e> Relevant<'e> {
    pub(super) fn new(policies: &'e [Arc<Prepared>]) -> Self {
        Self { policies, found: Short::default(), audits: None }
    }

    pub(super) fn add(&mut self, mark: &Mark, is_match: bool, asker: &Asker) {
        let is_stranger = !(asker.who.meets(&mark.who) && asker.accesses.meets(mark.accesses));
        if is_stranger {
            if asker.audit_is_known || !mark.has(Mark::AUDITED) {
                return;
            }
            if is_match && mark.has(Mark::ALWAYS) {
                if self.audits.is_none_or(|(place, _)| mark.place < place) {
                    self.audits = Some((mark.place, mark.id));
                }
                return;
            }
        }
        let bits = if is_stranger { STRANGER } else { 0 } | if is_match { 0 } else { DOUBTFUL };
        self.found.push((mark.place << 2) | bits);
    }

    /// Brings them in order; of one that was found more than once, what is proved stays.
    pub(super) fn sort(&mut self) {
        self.found.sort_distinct_by_key(|found| found >> 2);
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RelevantPolicy<'e>> + use<'_, 'e> {
        self.found.iter().filter_map(|found| {
            let place = found >> 2;
            Some(RelevantPolicy {
                policy: self.policies.get(place as usize)?,
                is_stranger: found & STRANGER != 0,
                is_match: found & DOUBTFUL == 0,
                audits_before: self.audits.filter(|(first, _)| *first < place).map(|(_, id)| id),
            })
        })
    }

    /// The first of the policies that are left out that says that the access is audited.
    pub(crate) fn audits(&self) -> Option<i64> {
        self.audits.map(|(_, id)| id)
    }
}
