//! The hash tree of RFC 6962, section 2.1: roots, inclusion and consistency, as pure functions.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_crypto::Sha256Hasher;

/// A hash of the tree; shown as base64, as checkpoints write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub(crate) [u8; 32]);

impl Hash {
    /// Takes the 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the base64 form; `None` for anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    Hash(*hasher.finish().as_bytes())
}

/// The hash of an entry's bytes.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

/// The hash of two subtrees.
pub(crate) fn node_hash(left: Hash, right: Hash) -> Hash {
    hash(&[&[1], &left.0, &right.0])
}

/// The root of the tree of no entries.
pub(crate) fn empty_root() -> Hash {
    hash(&[])
}

/// The largest power of two below `n`, which is at least 2.
pub(crate) fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root over complete subtrees of one height, the last of which may be incomplete; `None` of none.
pub(crate) fn root_of(nodes: &[Hash]) -> Option<Hash> {
    match nodes {
        [] => None,
        [one] => Some(*one),
        many => {
            let (left, right) = many.split_at_checked(usize::try_from(split(many.len() as u64)).ok()?)?;
            Some(node_hash(root_of(left)?, root_of(right)?))
        }
    }
}

/// Entries from the first to before the second, whose joint hash a proof names.
pub(crate) type Range = (u64, u64);

/// The subtrees that prove entry `index` in a tree of `size`, lowest first. `index` is below `size`.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut low, mut high) = (0, size);
    let mut ranges = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The subtrees that prove a tree of `old` entries a prefix of one of `size`; none if they are equal or `old` is 0.
