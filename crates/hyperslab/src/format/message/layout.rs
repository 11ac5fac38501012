//! The data layout message: how and where a dataset's elements are stored.
//!
//! Spec: IV.A.2.i "The Data Layout Message", versions 1 to 5.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Wire};

/// No dataset has more axes.
pub(crate) const MAX_RANK: usize = 32;

/// How and where elements are stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DataLayout {
    /// In the message itself.
    Compact(Vec<u8>),
    /// In one run of bytes; `size` is absent before version 3, where the dataspace tells it.
    Contiguous { address: Option<Address>, size: Option<u64> },
    /// In chunks, found by an index.
    Chunked(ChunkedLayout),
    /// In other datasets, which an object in a global heap lists.
    Virtual { collection: Option<Address>, index: u32 },
}

/// Chunks and the index that finds them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChunkedLayout {
    /// Version of the message, which fixes the width of stored sizes in the indexes.
    pub(crate) version: u8,
    /// Elements of a chunk along each axis.
    pub(crate) chunk: Vec<u64>,
    /// Bytes of an element.
    pub(crate) element_size: u64,
    /// Bit 0: partial chunks at the edge are not filtered.
    pub(crate) flags: u8,
    pub(crate) indexing: ChunkIndexing,
    /// Root of the index, or the chunks themselves; none before the first chunk.
    pub(crate) address: Option<Address>,
}

impl ChunkedLayout {
    /// Whether chunks that the extent cuts are stored without the filters.
    pub(crate) fn edge_unfiltered(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// The kind of a chunk index and its creation parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChunkIndexing {
    BTreeV1,
    /// One chunk covers all; stored size and filter mask when it is filtered.
    Single {
        filtered: Option<(u64, u32)>,
    },
    /// Chunks lie one after the other.
    Implicit,
    FixedArray {
        page_bits: u8,
    },
    ExtensibleArray {
        max_bits: u8,
        index_elements: u8,
        min_pointers: u8,
        min_elements: u8,
        page_bits: u8,
    },
    BTreeV2 {
        node_size: u32,
        split_percent: u8,
        merge_percent: u8,
    },
}

impl Wire for DataLayout {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        match cursor.version(&[1, 2, 3, 4, 5])? {
            1 | 2 => read_old(cursor),
            version => read_new(cursor, version),
        }
    }

    /// Writes version 3 of what it can say, as libhdf5 does for readers of any age; chunks with a newer index
    /// and mappings have version 4, or the version that was read if that is newer.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        match self {
            Self::Compact(bytes) => {
                sink.put(&[3, 0]);
                sink.uint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), 2)?;
                sink.put(bytes);
                Ok(())
            }
            Self::Contiguous { address, size } => {
                let size = size.ok_or_else(|| Error::usage("contiguous storage of unknown size"))?;
                sink.put(&[3, 1]);
                sink.address(*address)?;
                sink.length(size)
            }
            Self::Chunked(chunked) => chunked.write(sink),
            Self::Virtual { collection, index } => {
                sink.put(&[4, 3]);
                sink.address(*collection)?;
                sink.u32(*index);
                Ok(())
            }
        }
    }
}

/// Versions 1 and 2: dimensions first, then what the class needs.
fn read_old(cursor: &mut Cursor<'_>) -> Result<DataLayout> {
    let rank = usize::from(cursor.u8()?);
    let class = cursor.u8()?;
    cursor.skip(5)?;
    let address = if class == 0 { None } else { cursor.address()? };
    if rank > MAX_RANK.saturating_add(1) {
        return Err(Error::malformed(format!("layout has {rank} dimensions, at most 33 expected")));
    }
    let mut dims = Vec::with_capacity(rank);
    for _ in 0..rank {
        dims.push(u64::from(cursor.u32()?));
    }
    match class {
        0 => {
            let size = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
            Ok(DataLayout::Compact(cursor.take(size)?.to_vec()))
        }
        1 => Ok(DataLayout::Contiguous { address, size: None }),
        2 => ChunkedLayout::checked(2, dims, 0, ChunkIndexing::BTreeV1, address).map(DataLayout::Chunked),
        _ => Err(unknown_class(class)),
    }
}

