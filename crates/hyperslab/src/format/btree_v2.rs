//! Version-2 B-trees: header, nodes, and the records of every type of tree.
//!
//! Spec: III.A.2 "Version 2 B-trees".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, little_endian};

/// No tree is deeper: each level at least doubles the records below it, and they are counted in 64 bits.
const MAX_DEPTH: u16 = 64;

/// Bytes of a node that are neither records nor child pointers.
const NODE_OVERHEAD: u64 = 10;

/// Bytes of a node before its records.
const NODE_HEAD: usize = 6;

record! {
    /// Root of a version-2 B-tree.
    ///
    /// Spec: III.A.2, layout "Version 2 B-tree Header".
    pub(crate) struct BTreeV2Header [signature b"BTHD", version 0, sealed by checksum] {
        /// What the records are.
        kind: u8;
        /// Bytes of every node.
        node_size: u32;
        /// Bytes of every record.
        record_size: u16;
        /// Levels of nodes above the leaves.
        depth: u16;
        split_percent: u8;
        merge_percent: u8;
        root: Option<Address>;
        root_records: u16;
        /// Records in all nodes.
        records: Length;
    }
}

impl BTreeV2Header {
    /// Where the depth is.
    pub(crate) const DEPTH_AT: usize = 12;
    /// Where address and records of the root and the count of all records are.
    pub(crate) const ROOT_AT: usize = 16;

    /// Bytes on disk.
    pub(crate) fn size(widths: Widths) -> usize {
        usize::from(widths.offsets).saturating_add(usize::from(widths.lengths)).saturating_add(22)
    }
}

/// How nodes at one height are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    /// The most records of a node.
    records: u64,
    /// The most records of a node and everything below it.
    total: u64,
    /// Bytes of the total in a pointer to such a node; 0 for leaves.
    total_width: usize,
    /// Records at which a node is split.
    capacity: u64,
    /// The fewest records of a node that is not the root.
    least: u64,
}

/// How the nodes of a tree are laid out, by their height above the leaves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BTreeV2Shape {
    pub(crate) kind: u8,
    pub(crate) node_size: usize,
    pub(crate) record_size: usize,
    /// Bytes of a node's record count in a pointer to it.
    count_width: usize,
    levels: Vec<Level>,
}

impl Level {
    fn new(header: &BTreeV2Header, records: u64, total: u64, total_width: usize) -> Self {
        let share = |percent: u8| records.saturating_mul(percent.into()) / 100;
        let capacity = share(header.split_percent).clamp(1, records.max(1));
        let least = share(header.merge_percent).clamp(1, (capacity / 2).max(1));
        Self { records, total, total_width, capacity, least }
    }
}

impl BTreeV2Shape {
    /// The layout of the tree as it is and as it may grow.
    pub(crate) fn new(header: &BTreeV2Header, widths: Widths) -> Result<Self> {
        let record = u64::from(header.record_size);
        if header.depth > MAX_DEPTH {
            return Err(Error::malformed(format!("depth is {}, at most {MAX_DEPTH} expected", header.depth)));
        }
        let room = |overhead: u64| u64::from(header.node_size).checked_sub(overhead);
        let leaf = room(NODE_OVERHEAD).and_then(|room| room.checked_div(record)).unwrap_or(0);
        if leaf == 0 {
            return Err(Error::malformed(format!(
                "nodes of {} bytes hold no record of {record} bytes",
                header.node_size
            )));
        }
        let count_width = width_of(leaf);
        let mut levels = Vec::with_capacity(16);
        levels.push(Level::new(header, leaf, leaf, 0));
        for height in 1..=MAX_DEPTH {
            let Some(below) = levels.last().copied() else { break };
            if height > header.depth && below.total == u64::MAX {
                break;
            }
            let pointer = count_width.saturating_add(below.total_width);
            let pointer = u64::try_from(pointer).unwrap_or(u64::MAX).saturating_add(widths.offsets.into());
            let records = room(NODE_OVERHEAD.saturating_add(pointer))
                .and_then(|room| room.checked_div(record.saturating_add(pointer)))
                .filter(|records| *records > 0);
            let Some(records) = records else {
                if height > header.depth {
                    break;
                }
                return Err(Error::malformed(format!(
                    "nodes of {} bytes at height {height}",
                    header.node_size
                )));
            };
            let total = records.saturating_add(1).saturating_mul(below.total).saturating_add(records);
            levels.push(Level::new(header, records, total, width_of(total)));
        }
        Ok(Self {
            kind: header.kind,
            node_size: to_usize(header.node_size.into())?,
            record_size: usize::from(header.record_size),
            count_width,
            levels,
        })
    }

