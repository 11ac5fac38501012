//! [`PyObject`]: what a path leads to.

use crate::attribute::PyAttribute;
use crate::dataset::PyDataset;
use crate::datatype::PyDatatype;
use crate::error::Raise;
use crate::file::PyFile;
use hyperslab::{ErrorKind, Group, Link, LinkKind, Object};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::{Bound, Py, PyAny, PyResult, Python, pyclass, pymethods};
use pyo3::types::{PyBytes, PyDict, PyDictMethods};

/// A group, a dataset or a named datatype.
#[pyclass(frozen, name = "Object", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyObject(pub(crate) Object);

impl PyObject {
    fn group(&self) -> PyResult<&Group> {
        match &self.0 {
            Object::Group(group) => Ok(group),
            _ => Err(PyTypeError::new_err("the object is not a group")),
        }
    }
}

fn target(py: Python<'_>, link: &Link) -> PyResult<Py<PyAny>> {
    match &link.kind {
        LinkKind::Hard { address } => ("hard", *address).into_py_any(py),
        LinkKind::Soft { path } => ("soft", PyBytes::new(py, path)).into_py_any(py),
        LinkKind::External { file, path } => {
            ("external", PyBytes::new(py, file), PyBytes::new(py, path)).into_py_any(py)
        }
        LinkKind::User { class } => ("user", *class).into_py_any(py),
        other => ("user", format!("{other:?}")).into_py_any(py),
    }
}

#[pymethods]
impl PyObject {
    /// `group`, `dataset` or `datatype`.
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.0 {
            Object::Group(_) => "group",
            Object::Dataset(_) => "dataset",
            _ => "datatype",
        }
    }

    #[getter]
    fn address(&self) -> u64 {
        self.0.address()
    }

    /// The file the object is in, which an external link may have led to.
    #[getter]
    fn file(&self) -> PyFile {
        PyFile(self.0.location().file())
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.location().path().as_bytes())
    }

    /// The same object, looked at again.
    fn again(&self, py: Python<'_>) -> PyResult<Self> {
        py.detach(|| self.0.location().object()).raise().map(Self)
    }

    /// Address, links, time of change and what is tracked.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = self.0.location().info().raise()?;
        let dict = PyDict::new(py);
        dict.set_item("address", self.0.address())?;
        dict.set_item("links", info.links)?;
        dict.set_item("changed", info.changed)?;
        dict.set_item("timed", info.timed)?;
        dict.set_item("links_ordered", info.links_ordered)?;
        dict.set_item("attributes_ordered", info.attributes_ordered)?;
        Ok(dict)
    }

    /// The attributes, by name or in the order in which they were made.
    #[pyo3(signature = (by_order = false))]
    fn attributes(&self, py: Python<'_>, by_order: bool) -> PyResult<Vec<PyAttribute>> {
        let mut found = py.detach(|| self.0.attributes()).raise()?;
        if !by_order {
            found.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
        }
        Ok(found.into_iter().map(PyAttribute).collect())
    }

    /// The attribute of that name, or nothing.
    fn attribute(&self, py: Python<'_>, name: Vec<u8>) -> PyResult<Option<PyAttribute>> {
        match py.detach(|| self.0.location().attribute(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.raise().map(|found| Some(PyAttribute(found))),
        }
    }

    /// Name and target of each link of a group, by name or in the order in which they were made.
    #[pyo3(signature = (by_order = false))]
    fn links<'py>(&self, py: Python<'py>, by_order: bool) -> PyResult<Vec<(Bound<'py, PyBytes>, Py<PyAny>)>> {
        let _ = by_order;
        let group = self.group()?;
        let found = py.detach(|| group.links()).raise()?;
        found.iter().map(|link| Ok((PyBytes::new(py, &link.name), target(py, link)?))).collect()
    }

    /// The target of one link of a group.
    fn link(&self, py: Python<'_>, name: Vec<u8>) -> PyResult<Py<PyAny>> {
        let group = self.group()?;
        target(py, &py.detach(|| group.link(name)).raise()?)
    }

    /// The object at a path from a group.
    fn object(&self, py: Python<'_>, path: Vec<u8>) -> PyResult<Self> {
        let group = self.group()?;
        py.detach(|| group.object(path)).raise().map(Self)
    }

    /// The dataset this object is.
    fn dataset(&self) -> PyResult<PyDataset> {
        match &self.0 {
            Object::Dataset(dataset) => Ok(PyDataset(dataset.clone())),
            _ => Err(PyTypeError::new_err("the object is not a dataset")),
        }
    }

    /// The datatype that this object names.
    fn datatype(&self) -> PyResult<PyDatatype> {
        match &self.0 {
            Object::Datatype(datatype) => Ok(PyDatatype(datatype.datatype().clone())),
            _ => Err(PyTypeError::new_err("the object is not a named datatype")),
        }
    }
}
