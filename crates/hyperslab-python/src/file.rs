//! [`PyFile`]: an open file.

use crate::dataset::PyDataset;
use crate::edit;
use crate::error::Raise;
use crate::object::PyObject;
use crate::selection::PySelection;
use crate::stream::Stream;
use hyperslab::{File, Limits, Locking, Mount, OpenOptions, ReferenceKind, SourcePolicy, WriterState};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::{
    Bound, FromPyObject, Py, PyAny, PyRef, PyResult, Python, pyclass, pyfunction, pymethods,
};
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An open file; all threads may read it at once.
#[pyclass(frozen, name = "File", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyFile(pub(crate) File);

/// The locking that h5py has these names for.
fn locks(name: &str) -> PyResult<Locking> {
    match name {
        "true" => Ok(Locking::On),
        "false" => Ok(Locking::Off),
        "best-effort" => Ok(Locking::BestEffort),
        _ => Err(PyValueError::new_err(format!("Unsupported locking value: {name}"))),
    }
}

/// How a file that is there is opened.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Opening {
    writable: bool,
    #[pyo3(default)]
    swmr: bool,
    #[pyo3(default)]
    locking: Option<String>,
    #[pyo3(default)]
    limits: BTreeMap<String, u64>,
    #[pyo3(default)]
    sources: Option<String>,
}

impl Opening {
    fn options(self) -> PyResult<OpenOptions> {
        let mut all = Limits::default();
        self.limits.iter().try_for_each(|(name, value)| all.set(name, *value)).raise()?;
        let locking = self.locking.as_deref().map(locks).transpose()?.unwrap_or_default();
        let mut options = OpenOptions::new().locking(locking).limits(all).swmr(self.swmr);
        // Of files of which nothing is said the environment says it.
        let sources = self.sources.or_else(|| std::env::var("HYPERSLAB_SOURCES").ok());
        if let Some(sources) = sources.filter(|sources| !sources.is_empty()) {
            options = options.sources(SourcePolicy::from(sources.as_str()));
        }
        Ok(options)
    }
}

/// Opens a file.
#[pyfunction]
pub(crate) fn open(py: Python<'_>, path: Vec<u8>, options: Opening) -> PyResult<PyFile> {
    let writable = options.writable;
    let options = options.options()?;
    let path = PathBuf::from(OsStr::from_bytes(&path));
    py.detach(|| if writable { options.open_rw(path) } else { options.open(path) }).raise().map(PyFile)
}

/// Makes a file.
#[pyfunction]
#[pyo3(signature = (path, *, exclusive, locking, options))]
pub(crate) fn create(
    py: Python<'_>,
    path: Vec<u8>,
    exclusive: bool,
    locking: &str,
    options: &Bound<'_, PyDict>,
) -> PyResult<PyFile> {
    let options = edit::file_options(options)?.locking(locks(locking)?);
    let path = PathBuf::from(OsStr::from_bytes(&path));
    py.detach(|| if exclusive { options.create_new(path) } else { options.create(path) }).raise().map(PyFile)
}