    /// Bytes that a node of `records` records at `height` uses.
    pub(crate) fn used(&self, records: u64, height: u16, widths: Widths) -> Result<usize> {
        let level = self.levels.get(usize::from(height));
        if level.is_none_or(|level| records > level.records) {
            return Err(Error::malformed(format!("{records} records in a node at height {height}")));
        }
        let count = to_usize(records)?;
        let pointers = if height == 0 {
            0
        } else {
            count.saturating_add(1).saturating_mul(self.pointer_width(height, widths))
        };
        Ok(count.saturating_mul(self.record_size).saturating_add(pointers).saturating_add(10))
    }

    /// Records at which a node at `height` is split, and the fewest it may have unless it is the root;
    /// none when the tree cannot be so high.
    pub(crate) fn limits(&self, height: u16) -> Option<(u64, u64)> {
        self.levels.get(usize::from(height)).map(|level| (level.capacity, level.least))
    }

    /// Where record `index` of a node is.
    pub(crate) fn record_at(&self, index: usize) -> usize {
        index.saturating_mul(self.record_size).saturating_add(NODE_HEAD)
    }

    /// The pointer to child `index` in the bytes of a node of `records` records at `height`.
    pub(crate) fn child(
        &self,
        bytes: &[u8],
        (records, height): (u64, u16),
        index: usize,
        widths: Widths,
    ) -> Result<BTreeV2Child> {
        let mut cursor = Cursor::new(bytes, widths);
        cursor.skip(self.child_at(records, height, index, widths)?)?;
        self.take_child(&mut cursor, height)
    }

    /// Replaces the pointer to child `index` in the bytes of a node.
    pub(crate) fn set_child(
        &self,
        bytes: &mut [u8],
        (records, height): (u64, u16),
        (index, child): (usize, &BTreeV2Child),
        widths: Widths,
    ) -> Result<()> {
        let mut sink = Sink::new(widths);
        self.put_child(&mut sink, child, height)?;
        let pointer = sink.bytes();
        let at = self.child_at(records, height, index, widths)?;
        let place = bytes.get_mut(at..at.saturating_add(pointer.len()));
        place.ok_or_else(|| Error::usage(format!("no child {index} in a node"))).map(|place| {
            place.copy_from_slice(pointer);
        })
    }

    fn child_at(&self, records: u64, height: u16, index: usize, widths: Widths) -> Result<usize> {
        let pointers = self.pointer_width(height, widths).saturating_mul(index);
        Ok(self.record_at(to_usize(records)?).saturating_add(pointers))
    }

    fn take_child(&self, cursor: &mut Cursor<'_>, height: u16) -> Result<BTreeV2Child> {
        let total_width = self.total_width_below(height);
        let address = cursor.address()?;
        let records = cursor.uint(self.count_width)?;
        let total = if total_width == 0 { records } else { cursor.uint(total_width)? };
        Ok(BTreeV2Child { address, records, total })
    }

    fn put_child(&self, sink: &mut Sink, child: &BTreeV2Child, height: u16) -> Result<()> {
        let total_width = self.total_width_below(height);
        sink.address(child.address)?;
        sink.uint(child.records, self.count_width)?;
        if total_width > 0 {
            sink.uint(child.total, total_width)?;
        }
        Ok(())
    }

    /// Bytes of a pointer in a node at `height` to a node below it.
    fn pointer_width(&self, height: u16, widths: Widths) -> usize {
        usize::from(widths.offsets)
            .saturating_add(self.count_width)
            .saturating_add(self.total_width_below(height))
    }

    fn total_width_below(&self, height: u16) -> usize {
        let below = usize::from(height).checked_sub(1).and_then(|below| self.levels.get(below));
        below.map_or(0, |level| level.total_width)
    }
}

