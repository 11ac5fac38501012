//! [`FileStatus`]: who has a file, and what its superblock says of that.

use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::file_state::FileState;
use crate::format::superblock::{OPEN_FOR_SWMR, OPEN_FOR_WRITE, Purpose};
use crate::reach;
use crate::storage::ReadAt;
use crate::storage::file::FileStorage;
use crate::storage::holders::{self, Holder};
use crate::storage::mount::Mount;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What can be told of a file from outside, while others have it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileStatus {
    /// The version of the superblock.
    pub superblock_version: u8,
    /// The marks in the superblock: 1 for a writer, 4 for a live one.
    pub flags: u8,
    /// Whether a live writer of this engine holds the file open; those of other makes are only known as
    /// holders.
    pub writer_alive: bool,
    /// The programs that have the file open, as far as the operating system tells.
    pub holders: Vec<Holder>,
    /// Where the superblock says that the file ends.
    pub end_of_allocation: u64,
    /// Bytes of the file.
    pub size: u64,
    /// The kind of file system, when it is one on which live files need care.
    pub mount: Option<Mount>,
    storage: Arc<FileStorage>,
}

impl FileStatus {
    /// Whether the superblock says that a writer has the file open.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        u32::from(self.flags) & (OPEN_FOR_WRITE | OPEN_FOR_SWMR) != 0
    }

    /// Whether the superblock says that a writer lets others read what it writes.
    #[must_use]
    pub fn is_live(&self) -> bool {
        u32::from(self.flags) & OPEN_FOR_SWMR != 0
    }

    /// Whether the file is marked, but nobody is known to write it: its writer died.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.is_marked() && !self.writer_alive && !self.holders.iter().any(|holder| holder.writes)
    }

    /// Where what can be found in the file ends. Looks at everything in it, which takes a while.
    ///
    /// # Errors
    /// When anything in the file is broken, or was caught while it was written.
    pub fn reach(&self) -> Result<u64> {
        let found = reach::measure(&(Arc::clone(&self.storage) as Arc<dyn ReadAt>))?;
        match found.damage.into_iter().next() {
            Some(damage) => Err(damage.error.at(damage.path)),
            None => Ok(found.base.saturating_add(found.end)),
        }
    }
}

impl File {
    /// The kind of file system the file is on, when it is one on which a live file needs care: readers may not see
    /// what its writer writes.
    #[must_use]
    pub fn mount(&self) -> Option<Mount> {
        self.state.locked.as_ref()?.mount()
    }
}

/// Looks at a file without taking a lock, whoever has it open.
///
/// # Errors
/// `Io` when the operating system refuses, `Malformed` when it is not an HDF5 file.
pub fn status(path: impl AsRef<Path>) -> Result<FileStatus> {
    let path = path.as_ref();
    let look = || {
        let storage = Arc::new(FileStorage::open(path).map_err(cannot)?);
        let file = FileState::open_for(Arc::clone(&storage) as Arc<dyn ReadAt>, Purpose::Recover)?;
        let superblock = &file.superblock;
        let end = superblock.end_of_file.map_or(0, |end| end.0.saturating_sub(superblock.base));
        let me = std::process::id();
        let mut holders = holders::of(storage.stamp().identity()).known;
        // This very look is nobody's business.
        holders.retain(|holder| holder.process != me || holder.writes || holder.lock.is_some());
        Ok(FileStatus {
            superblock_version: superblock.version,
            flags: u8::try_from(superblock.flags).unwrap_or(u8::MAX),
            writer_alive: storage.writer_alive().map_err(cannot)?,
            holders,
            end_of_allocation: end.saturating_add(file.metadata().base()),
            size: storage.len().map_err(cannot)?,
            mount: Mount::of(path),
            storage,
        })
    };
    look().at(|| path.display().to_string())
}

fn cannot(error: io::Error) -> Error {
    Error::io("cannot open the file", error)
}
