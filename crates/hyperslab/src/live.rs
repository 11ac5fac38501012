//! Reading what somebody else is writing: looking again, waiting, and following.

use crate::attribute::{self, Attribute};
use crate::dataset::{Dataset, DatasetState, Elements};
use crate::error::{Error, Place, Result};
use crate::file::File;
use crate::file_state::FileState;
use crate::format::bytes::Wire;
use crate::format::object_header::kind;
use crate::format::superblock::{OPEN_FOR_SWMR, OPEN_FOR_WRITE};
use crate::object::header::Header;
use crate::sources;
use crate::space::{Extent, Selection};
use crate::storage::file::stamp_of;
use crate::storage::watch::Watch;
use crate::swmr::growth::Growth;
use crate::swmr::retry::Following;
use crate::swmr::wait::{self, WriterState};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// How often whoever follows a dataset that does not change looks whether the file was closed,
const LOOK: Duration = Duration::from_millis(20);
/// and whether its writer is gone, which takes longer to find out.
const SEARCH: Duration = Duration::from_secs(1);

/// A file that nobody tells of.
static UNWATCHED: LazyLock<Watch> = LazyLock::new(Watch::default);

impl File {
    /// How often something in a live file was found half written and read again, by the kind of structure.
    #[must_use]
    pub fn retries(&self) -> BTreeMap<String, u64> {
        self.state.following.as_ref().map(Following::retries).unwrap_or_default()
    }

    /// What became of whoever writes the file. It is looked at now, and nothing is changed by that.
    ///
    /// # Errors
    /// `Io` or `Torn` when the file cannot be read.
    pub fn writer_state(&self) -> Result<WriterState> {
        self.state.writer_state().at(|| self.path().display().to_string())
    }
}

impl FileState {
    fn writer_state(&self) -> Result<WriterState> {
        if let Some(stamp) = self.stamp {
            match stamp_of(&self.place.path) {
                Ok(found) if found.identity() == stamp.identity() => {}
                Ok(_) => return Ok(WriterState::Replaced),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WriterState::Deleted),
                Err(error) => return Err(Error::io("cannot look at the file", error)),
            }
        }
        self.marked_state()
    }

    /// What the file itself says of its writer.
    fn marked_state(&self) -> Result<WriterState> {
        let marks = self.marks()? & (OPEN_FOR_WRITE | OPEN_FOR_SWMR);
        let Some(storage) = self.locked.as_ref().filter(|_| marks != 0) else {
            return Ok(WriterState::Closed);
        };
        // Our writers hold a lock for as long as they live; others have at least to have the file open.
        let alive = storage.writer_alive().unwrap_or(false) || storage.has_writer().unwrap_or(true);
        if alive {
            return Ok(WriterState::Writing);
        }
        // It may have closed the file between the two looks.
        let marks = self.marks()? & (OPEN_FOR_WRITE | OPEN_FOR_SWMR);
        Ok(if marks == 0 { WriterState::Closed } else { WriterState::Died })
    }

    fn watch(&self) -> &Watch {
        self.watch.get_or_init(|| self.locked.as_ref().map(|storage| storage.watch()).unwrap_or_default())
    }
}

impl DatasetState {
    /// Whether a file that somebody else writes still says of the dataset what this does. If so, whatever is
    /// read through it from now on is as new as that.
    pub(crate) fn is_current(&self, file: &FileState) -> bool {
        let md = file.metadata();
        if !self.header.as_ref().is_some_and(|header| header.is_current(md)) {
            return false;
        }
        md.next_generation();
        if let Elements::Stored(stored) = &self.elements {
            stored.renew();
        }
        true
    }

    /// The axis along which the dataset grows.
    fn rows(&self) -> usize {
        self.extent.max().iter().position(Option::is_none).unwrap_or(0)
    }
}

impl Dataset {
    /// Looks again at what others may have changed: at a live file, and at the sources of a virtual dataset,
    /// nested ones from the innermost on. What this handle and its clones read and say of the dataset, its
    /// attributes included, is as new as the last refresh.
    ///
    /// Nothing is written. Of a file that is not live, a dataset that is not virtual needs no refreshing. After
    /// an error the handle sees what it saw before.
    ///
    /// # Errors
    /// `Torn` when the writer left something half written for longer than the deadline, and when a source that
    /// decides the size exists but cannot be read.
    pub fn refresh(&self) -> Result<Growth> {
        self.look_again().at(|| self.place())
    }

