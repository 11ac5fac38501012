//! Shuffle (2): all first bytes of the elements, then all second bytes, and so on.

use crate::error::{Error, Result, to_usize};
use crate::filter::pipeline::{Filter, too_long};
use crate::filter::widest::widest;

/// Elements moved at a time when their size has no loop of its own: few enough to stay in the cache.
const BLOCK: usize = 512;

/// Puts the bytes of each element together again.
pub(super) fn decode(filter: &Filter, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let size = element_size(filter)?;
    let most = out.len();
    let out = out.get_mut(..input.len()).ok_or_else(|| too_long(input.len(), most))?;
    unshuffle(size, input, out);
    Ok(input.len())
}

/// Takes the bytes of each element apart; `out` is as long as `raw`.
pub(super) fn encode(filter: &Filter, raw: &[u8], out: &mut [u8]) -> Result<()> {
    shuffle(element_size(filter)?, raw, out);
    Ok(())
}

fn element_size(filter: &Filter) -> Result<usize> {
    match to_usize(u64::from(filter.parameter(0)?))? {
        0 => Err(Error::malformed("element size is 0, expected 1 or more")),
        size => Ok(size),
    }
}

/// From byte planes to elements of `size` bytes; a part of an element at the end is copied.
///
/// `input` and `out` are equally long.
pub(super) fn unshuffle(size: usize, input: &[u8], out: &mut [u8]) {
    debug_assert_eq!(input.len(), out.len(), "shuffling keeps the length");
    let count = input.len().checked_div(size).unwrap_or(0);
    if size == 1 || count <= 1 {
        out.copy_from_slice(input);
        return;
    }
    let (planes, rest) = input.split_at_checked(count.saturating_mul(size)).unwrap_or((input, &[]));
    let (elements, tail) = out.split_at_mut(planes.len());
    tail.copy_from_slice(rest);
    widest(
        #[inline(always)]
        || join_any(size, count, planes, elements),
    );
}

#[expect(clippy::inline_always, reason = "it is compiled for each kind of vectors")]
#[inline(always)]
fn join_any(size: usize, count: usize, planes: &[u8], elements: &mut [u8]) {
    match size {
        2 => join2(count, planes, elements),
        4 => join4(count, planes, elements),
        8 => join8(count, planes, elements),
        _ => join(size, count, planes, elements),
    }
}

#[expect(clippy::inline_always, reason = "as what calls it")]
#[inline(always)]
fn join2(count: usize, planes: &[u8], elements: &mut [u8]) {
    let (low, high) = planes.split_at(count);
    for ((element, low), high) in elements.as_chunks_mut::<2>().0.iter_mut().zip(low).zip(high) {
        *element = (u16::from(*low) | (u16::from(*high) << 8)).to_le_bytes();
    }
}

#[expect(clippy::inline_always, reason = "as what calls it")]
#[inline(always)]
fn join4(count: usize, planes: &[u8], elements: &mut [u8]) {
    let (low, high) = planes.split_at(count.saturating_mul(2));
    let ((a, b), (c, d)) = (low.split_at(count), high.split_at(count));
    for ((((element, a), b), c), d) in elements.as_chunks_mut::<4>().0.iter_mut().zip(a).zip(b).zip(c).zip(d)
    {
        let low = u32::from(*a) | (u32::from(*b) << 8);
        *element = (low | (u32::from(*c) << 16) | (u32::from(*d) << 24)).to_le_bytes();
    }
}

