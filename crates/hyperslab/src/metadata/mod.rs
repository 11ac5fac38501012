//! Structures at addresses: load them, and stage, allocate and flush what changes.

pub(crate) mod btree_v1;
pub(crate) mod btree_v2;
pub(crate) mod decoded;
mod followed;
pub(crate) mod live;
mod shadow;
pub(crate) mod space;
pub(crate) mod stage;

use crate::error::{Error, Result, to_usize};
use crate::format::btree_v1::TreeK;
use crate::format::bytes::{Address, Body, Bounds, Cursor, Sink, Widths, Wire};
use crate::limits::Limits;
use crate::metadata::decoded::{Decoded, Known, Seen};
use crate::metadata::followed::Followed;
use crate::metadata::space::Space;
use crate::metadata::stage::{Flush, Seal, Stage, Staged};
use crate::storage::pages::Pages;
use crate::storage::{ReadAt, WriteAt};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One of several blocks that move together: its kind, its offset and its length.
pub(crate) type Part = ((Stage, Seal), u64, usize);

/// The metadata of one open file.
#[derive(Debug)]
pub(crate) struct Metadata {
    pages: Pages,
    base: u64,
    widths: Widths,
    bounds: Bounds,
    tree_k: TreeK,
    /// Bytes that count instead of those in the file: a metadata cache image.
    image: BTreeMap<u64, Vec<u8>>,
    /// What waits to be written, when the file is open to write.
    staged: Option<Mutex<Staged>>,
    decoded: Decoded,
    /// What is different when somebody else writes the file.
    followed: Option<Followed>,
    limits: Limits,
}

impl Metadata {
    /// Metadata of a file that is only read; `base` is where address 0 is.
    pub(crate) fn new(pages: Pages, base: u64, widths: Widths) -> Self {
        Self {
            pages,
            base,
            widths,
            bounds: Bounds::default(),
            tree_k: TreeK::default(),
            image: BTreeMap::new(),
            staged: None,
            decoded: Decoded::default(),
            followed: None,
            limits: Limits::default(),
        }
    }

    /// Metadata of a file that is written, whose bytes in use end at the address `end`.
    pub(crate) fn writable(storage: Arc<dyn WriteAt>, base: u64, widths: Widths, end: u64) -> Result<Self> {
        let pages = Pages::new(Arc::clone(&storage) as Arc<dyn ReadAt>)
            .map_err(|error| Error::io("cannot read the file", error))?;
        let staged = Staged::new(storage, base, Space::new(end, widths.offsets));
        Ok(Self { staged: Some(Mutex::new(staged)), ..Self::new(pages, base, widths) })
    }

    /// Metadata of a new, empty file; the first `reserved` bytes are left for the superblock.
    #[cfg(test)]
    pub(crate) fn create(storage: Arc<dyn WriteAt>, reserved: u64) -> Result<Self> {
        Self::writable(storage, 0, Widths::EIGHT, reserved)
    }

    /// The same file, once its superblock told the widths.
    pub(crate) fn with_widths(mut self, widths: Widths) -> Self {
        self.widths = widths;
        self
    }

    /// The same file, written for readers as old as `bounds` says.
    pub(crate) fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The same file, whose version-1 B-trees have nodes of other sizes than usual.
    pub(crate) fn with_tree_k(mut self, tree_k: TreeK) -> Self {
        self.tree_k = tree_k;
        self
    }

    /// Gives back what pages of the file take in memory.
    pub(crate) fn forget_pages(&self) {
        self.pages.clear();
    }

    /// How large the nodes of version-1 B-trees are.
    pub(crate) fn tree_k(&self) -> TreeK {
        self.tree_k
    }

    /// How old a program may be that reads what is written.
    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The same file with an image laid over it; in a file that is written, its structures take their places.
    pub(crate) fn with_image(mut self, image: Vec<(Address, Vec<u8>)>) -> Self {
        if let Some(staged) = &self.staged {
            let mut staged = staged.lock();
            for (address, bytes) in image {
                staged.put(Stage::Block, address, bytes, Seal::None);
            }
            drop(staged);
            return self;
        }
        self.image = image.into_iter().map(|(address, bytes)| (address.0, bytes)).collect();
        self
    }

    fn in_image(&self, address: Address, length: usize) -> Option<Vec<u8>> {
        let (start, bytes) = self.image.range(..=address.0).next_back()?;
        let from = usize::try_from(address.0 - start).ok()?;
        bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
    }

