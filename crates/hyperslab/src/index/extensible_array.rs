//! The extensible array index: elements in an index block, data blocks and their pages.
//!
//! Spec: VII.D "The Extensible Array Index".

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor};
use crate::format::extensible_array::{
    ExtensibleArrayHeader, ExtensibleArrayShape, ExtensibleDataBlock, ExtensibleIndexBlock,
    ExtensibleSuperBlock, SuperBlockShape,
};
use crate::format::fixed_array::{bit, read_page};
use crate::index::array::{Block, Blocks, CACHED, ElementFormat, loaded, lookup, visit};
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::cache::Cache;
use std::sync::{Arc, OnceLock};

/// An extensible array, read from the file at first use.
#[derive(Debug)]
pub(crate) struct Index {
    address: Address,
    order: Order,
    chunk_bytes: u64,
    filtered: bool,
    array: OnceLock<Array>,
}

impl Index {
    pub(crate) fn new(address: Address, grid: &ChunkGrid, filtered: bool) -> Result<Self> {
        let (order, chunk_bytes) = (grid.order(true)?, grid.chunk_bytes()?);
        Ok(Self { address, order, chunk_bytes, filtered, array: OnceLock::new() })
    }

    fn array(&self, md: &Metadata) -> Result<&Array> {
        loaded(&self.array, || self.load(md).at(|| format!("extensible array header at {}", self.address)))
    }

    fn load(&self, md: &Metadata) -> Result<Array> {
        let widths = md.widths();
        let header: ExtensibleArrayHeader = md.load(self.address, ExtensibleArrayHeader::size(widths))?;
        let shape = ExtensibleArrayShape::new(&header)?;
        let format =
            ElementFormat::new(header.client, shape.element_size, self.filtered, self.chunk_bytes, widths)?;
        let index_block = match header.index_block {
            None => None,
            Some(address) => {
                let bytes = md.read(address, shape.index_block_size(widths)?)?;
                let block = ExtensibleIndexBlock::read(&mut Cursor::new(&bytes, widths), &shape)
                    .at(|| format!("index block at {address}"))?;
                check_owner((block.client, block.header), (header.client, self.address), address)?;
                Some(block)
            }
        };
        Ok(Array {
            address: self.address,
            client: header.client,
            shape,
            format,
            end: header.max_index_set.0,
            index_elements: index_block.as_ref().map(|block| Arc::new(block.elements.clone())),
            index_block,
            super_blocks: Cache::new(CACHED),
            data: Cache::new(CACHED),
        })
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, md: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        lookup(self.array(md)?, md, self.order.index(coords)?)
    }

    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        visit(self.array(md)?, md, &self.order, (first, last), found)
    }
}

fn check_owner(found: (u8, Option<Address>), expected: (u8, Address), block: Address) -> Result<()> {
    if found == (expected.0, Some(expected.1)) {
        return Ok(());
    }
    Err(Error::malformed(format!("block at {block} belongs to another extensible array")))
}

#[derive(Debug)]
struct Array {
    address: Address,
    client: u8,
    shape: ExtensibleArrayShape,
    format: ElementFormat,
    /// One past the last element that was ever set.
    end: u64,
    index_elements: Option<Arc<Vec<u8>>>,
    index_block: Option<ExtensibleIndexBlock>,
    super_blocks: Cache<ExtensibleSuperBlock>,
    /// Elements of data blocks and pages, by address.
    data: Cache<Vec<u8>>,
}

/// A data block, as its super block describes it.
struct DataBlockPlace<'a> {
    shape: &'a SuperBlockShape,
    address: Address,
    /// First element, counted from the first that is not in the index block.
    start: u64,
    /// Which of its pages were written: the bitmap, and the bit of its first page.
    pages: (&'a [u8], u64),
}

impl Array {
    fn super_block(
        &self,
        md: &Metadata,
        address: Address,
        block: &SuperBlockShape,
    ) -> Result<Arc<ExtensibleSuperBlock>> {
        if let Some(found) = self.super_blocks.get(address.0) {
            return Ok(found);
        }
        let place = || format!("extensible array super block at {address}");
        let size = self.shape.super_block_size(block, md.widths()).at(place)?;
        let bytes = md.read(address, size).at(place)?;
        let mut cursor = Cursor::new(&bytes, md.widths());
        let found = ExtensibleSuperBlock::read(&mut cursor, &self.shape, block).at(place)?;
        check_owner((found.client, found.header), (self.client, self.address), address)?;
        let found = Arc::new(found);
        self.super_blocks.keep(address.0, &found, size);
        Ok(found)
    }

    fn keep(&self, address: u64, bytes: Vec<u8>, keep: bool) -> Arc<Vec<u8>> {
        let bytes = Arc::new(bytes);
        if keep {
            self.data.keep(address, &bytes, bytes.len());
        } else {
            self.data.offer(address, &bytes, bytes.len());
        }
        bytes
    }

