//! [`Cache`]: decoded structures by address, up to a size.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Decoded, immutable structures of one owner, dropped all at once when they grow too many.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    limit: usize,
    held: Mutex<Held<T>>,
}

#[derive(Debug)]
struct Held<T> {
    weight: usize,
    entries: HashMap<u64, Arc<T>>,
}

impl<T> Cache<T> {
    /// Holds about `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: Mutex::new(Held { weight: 0, entries: HashMap::new() }) }
    }

    pub(crate) fn get(&self, key: u64) -> Option<Arc<T>> {
        self.held.lock().entries.get(&key).map(Arc::clone)
    }

    /// Keeps a structure of `weight` bytes, in place of all others when they leave no room.
    pub(crate) fn keep(&self, key: u64, value: &Arc<T>, weight: usize) {
        let mut held = self.held.lock();
        if held.weight.saturating_add(weight) > self.limit {
            held.weight = 0;
            held.entries.clear();
        }
        held.insert(key, value, weight);
    }

    /// Keeps a structure of `weight` bytes when there is room: what one long walk meets.
    pub(crate) fn offer(&self, key: u64, value: &Arc<T>, weight: usize) {
        let mut held = self.held.lock();
        if held.weight.saturating_add(weight) <= self.limit {
            held.insert(key, value, weight);
        }
    }
}

impl<T> Held<T> {
    fn insert(&mut self, key: u64, value: &Arc<T>, weight: usize) {
        if self.entries.insert(key, Arc::clone(value)).is_none() {
            self.weight = self.weight.saturating_add(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use std::sync::Arc;

    #[test]
    fn a_full_cache_is_emptied_by_what_must_be_kept_and_refuses_what_is_offered() {
        let cache = Cache::new(100);
        cache.keep(1, &Arc::new('a'), 60);
        cache.offer(2, &Arc::new('b'), 60);
        assert_eq!((cache.get(1).as_deref(), cache.get(2)), (Some(&'a'), None));
        cache.keep(3, &Arc::new('c'), 60);
        assert_eq!((cache.get(1), cache.get(3).as_deref()), (None, Some(&'c')));
    }
}
