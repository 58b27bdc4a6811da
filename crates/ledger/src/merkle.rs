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

/// The hash of an entry.
pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
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

    /// MTH, PATH and PROOF exactly as RFC 6962 defines them, by recursion over all leaves.
    mod naive {
        use super::*;

        pub(super) fn root(leaves: &[Hash]) -> Hash {
            match leaves {
                [] => empty_root(),
                [one] => *one,
                many => {
                    let (left, right) = many.split_at(split(many.len() as u64) as usize);
                    node_hash(root(left), root(right))
                }
            }
        }

        pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
            if leaves.len() <= 1 {
                return Vec::new();
            }
            let k = split(leaves.len() as u64) as usize;
            let (mut path, sibling) = if index < k {
                (path(index, &leaves[..k]), root(&leaves[k..]))
            } else {
                (self::path(index - k, &leaves[k..]), root(&leaves[..k]))
            };
            path.push(sibling);
            path
        }

        pub(super) fn subproof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
            if m == leaves.len() {
                return if complete { Vec::new() } else { vec![root(leaves)] };
            }
            let k = split(leaves.len() as u64) as usize;
            let (mut proof, sibling) = if m <= k {
                (subproof(m, &leaves[..k], complete), root(&leaves[k..]))
            } else {
                (subproof(m - k, &leaves[k..], false), root(&leaves[..k]))
            };
            proof.push(sibling);
            proof
        }
    }

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn hashes(ranges: &[Range], leaves: &[Hash]) -> Vec<Hash> {
        ranges.iter().map(|(low, high)| naive::root(&leaves[*low as usize..*high as usize])).collect()
    }

    #[test]
    fn roots_and_proofs_are_those_of_rfc_6962_and_hold_only_for_what_they_prove() {
        for size in 1..70usize {
            let leaves = leaves(size);
            let root = naive::root(&leaves);
            assert_eq!(root_of(&leaves), Some(root));
            for index in 0..size {
                let proof = hashes(&inclusion_ranges(index as u64, size as u64), &leaves);
                assert_eq!(proof, naive::path(index, &leaves), "{index} of {size}");
                assert!(check_inclusion(&proof, index as u64, leaves[index], size as u64, root));
                let other = (index + 1) % size;
                assert_eq!(size == 1, check_inclusion(&proof, index as u64, leaves[other], size as u64, root));
                assert!(!check_inclusion(&proof, index as u64, leaves[index], size as u64, empty_root()));
            }
            for old in 1..=size {
                let old_root = naive::root(&leaves[..old]);
                let proof = hashes(&consistency_ranges(old as u64, size as u64), &leaves);
                assert_eq!(proof, naive::subproof(old, &leaves, true), "{old} of {size}");
                assert!(check_consistency(&proof, old as u64, old_root, size as u64, root), "{old} of {size}");
                assert!(!check_consistency(&proof, old as u64, empty_root(), size as u64, root));
                assert!(!check_consistency(&proof, old as u64, old_root, size as u64, empty_root()));
                let mut longer = proof.clone();
                longer.push(root);
                assert!(!check_consistency(&longer, old as u64, old_root, size as u64, root));
            }
        }
        assert!(check_consistency(&[], 0, empty_root(), 3, naive::root(&leaves(3))));
        assert!(!check_inclusion(&[], 1, leaves(1)[0], 1, leaves(1)[0]));
    }

    #[test]
    fn the_hashes_are_those_of_rfc_6962() {
        // RFC 6962 section 2.1, and the reference values of certificate-transparency.
        assert_eq!(empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(leaf_hash(b"").to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
    }
}
