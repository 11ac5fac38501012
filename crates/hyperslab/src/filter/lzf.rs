//! LZF (32000): Marc Lehmann's small compressor, as h5py stores it.

use crate::error::{Error, Result};
use crate::filter::window::Window;

/// Decompresses to the front of `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut window = Window::new(out);
    let mut rest = input;
    while let Some(control) = next(&mut rest) {
        if control < 32 {
            let (run, after) = rest.split_at_checked(control.saturating_add(1)).ok_or_else(ended)?;
            window.literals(run)?;
            rest = after;
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length = length.saturating_add(next(&mut rest).ok_or_else(ended)?);
        }
        let near = next(&mut rest).ok_or_else(ended)?;
        let distance = ((control & 31) << 8 | near).saturating_add(1);
        window.repeat(distance, length.saturating_add(2))?;
    }
    Ok(window.filled())
}

/// Bytes of a literal run, at most.
const LONGEST_RUN: usize = 32;
/// Bytes of a repeat, at most, and how far back it begins.
const LONGEST: usize = 264;
const FARTHEST: usize = 8192;
/// Bits of a hash of three bytes.
const HASH_BITS: u32 = 14;

/// Compresses greedily: the latest place where the next three bytes were seen is the one looked at.
pub(super) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(raw.len() / 2);
    let mut seen = vec![usize::MAX; 1 << HASH_BITS];
    let (mut at, mut literals) = (0, 0);
    while let Some(three) = raw.get(at..).and_then(<[u8]>::first_chunk::<3>) {
        let before = seen.get_mut(hash(*three)).map_or(usize::MAX, |slot| std::mem::replace(slot, at));
        let near = before < at && at - before <= FARTHEST;
        let length = if near { common(raw, before, at) } else { 0 };
        if length < 3 {
            at += 1;
            continue;
        }
        put_literals(raw.get(literals..at).unwrap_or_default(), &mut stored);
        put_repeat(at - before - 1, length - 2, &mut stored);
        // The end of a repeat is often where the next one begins.
        for place in at + length - 2..at + length {
            if let Some(three) = raw.get(place..).and_then(<[u8]>::first_chunk::<3>)
                && let Some(slot) = seen.get_mut(hash(*three))
            {
                *slot = place;
            }
        }
        at += length;
        literals = at;
    }
    put_literals(raw.get(literals..).unwrap_or_default(), &mut stored);
    stored
}

fn hash([a, b, c]: [u8; 3]) -> usize {
    let mixed = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS);
    usize::try_from(mixed).unwrap_or(0)
}

/// Bytes that are the same from `before` on as from `at` on.
fn common(raw: &[u8], before: usize, at: usize) -> usize {
    let (old, new) = (raw.get(before..).unwrap_or_default(), raw.get(at..).unwrap_or_default());
    old.iter().zip(new).take(LONGEST).take_while(|(old, new)| old == new).count()
}

fn put_literals(run: &[u8], stored: &mut Vec<u8>) {
    for run in run.chunks(LONGEST_RUN) {
        stored.push(low_byte(run.len() - 1));
        stored.extend_from_slice(run);
    }
}

fn put_repeat(back: usize, length: usize, stored: &mut Vec<u8>) {
    stored.push(low_byte(length.min(7) << 5 | back >> 8));
    if length >= 7 {
        stored.push(low_byte(length - 7));
    }
    stored.push(low_byte(back & 0xff));
}

fn low_byte(value: usize) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

fn next(rest: &mut &[u8]) -> Option<usize> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(usize::from(*first))
}

fn ended() -> Error {
    Error::malformed("the compressed bytes end early")
}