    /// How much the file may ask for.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// From now on the file may ask for so much.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(crate) fn widths(&self) -> Widths {
        self.widths
    }

    /// Where address 0 is in the storage.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// One past the last address that has bytes.
    pub(crate) fn end(&self) -> u64 {
        match (&self.staged, &self.followed) {
            (Some(staged), _) => staged.lock().space.end(),
            (None, Some(followed)) => followed.length().saturating_sub(self.base),
            (None, None) => self.pages.len().saturating_sub(self.base),
        }
    }

    pub(crate) fn storage(&self) -> &Arc<dyn ReadAt> {
        self.pages.storage()
    }

    /// The `length` bytes at `address`.
    pub(crate) fn read(&self, address: Address, length: usize) -> Result<Vec<u8>> {
        if !self.reaches(address.0.saturating_add(length as u64)) {
            let left = self.end().saturating_sub(address.0);
            return Err(Error::malformed(format!(
                "needs {length} bytes at {address}, the file has {left} there"
            )));
        }
        let most = ("structure_bytes", self.limits.structure_bytes);
        Limits::check(length as u64, most, "bytes of one structure")?;
        let mut bytes = vec![0; length];
        let Some(staged) = &self.staged else {
            if let Some(bytes) = self.in_image(address, length) {
                return Ok(bytes);
            }
            self.read_stored(address, &mut bytes)?;
            return Ok(bytes);
        };
        let mut staged = staged.lock();
        if !staged.whole(address, &mut bytes) {
            self.read_stored(address, &mut bytes)?;
            staged.overlay(address, &mut bytes);
        }
        Ok(bytes)
    }

    /// Bytes as they are in the file; beyond its end, where nothing was written yet, zeroes.
    fn read_stored(&self, address: Address, bytes: &mut [u8]) -> Result<()> {
        let offset = self.base.checked_add(address.0).ok_or_else(|| Error::malformed("address overflows"))?;
        let length = bytes.len();
        let there = match &self.staged {
            None => length,
            Some(_) => {
                usize::try_from(self.pages.len().saturating_sub(offset)).map_or(length, |n| n.min(length))
            }
        };
        let bytes = bytes.get_mut(..there).unwrap_or_default();
        let read = if self.is_followed() {
            self.storage().read_at(offset, bytes)
        } else {
            self.pages.read_at(offset, bytes)
        };
        read.map_err(|error| Error::io(format!("reading {length} bytes at {address}"), error))
    }

    /// Up to `length` bytes at `address`, fewer at the end of the file.
    pub(crate) fn read_up_to(&self, address: Address, length: usize) -> Result<Vec<u8>> {
        self.reaches(address.0.saturating_add(length as u64));
        let left = to_usize(self.end().saturating_sub(address.0)).unwrap_or(usize::MAX);
        self.read(address, length.min(left))
    }

    /// The structure in the `length` bytes at `address`.
    pub(crate) fn load<T: Wire>(&self, address: Address, length: usize) -> Result<T> {
        let bytes = self.read(address, length)?;
        T::read(&mut Cursor::new(&bytes, self.widths))
    }

    /// What `read` decodes at an address, remembered until the bytes there change; `read` also
    /// tells about how many bytes it takes in memory.
    pub(crate) fn decoded<T: Any + Send + Sync>(
        &self,
        address: Address,
        read: impl FnOnce() -> Result<(T, usize)>,
    ) -> Result<Arc<T>> {
        let generation = self.generation();
        if let Some(Known::Sure(found)) = self.decoded.get(address.0, generation) {
            return Ok(found);
        }
        let (value, weight) = read()?;
        let value = Arc::new(value);
        self.decoded.keep(address.0, &value, weight, Seen { generation, seal: None });
        Ok(value)
    }

    /// What `read` decodes at an address, unless it was decoded before; not remembered.
    pub(crate) fn decoded_once<T: Any + Send + Sync>(
        &self,
        address: Address,
        read: impl FnOnce() -> Result<(T, usize)>,
    ) -> Result<Arc<T>> {
        match self.decoded.get(address.0, self.generation()) {
            Some(Known::Sure(found)) => Ok(found),
            _ => Ok(Arc::new(read()?.0)),
        }
    }

    /// `length` bytes at an offset in a block of `size` bytes that waits for its checksum; none when
    /// there is no such block at `address`, or it has nothing to wait for.
    pub(crate) fn staged_part(
        &self,
        address: Address,
        (size, offset): (usize, usize),
        length: usize,
    ) -> Option<Vec<u8>> {
        let staged = self.staged.as_ref()?.lock();
        let bytes = staged.owing(address, size)?;
        bytes.get(offset..offset.checked_add(length)?).map(<[u8]>::to_vec)
    }

    /// Remembers what is at an address from now on, as if it had been decoded.
    pub(crate) fn keep_decoded<T: Any + Send + Sync>(&self, address: Address, value: &Arc<T>, weight: usize) {
        self.decoded.keep(address.0, value, weight, Seen::default());
    }

    /// Drops what was decoded at an address, because something else it was decoded from changed.
    pub(crate) fn forget(&self, address: Address) {
        self.decoded.forget(address.0);
    }

    /// Whether the file is open to write.
    pub(crate) fn is_writable(&self) -> bool {
        self.staged.is_some()
    }

    /// Room for a block of metadata of `length` bytes.
    pub(crate) fn allocate(&self, length: usize) -> Result<Address> {
        let mut staged = self.writer()?.lock();
        staged.check()?;
        staged.space.allocate_block(length as u64)
    }

    /// Room for a block that a disk writes as a whole as far as it can, so that it may be written over while
    /// others read.
    pub(crate) fn allocate_whole(&self, length: usize) -> Result<Address> {
        let mut staged = self.writer()?.lock();
        staged.check()?;
        if self.bounds < Bounds::V110 {
            return staged.space.allocate_block(length as u64);
        }
        staged.space.allocate_whole(length as u64)
    }

    /// Room for `length` bytes of element data.
    pub(crate) fn allocate_data(&self, length: usize) -> Result<Address> {
        let mut staged = self.writer()?.lock();
        staged.check()?;
        staged.allocate_data(length as u64, true)
    }

    /// Room for a chunk of `length` bytes, beside the one before.
    pub(crate) fn allocate_chunk(&self, length: usize) -> Result<Address> {
        let mut staged = self.writer()?.lock();
        staged.check()?;
        staged.allocate_data(length as u64, false)
    }

    /// Gives the `length` bytes at `address` back; what they held is forgotten.
    pub(crate) fn free(&self, address: Address, length: u64) -> Result<()> {
        // Whatever comes to lie in the rest of the range is put there, and forgotten then.
        self.decoded.forget(address.0);
        self.writer()?.lock().free(address, length);
        Ok(())
    }

    /// One past the highest address that was given back since the last flush.
    pub(crate) fn freed_end(&self) -> Result<u64> {
        Ok(self.writer()?.lock().space.freed_end())
    }

    /// Stages the whole bytes of the block at `address`, checksum included; they reach the file at the next flush.
    pub(crate) fn put(&self, stage: Stage, address: Address, bytes: Vec<u8>) -> Result<()> {
        self.put_unsealed(stage, address, bytes, Seal::None)
    }

    /// As [`put`](Self::put), with a checksum that is computed when the bytes are next read or written.
    pub(crate) fn put_unsealed(
        &self,
        stage: Stage,
        address: Address,
        bytes: Vec<u8>,
        seal: Seal,
    ) -> Result<()> {
        self.decoded.forget(address.0);
        let mut staged = self.writer()?.lock();
        staged.check()?;
        staged.put(stage, address, bytes, seal);
        Ok(())
    }

    /// Changes the block of `length` bytes at `address` in place; its checksum follows by itself.
    ///
    /// `length` is that of the whole block, the same whenever it is put or edited.
    pub(crate) fn edit<R>(
        &self,
        (stage, seal): (Stage, Seal),
        address: Address,
        length: usize,
        change: impl FnOnce(&mut [u8]) -> Result<R>,
    ) -> Result<R> {
        self.decoded.forget(address.0);
        let staged = self.writer()?;
        let mut held = staged.lock();
        held.check()?;
        if let Some(bytes) = held.block_mut(stage, address, length, seal) {
            return change(bytes);
        }
        drop(held);
        let mut bytes = self.read(address, length)?;
        let result = change(&mut bytes)?;
        staged.lock().put(stage, address, bytes, seal);
        Ok(result)
    }

    /// Reads the block of `length` bytes at `address`, unless it is staged: changing it then needs nothing of the
    /// file, and so cannot fail between two changes that belong together.
    pub(crate) fn hold(&self, (stage, seal): (Stage, Seal), address: Address, length: usize) -> Result<()> {
        let staged = self.writer()?;
        if staged.lock().block(address, length).is_none() {
            let bytes = self.read(address, length)?;
            staged.lock().put(stage, address, bytes, seal);
        }
        Ok(())
    }

    /// A copy of the staged block of `length` bytes at `address`, whose checksum may be owed and is
    /// not worth looking at; none when it is not staged.
    pub(crate) fn staged(&self, address: Address, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.copy_staged((address, length), length, &mut bytes).then_some(bytes)
    }

    /// Copies the first `count` bytes of the staged block of `length` bytes at `address`, whose checksum may be
    /// owed and is not worth looking at; false when it is not staged.
    pub(crate) fn copy_staged(
        &self,
        (address, length): (Address, usize),
        count: usize,
        to: &mut Vec<u8>,
    ) -> bool {
        let Some(staged) = &self.staged else { return false };
        let staged = staged.lock();
        let Some(bytes) = staged.block(address, length).and_then(|bytes| bytes.get(..count)) else {
            return false;
        };
        to.clear();
        to.extend_from_slice(bytes);
        true
    }

    /// Whether the block of `length` bytes at `address` is staged, so was looked at before.
    pub(crate) fn is_staged(&self, address: Address, length: usize) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.lock().block(address, length).is_some())
    }

    /// Stages a structure.
    pub(crate) fn store(&self, stage: Stage, address: Address, value: &impl Wire) -> Result<()> {
        self.put(stage, address, self.encode(value)?)
    }

    /// Bytes of a structure, at the widths and for the readers of the file.
    pub(crate) fn encode(&self, value: &impl Wire) -> Result<Vec<u8>> {
        let mut sink = self.sink();
        value.write(&mut sink)?;
        Ok(sink.into_bytes())
    }

    /// As [`encode`](Self::encode), to be the body of a message.
    pub(crate) fn body(&self, value: &impl Wire) -> Result<Body> {
        let mut sink = self.sink();
        value.write(&mut sink)?;
        Ok(sink.into_body())
    }

    /// Collects bytes at the widths and for the readers of the file.
    pub(crate) fn sink(&self) -> Sink {
        Sink::new(self.widths).bounded(self.bounds)
    }

    /// Allocates room for a new block and stages its bytes.
    pub(crate) fn place(&self, stage: Stage, bytes: Vec<u8>) -> Result<Address> {
        let address = self.allocate(bytes.len())?;
        self.put(stage, address, bytes)?;
        Ok(address)
    }

    /// As [`place`](Self::place), where a disk writes the block as a whole.
    pub(crate) fn place_whole(&self, stage: Stage, bytes: Vec<u8>) -> Result<Address> {
        let address = self.allocate_whole(bytes.len())?;
        self.put(stage, address, bytes)?;
        Ok(address)
    }

    /// Writes element data at an allocated address, at once.
    pub(crate) fn write_data(&self, address: Address, bytes: &[u8]) -> Result<()> {
        let staged = self.writer()?;
        let storage = {
            let staged = staged.lock();
            staged.check()?;
            Arc::clone(staged.storage())
        };
        let offset = self.base.checked_add(address.0).ok_or_else(|| Error::malformed("address overflows"))?;
        let written = storage.write_at(offset, bytes);
        self.pages.forget(offset, bytes.len() as u64);
        written.map_err(|error| {
            staged.lock().fail();
            Error::io(format!("writing {} bytes of elements at {address}", bytes.len()), error)
        })
    }

    /// Writes everything staged, lower stages first.
    ///
    /// After an error nothing is written any more; the file is then as the last flush left it.
    pub(crate) fn flush(&self) -> Result<()> {
        self.flush_as(&Flush::default())
    }

    /// As [`flush`](Self::flush), in another way; while others read the file, an error changes nothing.
    pub(crate) fn flush_as(&self, flush: &Flush<'_>) -> Result<()> {
        let mut staged = self.writer()?.lock();
        staged.check()?;
        let flushed = staged.flush(flush);
        let fitted = if flushed.is_ok() { staged.fit() } else { Ok(()) };
        let end = self.base.saturating_add(staged.space.end());
        drop(staged);
        self.written(flushed)?;
        fitted.map_err(|error| Error::io("writing metadata", error))?;
        self.pages.remeasure(end);
        Ok(())
    }

    fn written(&self, changed: std::io::Result<Vec<(u64, u64)>>) -> Result<()> {
        for (offset, length) in changed.map_err(|error| Error::io("writing metadata", error))? {
            self.pages.forget(offset, length);
        }
        Ok(())
    }

    /// The file is made of pages of so many bytes.
    pub(crate) fn set_page(&self, page: u64) -> Result<()> {
        self.writer()?.lock().space.set_page(page);
        Ok(())
    }

    /// Gives back what is free at the end of the file; tells where the end is then.
    pub(crate) fn trim(&self) -> Result<u64> {
        let mut staged = self.writer()?.lock();
        staged.space.trim();
        Ok(staged.space.end())
    }

    /// Writes bytes although an earlier write failed: the last word to a file that is given up.
    pub(crate) fn write_past_failure(&self, address: Address, bytes: &[u8]) -> Result<()> {
        let storage = Arc::clone(self.writer()?.lock().storage());
        let offset = self.base.saturating_add(address.0);
        self.pages.forget(offset, bytes.len() as u64);
        storage.write_at(offset, bytes).map_err(|error| Error::io("writing the superblock", error))
    }

    /// Whether the file on disk is whole, though perhaps older than what was asked for.
    pub(crate) fn is_whole(&self) -> bool {
        self.staged.as_ref().is_none_or(|staged| staged.lock().is_whole())
    }

    /// Returns when everything written is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        let storage = Arc::clone(self.writer()?.lock().storage());
        storage.sync().map_err(|error| Error::io("waiting for the disk", error))
    }

    fn writer(&self) -> Result<&Mutex<Staged>> {
        self.staged.as_ref().ok_or_else(|| Error::usage("the file is open to read only"))
    }
}

