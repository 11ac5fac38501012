//! Reading bits most significant first, as szip, n-bit and scale-offset store them.

use crate::error::{Error, Result};

/// A reader of bits, the most significant bit of each byte first.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// Bits read from `rest` and not yet given, in the lowest `held` bits.
    buffer: u128,
    held: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, buffer: 0, held: 0 }
    }

    /// The next `count` bits, at most 64, as a number.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Result<u64> {
        debug_assert!(count <= 64, "at most 64 bits are taken at once");
        if self.held < count {
            self.fill();
            if self.held < count {
                return Err(ended());
            }
        }
        self.held -= count;
        let value = (self.buffer >> self.held) & ((1 << count) - 1);
        Ok(u64::try_from(value).unwrap_or(u64::MAX))
    }

    /// The number of zeros before the next one, which is consumed too.
    #[inline]
    pub(super) fn zeros(&mut self) -> Result<u32> {
        let mut zeros = 0_u32;
        loop {
            let unread = self.buffer & (1_u128 << self.held).wrapping_sub(1);
            if unread != 0 {
                let position = u128::BITS - 1 - unread.leading_zeros();
                zeros = zeros.saturating_add(self.held - 1 - position);
                self.held = position;
                return Ok(zeros);
            }
            zeros = zeros.saturating_add(self.held);
            self.held = 0;
            self.fill();
            if self.held == 0 {
                return Err(ended());
            }
        }
    }

    /// At least 64 bits are held afterwards, unless the input ends.
    #[inline]
    fn fill(&mut self) {
        if self.held > 63 {
            return;
        }
        if let Some((word, rest)) = self.rest.split_first_chunk::<8>() {
            self.buffer = (self.buffer << 64) | u128::from(u64::from_be_bytes(*word));
            self.held += 64;
            self.rest = rest;
            return;
        }
        for byte in std::mem::take(&mut self.rest) {
            self.buffer = (self.buffer << 8) | u128::from(*byte);
            self.held += 8;
        }
    }
}

fn ended() -> Error {
    Error::malformed("the compressed bits end early")
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn bits_come_most_significant_first() {
        let mut bits = Bits::new(&[0b1010_0001, 0xff, 0, 1]);
        assert_eq!(bits.take(3).unwrap(), 0b101);
        assert_eq!(bits.zeros().unwrap(), 4);
        assert_eq!(bits.take(8).unwrap(), 0xff);
        assert_eq!(bits.zeros().unwrap(), 15);
        assert!(bits.take(1).is_err());
    }
}
