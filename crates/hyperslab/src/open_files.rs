//! The files that virtual datasets read from: opened once, kept open, closed when there are many.

use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::source_policy::SourcePolicy;
use crate::storage::file::{Stamp, stamp_of};
use crate::storage::lock::Locking;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

/// Files kept at once, of some kilobytes each; how many of them are open is the storage's business.
const KEPT: usize = 1 << 14;

/// What a file is, and all that decides what it can open in turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    stamp: Stamp,
    directory: PathBuf,
    locking: Locking,
    sources: SourcePolicy,
    live: bool,
}

/// A file that was opened for a virtual dataset.
#[derive(Debug)]
struct Kept {
    file: Arc<FileState>,
    /// When, on the clock of the table.
    used: u64,
    /// The files on whose behalf; once all are closed, the lock on this one is given back.
    openers: Vec<Weak<FileState>>,
    locked: bool,
}

/// Open files by what they are, whatever they are called.
#[derive(Debug, Default)]
struct OpenFiles {
    files: HashMap<Key, Kept>,
    clock: u64,
}

/// Files that are dropped once the table is let go: they tell it when they are.
type Dropped = Vec<Arc<FileState>>;

static OPEN: LazyLock<Mutex<OpenFiles>> = LazyLock::new(Mutex::default);

impl OpenFiles {
    fn get(&mut self, key: &Key, opener: &Arc<FileState>) -> Result<Option<Arc<FileState>>> {
        self.clock += 1;
        let Some(kept) = self.files.get_mut(key) else { return Ok(None) };
        kept.used = self.clock;
        if !kept.locked && key.locking != Locking::Off {
            kept.file.lock_again()?;
            kept.locked = true;
        }
        if !kept.openers.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(opener))) {
            kept.openers.push(Arc::downgrade(opener));
        }
        Ok(Some(Arc::clone(&kept.file)))
    }

    fn keep(&mut self, key: Key, file: &Arc<FileState>, opener: &Arc<FileState>) -> Dropped {
        let mut dropped = Dropped::new();
        if self.files.len() >= KEPT {
            let mut used: Vec<u64> = self.files.values().map(|kept| kept.used).collect();
            used.sort_unstable();
            let oldest = used.get(KEPT / 4).copied().unwrap_or(0);
            dropped = self.remove(|_, kept| kept.used <= oldest);
        }
        self.clock += 1;
        let openers = vec![Arc::downgrade(opener)];
        let kept = Kept { file: Arc::clone(file), used: self.clock, openers, locked: true };
        dropped.extend(self.files.insert(key, kept).map(|kept| kept.file));
        dropped
    }

    fn remove(&mut self, unwanted: impl Fn(&Key, &Kept) -> bool) -> Dropped {
        self.files.extract_if(|key, kept| unwanted(key, kept)).map(|(_, kept)| kept.file).collect()
    }
}

/// Gives the locks on files back that were opened on behalf of `closed` only.
pub(crate) fn release(closed: &FileState) {
    let mut open = OPEN.lock();
    let mut gone = vec![std::ptr::from_ref(closed)];
    while let Some(closed) = gone.pop() {
        for kept in open.files.values_mut().filter(|kept| kept.locked) {
            kept.openers.retain(|opener| !std::ptr::eq(opener.as_ptr(), closed) && opener.strong_count() > 0);
            if kept.openers.is_empty() {
                kept.file.unlock();
                kept.locked = false;
                gone.push(Arc::as_ptr(&kept.file));
            }
        }
    }
}

/// Closes the file at `path` as far as nobody reads it, so that it can be locked to write.
pub(crate) fn forget(path: &Path) {
    let Ok(stamp) = stamp_of(path) else { return };
    let dropped = OPEN.lock().remove(|key, _| key.stamp.identity() == stamp.identity());
    drop(dropped);
}

/// Files this program writes, by device and inode.
static WRITTEN: LazyLock<Mutex<Written>> = LazyLock::new(Mutex::default);

type Written = HashMap<(u64, u64), Weak<FileState>>;

/// The file at `path`, when this program has it open to write.
pub(crate) fn written(path: &Path) -> Option<Arc<FileState>> {
    let written = WRITTEN.lock();
    if written.is_empty() {
        return None;
    }
    let state = written.get(&stamp_of(path).ok()?.identity())?.upgrade()?;
    (!state.is_closed()).then_some(state)
}

/// From now on the file is found by whoever opens it in this program.
pub(crate) fn keep_written(stamp: Stamp, state: &Arc<FileState>) {
    let mut written = WRITTEN.lock();
    written.retain(|_, state| state.strong_count() > 0);
    written.insert(stamp.identity(), Arc::downgrade(state));
}

/// The file at `path`, opened on behalf of `opener`; `None` when there is none.
pub(crate) fn open(path: &Path, opener: &Arc<FileState>) -> Result<Option<Arc<FileState>>> {
    let stamp = match stamp_of(path) {
        Ok(stamp) => stamp,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("cannot open the file", error)).at(|| path.display().to_string()),
    };
    let (options, live) = (&opener.options, opener.following.is_some());
    if !live && let Some(file) = written(path) {
        return Ok(Some(file));
    }
    // A live file is the same however it grows.
    let stamp = if live { stamp.of_any_time() } else { stamp };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let key = Key {
        stamp,
        directory: absolute.parent().map(Path::to_path_buf).unwrap_or_default(),
        locking: options.locks(),
        sources: options.source_policy().clone(),
        live,
    };
    let kept = OPEN.lock().get(&key, opener);
    if let Some(file) = kept.at(|| path.display().to_string())? {
        return Ok(Some(file));
    }
    let file = options.clone().without_prefix().swmr(live).open(path)?.state;
    let same = if live {
        file.stamp.map(|stamp| stamp.of_any_time()) == Some(stamp)
    } else {
        file.stamp == Some(stamp) && !stamp.is_fresh()
    };
    if same {
        let dropped = OPEN.lock().keep(key, &file, opener);
        drop(dropped);
    }
    Ok(Some(file))
}
