//! Szip (4): the extended-Rice coding of CCSDS 121.0, as libsz and libaec lay it out.
//!
//! Four bytes give the decoded size (little endian). Elements of 32 and 64 bits are taken apart into byte
//! planes first, and samples are then bytes. Each scanline is padded to whole blocks and starts afresh.

use crate::error::{Error, Result, to_usize};
use crate::filter::bits::Bits;
use crate::filter::pipeline::{Filter, Work, room, too_long};
use crate::filter::shuffle;

const MSB: u32 = 16;
const NEAREST_NEIGHBOUR: u32 = 32;
/// libsz allows blocks of at most 32 samples, and lines of 4096; this leaves room for others.
const LARGEST_BLOCK: usize = 256;
const LONGEST_LINE: usize = 1 << 16;
/// A zero-block code of this value reaches to the end of its segment.
pub(super) const REST_OF_SEGMENT: usize = 5;
/// Blocks in a segment.
pub(super) const SEGMENT: usize = 64;
/// The largest code of the second extension option.
pub(super) const LARGEST_PAIR: u32 = 90;

/// How samples are coded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// Bits of a sample, 1 to 32.
    pub(super) bits: u32,
    /// Bytes of a sample in the decoded chunk: 1, 2 or 4.
    pub(super) bytes: usize,
    pub(super) big_endian: bool,
    /// Samples are differences from their predecessor.
    pub(super) predicted: bool,
    /// Samples in a block.
    pub(super) block: usize,
    /// Samples in a scanline, without its padding.
    pub(super) line: usize,
    /// Bits of a block's option.
    pub(super) option_bits: u32,
}

impl Coding {
    /// From mask, samples per block, bits per element, elements per scanline; and the number of byte planes.
    pub(super) fn of(filter: &Filter) -> Result<(Self, usize)> {
        let mask = filter.parameter(0)?;
        let block = to_usize(u64::from(filter.parameter(1)?))?;
        let width = filter.parameter(2)?;
        let line = to_usize(u64::from(filter.parameter(3)?))?;
        let (bits, planes) = match width {
            32 => (8, 4),
            64 => (8, 8),
            1..=31 => (width, 1),
            _ => return Err(Error::malformed(format!("{width} bits per sample, expected 1 to 32 or 64"))),
        };
        if block == 0 || block > LARGEST_BLOCK {
            return Err(Error::malformed(format!(
                "{block} samples per block, expected 1 to {LARGEST_BLOCK}"
            )));
        }
        if line == 0 || line > LONGEST_LINE {
            return Err(Error::malformed(format!("{line} samples per line, expected 1 to {LONGEST_LINE}")));
        }
        let (bytes, option_bits) = match bits {
            0..=8 => (1, 3),
            9..=16 => (2, 4),
            _ => (4, 5),
        };
        let (big_endian, predicted) = (mask & MSB != 0, mask & NEAREST_NEIGHBOUR != 0);
        Ok((Self { bits, bytes, big_endian, predicted, block, line, option_bits }, planes))
    }

    /// The largest sample.
    pub(super) fn largest(&self) -> u32 {
        u32::MAX.checked_shr(u32::BITS.saturating_sub(self.bits)).unwrap_or(0)
    }

    /// Decodes scanline after scanline until `out` is full.
    fn decode(&self, input: &[u8], out: &mut [u8]) -> Result<()> {
        let mut bits = Bits::new(input);
        let mut samples: Vec<u32> = Vec::with_capacity(self.line.saturating_add(self.block));
        for line in out.chunks_mut(self.line.saturating_mul(self.bytes)) {
            samples.clear();
            let wanted = line.len().div_ceil(self.bytes);
            while samples.len() < wanted {
                self.decode_block(&mut bits, &mut samples)?;
            }
            if self.predicted {
                self.undo_prediction(&mut samples);
            }
            self.put(&samples, line);
        }
        Ok(())
    }

    /// Appends the samples of one block, or of a run of zero blocks.
    fn decode_block(&self, bits: &mut Bits<'_>, samples: &mut Vec<u32>) -> Result<()> {
        let reference = self.predicted && samples.is_empty();
        let option = narrow(bits.take(self.option_bits)?);
        if option == 0 {
            return self.decode_low_entropy(bits, samples, reference);
        }
        if option == (1 << self.option_bits) - 1 {
            for _ in 0..self.block {
                samples.push(narrow(bits.take(self.bits)?));
            }
            return Ok(());
        }
        let start = samples.len().saturating_add(usize::from(reference));
        if reference {
            samples.push(narrow(bits.take(self.bits)?));
        }
        let low = option.saturating_sub(1);
        for _ in usize::from(reference)..self.block {
            samples.push(bits.zeros()?.checked_shl(low).unwrap_or(0));
        }
        if low > 0 {
            for sample in samples.iter_mut().skip(start) {
                *sample = sample.wrapping_add(narrow(bits.take(low)?));
            }
        }
        Ok(())
    }

