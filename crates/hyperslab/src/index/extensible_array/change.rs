//! Setting elements of an extensible array, whose blocks and pages are made when first needed.

use super::{Array, Location, block_in};
use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Length, Sink};
use crate::format::extensible_array::{
    ExtensibleArrayHeader, ExtensibleArrayShape, ExtensibleDataBlock, ExtensibleIndexBlock,
    ExtensibleSuperBlock, SuperBlockShape,
};
use crate::format::fixed_array::bit;
use crate::index::StoredChunk;
use crate::index::array::{change, new_page, set_bit};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};

fn add(counter: &mut Length, more: u64) {
    counter.0 = counter.0.saturating_add(more);
}

impl Array {
    /// Stores what stands for a chunk; the header counts what that made.
    pub(super) fn set(&mut self, md: &Metadata, index: u64, chunk: Option<StoredChunk>) -> Result<()> {
        let element = self.format.encode(chunk)?;
        let before = self.header.clone();
        let index_block = match self.header.index_block {
            Some(address) => address,
            None => self.create_index_block(md)?,
        };
        match index.checked_sub(self.shape.index_elements) {
            None => {
                let before = to_usize(index)?.saturating_mul(self.format.width());
                let at = ExtensibleArrayShape::index_block_at(md.widths()).saturating_add(before);
                self.set_in_index_block(md, index_block, at, &element)?;
            }
            Some(rest) => {
                let place = self.locate(rest)?;
                self.set_outside(md, index_block, &place, &element)?;
            }
        }
        self.header.max_index_set.0 = self.header.max_index_set.0.max(index.saturating_add(1));
        if self.header == before {
            return Ok(());
        }
        let counts = self.header.counts(md.widths())?;
        let block = (Stage::IndexHeader, self.address, ExtensibleArrayHeader::size(md.widths()));
        change(md, block, ExtensibleArrayHeader::COUNTS_AT, &counts, || Ok(()))
    }

    fn set_in_index_block(&self, md: &Metadata, block: Address, at: usize, new: &[u8]) -> Result<()> {
        let size = self.shape.index_block_size(md.widths())?;
        let check = || self.index_block(md, block).map(|_| ());
        change(md, (Stage::IndexBlock, block, size), at, new, check)
    }

    fn set_outside(
        &mut self,
        md: &Metadata,
        index_block: Address,
        place: &Location,
        element: &[u8],
    ) -> Result<()> {
        let shape = &place.shape;
        let (block, super_block) = match place.super_index {
            None => (self.direct_block(md, index_block, place)?, None),
            Some(super_index) => {
                let super_block = self.super_block_at(md, index_block, (super_index, place))?;
                (self.block_of(md, super_block, place)?, Some(super_block))
            }
        };
        let width = self.format.width();
        let Some(super_block) = super_block.filter(|_| shape.pages > 0) else {
            let size = self.shape.data_block_size(shape, md.widths())?;
            let before = to_usize(place.rest.saturating_sub(place.start))?.saturating_mul(width);
            let at = self.shape.body_at(md.widths()).saturating_add(before);
            let check = || self.data_block(md, block, shape).map(|_| ());
            return change(md, (Stage::Block, block, size), at, element, check);
        };
        let (page, page_bit) = place.page(&self.shape);
        let address = self.page_address(md, block, shape, page)?;
        let within = place.rest.saturating_sub(place.start) % self.shape.page_elements.max(1);
        if bit(&self.super_block(md, super_block, shape)?.page_bitmap, page_bit) {
            let at = to_usize(within)?.saturating_mul(width);
            let check = || self.page(md, address).map(|_| ());
            return change(md, (Stage::Block, address, self.shape.page_size()?), at, element, check);
        }
        md.renew(address, self.shape.page_size()?)?;
        new_page(md, address, &self.format, self.shape.page_elements, (within, element))?;
        let size = self.shape.super_block_size(shape, md.widths())?;
        set_bit(md, (super_block, size), self.shape.body_at(md.widths()), page_bit)
    }

