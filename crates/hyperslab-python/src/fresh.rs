//! New numpy arrays and scalars, made in their final shape and type and filled with bytes.

use bytemuck::Pod;
use numpy::{
    Element, PyArray1, PyArrayDescr, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::intern;
use pyo3::prelude::{Bound, Py, PyAny, PyAnyMethods, PyResult};
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// Below this no machine lacks memory.
const SMALL: usize = 1 << 16;

/// `numpy.empty`.
static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Does something for the type of a number by numpy's kind and size; nothing for what is no number.
macro_rules! by_number {
    ($what:expr, $type:ident => $do:expr) => {
        match $what {
            (b'f', 4) => by_number!($type = f32, $do),
            (b'f', 8) => by_number!($type = f64, $do),
            (b'u', 1) => by_number!($type = u8, $do),
            (b'u', 2) => by_number!($type = u16, $do),
            (b'u', 4) => by_number!($type = u32, $do),
            (b'u', 8) => by_number!($type = u64, $do),
            (b'i', 1) => by_number!($type = i8, $do),
            (b'i', 2) => by_number!($type = i16, $do),
            (b'i', 4) => by_number!($type = i32, $do),
            (b'i', 8) => by_number!($type = i64, $do),
            _ => {}
        }
    };
    ($type:ident = $number:ty, $do:expr) => {{
        type $type = $number;
        $do
    }};
}

pub(crate) use by_number;

/// What writes the bytes of all elements.
pub(crate) trait Fill: FnOnce(&mut [u8]) -> PyResult<()> {}
impl<F: FnOnce(&mut [u8]) -> PyResult<()>> Fill for F {}

/// An array of `dtype`, which holds no objects, with `length` bytes; without axes a scalar.
pub(crate) fn array<'py>(
    dtype: &Bound<'py, PyArrayDescr>,
    shape: &[u64],
    length: usize,
    fill: impl Fill,
) -> PyResult<Bound<'py, PyAny>> {
    let py = dtype.py();
    if length > 0 {
        // That of an enumeration is equal to that of its numbers, but not the same.
        by_number!((dtype.kind(), dtype.itemsize()), T => if dtype.is(numpy::dtype::<T>(py)) {
            return typed::<T>(dtype, shape, length, fill);
        });
    }
    let array = empty(dtype, shape)?;
    // Without elements an axis may still be longer than numpy allows, which it says itself.
    if length > 0 {
        fill(bytes(array.cast::<PyUntypedArray>()?)?.readwrite().as_slice_mut()?)?;
    }
    if shape.is_empty() { array.get_item(PyTuple::empty(py)) } else { Ok(array) }
}

/// What numpy makes, which itself raises when there is no memory; a read writes all of it.
fn empty<'py>(dtype: &Bound<'py, PyArrayDescr>, shape: &[u64]) -> PyResult<Bound<'py, PyAny>> {
    let py = dtype.py();
    EMPTY.import(py, "numpy", "empty")?.call1((PyTuple::new(py, shape)?, dtype))
}

/// Gives `work` the bytes of the elements of a dense array, which holds no objects.
pub(crate) fn with_bytes<R>(
    array: &Bound<'_, PyUntypedArray>,
    work: impl FnOnce(&[u8]) -> PyResult<R>,
) -> PyResult<R> {
    let dtype = array.dtype();
    by_number!((dtype.kind(), dtype.itemsize()), T => if let Ok(array) = array.cast::<PyArrayDyn<T>>() {
        return work(bytemuck::cast_slice(array.readonly().as_slice()?));
    });
    work(bytes(array)?.readonly().as_slice()?)
}

/// The bytes of the elements of a dense array, which holds no objects.
fn bytes<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let py = array.py();
    let flat = array.call_method1(intern!(py, "reshape"), (-1,))?;
    Ok(flat.call_method1(intern!(py, "view"), (intern!(py, "u1"),))?.cast_into()?)
}

/// The same for elements that Rust knows, in fewer steps.
fn typed<'py, T: Element + Pod>(
    dtype: &Bound<'py, PyArrayDescr>,
    shape: &[u64],
    length: usize,
    fill: impl Fill,
) -> PyResult<Bound<'py, PyAny>> {
    let py = dtype.py();
    if shape.is_empty() {
        let mut value = [T::zeroed()];
        fill(bytemuck::cast_slice_mut(&mut value))?;
        return PyArray1::from_slice(py, &value).get_item(0);
    }
    let lengths: Vec<usize> =
        shape.iter().map(|length| usize::try_from(*length)).collect::<Result<_, _>>()?;
    let array = match length {
        0..=SMALL => PyArrayDyn::<T>::zeros(py, lengths, false),
        _ => empty(dtype, shape)?.cast_into()?,
    };
    fill(bytemuck::cast_slice_mut(array.readwrite().as_slice_mut()?))?;
    Ok(array.into_any())
}
