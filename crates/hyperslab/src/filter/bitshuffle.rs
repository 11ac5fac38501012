//! Bitshuffle (32008): bit planes of blocks of elements, optionally compressed with LZ4 or zstd.

use crate::error::{Error, Result, to_usize};
use crate::filter::pipeline::{Filter, Work, room, too_long};
use crate::filter::{bitplane, lz4, zstd};

/// Blocks hold a multiple of this many elements; fewer at the end of a chunk are stored as they are.
const MULTIPLE: usize = 8;
/// Bytes the default block is near to.
const TARGET: usize = 8192;
/// Elements of the smallest default block.
const SMALLEST: usize = 128;

/// The parameters: two of version, then element size, block size, compression, level.
#[derive(Clone, Copy, Debug)]
struct Parameters {
    size: usize,
    /// Elements per block.
    block: usize,
    compression: Compression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Lz4,
    Zstd { level: i32 },
}

impl Parameters {
    fn of(filter: &Filter) -> Result<Self> {
        let size = to_usize(u64::from(filter.parameter(2)?))?;
        if size == 0 {
            return Err(Error::malformed("element size is 0, expected 1 or more"));
        }
        let optional = |position: usize| filter.client.get(position).copied().unwrap_or(0);
        let block = match to_usize(u64::from(optional(3)))? {
            0 => default_block(size),
            block => block,
        };
        let compression = match optional(4) {
            0 => Compression::None,
            2 => Compression::Lz4,
            3 => Compression::Zstd {
                level: i32::try_from(optional(5)).ok().filter(|level| *level > 0).unwrap_or(3),
            },
            other => return Err(Error::malformed(format!("compression is {other}, expected 0, 2 or 3"))),
        };
        Ok(Self { size, block: whole(block)?, compression })
    }

    fn block_bytes(&self) -> usize {
        self.block.saturating_mul(self.size)
    }

    /// Bytes of `length` that are in blocks; the rest is stored as it is.
    fn blocked(&self, length: usize) -> usize {
        let elements = length.checked_div(self.size).unwrap_or(0);
        elements.checked_div(MULTIPLE).unwrap_or(0).saturating_mul(MULTIPLE).saturating_mul(self.size)
    }
}

fn default_block(size: usize) -> usize {
    let elements = TARGET.checked_div(size).unwrap_or(0);
    (elements / MULTIPLE).saturating_mul(MULTIPLE).max(SMALLEST)
}

fn whole(block: usize) -> Result<usize> {
    if block == 0 || !block.is_multiple_of(MULTIPLE) {
        return Err(Error::malformed(format!(
            "block of {block} elements, expected a multiple of {MULTIPLE}"
        )));
    }
    Ok(block)
}

/// Decodes to the front of `out`.
pub(super) fn decode(filter: &Filter, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let mut parameters = Parameters::of(filter)?;
    if parameters.compression == Compression::None {
        let most = out.len();
        let out = out.get_mut(..input.len()).ok_or_else(|| too_long(input.len(), most))?;
        return decode_plain(&parameters, input, out, work);
    }
    let (size, rest) = input.split_first_chunk::<8>().ok_or_else(ended)?;
    let (block, rest) = rest.split_first_chunk::<4>().ok_or_else(ended)?;
    let size = to_usize(u64::from_be_bytes(*size))?;
    let most = out.len();
    let out = out.get_mut(..size).ok_or_else(|| too_long(size, most))?;
    let block_bytes = to_usize(u64::from(u32::from_be_bytes(*block)))?;
    parameters.block = whole(block_bytes.checked_div(parameters.size).unwrap_or(0))?;
    decode_compressed(&parameters, rest, out, work)?;
    Ok(size)
}

fn decode_plain(parameters: &Parameters, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let blocked = parameters.blocked(input.len());
    let (blocks, rest) = input.split_at_checked(blocked).ok_or_else(ended)?;
    let (to_blocks, to_rest) = out.split_at_mut_checked(blocked).ok_or_else(ended)?;
    let bytes = parameters.block_bytes();
    for (from, to) in blocks.chunks(bytes).zip(to_blocks.chunks_mut(bytes)) {
        bitplane::unshuffle(parameters.size, from, to, &mut work.planes);
    }
    to_rest.copy_from_slice(rest);
    Ok(input.len())
}

fn decode_compressed(parameters: &Parameters, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
    let (blocks, last) = out.split_at_mut_checked(parameters.blocked(out.len())).ok_or_else(ended)?;
    let mut rest = input;
    for to in blocks.chunks_mut(parameters.block_bytes()) {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(ended)?;
        let length = to_usize(u64::from(u32::from_be_bytes(*length)))?;
        let (stored, after) = after.split_at_checked(length).ok_or_else(ended)?;
        rest = after;
        let block = room(&mut work.block, to.len());
        match parameters.compression {
            Compression::Zstd { .. } => {
                let length = zstd::decode(stored, block)?;
                if length != to.len() {
                    let expected = to.len();
                    return Err(Error::malformed(format!("a block has {length} bytes, expected {expected}")));
                }
            }
            Compression::Lz4 | Compression::None => lz4::decode_exactly(stored, block)?,
        }
        bitplane::unshuffle(parameters.size, block, to, &mut work.planes);
    }
    last.copy_from_slice(rest.get(..last.len()).ok_or_else(ended)?);
    Ok(())
}

/// The stored form of a chunk.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let parameters = Parameters::of(filter)?;
    let mut planes = vec![0; parameters.block_bytes().min(raw.len())];
    let mut stored = Vec::with_capacity(raw.len().saturating_add(12));
    if parameters.compression != Compression::None {
        stored.extend_from_slice(&u64::try_from(raw.len()).unwrap_or(u64::MAX).to_be_bytes());
        stored.extend_from_slice(&lz4::length_of(parameters.block_bytes())?.to_be_bytes());
    }
    let (blocks, last) = raw.split_at_checked(parameters.blocked(raw.len())).ok_or_else(ended)?;
    for from in blocks.chunks(parameters.block_bytes()) {
        let planes = planes.get_mut(..from.len()).unwrap_or_default();
        bitplane::shuffle(parameters.size, from, planes);
        let packed = match parameters.compression {
            Compression::None => {
                stored.extend_from_slice(planes);
                continue;
            }
            Compression::Lz4 => lz4_flex::block::compress(planes),
            Compression::Zstd { level } => zstd::compress(planes, level)?,
        };
        stored.extend_from_slice(&lz4::length_of(packed.len())?.to_be_bytes());
        stored.extend_from_slice(&packed);
    }
    stored.extend_from_slice(last);
    Ok(stored)
}

fn ended() -> Error {
    Error::malformed("the stored bytes end early")
}
