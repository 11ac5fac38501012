//! The version-1 B-tree index: keys are where chunks begin.
//!
//! Spec: III.A.1 "Version 1 B-trees", node type 1.

use crate::error::{Error, Result};
use crate::format::btree_v1::{BTreeV1Node, ChunkKey, TreeKind};
use crate::format::bytes::Address;
use crate::format::message::layout::ChunkedLayout;
use crate::index::grid::ChunkBox;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::btree_v1::{BTreeV1, Path, Walk};
use std::cmp::Ordering;

/// A tree of chunks.
#[derive(Debug)]
pub(crate) struct Index {
    tree: BTreeV1,
    chunk: Vec<u64>,
    element_size: u64,
}

impl Index {
    pub(crate) fn new(root: Address, grid: &ChunkGrid) -> Self {
        let key_width = BTreeV1Node::chunk_key_width(grid.rank());
        let tree = BTreeV1::new(root, TreeKind::Chunk, key_width);
        Self { tree, chunk: grid.chunk.clone(), element_size: grid.element_size }
    }
}

impl Index {
    /// Where a chunk begins, in elements.
    fn offsets(&self, coords: &[u64]) -> Option<Vec<u64>> {
        coords.iter().zip(&self.chunk).map(|(coord, side)| coord.checked_mul(*side)).collect()
    }

    /// A tree without chunks, as the layout message will lead to.
    pub(crate) fn create(md: &Metadata, grid: &ChunkGrid) -> Result<Address> {
        let key_width = BTreeV1Node::chunk_key_width(grid.rank());
        Ok(BTreeV1::create(md, TreeKind::Chunk, key_width)?.root())
    }

    /// The way to the chunk at `target`, or to the one before it, and how that one is to it.
    fn path(&self, md: &Metadata, target: &[u64]) -> Result<(Path, Ordering)> {
        let rank = self.chunk.len();
        let compare = |key: &[u8]| ChunkKey(key).offsets().take(rank).cmp(target.iter().copied());
        let path = self.tree.path(md, &mut |node| Ok(child_for(node, compare).unwrap_or(0)))?;
        let order = path.leaf().key(path.index()).map_or(Ordering::Less, compare);
        Ok((path, order))
    }

    /// The key beyond all chunks up to `target`: one chunk and one element further, as libhdf5 says it.
    fn beyond(&self, target: &[u64]) -> Result<Vec<u8>> {
        let next = target.iter().zip(&self.chunk).map(|(offset, side)| offset.saturating_add(*side));
        ChunkKey::encode(0, 0, next.chain([self.element_size]))
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, md: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        let Some(target) = self.offsets(coords) else { return Ok(None) };
        let rank = self.chunk.len();
        let compare = |key: &[u8]| ChunkKey(key).offsets().take(rank).cmp(target.iter().copied());
        let mut inside = vec![0; rank];
        let found = self.tree.descend(md, &mut |node| {
            let child = child_for(node, compare);
            let leaf = node.key(child.unwrap_or(0)).filter(|_| node.level == 0);
            // One that begins elsewhere in this chunk, and no other, would be in its way.
            match leaf {
                Some(key) if !scale(key, &self.chunk, &mut inside) && inside == coords => {
                    Err(off_grid(key, &self.chunk))
                }
                _ => Ok(child),
            }
        })?;
        let Some((leaf, index)) = found else { return Ok(None) };
        match leaf.key(index) {
            Some(key) if compare(key) == Ordering::Equal => Ok(stored(key, leaf.child(index))),
            _ => Ok(None),
        }
    }

    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        let rank = self.chunk.len();
        if first.len() != rank || last.len() != rank {
            return Err(Error::usage(format!("a box of {} axes, {rank} expected", first.len())));
        }
        let wanted = ChunkBox { first, last };
        let (low, high) = (vec![0; rank], vec![0; rank]);
        self.tree.walk(md, &mut Chunks { chunk: &self.chunk, wanted, low, high, found })
    }

    fn insert(&self, md: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        let target = self.offsets(coords).filter(|target| target.len() == self.chunk.len());
        let target = target.ok_or_else(|| Error::usage(format!("no chunk {coords:?} in a B-tree")))?;
        let key = ChunkKey::encode(chunk.size, chunk.filter_mask, target.iter().copied().chain([0]))?;
        let (path, order) = self.path(md, &target)?;
        if path.is_empty() {
            self.tree.first(md, &key, chunk.address, &self.beyond(&target)?)?;
            return Ok(None);
        }
        let at = path.index();
        match order {
            Ordering::Equal => {
                self.tree.set_key(md, &path, at, &key)?;
                self.tree.set_child(md, &path, chunk.address)?;
            }
            Ordering::Greater => self.tree.insert(md, &path, at, &key, chunk.address)?,
            Ordering::Less => {
                let last = path.leaf().last_key().unwrap_or_default();
                if ChunkKey(last).offsets().le(target.iter().copied().chain([0])) {
                    self.tree.raise(md, &path, &self.beyond(&target)?)?;
                }
                self.tree.insert(md, &path, at.saturating_add(1), &key, chunk.address)?;
            }
        }
        Ok(None)
    }

    fn remove(&self, md: &Metadata, coords: &[u64]) -> Result<Removed> {
        let Some(target) = self.offsets(coords) else { return Ok(Removed::default()) };
        let (path, order) = self.path(md, &target)?;
        if path.is_empty() || order != Ordering::Equal {
            return Ok(Removed::default());
        }
        let chunk = path.leaf().key(path.index()).and_then(|key| stored(key, path.child()));
        self.tree.remove(md, &path)?;
        Ok(Removed { chunk, layout: None })
    }

    fn delete(&self, md: &Metadata) -> Result<()> {
        self.tree.delete(md)
    }
}

