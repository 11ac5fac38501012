//! Blosc (32001): blocks, each shuffled and compressed, and often split into its byte planes.
//!
//! The format of c-blosc 1: a header of 16 bytes, where each block begins, the blocks.

use crate::error::{Error, Result, to_usize};
use crate::filter::pipeline::{Work, room, too_long};
use crate::filter::window::Window;
use crate::filter::{bitplane, deflate, lz4, shuffle, zstd};

const HEADER: usize = 16;
const SHUFFLED: u8 = 1;
const COPIED: u8 = 2;
const BITS_SHUFFLED: u8 = 4;
const NOT_SPLIT: u8 = 16;
/// Elements of more bytes are never split.
const MOST_SPLITS: usize = 16;
/// Splits have at least this many bytes.
const SMALLEST_SPLIT: usize = 128;
/// The largest repeat distance of blosclz that its short form holds.
const SHORT_DISTANCE: usize = 8191;

/// The header of a compressed buffer.
#[derive(Clone, Copy, Debug)]
struct Header {
    flags: u8,
    /// Bytes of an element.
    element: usize,
    size: usize,
    /// Decoded bytes of a block; the last one may have fewer.
    block: usize,
}

impl Header {
    fn read(input: &[u8]) -> Result<(Self, &[u8])> {
        let (header, rest) = input.split_first_chunk::<HEADER>().ok_or_else(ended)?;
        let ([[version, _, flags, element], size, block, _], []) = header.as_chunks::<4>() else {
            return Err(ended());
        };
        if !matches!(version, 1 | 2) {
            return Err(Error::unsupported(format!("blosc format version is {version}, expected 1 or 2")));
        }
        let size = to_usize(u64::from(u32::from_le_bytes(*size)))?;
        let block = to_usize(u64::from(u32::from_le_bytes(*block)))?;
        if *element == 0 || (block == 0 && size > 0) {
            return Err(Error::malformed(format!("blocks of {block} bytes, elements of {element}")));
        }
        Ok((Self { flags: *flags, element: usize::from(*element), size, block }, rest))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Into how many equal parts a block of `length` bytes is split.
    fn splits(&self, length: usize) -> usize {
        let long = self.block.checked_div(self.element).unwrap_or(0) >= SMALLEST_SPLIT;
        let split = !self.has(NOT_SPLIT) && self.element <= MOST_SPLITS && long && length == self.block;
        if split { self.element } else { 1 }
    }

    fn decode_block(&self, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
        let bytes_shuffled = self.has(SHUFFLED) && self.element > 1;
        let bits_shuffled = self.has(BITS_SHUFFLED) && self.block >= self.element;
        if !bytes_shuffled && !bits_shuffled {
            return self.decompress(input, out, work);
        }
        let mut block = std::mem::take(&mut work.block);
        let planes = room(&mut block, out.len());
        let result = self.decompress(input, planes, work);
        if result.is_ok() && bytes_shuffled {
            shuffle::unshuffle(self.element, planes, out);
        } else if result.is_ok() {
            self.unshuffle_bits(planes, out, work);
        }
        work.block = block;
        result
    }

    /// Bits are shuffled only where the number of elements is a multiple of eight.
    fn unshuffle_bits(&self, planes: &[u8], out: &mut [u8], work: &mut Work) {
        let elements = planes.len().checked_div(self.element).unwrap_or(0);
        let shuffled = if elements.is_multiple_of(8) { elements.saturating_mul(self.element) } else { 0 };
        let (from, rest) = planes.split_at_checked(shuffled).unwrap_or((&[], planes));
        if let Some((to, to_rest)) = out.split_at_mut_checked(shuffled) {
            bitplane::unshuffle(self.element, from, to, &mut work.planes);
            to_rest.copy_from_slice(rest);
        }
    }

    fn decompress(&self, input: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
        let splits = self.splits(out.len());
        let length = out.len().checked_div(splits).unwrap_or(0);
        if length.saturating_mul(splits) != out.len() {
            return Err(Error::malformed(format!("a block of {} bytes in {splits} parts", out.len())));
        }
        let mut rest = input;
        for to in out.chunks_exact_mut(length.max(1)) {
            let (stored, after) = rest.split_first_chunk::<4>().ok_or_else(ended)?;
            let stored = to_usize(u64::from(u32::from_le_bytes(*stored)))?;
            let (part, after) = after.split_at_checked(stored).ok_or_else(ended)?;
            rest = after;
            self.decompress_part(part, to, work)?;
        }
        Ok(())
    }

    /// A part as long as what it decodes to is not compressed.
    fn decompress_part(&self, part: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
        if part.len() == out.len() {
            out.copy_from_slice(part);
            return Ok(());
        }
        let length = match self.flags >> 5 {
            0 => blosclz(part, out)?,
            1 => return lz4::decode_exactly(part, out),
            2 => return Err(Error::unsupported("snappy inside blosc is not built in")),
            3 => deflate::decode(part, out, work)?,
            4 => zstd::decode(part, out)?,
            other => return Err(Error::unsupported(format!("compressor {other} inside blosc is not known"))),
        };
        if length != out.len() {
            let expected = out.len();
            return Err(Error::malformed(format!("a part decodes to {length} bytes, expected {expected}")));
        }
        Ok(())
    }
}

/// Decodes to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<usize> {
    let (header, rest) = Header::read(input)?;
    let most = out.len();
    let out = out.get_mut(..header.size).ok_or_else(|| too_long(header.size, most))?;
    if header.has(COPIED) {
        out.copy_from_slice(rest.get(..header.size).ok_or_else(ended)?);
        return Ok(header.size);
    }
    let starts = rest.as_chunks::<4>().0;
    if starts.len() < header.size.div_ceil(header.block.max(1)) {
        return Err(ended());
    }
    for (to, start) in out.chunks_mut(header.block.max(1)).zip(starts) {
        let start = to_usize(u64::from(u32::from_le_bytes(*start)))?;
        header.decode_block(input.get(start..).ok_or_else(ended)?, to, work)?;
    }
    Ok(header.size)
}

/// Decompresses blosclz, a relative of `FastLZ`.
fn blosclz(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut window = Window::new(out);
    let mut rest = input;
    let mut next = || -> Option<usize> {
        let (first, after) = rest.split_first()?;
        rest = after;
        Some(usize::from(*first))
    };
    // The first byte's highest bits hold the version.
    let mut control = next().map(|first| first & 31);
    while let Some(code) = control {
        if code < 32 {
            for _ in 0..=code {
                let byte = next().and_then(|byte| u8::try_from(byte).ok()).ok_or_else(ended)?;
                window.literals(&[byte])?;
            }
            control = next();
            continue;
        }
        let mut length = (code >> 5).saturating_add(2);
        let far = (code & 31) << 8;
        if code >> 5 == 7 {
            loop {
                let more = next().ok_or_else(ended)?;
                length = length.saturating_add(more);
                if more != 255 {
                    break;
                }
            }
        }
        let near = next().ok_or_else(ended)?;
        let mut distance = (far | near).saturating_add(1);
        if near == 255 && far == 31 << 8 {
            let (high, low) = (next().ok_or_else(ended)?, next().ok_or_else(ended)?);
            distance = ((high << 8) | low).saturating_add(SHORT_DISTANCE).saturating_add(1);
        }
        window.repeat(distance, length)?;
        control = next();
    }
    Ok(window.filled())
}

fn ended() -> Error {
    Error::malformed("the stored bytes end early")
}
