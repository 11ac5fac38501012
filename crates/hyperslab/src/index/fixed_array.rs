//! The fixed array index: one element per chunk, in one block or in pages.
//!
//! Spec: VII.C "The Fixed Array Index".

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Length, Sink, Wire};
use crate::format::fixed_array::{FixedArrayDataBlock, FixedArrayHeader, bit, read_page};
use crate::format::message::layout::{ChunkIndexing, ChunkedLayout};
use crate::index::array::{Block, Blocks, ElementFormat, change, lookup, new_page, set_bit, visit};
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, Removed, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use std::sync::Arc;

/// log2 of the entries of a page of a new array.
const PAGE_BITS: u8 = 10;

/// A fixed array.
#[derive(Debug)]
pub(crate) struct Index {
    address: Address,
    order: Order,
    chunk_bytes: u64,
    filtered: bool,
}

impl Index {
    pub(crate) fn new(address: Address, grid: &ChunkGrid, filtered: bool) -> Result<Self> {
        let (order, chunk_bytes) = (grid.order(false)?, grid.chunk_bytes()?);
        Ok(Self { address, order, chunk_bytes, filtered })
    }

    /// What a new array is like.
    pub(crate) fn parameters() -> ChunkIndexing {
        ChunkIndexing::FixedArray { page_bits: PAGE_BITS }
    }

    /// An array of no chunks yet, for as many as the largest extent has.
    pub(crate) fn create(md: &Metadata, grid: &ChunkGrid, filtered: bool, page_bits: u8) -> Result<Address> {
        let width = ElementFormat::usual_width(filtered, grid.chunk_bytes()?, md.widths());
        let entries = grid.order(false)?.count();
        let header = FixedArrayHeader {
            client: u8::from(filtered),
            entry_size: u8::try_from(width).unwrap_or(u8::MAX),
            page_bits,
            entries: Length(entries.ok_or_else(|| Error::limit("more chunks than 64 bits count"))?),
            data_block: None,
        };
        header.whole_size(md.widths())?;
        md.place_whole(Stage::IndexHeader, md.encode(&header)?)
    }

    fn array(&self, md: &Metadata) -> Result<Array> {
        let widths = md.widths();
        let place = || format!("fixed array header at {}", self.address);
        let header = md
            .decoded_block(self.address, FixedArrayHeader::size(widths), |bytes| {
                let header = FixedArrayHeader::read(&mut Cursor::new(bytes, widths))?;
                Ok((header, size_of::<FixedArrayHeader>()))
            })
            .at(place)?;
        let header = FixedArrayHeader::clone(&header);
        let width = usize::from(header.entry_size);
        let format =
            ElementFormat::new(header.client, width, self.filtered, self.chunk_bytes, widths).at(place)?;
        let page_entries = header.page_entries().at(place)?;
        let size = header.data_block_size(widths).at(place)?;
        Ok(Array { address: self.address, header, format, page_entries, size })
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
        self.array(md)?.set(md, self.order.place(coords)?, Some(chunk))?;
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
        let array = self.array(md)?;
        if let Some(block) = array.header.data_block {
            md.free(block, array.header.whole_size(md.widths())? as u64)?;
        }
        md.free(self.address, FixedArrayHeader::size(md.widths()) as u64)
    }
}

/// An array as its header describes it.
#[derive(Debug)]
struct Array {
    address: Address,
    header: FixedArrayHeader,
    format: ElementFormat,
    page_entries: u64,
    /// Bytes of the data block before its pages.
    size: usize,
}

/// A data block, decoded.
#[derive(Debug)]
struct DataBlock {
    /// Which pages were ever written; empty when there are none.
    page_bitmap: Vec<u8>,
    entries: Arc<Vec<u8>>,
}

impl Array {
    /// Stores what stands for a chunk.
    fn set(&mut self, md: &Metadata, index: u64, chunk: Option<StoredChunk>) -> Result<()> {
        self.check(index)?;
        let element = self.format.encode(chunk)?;
        let block = match self.header.data_block {
            Some(block) => block,
            None => self.create_block(md)?,
        };
        let body = FixedArrayDataBlock::body_at(md.widths());
        if self.header.pages()? == 0 {
            let at = to_usize(index)?.saturating_mul(self.format.width()).saturating_add(body);
            let block = self.shadow_block(md, block)?;
            let check = || self.data_block(md, block).map(|_| ());
            return change(md, (Stage::Block, block, self.size), at, &element, check);
        }
        let (page, within) = (index / self.page_entries, index % self.page_entries);
        let block = self.shadow_pages(md, block, page)?;
        let (address, count) = (self.page_address(block, page)?, self.page_count(page));
        if bit(&self.data_block(md, block)?.page_bitmap, page) {
            let size = self.page_size(count)?;
            let at = to_usize(within)?.saturating_mul(self.format.width());
            let check = || self.page(md, address, count).map(|_| ());
            return change(md, (Stage::Block, address, size), at, &element, check);
        }
        md.renew(address, self.page_size(count)?)?;
        new_page(md, address, &self.format, count, (within, &element))?;
        set_bit(md, (block, self.size), body, page)
    }