#[cfg(test)]
mod tests {
    use super::Metadata;
    use super::stage::{Seal, Stage};
    use crate::format::bytes::{Address, Bounds};
    use crate::format::checksum::lookup3;
    use crate::format::superblock::Superblock;
    use crate::storage::tests::{Call, Fault, TestStorage};
    use crate::storage::{ReadAt, WriteAt};
    use std::io;
    use std::sync::Arc;

    fn file() -> (Arc<TestStorage>, Metadata) {
        let storage = Arc::new(TestStorage::default());
        let md = Metadata::create(Arc::clone(&storage) as Arc<dyn WriteAt>, 48).unwrap();
        (storage, md)
    }

    /// So many writes succeed, then one fails.
    fn fail_write(storage: &TestStorage, after: u64) {
        let error = io::ErrorKind::StorageFull;
        storage.fail(Fault { of: Some(Call::Write), after, error, lasting: false });
    }

    #[test]
    fn what_is_staged_is_read_before_and_after_it_is_written() {
        let (_, md) = file();
        let first = md.place(Stage::Block, vec![1; 20]).unwrap();
        let second = md.place(Stage::Block, vec![2; 20]).unwrap();
        for _ in 0..2 {
            assert_eq!(md.read(Address(first.0 + 4), 8).unwrap(), [1; 8]);
            let across = md.read(first, 40).unwrap();
            assert_eq!((across[19], across[20]), (1, 2));
            assert_eq!(second.0, first.0 + 20);
            md.flush().unwrap();
        }
    }

