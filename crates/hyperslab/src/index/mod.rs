//! Chunk coordinates to stored chunks: one index per dataset, opened from its layout message.

mod array;
mod btree_v1;
mod btree_v2;
mod extensible_array;
mod fixed_array;
mod grid;
mod implicit;
mod single;

pub(crate) use crate::index::grid::ChunkGrid;

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Bounds};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::metadata::Metadata;
use std::fmt::Debug;

/// Where a chunk is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredChunk {
    pub(crate) address: Address,
    /// Stored bytes.
    pub(crate) size: u64,
    /// Bit n set: filter n was skipped.
    pub(crate) filter_mask: u32,
}

/// What was removed from an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Removed {
    /// The chunk, whose bytes are still there; none when there was none, or when it keeps its place for good.
    pub(crate) chunk: Option<StoredChunk>,
    /// The new layout message, when that changed.
    pub(crate) layout: Option<ChunkedLayout>,
}

/// Finds and keeps chunks. Coordinates count chunks, not elements.
///
/// An index holds nothing that changes but what its layout message says: when a change gives a new message,
/// store that and open the index anew.
pub(crate) trait ChunkIndex: Debug + Send + Sync {
    /// The chunk at `coords`; none when it was never written.
    fn lookup(&self, md: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>>;

    /// Keeps where the chunk at `coords` is, in place of where it was; what it left behind is for the caller to free.
    ///
    /// Gives the new layout message, when that changed.
    fn insert(&self, md: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>>;

    /// Forgets the chunk at `coords`; its bytes are for the caller to free.
    fn remove(&self, md: &Metadata, coords: &[u64]) -> Result<Removed>;

    /// Frees the blocks of the index, but none of the chunks that a visit of all would find.
    fn delete(&self, md: &Metadata) -> Result<()>;

    /// Every stored chunk of the box from `first` to `last`, both inclusive.
    ///
    /// Reads only the nodes and pages the box needs, each once.
    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()>;
}

/// The index of a dataset; nothing is read yet.
///
/// `filtered` says whether the dataset has filters, so whether chunks have sizes of their own.
pub(crate) fn open(layout: &ChunkedLayout, grid: &ChunkGrid, filtered: bool) -> Result<Box<dyn ChunkIndex>> {
    grid.check()?;
    let Some(address) = layout.address else {
        return Ok(Box::new(Empty { layout: layout.clone(), grid: grid.clone(), filtered }));
    };
    Ok(match layout.indexing {
        ChunkIndexing::BTreeV1 => Box::new(btree_v1::Index::new(address, grid)),
        ChunkIndexing::Single { filtered: stored } => {
            if filtered && stored.is_none() && !layout.edge_unfiltered() {
                return Err(Error::malformed(
                    "a single chunk has filters, but its layout has no stored size",
                ));
            }
            Box::new(single::Index::new(layout, address, stored, grid)?)
        }
        ChunkIndexing::Implicit if filtered => {
            return Err(Error::malformed("an implicit chunk index cannot have filters"));
        }
        ChunkIndexing::Implicit => Box::new(implicit::Index::new(address, grid)?),
        ChunkIndexing::FixedArray { .. } => Box::new(fixed_array::Index::new(address, grid, filtered)?),
        ChunkIndexing::ExtensibleArray { .. } => {
            Box::new(extensible_array::Index::new(address, grid, filtered)?)
        }
        ChunkIndexing::BTreeV2 { .. } => Box::new(btree_v2::Index::new(address, grid, filtered)?),
    })
}

/// What decides, besides its extent, how the chunks of a new dataset are found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Creation {
    /// Whether the dataset has filters.
    pub(crate) filtered: bool,
    /// Whether all chunks are allocated at once.
    pub(crate) early: bool,
    /// Whether chunks that the extent cuts are stored without the filters.
    pub(crate) edge_unfiltered: bool,
}

/// The layout message of a new chunked dataset, with the index libhdf5 would choose.
///
/// Only an implicit index is made at once, as room for all chunks; any other with the first chunk.
pub(crate) fn create(md: &Metadata, grid: &ChunkGrid, creation: Creation) -> Result<ChunkedLayout> {
    grid.check()?;
    let newest = md.bounds() == Bounds::V110 || creation.edge_unfiltered;
    let indexing = if newest { choose(grid, creation) } else { ChunkIndexing::BTreeV1 };
    let single_filtered = matches!(indexing, ChunkIndexing::Single { filtered: Some(_) });
    let address = match indexing {
        ChunkIndexing::Implicit => Some(implicit::Index::create(md, grid)?),
        _ => None,
    };
    Ok(ChunkedLayout {
        version: if newest { 4 } else { 3 },
        chunk: grid.chunk.clone(),
        element_size: grid.element_size,
        flags: u8::from(creation.edge_unfiltered) | (u8::from(single_filtered) << 1),
        indexing,
        address,
    })
}

fn choose(grid: &ChunkGrid, creation: Creation) -> ChunkIndexing {
    let fixed = |(dim, max): (&u64, &Option<u64>)| Some(*dim) == *max;
    match grid.max.iter().filter(|max| max.is_none()).count() {
        0 if grid.dims == grid.chunk && grid.dims.iter().zip(&grid.max).all(fixed) => {
            ChunkIndexing::Single { filtered: creation.filtered.then_some((0, 0)) }
        }
        0 if creation.early && !creation.filtered => ChunkIndexing::Implicit,
        0 => fixed_array::Index::parameters(),
        1 => extensible_array::Index::parameters(),
        _ => btree_v2::Index::parameters(),
    }
}

/// The index of a dataset no chunk of which was ever written.
#[derive(Debug)]
struct Empty {
    layout: ChunkedLayout,
    grid: ChunkGrid,
    filtered: bool,
}

impl Empty {
    /// The layout with an index without chunks.
    fn made(&self, md: &Metadata) -> Result<ChunkedLayout> {
        let (grid, filtered) = (&self.grid, self.filtered);
        let address = match self.layout.indexing {
            ChunkIndexing::BTreeV1 => btree_v1::Index::create(md, grid)?,
            ChunkIndexing::FixedArray { page_bits } => {
                fixed_array::Index::create(md, grid, filtered, page_bits)?
            }
            ref indexing @ ChunkIndexing::ExtensibleArray { .. } => {
                extensible_array::Index::create(md, grid, filtered, indexing)?
            }
            ChunkIndexing::BTreeV2 { node_size, .. } => {
                btree_v2::Index::create(md, grid, filtered, node_size)?
            }
            ChunkIndexing::Implicit | ChunkIndexing::Single { .. } => {
                return Err(Error::usage("the chunks of an implicit index are allocated at once"));
            }
        };
        Ok(ChunkedLayout { address: Some(address), ..self.layout.clone() })
    }
}

impl ChunkIndex for Empty {
    fn lookup(&self, _: &Metadata, _: &[u64]) -> Result<Option<StoredChunk>> {
        Ok(None)
    }

    fn visit(
        &self,
        _: &Metadata,
        _: &[u64],
        _: &[u64],
        _: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        Ok(())
    }

    fn insert(&self, md: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        if let ChunkIndexing::Single { .. } = self.layout.indexing {
            return single::layout_of(&self.layout, coords, chunk).map(Some);
        }
        let layout = self.made(md)?;
        open(&layout, &self.grid, self.filtered)?.insert(md, coords, chunk)?;
        Ok(Some(layout))
    }

    fn remove(&self, _: &Metadata, _: &[u64]) -> Result<Removed> {
        Ok(Removed::default())
    }

    fn delete(&self, _: &Metadata) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod change_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
