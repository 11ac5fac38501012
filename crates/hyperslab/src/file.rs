//! [`File`]: an HDF5 file, open.

use crate::builder::DatasetBuilder;
use crate::dataset::Dataset;
use crate::datatype::{Datatype, Element};
use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::group::{Group, Object};
use crate::location::Location;
use crate::open_options::OpenOptions;
use crate::storage::memory::MemoryStorage;
use crate::vds::access::DatasetAccess;
use std::path::Path;
use std::sync::Arc;

/// An HDF5 file, open to read, or to read and write.
///
/// A clone is another handle on the same open file. All methods take `&self`; one `File` can be
/// used from many threads at once. What was written is on its way to the disk after
/// [`flush`](Self::flush) or [`close`](Self::close), or once the last handle is dropped.
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

impl File {
    /// Opens an existing file to read.
    ///
    /// # Errors
    /// `Io` when the operating system refuses, `Malformed` when it is not a sound HDF5 file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// Opens an existing file to read and write.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Io` when anybody else has the file open. The file is left as it is then.
    pub fn open_rw(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open_rw(path)
    }

    /// Makes a file; one of that name is emptied.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("run.h5");
    /// use hyperslab::File;
    /// let file = File::create(&path)?;
    /// file.new_dataset::<f32>().create_with("/entry/data", &ndarray::array![[1.0, 2.0], [3.0, 4.0]])?;
    /// file.close()?;
    /// let file = File::open_rw(&path)?;
    /// file.dataset("/entry/data")?.write_slice(&ndarray::array![9.0_f32], ndarray::s![1, ..1])?;
    /// file.flush()?;
    /// assert_eq!(file.dataset("/entry/data")?.read::<f32>()?.sum(), 16.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Io` when the operating system refuses, or anybody has the file open; it is left as it is then.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().create(path)
    }

    /// Makes a file that does not exist yet.
    ///
    /// # Errors
    /// As [`create`](Self::create), and `Io` when there is anything of that name.
    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().create_new(path)
    }

    /// Opens a file to read and write, or makes it when there is none.
    ///
    /// # Errors
    /// As [`open_rw`](Self::open_rw) and [`create_new`](Self::create_new).
    pub fn append(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().append(path)
    }

    /// Writes everything that waits in memory.
    ///
    /// After an error nothing more is written to the file, which is then as the flush before left it.
    ///
    /// # Errors
    /// `Io` when the operating system refuses, also when it did so before.
    pub fn flush(&self) -> Result<()> {
        self.state.flush()
    }

    /// Writes everything that waits in memory and closes the file, for all handles on it.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(self) -> Result<()> {
        self.state.close()
    }

    /// Whether anything can be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.state.is_writable()
    }

    /// The bytes of the whole file, user block included, after a [`flush`](Self::flush).
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and `Io` when the file cannot be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.flush()?;
        let storage = self.state.metadata().storage();
        let read = || {
            let length = usize::try_from(storage.len()?).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
            let mut bytes = vec![0; length];
            storage.read_at(0, &mut bytes).map(|()| bytes)
        };
        read().map_err(|error| Error::io("cannot read the file", error))
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

    /// The numbers by which the system tells the file from every other, whatever it is called: its device's and its
    /// own on that. A file in memory has none.
    ///
    /// ```
    /// # let directory = tempfile::tempdir().unwrap();
    /// let file = hyperslab::File::create(directory.path().join("a.h5"))?;
    /// assert!(file.identity().is_some());
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    #[must_use]
    pub fn identity(&self) -> Option<(u64, u64)> {
        self.state.stamp.map(|stamp| stamp.identity())
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
        let _reading = self.state.reading()?;
        let open = || Object::open(&self.state, self.state.superblock.root, b"/");
        match self.state.attempt(open).at(|| self.path().display().to_string())? {
            Object::Group(group) => Ok(group),
            _ => Err(Error::malformed("the root object is not a group").at(self.path().display())),
        }
    }

    /// Begins a dataset whose elements are `T`; see [`Group::new_dataset`].
    pub fn new_dataset<T: Element>(&self) -> DatasetBuilder {
        self.root_group().new_dataset::<T>()
    }

    /// Begins a dataset whose elements are of a datatype.
    pub fn new_dataset_of(&self, datatype: &Datatype) -> DatasetBuilder {
        self.root_group().new_dataset_of(datatype)
    }

    /// Makes a group, and the groups on the way to it.
    ///
    /// # Errors
    /// As [`Group::create_group`].
    pub fn create_group(&self, path: impl AsRef<[u8]>) -> Result<Group> {
        self.root_group().create_group(path)
    }

    fn root_group(&self) -> Group {
        Group { location: Location::new(&self.state, self.state.superblock.root, b"/") }
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

    /// The dataset at a path; a virtual one finds and follows its sources as `access` says.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset).
    pub fn dataset_with(&self, path: impl AsRef<[u8]>, access: &DatasetAccess) -> Result<Dataset> {
        self.root()?.dataset_with(path, access)
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
