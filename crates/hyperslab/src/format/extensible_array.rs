//! The extensible array: chunk index of a dataset with one unlimited axis.
//!
//! Spec: VII.D "The Extensible Array Index".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths};

record! {
    /// Root of an extensible array.
    ///
    /// Spec: VII.D, layout "Extensible Array Header".
    pub(crate) struct ExtensibleArrayHeader [signature b"EAHD", version 0, sealed by checksum] {
        /// 0 when elements are addresses, 1 when each also has stored size and filter mask.
        client: u8;
        /// Bytes of an element.
        element_size: u8;
        /// log2 of the most elements the array may ever hold.
        max_elements_bits: u8;
        /// Elements in the index block itself.
        index_elements: u8;
        /// Elements of the smallest data block; a power of two.
        min_data_elements: u8;
        /// Data blocks of the smallest super block; a power of two.
        min_pointers: u8;
        /// log2 of the elements of a page.
        page_bits: u8;
        super_blocks: Length;
        super_block_size: Length;
        data_blocks: Length;
        data_block_size: Length;
        /// One past the highest index ever set; grows last, so readers never see past it.
        max_index_set: Length;
        elements: Length;
        index_block: Option<Address>;
    }
}

impl ExtensibleArrayHeader {
    /// Where what changes begins: counts, sizes and the address of the index block.
    pub(crate) const COUNTS_AT: usize = 12;

    /// A header that waits to be written, whose checksum may be stale.
    pub(crate) fn read_staged(bytes: &[u8], widths: Widths) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, widths);
        cursor.skip(5)?;
        Ok(Self {
            client: cursor.u8()?,
            element_size: cursor.u8()?,
            max_elements_bits: cursor.u8()?,
            index_elements: cursor.u8()?,
            min_data_elements: cursor.u8()?,
            min_pointers: cursor.u8()?,
            page_bits: cursor.u8()?,
            super_blocks: Length(cursor.length()?),
            super_block_size: Length(cursor.length()?),
            data_blocks: Length(cursor.length()?),
            data_block_size: Length(cursor.length()?),
            max_index_set: Length(cursor.length()?),
            elements: Length(cursor.length()?),
            index_block: cursor.address()?,
        })
    }

    /// The bytes of what changes.
    pub(crate) fn counts(&self, widths: Widths) -> Result<Vec<u8>> {
        let mut sink = Sink::new(widths);
        for length in [
            self.super_blocks,
            self.super_block_size,
            self.data_blocks,
            self.data_block_size,
            self.max_index_set,
            self.elements,
        ] {
            sink.length(length.0)?;
        }
        sink.address(self.index_block)?;
        Ok(sink.into_bytes())
    }

    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        usize::from(widths.lengths)
            .saturating_mul(6)
            .saturating_add(usize::from(widths.offsets))
            .saturating_add(16)
    }
}

/// Where the elements of an array are, as its creation parameters fix it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExtensibleArrayShape {
    pub(crate) element_size: usize,
    pub(crate) index_elements: u64,
    pub(crate) page_elements: u64,
    /// Super blocks whose data blocks the index block points at directly.
    pub(crate) direct_super_blocks: u64,
    /// Data block addresses in the index block.
    index_data_blocks: u64,
    /// Super block addresses in the index block.
    index_super_blocks: u64,
    min_data_elements: u64,
    /// Bytes of an element index.
    offset_width: usize,
}

/// One super block: equally large data blocks of consecutive elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SuperBlockShape {
    /// First element, counted from the first that is not in the index block.
    pub(crate) start: u64,
    /// Data blocks in all earlier super blocks.
    pub(crate) first_data_block: u64,
    pub(crate) data_blocks: u64,
    /// Elements of each data block.
    pub(crate) elements: u64,
    /// Pages of each data block; 0 when it is not paged.
    pub(crate) pages: u64,
}

impl ExtensibleArrayShape {
    pub(crate) fn new(header: &ExtensibleArrayHeader) -> Result<Self> {
        let min_data = header.min_data_elements;
        if !min_data.is_power_of_two() || !header.min_pointers.is_power_of_two() {
            return Err(Error::malformed(format!(
                "smallest blocks of {min_data} elements and {} pointers, expected powers of two",
                header.min_pointers
            )));
        }
        let bits = u32::from(header.max_elements_bits);
        let total = bits.checked_sub(min_data.ilog2()).map(|blocks| blocks.saturating_add(1));
        let direct = header.min_pointers.ilog2().saturating_mul(2);
        let index_super_blocks = total.and_then(|total| total.checked_sub(direct));
        let page_elements = 1_u64.checked_shl(u32::from(header.page_bits));
        match (index_super_blocks, page_elements) {
            (Some(index_super_blocks), Some(page_elements)) if bits <= 64 && page_elements > 1 => Ok(Self {
                element_size: usize::from(header.element_size),
                index_elements: u64::from(header.index_elements),
                page_elements,
                direct_super_blocks: u64::from(direct),
                index_data_blocks: u64::from(header.min_pointers).saturating_sub(1).saturating_mul(2),
                index_super_blocks: u64::from(index_super_blocks),
                min_data_elements: u64::from(min_data),
                offset_width: usize::from(header.max_elements_bits.div_ceil(8)),
            }),
            _ => Err(Error::malformed(format!(
                "an array of 2^{bits} elements cannot have pages of 2^{} and blocks of {min_data}",
                header.page_bits
            ))),
        }
    }

