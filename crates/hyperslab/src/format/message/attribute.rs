//! The attribute message and the attribute info message.
//!
//! Spec: IV.A.2.m "The Attribute Message", IV.A.2.v "The Attribute Info Message".

use crate::error::{Error, Result};
use crate::format::bytes::{Bounds, Cursor, Sink, Wire};
use crate::format::message::dense::DenseInfo;

/// An attribute with its parts still encoded, since its datatype or dataspace may be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeMessage {
    pub(crate) name: Vec<u8>,
    pub(crate) utf8: bool,
    pub(crate) datatype: Vec<u8>,
    /// Whether `datatype` only says where the datatype is.
    pub(crate) datatype_shared: bool,
    pub(crate) dataspace: Vec<u8>,
    pub(crate) dataspace_shared: bool,
    /// The elements; as many bytes as were left.
    pub(crate) data: Vec<u8>,
}

/// An attribute message whose parts are elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeParts<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) utf8: bool,
    pub(crate) datatype: &'a [u8],
    pub(crate) datatype_shared: bool,
    pub(crate) dataspace: &'a [u8],
    pub(crate) dataspace_shared: bool,
    pub(crate) data: &'a [u8],
}

impl AttributeMessage {
    /// The message to look at or to write.
    pub(crate) fn parts(&self) -> AttributeParts<'_> {
        AttributeParts {
            name: &self.name,
            utf8: self.utf8,
            datatype: &self.datatype,
            datatype_shared: self.datatype_shared,
            dataspace: &self.dataspace,
            dataspace_shared: self.dataspace_shared,
            data: &self.data,
        }
    }
}

impl Wire for AttributeMessage {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let parts = AttributeParts::read(cursor)?;
        Ok(Self {
            name: parts.name.to_vec(),
            utf8: parts.utf8,
            datatype: parts.datatype.to_vec(),
            datatype_shared: parts.datatype_shared,
            dataspace: parts.dataspace.to_vec(),
            dataspace_shared: parts.dataspace_shared,
            data: parts.data.to_vec(),
        })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        self.parts().write(sink)
    }
}

impl<'a> AttributeParts<'a> {
    /// The parts of a message where they lie.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        let version = cursor.version(&[1, 2, 3])?;
        let flags = cursor.u8()?;
        let flags = if version == 1 { 0 } else { flags };
        if flags & !3 != 0 {
            return Err(Error::malformed(format!(
                "attribute flags are {flags:#x}, expected bits 0 and 1 only"
            )));
        }
        let sizes = [cursor.u16()?, cursor.u16()?, cursor.u16()?];
        let utf8 = version == 3 && cursor.u8()? == 1;
        let mut parts: [&[u8]; 3] = [&[]; 3];
        for (part, size) in parts.iter_mut().zip(sizes) {
            let size = usize::from(size);
            *part = cursor.take(size)?;
            if version == 1 {
                cursor.skip(size.next_multiple_of(8).saturating_sub(size))?;
            }
        }
        let [name, datatype, dataspace] = parts;
        let end = memchr::memchr(0, name)
            .ok_or_else(|| Error::malformed("an attribute's name has no end (NUL)"))?;
        Ok(Self {
            name: name.get(..end).unwrap_or_default(),
            utf8,
            datatype,
            datatype_shared: flags & 1 != 0,
            dataspace,
            dataspace_shared: flags & 2 != 0,
            data: cursor.rest(),
        })
    }

    /// Writes version 3; for the oldest readers the oldest version that can say it.
    pub(crate) fn write(&self, sink: &mut Sink) -> Result<()> {
        let flags = u8::from(self.datatype_shared) | u8::from(self.dataspace_shared).wrapping_shl(1);
        let version = match (sink.bounds(), flags) {
            (Bounds::Earliest, 0) if !self.utf8 => 1,
            (Bounds::Earliest, _) if !self.utf8 => 2,
            _ => 3,
        };
        sink.put(&[version, flags]);
        let name = self.name.len().saturating_add(1);
        for size in [name, self.datatype.len(), self.dataspace.len()] {
            sink.uint(u64::try_from(size).unwrap_or(u64::MAX), 2)?;
        }
        if version == 3 {
            sink.u8(u8::from(self.utf8));
        }
        for (part, length) in
            [(self.name, name), (self.datatype, self.datatype.len()), (self.dataspace, self.dataspace.len())]
        {
            let room = if version == 1 { length.next_multiple_of(8) } else { length };
            sink.put(part);
            sink.zeros(room.saturating_sub(part.len()));
        }
        sink.put(self.data);
        Ok(())
    }
}

/// Where an object keeps attributes that outgrew its header.  Spec: IV.A.2.v "The Attribute Info Message".
pub(crate) type AttributeInfo = DenseInfo<u16>;

#[cfg(test)]
mod tests {
    use super::{AttributeInfo, AttributeMessage};
    use crate::format::bytes::{Address, Bounds, Cursor, Sink, Widths, Wire};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[a-z]{1,20}", utf8: bool, datatype in proptest::collection::vec(any::<u8>(), 0..30),
            datatype_shared: bool, dataspace in proptest::collection::vec(any::<u8>(), 0..30),
            dataspace_shared: bool, data in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let name = name.into_bytes();
            let attribute =
                AttributeMessage { name, utf8, datatype, datatype_shared, dataspace, dataspace_shared, data };
            for bounds in [Bounds::Earliest, Bounds::V18] {
                let mut sink = Sink::new(Widths::EIGHT).bounded(bounds);
                attribute.write(&mut sink).unwrap();
                let again = AttributeMessage::read(&mut Cursor::new(&sink.into_bytes(), Widths::EIGHT)).unwrap();
                prop_assert_eq!(&again, &attribute);
            }
        }

        #[test]
        fn attribute_info_is_written_and_read_back(flags in 0..4_u8, order: u16, heap: Option<u16>) {
            let info = AttributeInfo {
                next_order: (flags & 1 != 0).then_some(order),
                order_indexed: flags & 2 != 0,
                heap: heap.map(|at| Address(u64::from(at))),
                by_name: Some(Address(5)),
                by_order: (flags & 2 != 0).then_some(Address(6)),
            };
            for widths in [Widths { offsets: 4, lengths: 2 }, Widths::EIGHT] {
                let mut sink = Sink::new(widths);
                info.write(&mut sink).unwrap();
                let again = AttributeInfo::read(&mut Cursor::new(&sink.into_bytes(), widths)).unwrap();
                prop_assert_eq!(&again, &info);
            }
        }
    }
}
