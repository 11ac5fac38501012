//! [`OpenOptions`]: how a file is opened or made.

use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::file_state::{FilePlace, FileState};
use crate::format::bytes::Bounds;
use crate::limits::Limits;
use crate::missing_sources::MissingSources;
use crate::object::group::GroupOptions;
use crate::open_files;
use crate::source_policy::SourcePolicy;
use crate::storage::family::FamilyStorage;
use crate::storage::file::{FileStorage, Stamp};
use crate::storage::lock::Locking;
use crate::storage::memory::MemoryStorage;
use crate::storage::{ReadAt, WriteAt};
use crate::vds::access::DatasetAccess;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a file is opened or made.
///
/// ```no_run
/// use hyperslab::{Bounds, OpenOptions};
/// let file = OpenOptions::new().locking(false).vds_prefix("/data").open("run.h5")?;
/// let old = OpenOptions::new().bounds(Bounds::Earliest).create("for_old_readers.h5")?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    locking: Locking,
    /// Where virtual datasets look for their source files first.
    vds_prefix: Option<String>,
    access: DatasetAccess,
    sources: SourcePolicy,
    missing: MissingSources,
    fill_unreadable: bool,
    pub(crate) bounds: Bounds,
    /// Bytes before the HDF5 part of a new file.
    pub(crate) user_block: u64,
    track_order: bool,
    pub(crate) swmr: bool,
    headroom: Option<u64>,
    /// How long a reader of a live file tries to read what is being written.
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: Limits,
}

/// How far beyond its end a live file is announced, unless it is told otherwise.
const HEADROOM: u64 = 64 << 20;

/// How long an empty file may be locked by somebody else before that is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// What may be at a path before a file is made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Anything,
}

impl OpenOptions {
    /// The defaults: take the lock, no prefix, new files for HDF5 1.10 and later.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to take the lock that keeps writers out while the file is read, and everybody while it is
    /// written: `true` and `false`, or a [`Locking`]; where the file system has locks, by default.
    ///
    /// The environment variable `HDF5_USE_FILE_LOCKING` has the last word: `TRUE` or `1`, `FALSE` or `0`,
    /// `BEST_EFFORT`; anything else says nothing.
    #[must_use]
    pub fn locking(mut self, locking: impl Into<Locking>) -> Self {
        self.locking = locking.into();
        self
    }

