//! [`FractalHeap`]: heap IDs to the bytes of links and attributes.
//!
//! Spec: III.G "Fractal Heap".

use crate::error::{Error, Place, Result, to_usize};
use crate::filter::FilterPipeline;
use crate::format::btree_v2::{HugeIndirect, HugeIndirectFiltered};
use crate::format::bytes::{Address, Cursor, Wire, little_endian};
use crate::format::fractal_heap::{DirectBlock, FractalHeapHeader, HeapShape, IndirectBlock};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::BTreeV2;
use crate::metadata::cache::Cache;
use std::sync::{Arc, OnceLock};

/// Bytes of blocks one heap keeps.
const CACHED: usize = 4 << 20;

/// A decoded object may be this many times as large as it is stored.
const LARGEST_RATIO: u64 = 4096;

/// Bytes of data in a heap ID up to which its length takes one byte.
const SHORT_TINY: usize = 16;

/// A fractal heap.
#[derive(Debug)]
pub(crate) struct FractalHeap {
    address: Address,
    header: FractalHeapHeader,
    shape: HeapShape,
    pipeline: Option<FilterPipeline>,
    direct: Cache<DirectBlock>,
    indirect: Cache<IndirectBlock>,
    huge: OnceLock<BTreeV2>,
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
        Self::load(md, address).at(|| format!("fractal heap at {address}"))
    }

    fn load(md: &Metadata, address: Address) -> Result<Self> {
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
        Ok(Self {
            address,
            shape: HeapShape::new(&header)?,
            header,
            pipeline,
            direct: Cache::new(CACHED),
            indirect: Cache::new(CACHED),
            huge: OnceLock::new(),
        })
    }

    /// The object that a heap ID stands for.
    pub(crate) fn get(&self, md: &Metadata, id: &[u8]) -> Result<Vec<u8>> {
        self.object(md, id).at(|| format!("object {} of fractal heap at {}", hex(id), self.address))
    }

    fn object(&self, md: &Metadata, id: &[u8]) -> Result<Vec<u8>> {
        let size = usize::from(self.header.fields.id_size);
        let (flags, data) = match id.get(..size).and_then(<[u8]>::split_first) {
            Some((flags, data)) => (*flags, data),
            None => return Err(Error::malformed(format!("heap ID of {} bytes, {size} expected", id.len()))),
        };
        match (flags >> 6, (flags >> 4) & 3) {
            (0, 0) => self.managed(md, data),
            (0, 1) => self.huge(md, data),
            (0, 2) => tiny(flags, data),
            (version, kind) => {
                Err(Error::malformed(format!("heap ID has version {version} and type {kind}")))
            }
        }
    }

    fn managed(&self, md: &Metadata, data: &[u8]) -> Result<Vec<u8>> {
        let mut cursor = Cursor::new(data, md.widths());
        let offset = cursor.uint(self.shape.offset_width)?;
        let length = to_usize(cursor.uint(self.shape.length_width)?)?;
        let place = self.locate(md, offset)?;
        let block = self.direct_block(md, &place)?;
        let start = to_usize(offset.saturating_sub(place.offset))?;
        if start < self.shape.direct_overhead(md.widths()) {
            return Err(Error::malformed(format!("offset {offset} is in the head of a direct block")));
        }
        let object = start.checked_add(length).and_then(|end| block.bytes.get(start..end));
        object.map(<[u8]>::to_vec).ok_or_else(|| {
            Error::malformed(format!("{length} bytes at {start} of a direct block of {}", block.bytes.len()))
        })
    }

    /// The direct block that byte `offset` of the heap is in.
    fn locate(&self, md: &Metadata, offset: u64) -> Result<DirectPlace> {
        let fields = &self.header.fields;
        if fields.rows == 0 {
            let stored = self.header.filters.as_ref().map_or((0, 0), |f| (f.root_size, f.root_mask));
            let size = self.shape.start_block_size;
            return Ok(DirectPlace { address: fields.root, offset: 0, size, stored });
        }
        let mut address = fields.root;
        let mut rows = u64::from(fields.rows);
        let mut start = 0;
        loop {
            let block = self.indirect_block(md, address, (start, rows))?;
            let within = offset.checked_sub(start);
            let place = within.and_then(|within| self.shape.locate(within));
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
        let block = if let Some(block) = self.indirect.get(address.0) {
            block
        } else {
            let size = self.shape.indirect_size(rows, md.widths()).at(place)?;
            let bytes = md.read(address, size).at(place)?;
            let mut cursor = Cursor::new(&bytes, md.widths());
            let block = Arc::new(IndirectBlock::read(&mut cursor, &self.shape, rows).at(place)?);
            self.indirect.keep(address.0, &block, block.entries.len().saturating_mul(32));
            block
        };
        self.check_owner(block.header, (block.offset, start)).at(place)?;
        Ok(block)
    }

    fn direct_block(&self, md: &Metadata, at: &DirectPlace) -> Result<Arc<DirectBlock>> {
        let address = at.address.ok_or_else(|| Error::malformed("direct block was never written"))?;
        let place = || format!("direct block at {address}");
        let block = if let Some(block) = self.direct.get(address.0) {
            block
        } else {
            let bytes = if self.pipeline.is_none() {
                md.read(address, to_usize(at.size)?).at(place)?
            } else {
                let stored = md.read(address, to_usize(at.stored.0)?).at(place)?;
                self.decode(&stored, at.stored.1, at.size).at(place)?
            };
            let block = Arc::new(DirectBlock::parse(bytes, &self.shape, md.widths()).at(place)?);
            self.direct.keep(address.0, &block, block.bytes.len());
            block
        };
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
        let filtered = self.pipeline.is_some();
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
        let kind = if self.pipeline.is_some() { 2 } else { 1 };
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

    fn huge_tree(&self, md: &Metadata) -> Result<&BTreeV2> {
        if let Some(tree) = self.huge.get() {
            return Ok(tree);
        }
        let address = self.header.fields.huge_tree;
        let address = address.ok_or_else(|| Error::malformed("fractal heap has no huge objects"))?;
        let tree = BTreeV2::open(md, address)?;
        Ok(self.huge.get_or_init(|| tree))
    }

    fn decode(&self, stored: &[u8], mask: u32, size: u64) -> Result<Vec<u8>> {
        let Some(pipeline) = &self.pipeline else { return Ok(stored.to_vec()) };
        if size > (stored.len() as u64).saturating_mul(LARGEST_RATIO) {
            return Err(Error::malformed(format!("{size} bytes are stored in {}", stored.len())));
        }
        pipeline.decode(stored, mask, to_usize(size)?)
    }
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
