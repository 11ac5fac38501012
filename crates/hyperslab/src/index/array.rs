//! What fixed and extensible arrays share: elements, and walking them block by block.

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Widths, all_ones, little_endian};
use crate::index::StoredChunk;
use crate::index::grid::Order;
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use std::sync::Arc;

/// How one element of an array is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ElementFormat {
    width: usize,
    address_width: u8,
    /// Bytes of the stored size; none when chunks are not filtered.
    size_width: Option<usize>,
    chunk_bytes: u64,
}

impl ElementFormat {
    /// Elements of `width` bytes of a client, which is 0 for unfiltered chunks and 1 for filtered.
    pub(crate) fn new(
        client: u8,
        width: usize,
        filtered: bool,
        chunk_bytes: u64,
        widths: Widths,
    ) -> Result<Self> {
        let address_width = widths.offsets;
        if client != u8::from(filtered) {
            return Err(Error::malformed(format!(
                "client is {client}, expected {} as the dataset {} filters",
                u8::from(filtered),
                if filtered { "has" } else { "has no" }
            )));
        }
        let rest = width.checked_sub(usize::from(address_width));
        let size_width = match (filtered, rest) {
            (false, Some(0)) => None,
            // A size of 1 to 8 bytes and four bytes of filter mask.
            (true, Some(rest @ 5..=12)) => Some(rest - 4),
            _ => return Err(Error::malformed(format!("elements of {width} bytes"))),
        };
        Ok(Self { width, address_width, size_width, chunk_bytes })
    }

    /// Bytes of an element of a new array: stored sizes may be a little larger than a chunk.
    pub(crate) fn usual_width(filtered: bool, chunk_bytes: u64, widths: Widths) -> usize {
        let bits = usize::try_from(chunk_bytes.max(1).ilog2()).unwrap_or(0);
        let size = (bits.saturating_add(8) / 8).saturating_add(1).min(8);
        usize::from(widths.offsets).saturating_add(if filtered { size.saturating_add(4) } else { 0 })
    }

    /// The element that stands for a chunk, or for none.
    pub(crate) fn encode(&self, chunk: Option<StoredChunk>) -> Result<Vec<u8>> {
        let none = StoredChunk { address: Address(all_ones(self.address_width)), size: 0, filter_mask: 0 };
        let StoredChunk { address, size, filter_mask } = chunk.unwrap_or(none);
        let mut element = Vec::with_capacity(self.width);
        element.extend(address.0.to_le_bytes().get(..usize::from(self.address_width)).unwrap_or_default());
        match self.size_width {
            Some(width) => {
                let (low, high) = size
                    .to_le_bytes()
                    .split_at_checked(width)
                    .map(|(a, b)| (a.to_vec(), b.to_vec()))
                    .unwrap_or_default();
                if high.iter().any(|byte| *byte != 0) {
                    return Err(Error::limit(format!(
                        "a chunk of {size} stored bytes, of {} bytes itself",
                        self.chunk_bytes
                    )));
                }
                element.extend(low);
                element.extend(filter_mask.to_le_bytes());
            }
            None if chunk.is_some_and(|chunk| chunk.size != self.chunk_bytes) => {
                return Err(Error::usage(format!(
                    "an unfiltered chunk of {size} bytes, {} expected",
                    self.chunk_bytes
                )));
            }
            None => {}
        }
        Ok(element)
    }

    /// Elements that stand for no chunk.
    pub(crate) fn unset(&self, count: u64) -> Result<Vec<u8>> {
        Ok(self.encode(None)?.repeat(to_usize(count)?))
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The chunk an element stands for; none when it was never written.
    pub(crate) fn decode(&self, element: &[u8]) -> Option<StoredChunk> {
        let (address, rest) = element.split_at_checked(usize::from(self.address_width))?;
        let address = little_endian(address);
        if address == all_ones(self.address_width) {
            return None;
        }
        let address = Address(address);
        let Some(size_width) = self.size_width else {
            return Some(StoredChunk { address, size: self.chunk_bytes, filter_mask: 0 });
        };
        let (size, mask) = rest.split_at_checked(size_width)?;
        let filter_mask = u32::from_le_bytes(*mask.first_chunk()?);
        Some(StoredChunk { address, size: little_endian(size), filter_mask })
    }
}

/// Consecutive elements.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Number of the first element.
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// The elements; none when none of them was ever written.
    pub(crate) bytes: Option<Arc<Vec<u8>>>,
}