pub(crate) fn consistency_ranges(old: u64, size: u64) -> Vec<Range> {
    if old == 0 || old >= size {
        return Vec::new();
    }
    let (mut low, mut high) = (0, size);
    let mut ranges = Vec::new();
    while high > old {
        let middle = low + split(high - low);
        if old <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    // A complete prefix is the old root itself, which the verifier has.
    if low > 0 {
        ranges.push((low, high));
    }
    ranges.reverse();
    ranges
}

/// Whether a proof shows that an entry of this hash is at `index` of the tree of this size and root (RFC 9162,
/// section 2.1.3.2).
pub fn check_inclusion(proof: &[Hash], index: u64, leaf: Hash, size: u64, root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let ranges = inclusion_ranges(index, size);
    if ranges.len() != proof.len() {
        return false;
    }
    let joined = ranges.iter().zip(proof).fold(leaf, |hash, ((low, _), sibling)| {
        if *low > index { node_hash(hash, *sibling) } else { node_hash(*sibling, hash) }
    });
    joined == root
}

/// Whether a proof shows that the tree of `old` entries and `old_root` is a prefix of the other (RFC 9162, section
/// 2.1.4.2).
pub fn check_consistency(proof: &[Hash], old: u64, old_root: Hash, size: u64, root: Hash) -> bool {
    if old > size || (old == 0 && old_root != empty_root()) {
        return false;
    }
    if old == 0 || old == size {
        return proof.is_empty() && (old == 0 || old_root == root);
    }
    let ranges = consistency_ranges(old, size);
    if ranges.len() != proof.len() {
        return false;
    }
    let mut steps = ranges.iter().zip(proof);
    // The subtree that both trees share and that ends where the old one does.
    let seed = match ranges.first() {
        Some((_, high)) if *high == old => match steps.next() {
            Some((_, hash)) => *hash,
            None => return false,
        },
        _ => old_root,
    };
    let (mut rebuilt_old, mut rebuilt_new) = (seed, seed);
    for ((low, _), sibling) in steps {
        if *low >= old {
            rebuilt_new = node_hash(rebuilt_new, *sibling);
        } else {
            rebuilt_old = node_hash(*sibling, rebuilt_old);
            rebuilt_new = node_hash(*sibling, rebuilt_new);
        }
    }
    rebuilt_old == old_root && rebuilt_new == root
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;
    use std::collections::HashMap;

    use proptest::prelude::*;

    /// MTH, PATH and PROOF exactly as RFC 6962 defines them, by recursion over all leaves; subtrees that were hashed
    /// before are remembered, so that every size up to some hundreds can be tried.
    struct Naive {
        leaves: Vec<Hash>,
        known: RefCell<HashMap<(usize, usize), Hash>>,
    }

    impl Naive {
        fn new(leaves: usize) -> Self {
            let leaves = (0..leaves).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            Self { leaves, known: RefCell::default() }
        }

        /// The largest power of two below `n`.
        fn k(n: usize) -> usize {
            (1..).map(|power| 1 << power).find(|power| *power >= n).unwrap() / 2
        }

        fn root(&self, low: usize, high: usize) -> Hash {
            match high - low {
                0 => Hash(*lockgate_crypto::sha256(b"").as_bytes()),
                1 => self.leaves[low],
                n => {
                    let known = self.known.borrow().get(&(low, high)).copied();
                    known.unwrap_or_else(|| {
                        let middle = low + Self::k(n);
                        let joined = node_hash(self.root(low, middle), self.root(middle, high));
                        self.known.borrow_mut().insert((low, high), joined);
                        joined
                    })
                }
            }
        }

        fn path(&self, m: usize, low: usize, high: usize) -> Vec<Hash> {
            if high - low <= 1 {
                return Vec::new();
            }
            let k = Self::k(high - low);
            let (mut path, sibling) = if m < k {
                (self.path(m, low, low + k), self.root(low + k, high))
            } else {
                (self.path(m - k, low + k, high), self.root(low, low + k))
            };
            path.push(sibling);
            path
        }

        fn subproof(&self, m: usize, low: usize, high: usize, complete: bool) -> Vec<Hash> {
            if m == high - low {
                return if complete { Vec::new() } else { vec![self.root(low, high)] };
            }
            let k = Self::k(high - low);
            let (mut proof, sibling) = if m <= k {
                (self.subproof(m, low, low + k, complete), self.root(low + k, high))
            } else {
                (self.subproof(m - k, low + k, high, false), self.root(low, low + k))
            };
            proof.push(sibling);
            proof
        }

        fn hashes(&self, ranges: &[Range]) -> Vec<Hash> {
            ranges.iter().map(|(low, high)| self.root(*low as usize, *high as usize)).collect()
        }

        fn check_index(&self, index: usize, size: usize) {
            let root = self.root(0, size);
            let proof = self.hashes(&inclusion_ranges(index as u64, size as u64));
            assert_eq!(proof, self.path(index, 0, size), "{index} of {size}");
            let holds = |proof: &[Hash], index: usize, leaf, size: usize, root| {
                check_inclusion(proof, index as u64, leaf, size as u64, root)
            };
            let leaf = self.leaves[index];
            assert!(holds(&proof, index, leaf, size, root), "{index} of {size}");
            assert!(!holds(&proof, index, leaf, size, leaf_hash(b"other")));
            assert!(!holds(&proof, index, leaf_hash(b"other"), size, root));
            assert!(!holds(&proof, index + size, leaf, size, root));
            assert!(size == 1 || !holds(&proof, (index + 1) % size, leaf, size, root));
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at].0[31] ^= 1;
                assert!(!holds(&wrong, index, leaf, size, root), "{index} of {size}, hash {at}");
            }
            assert!(!holds(&Vec::from_iter(proof.iter().copied().chain([root])), index, leaf, size, root));
            assert!(proof.is_empty() || !holds(&proof[1..], index, leaf, size, root));
        }

        fn check_old(&self, old: usize, size: usize) {
            let (old_root, root) = (self.root(0, old), self.root(0, size));
            let proof = self.hashes(&consistency_ranges(old as u64, size as u64));
            assert_eq!(proof, self.subproof(old, 0, size, true), "{old} of {size}");
            let holds =
                |proof: &[Hash], old_root, root| check_consistency(proof, old as u64, old_root, size as u64, root);
            assert!(holds(&proof, old_root, root), "{old} of {size}");
            assert!(!holds(&proof, leaf_hash(b"other"), root));
            assert!(!holds(&proof, old_root, leaf_hash(b"other")));
            assert!(!check_consistency(&proof, size as u64 + 1, old_root, size as u64, root));
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at].0[0] ^= 128;
                assert!(!holds(&wrong, old_root, root), "{old} of {size}, hash {at}");
            }
            assert!(!holds(&Vec::from_iter(proof.iter().copied().chain([root])), old_root, root));
            assert!(proof.is_empty() || !holds(&proof[1..], old_root, root));
        }
    }

    #[test]
    fn roots_and_proofs_are_those_of_rfc_6962_and_hold_only_for_what_they_prove() {
        let naive = Naive::new(300);
        assert_eq!(root_of(&[]), None);
        for size in 1..=300 {
            assert_eq!(root_of(&naive.leaves[..size]), Some(naive.root(0, size)));
            // Every index of the small trees, and of the others those where subtrees meet.
            let step = if size < 70 { 1 } else { 7 };
            (0..size).step_by(step).chain([size - 1]).for_each(|index| naive.check_index(index, size));
            (1..=size).step_by(step).chain([size]).for_each(|old| naive.check_old(old, size));
        }
        assert!(check_consistency(&[], 0, empty_root(), 3, naive.root(0, 3)));
        assert!(!check_consistency(&[], 0, naive.root(0, 1), 3, naive.root(0, 3)));
        assert!(!check_consistency(&[naive.root(0, 3)], 0, empty_root(), 3, naive.root(0, 3)));
        assert!(check_consistency(&[], 0, empty_root(), 0, empty_root()));
        assert!(!check_inclusion(&[], 0, naive.leaves[0], 0, empty_root()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn larger_trees_are_those_of_rfc_6962_too(size in 1usize..3_000, index: usize, old: usize) {
            let naive = Naive::new(size);
            prop_assert_eq!(root_of(&naive.leaves), Some(naive.root(0, size)));
            naive.check_index(index % size, size);
            naive.check_old(old % size + 1, size);
        }

        #[test]
        fn no_size_is_too_large_to_say_what_a_proof_holds(size in 1u64.., index: u64, old: u64) {
            prop_assert!(inclusion_ranges(index % size, size).len() <= 64);
            prop_assert!(consistency_ranges(old % size, size).len() <= 65);
        }
    }

    #[test]
    fn the_hashes_are_those_of_rfc_6962() {
        // RFC 6962 section 2.1, and the reference values of certificate-transparency.
        assert_eq!(empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(leaf_hash(b"").to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
    }
}
