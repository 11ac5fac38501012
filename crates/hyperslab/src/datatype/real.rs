//! Floating-point numbers of any layout, taken apart exactly and put together again.

use super::bits::{MAX_BYTES, gather, mask, scatter};
use super::{Float, Normalization};

/// A number without a layout: exactly `mantissa * 2^exponent` when finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Real {
    NotANumber,
    Infinite { negative: bool },
    Finite { negative: bool, mantissa: u128, exponent: i64 },
}

impl Real {
    pub(super) fn of_integer(value: i128) -> Self {
        Self::Finite { negative: value < 0, mantissa: value.unsigned_abs(), exponent: 0 }
    }

    pub(super) fn of_f64(value: f64) -> Self {
        Float::DOUBLE.load(&value.to_le_bytes())
    }

    /// The nearest double, to even when two are as near.
    pub(super) fn to_f64(self) -> f64 {
        let mut bytes = [0; 8];
        Float::DOUBLE.store(self, &mut bytes);
        f64::from_le_bytes(bytes)
    }

    /// Towards zero, then into `least..=most`; what is no number is 0.
    pub(super) fn to_integer(self, least: i128, most: i128) -> i128 {
        match self {
            Self::NotANumber => 0,
            Self::Infinite { negative: true } => least,
            Self::Infinite { negative: false } => most,
            Self::Finite { negative, mantissa, exponent } => {
                let whole = shifted(mantissa, exponent)
                    .map_or(i128::MAX, |whole| i128::try_from(whole).unwrap_or(i128::MAX));
                (if negative { -whole } else { whole }).clamp(least, most)
            }
        }
    }
}

/// `mantissa * 2^exponent` without its fraction; none when it needs more than 128 bits.
fn shifted(mantissa: u128, exponent: i64) -> Option<u128> {
    let by = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
    if exponent < 0 {
        return Some(mantissa.checked_shr(by).unwrap_or(0));
    }
    if mantissa == 0 {
        return Some(0);
    }
    (by <= mantissa.leading_zeros()).then(|| mantissa << by)
}

/// `mantissa / 2^by`, to the nearest, to even when two are as near.
fn rounded(mantissa: u128, by: u32) -> u128 {
    let Some(low) = by.checked_sub(1) else { return mantissa };
    let Some(half) = 1_u128.checked_shl(low) else { return 0 };
    let whole = mantissa.checked_shr(by).unwrap_or(0);
    let rest = mantissa & (mask(by.min(128)));
    let up = rest > half || (rest == half && whole & 1 == 1);
    whole + u128::from(up)
}

impl Float {
    /// Whether this layout can be taken apart: at most 16 bytes, and an exponent of at most 31 bits.
    pub(super) fn is_known(&self, size: usize) -> bool {
        size <= MAX_BYTES && self.exponent_size <= 31 && self.mantissa_size <= 120
    }

    fn implied(&self) -> bool {
        self.normalization == Normalization::Implied
    }

    /// Bits of the mantissa, the one that is not stored included.
    fn digits(&self) -> u32 {
        u32::from(self.mantissa_size) + u32::from(self.implied())
    }

    fn exponent_mask(&self) -> u128 {
        mask(u32::from(self.exponent_size))
    }

    /// The value of an element of a [known](Self::is_known) layout.
    pub(super) fn load(&self, bytes: &[u8]) -> Real {
        let bits = gather(bytes, self.order).unwrap_or(0);
        let field = |at: u8, mask: u128| bits.checked_shr(u32::from(at)).unwrap_or(0) & mask;
        let negative = field(self.sign, 1) == 1;
        let stored = field(self.exponent, self.exponent_mask());
        let mantissa = field(self.mantissa, mask(u32::from(self.mantissa_size)));
        let fraction = mantissa & mask(self.digits().saturating_sub(1));
        if stored == self.exponent_mask() {
            return if fraction == 0 { Real::Infinite { negative } } else { Real::NotANumber };
        }
        let leading = if self.implied() && stored != 0 { 1 << self.mantissa_size } else { 0 };
        let exponent = i64::try_from(stored.max(1)).unwrap_or(0)
            - i64::from(self.exponent_bias)
            - i64::from(self.digits().saturating_sub(1));
        Real::Finite { negative, mantissa: mantissa | leading, exponent }
    }

