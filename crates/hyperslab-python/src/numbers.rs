//! Numbers and texts that numpy, Python and the engine all know: read, made and set without a description in between.

use crate::error::Raise;
use crate::fresh::{self, by_number};
use hyperslab::{Attribute, AttributeData, ByteOrder, Class, Datatype, Extent, Float, Value, VariableKind};
use numpy::{Element, PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::intern;
use pyo3::prelude::{Bound, PyAny, PyAnyMethods, PyResult, Python};
use pyo3::types::{PyFloat, PyInt, PyString, PyStringMethods};

/// numpy's dtype and the engine's datatype of a number as this machine keeps it.
type Number<'py> = (Bound<'py, PyArrayDescr>, Datatype);

fn number<T: Element + hyperslab::Element>(py: Python<'_>) -> Number<'_> {
    (numpy::dtype::<T>(py), Datatype::of::<T>())
}

/// The dtype of elements of a stored datatype, and what they are in memory; nothing for what is no number of this machine.
pub(crate) fn stored<'py>(py: Python<'py>, datatype: &Datatype) -> Option<Number<'py>> {
    let order = if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };
    match (datatype.class(), datatype.size()) {
        (Class::Integer(of), size) if of.order == order || size == 1 => {
            known(py, if of.signed { b'i' } else { b'u' }, size)
        }
        (Class::Float(of), 4) if *of == (Float { order, ..Float::SINGLE }) => known(py, b'f', 4),
        (Class::Float(of), 8) if *of == (Float { order, ..Float::DOUBLE }) => known(py, b'f', 8),
        _ => None,
    }
}

fn known(py: Python<'_>, kind: u8, size: usize) -> Option<Number<'_>> {
    by_number!((kind, size), T => return Some(number::<T>(py)));
    None
}

/// The datatype for the elements of an array; nothing unless they are numbers of this machine without more to know of them,
/// one behind the other in memory.
pub(crate) fn of(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<Datatype>> {
    let (py, dtype) = (array.py(), array.dtype());
    if !array.is_c_contiguous() || array.is_empty() || dtype.is_native_byteorder() == Some(false) {
        return Ok(None);
    }
    // An enumeration is an integer with names in its metadata.
    let Some((_, datatype)) = known(py, dtype.kind(), dtype.itemsize()) else { return Ok(None) };
    Ok(dtype.getattr(intern!(py, "metadata"))?.is_none().then_some(datatype))
}

/// The shape of an array.
pub(crate) fn extent(array: &Bound<'_, PyUntypedArray>) -> Extent {
    match array.shape() {
        [] => Extent::Scalar,
        shape => Extent::fixed(&shape.iter().map(|length| *length as u64).collect::<Vec<_>>()),
    }
}

/// What an attribute of numbers is for numpy, or one of a single text for Python; nothing for any other.
pub(crate) fn value<'py>(py: Python<'py>, attribute: &Attribute) -> PyResult<Option<Bound<'py, PyAny>>> {
    if *attribute.extent() == Extent::Null {
        return Ok(None);
    }
    if let Some((dtype, memory)) = stored(py, attribute.datatype()) {
        let elements = attribute.read_bytes(&memory).raise()?;
        let copy = |out: &mut [u8]| {
            out.copy_from_slice(&elements);
            Ok(())
        };
        return fresh::array(&dtype, attribute.extent().dims(), elements.len(), copy).map(Some);
    }
    let is_text = matches!(attribute.datatype().class(), Class::VariableLength(of) if matches!(of.kind(), VariableKind::String { .. }));
    if !is_text || *attribute.extent() != Extent::Scalar {
        return Ok(None);
    }
    let values = py.detach(|| attribute.values()).raise()?;
    match values.as_slice() {
        [Value::String(text)] => Ok(str::from_utf8(text).ok().map(|text| PyString::new(py, text).into_any())),
        _ => Ok(None),
    }
}

/// An attribute of a number, numbers or a text; nothing for anything else.
pub(crate) fn data(value: &Bound<'_, PyAny>) -> PyResult<Option<AttributeData>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        // What is no UTF-8, or would end early, is for those who know what to do about it.
        let text = text.to_str().ok().filter(|text| !text.contains('\0'));
        return Ok(text.map(AttributeData::from));
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return number.extract::<f64>().map(|number| Some(number.into()));
    }
    if let Ok(number) = value.cast_exact::<PyInt>() {
        return Ok(number.extract::<i64>().ok().map(AttributeData::from));
    }
    let Ok(array) = value.cast_exact::<PyUntypedArray>() else { return Ok(None) };
    let Some(datatype) = of(array)? else { return Ok(None) };
    let bytes = fresh::with_bytes(array, |bytes| Ok(bytes.to_vec()))?;
    Ok(Some(AttributeData::from_bytes(datatype, extent(array), bytes)))
}