    fn decode_low_entropy(&self, bits: &mut Bits<'_>, samples: &mut Vec<u32>, reference: bool) -> Result<()> {
        let pairs = bits.take(1)? == 1;
        let end = samples.len().saturating_add(self.block);
        if reference {
            samples.push(narrow(bits.take(self.bits)?));
        }
        if pairs {
            return decode_pairs(bits, samples, end);
        }
        let code = to_usize(u64::from(bits.zeros()?))?.saturating_add(1);
        let before = end.saturating_sub(self.block).checked_div(self.block).unwrap_or(0);
        let left = self.line.div_ceil(self.block).saturating_sub(before);
        let blocks = match code {
            REST_OF_SEGMENT => left.min(SEGMENT.saturating_sub(before % SEGMENT)),
            code if code > REST_OF_SEGMENT => code.saturating_sub(1),
            code => code,
        };
        if blocks > left {
            return Err(Error::malformed(format!("{blocks} blocks of zeros, {left} are left in the line")));
        }
        samples.resize(before.saturating_add(blocks).saturating_mul(self.block), 0);
        Ok(())
    }

    /// Turns mapped differences into samples; the first sample is given as it is.
    fn undo_prediction(&self, samples: &mut [u32]) {
        let largest = self.largest();
        let middle = (largest >> 1).wrapping_add(1);
        let Some((first, rest)) = samples.split_first_mut() else { return };
        let mut value = *first;
        for sample in rest {
            let difference = *sample;
            let mask = if value & middle == 0 { 0 } else { largest };
            value = if (difference >> 1).wrapping_add(difference & 1) <= mask ^ value {
                value.wrapping_add((difference >> 1) ^ (difference & 1).wrapping_neg())
            } else {
                mask ^ difference
            };
            *sample = value;
        }
    }

    fn put(&self, samples: &[u32], line: &mut [u8]) {
        for (to, sample) in line.chunks_mut(self.bytes).zip(samples) {
            let bytes = sample.to_le_bytes();
            let low = bytes.iter().take(self.bytes);
            if self.big_endian {
                to.iter_mut().zip(low.rev()).for_each(|(to, from)| *to = *from);
            } else {
                to.iter_mut().zip(low).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The second extension: each code is a pair of samples; of the first pair after a reference, the second.
fn decode_pairs(bits: &mut Bits<'_>, samples: &mut Vec<u32>, end: usize) -> Result<()> {
    while samples.len() < end {
        let code = bits.zeros()?;
        if code > LARGEST_PAIR {
            return Err(Error::malformed(format!("pair code is {code}, at most {LARGEST_PAIR} expected")));
        }
        // Codes are numbered along the diagonals, whose samples have the same sum.
        let (mut sum, mut first) = (0_u32, 0_u32);
        while code > first.saturating_add(sum) {
            first = first.saturating_add(sum).saturating_add(1);
            sum = sum.saturating_add(1);
        }
        let second = code.saturating_sub(first);
        if end.abs_diff(samples.len()).is_multiple_of(2) {
            samples.push(sum.saturating_sub(second));
        }
        samples.push(second);
    }
    Ok(())
}

fn narrow(bits: u64) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

/// Decodes to the front of `out`.
pub(super) fn decode(filter: &Filter, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let (coding, planes) = Coding::of(filter)?;
    let Some((size, coded)) = input.split_first_chunk::<4>() else {
        return Err(Error::malformed(format!("{} bytes hold no decoded size of 4 bytes", input.len())));
    };
    let size = to_usize(u64::from(u32::from_le_bytes(*size)))?;
    let most = out.len();
    let out = out.get_mut(..size).ok_or_else(|| too_long(size, most))?;
    if planes == 1 {
        coding.decode(coded, out)?;
    } else {
        let bytes = room(&mut work.planes, size);
        coding.decode(coded, bytes)?;
        shuffle::unshuffle(planes, bytes, out);
    }
    Ok(size)
}
