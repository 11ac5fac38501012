//! The single chunk index: the layout message itself says where the one chunk is.
//!
//! Spec: VII.A "The Single Chunk Index".

use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;

/// One chunk, at the origin.
#[derive(Debug)]
pub(crate) struct Index {
    layout: ChunkedLayout,
    chunk: StoredChunk,
}

impl Index {
    /// The chunk at `address`, with its stored size and filter mask when it is filtered.
    pub(crate) fn new(
        layout: &ChunkedLayout,
        address: Address,
        filtered: Option<(u64, u32)>,
        grid: &ChunkGrid,
    ) -> Result<Self> {
        let (size, filter_mask) = match filtered {
            Some(stored) => stored,
            None => (grid.chunk_bytes()?, 0),
        };
        Ok(Self { layout: layout.clone(), chunk: StoredChunk { address, size, filter_mask } })
    }
}

/// The layout message of the chunk at `coords`.
pub(crate) fn layout_of(layout: &ChunkedLayout, coords: &[u64], chunk: StoredChunk) -> Result<ChunkedLayout> {
    if coords.iter().any(|coord| *coord != 0) {
        return Err(Error::usage(format!("chunk {coords:?} of a dataset of a single chunk")));
    }
    let filtered = match layout.indexing {
        ChunkIndexing::Single { filtered: Some(_) } => Some((chunk.size, chunk.filter_mask)),
        _ => None,
    };
    let indexing = ChunkIndexing::Single { filtered };
    Ok(ChunkedLayout { indexing, address: Some(chunk.address), ..layout.clone() })
}

impl ChunkIndex for Index {
    fn lookup(&self, _: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        Ok(coords.iter().all(|coord| *coord == 0).then_some(self.chunk))
    }

    fn visit(
        &self,
        _: &Metadata,
        first: &[u64],
        _: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        if first.iter().all(|coord| *coord == 0) { found(first, self.chunk) } else { Ok(()) }
    }

    fn insert(&self, _: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        let layout = layout_of(&self.layout, coords, chunk)?;
        Ok((layout != self.layout).then_some(layout))
    }

    fn remove(&self, md: &Metadata, coords: &[u64]) -> Result<Removed> {
        let Some(chunk) = self.lookup(md, coords)? else { return Ok(Removed::default()) };
        let nothing = StoredChunk { size: 0, filter_mask: 0, ..chunk };
        let layout = ChunkedLayout { address: None, ..layout_of(&self.layout, coords, nothing)? };
        Ok(Removed { chunk: Some(chunk), layout: Some(layout) })
    }

    fn delete(&self, _: &Metadata) -> Result<()> {
        Ok(())
    }
}
