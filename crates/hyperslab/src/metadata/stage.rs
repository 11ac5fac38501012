//! [`Stage`]: the order in which what was staged reaches the file.

use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::storage::WriteAt;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// When a staged structure may reach the file; lower stages are written first.
///
/// What a structure points at is of a lower stage, so a reader never follows an address to bytes
/// that are not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Element data.
    Data,
    /// Blocks nothing in the file refers to yet.
    NewBlock,
    /// Object headers, which make their blocks reachable.
    ObjectHeader,
    /// The superblock, which makes the file one.
    Superblock,
}

/// Allocates at the end of the file's contents, which alignment keeps at multiples of this.
const ALIGNMENT: u64 = 8;

/// What waits to be written, and where the file ends.
#[derive(Debug)]
pub(crate) struct Staged {
    storage: Arc<dyn WriteAt>,
    end: u64,
    waiting: BTreeMap<(Stage, u64), Vec<u8>>,
    failed: bool,
}

impl Staged {
    pub(crate) fn new(storage: Arc<dyn WriteAt>, end: u64) -> Self {
        Self { storage, end, waiting: BTreeMap::new(), failed: false }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn allocate(&mut self, length: usize) -> Result<Address> {
        let start = self.end.next_multiple_of(ALIGNMENT);
        self.end =
            start.checked_add(length as u64).ok_or_else(|| Error::limit("the file would pass 2^64 bytes"))?;
        Ok(Address(start))
    }

    pub(crate) fn put(&mut self, stage: Stage, address: Address, bytes: Vec<u8>) {
        self.waiting.insert((stage, address.0), bytes);
    }

    /// Staged bytes, when a staged structure begins at `address` and is long enough.
    pub(crate) fn get(&self, address: Address, length: usize) -> Option<Vec<u8>> {
        let stages = [Stage::Superblock, Stage::ObjectHeader, Stage::NewBlock, Stage::Data];
        stages.iter().find_map(|stage| {
            let bytes = self.waiting.get(&(*stage, address.0))?;
            bytes.get(..length).map(<[u8]>::to_vec)
        })
    }

    /// Writes what waits in order of stage and address; after an error nothing is written any more.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed, so the file is not written any more"));
        }
        self.failed = true;
        self.storage.set_len(self.end)?;
        for ((_, address), bytes) in &self.waiting {
            self.storage.write_at(*address, bytes)?;
        }
        self.waiting.clear();
        self.failed = false;
        Ok(())
    }
}
