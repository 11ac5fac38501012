//! Global heap collections: variable-length values, references, virtual mappings.
//!
//! Spec: III.E "Global Heap".

use crate::error::{Error, Result, to_usize};
use crate::format::bytes::{Cursor, Sink, Widths, Wire};
use std::ops::Range;

/// One object of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GlobalHeapObject {
    pub(crate) index: u16,
    pub(crate) references: u16,
    /// Where its bytes are in the collection.
    pub(crate) range: Range<usize>,
}

/// A collection as it lies in the file, and where its objects are in it.
///
/// Spec: III.E, layout "A Global Heap Collection".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GlobalHeapCollection {
    bytes: Vec<u8>,
    /// Sorted by index; without the free space, object 0.
    objects: Vec<GlobalHeapObject>,
}

impl GlobalHeapCollection {
    /// Bytes before the first object.
    pub(crate) fn header_size(widths: Widths) -> usize {
        usize::from(widths.lengths).saturating_add(8)
    }

    /// Takes the header and gives the size of the whole collection.
    pub(crate) fn read_size(cursor: &mut Cursor<'_>) -> Result<u64> {
        cursor.signature(*b"GCOL")?;
        cursor.version(&[1])?;
        cursor.skip(3)?;
        cursor.length()
    }

    /// The collection in `bytes`, all of it.
    pub(crate) fn parse(bytes: Vec<u8>, widths: Widths) -> Result<Self> {
        let mut cursor = Cursor::new(&bytes, widths);
        Self::read_size(&mut cursor)?;
        let head = usize::from(widths.lengths).saturating_add(8);
        let mut objects = Vec::new();
        while cursor.remaining() >= head {
            let index = cursor.u16()?;
            let references = cursor.u16()?;
            cursor.skip(4)?;
            let size = to_usize(cursor.length()?)?;
            if index == 0 {
                break;
            }
            let start = cursor.position();
            let end = start.saturating_add(size);
            cursor.skip(size).map_err(|error| error.at(format!("object {index} of {size} bytes")))?;
            let padding = size.checked_next_multiple_of(8).unwrap_or(size).saturating_sub(size);
            cursor.skip(padding.min(cursor.remaining()))?;
            objects.push(GlobalHeapObject { index, references, range: start..end });
        }
        objects.sort_by_key(|object| object.index);
        if objects.windows(2).any(|pair| matches!(pair, [a, b] if a.index == b.index)) {
            return Err(Error::malformed("two objects of a global heap collection have the same index"));
        }
        Ok(Self { bytes, objects })
    }

    /// The bytes of the collection in the file, of which an object has a range.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where object `index` is in the bytes.
    pub(crate) fn range(&self, index: u32) -> Option<Range<usize>> {
        let found = self.objects.binary_search_by_key(&index, |object| object.index.into()).ok()?;
        self.objects.get(found).map(|object| object.range.clone())
    }

    /// The objects, sorted by index.
    pub(crate) fn objects(&self) -> &[GlobalHeapObject] {
        &self.objects
    }

    /// Where the space begins that no object uses.
    pub(crate) fn used(&self, widths: Widths) -> usize {
        let ends = self.objects.iter().map(|object| padded(object.range.end));
        ends.max().unwrap_or_else(|| Self::header_size(widths)).min(self.bytes.len())
    }

    /// The bytes of object `index`.
    #[cfg(test)]
    pub(crate) fn object(&self, index: u32) -> Option<&[u8]> {
        self.bytes.get(self.range(index)?)
    }

    /// A collection of `objects`.
    #[cfg(test)]
    pub(crate) fn build(objects: &[&[u8]], smallest: usize, widths: Widths) -> Result<Self> {
        Self::parse(Self::encode(objects, smallest, widths)?, widths)
    }

    /// The bytes of a collection of `objects`, numbered from 1, at least `smallest` bytes large.
    pub(crate) fn encode(objects: &[&[u8]], smallest: usize, widths: Widths) -> Result<Vec<u8>> {
        let head = usize::from(widths.lengths).saturating_add(8);
        let used = objects.iter().fold(Self::header_size(widths), |used, object| {
            used.saturating_add(head).saturating_add(padded(object.len()))
        });
        let total = padded(used.max(smallest));
        let mut sink = Sink::with_room(widths, total);
        sink.put(b"GCOL\x01\0\0\0");
        sink.length(u64::try_from(total).unwrap_or(u64::MAX))?;
        for (index, object) in (1_u64..).zip(objects) {
            sink.uint(index, 2)?;
            sink.put(&[1, 0, 0, 0, 0, 0]);
            sink.length(u64::try_from(object.len()).unwrap_or(u64::MAX))?;
            sink.put(object);
            sink.zeros(padded(object.len()).saturating_sub(object.len()));
        }
        put_free(total.saturating_sub(sink.position()), &mut sink)?;
        sink.zeros(total.saturating_sub(sink.position()));
        Ok(sink.into_bytes())
    }
}

/// Bytes an object takes, at the alignment of a collection.
pub(crate) fn padded(size: usize) -> usize {
    size.checked_next_multiple_of(8).unwrap_or(size)
}

/// Puts the head of object 0, `free` bytes that are free.
pub(crate) fn put_free(free: usize, sink: &mut Sink) -> Result<()> {
    if free < usize::from(sink.widths().lengths).saturating_add(8) {
        sink.zeros(free);
        return Ok(());
    }
    sink.zeros(8);
    sink.length(u64::try_from(free).unwrap_or(u64::MAX))
}

impl Wire for GlobalHeapCollection {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let widths = cursor.widths();
        let size = Self::read_size(&mut cursor.clone())?;
        Self::parse(cursor.take(to_usize(size)?)?.to_vec(), widths)
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(&self.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::GlobalHeapCollection;
    use crate::format::bytes::{Cursor, Sink, Widths, Wire};
    use proptest::prelude::{any, prop, proptest};

    proptest! {
        #[test]
        fn objects_are_built_and_found_again(
            objects in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            smallest in 0_usize..800,
        ) {
            let slices: Vec<&[u8]> = objects.iter().map(Vec::as_slice).collect();
            let built = GlobalHeapCollection::build(&slices, smallest, Widths::EIGHT).unwrap();
            let mut sink = Sink::new(Widths::EIGHT);
            built.write(&mut sink).unwrap();
            let bytes = sink.into_bytes();
            assert!(bytes.len() >= smallest);
            let read = GlobalHeapCollection::read(&mut Cursor::new(&bytes, Widths::EIGHT)).unwrap();
            assert_eq!(read, built);
            for (index, object) in (1..).zip(&objects) {
                assert_eq!(read.object(index), Some(object.as_slice()));
            }
            assert_eq!(read.object(0), None);
        }

        #[test]
        fn any_bytes_are_a_collection_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let bytes = [b"GCOL\x01\0\0\0".as_slice(), &bytes].concat();
            let _ = GlobalHeapCollection::parse(bytes, Widths::EIGHT);
        }
    }
}
