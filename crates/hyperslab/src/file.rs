//! [`File`]: an HDF5 file, open.

use crate::dataset::{Dataset, DatasetState};
use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor, Widths, Wire};
use crate::format::superblock::{OPEN_FOR_SWMR, OPEN_FOR_WRITE, SIGNATURE, Superblock};
use crate::group::{Group, Object};
use crate::metadata::Metadata;
use crate::object::Objects;
use crate::storage::ReadAt;
use crate::storage::family::FamilyStorage;
use crate::storage::file::{FileStorage, Stamp};
use crate::storage::memory::MemoryStorage;
use crate::storage::pages::Pages;
use crate::vds::layout::VirtualLayout;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes in which every superblock fits.
const SUPERBLOCK_MAX: usize = 256;
/// Dataset states a file keeps for virtual datasets that read from it.
const DATASETS_KEPT: usize = 1024;

/// An HDF5 file, open to read.
///
/// A clone is another handle on the same open file. All methods take `&self`; one `File` can be
/// read from many threads at once.
///
/// ```no_run
/// let file = hyperslab::File::open("run.h5")?;
/// let data = file.dataset("/entry/data")?;
/// println!("{:?}", data.shape());
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct File {
    pub(crate) state: Arc<FileState>,
}

/// How a file is opened.
///
/// ```no_run
/// let file = hyperslab::OpenOptions::new().locking(false).vds_prefix("/data").open("run.h5")?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    unlocked: bool,
    /// Where virtual datasets look for their source files first.
    vds_prefix: Option<String>,
}

impl OpenOptions {
    /// The defaults: take the shared lock, no prefix.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to take the lock that keeps writers out while the file is read; on by default.
    ///
    /// The environment variable `HDF5_USE_FILE_LOCKING`, when `FALSE` or `0`, turns it off as well.
    #[must_use]
    pub fn locking(mut self, on: bool) -> Self {
        self.unlocked = !on;
        self
    }

    /// A directory in which virtual datasets look for their source files first; `${ORIGIN}` at
    /// its start means the directory of this file.
    #[must_use]
    pub fn vds_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.vds_prefix = Some(prefix.into());
        self
    }

    pub(crate) fn is_locking(&self) -> bool {
        !self.unlocked
    }

    pub(crate) fn prefix(&self) -> Option<&str> {
        self.vds_prefix.as_deref()
    }

    /// The same options for a file of its own, which the prefix of another does not concern.
    pub(crate) fn without_prefix(mut self) -> Self {
        self.vds_prefix = None;
        self
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// `Io` when the operating system refuses, `Malformed` when it is not a sound HDF5 file.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        self.open_storage(path).at(|| path.display().to_string())
    }

    fn open_storage(&self, path: &Path) -> Result<File> {
        let storage = FileStorage::open(path).map_err(|error| Error::io("cannot open the file", error))?;
        if !self.unlocked && locking_wanted() {
            storage.lock_shared().map_err(|error| Error::io("cannot open the file", error))?;
        }
        let stamp = storage.stamp();
        let mut state = match FileState::open(Arc::new(storage)) {
            Err(error) => open_family(path, &stamp).ok_or(error)?,
            opened => opened?,
        };
        state.place = FilePlace::of(path);
        state.stamp = Some(stamp);
        state.options = self.clone();
        Ok(File { state: Arc::new(state) })
    }
}

/// The file that `path` is the first member of, when it is one of several.
fn open_family(path: &Path, first: &Stamp) -> Option<FileState> {
    let family = FamilyStorage::open(path, first.length()).ok()?;
    if family.members() < 2 {
        return None;
    }
    FileState::open(Arc::new(family)).ok()
}

fn locking_wanted() -> bool {
    let wanted = std::env::var("HDF5_USE_FILE_LOCKING").unwrap_or_default();
    !matches!(wanted.as_str(), "FALSE" | "0")
}

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
    fn of(path: &Path) -> Self {
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
    datasets: Mutex<HashMap<Vec<u8>, Arc<DatasetState>>>,
    layouts: Mutex<HashMap<Address, Arc<VirtualLayout>>>,
}