/// The least bytes that hold `value`.
fn width_of(value: u64) -> usize {
    let bits = value.max(1).ilog2();
    usize::try_from(bits >> 3).unwrap_or(0).saturating_add(1)
}

/// A pointer to a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BTreeV2Child {
    pub(crate) address: Option<Address>,
    /// Records in the node.
    pub(crate) records: u64,
    /// Records in the node and below; the same in pointers to leaves.
    pub(crate) total: u64,
}

/// A node: records, and between them pointers unless it is a leaf.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BTreeV2Node {
    record_size: usize,
    pub(crate) records: Vec<u8>,
    /// One more than records; none in a leaf.
    pub(crate) children: Vec<BTreeV2Child>,
}

impl BTreeV2Node {
    pub(crate) fn new(shape: &BTreeV2Shape, records: Vec<u8>, children: Vec<BTreeV2Child>) -> Self {
        Self { record_size: shape.record_size, records, children }
    }

    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        shape: &BTreeV2Shape,
        records: u64,
        height: u16,
    ) -> Result<Self> {
        let start = cursor.position();
        cursor.signature(if height == 0 { *b"BTLF" } else { *b"BTIN" })?;
        cursor.version(&[0])?;
        let kind = cursor.u8()?;
        if kind != shape.kind {
            return Err(Error::malformed(format!("node type is {kind}, expected {}", shape.kind)));
        }
        let count = cursor.expect_items(records, shape.record_size)?;
        let bytes = cursor.take(count.saturating_mul(shape.record_size))?.to_vec();
        let pointers = if height == 0 { 0 } else { count.saturating_add(1) };
        let mut children = Vec::with_capacity(pointers);
        for _ in 0..pointers {
            children.push(shape.take_child(cursor, height)?);
        }
        cursor.checksum(start)?;
        Ok(Self { record_size: shape.record_size, records: bytes, children })
    }

    pub(crate) fn write(&self, sink: &mut Sink, shape: &BTreeV2Shape, height: u16) -> Result<()> {
        let start = sink.position();
        sink.put(if height == 0 { b"BTLF\0" } else { b"BTIN\0" });
        sink.u8(shape.kind);
        sink.put(&self.records);
        self.children.iter().try_for_each(|child| shape.put_child(sink, child, height))?;
        sink.checksum(start);
        Ok(())
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len().checked_div(self.record_size).unwrap_or(0)
    }

    /// Whether each chunk comes behind the one before it, in a tree of chunks; other trees have an order of their own.
    pub(crate) fn chunks_ascend(&self, kind: u8, widths: Widths) -> bool {
        // A record is an address, if filtered a size of 1 to 8 bytes and a mask of 4, and coordinates of 8.
        let before = |size: usize| usize::from(widths.offsets).saturating_add(size);
        let head = match kind {
            10 => Some(before(0)),
            11 => (5..13)
                .map(before)
                .find(|head| self.record_size.checked_sub(*head).is_some_and(|coords| coords % 8 == 0)),
            _ => None,
        };
        let Some(head) = head else { return true };
        let coords =
            |record: usize| Some(self.record(record)?.get(head..)?.chunks_exact(8).map(little_endian));
        (1..self.len()).all(|index| match (coords(index.saturating_sub(1)), coords(index)) {
            (Some(before), Some(after)) => before.lt(after),
            _ => false,
        })
    }

    pub(crate) fn record(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_mul(self.record_size)?;
        self.records.get(start..start.checked_add(self.record_size)?)
    }

    /// Bytes it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.children.len().saturating_mul(32).saturating_add(self.records.len()).saturating_add(64)
    }
}

record! {
    /// Type 1: a huge object of a fractal heap, found by its number.
    pub(crate) struct HugeIndirect [] {
        address: Option<Address>;
        length: Length;
        id: Length;
    }
}

record! {
    /// Type 2: a filtered huge object of a fractal heap, found by its number.
    pub(crate) struct HugeIndirectFiltered [] {
        address: Option<Address>;
        length: Length;
        filter_mask: u32;
        /// Bytes of the object once decoded.
        size: Length;
        id: Length;
    }
}

