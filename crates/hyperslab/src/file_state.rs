//! [`FileState`]: what all handles on one open file share.

use crate::dataset::{DatasetCell, DatasetState};
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Bounds, Cursor, Sink, Widths, Wire};
use crate::format::message::other::{FileSpace, SymbolTable};
use crate::format::object_header::{RawMessage, kind};
use crate::format::superblock::{OPEN_FOR_WRITE, OldGroups, Purpose, SIGNATURE, Superblock};
use crate::metadata::Metadata;
use crate::metadata::live::SHARED;
use crate::metadata::stage::Stage;
use crate::object::header::{Header, edit};
use crate::object::{Objects, delete};
use crate::open_files;
use crate::open_options::OpenOptions;
use crate::sources::Epoch;
use crate::storage::file::{FileStorage, Stamp};
use crate::storage::pages::Pages;
use crate::storage::watch::Watch;
use crate::storage::{ReadAt, WriteAt};
use crate::stored;
use crate::swmr::retry::Following;
use crate::vds::layout::VirtualLayout;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Bytes in which every superblock fits.
const SUPERBLOCK_MAX: usize = 256;
/// A message's flag: programs that do not know its type mark it when they change the object.
const KNOWN_ONLY: u8 = 0x10;
/// Dataset states a file keeps for virtual datasets that read from it.
const DATASETS_KEPT: usize = 1024;

/// Files a file keeps open that are written through its virtual datasets.
const SOURCES_WRITTEN: usize = 64;

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

/// A dataset that a virtual one read from, and when, on the clock of [`Epoch`], it was last seen to be that.
#[derive(Debug)]
struct Kept {
    state: Arc<DatasetState>,
    seen: u64,
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

    /// The marks in the superblock as they are on disk now.
    pub(crate) fn marks(&self) -> Result<u32> {
        self.attempt(|| {
            let bytes = self.metadata().read_up_to(Address(0), SUPERBLOCK_MAX)?;
            let superblock = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT));
            Ok(superblock.at(|| "superblock at 0x0")?.flags)
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

    /// Fails when the file is closed or open to read only, or an earlier write failed; else nobody reads
    /// while the guard is held.
    pub(crate) fn writing(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        let guard = self.alone()?;
        self.metadata().check()?;
        Ok(guard)
    }

    /// As [`writing`](Self::writing), for changes of the object whose header is at `owner`.
    pub(crate) fn writing_for(&self, owner: Address) -> Result<Writing<'_>> {
        let guard = self.writing()?;
        self.metadata().set_owner(owner);
        Ok(guard)
    }

    /// As [`writing`](Self::writing), also when an earlier write failed.
    fn alone(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        self.check_open()?;
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| Error::usage("the file is open to read only").at(self.place.path.display()))?;
        let guard = writer.gate.write();
        self.metadata().set_owner(SHARED);
        Ok(guard)
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

    /// Writes everything that waits; the caller holds the gate.
    pub(crate) fn flush_all(&self, me: Option<&Arc<Self>>) -> Result<()> {
        self.settle(me)?;
        if self.is_live() { self.metadata().flush() } else { self.write_superblock(OPEN_FOR_WRITE) }?;
        // What nobody else holds has nothing to write any more.
        self.open.lock().retain(|_, cell| Arc::strong_count(cell) > 1);
        Ok(())
    }

    /// Makes the structures those of all that was asked for; the caller holds the gate.
    pub(crate) fn settle(&self, me: Option<&Arc<Self>>) -> Result<()> {
        self.drop_orphans(me.is_none())?;
        self.flush_datasets(me)
    }

    /// Stores what datasets keep in memory; the caller holds the gate.
    pub(crate) fn flush_datasets(&self, me: Option<&Arc<Self>>) -> Result<()> {
        let addresses: Vec<Address> = self.open.lock().keys().copied().collect();
        addresses.into_iter().try_for_each(|address| self.flush_dataset(address, me))
    }

    /// Stores what the dataset whose header is at `address` keeps in memory; the caller holds the gate.
    pub(crate) fn flush_dataset(&self, address: Address, me: Option<&Arc<Self>>) -> Result<()> {
        let Some(cell) = self.open.lock().get(&address).map(Arc::clone) else { return Ok(()) };
        self.metadata().set_owner(address);
        let flushed = cell.flush(self, address, me);
        self.metadata().set_owner(SHARED);
        flushed
    }

