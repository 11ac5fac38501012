//! [`FileState`]: what all handles on one open file share.

mod find;
mod flush;
mod kept;

pub(crate) use find::editable;

use crate::dataset::DatasetCell;
use crate::error::{Error, Result};
use crate::file_state::find::find_superblock;
use crate::file_state::kept::Kept;
use crate::format::bytes::{Address, Bounds, Wire};
use crate::format::message::other::{FileSpace, SymbolTable};
use crate::format::object_header::kind;
use crate::format::superblock::{OPEN_FOR_WRITE, Purpose, Superblock};
use crate::metadata::Metadata;
use crate::metadata::live::SHARED;
use crate::object::Objects;
use crate::object::header::Header;
use crate::open_options::OpenOptions;
use crate::storage::file::{FileStorage, Stamp};
use crate::storage::pages::Pages;
use crate::storage::watch::Watch;
use crate::storage::{ReadAt, WriteAt};
use crate::swmr::retry::Following;
use crate::vds::layout::VirtualLayout;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where a file is, as far as names in it are relative to that.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilePlace {
    /// The path the file was opened by.
    pub(crate) path: PathBuf,
    /// The directory of that path, absolute at the time of opening.
    pub(crate) directory: PathBuf,
    /// The directory of the file a symbolic link led to.
    pub(crate) resolved: Option<PathBuf>,
}

impl FilePlace {
    pub(crate) fn of(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let directory = absolute.parent().map(Path::to_path_buf).unwrap_or_default();
        let resolved = std::fs::canonicalize(path).ok().and_then(|path| path.parent().map(Path::to_path_buf));
        let resolved = resolved.filter(|resolved| *resolved != directory);
        Self { path: path.to_path_buf(), directory, resolved }
    }
}

/// What all handles on one open file share.
#[derive(Debug)]
pub(crate) struct FileState {
    pub(crate) place: FilePlace,
    pub(crate) objects: Objects,
    pub(crate) superblock: Superblock,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) options: OpenOptions,
    /// Datasets that virtual ones read from, by path; only of files nobody here writes.
    sources: Mutex<HashMap<Vec<u8>, Kept>>,
    layouts: Mutex<HashMap<Address, Arc<VirtualLayout>>>,
    /// Datasets that are open, or have something to write.
    open: Mutex<HashMap<Address, Arc<DatasetCell>>>,
    /// Objects to which no link leads, but which somebody has open.
    orphans: Mutex<Vec<Address>>,
    closed: AtomicBool,
    writer: Option<Writer>,
    /// The storage whose lock is to be released.
    pub(crate) locked: Option<Arc<FileStorage>>,
    /// Files that are written through virtual datasets of this one.
    sources_written: Mutex<Vec<Arc<FileState>>>,
    /// How the file is read when somebody else may be writing it.
    pub(crate) following: Option<Following>,
    /// What tells of changes by others, once somebody waited for one.
    pub(crate) watch: OnceLock<Watch>,
}

/// What a file has besides when it is open to write.
#[derive(Debug)]
struct Writer {
    /// Held by whoever changes structures; shared by whoever reads them.
    gate: RwLock<()>,
    /// The superblock is marked while the file is written.
    marked: bool,
    /// The end of the file on disk.
    end: AtomicU64,
    /// How the file remembers its free space, when it does: which is then forgotten.
    file_space: Option<FileSpace>,
}

/// How long whoever begins to read lets others write first.
const TURN: Duration = Duration::from_millis(5);

/// Keeps the structures of a file as they are while it is held.
pub(crate) type Reading<'a> = Option<RwLockReadGuard<'a, ()>>;
/// Keeps everybody else out of a file while it is held.
pub(crate) type Writing<'a> = RwLockWriteGuard<'a, ()>;

impl FileState {
    /// A file that is only read.
    pub(crate) fn open(storage: Arc<dyn ReadAt>) -> Result<Self> {
        Self::open_for(storage, Purpose::Read)
    }

