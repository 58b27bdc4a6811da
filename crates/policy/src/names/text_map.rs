//! A hash map by texts, made for short ones: a text of up to 15 bytes is one number, compared and hashed as such.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::NameHasher;

/// How long a text may be that is kept as a number, in bytes.
const PACKED_BYTES_MAX: usize = 15;

/// A hash map by texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextMap<V> {
    short: HashMap<Packed, V, BuildHasherDefault<NameHasher>>,
    long: HashMap<Arc<str>, V, BuildHasherDefault<NameHasher>>,
}

/// A short text with its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Packed(u64, u64);

impl Packed {
    fn new(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > PACKED_BYTES_MAX {
            return None;
        }
        let (low, high) = bytes.split_at_checked(8).unwrap_or((bytes, &[]));
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        // The length tells a text from the same with zeros behind it.
        Some(Self(number(low), number(high) | ((bytes.len() as u64) << 56)))
    }
}

impl<V> TextMap<V> {
    pub(crate) fn get(&self, text: &str) -> Option<&V> {
        match Packed::new(text) {
            Some(packed) => self.short.get(&packed),
            None => self.long.get(text),
        }
    }

    pub(crate) fn insert(&mut self, text: &str, value: V) {
        match Packed::new(text) {
            Some(packed) => self.short.insert(packed, value),
            None => self.long.insert(text.into(), value),
        };
    }

    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_found_and_told_apart() {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let mut texts: Vec<String> = (0..=letters.len()).map(|length| letters.chars().take(length).collect()).collect();
        texts.extend(["a\0", "a\0\0", "\0", "abcdefgh\0", "ä", "aä", "ba"].map(str::to_owned));
        let mut map = TextMap::default();
        for (number, text) in texts.iter().enumerate() {
            map.insert(text, number);
        }
        assert_eq!(map.len(), texts.len());
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(map.get(text), Some(&number), "{text:?}");
        }
        assert_eq!(map.get("abd"), None);
        assert_eq!(map.get("abcdefghijklmnopqrstuvwxy!"), None);
    }
}
