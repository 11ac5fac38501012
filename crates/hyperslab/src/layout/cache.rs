//! [`ChunkCache`]: decoded chunks of one dataset that were written in part, until they are stored.
//!
//! Without it, appending rows to a compressed chunk would decode and encode it for every row.

use crate::layout::execute::Identity;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of chunks a dataset keeps unless it is told otherwise.
pub(crate) const BUDGET: usize = 4 << 20;

/// Decoded chunks of one dataset, shared by all its handles. Reads must see them.
#[derive(Debug)]
pub(crate) struct ChunkCache {
    /// Bytes that may stay; at least one chunk may, whatever its size, unless this is 0.
    budget: usize,
    kept: Mutex<Kept>,
    /// Tells the stored chunks from those of every other dataset and of every other time.
    identity: Mutex<Identity>,
}

/// A chunk of the cache.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) coords: Vec<u64>,
    pub(crate) bytes: Arc<Vec<u8>>,
    /// The bytes that the file may not have.
    pub(crate) changed: Range<usize>,
}

#[derive(Debug, Default)]
struct Kept {
    chunks: HashMap<Vec<u64>, Chunk>,
    by_age: BTreeMap<u64, Vec<u64>>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Arc<Vec<u8>>,
    /// The bytes that the file may not have.
    changed: Range<usize>,
    age: u64,
}

impl Chunk {
    fn cached(&self, coords: &[u64]) -> Cached {
        Cached { coords: coords.to_vec(), bytes: Arc::clone(&self.bytes), changed: self.changed.clone() }
    }
}

/// The smallest range with both.
pub(crate) fn both(one: Range<usize>, other: Range<usize>) -> Range<usize> {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        _ => one.start.min(other.start)..one.end.max(other.end),
    }
}

impl Default for ChunkCache {
    fn default() -> Self {
        Self::new(BUDGET)
    }
}

impl ChunkCache {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, kept: Mutex::default(), identity: Mutex::new(Identity::fresh()) }
    }

    /// What tells chunks that were decoded from others, for as long as none is stored.
    pub(crate) fn identity(&self) -> Identity {
        *self.identity.lock()
    }

    /// Some chunk is stored anew, perhaps where an old one was.
    pub(crate) fn renew(&self) {
        *self.identity.lock() = Identity::fresh();
    }

    /// Whether some chunk is not stored yet.
    pub(crate) fn is_dirty(&self) -> bool {
        self.kept.lock().chunks.values().any(|chunk| !chunk.changed.is_empty())
    }

    /// A chunk, and whether the file has something else.
    pub(crate) fn get(&self, coords: &[u64]) -> Option<(Arc<Vec<u8>>, bool)> {
        let kept = self.kept.lock();
        kept.chunks.get(coords).map(|chunk| (Arc::clone(&chunk.bytes), !chunk.changed.is_empty()))
    }

    /// All chunks.
    pub(crate) fn all(&self) -> Vec<(Vec<u64>, Arc<Vec<u8>>)> {
        let kept = self.kept.lock();
        kept.chunks.iter().map(|(coords, chunk)| (coords.clone(), Arc::clone(&chunk.bytes))).collect()
    }

    /// The chunks that are not stored yet, in row-major order.
    pub(crate) fn dirty(&self) -> Vec<Cached> {
        let kept = self.kept.lock();
        let dirty = kept.chunks.iter().filter(|(_, chunk)| !chunk.changed.is_empty());
        let mut dirty: Vec<Cached> = dirty.map(|(coords, chunk)| chunk.cached(coords)).collect();
        dirty.sort_by(|one, other| one.coords.cmp(&other.coords));
        dirty
    }

    /// Takes a chunk out to change it, with what of it the file may not have.
    pub(crate) fn take(&self, coords: &[u64]) -> Option<(Vec<u8>, Range<usize>)> {
        let Chunk { bytes, changed, .. } = self.kept.lock().remove(coords)?;
        Some((Arc::try_unwrap(bytes).unwrap_or_else(|shared| shared.to_vec()), changed))
    }

    /// Keeps a chunk, of which the file may not have `changed`.
    pub(crate) fn keep(&self, coords: &[u64], bytes: Vec<u8>, changed: Range<usize>) {
        let mut kept = self.kept.lock();
        kept.remove(coords);
        let age = kept.next;
        kept.next += 1;
        kept.bytes = kept.bytes.saturating_add(bytes.len());
        kept.by_age.insert(age, coords.to_vec());
        kept.chunks.insert(coords.to_vec(), Chunk { bytes: Arc::new(bytes), changed, age });
    }

    /// The file has these chunks now.
    pub(crate) fn stored(&self, chunks: &[Cached]) {
        let mut kept = self.kept.lock();
        for Cached { coords, bytes, .. } in chunks {
            if let Some(chunk) = kept.chunks.get_mut(coords)
                && Arc::ptr_eq(bytes, &chunk.bytes)
            {
                chunk.changed = 0..0;
            }
        }
    }

    /// Forgets a chunk, stored or not.
    pub(crate) fn forget(&self, coords: &[u64]) {
        self.kept.lock().remove(coords);
    }

    /// Forgets chunks, stored or not.
    pub(crate) fn forget_where(&self, gone: impl Fn(&[u64]) -> bool) {
        let mut kept = self.kept.lock();
        let found: Vec<Vec<u64>> = kept.chunks.keys().filter(|coords| gone(coords)).cloned().collect();
        for coords in found {
            kept.remove(&coords);
        }
    }

    /// What must be stored before [`trim`](Self::trim) may forget it: the oldest chunks beyond the budget.
    pub(crate) fn beyond(&self) -> Vec<Cached> {
        let kept = self.kept.lock();
        let mut dirty: Vec<Cached> = Vec::new();
        for coords in kept.beyond(self.budget) {
            if let Some(chunk) = kept.chunks.get(coords).filter(|chunk| !chunk.changed.is_empty()) {
                dirty.push(chunk.cached(coords));
            }
        }
        dirty.sort_by(|one, other| one.coords.cmp(&other.coords));
        dirty
    }

    /// Forgets the oldest chunks beyond the budget that are stored.
    pub(crate) fn trim(&self) {
        let mut kept = self.kept.lock();
        let oldest: Vec<Vec<u64>> = kept.beyond(self.budget).cloned().collect();
        for coords in oldest {
            if kept.chunks.get(&coords).is_some_and(|chunk| chunk.changed.is_empty()) {
                kept.remove(&coords);
            }
        }
    }
}

