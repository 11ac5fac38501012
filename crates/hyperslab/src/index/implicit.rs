//! The implicit index: all chunks lie one after the other.
//!
//! Spec: VII.B "The Implicit Index".

use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::metadata::Metadata;

/// Chunks from an address on, in row-major order of the largest extent.
#[derive(Debug)]
pub(crate) struct Index {
    start: Address,
    chunk_bytes: u64,
    order: Order,
}

impl Index {
    pub(crate) fn new(start: Address, grid: &ChunkGrid) -> Result<Self> {
        Ok(Self { start, chunk_bytes: grid.chunk_bytes()?, order: grid.order(false)? })
    }

    fn chunk(&self, index: u64) -> Result<StoredChunk> {
        let address = index.checked_mul(self.chunk_bytes).and_then(|offset| self.start.0.checked_add(offset));
        let address =
            address.ok_or_else(|| Error::malformed(format!("chunk {index} is beyond 2^64 bytes")))?;
        Ok(StoredChunk { address: Address(address), size: self.chunk_bytes, filter_mask: 0 })
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, _: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        self.chunk(self.order.index(coords)?).map(Some)
    }

    fn visit(
        &self,
        _: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        self.order.runs(first, last, &mut |coords, start, count, axis| {
            for index in start..start.saturating_add(count) {
                found(coords, self.chunk(index)?)?;
                if let Some(coord) = coords.get_mut(axis) {
                    *coord = coord.saturating_add(1);
                }
            }
            Ok(())
        })
    }
}