/// The last child whose key is not after what is sought.
fn child_for(node: &BTreeV1Node, compare: impl Fn(&[u8]) -> Ordering) -> Option<usize> {
    let (mut low, mut high) = (0, node.entries());
    while low < high {
        let middle = usize::midpoint(low, high);
        if compare(node.key(middle)?) == Ordering::Greater {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low.checked_sub(1)
}

fn stored(key: &[u8], address: Option<Address>) -> Option<StoredChunk> {
    let key = ChunkKey(key);
    Some(StoredChunk { address: address?, size: key.size().into(), filter_mask: key.filter_mask() })
}

struct Chunks<'a> {
    chunk: &'a [u64],
    wanted: ChunkBox<'a>,
    /// Room for coordinates.
    low: Vec<u64>,
    high: Vec<u64>,
    found: &'a mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
}

fn off_grid(key: &[u8], chunk: &[u64]) -> Error {
    let offsets: Vec<u64> = ChunkKey(key).offsets().take(chunk.len()).collect();
    let within = ChunkKey(key).offsets().nth(chunk.len()).unwrap_or(0);
    if within != 0 {
        return Error::malformed(format!(
            "B-tree has a chunk at {offsets:?} that begins at byte {within} of an element, expected 0"
        ));
    }
    Error::malformed(format!("B-tree has a chunk at {offsets:?}, which is no multiple of {chunk:?}"))
}

/// Key as chunk coordinates; false when it is not at the beginning of a chunk.
fn scale(key: &[u8], chunk: &[u64], coords: &mut [u64]) -> bool {
    let mut exact = ChunkKey(key).offsets().nth(chunk.len()) == Some(0);
    for ((coord, offset), side) in coords.iter_mut().zip(ChunkKey(key).offsets()).zip(chunk) {
        *coord = offset / side;
        exact &= *coord * side == offset;
    }
    exact
}

impl Walk for Chunks<'_> {
    fn wants(&mut self, low: &[u8], high: &[u8]) -> bool {
        scale(low, self.chunk, &mut self.low);
        scale(high, self.chunk, &mut self.high);
        self.wanted.meets(&mut self.low, &self.high)
    }

    fn found(&mut self, low: &[u8], child: Option<Address>, _: &[u8]) -> Result<()> {
        let exact = scale(low, self.chunk, &mut self.low);
        if !self.wanted.contains(&self.low) {
            return Ok(());
        }
        if !exact {
            return Err(off_grid(low, self.chunk));
        }
        stored(low, child).map_or(Ok(()), |chunk| (self.found)(&self.low, chunk))
    }

    /// What is wanted is told by the first key of each alone.
    fn leaf(&mut self, node: &BTreeV1Node) -> Result<()> {
        let children = (0..node.entries()).filter_map(|index| Some((node.key(index)?, node.child(index))));
        { children }.try_for_each(|(key, child)| self.found(key, child, key))
    }
}
