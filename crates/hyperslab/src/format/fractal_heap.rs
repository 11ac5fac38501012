//! Fractal heaps: links and attributes that outgrew an object header.
//!
//! Spec: III.G "Fractal Heap".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, Wire};
use crate::format::checksum::{is_right, lookup3};

record! {
    /// The part of a heap's header that every heap has.
    ///
    /// Spec: III.G, layout "Fractal Heap Header".
    pub(crate) struct FractalHeapFields [signature b"FRHP", version 0,] {
        /// Bytes of a heap ID.
        id_size: u16;
        /// Bytes of the filter pipeline message; 0 when nothing is filtered.
        filters_size: u16;
        /// Bit 1: direct blocks have checksums.
        flags: u8;
        /// Larger objects are huge.
        max_managed_size: u32;
        next_huge: Length;
        /// Tree of the huge objects.
        huge_tree: Option<Address>;
        free_space: Length;
        free_space_manager: Option<Address>;
        managed_size: Length;
        allocated_size: Length;
        iterator: Length;
        managed_objects: Length;
        huge_size: Length;
        huge_objects: Length;
        tiny_size: Length;
        tiny_objects: Length;
        /// Blocks of a row; a power of two.
        table_width: u16;
        /// Bytes of the blocks of the first two rows; a power of two.
        start_block_size: Length;
        /// Larger blocks are indirect; a power of two.
        max_direct_size: Length;
        /// log2 of the most bytes the heap may ever manage.
        max_heap_bits: u16;
        start_rows: u16;
        root: Option<Address>;
        /// Rows of the root block; 0 when it is a direct block.
        rows: u16;
    }
}

/// What a heap with filters says besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeapFilters {
    /// Stored bytes of the root block, when it is a direct one.
    pub(crate) root_size: u64,
    pub(crate) root_mask: u32,
    /// A filter pipeline message.
    pub(crate) pipeline: Vec<u8>,
}

/// Root of a fractal heap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FractalHeapHeader {
    pub(crate) fields: FractalHeapFields,
    pub(crate) filters: Option<HeapFilters>,
}

impl FractalHeapHeader {
    /// Bytes on disk with a pipeline of `filters` bytes.
    pub(crate) fn size(filters: usize, widths: Widths) -> usize {
        let offsets = usize::from(widths.offsets).saturating_mul(3);
        let lengths = usize::from(widths.lengths);
        let more = if filters == 0 { 0 } else { lengths.saturating_add(4).saturating_add(filters) };
        lengths.saturating_mul(12).saturating_add(offsets).saturating_add(26).saturating_add(more)
    }
}

impl Wire for FractalHeapHeader {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let start = cursor.position();
        let fields = FractalHeapFields::read(cursor)?;
        let filters = if fields.filters_size == 0 {
            None
        } else {
            Some(HeapFilters {
                root_size: cursor.length()?,
                root_mask: cursor.u32()?,
                pipeline: cursor.take(fields.filters_size.into())?.to_vec(),
            })
        };
        cursor.checksum(start)?;
        Ok(Self { fields, filters })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        let start = sink.position();
        self.fields.write(sink)?;
        if let Some(filters) = &self.filters {
            sink.length(filters.root_size)?;
            sink.u32(filters.root_mask);
            sink.put(&filters.pipeline);
        }
        sink.checksum(start);
        Ok(())
    }
}

/// Where in a heap things are, as its creation parameters fix it: the doubling table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeapShape {
    /// Bytes of an offset in the heap.
    pub(crate) offset_width: usize,
    /// Bytes of an object's length in a heap ID.
    pub(crate) length_width: usize,
    pub(crate) start_block_size: u64,
    pub(crate) checksummed: bool,
    filtered: bool,
    width: u64,
    start_bits: u32,
    first_row_bits: u32,
    max_direct_rows: u64,
    max_heap_bits: u32,
}

