//! [`PyFile`]: an open file.

use crate::error::Raise;
use crate::object::PyObject;
use crate::selection::PySelection;
use hyperslab::{File, OpenOptions, ReferenceKind};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::{PyResult, Python, pyclass, pyfunction, pymethods};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An open file; all threads may read it at once.
#[pyclass(frozen, name = "File", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyFile(pub(crate) File);

/// Opens a file.
#[pyfunction]
#[pyo3(signature = (path, *, writable = false, swmr = false, locking = true, vds_prefix = None))]
pub(crate) fn open(
    py: Python<'_>,
    path: Vec<u8>,
    writable: bool,
    swmr: bool,
    locking: bool,
    vds_prefix: Option<String>,
) -> PyResult<PyFile> {
    let mut options = OpenOptions::new().locking(locking);
    if let Some(prefix) = vds_prefix {
        options = options.vds_prefix(prefix);
    }
    let _ = swmr;
    if writable {
        return Err(PyNotImplementedError::new_err("files cannot be opened to write yet"));
    }
    let path = PathBuf::from(OsStr::from_bytes(&path));
    py.detach(|| options.open(path)).raise().map(PyFile)
}

/// Opens a file whose bytes are in memory.
#[pyfunction]
#[pyo3(signature = (bytes, *, writable = false))]
pub(crate) fn open_bytes(py: Python<'_>, bytes: Vec<u8>, writable: bool) -> PyResult<PyFile> {
    let _ = writable;
    py.detach(|| File::from_bytes(bytes)).raise().map(PyFile)
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
    fn referenced_address(&self, region: bool, bytes: Vec<u8>) -> PyResult<u64> {
        let referenced = self.0.referenced(kind(region), &bytes).raise()?;
        Ok(referenced.map_or(0, |referenced| referenced.address()))
    }
}
