//! [`FileStorage`]: a regular file of the operating system.
#![expect(clippy::disallowed_methods, reason = "this room is where the operating system is touched")]

use crate::storage::descriptors::{self, Descriptor};
use crate::storage::lock::{self, Locking};
use crate::storage::mount::Mount;
use crate::storage::watch::Watch;
use crate::storage::{ReadAt, WriteAt, holders};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than the clock of any file system takes from one time to the next.
const TICK: Duration = Duration::from_millis(30);

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
    /// What tells the file from every other, however it changes.
    pub(crate) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// The same whenever it was taken of the file.
    pub(crate) fn of_any_time(&self) -> Self {
        Self { length: 0, modified: (0, 0), changed: (0, 0), ..*self }
    }

    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file changed so lately that it may change again without its time of change telling.
    pub(crate) fn is_fresh(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = u64::try_from(self.changed.0).unwrap_or(0);
        let nanoseconds = u32::try_from(self.changed.1).unwrap_or(0);
        now.saturating_sub(Duration::new(seconds, nanoseconds)) < TICK
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
    file: Arc<Descriptor>,
    stamp: Stamp,
}

impl FileStorage {
    /// Opens an existing file to read, without waiting for anybody.
    ///
    /// When the program has many open, its descriptor may be closed until it is read again.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let opened = Self::from_options(OpenOptions::new().read(true), path, Some(absolute))?;
        descriptors::watch(&opened.file);
        Ok(opened)
    }

    /// Opens an existing file to read while it is written. It stays this file, whatever comes to bear its name.
    pub(crate) fn open_to_follow(path: &Path) -> io::Result<Self> {
        Self::from_options(OpenOptions::new().read(true), path, None)
    }

    /// Whether any program has the file open to write; nothing when that cannot be known here. That takes some
    /// milliseconds.
    pub(crate) fn has_writer(&self) -> Option<bool> {
        if self.mount().is_some_and(Mount::is_shared) {
            return None;
        }
        holders::of(self.stamp().identity()).any_writes()
    }

    /// The kind of file system the file is on, when it is no ordinary one.
    pub(crate) fn mount(&self) -> Option<Mount> {
        self.file.with(|file| Ok(Mount::of_open(file))).ok().flatten()
    }

    /// What tells of writes to the file.
    pub(crate) fn watch(&self) -> Watch {
        // A file nobody can watch is looked at now and then.
        self.file.with(Watch::new).unwrap_or_default()
    }

    /// Opens an existing file to read and write.
    pub(crate) fn open_writable(path: &Path) -> io::Result<Self> {
        Self::from_options(OpenOptions::new().read(true).write(true), path, None)
    }

    /// Opens a file to read and write, made when there is none; when it must be `new`, there is none.
    ///
    /// What is in it stays: only who holds the lock may empty it.
    pub(crate) fn create(path: &Path, new: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).create_new(new);
        Self::from_options(&mut options, path, None)
    }

    fn from_options(options: &mut OpenOptions, path: &Path, again: Option<PathBuf>) -> io::Result<Self> {
        inside_only()?;
        // Opening some devices does something, so what is known to be none of ours is not even opened.
        let there = std::fs::metadata(path).ok();
        if there.is_some_and(|there| !there.is_file() && !there.is_dir()) {
            return Err(not_regular());
        }
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
        options.custom_flags(i32::try_from(nonblocking).unwrap_or(0));
        let file = descriptors::open(|| options.open(path))?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        if !metadata.is_file() {
            return Err(not_regular());
        }
        let stamp = Stamp::of(&metadata);
        Ok(Self { file: Arc::new(Descriptor::new(file, again, stamp.identity())), stamp })
    }

    /// Takes the lock that readers share.
    pub(crate) fn lock_shared(&self, locking: Locking) -> io::Result<()> {
        self.file.lock_shared(locking)
    }

    /// Takes the lock that a writer has alone.
    pub(crate) fn lock_exclusive(&self, locking: Locking) -> io::Result<()> {
        self.file.with(|file| locking.take(file))
    }

    /// Lets others in.
    pub(crate) fn unlock(&self) {
        self.file.unlock();
    }

    /// Says that the live writer of this file lives, for as long as the file is open or until
    /// [`unlock_alive`](Self::unlock_alive). Nobody is kept out by it.
    pub(crate) fn lock_alive(&self) -> io::Result<()> {
        self.file.with(lock::hold_alive)
    }

    /// Takes that back.
    pub(crate) fn unlock_alive(&self) {
        // The file is there, so nothing is to fail.
        let _ = self.file.with(|file| {
            lock::release_alive(file);
            Ok(())
        });
    }

    /// Whether a live writer of this engine has the file open, other than through this storage. Writers of other
    /// makes, and those on file systems without locks, are not known.
    pub(crate) fn writer_alive(&self) -> io::Result<bool> {
        self.file.with(lock::is_alive)
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.file
    }

    /// The file as it was when it was opened.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")
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
        self.file.with(|file| Ok(file.metadata()?.len()))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.with(|file| file.read_exact_at(buffer, offset))
    }
}

impl WriteAt for FileStorage {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.with(|file| file.write_all_at(bytes, offset))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.with(|file| file.set_len(length))
    }

    fn sync(&self) -> io::Result<()> {
        self.file.with(File::sync_all)
    }
}
