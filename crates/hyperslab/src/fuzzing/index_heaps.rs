//! Chunk indexes, B-trees and heaps, at addresses that the input chooses.

use crate::error::{Error, Result};
use crate::format::btree_v2::{AttributeName, LinkName, LinkOrder};
use crate::format::bytes::{Address, Cursor, Widths};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::fuzzing::WIDTHS;
use crate::index::{self, ChunkGrid};
use crate::metadata::Metadata;
use crate::object::fractal_heap::FractalHeap;
use crate::object::global_heap::GlobalHeap;
use crate::object::header::Header;
use crate::object::{btree, local_heap::LocalHeap, symbol_table};
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use std::sync::Arc;

/// Chunks and links looked at for one input.
const MOST_FOUND: usize = 2000;

/// What the first bytes of the input say: how a dataset is cut, and where structures are.
struct Plan {
    widths: Widths,
    filtered: bool,
    version: u8,
    flags: u8,
    grid: ChunkGrid,
    /// Of an index, a tree or a heap.
    address: Address,
    /// Of the heap of a tree.
    second: Address,
}

impl Plan {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (widths, rank, size) = (cursor.u8()?, cursor.u8()? & 3, cursor.u8()?);
        let (flags, growing, room) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
        let sides = (0..4).map(|_| cursor.u16().map(u64::from)).collect::<Result<Vec<_>>>()?;
        let chunk = (0..4).map(|_| cursor.u8().map(u64::from)).collect::<Result<Vec<_>>>()?;
        let (address, second) = (Address(cursor.u16()?.into()), Address(cursor.u16()?.into()));
        let axes = usize::from(rank) + 1;
        let max = sides.iter().enumerate().take(axes).map(|(axis, side)| {
            let bounded = growing >> axis & 1 == 0;
            bounded.then(|| side + u64::from(room))
        });
        let grid = ChunkGrid {
            max: max.collect(),
            dims: sides.iter().take(axes).copied().collect(),
            chunk: chunk.into_iter().take(axes).collect(),
            element_size: size.into(),
        };
        let widths = WIDTHS.into_iter().cycle().nth((widths & 3).into()).unwrap_or(Widths::EIGHT);
        let (filtered, version) = (flags & 0x80 != 0, 3 + (flags >> 4 & 3));
        Ok(Self { widths, filtered, version, flags: flags & 3, grid, address, second })
    }

    fn layout(&self, indexing: ChunkIndexing) -> ChunkedLayout {
        ChunkedLayout {
            version: self.version,
            chunk: self.grid.chunk.clone(),
            element_size: self.grid.element_size,
            flags: self.flags,
            indexing,
            address: Some(self.address),
        }
    }
}

/// A plan, and the bytes of a file behind it, in which every kind of structure is looked for.
pub fn index_heaps(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes, Widths::EIGHT);
    let Ok(plan) = Plan::read(&mut cursor) else { return };
    let storage = Arc::new(MemoryStorage::new(cursor.rest().to_vec()));
    let Ok(pages) = Pages::new(storage) else { return };
    let md = Metadata::new(pages, 0, plan.widths);
    for indexing in kinds(&plan) {
        let _ = chunks(&md, &plan, indexing);
    }
    let _ = trees_and_heaps(&md, &plan);
}

fn kinds(plan: &Plan) -> [ChunkIndexing; 6] {
    let stored = plan.filtered.then_some((plan.second.0, 0));
    [
        ChunkIndexing::BTreeV1,
        ChunkIndexing::Single { filtered: stored },
        ChunkIndexing::Implicit,
        ChunkIndexing::FixedArray { page_bits: 10 },
        ChunkIndexing::ExtensibleArray {
            max_bits: 32,
            index_elements: 4,
            min_pointers: 4,
            min_elements: 16,
            page_bits: 10,
        },
        ChunkIndexing::BTreeV2 { node_size: 2048, split_percent: 100, merge_percent: 40 },
    ]
}

/// Every chunk of the dataset, and those that were found once more, one by one.
fn chunks(md: &Metadata, plan: &Plan, indexing: ChunkIndexing) -> Result<()> {
    let index = index::open(&plan.layout(indexing), &plan.grid, plan.filtered)?;
    let last: Vec<u64> = plan
        .grid
        .dims
        .iter()
        .zip(&plan.grid.chunk)
        .map(|(dim, side)| dim.div_ceil((*side).max(1)).saturating_sub(1))
        .collect();
    let first = vec![0; last.len()];
    let mut found = Vec::new();
    let all = index.visit(md, &first, &last, &mut |coords, _| {
        found.push(coords.to_vec());
        if found.len() < MOST_FOUND { Ok(()) } else { Err(Error::limit("enough chunks")) }
    });
    for coords in found.iter().take(64) {
        let chunk = index.lookup(md, coords);
        assert!(all.is_err() || chunk.is_ok(), "visited, but not found alone: {chunk:?}");
    }
    // These may lie where the walk had no reason to look.
    let _ = (index.lookup(md, &first), index.lookup(md, &last));
    Ok(())
}

fn trees_and_heaps(md: &Metadata, plan: &Plan) -> Result<()> {
    let (tree, heap) = (plan.address, plan.second);
    let _ = Header::load(md, tree);
    let global = GlobalHeap::new();
    for index in 0..8 {
        let _ = global.get(md, tree, index);
    }
    if let Ok(names) = LocalHeap::open(md, heap) {
        let _ = names.name(8);
    }
    let mut left = MOST_FOUND;
    let _ = symbol_table::for_each(md, tree, heap, &mut |name, _| {
        left = left.checked_sub(1).ok_or_else(|| Error::limit("enough links"))?;
        symbol_table::find(md, tree, heap, name).map(|_| ())
    });
    let ids = heap_ids(md, tree);
    let heap = FractalHeap::open(md, heap)?;
    for id in ids.iter().take(MOST_FOUND) {
        let _ = heap.get(md, id);
    }
    Ok(())
}

/// The heap IDs in a tree of any type, and one of each form.
fn heap_ids(md: &Metadata, tree: Address) -> Vec<Vec<u8>> {
    let mut ids = vec![vec![0; 8], vec![0x10, 1, 0, 0, 0, 0, 0, 0], vec![0x21, 2, 3, 4, 5, 6, 7, 8]];
    if let Ok(all) = btree::records::<LinkName>(md, tree) {
        ids.extend(all.iter().map(|record| record.id.to_vec()));
        let _ = btree::find_named::<LinkName>(md, tree, b"a", &mut |_| Ok(false));
    }
    if let Ok(all) = btree::records::<LinkOrder>(md, tree) {
        ids.extend(all.iter().map(|record| record.id.to_vec()));
    }
    if let Ok(all) = btree::records::<AttributeName>(md, tree) {
        ids.extend(all.iter().map(|record| record.id.to_vec()));
    }
    ids
}
