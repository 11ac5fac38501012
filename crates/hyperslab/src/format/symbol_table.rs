//! Symbol table nodes: the links of old groups.
//!
//! Spec: III.B "Group Symbol Table Nodes", III.C "Symbol Table Entry".

use crate::error::Result;
use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};

record! {
    /// One link of a group.
    ///
    /// Spec: III.C, layout "Symbol Table Entry".
    pub(crate) struct SymbolEntry [] {
        /// Where the name is in the group's local heap; at the width of addresses.
        name: HeapOffset;
        /// The object header; none for a symbolic link.
        header: Option<Address>;
        /// 1: the scratch space has a group's tree and heap; 2: the offset of a link's value.
        cache_type: u32;
        reserved: u32;
        scratch: [u8; 16];
    }
}

/// An offset in a local heap, stored at the width of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeapOffset(pub(crate) u64);

impl crate::format::bytes::Field for HeapOffset {
    fn take(cursor: &mut Cursor<'_>) -> Result<Self> {
        let width = cursor.widths().offsets;
        cursor.uint(width.into()).map(Self)
    }
    fn put(&self, sink: &mut Sink) -> Result<()> {
        let width = sink.widths().offsets;
        sink.uint(self.0, width.into())
    }
}

impl SymbolEntry {
    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_mul(2).saturating_add(24)
    }

    /// Where a symbolic link's value is in the local heap, when this is one.
    pub(crate) fn soft_link(&self) -> Option<u64> {
        let [a, b, c, d, ..] = self.scratch;
        (self.cache_type == 2).then(|| u32::from_le_bytes([a, b, c, d]).into())
    }
}

/// A leaf of a group's tree: entries in the order of their names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SymbolTableNode {
    pub(crate) entries: Vec<SymbolEntry>,
}

impl SymbolTableNode {
    /// Bytes before the entries.
    pub(crate) const HEAD: usize = 8;

    /// Takes signature, version and how many entries follow.
    pub(crate) fn read_head(cursor: &mut Cursor<'_>) -> Result<u16> {
        cursor.signature(*b"SNOD")?;
        cursor.version(&[1])?;
        cursor.skip(1)?;
        cursor.u16()
    }
}

impl Wire for SymbolTableNode {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let count = Self::read_head(cursor)?;
        let count = cursor.expect_items(count.into(), SymbolEntry::size(cursor.widths()))?;
        let entries = (0..count).map(|_| SymbolEntry::read(cursor)).collect::<Result<_>>()?;
        Ok(Self { entries })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(b"SNOD\x01\0");
        sink.uint(u64::try_from(self.entries.len()).unwrap_or(u64::MAX), 2)?;
        self.entries.iter().try_for_each(|entry| entry.write(sink))
    }
}

#[cfg(test)]
mod tests {
    use super::{HeapOffset, SymbolEntry, SymbolTableNode};
    use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};
    use proptest::prelude::{any, prop, proptest};

    #[test]
    fn a_node_is_written_and_read_back() {
        let mut scratch = [0; 16];
        scratch[0] = 40;
        let name = HeapOffset(8);
        let soft = SymbolEntry { name, header: None, cache_type: 2, reserved: 0, scratch };
        let hard = SymbolEntry { name, header: Some(Address(800)), cache_type: 0, reserved: 0, scratch };
        assert_eq!((soft.soft_link(), hard.soft_link()), (Some(40), None));
        let node = SymbolTableNode { entries: vec![soft, hard] };
        let mut sink = Sink::new(Widths::EIGHT);
        node.write(&mut sink).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), SymbolTableNode::HEAD + 2 * SymbolEntry::size(Widths::EIGHT));
        assert_eq!(SymbolTableNode::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap(), node);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_node_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let bytes = [b"SNOD\x01".as_slice(), &bytes].concat();
            let _ = SymbolTableNode::read(&mut Cursor::new(&bytes, Widths::EIGHT));
        }
    }
}