/// Eight planes become four planes of pairs, then those become elements, a block at a time.
#[expect(clippy::inline_always, reason = "as what calls it")]
#[inline(always)]
fn join8(count: usize, planes: &[u8], elements: &mut [u8]) {
    let mut pairs = [[0_u16; BLOCK]; 4];
    for (start, out) in (0..count).step_by(BLOCK).zip(elements.as_chunks_mut::<8>().0.chunks_mut(BLOCK)) {
        for (pair, two) in pairs.iter_mut().zip(planes.chunks_exact(count.saturating_mul(2))) {
            let (low, high) = two.split_at(count);
            let (low, high) = (low.iter().skip(start), high.iter().skip(start));
            for ((pair, low), high) in pair.iter_mut().zip(low).zip(high) {
                *pair = u16::from(*low) | (u16::from(*high) << 8);
            }
        }
        let [a, b, c, d] = &pairs;
        for ((((element, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let low = u64::from(*a) | (u64::from(*b) << 16);
            *element = (low | (u64::from(*c) << 32) | (u64::from(*d) << 48)).to_le_bytes();
        }
    }
}

fn join(size: usize, count: usize, planes: &[u8], elements: &mut [u8]) {
    for (start, out) in (0..count).step_by(BLOCK).zip(elements.chunks_mut(BLOCK.saturating_mul(size))) {
        for (position, plane) in planes.chunks_exact(count).enumerate() {
            let bytes = plane.get(start..).unwrap_or_default();
            for (to, from) in out.iter_mut().skip(position).step_by(size).zip(bytes) {
                *to = *from;
            }
        }
    }
}

/// From elements of `size` bytes to byte planes; a part of an element at the end is copied.
pub(super) fn shuffle(size: usize, input: &[u8], out: &mut [u8]) {
    debug_assert_eq!(input.len(), out.len(), "shuffling keeps the length");
    let count = input.len().checked_div(size).unwrap_or(0);
    if size == 1 || count <= 1 {
        out.copy_from_slice(input);
        return;
    }
    let (elements, rest) = input.split_at_checked(count.saturating_mul(size)).unwrap_or((input, &[]));
    let (planes, tail) = out.split_at_mut(elements.len());
    tail.copy_from_slice(rest);
    match size {
        2 => split2(count, elements, planes),
        4 => split4(count, elements, planes),
        8 => split8(count, elements, planes),
        _ => split(size, count, elements, planes),
    }
}

// Shifts rather than the bytes of an array: they become vector instructions.

fn low_byte(value: u32) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}

fn split2(count: usize, elements: &[u8], planes: &mut [u8]) {
    let (low, high) = planes.split_at_mut(count);
    for ((element, low), high) in elements.as_chunks::<2>().0.iter().zip(low).zip(high) {
        let value = u32::from(u16::from_le_bytes(*element));
        (*low, *high) = (low_byte(value), low_byte(value >> 8));
    }
}

fn split4(count: usize, elements: &[u8], planes: &mut [u8]) {
    let (low, high) = planes.split_at_mut(count.saturating_mul(2));
    let ((a, b), (c, d)) = (low.split_at_mut(count), high.split_at_mut(count));
    for ((((element, a), b), c), d) in elements.as_chunks::<4>().0.iter().zip(a).zip(b).zip(c).zip(d) {
        let value = u32::from_le_bytes(*element);
        (*a, *b, *c, *d) =
            (low_byte(value), low_byte(value >> 8), low_byte(value >> 16), low_byte(value >> 24));
    }
}

/// Elements become four planes of pairs, then those become eight planes, a block at a time.
fn split8(count: usize, elements: &[u8], planes: &mut [u8]) {
    let low_pair = |value: u64| u16::try_from(value & 0xffff).unwrap_or(0);
    let mut pairs = [[0_u16; BLOCK]; 4];
    for (start, block) in (0..count).step_by(BLOCK).zip(elements.as_chunks::<8>().0.chunks(BLOCK)) {
        let [a, b, c, d] = &mut pairs;
        for ((((element, a), b), c), d) in block.iter().zip(a).zip(b).zip(c).zip(d) {
            let value = u64::from_le_bytes(*element);
            (*a, *b, *c, *d) =
                (low_pair(value), low_pair(value >> 16), low_pair(value >> 32), low_pair(value >> 48));
        }
        for (pair, two) in pairs.iter().zip(planes.chunks_exact_mut(count.saturating_mul(2))) {
            let (low, high) = two.split_at_mut(count);
            let (low, high) = (low.iter_mut().skip(start), high.iter_mut().skip(start));
            for ((pair, low), high) in pair.iter().take(block.len()).zip(low).zip(high) {
                (*low, *high) = (low_byte(u32::from(*pair)), low_byte(u32::from(*pair >> 8)));
            }
        }
    }
}

fn split(size: usize, count: usize, elements: &[u8], planes: &mut [u8]) {
    for (position, plane) in planes.chunks_exact_mut(count).enumerate() {
        for (to, from) in plane.iter_mut().zip(elements.iter().skip(position).step_by(size)) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{join_any, shuffle, unshuffle};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shuffled_is_unshuffled(size in 1_usize..20, data in proptest::collection::vec(any::<u8>(), 0..9000)) {
            let mut stored = vec![0; data.len()];
            shuffle(size, &data, &mut stored);
            let mut back = vec![0; data.len()];
            unshuffle(size, &stored, &mut back);
            prop_assert_eq!(back, data);
        }
    }

    proptest! {
        #[test]
        fn the_widest_vectors_join_as_plain_code_does(
            size in 1_usize..17, data in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            let count = data.len() / size;
            let planes = &data[..count * size];
            let (mut wide, mut plain) = (vec![0; planes.len()], vec![0; planes.len()]);
            unshuffle(size, planes, &mut wide);
            if count > 1 {
                join_any(size, count, planes, &mut plain);
                prop_assert_eq!(wide, plain);
            }
        }
    }

    #[test]
    fn planes_are_in_byte_order_and_a_partial_element_stays_behind() {
        let mut stored = [0; 7];
        shuffle(3, &[1, 2, 3, 4, 5, 6, 7], &mut stored);
        assert_eq!(stored, [1, 4, 2, 5, 3, 6, 7]);
    }
}