    /// Super block `number`.
    pub(crate) fn super_block(&self, number: u64) -> Result<SuperBlockShape> {
        let power = |exponent: u64| u32::try_from(exponent).ok().and_then(|bits| 1_u64.checked_shl(bits));
        let shape = || {
            let data_blocks = power(number >> 1)?;
            let elements = power(number.checked_add(1)? >> 1)?.checked_mul(self.min_data_elements)?;
            let start = power(number)?.checked_sub(1)?.checked_mul(self.min_data_elements)?;
            let pairs = data_blocks.checked_sub(1)?.checked_mul(2)?;
            let odd = if number & 1 == 1 { data_blocks } else { 0 };
            let paged = elements > self.page_elements;
            Some(SuperBlockShape {
                start,
                first_data_block: pairs.checked_add(odd)?,
                data_blocks,
                elements,
                pages: if paged { elements.checked_div(self.page_elements)? } else { 0 },
            })
        };
        shape().ok_or_else(|| Error::malformed(format!("super block {number} of an extensible array")))
    }

    /// The super block that element `rest` is in, counted from the first not in the index block.
    pub(crate) fn super_block_of(&self, rest: u64) -> u64 {
        let blocks = rest.checked_div(self.min_data_elements).unwrap_or(0);
        u64::from(blocks.saturating_add(1).ilog2())
    }

    fn prefix(&self, widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_add(self.offset_width).saturating_add(10)
    }

    /// Bytes of the index block.
    pub(crate) fn index_block_size(&self, widths: Widths) -> Result<usize> {
        let pointers = self.index_data_blocks.saturating_add(self.index_super_blocks);
        let elements = to_usize(self.index_elements)?.saturating_mul(self.element_size);
        let pointers = to_usize(pointers)?.saturating_mul(usize::from(widths.offsets));
        Ok(elements.saturating_add(pointers).saturating_add(usize::from(widths.offsets)).saturating_add(10))
    }

    /// Bytes of a super block.
    pub(crate) fn super_block_size(&self, block: &SuperBlockShape, widths: Widths) -> Result<usize> {
        let each = block.pages.div_ceil(8).saturating_add(u64::from(widths.offsets));
        let size = to_usize(block.data_blocks.saturating_mul(each))?;
        Ok(size.saturating_add(self.prefix(widths)))
    }

    /// Bytes of a data block before its pages, or all of it when it has none.
    pub(crate) fn data_block_size(&self, block: &SuperBlockShape, widths: Widths) -> Result<usize> {
        let elements = if block.pages == 0 { to_usize(block.elements)? } else { 0 };
        Ok(elements.saturating_mul(self.element_size).saturating_add(self.prefix(widths)))
    }

    /// Bytes of a data block and its pages.
    pub(crate) fn whole_size(&self, block: &SuperBlockShape, widths: Widths) -> Result<usize> {
        let pages = to_usize(block.pages)?.checked_mul(self.page_size()?);
        pages
            .and_then(|pages| pages.checked_add(self.data_block_size(block, widths).ok()?))
            .ok_or_else(|| Error::malformed(format!("a data block of {} elements", block.elements)))
    }

    /// Where the elements begin in an index block.
    pub(crate) fn index_block_at(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_add(6)
    }

    /// Where a data or super block address begins in an index block, counted over both.
    pub(crate) fn index_pointer_at(&self, pointer: u64, widths: Widths) -> Result<usize> {
        let elements = to_usize(self.index_elements)?.saturating_mul(self.element_size);
        let before = to_usize(pointer)?.saturating_mul(usize::from(widths.offsets));
        Ok(Self::index_block_at(widths).saturating_add(elements).saturating_add(before))
    }

    /// Data block addresses in the index block.
    pub(crate) fn index_data_blocks(&self) -> u64 {
        self.index_data_blocks
    }

    /// Super block addresses in the index block.
    pub(crate) fn index_super_blocks(&self) -> u64 {
        self.index_super_blocks
    }

    /// Where elements begin in a data block, and bitmaps in a super block.
    pub(crate) fn body_at(&self, widths: Widths) -> usize {
        self.prefix(widths).saturating_sub(4)
    }

    /// Bytes of the bitmaps in a super block, after which addresses follow.
    pub(crate) fn bitmap_size(block: &SuperBlockShape) -> Result<usize> {
        to_usize(block.data_blocks.saturating_mul(block.pages.div_ceil(8)))
    }