/// A block of an indirect block's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TablePlace {
    /// Which entry.
    pub(crate) entry: u64,
    /// Where the block begins, counted from the beginning of the indirect block.
    pub(crate) start: u64,
    /// Bytes of the block.
    pub(crate) size: u64,
    /// Rows of the block, when it is itself indirect.
    pub(crate) rows: Option<u64>,
}

impl HeapShape {
    pub(crate) fn new(header: &FractalHeapHeader) -> Result<Self> {
        let fields = &header.fields;
        let (start, largest) = (fields.start_block_size.0, fields.max_direct_size.0);
        let powers =
            start.is_power_of_two() && largest.is_power_of_two() && fields.table_width.is_power_of_two();
        if !powers || start > largest || fields.max_heap_bits > 64 {
            return Err(Error::malformed(format!(
                "blocks of {start} to {largest} bytes in rows of {} and 2^{} bytes in all",
                fields.table_width, fields.max_heap_bits
            )));
        }
        let width_of = |bits: u32| usize::try_from(bits >> 3).unwrap_or(0);
        let by_block = width_of(largest.ilog2().saturating_add(7));
        let by_object = width_of(fields.max_managed_size.max(1).ilog2()).saturating_add(1);
        Ok(Self {
            offset_width: usize::from(fields.max_heap_bits.div_ceil(8)),
            length_width: by_block.min(by_object),
            start_block_size: start,
            checksummed: fields.flags & 2 != 0,
            filtered: header.filters.is_some(),
            width: fields.table_width.into(),
            start_bits: start.ilog2(),
            first_row_bits: start.ilog2().saturating_add(fields.table_width.ilog2()),
            max_direct_rows: u64::from(largest.ilog2().saturating_sub(start.ilog2())).saturating_add(2),
            max_heap_bits: fields.max_heap_bits.into(),
        })
    }

    /// The block of an indirect block that byte `offset` of it is in.
    pub(crate) fn locate(&self, offset: u64) -> Option<TablePlace> {
        let high = offset.checked_ilog2().filter(|high| *high >= self.first_row_bits);
        let Some(high) = high else {
            let entry = offset.checked_div(self.start_block_size)?;
            let start = entry.checked_mul(self.start_block_size)?;
            return Some(TablePlace { entry, start, size: self.start_block_size, rows: None });
        };
        let row = u64::from(high.checked_sub(self.first_row_bits)?).checked_add(1)?;
        let bits = self.start_bits.checked_add(u32::try_from(row).ok()?)?.checked_sub(1)?;
        let size = 1_u64.checked_shl(bits)?;
        let row_start = 1_u64.checked_shl(high)?;
        let column = offset.checked_sub(row_start)?.checked_div(size)?;
        let start = column.checked_mul(size)?.checked_add(row_start)?;
        let entry = row.checked_mul(self.width)?.checked_add(column)?;
        let rows = if row < self.max_direct_rows {
            None
        } else {
            Some(u64::from(bits.checked_sub(self.first_row_bits)?).checked_add(1)?)
        };
        Some(TablePlace { entry, start, size, rows })
    }

    /// Blocks of a row.
    pub(crate) fn width(&self) -> u64 {
        self.width
    }

    /// Rows of direct blocks, before those of indirect ones.
    pub(crate) fn max_direct_rows(&self) -> u64 {
        self.max_direct_rows
    }

    /// The most rows of the root block.
    pub(crate) fn max_rows(&self) -> u64 {
        u64::from(self.max_heap_bits.saturating_sub(self.first_row_bits)).saturating_add(1)
    }

    /// Bytes of each block of a row.
    pub(crate) fn row_size(&self, row: u64) -> u64 {
        let double = u32::try_from(row.saturating_sub(1)).unwrap_or(u32::MAX);
        self.start_block_size.checked_shl(double).unwrap_or(u64::MAX)
    }

    /// Where a row begins in its indirect block, and so the bytes of the rows before it.
    pub(crate) fn row_start(&self, row: u64) -> u64 {
        if row == 0 { 0 } else { self.row_size(row).saturating_mul(self.width) }
    }