    fn write_superblock(&self, flags: u32) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let md = self.metadata();
        let end = md.trim()?;
        if let (Some(file_space), Some(extension)) = (&writer.file_space, self.superblock.extension) {
            let end = Some(Address(end));
            let mut sink = Sink::new(md.widths());
            FileSpace { end, ..file_space.clone() }.write(&mut sink)?;
            let message =
                RawMessage { kind: kind::FILE_SPACE_INFO, flags: KNOWN_ONLY, body: sink.into_body() };
            edit::put(md, extension, &message)?;
        }
        md.store(Stage::Superblock, Address(0), &self.superblock_at(end, flags))?;
        md.flush()?;
        writer.end.store(end, Ordering::Release);
        Ok(())
    }

    /// Allocates as the file's own rules say. Free space it remembers is forgotten, since whoever wrote
    /// to the file next would take what is in use now for free.
    fn adopt_file_space(&mut self) -> Result<()> {
        let (Some(extension), Some(writer)) = (self.superblock.extension, &mut self.writer) else {
            return Ok(());
        };
        let md = &self.objects.metadata;
        let header = Header::open(md, extension).at(|| "superblock extension")?;
        // What a cache image held is staged by now.
        if let Some(image) = header.position(kind::CACHE_IMAGE) {
            edit::remove(md, extension, image)?;
        }
        let Some(message) = header.first(kind::FILE_SPACE_INFO).filter(|message| !message.is_outdated())
        else {
            return Ok(());
        };
        let Some(found) = FileSpace::read(&mut Cursor::new(&message.body, md.widths()))? else {
            return Ok(());
        };
        if found.is_paged() {
            md.set_page(found.page)?;
        }
        writer.file_space = Some(found).filter(|found| found.persists);
        Ok(())
    }

    fn superblock_at(&self, end: u64, flags: u32) -> Superblock {
        let flags = if self.writer.as_ref().is_some_and(|writer| writer.marked) { flags } else { 0 };
        let end = Address(end.saturating_add(self.superblock.base));
        Superblock { flags, end_of_file: Some(end), ..self.superblock.clone() }
    }

    /// Takes the mark off a file whose last flush failed, so that what the one before left can be read.
    fn unmark(&self) -> Result<()> {
        let md = self.metadata();
        match &self.writer {
            // Others go on to read a live file, which says itself where it ends.
            Some(writer) if writer.marked && md.is_whole() && !md.is_live() => {
                let superblock = self.superblock_at(writer.end.load(Ordering::Acquire), 0);
                md.write_past_failure(Address(0), &md.encode(&superblock)?)
            }
            _ => Ok(()),
        }
    }

    /// Writes everything that waits.
    pub(crate) fn flush(self: &Arc<Self>) -> Result<()> {
        self.flush_as(false)
    }

    /// As [`flush`](Self::flush); a `durable` one returns when all is on the disk.
    pub(crate) fn flush_as(self: &Arc<Self>, durable: bool) -> Result<()> {
        if !self.is_writable() {
            return self.check_open();
        }
        self.flush_sources()?;
        let _writing = self.writing()?;
        let flush = || match (self.is_live(), durable) {
            (true, _) => self.publish(&[], durable),
            (false, true) => self.flush_all(Some(self)).and_then(|()| self.metadata().sync()),
            (false, false) => self.flush_all(Some(self)),
        };
        flush().at(|| self.place.path.display().to_string())
    }

    /// Writes everything that waits, takes the mark off, and refuses any further use.
    pub(crate) fn close(&self) -> Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let sources = self.close_sources();
        let closed = self.close_itself().at(|| self.place.path.display().to_string());
        self.unlock();
        open_files::release(self);
        closed.and(sources)
    }

    fn close_itself(&self) -> Result<()> {
        let _writing = if self.is_writable() { Some(self.alone()?) } else { None };
        if self.closed.swap(true, Ordering::AcqRel) || !self.is_writable() {
            return Ok(());
        }
        // Twice, since what was freed is only given back once nothing on disk refers to it.
        let written = self.flush_all(None).and_then(|()| {
            let live = self.is_live();
            self.metadata().end_live()?;
            self.write_superblock(0)?;
            self.locked.iter().filter(|_| live).for_each(|storage| storage.unlock_alive());
            Ok(())
        });
        let written = written.inspect_err(|_| {
            // The first error is the one to tell.
            let _ = self.unmark();
        });
        self.open.lock().clear();
        written
    }

    /// Gives the lock on the file back.
    pub(crate) fn unlock(&self) {
        if let Some(storage) = &self.locked {
            storage.unlock();
        }
    }

    /// Takes the lock of a reader again.
    pub(crate) fn lock_again(&self) -> Result<()> {
        let Some(storage) = &self.locked else { return Ok(()) };
        storage.lock_shared(self.options.locks()).map_err(|error| Error::io("cannot open the file", error))
    }

    /// Keeps a file open that is written through a virtual dataset of this one, until this one is closed.
    pub(crate) fn keep_source_open(&self, source: &Arc<Self>) -> Result<()> {
        let mut kept = self.sources_written.lock();
        kept.retain(|other| !other.is_closed());
        let mut oldest = Vec::new();
        if kept.len() >= SOURCES_WRITTEN {
            oldest.extend(kept.drain(..SOURCES_WRITTEN / 2));
        }
        kept.push(Arc::clone(source));
        drop(kept);
        oldest.iter().try_for_each(Self::flush)
    }

    fn flush_sources(&self) -> Result<()> {
        let sources = self.sources_written.lock().clone();
        let open = sources.iter().filter(|source| !source.is_closed());
        open.map(Self::flush).fold(Ok(()), Result::and)
    }

    /// Closes what was opened to write through virtual datasets, unless it is open elsewhere as well.
    fn close_sources(&self) -> Result<()> {
        let flushed = self.flush_sources();
        let sources = std::mem::take(&mut *self.sources_written.lock());
        drop(sources);
        flushed
    }

    /// The shared state of the dataset whose header is at `address`; `open` reads it the first time.
    pub(crate) fn dataset_cell(
        &self,
        address: Address,
        open: impl FnOnce() -> Result<DatasetState>,
    ) -> Result<Arc<DatasetCell>> {
        if !self.is_writable() {
            return Ok(Arc::new(DatasetCell::new(open()?)));
        }
        if let Some(cell) = self.open.lock().get(&address) {
            return Ok(Arc::clone(cell));
        }
        let cell = Arc::new(DatasetCell::new(open()?));
        let mut open = self.open.lock();
        if open.len() >= DATASETS_KEPT && open.len().is_power_of_two() {
            open.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.is_dirty());
        }
        Ok(Arc::clone(open.entry(address).or_insert(cell)))
    }

    /// A hard link to the object at `address` is gone, and with the last one the object and what only it
    /// leads to; what somebody has open goes when nobody has any more. The caller holds the gate.
    pub(crate) fn drop_link(&self, address: Address) -> Result<()> {
        delete::unlink(&self.objects, address, &mut stored::free_chunks, &mut |gone| self.keeps(gone))
    }

    /// Forgets the dataset without links at `address`, unless somebody has it open: then it is an orphan.
    fn keeps(&self, address: Address) -> bool {
        let mut open = self.open.lock();
        if open.get(&address).is_some_and(|cell| Arc::strong_count(cell) > 1) {
            self.orphans.lock().push(address);
            return true;
        }
        open.remove(&address);
        drop(open);
        self.forget_layout(address);
        false
    }

    /// Frees objects without links that nobody has open any more; `all` of them when the file is closed.
    fn drop_orphans(&self, all: bool) -> Result<()> {
        let orphans = std::mem::take(&mut *self.orphans.lock());
        for address in orphans {
            if all {
                self.open.lock().remove(&address);
            }
            self.drop_link(address)?;
        }
        Ok(())
    }

    /// The mappings of the virtual dataset at `address` are to be decoded again.
    pub(crate) fn forget_layout(&self, address: Address) {
        self.layouts.lock().remove(&address);
    }

    /// The state of a dataset that a virtual dataset read from before; in a file that somebody else writes, if
    /// it was that at the time of `epoch` or later.
    pub(crate) fn kept_source(&self, path: &[u8], epoch: u64) -> Option<Arc<DatasetState>> {
        let (state, seen) = self.sources.lock().get(path).map(|kept| (Arc::clone(&kept.state), kept.seen))?;
        if self.following.is_none() || seen >= epoch {
            return Some(state);
        }
        let now = Epoch::now();
        if !state.is_current(self) {
            return None;
        }
        self.keep_source(path, &state, now);
        Some(state)
    }

    /// Keeps the state of a dataset, seen at the time of `seen`, for the next read.
    pub(crate) fn keep_source(&self, path: &[u8], state: &Arc<DatasetState>, seen: u64) {
        if self.is_writable() {
            return;
        }
        let mut kept = self.sources.lock();
        if kept.len() >= DATASETS_KEPT {
            kept.clear();
        }
        if kept.get(path).is_none_or(|kept| kept.seen <= seen) {
            kept.insert(path.to_vec(), Kept { state: Arc::clone(state), seen });
        }
    }

    /// The mappings of the virtual dataset at `address` are these.
    pub(crate) fn keep_layout(&self, address: Address, layout: &Arc<VirtualLayout>) {
        self.layouts.lock().insert(address, Arc::clone(layout));
    }

    /// The mappings of the virtual dataset whose header is at `key`, decoded once.
    pub(crate) fn virtual_layout(
        &self,
        key: Address,
        decode: impl FnOnce() -> Result<VirtualLayout>,
    ) -> Result<Arc<VirtualLayout>> {
        if let Some(layout) = self.layouts.lock().get(&key) {
            return Ok(Arc::clone(layout));
        }
        let layout = Arc::new(decode()?);
        self.layouts.lock().insert(key, Arc::clone(&layout));
        Ok(layout)
    }
}

