//! Structures at addresses: load them, and stage, allocate and flush what changes.

pub(crate) mod btree_v1;
pub(crate) mod btree_v2;
pub(crate) mod cache;
pub(crate) mod stage;

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Widths, Wire};
use crate::metadata::stage::{Stage, Staged};
use crate::storage::pages::Pages;
use crate::storage::{ReadAt, WriteAt};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// No single structure of metadata is read that is larger than this.
const LARGEST: usize = 1 << 30;

/// The metadata of one open file.
#[derive(Debug)]
pub(crate) struct Metadata {
    pages: Pages,
    base: u64,
    widths: Widths,
    /// Bytes that count instead of those in the file: a metadata cache image.
    image: BTreeMap<u64, Vec<u8>>,
    staged: Option<Mutex<Staged>>,
}

impl Metadata {
    /// Metadata of a file that is only read; `base` is where address 0 is.
    pub(crate) fn new(pages: Pages, base: u64, widths: Widths) -> Self {
        Self { pages, base, widths, image: BTreeMap::new(), staged: None }
    }

    /// Metadata of a new, empty file; the first `reserved` bytes are left for the superblock.
    pub(crate) fn create(storage: Arc<dyn WriteAt>, reserved: u64) -> Result<Self> {
        let pages =
            Pages::new(Arc::clone(&storage) as Arc<dyn ReadAt>).map_err(|e| Error::io("new file", e))?;
        let staged = Some(Mutex::new(Staged::new(storage, reserved)));
        Ok(Self { pages, base: 0, widths: Widths::EIGHT, image: BTreeMap::new(), staged })
    }

    /// The same file, once its superblock told the widths.
    pub(crate) fn with_widths(mut self, widths: Widths) -> Self {
        self.widths = widths;
        self
    }

    /// The same file with an image laid over it.
    pub(crate) fn with_image(mut self, image: Vec<(Address, Vec<u8>)>) -> Self {
        self.image = image.into_iter().map(|(address, bytes)| (address.0, bytes)).collect();
        self
    }

    fn in_image(&self, address: Address, length: usize) -> Option<Vec<u8>> {
        let (start, bytes) = self.image.range(..=address.0).next_back()?;
        let from = usize::try_from(address.0 - start).ok()?;
        bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
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
        match &self.staged {
            Some(staged) => staged.lock().end(),
            None => self.pages.len().saturating_sub(self.base),
        }
    }

    pub(crate) fn storage(&self) -> &Arc<dyn ReadAt> {
        self.pages.storage()
    }

    /// The `length` bytes at `address`.
    pub(crate) fn read(&self, address: Address, length: usize) -> Result<Vec<u8>> {
        let left = self.end().saturating_sub(address.0);
        if length as u64 > left {
            return Err(Error::malformed(format!(
                "needs {length} bytes at {address}, the file has {left} there"
            )));
        }
        if length > LARGEST {
            return Err(Error::limit(format!(
                "a structure of {length} bytes, at most {LARGEST} are read at once"
            )));
        }
        if let Some(staged) = &self.staged
            && let Some(bytes) = staged.lock().get(address, length)
        {
            return Ok(bytes);
        }
        if let Some(bytes) = self.in_image(address, length) {
            return Ok(bytes);
        }
        let offset = self.base.checked_add(address.0).ok_or_else(|| Error::malformed("address overflows"))?;
        let mut bytes = vec![0; length];
        self.pages
            .read_at(offset, &mut bytes)
            .map_err(|e| Error::io(format!("reading {length} bytes at {address}"), e))?;
        Ok(bytes)
    }

    /// Up to `length` bytes at `address`, fewer at the end of the file.
    pub(crate) fn read_up_to(&self, address: Address, length: usize) -> Result<Vec<u8>> {
        let left = to_usize(self.end().saturating_sub(address.0)).unwrap_or(usize::MAX);
        self.read(address, length.min(left))
    }

    /// The structure in the `length` bytes at `address`.
    pub(crate) fn load<T: Wire>(&self, address: Address, length: usize) -> Result<T> {
        let bytes = self.read(address, length)?;
        T::read(&mut Cursor::new(&bytes, self.widths))
    }

    /// Room for `length` bytes at the end of the file.
    pub(crate) fn allocate(&self, length: usize) -> Result<Address> {
        self.writer()?.lock().allocate(length)
    }

    /// Stages bytes at an allocated address; they reach the file in the order of their stage.
    pub(crate) fn put(&self, stage: Stage, address: Address, bytes: Vec<u8>) -> Result<()> {
        self.writer()?.lock().put(stage, address, bytes);
        Ok(())
    }

    /// Writes everything staged, lower stages first.
    pub(crate) fn flush(&self) -> Result<()> {
        self.writer()?.lock().flush().map_err(|e| Error::io("writing metadata", e)).at(|| "flush")
    }

    fn writer(&self) -> Result<&Mutex<Staged>> {
        self.staged.as_ref().ok_or_else(|| Error::usage("the file is open to read only"))
    }
}
