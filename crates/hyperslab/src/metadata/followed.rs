//! Metadata of a file that somebody else writes: nothing is known for longer than a generation.
//!
//! A generation begins when a header was read, and ends when one is read again. What was decoded in an earlier one
//! counts only while the block it was decoded from ends with the same checksum. Bytes are never kept, and the file
//! is as long as it is when it is asked.

use crate::error::Result;
use crate::format::bytes::Address;
use crate::metadata::Metadata;
use crate::metadata::decoded::{Known, Sealed, Seen};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What changes in a file that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    generation: AtomicU64,
    /// Bytes of the file when that was last asked for.
    length: AtomicU64,
    /// How often elements were asked for that no chunk has.
    absences: AtomicU64,
}

impl Followed {
    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }
}

impl Metadata {
    /// The same file, which somebody else may be writing.
    pub(crate) fn with_followed(mut self) -> Self {
        let (generation, length) = (AtomicU64::new(1), AtomicU64::new(self.pages.len()));
        self.followed = Some(Followed { generation, length, absences: AtomicU64::new(0) });
        self
    }

    /// Whether somebody else may be writing the file.
    pub(crate) fn is_followed(&self) -> bool {
        self.followed.is_some()
    }

    pub(super) fn generation(&self) -> u64 {
        self.followed.as_ref().map_or(0, |followed| followed.generation.load(Ordering::Acquire))
    }

    /// Whatever is read from now on is at least as new as what was read until now. In a file nobody else
    /// writes this does nothing.
    pub(crate) fn next_generation(&self) {
        if let Some(followed) = &self.followed {
            followed.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Somebody asked for elements that no chunk has.
    pub(crate) fn note_absence(&self) {
        if let Some(followed) = &self.followed {
            followed.absences.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often that happened.
    pub(crate) fn absences(&self) -> u64 {
        self.followed.as_ref().map_or(0, |followed| followed.absences.load(Ordering::Relaxed))
    }

    /// Whether the file has bytes up to the address `end`; one that is followed is measured again if it had not.
    pub(crate) fn reaches(&self, end: u64) -> bool {
        if end <= self.end() {
            return true;
        }
        let Some(followed) = &self.followed else { return false };
        let Ok(length) = self.storage().len() else { return false };
        followed.length.store(length, Ordering::Release);
        end <= length.saturating_sub(self.base)
    }

    /// As [`decoded`](Self::decoded), of a block of `length` bytes whose last four are its checksum.
    pub(crate) fn decoded_block<T: Any + Send + Sync>(
        &self,
        address: Address,
        length: usize,
        read: impl FnOnce(&[u8]) -> Result<(T, usize)>,
    ) -> Result<Arc<T>> {
        let generation = self.generation();
        match self.decoded.get(address.0, generation) {
            Some(Known::Sure(found)) => return Ok(found),
            Some(Known::Unsure(found, seal)) if seal.length == length && self.ends_with(address, &seal) => {
                self.decoded.confirm(address.0, &found, generation);
                return Ok(found);
            }
            _ => {}
        }
        let bytes = self.read(address, length)?;
        let (value, weight) = read(&bytes)?;
        let value = Arc::new(value);
        let sum = bytes.last_chunk::<4>().filter(|_| self.is_followed());
        let seal = sum.map(|sum| Sealed { length, sum: *sum });
        self.decoded.keep(address.0, &value, weight, Seen { generation, seal });
        Ok(value)
    }

    /// Whether the block at `address` has the same checksum as before.
    fn ends_with(&self, address: Address, seal: &Sealed) -> bool {
        let end = self.base.checked_add(address.0).and_then(|start| start.checked_add(seal.length as u64));
        let Some(offset) = end.and_then(|end| end.checked_sub(4)) else { return false };
        let mut sum = [0; 4];
        self.storage().read_at(offset, &mut sum).is_ok() && sum == seal.sum
    }

    /// Whether the file still has these bytes at `address`.
    pub(crate) fn has_still(&self, address: Address, bytes: &[u8]) -> bool {
        let Some(offset) = self.base.checked_add(address.0) else { return false };
        let storage = self.storage();
        // Most headers fit here, and what is asked for all the time should not allocate.
        let mut small = [0; 512];
        if let Some(small) = small.get_mut(..bytes.len()) {
            return storage.read_at(offset, small).is_ok() && *small == *bytes;
        }
        let mut large = vec![0; bytes.len()];
        storage.read_at(offset, &mut large).is_ok() && large == bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::format::bytes::{Address, Widths};
    use crate::metadata::Metadata;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::pages::Pages;
    use crate::storage::{ReadAt, WriteAt};
    use std::sync::Arc;

    fn followed(bytes: &[u8]) -> (Arc<MemoryStorage>, Metadata) {
        let storage = Arc::new(MemoryStorage::new(bytes.to_vec()));
        let pages = Pages::new(Arc::clone(&storage) as Arc<dyn ReadAt>).unwrap();
        (storage, Metadata::new(pages, 0, Widths::EIGHT).with_followed())
    }

    #[test]
    fn a_file_that_grew_is_read_to_its_new_end() {
        let (storage, md) = followed(b"0123");
        assert!(md.read(Address(2), 4).is_err());
        storage.write_at(4, b"4567").unwrap();
        assert_eq!(md.read(Address(2), 4).unwrap(), b"2345");
        assert_eq!(md.read_up_to(Address(6), 10).unwrap(), b"67");
        storage.write_at(2, b"x").unwrap();
        assert_eq!(md.read(Address(2), 4).unwrap(), b"x345", "no byte is kept");
    }

    #[test]
    fn a_block_is_decoded_again_only_once_its_checksum_is_another() {
        let (storage, md) = followed(b"contents-sum");
        let mut decoded = 0;
        let mut block = |md: &Metadata| {
            let found = md.decoded_block(Address(0), 12, |bytes| {
                decoded += 1;
                Ok((bytes.to_vec(), 12))
            });
            (found.unwrap(), decoded)
        };
        assert_eq!(block(&md).1, 1);
        md.next_generation();
        assert_eq!(block(&md).1, 1);
        storage.write_at(0, b"CONTENTS+sum").unwrap();
        assert_eq!(block(&md).1, 1, "in this generation it was looked at");
        storage.write_at(8, b"+SUM").unwrap();
        md.next_generation();
        let (found, times) = block(&md);
        assert_eq!((found.as_slice(), times), (b"CONTENTS+SUM".as_slice(), 2));
    }

    #[test]
    fn what_was_read_before_a_generation_began_is_not_part_of_it() {
        let (storage, md) = followed(b"contents-sum");
        let old = md.decoded_block(Address(0), 12, |bytes| {
            // Somebody else writes the block and refreshes meanwhile.
            storage.write_at(0, b"CONTENTS+sum").unwrap();
            md.next_generation();
            Ok((bytes.to_vec(), 12))
        });
        assert_eq!(*old.unwrap(), b"contents-sum");
        let new = md.decoded_block(Address(0), 12, |bytes| Ok((bytes.to_vec(), 12)));
        assert_eq!(*new.unwrap(), b"CONTENTS+sum");
    }
}