    #[test]
    fn an_edited_block_is_sealed_when_it_is_read() {
        let (storage, md) = file();
        let at = md.place(Stage::Block, vec![0; 20]).unwrap();
        md.flush().unwrap();
        for value in [7, 9] {
            md.edit((Stage::Block, Seal::Last), at, 20, |bytes| {
                bytes[3] = value;
                Ok(())
            })
            .unwrap();
        }
        let bytes = md.read(at, 20).unwrap();
        assert_eq!(bytes[3], 9);
        assert_eq!(bytes[16..], lookup3(&bytes[..16]).to_le_bytes());
        md.flush().unwrap();
        let mut stored = [0; 20];
        storage.read_at(at.0, &mut stored).unwrap();
        assert_eq!(stored, *bytes);
    }

    #[test]
    fn a_seal_within_a_block_counts_itself_as_zeroes() {
        let (_, md) = file();
        let mut bytes: Vec<u8> = (0..40).collect();
        let at = md.allocate(40).unwrap();
        md.put_unsealed(Stage::Block, at, bytes.clone(), Seal::At(8)).unwrap();
        bytes[8..12].fill(0);
        assert_eq!(md.read(at, 40).unwrap()[8..12], lookup3(&bytes).to_le_bytes());
    }

    #[test]
    fn a_failed_flush_leaves_the_file_as_the_last_one_did_and_latches() {
        for fails in 1..5 {
            let (storage, md) = file();
            fail_write(&storage, fails);
            let blocks: Vec<_> = (0..3).map(|n| md.place(Stage::Block, vec![n; 16]).unwrap()).collect();
            md.flush().unwrap();
            let mut before = vec![0; 96];
            storage.read_at(0, &mut before).unwrap();
            for at in &blocks {
                md.edit((Stage::Block, Seal::None), *at, 16, |bytes| {
                    bytes.fill(9);
                    Ok(())
                })
                .unwrap();
            }
            md.place(Stage::Block, vec![8; 16]).unwrap();
            let error = md.flush().unwrap_err().to_string();
            assert!(error.contains("writing metadata"), "{error}");
            let mut after = vec![0; 96];
            storage.read_at(0, &mut after).unwrap();
            assert_eq!(after, before, "write {fails} fails");
            assert!(md.is_whole());
            let error = md.place(Stage::Block, vec![1]).unwrap_err().to_string();
            assert!(error.contains("an earlier write failed"), "{error}");
        }
    }

