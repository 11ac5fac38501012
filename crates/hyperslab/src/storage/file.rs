//! [`FileStorage`]: a regular file of the operating system.
#![expect(clippy::disallowed_methods, reason = "this room is where the operating system is touched")]

use crate::storage::{ReadAt, WriteAt};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What a file is and how it was when last looked at, whatever name it was opened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A regular file; never a directory, a device or a pipe.
#[derive(Debug)]
pub(crate) struct FileStorage {
    file: File,
    stamp: Stamp,
}

impl FileStorage {
    /// Opens an existing file to read, without waiting for anybody.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::from_options(OpenOptions::new().read(true), path)
    }

    /// Makes a new file, or empties an existing one when `replace` is set.
    pub(crate) fn create(path: &Path, replace: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        if replace {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        Self::from_options(&mut options, path)
    }

    fn from_options(options: &mut OpenOptions, path: &Path) -> io::Result<Self> {
        inside_only()?;
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
        let file = options.custom_flags(i32::try_from(nonblocking).unwrap_or(0)).open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
        }
        Ok(Self { stamp: Stamp::of(&metadata), file })
    }

    /// Takes the shared lock that readers of HDF5 hold; file systems without locks are let pass.
    pub(crate) fn lock_shared(&self) -> io::Result<()> {
        match self.file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, "is locked by another process that writes it"))
            }
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(()),
        }
    }

    /// The file as it was when it was opened.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }
}

/// The stamp of the file at `path`, without opening it.
pub(crate) fn stamp_of(path: &Path) -> io::Result<Stamp> {
    inside_only()?;
    std::fs::metadata(path).map(|metadata| Stamp::of(&metadata))
}

/// When fuzzing there are no other files: what a file in memory names is found nowhere.
fn inside_only() -> io::Result<()> {
    if cfg!(fuzzing) { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
}

impl ReadAt for FileStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl WriteAt for FileStorage {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
