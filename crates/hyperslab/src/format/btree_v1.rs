//! Nodes of version-1 B-trees, and their keys.
//!
//! Spec: III.A.1 "Version 1 B-trees".

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Widths, all_ones, little_endian};

/// What a tree leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TreeKind {
    /// Symbol table nodes; keys are offsets of names in a local heap.
    Group,
    /// Chunks of a dataset; keys say where a chunk begins and how it is stored.
    Chunk,
}

impl TreeKind {
    fn code(self) -> u8 {
        match self {
            Self::Group => 0,
            Self::Chunk => 1,
        }
    }
}

/// How many children nodes have at least, half of what they have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeK {
    /// Links of a symbol table node.
    pub(crate) leaf: u16,
    /// Children of a node of a group's tree.
    pub(crate) group: u16,
    /// Children of a node of a chunk tree.
    pub(crate) chunk: u16,
}

impl TreeK {
    /// The "B-tree 'K' Values" message.
    ///
    /// Spec: IV.A.2.t, message type 0x13.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.version(&[0])?;
        let (chunk, group, leaf) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        Self { leaf, group, chunk }.checked()
    }

    /// Fails when nodes have no room at all.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.leaf > 0 && self.group > 0 && self.chunk > 0 {
            return Ok(self);
        }
        Err(Error::malformed(format!("B-tree K values are {self:?}, expected more than 0")))
    }
}

impl Default for TreeK {
    fn default() -> Self {
        Self { leaf: 4, group: 16, chunk: 32 }
    }
}

/// One node: `entries` children between `entries + 1` keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BTreeV1Node {
    pub(crate) kind: TreeKind,
    /// 0 in a leaf, whose children are not nodes of the tree.
    pub(crate) level: u8,
    pub(crate) left: Option<Address>,
    pub(crate) right: Option<Address>,
    entries: usize,
    key_width: usize,
    address_width: u8,
    /// Keys and children in turn, as on disk; begins and ends with a key.
    body: Vec<u8>,
}

impl BTreeV1Node {
    /// Bytes before the first key.
    pub(crate) fn header_size(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_mul(2).saturating_add(8)
    }

    /// Bytes of a key of a chunk tree of a dataset of `rank` axes.
    pub(crate) fn chunk_key_width(rank: usize) -> usize {
        rank.saturating_add(2).saturating_mul(8)
    }

    /// Bytes of a node of `entries` children.
    pub(crate) fn size(entries: usize, key_width: usize, widths: Widths) -> usize {
        let pair = key_width.saturating_add(usize::from(widths.offsets));
        Self::header_size(widths).saturating_add(entries.saturating_mul(pair)).saturating_add(key_width)
    }

    /// How many children the node that begins with `head` has.
    pub(crate) fn entries_of(head: &[u8]) -> Option<usize> {
        head.get(6..8).and_then(|bytes| usize::try_from(little_endian(bytes)).ok())
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>, kind: TreeKind, key_width: usize) -> Result<Self> {
        cursor.signature(*b"TREE")?;
        let found = cursor.u8()?;
        if found != kind.code() {
            return Err(Error::malformed(format!("node type is {found}, expected {}", kind.code())));
        }
        let level = cursor.u8()?;
        let entries = usize::from(cursor.u16()?);
        let left = cursor.address()?;
        let right = cursor.address()?;
        let address_width = cursor.widths().offsets;
        let pair = key_width.saturating_add(usize::from(address_width));
        let body = cursor.take(entries.saturating_mul(pair).saturating_add(key_width))?.to_vec();
        Ok(Self { kind, level, left, right, entries, key_width, address_width, body })
    }