fn read_new(cursor: &mut Cursor<'_>, version: u8) -> Result<DataLayout> {
    match cursor.u8()? {
        0 => {
            let size = usize::from(cursor.u16()?);
            Ok(DataLayout::Compact(cursor.take(size)?.to_vec()))
        }
        1 => Ok(DataLayout::Contiguous { address: cursor.address()?, size: Some(cursor.length()?) }),
        2 if version == 3 => read_chunked_3(cursor).map(DataLayout::Chunked),
        2 => read_chunked_4(cursor, version).map(DataLayout::Chunked),
        3 if version >= 4 => Ok(DataLayout::Virtual { collection: cursor.address()?, index: cursor.u32()? }),
        class => Err(unknown_class(class)),
    }
}

fn unknown_class(class: u8) -> Error {
    Error::malformed(format!(
        "layout class is {class}, expected 0 compact, 1 contiguous, 2 chunked or 3 virtual"
    ))
}

fn read_chunked_3(cursor: &mut Cursor<'_>) -> Result<ChunkedLayout> {
    let rank = usize::from(cursor.u8()?);
    let address = cursor.address()?;
    let dims = read_dims(cursor, rank, 4)?;
    ChunkedLayout::checked(3, dims, 0, ChunkIndexing::BTreeV1, address)
}

fn read_chunked_4(cursor: &mut Cursor<'_>, version: u8) -> Result<ChunkedLayout> {
    let flags = cursor.u8()?;
    if flags & !3 != 0 {
        return Err(Error::malformed(format!("chunk flags are {flags:#x}, expected bits 0 and 1 only")));
    }
    let rank = usize::from(cursor.u8()?);
    let width = usize::from(cursor.u8()?);
    if width == 0 || width > 8 {
        return Err(Error::malformed(format!("dimensions of {width} bytes, expected 1 to 8")));
    }
    let dims = read_dims(cursor, rank, width)?;
    let indexing = read_indexing(cursor, flags)?;
    let address = cursor.address()?;
    ChunkedLayout::checked(version, dims, flags, indexing, address)
}

fn read_indexing(cursor: &mut Cursor<'_>, flags: u8) -> Result<ChunkIndexing> {
    Ok(match cursor.u8()? {
        1 if flags & 2 != 0 => ChunkIndexing::Single { filtered: Some((cursor.length()?, cursor.u32()?)) },
        1 => ChunkIndexing::Single { filtered: None },
        2 => ChunkIndexing::Implicit,
        3 => ChunkIndexing::FixedArray { page_bits: cursor.u8()? },
        4 => ChunkIndexing::ExtensibleArray {
            max_bits: cursor.u8()?,
            index_elements: cursor.u8()?,
            min_pointers: cursor.u8()?,
            min_elements: cursor.u8()?,
            page_bits: cursor.u8()?,
        },
        5 => ChunkIndexing::BTreeV2 {
            node_size: cursor.u32()?,
            split_percent: cursor.u8()?,
            merge_percent: cursor.u8()?,
        },
        kind => return Err(Error::malformed(format!("chunk index type is {kind}, expected 1 to 5"))),
    })
}

fn read_dims(cursor: &mut Cursor<'_>, rank: usize, width: usize) -> Result<Vec<u64>> {
    cursor.expect_items(u64::try_from(rank).unwrap_or(u64::MAX), width)?;
    (0..rank).map(|_| cursor.uint(width)).collect()
}

impl ChunkedLayout {
    /// `dims` are the chunk's, with the element size last.
    fn checked(
        version: u8,
        mut dims: Vec<u64>,
        flags: u8,
        indexing: ChunkIndexing,
        address: Option<Address>,
    ) -> Result<Self> {
        let found = dims.len();
        let element_size = dims.pop().unwrap_or(0);
        if dims.is_empty() || dims.len() > MAX_RANK {
            return Err(Error::malformed(format!("chunks have {found} dimensions, expected 2 to 33")));
        }
        if element_size == 0 || dims.contains(&0) {
            return Err(Error::malformed(format!(
                "chunk of {dims:?} elements of {element_size} bytes has none"
            )));
        }
        dims.iter()
            .try_fold(element_size, |size, dim| size.checked_mul(*dim))
            .ok_or_else(|| Error::malformed(format!("chunk of {dims:?} elements passes 2^64 bytes")))?;
        Ok(Self { version, chunk: dims, element_size, flags, indexing, address })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        let rank = u64::try_from(self.chunk.len()).unwrap_or(u64::MAX).saturating_add(1);
        let dims = self.chunk.iter().copied().chain([self.element_size]);
        if self.indexing == ChunkIndexing::BTreeV1 {
            sink.put(&[3, 2]);
            sink.uint(rank, 1)?;
            sink.address(self.address)?;
            let mut dims = dims;
            return dims.try_for_each(|dim| sink.uint(dim, 4));
        }
        let single = matches!(self.indexing, ChunkIndexing::Single { filtered: Some(_) });
        sink.put(&[self.version.max(4), 2, self.flags & 1 | u8::from(single).wrapping_shl(1)]);
        sink.uint(rank, 1)?;
        let largest = dims.clone().max().unwrap_or(0);
        let width = u64::from(u64::BITS.saturating_sub(largest.leading_zeros())).div_ceil(8).max(1);
        sink.uint(width, 1)?;
        let width = usize::try_from(width).unwrap_or(8);
        dims.clone().try_for_each(|dim| sink.uint(dim, width))?;
        self.indexing.write(sink)?;
        sink.address(self.address)
    }
}

