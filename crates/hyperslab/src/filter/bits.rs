//! Reading and writing bits most significant first, as szip, n-bit and scale-offset store them.

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

/// A writer of bits, the most significant bit of each byte first.
#[derive(Debug)]
pub(super) struct BitSink {
    bytes: Vec<u8>,
    /// Bits not yet in `bytes`, in the lowest `held` bits; always fewer than 64.
    buffer: u128,
    held: u32,
}

impl BitSink {
    /// A writer behind `bytes`, with room for about `room` more.
    pub(super) fn after(mut bytes: Vec<u8>, room: usize) -> Self {
        bytes.reserve(room);
        Self { bytes, buffer: 0, held: 0 }
    }

    /// Appends the low `count` bits of `value`, at most 64.
    #[inline]
    pub(super) fn put(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 64, "at most 64 bits are put at once");
        self.buffer = (self.buffer << count) | (u128::from(value) & ((1 << count) - 1));
        self.held += count;
        if self.held >= 64 {
            self.held -= 64;
            let word = (self.buffer >> self.held) & u128::from(u64::MAX);
            self.bytes.extend_from_slice(&u64::try_from(word).unwrap_or(u64::MAX).to_be_bytes());
        }
    }

    /// Appends `count` zeros and a one.
    #[inline]
    pub(super) fn put_zeros(&mut self, count: u64) {
        let mut left = count;
        while left > 63 {
            self.put(0, 64);
            left -= 64;
        }
        self.put(1, u32::try_from(left).unwrap_or(0) + 1);
    }

    /// The bytes; a last one that is not full is filled with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let rest = self.held.div_ceil(8) * 8;
        self.put(0, rest - self.held);
        let word = self.buffer.checked_shl(u128::BITS - self.held).unwrap_or(0).to_be_bytes();
        let left = usize::try_from(self.held / 8).unwrap_or(0);
        self.bytes.extend(word.into_iter().take(left));
        self.bytes
    }
}

fn ended() -> Error {
    Error::malformed("the compressed bits end early")
}

#[cfg(test)]
mod tests {
    use super::{BitSink, Bits};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_that_are_put_are_taken(numbers in proptest::collection::vec((any::<u64>(), 0_u32..=64), 0..60)) {
            let mut sink = BitSink::after(vec![9], 0);
            for (value, count) in &numbers {
                sink.put(*value, *count);
                sink.put_zeros(u64::from(*count) * 3);
            }
            let bytes = sink.finish();
            let mut bits = Bits::new(&bytes[1..]);
            for (value, count) in &numbers {
                let mask = 1_u64.checked_shl(*count).unwrap_or(0).wrapping_sub(1);
                prop_assert_eq!(bits.take(*count).unwrap(), value & mask);
                prop_assert_eq!(bits.zeros().unwrap(), count * 3);
            }
        }
    }

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
