//! [`LongFloat`]: floating-point numbers of more than eight bytes, exactly, and their decimal digits.

use std::fmt;

use super::real::Real;

/// Digits behind the point when a long float is shown.
const PLACES: usize = 20;

/// What nine decimal digits can hold.
const BILLION: u32 = 1_000_000_000;

/// A floating-point number that a double cannot hold; exactly what is stored.
///
/// Displays in scientific notation with 20 digits behind the point, rounded to even from the exact value:
/// `1.00000000000000000000e+00`, `nan`, `-inf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongFloat(Real);

impl LongFloat {
    pub(super) fn new(real: Real) -> Self {
        Self(real)
    }

    pub(super) fn real(self) -> Real {
        self.0
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0.to_f64()
    }
}

impl fmt::Display for LongFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Real::NotANumber => f.write_str("nan"),
            Real::Infinite { negative } => f.write_str(if negative { "-inf" } else { "inf" }),
            Real::Finite { negative, mantissa, exponent } => {
                let (digits, power) = digits(mantissa, exponent);
                let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
                let sign = if negative { "-" } else { "" };
                let power_sign = if power < 0 { '-' } else { '+' };
                write!(f, "{sign}{first}.{rest}e{power_sign}{:02}", power.unsigned_abs())
            }
        }
    }
}

/// One digit before and [`PLACES`] behind the point, and the power of ten.
fn digits(mantissa: u128, exponent: i64) -> (String, i64) {
    if mantissa == 0 {
        return ("0".repeat(PLACES + 1), 0);
    }
    // A negative power of two is a power of five behind a moved point.
    let mut number = Natural::new(mantissa);
    let twos = u32::try_from(exponent.max(0)).unwrap_or(0);
    let fives = u32::try_from((-exponent).max(0)).unwrap_or(0);
    number.multiply_by_power(2, 31, twos);
    number.multiply_by_power(5, 13, fives);
    let all = number.decimal();
    let power = i64::try_from(all.len()).unwrap_or(0) - 1 + exponent.min(0);
    let Some((kept, rest)) = all.as_bytes().split_at_checked(PLACES + 1) else {
        return (format!("{all:0<width$}", width = PLACES + 1), power);
    };
    let mut kept: Vec<u8> = kept.to_vec();
    let odd = kept.last().is_some_and(|digit| digit % 2 == 1);
    let up = match rest.split_first() {
        Some((b'5', rest)) => odd || rest.iter().any(|digit| *digit != b'0'),
        Some((digit, _)) => *digit > b'5',
        None => false,
    };
    let carried = up && increment(&mut kept);
    let text = kept.into_iter().map(char::from).collect();
    (text, power + i64::from(carried))
}

/// Adds one to a decimal number; true when it became the next power of ten, a digit longer.
fn increment(digits: &mut [u8]) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit != b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    if let Some(first) = digits.first_mut() {
        *first = b'1';
    }
    true
}

/// A natural number of any size: words of 32 bits, least significant first.
struct Natural(Vec<u32>);

impl Natural {
    fn new(value: u128) -> Self {
        let words = value.to_le_bytes();
        Self(words.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Multiplies by `base^power`, `most` factors at a time: `base^most` must fit a word.
    fn multiply_by_power(&mut self, base: u32, most: u32, power: u32) {
        let mut left = power;
        while left > 0 {
            let now = left.min(most);
            self.multiply(base.pow(now));
            left -= now;
        }
    }

    fn multiply(&mut self, factor: u32) {
        let mut carry = 0;
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = low(product);
            carry = product >> 32;
        }
        if carry != 0 {
            self.0.push(low(carry));
        }
    }

    /// Divides by a billion and gives the remainder.
    fn divide(&mut self) -> u32 {
        let mut rest = 0;
        for word in self.0.iter_mut().rev() {
            let part = rest << 32 | u64::from(*word);
            *word = low(part / u64::from(BILLION));
            rest = part % u64::from(BILLION);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        low(rest)
    }

    /// The digits, without zeros in front.
    fn decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.0.is_empty() {
            groups.push(self.divide());
        }
        let text = groups.iter().rev().fold(String::new(), |text, group| text + &format!("{group:09}"));
        text.trim_start_matches('0').to_owned()
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::LongFloat;
    use crate::datatype::Float;
    use crate::datatype::real::Real;
    use proptest::prelude::*;

    /// Lines of "hex of an x87 number, what numpy shows".
    const GOLDEN: &str = include_str!("../../fixtures/datatypes/long_floats.txt");

    #[test]
    fn long_doubles_are_shown_as_numpy_shows_them() {
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let (hex, text) = line.split_once(' ').unwrap();
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(LongFloat::new(Float::EXTENDED.load(&bytes)).to_string(), text, "{hex}");
        }
    }

    #[test]
    fn nines_carry_into_the_next_power() {
        let real = Real::Finite { negative: true, mantissa: 10_u128.pow(30) - 1, exponent: 0 };
        assert_eq!(LongFloat::new(real).to_string(), "-1.00000000000000000000e+30");
    }

    proptest! {
        #[test]
        fn a_double_reads_back_from_its_digits(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let text = LongFloat::new(Real::of_f64(value)).to_string();
            if value.is_finite() {
                prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
                let expected = format!("{value:.20e}");
                let (digits, power) = expected.split_once('e').unwrap();
                let power: i32 = power.parse().unwrap();
                prop_assert_eq!(text, format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs()));
            }
        }
    }
}
