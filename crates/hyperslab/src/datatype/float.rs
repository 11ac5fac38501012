//! Floating-point numbers of any layout: sign, exponent and mantissa anywhere in the bytes.

use super::{ByteOrder, Class, Datatype};

/// What is known of the highest bit of a mantissa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Normalization {
    /// Nothing.
    None,
    /// It is stored, and set.
    Set,
    /// It is set, and not stored.
    Implied,
}

/// A floating-point number. Bits are numbered from the least significant, after the byte order is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Float {
    /// Order of the bytes.
    pub order: ByteOrder,
    /// What is known of the highest bit of the mantissa.
    pub normalization: Normalization,
    /// Position of the first significant bit.
    pub offset: u16,
    /// Number of significant bits.
    pub precision: u16,
    /// Position of the sign bit.
    pub sign: u8,
    /// Position of the lowest bit of the exponent.
    pub exponent: u8,
    /// Number of bits of the exponent.
    pub exponent_size: u8,
    /// What is added to the exponent before it is stored.
    pub exponent_bias: u32,
    /// Position of the lowest bit of the mantissa.
    pub mantissa: u8,
    /// Number of bits of the mantissa that are stored.
    pub mantissa_size: u8,
    /// What the bits below the number are set to.
    pub low_padding: bool,
    /// What the bits above the number are set to.
    pub high_padding: bool,
    /// What unused bits within the number are set to.
    pub internal_padding: bool,
}

impl Float {
    /// `IEEE` half precision.
    pub const HALF: Self = Self::ieee(5, 10);
    /// `IEEE` single precision.
    pub const SINGLE: Self = Self::ieee(8, 23);
    /// `IEEE` double precision.
    pub const DOUBLE: Self = Self::ieee(11, 52);
    /// `IEEE` quadruple precision.
    pub const QUADRUPLE: Self = Self::ieee(15, 112);
    /// The upper half of a single: `bfloat16`.
    pub const BRAIN: Self = Self::ieee(8, 7);
    /// The 80 bits of the x87; the highest bit of the mantissa is stored.
    pub const EXTENDED: Self = Self {
        precision: 80,
        sign: 79,
        mantissa_size: 64,
        normalization: Normalization::None,
        ..Self::ieee(15, 64)
    };

    /// Sign, exponent and mantissa one after the other, from the highest bit down.
    const fn ieee(exponent_size: u8, mantissa_size: u8) -> Self {
        let sign = exponent_size + mantissa_size;
        Self {
            order: ByteOrder::Little,
            normalization: Normalization::Implied,
            offset: 0,
            precision: sign as u16 + 1,
            sign,
            exponent: mantissa_size,
            exponent_size,
            exponent_bias: (1 << (exponent_size - 1)) - 1,
            mantissa: 0,
            mantissa_size,
            low_padding: false,
            high_padding: false,
            internal_padding: false,
        }
    }

    /// The same bits with their bytes in another order.
    #[must_use]
    pub const fn ordered(self, order: ByteOrder) -> Self {
        Self { order, ..self }
    }
}

impl Datatype {
    /// A floating-point number in as few bytes as its bits need.
    #[must_use]
    pub fn float(float: Float) -> Self {
        let bits = usize::from(float.offset) + usize::from(float.precision);
        Self::new(bits.div_ceil(8), float_version(&float), Class::Float(float))
    }

    /// The x87's 80 bits in 16 bytes, as compilers store a long double.
    #[must_use]
    pub fn long_double() -> Self {
        Self::new(16, 1, Class::Float(Float::EXTENDED))
    }
}

/// VAX order exists since version 3 of the message.
fn float_version(float: &Float) -> u8 {
    if float.order == ByteOrder::Vax { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::Float;

    #[test]
    fn the_common_layouts_are_those_of_their_standards() {
        assert_eq!((Float::SINGLE.sign, Float::SINGLE.exponent, Float::SINGLE.exponent_bias), (31, 23, 127));
        assert_eq!((Float::EXTENDED.exponent, Float::EXTENDED.exponent_bias), (64, 16383));
        assert_eq!(Float::QUADRUPLE.precision, 128);
    }
}
