//! Objects of a file that are open or kept for the next read.

use crate::dataset::{DatasetCell, DatasetState};
use crate::error::Result;
use crate::file_state::FileState;
use crate::format::bytes::Address;
use crate::limits::Limits;
use crate::object::delete;
use crate::sources::Epoch;
use crate::storage::file::Stamp;
use crate::stored;
use crate::vds::layout::VirtualLayout;
use parking_lot::Mutex;
use std::sync::{Arc, LazyLock};

/// Dataset states a file keeps for virtual datasets that read from it.
const DATASETS_KEPT: usize = 1024;
/// Datasets of a file that is written beyond which those that nobody has open are forgotten, while they are at hand.
const DATASETS_OPEN: usize = 16;

/// A dataset that a virtual one read from, and when, on the clock of [`Epoch`], it was last seen to be that.
#[derive(Debug)]
pub(super) struct Kept {
    state: Arc<DatasetState>,
    seen: u64,
}

impl FileState {
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
        if open.len() >= DATASETS_OPEN && open.len().is_power_of_two() {
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
    pub(super) fn drop_orphans(&self, all: bool) -> Result<()> {
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
        let settled = self.stamp.filter(|stamp| {
            self.following.is_none()
                && !self.is_writable()
                && self.options.limits == Limits::default()
                && !stamp.is_fresh()
        });
        let shared = settled.map(|stamp| (stamp, key));
        let known = shared.as_ref().and_then(|place| LAYOUTS.lock().get(place));
        let layout = if let Some(layout) = known {
            layout
        } else {
            let layout = Arc::new(decode()?);
            if let Some(place) = shared {
                LAYOUTS.lock().keep(place, &layout);
            }
            layout
        };
        self.layouts.lock().insert(key, Arc::clone(&layout));
        Ok(layout)
    }
}

/// Mappings of files that nobody writes, for whoever opens them again.
static LAYOUTS: LazyLock<Mutex<Layouts>> = LazyLock::new(Mutex::default);

/// About how many bytes of mappings are kept.
const LAYOUT_BYTES: usize = 32 << 20;

/// Mappings by what their file is and where they are in it, the last used ones last.
#[derive(Debug, Default)]
struct Layouts(Vec<((Stamp, Address), Arc<VirtualLayout>, usize)>);

impl Layouts {
    fn get(&mut self, place: &(Stamp, Address)) -> Option<Arc<VirtualLayout>> {
        let at = self.0.iter().rposition(|(known, ..)| known == place)?;
        let found = self.0.remove(at);
        let layout = Arc::clone(&found.1);
        self.0.push(found);
        Some(layout)
    }

    fn keep(&mut self, place: (Stamp, Address), layout: &Arc<VirtualLayout>) {
        // Of a file, only what it is now.
        let outdated =
            |known: &(Stamp, Address)| known.0.identity() == place.0.identity() && known.0 != place.0;
        self.0.retain(|(known, ..)| *known != place && !outdated(known));
        self.0.push((place, Arc::clone(layout), layout.bytes()));
        let mut room = LAYOUT_BYTES;
        let kept = self.0.iter().rev().take_while(|(.., bytes)| {
            let fits = *bytes <= room;
            room = room.saturating_sub(*bytes);
            fits
        });
        let dropped = self.0.len() - kept.count();
        self.0.drain(..dropped);
    }
}
