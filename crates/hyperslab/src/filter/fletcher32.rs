//! Fletcher32 (3): a checksum after the data, four bytes.

use crate::error::{Error, Result};

/// The sums stay within 32 bits for this many 16-bit words before they are folded.
const WORDS_PER_FOLD: usize = 360;

/// The data before the checksum, once it is verified.
///
/// Files written on little-endian machines before libhdf5 1.6.3 hold the sum with the bytes of each half
/// exchanged; both are right.
pub(super) fn verified(input: &[u8]) -> Result<&[u8]> {
    let Some((data, stored)) = input.split_last_chunk::<4>() else {
        return Err(Error::malformed(format!("{} bytes hold no checksum of 4 bytes", input.len())));
    };
    let stored = u32::from_le_bytes(*stored);
    let sum = fletcher32(data);
    if stored == sum || stored == halves_exchanged(sum) || cfg!(fuzzing) {
        return Ok(data);
    }
    Err(Error::malformed(format!("checksum is {stored:#x}, its bytes give {sum:#x}")))
}

/// The data and its checksum.
pub(super) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(raw.len().saturating_add(4));
    stored.extend_from_slice(raw);
    stored.extend_from_slice(&fletcher32(raw).to_le_bytes());
    stored
}

/// The sum over big-endian 16-bit words; an odd last byte is the high half of a word.
fn fletcher32(data: &[u8]) -> u32 {
    let (words, rest) = data.as_chunks::<2>();
    let (mut low, mut high) = (0_u32, 0_u32);
    for block in words.chunks(WORDS_PER_FOLD) {
        for word in block {
            low = low.wrapping_add(u32::from(u16::from_be_bytes(*word)));
            high = high.wrapping_add(low);
        }
        (low, high) = (fold(low), fold(high));
    }
    if let [odd] = rest {
        low = low.wrapping_add(u32::from(*odd) << 8);
        high = high.wrapping_add(low);
        (low, high) = (fold(low), fold(high));
    }
    (fold(high) << 16) | fold(low)
}

fn fold(sum: u32) -> u32 {
    (sum & 0xffff).wrapping_add(sum >> 16)
}

fn halves_exchanged(sum: u32) -> u32 {
    let [a, b, c, d] = sum.to_le_bytes();
    u32::from_le_bytes([b, a, d, c])
}

#[cfg(test)]
mod tests {
    use super::{encode, fletcher32, halves_exchanged, verified};

    #[test]
    fn the_old_sum_with_exchanged_bytes_is_accepted() {
        let mut stored = b"detector".to_vec();
        stored.extend_from_slice(&halves_exchanged(fletcher32(b"detector")).to_le_bytes());
        assert_eq!(verified(&stored).unwrap(), b"detector");
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut stored = encode(b"detector!");
        stored[3] ^= 1;
        assert!(verified(&stored).unwrap_err().to_string().contains("checksum is"));
    }
}