    /// A directory in which virtual datasets look for their source files first; `${ORIGIN}` at
    /// its start means the directory of this file.
    #[must_use]
    pub fn vds_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.vds_prefix = Some(prefix.into());
        self
    }

    /// How handles on its virtual datasets find and follow their sources, unless one is
    /// [told otherwise](File::dataset_with).
    #[must_use]
    pub fn dataset_access(mut self, access: DatasetAccess) -> Self {
        self.access = access;
        self
    }

    /// Which other files may be opened on behalf of this one: those of virtual datasets, external links
    /// and external raw data, and those that they name in turn.
    #[must_use]
    pub fn sources(mut self, policy: SourcePolicy) -> Self {
        self.sources = policy;
        self
    }

    /// What a read does when a source of a virtual dataset does not exist.
    #[must_use]
    pub fn missing_sources(mut self, missing: MissingSources) -> Self {
        self.missing = missing;
        self
    }

    /// Whether sources that exist, but that the operating system does not let be read, count as missing; off
    /// by default, so that they are an error.
    #[must_use]
    pub fn fill_unreadable(mut self, on: bool) -> Self {
        self.fill_unreadable = on;
        self
    }

    /// How much the file may ask for before it is refused.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How old a program may be that reads a new file. A file that exists keeps its form.
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Bytes left for others at the start of a new file: 0, 512, or a larger power of two.
    #[must_use]
    pub fn user_block(mut self, bytes: u64) -> Self {
        self.user_block = bytes;
        self
    }

    /// Whether the root group of a new file remembers the order in which its links are made.
    #[must_use]
    pub fn track_order(mut self, on: bool) -> Self {
        self.track_order = on;
        self
    }

    /// Whether the file is live, so that it is read while it is written: a file that is written is
    /// [live](File::start_swmr) from the start, and one that is read is followed, whoever writes it.
    ///
    /// ```no_run
    /// let file = hyperslab::OpenOptions::new().swmr(true).open("live.h5")?;
    /// let data = file.dataset("frames")?;
    /// while data.refresh()?.after()[0] < 100 {}
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    #[must_use]
    pub fn swmr(mut self, on: bool) -> Self {
        self.swmr = on;
        self
    }

    /// How many bytes beyond its end a live file says it has, 64 MiB unless told otherwise; on disk they take
    /// no room. libhdf5 reads new objects and strings only below the end it found when it opened the file.
    #[must_use]
    pub fn headroom(mut self, bytes: u64) -> Self {
        self.headroom = Some(bytes);
        self
    }

    /// How long what is found half written in a live file is read again before that is an error; a second
    /// unless it is said.
    #[must_use]
    pub fn retry_deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    pub(crate) fn headroom_bytes(&self) -> u64 {
        self.headroom.unwrap_or(HEADROOM)
    }

    /// The locking that was asked for, unless the environment asks for another.
    pub(crate) fn locks(&self) -> Locking {
        match std::env::var("HDF5_USE_FILE_LOCKING").as_deref() {
            Ok("TRUE" | "1") => Locking::On,
            Ok("FALSE" | "0") => Locking::Off,
            Ok("BEST_EFFORT") => Locking::BestEffort,
            _ => self.locking,
        }
    }

    pub(crate) fn prefix(&self) -> Option<&str> {
        self.vds_prefix.as_deref()
    }

    pub(crate) fn default_access(&self) -> &DatasetAccess {
        &self.access
    }

    pub(crate) fn source_policy(&self) -> &SourcePolicy {
        &self.sources
    }

    pub(crate) fn missing(&self) -> &MissingSources {
        &self.missing
    }

    pub(crate) fn fills_unreadable(&self) -> bool {
        self.fill_unreadable
    }

    /// The options of a file at `place`: what is relative to it is absolute from now on.
    fn settled(&self, place: &FilePlace) -> Self {
        Self { sources: self.sources.settled(&place.directory), ..self.clone() }
    }

    pub(crate) fn group_options(&self) -> GroupOptions {
        GroupOptions { track_order: self.track_order }
    }

    /// The same options for a file of its own, which the prefix of another does not concern.
    pub(crate) fn without_prefix(mut self) -> Self {
        self.vds_prefix = None;
        self.access = DatasetAccess::default();
        self
    }

    /// Opens the file at `path` to read. One this program has open to write is shared, unless it is to be
    /// followed with [`swmr`](Self::swmr).
    ///
    /// # Errors
    /// `Io` when the operating system refuses, `Malformed` when it is not a sound HDF5 file.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        // Who follows a file sees what its writer published, also when that is this program.
        if !self.swmr
            && let Some(state) = open_files::written(path)
        {
            return Ok(File { state });
        }
        self.open_storage(path).at(|| path.display().to_string())
    }

    /// Opens the file at `path` to read and write.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Io` when anybody else has the file open. The file is left as it is then.
    pub fn open_rw(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        if let Some(state) = open_files::written(path) {
            return Ok(File { state });
        }
        let open = || {
            open_files::forget(path);
            let storage = Arc::new(FileStorage::open_writable(path).map_err(cannot_open)?);
            storage.lock_exclusive(self.locks()).map_err(cannot_open)?;
            let state = FileState::open_writable(Arc::clone(&storage) as Arc<dyn WriteAt>, true)?;
            self.finish(state, path, storage)
        };
        open().at(|| path.display().to_string())
    }

    /// Makes a file; one of that name is emptied.
    ///
    /// # Errors
    /// `Io` when the operating system refuses, or anybody has the file open; it is left as it is then.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<File> {
        self.make(path.as_ref(), Before::Anything)
    }

    /// Makes a file that does not exist yet.
    ///
    /// # Errors
    /// As [`create`](Self::create), and `Io` when there is anything of that name.
    pub fn create_new(&self, path: impl AsRef<Path>) -> Result<File> {
        self.make(path.as_ref(), Before::Nothing)
    }

    /// Opens the file at `path` to read and write, or makes it when there is none.
    ///
    /// # Errors
    /// As [`open_rw`](Self::open_rw) and [`create_new`](Self::create_new).
    pub fn append(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        match self.open_rw(path) {
            Err(error) if crate::group::absent(&error) => self.create_new(path),
            opened => opened,
        }
    }

    /// Makes a file in memory; [`File::to_bytes`] gives its bytes.
    ///
    /// ```
    /// use hyperslab::{Bounds, File, OpenOptions};
    /// let file = OpenOptions::new().bounds(Bounds::Earliest).track_order(true).create_in_memory()?;
    /// file.create_group("entry")?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.superblock_version(), 0);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for a user block of another size than a power of two.
    pub fn create_in_memory(&self) -> Result<File> {
        self.create_on(MemoryStorage::default())
    }

    /// Opens a file in memory to read.
    ///
    /// # Errors
    /// `Malformed` when the bytes are not a sound HDF5 file.
    pub fn open_bytes(&self, bytes: Vec<u8>) -> Result<File> {
        self.open_on(MemoryStorage::new(bytes))
    }

    /// Opens a file in memory to read and write.
    ///
    /// # Errors
    /// `Malformed` when the bytes are not a sound HDF5 file.
    pub fn open_rw_bytes(&self, bytes: Vec<u8>) -> Result<File> {
        self.open_rw_on(MemoryStorage::new(bytes))
    }

    /// Opens a file to read that is wherever `storage` says. It has no path, so other files that it names are looked
    /// for in the current directory; and nobody is kept from writing it.
    ///
    /// # Errors
    /// `Malformed` when the bytes are not a sound HDF5 file, `Io` when they cannot be read.
    pub fn open_on(&self, storage: impl ReadAt + 'static) -> Result<File> {
        Ok(self.on_its_own(FileState::open(Arc::new(storage))?))
    }

    /// As [`open_on`](Self::open_on), to read and write.
    ///
    /// # Errors
    /// As [`open_on`](Self::open_on).
    pub fn open_rw_on(&self, storage: impl WriteAt + 'static) -> Result<File> {
        Ok(self.on_its_own(FileState::open_writable(Arc::new(storage), false)?))
    }

    /// Makes a file where `storage` says, which has no bytes yet.
    ///
    /// # Errors
    /// `Usage` for a user block of another size than a power of two, `Io` when bytes cannot be written.
    pub fn create_on(&self, storage: impl WriteAt + 'static) -> Result<File> {
        Ok(self.on_its_own(FileState::create(Arc::new(storage), self, false)?))
    }

    fn on_its_own(&self, mut state: FileState) -> File {
        state.adopt(self.settled(&state.place));
        File { state: Arc::new(state) }
    }

    fn make(&self, path: &Path, before: Before) -> Result<File> {
        let make = || {
            if open_files::written(path).is_some() {
                let cause = io::Error::new(io::ErrorKind::WouldBlock, "this program has it open");
                return Err(cannot_create(cause));
            }
            FileState::check_user_block(self.user_block)?;
            open_files::forget(path);
            let new = before == Before::Nothing;
            let storage = Arc::new(FileStorage::create(path, new).map_err(cannot_create)?);
            lock_new(&storage, self.locks()).map_err(cannot_open)?;
            if storage.writer_alive().map_err(cannot_create)? {
                let cause = io::Error::new(io::ErrorKind::WouldBlock, "a live writer has it open");
                return Err(cannot_create(cause));
            }
            storage.set_len(0).map_err(cannot_create)?;
            let state = FileState::create(Arc::clone(&storage) as Arc<dyn WriteAt>, self, true)?;
            self.finish(state, path, storage)
        };
        make().at(|| path.display().to_string())
    }

    fn finish(&self, mut state: FileState, path: &Path, storage: Arc<FileStorage>) -> Result<File> {
        state.place = FilePlace::of(path);
        state.adopt(self.settled(&state.place));
        let stamp = storage.stamp();
        state.stamp = Some(stamp);
        state.locked = Some(storage);
        let state = Arc::new(state);
        open_files::keep_written(stamp, &state);
        if self.swmr {
            state.start_swmr()?;
        }
        Ok(File { state })
    }

    fn open_storage(&self, path: &Path) -> Result<File> {
        let open = if self.swmr { FileStorage::open_to_follow } else { FileStorage::open };
        let storage = Arc::new(open(path).map_err(cannot_open)?);
        storage.lock_shared(self.locks()).map_err(cannot_open)?;
        let stamp = storage.stamp();
        let bytes = Arc::clone(&storage) as Arc<dyn ReadAt>;
        let opened =
            if self.swmr { FileState::follow(&bytes, self.deadline) } else { FileState::open(bytes) };
        let mut state = match opened {
            Err(error) => open_family(path, &stamp).ok_or(error)?,
            opened => opened?,
        };
        state.place = FilePlace::of(path);
        state.stamp = Some(stamp);
        state.locked = Some(storage);
        state.adopt(self.settled(&state.place));
        Ok(File { state: Arc::new(state) })
    }
}

fn cannot_open(error: io::Error) -> Error {
    Error::io("cannot open the file", error)
}

/// Locks a file that is to be made. Between its making and its lock a reader who waits for it may have locked it; who
/// finds nothing in it lets go at once.
fn lock_new(storage: &FileStorage, locking: Locking) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match storage.lock_exclusive(locking) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                if storage.len()? > 0 {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            done => return done,
        }
    }
}

fn cannot_create(error: io::Error) -> Error {
    Error::io("cannot create the file", error)
}

/// The file that `path` is the first member of, when it is one of several.
fn open_family(path: &Path, first: &Stamp) -> Option<FileState> {
    let family = FamilyStorage::open(path, first.length()).ok()?;
    if family.members() < 2 {
        return None;
    }
    FileState::open(Arc::new(family)).ok()
}
