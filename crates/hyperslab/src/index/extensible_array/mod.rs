//! The extensible array index: elements in an index block, data blocks and their pages.
//!
//! Spec: VII.D "The Extensible Array Index".

mod change;

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor, Length, Wire};
use crate::format::extensible_array::{
    ExtensibleArrayHeader, ExtensibleArrayShape, ExtensibleDataBlock, ExtensibleIndexBlock,
    ExtensibleSuperBlock, SuperBlockShape,
};
use crate::format::fixed_array::{bit, read_page};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::index::array::{Block, Blocks, ElementFormat, lookup, visit};
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::stage::Stage;
use std::sync::Arc;

/// An extensible array.
#[derive(Debug)]
pub(crate) struct Index {
    address: Address,
    order: Order,
    chunk_bytes: u64,
    filtered: bool,
}

impl Index {
    pub(crate) fn new(address: Address, grid: &ChunkGrid, filtered: bool) -> Result<Self> {
        let (order, chunk_bytes) = (grid.order(true)?, grid.chunk_bytes()?);
        Ok(Self { address, order, chunk_bytes, filtered })
    }

    /// What a new array is like.
    pub(crate) fn parameters() -> ChunkIndexing {
        ChunkIndexing::ExtensibleArray {
            max_bits: 32,
            index_elements: 4,
            min_pointers: 4,
            min_elements: 16,
            page_bits: 10,
        }
    }

    /// An array of no chunks yet.
    pub(crate) fn create(
        md: &Metadata,
        grid: &ChunkGrid,
        filtered: bool,
        indexing: &ChunkIndexing,
    ) -> Result<Address> {
        let ChunkIndexing::ExtensibleArray {
            max_bits,
            index_elements,
            min_pointers,
            min_elements,
            page_bits,
        } = *indexing
        else {
            return Err(Error::usage("parameters of another chunk index"));
        };
        let width = ElementFormat::usual_width(filtered, grid.chunk_bytes()?, md.widths());
        let header = ExtensibleArrayHeader {
            client: u8::from(filtered),
            element_size: u8::try_from(width).unwrap_or(u8::MAX),
            max_elements_bits: max_bits,
            index_elements,
            min_data_elements: min_elements,
            min_pointers,
            page_bits,
            super_blocks: Length(0),
            super_block_size: Length(0),
            data_blocks: Length(0),
            data_block_size: Length(0),
            max_index_set: Length(0),
            elements: Length(0),
            index_block: None,
        };
        ExtensibleArrayShape::new(&header)?;
        md.place_whole(Stage::IndexHeader, md.encode(&header)?)
    }

    fn place(&self) -> String {
        format!("extensible array header at {}", self.address)
    }

    fn load(&self, md: &Metadata) -> Result<ExtensibleArrayHeader> {
        md.load(self.address, ExtensibleArrayHeader::size(md.widths())).at(|| self.place())
    }

    /// The array as it is, to be read.
    fn array(&self, md: &Metadata) -> Result<Array> {
        let length = ExtensibleArrayHeader::size(md.widths());
        let header = md.decoded_block(self.address, length, |bytes| {
            let header = ExtensibleArrayHeader::read(&mut Cursor::new(bytes, md.widths()))?;
            Ok((header, size_of::<ExtensibleArrayHeader>()))
        });
        let header = header.at(|| self.place())?;
        self.array_of(md, ExtensibleArrayHeader::clone(&header))
    }

    fn array_of(&self, md: &Metadata, header: ExtensibleArrayHeader) -> Result<Array> {
        let shape = ExtensibleArrayShape::new(&header).at(|| self.place())?;
        let (width, client) = (shape.element_size, header.client);
        let format = ElementFormat::new(client, width, self.filtered, self.chunk_bytes, md.widths());
        Ok(Array { address: self.address, header, shape, format: format.at(|| self.place())? })
    }
}

impl ChunkIndex for Index {
    fn lookup(&self, md: &Metadata, coords: &[u64]) -> Result<Option<StoredChunk>> {
        lookup(&self.array(md)?, md, self.order.index(coords)?)
    }

    fn visit(
        &self,
        md: &Metadata,
        first: &[u64],
        last: &[u64],
        found: &mut dyn FnMut(&[u64], StoredChunk) -> Result<()>,
    ) -> Result<()> {
        visit(&self.array(md)?, md, &self.order, (first, last), found)
    }

