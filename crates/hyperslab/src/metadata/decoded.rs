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
    entries: HashMap<u64, Entry, BuildHasherDefault<AddressHasher>>,
}

#[derive(Debug)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    weight: usize,
    seen: Seen,
}

/// When a structure was read, and how to tell whether it is still what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The generation in which its bytes were read; always the same in a file nobody else writes.
    pub(crate) generation: u64,
    pub(crate) seal: Option<Sealed>,
}

/// The length of a block, and the checksum it ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) length: usize,
    pub(crate) sum: [u8; 4],
}

/// What is known of a structure that was decoded before.
#[derive(Debug)]
pub(crate) enum Known<T> {
    /// It is what the file has.
    Sure(Arc<T>),
    /// It is, if the block there still ends with this checksum.
    Unsure(Arc<T>, Sealed),
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
    /// What is at `address`, when it was decoded as a `T` and the bytes of that generation are known.
    pub(crate) fn get<T: Any + Send + Sync>(&self, address: u64, generation: u64) -> Option<Known<T>> {
        let held = self.held.lock();
        let Entry { value, seen, .. } = held.entries.get(&address)?;
        let seen = *seen;
        let value = Arc::clone(value);
        drop(held);
        let value = value.downcast().ok()?;
        if seen.generation == generation {
            return Some(Known::Sure(value));
        }
        seen.seal.map(|seal| Known::Unsure(value, seal))
    }

    /// The structure at `address` was found to be what the file of this generation has.
    pub(crate) fn confirm<T>(&self, address: u64, value: &Arc<T>, generation: u64) {
        let mut held = self.held.lock();
        if let Some(entry) = held.entries.get_mut(&address)
            && std::ptr::addr_eq(Arc::as_ptr(&entry.value), Arc::as_ptr(value))
        {
            entry.seen.generation = entry.seen.generation.max(generation);
        }
    }

    /// Keeps a structure of about `weight` bytes.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, address: u64, value: &Arc<T>, weight: usize, seen: Seen) {
        let mut held = self.held.lock();
        if held.weight.saturating_add(weight) > KEPT {
            held.weight = 0;
            held.entries.clear();
        }
        let value: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(value);
        if let Some(before) = held.entries.insert(address, Entry { value, weight, seen }) {
            held.weight = held.weight.saturating_sub(before.weight);
        }
        held.weight = held.weight.saturating_add(weight);
    }

    /// The bytes at `address` changed.
    pub(crate) fn forget(&self, address: u64) {
        let mut held = self.held.lock();
        if let Some(entry) = held.entries.remove(&address) {
            held.weight = held.weight.saturating_sub(entry.weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoded, KEPT, Known, Sealed, Seen};
    use std::any::Any;
    use std::sync::Arc;

    fn get<T: Any + Send + Sync + Copy>(decoded: &Decoded, address: u64) -> Option<T> {
        match decoded.get::<T>(address, 0)? {
            Known::Sure(value) => Some(*value),
            Known::Unsure(..) => None,
        }
    }

    #[test]
    fn what_changed_is_forgotten_and_another_type_is_not_found() {
        let decoded = Decoded::default();
        decoded.keep(8, &Arc::new('a'), 10, Seen::default());
        decoded.keep(16, &Arc::new('b'), 10, Seen::default());
        assert_eq!(get::<char>(&decoded, 8), Some('a'));
        assert_eq!(get::<u8>(&decoded, 8), None);
        decoded.forget(8);
        decoded.forget(16);
        assert_eq!((get::<char>(&decoded, 8), get::<char>(&decoded, 16)), (None, None));
        assert_eq!(decoded.held.lock().weight, 0);
    }

    #[test]
    fn what_does_not_fit_takes_the_place_of_all_others() {
        let decoded = Decoded::default();
        decoded.keep(8, &Arc::new('a'), KEPT, Seen::default());
        decoded.keep(16, &Arc::new('b'), 1, Seen::default());
        assert_eq!((get::<char>(&decoded, 8), get::<char>(&decoded, 16)), (None, Some('b')));
    }

    #[test]
    fn what_an_earlier_generation_saw_is_only_as_good_as_its_checksum() {
        let decoded = Decoded::default();
        let (plain, sealed) = (Arc::new('a'), Arc::new('b'));
        decoded.keep(8, &plain, 1, Seen { generation: 1, seal: None });
        let seal = Some(Sealed { length: 10, sum: *b"sums" });
        decoded.keep(16, &sealed, 1, Seen { generation: 1, seal });
        assert!(matches!(decoded.get::<char>(8, 1), Some(Known::Sure(_))));
        assert!(decoded.get::<char>(8, 2).is_none());
        assert!(matches!(decoded.get::<char>(16, 2), Some(Known::Unsure(_, seal)) if &seal.sum == b"sums"));
        decoded.confirm(16, &Arc::new('b'), 2);
        assert!(matches!(decoded.get::<char>(16, 2), Some(Known::Unsure(..))), "that was another");
        decoded.confirm(16, &sealed, 2);
        assert!(matches!(decoded.get::<char>(16, 2), Some(Known::Sure(_))));
    }
}
