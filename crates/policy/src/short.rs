//! A list that is short nearly always: its first items need no memory of their own.

use std::ops::{Deref, DerefMut};

/// A list whose first `N` items are kept in place.
#[derive(Debug, Clone)]
pub(crate) struct Short<T, const N: usize> {
    few: [T; N],
    length: usize,
    /// All items, once there are more than `N`.
    many: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Default for Short<T, N> {
    fn default() -> Self {
        Self { few: [T::default(); N], length: 0, many: Vec::new() }
    }
}

impl<T: Copy + Default, const N: usize> Short<T, N> {
    pub(crate) fn push(&mut self, item: T) {
        if !self.many.is_empty() {
            self.many.push(item);
        } else if let Some(slot) = self.few.get_mut(self.length) {
            *slot = item;
            self.length += 1;
        } else {
            self.many.reserve(4 * N);
            self.many.extend_from_slice(&self.few);
            self.many.push(item);
        }
    }

    /// Keeps the first items, at least one: an empty `many` would mean that the items are in place.
    fn keep(&mut self, count: usize) {
        self.length = self.length.min(count);
        self.many.truncate(count.max(1));
    }

    /// Sorts, and keeps the first of those that have one key.
    pub(crate) fn sort_distinct_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K)
    where
        T: Ord,
    {
        if self.len() < 2 {
            return;
        }
        self.sort_unstable();
        let mut kept = 1;
        for at in 1..self.len() {
            let (Some(item), Some(last)) = (self.get(at).copied(), self.get(kept - 1)) else { break };
            if key(&item) != key(last) {
                if let Some(slot) = self.get_mut(kept) {
                    *slot = item;
                }
                kept += 1;
            }
        }
        self.keep(kept);
    }
}

impl<T: Copy + Default, const N: usize> Extend<T> for Short<T, N> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T: Copy + Default, const N: usize> FromIterator<T> for Short<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        list.extend(items);
        list
    }
}

impl<T, const N: usize> Deref for Short<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        if self.many.is_empty() { self.few.get(..self.length).unwrap_or_default() } else { &self.many }
    }
}

impl<T, const N: usize> DerefMut for Short<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        if self.many.is_empty() { self.few.get_mut(..self.length).unwrap_or_default() } else { &mut self.many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_kept_on_either_side_of_what_fits_in_place() {
        for count in 0_u32..10 {
            let list: Short<u32, 4> = (0..count).collect();
            assert_eq!(&*list, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sorting_keeps_the_first_of_each_key() {
        for count in [3_u32, 4, 5, 9] {
            let mut list: Short<u32, 4> = (0..count).rev().collect();
            list.sort_distinct_by_key(|item| item / 2);
            assert_eq!(&*list, (0..count).step_by(2).collect::<Vec<_>>());
        }
        let mut same: Short<u32, 2> = [7, 7, 7, 7].into_iter().collect();
        same.sort_distinct_by_key(|item| *item);
        assert_eq!(&*same, [7]);
    }
}
