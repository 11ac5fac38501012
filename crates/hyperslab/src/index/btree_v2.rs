//! The version-2 B-tree index: records have the coordinates of chunks.
//!
//! Spec: VII.E "The Version 2 B-trees Index"; III.A.2, record types 10 and 11.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, little_endian};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::index::array::ElementFormat;
use crate::index::grid::ChunkBox;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Walk};

/// Bytes of a node of a new tree.
const NODE_SIZE: u32 = 2048;

/// A tree of chunks.
#[derive(Debug)]
pub(crate) struct Index {
    address: Address,
    rank: usize,
    chunk_bytes: u64,
    filtered: bool,
}

struct Tree {
    tree: BTreeV2,
    /// What comes before the coordinates in a record.
    format: ElementFormat,
}

impl Index {
    pub(crate) fn new(address: Address, grid: &ChunkGrid, filtered: bool) -> Result<Self> {
        Ok(Self { address, rank: grid.rank(), chunk_bytes: grid.chunk_bytes()?, filtered })
    }

    /// What a new tree is like.
    pub(crate) fn parameters() -> ChunkIndexing {
        ChunkIndexing::BTreeV2 { node_size: NODE_SIZE, split_percent: 100, merge_percent: 40 }
    }

    /// A tree without chunks.
    pub(crate) fn create(md: &Metadata, grid: &ChunkGrid, filtered: bool, node_size: u32) -> Result<Address> {
        let width = ElementFormat::usual_width(filtered, grid.chunk_bytes()?, md.widths());
        let record = grid.rank().saturating_mul(8).saturating_add(width);
        let record = u16::try_from(record).map_err(|_| Error::limit(format!("records of {record} bytes")))?;
        Ok(BTreeV2::create(md, if filtered { 11 } else { 10 }, node_size, record)?.address())
    }

    fn tree(&self, md: &Metadata) -> Result<Tree> {
        let tree = BTreeV2::open(md, self.address)?;
        let client = match tree.kind() {
            10 => 0,
            11 => 1,
            kind => return Err(Error::malformed(format!("B-tree type is {kind}, expected 10 or 11"))),
        };
        let width = tree.record_size().saturating_sub(self.rank.saturating_mul(8));
        let format = ElementFormat::new(client, width, self.filtered, self.chunk_bytes, md.widths())?;
        Ok(Tree { tree, format })
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
        tree.walk(md, &mut Chunks { format: &format, wanted, low, high, found })
    }

    fn insert(&self, md: &Metadata, target: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        if target.len() != self.rank {
            return Err(Error::usage(format!("no chunk {target:?} in a dataset of {} axes", self.rank)));
        }
        let Tree { tree, format } = self.tree(md)?;
        let mut record = format.encode(Some(chunk))?;
        let width = record.len();
        record.extend(target.iter().flat_map(|coord| coord.to_le_bytes()));
        let compare = &mut |record: &[u8]| Ok(coords(record, width).cmp(target.iter().copied()));
        tree.put_record(md, &record, compare)?;
        Ok(None)
    }

    fn remove(&self, md: &Metadata, target: &[u64]) -> Result<Removed> {
        let Tree { tree, format } = self.tree(md)?;
        let width = format.width();
        let removed = tree.remove(md, &mut |record| Ok(coords(record, width).cmp(target.iter().copied())))?;
        Ok(Removed { chunk: removed.and_then(|record| format.decode(&record)), layout: None })
    }

    fn delete(&self, md: &Metadata) -> Result<()> {
        self.tree(md)?.tree.delete(md)
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
