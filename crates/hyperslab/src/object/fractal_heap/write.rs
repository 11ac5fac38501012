//! Writing fractal heaps: objects go into blocks of a table that doubles, large ones into blocks of their own.

use super::space::{HeapSpace, HeapSpaces, drop_free_space_manager, owned};
use super::{FractalHeap, Head, SHORT_TINY, WEIGHT};
use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Body, Length, Sink, Wire, all_ones, little_endian};
use crate::format::fractal_heap::{DirectBlock, FractalHeapFields, FractalHeapHeader};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use std::sync::Arc;

/// Objects that are larger are huge.
const MAX_MANAGED: u32 = 4096;
/// Kinds of heap IDs, in their first byte.
const HUGE: u8 = 1 << 4;
const TINY: u8 = 2 << 4;

/// The parameters of a new heap, those of libhdf5.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    pub(crate) id_size: u16,
    pub(crate) start_block_size: u64,
    pub(crate) max_heap_bits: u16,
}

/// A heap of links.
pub(crate) const LINKS: Parameters = Parameters { id_size: 7, start_block_size: 512, max_heap_bits: 32 };
/// A heap of attributes.
pub(crate) const ATTRIBUTES: Parameters =
    Parameters { id_size: 8, start_block_size: 1024, max_heap_bits: 40 };

/// Makes an empty heap.
pub(crate) fn create(md: &Metadata, parameters: Parameters) -> Result<Address> {
    let none = Length(0);
    let fields = FractalHeapFields {
        id_size: parameters.id_size,
        filters_size: 0,
        flags: 2,
        max_managed_size: MAX_MANAGED,
        next_huge: none,
        huge_tree: None,
        free_space: none,
        free_space_manager: None,
        managed_size: none,
        allocated_size: none,
        iterator: none,
        managed_objects: none,
        huge_size: none,
        huge_objects: none,
        tiny_size: none,
        tiny_objects: none,
        table_width: 4,
        start_block_size: Length(parameters.start_block_size),
        max_direct_size: Length(1 << 16),
        max_heap_bits: parameters.max_heap_bits,
        start_rows: 1,
        root: None,
        rows: 0,
    };
    md.place(Stage::IndexHeader, md.encode(&FractalHeapHeader { fields, filters: None })?)
}

/// The IDs of all objects of a heap, which only its owner knows.
pub(crate) type Ids<'a> = dyn FnMut() -> Result<Vec<Vec<u8>>> + 'a;

impl HeapSpaces {
    /// Stores an object and gives its heap ID.
    pub(crate) fn insert(
        &self,
        md: &Metadata,
        heap: Address,
        object: &[u8],
        ids: &mut Ids<'_>,
    ) -> Result<Body> {
        self.change(md, heap, ids, |edit| edit.insert(object))
    }

    /// Removes an object.
    pub(crate) fn remove(&self, md: &Metadata, heap: Address, id: &[u8], ids: &mut Ids<'_>) -> Result<()> {
        self.change(md, heap, ids, |edit| edit.remove(id))
    }

    /// Writes an object of the same length in the place of another; false when that is not possible.
    pub(crate) fn overwrite(
        &self,
        md: &Metadata,
        heap: Address,
        (id, object): (&[u8], &[u8]),
        ids: &mut Ids<'_>,
    ) -> Result<bool> {
        self.change(md, heap, ids, |edit| edit.overwrite(id, object))
    }

    /// Learns where a heap has room, before its objects are removed from what knows their IDs.
    pub(crate) fn know(&self, md: &Metadata, heap: Address, ids: &mut Ids<'_>) -> Result<()> {
        if self.0.lock().contains_key(&heap) {
            return Ok(());
        }
        self.change(md, heap, ids, |_| Ok(()))
    }