impl Kept {
    fn remove(&mut self, coords: &[u64]) -> Option<Chunk> {
        let chunk = self.chunks.remove(coords)?;
        self.by_age.remove(&chunk.age);
        self.bytes = self.bytes.saturating_sub(chunk.bytes.len());
        Some(chunk)
    }

    /// The oldest chunks, without which the others fit the budget; the youngest stays if it may.
    fn beyond(&self, budget: usize) -> impl Iterator<Item = &Vec<u64>> {
        let most = if budget == 0 { self.by_age.len() } else { self.by_age.len().saturating_sub(1) };
        let mut left = self.bytes;
        self.by_age.values().take(most).take_while(move |coords| {
            let over = left > budget;
            left = left.saturating_sub(self.chunks.get(*coords).map_or(0, |chunk| chunk.bytes.len()));
            over
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ChunkCache;

    #[test]
    fn the_oldest_chunks_leave_once_they_are_stored() {
        let cache = ChunkCache::new(25);
        for at in 0..4 {
            cache.keep(&[at], vec![0; 10], 0..10);
        }
        cache.keep(&[0], vec![1; 10], 3..4);
        let beyond = cache.beyond();
        assert_eq!(beyond.iter().map(|chunk| chunk.coords[0]).collect::<Vec<_>>(), [1, 2]);
        cache.trim();
        assert_eq!(cache.all().len(), 4);
        cache.stored(&beyond);
        cache.trim();
        assert!(cache.get(&[1]).is_none() && cache.get(&[2]).is_none());
        assert_eq!(cache.get(&[0]).map(|(bytes, dirty)| (bytes[0], dirty)), Some((1, true)));
        assert!(cache.is_dirty());
    }

    #[test]
    fn the_last_chunk_stays_however_large_it_is() {
        let cache = ChunkCache::new(5);
        cache.keep(&[0, 0], vec![0; 10], 0..10);
        assert!(cache.beyond().is_empty());
        cache.keep(&[0, 1], vec![0; 10], 0..10);
        assert_eq!(cache.beyond()[0].coords, [0, 0]);
        let through = ChunkCache::new(0);
        through.keep(&[0], vec![0; 1], 0..1);
        assert_eq!(through.beyond().len(), 1);
    }
}
