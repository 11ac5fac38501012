//! Variable-length sequences and strings: an element is a length and a place in a heap.

use super::{ByteOrder, CharacterSet, Class, Datatype, StringPadding};

use crate::error::{Error, Place, Result};
use crate::limits::Limits;

/// Where variable-length elements keep their bytes.
pub(crate) trait Heap: Send + Sync {
    /// The bytes of a stored element: its length in elements (4 bytes), then a place in the heap at the
    /// widths of the file. Not asked for elements of length 0.
    fn fetch(&self, stored: &[u8]) -> Result<Vec<u8>>;

    /// Bytes that sequences within one element may unfold to.
    fn most_unfolded(&self) -> u64 {
        Limits::default().unfolded_bytes
    }

    /// Where new elements go; none when the heap is only read.
    fn writer(&self) -> Option<&dyn HeapWriter> {
        None
    }
}

/// Takes the bytes of variable-length elements.
pub(crate) trait HeapWriter: Send + Sync {
    /// Keeps `bytes`, which are not empty, and gives the place in the heap, as an element has it behind
    /// its length: an address and an index, at the widths of the file.
    fn insert(&self, bytes: &[u8]) -> Result<Vec<u8>>;
}

/// A heap with nothing in it, for datatypes without variable length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoHeap;

impl Heap for NoHeap {
    fn fetch(&self, _stored: &[u8]) -> Result<Vec<u8>> {
        Err(Error::usage("variable-length elements need the heap of their file"))
    }
}

/// The elements, of `size` bytes each, of a stored variable-length element.
pub(super) fn fetch(stored: &[u8], size: usize, heap: &dyn Heap) -> Result<Vec<u8>> {
    let Some(count) = stored.first_chunk::<4>().map(|count| u32::from_le_bytes(*count)) else {
        return Err(Error::malformed(format!("a variable-length element of {} bytes", stored.len())));
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut bytes = heap.fetch(stored).at(|| "variable-length element")?;
    let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
    match length {
        Some(length) if length <= bytes.len() => bytes.truncate(length),
        _ => {
            return Err(Error::malformed(format!(
                "{count} elements of {size} bytes expected, the heap has {} bytes",
                bytes.len()
            )));
        }
    }
    Ok(bytes)
}

/// Makes `stored` a variable-length element of these elements of `size` bytes each.
pub(super) fn insert(elements: &[u8], size: usize, stored: &mut [u8], heap: &dyn Heap) -> Result<()> {
    let writer = heap.writer();
    put(elements, size, stored, writer.ok_or_else(|| Error::usage("the heap is open to read only"))?)
}

/// As [`insert`], into a heap that is written.
pub(super) fn put(elements: &[u8], size: usize, stored: &mut [u8], heap: &dyn HeapWriter) -> Result<()> {
    stored.fill(0);
    if elements.is_empty() {
        return Ok(());
    }
    let count = elements.len().checked_div(size).unwrap_or(0);
    let count = u32::try_from(count).map_err(|_| Error::limit("a sequence of 2^32 elements"))?;
    let place = heap.insert(elements).at(|| "variable-length element")?;
    let most = stored.len();
    match stored.split_first_chunk_mut::<4>() {
        Some((length, rest)) if rest.len() == place.len() => {
            *length = count.to_le_bytes();
            rest.copy_from_slice(&place);
            Ok(())
        }
        _ => Err(Error::usage(format!(
            "a variable-length element of {most} bytes, {} are needed in this file",
            place.len().saturating_add(4)
        ))),
    }
}

/// Bytes of a stored element at eight-byte addresses: length, collection address, index.
const STORED: usize = 4 + 8 + 4;

/// A sequence or string whose length differs by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableLength {
    kind: VariableKind,
    base: Box<Datatype>,
}

/// What a variable-length element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableKind {
    /// Any number of elements of the base datatype.
    Sequence,
    /// Characters.
    String {
        /// How a string is filled up where its length is fixed.
        padding: StringPadding,
        /// What the bytes mean.
        characters: CharacterSet,
    },
}

impl VariableLength {
    pub(crate) fn new(kind: VariableKind, base: Datatype) -> Self {
        Self { kind, base: Box::new(base) }
    }

    /// Whether it is a sequence or a string.
    #[must_use]
    pub fn kind(&self) -> VariableKind {
        self.kind
    }

    /// What each element of the sequence is; one byte for a string.
    #[must_use]
    pub fn base(&self) -> &Datatype {
        &self.base
    }
}

impl Datatype {
    /// Sequences of any number of elements of `base`.
    #[must_use]
    pub fn variable_length(base: Self) -> Self {
        let version = base.version();
        Self::new(STORED, version, Class::VariableLength(VariableLength::new(VariableKind::Sequence, base)))
    }

    /// Strings of any length.
    #[must_use]
    pub fn variable_string(characters: CharacterSet) -> Self {
        let kind = VariableKind::String { padding: StringPadding::NullTerminated, characters };
        let byte = Self::integer(1, false, ByteOrder::Little);
        Self::new(STORED, 1, Class::VariableLength(VariableLength::new(kind, byte)))
    }
}
