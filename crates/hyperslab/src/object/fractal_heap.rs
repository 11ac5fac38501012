//! [`FractalHeap`]: heap IDs to the bytes of links and attributes.
//!
//! Spec: III.G "Fractal Heap".

mod huge;
pub(crate) mod space;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use crate::error::{Error, Place, Result, to_usize};
use crate::filter::FilterPipeline;
use crate::format::btree_v2::{HugeIndirect, HugeIndirectFiltered};
use crate::format::bytes::{Address, Cursor, Widths, Wire, little_endian};
use crate::format::fractal_heap::{DirectBlock, FractalHeapHeader, HeapShape, IndirectBlock};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::BTreeV2;
use std::sync::Arc;

/// A decoded object may be this many times as large as it is stored.
const LARGEST_RATIO: u64 = 4096;

/// About what the header of a heap takes in memory.
const WEIGHT: usize = 256;
/// Bytes of data in a heap ID up to which its length takes one byte.
const SHORT_TINY: usize = 16;

/// A fractal heap.
#[derive(Debug)]
pub(crate) struct FractalHeap {
    address: Address,
    head: Arc<Head>,
}

/// What the header of a heap says.
#[derive(Debug)]
struct Head {
    header: FractalHeapHeader,
    shape: HeapShape,
    pipeline: Option<FilterPipeline>,
}

/// Where a direct block is, and how it is stored.
struct DirectPlace {
    address: Option<Address>,
    /// Where in the heap it begins.
    offset: u64,
    size: u64,
    /// Stored bytes and filter mask of a filtered block.
    stored: (u64, u32),
}

/// A huge object as it is stored.
struct Huge {
    address: Option<Address>,
    length: u64,
    /// Filter mask and decoded bytes, when it is filtered.
    filtered: Option<(u32, u64)>,
}

impl FractalHeap {
    /// The heap whose header is at `address`.
    pub(crate) fn open(md: &Metadata, address: Address) -> Result<Self> {
        let head = md.decoded(address, || Ok((load(md, address)?, WEIGHT)));
        Ok(Self { address, head: head.at(|| format!("fractal heap at {address}"))? })
    }

    /// The object that a heap ID stands for.
    pub(crate) fn get(&self, md: &Metadata, id: &[u8]) -> Result<Vec<u8>> {
        self.object(md, id).at(|| format!("object {} of fractal heap at {}", hex(id), self.address))
    }

    fn object(&self, md: &Metadata, id: &[u8]) -> Result<Vec<u8>> {
        let size = usize::from(self.head.header.fields.id_size);
        let (flags, data) = match id.get(..size).and_then(<[u8]>::split_first) {
            Some((flags, data)) => (*flags, data),
            None => return Err(Error::malformed(format!("heap ID of {} bytes, {size} expected", id.len()))),
        };
        match (flags >> 6, (flags >> 4) & 3) {
            (0, 0) => self.managed(md, id),
            (0, 1) => self.huge(md, data),
            (0, 2) => tiny(flags, data),
            (version, kind) => {
                Err(Error::malformed(format!("heap ID has version {version} and type {kind}")))
            }
        }
    }

    /// Where in the heap the object of an ID is, and its length, when it is in a direct block.
    fn managed_place(&self, md: &Metadata, id: &[u8]) -> Option<(u64, u64)> {
        id.first().filter(|flags| *flags & 0xf0 == 0)?;
        managed_id(md.widths(), self.id_widths(), id).ok()
    }

    fn id_widths(&self) -> (usize, usize) {
        (self.head.shape.offset_width, self.head.shape.length_width)
    }

    fn managed(&self, md: &Metadata, id: &[u8]) -> Result<Vec<u8>> {
        let (offset, length) = managed_id(md.widths(), self.id_widths(), id)?;
        let length = to_usize(length)?;
        let place = self.locate(md, offset)?;
        let start = to_usize(offset.saturating_sub(place.offset))?;
        if start < self.head.shape.direct_overhead(md.widths()) {
            return Err(Error::malformed(format!("offset {offset} is in the head of a direct block")));
        }
        // A block that is being written need not be whole to read from it.
        if let Some(address) = place.address
            && let Some(object) = md.staged_part(address, (to_usize(place.size)?, start), length)
        {
            return Ok(object);
        }
        let block = self.direct_block(md, &place)?;
        let object = start.checked_add(length).and_then(|end| block.bytes.get(start..end));
        object.map(<[u8]>::to_vec).ok_or_else(|| {
            Error::malformed(format!("{length} bytes at {start} of a direct block of {}", block.bytes.len()))
        })
    }