    /// Frees a heap and all its objects.
    pub(crate) fn delete(&self, md: &Metadata, heap: Address) -> Result<()> {
        let place = || format!("fractal heap at {heap}");
        self.0.lock().remove(&heap);
        let opened = FractalHeap::open(md, heap)?;
        if opened.head.pipeline.is_some() {
            return Err(Error::unsupported("a fractal heap with filters is not written").at(place()));
        }
        drop_free_space_manager(md, &opened.head)?;
        let mut space = HeapSpace::new();
        space.find_blocks(md, &opened).at(place)?;
        let mut edit = Edit { md, address: heap, head: owned(&opened.head), space: &mut space };
        edit.release_blocks().at(place)?;
        edit.release_huge().at(place)?;
        md.free(heap, FractalHeapHeader::size(0, md.widths()) as u64)
    }

    fn change<T>(
        &self,
        md: &Metadata,
        address: Address,
        ids: &mut Ids<'_>,
        change: impl FnOnce(&mut Edit<'_>) -> Result<T>,
    ) -> Result<T> {
        let place = || format!("fractal heap at {address}");
        let opened = FractalHeap::open(md, address)?;
        if opened.head.pipeline.is_some() {
            return Err(Error::unsupported("a fractal heap with filters is not written").at(place()));
        }
        let mut head = owned(&opened.head);
        let mut spaces = self.0.lock();
        let space = match spaces.entry(address) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                drop_free_space_manager(md, &head)?;
                head.header.fields.free_space_manager = None;
                let known = if head.header.fields.root.is_none() { Vec::new() } else { ids()? };
                entry.insert(HeapSpace::find(md, &opened, &known).at(place)?)
            }
        };
        let mut edit = Edit { md, address, head, space };
        let done = change(&mut edit);
        let stored = edit.store_head();
        if done.is_err() || stored.is_err() {
            // What is known of the heap may no longer be so.
            spaces.remove(&address);
        }
        stored.and(done).at(place)
    }
}

/// One change of a heap.
pub(super) struct Edit<'a> {
    pub(super) md: &'a Metadata,
    address: Address,
    pub(super) head: Head,
    space: &'a mut HeapSpace,
}

