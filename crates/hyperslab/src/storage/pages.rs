//! [`Pages`]: small reads answered from pages that were read before.

use crate::storage::ReadAt;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a page: one page answers most opens of a file.
const PAGE: u64 = 8 << 10;
/// A read of more than this goes to the storage directly, so a bulk read does not flush the pages.
const LARGE: usize = 32 << 10;
/// Pages kept at once, 8 MiB; when there are more, all are dropped.
const KEPT: usize = 1024;

/// A cache of pages over a storage; whoever changes it says so.
#[derive(Debug)]
pub(crate) struct Pages {
    storage: Arc<dyn ReadAt>,
    length: AtomicU64,
    read: Mutex<HashMap<u64, Arc<Vec<u8>>>>,
}

impl Pages {
    pub(crate) fn new(storage: Arc<dyn ReadAt>) -> io::Result<Self> {
        let length = AtomicU64::new(storage.len()?);
        Ok(Self { storage, length, read: Mutex::default() })
    }

    /// Bytes of the file when it was last measured: when it was opened, or grew by this program.
    pub(crate) fn len(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// The file has another length now.
    pub(crate) fn remeasure(&self, length: u64) {
        self.length.store(length, Ordering::Release);
        self.read.lock().retain(|number, page| *number < length / PAGE && page.len() as u64 == PAGE);
    }

    /// Bytes of the file were changed.
    pub(crate) fn forget(&self, offset: u64, length: u64) {
        let (first, last) = (offset / PAGE, offset.saturating_add(length.saturating_sub(1)) / PAGE);
        let end = offset.saturating_add(length);
        let mut read = self.read.lock();
        if self.length.fetch_max(end, Ordering::AcqRel) < end {
            read.retain(|_, page| page.len() as u64 == PAGE);
        }
        if last - first > read.len() as u64 {
            read.retain(|number, _| *number < first || *number > last);
        } else {
            (first..=last).for_each(|number| {
                read.remove(&number);
            });
        }
    }

    /// Gives the memory of all pages back.
    pub(crate) fn clear(&self) {
        *self.read.lock() = HashMap::new();
    }

    pub(crate) fn storage(&self) -> &Arc<dyn ReadAt> {
        &self.storage
    }

    /// Fills `buffer` from `offset`.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if buffer.len() > LARGE {
            return self.storage.read_at(offset, buffer);
        }
        let mut rest = buffer;
        let mut offset = offset;
        while !rest.is_empty() {
            let page = self.page(offset / PAGE)?;
            let within = usize::try_from(offset % PAGE).map_err(|_| io::ErrorKind::InvalidInput)?;
            let from = page.get(within..).unwrap_or_default();
            let count = from.len().min(rest.len());
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(from.get(..count).unwrap_or_default());
            rest = later;
            offset += count as u64;
        }
        Ok(())
    }

    fn page(&self, number: u64) -> io::Result<Arc<Vec<u8>>> {
        if let Some(page) = self.read.lock().get(&number) {
            return Ok(Arc::clone(page));
        }
        let start = number.checked_mul(PAGE).ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = PAGE.min(self.len().saturating_sub(start));
        let mut bytes = vec![0; usize::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?];
        self.storage.read_at(start, &mut bytes)?;
        let page = Arc::new(bytes);
        let mut pages = self.read.lock();
        if pages.len() >= KEPT {
            pages.clear();
        }
        pages.insert(number, Arc::clone(&page));
        Ok(page)
    }
}