    /// The direct block that byte `offset` of the heap is in.
    fn locate(&self, md: &Metadata, offset: u64) -> Result<DirectPlace> {
        let fields = &self.head.header.fields;
        if fields.rows == 0 {
            let stored = self.head.header.filters.as_ref().map_or((0, 0), |f| (f.root_size, f.root_mask));
            let size = self.head.shape.start_block_size;
            return Ok(DirectPlace { address: fields.root, offset: 0, size, stored });
        }
        let mut address = fields.root;
        let mut rows = u64::from(fields.rows);
        let mut start = 0;
        loop {
            let block = self.indirect_block(md, address, (start, rows))?;
            let within = offset.checked_sub(start);
            let place = within.and_then(|within| self.head.shape.locate(within));
            let entry =
                place.and_then(|place| Some((place, block.entries.get(usize::try_from(place.entry).ok()?)?)));
            let Some((place, entry)) = entry else {
                return Err(Error::malformed(format!("offset {offset} is outside the heap")));
            };
            start = start.saturating_add(place.start);
            match place.rows {
                None => {
                    let stored = (entry.size, entry.filter_mask);
                    return Ok(DirectPlace {
                        address: entry.address,
                        offset: start,
                        size: place.size,
                        stored,
                    });
                }
                // Rows shrink on the way down, so the way ends.
                Some(below) if below < rows => rows = below,
                Some(below) => {
                    return Err(Error::malformed(format!("indirect block of {below} rows in one of {rows}")));
                }
            }
            address = entry.address;
        }
    }

    fn indirect_block(
        &self,
        md: &Metadata,
        address: Option<Address>,
        (start, rows): (u64, u64),
    ) -> Result<Arc<IndirectBlock>> {
        let address = address.ok_or_else(|| Error::malformed("indirect block was never written"))?;
        let place = || format!("indirect block at {address}");
        let block = md.decoded(address, || {
            let size = self.head.shape.indirect_size(rows, md.widths()).at(place)?;
            let bytes = md.read(address, size).at(place)?;
            let mut cursor = Cursor::new(&bytes, md.widths());
            let block = IndirectBlock::read(&mut cursor, &self.head.shape, rows).at(place)?;
            let weight = block.entries.len().saturating_mul(32);
            Ok((block, weight))
        })?;
        if block.entries.len() as u64 != rows.saturating_mul(self.head.shape.width()) {
            return Err(Error::malformed(format!("two lengths for the indirect block at {address}")));
        }
        self.check_owner(block.header, (block.offset, start)).at(place)?;
        Ok(block)
    }

    fn direct_block(&self, md: &Metadata, at: &DirectPlace) -> Result<Arc<DirectBlock>> {
        let address = at.address.ok_or_else(|| Error::malformed("direct block was never written"))?;
        let place = || format!("direct block at {address}");
        let block = md.decoded(address, || {
            let bytes = if self.head.pipeline.is_none() {
                md.read(address, to_usize(at.size)?).at(place)?
            } else {
                let stored = md.read(address, to_usize(at.stored.0)?).at(place)?;
                self.decode(&stored, at.stored.1, at.size).at(place)?
            };
            let block = DirectBlock::parse(bytes, &self.head.shape, md.widths()).at(place)?;
            let weight = block.bytes.len();
            Ok((block, weight))
        })?;
        self.check_owner(block.header, (block.offset, at.offset)).at(place)?;
        Ok(block)
    }

    fn check_owner(&self, header: Option<Address>, (found, expected): (u64, u64)) -> Result<()> {
        if header != Some(self.address) {
            return Err(Error::malformed("belongs to another fractal heap"));
        }
        if found != expected {
            return Err(Error::malformed(format!("block offset is {found}, expected {expected}")));
        }
        Ok(())
    }

