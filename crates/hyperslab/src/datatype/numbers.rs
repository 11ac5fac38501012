//! Conversion loops between the number types of the machine.

use half::{bf16, f16};

use super::{ByteOrder, Class, Datatype, Float, Integer};

/// Converts as many little-endian elements as both slices hold.
pub(super) type Loop = fn(&[u8], &mut [u8]);

/// A number type of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    Brain,
    F32,
    F64,
}

impl Plain {
    /// The machine's type of a datatype, and whether its bytes are in big-endian order.
    pub(super) fn of(datatype: &Datatype) -> Option<(Self, bool)> {
        match datatype.class() {
            Class::Integer(integer) => Self::of_integer(*integer, datatype.size()),
            Class::Float(float) => {
                let big = match float.order {
                    ByteOrder::Little => false,
                    ByteOrder::Big => true,
                    ByteOrder::Vax => return None,
                };
                let plain = match float.ordered(ByteOrder::Little) {
                    Float::HALF => Self::F16,
                    Float::BRAIN => Self::Brain,
                    Float::SINGLE => Self::F32,
                    Float::DOUBLE => Self::F64,
                    _ => return None,
                };
                (usize::from(float.precision) == datatype.size() * 8).then_some((plain, big))
            }
            _ => None,
        }
    }

    fn of_integer(integer: Integer, size: usize) -> Option<(Self, bool)> {
        let plain = match (integer.precision, integer.signed) {
            (8, true) => Self::I8,
            (16, true) => Self::I16,
            (32, true) => Self::I32,
            (64, true) => Self::I64,
            (8, false) => Self::U8,
            (16, false) => Self::U16,
            (32, false) => Self::U32,
            (64, false) => Self::U64,
            _ => return None,
        };
        let full = usize::from(integer.precision) == size * 8;
        full.then_some((plain, integer.order == ByteOrder::Big && size > 1))
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Brain | Self::F32 | Self::F64)
    }

    /// The loop from one type to another; none between a half and an integer.
    pub(super) fn loop_to(self, to: Self) -> Option<Loop> {
        match (self, to) {
            (Self::F16, Self::F32) => Some(convert::<f16, f32>),
            (Self::F16, Self::F64) => Some(convert::<f16, f64>),
            (Self::F32, Self::F16) => Some(convert::<f32, f16>),
            (Self::F64, Self::F16) => Some(convert::<f64, f16>),
            (Self::Brain, Self::F32) => Some(convert::<bf16, f32>),
            (Self::Brain, Self::F64) => Some(convert::<bf16, f64>),
            (Self::F32, Self::Brain) => Some(convert::<f32, bf16>),
            (Self::F64, Self::Brain) => Some(convert::<f64, bf16>),
            (Self::F16 | Self::Brain, _) => None,
            (Self::I8, to) => loop_from::<i8>(to),
            (Self::I16, to) => loop_from::<i16>(to),
            (Self::I32, to) => loop_from::<i32>(to),
            (Self::I64, to) => loop_from::<i64>(to),
            (Self::U8, to) => loop_from::<u8>(to),
            (Self::U16, to) => loop_from::<u16>(to),
            (Self::U32, to) => loop_from::<u32>(to),
            (Self::U64, to) => loop_from::<u64>(to),
            (Self::F32, to) => loop_from::<f32>(to),
            (Self::F64, to) => loop_from::<f64>(to),
        }
    }
}

/// The nearest half: processors get there by way of a single, and to round twice may miss it.
fn half_of(value: f64) -> f16 {
    #[expect(clippy::cast_possible_truncation, reason = "what the rounding loses is put into the last bit")]
    let single = value as f32;
    let back = f64::from(single);
    if back.to_bits() == value.to_bits() || value.is_nan() {
        return f16::from_f32(single);
    }
    // Rounded towards zero with the last bit set, a single is on the same side of every half as the double.
    let bits = single.to_bits();
    let towards_zero = if back.abs() > value.abs() { bits.saturating_sub(1) } else { bits };
    f16::from_f32(f32::from_bits(towards_zero | 1))
}

fn loop_from<A: Number + CastAny>(to: Plain) -> Option<Loop> {
    match to {
        Plain::I8 => Some(convert::<A, i8>),
        Plain::I16 => Some(convert::<A, i16>),
        Plain::I32 => Some(convert::<A, i32>),
        Plain::I64 => Some(convert::<A, i64>),
        Plain::U8 => Some(convert::<A, u8>),
        Plain::U16 => Some(convert::<A, u16>),
        Plain::U32 => Some(convert::<A, u32>),
        Plain::U64 => Some(convert::<A, u64>),
        Plain::F32 => Some(convert::<A, f32>),
        Plain::F64 => Some(convert::<A, f64>),
        Plain::F16 | Plain::Brain => None,
    }
}

fn convert<A: Number + Cast<B>, B: Number>(from: &[u8], to: &mut [u8]) {
    for (from, to) in A::elements(from).iter().zip(B::elements_mut(to)) {
        *to = A::load(*from).cast().store();
    }
}