impl Drop for FileState {
    fn drop(&mut self) {
        // Whoever wants to know of an error calls `close`.
        let _ = self.close();
    }
}

/// Superblock and objects of a file that is to be changed. `end` gives the address at which it ends, from the one
/// it says and the one its bytes end at.
pub(crate) fn editable(
    storage: Arc<dyn WriteAt>,
    purpose: Purpose,
    end: impl FnOnce(u64, u64) -> u64,
) -> Result<(Superblock, Objects)> {
    let pages = Pages::new(Arc::clone(&storage) as Arc<dyn ReadAt>)
        .map_err(|error| Error::io("cannot read the file", error))?;
    let (superblock, probe) = find_superblock(pages, purpose)?;
    let said = superblock.end_of_file.map(|end| end.0.saturating_sub(superblock.base));
    let end = end(said.unwrap_or_else(|| probe.end()), probe.end());
    let bounds = match superblock.version {
        0 | 1 => Bounds::Earliest,
        2 => Bounds::V18,
        _ => Bounds::V110,
    };
    let superblock = Superblock { base: probe.base(), ..superblock };
    let tree_k = superblock.groups.as_ref().map(OldGroups::tree_k).transpose()?;
    let metadata = Metadata::writable(storage, probe.base(), superblock.widths, end)?
        .with_bounds(bounds)
        .with_tree_k(tree_k.unwrap_or_default());
    let objects = Objects::open(metadata, superblock.extension)?;
    Ok((superblock, objects))
}