impl ChunkIndexing {
    fn write(&self, sink: &mut Sink) -> Result<()> {
        match *self {
            Self::BTreeV1 => {}
            Self::Single { filtered } => {
                sink.u8(1);
                if let Some((size, mask)) = filtered {
                    sink.length(size)?;
                    sink.u32(mask);
                }
            }
            Self::Implicit => sink.u8(2),
            Self::FixedArray { page_bits } => sink.put(&[3, page_bits]),
            Self::ExtensibleArray { max_bits, index_elements, min_pointers, min_elements, page_bits } => {
                sink.put(&[4, max_bits, index_elements, min_pointers, min_elements, page_bits]);
            }
            Self::BTreeV2 { node_size, split_percent, merge_percent } => {
                sink.u8(5);
                sink.u32(node_size);
                sink.put(&[split_percent, merge_percent]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkIndexing, ChunkedLayout, DataLayout};
    use crate::format::bytes::{Address, Cursor, Sink, Widths, Wire};
    use proptest::prelude::*;

    fn indexing() -> impl Strategy<Value = ChunkIndexing> {
        prop_oneof![
            Just(ChunkIndexing::BTreeV1),
            Just(ChunkIndexing::Implicit),
            proptest::option::of((0..60_000_u64, any::<u32>()))
                .prop_map(|filtered| ChunkIndexing::Single { filtered }),
            any::<u8>().prop_map(|page_bits| ChunkIndexing::FixedArray { page_bits }),
            any::<[u8; 5]>().prop_map(|[max_bits, index_elements, min_pointers, min_elements, page_bits]| {
                ChunkIndexing::ExtensibleArray {
                    max_bits,
                    index_elements,
                    min_pointers,
                    min_elements,
                    page_bits,
                }
            }),
            (any::<u32>(), any::<u8>(), any::<u8>()).prop_map(|(node_size, split_percent, merge_percent)| {
                ChunkIndexing::BTreeV2 { node_size, split_percent, merge_percent }
            }),
        ]
    }

    fn layout() -> impl Strategy<Value = DataLayout> {
        let address = || proptest::option::of((0..60_000_u64).prop_map(Address));
        let chunked =
            (proptest::collection::vec(1..70_000_u64, 1..4), 1..9_u64, indexing(), address(), 0..2_u8);
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..50).prop_map(DataLayout::Compact),
            (address(), 0..60_000_u64)
                .prop_map(|(address, size)| DataLayout::Contiguous { address, size: Some(size) }),
            (address(), any::<u32>())
                .prop_map(|(collection, index)| DataLayout::Virtual { collection, index }),
            chunked.prop_map(|(chunk, element_size, indexing, address, edge)| {
                let single = matches!(indexing, ChunkIndexing::Single { filtered: Some(_) });
                let old = indexing == ChunkIndexing::BTreeV1;
                DataLayout::Chunked(ChunkedLayout {
                    version: if old { 3 } else { 4 },
                    chunk,
                    element_size,
                    flags: if old { 0 } else { edge | u8::from(single) << 1 },
                    indexing,
                    address,
                })
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(layout in layout()) {
            for widths in [Widths { offsets: 4, lengths: 2 }, Widths::EIGHT] {
                let mut sink = Sink::new(widths);
                layout.write(&mut sink).unwrap();
                let again = DataLayout::read(&mut Cursor::new(&sink.into_bytes(), widths)).unwrap();
                prop_assert_eq!(&again, &layout);
            }
        }
    }
}
