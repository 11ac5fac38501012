//! Writing what waits, the superblock last, and closing.

use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::{Address, Cursor, Sink};
use crate::format::message::other::FileSpace;
use crate::format::object_header::{RawMessage, kind};
use crate::format::superblock::{OPEN_FOR_WRITE, Superblock};
use crate::metadata::live::SHARED;
use crate::metadata::stage::Stage;
use crate::object::header::{Header, edit};
use crate::open_files;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A message's flag: programs that do not know its type mark it when they change the object.
const KNOWN_ONLY: u8 = 0x10;
/// Files a file keeps open that are written through its virtual datasets.
const SOURCES_WRITTEN: usize = 64;

impl FileState {
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

    pub(super) fn write_superblock(&self, flags: u32) -> Result<()> {
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
    pub(super) fn adopt_file_space(&mut self) -> Result<()> {
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
        self.metadata().set_owner(SHARED);
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
}