    fn check(&self, index: u64) -> Result<()> {
        if index < self.header.entries.0 {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "fixed array has {} elements, chunk {index} is wanted",
            self.header.entries.0
        )))
    }

    /// Entries of a page: the last one may have fewer.
    fn page_count(&self, page: u64) -> u64 {
        let first = page.saturating_mul(self.page_entries);
        self.page_entries.min(self.header.entries.0.saturating_sub(first))
    }

    fn page_address(&self, block: Address, page: u64) -> Result<Address> {
        let size = self.page_entries.checked_mul(self.format.width() as u64);
        size.and_then(|size| size.checked_add(4))
            .and_then(|size| size.checked_mul(page))
            .and_then(|offset| offset.checked_add(self.size as u64))
            .and_then(|offset| offset.checked_add(block.0))
            .map(Address)
            .ok_or_else(|| Error::malformed(format!("page {page} of a fixed array is beyond 2^64 bytes")))
    }

    fn data_block(&self, md: &Metadata, address: Address) -> Result<Arc<DataBlock>> {
        md.decoded_block(address, self.size, |bytes| {
            let block = FixedArrayDataBlock::read(&mut Cursor::new(bytes, md.widths()), &self.header)?;
            if block.client != self.header.client || block.header != Some(self.address) {
                return Err(Error::malformed("belongs to another array"));
            }
            let (page_bitmap, entries) = (block.page_bitmap, Arc::new(block.entries));
            Ok((DataBlock { page_bitmap, entries }, self.size))
        })
        .at(|| format!("data block at {address}"))
        .at(|| format!("fixed array header at {}", self.address))
    }

    fn page(&self, md: &Metadata, address: Address, count: u64) -> Result<Arc<Vec<u8>>> {
        let size = self.page_size(count)?;
        md.decoded_block(address, size, |bytes| Ok((read_page(bytes, md.widths())?, size)))
            .at(|| format!("fixed array page at {address}"))
    }

    /// Where the next version of a data block without pages is to be edited.
    fn shadow_block(&mut self, md: &Metadata, block: Address) -> Result<Address> {
        let address = md.shadow((Stage::Block, Seal::Last), block, self.size)?;
        self.lead_to(md, block, address)
    }

    /// Where the next version of a data block is to be edited of which `page` changes. Pages have their places
    /// in it, so that all of them move.
    fn shadow_pages(&mut self, md: &Metadata, block: Address, page: u64) -> Result<Address> {
        let page_at = |page| Ok(self.page_address(block, page)?.0.saturating_sub(block.0));
        let parts = || {
            let (kind, bitmap) = ((Stage::Block, Seal::Last), &self.data_block(md, block)?.page_bitmap);
            let pages = (0..self.header.pages()?).filter(|page| bit(bitmap, *page));
            let pages = pages.map(|page| Ok((kind, page_at(page)?, self.page_size(self.page_count(page))?)));
            std::iter::once(Ok((kind, 0, self.size))).chain(pages).collect::<Result<Vec<_>>>()
        };
        let whole = self.header.whole_size(md.widths())? as u64;
        let address = md.shadow_parts(block, (whole, page_at(page)?), parts)?;
        self.lead_to(md, block, address)
    }

    fn lead_to(&mut self, md: &Metadata, before: Address, address: Address) -> Result<Address> {
        if address != before {
            self.header.data_block = Some(address);
            md.store(Stage::IndexHeader, self.address, &self.header)?;
        }
        Ok(address)
    }

    /// Bytes of a page of so many entries.
    fn page_size(&self, count: u64) -> Result<usize> {
        let size = count.checked_mul(self.format.width() as u64).and_then(|size| size.checked_add(4));
        to_usize(size.unwrap_or(u64::MAX))
    }

    /// A data block in which nothing is set.
    fn create_block(&mut self, md: &Metadata) -> Result<Address> {
        let block = md.allocate_whole(self.header.whole_size(md.widths())?)?;
        let pages = self.header.pages()?;
        let entries = if pages == 0 { self.header.entries.0 } else { 0 };
        let data = FixedArrayDataBlock {
            client: self.header.client,
            header: Some(self.address),
            page_bitmap: vec![0; to_usize(pages.div_ceil(8))?],
            entries: self.format.unset(entries)?,
        };
        let mut sink = Sink::new(md.widths());
        data.write(&mut sink)?;
        md.put(Stage::Block, block, sink.into_bytes())?;
        self.header.data_block = Some(block);
        md.store(Stage::IndexHeader, self.address, &self.header)?;
        Ok(block)
    }
}

impl Blocks for Array {
    fn format(&self) -> &ElementFormat {
        &self.format
    }

    /// The array of a dataset of fixed size has an element for each chunk.
    fn end(&self) -> u64 {
        self.header.data_block.map_or(0, |_| u64::MAX)
    }

    fn block(&self, md: &Metadata, index: u64) -> Result<Block> {
        self.check(index)?;
        let Some(address) = self.header.data_block else {
            return Ok(Block { first: 0, count: self.header.entries.0, bytes: None });
        };
        let block = self.data_block(md, address)?;
        if block.page_bitmap.is_empty() {
            let bytes = Some(Arc::clone(&block.entries));
            return Ok(Block { first: 0, count: self.header.entries.0, bytes });
        }
        let page = index / self.page_entries.max(1);
        let count = self.page_count(page);
        let bytes = if bit(&block.page_bitmap, page) {
            Some(self.page(md, self.page_address(address, page)?, count)?)
        } else {
            None
        };
        Ok(Block { first: page.saturating_mul(self.page_entries), count, bytes })
    }
}
