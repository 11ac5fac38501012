//! Szip's encoder: for each block the shortest of the codings that the decoder knows.

use crate::error::{Error, Result};
use crate::filter::bits::BitSink;
use crate::filter::pipeline::Filter;
use crate::filter::shuffle;
use crate::filter::szip::{Coding, LARGEST_PAIR, REST_OF_SEGMENT, SEGMENT};

/// How the samples of one block are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Zero,
    Pairs,
    /// So many low bits as they are, the rest in unary.
    Split(u32),
    Whole,
}

/// The stored form of a chunk.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let (coding, planes) = Coding::of(filter)?;
    let size = u32::try_from(raw.len())
        .map_err(|_| Error::limit(format!("{} bytes are too many for szip", raw.len())))?;
    let mut bits = BitSink::after(size.to_le_bytes().to_vec(), raw.len());
    if planes == 1 {
        coding.encode(raw, &mut bits)?;
    } else {
        let mut bytes = vec![0; raw.len()];
        shuffle::shuffle(planes, raw, &mut bytes);
        coding.encode(&bytes, &mut bits)?;
    }
    Ok(bits.finish())
}

impl Coding {
    fn encode(&self, raw: &[u8], bits: &mut BitSink) -> Result<()> {
        let mut samples = Vec::new();
        for line in raw.chunks(self.line.saturating_mul(self.bytes)) {
            self.load(line, &mut samples)?;
            // Padding that costs least: differences of zero.
            let last = if self.predicted { samples.last().copied().unwrap_or(0) } else { 0 };
            samples.resize(self.line.next_multiple_of(self.block), last);
            if self.predicted {
                self.predict(&mut samples);
            }
            self.encode_line(&samples, bits);
        }
        Ok(())
    }

    fn load(&self, line: &[u8], samples: &mut Vec<u32>) -> Result<()> {
        samples.clear();
        let append = |value: u32, byte: &u8| (value << 8) | u32::from(*byte);
        for bytes in line.chunks(self.bytes) {
            let sample = if self.big_endian {
                bytes.iter().fold(0, append)
            } else {
                bytes.iter().rev().fold(0, append)
            };
            if sample > self.largest() {
                let width = self.bits;
                return Err(Error::unsupported(format!("sample {sample:#x} has more than {width} bits")));
            }
            samples.push(sample);
        }
        Ok(())
    }

    /// Turns samples into mapped differences, the first staying as it is.
    fn predict(&self, samples: &mut [u32]) {
        let largest = self.largest();
        let Some((first, rest)) = samples.split_first_mut() else { return };
        let mut before = *first;
        for sample in rest {
            let now = *sample;
            let distance = now.abs_diff(before);
            *sample = if distance > before.min(largest - before) {
                // Only one direction is possible at this distance.
                before.min(largest - before) + distance
            } else {
                2 * distance - u32::from(now < before)
            };
            before = now;
        }
    }

    fn encode_line(&self, samples: &[u32], bits: &mut BitSink) {
        let total = samples.len() / self.block;
        let codes: Vec<Code> = samples
            .chunks_exact(self.block)
            .enumerate()
            .map(|(at, block)| self.code(self.coded(at, block)))
            .collect();
        let mut at = 0;
        for (position, block) in samples.chunks_exact(self.block).enumerate() {
            if position < at {
                continue;
            }
            let reference = (self.predicted && position == 0).then(|| block.first().copied().unwrap_or(0));
            let code = codes.get(position).copied().unwrap_or(Code::Whole);
            at = position + 1;
            if code == Code::Zero {
                let end = total.min((position / SEGMENT + 1) * SEGMENT);
                let same = codes.get(position..end).unwrap_or_default().iter();
                let run = same.take_while(|code| **code == Code::Zero).count();
                at = position + run;
                self.put_zero_blocks(run, at == end, reference, bits);
            } else {
                self.put_block(code, self.coded(position, block), reference, bits);
            }
        }
    }

    /// The samples of a block that are coded: all but the reference at the beginning of a line.
    fn coded<'a>(&self, position: usize, block: &'a [u32]) -> &'a [u32] {
        block.get(usize::from(self.predicted && position == 0)..).unwrap_or_default()
    }

    /// The shortest way to write `samples`.
    fn code(&self, samples: &[u32]) -> Code {
        if samples.iter().all(|sample| *sample == 0) {
            return Code::Zero;
        }
        let count = samples.len() as u64;
        let most_split = (1 << self.option_bits) - 3;
        let mut best = (count * u64::from(self.bits), Code::Whole);
        for low in 0..=most_split.min(self.bits) {
            let unary: u64 = samples.iter().map(|sample| u64::from(*sample >> low)).sum();
            let cost = unary + count * u64::from(1 + low);
            if cost < best.0 {
                best = (cost, Code::Split(low));
            }
        }
        match pairs_cost(samples) {
            Some(cost) if cost < best.0 => Code::Pairs,
            _ => best.1,
        }
    }

    fn put_zero_blocks(&self, run: usize, to_the_end: bool, reference: Option<u32>, bits: &mut BitSink) {
        bits.put(0, self.option_bits + 1);
        self.put_reference(reference, bits);
        let code = match run {
            _ if run >= REST_OF_SEGMENT && to_the_end => REST_OF_SEGMENT,
            _ if run >= REST_OF_SEGMENT => run + 1,
            _ => run,
        };
        bits.put_zeros(code as u64 - 1);
    }

    fn put_reference(&self, reference: Option<u32>, bits: &mut BitSink) {
        if let Some(reference) = reference {
            bits.put(u64::from(reference), self.bits);
        }
    }

    fn put_block(&self, code: Code, samples: &[u32], reference: Option<u32>, bits: &mut BitSink) {
        match code {
            Code::Zero | Code::Pairs => {
                bits.put(1, self.option_bits + 1);
                self.put_reference(reference, bits);
                for (sum, second) in pairs(samples) {
                    bits.put_zeros(u64::from(sum * (sum + 1) / 2 + second));
                }
            }
            Code::Split(low) => {
                bits.put(u64::from(low) + 1, self.option_bits);
                self.put_reference(reference, bits);
                for sample in samples {
                    bits.put_zeros(u64::from(*sample >> low));
                }
                for sample in samples {
                    bits.put(u64::from(*sample), low);
                }
            }
            Code::Whole => {
                bits.put(u64::MAX, self.option_bits);
                self.put_reference(reference, bits);
                for sample in samples {
                    bits.put(u64::from(*sample), self.bits);
                }
            }
        }
    }
}

/// Sum and second number of each pair; where a reference was taken away, zero stands for it.
fn pairs(samples: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let (lone, rest) = samples.split_at(samples.len() % 2);
    let lone = lone.iter().map(|second| (*second, *second));
    lone.chain(rest.as_chunks::<2>().0.iter().map(|[first, second]| (first.saturating_add(*second), *second)))
}

/// Bits of a block in pairs, when all have a code.
fn pairs_cost(samples: &[u32]) -> Option<u64> {
    let mut cost = 1;
    for (sum, second) in pairs(samples) {
        let code = sum.checked_mul(sum.checked_add(1)?)? / 2 + second;
        cost += u64::from(code) + 1;
        if code > LARGEST_PAIR {
            return None;
        }
    }
    Some(cost)
}