    /// Makes `bytes` the nearest element, to even when two are as near; too large becomes infinite.
    pub(super) fn store(&self, real: Real, bytes: &mut [u8]) {
        let special = self.exponent_mask();
        let top = if self.implied() { 0 } else { 1_u128 << (self.digits().max(1) - 1) };
        let (negative, exponent, mantissa) = match real {
            Real::NotANumber => (false, special, top | 1 << (self.digits().max(2) - 2)),
            Real::Infinite { negative } => (negative, special, top),
            Real::Finite { negative, mantissa, exponent } => {
                let (exponent, mantissa) = self.normalized(mantissa, exponent);
                if exponent >= special { (negative, special, top) } else { (negative, exponent, mantissa) }
            }
        };
        let mantissa = mantissa & mask(u32::from(self.mantissa_size));
        let place = |value: u128, at: u8| value.checked_shl(u32::from(at)).unwrap_or(0);
        let mut bits = place(u128::from(negative), self.sign)
            | place(exponent, self.exponent)
            | place(mantissa, self.mantissa);
        let end = u32::from(self.offset) + u32::from(self.precision);
        if self.low_padding {
            bits |= mask(u32::from(self.offset));
        }
        if self.high_padding {
            bits |= !mask(end);
        }
        scatter(bits, bytes, self.order);
    }

    /// The exponent as stored and all digits of `mantissa * 2^exponent`, rounded.
    fn normalized(&self, mantissa: u128, exponent: i64) -> (u128, u128) {
        if mantissa == 0 {
            return (0, 0);
        }
        let least = 1 - i64::from(self.exponent_bias);
        let below = i64::from(self.digits().max(1) - 1);
        let highest = exponent.saturating_add(i64::from(mantissa.ilog2()));
        let scale = highest.max(least);
        let by = (scale - below).saturating_sub(exponent);
        let count = u32::try_from(by.unsigned_abs()).unwrap_or(u32::MAX);
        let mut digits =
            if by >= 0 { rounded(mantissa, count) } else { mantissa.checked_shl(count).unwrap_or(0) };
        let mut stored = scale - least + 1;
        if digits >> self.digits() != 0 {
            digits >>= 1;
            stored += 1;
        }
        if digits >> below == 0 {
            stored = 0;
        }
        (u128::try_from(stored).unwrap_or(0), digits)
    }
}

#[cfg(test)]
mod tests {
    use super::Real;
    use crate::datatype::{ByteOrder, Float};
    use half::{bf16, f16};
    use proptest::prelude::*;

    fn through(float: Float, size: usize, value: f64) -> f64 {
        let mut bytes = vec![0; size];
        float.store(Real::of_f64(value), &mut bytes);
        float.load(&bytes).to_f64()
    }

    /// The same to eleven digits and to whoever asks if there is more: `half` does not look at the low 32 bits.
    fn high(value: f64) -> f64 {
        let bits = value.to_bits();
        f64::from_bits(if bits.trailing_zeros() >= 32 { bits } else { bits | 1 << 32 })
    }

    proptest! {
        #[test]
        fn a_double_survives_every_wider_layout(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            for (float, size) in [(Float::DOUBLE, 8), (Float::EXTENDED, 16), (Float::QUADRUPLE, 16),
                (Float::DOUBLE.ordered(ByteOrder::Vax), 8), (Float::EXTENDED.ordered(ByteOrder::Big), 10)] {
                let again = through(float, size, value);
                prop_assert!(again.to_bits() == bits || (again.is_nan() && value.is_nan()), "{float:?}: {value} {again}");
            }
        }

        #[test]
        fn narrowing_rounds_as_the_hardware_does(bits in any::<u64>(), small in -70000.0_f64..70000.0, tiny in -1e-37_f64..1e-37) {
            for value in [f64::from_bits(bits), small, tiny] {
                let same = |ours: f64, theirs: f64| ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
                #[expect(clippy::cast_possible_truncation, reason = "the point of the test")]
                let narrow = value as f32;
                let single = f64::from(narrow);
                prop_assert!(same(through(Float::SINGLE, 4, value), single), "{value}");
                prop_assert!(same(through(Float::HALF, 2, value), f16::from_f64_const(high(value)).to_f64()), "{value}");
                prop_assert!(same(through(Float::BRAIN, 2, single), bf16::from_f32(narrow).to_f64()), "{value}");
            }
        }

        #[test]
        fn any_layout_takes_any_bytes(bytes in any::<[u8; 16]>(), fields in any::<[u8; 4]>(), sign in any::<u8>(), bias in any::<u32>()) {
            let [exponent, exponent_size, mantissa, mantissa_size] = fields;
            for base in [Float::DOUBLE, Float::EXTENDED] {
                let float = Float { exponent, exponent_size: exponent_size % 32, mantissa,
                    mantissa_size: mantissa_size % 121, sign, exponent_bias: bias, ..base };
                let mut out = bytes;
                float.store(float.load(&bytes), &mut out);
                let _ = float.load(&bytes).to_integer(-5, 5);
            }
        }
    }
}