    /// All elements of a data block without pages.
    fn data_block(&self, md: &Metadata, at: &DataBlockPlace<'_>, keep: bool) -> Result<Arc<Vec<u8>>> {
        let address = at.address;
        if let Some(bytes) = self.data.get(address.0) {
            return Ok(bytes);
        }
        let place = || format!("extensible array data block at {address}");
        let bytes = md.read(address, self.shape.data_block_size(at.shape, md.widths())?).at(place)?;
        let mut cursor = Cursor::new(&bytes, md.widths());
        let block = ExtensibleDataBlock::read(&mut cursor, &self.shape, at.shape).at(place)?;
        check_owner((block.client, block.header), (self.client, self.address), address)?;
        Ok(self.keep(address.0, block.elements, keep))
    }

    /// One page of a data block.
    fn page(&self, md: &Metadata, at: &DataBlockPlace<'_>, page: u64, keep: bool) -> Result<Arc<Vec<u8>>> {
        let size = self.shape.page_size()?;
        let prefix = self.shape.data_block_size(at.shape, md.widths())?;
        let address = page
            .checked_mul(size as u64)
            .and_then(|offset| offset.checked_add(prefix as u64))
            .and_then(|offset| offset.checked_add(at.address.0))
            .map(Address)
            .ok_or_else(|| Error::malformed("page of an extensible array is beyond 2^64 bytes"))?;
        if let Some(bytes) = self.data.get(address.0) {
            return Ok(bytes);
        }
        let place = || format!("extensible array page at {address}");
        let bytes = read_page(md.read(address, size).at(place)?, md.widths()).at(place)?;
        Ok(self.keep(address.0, bytes, keep))
    }

    /// The block or page of a data block that element `rest` is in.
    fn in_data_block(&self, md: &Metadata, at: &DataBlockPlace<'_>, rest: u64, keep: bool) -> Result<Block> {
        let base = self.shape.index_elements.saturating_add(at.start);
        if at.shape.pages == 0 {
            let bytes = Some(self.data_block(md, at, keep)?);
            return Ok(Block { first: base, count: at.shape.elements, bytes });
        }
        let page = rest.saturating_sub(at.start) / self.shape.page_elements.max(1);
        let first = base.saturating_add(page.saturating_mul(self.shape.page_elements));
        let (bitmap, first_bit) = at.pages;
        let written = bit(bitmap, first_bit.saturating_add(page));
        let bytes = if written { Some(self.page(md, at, page, keep)?) } else { None };
        Ok(Block { first, count: self.shape.page_elements, bytes })
    }

    /// The block of an element that is not in the index block.
    fn outside(
        &self,
        md: &Metadata,
        index_block: &ExtensibleIndexBlock,
        rest: u64,
        keep: bool,
    ) -> Result<Block> {
        let number = self.shape.super_block_of(rest);
        let shape = self.shape.super_block(number)?;
        let nothing = |start: u64, count: u64| Block {
            first: self.shape.index_elements.saturating_add(start),
            count,
            bytes: None,
        };
        let within = rest.saturating_sub(shape.start) / shape.elements.max(1);
        let start = shape.start.saturating_add(within.saturating_mul(shape.elements));
        let address_in =
            |blocks: &[Option<Address>], at: u64| {
                usize::try_from(at).ok().and_then(|at| blocks.get(at)).copied().ok_or_else(|| {
                    Error::malformed(format!("extensible array has no block for element {rest}"))
                })
            };
        let Some(super_index) = number.checked_sub(self.shape.direct_super_blocks) else {
            if shape.pages > 0 {
                return Err(Error::malformed(
                    "the index block of an extensible array points at paged blocks",
                ));
            }
            let at = shape.first_data_block.saturating_add(within);
            let Some(address) = address_in(&index_block.data_blocks, at)? else {
                return Ok(nothing(start, shape.elements));
            };
            let place = DataBlockPlace { shape: &shape, address, start, pages: (&[], 0) };
            return self.in_data_block(md, &place, rest, keep);
        };
        let Some(address) = address_in(&index_block.super_blocks, super_index)? else {
            return Ok(nothing(shape.start, shape.data_blocks.saturating_mul(shape.elements)));
        };
        let super_block = self.super_block(md, address, &shape)?;
        let Some(address) = address_in(&super_block.data_blocks, within)? else {
            return Ok(nothing(start, shape.elements));
        };
        let pages = (super_block.page_bitmap.as_slice(), within.saturating_mul(shape.pages));
        self.in_data_block(md, &DataBlockPlace { shape: &shape, address, start, pages }, rest, keep)
    }
}

impl Blocks for Array {
    fn format(&self) -> &ElementFormat {
        &self.format
    }

    fn block(&self, md: &Metadata, index: u64, keep: bool) -> Result<Block> {
        let Some(index_block) = self.index_block.as_ref().filter(|_| index < self.end) else {
            return Ok(Block { first: index, count: u64::MAX - index, bytes: None });
        };
        match index.checked_sub(self.shape.index_elements) {
            None => {
                Ok(Block { first: 0, count: self.shape.index_elements, bytes: self.index_elements.clone() })
            }
            Some(rest) => self.outside(md, index_block, rest, keep),
        }
    }
}
