//! Local heaps: the names of an old group.
//!
//! Spec: III.D "Local Heaps".

use crate::error::Result;
use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};

/// Where the names are.
///
/// Spec: III.D, layout "Local Heap".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LocalHeapHeader {
    /// Bytes of the data segment.
    pub(crate) size: u64,
    /// First free block in the segment; all ones, or 1 as libhdf5 writes it, when there is none.
    pub(crate) free: u64,
    pub(crate) segment: Option<Address>,
}

impl LocalHeapHeader {
    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        usize::from(widths.lengths).saturating_mul(2).saturating_add(widths.offsets.into()).saturating_add(8)
    }
}

impl Wire for LocalHeapHeader {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.signature(*b"HEAP")?;
        cursor.version(&[0])?;
        cursor.skip(3)?;
        Ok(Self { size: cursor.length()?, free: cursor.length()?, segment: cursor.address()? })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(b"HEAP\0\0\0\0");
        sink.length(self.size)?;
        sink.length(self.free)?;
        sink.address(self.segment)
    }
}

#[cfg(test)]
mod tests {
    use super::LocalHeapHeader;
    use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};

    #[test]
    fn a_header_is_written_and_read_back() {
        let widths = Widths { offsets: 4, lengths: 8 };
        let heap = LocalHeapHeader { size: 88, free: 1, segment: Some(Address(680)) };
        let mut sink = Sink::new(widths);
        heap.write(&mut sink).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), LocalHeapHeader::size(widths));
        assert_eq!(LocalHeapHeader::read(&mut Cursor::new(&bytes, widths)).unwrap(), heap);
    }
}
