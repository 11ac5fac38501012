//! [`HeapSpace`]: where a heap that is written has blocks, and room in them.

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::fractal_heap::FreeSpaceHeader;
use crate::metadata::Metadata;
use crate::object::fractal_heap::{FractalHeap, Head};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The heaps of a file that were written since it was opened.
#[derive(Debug, Default)]
pub(crate) struct HeapSpaces(pub(super) Mutex<HashMap<Address, HeapSpace>>);

/// Room in one heap, as offsets in it.
#[derive(Debug)]
pub(super) struct HeapSpace {
    /// Direct blocks by where they begin: their addresses and sizes.
    pub(super) blocks: BTreeMap<u64, (Address, u64)>,
    /// Indirect blocks other than the root, with their sizes.
    pub(super) indirect: Vec<(Address, usize)>,
    /// Entries of indirect blocks that were passed over, by where their blocks would begin: sizes.
    pub(super) holes: BTreeMap<u64, u64>,
    pub(super) free: FreeRanges,
}

/// Ranges that do not touch, by their start and by their length.
#[derive(Debug, Default)]
pub(super) struct FreeRanges {
    by_start: BTreeMap<u64, u64>,
    by_length: BTreeSet<(u64, u64)>,
}

impl FreeRanges {
    pub(super) fn add(&mut self, start: u64, length: u64) {
        let (mut start, mut length) = (start, length);
        if length == 0 {
            return;
        }
        if let Some((before, long)) = self.by_start.range(..start).next_back().map(|(a, b)| (*a, *b))
            && before.saturating_add(long) == start
        {
            self.drop(before, long);
            (start, length) = (before, length.saturating_add(long));
        }
        let after = start.saturating_add(length);
        if let Some(long) = self.by_start.get(&after).copied() {
            self.drop(after, long);
            length = length.saturating_add(long);
        }
        self.by_start.insert(start, length);
        self.by_length.insert((length, start));
    }

    /// Takes `length` bytes of the shortest range that has them.
    pub(super) fn take(&mut self, length: u64) -> Option<u64> {
        let (whole, start) = self.by_length.range((length, 0)..).next().copied()?;
        self.drop(start, whole);
        if whole > length {
            let (start, whole) = (start.saturating_add(length), whole.saturating_sub(length));
            self.by_start.insert(start, whole);
            self.by_length.insert((whole, start));
        }
        Some(start)
    }

    /// Whether any byte of a range is free.
    pub(super) fn meets(&self, start: u64, length: u64) -> bool {
        let end = start.saturating_add(length);
        let last = self.by_start.range(..end).next_back();
        last.is_some_and(|(from, long)| from.saturating_add(*long) > start)
    }

    fn drop(&mut self, start: u64, length: u64) {
        self.by_start.remove(&start);
        self.by_length.remove(&(length, start));
    }
}

impl HeapSpace {
    pub(super) fn new() -> Self {
        Self {
            blocks: BTreeMap::new(),
            indirect: Vec::new(),
            holes: BTreeMap::new(),
            free: FreeRanges::default(),
        }
    }

    /// Finds the blocks of a heap, and the room between the objects that `ids` stand for.
    pub(super) fn find(md: &Metadata, heap: &FractalHeap, ids: &[Vec<u8>]) -> Result<Self> {
        let mut space = Self::new();
        space.find_blocks(md, heap)?;
        let mut used: Vec<(u64, u64)> = ids.iter().filter_map(|id| heap.managed_place(md, id)).collect();
        used.sort_unstable();
        let overhead = heap.head.shape.direct_overhead(md.widths()) as u64;
        let mut used = used.into_iter().peekable();
        for (start, (_, size)) in &space.blocks {
            let end = start.saturating_add(*size);
            let mut from = start.saturating_add(overhead);
            while let Some((object, length)) = used.peek().copied().filter(|(object, _)| *object < end) {
                space.free.add(from, object.saturating_sub(from));
                from = from.max(object.saturating_add(length));
                used.next();
            }
            space.free.add(from, end.saturating_sub(from));
        }
        Ok(space)
    }

    /// Every block of a heap, as its indirect blocks list them.
    pub(super) fn find_blocks(&mut self, md: &Metadata, heap: &FractalHeap) -> Result<()> {
        let fields = &heap.head.header.fields;
        let Some(root) = fields.root else { return Ok(()) };
        if fields.rows == 0 {
            self.blocks.insert(0, (root, heap.head.shape.start_block_size));
            return Ok(());
        }
        let mut budget = md.end() / 16;
        self.find_below(md, heap, (root, 0, fields.rows.into()), &mut budget)
    }

    fn find_below(
        &mut self,
        md: &Metadata,
        heap: &FractalHeap,
        (address, base, rows): (Address, u64, u64),
        budget: &mut u64,
    ) -> Result<()> {
        let shape = &heap.head.shape;
        let block = heap.indirect_block(md, Some(address), (base, rows))?;
        let iterator = heap.head.header.fields.iterator.0;
        for (nth, entry) in (0_u64..).zip(&block.entries) {
            *budget = budget.checked_sub(1).ok_or_else(|| {
                Error::malformed("a fractal heap has more blocks than the file has room for")
            })?;
            let (row, column) = (nth / shape.width(), nth % shape.width());
            let size = shape.row_size(row);
            let start = base.saturating_add(shape.row_start(row)).saturating_add(column.saturating_mul(size));
            match entry.address {
                Some(address) if row < shape.max_direct_rows() => {
                    self.blocks.insert(start, (address, size));
                }
                Some(address) => {
                    let below = shape.child_rows(row);
                    if below >= rows {
                        return Err(Error::malformed(format!(
                            "indirect block of {below} rows in one of {rows}"
                        )));
                    }
                    self.indirect.push((address, shape.indirect_size(below, md.widths())?));
                    self.find_below(md, heap, (address, start, below), budget)?;
                }
                None if row < shape.max_direct_rows() && start < iterator => {
                    self.holes.insert(start, size);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The direct block that byte `offset` of the heap is in: where it begins, its address and size.
    pub(super) fn block(&self, offset: u64) -> Result<(u64, Address, usize)> {
        let found = self.blocks.range(..=offset).next_back();
        let found = found.filter(|(start, (_, size))| offset < start.saturating_add(*size));
        let (start, (address, size)) =
            found.ok_or_else(|| Error::malformed(format!("offset {offset} is outside the heap")))?;
        Ok((*start, *address, to_usize(*size)?))
    }
}

/// Frees what libhdf5 keeps of the free space of a heap, which is no longer so once the heap is written.
pub(super) fn drop_free_space_manager(md: &Metadata, head: &Head) -> Result<()> {
    let Some(address) = head.header.fields.free_space_manager else { return Ok(()) };
    let size = FreeSpaceHeader::size(md.widths());
    // What cannot be read is left where it is: lost space, but no harm.
    let Ok(bytes) = md.read(address, size) else { return Ok(()) };
    let Ok(manager) = FreeSpaceHeader::read(&mut Cursor::new(&bytes, md.widths())) else { return Ok(()) };
    if let Some(list) = manager.list {
        md.free(list, manager.list_size.0)?;
    }
    md.free(address, size as u64)
}

/// A header to change, from the one that is shared.
pub(super) fn owned(head: &Arc<Head>) -> Head {
    Head { header: head.header.clone(), shape: head.shape.clone(), pipeline: None }
}
