//! Transposing bits: elements to bit planes and back, as bitshuffle orders them.
//!
//! For each byte of an element and each bit of it, lowest first, one row: bit `i` of byte `k` of the row
//! belongs to element `8k + i`.

use crate::filter::pipeline::room;
use crate::filter::shuffle;
use crate::filter::widest::widest;

/// Rows to elements of `size` bytes; the number of elements is a multiple of eight, `out` as long as `input`.
pub(super) fn unshuffle(size: usize, input: &[u8], out: &mut [u8], planes: &mut Vec<u8>) {
    debug_assert_eq!(input.len(), out.len(), "shuffling keeps the length");
    let count = input.len().checked_div(size).unwrap_or(0);
    if count == 0 {
        return;
    }
    if size == 1 {
        bytes_from_rows(input, out);
        return;
    }
    let planes = room(planes, input.len());
    for (rows, plane) in input.chunks_exact(count).zip(planes.chunks_exact_mut(count)) {
        bytes_from_rows(rows, plane);
    }
    shuffle::unshuffle(size, planes, out);
}

/// Elements of `size` bytes to rows.
pub(super) fn shuffle(size: usize, input: &[u8], out: &mut [u8]) {
    let count = input.len().checked_div(size).unwrap_or(0);
    if count == 0 {
        return;
    }
    let mut planes = vec![0; input.len()];
    shuffle::shuffle(size, input, &mut planes);
    for (plane, rows) in planes.chunks_exact(count).zip(out.chunks_exact_mut(count)) {
        rows_from_bytes(plane, rows);
    }
}

/// Eight rows of bits to one plane of bytes.
fn bytes_from_rows(rows: &[u8], plane: &mut [u8]) {
    widest(
        #[inline(always)]
        || bytes_from_rows_here(rows, plane),
    );
}

#[expect(clippy::inline_always, reason = "it is compiled for each kind of vectors")]
#[inline(always)]
fn bytes_from_rows_here(rows: &[u8], plane: &mut [u8]) {
    let width = rows.len() / 8;
    let mut rows = rows.chunks_exact(width.max(1));
    let mut row = || rows.next().unwrap_or_default().iter();
    let low = row().zip(row()).zip(row()).zip(row());
    let high = row().zip(row()).zip(row()).zip(row());
    let low = low.map(|(((a, b), c), d)| u32::from_le_bytes([*a, *b, *c, *d]));
    let high = high.map(|(((a, b), c), d)| u32::from_le_bytes([*a, *b, *c, *d]));
    for ((to, low), high) in plane.as_chunks_mut::<8>().0.iter_mut().zip(low).zip(high) {
        *to = transpose(u64::from(low) | (u64::from(high) << 32)).to_le_bytes();
    }
}

/// One plane of bytes to eight rows of bits.
fn rows_from_bytes(plane: &[u8], rows: &mut [u8]) {
    let width = rows.len() / 8;
    for (column, bytes) in plane.as_chunks::<8>().0.iter().enumerate() {
        let turned = transpose(u64::from_le_bytes(*bytes)).to_le_bytes();
        for (to, from) in rows.iter_mut().skip(column).step_by(width.max(1)).zip(turned) {
            *to = from;
        }
    }
}

/// Transposes an 8 by 8 matrix of bits, one row in each byte.
fn transpose(matrix: u64) -> u64 {
    let swap = |matrix: u64, shift: u32, mask: u64| {
        let differing = (matrix ^ (matrix >> shift)) & mask;
        matrix ^ differing ^ (differing << shift)
    };
    let matrix = swap(matrix, 7, 0x00aa_00aa_00aa_00aa);
    let matrix = swap(matrix, 14, 0x0000_cccc_0000_cccc);
    swap(matrix, 28, 0x0000_0000_f0f0_f0f0)
}

#[cfg(test)]
mod tests {
    use super::{bytes_from_rows, bytes_from_rows_here, shuffle, unshuffle};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_turned_is_turned_back(size in 1_usize..17, data in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let data = &data[..data.len() / (8 * size) * (8 * size)];
            let (mut rows, mut back) = (vec![0; data.len()], vec![0; data.len()]);
            shuffle(size, data, &mut rows);
            unshuffle(size, &rows, &mut back, &mut Vec::new());
            prop_assert_eq!(back, data);
        }
    }

    proptest! {
        #[test]
        fn the_widest_vectors_turn_as_plain_code_does(data in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let rows = &data[..data.len() / 8 * 8];
            let (mut wide, mut plain) = (vec![0; rows.len()], vec![0; rows.len()]);
            bytes_from_rows(rows, &mut wide);
            bytes_from_rows_here(rows, &mut plain);
            prop_assert_eq!(wide, plain);
        }
    }

    #[test]
    fn the_first_row_holds_the_lowest_bits() {
        let mut rows = [0; 8];
        shuffle(1, &[1, 0, 3, 0, 0, 0, 0, 0x81], &mut rows);
        assert_eq!(rows, [0b1000_0101, 0b0000_0100, 0, 0, 0, 0, 0, 0b1000_0000]);
    }
}
