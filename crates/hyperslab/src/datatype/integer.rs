//! Fixed-point numbers, bitfields and times: a run of bits within bytes in some order.

use super::{Class, Datatype};
use crate::error::{Error, Result};

/// In which order the bytes of a number are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
    /// Pairs of bytes, most significant pair first, each pair least significant byte first.
    Vax,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// A fixed-point number of `precision` bits, two's complement when signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Integer {
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Whether the highest bit is a sign.
    pub signed: bool,
    /// Bit position of the least significant bit.
    pub offset: u16,
    /// Number of significant bits.
    pub precision: u16,
    /// What the bits below the number are set to.
    pub low_padding: bool,
    /// What the bits above the number are set to.
    pub high_padding: bool,
}

impl Integer {
    /// A number that fills `size` bytes.
    #[must_use]
    pub fn full(size: u8, signed: bool, order: ByteOrder) -> Self {
        let precision = u16::from(size) * 8;
        Self { order, signed, offset: 0, precision, low_padding: false, high_padding: false }
    }
}

/// Bits that are no number: a bitfield of `precision` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bitfield {
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Bit position of the lowest bit.
    pub offset: u16,
    /// Number of significant bits.
    pub precision: u16,
    /// What the bits below the field are set to.
    pub low_padding: bool,
    /// What the bits above the field are set to.
    pub high_padding: bool,
}

impl Bitfield {
    /// The same bits, read as an unsigned number.
    #[must_use]
    pub fn as_integer(&self) -> Integer {
        let Self { order, offset, precision, low_padding, high_padding } = *self;
        Integer { order, signed: false, offset, precision, low_padding, high_padding }
    }
}

/// A point in time of `precision` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Number of significant bits.
    pub precision: u16,
}

impl Time {
    /// The same bits, read as a signed number.
    #[must_use]
    pub fn as_integer(&self) -> Integer {
        let Self { order, precision } = *self;
        Integer { order, signed: true, offset: 0, precision, low_padding: false, high_padding: false }
    }
}

impl Datatype {
    /// An integer that fills `size` bytes, little-endian or big-endian.
    #[must_use]
    pub fn integer(size: u8, signed: bool, order: ByteOrder) -> Self {
        Self::new(usize::from(size), 1, Class::Integer(Integer::full(size, signed, order)))
    }

    /// An integer in `size` bytes that need not fill them.
    ///
    /// ```
    /// use hyperslab::{ByteOrder, Datatype, Integer};
    /// let bits = Integer { precision: 12, ..Integer::full(2, false, ByteOrder::Little) };
    /// assert_eq!(Datatype::integer_of(2, bits)?.size(), 2);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when there are no bits, or they do not fit the bytes.
    pub fn integer_of(size: usize, integer: Integer) -> Result<Self> {
        let bits = usize::from(integer.offset) + usize::from(integer.precision);
        if integer.precision == 0 || bits > size.saturating_mul(8) || u32::try_from(size).is_err() {
            let message = format!("{} bits from bit {} of {size} bytes", integer.precision, integer.offset);
            return Err(Error::usage(message));
        }
        let version = if integer.order == ByteOrder::Vax { 3 } else { 1 };
        Ok(Self::new(size, version, Class::Integer(integer)))
    }

    /// A bitfield that fills `size` bytes.
    #[must_use]
    pub fn bitfield(size: u8, order: ByteOrder) -> Self {
        let Integer { offset, precision, low_padding, high_padding, .. } = Integer::full(size, false, order);
        let bits = Bitfield { order, offset, precision, low_padding, high_padding };
        Self::new(usize::from(size), 1, Class::Bitfield(bits))
    }
}
