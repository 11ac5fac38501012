//! [`Decoded`]: structures by address, as long as their bytes stay what they are.

use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of decoded structures one file keeps; when there are more, all are dropped.
const KEPT: usize = 64 << 20;

/// Decoded, immutable structures of one file, of any type.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    weight: usize,
    entries: BTreeMap<u64, (Arc<dyn Any + Send + Sync>, usize)>,
}

impl Decoded {
    /// What is at `address`, when it was decoded as a `T`.
    pub(crate) fn get<T: Any + Send + Sync>(&self, address: u64) -> Option<Arc<T>> {
        let held = self.held.lock();
        let (value, _) = held.entries.get(&address)?;
        Arc::clone(value).downcast().ok()
    }

    /// Keeps a structure of about `weight` bytes.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, address: u64, value: &Arc<T>, weight: usize) {
        let mut held = self.held.lock();
        if held.weight.saturating_add(weight) > KEPT {
            held.weight = 0;
            held.entries.clear();
        }
        let value: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(value);
        if let Some((_, before)) = held.entries.insert(address, (value, weight)) {
            held.weight = held.weight.saturating_sub(before);
        }
        held.weight = held.weight.saturating_add(weight);
    }

    /// The bytes at `address` changed.
    pub(crate) fn forget(&self, address: u64) {
        let mut held = self.held.lock();
        if let Some((_, weight)) = held.entries.remove(&address) {
            held.weight = held.weight.saturating_sub(weight);
        }
    }

    /// The bytes of a range changed.
    pub(crate) fn forget_range(&self, address: u64, length: u64) {
        let mut held = self.held.lock();
        let inside: Vec<u64> =
            held.entries.range(address..address.saturating_add(length)).map(|(at, _)| *at).collect();
        for at in inside {
            if let Some((_, weight)) = held.entries.remove(&at) {
                held.weight = held.weight.saturating_sub(weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoded, KEPT};
    use std::sync::Arc;

    #[test]
    fn what_changed_is_forgotten_and_another_type_is_not_found() {
        let decoded = Decoded::default();
        decoded.keep(8, &Arc::new('a'), 10);
        decoded.keep(16, &Arc::new('b'), 10);
        assert_eq!(decoded.get::<char>(8).as_deref(), Some(&'a'));
        assert_eq!(decoded.get::<u8>(8), None);
        decoded.forget(8);
        decoded.forget_range(10, 8);
        assert_eq!((decoded.get::<char>(8), decoded.get::<char>(16)), (None, None));
        assert_eq!(decoded.held.lock().weight, 0);
    }

    #[test]
    fn what_does_not_fit_takes_the_place_of_all_others() {
        let decoded = Decoded::default();
        decoded.keep(8, &Arc::new('a'), KEPT);
        decoded.keep(16, &Arc::new('b'), 1);
        assert_eq!((decoded.get::<char>(8), decoded.get::<char>(16).as_deref()), (None, Some(&'b')));
    }
}
