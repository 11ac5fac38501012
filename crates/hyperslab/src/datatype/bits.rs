//! Numbers of up to 16 bytes with any byte order, offset and precision, as integers of this machine.

use super::{ByteOrder, Integer};

/// Most bytes of a number that is taken apart bit by bit.
pub(super) const MAX_BYTES: usize = 16;

/// The bytes as one number, if there are at most 16.
pub(super) fn gather(bytes: &[u8], order: ByteOrder) -> Option<u128> {
    let mut little = [0_u8; MAX_BYTES];
    copy(bytes, little.get_mut(..bytes.len())?, order);
    Some(u128::from_le_bytes(little))
}

/// Puts the low bytes of `value` into `bytes`, of which there are at most 16.
pub(super) fn scatter(value: u128, bytes: &mut [u8], order: ByteOrder) -> bool {
    let little = value.to_le_bytes();
    let Some(little) = little.get(..bytes.len()) else { return false };
    copy(little, bytes, order);
    true
}

/// Copies between little-endian and `order`, in either direction.
fn copy(from: &[u8], to: &mut [u8], order: ByteOrder) {
    match order {
        ByteOrder::Little => to.copy_from_slice(from),
        ByteOrder::Big => to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from),
        ByteOrder::Vax => {
            for (to, from) in to.chunks_mut(2).zip(from.rchunks(2)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The number with its lowest `count` bits set.
pub(super) fn mask(count: u32) -> u128 {
    if count == 0 { 0 } else { u128::MAX >> 128_u32.saturating_sub(count) }
}

impl Integer {
    fn bits(self) -> (u32, u32) {
        (u32::from(self.offset).min(127), u32::from(self.precision))
    }

    /// Smallest and largest value; 128 bits without a sign end at the largest `i128`.
    pub(super) fn range(self) -> (i128, i128) {
        let (_, precision) = self.bits();
        if self.signed {
            let top = mask(precision.saturating_sub(1).min(127)).cast_signed();
            (-top - 1, top)
        } else {
            (0, i128::try_from(mask(precision)).unwrap_or(i128::MAX))
        }
    }

    /// The value of an element; none when it has more than 16 bytes.
    pub(crate) fn load(self, bytes: &[u8]) -> Option<i128> {
        let (offset, precision) = self.bits();
        let bits = (gather(bytes, self.order)? >> offset) & mask(precision);
        if self.signed && (1..=128).contains(&precision) {
            let unused = 128 - precision;
            return Some((bits << unused).cast_signed() >> unused);
        }
        Some(i128::try_from(bits).unwrap_or(i128::MAX))
    }

    /// Makes `bytes` the element of `value`; false, and nothing done, when it does not fit.
    pub(crate) fn store(self, value: i128, bytes: &mut [u8]) -> bool {
        let (least, most) = self.range();
        if bytes.len() > MAX_BYTES || value < least || value > most {
            return false;
        }
        let (offset, precision) = self.bits();
        let mut bits = (value.cast_unsigned() & mask(precision)) << offset;
        if self.low_padding {
            bits |= mask(offset);
        }
        if self.high_padding {
            bits |= !mask(offset.saturating_add(precision));
        }
        scatter(bits, bytes, self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::{gather, scatter};
    use crate::datatype::{ByteOrder, Integer};
    use proptest::prelude::*;

    #[test]
    fn bytes_are_taken_in_their_order() {
        assert_eq!(gather(&[1, 2, 3, 4], ByteOrder::Little), Some(0x0403_0201));
        assert_eq!(gather(&[1, 2, 3, 4], ByteOrder::Big), Some(0x0102_0304));
        assert_eq!(gather(&[1, 2, 3, 4], ByteOrder::Vax), Some(0x0201_0403));
        assert_eq!(gather(&[0; 17], ByteOrder::Little), None);
    }

    proptest! {
        #[test]
        fn what_is_scattered_is_gathered(value in any::<u64>(), order in prop_oneof![
            Just(ByteOrder::Little), Just(ByteOrder::Big), Just(ByteOrder::Vax)]) {
            let mut bytes = [0; 8];
            prop_assert!(scatter(u128::from(value), &mut bytes, order));
            prop_assert_eq!(gather(&bytes, order), Some(u128::from(value)));
        }

        #[test]
        fn a_stored_value_is_loaded_again(
            signed in any::<bool>(), precision in 1_u16..=128, offset in 0_u16..64, value in any::<i128>(), pad in any::<bool>()
        ) {
            let offset = offset.min(128 - precision);
            let integer = Integer {
                order: ByteOrder::Big, signed, offset, precision, low_padding: pad, high_padding: !pad,
            };
            let (least, most) = integer.range();
            let value = value.clamp(least, most);
            let mut bytes = [0; 16];
            prop_assert!(integer.store(value, &mut bytes));
            prop_assert_eq!(integer.load(&bytes), Some(value));
        }
    }
}