    /// The first row whose blocks have `size` bytes.
    pub(crate) fn row_of(&self, size: u64) -> u64 {
        let bits = size.max(1).checked_next_power_of_two().map_or(u32::MAX, u64::ilog2);
        match bits.checked_sub(self.start_bits) {
            None | Some(0) => 0,
            Some(more) => u64::from(more).saturating_add(1),
        }
    }

    /// Rows of the indirect blocks of a row.
    pub(crate) fn child_rows(&self, row: u64) -> u64 {
        let bits = u64::from(self.start_bits).saturating_add(row).saturating_sub(1);
        bits.saturating_sub(self.first_row_bits.into()).saturating_add(1)
    }

    /// Bytes for objects in an indirect block of `rows` rows and everything below it.
    pub(crate) fn capacity(&self, rows: u64, overhead: u64) -> u64 {
        (0..rows.min(self.max_rows())).fold(0, |sum: u64, row| {
            let block = if row < self.max_direct_rows {
                self.row_size(row).saturating_sub(overhead)
            } else {
                self.capacity(self.child_rows(row).min(row), overhead)
            };
            sum.saturating_add(block.saturating_mul(self.width))
        })
    }

    /// Where the address of an entry is in an indirect block without filters.
    pub(crate) fn entry_at(&self, entry: u64, widths: Widths) -> Result<usize> {
        let before = usize::from(widths.offsets).saturating_add(self.offset_width).saturating_add(5);
        Ok(to_usize(entry)?.saturating_mul(widths.offsets.into()).saturating_add(before))
    }

    /// Where the checksum of a direct block is, when it has one.
    pub(crate) fn checksum_at(&self, widths: Widths) -> Option<usize> {
        let at = usize::from(widths.offsets).saturating_add(self.offset_width).saturating_add(5);
        self.checksummed.then_some(at)
    }

    /// Bytes before the objects of a direct block.
    pub(crate) fn direct_overhead(&self, widths: Widths) -> usize {
        let checksum = if self.checksummed { 4 } else { 0 };
        usize::from(widths.offsets)
            .saturating_add(self.offset_width)
            .saturating_add(5)
            .saturating_add(checksum)
    }

    /// Bytes of an indirect block of `rows` rows.
    pub(crate) fn indirect_size(&self, rows: u64, widths: Widths) -> Result<usize> {
        let address = u64::from(widths.offsets);
        let extra = if self.filtered { u64::from(widths.lengths).saturating_add(4) } else { 0 };
        let direct = rows.min(self.max_direct_rows).saturating_mul(self.width).saturating_mul(extra);
        let all = rows.saturating_mul(self.width).saturating_mul(address);
        let size = to_usize(all.saturating_add(direct).saturating_add(address).saturating_add(9))?;
        Ok(size.saturating_add(self.offset_width))
    }
}

/// An entry of an indirect block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct IndirectEntry {
    pub(crate) address: Option<Address>,
    /// Stored bytes of a filtered direct block, else 0.
    pub(crate) size: u64,
    pub(crate) filter_mask: u32,
}

/// Spec: III.G, layout "Fractal Heap Indirect Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndirectBlock {
    pub(crate) header: Option<Address>,
    /// Where in the heap it begins.
    pub(crate) offset: u64,
    pub(crate) entries: Vec<IndirectEntry>,
}

impl IndirectBlock {
    pub(crate) fn read(cursor: &mut Cursor<'_>, shape: &HeapShape, rows: u64) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(*b"FHIB")?;
        cursor.version(&[0])?;
        let header = cursor.address()?;
        let offset = cursor.uint(shape.offset_width)?;
        let direct = to_usize(rows.min(shape.max_direct_rows).saturating_mul(shape.width))?;
        let count = rows.saturating_mul(shape.width);
        let count = cursor.expect_items(count, usize::from(cursor.widths().offsets))?;
        let mut entries = Vec::with_capacity(count);
        for index in 0..count {
            let mut entry = IndirectEntry { address: cursor.address()?, size: 0, filter_mask: 0 };
            if shape.filtered && index < direct {
                entry.size = cursor.length()?;
                entry.filter_mask = cursor.u32()?;
            }
            entries.push(entry);
        }
        cursor.checksum(start)?;
        Ok(Self { header, offset, entries })
    }