record! {
    /// Type 5: a link by the hash of its name.
    pub(crate) struct LinkName [] {
        /// lookup3 of the name.
        hash: u32;
        id: [u8; 7];
    }
}

record! {
    /// Type 6: a link by the order of creation.
    pub(crate) struct LinkOrder [] {
        order: u64;
        id: [u8; 7];
    }
}

record! {
    /// Type 8: an attribute by the hash of its name.
    #[cfg_attr(not(any(test, feature = "fuzzing")), allow(dead_code, reason = "a second way to a record, that tests compare with"))]
    pub(crate) struct AttributeName [] {
        id: [u8; 8];
        flags: u8;
        order: u32;
        /// lookup3 of the name.
        hash: u32;
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeV2Child, BTreeV2Header, BTreeV2Node, BTreeV2Shape, width_of};
    use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, Wire};
    use proptest::prelude::{any, prop, proptest};

    fn header(node_size: u32, record_size: u16, depth: u16) -> BTreeV2Header {
        BTreeV2Header {
            kind: 10,
            node_size,
            record_size,
            depth,
            split_percent: 100,
            merge_percent: 40,
            root: Some(Address(64)),
            root_records: 1,
            records: Length(5),
        }
    }

    #[test]
    fn nodes_are_written_and_read_back_at_the_size_they_say() {
        let widths = Widths::EIGHT;
        let head = header(2048, 24, 2);
        let mut sink = Sink::new(widths);
        head.write(&mut sink).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), BTreeV2Header::size(widths));
        assert_eq!(BTreeV2Header::read(&mut Cursor::new(&bytes, widths)).unwrap(), head);
        let shape = BTreeV2Shape::new(&head, widths).unwrap();
        for height in 0..3 {
            let child = BTreeV2Child { address: Some(Address(9)), records: 4, total: 4 };
            let children = vec![child; if height == 0 { 0 } else { 4 }];
            let node = BTreeV2Node { record_size: 24, records: vec![7; 72], children };
            let mut sink = Sink::new(widths);
            node.write(&mut sink, &shape, height).unwrap();
            let bytes = sink.into_bytes();
            assert_eq!(bytes.len(), shape.used(3, height, widths).unwrap());
            let read = BTreeV2Node::read(&mut Cursor::new(&bytes, widths), &shape, 3, height).unwrap();
            assert_eq!(read, node);
        }
        assert!(shape.used(86, 0, widths).is_err());
    }

    #[test]
    fn counts_take_the_least_bytes_that_hold_them() {
        assert_eq!([0, 1, 255, 256, 65535, 65536, u64::MAX].map(width_of), [1, 1, 1, 2, 2, 3, 8]);
    }

    #[test]
    fn chunks_out_of_order_are_noticed() {
        let widths = Widths::EIGHT;
        // Filtered ones have sizes of 1 to 8 bytes, here 3.
        for (kind, head) in [(10, 8), (11, 8 + 3 + 4)] {
            for (chunks, ascend) in
                [([[0, 1], [1, 0]], true), ([[1, 0], [0, 1]], false), ([[1, 1], [1, 1]], false)]
            {
                let record =
                    |coords: [u64; 2]| [vec![9; head], coords.map(u64::to_le_bytes).concat()].concat();
                let records: Vec<u8> = chunks.into_iter().flat_map(record).collect();
                let node = BTreeV2Node { record_size: head + 16, records, children: Vec::new() };
                assert_eq!(node.chunks_ascend(kind, widths), ascend, "{chunks:?} in a tree of type {kind}");
                assert!(node.chunks_ascend(5, widths), "another tree has another order");
            }
        }
    }

    proptest! {
        #[test]
        fn any_header_is_a_shape_or_an_error(node: u32, record: u16, depth: u16, bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            if let Ok(shape) = BTreeV2Shape::new(&header(node, record, depth), Widths::EIGHT) {
                let _ = shape.used(u64::from(node), depth, Widths::EIGHT);
                let _ = BTreeV2Node::read(&mut Cursor::new(&bytes, Widths::EIGHT), &shape, u64::from(node), depth);
            }
        }
    }
}
