//! LZ4 (32004): blocks of LZ4, each with its length, after the decoded and block sizes (big endian).

use crate::error::{Error, Result, to_usize};
use crate::filter::lz4_block;
use crate::filter::pipeline::{Filter, too_long};

/// Bytes per block when the filter does not say, as in the registered filter.
const DEFAULT_BLOCK: usize = 1 << 30;

/// Decompresses to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let (size, rest) = input.split_first_chunk::<8>().ok_or_else(ended)?;
    let (block, mut rest) = rest.split_first_chunk::<4>().ok_or_else(ended)?;
    let size = to_usize(u64::from_be_bytes(*size))?;
    let most = out.len();
    let out = out.get_mut(..size).ok_or_else(|| too_long(size, most))?;
    let block = to_usize(u64::from(u32::from_be_bytes(*block)))?.min(size);
    if block == 0 && size > 0 {
        return Err(Error::malformed("block size is 0"));
    }
    for to in out.chunks_mut(block.max(1)) {
        rest = decode_block(rest, to)?;
    }
    Ok(size)
}

/// Decodes one block with its length before it; gives what follows.
fn decode_block<'a>(input: &'a [u8], out: &mut [u8]) -> Result<&'a [u8]> {
    let (length, rest) = input.split_first_chunk::<4>().ok_or_else(ended)?;
    let length = to_usize(u64::from(u32::from_be_bytes(*length)))?;
    let (stored, rest) = rest.split_at_checked(length).ok_or_else(ended)?;
    if length == out.len() {
        out.copy_from_slice(stored);
    } else {
        decode_exactly(stored, out)?;
    }
    Ok(rest)
}

/// One raw LZ4 block that fills `out`.
pub(super) fn decode_exactly(stored: &[u8], out: &mut [u8]) -> Result<()> {
    let expected = out.len();
    let length = lz4_block::decode(stored, out)?;
    if length == expected {
        return Ok(());
    }
    Err(Error::malformed(format!("LZ4 block decodes to {length} bytes, expected {expected}")))
}

/// Blocks of the size the filter asks for; a block that would grow is stored as it is.
pub(super) fn encode(filter: &Filter, raw: &[u8]) -> Result<Vec<u8>> {
    let wanted = to_usize(u64::from(filter.client.first().copied().unwrap_or(0)))?;
    let block = if wanted == 0 { DEFAULT_BLOCK } else { wanted }.min(raw.len()).max(1);
    let mut stored = Vec::with_capacity(raw.len().saturating_add(16));
    stored.extend_from_slice(&u64::try_from(raw.len()).unwrap_or(u64::MAX).to_be_bytes());
    stored.extend_from_slice(&length_of(block)?.to_be_bytes());
    for from in raw.chunks(block) {
        let packed = lz4_flex::block::compress(from);
        let bytes = if packed.len() < from.len() { packed.as_slice() } else { from };
        stored.extend_from_slice(&length_of(bytes.len())?.to_be_bytes());
        stored.extend_from_slice(bytes);
    }
    Ok(stored)
}

/// A length as the four bytes of the format hold it.
pub(super) fn length_of(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| Error::limit(format!("{length} bytes are too many for one block")))
}

fn ended() -> Error {
    Error::malformed("the compressed bytes end early")
}
