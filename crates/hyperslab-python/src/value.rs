//! Values of any datatype as plain Python objects, to which Python gives the type numpy has for them; and back.

use hyperslab::{Class, Datatype, Value, VariableKind};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyNotImplementedError, PyTypeError};
use pyo3::prelude::{Bound, Py, PyAny, PyAnyMethods, PyResult, Python};
use pyo3::types::{PyBytes, PyComplex, PyComplexMethods, PyList, PyTuple};

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
        other => Err(PyNotImplementedError::new_err(format!("no value for {other:?}"))),
    }
}

fn many(py: Python<'_>, values: &[Value]) -> PyResult<Vec<Py<PyAny>>> {
    values.iter().map(|value| plain(py, value)).collect()
}

/// A list of plain values.
pub(crate) fn list(py: Python<'_>, values: &[Value]) -> PyResult<Py<PyAny>> {
    PyList::new(py, many(py, values)?)?.into_py_any(py)
}

/// Values of one datatype from plain ones.
pub(crate) fn all_of(datatype: &Datatype, plain: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
    plain.try_iter()?.map(|one| of(datatype, &one?)).collect()
}

/// The value of a datatype that a plain one stands for.
pub(crate) fn of(datatype: &Datatype, plain: &Bound<'_, PyAny>) -> PyResult<Value> {
    match datatype.class() {
        Class::Integer(_) | Class::Bitfield(_) | Class::Time(_) => Ok(Value::Integer(plain.extract()?)),
        Class::Float(_) => Ok(Value::Float(plain.extract()?)),
        Class::String(_) => Ok(Value::String(plain.extract()?)),
        Class::Opaque(_) => Ok(Value::Opaque(plain.extract()?)),
        Class::Reference(_) => Ok(Value::Reference(plain.extract()?)),
        Class::Enumeration(_) => Ok(Value::Enum(plain.extract()?)),
        Class::Compound(_) if plain.is_instance_of::<PyComplex>() => complex(plain),
        Class::Complex(_) => complex(plain),
        Class::Compound(of_members) => {
            let members = of_members.members();
            let values: Vec<Bound<'_, PyAny>> = plain.try_iter()?.collect::<PyResult<_>>()?;
            if values.len() != members.len() {
                let message = format!("{} values for {} members", values.len(), members.len());
                return Err(PyTypeError::new_err(message));
            }
            let values = members.iter().zip(&values).map(|(member, value)| of(member.datatype(), value));
            Ok(Value::Compound(values.collect::<PyResult<_>>()?))
        }
        Class::Array(array) => Ok(Value::Array(all_of(array.base(), plain)?)),
        Class::VariableLength(variable) => match variable.kind() {
            VariableKind::Sequence => Ok(Value::Sequence(all_of(variable.base(), plain)?)),
            VariableKind::String { .. } => Ok(Value::String(plain.extract()?)),
        },
        _ => Err(PyNotImplementedError::new_err(format!("no value of {datatype} is made"))),
    }
}

fn complex(plain: &Bound<'_, PyAny>) -> PyResult<Value> {
    let complex = plain.cast::<PyComplex>()?;
    Ok(Value::Complex(complex.real(), complex.imag()))
}