    /// As [`open`](Self::open), whatever marks of the file the purpose lets pass.
    pub(crate) fn open_for(storage: Arc<dyn ReadAt>, purpose: Purpose) -> Result<Self> {
        let pages = Pages::new(storage).map_err(|error| Error::io("cannot read the file", error))?;
        let (superblock, probe) = find_superblock(pages, purpose)?;
        let metadata = probe.with_widths(superblock.widths);
        let objects = Objects::open(metadata, superblock.extension)?;
        Ok(Self::new(objects, superblock, None))
    }

    /// A file that is only read, while somebody else may be writing it.
    pub(crate) fn follow(storage: &Arc<dyn ReadAt>, deadline: Option<Duration>) -> Result<Self> {
        let following = Following::new(deadline);
        let (objects, superblock) = following.attempt(|| {
            let pages =
                Pages::new(Arc::clone(storage)).map_err(|error| Error::io("cannot read the file", error))?;
            let (superblock, probe) = find_superblock(pages, Purpose::Follow)?;
            let metadata = probe.with_widths(superblock.widths).with_followed();
            Ok((Objects::open(metadata, superblock.extension)?, superblock))
        })?;
        let mut state = Self::new(objects, superblock, None);
        state.following = Some(following);
        Ok(state)
    }

    /// Does what reads the file; when somebody else writes it, as often as it takes to read what is whole.
    pub(crate) fn attempt<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let Some(following) = &self.following else { return work() };
        following.attempt(|| {
            self.metadata().next_generation();
            work()
        })
    }

    /// A file that is read and written; one that others can open is marked as such at once.
    pub(crate) fn open_writable(storage: Arc<dyn WriteAt>, shared: bool) -> Result<Self> {
        let (superblock, objects) = editable(storage, Purpose::Write, |said, _| said)?;
        Self::begin(superblock, objects, shared)
    }

    fn begin(superblock: Superblock, objects: Objects, shared: bool) -> Result<Self> {
        let marked = shared && superblock.version >= 3;
        let mut state = Self::new(objects, superblock, Some(marked));
        // A file that cannot be opened stays as it is, so there is nothing to write when it is closed.
        state.adopt_file_space().inspect_err(|_| state.closed.store(true, Ordering::Release))?;
        state.write_superblock(OPEN_FOR_WRITE)?;
        Ok(state)
    }

    /// Takes the marks off a file whose writer is gone. `end` gives the address at which it ends from now on,
    /// from the one it says and the one its bytes end at.
    pub(crate) fn mend(storage: Arc<dyn WriteAt>, end: impl FnOnce(u64, u64) -> u64) -> Result<()> {
        let (superblock, objects) = editable(storage, Purpose::Recover, end)?;
        let state = Self::begin(superblock, objects, false)?;
        // What there is to write is written.
        state.closed.store(true, Ordering::Release);
        state.metadata().sync()
    }

    /// Fails when no file can have so large a user block.
    pub(crate) fn check_user_block(bytes: u64) -> Result<()> {
        if bytes != 0 && (bytes < 512 || !bytes.is_power_of_two()) {
            let message = format!("a user block of {bytes} bytes: it has 512 or a larger power of two");
            return Err(Error::usage(message));
        }
        Ok(())
    }

    /// A new file, in `storage` that is empty, behind a user block of `user_block` bytes.
    pub(crate) fn create(storage: Arc<dyn WriteAt>, options: &OpenOptions, shared: bool) -> Result<Self> {
        let (bounds, user_block) = (options.bounds, options.user_block);
        Self::check_user_block(user_block)?;
        let mut superblock = Superblock::new(bounds, user_block);
        let metadata = Metadata::writable(storage, user_block, superblock.widths, superblock.size())?
            .with_bounds(bounds);
        let objects = Objects::open(metadata, None)?;
        superblock.root = crate::object::group::create(&objects, options.group_options())?;
        let root = Header::open(&objects.metadata, superblock.root)?;
        if let Some(groups) = superblock.groups.take() {
            let table = objects.decoded(&root, kind::SYMBOL_TABLE, SymbolTable::read)?;
            superblock.groups = Some(match table {
                Some(SymbolTable { btree: Some(btree), heap: Some(heap) }) => {
                    groups.rooted(btree, heap, superblock.widths)?
                }
                _ => groups,
            });
        }
        let state = Self::new(objects, superblock, Some(shared && bounds == Bounds::V110));
        state.write_superblock(OPEN_FOR_WRITE)?;
        Ok(state)
    }

    fn new(objects: Objects, superblock: Superblock, writer: Option<bool>) -> Self {
        Self {
            place: FilePlace::default(),
            objects,
            superblock,
            stamp: None,
            options: OpenOptions::default(),
            sources: Mutex::default(),
            layouts: Mutex::default(),
            open: Mutex::default(),
            orphans: Mutex::default(),
            closed: AtomicBool::new(false),
            writer: writer.map(|marked| Writer {
                gate: RwLock::new(()),
                marked,
                end: AtomicU64::new(0),
                file_space: None,
            }),
            locked: None,
            sources_written: Mutex::default(),
            following: None,
            watch: OnceLock::new(),
        }
    }

    /// From now on the file is used as `options` say.
    pub(crate) fn adopt(&mut self, options: OpenOptions) {
        self.objects.metadata.set_limits(options.limits);
        self.options = options;
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.objects.metadata
    }

    /// Whether both are open on the same file.
    pub(crate) fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let identity = |file: &Self| file.stamp.map(|stamp| stamp.identity());
        Arc::ptr_eq(self, other) || identity(self).is_some_and(|known| Some(known) == identity(other))
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    /// Fails once the file is closed; else nothing in it changes while the guard is held.
    ///
    /// Whoever reads may ask again while holding one.
    pub(crate) fn reading(&self) -> Result<Reading<'_>> {
        self.check_open()?;
        Ok(self.writer.as_ref().map(|writer| writer.gate.read_recursive()))
    }

    /// As [`reading`](Self::reading), of whoever begins to read: those who wait to write go first, for a moment.
    ///
    /// Without that many who read, one after the other, would keep them for ever; with more of it who reads on
    /// behalf of somebody that holds a guard would wait for himself.
    pub(crate) fn reading_in_turn(&self) -> Result<Reading<'_>> {
        self.check_open()?;
        let Some(writer) = self.writer.as_ref() else { return Ok(None) };
        Ok(Some(writer.gate.try_read_for(TURN).unwrap_or_else(|| writer.gate.read_recursive())))
    }

    /// Fails when the file is closed or open to read only, or an earlier write failed; else nobody reads
    /// while the guard is held.
    pub(crate) fn writing(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        self.writing_for(SHARED)
    }

    /// As [`writing`](Self::writing), for changes of the object whose header is at `owner`.
    pub(crate) fn writing_for(&self, owner: Address) -> Result<Writing<'_>> {
        let guard = self.alone()?;
        self.metadata().begin(owner)?;
        Ok(guard)
    }

    /// As [`writing`](Self::writing), also when an earlier write failed.
    fn alone(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        self.check_open()?;
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| Error::usage("the file is open to read only").at(self.place.path.display()))?;
        Ok(writer.gate.write())
    }

    /// As [`writing`](Self::writing), but nothing while anybody else holds the file.
    pub(crate) fn try_writing(&self) -> Result<Option<Writing<'_>>> {
        self.check_open()?;
        let read_only = || Error::usage("the file is open to read only").at(self.place.path.display());
        Ok(self.writer.as_ref().ok_or_else(read_only)?.gate.try_write())
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::usage("the file is closed").at(self.place.path.display()));
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Drop for FileState {
    fn drop(&mut self) {
        // Whoever wants to know of an error calls `close`.
        let _ = self.close();
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod replay_tests;
