//! [`Live`]: what a file needs besides while others read what it grows into.

use crate::format::bytes::{Address, Sink, Wire};
use crate::format::superblock::Superblock;
use crate::metadata::space::Space;
use crate::storage::WriteAt;
use std::collections::{BTreeSet, HashMap};
use std::io;

/// The owner of what belongs to no single object, or to several.
pub(crate) const SHARED: Address = Address(0);
/// Bytes of blocks that are kept; when there are more, all are dropped.
const KEPT: usize = 8 << 20;
/// The end that is announced lies at such a multiple.
const STEP: u64 = 4096;

/// A file that others read while it is written.
///
/// Spec: II.A "Superblock", consistency flags and end of file address.
#[derive(Debug)]
pub(crate) struct Live {
    /// As it is on disk, but for the end it announces.
    superblock: Superblock,
    /// The end readers were told: the file is as long, and nothing beyond it is reachable.
    announced: u64,
    /// Bytes that are announced beyond what is in use, at least.
    headroom: u64,
    /// Where the other home of a block is that moves between two.
    pub(crate) homes: HashMap<u64, u64>,
    /// By home of what has parts: those that changed since it moved there, so are older in its other home.
    touched: HashMap<u64, BTreeSet<u64>>,
    /// Blocks as they are on disk, which will change again.
    kept: HashMap<u64, Vec<u8>>,
    kept_bytes: usize,
    /// Element data that no index on disk leads to yet: owner, start and length.
    data: Vec<(Address, u64, u64)>,
}

impl Live {
    pub(crate) fn new(superblock: Superblock, headroom: u64) -> Self {
        Self {
            superblock,
            announced: 0,
            headroom,
            homes: HashMap::new(),
            touched: HashMap::new(),
            kept: HashMap::new(),
            kept_bytes: 0,
            data: Vec::new(),
        }
    }

    /// Tells readers of an end of file at `end` or beyond, before anything there can be reached. A writer
    /// that dies leaves a file that is as long as it says.
    pub(crate) fn announce(
        &mut self,
        storage: &dyn WriteAt,
        (base, end): (u64, u64),
    ) -> io::Result<Option<(u64, u64)>> {
        if end <= self.announced {
            return Ok(None);
        }
        let announced = end.saturating_add(self.headroom.max(end / 4)).next_multiple_of(STEP);
        let length = base.saturating_add(announced);
        let superblock = Superblock { end_of_file: Some(Address(length)), ..self.superblock.clone() };
        let mut sink = Sink::new(superblock.widths);
        superblock.write(&mut sink).map_err(io::Error::other)?;
        if storage.len()? < length {
            storage.set_len(length)?;
        }
        let bytes = sink.into_bytes();
        let mut before = vec![0; bytes.len()];
        storage.read_at(base, &mut before)?;
        storage.write_at(base, &bytes).inspect_err(|_| {
            // The first error is the one to tell, and the next flush tries again.
            let _ = storage.write_at(base, &before);
        })?;
        self.announced = announced;
        Ok(Some((base, bytes.len() as u64)))
    }

    /// The part at an offset of what begins at an address changes.
    pub(crate) fn touch(&mut self, address: u64, offset: u64) {
        self.touched.entry(address).or_default().insert(offset);
    }

    /// What moves away from an address: the offsets of its parts that its other home, if there is one, has
    /// not as they are.
    pub(crate) fn behind(&mut self, address: u64) -> Option<BTreeSet<u64>> {
        let touched = self.touched.remove(&address);
        self.homes.contains_key(&address).then(|| touched.unwrap_or_default())
    }

    /// Keeps a block that was just written.
    pub(crate) fn keep(&mut self, address: u64, bytes: Vec<u8>) {
        if self.kept_bytes > KEPT {
            self.forget_all();
        }
        self.kept_bytes = self.kept_bytes.saturating_add(bytes.len());
        self.kept.insert(address, bytes);
    }

    /// The block at an address, if it is kept.
    pub(crate) fn block(&self, address: u64) -> Option<&[u8]> {
        self.kept.get(&address).map(Vec::as_slice)
    }

    /// Takes the block of `length` bytes at an address out, to change it.
    pub(crate) fn take(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.kept.get(&address).filter(|bytes| bytes.len() == length)?;
        self.forget(address)
    }

    /// The block at an address becomes another one.
    pub(crate) fn forget(&mut self, address: u64) -> Option<Vec<u8>> {
        let bytes = self.kept.remove(&address)?;
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes.len());
        Some(bytes)
    }

    pub(crate) fn forget_all(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }

    /// Element data of an owner was allocated.
    pub(crate) fn allocated(&mut self, owner: Address, start: Address, length: u64) {
        self.data.push((owner, start.0, length));
    }

    /// The element data of some owners is part of the file on disk from now on.
    pub(crate) fn publish_data(&mut self, owners: &[Address], space: &mut Space) {
        self.data.retain(|(owner, start, length)| {
            let gone = owners.contains(owner);
            if gone {
                space.publish(*start, *length);
            }
            !gone
        });
    }

    /// All element data is.
    pub(crate) fn published(&mut self) {
        self.data.clear();
    }
}
