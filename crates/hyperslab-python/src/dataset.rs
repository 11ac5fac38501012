//! [`PyDataset`]: the elements of a dataset, and what is known of how they are stored.

use crate::datatype::PyDatatype;
use crate::error::Raise;
use crate::extent;
use crate::fresh;
use crate::numbers;
use crate::pick::{self, Pick};
use crate::selection::PySelection;
use crate::value;
use hyperslab::{Dataset, DatasetAccess, Datatype, Extent, ExtentView, Follow, Selection};
use numpy::{
    PyArray1, PyArrayDescr, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::{Bound, Py, PyAny, PyRef, PyResult, Python, pyclass, pymethods};
use pyo3::types::{PyBytes, PyTuple, PyTupleMethods};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A dataset at the size it had when it was opened.
#[pyclass(frozen, name = "Dataset", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyDataset(pub(crate) Dataset);

/// Number, flags, parameters and name of a filter.
type Filter<'py> = (u16, u16, Vec<u32>, Option<Bound<'py, PyBytes>>);

/// First element, filter mask, place in the file and size of a chunk.
type Chunk = (Vec<u64>, u32, u64, u64);
/// Selection, file, path and selection in the source.
type Mapping = (PySelection, String, String, PySelection);
/// Number, file, path and problem of a mapping that cannot be read.
type Missing = (usize, String, String, String);
/// Name of a source file, where it was looked for, where it is, and why it cannot be used.
type Resolved = (String, Vec<PathBuf>, Option<PathBuf>, Option<String>);
/// Number of a mapping, file, path, where the file was looked for, where it is, and what is wrong.
type Status = (usize, String, String, Vec<PathBuf>, Option<PathBuf>, Option<String>);

impl PyDataset {
    /// How many bytes what is selected takes as elements of `memory`, if it is all there.
    fn length(&self, selection: &Selection, memory: &Datatype) -> PyResult<usize> {
        let count = match self.0.extent() {
            Extent::Null => 0,
            _ => selection.count(&self.0.shape()).raise()?,
        };
        let length = count.checked_mul(memory.size() as u64).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| PyMemoryError::new_err("the selection is larger than memory"))?;
        if length > LARGEST {
            return Err(PyMemoryError::new_err(format!("the selection needs {length} bytes of memory")));
        }
        // What is outside is met before memory is asked for it.
        if length > CHECKED && count > 0 {
            selection.check(&self.0.shape()).raise_moving()?;
        }
        Ok(length)
    }

    /// Reads what is selected, without the interpreter's lock.
    fn load(&self, py: Python<'_>, selection: &Selection, memory: &Datatype, out: &mut [u8]) -> PyResult<()> {
        py.detach(|| self.0.read_bytes_into(selection, memory, out)).raise_moving()
    }
}

/// Shape before, shape after, and the axis that grows.
type Grown = (Vec<u64>, Vec<u64>, usize);

/// How long to wait before looking whether the program was interrupted.
const PATIENCE: Duration = Duration::from_millis(50);

/// A time in seconds; what is no time is forever or not at all.
fn seconds(time: f64) -> Duration {
    if time <= 0.0 { Duration::ZERO } else { Duration::try_from_secs_f64(time).unwrap_or(Duration::MAX) }
}

/// The growths of a dataset.
#[pyclass(frozen, name = "Follow", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyFollow(Mutex<Follow>);

#[pymethods]
impl PyFollow {
    /// The next growth; nothing once there is to be none.
    fn step(&self, py: Python<'_>) -> PyResult<Option<Grown>> {
        loop {
            py.check_signals()?;
            let (found, ended) = py.detach(|| {
                let mut follow = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                (follow.look(PATIENCE), follow.is_ended())
            });
            if let Some(growth) = found.raise_sizing()? {
                return Ok(Some((growth.before().to_vec(), growth.after().to_vec(), growth.axis())));
            }
            if ended {
                return Ok(None);
            }
        }
    }
}

/// Bytes that numpy can address.
const LARGEST: usize = usize::MAX / 2;
/// Results with more bytes are only made for what is inside the dataset.
const CHECKED: usize = 1 << 20;

