//! [`DenseInfo`]: where an object keeps links or attributes that outgrew its header.

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Wire};

/// Where an object keeps links or attributes that outgrew its header, and in which orders they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DenseInfo<N> {
    /// One past the highest creation order given out, where it is tracked.
    pub(crate) next_order: Option<N>,
    /// Fractal heap of what is dense; none while all are compact.
    pub(crate) heap: Option<Address>,
    pub(crate) by_name: Option<Address>,
    /// Whether there is an index by creation order.
    pub(crate) order_indexed: bool,
    pub(crate) by_order: Option<Address>,
}

/// A creation order, as wide as one kind of them is stored.
pub(crate) trait CreationOrder: Copy {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self>;
    fn write(self, sink: &mut Sink);
}

impl CreationOrder for u16 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.u16()
    }

    fn write(self, sink: &mut Sink) {
        sink.u16(self);
    }
}

impl CreationOrder for u64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.u64()
    }

    fn write(self, sink: &mut Sink) {
        sink.u64(self);
    }
}

impl<N: CreationOrder> Wire for DenseInfo<N> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.version(&[0])?;
        let flags = cursor.u8()?;
        if flags & !3 != 0 {
            return Err(Error::malformed(format!("flags are {flags:#x}, expected bits 0 and 1 only")));
        }
        let next_order = if flags & 1 != 0 { Some(N::read(cursor)?) } else { None };
        let (heap, by_name) = (cursor.address()?, cursor.address()?);
        let order_indexed = flags & 2 != 0;
        let by_order = if order_indexed { cursor.address()? } else { None };
        Ok(Self { next_order, heap, by_name, order_indexed, by_order })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        sink.put(&[0, u8::from(self.next_order.is_some()) | u8::from(self.order_indexed).wrapping_shl(1)]);
        if let Some(order) = self.next_order {
            order.write(sink);
        }
        sink.address(self.heap)?;
        sink.address(self.by_name)?;
        if self.order_indexed { sink.address(self.by_order) } else { Ok(()) }
    }
}