    /// Blocks of two sizes, each of one byte repeated and its checksum; the first may be written over.
    fn edited(md: &Metadata, at: Address, length: usize, byte: u8) -> Address {
        let at = md.shadow((Stage::Block, Seal::Last), at, length).unwrap();
        md.edit((Stage::Block, Seal::Last), at, length, |bytes| {
            bytes.fill(byte);
            Ok(())
        })
        .unwrap();
        at
    }

    fn stored(storage: &TestStorage, at: Address, length: usize) -> u8 {
        let mut bytes = vec![0; length];
        storage.read_at(at.0, &mut bytes).unwrap();
        let (body, sum) = bytes.split_at(length - 4);
        assert_eq!(sum, lookup3(body).to_le_bytes(), "the block at {at} is whole");
        assert!(body.iter().all(|byte| *byte == body[0]));
        body[0]
    }

    #[test]
    fn a_live_flush_that_fails_leaves_whole_blocks_and_the_next_one_writes_what_waits() {
        for fails in 0..8 {
            let (storage, md) = file();
            let small = md.allocate_whole(300).unwrap();
            let large = md.allocate_whole(700).unwrap();
            for (at, length) in [(small, 300), (large, 700)] {
                md.put_unsealed(Stage::Block, at, vec![1; length], Seal::Last).unwrap();
            }
            md.flush().unwrap();
            md.go_live(Superblock::new(Bounds::V110, 0), 0).unwrap();
            fail_write(&storage, fails);
            let moved = edited(&md, large, 700, 2);
            edited(&md, small, 300, 2);
            md.place(Stage::Block, vec![3; 100_000]).unwrap();
            let failed = md.flush().is_err();
            assert_eq!(failed, fails < 4, "an end, two new blocks and a known one");
            assert_eq!(stored(&storage, large, 700), 1);
            assert_eq!(stored(&storage, small, 300), if failed { 1 } else { 2 });
            md.load::<Superblock>(Address(0), 48).unwrap();
            md.flush().unwrap();
            assert_eq!((stored(&storage, small, 300), stored(&storage, moved, 700)), (2, 2));
            md.load::<Superblock>(Address(0), 48).unwrap();
        }
    }

