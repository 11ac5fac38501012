//! [`PyAttribute`]: a small named value.

use crate::datatype::PyDatatype;
use crate::error::Raise;
use crate::extent;
use crate::object::PyObject;
use crate::value;
use hyperslab::{Attribute, Object};
use pyo3::prelude::{Bound, Py, PyAny, PyResult, Python, pyclass, pymethods};
use pyo3::types::PyBytes;

/// An attribute as it was when it was opened.
#[pyclass(frozen, name = "Attribute", module = "hyperslab._native")]
#[derive(Debug)]
pub(crate) struct PyAttribute(pub(crate) Attribute);

#[pymethods]
impl PyAttribute {
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.name_bytes())
    }

    #[getter]
    fn datatype(&self) -> PyDatatype {
        PyDatatype(self.0.datatype().clone())
    }

    /// The named datatype of the elements, if it has a name.
    fn named_datatype(&self, py: Python<'_>) -> PyResult<Option<PyObject>> {
        let named = py.detach(|| self.0.named_datatype()).raise()?;
        Ok(named.map(|named| PyObject(Object::Datatype(named))))
    }

    /// The lengths and the most they may become; `None` for a null dataspace.
    #[getter]
    fn extent(&self) -> Option<extent::Dims> {
        extent::dims(self.0.extent())
    }

    /// The elements, converted to `memory`.
    fn read<'py>(&self, py: Python<'py>, memory: &PyDatatype) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.0.read_bytes(&memory.0)).raise()?))
    }

    /// The elements as plain values.
    fn values(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        value::list(py, &py.detach(|| self.0.values()).raise()?)
    }
}
