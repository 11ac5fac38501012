//! [`Descriptor`]: an open file that is closed for a while when the program has too many open.

use crate::storage::lock::Locking;
use parking_lot::{Mutex, RwLock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};

/// The least number of files kept open, whatever the limit.
const LEAST: usize = 8;
/// The most, whatever the limit.
const MOST: usize = 4096;

/// A file that is open, or that was and will be again when it is needed.
#[derive(Debug)]
pub(crate) struct Descriptor {
    file: RwLock<Option<File>>,
    /// Where to open it again; none for files that stay open.
    path: Option<PathBuf>,
    /// Device and inode.
    identity: (u64, u64),
    /// How it is locked for reading, while it is.
    locked: Mutex<Option<Locking>>,
    /// Since somebody last looked for one to close.
    used: AtomicBool,
}

/// Files that may be closed.
static WATCHED: LazyLock<Mutex<Vec<Weak<Descriptor>>>> = LazyLock::new(Mutex::default);
/// How many of them are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// How many of them may be: half of what the system lets this program have.
static ROOM: LazyLock<usize> = LazyLock::new(|| {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(MOST, |limit| usize::try_from(limit / 2).unwrap_or(MOST).clamp(LEAST, MOST))
});

/// Has the file closed when there are too many.
pub(super) fn watch(descriptor: &Arc<Descriptor>) {
    if OPEN.fetch_add(1, Ordering::Relaxed) >= *ROOM {
        close_some();
    }
    let mut watched = WATCHED.lock();
    if watched.len() == watched.capacity() {
        watched.retain(|other| other.strong_count() > 0);
    }
    watched.push(Arc::downgrade(descriptor));
}

/// Opens a file; while there are too many, others are closed first.
///
/// That may take all of them: once the limit was lowered, only the low numbers among them serve a new file.
pub(super) fn open(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    loop {
        match open() {
            Err(error) if is_too_many(&error) && close_some() => {}
            opened => return opened,
        }
    }
}

fn is_too_many(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .into_iter()
        .any(|many| Some(many.raw_os_error()) == code)
}

/// Closes a half of those not used lately, or else of all; whether any was.
fn close_some() -> bool {
    let watched: Vec<Arc<Descriptor>> = WATCHED.lock().iter().filter_map(Weak::upgrade).collect();
    let wanted = (OPEN.load(Ordering::Relaxed) / 2).max(1);
    let mut closed = 0;
    for _ in 0..2 {
        for descriptor in &watched {
            if closed < wanted && !descriptor.used.swap(false, Ordering::Relaxed) && descriptor.close() {
                closed += 1;
            }
        }
    }
    closed > 0
}

impl Descriptor {
    pub(super) fn new(file: File, path: Option<PathBuf>, identity: (u64, u64)) -> Self {
        let (locked, used) = (Mutex::new(None), AtomicBool::new(true));
        Self { file: RwLock::new(Some(file)), path, identity, locked, used }
    }

    /// Does something with the open file.
    pub(super) fn with<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        {
            let file = self.file.read();
            if let Some(file) = &*file {
                if !self.used.load(Ordering::Relaxed) {
                    self.used.store(true, Ordering::Relaxed);
                }
                return work(file);
            }
        }
        let mut held = self.file.write();
        let file = match held.take() {
            Some(file) => file,
            None => self.open_again()?,
        };
        let done = work(&file);
        *held = Some(file);
        done
    }

    fn open_again(&self) -> io::Result<File> {
        let Some(path) = &self.path else { return Err(io::Error::other("is closed")) };
        let mut options = OpenOptions::new();
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
        options.read(true).custom_flags(i32::try_from(nonblocking).unwrap_or(0));
        let file = open(|| options.open(path))?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(io::Error::other("another file has taken its name while it was in use"));
        }
        let locked = *self.locked.lock();
        if let Some(locking) = locked {
            locking.share(&file)?;
        }
        if OPEN.fetch_add(1, Ordering::Relaxed) >= *ROOM {
            close_some();
        }
        Ok(file)
    }

    pub(super) fn lock_shared(&self, locking: Locking) -> io::Result<()> {
        self.with(|file| locking.share(file))?;
        *self.locked.lock() = Some(locking);
        Ok(())
    }

    pub(super) fn unlock(&self) {
        *self.locked.lock() = None;
        if let Some(file) = &*self.file.read() {
            // A file system without locks has none to release.
            let _ = file.unlock();
        }
    }

    /// Closes the file until it is needed; not when it is in use or has to stay open.
    fn close(&self) -> bool {
        if self.path.is_none() {
            return false;
        }
        let closed = self.file.try_write().is_some_and(|mut file| file.take().is_some());
        if closed {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
        closed
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if self.path.is_some() && self.file.get_mut().is_some() {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "this room is where the operating system is touched")]
mod tests {
    use super::open;
    use crate::storage::ReadAt;
    use crate::storage::file::FileStorage;
    use std::fs::File;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_file_that_was_closed_is_opened_again_unless_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"one").unwrap();
        let storage = FileStorage::open(&path).unwrap();
        let read = || {
            let mut bytes = [0; 3];
            storage.read_at(0, &mut bytes).map(|()| bytes)
        };
        assert!(storage.descriptor().close());
        assert_eq!(&read().unwrap(), b"one");
        assert!(storage.descriptor().close());
        std::fs::rename(&path, folder.path().join("b")).unwrap();
        assert!(read().is_err());
        std::fs::write(&path, b"two").unwrap();
        assert!(read().unwrap_err().to_string().contains("another file"));
    }

    #[test]
    fn files_are_closed_until_one_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"one").unwrap();
        let kept: Vec<_> = (0..64).map(|_| FileStorage::open(&path).unwrap()).collect();
        let calls = AtomicUsize::new(0);
        let opened = open(|| {
            if calls.fetch_add(1, Ordering::Relaxed) < 3 {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()));
            }
            File::open(&path)
        });
        assert!(opened.is_ok(), "{opened:?}");
        for storage in kept {
            let mut bytes = [0; 3];
            storage.read_at(0, &mut bytes).unwrap();
            assert_eq!(&bytes, b"one");
        }
    }
}