    /// A node of the children between the keys in `body`: key, child, key ... key.
    pub(crate) fn new(
        (kind, level): (TreeKind, u8),
        (left, right): (Option<Address>, Option<Address>),
        key_width: usize,
        widths: Widths,
        body: Vec<u8>,
    ) -> Self {
        let pair = key_width.saturating_add(usize::from(widths.offsets));
        let entries = body.len().saturating_sub(key_width).checked_div(pair).unwrap_or(0);
        Self { kind, level, left, right, entries, key_width, address_width: widths.offsets, body }
    }

    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(b"TREE");
        sink.u8(self.kind.code());
        sink.u8(self.level);
        sink.uint(u64::try_from(self.entries).unwrap_or(u64::MAX), 2)?;
        sink.address(self.left)?;
        sink.address(self.right)?;
        sink.put(&self.body);
        Ok(())
    }

    /// How many children there are.
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    /// Bytes it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.body.len().saturating_add(64)
    }

    /// Puts a child and the key before it where child `index` is.
    pub(crate) fn insert(&mut self, index: usize, pair: &[u8]) {
        let at = index.saturating_mul(self.pair()).min(self.body.len());
        self.body.splice(at..at, pair.iter().copied());
        self.entries = self.entries.saturating_add(1);
    }

    /// Keeps the first children; the others, in a node of their own, which share a key with them.
    pub(crate) fn split_off(&mut self, kept: usize) -> Self {
        let at = kept.saturating_mul(self.pair()).min(self.body.len());
        let body = self.body.split_off(at);
        self.body.extend_from_slice(body.get(..self.key_width).unwrap_or_default());
        let entries = self.entries.saturating_sub(kept);
        self.entries = kept;
        Self { entries, body, ..*self }
    }

    fn pair(&self) -> usize {
        self.key_width.saturating_add(usize::from(self.address_width))
    }

    /// Key `index`, of `entries + 1`.
    pub(crate) fn key(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_mul(self.pair())?;
        self.body.get(start..start.checked_add(self.key_width)?)
    }

    /// The last key: no child is beyond it.
    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.key(self.entries)
    }

    /// Whether each chunk begins behind the one before it, in a chunk tree.
    pub(crate) fn chunks_ascend(&self) -> bool {
        // The last offset of a key is within the element.
        let rank = (self.key_width / 8).saturating_sub(2);
        (1..self.entries).all(|index| match (self.key(index.saturating_sub(1)), self.key(index)) {
            (Some(before), Some(after)) => {
                let (before, after) = (ChunkKey(before), ChunkKey(after));
                before.offsets().take(rank).lt(after.offsets().take(rank))
            }
            _ => false,
        })
    }

    /// Child `index`, of `entries`.
    pub(crate) fn child(&self, index: usize) -> Option<Address> {
        let start = index.checked_mul(self.pair())?.checked_add(self.key_width)?;
        let end = start.checked_add(usize::from(self.address_width))?;
        let value = little_endian(self.body.get(start..end)?);
        (value != all_ones(self.address_width)).then_some(Address(value))
    }
}

/// A key of a chunk tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkKey<'a>(pub(crate) &'a [u8]);

impl ChunkKey<'_> {
    /// The key of a chunk of `size` stored bytes that begins at `offsets`, of which the last is within the element.
    pub(crate) fn encode(size: u64, filter_mask: u32, offsets: impl Iterator<Item = u64>) -> Result<Vec<u8>> {
        let size = u32::try_from(size).map_err(|_| {
            Error::limit(format!("a chunk of {size} bytes in a version-1 B-tree, which counts 32 bits"))
        })?;
        let mut key = size.to_le_bytes().to_vec();
        key.extend(filter_mask.to_le_bytes());
        offsets.for_each(|offset| key.extend(offset.to_le_bytes()));
        Ok(key)
    }

    /// Stored bytes of the chunk.
    pub(crate) fn size(&self) -> u32 {
        self.number(0)
    }

    /// Bit n set: filter n was skipped.
    pub(crate) fn filter_mask(&self) -> u32 {
        self.number(4)
    }

    /// Where the chunk begins along each axis, in elements; last an offset within the element, 0.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = u64> {
        self.0.get(8..).unwrap_or_default().chunks_exact(8).map(little_endian)
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..at.saturating_add(4)).unwrap_or_default();
        u32::try_from(little_endian(bytes)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeV1Node, TreeKind};
    use crate::format::bytes::{Address, Cursor, Sink, Widths};
    use proptest::prelude::{any, prop, proptest};

    #[test]
    fn a_node_is_read_and_written_back() {
        let mut bytes = b"TREE\x00\x01\x02\x00".to_vec();
        for number in [u64::MAX, u64::MAX, 0, 0x100, 8, 0x200, 24] {
            bytes.extend(number.to_le_bytes());
        }
        let node = BTreeV1Node::read(&mut Cursor::new(&bytes, Widths::EIGHT), TreeKind::Group, 8).unwrap();
        assert_eq!((node.entries(), node.level), (2, 1));
        assert_eq!(node.child(1), Some(Address(0x200)));
        assert_eq!(node.key(2), Some(24_u64.to_le_bytes().as_slice()));
        assert_eq!((node.key(3), node.child(2)), (None, None));
        let mut sink = Sink::new(Widths::EIGHT);
        node.write(&mut sink).unwrap();
        assert_eq!(sink.into_bytes(), bytes);
    }

    #[test]
    fn chunks_out_of_order_are_noticed() {
        let width = BTreeV1Node::chunk_key_width(1);
        for (second, ascends) in [(8_u64, true), (0, false)] {
            let mut bytes = b"TREE\x01\x00\x02\x00".to_vec();
            for number in [u64::MAX, u64::MAX, 64, 4, 0, 0x100, 64, second, 0, 0x200, 64, 12, 0] {
                bytes.extend(number.to_le_bytes());
            }
            let node =
                BTreeV1Node::read(&mut Cursor::new(&bytes, Widths::EIGHT), TreeKind::Chunk, width).unwrap();
            assert_eq!(node.chunks_ascend(), ascends, "second chunk at {second}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_node_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 0_usize..60) {
            let mut node = b"TREE\x01".to_vec();
            node.extend(bytes);
            let _ = BTreeV1Node::read(&mut Cursor::new(&node, Widths::EIGHT), TreeKind::Chunk, width);
        }
    }
}
