//! The right edge of the tree: what appending needs, and what verification rebuilds.

use crate::merkle::{Hash, empty_root, root_of};
use crate::tile::{TILE_WIDTH, tile_path};

/// The unfinished tile of each level, lowest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    edge: Vec<Vec<Hash>>,
}

/// A tile that is complete now, or unfinished at the end.
pub(crate) struct Tile {
    pub(crate) level: usize,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
}

impl Tile {
    pub(crate) fn path(&self) -> String {
        tile_path(self.level, self.index, self.hashes.len() as u64)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

impl Tree {
    /// The tree of `size` entries with these unfinished tiles.
    pub(crate) fn from_edge(size: u64, edge: Vec<Vec<Hash>>) -> Self {
        Self { size, edge }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How many hashes a level has in a tree of `size` entries.
    pub(crate) fn count(size: u64, level: usize) -> u64 {
        u32::try_from(level * 8).ok().and_then(|shift| size.checked_shr(shift)).unwrap_or(0)
    }

    /// Appends an entry's hash; gives the tiles that it completes, lowest first.
    pub(crate) fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        self.size += 1;
        let mut complete = Vec::new();
        let mut next = Some(leaf);
        let mut level = 0;
        while let Some(hash) = next.take() {
            if self.edge.len() == level {
                self.edge.push(Vec::new());
            }
            let Some(tile) = self.edge.get_mut(level) else { break };
            tile.push(hash);
            if tile.len() as u64 == TILE_WIDTH {
                let hashes = std::mem::take(tile);
                next = root_of(&hashes);
                complete.push(Tile { level, index: Self::count(self.size, level) / TILE_WIDTH - 1, hashes });
                level += 1;
            }
        }
        complete
    }

    /// The unfinished tiles that are not empty, lowest first.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Tile> {
        let tile = |(level, hashes): (usize, &Vec<Hash>)| Tile {
            level,
            index: Self::count(self.size, level) / TILE_WIDTH,
            hashes: hashes.clone(),
        };
        self.edge.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(tile)
    }

    /// The root over all entries.
    pub(crate) fn root(&self) -> Hash {
        let mut below: Option<Hash> = None;
        for tile in &self.edge {
            let nodes: Vec<Hash> = tile.iter().copied().chain(below).collect();
            below = root_of(&nodes);
        }
        below.unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    #[test]
    fn the_edge_gives_the_root_of_all_leaves() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        assert_eq!(tree.root(), empty_root());
        for i in 0..70_000u32 {
            let leaf = leaf_hash(&i.to_be_bytes());
            leaves.push(leaf);
            let complete = tree.push(leaf);
            assert_eq!(complete.len(), usize::from((i + 1) % 256 == 0) + usize::from((i + 1) % 65_536 == 0));
            if i < 600 || i % 9_999 == 0 || (65_530..65_540).contains(&i) {
                assert_eq!(Some(tree.root()), root_of(&leaves), "{i}");
            }
        }
    }
}
