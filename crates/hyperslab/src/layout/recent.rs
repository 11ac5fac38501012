//! [`Recent`]: decoded chunks of the last small reads of a thread.

use crate::error::{Error, Result};
use crate::index::StoredChunk;
use crate::layout::execute::Identity;

/// Bytes that are kept.
pub(crate) const BYTES: usize = 4 << 20;
/// Chunks that are kept; looking for one is going through all.
const CHUNKS: usize = 32;

/// What tells a chunk from all others.
type Key = (Identity, StoredChunk);

/// Decoded chunks, the last one used at the end.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    chunks: Vec<(Key, Vec<u8>)>,
    bytes: usize,
    /// What was spent on reading from chunks that are not here, the last one used at the end.
    spent: Vec<(Key, u64)>,
}

impl Recent {
    /// A chunk of `length` bytes, by `decode` when it is not here.
    pub(crate) fn get(
        &mut self,
        chunk: Key,
        length: usize,
        decode: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<&[u8]> {
        let here = self.chunks.iter().rposition(|(key, bytes)| *key == chunk && bytes.len() == length);
        let found = if let Some(at) = here {
            self.chunks.remove(at)
        } else {
            let mut bytes = vec![0; length];
            decode(&mut bytes)?;
            self.take_spent(chunk);
            self.make_room(length);
            self.bytes += length;
            (chunk, bytes)
        };
        self.chunks.push(found);
        self.chunks.last().map(|(_, bytes)| bytes.as_slice()).ok_or_else(|| Error::usage("no chunk"))
    }

    /// Whether a chunk that can be read without keeping it is here, or better had been: what was read of it
    /// before this, which costs `cost` bytes, has cost as much as all of it. So keeping chunks at most doubles
    /// what is read, and a chunk that is read once is not kept.
    pub(crate) fn pays(&mut self, chunk: Key, cost: u64) -> bool {
        if self.chunks.iter().any(|(key, _)| *key == chunk) {
            return true;
        }
        let spent = self.take_spent(chunk);
        if self.spent.len() >= CHUNKS {
            self.spent.remove(0);
        }
        self.spent.push((chunk, spent.saturating_add(cost)));
        spent >= chunk.1.size
    }

    fn take_spent(&mut self, chunk: Key) -> u64 {
        let at = self.spent.iter().rposition(|(key, _)| *key == chunk);
        at.map_or(0, |at| self.spent.remove(at).1)
    }

    /// Forgets what was used longest ago.
    fn make_room(&mut self, length: usize) {
        while !self.chunks.is_empty() && (self.bytes + length > BYTES || self.chunks.len() >= CHUNKS) {
            let (_, bytes) = self.chunks.remove(0);
            self.bytes -= bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, CHUNKS, Recent};
    use crate::error::Error;
    use crate::format::bytes::Address;
    use crate::index::StoredChunk;
    use crate::layout::execute::Identity;

    fn chunk(at: u64) -> StoredChunk {
        StoredChunk { address: Address(at), size: 9, filter_mask: 0 }
    }

    #[test]
    fn a_chunk_is_decoded_once_while_it_is_used() {
        let (mut recent, dataset) = (Recent::default(), Identity::fresh());
        let mut decoded = 0;
        for _ in 0..3 {
            let bytes = recent.get((dataset, chunk(1)), 4, |bytes| {
                decoded += 1;
                bytes.fill(7);
                Ok(())
            });
            assert_eq!(bytes.unwrap(), [7; 4]);
        }
        assert_eq!(decoded, 1);
        for at in 0..CHUNKS as u64 {
            recent.get((dataset, chunk(100 + at)), 4, |_| Ok(())).unwrap();
        }
        assert_eq!(recent.get((dataset, chunk(1)), 4, |_| Ok(())).unwrap(), [0; 4]);
        assert!(recent.chunks.len() <= CHUNKS);
    }

    #[test]
    fn another_dataset_another_place_or_another_length_is_another_chunk() {
        let (mut recent, dataset) = (Recent::default(), Identity::fresh());
        recent.get((dataset, chunk(1)), 4, |_| Ok(())).unwrap();
        for (key, length) in
            [((Identity::fresh(), chunk(1)), 4), ((dataset, chunk(2)), 4), ((dataset, chunk(1)), 5)]
        {
            let mut asked = false;
            recent
                .get(key, length, |_| {
                    asked = true;
                    Ok(())
                })
                .unwrap();
            assert!(asked);
        }
    }

    #[test]
    fn a_chunk_pays_once_what_was_read_of_it_has_cost_as_much_as_all_of_it() {
        let (mut recent, dataset) = (Recent::default(), Identity::fresh());
        let (one, other) = ((dataset, chunk(1)), (dataset, chunk(2)));
        assert!(!recent.pays(one, 4) && !recent.pays(other, 8) && !recent.pays(one, 5));
        assert!(recent.pays(one, 1), "nine bytes before");
        assert!(recent.pays(one, 0), "until it is here");
        recent.get(one, 9, |_| Ok(())).unwrap();
        assert!(recent.pays(one, 0) && !recent.pays(other, 1) && recent.spent.len() == 1);
        for at in 0..2 * CHUNKS as u64 {
            assert!(!recent.pays((dataset, chunk(100 + at)), 8));
        }
        assert_eq!(recent.spent.len(), CHUNKS);
        assert!(!recent.pays((dataset, chunk(100)), 8), "it was forgotten");
    }

    #[test]
    fn what_cannot_be_decoded_is_not_kept_and_memory_stays_bounded() {
        let (mut recent, dataset) = (Recent::default(), Identity::fresh());
        assert!(recent.get((dataset, chunk(1)), 4, |_| Err(Error::malformed("broken"))).is_err());
        assert!(recent.chunks.is_empty());
        for at in 0..9 {
            recent.get((dataset, chunk(at)), BYTES / 3, |_| Ok(())).unwrap();
            assert!(recent.bytes <= BYTES);
        }
        assert_eq!(recent.chunks.len(), 3);
    }
}