impl FileState {
    fn open(storage: Arc<dyn ReadAt>) -> Result<Self> {
        let pages = Pages::new(storage).map_err(|error| Error::io("cannot read the file", error))?;
        let start = find_signature(&pages)?;
        let probe = Metadata::new(pages, start, Widths::EIGHT);
        let bytes = probe.read_up_to(Address(0), SUPERBLOCK_MAX)?;
        let superblock = Superblock::read(&mut Cursor::new(&bytes, Widths::EIGHT))
            .at(|| format!("superblock at {start:#x}"))?;
        check_superblock(&superblock, &probe).at(|| format!("superblock at {start:#x}"))?;
        let metadata = probe.with_widths(superblock.widths);
        let objects = Objects::open(metadata, superblock.extension)?;
        let (place, options) = (FilePlace::default(), OpenOptions::default());
        Ok(Self {
            place,
            objects,
            superblock,
            stamp: None,
            options,
            datasets: Mutex::default(),
            layouts: Mutex::default(),
        })
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.objects.metadata
    }

    /// The state of a dataset that a virtual dataset read from before.
    pub(crate) fn kept_dataset(&self, path: &[u8]) -> Option<Arc<DatasetState>> {
        self.datasets.lock().get(path).cloned()
    }

    /// Keeps the state of a dataset for the next read.
    pub(crate) fn keep_dataset(&self, path: &[u8], state: &Arc<DatasetState>) {
        let mut kept = self.datasets.lock();
        if kept.len() >= DATASETS_KEPT {
            kept.clear();
        }
        kept.insert(path.to_vec(), Arc::clone(state));
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

/// The signature is at offset 0, or behind a user block at 512, 1024, 2048, ...
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

fn check_superblock(superblock: &Superblock, probe: &Metadata) -> Result<()> {
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
    if let Some(end) = superblock.end_of_file
        && end.0.saturating_sub(superblock.base) > length
    {
        return Err(Error::malformed(format!(
            "the file is truncated: it says it is {} bytes long, but {length} are there",
            end.0.saturating_sub(superblock.base)
        )));
    }
    if superblock.version >= 3 && superblock.flags & (OPEN_FOR_WRITE | OPEN_FOR_SWMR) != 0 {
        let cause = std::io::Error::new(
            std::io::ErrorKind::WouldBlock,
            "it is marked as open for writing; when its writer is gone, `h5clear -s` removes the mark",
        );
        return Err(Error::io("cannot open the file", cause));
    }
    Ok(())
}

impl File {
    /// Opens an existing file to read.
    ///
    /// # Errors
    /// `Io` when the operating system refuses, `Malformed` when it is not a sound HDF5 file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// Opens a file that is in memory.
    ///
    /// # Errors
    /// `Malformed` when the bytes are not a sound HDF5 file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let state = FileState::open(Arc::new(MemoryStorage::new(bytes)))?;
        Ok(Self { state: Arc::new(state) })
    }

    /// The path the file was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.state.place.path
    }

    /// The version of the superblock, 0 to 3.
    #[must_use]
    pub fn superblock_version(&self) -> u8 {
        self.state.superblock.version
    }

    /// The root group.
    ///
    /// # Errors
    /// `Malformed` when its object header is broken.
    pub fn root(&self) -> Result<Group> {
        match Object::open(&self.state, self.state.superblock.root, b"/")
            .at(|| self.path().display().to_string())?
        {
            Object::Group(group) => Ok(group),
            _ => Err(Error::malformed("the root object is not a group").at(self.path().display())),
        }
    }

    /// The object at a path.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Malformed`, `Unsupported` or `Io` when it cannot be read.
    pub fn object(&self, path: impl AsRef<[u8]>) -> Result<Object> {
        self.root()?.object(path)
    }

    /// The dataset at a path.
    ///
    /// # Errors
    /// As [`object`](Self::object), and `Usage` when the path leads to something else.
    pub fn dataset(&self, path: impl AsRef<[u8]>) -> Result<Dataset> {
        self.root()?.dataset(path)
    }

    /// The group at a path.
    ///
    /// # Errors
    /// As [`object`](Self::object), and `Usage` when the path leads to something else.
    pub fn group(&self, path: impl AsRef<[u8]>) -> Result<Group> {
        self.root()?.group(path)
    }
}

#[cfg(test)]
mod tests {
    use super::File;

    /// A file with a driver information block that says it has `size` bytes, and eight of them.
    fn with_driver(size: u32) -> Vec<u8> {
        let mut bytes = include_bytes!("../fixtures/index/earliest.h5").to_vec();
        let address = (bytes.len() as u64).to_le_bytes();
        bytes.splice(48..56, address);
        bytes.extend([0; 4]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(b"NCSAmult12345678");
        bytes
    }

    #[test]
    fn driver_information_larger_than_the_file_is_refused() {
        assert!(File::from_bytes(with_driver(8)).is_ok());
        let error = File::from_bytes(with_driver(u32::MAX)).unwrap_err().to_string();
        assert!(error.contains("driver information") && error.contains("4294967295 bytes"), "{error}");
    }
}