/// The superblock is at offset 0, or behind a user block at 512, 1024, 2048, ...
fn find_superblock(pages: Pages, purpose: Purpose) -> Result<(Superblock, Metadata)> {
    let start = find_signature(&pages)?;
    let place = || format!("superblock at {start:#x}");
    let probe = Metadata::new(pages, start, Widths::EIGHT);
    let bytes = probe.read_up_to(Address(0), SUPERBLOCK_MAX)?;
    let superblock = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT)).at(place)?;
    superblock.check_marks(purpose).at(place)?;
    check_superblock(&superblock, &probe, purpose).at(place)?;
    Ok((superblock, probe))
}

fn find_signature(pages: &Pages) -> Result<u64> {
    let mut offset = 0_u64;
    while offset.saturating_add(SIGNATURE.len() as u64) <= pages.len() {
        let mut bytes = [0; SIGNATURE.len()];
        pages.read_at(offset, &mut bytes).map_err(|error| Error::io("cannot read the file", error))?;
        if bytes == SIGNATURE {
            return Ok(offset);
        }
        offset = if offset == 0 { 512 } else { offset.saturating_mul(2) };
    }
    Err(Error::malformed(format!("no HDF5 signature in its {} bytes: this is not an HDF5 file", pages.len())))
}

/// The block that says how the file's driver lays it out must be in the file.
///
/// Spec: II.B "Driver Info".
fn check_driver(probe: &Metadata, address: Address) -> Result<()> {
    const HEAD: usize = 16;
    let head = probe.read(address, HEAD)?;
    let mut cursor = Cursor::new(&head, Widths::EIGHT);
    cursor.version(&[0])?;
    cursor.skip(3)?;
    let size = cursor.u32()?;
    if u64::from(size) > probe.end().saturating_sub(address.0).saturating_sub(HEAD as u64) {
        return Err(Error::malformed(format!("it has {size} bytes at {address}, outside the file")));
    }
    Ok(())
}

fn check_superblock(superblock: &Superblock, probe: &Metadata, purpose: Purpose) -> Result<()> {
    let length = probe.end();
    if superblock.base > probe.base() {
        return Err(Error::malformed(format!(
            "base address is {:#x}, the superblock itself is at {:#x}",
            superblock.base,
            probe.base()
        )));
    }
    if let Some(address) = superblock.driver {
        check_driver(probe, address).at(|| "driver information")?;
    }
    // A live writer says where its file ends before it is that long.
    if !matches!(purpose, Purpose::Follow | Purpose::Recover)
        && let Some(end) = superblock.end_of_file
        && end.0.saturating_sub(superblock.base) > length
    {
        return Err(Error::malformed(format!(
            "the file is truncated: it says it is {} bytes long, but {length} are there",
            end.0.saturating_sub(superblock.base)
        )));
    }
    Ok(())
}