#[pymethods]
impl PyDataset {
    #[getter]
    fn extent(&self) -> Option<extent::Dims> {
        extent::dims(&self.0.extent())
    }

    #[getter]
    fn datatype(&self) -> PyDatatype {
        PyDatatype(self.0.datatype().clone())
    }

    /// The dtype of numbers of this machine, and the datatype for them in memory; nothing for any other elements.
    #[getter]
    fn number<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyArrayDescr>, PyDatatype)> {
        numbers::stored(py, self.0.datatype()).map(|(dtype, memory)| (dtype, PyDatatype(memory)))
    }

    /// The length of each axis; nothing for a null dataspace.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        if self.0.extent() == Extent::Null {
            return Ok(None);
        }
        PyTuple::new(py, self.0.shape()).map(Some)
    }

    #[getter]
    fn is_virtual(&self) -> bool {
        self.0.is_virtual()
    }

    /// `compact`, `contiguous`, `chunked`, `external` or `virtual`.
    #[getter]
    fn layout(&self) -> &'static str {
        self.0.layout_name()
    }

    #[getter]
    fn chunks(&self) -> Option<Vec<u64>> {
        self.0.chunk_shape().map(<[u64]>::to_vec)
    }

    #[getter]
    fn filters<'py>(&self, py: Python<'py>) -> Vec<Filter<'py>> {
        let filter = |filter: hyperslab::StoredFilter<'_>| {
            let name = filter.name.map(|name| PyBytes::new(py, name.as_bytes()));
            (filter.id, u16::from(filter.optional), filter.parameters.to_vec(), name)
        };
        self.0.stored_filters().map(filter).collect()
    }

    /// One element as stored; `None` when nobody set it.
    #[getter]
    fn fill_value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.fill_value().map(|value| PyBytes::new(py, value))
    }

    /// The fill value as a plain value.
    fn fill(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.0.fill().raise()?.map(|fill| value::plain(py, &fill)).transpose()
    }

    /// When space is allocated (1 early, 2 late, 3 as needed), when it is filled (0 then, 1 never, 2 if set).
    #[getter]
    fn fill_times(&self) -> (u8, u8) {
        self.0.fill_times()
    }

    /// Path, offset and size of each raw file.
    #[getter]
    fn external(&self) -> Vec<(Vec<u8>, u64, u64)> {
        self.0.external_files().map(|(path, offset, size)| (path.as_bytes().to_vec(), offset, size)).collect()
    }

    #[getter]
    fn offset(&self) -> Option<u64> {
        self.0.offset()
    }

    #[getter]
    fn storage_size(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.0.stored_size()).raise()
    }

    /// First element, filter mask, place in the file and size of each stored chunk.
    fn stored_chunks(&self, py: Python<'_>) -> PyResult<Vec<Chunk>> {
        let chunks = py.detach(|| self.0.stored_chunks()).raise()?;
        Ok(chunks.into_iter().map(|at| (at.start, at.filter_mask, at.offset, at.size)).collect())
    }

    /// What is selected as an array of one axis, of elements of `memory`, which `dtype` is for numpy.
    fn read<'py>(
        &self,
        py: Python<'py>,
        selection: &PySelection,
        memory: &PyDatatype,
        dtype: &Bound<'py, PyArrayDescr>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(&selection.0, &memory.0)?;
        let count = length.checked_div(dtype.itemsize()).unwrap_or(0) as u64;
        fresh::array(dtype, &[count], length, |out| self.load(py, &selection.0, &memory.0, out))
    }

    /// Reads what is selected into an array, which holds as many bytes.
    fn read_into(
        &self,
        py: Python<'_>,
        selection: &PySelection,
        memory: &PyDatatype,
        bytes: &Bound<'_, PyArray1<u8>>,
    ) -> PyResult<()> {
        let mut held = bytes.try_readwrite()?;
        self.load(py, &selection.0, &memory.0, held.as_slice_mut()?)
    }

    /// What is selected, as plain values.
    fn values(&self, py: Python<'_>, selection: &PySelection) -> PyResult<Py<PyAny>> {
        let values = py.detach(|| self.0.read_values(&selection.0)).raise_moving()?;
        value::list(py, &values)
    }

    /// `dataset[args]` in one step: an array of `dtype`, which is `memory`, or a scalar; nothing when `args` are not
    /// simple, or nobody said what is wanted and the elements are not numbers.
    #[pyo3(signature = (args, memory = None, dtype = None))]
    fn pick<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        memory: Option<PyRef<'py, PyDatatype>>,
        dtype: Option<Bound<'py, PyArrayDescr>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let wanted = dtype.zip(memory.map(|memory| memory.0.clone()));
        let Some((dtype, memory)) = wanted.or_else(|| numbers::stored(py, self.0.datatype())) else {
            return Ok(None);
        };
        let dims = self.0.shape();
        if dims.is_empty() || !args.iter().all(|arg| pick::is_simple(&arg)) {
            return Ok(None);
        }
        let pick = Pick::parse(args, &dims)?;
        let length = self.length(&pick.selection, &memory)?;
        fresh::array(&dtype, &pick.shape(), length, |out| self.load(py, &pick.selection, &memory, out))
            .map(Some)
    }

    /// `dataset[args] = array` in one step, of an array of elements of `memory`; false when `args` are not
    /// simple, or the array is not dense or has another shape than they take.
    fn put(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        memory: &PyDatatype,
        array: &Bound<'_, PyUntypedArray>,
    ) -> PyResult<bool> {
        let dims = self.0.shape();
        if dims.is_empty() || !args.iter().all(|arg| pick::is_simple(&arg)) {
            return Ok(false);
        }
        let pick = Pick::parse(args, &dims)?;
        let same = pick.shape().iter().copied().eq(array.shape().iter().map(|length| *length as u64));
        if !same || array.is_empty() || !array.is_c_contiguous() {
            return Ok(false);
        }
        let write =
            |bytes: &[u8]| py.detach(|| self.0.write_bytes(&pick.selection, &memory.0, bytes)).raise_moving();
        fresh::with_bytes(array, write).map(|()| true)
    }

    /// Writes the elements of `bytes`, of the datatype `memory`, to what is selected.
    fn write(
        &self,
        py: Python<'_>,
        selection: &PySelection,
        memory: &PyDatatype,
        bytes: &Bound<'_, PyArray1<u8>>,
    ) -> PyResult<()> {
        let held = bytes.readonly();
        let bytes = held.as_slice()?;
        py.detach(|| self.0.write_bytes(&selection.0, &memory.0, bytes)).raise_moving()
    }

    /// Writes plain values to what is selected.
    fn write_values(
        &self,
        py: Python<'_>,
        selection: &PySelection,
        values: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let values = value::all_of(self.0.datatype(), values)?;
        py.detach(|| self.0.write_values(&selection.0, &values)).raise_moving()
    }

    /// Changes the length of each axis.
    fn resize(&self, py: Python<'_>, dims: Vec<u64>) -> PyResult<()> {
        py.detach(|| self.0.resize(dims)).raise_sizing()
    }

    /// Gives one axis another length.
    fn resize_axis(&self, py: Python<'_>, axis: usize, length: u64) -> PyResult<()> {
        let mut dims = self.0.shape();
        if let Some(dim) = dims.get_mut(axis) {
            *dim = length;
        }
        py.detach(|| self.0.resize(dims)).raise_sizing()
    }

    /// Another handle, which finds other files, and follows the sources of a virtual dataset, in its own way.
    fn with_access(
        &self,
        prefix: Option<String>,
        view: u8,
        gap: u64,
        external_prefix: Option<String>,
    ) -> Self {
        let view = match view {
            0 => ExtentView::FirstMissing,
            1 => ExtentView::LastAvailable,
            _ => ExtentView::Stored,
        };
        let access = DatasetAccess::new().view(view).printf_gap(gap);
        let access = match external_prefix {
            Some(prefix) => access.external_prefix(prefix),
            None => access,
        };
        Self(self.0.with_access(match prefix {
            Some(prefix) => access.vds_prefix(prefix),
            None => access,
        }))
    }

    /// Writes what waits in memory; `durable` returns when it is on the disk.
    fn flush(&self, py: Python<'_>, durable: bool) -> PyResult<()> {
        py.detach(|| if durable { self.0.sync() } else { self.0.flush() }).raise()
    }

    /// Looks again at what others may have changed: a live file, and the sources of a virtual dataset.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.refresh()).raise_sizing().map(drop)
    }

    /// Waits until there are so many rows, so many seconds or forever; whether there are.
    fn wait(&self, py: Python<'_>, rows: u64, timeout: Option<f64>) -> PyResult<bool> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(seconds(timeout)));
        loop {
            py.check_signals()?;
            let left =
                end.map_or(PATIENCE, |end| end.saturating_duration_since(Instant::now()).min(PATIENCE));
            if py.detach(|| self.0.wait(rows, Some(left))).raise_sizing()?.is_some() {
                return Ok(true);
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }

    /// Goes over the growths until the writer is gone, or nothing changes for so many seconds.
    fn follow(&self, timeout: Option<f64>) -> PyFollow {
        PyFollow(Mutex::new(self.0.follow(timeout.map(seconds))))
    }

    /// The filter mask and the stored bytes of the chunk at these coordinates, counted in chunks.
    fn read_chunk<'py>(
        &self,
        py: Python<'py>,
        coords: Vec<u64>,
    ) -> PyResult<Option<(u32, Bound<'py, PyBytes>)>> {
        let found = py.detach(|| self.0.read_chunk(coords)).raise()?;
        Ok(found.map(|(bytes, mask)| (mask, PyBytes::new(py, &bytes))))
    }

    /// Stores bytes as the chunk at these coordinates, counted in chunks.
    fn write_chunk(&self, py: Python<'_>, coords: Vec<u64>, bytes: Vec<u8>, mask: u32) -> PyResult<()> {
        py.detach(|| self.0.write_chunk(coords, &bytes, mask)).raise()
    }

    /// The mappings of a virtual dataset: selection, file, path, selection in the source.
    fn mappings(&self, py: Python<'_>) -> PyResult<Option<Vec<Mapping>>> {
        let Some(layout) = py.detach(|| self.0.virtual_layout()).raise()? else { return Ok(None) };
        let mapping = |mapping: hyperslab::VirtualMapping| {
            let here = PySelection(mapping.virtual_selection().clone());
            let there = PySelection(mapping.source_selection().clone());
            (here, mapping.file().into_owned(), mapping.path().into_owned(), there)
        };
        Ok(Some(layout.mappings().iter().map(mapping).collect()))
    }

    /// For each source file its name as stored, where it was looked for, where it is, and why it cannot be used.
    fn resolve(&self, py: Python<'_>) -> PyResult<Vec<Resolved>> {
        let files = py.detach(|| self.0.resolve()).raise()?;
        Ok(files.into_iter().map(|file| (file.name, file.tried, file.found, file.problem)).collect())
    }

    /// For each mapping its number, file, path, where the file was looked for, where it is, and what is wrong.
    fn mapping_status(&self, py: Python<'_>) -> PyResult<Vec<Status>> {
        let all = py.detach(|| self.0.mapping_status()).raise()?;
        let status = |status: hyperslab::MappingStatus| {
            let problem = status.problem.map(|problem| problem.to_string());
            (status.mapping, status.file, status.path, status.tried, status.found, problem)
        };
        Ok(all.into_iter().map(status).collect())
    }

    /// How many selected elements have no source, and for each mapping that has a problem: its number, file, path and
    /// what is wrong.
    fn gaps(&self, py: Python<'_>, selection: &PySelection) -> PyResult<(u64, Vec<Missing>)> {
        let gaps = py.detach(|| self.0.gaps(&selection.0)).raise()?;
        let mapping = |status: hyperslab::MappingStatus| {
            let problem = status.problem.map(|problem| problem.to_string()).unwrap_or_default();
            (status.mapping, status.file, status.path, problem)
        };
        Ok((gaps.elements, gaps.mappings.into_iter().map(mapping).collect()))
    }
}
