//! [`LocalHeap`]: the names of an old group, loaded whole.
//!
//! Spec: III.D "Local Heaps".

pub(crate) mod write;

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor};
use crate::format::local_heap::LocalHeapHeader;
use crate::metadata::Metadata;
use std::sync::Arc;

/// The data segment of a local heap.
#[derive(Clone, Debug)]
pub(crate) struct LocalHeap {
    bytes: Vec<u8>,
}

impl LocalHeap {
    /// The heap whose header is at `address`.
    pub(crate) fn open(md: &Metadata, address: Address) -> Result<Arc<Self>> {
        let heap = md.decoded(address, || {
            let heap = Self::load(md, address)?;
            let weight = heap.bytes.len();
            Ok((heap, weight))
        });
        heap.at(|| format!("local heap at {address}"))
    }

    fn load(md: &Metadata, address: Address) -> Result<Self> {
        let header: LocalHeapHeader = md.load(address, LocalHeapHeader::size(md.widths()))?;
        let bytes = match header.segment {
            Some(segment) => md.read(segment, to_usize(header.size)?)?,
            None => Vec::new(),
        };
        check_free(&bytes, header.free, md)?;
        Ok(Self { bytes })
    }

    /// The name that begins at `offset`, without the NUL that ends it.
    pub(crate) fn name(&self, offset: u64) -> Result<&[u8]> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
        let name = rest.and_then(|rest| rest.split_at_checked(memchr::memchr(0, rest)?));
        name.map(|(name, _)| name).ok_or_else(|| {
            Error::malformed(format!("no name at {offset} in a local heap of {} bytes", self.bytes.len()))
        })
    }
}

/// Fails unless the free blocks, each with the place of the next and its size, lie in the heap one after
/// the other, and end.
fn check_free(bytes: &[u8], first: u64, md: &Metadata) -> Result<()> {
    let none = Cursor::new(&[0xff; 8], md.widths()).length()?;
    let mut next = first;
    // libhdf5 ends the list with 1, the specification with the undefined address.
    let mut left = bytes.len() as u64;
    while next != 1 && next != none {
        let block = usize::try_from(next).ok().and_then(|at| bytes.get(at..));
        let place = || Error::malformed(format!("a free block at {next} in a heap of {} bytes", bytes.len()));
        let mut cursor = Cursor::new(block.ok_or_else(place)?, md.widths());
        let (after, size) = (cursor.length()?, cursor.length()?);
        // Blocks do not overlap, so together they are no larger than the heap.
        left = left.checked_sub(size.max(1)).ok_or_else(|| {
            Error::malformed(format!("free blocks are larger than their heap of {} bytes", bytes.len()))
        })?;
        next = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_free;
    use crate::format::bytes::Widths;
    use crate::metadata::Metadata;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::pages::Pages;
    use std::sync::Arc;

    fn check(blocks: &[[u64; 2]], first: u64) -> bool {
        let pages = Pages::new(Arc::new(MemoryStorage::new(Vec::new()))).unwrap();
        let segment: Vec<u8> = blocks.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        check_free(&segment, first, &Metadata::new(pages, 0, Widths::EIGHT)).is_ok()
    }

    #[test]
    fn free_blocks_follow_each_other_within_the_heap() {
        assert!(check(&[[32, 16], [7, 7], [1, 16]], 0) && check(&[], 1) && check(&[], u64::MAX));
        assert!(!check(&[[8, 16]], 0) && !check(&[], 0));
    }

    #[test]
    fn a_circle_of_free_blocks_is_refused() {
        assert!(!check(&[[0, 16]], 0) && !check(&[[0, 0]], 0) && !check(&[[16, 16], [0, 16]], 0));
    }
}
