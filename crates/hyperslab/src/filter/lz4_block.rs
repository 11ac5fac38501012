//! Raw LZ4 blocks: literals, and repetitions of what was decoded before.
//!
//! Repetitions closer than they are long, as rows of equal bits become, are copied in pieces that double.

use crate::error::{Error, Result};

/// Bytes that are copied at once where there is room, however few are wanted.
const STEP: usize = 32;
/// Literals or further bytes of a repetition that a token has no room for.
const MORE: usize = 15;
/// The shortest repetition.
const SHORTEST: usize = 4;

/// Decodes one block to the front of `out`; gives how many bytes it has.
pub(super) fn decode(block: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut rest = block;
    let mut at = 0;
    loop {
        let (token, after) = rest.split_first().ok_or_else(ended)?;
        let (literals, repeated) = (usize::from(token >> 4), usize::from(token & 15));
        rest = after;
        let count = if literals == MORE { MORE.saturating_add(more(&mut rest)?) } else { literals };
        rest = literal(rest, count, out, at)?;
        at = at.saturating_add(count);
        let Some((offset, after)) = rest.split_first_chunk::<2>() else {
            return if rest.is_empty() { Ok(at) } else { Err(ended()) };
        };
        rest = after;
        let more = if repeated == MORE { MORE.saturating_add(more(&mut rest)?) } else { repeated };
        let count = more.saturating_add(SHORTEST);
        repeat(out, at, usize::from(u16::from_le_bytes(*offset)), count)?;
        at = at.saturating_add(count);
    }
}

/// Copies `count` bytes to `at`; gives what follows them.
fn literal<'a>(from: &'a [u8], count: usize, out: &mut [u8], at: usize) -> Result<&'a [u8]> {
    let room = out.get_mut(at..).ok_or_else(full)?;
    if count <= STEP
        && let (Some(from), Some(to)) = (from.first_chunk::<STEP>(), room.first_chunk_mut::<STEP>())
    {
        *to = *from;
    } else {
        let from = from.get(..count).ok_or_else(ended)?;
        room.get_mut(..count).ok_or_else(full)?.copy_from_slice(from);
    }
    from.get(count..).ok_or_else(ended)
}

/// Appends to the first `at` bytes the `count` that follow the one `offset` before their end.
fn repeat(out: &mut [u8], at: usize, offset: usize, count: usize) -> Result<()> {
    let start = at.checked_sub(offset).filter(|_| offset > 0).ok_or_else(|| {
        Error::malformed(format!("LZ4 block repeats from {offset} bytes back, {at} are decoded"))
    })?;
    if count <= STEP && offset >= STEP {
        let from = out.get(start..).and_then(|from| from.first_chunk::<STEP>()).copied();
        let to = out.get_mut(at..).and_then(|to| to.first_chunk_mut::<STEP>());
        if let (Some(from), Some(to)) = (from, to) {
            *to = from;
            return Ok(());
        }
    }
    let end = at.checked_add(count).filter(|end| *end <= out.len()).ok_or_else(full)?;
    if let (1, Some(byte)) = (offset, out.get(start).copied()) {
        out.get_mut(at..end).ok_or_else(full)?.fill(byte);
        return Ok(());
    }
    // What is between `start` and `to` repeats itself already.
    let mut to = at;
    while to < end {
        let piece = (to - start).min(end - to);
        out.copy_within(start..start + piece, to);
        to += piece;
    }
    Ok(())
}

/// The sum of bytes up to the first that is not 255.
fn more(rest: &mut &[u8]) -> Result<usize> {
    let mut sum = 0_usize;
    loop {
        let (byte, after) = rest.split_first().ok_or_else(ended)?;
        *rest = after;
        sum = sum.saturating_add(usize::from(*byte));
        if *byte != u8::MAX {
            return Ok(sum);
        }
    }
}

fn ended() -> Error {
    Error::malformed("LZ4 block ends early")
}

fn full() -> Error {
    Error::malformed("LZ4 block decodes to more bytes than expected")
}

#[cfg(test)]
mod tests {
    use super::decode;
    use proptest::prelude::*;

    /// Runs of equal and of repeating bytes between noise, as bit planes have them.
    fn planes() -> impl Strategy<Value = Vec<u8>> {
        let piece = (prop::collection::vec(any::<u8>(), 1..40), 1_usize..60);
        prop::collection::vec(piece, 0..40)
            .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, times)| piece.repeat(times)).collect())
    }

    proptest! {
        #[test]
        fn what_another_encoder_packed_is_unpacked(raw in planes(), more in 0_usize..70) {
            let packed = lz4_flex::block::compress(&raw);
            let mut out = vec![0xee; raw.len() + more];
            prop_assert_eq!(decode(&packed, &mut out).unwrap(), raw.len());
            prop_assert_eq!(&out[..raw.len()], raw.as_slice());
            if let Some(short) = raw.len().checked_sub(1) {
                prop_assert!(decode(&packed, &mut out[..short]).is_err());
            }
        }

        #[test]
        fn any_bytes_decode_as_another_decoder_has_them_or_fail(
            bytes in prop::collection::vec(any::<u8>(), 0..200), room in 0_usize..400,
        ) {
            let mut out = vec![0; room];
            let mut other = vec![0; room];
            let theirs = lz4_flex::block::decompress_into(&bytes, &mut other);
            if let (Ok(length), Ok(expected)) = (decode(&bytes, &mut out), theirs) {
                prop_assert_eq!(length, expected);
                prop_assert_eq!(&out[..length], &other[..length]);
            }
        }
    }

    #[test]
    fn a_repetition_closer_than_it_is_long_goes_on_with_itself() {
        let mut out = [0; 64];
        for period in 1_u8..8 {
            let literals: Vec<u8> = (1..=period).collect();
            let mut block = vec![period << 4 | 15];
            block.extend(&literals);
            block.extend([period, 0, 20, 0]);
            let length = decode(&block, &mut out).unwrap();
            let expected: Vec<u8> = literals.iter().copied().cycle().take(length).collect();
            assert_eq!((length, &out[..length]), (usize::from(period) + 39, expected.as_slice()));
        }
    }
}
