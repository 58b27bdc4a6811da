//! Numbers for names: users, groups, roles and kinds of access are compared as numbers, each text kept once.

mod bits;
mod text_map;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

pub(crate) use bits::{AccessBits, WhoBits};
pub(crate) use text_map::TextMap;

/// A name's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Symbol(u32);

/// A hash map by numbers of names.
pub(crate) type SymbolMap<V> = HashMap<Symbol, V, BuildHasherDefault<NameHasher>>;

/// The names of an engine; what a request names and no policy does has no number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    numbers: TextMap<Symbol>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name, a new one if it has none.
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(text) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.into());
        self.numbers.insert(text, symbol);
        symbol
    }

    /// The numbers of names, sorted.
    pub(crate) fn intern_all<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) -> Box<[Symbol]> {
        let mut symbols: Vec<_> = texts.into_iter().map(|text| self.intern(text)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols.into()
    }

    /// The number of a name that was interned.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        self.numbers.get(text).copied()
    }

    /// The name of a number.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol.0 as usize).map(|text| &**text).unwrap_or_default()
    }
}

/// Hashes short texts fast. Only the texts of policies are put into maps, so nobody who asks can make them slow.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct NameHasher(u64);

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl NameHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.add(<[u8; 8]>::try_from(word).map_or(0, u64::from_le_bytes));
        }
        self.add(words.remainder().iter().fold(0x80, |sum, byte| (sum << 8) | u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

/// In which order Java's `HashSet` gives its elements, which decides in Ranger which of several equal results is
/// reported: by slot of the table, and in a slot by insertion. `hashes` are the elements' hashes in that order.
pub(crate) fn hash_set_order(hashes: &[i32]) -> Vec<usize> {
    hash_set_order_from(hashes, 16)
}

/// The same of a set that was made for a number of elements.
pub(crate) fn hash_set_order_from(hashes: &[i32], made_for: usize) -> Vec<usize> {
    let mut slots = made_for.next_power_of_two();
    while hashes.len() > slots * 3 / 4 {
        slots *= 2;
    }
    let slot = |hash: i32| {
        let spread = hash.cast_unsigned() ^ (hash.cast_unsigned() >> 16);
        spread as usize & (slots - 1)
    };
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    order.sort_by_key(|at| hashes.get(*at).copied().map_or(0, slot));
    order
}

/// Java's `String.hashCode`.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number() {
        let mut names = Names::default();
        let (a, b) = (names.intern("anna"), names.intern("ben"));
        assert_ne!(a, b);
        assert_eq!(names.intern("anna"), a);
        assert_eq!((names.find("ben"), names.find("carl")), (Some(b), None));
        assert_eq!(names.text(b), "ben");
    }

    #[test]
    fn texts_of_all_lengths_hash_apart() {
        let texts = ["", "a", "b", "ab", "ba", "abcdefgh", "abcdefgi", "abcdefghi", "\0", "\0\0"];
        let hash_of = |text: &str| {
            let mut hasher = NameHasher::default();
            hasher.write(text.as_bytes());
            hasher.finish()
        };
        let hashes: std::collections::BTreeSet<u64> = texts.iter().map(|text| hash_of(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn java_s_order_is_known() {
        // What `new HashSet<>(List.of("select", "update", "create", "drop"))` prints.
        let names = ["select", "update", "create", "drop"];
        let order = hash_set_order(&names.map(string_hash));
        let ordered: Vec<_> = order.into_iter().map(|at| names[at]).collect();
        // What a set of "z1" and "z2" prints that was made for two, and for sixteen.
        let zones = ["z1", "z2"].map(string_hash);
        assert_eq!((hash_set_order_from(&zones, 2), hash_set_order(&zones)), (vec![1, 0], vec![0, 1]));
        assert_eq!((string_hash("select"), string_hash("drop")), (-906_021_636, 3_092_207));
        assert_eq!(ordered, ["drop", "select", "update", "create"]);
    }
}
