//! The fixed array: chunk index of a dataset that cannot grow without bound.
//!
//! Spec: VII.C "The Fixed Array Index".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths};

record! {
    /// Root of a fixed array.
    ///
    /// Spec: VII.C, layout "Fixed Array Header".
    pub(crate) struct FixedArrayHeader [signature b"FAHD", version 0, sealed by checksum] {
        /// 0 when entries are addresses, 1 when each also has stored size and filter mask.
        client: u8;
        /// Bytes of an entry.
        entry_size: u8;
        /// log2 of the entries of a page.
        page_bits: u8;
        /// How many entries there are.
        entries: Length;
        /// The data block; none before the first chunk is stored.
        data_block: Option<Address>;
    }
}

impl FixedArrayHeader {
    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_add(usize::from(widths.lengths)).saturating_add(12)
    }

    /// Entries of a full page.
    pub(crate) fn page_entries(&self) -> Result<u64> {
        1_u64
            .checked_shl(u32::from(self.page_bits))
            .ok_or_else(|| Error::malformed(format!("pages of 2^{} entries", self.page_bits)))
    }

    /// How many pages there are; none when the entries are in the data block itself.
    pub(crate) fn pages(&self) -> Result<u64> {
        let page = self.page_entries()?;
        Ok(if self.entries.0 > page { self.entries.0.div_ceil(page) } else { 0 })
    }

    /// Bytes of the data block before its pages, or all of it when there are none.
    pub(crate) fn data_block_size(&self, widths: Widths) -> Result<usize> {
        let fixed = u64::from(widths.offsets).saturating_add(10);
        let body = match self.pages()? {
            0 => self.entries.0.checked_mul(u64::from(self.entry_size)),
            pages => Some(pages.div_ceil(8)),
        };
        body.and_then(|body| body.checked_add(fixed))
            .ok_or_else(|| Error::malformed(format!("{} entries overflow", self.entries.0)))
            .and_then(to_usize)
    }
}

impl FixedArrayHeader {
    /// Bytes of the data block and its pages.
    pub(crate) fn whole_size(&self, widths: Widths) -> Result<usize> {
        let pages = self.pages()?;
        let entries = if pages == 0 { Some(0) } else { self.entries.0.checked_mul(self.entry_size.into()) };
        entries
            .and_then(|bytes| bytes.checked_add(pages.checked_mul(4)?))
            .and_then(|bytes| bytes.checked_add(u64::try_from(self.data_block_size(widths).ok()?).ok()?))
            .ok_or_else(|| Error::malformed(format!("{} entries overflow", self.entries.0)))
            .and_then(to_usize)
    }
}

/// Entries, or which pages of entries were ever written.
///
/// Spec: VII.C, layout "Fixed Array Data Block".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixedArrayDataBlock {
    pub(crate) client: u8,
    /// The header this block belongs to.
    pub(crate) header: Option<Address>,
    /// One bit a page, the highest of each byte first; empty when not paged.
    pub(crate) page_bitmap: Vec<u8>,
    /// Entries as on disk; empty when paged.
    pub(crate) entries: Vec<u8>,
}

impl FixedArrayDataBlock {
    /// Where the bitmap or the entries begin.
    pub(crate) fn body_at(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_add(6)
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>, array: &FixedArrayHeader) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(*b"FADB")?;
        cursor.version(&[0])?;
        let client = cursor.u8()?;
        let header = cursor.address()?;
        let pages = array.pages()?;
        let page_bitmap = cursor.take(to_usize(pages.div_ceil(8))?)?.to_vec();
        let entries = if pages == 0 { array.entries.0 } else { 0 };
        let entries = cursor.expect_items(entries, usize::from(array.entry_size))?;
        let entries = cursor.take(entries.saturating_mul(usize::from(array.entry_size)))?.to_vec();
        cursor.checksum(start)?;
        Ok(Self { client, header, page_bitmap, entries })
    }

    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        let start = sink.position();
        sink.put(b"FADB\0");
        sink.u8(self.client);
        sink.address(self.header)?;
        sink.put(&self.page_bitmap);
        sink.put(&self.entries);
        sink.checksum(start);
        Ok(())
    }
}

/// The elements of one page, whose checksum follows them.
///
/// Spec: VII.C, "Fixed Array Data Block Page"; VII.D, "Extensible Array Data Block Page".
pub(crate) fn read_page(bytes: &[u8], widths: Widths) -> Result<Vec<u8>> {
    let mut cursor = Cursor::new(bytes, widths);
    let elements = cursor.take(bytes.len().saturating_sub(4))?.to_vec();
    cursor.checksum(0)?;
    Ok(elements)
}

/// Whether bit `index` is set, counted from the highest bit of the first byte.
pub(crate) fn bit(bitmap: &[u8], index: u64) -> bool {
    let byte = usize::try_from(index >> 3).ok().and_then(|at| bitmap.get(at)).copied().unwrap_or(0);
    byte & (0x80 >> (index & 7)) != 0
}

#[cfg(test)]
mod tests {
    use super::{FixedArrayDataBlock, FixedArrayHeader, bit};
    use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, Wire};
    use proptest::prelude::{any, prop, proptest};

    fn header(entries: u64) -> FixedArrayHeader {
        let data_block = Some(Address(96));
        FixedArrayHeader { client: 0, entry_size: 8, page_bits: 4, entries: Length(entries), data_block }
    }

    #[test]
    fn header_and_block_are_written_and_read_back_at_the_size_they_say() {
        for entries in [3_usize, 16, 17, 200] {
            let header = header(entries as u64);
            let mut sink = Sink::new(Widths::EIGHT);
            header.write(&mut sink).unwrap();
            let bytes = sink.into_bytes();
            assert_eq!(bytes.len(), FixedArrayHeader::size(Widths::EIGHT));
            assert_eq!(FixedArrayHeader::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap(), header);

            let paged = entries > 16;
            let block = FixedArrayDataBlock {
                client: 0,
                header: Some(Address(8)),
                page_bitmap: if paged { vec![0xa0; entries.div_ceil(128)] } else { vec![] },
                entries: if paged { vec![] } else { vec![7; entries * 8] },
            };
            let mut sink = Sink::new(Widths::EIGHT);
            block.write(&mut sink).unwrap();
            let bytes = sink.into_bytes();
            assert_eq!(bytes.len(), header.data_block_size(Widths::EIGHT).unwrap());
            let read = FixedArrayDataBlock::read(&mut Cursor::new(&bytes, Widths::EIGHT), &header).unwrap();
            assert_eq!(read, block);
        }
    }

    #[test]
    fn bits_are_counted_from_the_highest_of_the_first_byte() {
        let bitmap = [0b1000_0001, 0b0100_0000];
        let set: Vec<u64> = (0..20).filter(|index| bit(&bitmap, *index)).collect();
        assert_eq!(set, [0, 7, 9]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_block_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), entries: u64) {
            let mut cursor = Cursor::new(&bytes, Widths::EIGHT);
            let _ = FixedArrayHeader::read(&mut cursor.clone());
            let _ = FixedArrayDataBlock::read(&mut cursor, &header(entries));
        }
    }
}
