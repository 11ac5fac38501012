//! The fixed array index: one element per chunk, in one block or in pages.
//!
//! Spec: VII.C "The Fixed Array Index".

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor};
use crate::format::fixed_array::{FixedArrayDataBlock, FixedArrayHeader, bit, read_page};
use crate::index::array::{Block, Blocks, CACHED, ElementFormat, loaded, lookup, visit};
use crate::index::grid::Order;
use crate::index::{ChunkGrid, ChunkIndex, StoredChunk};
use crate::metadata::Metadata;
use crate::metadata::cache::Cache;
use std::sync::{Arc, OnceLock};

/// A fixed array, read from the file at first use.
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
        let (order, chunk_bytes) = (grid.order(false)?, grid.chunk_bytes()?);
        Ok(Self { address, order, chunk_bytes, filtered, array: OnceLock::new() })
    }

    fn array(&self, md: &Metadata) -> Result<&Array> {
        loaded(&self.array, || self.load(md).at(|| format!("fixed array header at {}", self.address)))
    }

    fn load(&self, md: &Metadata) -> Result<Array> {
        let widths = md.widths();
        let header: FixedArrayHeader = md.load(self.address, FixedArrayHeader::size(widths))?;
        let width = usize::from(header.entry_size);
        let format = ElementFormat::new(header.client, width, self.filtered, self.chunk_bytes, widths)?;
        let page_entries = header.page_entries()?;
        let mut array = Array {
            format,
            entries: header.entries.0,
            page_entries,
            bitmap: Vec::new(),
            pages_at: 0,
            unpaged: None,
            pages: Cache::new(CACHED),
        };
        let Some(address) = header.data_block else { return Ok(array) };
        let size = header.data_block_size(widths)?;
        let bytes = md.read(address, size)?;
        let block = FixedArrayDataBlock::read(&mut Cursor::new(&bytes, widths), &header)
            .at(|| format!("data block at {address}"))?;
        if block.client != header.client || block.header != Some(self.address) {
            return Err(Error::malformed(format!("data block at {address} belongs to another array")));
        }
        if block.page_bitmap.is_empty() {
            array.unpaged = Some(Arc::new(block.entries));
        }
        array.bitmap = block.page_bitmap;
        array.pages_at = address.0.saturating_add(size as u64);
        Ok(array)
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

#[derive(Debug)]
struct Array {
    format: ElementFormat,
    entries: u64,
    page_entries: u64,
    /// Which pages were ever written; empty when there are none.
    bitmap: Vec<u8>,
    /// Where the first page is.
    pages_at: u64,
    unpaged: Option<Arc<Vec<u8>>>,
    pages: Cache<Vec<u8>>,
}

impl Array {
    fn page(&self, md: &Metadata, page: u64, count: u64, keep: bool) -> Result<Arc<Vec<u8>>> {
        if let Some(bytes) = self.pages.get(page) {
            return Ok(bytes);
        }
        let width = self.format.width() as u64;
        let size = |entries: u64| entries.checked_mul(width).and_then(|size| size.checked_add(4));
        let address = size(self.page_entries)
            .and_then(|size| size.checked_mul(page))
            .and_then(|offset| offset.checked_add(self.pages_at))
            .map(Address);
        let (Some(address), Some(size)) = (address, size(count)) else {
            return Err(Error::malformed(format!("page {page} of a fixed array is beyond 2^64 bytes")));
        };
        let place = || format!("fixed array page at {address}");
        let bytes = read_page(md.read(address, to_usize(size)?).at(place)?, md.widths()).at(place)?;
        let bytes = Arc::new(bytes);
        if keep {
            self.pages.keep(page, &bytes, bytes.len());
        } else {
            self.pages.offer(page, &bytes, bytes.len());
        }
        Ok(bytes)
    }
}

impl Blocks for Array {
    fn format(&self) -> &ElementFormat {
        &self.format
    }

    fn block(&self, md: &Metadata, index: u64, keep: bool) -> Result<Block> {
        if index >= self.entries {
            return Err(Error::malformed(format!(
                "fixed array has {} elements, chunk {index} is wanted",
                self.entries
            )));
        }
        if self.bitmap.is_empty() {
            return Ok(Block { first: 0, count: self.entries, bytes: self.unpaged.clone() });
        }
        let page = index / self.page_entries.max(1);
        let first = page.saturating_mul(self.page_entries);
        let count = self.page_entries.min(self.entries.saturating_sub(first));
        let written = bit(&self.bitmap, page);
        let bytes = if written { Some(self.page(md, page, count, keep)?) } else { None };
        Ok(Block { first, count, bytes })
    }
}