impl Edit<'_> {
    pub(super) fn fields(&mut self) -> &mut FractalHeapFields {
        &mut self.head.header.fields
    }

    /// Puts the header of the heap, which has no filters, where it is, and remembers it as if it had been read.
    fn store_head(self) -> Result<()> {
        let size = FractalHeapHeader::size(0, self.md.widths());
        let mut sink = self.md.sink();
        self.head.header.fields.write(&mut sink)?;
        self.md.edit((Stage::IndexHeader, Seal::Last), self.address, size, |bytes| {
            let fields = bytes.get_mut(..sink.position());
            fields
                .ok_or_else(|| Error::malformed("a heap header is too short"))?
                .copy_from_slice(sink.bytes());
            Ok(())
        })?;
        self.md.keep_decoded(self.address, &Arc::new(self.head), WEIGHT);
        Ok(())
    }

    fn overhead(&self) -> u64 {
        self.head.shape.direct_overhead(self.md.widths()) as u64
    }

    pub(super) fn id_data(&self) -> usize {
        usize::from(self.head.header.fields.id_size).saturating_sub(1)
    }

    fn insert(&mut self, object: &[u8]) -> Result<Body> {
        let size = self.id_data();
        let length = object.len() as u64;
        let mut sink = Sink::new(self.md.widths());
        if length > u64::from(self.head.header.fields.max_managed_size) {
            let number = self.insert_huge(object)?;
            sink.u8(HUGE);
            sink.uint(number, size.min(8))?;
        } else if let (true, Some(short)) =
            (object.len() <= size && size <= SHORT_TINY, length.checked_sub(1))
        {
            sink.uint(u64::from(TINY) | short, 1)?;
            sink.put(object);
            let fields = self.fields();
            fields.tiny_objects.0 = fields.tiny_objects.0.saturating_add(1);
            fields.tiny_size.0 = fields.tiny_size.0.saturating_add(length);
        } else {
            let offset = self.insert_managed(object)?;
            sink.u8(0);
            sink.uint(offset, self.head.shape.offset_width)?;
            sink.uint(length, self.head.shape.length_width)?;
        }
        sink.zeros(size.saturating_add(1).saturating_sub(sink.position()));
        Ok(sink.into_body())
    }

    fn insert_managed(&mut self, object: &[u8]) -> Result<u64> {
        let length = object.len() as u64;
        let offset = if let Some(offset) = self.space.free.take(length) {
            offset
        } else {
            self.add_block(length)?;
            let room = self.space.free.take(length);
            room.ok_or_else(|| Error::limit(format!("the heap has no room for {length} bytes")))?
        };
        self.write_managed(offset, object)?;
        let fields = self.fields();
        fields.managed_objects.0 = fields.managed_objects.0.saturating_add(1);
        fields.free_space.0 = fields.free_space.0.saturating_sub(length);
        Ok(offset)
    }

    fn write_managed(&self, offset: u64, object: &[u8]) -> Result<()> {
        let (start, address, size) = self.space.block(offset)?;
        let at = to_usize(offset.saturating_sub(start))?;
        self.md.edit((Stage::Block, self.seal()), address, size, |bytes| {
            let target = bytes.get_mut(at..at.saturating_add(object.len()));
            target
                .ok_or_else(|| Error::malformed("an object passes its direct block"))?
                .copy_from_slice(object);
            Ok(())
        })
    }

    fn seal(&self) -> Seal {
        self.head.shape.checksum_at(self.md.widths()).map_or(Seal::None, Seal::At)
    }

    fn remove(&mut self, id: &[u8]) -> Result<()> {
        match id.first().map(|flags| flags & 0x30) {
            Some(0) => self.remove_managed(id),
            Some(HUGE) => self.remove_huge(id),
            Some(TINY) => {
                let fields = self.fields();
                fields.tiny_objects.0 = fields.tiny_objects.0.saturating_sub(1);
                let length = id.first().map_or(0, |flags| u64::from(flags & 15).saturating_add(1));
                fields.tiny_size.0 = fields.tiny_size.0.saturating_sub(length);
                Ok(())
            }
            _ => Err(Error::malformed("heap ID of an unknown type")),
        }
    }

    /// Where the object of a managed ID is, and its length, once that is found sound.
    fn managed(&self, id: &[u8]) -> Result<(u64, u64)> {
        let heap = (self.head.shape.offset_width, self.head.shape.length_width);
        let (offset, length) = super::managed_id(self.md.widths(), heap, id)?;
        let (start, _, size) = self.space.block(offset)?;
        let first = start.saturating_add(self.overhead());
        let last = start.saturating_add(size as u64);
        let inside = offset >= first && offset.checked_add(length).is_some_and(|end| end <= last);
        if !inside || self.space.free.meets(offset, length) {
            return Err(Error::malformed(format!("no object of {length} bytes is at {offset}")));
        }
        Ok((offset, length))
    }

    fn remove_managed(&mut self, id: &[u8]) -> Result<()> {
        let (offset, length) = self.managed(id)?;
        self.space.free.add(offset, length);
        let fields = self.fields();
        fields.managed_objects.0 = fields.managed_objects.0.saturating_sub(1);
        fields.free_space.0 = fields.free_space.0.saturating_add(length);
        if fields.managed_objects.0 == 0 {
            return self.release_blocks();
        }
        Ok(())
    }

    fn overwrite(&mut self, id: &[u8], object: &[u8]) -> Result<bool> {
        if id.first().is_some_and(|flags| flags & 0x30 == 0) {
            let (offset, length) = self.managed(id)?;
            let same = length == object.len() as u64;
            if same {
                self.write_managed(offset, object)?;
            }
            return Ok(same);
        }
        Ok(false)
    }

    /// Gives all blocks back: the heap manages no object any more.
    fn release_blocks(&mut self) -> Result<()> {
        for (address, size) in self.space.blocks.values() {
            self.md.free(*address, *size)?;
        }
        for (address, size) in &self.space.indirect {
            self.md.free(*address, *size as u64)?;
        }
        let rows = u64::from(self.head.header.fields.rows);
        if let Some(root) = self.head.header.fields.root.filter(|_| rows > 0) {
            let size = self.head.shape.indirect_size(rows, self.md.widths())?;
            self.md.free(root, size as u64)?;
        }
        *self.space = HeapSpace::new();
        let fields = self.fields();
        (fields.root, fields.rows) = (None, 0);
        for size in [
            &mut fields.free_space,
            &mut fields.managed_size,
            &mut fields.allocated_size,
            &mut fields.iterator,
        ] {
            size.0 = 0;
        }
        Ok(())
    }

    /// Adds a direct block with room for an object of `length` bytes.
    fn add_block(&mut self, length: u64) -> Result<()> {
        let needed = length.saturating_add(self.overhead());
        let row = self.head.shape.row_of(needed);
        if row >= self.head.shape.max_direct_rows() {
            return Err(Error::limit(format!("an object of {length} bytes is too large for a direct block")));
        }
        let size = self.head.shape.row_size(row);
        let hole = self.space.holes.iter().find(|(_, hole)| **hole >= size).map(|(at, hole)| (*at, *hole));
        if let Some((start, size)) = hole {
            self.space.holes.remove(&start);
            let (parent, rows, entry) = self.entry_of(start)?;
            let address = self.new_direct(start, size)?;
            return self.link(parent, rows, entry, address);
        }
        if self.head.header.fields.root.is_none() && row == 0 {
            let address = self.new_direct(0, size)?;
            let room = size.saturating_sub(self.overhead());
            let fields = self.fields();
            fields.root = Some(address);
            fields.managed_size.0 = size;
            fields.free_space.0 = room;
            return Ok(());
        }
        if self.head.header.fields.rows == 0 {
            self.make_root(row)?;
        }
        // Every turn passes over a block, adds one, or doubles the root, until the heap is full.
        while !self.next_block(row)? {}
        Ok(())
    }

    /// A new, empty direct block.
    fn new_direct(&mut self, offset: u64, size: u64) -> Result<Address> {
        let block = DirectBlock { header: Some(self.address), offset, bytes: vec![0; to_usize(size)?] };
        let mut sink = Sink::new(self.md.widths());
        block.write(&mut sink, &self.head.shape)?;
        let address = self.md.allocate(to_usize(size)?)?;
        self.md.put_unsealed(Stage::Block, address, sink.into_bytes(), self.seal())?;
        self.space.blocks.insert(offset, (address, size));
        let overhead = self.overhead();
        self.space.free.add(offset.saturating_add(overhead), size.saturating_sub(overhead));
        let allocated = &mut self.fields().allocated_size.0;
        *allocated = allocated.saturating_add(size);
        Ok(address)
    }

    /// A new indirect block without entries.
    fn new_indirect(&self, offset: u64, rows: u64, entries: &[u8]) -> Result<Address> {
        let widths = self.md.widths();
        let size = self.head.shape.indirect_size(rows, widths)?;
        let mut sink = Sink::new(widths);
        sink.put(b"FHIB\0");
        sink.address(Some(self.address))?;
        sink.uint(offset, self.head.shape.offset_width)?;
        sink.put(entries);
        let mut bytes = sink.into_bytes();
        bytes.resize(size.saturating_sub(4), 0xff);
        bytes.resize(size, 0);
        let address = self.md.allocate(size)?;
        self.md.put_unsealed(Stage::IndexBlock, address, bytes, Seal::Last)?;
        Ok(address)
    }

    /// The first indirect block as root, with the direct block that was the root before.
    fn make_root(&mut self, row: u64) -> Result<()> {
        let shape = &self.head.shape;
        let rows = u64::from(self.head.header.fields.start_rows).max(row.saturating_add(1));
        let rows = if self.head.header.fields.start_rows == 0 { shape.max_rows() } else { rows };
        let before = self.head.header.fields.root;
        let mut first = Sink::new(self.md.widths());
        if before.is_some() {
            first.address(before)?;
        }
        let capacity = shape.capacity(rows, self.overhead());
        let root = self.new_indirect(0, rows, &first.into_bytes())?;
        let start = self.head.shape.start_block_size;
        let counted = if before.is_some() { start.saturating_sub(self.overhead()) } else { 0 };
        let size = self.head.shape.row_start(rows);
        let fields = self.fields();
        fields.root = Some(root);
        fields.rows = rows_of(rows)?;
        fields.iterator.0 = if before.is_some() { start } else { 0 };
        fields.managed_size.0 = size;
        fields.free_space.0 = fields.free_space.0.saturating_add(capacity).saturating_sub(counted);
        Ok(())
    }

    /// More rows for the root, at least `least`.
    fn double_root(&mut self, least: u64) -> Result<()> {
        let (shape, widths) = (&self.head.shape, self.md.widths());
        let rows = u64::from(self.head.header.fields.rows);
        let more = rows.saturating_mul(2).min(shape.max_rows()).max(least);
        if more <= rows || more > shape.max_rows() {
            return Err(Error::limit(format!("the heap is full: its root has {rows} rows")));
        }
        let root = self.head.header.fields.root.ok_or_else(|| Error::malformed("the heap has no root"))?;
        let size = shape.indirect_size(rows, widths)?;
        let bytes = self.md.read(root, size)?;
        let entries = bytes.get(shape.entry_at(0, widths)?..size.saturating_sub(4)).unwrap_or_default();
        let overhead = self.overhead();
        let gained = shape.capacity(more, overhead).saturating_sub(shape.capacity(rows, overhead));
        let whole = shape.row_start(more);
        self.md.free(root, size as u64)?;
        let address = self.new_indirect(0, more, entries)?;
        let fields = self.fields();
        fields.root = Some(address);
        fields.rows = rows_of(more)?;
        fields.managed_size.0 = whole;
        fields.free_space.0 = fields.free_space.0.saturating_add(gained);
        Ok(())
    }

    /// Goes on to the next block of the table, for blocks of row `least`; true when it was added.
    fn next_block(&mut self, least: u64) -> Result<bool> {
        let at = self.head.header.fields.iterator.0;
        let rows = u64::from(self.head.header.fields.rows);
        if at >= self.head.shape.row_start(rows) {
            let direct = rows < self.head.shape.max_direct_rows();
            self.double_root(if direct { least.saturating_add(1) } else { 0 })?;
            return Ok(false);
        }
        let root = self.head.header.fields.root.ok_or_else(|| Error::malformed("the heap has no root"))?;
        let (mut parent, mut base, mut rows) = (root, 0_u64, rows);
        loop {
            let shape = &self.head.shape;
            let place = shape.locate(at.saturating_sub(base));
            let place = place.ok_or_else(|| Error::limit("the heap is full"))?;
            let row = place.entry / shape.width();
            let start = base.saturating_add(place.start);
            if row < shape.max_direct_rows() {
                if least > row {
                    self.pass_over(base, place.entry, least.min(rows))?;
                    return Ok(false);
                }
                let address = self.new_direct(start, place.size)?;
                self.fields().iterator.0 = start.saturating_add(place.size);
                self.link(parent, rows, place.entry, address)?;
                return Ok(true);
            }
            let below = shape.child_rows(row);
            if shape.row_size(below.saturating_sub(1)) < shape.row_size(least) {
                // None of its blocks is large enough.
                self.fields().iterator.0 = start.saturating_add(place.size);
                return Ok(false);
            }
            let child = self.read_entry(parent, rows, place.entry)?;
            let child =
                child.map_or_else(|| self.new_child((parent, rows), place.entry, (start, below)), Ok)?;
            (parent, base, rows) = (child, start, below);
        }
    }

    /// A new indirect block below another one.
    fn new_child(&mut self, above: (Address, u64), entry: u64, (start, rows): (u64, u64)) -> Result<Address> {
        let child = self.new_indirect(start, rows, &[])?;
        let size = self.head.shape.indirect_size(rows, self.md.widths())?;
        self.space.indirect.push((child, size));
        self.link(above.0, above.1, entry, child)?;
        Ok(child)
    }

    /// Moves the iterator over direct blocks that are too small, to the beginning of a row.
    fn pass_over(&mut self, base: u64, entry: u64, row: u64) -> Result<()> {
        let shape = &self.head.shape;
        let last = row.min(shape.max_direct_rows()).saturating_mul(shape.width());
        for entry in entry..last {
            let (row, column) = (entry / shape.width(), entry % shape.width());
            let size = shape.row_size(row);
            let start = base.saturating_add(shape.row_start(row)).saturating_add(column.saturating_mul(size));
            self.space.holes.insert(start, size);
        }
        let to = base.saturating_add(shape.row_start(row));
        if to <= self.head.header.fields.iterator.0 {
            return Err(Error::malformed("the heap's iterator does not move"));
        }
        self.fields().iterator.0 = to;
        Ok(())
    }

    /// Address and rows of the indirect block that has the block at `start`, and which entry it is.
    fn entry_of(&self, start: u64) -> Result<(Address, u64, u64)> {
        let root = self.head.header.fields.root.ok_or_else(|| Error::malformed("the heap has no root"))?;
        let (mut parent, mut base, mut rows) = (root, 0_u64, u64::from(self.head.header.fields.rows));
        loop {
            let place = self.head.shape.locate(start.saturating_sub(base));
            let place = place.ok_or_else(|| Error::malformed("a block outside the heap"))?;
            let Some(below) = place.rows.filter(|below| *below < rows) else {
                return Ok((parent, rows, place.entry));
            };
            let child = self.read_entry(parent, rows, place.entry)?;
            parent = child.ok_or_else(|| Error::malformed("an indirect block was never written"))?;
            base = base.saturating_add(place.start);
            rows = below;
        }
    }

    fn read_entry(&self, block: Address, rows: u64, entry: u64) -> Result<Option<Address>> {
        let widths = self.md.widths();
        let size = self.head.shape.indirect_size(rows, widths)?;
        let (at, width) = (self.head.shape.entry_at(entry, widths)?, usize::from(widths.offsets));
        let bytes = match self.md.staged_part(block, (size, at), width) {
            Some(bytes) => bytes,
            None => self.md.read(block, size)?.get(at..at.saturating_add(width)).unwrap_or_default().to_vec(),
        };
        let value = little_endian(&bytes);
        Ok((value != all_ones(widths.offsets)).then_some(Address(value)))
    }

    /// Puts the address of a block into the indirect block above it.
    fn link(&self, block: Address, rows: u64, entry: u64, address: Address) -> Result<()> {
        let widths = self.md.widths();
        let size = self.head.shape.indirect_size(rows, widths)?;
        let at = self.head.shape.entry_at(entry, widths)?;
        let mut sink = Sink::new(widths);
        sink.address(Some(address))?;
        let value = sink.into_bytes();
        self.md.edit((Stage::IndexBlock, Seal::Last), block, size, |bytes| {
            let end = at.saturating_add(value.len());
            let field = bytes.get_mut(at..end).filter(|_| end.saturating_add(4) <= size);
            field
                .ok_or_else(|| Error::malformed("an entry outside its indirect block"))?
                .copy_from_slice(&value);
            Ok(())
        })
    }
}

fn rows_of(rows: u64) -> Result<u16> {
    u16::try_from(rows).map_err(|_| Error::limit(format!("a root of {rows} rows")))
}