    /// A data block the index block leads to.
    fn direct_block(&mut self, md: &Metadata, index_block: Address, place: &Location) -> Result<Address> {
        let number = place.shape.first_data_block.saturating_add(place.within);
        let known = block_in(&self.index_block(md, index_block)?.data_blocks, number, place.rest)?;
        let address = match known {
            Some(known) => self.shadow_data_block(md, known, place, &[])?,
            None => self.create_data_block(md, place)?,
        };
        if known != Some(address) {
            let at = self.shape.index_pointer_at(number, md.widths())?;
            self.set_in_index_block(md, index_block, at, &pointer(md, address)?)?;
        }
        Ok(address)
    }

    /// Where the next version of a data block is to be edited, with its pages of `page_bitmap`.
    fn shadow_data_block(
        &self,
        md: &Metadata,
        block: Address,
        place: &Location,
        page_bitmap: &[u8],
    ) -> Result<Address> {
        let shape = &place.shape;
        let (size, page_size) = (self.shape.data_block_size(shape, md.widths())?, self.shape.page_size()?);
        let page_at = |page| Ok(self.page_address(md, block, shape, page)?.0.saturating_sub(block.0));
        let parts = || {
            let (kind, first) = ((Stage::Block, Seal::Last), place.within.saturating_mul(shape.pages));
            let used = |page: &u64| bit(page_bitmap, first.saturating_add(*page));
            let pages = (0..shape.pages).filter(used).map(|page| Ok((kind, page_at(page)?, page_size)));
            std::iter::once(Ok((kind, 0, size))).chain(pages).collect::<Result<Vec<_>>>()
        };
        let touched = if shape.pages == 0 { 0 } else { page_at(place.page(&self.shape).0)? };
        md.shadow_parts(block, (self.shape.whole_size(shape, md.widths())? as u64, touched), parts)
    }

    /// The super block number `super_index` of those the index block leads to.
    fn super_block_at(
        &mut self,
        md: &Metadata,
        index_block: Address,
        (super_index, place): (u64, &Location),
    ) -> Result<Address> {
        if super_index >= self.shape.index_super_blocks() {
            return Err(Error::limit(format!(
                "an extensible array of at most 2^{} chunks",
                self.header.max_elements_bits
            )));
        }
        let number = self.shape.index_data_blocks().saturating_add(super_index);
        let at = self.shape.index_pointer_at(number, md.widths())?;
        let known = block_in(&self.index_block(md, index_block)?.super_blocks, super_index, place.rest)?;
        let shape = &place.shape;
        if let Some(known) = known {
            if !self.changes_super_block(md, known, place)? {
                return Ok(known);
            }
            let size = self.shape.super_block_size(shape, md.widths())?;
            let address = md.shadow((Stage::IndexBlock, Seal::Last), known, size)?;
            if address != known {
                self.set_in_index_block(md, index_block, at, &pointer(md, address)?)?;
            }
            return Ok(address);
        }
        let block = ExtensibleSuperBlock {
            client: self.header.client,
            header: Some(self.address),
            offset: shape.start,
            page_bitmap: vec![0; ExtensibleArrayShape::bitmap_size(shape)?],
            data_blocks: vec![None; to_usize(shape.data_blocks)?],
        };
        let mut sink = Sink::new(md.widths());
        block.write(&mut sink, &self.shape)?;
        add(&mut self.header.super_blocks, 1);
        add(&mut self.header.super_block_size, sink.position() as u64);
        let address = md.place_whole(Stage::IndexBlock, sink.into_bytes())?;
        self.set_in_index_block(md, index_block, at, &pointer(md, address)?)?;
        Ok(address)
    }

    /// Whether setting an element changes the super block that leads to it: a block or page is new, or moves.
    fn changes_super_block(&self, md: &Metadata, super_block: Address, place: &Location) -> Result<bool> {
        let shape = &place.shape;
        let known = self.super_block(md, super_block, shape)?;
        let Some(block) = block_in(&known.data_blocks, place.within, place.rest)? else { return Ok(true) };
        let new_page = shape.pages > 0 && !bit(&known.page_bitmap, place.page(&self.shape).1);
        Ok(new_page || md.moves(block, self.shape.whole_size(shape, md.widths())? as u64))
    }