    fn insert(&self, md: &Metadata, coords: &[u64], chunk: StoredChunk) -> Result<Option<ChunkedLayout>> {
        // The header changes with most chunks, so it is not worth remembering.
        let header = match md.staged(self.address, ExtensibleArrayHeader::size(md.widths())) {
            Some(bytes) => ExtensibleArrayHeader::read_staged(&bytes, md.widths())?,
            None => self.load(md)?,
        };
        let mut array = self.array_of(md, header)?;
        array.set(md, self.order.place(coords)?, Some(chunk))?;
        Ok(None)
    }

    fn remove(&self, md: &Metadata, coords: &[u64]) -> Result<Removed> {
        let (mut array, index) = (self.array(md)?, self.order.place(coords)?);
        let chunk = lookup(&array, md, index)?;
        if chunk.is_some() {
            array.set(md, index, None)?;
        }
        Ok(Removed { chunk, layout: None })
    }

    fn delete(&self, md: &Metadata) -> Result<()> {
        self.array(md)?.delete(md)
    }
}

/// An array as its header describes it.
#[derive(Debug)]
struct Array {
    address: Address,
    header: ExtensibleArrayHeader,
    shape: ExtensibleArrayShape,
    format: ElementFormat,
}

/// An index block, decoded.
#[derive(Debug)]
struct IndexBlock {
    elements: Arc<Vec<u8>>,
    data_blocks: Vec<Option<Address>>,
    super_blocks: Vec<Option<Address>>,
}

/// Where an element is that is not in the index block.
struct Location {
    shape: SuperBlockShape,
    /// Its super block among those of the index block; none when the index block leads to the data block.
    super_index: Option<u64>,
    /// The data block, of those of its super block.
    within: u64,
    /// First element of the data block, counted from the first that is not in the index block.
    start: u64,
    /// The element, counted alike.
    rest: u64,
}

impl Location {
    /// What the data block says of its place. libhdf5 counts blocks from the index block from the beginning of the array,
    /// and others from the beginning of their super block; nobody reads it, but files are to be the same.
    fn stated_start(&self) -> u64 {
        let number = self.shape.first_data_block.saturating_add(self.within);
        match self.super_index {
            None => self.shape.start.saturating_add(number.saturating_mul(self.shape.elements)),
            Some(_) => self.start,
        }
    }

    /// The element's page in its data block, and its bit in the super block.
    fn page(&self, shape: &ExtensibleArrayShape) -> (u64, u64) {
        let page = self.rest.saturating_sub(self.start) / shape.page_elements.max(1);
        (page, self.within.saturating_mul(self.shape.pages).saturating_add(page))
    }
}

fn block_in(blocks: &[Option<Address>], at: u64, rest: u64) -> Result<Option<Address>> {
    let block = usize::try_from(at).ok().and_then(|at| blocks.get(at)).copied();
    block.ok_or_else(|| Error::malformed(format!("extensible array has no block for element {rest}")))
}

impl Array {
    fn check_owner(&self, client: u8, header: Option<Address>) -> Result<()> {
        if (client, header) == (self.header.client, Some(self.address)) {
            return Ok(());
        }
        Err(Error::malformed("belongs to another extensible array"))
    }

    fn index_block(&self, md: &Metadata, address: Address) -> Result<Arc<IndexBlock>> {
        let read = || {
            let size = self.shape.index_block_size(md.widths())?;
            md.decoded_block(address, size, |bytes| {
                let block = ExtensibleIndexBlock::read(&mut Cursor::new(bytes, md.widths()), &self.shape)?;
                self.check_owner(block.client, block.header)?;
                let ExtensibleIndexBlock { elements, data_blocks, super_blocks, .. } = block;
                Ok((IndexBlock { elements: Arc::new(elements), data_blocks, super_blocks }, size))
            })
        };
        read()
            .at(|| format!("index block at {address}"))
            .at(|| format!("extensible array header at {}", self.address))
    }

    fn super_block(
        &self,
        md: &Metadata,
        address: Address,
        block: &SuperBlockShape,
    ) -> Result<Arc<ExtensibleSuperBlock>> {
        let read = || {
            let size = self.shape.super_block_size(block, md.widths())?;
            md.decoded_block(address, size, |bytes| {
                let mut cursor = Cursor::new(bytes, md.widths());
                let found = ExtensibleSuperBlock::read(&mut cursor, &self.shape, block)?;
                self.check_owner(found.client, found.header)?;
                Ok((found, size))
            })
        };
        read().at(|| format!("extensible array super block at {address}"))
    }

