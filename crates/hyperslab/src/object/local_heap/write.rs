//! Writing local heaps: names are put into free blocks, and the segment grows.

use super::LocalHeapHeader;
use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Sink};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};

/// Bytes of the segment of a new group's heap, as libhdf5 has it.
const FIRST: usize = 88;
/// The offset that ends the list of free blocks.
const END: u64 = 1;
/// Free blocks that are looked at for room.
const LOOKED_AT: usize = 64;
/// The empty name every group's heap begins with, which the first key of its tree leads to.
const EMPTY: u64 = 8;

/// A heap whose names are read one by one, and which is changed in place.
#[derive(Clone, Debug)]
pub(crate) struct Names<'a> {
    md: &'a Metadata,
    address: Address,
    header: LocalHeapHeader,
}

/// A free block: where it is, its size, and where the next one is.
#[derive(Clone, Copy, Debug)]
struct Free {
    at: u64,
    size: u64,
    next: u64,
}

/// Makes the heap of an empty group.
pub(crate) fn create(md: &Metadata) -> Result<Address> {
    let mut sink = Sink::new(md.widths());
    sink.zeros(8);
    sink.length(END)?;
    sink.length((FIRST as u64).saturating_sub(EMPTY))?;
    sink.zeros(FIRST.saturating_sub(sink.position()));
    let segment = md.place(Stage::Block, sink.into_bytes())?;
    let header = LocalHeapHeader { size: FIRST as u64, free: EMPTY, segment: Some(segment) };
    md.place(Stage::IndexHeader, md.encode(&header)?)
}

/// Frees a heap.
pub(crate) fn delete(md: &Metadata, address: Address) -> Result<()> {
    let heap = Names::open(md, address)?;
    if let Some(segment) = heap.header.segment {
        md.free(segment, heap.header.size)?;
    }
    md.free(address, LocalHeapHeader::size(md.widths()) as u64)
}

impl<'a> Names<'a> {
    /// The heap whose header is at `address`.
    pub(crate) fn open(md: &'a Metadata, address: Address) -> Result<Self> {
        let place = || format!("local heap at {address}");
        let header: LocalHeapHeader = md.load(address, LocalHeapHeader::size(md.widths())).at(place)?;
        let end = header.segment.map(|segment| segment.0.saturating_add(header.size));
        if end.is_some_and(|end| end > md.end()) {
            return Err(Error::malformed("its segment passes the end of the file").at(place()));
        }
        Ok(Self { md, address, header })
    }

    fn segment(&self) -> Result<Address> {
        self.header.segment.ok_or_else(|| Error::malformed("a local heap without segment"))
    }

    /// The name that begins at `offset`, without the NUL that ends it.
    pub(crate) fn name(&self, offset: u64) -> Result<Vec<u8>> {
        let left = to_usize(self.header.size.saturating_sub(offset))?;
        let start = Address(self.segment()?.0.saturating_add(offset));
        let mut length = 48_usize;
        loop {
            let bytes = self.md.read(start, length.min(left))?;
            if let Some(end) = memchr::memchr(0, &bytes) {
                return Ok(bytes.get(..end).unwrap_or_default().to_vec());
            }
            if length >= left {
                let size = self.header.size;
                return Err(Error::malformed(format!("no name at {offset} in a local heap of {size} bytes")));
            }
            length = length.saturating_mul(4);
        }
    }

    /// Stores a name and gives its offset.
    pub(crate) fn insert(&mut self, name: &[u8]) -> Result<u64> {
        let needed = padded(name.len().saturating_add(1));
        let mut offset = self.take(needed)?;
        if offset.is_none() {
            self.grow(needed)?;
            offset = self.take(needed)?;
        }
        let offset =
            offset.ok_or_else(|| Error::malformed("the free blocks of a local heap are not one list"))?;
        let mut bytes = name.to_vec();
        bytes.resize(to_usize(needed)?, 0);
        self.splice(offset, &bytes)?;
        Ok(offset)
    }

    /// Gives the room of the name at `offset` back.
    pub(crate) fn remove(&mut self, offset: u64) -> Result<()> {
        let size = padded(self.name(offset)?.len().saturating_add(1));
        let first = self.free_at(self.header.free)?;
        if let Some(first) = first {
            // Next to the first free block, it becomes part of it.
            if first.at == offset.saturating_add(size) {
                self.set_free(Free { at: offset, size: size.saturating_add(first.size), ..first })?;
                return self.set_first(offset);
            }
            if first.at.saturating_add(first.size) == offset {
                return self.set_free(Free { size: first.size.saturating_add(size), ..first });
            }
        }
        if size < self.least() {
            return Ok(());
        }
        self.set_free(Free { at: offset, size, next: self.header.free })?;
        self.set_first(offset)
    }