    /// A data block a super block leads to.
    fn block_of(&mut self, md: &Metadata, super_block: Address, place: &Location) -> Result<Address> {
        let shape = &place.shape;
        let above = self.super_block(md, super_block, shape)?;
        let known = block_in(&above.data_blocks, place.within, place.rest)?;
        let address = match known {
            Some(known) => self.shadow_data_block(md, known, place, &above.page_bitmap)?,
            None => self.create_data_block(md, place)?,
        };
        if known == Some(address) {
            return Ok(address);
        }
        let before = to_usize(place.within)?.saturating_mul(usize::from(md.widths().offsets));
        let at = self.shape.body_at(md.widths()).saturating_add(ExtensibleArrayShape::bitmap_size(shape)?);
        let size = self.shape.super_block_size(shape, md.widths())?;
        let new = pointer(md, address)?;
        change(md, (Stage::IndexBlock, super_block, size), at.saturating_add(before), &new, || Ok(()))?;
        Ok(address)
    }

    fn create_index_block(&mut self, md: &Metadata) -> Result<Address> {
        let block = ExtensibleIndexBlock {
            client: self.header.client,
            header: Some(self.address),
            elements: self.format.unset(self.shape.index_elements)?,
            data_blocks: vec![None; to_usize(self.shape.index_data_blocks())?],
            super_blocks: vec![None; to_usize(self.shape.index_super_blocks())?],
        };
        let mut sink = Sink::new(md.widths());
        block.write(&mut sink)?;
        let address = md.place_whole(Stage::IndexBlock, sink.into_bytes())?;
        self.header.index_block = Some(address);
        add(&mut self.header.elements, self.shape.index_elements);
        Ok(address)
    }

    fn create_data_block(&mut self, md: &Metadata, place: &Location) -> Result<Address> {
        let shape = &place.shape;
        let size = self.shape.whole_size(shape, md.widths())?;
        let address = md.allocate_whole(size)?;
        let block = ExtensibleDataBlock {
            client: self.header.client,
            header: Some(self.address),
            offset: place.stated_start(),
            elements: self.format.unset(if shape.pages == 0 { shape.elements } else { 0 })?,
        };
        let mut sink = Sink::new(md.widths());
        block.write(&mut sink, &self.shape)?;
        md.put(Stage::Block, address, sink.into_bytes())?;
        add(&mut self.header.data_blocks, 1);
        add(&mut self.header.data_block_size, size as u64);
        add(&mut self.header.elements, shape.elements);
        Ok(address)
    }

    /// Frees all blocks and the header.
    pub(super) fn delete(&self, md: &Metadata) -> Result<()> {
        if let Some(address) = self.header.index_block {
            let index_block = self.index_block(md, address)?;
            for number in 0..self.shape.direct_super_blocks {
                let shape = self.shape.super_block(number)?;
                let first = to_usize(shape.first_data_block)?;
                let blocks = index_block.data_blocks.iter().skip(first).take(to_usize(shape.data_blocks)?);
                self.free_data_blocks(md, &shape, blocks)?;
            }
            let supers = (self.shape.direct_super_blocks..).zip(&index_block.super_blocks);
            for (number, address) in supers.filter_map(|(number, block)| Some((number, (*block)?))) {
                let shape = self.shape.super_block(number)?;
                let super_block = self.super_block(md, address, &shape)?;
                self.free_data_blocks(md, &shape, super_block.data_blocks.iter())?;
                md.free(address, self.shape.super_block_size(&shape, md.widths())? as u64)?;
            }
            md.free(address, self.shape.index_block_size(md.widths())? as u64)?;
        }
        md.free(self.address, ExtensibleArrayHeader::size(md.widths()) as u64)
    }

    fn free_data_blocks<'b>(
        &self,
        md: &Metadata,
        shape: &SuperBlockShape,
        mut blocks: impl Iterator<Item = &'b Option<Address>>,
    ) -> Result<()> {
        let size = self.shape.whole_size(shape, md.widths())? as u64;
        blocks.try_for_each(|block| block.map_or(Ok(()), |address| md.free(address, size)))
    }
}

fn pointer(md: &Metadata, address: Address) -> Result<Vec<u8>> {
    let mut sink = Sink::new(md.widths());
    sink.address(Some(address))?;
    Ok(sink.into_bytes())
}
