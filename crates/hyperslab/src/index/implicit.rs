//! The implicit index: all chunks lie one after the other.
//!
//! Spec: VII.B "The Implicit Index".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::Address;
use crate::format::message::layout::ChunkedLayout;
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;

/// Chunks from an address on, in row-major order of the largest extent.
#[derive(Debug)]
pub(crate) struct Index {
    start: Address,
    chunk_bytes: u64,
    order: Order,
    /// Chunks along each axis, now and at most.
    counts: Vec<(u64, u64)>,
}

impl Index {
    pub(crate) fn new(start: Address, grid: &ChunkGrid) -> Result<Self> {
        let most = (0..grid.rank()).map(|axis| grid.max_count(axis).unwrap_or(0));
        let counts = grid.counts().zip(most).collect();
        Ok(Self { start, chunk_bytes: grid.chunk_bytes()?, order: grid.order(false)?, counts })
    }

    /// Room for all chunks a dataset may ever have; what is in it is for the caller to write.
    pub(crate) fn create(md: &Metadata, grid: &ChunkGrid) -> Result<Address> {
        let bytes = grid.order(false)?.count().and_then(|count| count.checked_mul(grid.chunk_bytes().ok()?));
        let bytes = bytes.ok_or_else(|| Error::limit("all chunks together pass 2^64 bytes"))?;
        md.allocate(to_usize(bytes)?)
    }

    fn chunk(&self, index: u64) -> Result<StoredChunk> {
        let address = index.checked_mul(self.chunk_bytes).and_then(|offset| self.start.0.checked_add(offset));
        let address =
            address.ok_or_else(|| Error::malformed(format!("chunk {index} is beyond 2^64 bytes")))?;
        Ok(StoredChunk { address: Address(address), size: self.chunk_bytes, filter_mask: 0 })
    }

    /// The chunks up to the last one of a box are in the file: nothing else bounds how many there are.
    fn check(&self, md: &Metadata, last: &[u64]) -> Result<()> {
        let chunk = self.chunk(self.order.index(last)?)?;
        let inside = chunk.address.0.checked_add(chunk.size).is_some_and(|end| end <= md.end());
        // A file that somebody else writes may be shorter than what it has room for.
        if inside || md.is_followed() {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "chunk {last:?} has {} bytes at {}, the file ends at {:#x}",
            chunk.size,
            chunk.address,
            md.end()
        )))
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, _: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        self.chunk(self.order.index(coords)?).map(Some)
    }

    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        self.check(md, last)?;
        self.order.runs(first, last, &mut |coords, start, count, axis| {
            for index in start..start.saturating_add(count) {
                found(coords, self.chunk(index)?)?;
                if let Some(coord) = coords.get_mut(axis) {
                    *coord = coord.saturating_add(1);
                }
            }
            Ok(0)
        })
    }

    fn insert(&self, _: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        let place = self.chunk(self.order.place(coords)?)?;
        if place == chunk {
            return Ok(None);
        }
        Err(Error::usage(format!("chunk {coords:?} at {}, its place is {}", chunk.address, place.address)))
    }

    /// Every chunk keeps its place.
    fn remove(&self, _: &Metadata, _: &[u64]) -> Result<Removed> {
        Ok(Removed::default())
    }

    /// Frees the chunks beyond the present extent, which no visit leads to.
    fn delete(&self, md: &Metadata) -> Result<()> {
        let last: Option<Vec<u64>> = self.counts.iter().map(|(_, most)| most.checked_sub(1)).collect();
        let Some(last) = last else { return Ok(()) };
        self.visit(md, &vec![0; last.len()], &last, &mut |coords, chunk| {
            let present = coords.iter().zip(&self.counts).all(|(coord, (now, _))| coord < now);
            if present { Ok(()) } else { md.free(chunk.address, chunk.size) }
        })
    }
}