    /// All elements of a data block without pages.
    fn data_block(&self, md: &Metadata, address: Address, block: &SuperBlockShape) -> Result<Arc<Vec<u8>>> {
        let read = || {
            let size = self.shape.data_block_size(block, md.widths())?;
            md.decoded_block(address, size, |bytes| {
                let mut cursor = Cursor::new(bytes, md.widths());
                let found = ExtensibleDataBlock::read(&mut cursor, &self.shape, block)?;
                self.check_owner(found.client, found.header)?;
                Ok((found.elements, size))
            })
        };
        read().at(|| format!("extensible array data block at {address}"))
    }

    fn page_address(
        &self,
        md: &Metadata,
        block: Address,
        shape: &SuperBlockShape,
        page: u64,
    ) -> Result<Address> {
        let prefix = self.shape.data_block_size(shape, md.widths())?;
        page.checked_mul(self.shape.page_size()? as u64)
            .and_then(|offset| offset.checked_add(prefix as u64))
            .and_then(|offset| offset.checked_add(block.0))
            .map(Address)
            .ok_or_else(|| Error::malformed("page of an extensible array is beyond 2^64 bytes"))
    }

    fn page(&self, md: &Metadata, address: Address) -> Result<Arc<Vec<u8>>> {
        let size = self.shape.page_size()?;
        md.decoded_block(address, size, |bytes| Ok((read_page(bytes, md.widths())?, size)))
            .at(|| format!("extensible array page at {address}"))
    }

    /// Where element `rest` is, counted from the first that is not in the index block.
    fn locate(&self, rest: u64) -> Result<Location> {
        let number = self.shape.super_block_of(rest);
        let shape = self.shape.super_block(number)?;
        let super_index = number.checked_sub(self.shape.direct_super_blocks);
        if super_index.is_none() && shape.pages > 0 {
            return Err(Error::malformed("the index block of an extensible array points at paged blocks"));
        }
        let within = rest.saturating_sub(shape.start) / shape.elements.max(1);
        let start = shape.start.saturating_add(within.saturating_mul(shape.elements));
        Ok(Location { shape, super_index, within, start, rest })
    }

    /// The block of an element that is not in the index block.
    fn outside(&self, md: &Metadata, index_block: &IndexBlock, rest: u64) -> Result<Block> {
        let place = self.locate(rest)?;
        let shape = &place.shape;
        let block = |start: u64, count: u64, bytes| Block {
            first: self.shape.index_elements.saturating_add(start),
            count,
            bytes,
        };
        let Some(super_index) = place.super_index else {
            let at = shape.first_data_block.saturating_add(place.within);
            let address = block_in(&index_block.data_blocks, at, rest)?;
            let bytes = address.map(|address| self.data_block(md, address, shape)).transpose()?;
            return Ok(block(place.start, shape.elements, bytes));
        };
        let Some(address) = block_in(&index_block.super_blocks, super_index, rest)? else {
            return Ok(block(shape.start, shape.data_blocks.saturating_mul(shape.elements), None));
        };
        let super_block = self.super_block(md, address, shape)?;
        let Some(address) = block_in(&super_block.data_blocks, place.within, rest)? else {
            return Ok(block(place.start, shape.elements, None));
        };
        if shape.pages == 0 {
            return Ok(block(place.start, shape.elements, Some(self.data_block(md, address, shape)?)));
        }
        let (page, page_bit) = place.page(&self.shape);
        let bytes = if bit(&super_block.page_bitmap, page_bit) {
            Some(self.page(md, self.page_address(md, address, shape, page)?)?)
        } else {
            None
        };
        let start = place.start.saturating_add(page.saturating_mul(self.shape.page_elements));
        Ok(block(start, self.shape.page_elements, bytes))
    }
}

impl Blocks for Array {
    fn format(&self) -> &ElementFormat {
        &self.format
    }

    fn end(&self) -> u64 {
        self.header.index_block.map_or(0, |_| self.header.max_index_set.0)
    }

    fn block(&self, md: &Metadata, index: u64) -> Result<Block> {
        let Some(address) = self.header.index_block.filter(|_| index < self.header.max_index_set.0) else {
            return Ok(Block { first: index, count: u64::MAX - index, bytes: None });
        };
        let index_block = self.index_block(md, address)?;
        match index.checked_sub(self.shape.index_elements) {
            None => {
                let bytes = Some(Arc::clone(&index_block.elements));
                Ok(Block { first: 0, count: self.shape.index_elements, bytes })
            }
            Some(rest) => self.outside(md, &index_block, rest),
        }
    }
}