    fn look_again(&self) -> Result<Growth> {
        let before = self.known();
        if self.file.following.is_some() {
            self.look_at_header()?;
        }
        if self.is_virtual() {
            self.file.attempt(|| self.look_at_sources())?;
        }
        let after = self.known();
        Ok(Growth::new(before.extent.dims(), after.extent.dims(), after.rows()))
    }

    /// What this handle last saw.
    fn known(&self) -> Arc<DatasetState> {
        let stored = self.cell.state();
        if !stored.follows_sources() {
            return stored;
        }
        let known = self.follower.followed.lock().as_ref().map(|(_, state)| Arc::clone(state));
        known.unwrap_or(stored)
    }

    fn look_at_header(&self) -> Result<()> {
        let file = &self.file;
        if self.cell.state().is_current(file) {
            return Ok(());
        }
        let _looking = self.cell.looking.lock();
        let state = file.attempt(|| {
            let header = Header::open(file.metadata(), self.address)?;
            if self.is_virtual() {
                file.forget_layout(self.address);
            }
            DatasetState::open(file, &header)
        });
        self.cell.replace(state?);
        Ok(())
    }

    fn look_at_sources(&self) -> Result<()> {
        self.follower.epoch.renew();
        let stored = self.cell.state();
        let state = sources::follow(&self.file, &stored, self.asked())?;
        *self.follower.followed.lock() = Some((stored, state));
        Ok(())
    }

    /// Does what reads the dataset; in a live file, as often as it takes to read what is whole, from the object
    /// header on, at the size that this handle knows.
    pub(crate) fn attempt<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let Some(following) = &self.file.following else { return work() };
        let mut again = false;
        following.attempt(|| {
            if again {
                self.resolve_again()?;
            }
            again = true;
            work()
        })
    }

    /// As [`attempt`](Self::attempt) to read `selection`, and fails when the dataset was cut so that it is outside.
    pub(crate) fn attempt_uncut<T>(
        &self,
        selection: &Selection,
        mut work: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        self.attempt(|| {
            let absences = self.file.metadata().absences();
            let done = work()?;
            if self.file.metadata().absences() != absences {
                self.check_uncut(selection)?;
            }
            Ok(done)
        })
    }

    /// What a live file does not have may have been cut off since this handle looked.
    fn check_uncut(&self, selection: &Selection) -> Result<()> {
        let (known, file) = (self.cell.state(), &self.file);
        if self.is_virtual() || known.header.as_ref().is_none_or(|header| header.is_current(file.metadata()))
        {
            return Ok(());
        }
        let header = Header::open(file.metadata(), self.address)?;
        let now = file.objects.decoded(&header, kind::DATASPACE, Extent::read)?.unwrap_or(Extent::Null);
        let outside = *selection == Selection::All || selection.check(now.dims()).is_err();
        if outside { check_extent(&known.extent, &now) } else { Ok(()) }
    }

    fn resolve_again(&self) -> Result<()> {
        self.file.metadata().next_generation();
        self.follower.epoch.renew();
        if self.is_virtual() {
            return Ok(());
        }
        let _looking = self.cell.looking.lock();
        let known = self.cell.state();
        let header = Header::open(self.file.metadata(), self.address)?;
        let now = DatasetState::open(&self.file, &header)?;
        check_extent(&known.extent, &now.extent)?;
        let sized = if now.extent == known.extent {
            now
        } else {
            DatasetState::sized(&self.file, &header, known.extent.clone())?
        };
        // What is read next may compare it with the file, which has another extent than it says.
        let header = known.header.clone();
        self.cell.replace(DatasetState { header, ..sized });
        Ok(())
    }

    /// The attributes, in the order they are stored; in a live file those of the last refresh.
    ///
    /// # Errors
    /// `Malformed` when their storage is broken.
    pub fn attributes(&self) -> Result<Vec<Attribute>> {
        let Some(header) = self.cell.state().header.clone() else { return self.location.attributes() };
        let _reading = self.file.reading()?;
        let mut again = false;
        let list = || {
            if again {
                return attribute::all(&self.file, &*self.header()?);
            }
            again = true;
            attribute::all(&self.file, &header)
        };
        self.file.attempt(list).at(|| self.place())
    }

    /// The attribute of that name; in a live file that of the last refresh.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Malformed` when its storage is broken.
    pub fn attribute(&self, name: impl AsRef<[u8]>) -> Result<Attribute> {
        attribute::named(self.attributes()?, name.as_ref()).at(|| self.place())
    }

    /// Waits until the dataset has `rows` rows along the axis it grows on; nothing when the time is up first,
    /// which is never without `timeout`.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let file = hyperslab::OpenOptions::new().swmr(true).open("live.h5")?;
    /// let data = file.dataset("frames")?;
    /// if data.wait(10, Some(Duration::from_secs(5)))?.is_some() {
    ///     println!("{}", data.read_slice::<f32, _>(ndarray::s![0..10, .., ..])?.sum());
    /// }
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn wait(&self, rows: u64, timeout: Option<Duration>) -> Result<Option<Growth>> {
        let axis = self.known().rows();
        self.wait_until(timeout, |growth| growth.after().get(axis).is_some_and(|length| *length >= rows))
    }

    /// Waits until what a refresh finds meets a condition, as [`wait`](Self::wait). The growth is counted from
    /// the shape this handle saw when it began to wait.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn wait_until(
        &self,
        timeout: Option<Duration>,
        mut condition: impl FnMut(&Growth) -> bool,
    ) -> Result<Option<Growth>> {
        let before = self.known();
        // What a virtual dataset has is written to other files.
        let watch = if self.is_virtual() { &UNWATCHED } else { self.file.watch() };
        wait::until((watch, &self.follower.rhythm), timeout, || {
            let found = self.refresh()?;
            let growth = Growth::new(before.extent.dims(), found.after(), found.axis());
            Ok(condition(&growth).then_some(growth))
        })
    }

    /// Follows the dataset: gives each growth, and ends when the writer closed the file or is gone, or nothing
    /// changed for as long as `timeout`.
    ///
    /// The first growth is from what this handle saw when it was called; call [`refresh`](Self::refresh)
    /// before to leave out what is there already.
    ///
    /// ```no_run
    /// let file = hyperslab::OpenOptions::new().swmr(true).open("live.h5")?;
    /// for growth in file.dataset("frames")?.follow(None) {
    ///     println!("{:?}", growth?.rows());
    /// }
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    #[must_use]
    pub fn follow(&self, timeout: Option<Duration>) -> Follow {
        let searched = Instant::now();
        Follow { dataset: self.clone(), timeout, waited: Duration::ZERO, searched, ended: false }
    }
}