/// Reverses the bytes of each element of `width` bytes, from one slice into another.
pub(super) fn swap(width: usize, from: &[u8], to: &mut [u8]) {
    match width {
        2 => swap_words::<u16>(from, to),
        4 => swap_words::<u32>(from, to),
        8 => swap_words::<u64>(from, to),
        _ => {
            for (from, to) in from.chunks_exact(width.max(1)).zip(to.chunks_exact_mut(width.max(1))) {
                to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

fn swap_words<T: Number>(from: &[u8], to: &mut [u8]) {
    for (from, to) in T::elements(from).iter().zip(T::elements_mut(to)) {
        *to = T::load(*from).swapped().store();
    }
}

/// Reverses the bytes of each element of `width` bytes where they are.
pub(super) fn swap_in_place(width: usize, bytes: &mut [u8]) {
    match width {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|bytes| bytes.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|bytes| bytes.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|bytes| bytes.reverse()),
        _ => bytes.chunks_exact_mut(width.max(1)).for_each(<[u8]>::reverse),
    }
}

/// A number as its little-endian bytes.
trait Number: Copy {
    type Bytes: Copy;
    fn elements(bytes: &[u8]) -> &[Self::Bytes];
    fn elements_mut(bytes: &mut [u8]) -> &mut [Self::Bytes];
    fn load(bytes: Self::Bytes) -> Self;
    fn store(self) -> Self::Bytes;
    fn swapped(self) -> Self;
}

macro_rules! numbers {
    ($($type:ty: $size:literal;)*) => { $(
        impl Number for $type {
            type Bytes = [u8; $size];
            fn elements(bytes: &[u8]) -> &[Self::Bytes] { bytes.as_chunks().0 }
            fn elements_mut(bytes: &mut [u8]) -> &mut [Self::Bytes] { bytes.as_chunks_mut().0 }
            fn load(bytes: Self::Bytes) -> Self { Self::from_le_bytes(bytes) }
            fn store(self) -> Self::Bytes { self.to_le_bytes() }
            fn swapped(self) -> Self { Self::from_be_bytes(self.to_le_bytes()) }
        }
    )* };
}
numbers! { i8: 1; i16: 2; i32: 4; i64: 8; u8: 1; u16: 2; u32: 4; u64: 8; f16: 2; bf16: 2; f32: 4; f64: 8; }

/// The value in another type: nearest for floats, towards zero and clamped for integers.
trait Cast<T> {
    fn cast(self) -> T;
}

/// A type with a cast to each type of the machine.
trait CastAny:
    Cast<i8>
    + Cast<i16>
    + Cast<i32>
    + Cast<i64>
    + Cast<u8>
    + Cast<u16>
    + Cast<u32>
    + Cast<u64>
    + Cast<f32>
    + Cast<f64>
{
}
macro_rules! cast_any {
    ($($type:ty)*) => { $( impl CastAny for $type {} )* };
}
cast_any! { i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 }

macro_rules! casts {
    ($($from:ty, $to:ty: |$value:ident| $cast:expr;)*) => { $(
        impl Cast<$to> for $from {
            #[allow(
                clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss,
                clippy::cast_precision_loss, clippy::cast_lossless, trivial_numeric_casts,
                reason = "clamped before, or the nearest is meant"
            )]
            #[inline]
            fn cast(self) -> $to { let $value = self; $cast }
        }
    )* };
}

macro_rules! from_integers {
    ($($from:ident)*) => { $(
        from_integers! { @clamped $from: i8 i16 i32 i64 u8 u16 u32 }
        casts! {
            $from, u64: |value| (value as i64).max(0) as u64;
            $from, f32: |value| value as f32;
            $from, f64: |value| value as f64;
        }
    )* };
    (@clamped $from:ident: $($to:ident)*) => { casts! { $(
        $from, $to: |value| (value as i64).clamp($to::MIN as i64, $to::MAX as i64) as $to;
    )* } };
}
from_integers! { i8 i16 i32 i64 u8 u16 u32 }

macro_rules! from_u64 {
    ($($to:ident)*) => { casts! {
        $( u64, $to: |value| value.min($to::MAX as u64) as $to; )*
        u64, f32: |value| value as f32;
        u64, f64: |value| value as f64;
    } };
}
from_u64! { i8 i16 i32 i64 u8 u16 u32 u64 }

/// What is no number becomes what the machines that libhdf5 mostly runs on make of it.
macro_rules! from_floats {
    ($($from:ident)*) => { $(
        casts! {
            $from, i8: |value| value as i8;
            $from, i16: |value| value as i16;
            $from, i32: |value| if value.is_nan() { i32::MIN } else { value as i32 };
            $from, i64: |value| if value.is_nan() { i64::MIN } else { value as i64 };
            $from, u8: |value| value as u8;
            $from, u16: |value| value as u16;
            $from, u32: |value| value as u32;
            $from, u64: |value| if value.is_nan() { 1 << 63 } else { value as u64 };
            $from, f32: |value| value as f32;
            $from, f64: |value| value as f64;
        }
    )* };
}
from_floats! { f32 f64 }

casts! {
    f16, f32: |value| value.to_f32();
    f16, f64: |value| value.to_f64();
    bf16, f32: |value| value.to_f32();
    bf16, f64: |value| value.to_f64();
    f32, f16: |value| f16::from_f32(value);
    f64, f16: |value| half_of(value);
    f32, bf16: |value| bf16::from_f32(value);
    f64, bf16: |value| bf16::from_f64(value);
}

#[cfg(test)]
mod tests {
    use super::half_of;
    use half::f16;

    #[test]
    fn doubles_beside_the_middle_of_two_halves_become_the_nearer_one() {
        for bits in 0..0x7bff_u16 {
            let (low, high) = (f16::from_bits(bits), f16::from_bits(bits + 1));
            let middle = f64::midpoint(low.to_f64(), high.to_f64());
            let even = if bits % 2 == 0 { low } else { high };
            for (value, half) in [(middle.next_down(), low), (middle, even), (middle.next_up(), high)] {
                assert_eq!((half_of(value), half_of(-value)), (half, -half), "{value:e}");
            }
        }
        assert_eq!(
            (half_of(65_519.99), half_of(65_520.), half_of(1e300)),
            (f16::MAX, f16::INFINITY, f16::INFINITY)
        );
        assert!(half_of(f64::NAN).is_nan());
    }
}