impl Block {
    fn element(&self, index: u64, format: &ElementFormat) -> Option<StoredChunk> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?.checked_mul(format.width())?;
        format.decode(self.bytes.as_ref()?.get(at..at.checked_add(format.width())?)?)
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// An array that is stored in blocks.
pub(crate) trait Blocks {
    fn format(&self) -> &ElementFormat;
    /// No element from this one on was ever set.
    fn end(&self) -> u64;
    /// The block that element `index` is in.
    fn block(&self, md: &Metadata, index: u64) -> Result<Block>;
}

/// The chunk of element `index`.
pub(crate) fn lookup(array: &dyn Blocks, md: &Metadata, index: u64) -> Result<Option<StoredChunk>> {
    if index >= array.end() {
        return Ok(None);
    }
    Ok(array.block(md, index)?.element(index, array.format()))
}

/// Every stored chunk of a box; each block is asked for once.
pub(crate) fn visit(
    array: &dyn Blocks,
    md: &Metadata,
    order: &Order,
    (first, last): (&[u64], &[u64]),
    found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
) -> Result<()> {
    let mut block = Block { first: 0, count: 0, bytes: None };
    order.runs(first, last, &mut |coords, start, count, axis| {
        if start >= array.end() {
            return Ok(u64::MAX);
        }
        let end = start.checked_add(count).ok_or_else(|| Error::usage("more chunks than 64 bits count"))?;
        let end = end.min(array.end());
        let origin = coords.get(axis).copied().unwrap_or(0);
        let mut index = start;
        while index < end {
            if index < block.first || index >= block.end() {
                block = array.block(md, index)?;
            }
            let until = end.min(block.end());
            if until <= index {
                return Err(Error::malformed("a block of a chunk index has no elements"));
            }
            visit_run(&block, array.format(), (index, until), |index, chunk| {
                if let Some(coord) = coords.get_mut(axis) {
                    *coord = origin + (index - start);
                }
                found(coords, chunk)
            })?;
            index = until;
        }
        Ok(if block.bytes.is_none() { block.end() } else { 0 })
    })
}

/// The stored chunks of elements `start..end`, all in `block`.
fn visit_run(
    block: &Block,
    format: &ElementFormat,
    (start, end): (u64, u64),
    mut found: impl FnMut(u64, StoredChunk) -> Result<()>,
) -> Result<()> {
    let Some(bytes) = &block.bytes else { return Ok(()) };
    let skip = usize::try_from(start - block.first).ok().and_then(|skip| skip.checked_mul(format.width()));
    let elements = skip.and_then(|skip| bytes.get(skip..)).unwrap_or_default();
    for (index, element) in (start..end).zip(elements.chunks_exact(format.width())) {
        if let Some(chunk) = format.decode(element) {
            found(index, chunk)?;
        }
    }
    Ok(())
}

/// Replaces bytes in the block of `length` bytes at an address, once `check` has looked at it; it ends with
/// its checksum.
pub(crate) fn change(
    md: &Metadata,
    (stage, address, length): (Stage, Address, usize),
    at: usize,
    new: &[u8],
    check: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if !md.is_staged(address, length) {
        check()?;
    }
    md.edit((stage, Seal::Last), address, length, |bytes| {
        let place = bytes.get_mut(at..at.saturating_add(new.len()));
        place
            .ok_or_else(|| Error::malformed("an array has fewer bytes than its elements"))?
            .copy_from_slice(new);
        Ok(())
    })
}

/// Sets a bit of a block, counted from the highest of the byte at `at`.
pub(crate) fn set_bit(md: &Metadata, (address, length): (Address, usize), at: usize, bit: u64) -> Result<()> {
    let at = usize::try_from(bit >> 3).unwrap_or(usize::MAX).saturating_add(at);
    md.edit((Stage::IndexBlock, Seal::Last), address, length, |bytes| {
        let byte = bytes.get_mut(at);
        *byte.ok_or_else(|| Error::malformed("an array has fewer pages than elements"))? |= 0x80 >> (bit & 7);
        Ok(())
    })
}

/// Stages a new page in which nothing but `element`, number `index`, is set.
pub(crate) fn new_page(
    md: &Metadata,
    address: Address,
    format: &ElementFormat,
    count: u64,
    (index, element): (u64, &[u8]),
) -> Result<()> {
    let mut bytes = format.unset(count)?;
    let at = to_usize(index)?.saturating_mul(format.width());
    let place = bytes.get_mut(at..at.saturating_add(element.len()));
    place
        .ok_or_else(|| Error::usage(format!("element {index} of a page of {count}")))?
        .copy_from_slice(element);
    bytes.extend([0; 4]);
    md.put_unsealed(Stage::Block, address, bytes, Seal::Last)
}