    /// Bytes of a page.
    pub(crate) fn page_size(&self) -> Result<usize> {
        Ok(to_usize(self.page_elements)?.saturating_mul(self.element_size).saturating_add(4))
    }
}

/// Spec: VII.D, layout "Extensible Array Index Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExtensibleIndexBlock {
    pub(crate) client: u8,
    pub(crate) header: Option<Address>,
    /// The first elements, as on disk.
    pub(crate) elements: Vec<u8>,
    pub(crate) data_blocks: Vec<Option<Address>>,
    pub(crate) super_blocks: Vec<Option<Address>>,
}

impl ExtensibleIndexBlock {
    pub(crate) fn read(cursor: &mut Cursor<'_>, shape: &ExtensibleArrayShape) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(*b"EAIB")?;
        cursor.version(&[0])?;
        let client = cursor.u8()?;
        let header = cursor.address()?;
        let elements = to_usize(shape.index_elements)?.saturating_mul(shape.element_size);
        let elements = cursor.take(elements)?.to_vec();
        let data_blocks = addresses(cursor, shape.index_data_blocks)?;
        let super_blocks = addresses(cursor, shape.index_super_blocks)?;
        cursor.checksum(start)?;
        Ok(Self { client, header, elements, data_blocks, super_blocks })
    }

    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        let start = sink.position();
        sink.put(b"EAIB\0");
        sink.u8(self.client);
        sink.address(self.header)?;
        sink.put(&self.elements);
        self.data_blocks.iter().chain(&self.super_blocks).try_for_each(|block| sink.address(*block))?;
        sink.checksum(start);
        Ok(())
    }
}

/// Spec: VII.D, layout "Extensible Array Secondary Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExtensibleSuperBlock {
    pub(crate) client: u8,
    pub(crate) header: Option<Address>,
    /// First element, counted from the first that is not in the index block.
    pub(crate) offset: u64,
    /// One bit for each page of each data block in turn; empty when they are not paged.
    pub(crate) page_bitmap: Vec<u8>,
    pub(crate) data_blocks: Vec<Option<Address>>,
}

impl ExtensibleSuperBlock {
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        shape: &ExtensibleArrayShape,
        block: &SuperBlockShape,
    ) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(*b"EASB")?;
        cursor.version(&[0])?;
        let client = cursor.u8()?;
        let header = cursor.address()?;
        let offset = cursor.uint(shape.offset_width)?;
        let bitmap = to_usize(block.data_blocks.saturating_mul(block.pages.div_ceil(8)))?;
        let page_bitmap = cursor.take(bitmap)?.to_vec();
        let data_blocks = addresses(cursor, block.data_blocks)?;
        cursor.checksum(start)?;
        Ok(Self { client, header, offset, page_bitmap, data_blocks })
    }

    pub(crate) fn write(&self, sink: &mut Sink, shape: &ExtensibleArrayShape) -> Result<()> {
        let start = sink.position();
        sink.put(b"EASB\0");
        sink.u8(self.client);
        sink.address(self.header)?;
        sink.uint(self.offset, shape.offset_width)?;
        sink.put(&self.page_bitmap);
        self.data_blocks.iter().try_for_each(|block| sink.address(*block))?;
        sink.checksum(start);
        Ok(())
    }
}

/// Spec: VII.D, layout "Extensible Array Data Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExtensibleDataBlock {
    pub(crate) client: u8,
    pub(crate) header: Option<Address>,
    /// First element, counted from the first that is not in the index block.
    pub(crate) offset: u64,
    /// Elements as on disk; empty when paged.
    pub(crate) elements: Vec<u8>,
}

impl ExtensibleDataBlock {
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        shape: &ExtensibleArrayShape,
        block: &SuperBlockShape,
    ) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(*b"EADB")?;
        cursor.version(&[0])?;
        let client = cursor.u8()?;
        let header = cursor.address()?;
        let offset = cursor.uint(shape.offset_width)?;
        let elements = if block.pages == 0 { block.elements } else { 0 };
        let elements = cursor.expect_items(elements, shape.element_size)?;
        let elements = cursor.take(elements.saturating_mul(shape.element_size))?.to_vec();
        cursor.checksum(start)?;
        Ok(Self { client, header, offset, elements })
    }

    pub(crate) fn write(&self, sink: &mut Sink, shape: &ExtensibleArrayShape) -> Result<()> {
        let start = sink.position();
        sink.put(b"EADB\0");
        sink.u8(self.client);
        sink.address(self.header)?;
        sink.uint(self.offset, shape.offset_width)?;
        sink.put(&self.elements);
        sink.checksum(start);
        Ok(())
    }
}

fn addresses(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<Option<Address>>> {
    let count = cursor.expect_items(count, usize::from(cursor.widths().offsets))?;
    (0..count).map(|_| cursor.address()).collect()
}

#[cfg(test)]
#[path = "extensible_array_tests.rs"]
mod tests;
