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
use crate::format::bytes::Address;
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

/// Finds chunks. Coordinates count chunks, not elements.
pub(crate) trait ChunkIndex: Debug + Send + Sync {
    /// The chunk at `coords`; none when it was never written.
    fn lookup(&self, md: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>>;

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
    let Some(address) = layout.address else { return Ok(Box::new(Empty)) };
    Ok(match layout.indexing {
        ChunkIndexing::BTreeV1 => Box::new(btree_v1::Index::new(address, grid)),
        ChunkIndexing::Single { filtered: stored } => {
            if filtered && stored.is_none() && !layout.edge_unfiltered() {
                return Err(Error::malformed(
                    "a single chunk has filters, but its layout has no stored size",
                ));
            }
            Box::new(single::Index::new(address, stored, grid)?)
        }
        ChunkIndexing::Implicit if filtered => {
            return Err(Error::malformed("an implicit chunk index cannot have filters"));
        }
        ChunkIndexing::Implicit => Box::new(implicit::Index::new(address, grid)?),
        ChunkIndexing::FixedArray { .. } => Box::new(fixed_array::Index::new(address, grid, filtered)?),
        ChunkIndexing::ExtensibleArray { .. } => {
            Box::new(extensible_array::Index::new(address, grid, filtered)?)
        }
        ChunkIndexing::BTreeV2 { .. } => Box::new(btree_v2::Index::new(address, grid, filtered)),
    })
}

/// The index of a dataset no chunk of which was ever written.
#[derive(Debug)]
struct Empty;

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
}

#[cfg(test)]
mod tests;
