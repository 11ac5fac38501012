//! The version-2 B-tree index: records have the coordinates of chunks.
//!
//! Spec: VII.E "The Version 2 B-trees Index"; III.A.2, record types 10 and 11.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, little_endian};
use crate::index::array::{ElementFormat, loaded};
use crate::index::grid::ChunkBox;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Walk};
use std::sync::OnceLock;

/// A tree of chunks, read from the file at first use.
#[derive(Debug)]
pub(crate) struct Index {
    address: Address,
    rank: usize,
    chunk_bytes: Result<u64, ()>,
    filtered: bool,
    tree: OnceLock<Tree>,
}

#[derive(Debug)]
struct Tree {
    tree: BTreeV2,
    /// What comes before the coordinates in a record.
    format: ElementFormat,
}

impl Index {
    pub(crate) fn new(address: Address, grid: &ChunkGrid, filtered: bool) -> Self {
        let chunk_bytes = grid.chunk_bytes().map_err(|_| ());
        Self { address, rank: grid.rank(), chunk_bytes, filtered, tree: OnceLock::new() }
    }

    fn tree(&self, md: &Metadata) -> Result<&Tree> {
        loaded(&self.tree, || {
            let tree = BTreeV2::open(md, self.address)?;
            let client = match tree.kind() {
                10 => 0,
                11 => 1,
                kind => return Err(Error::malformed(format!("B-tree type is {kind}, expected 10 or 11"))),
            };
            let width = tree.record_size().saturating_sub(self.rank.saturating_mul(8));
            let chunk_bytes = self.chunk_bytes.unwrap_or(0);
            let format = ElementFormat::new(client, width, self.filtered, chunk_bytes, md.widths())?;
            Ok(Tree { tree, format })
        })
    }
}

fn coords(record: &[u8], width: usize) -> impl Iterator<Item = u64> {
    record.get(width..).unwrap_or_default().chunks_exact(8).map(little_endian)
}

impl ChunkIndex for Index {
    fn lookup(&self, md: &Metadata, target: &[u64]) -> Result<Option<StoredChunk>> {
        let Tree { tree, format } = self.tree(md)?;
        let width = format.width();
        let found = tree.find(md, &mut |record| Ok(coords(record, width).cmp(target.iter().copied())))?;
        Ok(found.and_then(|record| format.decode(&record)))
    }

    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        let Tree { tree, format } = self.tree(md)?;
        if first.len() != self.rank || last.len() != self.rank {
            return Err(Error::usage(format!("a box of {} axes, {} expected", first.len(), self.rank)));
        }
        let wanted = ChunkBox { first, last };
        let (low, high) = (vec![0; self.rank], vec![0; self.rank]);
        tree.walk(md, &mut Chunks { format, wanted, low, high, found })
    }
}

struct Chunks<'a> {
    format: &'a ElementFormat,
    wanted: ChunkBox<'a>,
    /// Room for coordinates.
    low: Vec<u64>,
    high: Vec<u64>,
    found: &'a mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
}

impl Chunks<'_> {
    fn fill(record: Option<&[u8]>, width: usize, without: u64, to: &mut [u64]) {
        match record {
            Some(record) => to.iter_mut().zip(coords(record, width)).for_each(|(to, from)| *to = from),
            None => to.fill(without),
        }
    }
}

impl Walk for Chunks<'_> {
    fn wants(&mut self, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<bool> {
        Self::fill(low, self.format.width(), 0, &mut self.low);
        Self::fill(high, self.format.width(), u64::MAX, &mut self.high);
        Ok(self.wanted.meets(&mut self.low, &self.high))
    }

    fn found(&mut self, record: &[u8]) -> Result<()> {
        Self::fill(Some(record), self.format.width(), 0, &mut self.low);
        if !self.wanted.contains(&self.low) {
            return Ok(());
        }
        match self.format.decode(record.get(..self.format.width()).unwrap_or_default()) {
            Some(chunk) => (self.found)(&self.low, chunk),
            None => Ok(()),
        }
    }
}