    fn huge(&self, md: &Metadata, data: &[u8]) -> Result<Vec<u8>> {
        let widths = md.widths();
        let filtered = self.head.pipeline.is_some();
        let (offsets, lengths) = (usize::from(widths.offsets), usize::from(widths.lengths));
        let direct = offsets + lengths + if filtered { lengths + 4 } else { 0 };
        let mut cursor = Cursor::new(data, widths);
        let huge = if direct <= data.len() {
            let (address, length) = (cursor.address()?, cursor.length()?);
            let filtered = if filtered { Some((cursor.u32()?, cursor.length()?)) } else { None };
            Huge { address, length, filtered }
        } else {
            self.huge_in_tree(md, cursor.uint(data.len().min(8))?)?
        };
        let address = huge.address.ok_or_else(|| Error::malformed("huge object was never written"))?;
        let stored = md.read(address, to_usize(huge.length)?)?;
        match huge.filtered {
            None => Ok(stored),
            Some((mask, size)) => self.decode(&stored, mask, size),
        }
    }

    fn huge_in_tree(&self, md: &Metadata, id: u64) -> Result<Huge> {
        let tree = self.huge_tree(md)?;
        let kind = if self.head.pipeline.is_some() { 2 } else { 1 };
        if tree.kind() != kind {
            return Err(Error::malformed(format!("B-tree type is {}, expected {kind}", tree.kind())));
        }
        let plain = |record: &[u8]| HugeIndirect::read(&mut Cursor::new(record, md.widths()));
        let packed = |record: &[u8]| HugeIndirectFiltered::read(&mut Cursor::new(record, md.widths()));
        let found = tree.find(md, &mut |record| {
            let found = if kind == 1 { plain(record)?.id.0 } else { packed(record)?.id.0 };
            Ok(found.cmp(&id))
        })?;
        let record = found.ok_or_else(|| Error::malformed(format!("no huge object {id}")))?;
        Ok(if kind == 1 {
            let record = plain(&record)?;
            Huge { address: record.address, length: record.length.0, filtered: None }
        } else {
            let record = packed(&record)?;
            let filtered = Some((record.filter_mask, record.size.0));
            Huge { address: record.address, length: record.length.0, filtered }
        })
    }

    fn huge_tree(&self, md: &Metadata) -> Result<BTreeV2> {
        let address = self.head.header.fields.huge_tree;
        BTreeV2::open(md, address.ok_or_else(|| Error::malformed("fractal heap has no huge objects"))?)
    }

    fn decode(&self, stored: &[u8], mask: u32, size: u64) -> Result<Vec<u8>> {
        let Some(pipeline) = &self.head.pipeline else { return Ok(stored.to_vec()) };
        if size > (stored.len() as u64).saturating_mul(LARGEST_RATIO) {
            return Err(Error::malformed(format!("{size} bytes are stored in {}", stored.len())));
        }
        pipeline.decode(stored, mask, to_usize(size)?)
    }
}

/// Offset and length in the ID of an object in a direct block.
fn managed_id(widths: Widths, (offset, length): (usize, usize), id: &[u8]) -> Result<(u64, u64)> {
    let mut cursor = Cursor::new(id, widths);
    cursor.skip(1)?;
    Ok((cursor.uint(offset)?, cursor.uint(length)?))
}

fn load(md: &Metadata, address: Address) -> Result<Head> {
    let widths = md.widths();
    let mut bytes = md.read(address, FractalHeapHeader::size(0, widths))?;
    let filters = bytes.get(7..9).map_or(0, little_endian);
    if filters > 0 {
        bytes = md.read(address, FractalHeapHeader::size(to_usize(filters)?, widths))?;
    }
    let header = FractalHeapHeader::read(&mut Cursor::new(&bytes, widths))?;
    let pipeline = match &header.filters {
        Some(filters) => Some(FilterPipeline::read(&mut Cursor::new(&filters.pipeline, widths))?),
        None => None,
    };
    Ok(Head { shape: HeapShape::new(&header)?, header, pipeline })
}

/// An object in its heap ID.
fn tiny(flags: u8, data: &[u8]) -> Result<Vec<u8>> {
    let short = usize::from(flags & 15);
    let (length, data) = match data.split_first() {
        Some((low, rest)) if data.len() > SHORT_TINY + 1 => (short << 8 | usize::from(*low), rest),
        _ => (short, data),
    };
    let object = data.get(..=length);
    object.map(<[u8]>::to_vec).ok_or_else(|| Error::malformed(format!("tiny object of {} bytes", length + 1)))
}

fn hex(id: &[u8]) -> String {
    use std::fmt::Write;
    id.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