/// Fails when the dataset became smaller than a handle knows it.
fn check_extent(known: &Extent, now: &Extent) -> Result<()> {
    let smaller = known.dims().iter().zip(now.dims()).any(|(known, now)| now < known);
    if smaller || known.dims().len() != now.dims().len() {
        let message = format!("was cut from {:?} to {:?}; refresh it", known.dims(), now.dims());
        return Err(Error::usage(message));
    }
    Ok(())
}

/// The growths of a dataset; see [`Dataset::follow`].
#[derive(Debug)]
pub struct Follow {
    dataset: Dataset,
    timeout: Option<Duration>,
    /// How long nothing has changed.
    waited: Duration,
    /// When the writer was last looked for.
    searched: Instant,
    ended: bool,
}

impl Follow {
    /// The next growth when there is one before `time` is up; nothing too once there is to be none.
    ///
    /// # Errors
    /// As [`Dataset::refresh`].
    pub fn look(&mut self, time: Duration) -> Result<Option<Growth>> {
        if self.ended {
            return Ok(None);
        }
        let looked = self.look_once(time);
        self.ended |= looked.is_err();
        looked
    }

    /// Whether there is to be no other growth.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    fn look_once(&mut self, time: Duration) -> Result<Option<Growth>> {
        let left = self.timeout.map_or(time, |timeout| timeout.saturating_sub(self.waited).min(time));
        if let Some(growth) = self.dataset.wait_until(Some(left), Growth::is_change)? {
            self.waited = Duration::ZERO;
            return Ok(Some(growth));
        }
        self.waited = self.waited.saturating_add(left);
        self.ended = self.timeout.is_some_and(|timeout| self.waited >= timeout);
        // The writers of a virtual dataset are those of its sources.
        if self.ended || self.dataset.is_virtual() || self.is_written()? {
            return Ok(None);
        }
        self.ended = true;
        // It may have written a last time before it closed the file.
        let last = self.dataset.refresh()?;
        Ok(last.is_change().then_some(last))
    }

    fn is_written(&mut self) -> Result<bool> {
        let file = &self.dataset.file;
        if self.searched.elapsed() < SEARCH {
            return Ok(file.marks()? & OPEN_FOR_SWMR != 0);
        }
        self.searched = Instant::now();
        Ok(file.marked_state()? == WriterState::Writing)
    }
}

impl Iterator for Follow {
    type Item = Result<Growth>;

    fn next(&mut self) -> Option<Result<Growth>> {
        while !self.ended {
            if let Some(found) = self.look(LOOK).transpose() {
                return Some(found);
            }
        }
        None
    }
}
