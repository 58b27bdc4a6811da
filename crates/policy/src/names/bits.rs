//! Sets of names as bits: what tells fast that two sets have nothing in common.

use super::{MULTIPLIER, Symbol};

/// 256 bits for a set of users, groups and roles: two sets whose bits have none in common have nobody in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WhoBits([u64; 4]);

impl WhoBits {
    /// Of a set that means anybody: it has something in common with everybody who asks.
    pub(crate) const ANYBODY: Self = Self([u64::MAX; 4]);

    /// Of users, groups and roles.
    pub(crate) fn of<'s>(
        users: impl IntoIterator<Item = &'s Symbol>,
        groups: impl IntoIterator<Item = &'s Symbol>,
        roles: impl IntoIterator<Item = &'s Symbol>,
    ) -> Self {
        let mut bits = Self::default();
        users.into_iter().for_each(|name| bits.add(*name, 0));
        groups.into_iter().for_each(|name| bits.add(*name, 1));
        roles.into_iter().for_each(|name| bits.add(*name, 2));
        bits
    }

    /// Of who asks: with one bit at least, which those have that mean anybody.
    pub(crate) fn of_caller(mut self) -> Self {
        let [word, ..] = &mut self.0;
        *word |= 1;
        self
    }

    /// A user, a group and a role of one name have different bits.
    fn add(&mut self, name: Symbol, kind: u32) {
        let hash = u64::from(name.0.wrapping_mul(4).wrapping_add(kind)).wrapping_mul(MULTIPLIER) >> 56;
        if let Some(word) = usize::try_from(hash >> 6).ok().and_then(|at| self.0.get_mut(at)) {
            *word |= 1 << (hash & 63);
        }
    }

    /// Whether two sets may have somebody in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |common, (own, other)| common | (own & other)) != 0
    }
}

/// 64 bits for a set of kinds of access: two sets whose bits have none in common have no kind in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AccessBits(u64);

impl AccessBits {
    /// Of every kind, be it one that no policy names.
    pub(crate) const EVERY: Self = Self(u64::MAX);

    /// Of named kinds.
    pub(crate) fn of(names: impl IntoIterator<Item = Symbol>) -> Self {
        // The last bit is only that of every kind.
        let bit = |name: Symbol| 1 << (u64::from(name.0).wrapping_mul(MULTIPLIER) >> 58).min(62);
        Self(names.into_iter().fold(0, |bits, name| bits | bit(name)))
    }

    /// Of what is asked for: with one bit at least, which those have that are every kind.
    pub(crate) fn of_request(self) -> Self {
        Self(self.0 | (1 << 63))
    }

    /// Whether two sets may have a kind in common.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_with_a_name_in_common_meet() {
        for number in 0..500 {
            let (name, other) = (Symbol(number), Symbol(number + 1));
            let own = WhoBits::of(&[name], &[], &[]);
            assert!(own.meets(&WhoBits::of(&[other, name], &[], &[]).of_caller()));
            assert!(WhoBits::ANYBODY.meets(&WhoBits::default().of_caller()));
            assert!(!WhoBits::default().meets(&own.of_caller()));
            let access = AccessBits::of([name]);
            assert!(access.meets(AccessBits::of([other, name]).of_request()));
            assert!(AccessBits::EVERY.meets(AccessBits::default().of_request()));
            assert!(!AccessBits::default().meets(access.of_request()));
        }
    }

    #[test]
    fn most_sets_without_a_name_in_common_do_not_meet() {
        let user = WhoBits::of(&[Symbol(7)], &[], &[]);
        let met = (0..1000).filter(|number| user.meets(&WhoBits::of(&[], &[Symbol(*number)], &[]))).count();
        assert!(met < 20, "{met}");
    }
}