    #[test]
    fn what_moves_between_two_places_takes_along_the_parts_that_changed() {
        let (storage, md) = file();
        let start = md.allocate_whole(3 * 4096).unwrap();
        let kind = (Stage::Block, Seal::Last);
        let parts: Vec<_> = (0..3).map(|number| (kind, number * 4096, 4096)).collect();
        for (_, offset, length) in &parts {
            md.put_unsealed(Stage::Block, Address(start.0 + offset), vec![1; *length], Seal::Last).unwrap();
        }
        md.flush().unwrap();
        md.go_live(Superblock::new(Bounds::V110, 0), 1 << 20).unwrap();
        let mut at = start;
        for turn in 0..4_u8 {
            let offset = if turn == 2 { 8192 } else { 4096 };
            at = md.shadow_parts(at, (3 * 4096, offset), || Ok(parts.clone())).unwrap();
            edited(&md, Address(at.0 + offset), 4096, 10 + turn);
            let before = storage.len().unwrap();
            md.flush().unwrap();
            assert_eq!(storage.len().unwrap(), before);
            let found = [0, 4096, 8192].map(|offset| stored(&storage, Address(at.0 + offset), 4096));
            let expected = [[1, 10, 1], [1, 11, 1], [1, 11, 12], [1, 13, 12]][usize::from(turn)];
            assert_eq!(found, expected);
        }
    }
}
