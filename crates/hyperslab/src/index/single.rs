//! The single chunk index: the layout message itself says where the one chunk is.
//!
//! Spec: VII.A "The Single Chunk Index".

use crate::error::Result;
use crate::format::bytes::Address;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::metadata::Metadata;

/// One chunk, at the origin.
#[derive(Debug)]
pub(crate) struct Index(StoredChunk);

impl Index {
    /// The chunk at `address`, with its stored size and filter mask when it is filtered.
    pub(crate) fn new(address: Address, filtered: Option<(u64, u32)>, grid: &ChunkGrid) -> Result<Self> {
        let (size, filter_mask) = match filtered {
            Some(stored) => stored,
            None => (grid.chunk_bytes()?, 0),
        };
        Ok(Self(StoredChunk { address, size, filter_mask }))
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, _: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        Ok(coords.iter().all(|coord| *coord == 0).then_some(self.0))
    }

    fn visit(
        &self,
        _: &Metadata,
        first: &[u64],
        _: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        if first.iter().all(|coord| *coord == 0) { found(first, self.0) } else { Ok(()) }
    }
}