    #[cfg(test)]
    pub(crate) fn write(&self, sink: &mut Sink, shape: &HeapShape) -> Result<()> {
        let start = sink.position();
        sink.put(b"FHIB\0");
        sink.address(self.header)?;
        sink.uint(self.offset, shape.offset_width)?;
        let direct = to_usize(shape.max_direct_rows.saturating_mul(shape.width))?;
        for (index, entry) in self.entries.iter().enumerate() {
            sink.address(entry.address)?;
            if shape.filtered && index < direct {
                sink.length(entry.size)?;
                sink.u32(entry.filter_mask);
            }
        }
        sink.checksum(start);
        Ok(())
    }
}

/// Bytes of objects, at the offsets their heap IDs say, counted from the beginning of the block.
///
/// Spec: III.G, layout "Fractal Heap Direct Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DirectBlock {
    pub(crate) header: Option<Address>,
    /// Where in the heap it begins.
    pub(crate) offset: u64,
    /// All of the block; a checksum in it is zero here.
    pub(crate) bytes: Vec<u8>,
}

impl DirectBlock {
    /// The block in `bytes`, all of it and decoded.
    pub(crate) fn parse(mut bytes: Vec<u8>, shape: &HeapShape, widths: Widths) -> Result<Self> {
        let mut cursor = Cursor::new(&bytes, widths);
        cursor.signature(*b"FHDB")?;
        cursor.version(&[0])?;
        let header = cursor.address()?;
        let offset = cursor.uint(shape.offset_width)?;
        if shape.checksummed {
            let at = cursor.position();
            let stored = cursor.u32()?;
            if let Some(field) = bytes.get_mut(at..at.saturating_add(4)) {
                field.fill(0);
            }
            let computed = lookup3(&bytes);
            if !is_right(stored, computed) {
                return Err(Error::malformed(format!(
                    "checksum is {stored:#010x}, its bytes give {computed:#010x}"
                )));
            }
        }
        Ok(Self { header, offset, bytes })
    }

    pub(crate) fn write(&self, sink: &mut Sink, shape: &HeapShape) -> Result<()> {
        let mut head = Sink::new(sink.widths());
        head.put(b"FHDB\0");
        head.address(self.header)?;
        head.uint(self.offset, shape.offset_width)?;
        if shape.checksummed {
            head.u32(lookup3(&self.bytes));
        }
        let head = head.into_bytes();
        sink.put(&head);
        sink.put(self.bytes.get(head.len()..).unwrap_or_default());
        Ok(())
    }
}

record! {
    /// Head of what libhdf5 keeps of the free space of a heap.
    ///
    /// Spec: III.I "Free-space Manager", layout "Free-space Manager Header".
    pub(crate) struct FreeSpaceHeader [signature b"FSHD", version 0, sealed by checksum] {
        client: u8;
        space: Length;
        sections: Length;
        serialized: Length;
        ghosts: Length;
        classes: u16;
        shrink_percent: u16;
        expand_percent: u16;
        space_bits: u16;
        max_section: Length;
        list: Option<Address>;
        list_used: Length;
        /// Bytes the list has in the file.
        list_size: Length;
    }
}

impl FreeSpaceHeader {
    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        let lengths = usize::from(widths.lengths).saturating_mul(7);
        lengths.saturating_add(widths.offsets.into()).saturating_add(18)
    }
}

#[cfg(test)]
#[path = "fractal_heap_tests.rs"]
mod tests;
