//! Files whose writer is gone: [`recover`] makes them whole, [`clear`] takes their marks off.

use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::open_files;
use crate::open_options::OpenOptions;
use crate::reach::{self, Damage};
use crate::storage::ReadAt;
use crate::storage::file::{FileStorage, stamp_of};
use crate::storage::holders::{self, Holder};
use crate::storage::lock::Locking;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How [`recover`] and [`clear`] go about it.
#[derive(Clone, Debug, Default)]
pub struct RecoverOptions {
    dry_run: bool,
    keep_tail: bool,
    force: bool,
    locking: Locking,
}

impl RecoverOptions {
    /// Nothing is kept that cannot be found, and the file is changed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to tell only what would be done.
    #[must_use]
    pub fn dry_run(mut self, on: bool) -> Self {
        self.dry_run = on;
        self
    }

    /// Whether to keep bytes at the end of the file to which nothing leads.
    #[must_use]
    pub fn keep_tail(mut self, on: bool) -> Self {
        self.keep_tail = on;
        self
    }

    /// Whether to go on though another program has the file open to write, without any lock: libhdf5's live
    /// writers take none.
    #[must_use]
    pub fn force(mut self, on: bool) -> Self {
        self.force = on;
        self
    }

    /// As [`OpenOptions::locking`](crate::OpenOptions::locking).
    #[must_use]
    pub fn locking(mut self, locking: impl Into<Locking>) -> Self {
        self.locking = locking.into();
        self
    }
}

/// What was found in a file, and what was or would be made of it. Numbers are offsets in the file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovery {
    /// The marks the superblock had: 1 for a writer, 4 for a live one.
    pub flags: u8,
    /// Bytes of the file as it was.
    pub size: u64,
    /// Where the superblock said that the file ends.
    pub end_of_allocation: u64,
    /// Where what can be found in the file ends.
    pub reach: u64,
    /// Where the file ends now, or would.
    pub end: u64,
    /// How many objects there are.
    pub objects: u64,
    /// What cannot be read. While there is anything, nothing at the end of the file is given up.
    pub damage: Vec<Damage>,
    /// Whether the file was changed.
    pub written: bool,
}

impl Recovery {
    /// Whether the file is as its writer would have left it: without marks, and as long as it says.
    #[must_use]
    pub fn was_closed(&self) -> bool {
        self.flags == 0 && self.end == self.end_of_allocation && self.end == self.size
    }
}

/// Makes a file whole whose writer died: all that was flushed can be read afterwards, by every HDF5 library.
///
/// Everything in the file is looked at, so that it ends behind the last of it; then the marks are taken off.
/// Works for files of libhdf5 as well, where `h5clear -s` alone loses all that was written since they went live.
///
/// # Errors
/// `Io` when somebody has the file open, or the operating system refuses; `Malformed` when its superblock is
/// broken.
pub fn recover(path: impl AsRef<Path>, options: &RecoverOptions) -> Result<Recovery> {
    let path = path.as_ref();
    let recover = || {
        let storage = hold(path, options)?;
        let size = storage.len().map_err(cannot)?;
        let found = reach::measure(&(Arc::clone(&storage) as Arc<dyn ReadAt>))?;
        let said = found.superblock.end_of_file.map_or(0, |end| end.0.saturating_sub(found.superblock.base));
        let high = said.max(found.end);
        let whole = options.keep_tail || found.unsure || !found.damage.is_empty();
        let end = if whole { high.max(size.saturating_sub(found.base)) } else { high };
        let offset = |address: u64| found.base.saturating_add(address);
        let mut recovery = Recovery {
            flags: u8::try_from(found.superblock.flags).unwrap_or(u8::MAX),
            size,
            end_of_allocation: offset(said),
            reach: offset(found.end),
            end: offset(end),
            objects: found.objects,
            damage: found.damage,
            written: false,
        };
        if !options.dry_run && !recovery.was_closed() {
            FileState::mend(storage, |_, _| end)?;
            recovery.written = true;
        }
        Ok(recovery)
    };
    recover().at(|| path.display().to_string())
}

/// Takes the marks off a file without looking at what is in it; the file keeps its whole length, and `more`
/// bytes are added to it.
///
/// What `h5clear` does, but nothing is cut off: prefer [`recover`].
///
/// # Errors
/// As [`recover`].
pub fn clear(path: impl AsRef<Path>, more: u64, options: &RecoverOptions) -> Result<()> {
    let path = path.as_ref();
    let clear = || {
        let storage = hold(path, options)?;
        FileState::mend(storage, |said, stored| said.max(stored).saturating_add(more))
    };
    clear().at(|| path.display().to_string())
}

/// Opens a file nobody else writes or reads, and keeps it so.
fn hold(path: &Path, options: &RecoverOptions) -> Result<Arc<FileStorage>> {
    let busy = |message: String| cannot(io::Error::new(io::ErrorKind::WouldBlock, message));
    if open_files::written(path).is_some() {
        return Err(busy("this program has it open to write".to_owned()));
    }
    open_files::forget(path);
    let identity = stamp_of(path).map_err(cannot)?.identity();
    if let Some(writer) = holders::of(identity).known.into_iter().find(|holder| holder.writes)
        && !options.force
    {
        return Err(busy(format!("{} has it open to write", named(&writer))));
    }
    let locking = OpenOptions::new().locking(options.locking).locks();
    let storage = if options.dry_run {
        let storage = FileStorage::open(path).map_err(cannot)?;
        storage.lock_shared(locking).map_err(cannot)?;
        storage
    } else {
        let storage = FileStorage::open_writable(path).map_err(cannot)?;
        storage.lock_exclusive(locking).map_err(cannot)?;
        storage
    };
    if storage.writer_alive().map_err(cannot)? {
        return Err(busy("its live writer is alive".to_owned()));
    }
    Ok(Arc::new(storage))
}

fn named(holder: &Holder) -> String {
    format!("process {} ({})", holder.process, holder.program)
}

fn cannot(error: io::Error) -> Error {
    Error::io("cannot recover the file", error)
}