    /// Forgets all names but the empty one.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let size = self.header.size.saturating_sub(EMPTY);
        if size < self.least() {
            return Ok(());
        }
        self.set_free(Free { at: EMPTY, size, next: END })?;
        self.set_first(EMPTY)
    }

    /// Bytes that a free block has at least.
    fn least(&self) -> u64 {
        u64::from(self.md.widths().lengths).saturating_mul(2)
    }

    /// Takes `needed` bytes of one of the first free blocks.
    fn take(&mut self, needed: u64) -> Result<Option<u64>> {
        let mut before: Option<Free> = None;
        let mut next = self.header.free;
        for _ in 0..LOOKED_AT {
            let Some(block) = self.free_at(next)? else { return Ok(None) };
            let rest = block.size.saturating_sub(needed);
            if block.size == needed {
                self.set_next(before, block.next)?;
                return Ok(Some(block.at));
            }
            if block.size > needed && rest >= self.least() {
                let at = block.at.saturating_add(needed);
                self.set_free(Free { at, size: rest, next: block.next })?;
                self.set_next(before, at)?;
                return Ok(Some(block.at));
            }
            (before, next) = (Some(block), block.next);
        }
        Ok(None)
    }

    /// Makes the segment larger; what it gains is free.
    fn grow(&mut self, needed: u64) -> Result<()> {
        let (segment, before) = (self.segment()?, self.header.size);
        let gained = before.max(needed.saturating_add(self.least())).checked_next_multiple_of(8);
        let size = gained.and_then(|gained| before.checked_next_multiple_of(8)?.checked_add(gained));
        let size = size.ok_or_else(|| Error::limit("a local heap too large"))?;
        let mut bytes = self.md.read(segment, to_usize(before)?)?;
        bytes.resize(to_usize(size)?, 0);
        self.md.free(segment, before)?;
        let segment = self.md.place(Stage::Block, bytes)?;
        self.header = LocalHeapHeader { size, free: self.header.free, segment: Some(segment) };
        let first = self.free_at(self.header.free)?;
        if let Some(first) = first.filter(|first| first.at.saturating_add(first.size) == before) {
            let size = first.size.saturating_add(size.saturating_sub(before));
            self.set_free(Free { size, ..first })?;
            return self.set_first(first.at);
        }
        self.set_free(Free { at: before, size: size.saturating_sub(before), next: self.header.free })?;
        self.set_first(before)
    }

    fn free_at(&self, at: u64) -> Result<Option<Free>> {
        let none = Cursor::new(&[0xff; 8], self.md.widths()).length()?;
        if at == END || at == none {
            return Ok(None);
        }
        let head = self.least();
        let outside = || Error::malformed(format!("a free block at {at} outside the local heap"));
        if at.checked_add(head).is_none_or(|end| end > self.header.size) {
            return Err(outside());
        }
        let bytes = self.md.read(Address(self.segment()?.0.saturating_add(at)), to_usize(head)?)?;
        let mut cursor = Cursor::new(&bytes, self.md.widths());
        let (next, size) = (cursor.length()?, cursor.length()?);
        if size < head || at.checked_add(size).is_none_or(|end| end > self.header.size) {
            return Err(outside());
        }
        Ok(Some(Free { at, size, next }))
    }

    /// Links the block before to `next`; the first one when there is none.
    fn set_next(&mut self, before: Option<Free>, next: u64) -> Result<()> {
        match before {
            Some(before) => self.set_free(Free { next, ..before }),
            None => self.set_first(next),
        }
    }

    fn set_first(&mut self, at: u64) -> Result<()> {
        self.header.free = at;
        self.md.store(Stage::IndexHeader, self.address, &self.header)
    }

    fn set_free(&self, block: Free) -> Result<()> {
        let mut sink = Sink::new(self.md.widths());
        sink.length(block.next)?;
        sink.length(block.size)?;
        self.splice(block.at, &sink.into_bytes())
    }

    fn splice(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        // The decoded heap is known by its header.
        self.md.forget(self.address);
        let at = to_usize(offset)?;
        self.md.edit((Stage::Block, Seal::None), self.segment()?, to_usize(self.header.size)?, |block| {
            let target = block.get_mut(at..at.saturating_add(bytes.len()));
            let outside = || Error::malformed(format!("{} bytes at {at} of a local heap", bytes.len()));
            target.ok_or_else(outside)?.copy_from_slice(bytes);
            Ok(())
        })
    }
}

fn padded(length: usize) -> u64 {
    (length as u64).saturating_add(7) & !7
}
