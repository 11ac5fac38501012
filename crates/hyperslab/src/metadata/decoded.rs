//! [`Decoded`]: structures by address, as long as their bytes stay what they are.

use parking_lot::Mutex;
use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
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
    entries: HashMap<u64, (Arc<dyn Any + Send + Sync>, usize), BuildHasherDefault<AddressHasher>>,
}

/// Spreads addresses over a table; nobody gains by making them collide, as each is looked at once.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, address: u64) {
        let mixed = (self.0 ^ address).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed.wrapping_shr(32);
    }
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
        decoded.forget(16);
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
