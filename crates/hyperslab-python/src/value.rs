//! Values of any datatype as plain Python objects, which Python then gives the type numpy has for them.

use hyperslab::Value;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::{Py, PyAny, PyResult, Python};
use pyo3::types::{PyBytes, PyComplex, PyList, PyTuple};

/// Numbers, bytes, and lists and tuples of them.
pub(crate) fn plain(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    match value {
        Value::Integer(value) | Value::Enum(value) => value.into_py_any(py),
        Value::Float(value) => value.into_py_any(py),
        Value::LongFloat(value) => value.to_string().into_py_any(py),
        Value::Complex(real, imaginary) => PyComplex::from_doubles(py, *real, *imaginary).into_py_any(py),
        Value::String(bytes) | Value::Opaque(bytes) | Value::Reference(bytes) => {
            PyBytes::new(py, bytes).into_py_any(py)
        }
        Value::Compound(values) => PyTuple::new(py, many(py, values)?)?.into_py_any(py),
        Value::Array(values) | Value::Sequence(values) => list(py, values),
        Value::Bool(value) => value.into_py_any(py),
        other => Err(pyo3::exceptions::PyNotImplementedError::new_err(format!("no value for {other:?}"))),
    }
}

fn many(py: Python<'_>, values: &[Value]) -> PyResult<Vec<Py<PyAny>>> {
    values.iter().map(|value| plain(py, value)).collect()
}

/// A list of plain values.
pub(crate) fn list(py: Python<'_>, values: &[Value]) -> PyResult<Py<PyAny>> {
    PyList::new(py, many(py, values)?)?.into_py_any(py)
}