/// Makes a file in memory.
#[pyfunction]
#[pyo3(signature = (*, options))]
pub(crate) fn create_bytes(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<PyFile> {
    let options = edit::file_options(options)?;
    py.detach(|| options.create_in_memory()).raise().map(PyFile)
}

/// Opens a file whose bytes are in memory.
#[pyfunction]
pub(crate) fn open_bytes(py: Python<'_>, bytes: Vec<u8>, options: Opening) -> PyResult<PyFile> {
    let writable = options.writable;
    let options = options.options()?;
    py.detach(|| if writable { options.open_rw_bytes(bytes) } else { options.open_bytes(bytes) })
        .raise()
        .map(PyFile)
}

/// Makes a file in a stream of Python's.
#[pyfunction]
#[pyo3(signature = (stream, *, options))]
pub(crate) fn create_stream(
    py: Python<'_>,
    stream: Py<PyAny>,
    options: &Bound<'_, PyDict>,
) -> PyResult<PyFile> {
    let options = edit::file_options(options)?;
    py.detach(|| options.create_on(Stream(stream))).raise().map(PyFile)
}

/// Opens a file that is in a stream of Python's.
#[pyfunction]
pub(crate) fn open_stream(py: Python<'_>, stream: Py<PyAny>, options: Opening) -> PyResult<PyFile> {
    let (writable, stream) = (options.writable, Stream(stream));
    let options = options.options()?;
    py.detach(|| if writable { options.open_rw_on(stream) } else { options.open_on(stream) })
        .raise()
        .map(PyFile)
}

fn kind(region: bool) -> ReferenceKind {
    if region { ReferenceKind::Region } else { ReferenceKind::Object }
}

#[pymethods]
impl PyFile {
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }

    #[getter]
    fn superblock_version(&self) -> u8 {
        self.0.superblock_version()
    }

    /// Device and number of the file; nothing in memory.
    #[getter]
    fn identity(&self) -> Option<(u64, u64)> {
        self.0.identity()
    }

    /// Whether two handles are on the same open file.
    fn same(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }

    #[getter]
    fn user_block(&self) -> u64 {
        self.0.user_block()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// How often something was found half written and read again, by kind of structure.
    #[getter]
    fn retries(&self) -> BTreeMap<String, u64> {
        self.0.retries()
    }

    /// What to know of the file system before others read the file while it is written; nothing when that is all right.
    #[getter]
    fn caution(&self) -> Option<&'static str> {
        self.0.mount().map(Mount::caution)
    }

    /// What became of whoever writes the file.
    fn writer_state(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(match py.detach(|| self.0.writer_state()).raise()? {
            WriterState::Writing => "writing",
            WriterState::Closed => "closed",
            WriterState::Died => "died",
            WriterState::Replaced => "replaced",
            WriterState::Deleted => "deleted",
            _ => "unknown",
        })
    }

    /// Writes everything that waits in memory.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.flush()).raise()
    }

    /// As `flush`, and returns when all is on the disk.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.sync()).raise()
    }

    /// Flushes some datasets at once, which readers see change in this order.
    fn flush_together(&self, py: Python<'_>, datasets: Vec<PyRef<'_, PyDataset>>) -> PyResult<()> {
        let datasets: Vec<_> = datasets.iter().map(|dataset| dataset.0.clone()).collect();
        py.detach(|| self.0.flush_together(&datasets.iter().collect::<Vec<_>>())).raise()
    }

    /// Lets others read the file while it is written.
    fn start_swmr(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.start_swmr()).raise()
    }

    /// Writes everything that waits in memory and closes the file, for all handles on it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let file = self.0.clone();
        py.detach(|| file.close()).raise()
    }

    /// The bytes of the whole file.
    fn image<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.0.to_bytes()).raise()?))
    }

    /// The root group.
    fn root(&self, py: Python<'_>) -> PyResult<PyObject> {
        py.detach(|| self.0.root()).raise().map(|group| PyObject(hyperslab::Object::Group(group)))
    }

    /// The object a reference points at, and the selection of a region; `None` for a null reference.
    fn dereference(
        &self,
        py: Python<'_>,
        region: bool,
        bytes: Vec<u8>,
    ) -> PyResult<Option<(PyObject, Option<PySelection>)>> {
        let found = py.detach(|| {
            let Some(referenced) = self.0.referenced(kind(region), &bytes)? else { return Ok(None) };
            let object = self.0.dereference(&referenced)?;
            Ok(Some((object, referenced.selection().cloned())))
        });
        let found = found.raise()?;
        Ok(found.map(|(object, selection)| (PyObject(object), selection.map(PySelection))))
    }

    /// The address of the object a reference points at; 0 for a null reference.
    fn referenced_address(&self, py: Python<'_>, region: bool, bytes: Vec<u8>) -> PyResult<u64> {
        let referenced = py.detach(|| self.0.referenced(kind(region), &bytes)).raise()?;
        Ok(referenced.map_or(0, |referenced| referenced.address()))
    }
}
