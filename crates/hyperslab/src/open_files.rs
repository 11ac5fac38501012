//! The files that virtual datasets read from: opened once, kept open, closed when there are many.

use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::open_options::OpenOptions;
use crate::source_policy::SourcePolicy;
use crate::storage::file::{Stamp, stamp_of};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

/// Files kept open at once, far below any limit of descriptors.
const KEPT: usize = 128;

/// What a file is, and all that decides what it can open in turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    stamp: Stamp,
    directory: PathBuf,
    locking: bool,
    sources: SourcePolicy,
}

/// Open files by what they are, whatever they are called.
#[derive(Debug, Default)]
struct OpenFiles {
    files: HashMap<Key, (Arc<FileState>, u64)>,
    clock: u64,
}

static OPEN: LazyLock<Mutex<OpenFiles>> = LazyLock::new(Mutex::default);

impl OpenFiles {
    fn get(&mut self, key: &Key) -> Option<Arc<FileState>> {
        self.clock += 1;
        let (file, used) = self.files.get_mut(key)?;
        *used = self.clock;
        Some(Arc::clone(file))
    }

    fn keep(&mut self, key: Key, file: &Arc<FileState>) {
        if self.files.len() >= KEPT {
            let mut used: Vec<u64> = self.files.values().map(|(_, used)| *used).collect();
            used.sort_unstable();
            let oldest = used.get(KEPT / 4).copied().unwrap_or(0);
            self.files.retain(|_, (_, used)| *used > oldest);
        }
        self.clock += 1;
        self.files.insert(key, (Arc::clone(file), self.clock));
    }
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

/// The file at `path`; `None` when there is none.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Option<Arc<FileState>>> {
    let stamp = match stamp_of(path) {
        Ok(stamp) => stamp,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("cannot open the file", error)).at(|| path.display().to_string()),
    };
    if let Some(file) = written(path) {
        return Ok(Some(file));
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let key = Key {
        stamp,
        directory: absolute.parent().map(Path::to_path_buf).unwrap_or_default(),
        locking: options.is_locking(),
        sources: options.source_policy().clone(),
    };
    if let Some(file) = OPEN.lock().get(&key) {
        return Ok(Some(file));
    }
    let opened = options.clone().without_prefix().open(path)?.state;
    if opened.stamp == Some(stamp) && !stamp.is_fresh() {
        OPEN.lock().keep(key, &opened);
    }
    Ok(Some(opened))
}
