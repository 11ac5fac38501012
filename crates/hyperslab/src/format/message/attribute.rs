//! The attribute message and the attribute info message.
//!
//! Spec: IV.A.2.m "The Attribute Message", IV.A.2.v "The Attribute Info Message".

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Wire};

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

impl Wire for AttributeMessage {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
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
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for (part, size) in parts.iter_mut().zip(sizes) {
            let size = usize::from(size);
            *part = cursor.take(size)?.to_vec();
            if version == 1 {
                cursor.skip(size.next_multiple_of(8).saturating_sub(size))?;
            }
        }
        let [name, datatype, dataspace] = parts;
        let end = memchr::memchr(0, &name)
            .ok_or_else(|| Error::malformed("an attribute's name has no end (NUL)"))?;
        Ok(Self {
            name: name.get(..end).unwrap_or_default().to_vec(),
            utf8,
            datatype,
            datatype_shared: flags & 1 != 0,
            dataspace,
            dataspace_shared: flags & 2 != 0,
            data: cursor.rest().to_vec(),
        })
    }

    /// Writes version 3.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(&[3, u8::from(self.datatype_shared) | u8::from(self.dataspace_shared).wrapping_shl(1)]);
        let name = self.name.len().saturating_add(1);
        for size in [name, self.datatype.len(), self.dataspace.len()] {
            sink.uint(u64::try_from(size).unwrap_or(u64::MAX), 2)?;
        }
        sink.u8(u8::from(self.utf8));
        sink.put(&self.name);
        sink.u8(0);
        sink.put(&self.datatype);
        sink.put(&self.dataspace);
        sink.put(&self.data);
        Ok(())
    }
}

/// Where an object keeps attributes that outgrew its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeInfo {
    pub(crate) heap: Option<Address>,
    pub(crate) by_name: Option<Address>,
}

impl AttributeInfo {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.version(&[0])?;
        let flags = cursor.u8()?;
        if flags & !3 != 0 {
            return Err(Error::malformed(format!(
                "attribute info flags are {flags:#x}, expected bits 0 and 1 only"
            )));
        }
        cursor.skip(if flags & 1 != 0 { 2 } else { 0 })?;
        let info = Self { heap: cursor.address()?, by_name: cursor.address()? };
        if flags & 2 != 0 {
            cursor.address()?;
        }
        Ok(info)
    }
}
