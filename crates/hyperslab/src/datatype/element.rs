//! [`Element`]: Rust types that are datatypes as they lie in memory.

use half::{bf16, f16};
use num_complex::Complex;

use super::{ByteOrder, Datatype, Float};

/// A Rust type whose values are elements of an HDF5 datatype, byte for byte.
///
/// Booleans have no place here, as a byte of a file may hold any value: read them as `u8`.
pub trait Element: bytemuck::Pod {
    /// The datatype of a value in memory.
    fn datatype() -> Datatype;

    /// The bytes of some elements.
    fn bytes_of(elements: &[Self]) -> &[u8] {
        bytemuck::cast_slice(elements)
    }

    /// The bytes of some elements, to be changed.
    fn bytes_of_mut(elements: &mut [Self]) -> &mut [u8] {
        bytemuck::cast_slice_mut(elements)
    }
}

macro_rules! elements {
    ($($type:ty => $datatype:expr;)*) => { $(
        impl Element for $type {
            fn datatype() -> Datatype { $datatype }
        }
    )* };
}

const NATIVE: ByteOrder = ByteOrder::NATIVE;

elements! {
    i8 => Datatype::integer(1, true, ByteOrder::Little);
    i16 => Datatype::integer(2, true, NATIVE);
    i32 => Datatype::integer(4, true, NATIVE);
    i64 => Datatype::integer(8, true, NATIVE);
    i128 => Datatype::integer(16, true, NATIVE);
    u8 => Datatype::integer(1, false, ByteOrder::Little);
    u16 => Datatype::integer(2, false, NATIVE);
    u32 => Datatype::integer(4, false, NATIVE);
    u64 => Datatype::integer(8, false, NATIVE);
    u128 => Datatype::integer(16, false, NATIVE);
    f16 => Datatype::float(Float::HALF.ordered(NATIVE));
    bf16 => Datatype::float(Float::BRAIN.ordered(NATIVE));
    f32 => Datatype::float(Float::SINGLE.ordered(NATIVE));
    f64 => Datatype::float(Float::DOUBLE.ordered(NATIVE));
    Complex<f32> => Datatype::complex(Float::SINGLE.ordered(NATIVE));
    Complex<f64> => Datatype::complex(Float::DOUBLE.ordered(NATIVE));
}

#[cfg(test)]
mod tests {
    use super::Element;
    use crate::Datatype;

    #[test]
    fn a_datatype_is_as_large_as_the_type_in_memory() {
        fn check<T: Element>() {
            assert_eq!(Datatype::of::<T>().size(), size_of::<T>());
        }
        check::<u8>();
        check::<i128>();
        check::<half::f16>();
        check::<f64>();
        check::<num_complex::Complex<f32>>();
    }
}
